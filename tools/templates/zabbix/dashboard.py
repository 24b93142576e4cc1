"""The dashboard of a host, which tells the story at a glance: the verdict, how full, what is lost, why."""

from __future__ import annotations

from typing import Any, NamedTuple

from tools.templates.zabbix import native
from tools.templates.zabbix.model import Template

Fields = list[dict[str, Any]]
GREEN, YELLOW, RED = '4CAF50', 'FFC107', 'D32F2F'


class Number(NamedTuple):
    """One number in the first line: key, what stands below it, values from which it is yellow and red.

    gauge  7.0 shows it as one, from 0 to 100
    whole  it has no decimals
    peak   7.0 shows the highest value of the period instead of the last one
    """

    key: str
    label: str
    yellow: str
    red: str
    gauge: bool = False
    peak: bool = False
    whole: bool = False


class Story(NamedTuple):
    """What a dashboard shows: numbers, a text item with the findings, graphs, graph prototypes."""

    numbers: tuple[Number, ...]
    findings: str
    graphs: tuple[str, ...]
    prototypes: tuple[str, ...]


SNAPSHOT = Story(
    (
        Number('tablefull.state', 'Verdict', '1', '2'),
        Number('tablefull.conntrack.usage', 'Conntrack usage', '80', '90', gauge=True),
        Number('tablefull.conntrack.drop.rate', 'Packets refused', '0.001', '0.001', peak=True),
        Number('tablefull.neighbour.usage', 'Neighbour usage', '70', '90', gauge=True),
        Number('tablefull.findings.count[critical]', 'Critical findings', '1', '1', whole=True),
    ),
    'tablefull.findings',
    ('Conntrack: connections and their limit', 'Conntrack: refused, evicted, failed'),
    ('Neighbours {#TITLE}: entries and their limit',),
)
NATIVE = Story(
    (
        Number(native.USAGE, 'Conntrack usage', '80', '90', gauge=True),
        Number('tablefull.native.conntrack.drop.rate', 'Packets refused', '0.001', '0.001', peak=True),
        Number('tablefull.native.arp.usage', 'IPv4 neighbour usage', '70', '90', gauge=True),
        Number('tablefull.native.ndp.usage', 'IPv6 neighbour usage', '70', '90', gauge=True),
    ),
    '',
    (
        'Conntrack: connections and their limit',
        'Conntrack: refused, evicted, failed',
        *(f'{title}: entries and their limit' for title, _, _ in native.FAMILIES.values()),
    ),
    (),
)
# In the order of their numbers in Zabbix.
TYPES = ('INTEGER', 'STRING', 'ITEM', 'GRAPH', 'GRAPH_PROTOTYPE')
STORIES = {'snapshot': SNAPSHOT, 'native': NATIVE}


def field(kind: str, name: str, value: Any) -> dict[str, Any]:
    """A field of a widget; kind is INTEGER, STRING, ITEM, GRAPH or GRAPH_PROTOTYPE."""
    return {'type': kind, 'name': name, 'value': value}


def _place(x: int, y: int, width: int, height: int) -> dict[str, str]:
    # A zero is left out, as an export does.
    place = {'x': str(x), 'y': str(y)} if x and y else {'x': str(x)} if x else {'y': str(y)} if y else {}
    return place | {'width': str(width)} | ({'height': str(height)} if height != 2 else {})


def _widget(kind: str, name: str, place: dict[str, str], fields: Fields) -> dict[str, Any]:
    if kind.islower():  # as 7.0 writes them
        fields = sorted(fields, key=lambda one: natural(one['name']))
    else:
        fields = sorted(fields, key=lambda one: TYPES.index(one['type']))
    # A tile has its label in it.
    hidden = {'hide_header': 'YES'} if kind in ('ITEM', 'item', 'gauge') else {}
    return {'type': kind, **({'name': name} if name else {}), **place, **hidden, 'fields': fields}


def widgets(template: Template, version: str) -> list[dict[str, Any]]:
    """The widgets of a template's dashboard, as the format writes them."""
    story = STORIES[template.setup]
    if version == '6.0':
        return sorted(_widgets_60(template.name, story), key=lambda widget: natural(widget.get('name', '')))
    return sorted(
        _widgets_70(template.name, story), key=lambda widget: (int(widget.get('x', 0)), int(widget.get('y', 0)))
    )


def natural(name: str) -> str:
    """The order in which Zabbix exports names."""
    return name.upper().replace(' ', '')


def _widths(columns: int, parts: int) -> list[tuple[int, int]]:
    """(x, width) of so many widgets in a row."""
    edges = [round(columns * part / parts) for part in range(parts + 1)]
    return [(left, right - left) for left, right in zip(edges, edges[1:])]


