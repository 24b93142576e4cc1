"""A dashboard of all hosts. Such dashboards cannot be imported from a file: this is the request that creates one."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from tools.templates.zabbix.dashboard import GREEN, RED, YELLOW

INTEGER, STRING = 0, 1
HOST_NAME, ITEM_VALUE = 2, 1
AS_IS, BAR = 1, 2
NAME = 'Tablefull: all hosts'


class Column(NamedTuple):
    """A column of a table of hosts: title, name of its item, decimals; with bounds, a bar from 0 to 100."""

    title: str
    item: str
    decimals: int = 0
    bounds: tuple[str, str] = ('', '')


CONNTRACK = (
    Column('Conntrack usage', 'Conntrack: usage', 1, ('80', '90')),
    Column('Entries', 'Conntrack: entries'),
    Column('Limit', 'Conntrack: limit'),
    Column('Refused', 'Conntrack: packets refused per second', 1),
    Column('Verdict', 'Tablefull: state'),
)
NEIGHBOURS = (
    Column('Neighbour usage', 'Neighbours: usage of the fullest table', 1, ('70', '90')),
    Column('Critical', 'Tablefull: findings, critical'),
    Column('Warning', 'Tablefull: findings, warning'),
    Column('Unknown', 'Tablefull: findings, unknown'),
    Column('Answer', 'Tablefull: status'),
)


def requests() -> dict[str, str]:
    """Format -> the body of the request, for curl."""
    return {version: json.dumps(_request(version), indent=2) + '\n' for version in ('6.0', '7.0')}


def _request(version: str) -> dict[str, Any]:
    # 6.0 has 24 columns, 7.0 has 72.
    unit = 1 if version == '6.0' else 3
    widgets = [
        _widget('tophosts', 'Fullest conntrack tables', (0, 0, 12 * unit, 4), _table(CONNTRACK, version)),
        _widget('tophosts', 'Fullest neighbour tables', (12 * unit, 0, 12 * unit, 4), _table(NEIGHBOURS, version)),
        _widget('problems', 'Problems', (0, 4, 24 * unit, 5), _problems(version)),
    ]
    request: dict[str, Any] = {
        'jsonrpc': '2.0',
        'method': 'dashboard.create',
        'params': {'name': NAME, 'display_period': 60, 'auto_start': 0, 'pages': [{'widgets': widgets}]},
        'id': 1,
    }
    # 6.0 takes the token here only; 7.0 in a header.
    return request | ({'auth': 'TOKEN'} if version == '6.0' else {})


def _widget(kind: str, name: str, place: tuple[int, int, int, int], fields: dict[str, Any]) -> dict[str, Any]:
    return {
        'type': kind,
        'name': name,
        **dict(zip(('x', 'y', 'width', 'height'), place)),
        'view_mode': 0,
        'fields': [
            {'type': INTEGER if isinstance(value, int) else STRING, 'name': field, 'value': value}
            for field, value in fields.items()
        ],
    }


def _ours(version: str) -> dict[str, Any]:
    """Problems with the tag of our templates."""
    if version == '6.0':
        return {'tags.tag.0': 'target', 'tags.operator.0': 1, 'tags.value.0': 'tablefull'}
    return {'tags.0.tag': 'target', 'tags.0.operator': 1, 'tags.0.value': 'tablefull'}


def _table(columns: tuple[Column, ...], version: str) -> dict[str, Any]:
    # No filter: a host without the item in the first column is not listed, and 6.0 knows no tags of templates here.
    fields: dict[str, Any] = {}
    cells: list[dict[str, Any]] = [{'name': 'Host', 'data': HOST_NAME, 'base_color': ''}]
    for column in columns:
        extra = {'timeshift': '', 'aggregate_function': 0} if version == '6.0' else {'decimal_places': column.decimals}
        bar = (
            {'display': BAR, 'min': '0', 'max': '100', 'base_color': GREEN} if column.bounds[0] else {'display': AS_IS}
        )
        cells.append(
            {'base_color': '', 'name': column.title, 'data': ITEM_VALUE, 'item': column.item, 'history': 1}
            | bar
            | extra
        )
    for number, cell in enumerate(cells):
        for name, value in cell.items():
            fields[f'columns.{name}.{number}' if version == '6.0' else f'columns.{number}.{name}'] = value
    for number, column in enumerate(columns, start=1):
        if not column.bounds[0]:
            continue
        for step, (colour, bound) in enumerate(zip((YELLOW, RED), column.bounds)):
            for name, value in (('color', colour), ('threshold', bound)):
                old = f'columnsthresholds.{name}.{number}.{step}'
                fields[old if version == '6.0' else f'columns.{number}.thresholds.{step}.{name}'] = value
    return fields | {'column': 1, ('count' if version == '6.0' else 'show_lines'): 10}


def _problems(version: str) -> dict[str, Any]:
    return _ours(version) | {'show': 3, 'show_tags': 2, 'show_lines': 20, 'tag_priority': 'component'}
