"""Rules of the tables of other network namespaces: each is full by itself, at the one limit of the host."""

from __future__ import annotations

from tablefull.findings.conntrack_remedy import raise_limit
from tablefull.findings.finding import Finding
from tablefull.findings.wording import number, quantity
from tablefull.readers.namespaces import Namespaces
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tablefull.findings.conntrack_seen import Seen
    from tablefull.readers.namespaces import Table

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
        (f'nsenter -t {table.pid} -n conntrack -L  # who holds it', *raise_limit(seen.table, seen.release)),
    )


def unseen(namespaces: Namespaces | None) -> Iterator[Finding]:
    """What of the namespaces stays dark; all of them for None."""
    reasons = []
    if namespaces is None:
        reasons.append('/proc cannot be listed')
        namespaces = Namespaces(0, 0, ())
    if namespaces.unread:
        reasons.append(
            f'{quantity(namespaces.unread, "namespace")} without readable statistics '
            '(a kernel without CONFIG_NF_CONNTRACK_PROCFS shows those of none)'
        )
    if namespaces.hidden:
        processes = quantity(namespaces.hidden, 'process', 'processes')
        reasons.append(f'{processes} whose namespace this user may not see')
    if namespaces.unvisited:
        reasons.append(f'{quantity(namespaces.unvisited, "process", "processes")} not looked at: no time left')
    if namespaces.empty:
        names = ', '.join(namespaces.empty[:5])
        reasons.append(f'{quantity(len(namespaces.empty), "namespace")} without a process: {names}')
    if reasons:
        yield Finding(
            'conntrack-namespaces-unseen',
            'info',
            'part of the network namespaces could not be seen',
            tuple(reasons),
            ('lsns -t net  # as root',),
        )


def summary(namespaces: Namespaces) -> str:
    """'12 namespaces seen, 3456 entries in all'."""
    return f'{quantity(namespaces.seen, "namespace")} seen, {quantity(namespaces.entries, "entry", "entries")} in all'


def _drops(table: Table) -> str:
    return 'drops unknown' if table.drops is None else quantity(table.drops, 'drop')


def _called(table: Table) -> str:
    return f', namespace {table.inode}' if table.inode else ''
