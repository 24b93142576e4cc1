"""Overflows of neighbour tables where none can be seen: then the kernel log is all that tells of them."""

from __future__ import annotations

from tablefull.findings.finding import Finding
from tablefull.findings.neighbour import CACHES, NAMES, Seen
from tablefull.findings.wording import duration
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def judge(seen: Seen) -> Iterator[Finding]:
    """New neighbours were refused, by the kernel's own line alone."""
    if seen.tables:
        return
    for subject in (*CACHES.values(), ''):
        lines = [event for event in seen.events if (event.code, event.subject) == ('neighbour-table-overflow', subject)]
        family = next((number for number, cache in CACHES.items() if cache == subject), None)
        if lines and seen.log is not None:
            yield Finding(
                'neighbour-table-full',
                'critical',
                f'{NAMES.get(family or 0, "a neighbour table")} overflowed: new neighbours refused',
                (f'{lines[-1].text} ({duration(max(0.0, seen.log.age(lines[-1])))} ago)',),
                (
                    f'ip ntable show name {subject or CACHES[4]}  # how large is it? then raise thresh2 and thresh3',
                    f'ip -{family or 4} neigh show nud all  # and: ip -{family or 4} route show table all',
                ),
            )
