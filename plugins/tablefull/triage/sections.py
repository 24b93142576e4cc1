"""What triage shows beside causes: one function a section. A new one (who holds the table) is one more line in ALL."""

from __future__ import annotations

from tablefull.findings.holders import certainty, percent, rows, states
from tablefull.findings.neighbour import LABELS
from tablefull.findings.wording import number
from tablefull.record import TYPE_CHECKING, NamedTuple
from tablefull.triage.holders import GROUPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tablefull.findings.conntrack_seen import Seen
    from tablefull.triage.facts import Facts


# Groups, and characters of a line beside its label.
_MOST, _WIDTH = 4, 66


class Line(NamedTuple):
    """One line.

    label  of a few characters
    text   behind it
    share  percent of something that can be full, drawn as a bar; None without one
    """

    label: str
    text: str
    share: float | None = None


class Section(NamedTuple):
    """A short list under a title; without lines it is not shown."""

    title: str
    lines: tuple[Line, ...]


def tables(facts: Facts) -> Section:
    """How full the tables are."""
    lines = []
    if facts.conntrack is not None:
        table = facts.conntrack.table
        limit = 'no limit' if table.maximum is not None and table.limit is None else f'of {_known(table.maximum)}'
        lines.append(Line('conntrack', f'{_known(table.entries)} {limit}', table.usage))
        lines += _others(facts.conntrack)
    if facts.neighbour is not None:
        seen = facts.neighbour.all
        for family in seen.tables:
            share = seen.usage(family.family)
            lines.append(Line(LABELS[family.family], f'{seen.counted(family.family)} of {_known(family.limit)}', share))
    return Section('tables', tuple(lines))


def _known(value: int | None) -> str:
    return '?' if value is None else number(value)


def _others(seen: Seen) -> Iterator[Line]:
    """The fullest tables of other namespaces, each against the one limit."""
    tables = () if seen.namespaces is None or seen.table.limit is None else seen.namespaces.tables
    crowded = [table for table in tables if not table.own and table.entries]
    for table in crowded[:_MOST]:
        yield Line('container', f'{percent(table.entries, seen.table.limit or 1)}, {table.entries}: {table.holder}')


def holders(facts: Facts) -> Section:
    """Who holds the table, when something is wrong with it."""
    held = facts.held
    if held is None:
        return Section('who holds the table', ())
    counted, ranges = held.ranges.counted, rows(held.ranges, GROUPS)[:_MOST]
    lines = [
        Line(percent(row.flows, counted), f'{row.label}, {percent(row.half_open, row.flows)} of it half-open')
        for row in ranges
    ]
    for label, spread in (
        ('ports', [f'{row.label} {percent(row.flows, counted)}' for row in rows(held.ports, _MOST)]),
        ('states', [f'{name} {percent(n, counted)}' for name, n in states(held.ranges)[:_MOST]]),
    ):
        lines += [Line(label, line) for line in _joined(spread)]
    return Section('who holds the table', (*lines, Line('counted', certainty(held.ranges, ranges))))


def _joined(words: list[str]) -> list[str]:
    """With commas, in lines that fit."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) + 2 <= _WIDTH:
            lines[-1] += f', {word}'
        else:
            lines.append(word)
    return lines


ALL: tuple[Callable[[Facts], Section], ...] = (tables, holders)


def sections(facts: Facts) -> tuple[Section, ...]:
    """Those that have something to show."""
    return tuple(section for section in (make(facts) for make in ALL) if section.lines)
