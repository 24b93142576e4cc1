"""The four templates: by UserParameter or native, asked by the server or sent by the agent."""

from __future__ import annotations

import json
from pathlib import Path

from tools.templates.zabbix import conntrack, findings, namespaces, native, neighbour, other_parts
from tools.templates.zabbix.model import Item, Step, Template
from tools.templates.zabbix.neighbour import MASTER

ABOUT = (
    'Connection tracking, neighbour tables (ARP, NDP), firewall modules, ferm and the kernel log: the tables of the '
    'Linux network that fill up in silence. One process per interval on the host: all items depend on one master '
    'item.\n\nThe suite must be installed on the host, and tablefull.conf beside the configuration of the agent: see '
    'README.md beside this file. Every problem leads to a page that says what to do.'
)

VALUE_MAPS = {
    'Tablefull state': {'0': 'OK', '1': 'WARNING', '2': 'CRITICAL', '3': 'UNKNOWN'},
    'Tablefull finding': {'0': 'no', '1': 'warning', '2': 'critical', '3': 'unknown'},
    'Tablefull status': other_parts.STATUSES,
    'Tablefull read': {'0': 'cannot be read', '1': 'yes'},
    'Tablefull tracking': {'0': 'absent', '1': 'idle', '2': 'active', '3': 'left over', '4': 'hidden'},
    'Tablefull time until full': {conntrack.NEVER: 'not in sight'},
    'Tablefull unit': {
        '0': 'active',
        '1': 'changing',
        '2': 'inactive',
        '3': 'failed',
        '4': 'unseen',
        other_parts.NOT_INSTALLED: 'not installed',
    },
    'Tablefull rules': {
        '0': 'present',
        '1': 'suspect',
        '2': 'gone',
        '3': 'unknown',
        other_parts.NOT_INSTALLED: 'not installed',
    },
}


def _master() -> Item:
    parts = {check: part for check, (part, _, _) in findings.CHECKS.items()}
    script = Path(__file__).with_name('snapshot.js').read_text().rstrip()
    for mark, text in (
        ('own', json.dumps(findings.own_codes(), indent=4)),
        ('parts', json.dumps(parts, indent=4)),
        ('never', conntrack.NEVER),
        ('not installed', other_parts.NOT_INSTALLED),
    ):
        assert script.count(f'/*{mark}*/') == 1
        script = script.replace(f'/*{mark}*/', text)
    return Item(
        MASTER,
        'Tablefull: snapshot',
        'Everything in one JSON object; see docs/snapshot.md. It keeps no history: other items take their values out '
        'of it. Whatever comes instead of a snapshot becomes one that says so.',
        'tablefull',
        (
            Step(
                'CHECK_NOT_SUPPORTED',
                ('',),
                'CUSTOM_VALUE',
                '{"status": 5, "error": "the agent does not know the key, or tablefull took too long"}',
            ),
            Step('JAVASCRIPT', (script,)),
        ),
        'TEXT',
        kind='ZABBIX_PASSIVE',
        history='0',
    )


def _with_master(items: list[Item]) -> tuple[Item, ...]:
    return (_master(), *(item._replace(master=MASTER) for item in items))


def _by_user_parameter(active: bool) -> Template:
    rates = [f'tablefull.conntrack.{column}.rate' for column in ('drop', 'early_drop', 'insert_failed')]
    key = 'tablefull.conntrack'
    return Template(
        'Tablefull by Zabbix agent' + (' active' if active else ''),
        ABOUT,
        active,
        _with_master(
            [
                *other_parts.own_items(),
                *conntrack.items(),
                *namespaces.items(),
                *neighbour.items(),
                *other_parts.items(),
                *findings.items(),
            ]
        ),
        (
            *other_parts.triggers(),
            *findings.triggers(other_parts.unread()),
            *conntrack.triggers(),
            conntrack.forecast(f'{key}.usage', f'{key}.full_in'),
            conntrack.limit_changed(f'{key}.max'),
        ),
        (neighbour.FAMILIES, neighbour.INTERFACES, namespaces.RULE),
        (*other_parts.MACROS, *conntrack.MACROS, *neighbour.MACROS, *namespaces.MACROS),
        tuple(conntrack.graphs(f'{key}.usage', f'{key}.entries', f'{key}.max', *rates)),
        VALUE_MAPS,
        'Tablefull',
        'snapshot',
    )


def _native(active: bool) -> Template:
    return Template(
        'Tablefull native by Zabbix agent' + (' active' if active else ''),
        native.ABOUT,
        active,
        native.ITEMS,
        native.TRIGGERS,
        (),
        native.MACROS,
        native.graphs(),
        {'Tablefull yes or no': {'0': 'no', '1': 'yes'}},
        'Tablefull',
        'native',
    )


TEMPLATES = (_by_user_parameter(False), _by_user_parameter(True), _native(False), _native(True))
