"""Neighbour tables (ARP, NDP) by family, and neighbours by interface: discovered out of the snapshot."""

from __future__ import annotations

from tablefull.findings.finding import PAGES
from tools.templates.zabbix.findings import REFUSED
from tools.templates.zabbix.levels import usage_triggers
from tools.templates.zabbix.model import Graph, Item, Line, Macro, Rule, Trigger
from tools.templates.zabbix.steps import PER_SECOND, path

COMPONENT = 'neighbour'
# The options of the host go along as its one parameter.
MASTER = 'tablefull.snapshot[{$TABLEFULL.OPTIONS}]'

# field -> (name, what it is, units)
NUMBERS = {
    'entries': ('entries', 'Neighbours of all network namespaces, permanent ones included.', ''),
    'counted': ('entries that count', 'Those that the kernel compares with the limit.', ''),
    'unresolved': ('neighbours that do not answer', 'Of this network namespace, at present.', ''),
    'off_link': ('neighbours outside every network', 'Of this network namespace; a wrong route makes them.', ''),
}
RATES = {
    'table_fulls': ('neighbours refused', 'New neighbours the kernel refused for a full table. Linux 4.3 and later.'),
    'forced_gc_runs': ('forced collections', 'How often the kernel had to make room.'),
    'res_failed': ('failed resolutions', 'Neighbours that did not answer.'),
}
ON_AN_INTERFACE = {
    'neighbours': ('neighbours', 'Neighbours on it, of both families.'),
    'unresolved': ('neighbours that do not answer', 'At present.'),
    'off_link': ('neighbours outside every network', 'Learned neighbours in no network of this interface.'),
}


def items() -> list[Item]:
    """What a dashboard shows without discovery."""
    return [
        Item(
            'tablefull.neighbour.usage',
            'Neighbours: usage of the fullest table',
            'Entries that count in percent of gc_thresh3, of the family that is worse off.',
            COMPONENT,
            (path('$.neighbour.usage'),),
            'FLOAT',
            '%',
        )
    ]


def _of_family(field: str) -> str:
    return f"$.neighbour.families[?(@.family=='{{#FAMILY}}')].{field}.first()"


def _of_interface(field: str) -> str:
    return f"$.neighbour.interfaces[?(@.interface=='{{#INTERFACE}}')].{field}.first()"


def _families() -> tuple[Item, ...]:
    usage = Item(
        'tablefull.neighbour.usage[{#FAMILY}]',
        'Neighbours {#TITLE}: usage',
        'Entries that count in percent of gc_thresh3.',
        COMPONENT,
        (path(_of_family('usage')),),
        'FLOAT',
        '%',
        master=MASTER,
    )
    limit = Item(
        'tablefull.neighbour.gc_thresh3[{#FAMILY}]',
        'Neighbours {#TITLE}: limit',
        'gc_thresh3: at so many entries new neighbours are refused.',
        COMPONENT,
        (path(_of_family('gc_thresh3')),),
        master=MASTER,
    )
    numbers = [
        Item(
            f'tablefull.neighbour.{field}[{{#FAMILY}}]',
            f'Neighbours {{#TITLE}}: {name}',
            about,
            COMPONENT,
            (path(_of_family(field)),),
            'UNSIGNED',
            units,
            master=MASTER,
        )
        for field, (name, about, units) in NUMBERS.items()
    ]
    rates = [
        Item(
            f'tablefull.neighbour.{field}.rate[{{#FAMILY}}]',
            f'Neighbours {{#TITLE}}: {name} per second',
            about,
            COMPONENT,
            (path(_of_family(field)), PER_SECOND),
            'FLOAT',
            '!/s',
            master=MASTER,
        )
        for field, (name, about) in RATES.items()
    ]
    return (usage, limit, *numbers, *rates)


def levels(object_: str, usage: str, after: tuple[str, ...]) -> tuple[Trigger, ...]:
    """The two levels of a table."""
    return usage_triggers(
        object_,
        usage,
        ('{$TABLEFULL.NEIGHBOUR.USAGE.HIGH}', '{$TABLEFULL.NEIGHBOUR.USAGE.WARN}'),
        'gc_thresh3',
        'At 100 % the kernel refuses new neighbours, and the host reaches nobody new.',
        'neighbour-usage-high',
        after,
    )


FAMILIES = Rule(
    'tablefull.neighbour.families',
    'Neighbour families',
    'IPv4 (ARP) and IPv6 (NDP), as the kernel has them.',
    '$.neighbour.families',
    {'{#FAMILY}': '$.family', '{#TITLE}': '$.title'},
    MASTER,
    {},
    _families(),
    levels('Neighbours {#TITLE}', 'tablefull.neighbour.usage[{#FAMILY}]', (REFUSED,)),
    (
        Graph(
            'Neighbours {#TITLE}: entries and their limit',
            (
                Line('tablefull.neighbour.counted[{#FAMILY}]', '2774A4', 'FILLED_REGION'),
                Line('tablefull.neighbour.gc_thresh3[{#FAMILY}]', 'D32F2F', 'BOLD_LINE'),
                Line('tablefull.neighbour.unresolved[{#FAMILY}]', 'F57C00'),
                Line('tablefull.neighbour.off_link[{#FAMILY}]', '7B5CB8'),
            ),
        ),
    ),
)

INTERFACES = Rule(
    'tablefull.neighbour.interfaces',
    'Interfaces with neighbours',
    'Interfaces that resolve neighbours; at most 64, those with the most.',
    '$.neighbour.interfaces',
    {'{#INTERFACE}': '$.interface'},
    MASTER,
    {'{#INTERFACE}': ('TABLEFULL.INTERFACE.MATCHES', 'TABLEFULL.INTERFACE.NOT_MATCHES')},
    tuple(
        Item(
            f'tablefull.interface.{field}[{{#INTERFACE}}]',
            f'Interface {{#INTERFACE}}: {name}',
            about,
            COMPONENT,
            (path(_of_interface(field)),),
            master=MASTER,
        )
        for field, (name, about) in ON_AN_INTERFACE.items()
    ),
    (
        Trigger(
            'Interface {#INTERFACE}: neighbours outside every network',
            'WARNING',
            'min(@tablefull.interface.off_link[{#INTERFACE}],5m)>{$TABLEFULL.OFF_LINK.MAX:"{#INTERFACE}"}',
            'A route on this interface makes far hosts its neighbours: one entry for each address ever asked for. This '
            'fills the table.',
            f'{PAGES}neighbour-off-link.md',
            'Interface {#INTERFACE}: {ITEM.LASTVALUE1} neighbours outside every network',
            after=(REFUSED,),
        ),
    ),
)

USAGE_MACROS = (
    Macro('TABLEFULL.NEIGHBOUR.USAGE.WARN', '70', 'Usage of a neighbour table that is a warning, in percent.'),
    Macro('TABLEFULL.NEIGHBOUR.USAGE.HIGH', '90', 'Usage of a neighbour table that is a problem, in percent.'),
)
MACROS = (
    *USAGE_MACROS,
    Macro('TABLEFULL.INTERFACE.MATCHES', '.*', 'Interfaces to discover: a pattern they must match.'),
    Macro(
        'TABLEFULL.INTERFACE.NOT_MATCHES',
        '^(veth|cali|lxc|tap|vnet|nomad)',
        'Interfaces not to discover, such as those of containers: a pattern they must not match.',
    ),
    Macro('TABLEFULL.OFF_LINK.MAX', '100', 'So many neighbours outside every network are normal on an interface.'),
)
