"""What the rules of the connection tracking table judge: the table, its past, and the kernel log."""

from __future__ import annotations

from tablefull.findings.conntrack_remedy import OWN_FILE
from tablefull.findings.rates import Sample, change_rate, growth, oldest, previous, rate
from tablefull.findings.wording import duration
from tablefull.readers.conntrack import Conntrack
from tablefull.readers.kernel_log import Event, KernelLog
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tablefull.readers.namespaces import Namespaces

# Counters of /proc/net/stat/nf_conntrack worth remembering. new, ignore, delete and, since 4.9, searched stay 0.
COUNTERS = ('drop', 'early_drop', 'insert_failed', 'invalid', 'search_restart', 'chainlength')

# The kernel refuses at max, but bursts come and go between two looks, and UDP entries expire: 522 of 560 were counted
# while clients were locked out.
NEARLY_FULL = 90.0

# A forecast from less than this (seconds), or on an emptier table (percent), is noise.
SHORTEST_TREND = 180.0
EMPTIEST_TREND = 50.0


class Seen(NamedTuple):
    """Facts of one run, and what earlier runs and the kernel log add to them.

    table    the table now
    now      its sample
    earlier  samples of earlier runs, oldest first
    log      the kernel log, None when it could not be read
    window   seconds: a line of the log that is older proves nothing about what was counted since the previous run
    log_gap  why the kernel log could not be read, '' when it was
    release  of the kernel, (major, minor)
    namespaces  the tables of all network namespaces; None when nobody asked for them
    limit_file  where to write a limit down for the next boot
    """

    table: Conntrack
    now: Sample
    earlier: tuple[Sample, ...] = ()
    log: KernelLog | None = None
    window: float = 900.0
    log_gap: str = ''
    release: tuple[int, int] = (0, 0)
    namespaces: Namespaces | None = None
    limit_file: str = OWN_FILE

    @property
    def before(self) -> Sample | None:
        """The sample of the previous run; None on a first one."""
        return previous(self.earlier, self.now.at)

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
    def nearly_full(self) -> bool:
        """Whether the table is at its limit now, as far as a look between two bursts can tell."""
        return (self.table.usage or 0.0) >= NEARLY_FULL

    @property
    def was_nearly_full(self) -> bool:
        """The same of now or the previous run: between the two a burst may have come and gone."""
        if self.nearly_full or self.before is None or self.table.limit is None:
            return self.nearly_full
        entries = self.before.counters.get('entries', (0,))[0]
        # Somebody may have raised the limit in between: that is how the outage is ended.
        limit = self.before.counters.get('limit', (self.table.limit,))[0]
        return limit > 0 and 100.0 * entries / limit >= NEARLY_FULL

    @property
    def full_in(self) -> float | None:
        """Seconds until the table is full at its present growth; None when it does not grow or nobody can tell.

        The slower of two paces counts, that of the last minutes and that since the previous run: a wave of
        reconnections is over before the table is full.
        """
        table, early = self.table, oldest(self.earlier, self.now.at)
        if table.limit is None or table.entries is None or early is None or table.entries >= table.limit:
            return None
        if (table.usage or 0) < EMPTIEST_TREND or self.now.at - early.at < SHORTEST_TREND:
            return None
        paces = [change_rate(sample, self.now, 'entries') for sample in (early, self.before)]
        slowest = min((pace for pace in paces if pace is not None), default=0.0)
        return (table.limit - table.entries) / slowest if slowest > 0 else None


def sample_of(table: Conntrack, at: float, log_clock: float | None) -> Sample:
    """What to remember of `table`; `log_clock` is the kernel log's idea of now, which stands still in suspend."""
    counters: dict[str, tuple[int, ...]] = {}
    if table.entries is not None:
        counters['entries'] = (table.entries,)
    if table.limit is not None:
        counters['limit'] = (table.limit,)
    if log_clock is not None:
        counters['log_clock'] = (int(log_clock),)
    for name in COUNTERS:
        values = table.statistics.per_cpu(name) if table.statistics is not None else None
        if values is not None:
            counters[name] = values
    return Sample(at, counters)
