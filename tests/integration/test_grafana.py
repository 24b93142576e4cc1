"""The questions of the Grafana dashboard, asked of a real InfluxDB that a real Icinga 2 has written to."""

from __future__ import annotations

import json
import re
import shutil
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.integration.icinga import CONTRIBUTED, Icinga, wait_for
from tests.integration.remotes import TEMPLATES, daemon, nrpe, uncommented

DASHBOARD = json.loads((TEMPLATES / 'grafana' / 'tablefull-influxdb.json').read_text())
PANELS = [panel for panel in DASHBOARD['panels'] if panel['type'] != 'row']

HOSTS = """
template Host "test" { import "generic-host"; address = "127.0.0.1" }
object Host "local1" { import "test"; vars.tablefull = "local"; vars.tablefull_ferm = true }
object Host "nrpe1" { import "test"; vars.tablefull = "nrpe" }
"""

INFLUXDB = """
reporting-disabled = true
[meta]
  dir = "{0}/meta"
[data]
  dir = "{0}/data"
  wal-dir = "{0}/wal"
[http]
  bind-address = "127.0.0.1:8086"
"""

# What a quiet machine without ferm does not show: said to Icinga as the checks would say it.
SAID = {
    'tablefull-unchecked': ['anything=1'],
    'tablefull-conntrack': ['full_in=1200s;;;0', 'usage=81%;80;90', 'drop_rate=3;;;0'],
    'tablefull-ferm': ['age=3600s;;;0'],
    'tablefull-kernel-log': ['conntrack_table_full=2;;;0', 'suppressed=7;;;0', 'lost=0;;;0'],
}


def ask(question: str) -> list[dict[str, Any]]:
    """Series that InfluxDB answers with."""
    form = urllib.parse.urlencode({'db': 'icinga2', 'q': question})
    with urllib.request.urlopen(f'http://127.0.0.1:8086/query?{form}', data=b'', timeout=20) as answer:
        (result,) = json.load(answer)['results']
    assert 'error' not in result, (question, result)
    series: list[dict[str, Any]] = result.get('series', [])
    return series


def substituted(question: str, host: str = '.*') -> str:
    """A question as Grafana sends it."""
    for variable, value in (
        ('$timeFilter', 'time >= now() - 1h'),
        ('$__interval', '1m'),
        ('${host:regex}', host),
    ):
        question = question.replace(variable, value)
    assert '$' not in question.replace('$/', '')
    return question


@pytest.fixture(scope='module')
def written(shared_place: Path) -> Iterator[Icinga]:
    """A database with results of real checks, by two ways, from the writer's stock configuration."""
    configuration = shared_place / 'influxdb.conf'
    configuration.write_text(INFLUXDB.format(shared_place))
    shutil.copy(TEMPLATES / 'icinga2' / 'tablefull-commands.conf', CONTRIBUTED)
    node = Icinga(shared_place / 'node')
    node.certify()
    writer = Path('/etc/icinga2/features-available/influxdb.conf').read_text()
    # The only line of the page that the stock configuration does not have.
    writer = writer.replace('InfluxdbWriter "influxdb" {', 'InfluxdbWriter "influxdb" {\n  enable_send_metadata = true')
    node.write('features-enabled/influxdb.conf', writer)
    node.write('conf.d/tablefull-services.conf', (TEMPLATES / 'icinga2' / 'tablefull-services.conf').read_text())
    node.write('conf.d/hosts-test.conf', HOSTS)
    commands = uncommented((TEMPLATES / 'nrpe' / 'tablefull.cfg').read_text())
    with daemon(['influxd', '-config', str(configuration)], 8086, shared_place / 'influxdb.log'):
        ask('CREATE DATABASE icinga2')
        with nrpe(shared_place, commands), node:
            for _ in range(2):
                for host in ('local1', 'nrpe1'):
                    for service in ('conntrack', 'conntrack-modules', 'neighbour'):
                        node.check_now(host, f'tablefull-{service}')
                # Rates need two runs, at least a second apart.
                time.sleep(1.1)
            # A service whose state is nobody's but ours: the others are checked by Icinga as well.
            unchecked = {'check_command': 'tablefull-ferm', 'enable_active_checks': False}
            node.api('PUT', '/v1/objects/services/local1!tablefull-unchecked', {'attrs': unchecked})
            for service, data in SAID.items():
                said = {'exit_status': 1, 'plugin_output': 'said', 'performance_data': data}
                target = {'type': 'Service', 'service': f'local1!{service}'}
                node.api('POST', '/v1/actions/process-check-result', {**target, **said})
            wait_for('the writer', lambda: ask('SHOW TAG VALUES WITH KEY = "metric" WHERE "metric" = \'suppressed\''))
            yield node


