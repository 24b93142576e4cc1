"""Rules of loss: were packets refused, was a full table the reason, and was it this table?"""

from __future__ import annotations

from tablefull.findings.conntrack_remedy import list_entries, raise_limit
from tablefull.findings.conntrack_seen import Seen
from tablefull.findings.finding import Finding
from tablefull.findings.rates import LOST
from tablefull.findings.wording import duration, number, quantity
from tablefull.readers.kernel_log import Event
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Percent. A table that was full holds more for a while, whatever limit it was given since.
_NEARLY_EMPTY = 5.0
# From here on the kernel names the namespace of a full table, unless it is the first one.
_NAMES_NAMESPACES = (6, 18)
# Since then one clash on insertion raises drop as well as insert_failed.
COUNTS_CLASHES_TWICE = (4, 9)


def refused(seen: Seen, since: float) -> Iterator[Finding]:
    """Packets refused since the previous run, and whether a full table is proved to be the reason.

    `drop` alone proves nothing: a clash on insertion raises it too. What exceeds the clashes was refused; that the
    table was full is proved by its level or by the kernel's own line. A loss of the last `since` seconds stays as long
    as the table is nearly full, for the next packets are lost as well.
    """
    ours, others = _full_lines(seen)
    witnessed = any(seen.fresh(event) for event in ours)
    compared = seen.rate('drop') is not None
    dropped, clashes = seen.growth('drop'), _clashes(seen)
    unexplained = max(0, dropped - clashes)
    total = seen.table.statistics.total('drop') if seen.table.statistics is not None else None
    if compared:
        full = dropped > 0 and (witnessed or (unexplained > 0 and seen.was_nearly_full))
        counted: tuple[str, ...] = (f'drop +{dropped} since the previous run',)
    else:
        # A first run, or a kernel without statistics: the line is the only witness of when.
        full = witnessed and total != 0 and (seen.nearly_full or any(_names_us(seen, event) for event in ours))
        counted = (f'drop {total} since boot',) if total is not None else ()
    earlier = _earlier_loss(seen, since) if seen.nearly_full else None
    lines = tuple(seen.quote(event) for event in ours[-1:])
    level = (f'nf_conntrack_count {seen.table.entries} of nf_conntrack_max {seen.table.maximum}',)
    if full:
        yield _table_full(seen, f'{_how_many(dropped, unexplained)} refused', counted + lines + level)
    elif earlier is not None:
        packets, age = earlier
        yield _table_full(seen, f'{quantity(packets, "packet")} refused {duration(age)} ago', counted + lines + level)
    elif not compared and witnessed and (total or (total is None and not _nearly_empty(seen))):
        yield _full_before(seen, ours[-1], counted + lines + level)
        return
    elif unexplained > 0:
        yield from _drops(seen, unexplained, counted + level)
    others += [event for event in ours if not full and not dropped and not _names_us(seen, event)]
    fresh = [event for event in others if seen.fresh(event)]
    if fresh and not full and earlier is None:
        yield _elsewhere(seen, fresh[-1], certain=fresh[-1] not in ours)


def lost(findings: list[Finding], seen: Seen) -> int:
    """What to remember of this run under LOST: packets refused by a full table, 0 when none was."""
    full = any(finding.code == 'conntrack-table-full' for finding in findings)
    return max(1, seen.growth('drop')) if full and seen.growth('drop') else 0


def expectations(seen: Seen) -> Iterator[Finding]:
    """The expectation table (FTP, SIP and other helpers) has a limit and a message of its own, and no counter."""
    lines = [event for event in seen.lines('conntrack-expectation-table-full') if seen.fresh(event)]
    if lines:
        yield Finding(
            'conntrack-expectation-table-full',
            'warning',
            'the table of expected connections is full: FTP, SIP or another helper fails',
            (seen.quote(lines[-1]), f'nf_conntrack_expect_max {seen.table.expect_maximum}'),
            ('sysctl net.netfilter.nf_conntrack_expect_max',),
        )


def _clashes(seen: Seen) -> int:
    if (0, 0) < seen.release < COUNTS_CLASHES_TWICE:
        return 0
    # A chain that is too long (>= 5.15) raises insert_failed as well, and never drop.
    return max(0, seen.growth('insert_failed') - seen.growth('chainlength'))


def _names_us(seen: Seen, event: Event) -> bool:
    """Whether the line can only be about this namespace."""
    if event.subject:
        return event.subject == seen.table.namespace
    return seen.table.first_namespace and seen.release >= _NAMES_NAMESPACES


