"""Rules of the neighbour tables: overflow first, whatever the usage, then how full they are.

Gateways are judged in neighbour_gateway.py, the neighbours themselves in neighbour_off_link.py, overflows without any
table to be seen in neighbour_log.py.
"""

from __future__ import annotations

from tablefull.findings.finding import Finding
from tablefull.findings.rates import Sample, growth, rate
from tablefull.findings.wording import duration, number, quantity
from tablefull.readers.links import LOOPBACK, Address, Link
from tablefull.readers.neighbours import EXT_LEARNED, EXT_VALIDATED, PERMANENT, Neighbours, Table
from tablefull.readers.routes import Routes
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tablefull.readers.kernel_log import Event, KernelLog

    # What turns a breached range into a finding: (seen, severity, value, range as text).
    Breach = Callable[['Seen', str, float, str], Finding]

LABELS = {4: 'arp', 6: 'ndp'}
NAMES = {4: 'IPv4 neighbour table (ARP)', 6: 'IPv6 neighbour table (NDP)'}
CACHES = {4: 'arp_cache', 6: 'ndisc_cache'}

# Counters worth remembering; `entries` is a gauge.
_COUNTERS = ('table_fulls', 'forced_gc_runs', 'res_failed')
_BITS = 64

# A sample this much of --since old tells as much as the kernel log; it is never quite as old.
_COVERED = 0.8

# From here to 4.2 the kernel, RHEL 7's 3.10 too, printed nothing when it refused a neighbour.
_SILENT_FROM = {4: (3, 6), 6: (3, 9)}
_LOGGED_AGAIN = (4, 3)


class Seen(NamedTuple):
    """Facts of one run, and what earlier runs and the kernel log add to them.

    release          (major, minor) of the kernel, (0, 0) when unknown
    addresses        own addresses; None when nobody had to look, or could
    sources          own addresses that routes name, where nothing else tells those of IPv4: not always all of them
    now              sample of this run; before is the previous run's, early the oldest one within --since
    log              the kernel log within --since; None when it was not needed or could not be read
    log_gap          why it could not be read, '' otherwise
    log_reader       the user who could read it with one more group, '' when no group helps
    live             False in a captured tree, where nothing is asked over netlink
    first_namespace  whether the limits can be set from here
    """

    tables: tuple[Table, ...]
    release: tuple[int, int]
    links: dict[str, Link]
    neighbours: Neighbours
    routes: Routes
    now: Sample
    before: Sample | None = None
    early: Sample | None = None
    log: KernelLog | None = None
    log_gap: str = ''
    log_reader: str = ''
    addresses: list[Address] | None = None
    sources: tuple[Address, ...] = ()
    live: bool = True
    first_namespace: bool = True

    @property
    def events(self) -> tuple[Event, ...]:
        """Kernel log events within --since, oldest first."""
        return () if self.log is None else self.log.events

    def table(self, family: int) -> Table | None:
        """The table of a family, None when this kernel has none."""
        return next((table for table in self.tables if table.family == family), None)

    def concerns(self, family: int) -> bool:
        """Whether a family is to be judged: not where tables can be seen, but none of it."""
        return not self.tables or self.table(family) is not None

    def exempt(self, family: int) -> int:
        """Entries of this namespace that the kernel does not compare with gc_thresh3.

        Up to 4.20 it compared all of them; since 5.0 permanent and externally learned ones are left out
        (58956317c8de), since 6.11 those on loopback devices as well. Those of other namespaces cannot be listed.
        """
        if (0, 0) < self.release < (5, 0):
            return 0
        size = 4 if family == 4 else 16
        loopbacks = set()
        if self.release >= (6, 11):
            loopbacks = {name for name, link in self.links.items() if link.flags and link.flags & LOOPBACK}
        return sum(
            len(entry.address) == size
            and bool(
                entry.state & PERMANENT or entry.flags & (EXT_LEARNED | EXT_VALIDATED) or entry.device in loopbacks
            )
            for entry in self.neighbours.entries
        )

    def counted(self, family: int) -> int | None:
        """Entries that the kernel compares with gc_thresh3, None without a table."""
        table = self.table(family)
        return None if table is None else max(0, table.entries - self.exempt(family))

    def usage(self, family: int) -> float | None:
        """Counted entries in percent of gc_thresh3; None when one of them cannot be seen."""
        table, counted = self.table(family), self.counted(family)
        if table is None or table.limit is None or counted is None:
            return None
        return 100.0 * counted / max(1, table.limit)

    def growth(self, family: int, counter: str) -> int | None:
        """Growth of a counter within --since, None when unknown."""
        return growth(self.early, self.now, f'{LABELS[family]}_{counter}', _BITS)

    def overflow_rate(self, family: int) -> float | None:
        """Refused neighbours per second since the previous run, None when unknown."""
        return rate(self.before, self.now, f'{LABELS[family]}_table_fulls', _BITS)


