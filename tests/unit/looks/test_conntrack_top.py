"""check_conntrack --top and --namespaces: notes and a verdict that nothing here can cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from check_conntrack import CHECK
from tablefull.frame.plugin import main
from tablefull.readers import survey as surveys
from tablefull.readers.files import ReadError
from tests.unit.readers.test_namespaces import namespaces_tree
from tests.unit.readers.test_statistics import HEADERS, statistics
from tests.unit.readers.trees import tree

FIXTURES = Path(__file__).parents[2] / 'fixtures'
E2 = str(FIXTURES / 'E2-abuser-below-max')
# The table of that tree is at 88 %.
QUIET = ('-w', '95', '-c', '99')
ALERT = (*QUIET, '--entries-warning', '10')


def told(tmp_path: Path, root: str, *argv: str) -> dict[str, Any]:
    code, text = main(CHECK, ['--root', root, '--state-dir', str(tmp_path / 'state'), '--output', 'json', *argv])
    found: dict[str, Any] = json.loads(text)
    assert found['exit_code'] == code
    return found


def codes(found: dict[str, Any]) -> list[str]:
    return [finding['code'] for finding in found['findings']]


def test_a_check_that_is_not_ok_names_who_holds_the_table(tmp_path: Path) -> None:
    found = told(tmp_path, E2, *ALERT, '--top', '3')
    (note,) = [finding for finding in found['findings'] if finding['code'] == 'conntrack-holders']
    assert (found['state'], note['severity']) == ('warning', 'info')
    assert 'holds' in note['summary']
    assert 'connections counted' in note['evidence'][-1]


def test_a_check_that_is_ok_does_not_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*words: object, **named: object) -> None:
        raise AssertionError('looked')

    monkeypatch.setattr(surveys, 'survey', never)
    assert told(tmp_path, E2, *QUIET, '--top', '3')['state'] == 'ok'
    # Neither does one whose only trouble is ignored, nor one that was not asked to.
    ignored = told(tmp_path, E2, *ALERT, '--top', '3', '--ignore', 'conntrack-entries-high')
    assert (ignored['state'], 'conntrack-holders' in codes(ignored)) == ('ok', False)
    assert 'conntrack-holders' not in codes(told(tmp_path, E2, *ALERT))


@pytest.mark.parametrize(
    'error', [ReadError('x', 'y'), MemoryError(), ValueError('z'), OSError(5, 'Input/output error')]
)
def test_whatever_goes_wrong_is_a_note_and_the_verdict_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*words: object, **named: object) -> None:
        raise error

    monkeypatch.setattr(surveys, 'survey', fail)
    found = told(tmp_path, E2, *ALERT, '--top', '3')
    assert (found['state'], codes(found)) == ('warning', ['conntrack-entries-high', 'conntrack-holders-unseen'])


def test_where_asking_would_load_a_module_the_note_says_how_to_load_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surveys.ctnetlink, 'why_not', lambda root: 'it is not loaded, and asking would load it')
    monkeypatch.setattr(surveys.flow_listing, 'why_not', lambda root, entries: 'too long')
    monkeypatch.setattr(surveys, 'is_live', lambda root: True)
    found = told(tmp_path, E2, *ALERT, '--top', '3')
    note = found['findings'][-1]
    assert note['code'] == 'conntrack-holders-unseen'
    assert note['evidence'] == ['connections: it is not loaded, and asking would load it; too long']
    assert note['remedy'][0].startswith('modprobe nf_conntrack_netlink')


def test_no_time_left_is_a_note(tmp_path: Path) -> None:
    found = told(tmp_path, E2, *ALERT, '--top', '3', '--timeout', '0.15')
    assert found['state'] in ('warning', 'unknown')
    if found['state'] == 'warning':
        assert 'conntrack-holders-unseen' in codes(found)


@pytest.mark.parametrize('most', ['1', '10', '1000'])
def test_the_output_stays_within_its_bounds(tmp_path: Path, most: str) -> None:
    code, text = main(CHECK, ['--root', E2, '--state-dir', str(tmp_path), *ALERT, '--top', most])
    assert code == 1
    assert len(text.encode()) < 1024
    assert len(text.split(' | ')[0]) < 120
    assert 'conntrack-holders' in text


def test_another_namespace_is_judged_against_the_one_limit(tmp_path: Path) -> None:
    root = namespaces_tree(tmp_path / 'host', {700: 95, 800: 85, 900: 20})
    found = told(tmp_path, root, '--namespaces')
    assert (found['state'], found['summary']) == (
        'critical',
        '95 % of the limit in use in another network namespace: docker 0123456789ab (nginx, pid 700)',
    )
    assert (found['metrics']['namespaces'], found['metrics']['namespace_usage']) == (3, 95.0)
    evidence = found['findings'][0]['evidence']
    assert evidence[0] == '95 of 100 entries, 7 drops, namespace 4026532700'
    assert evidence[-1] == '3 namespaces seen, 200 entries in all'
    assert told(tmp_path, root)['state'] == 'ok'
    assert told(tmp_path, root, '--namespaces', '-w', '96', '-c', '97')['state'] == 'ok'


def test_the_own_namespace_is_judged_once(tmp_path: Path) -> None:
    root = namespaces_tree(tmp_path / 'host', {1: 95})
    found = told(tmp_path, root, '--namespaces')
    assert codes(found).count('conntrack-namespace-usage-high') == 0
    assert 'namespace_usage' not in found['metrics']


def test_what_could_not_be_seen_is_a_note(tmp_path: Path) -> None:
    root = namespaces_tree(tmp_path / 'host', {700: 5, 800: None})
    found = told(tmp_path, root, '--namespaces')
    (note,) = [finding for finding in found['findings'] if finding['code'] == 'conntrack-namespaces-unseen']
    assert (found['state'], note['severity']) == ('ok', 'info')
    assert note['evidence'][0].startswith('1 namespace without readable statistics')
    assert ', 1 namespace seen' in found['summary']


def test_without_a_limit_the_others_are_only_counted(tmp_path: Path) -> None:
    root = namespaces_tree(tmp_path / 'host', {700: 95}, maximum=0)
    found = told(tmp_path, root, '--namespaces')
    assert (found['state'], found['metrics']['namespaces']) == ('ok', 1)
    assert 'namespace_usage' not in found['metrics']


def test_a_hostile_name_of_a_process_stays_one_line(tmp_path: Path) -> None:
    root = namespaces_tree(tmp_path / 'host', {700: 95})
    tree(tmp_path / 'host', {'/proc/700/comm': 'a|b\x1b[2J\u202e' + 'x' * 500, '/proc/700/cgroup': 'x' * 9000})
    code, text = main(CHECK, ['--root', root, '--state-dir', str(tmp_path), '--namespaces'])
    assert code == 2
    assert text.splitlines()[0].count('|') == 1
    assert '\x1b' not in text
    assert len(text.encode()) < 1024


def test_what_a_container_was_refused_is_critical_at_once(tmp_path: Path) -> None:
    root = namespaces_tree(tmp_path / 'host', {700: 92, 800: 50})
    lax = ('--namespaces', '-w', '100', '-c', '100')
    assert told(tmp_path, root, *lax)['state'] == 'ok'

    def later(seconds: int, **counters: int) -> dict[str, Any]:
        for pid, entries in ((700, 92), (800, 50)):
            text = statistics(HEADERS['5.15'], {'entries': entries, 'drop': 7, **counters})
            (tmp_path / f'host/proc/{pid}/net/stat/nf_conntrack').write_text(text)
        (tmp_path / 'host/proc/uptime').write_text(f'{5000 + seconds}.0 1.0\n')
        return told(tmp_path, root, *lax)

    assert later(60)['state'] == 'ok'
    # Twelve clashes raise both counters, and refuse nothing for want of room.
    assert later(120, drop=19, insert_failed=12)['state'] == 'ok'
    found = later(180, drop=30, insert_failed=12)
    # The one at half of the limit lost packets for another reason.
    (finding,) = [one for one in found['findings'] if one['code'] == 'conntrack-namespace-table-full']
    assert (found['state'], finding['severity']) == ('critical', 'critical')
    assert '11 packets refused: docker 0123456789ab (nginx, pid 700)' in finding['summary']
    assert later(240, drop=30, insert_failed=12)['state'] == 'ok'
