"""What triage shows beside causes: one function a section. A new one (who holds the table) is one more line in ALL."""

from __future__ import annotations

from tablefull.findings.neighbour import LABELS
from tablefull.findings.wording import number
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from tablefull.triage.facts import Facts


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
    if facts.neighbour is not None:
        seen = facts.neighbour.all
        for family in seen.tables:
            share = seen.usage(family.family)
            lines.append(Line(LABELS[family.family], f'{seen.counted(family.family)} of {_known(family.limit)}', share))
    return Section('tables', tuple(lines))


def _known(value: int | None) -> str:
    return '?' if value is None else number(value)


ALL: tuple[Callable[[Facts], Section], ...] = (tables,)


def sections(facts: Facts) -> tuple[Section, ...]:
    """Those that have something to show."""
    return tuple(section for section in (make(facts) for make in ALL) if section.lines)
