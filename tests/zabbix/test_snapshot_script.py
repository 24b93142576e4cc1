"""What the preprocessing of the master item makes of a snapshot, run by the engine of the release itself."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tools.templates.zabbix.templates import TEMPLATES

from tests.zabbix.api import Api

EXAMPLE = Path(__file__).parents[2] / 'docs' / 'snapshot-example.json'
# Signs that mean something to Zabbix in a macro, a key, a path or an expression.
MEANINGFUL = set('{}[]$#"\'\\,;()<>*?|&`~!\n')


@pytest.fixture
def script(api: Api, tmp_path: Path) -> Path:
    """The script, for the zabbix_js that the release of this test has brought."""
    (text,) = [step.parameters[0] for step in TEMPLATES[0].items[0].steps if step.kind == 'JAVASCRIPT']
    path = tmp_path / 'script.js'
    path.write_text(text)
    return path


def run(script: Path, conntrack: dict[str, Any], *findings: str) -> Any:
    """The object `conntrack` of what the script returns."""
    snapshot = json.loads(EXAMPLE.read_text())
    snapshot['conntrack'].update(conntrack)
    rest = {'check': 'conntrack', 'severity': 'critical', 'severity_code': 2, 'summary': 'x'}
    snapshot['findings'] = [{'code': code, **rest} for code in findings]
    value = script.with_name('value')
    value.write_text(json.dumps(snapshot))
    done = subprocess.run(['zabbix_js', '-s', script, '-i', value], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)['conntrack']


def table(pid: int, container: str = '', command: str = 'nginx', **fields: Any) -> dict[str, Any]:
    return {'container': container, 'command': command, 'pid': pid, 'own': 0, 'entries': 10, 'usage': 5, **fields}


def listed(*tables: dict[str, Any], **fields: int) -> dict[str, Any]:
    whole = {'seen': len(tables), 'left_out': 0, 'unread': 0, 'unvisited_processes': 0, **fields}
    return {'namespaces': {**whole, 'tables': list(tables)}}


def test_a_name_lasts_as_long_as_the_container(script: Path) -> None:
    found = run(script, listed(table(9, 'docker 3f2a9b1c04de'), table(7), table(1, own=1)))
    assert found['discovered'] == [
        {'id': 'pid 7', 'holder': 'nginx, pid 7', 'pid': 7},
        {'id': 'docker 3f2a9b1c04de', 'holder': 'docker 3f2a9b1c04de (nginx, pid 9)', 'pid': 9},
    ]
    again = run(script, listed(table(12, 'docker 3f2a9b1c04de', 'other')))
    assert [one['id'] for one in again['discovered']] == ['docker 3f2a9b1c04de']


def test_of_two_with_one_name_the_older_keeps_it(script: Path) -> None:
    found = run(script, listed(table(9, 'nginx.service'), table(8, 'nginx.service')))
    assert [(one['id'], one['pid']) for one in found['discovered']] == [
        ('nginx.service', 8),
        ('nginx.service pid 9', 9),
    ]


@pytest.mark.parametrize(
    'name', ['{$PASSWORD}', '{?last(//key)}', '"],\'\\', '{#NAMESPACE}', '*', '\u00fcber', ' ', '']
)
def test_a_hostile_name_means_nothing_to_zabbix(script: Path, name: str) -> None:
    found = run(script, listed(table(9, name, name), table(8, name * 99, name * 99)))
    ids = [one['id'] for one in found['discovered']]
    assert len(set(ids)) == 2
    assert '*' not in ids
    for one in found['discovered']:
        assert not MEANINGFUL & set(one['id'])
        # What is added around the names has a comma and brackets.
        assert re.fullmatch(r'[\w.:@ +=-]*( \([\w.:@ +=,-]*\)|[\w.:@ +=,-]*)', one['holder'], re.ASCII), one
        assert len(f'Namespace {one["holder"]}: the table is full, packets are refused') <= 255


def rest(found: Any) -> list[dict[str, Any]]:
    return [one for one in found['others'] if one['id'] == '*']


def test_what_is_not_listed_is_gone(script: Path) -> None:
    gone = {'id': '*', 'entries': 0, 'usage': 0, 'refused': 0}
    assert rest(run(script, listed(table(9)))) == [gone]
    without = run(script, {})
    assert (without['others'], without['discovered'], without['refused_elsewhere']) == ([gone], [], 0)


def test_what_is_beyond_the_list_has_at_most_as_much_as_its_last(script: Path) -> None:
    found = run(script, listed(table(9, entries=90, usage=45), table(8, entries=10, usage=5), left_out=3))
    assert rest(found) == [{'id': '*', 'entries': 10, 'usage': 5, 'refused': 0}]


@pytest.mark.parametrize('field', ['unvisited_processes', 'unread'])
def test_what_was_not_looked_at_is_not_gone(script: Path, field: str) -> None:
    found = run(script, listed(table(9), **{field: 1}))
    assert rest(found) == []
    assert [one['id'] for one in found['others']] == ['pid 9']


def test_where_no_namespace_can_be_seen_nothing_is_known(script: Path) -> None:
    found = run(script, {}, 'conntrack-namespaces-unseen')
    assert ('others' in found, 'discovered' in found, found['refused_elsewhere']) == (False, False, 0)


def test_what_is_to_be_ignored_does_not_come_back_as_a_number(script: Path) -> None:
    tables = listed(table(9, refused=4), table(8, refused=3), table(7))
    told = run(script, tables, 'conntrack-namespace-table-full')
    assert [one.get('refused') for one in told['others']] == [None, 3, 4, 0]
    assert told['refused_elsewhere'] == 7
    ignored = run(script, tables)
    assert [one.get('refused') for one in ignored['others']] == [None, 0, 0, 0]
    assert ignored['refused_elsewhere'] == 0