def _full_lines(seen: Seen) -> tuple[list[Event], list[Event]]:
    """'table full' lines of the kernel log: (of this namespace or undecided, certainly of another one).

    Lines older than the previous run are kept as well: the kernel prints ten in five seconds at most, so the packets
    refused just now may have left no line of their own. They illustrate; only fresh ones prove.
    """
    ours: list[Event] = []
    others: list[Event] = []
    # A namespace has statistics of its own: where they show no drop at all, its table was never full.
    spotless = seen.table.statistics is not None and not seen.table.statistics.total('drop')
    for event in seen.lines('conntrack-table-full'):
        named_other = bool(event.subject) and bool(seen.table.namespace) and event.subject != seen.table.namespace
        (others if named_other or (spotless and not _names_us(seen, event)) else ours).append(event)
    return ours, others


def _earlier_loss(seen: Seen, since: float) -> tuple[int, float] | None:
    """(packets, seconds ago) of the latest loss that an earlier run proved."""
    for sample in reversed(seen.earlier):
        packets = sample.counters.get(LOST, (0,))[0]
        if packets and seen.now.at - sample.at <= since:
            return packets, seen.now.at - sample.at
    return None


def _nearly_empty(seen: Seen) -> bool:
    return seen.table.usage is not None and seen.table.usage < _NEARLY_EMPTY


def _how_many(dropped: int, unexplained: int) -> str:
    if unexplained:
        return quantity(unexplained, 'packet')
    return f'up to {quantity(dropped, "packet")}' if dropped else 'packets'


def _table_full(seen: Seen, loss: str, evidence: tuple[str, ...]) -> Finding:
    table = seen.table
    entries = f' ({table.entries} of {table.maximum} entries)' if table.usage is not None else ''
    return Finding(
        'conntrack-table-full',
        'critical',
        f'connection tracking table full, {loss}{entries}',
        evidence,
        (*raise_limit(table, seen.release), list_entries()),
    )


def _full_before(seen: Seen, event: Event, evidence: tuple[str, ...]) -> Finding:
    age = seen.log.age(event) if seen.log is not None else 0.0
    usage = 'how full is not known'
    if seen.table.maximum is not None:
        usage = f'now at {number(seen.table.usage)} %' if seen.table.usage is not None else 'now without limit'
    remedy = 'check_conntrack  # once more: a second run knows whether drop still grows'
    if seen.table.statistics is None:
        remedy = 'lsns -t net  # then: nsenter -t PID -n sysctl net.netfilter.nf_conntrack_count'
    return Finding(
        'conntrack-table-full',
        'warning',
        f'a table was full {duration(max(0.0, age))} ago, this one or that of a container; {usage}',
        evidence,
        (remedy,),
    )


def _drops(seen: Seen, unexplained: int, evidence: tuple[str, ...]) -> Iterator[Finding]:
    usage = f'{number(seen.table.usage)} %' if seen.table.usage is not None else 'no limit'
    known = 'whether it was full cannot be told' if seen.log_gap else 'but its table was not full'
    yield Finding(
        'conntrack-drops',
        'warning',
        f'connection tracking refused {quantity(unexplained, "packet")}, {known} (now at {usage})',
        evidence,
        ('dmesg --ctime  # as root: look for nf_conntrack and x_tables',),
    )
    if seen.log_gap:
        yield log_unreadable(seen)


def log_unreadable(seen: Seen) -> Finding:
    """The kernel log would have told more, and was closed."""
    return Finding(
        'kernel-log-unreadable',
        'info',
        'the kernel log would tell whether the table was full, and cannot be read',
        (seen.log_gap,),
        ('sysctl -w kernel.dmesg_restrict=0  # opens the kernel log to every user of this host',),
    )


def _elsewhere(seen: Seen, event: Event, certain: bool) -> Finding:
    where = f'network namespace {event.subject}' if event.subject else 'another network namespace'
    if certain:
        says = f'table full in {where}, perhaps a container; not in this one'
    elif seen.table.statistics is None:
        says = 'the kernel log says "table full", and this table is nearly empty: a container, or conntrackd'
    else:
        says = 'the kernel log says "table full", but no drop was counted here: a container, or conntrackd'
    drops = seen.table.statistics.total('drop') if seen.table.statistics is not None else None
    return Finding(
        'conntrack-table-full-elsewhere',
        # The host's check speaks for its containers; one container is not to be woken for another.
        'warning' if seen.table.first_namespace else 'info',
        says,
        (seen.quote(event), f'drop {drops} since boot here' if drops is not None else 'this kernel counts no drops'),
        ('lsns -t net  # then: nsenter -t PID -n sysctl net.netfilter.nf_conntrack_count',),
    )
