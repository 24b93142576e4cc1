"""Rules of the connection tracking table. Loss is judged before level: a refused packet is critical at 10 % usage."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tablefull.findings.finding import Finding
from tablefull.findings.rates import Sample, change_rate, growth, rate
from tablefull.findings.wording import duration, number
from tablefull.readers.conntrack import Conntrack
from tablefull.readers.kernel_log import Event, KernelLog
from tablefull.record import NamedTuple

# Counters of /proc/net/stat/nf_conntrack worth remembering. new, ignore, delete and, since 4.9, searched stay 0.
COUNTERS = ('drop', 'early_drop', 'insert_failed', 'invalid', 'search_restart', 'chainlength')

# The kernel refuses at max, but bursts come and go between two looks; its own clean-up arms at 95 % too (>= 4.12).
_NEARLY_FULL = 95.0

# A forecast from less than this (seconds), or on an emptier table (percent), is noise.
_SHORTEST_TREND = 60.0
_EMPTIEST_TREND = 50.0


class Seen(NamedTuple):
    """Facts of one run, and what earlier runs and the kernel log add to them.

    table     the table now
    now       its sample; before is the previous run's, early the oldest recent one, None on a first run
    log       the kernel log, None when it could not be read
    window    seconds: a line of the log that is older proves nothing about what was counted since the previous run
    log_gap   why the kernel log could not be read, '' when it was
    """

    table: Conntrack
    now: Sample
    before: Sample | None = None
    early: Sample | None = None
    log: KernelLog | None = None
    window: float = 900.0
    log_gap: str = ''

    def lines(self, code: str) -> tuple[Event, ...]:
        """Events of one kind in the whole log that was read, oldest first."""
        return tuple(event for event in self.log.events if event.code == code) if self.log is not None else ()

    def fresh(self, event: Event) -> bool:
        """Whether an event happened since the previous run."""
        return self.log is not None and self.log.age(event) <= self.window

    def quote(self, event: Event) -> str:
        """An event as evidence, with its age."""
        age = self.log.age(event) if self.log is not None else 0.0
        return f'kernel log, {duration(max(0.0, age))} ago: {event.text}'

    def growth(self, name: str) -> int:
        """Growth of a counter since the previous run, 0 when unknown."""
        return growth(self.before, self.now, name) or 0

    def rate(self, name: str) -> float | None:
        """The same per second, None when unknown."""
        return rate(self.before, self.now, name)

    @property
    def full_in(self) -> float | None:
        """Seconds until the table is full at its present growth; None when it does not grow or nobody can tell."""
        table = self.table
        if table.limit is None or table.entries is None or self.early is None:
            return None
        if (table.usage or 0) < _EMPTIEST_TREND or self.now.at - self.early.at < _SHORTEST_TREND:
            return None
        change = change_rate(self.early, self.now, 'entries')
        if change is None or change <= 0:
            return None
        return max(0.0, (table.limit - table.entries) / change)


# What turns a breached range into a finding: (seen, severity, value, range as text).
Breach = Callable[[Seen, str, float, str], Finding]


def sample(table: Conntrack, at: float) -> Sample:
    """What to remember of `table`."""
    counters: dict[str, tuple[int, ...]] = {}
    if table.entries is not None:
        counters['entries'] = (table.entries,)
    for name in COUNTERS:
        values = table.statistics.per_cpu(name) if table.statistics is not None else None
        if values is not None:
            counters[name] = values
    return Sample(at, counters)


def judge(seen: Seen) -> Iterator[Finding]:
    """Everything that needs no threshold of the user."""
    yield from refused(seen)
    yield from expectations(seen)
    if seen.table.maximum is not None and seen.table.maximum <= 0:
        yield Finding(
            'conntrack-no-limit',
            'info',
            'connection tracking has no limit: only memory bounds the table',
            (f'nf_conntrack_max = {seen.table.maximum}',),
            ('sysctl -w net.netfilter.nf_conntrack_max=262144',),
        )
    if seen.table.loaded and (seen.table.entries is None or seen.table.maximum is None):
        yield Finding(
            'conntrack-hidden',
            'unknown',
            'connection tracking is loaded, but its size or its limit is hidden from this namespace',
            ('/proc/sys/net/netfilter/nf_conntrack_max is not there (a user namespace of kernels 3.8 to 5.6)',),
            ('run the check in the initial user namespace of the host',),
        )
    elif seen.table.loaded and seen.table.statistics is None:
        yield Finding(
            'conntrack-statistics-missing',
            'info',
            'this kernel has no conntrack statistics: refused packets show only in the kernel log'
            + (f', and that is not readable: {seen.log_gap}' if seen.log_gap else ''),
            ('/proc/net/stat/nf_conntrack is not there (CONFIG_NF_CONNTRACK_PROCFS=n, as on Ubuntu 24.04)',),
        )


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
        named_ours = bool(event.subject) and event.subject == seen.table.namespace
        (others if named_other or (spotless and not named_ours) else ours).append(event)
    return ours, others


def _nearly_full(seen: Seen) -> bool:
    limit = seen.table.limit
    if limit is None or seen.table.entries is None:
        return False
    highest = max([seen.table.entries, *(seen.before.counters.get('entries', (0,)) if seen.before else (0,))])
    return 100.0 * highest / limit >= _NEARLY_FULL


def refused(seen: Seen) -> Iterator[Finding]:
    """Packets refused since the previous run, and whether a full table is proved to be the reason.

    `drop` alone proves nothing: an insertion clash raises it together with insert_failed (>= 4.9). What exceeds
    insert_failed was refused; that the table was full is proved by its level or by the kernel's own line.
    """
    ours, others = _full_lines(seen)
    witnessed = any(seen.fresh(event) for event in ours)
    others = [event for event in others if seen.fresh(event)]
    dropped = seen.growth('drop')
    unexplained = dropped - min(dropped, seen.growth('insert_failed'))
    usage = seen.table.usage
    level = (f'nf_conntrack_count {seen.table.entries} of nf_conntrack_max {seen.table.maximum}',)
    lines = tuple(seen.quote(event) for event in ours[-1:])
    if seen.before is not None and seen.table.statistics is not None:
        full = unexplained > 0 and (_nearly_full(seen) or witnessed)
        counted: tuple[str, ...] = (f'drop +{dropped} since the previous run',)
    else:
        # A first run, or a kernel without statistics: the line is the only witness of when.
        total = seen.table.statistics.total('drop') if seen.table.statistics is not None else None
        full = witnessed and ((total is None and _nearly_full(seen)) or bool(total))
        counted = (f'drop {total} since boot',) if total is not None else ()
    if full:
        how_many = f'{unexplained} packets' if unexplained else 'packets'
        yield Finding(
            'conntrack-table-full',
            'critical',
            f'connection tracking table full, {how_many} refused'
            + (f' ({seen.table.entries} of {seen.table.maximum} entries)' if usage is not None else ''),
            counted + lines + level,
            (
                f'sysctl -w net.netfilter.nf_conntrack_max={2 * (seen.table.limit or 131072)}  # ends the outage now',
                'conntrack -L  # who holds it; loads nf_conntrack_netlink, tracking is on already',
            ),
        )
    elif unexplained > 0:
        yield Finding(
            'conntrack-drops',
            'warning',
            f'connection tracking refused {unexplained} packets, but its table is not full',
            counted + level + ((f'kernel log: {seen.log_gap}',) if seen.log_gap else ()),
            ('dmesg --ctime  # as root: look for nf_conntrack and x_tables',),
        )
    elif witnessed and seen.table.statistics is None:
        others = ours
    if others:
        event = others[-1]
        where = f' (namespace {event.subject})' if event.subject else ''
        yield Finding(
            'conntrack-table-full-elsewhere',
            # The host's check speaks for its containers; one container is not to be woken for another.
            'warning' if seen.table.first_namespace else 'info',
            f'a table is full in another network namespace of this host{where}, a container perhaps; not in this one',
            (
                seen.quote(event),
                f'drop {seen.table.statistics.total("drop")} here' if seen.table.statistics else 'no drops',
            ),
            ('lsns -t net  # then: nsenter -t PID -n sysctl net.netfilter.nf_conntrack_count',),
        )


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


def usage_breach(seen: Seen, severity: str, value: float, limits: str) -> Finding:
    """Usage in percent of the limit is outside the range of the user."""
    table = seen.table
    pace = f', full in {duration(seen.full_in)}' if seen.full_in is not None else ''
    return Finding(
        'conntrack-usage-high',
        severity,
        f'{number(value)} % of the connection tracking table in use ({table.entries} of {table.maximum}){pace}',
        (f'usage {number(value)} % is outside {limits or "0:"}',),
        (
            f'sysctl -w net.netfilter.nf_conntrack_max={2 * (table.limit or 0)}',
            f'echo "net.netfilter.nf_conntrack_max = {2 * (table.limit or 0)}" > /etc/sysctl.d/90-conntrack.conf',
        ),
    )


def entries_breach(seen: Seen, severity: str, value: float, limits: str) -> Finding:
    """The number of entries is outside the range of the user."""
    return Finding(
        'conntrack-entries-high',
        severity,
        f'{number(value)} tracked connections, outside {limits or "0:"}',
        (f'nf_conntrack_count {number(value)}',),
        ('conntrack -L  # who holds it; loads nf_conntrack_netlink, tracking is on already',),
    )


def early_drop_breach(seen: Seen, severity: str, value: float, limits: str) -> Finding:
    """Unanswered connections are thrown out for new ones: the table is at its limit, but nothing is refused yet."""
    return Finding(
        'conntrack-early-drops',
        severity,
        f'{seen.growth("early_drop")} unanswered connections evicted to make room for new ones',
        (f'early_drop {number(value)}/s is outside {limits or "0:"}',),
        ('conntrack -L -u UNREPLIED  # a flood of one-way packets, mostly',),
    )


def insert_failed_breach(seen: Seen, severity: str, value: float, limits: str) -> Finding:
    """New connections clash with existing ones; since 5.15 also when a hash chain is too long."""
    chains = seen.growth('chainlength')
    reason = f', {chains} for too long hash chains' if chains else ''
    return Finding(
        'conntrack-insert-failed',
        severity,
        f'{number(value)} new connections per second lost on insertion{reason}',
        (f'insert_failed +{seen.growth("insert_failed")}, outside {limits or "0:"}',),
        ('conntrack -S  # loads nf_conntrack_netlink, tracking is on already',),
    )


def hash_breach(seen: Seen, severity: str, value: float, limits: str) -> Finding:
    """Too few buckets for the limit: lookups get slow, and 5.15 to 5.19 even refuse connections long before max."""
    limit = seen.table.limit or 0
    return Finding(
        'conntrack-hash-small',
        severity,
        f'hash table too small: {number(value)} entries per bucket when full',
        (f'nf_conntrack_max {limit}, nf_conntrack_buckets {seen.table.buckets}',),
        (f'echo {limit} > /sys/module/nf_conntrack/parameters/hashsize  # at once, and any kernel takes it',),
    )


def full_soon(seen: Seen, warning: float | None, critical: float | None) -> Iterator[Finding]:
    """The table will be full within so many minutes (None: not judged)."""
    if seen.full_in is None:
        return
    for severity, minutes in (('critical', critical), ('warning', warning)):
        if minutes is not None and seen.full_in <= 60 * minutes:
            yield Finding(
                'conntrack-full-soon',
                severity,
                f'connection tracking table full in {duration(seen.full_in)} at its present growth',
                (f'{seen.table.entries} of {seen.table.maximum} entries, and growing',),
                (f'sysctl -w net.netfilter.nf_conntrack_max={2 * (seen.table.limit or 0)}',),
            )
            return