def needs_kernel_log(seen: Seen, since: float) -> bool:
    """Whether the kernel log can add anything.

    Not where table_fulls, which grows with each of its lines, is 0, or is known not to have grown for about --since.
    Where no table can be seen, it is all there is.
    """
    covered = seen.early is not None and seen.now.at - seen.early.at >= _COVERED * since
    return not seen.tables or any(
        table.statistics.get('table_fulls') != 0 and not (covered and seen.growth(table.family, 'table_fulls') == 0)
        for table in seen.tables
    )


def sample(tables: tuple[Table, ...], at: float) -> Sample:
    """What to remember of the tables."""
    counters: dict[str, tuple[int, ...]] = {}
    for table in tables:
        label = LABELS[table.family]
        counters[f'{label}_entries'] = (table.entries,)
        for name in _COUNTERS:
            if name in table.statistics:
                counters[f'{label}_{name}'] = (table.statistics[name],)
    return Sample(at, counters)


def judge(seen: Seen) -> Iterator[Finding]:
    """Overflows, and what could not be seen of the tables."""
    for table in seen.tables:
        yield from overflow(seen, table)
        if table.limit is None:
            yield Finding(
                'neighbour-limit-unknown',
                'unknown',
                f'{NAMES[table.family]}: {quantity(table.entries, "entry", "entries")}, but its limit cannot be seen',
                (f'/proc/sys/net/ipv{table.family}/neigh/default/gc_thresh3 is not there',),
                (
                    'allow the check an AF_NETLINK socket (systemd: RestrictAddressFamilies=, seccomp profile)'
                    if seen.live
                    else f'copy /proc/sys/net/ipv{table.family}/neigh/default of the host into the tree',
                ),
            )
    yield from suppressed(seen)


def overflow(seen: Seen, table: Table) -> Iterator[Finding]:
    """New neighbours were refused: by the kernel's counter, by its own line, or as far as an old kernel can tell."""
    name, level = NAMES[table.family], _level(seen, table)
    # Kernels up to 3.5 do not always name the family; then the line counts for the fuller table.
    lines = [event for event in seen.events if _overflow_of(seen, event) == table.family]
    refused = seen.growth(table.family, 'table_fulls') or 0
    span = duration(seen.now.at - seen.early.at) if seen.early else ''
    since_boot = table.statistics.get('table_fulls')
    if refused or lines:
        evidence = [f'table_fulls +{refused} in {span}'] if refused else []
        if lines and seen.log is not None:
            evidence.append(f'{lines[-1].text} ({duration(max(0.0, seen.log.age(lines[-1])))} ago)')
        if since_boot is not None:
            evidence.append(f'table_fulls {since_boot} since boot')
        how_many = f'{refused} new neighbours' if refused else 'new neighbours'
        yield Finding(
            'neighbour-table-full',
            'critical',
            f'{name} overflowed: {how_many} refused',
            (*evidence, level),
            _enlarge(seen, table),
        )
    elif since_boot is None and _probably_full(seen, table):
        grown = [f'{counter} +{seen.growth(table.family, counter)} in {span}' for counter in _COUNTERS[1:] if span]
        grown += [event.text for event in seen.events if event.code == 'callbacks-suppressed'][-1:]
        yield Finding(
            'neighbour-table-full-probable',
            'critical',
            f'{name} is at its limit and probably refuses new neighbours',
            (
                level,
                *grown,
                'this kernel neither counts nor logs refused neighbours'
                if _silent(seen, table)
                else 'this kernel does not count refused neighbours',
            ),
            _enlarge(seen, table),
        )
    elif since_boot and seen.growth(table.family, 'table_fulls') is None:
        yield Finding(
            'neighbour-overflowed-before',
            'info',
            f'{name} refused {quantity(since_boot, "new neighbour")} since boot; when is not known yet',
            (level, *((f'kernel log: {seen.log_gap}',) if seen.log_gap else ())),
            _read_log(seen),
        )


