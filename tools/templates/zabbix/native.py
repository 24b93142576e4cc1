"""The native flavour: what the agent's own keys can see, with nothing installed on the host."""

from __future__ import annotations

from pathlib import Path

from tablefull.findings.finding import DOCUMENTS, PAGES
from tools.templates.zabbix import conntrack, neighbour
from tools.templates.zabbix.model import Graph, Item, Line, Macro, Step, Trigger
from tools.templates.zabbix.steps import HOURLY, PER_SECOND, path_or

_SYSCTL = '/proc/sys/net/netfilter/nf_conntrack_'
COUNT = f'vfs.file.contents[{_SYSCTL}count]'
LIMIT = f'vfs.file.contents[{_SYSCTL}max]'
BUCKETS = f'vfs.file.contents[{_SYSCTL}buckets]'
LOADED = f'vfs.file.exists[{_SYSCTL}count]'
STATISTICS = 'vfs.file.contents[/proc/net/stat/nf_conntrack]'
USAGE = 'tablefull.native.conntrack.usage'

FULL = 'Conntrack: packets are refused'

# family -> (title, file of statistics, its limit)
FAMILIES = {
    'arp': (
        'Neighbours IPv4 (ARP)',
        'vfs.file.contents[/proc/net/stat/arp_cache]',
        'vfs.file.contents[/proc/sys/net/ipv4/neigh/default/gc_thresh3]',
    ),
    'ndp': (
        'Neighbours IPv6 (NDP)',
        'vfs.file.contents[/proc/net/stat/ndisc_cache]',
        'vfs.file.contents[/proc/sys/net/ipv6/neigh/default/gc_thresh3]',
    ),
}

ABOUT = (
    'Connection tracking and neighbour tables with keys that every Zabbix agent has: nothing to install on the '
    'host.\n\nWhat it cannot see, and "Tablefull by Zabbix agent" can: the kernel log (the only witness on old '
    'kernels); whether refused packets mean a full table or collisions; wrong default gateways, neighbours outside '
    'every network and by interface; which entries the kernel counts (permanent neighbours count here as well, so '
    'usage may be too high); modules nobody asked for; ferm; limits that a reboot loses; the reason and the remedy. '
    'Its values are asked for one by one, so that one outage can be two problems. In a container, where the kernel '
    'hides the neighbour tables, it says so and sees none of them.'
)


def _javascript() -> Step:
    return Step('JAVASCRIPT', (Path(__file__).with_name('statistics.js').read_text().rstrip(),))


def _or(value: str) -> Step:
    """A file that is not there says so by a value."""
    return Step('CHECK_NOT_SUPPORTED', ('',), 'CUSTOM_VALUE', value)


def _percent(part: str, whole: str) -> str:
    # Without a limit (0) nothing can fill up: one is added to zero, and the part is 0 then.
    return f'100*last(//{part})*(last(//{whole})>0)/(last(//{whole})+(last(//{whole})<=0))'


def _file(key: str, name: str, about: str, component: str, rare: bool = False) -> Item:
    steps = (_or('0'),) + ((HOURLY,) if rare else ())
    return Item(key, name, about, component, steps, kind='ZABBIX_PASSIVE')


def _statistics(key: str, name: str, component: str) -> Item:
    return Item(
        key,
        name,
        'All its numbers, added up over the CPUs. Keeps no history: other items take their values out of it.',
        component,
        (_or('none\n0'), _javascript()),
        'TEXT',
        kind='ZABBIX_PASSIVE',
        history='0',
    )


def _rate(key: str, column: str, name: str, about: str, component: str, master: str) -> Item:
    steps = (path_or(f'$.{column}', '0'), PER_SECOND)
    return Item(key, name, about, component, steps, 'FLOAT', '!/s', master=master)


def _items() -> tuple[Item, ...]:
    found = [
        Item(
            LOADED,
            'Conntrack: loaded',
            'Whether the kernel has connection tracking at all; without it, nothing can fill up.',
            'conntrack',
            kind='ZABBIX_PASSIVE',
            value_map='Tablefull yes or no',
        ),
        _file(
            COUNT, 'Conntrack: entries', 'Tracked connections; 0 where there is no connection tracking.', 'conntrack'
        ),
        _file(LIMIT, 'Conntrack: limit', 'nf_conntrack_max; 0 where there is none.', 'conntrack'),
        _file(BUCKETS, 'Conntrack: hash buckets', 'Size of the hash table.', 'conntrack', rare=True),
        Item(
            USAGE,
            'Conntrack: usage',
            'Entries in percent of the limit; 0 without a limit.',
            'conntrack',
            value_type='FLOAT',
            units='%',
            kind='CALCULATED',
            formula=_percent(COUNT, LIMIT),
        ),
        _statistics(STATISTICS, 'Conntrack: statistics', 'conntrack'),
    ]
    for column in ('drop', 'early_drop', 'insert_failed', 'invalid', 'search_restart'):
        name, about = conntrack.RATES[column]
        key = f'tablefull.native.conntrack.{column}.rate'
        found.append(_rate(key, column, f'Conntrack: {name} per second', about, 'conntrack', STATISTICS))
    for family, (title, statistics, limit) in FAMILIES.items():
        entries = f'tablefull.native.{family}.entries'
        found += [
            _statistics(statistics, f'{title}: statistics', 'neighbour'),
            _file(limit, f'{title}: limit', 'gc_thresh3; 0 where it cannot be seen.', 'neighbour'),
            Item(
                entries,
                f'{title}: entries',
                'Neighbours of all network namespaces, permanent ones included.',
                'neighbour',
                (path_or('$.entries', '0'),),
                master=statistics,
            ),
            Item(
                f'tablefull.native.{family}.usage',
                f'{title}: usage',
                'Entries in percent of gc_thresh3; 0 where the limit cannot be seen.',
                'neighbour',
                value_type='FLOAT',
                units='%',
                kind='CALCULATED',
                formula=_percent(entries, limit),
            ),
        ]
        for column in ('table_fulls', 'forced_gc_runs', 'res_failed'):
            name, about = neighbour.RATES[column]
            key = f'tablefull.native.{family}.{column}.rate'
            found.append(_rate(key, column, f'{title}: {name} per second', about, 'neighbour', statistics))
    return tuple(found)


