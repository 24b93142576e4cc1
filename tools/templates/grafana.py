"""templates/grafana/tablefull-influxdb.json: a dashboard for what Icinga's InfluxdbWriter writes of the checks."""

from __future__ import annotations

import json
from typing import Any

from tablefull.findings.finding import DOCUMENTS
from tools.templates.grafana_panels import SOURCE, default, lines, ranking, states, steps

# Alike in every installation, so that a link to the dashboard stays a link, and an import replaces it.
UID = 'tablefull-influxdb'
# Of Grafana 9: what later ones migrate by themselves.
SCHEMA_VERSION = 36

WIDTH = 24


def rows() -> list[tuple[str, int, list[dict[str, Any]]]]:
    """(title of a row, height of its panels, the panels), from the top: first who, then what, then why."""
    table = 'tablefull-conntrack'
    neighbours = 'tablefull-neighbour'
    log = 'tablefull-kernel-log.*'
    usage = steps(default('conntrack', 'warning'), default('conntrack', 'critical'))
    neighbour_usage = steps(default('neighbour', 'warning'), default('neighbour', 'critical'))
    any_is_bad = steps(critical=0.000001)
    return [
        (
            'Which hosts',
            7,
            [
                ranking(
                    'Fullest connection tracking tables',
                    'Entries in percent of the limit, the highest of the time shown.',
                    table,
                    'usage',
                    'percent',
                    usage,
                    100,
                ),
                ranking(
                    'Packets refused',
                    'The highest rate in the time shown. Anything above 0 is loss.',
                    table,
                    'drop_rate',
                    'pps',
                    any_is_bad,
                ),
                ranking(
                    'Fullest neighbour tables',
                    'The fuller one of ARP and NDP, in percent of gc_thresh3, the highest of the time shown.',
                    neighbours,
                    'arp_usage|ndp_usage',
                    'percent',
                    neighbour_usage,
                    100,
                ),
            ],
        ),
        (
            'Connection tracking',
            8,
            [
                lines(
                    'Usage of the table',
                    'Entries in percent of the limit. The dashed lines are the defaults of check_conntrack.',
                    table,
                    'usage',
                    'percent',
                    usage,
                ),
                lines(
                    'Refused packets',
                    'Packets dropped because no entry could be made: a full table, or collisions.',
                    table,
                    'drop_rate',
                    'pps',
                    any_is_bad,
                    function='max',
                ),
                lines('Entries and limit', 'Tracked connections, and how many there may be.', table, 'entries|max'),
                lines(
                    'Full in',
                    'Time until the table is full at its present growth; only while it grows and is half full.',
                    table,
                    'full_in',
                    's',
                    function='min',
                ),
                lines(
                    'Evicted and collided',
                    'early_drop: unanswered or short connections evicted for new ones. insert_failed: lost in clashes.',
                    table,
                    'early_drop_rate|insert_failed_rate',
                    'cps',
                ),
                lines(
                    'Entries per hash bucket when full',
                    'Above 4 lookups get slow, and some kernels refuse connections.',
                    table,
                    'hash_load',
                    'short',
                    steps(default('conntrack', 'hash-load-warning'), default('conntrack', 'hash-load-critical')),
                ),
            ],
        ),
        (
            'Neighbours',
            8,
            [
                lines(
                    'Usage of the tables',
                    'Per family, as the kernel counts it, in percent of gc_thresh3.',
                    neighbours,
                    'arp_usage|ndp_usage',
                    'percent',
                    neighbour_usage,
                ),
                lines(
                    'Overflows',
                    'New neighbours that were refused. The sender is not told.',
                    neighbours,
                    'arp_overflow_rate|ndp_overflow_rate',
                    'cps',
                    any_is_bad,
                    function='max',
                ),
                lines(
                    'Unresolved and off-link',
                    'Neighbours that do not answer, and neighbours outside every connected network.',
                    neighbours,
                    'unresolved|off_link',
                ),
            ],
        ),
        (
            'Modules, kernel log, ferm',
            7,
            [
                lines(
                    'Unexpected modules',
                    'Modules of connection tracking, NAT or tables that are neither expected nor allowed.',
                    'tablefull-conntrack-modules',
                    'unexpected',
                    thresholds=steps(0.5),
                ),
                lines(
                    'Lines in the kernel log',
                    'Messages of full tables and rejected rules within the last 15 minutes, by kind.',
                    log,
                    '.*',
                    function='max',
                ),
                lines(
                    'Age of the rules of ferm', 'Time since ferm last loaded its rules.', 'tablefull-ferm.*', 'age', 's'
                ),
            ],
        ),
        (
            'States',
            8,
            [
                states(
                    'States of the services',
                    'Only with enable_send_metadata = true in the InfluxdbWriter of Icinga, which is off by default.',
                )
            ],
        ),
    ]


def variables() -> list[dict[str, Any]]:
    """What can be chosen on the dashboard: the data source and hosts."""
    hosts = 'SHOW TAG VALUES WITH KEY = "hostname" WHERE "service" =~ /^tablefull-/'
    return [
        {'type': 'datasource', 'name': 'datasource', 'label': 'Data source', 'query': 'influxdb', 'refresh': 1},
        {
            'type': 'query',
            'name': 'host',
            'label': 'Host',
            'datasource': SOURCE,
            'query': hosts,
            'includeAll': True,
            'allValue': '.*',
            'multi': True,
            'current': {'selected': True, 'text': ['All'], 'value': ['$__all']},
            'refresh': 2,
            'sort': 1,
        },
    ]


def dashboard() -> dict[str, Any]:
    """The dashboard, as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, height, members in rows():
        place = {'h': 1, 'w': WIDTH, 'x': 0, 'y': top}
        panels.append({'type': 'row', 'title': title, 'collapsed': False, 'panels': [], 'gridPos': place})
        top += 1
        columns = min(3, len(members))
        width = WIDTH // columns
        for index, panel in enumerate(members):
            place = {'h': height, 'w': width, 'x': index % columns * width, 'y': top + index // columns * height}
            panels.append({**panel, 'gridPos': place})
        top += -(-len(members) // columns) * height
    return {
        'uid': UID,
        'title': 'tablefull: network tables',
        'description': 'Connection tracking, neighbours, modules and ferm, from the performance data of the checks.',
        'tags': ['tablefull', 'icinga', 'network'],
        'schemaVersion': SCHEMA_VERSION,
        'editable': True,
        'time': {'from': 'now-6h', 'to': 'now'},
        'refresh': '1m',
        'graphTooltip': 1,
        'links': [
            {
                'type': 'link',
                'title': 'What the findings mean',
                'url': f'{DOCUMENTS}findings',
                'icon': 'doc',
                'targetBlank': True,
            }
        ],
        'templating': {'list': variables()},
        'panels': [{'id': number, **panel} for number, panel in enumerate(panels, 1)],
    }


def files() -> dict[str, str]:
    """Path below templates/ -> text."""
    return {'grafana/tablefull-influxdb.json': json.dumps(dashboard(), indent=2) + '\n'}
