"""Who holds the table, as notes beside a verdict: the largest ranges of addresses, or why they could not be seen."""

from __future__ import annotations

from tablefull.findings.finding import Finding
from tablefull.findings.holders import certainty, half_open_share, percent, rows, states
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tablefull.findings.holders import Row
    from tablefull.readers.survey import Survey

# As many fit into one line of a check's default output.
_A_LINE = 4
_STATES = 5


def holders(survey: Survey, most: int) -> Iterator[Finding]:
    """At most `most` ranges of sources."""
    found = rows(survey, most)
    if not survey.counted:
        return
    yield Finding(
        'conntrack-holders',
        'info',
        _largest(survey, found[0]) if found else 'no range of addresses holds much of the table',
        tuple(_lines(survey, found)),
        ('tablefull top  # as root; --by source, destination, port or state tells more',),
    )


def unseen(reason: str, grant: str) -> Finding:
    """The table could not be looked into; the verdict stands without."""
    return Finding(
        'conntrack-holders-unseen',
        'info',
        'who holds the table could not be seen',
        (reason,),
        (grant,) if grant else (),
    )


def _largest(survey: Survey, row: Row) -> str:
    share, half_open = percent(row.flows, survey.counted), percent(row.half_open, row.flows)
    return f'{row.label} holds {share} of the tracked connections, {half_open} of them half-open'


def _lines(survey: Survey, found: list[Row]) -> Iterator[str]:
    texts = [f'{row.label} {percent(row.flows, survey.counted)}' for row in found]
    for start in range(0, len(texts), _A_LINE):
        yield ', '.join(texts[start : start + _A_LINE])
    shares = [f'{name} {percent(n, survey.counted)}' for name, n in states(survey)[:_STATES]]
    yield f'half-open {percent(half_open_share(survey), 1)}; {", ".join(shares)}'
    yield certainty(survey, found)