def named(alias: str, tags: dict[str, str]) -> str:
    """A line in the legend, as Grafana writes it."""
    return re.sub(r'\$tag_(\w+)', lambda name: tags[name[1]], alias)


@pytest.mark.parametrize('panel', PANELS, ids=lambda panel: panel['title'])
@pytest.mark.usefixtures('written')
def test_every_panel_has_something_to_show(panel: dict[str, Any]) -> None:
    for target in panel['targets']:
        series = ask(substituted(target['query']))
        assert series, target['query']
        assert all(row for one in series for row in one['values'])
        if panel['type'] == 'bargauge':
            # What the panel sorts by, and names its bars after.
            assert {'top', 'hostname'} <= set(series[0]['columns'])
        else:
            legend = [named(target['alias'], one['tags']) for one in series]
            assert len(legend) == len(set(legend)), legend


@pytest.mark.usefixtures('written')
def test_states_are_those_of_icinga() -> None:
    panel = next(panel for panel in PANELS if panel['type'] == 'state-timeline')
    found = {
        (one['tags']['hostname'], one['tags']['service']): one['values'][-1][1]
        for one in ask(substituted(panel['targets'][0]['query']))
    }
    assert {host for host, _ in found} == {'local1', 'nrpe1'}
    assert found['local1', 'tablefull-unchecked'] == 1
    (mapping,) = panel['fieldConfig']['defaults']['mappings']
    assert [mapping['options'][str(state)]['text'] for state in range(4)] == ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN']


@pytest.mark.usefixtures('written')
def test_hosts_are_found_however_they_are_asked() -> None:
    (variable,) = [found for found in DASHBOARD['templating']['list'] if found['type'] == 'query']
    assert {row[1] for one in ask(variable['query']) for row in one['values']} == {'local1', 'nrpe1'}
    usage = next(panel for panel in PANELS if panel['title'] == 'Usage of the table')
    question = usage['targets'][0]['query']
    assert {one['tags']['hostname'] for one in ask(substituted(question))} == {'local1', 'nrpe1'}
    assert {one['tags']['hostname'] for one in ask(substituted(question, 'nrpe1'))} == {'nrpe1'}
    assert {one['tags']['hostname'] for one in ask(substituted(question, '(local1|nrpe1)'))} == {'local1', 'nrpe1'}


def difference(ours: Any, understood: Any, path: str = '') -> Iterator[str]:
    """Paths of what Grafana's own model of a dashboard has lost or changed."""
    if isinstance(ours, dict) and isinstance(understood, dict):
        for key, value in ours.items():
            yield from difference(value, understood.get(key, 'lost'), f'{path}/{key}')
    elif isinstance(ours, list) and isinstance(understood, list) and len(ours) == len(understood):
        for number, (one, other) in enumerate(zip(ours, understood)):
            yield from difference(one, other, f'{path}/{number}')
    elif ours != understood:
        yield f'{path}: {ours!r} became {understood!r}'


def test_grafana_knows_every_word_of_it() -> None:
    understood = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(DASHBOARD)))
    assert list(difference(DASHBOARD, understood)) == []


def test_panels_do_not_overlap_and_have_numbers_of_their_own() -> None:
    numbers = [panel['id'] for panel in DASHBOARD['panels']]
    assert len(numbers) == len(set(numbers))
    cells = [
        (x, y)
        for panel in DASHBOARD['panels']
        for x in range(panel['gridPos']['x'], panel['gridPos']['x'] + panel['gridPos']['w'])
        for y in range(panel['gridPos']['y'], panel['gridPos']['y'] + panel['gridPos']['h'])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
