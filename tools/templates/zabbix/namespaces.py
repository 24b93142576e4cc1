"""Tracking tables of other network namespaces, those of containers above all: discovered out of the snapshot."""

from __future__ import annotations

from tablefull.findings.finding import PAGES
from tools.templates.zabbix.conntrack import COMPONENT, QUIET
from tools.templates.zabbix.findings import last
from tools.templates.zabbix.levels import usage_triggers
from tools.templates.zabbix.model import Graph, Item, Line, Macro, Rule, Step, Trigger
from tools.templates.zabbix.neighbour import MASTER
from tools.templates.zabbix.steps import PER_SECOND, path

OBJECT = 'Namespace {#HOLDER}'
FULL = f'{OBJECT}: the table is full, packets are refused'

WHO = 'Who holds it, on the host: nsenter -t {#PID} -n tablefull top'


def _key(field: str) -> str:
    return f'tablefull.namespace.{field}[{{#NAMESPACE}}]'


def _item(
    field: str, name: str, about: str, *steps: Step, key: str = '', value_type: str = 'FLOAT', units: str = ''
) -> Item:
    # The last one of the list, '*', speaks for those that are not in it: see snapshot.js.
    value = path(f"$.conntrack.others[?(@.id=='{{#NAMESPACE}}' || @.id=='*')].{field}.first()")
    return Item(
        _key(key or field), f'{OBJECT}: {name}', about, COMPONENT, (value, *steps), value_type, units, master=MASTER
    )


ITEMS = (
    _item('entries', 'entries', 'Tracked connections of this namespace; 0 when it is gone.', value_type='UNSIGNED'),
    _item('usage', 'usage', 'Its entries in percent of the one limit; 0 without a limit.', units='%'),
    _item(
        'drops',
        'packets refused per second',
        'Packets of new connections that the kernel dropped there. Loss, at whatever usage.',
        PER_SECOND,
        key='drop.rate',
        units='!/s',
    ),
    _item(
        'refused',
        'packets refused by a full table',
        'Packets refused since the previous look while the table was full; 0 when they were lost for another reason.',
        value_type='UNSIGNED',
    ),
)


def _triggers() -> tuple[Trigger, ...]:
    full = Trigger(
        FULL,
        'HIGH',
        f'last(@{_key("refused")})>0',
        'New connections of this namespace fail, whatever the table of the host looks like. Ends when nothing was '
        'refused for {$TABLEFULL.QUIET}, and when the namespace is gone. ' + WHO,
        f'{PAGES}conntrack-namespace-table-full.md',
        # No last value of its other items: they may come a moment later, and these would be of the look before.
        f'{FULL} ({{ITEM.LASTVALUE1}} at the last look, the limit is {last("tablefull.conntrack.max")} entries)',
        f'max(@{_key("refused")},{{$TABLEFULL.QUIET}})=0 or last(@{_key("entries")})=0',
        scope='availability',
    )
    levels = usage_triggers(
        OBJECT,
        _key('usage'),
        (
            '{$TABLEFULL.CONNTRACK.USAGE.HIGH:"{#NAMESPACE}"}',
            '{$TABLEFULL.CONNTRACK.USAGE.WARN:"{#NAMESPACE}"}',
        ),
        'the limit',
        'At 100 % the kernel refuses new connections of this namespace.',
        'conntrack-namespace-usage-high',
        (FULL,),
        f' {WHO}',
    )
    return (full, *levels)


RULE = Rule(
    'tablefull.namespaces',
    'Network namespaces',
    'Those of containers and services, with --namespaces in {$TABLEFULL.OPTIONS}; at most 64, those with the most '
    'entries. Not the one that the items of the host are of. What is gone has 0 entries, and is deleted after an hour.',
    '$.conntrack.discovered',
    {'{#NAMESPACE}': '$.id', '{#HOLDER}': '$.holder', '{#PID}': '$.pid'},
    MASTER,
    {'{#HOLDER}': ('TABLEFULL.NAMESPACE.MATCHES', 'TABLEFULL.NAMESPACE.NOT_MATCHES')},
    ITEMS,
    _triggers(),
    (
        Graph(
            f'{OBJECT}: connections and the limit',
            (Line(_key('entries'), '2774A4', 'FILLED_REGION'), Line('tablefull.conntrack.max', 'D32F2F', 'BOLD_LINE')),
        ),
    ),
    # The shortest that Zabbix takes. It counts from when the rule last had the namespace in its hands.
    lifetime='1h',
    heartbeat='10m',
)

MACROS = (
    QUIET,
    Macro(
        'TABLEFULL.NAMESPACE.MATCHES',
        '.*',
        'Network namespaces to discover: a pattern that container, command or pid must match.',
    ),
    Macro(
        'TABLEFULL.NAMESPACE.NOT_MATCHES',
        'CHANGE_IF_NEEDED',
        'Network namespaces not to discover, such as "^machine " or "^docker .*nginx": a pattern they must not match. '
        '".*" discovers none.',
    ),
)


def items() -> list[Item]:
    """What explains a line of the kernel log about a full table that is not the host's."""
    return [
        Item(
            'tablefull.namespaces.refused',
            'Conntrack: packets refused by full tables of other namespaces',
            'Of all that the snapshot lists together, since the previous look; 0 without --namespaces.',
            COMPONENT,
            (path('$.conntrack.refused_elsewhere'),),
        )
    ]