def _triggers() -> tuple[Trigger, ...]:
    quiet, drop = '{$TABLEFULL.QUIET}', 'tablefull.native.conntrack.drop.rate'
    early = 'tablefull.native.conntrack.early_drop.rate'
    silent = 'Tablefull: no answer from the agent'
    found = [
        Trigger(
            silent,
            'AVERAGE',
            f'nodata(@{LOADED},{{$TABLEFULL.NODATA}})=1',
            'Nothing came for {$TABLEFULL.NODATA}: the agent is down, not reachable, or (active) sends nothing. All '
            'other problems of this host are as old as that.',
            f'{DOCUMENTS}systems/zabbix.md#when-no-verdict-comes',
            'Tablefull: no answer from the agent for {$TABLEFULL.NODATA}',
            scope='availability',
        ),
        Trigger(
            FULL,
            'HIGH',
            f'last(@{drop})>{{$TABLEFULL.DROP.MAX}}',
            f'New connections are lost. Ends when nothing was refused for {quiet}.',
            f'{PAGES}conntrack-table-full.md',
            f'{FULL} ({{ITEM.LASTVALUE1}} per second)',
            f'max(@{drop},{quiet})<={{$TABLEFULL.DROP.MAX}}',
            scope='availability',
        ),
        Trigger(
            'Conntrack: unanswered or short connections are evicted to make room',
            'WARNING',
            f'last(@{early})>0',
            f'The limit was reached. Ends when nothing was evicted for {quiet}.',
            f'{PAGES}conntrack-early-drops.md',
            'Conntrack: unanswered or short connections are evicted to make room ({ITEM.LASTVALUE1} per second)',
            f'max(@{early},{quiet})=0',
            (FULL,),
        ),
        *conntrack.triggers(USAGE, (FULL,)),
        conntrack.forecast(USAGE),
        conntrack.limit_changed(LIMIT),
    ]
    for family, (title, _, limit) in FAMILIES.items():
        refused, rate = f'{title}: new neighbours are refused', f'tablefull.native.{family}.table_fulls.rate'
        found += [
            Trigger(
                refused,
                'HIGH',
                f'last(@{rate})>0',
                f'The host reaches nobody new. Ends when none was refused for {quiet}.',
                f'{PAGES}neighbour-table-full.md',
                f'{refused} ({{ITEM.LASTVALUE1}} per second)',
                f'max(@{rate},{quiet})=0',
                scope='availability',
            ),
            *neighbour.levels(title, f'tablefull.native.{family}.usage', (refused,)),
            Trigger(
                f'{title}: the table cannot be seen',
                'INFO',
                f'last(@{limit})=0',
                'The kernel shows it in the first network namespace only. Nothing is known about it here.',
                f'{PAGES}neighbour-tables-missing.md',
                scope='notice',
            ),
        ]
    return tuple(found)


def graphs() -> tuple[Graph, ...]:
    """Of connection tracking, and one for each family."""
    rates = [f'tablefull.native.conntrack.{column}.rate' for column in ('drop', 'early_drop', 'insert_failed')]
    found = conntrack.graphs(USAGE, COUNT, LIMIT, *rates)
    for family, (title, _, limit) in FAMILIES.items():
        entries = Line(f'tablefull.native.{family}.entries', '2774A4', 'FILLED_REGION')
        found.append(Graph(f'{title}: entries and their limit', (entries, Line(limit, 'D32F2F', 'BOLD_LINE'))))
    return tuple(found)


ITEMS = _items()
TRIGGERS = _triggers()
MACROS = (
    Macro('TABLEFULL.INTERVAL', '1m', 'How often the host is asked, or an active agent sends.'),
    Macro('TABLEFULL.NODATA', '5m', 'Silence of this length is a problem. At least three intervals.'),
    conntrack.QUIET,
    Macro('TABLEFULL.DROP.MAX', '0', 'Refused packets per second that are no problem.'),
    *conntrack.USAGE_MACROS,
    *neighbour.USAGE_MACROS,
)