def _widgets_60(host: str, story: Story) -> list[dict[str, Any]]:
    found = []
    for (x, width), number in zip(_widths(24, len(story.numbers)), story.numbers):
        fields = [
            field('INTEGER', 'adv_conf', '1'),
            field('STRING', 'description', number.label),
            field('INTEGER', 'desc_size', '16'),
            field('INTEGER', 'decimal_places', '0' if number.whole else '1'),
            field('INTEGER', 'value_size', '35'),
            field('INTEGER', 'show', '1'),
            field('INTEGER', 'show', '2'),
            field('ITEM', 'itemid', {'host': host, 'key': number.key}),
        ]
        found.append(_widget('ITEM', number.label, _place(x, 0, width, 2), fields))
    y = 2
    if story.findings:
        fields = [
            field('ITEM', 'itemids', {'host': host, 'key': story.findings}),
            field('INTEGER', 'show_lines', '1'),
        ]
        found.append(_widget('PLAIN_TEXT', 'Findings', _place(0, y, 24, 4), fields))
        y += 4
    for index, name in enumerate(story.graphs):
        place = _place(index % 2 * 12, y + index // 2 * 5, 12, 5)
        found.append(_widget('GRAPH_CLASSIC', '', place, [_graph(host, 'GRAPH', name), *_source('0')]))
    y += (len(story.graphs) + 1) // 2 * 5
    for name in story.prototypes:
        fields = [_graph(host, 'GRAPH_PROTOTYPE', name), *_source('2')]
        fields += [field('INTEGER', 'columns', '2'), field('INTEGER', 'rows', '1')]
        found.append(_widget('GRAPH_PROTOTYPE', '', _place(0, y, 24, 5), fields))
        y += 5
    return found


def _source(kind: str) -> Fields:
    return [field('INTEGER', 'source_type', kind)]


def _graph(host: str, kind: str, name: str, field_name: str = 'graphid') -> dict[str, Any]:
    return field(kind, field_name, {'host': host, 'name': name})


def _thresholds(number: Number) -> Fields:
    fields = []
    steps = [(GREEN, '0'), (YELLOW, number.yellow), (RED, number.red)]
    if number.yellow == number.red:
        steps.pop(1)
    for index, (colour, value) in enumerate(steps):
        fields += [
            field('STRING', f'thresholds.{index}.color', colour),
            field('STRING', f'thresholds.{index}.threshold', value),
        ]
    return fields if number.red else []


def _widgets_70(host: str, story: Story) -> list[dict[str, Any]]:
    found = []
    for (x, width), number in zip(_widths(72, len(story.numbers)), story.numbers):
        item = field('ITEM', 'itemid.0', {'host': host, 'key': number.key})
        if number.gauge:
            fields = [
                field('STRING', 'description', number.label),
                field('INTEGER', 'desc_size', '12'),
                field('INTEGER', 'decimal_places', '1'),
                field('INTEGER', 'th_show_arc', '1'),
                item,
                *_thresholds(number),
            ]
            found.append(_widget('gauge', number.label, _place(x, 0, width, 3), fields))
        else:
            fields = [
                field(
                    'STRING',
                    'description',
                    number.label.replace('Packets refused', 'Refused, peak') if number.peak else number.label,
                ),
                field('INTEGER', 'desc_size', '13'),
                field('INTEGER', 'decimal_places', '0' if number.whole else '1'),
                *(field('INTEGER', name, '18') for name in ('value_size', 'decimal_size', 'units_size')),
                field('INTEGER', 'show.0', '1'),
                field('INTEGER', 'show.1', '2'),
                *([field('INTEGER', 'aggregate_function', '2')] if number.peak else []),
                item,
                *_thresholds(number),
            ]
            found.append(_widget('item', number.label, _place(x, 0, width, 3), fields))
    y = 3
    if story.findings:
        fields = [
            field('STRING', 'columns.0.name', 'findings'),
            field('ITEM', 'columns.0.itemid', {'host': host, 'key': story.findings}),
            field('INTEGER', 'columns.0.display', '1'),
            field('INTEGER', 'columns.0.monospace_font', '1'),
            field('INTEGER', 'show_lines', '1'),
            field('INTEGER', 'show_column_header', '0'),
            field('INTEGER', 'layout', '1'),
        ]
        found.append(_widget('itemhistory', 'Findings', _place(0, y, 36, 4), fields))
        found.append(_widget('problems', 'Problems', _place(36, y, 36, 4), [field('INTEGER', 'show', '3')]))
        y += 4
    for index, name in enumerate(story.graphs):
        place = _place(index % 2 * 36, y + index // 2 * 5, 36, 5)
        fields = [_graph(host, 'GRAPH', name, 'graphid.0'), field('STRING', 'reference', f'GRPH{chr(65 + index)}')]
        found.append(_widget('graph', '', place, fields))
    y += (len(story.graphs) + 1) // 2 * 5
    for index, name in enumerate(story.prototypes):
        fields = [
            _graph(host, 'GRAPH_PROTOTYPE', name, 'graphid.0'),
            field('INTEGER', 'columns', '2'),
            field('INTEGER', 'rows', '1'),
            field('STRING', 'reference', f'PROT{chr(65 + index)}'),
        ]
        found.append(_widget('graphprototype', '', _place(0, y, 72, 5), fields))
        y += 5
    return found
