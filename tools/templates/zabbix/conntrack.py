"""Connection tracking: usage against the limit, what is refused, and when it will be full."""

from __future__ import annotations

from tablefull.findings.finding import PAGES
from tools.templates.zabbix.findings import FULL, last
from tools.templates.zabbix.levels import TWICE, usage_triggers
from tools.templates.zabbix.model import Graph, Item, Line, Macro, Trigger
from tools.templates.zabbix.steps import HOURLY, PER_SECOND, path, path_or

COMPONENT = 'conntrack'

# In seconds; what the item shows when the table is not filling up. A value map says it in words.
NEVER = '31536000'

HIGH = 'Conntrack: usage is very high'
WARNING = 'Conntrack: usage is high'

# column of the kernel -> (name, what it counts)
RATES = {
    'drop': ('packets refused', 'Packets of new connections that the kernel dropped. Loss, at whatever usage.'),
    'early_drop': (
        'connections evicted',
        'Connections that were never answered, thrown out to make room for new ones.',
    ),
    'insert_failed': (
        'insertions failed',
        'Connections lost on insertion: they clashed, or a hash chain was too long. A few are normal wherever DNS is.',
    ),
    'invalid': ('invalid packets', 'Packets that belong to no connection.'),
    'search_restart': ('lookups restarted', 'Lookups repeated because the hash table was resized meanwhile.'),
    'clash_resolve': ('clashes resolved', 'Clashes on insertion that the kernel resolved. Linux 5.10 and later.'),
    'chain_too_long': ('hash chains too long', 'Insertions refused for a long hash chain. Linux 5.15 and later.'),
    'icmp_error': ('ICMP errors', 'ICMP errors that could not be tracked.'),
}


def _number(
    name: str, title: str, about: str, units: str = '', value_type: str = 'UNSIGNED', rare: bool = False
) -> Item:
    steps = (path(f'$.conntrack.{name}'),) + ((HOURLY,) if rare else ())
    return Item(f'tablefull.conntrack.{name}', f'Conntrack: {title}', about, COMPONENT, steps, value_type, units)


def items() -> list[Item]:
    """All of it, out of the snapshot."""
    return [
        Item(
            'tablefull.conntrack.tracking',
            'Conntrack: tracking',
            'Whether connections of this network namespace are tracked, and how one knows.',
            COMPONENT,
            (path('$.modules.tracking_code'), HOURLY),
            value_map='Tablefull tracking',
        ),
        _number('entries', 'entries', 'Tracked connections of this network namespace.'),
        _number('max', 'limit', 'nf_conntrack_max: at so many entries new connections are refused.'),
        _number('usage', 'usage', 'Entries in percent of the limit; 0 without a limit.', '%', 'FLOAT'),
        _number('growth', 'growth', 'Entries per second, as the host sees it.', '!entries/s', 'FLOAT'),
        Item(
            'tablefull.conntrack.full_in',
            'Conntrack: time until full',
            'At the slower of two paces of growth, as the host sees them; not in sight below half full.',
            COMPONENT,
            (path('$.conntrack.full_in'),),
            'UNSIGNED',
            's',
            'Tablefull time until full',
        ),
        _number('buckets', 'hash buckets', 'Size of the hash table.', rare=True),
        _number(
            'hash_load',
            'entries per bucket when full',
            'The limit divided by the hash buckets. Above 4 lookups get slow; 5.15 to 5.19 refuse connections.',
            value_type='FLOAT',
            rare=True,
        ),
        _number('expect_max', 'limit of expected connections', 'nf_conntrack_expect_max.', rare=True),
        *(
            Item(
                f'tablefull.conntrack.{column}.rate',
                f'Conntrack: {name} per second',
                about,
                COMPONENT,
                (
                    path_or(f'$.conntrack.counters.{column}', '0')
                    if column == 'drop'
                    else path(f'$.conntrack.counters.{column}'),
                    PER_SECOND,
                ),
                'FLOAT',
                '!/s',
            )
            for column, (name, about) in RATES.items()
        ),
    ]


def triggers(usage: str = 'tablefull.conntrack.usage', full: tuple[str, ...] = (FULL,)) -> list[Trigger]:
    """The levels. What was refused is a finding: see findings.py."""
    return list(
        usage_triggers(
            'Conntrack',
            usage,
            ('{$TABLEFULL.CONNTRACK.USAGE.HIGH}', '{$TABLEFULL.CONNTRACK.USAGE.WARN}'),
            'the limit',
            'At 100 % the kernel refuses new connections.',
            'conntrack-usage-high',
            full,
        )
    )