def _overflow_of(seen: Seen, event: Event) -> int:
    """The family an event of the kernel log reports an overflow of, 0 for other events."""
    if event.code != 'neighbour-table-overflow':
        return 0
    for family, cache in CACHES.items():
        if event.subject == cache:
            return family
    if event.subject:
        return 0  # DECnet had a table, too
    return max((table.family for table in seen.tables), key=lambda family: seen.usage(family) or 0.0, default=0)


def _probably_full(seen: Seen, table: Table) -> bool:
    """The honest substitute for table_fulls before 4.3: the table at its limit, and one more sign that it hurts."""
    if table.limit is None or table.entries < table.limit:
        return False
    signs = [seen.growth(table.family, counter) for counter in ('forced_gc_runs', 'res_failed')]
    return any(signs) or any(event.code == 'callbacks-suppressed' for event in seen.events)


def _silent(seen: Seen, table: Table) -> bool:
    """Whether this kernel says nothing at all when it refuses a neighbour."""
    return _SILENT_FROM[table.family] <= seen.release < _LOGGED_AGAIN and 'table_fulls' not in table.statistics


def _read_log(seen: Seen) -> tuple[str, ...]:
    from tablefull.findings.privilege import grant

    return (grant('systemd-journal', seen.log_reader),) if seen.log_reader else ()


def suppressed(seen: Seen) -> Iterator[Finding]:
    """A hint, never more: on kernels 3.6 to 4.2 an overflow leaves no other trace in the log than this line."""
    silent = [table for table in seen.tables if _silent(seen, table)]
    lines = [event for event in seen.events if event.code == 'callbacks-suppressed']
    if lines and (silent or (not seen.tables and _SILENT_FROM[4] <= seen.release < _LOGGED_AGAIN)):
        yield Finding(
            'neighbour-log-suppressed',
            'info',
            'the kernel suppressed network messages; on this kernel a neighbour overflow shows in no other way',
            (lines[-1].text, *(_level(seen, table) for table in silent)),
            ('ip -s ntable show  # entries at thresh3, forced_gc_runs growing: the table overflows',),
        )
    elif seen.log_gap and not (seen.tables and all('table_fulls' in table.statistics for table in seen.tables)):
        yield Finding(
            'kernel-log-unreadable',
            'info',
            f'{"this kernel does not count" if seen.tables else "no table tells of"} refused neighbours,'
            f' and {"its" if seen.tables else "the kernel"} log cannot be read',
            (seen.log_gap,),
            _read_log(seen),
        )


def _level(seen: Seen, table: Table) -> str:
    limit = 'unknown' if table.limit is None else table.limit
    exempt = seen.exempt(table.family)
    more = f' ({exempt} more are permanent, externally learned or on loopback)' if exempt else ''
    return f'{quantity(seen.counted(table.family) or 0, "entry", "entries")}, gc_thresh3 {limit}{more}'


def _enlarge(seen: Seen, table: Table) -> tuple[str, ...]:
    limit = 4 * max(1024, table.limit or 0)
    # Above gc_thresh2 the kernel still throws neighbours out, every five seconds: it has to grow with the limit.
    name = f'net.ipv{table.family}.neigh.default.gc_thresh'
    where = '' if seen.first_namespace else 'on the host: '
    return (
        f'sysctl -w {name}2={limit // 2} {name}3={limit}  # {where}ends the outage, not its cause',
        'the same two settings in /etc/sysctl.d/60-neighbour.conf keep it at the next boot',
        f'ip -{table.family} neigh show nud all  # and: ip -{table.family} route show table all',
    )


def usage_breach(family: int) -> Breach:
    """The rule for usage in percent of gc_thresh3 outside the range of the user."""

    def breach(seen: Seen, severity: str, value: float, limits: str) -> Finding:
        table = seen.table(family)
        assert table is not None  # the metric comes from it
        evidence = [_level(seen, table), f'usage {number(value)} % is outside {limits}']
        size = 4 if family == 4 else 16
        here = sum(len(entry.address) == size for entry in seen.neighbours.entries)
        if family in seen.neighbours.families and here < table.entries:
            # The limit is one for all namespaces; what fills it may be out of sight.
            evidence.append(f'{here} of {quantity(table.entries, "entry", "entries")} are of this network namespace')
        return Finding(
            'neighbour-usage-high',
            severity,
            f'{NAMES[family]} {number(value)} % full: {seen.counted(family)} of {table.limit} entries',
            tuple(evidence),
            _enlarge(seen, table),
        )

    return breach
