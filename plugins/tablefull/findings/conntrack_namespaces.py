"""Rules of the tables of other network namespaces: each is full by itself, at the one limit of the host."""

from __future__ import annotations

from tablefull.findings.conntrack_loss import COUNTS_CLASHES_TWICE
from tablefull.findings.conntrack_remedy import raise_limit
from tablefull.findings.conntrack_seen import NEARLY_FULL
from tablefull.findings.finding import Finding
from tablefull.findings.rates import growth
from tablefull.findings.wording import number, quantity
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tablefull.findings.conntrack_seen import Seen
    from tablefull.readers.kernel_log import Event
    from tablefull.readers.namespaces import Namespaces, Table

_TOLD = 3


def worst(namespaces: Namespaces) -> Table | None:
    """The fullest table that is not the one the check judges anyway."""
    return next((table for table in namespaces.tables if not table.own), None)


def worst_usage(seen: Seen) -> float | None:
    """Its entries in percent of the limit; None without a limit, or when there is no other namespace."""
    table = None if seen.namespaces is None else worst(seen.namespaces)
    if table is None or seen.table.limit is None:
        return None
    return 100.0 * table.entries / seen.table.limit


def remembered(namespaces: Namespaces, release: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    """Counters for the sample of a run: packets that each table refused for want of room, as far as one can tell.

    With a second value that is always 0: of what has several values only the newest sample is kept in full, and there
    may be many namespaces.
    """
    return {
        _counter(table): (max(0, table.drops - (table.clashes if release >= COUNTS_CLASHES_TWICE else 0)), 0)
        for table in namespaces.tables
        if table.drops is not None and not table.own
    }


def _counter(table: Table) -> str:
    return f'refused@{table.identity}'


def loss(seen: Seen, table: Table) -> int | None:
    """Packets that the table of another namespace refused for want of room since the previous run.

    For want of room: it is nearly full, or named by the kernel as full. None when unknown: it was not there before.
    """
    if table.own or table.drops is None:
        return None
    if seen.table.limit is None:
        return 0
    grown = growth(seen.before, seen.now, _counter(table))
    full = 100.0 * table.entries / seen.table.limit >= NEARLY_FULL or _named(seen, table)
    return grown if full or grown is None else 0


def _named(seen: Seen, table: Table) -> list[Event]:
    """Lines of the kernel log since the previous run that name it as full."""
    lines = (event for event in seen.lines('conntrack-table-full') if event.subject and seen.fresh(event))
    return [event for event in lines if event.subject == table.inode]


def refused(seen: Seen) -> Iterator[Finding]:
    """Tables that refused packets since the previous run for want of room."""
    for table in () if seen.namespaces is None else seen.namespaces.tables:
        grown = loss(seen, table)
        if not grown:
            continue
        named = _named(seen, table)
        yield Finding(
            'conntrack-namespace-table-full',
            'critical',
            f'table full in another network namespace, {quantity(grown, "packet")} refused: {table.holder}',
            (
                f'drop +{grown} since the previous run, {table.entries} of {seen.table.limit} entries{_called(table)}',
                *(seen.quote(event) for event in named[-1:]),
            ),
            (*raise_limit(seen.table, seen.release), f'nsenter -t {table.pid} -n tablefull top  # who holds it'),
        )


def usage_breach(seen: Seen, severity: str, value: float, limits: str) -> Finding:
    """Usage of the fullest other namespace is outside the range of the user."""
    assert seen.namespaces is not None
    table = worst(seen.namespaces)
    assert table is not None
    others = [other for other in seen.namespaces.tables if not other.own][1 : 1 + _TOLD]
    evidence = [f'{table.entries} of {seen.table.limit} entries, {_drops(table)}{_called(table)}']
    evidence += [f'next: {other.entries} entries, {_drops(other)}, {other.holder}' for other in others]
    return Finding(
        'conntrack-namespace-usage-high',
        severity,
        f'{number(value)} % of the limit in use in another network namespace: {table.holder}',
        (*evidence, summary(seen.namespaces)),
        (f'nsenter -t {table.pid} -n tablefull top  # who holds it', *raise_limit(seen.table, seen.release)),
    )


def unseen(namespaces: Namespaces | None) -> Iterator[Finding]:
    """What of the namespaces stays dark; all of them for None."""
    reasons = ['/proc cannot be listed'] if namespaces is None else list(_reasons(namespaces))
    if reasons:
        yield Finding(
            'conntrack-namespaces-unseen',
            'info',
            'part of the network namespaces could not be seen',
            tuple(reasons),
            ('lsns -t net  # as root',),
        )


def _reasons(namespaces: Namespaces) -> Iterator[str]:
    if namespaces.unread:
        yield (
            f'{quantity(namespaces.unread, "namespace")} without readable statistics '
            '(a kernel without CONFIG_NF_CONNTRACK_PROCFS shows those of none)'
        )
    if namespaces.hidden:
        processes = quantity(namespaces.hidden, 'process', 'processes')
        yield f'{processes} whose namespace this user may not see'
    if namespaces.withheld:
        yield namespaces.withheld
    if namespaces.unvisited:
        yield f'{quantity(namespaces.unvisited, "process", "processes")} not looked at: no time left'
    if namespaces.empty:
        names = ', '.join(namespaces.empty[:5])
        yield f'{quantity(len(namespaces.empty), "namespace")} without a process that can be seen: {names}'


def summary(namespaces: Namespaces) -> str:
    """'12 namespaces seen, 3456 entries in all'."""
    return f'{quantity(namespaces.seen, "namespace")} seen, {quantity(namespaces.entries, "entry", "entries")} in all'


def _drops(table: Table) -> str:
    return 'drops unknown' if table.drops is None else quantity(table.drops, 'drop')


def _called(table: Table) -> str:
    return f', namespace {table.inode}' if table.inode else ''