def forecast(usage: str, host: str = '') -> Trigger:
    """Full soon, by the trend the server sees, or (`host`: key of an item) by the growth the host sees."""
    name = 'Conntrack: the table will be full soon'
    trend = f'timeleft(@{usage},{{$TABLEFULL.CONNTRACK.FORECAST.PERIOD}},100)'
    least, half = '{$TABLEFULL.CONNTRACK.FORECAST.TIME}', '{$TABLEFULL.CONNTRACK.FORECAST.USAGE}'
    soon, far = f'{trend}<{least}', f'{trend}>={least}'
    about = f'The trend of {{$TABLEFULL.CONNTRACK.FORECAST.PERIOD}} reaches the limit in less than {least}'
    if host:
        soon = f'({soon} or last(@{host})<{{$TABLEFULL.CONNTRACK.FULL_IN}})'
        far = f'({far} and last(@{host})>={{$TABLEFULL.CONNTRACK.FULL_IN}})'
        about += ', or the host itself says that it will be full in less than {$TABLEFULL.CONNTRACK.FULL_IN}'
    return Trigger(
        name,
        'WARNING',
        f'min(@{usage},{TWICE})>={half} and {soon}',
        f'{about}. Only above {half} % usage, in two looks: below, a trend is an accident.',
        f'{PAGES}conntrack-full-soon.md',
        f'{name} ({{ITEM.LASTVALUE1}} of the limit'
        + (f', {last("tablefull.conntrack.growth")} more per second)' if host else ')'),
        f'last(@{usage})<{half}-{{$TABLEFULL.HYSTERESIS}} or {far}',
        (WARNING, HIGH, FULL) if host else (WARNING, HIGH),
    )


def limit_changed(key: str) -> Trigger:
    """Somebody raised or lowered the limit."""
    return Trigger(
        'Conntrack: the limit was changed',
        'INFO',
        # Longer than the heartbeat of the item; and one value is enough, unlike for changecount().
        f'max(@{key},2h)<>min(@{key},2h)',
        'Somebody changed nf_conntrack_max. Will it survive a reboot? check_conntrack says. Ends within two hours.',
        f'{PAGES}conntrack-configuration-lost-at-boot.md',
        'Conntrack: the limit was changed to {ITEM.LASTVALUE1}',
        scope='notice',
        by_hand=True,
    )


USAGE_MACROS = (
    Macro('TABLEFULL.CONNTRACK.USAGE.WARN', '80', 'Usage of the conntrack table that is a warning, in percent.'),
    Macro('TABLEFULL.CONNTRACK.USAGE.HIGH', '90', 'Usage of the conntrack table that is a problem, in percent.'),
    Macro('TABLEFULL.CONNTRACK.FORECAST.PERIOD', '30m', 'How far back the server looks for the trend of usage.'),
    Macro('TABLEFULL.CONNTRACK.FORECAST.TIME', '1h', 'A table that will be full in less time is a warning.'),
    Macro('TABLEFULL.CONNTRACK.FORECAST.USAGE', '50', 'Below this usage, in percent, no trend is believed.'),
    Macro('TABLEFULL.HYSTERESIS', '5', 'A usage problem ends so many points below its threshold.'),
)
QUIET = Macro('TABLEFULL.QUIET', '5m', 'A loss is over when nothing was lost for so long.')
MACROS = (
    *USAGE_MACROS,
    Macro('TABLEFULL.CONNTRACK.FULL_IN', '30m', "The host's own forecast: less time until full is a warning."),
)


def graphs(usage: str, entries: str, limit: str, refused: str, evicted: str, failed: str) -> list[Graph]:
    """The two pictures that tell the story."""
    return [
        Graph(
            'Conntrack: connections and their limit',
            (Line(entries, '2774A4', 'FILLED_REGION'), Line(limit, 'D32F2F', 'BOLD_LINE')),
        ),
        Graph(
            'Conntrack: refused, evicted, failed',
            (Line(refused, 'D32F2F', 'BOLD_LINE'), Line(evicted, 'F57C00'), Line(failed, '7B5CB8')),
        ),
        Graph('Conntrack: usage', (Line(usage, '2774A4', 'FILLED_REGION'),), highest='100'),
    ]
