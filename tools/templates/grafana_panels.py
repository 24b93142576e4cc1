"""Panels of the Grafana dashboard, and their questions to InfluxDB.

In the stock template of Icinga's InfluxdbWriter the measurement is the check command, which differs between a check by
agent, NRPE and SSH; so panels choose by the tags `service`, `metric` and `hostname`, which do not.
"""

from __future__ import annotations

from typing import Any

from tools.templates.services import CHECKS, SERVICES

MEASUREMENTS = '/^(tablefull-.*|nrpe|by_ssh)$/'
SOURCE = {'type': 'influxdb', 'uid': '${datasource}'}
GREEN, ORANGE, RED = 'green', 'orange', 'red'
# As Icinga numbers and Icinga Web colours them.
STATES = (('OK', GREEN), ('WARNING', ORANGE), ('CRITICAL', RED), ('UNKNOWN', 'purple'))


def default(check: str, option: str) -> float:
    """The default of a threshold, as a number."""
    return next(float(found.default) for found in CHECKS[check].options if found.name == option)


def steps(warning: float | None = None, critical: float | None = None) -> dict[str, Any]:
    """Colours above these values."""
    found: list[dict[str, Any]] = [{'color': GREEN, 'value': None}]
    if warning is not None:
        found.append({'color': ORANGE, 'value': warning})
    if critical is not None:
        found.append({'color': RED, 'value': critical})
    return {'mode': 'absolute', 'steps': found}


def condition(service: str, metric: str) -> str:
    """Which points of the database; `metric` is a regular expression."""
    return f'"service" =~ /^{service}$/ AND "metric" =~ /^({metric})$/ AND "hostname" =~ /^${{host:regex}}$/'


def over_time(service: str, metric: str, function: str = 'last') -> str:
    """A query for a line per host and metric."""
    return (
        f'SELECT {function}("value") FROM {MEASUREMENTS} '  # noqa: S608  # read by Grafana, and of our own words
        f'WHERE {condition(service, metric)} AND $timeFilter '
        'GROUP BY time($__interval), "hostname", "metric" fill(none)'
    )


def highest(service: str, metric: str) -> str:
    """A query for the ten hosts with the highest number in the time shown."""
    return (
        f'SELECT top("value", "hostname", 10) FROM {MEASUREMENTS} '  # noqa: S608
        f'WHERE {condition(service, metric)} AND $timeFilter'
    )


def target(query: str, alias: str, form: str = 'time_series') -> dict[str, Any]:
    """A query of a panel, written out."""
    return {
        'alias': alias,
        'datasource': SOURCE,
        'query': query,
        'rawQuery': True,
        'refId': 'A',
        'resultFormat': form,
    }


def lines(
    title: str,
    about: str,
    service: str,
    metric: str,
    unit: str = 'short',
    thresholds: dict[str, Any] | None = None,
    function: str = 'last',
) -> dict[str, Any]:
    """A graph over time, one line per host, or per host and metric where there are several."""
    defaults: dict[str, Any] = {
        'unit': unit,
        'min': 0,
        'thresholds': thresholds or steps(),
        'color': {'mode': 'palette-classic'},
        'custom': {
            'fillOpacity': 10,
            'lineWidth': 1,
            # A point with none near it is not on a line: after a day off, or with a long interval.
            'showPoints': 'auto',
            # A host that was not checked for some minutes is no host at 0.
            'spanNulls': 600000,
            'thresholdsStyle': {'mode': 'dashed' if thresholds else 'off'},
        },
    }
    alias = '$tag_hostname $tag_metric' if '|' in metric or '.' in metric else '$tag_hostname'
    return {
        'type': 'timeseries',
        'title': title,
        'description': about,
        'datasource': SOURCE,
        'fieldConfig': {'defaults': defaults, 'overrides': []},
        'options': {
            'legend': {'displayMode': 'list', 'placement': 'bottom', 'showLegend': True},
            'tooltip': {'mode': 'multi', 'sort': 'desc'},
        },
        'targets': [target(over_time(service, metric, function), alias)],
    }


def ranking(
    title: str,
    about: str,
    service: str,
    metric: str,
    unit: str,
    thresholds: dict[str, Any],
    maximum: float | None = None,
) -> dict[str, Any]:
    """Bars, the largest first: which hosts to look at."""
    defaults: dict[str, Any] = {
        'unit': unit,
        'min': 0,
        'thresholds': thresholds,
        'color': {'mode': 'thresholds'},
        'displayName': '${__data.fields.hostname}',
    }
    if maximum is not None:
        defaults['max'] = maximum
    return {
        'type': 'bargauge',
        'title': title,
        'description': about,
        'datasource': SOURCE,
        'fieldConfig': {'defaults': defaults, 'overrides': []},
        'options': {
            'displayMode': 'basic',
            'orientation': 'horizontal',
            'reduceOptions': {'calcs': ['lastNotNull'], 'fields': '/^top$/', 'values': True, 'limit': 10},
            'showUnfilled': True,
        },
        'targets': [target(highest(service, metric), '', 'table')],
        # The database gives them in the order of time, and a table per measurement.
        'transformations': [
            {'id': 'merge', 'options': {}},
            {'id': 'sortBy', 'options': {'sort': [{'field': 'top', 'desc': True}]}},
        ],
    }


def states(title: str, about: str) -> dict[str, Any]:
    """A bar over time for each service, in the colour of its state."""
    query = (
        f'SELECT max("state") FROM {MEASUREMENTS} '  # noqa: S608
        'WHERE "service" =~ /^tablefull-/ AND "hostname" =~ /^${host:regex}$/ AND $timeFilter '
        'GROUP BY time($__interval), "hostname", "service" fill(none)'
    )
    names = {
        str(number): {'text': word, 'color': colour, 'index': number} for number, (word, colour) in enumerate(STATES)
    }
    longest = max(service.interval + service.retry for service in SERVICES)
    return {
        'type': 'state-timeline',
        'title': title,
        'description': about,
        'datasource': SOURCE,
        'fieldConfig': {
            'defaults': {
                'mappings': [{'type': 'value', 'options': names}],
                'color': {'mode': 'thresholds'},
                'thresholds': steps(),
                'custom': {'fillOpacity': 70, 'lineWidth': 0, 'spanNulls': longest * 1000},
            },
            'overrides': [],
        },
        'options': {
            'mergeValues': True,
            'showValue': 'never',
            'legend': {'displayMode': 'list', 'placement': 'bottom', 'showLegend': True},
            'tooltip': {'mode': 'single', 'sort': 'none'},
        },
        'targets': [target(query, '$tag_hostname $tag_service')],
    }
