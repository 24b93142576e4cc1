"""The snapshot of every fixture: what its checks say, in the form that docs/snapshot.md describes."""

from __future__ import annotations

import functools
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tablefull.findings.catalogue import CATALOGUE
from tablefull.findings.finding import SEVERITIES
from tablefull.snapshot.main import answer
from tablefull.snapshot.verdicts import ORDER, STATES, UNSEEN
from tests.golden.cases import CHECKS, cases, execute, golden, read_verdicts, snapshot, snapshot_of
from tests.unit.readers.test_namespaces import namespaces_tree
from tests.unit.readers.test_statistics import HEADERS, statistics

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / 'docs' / 'snapshot.md').read_text()
EXAMPLE = json.loads((ROOT / 'docs' / 'snapshot-example.json').read_text())
FORBIDDEN = (None, True, False)

CASES = pytest.mark.parametrize('case', cases())


@functools.cache
def taken(case: str) -> dict[str, Any]:
    code, output = snapshot(case)
    assert code == 0
    result: dict[str, Any] = json.loads(output, parse_constant=pytest.fail)
    return result


@functools.cache
def checked(case: str, name: str) -> dict[str, Any]:
    """What the check says; that ferm is not there is no fault in a snapshot."""
    options = ['--missing', 'ok'] if name == 'ferm' else []
    result: dict[str, Any] = json.loads(execute(case, name, '--output', 'json', *options)[1])
    return result


@CASES
def test_it_is_one_line_of_ascii(case: str) -> None:
    output = snapshot(case)[1]
    assert output.isascii() and output.isprintable()


@CASES
def test_it_says_what_the_checks_say(case: str) -> None:
    for name in CHECKS:
        report, verdict = checked(case, name), taken(case)['checks'][name]
        assert verdict['state'] == report['state'], name
        # Behind the sentence of a check stands how much more there is.
        assert re.sub(r' \(\+\d+ more\)$', '', report['summary']).startswith(verdict['summary']), name
        mine = [
            {key: value for key, value in finding.items() if key not in ('check', 'severity_code')}
            for finding in taken(case)['findings']
            if finding['check'] == name
        ]
        # An empty list of a check's finding is left out here.
        theirs = [{key: value for key, value in finding.items() if value != []} for finding in report['findings']]
        assert mine == theirs, name
        assert verdict['findings'] == sum(finding['severity'] != 'info' for finding in theirs)


@CASES
def test_it_measures_what_the_checks_measure(case: str) -> None:
    fields = taken(case)
    metrics = {name: checked(case, name)['metrics'] for name in CHECKS}
    for label in ('usage', 'entries', 'max', 'buckets', 'hash_load', 'full_in'):
        if metrics['conntrack']:
            assert fields['conntrack'].get(label) == metrics['conntrack'].get(label), label
    if metrics['conntrack_modules']:
        assert fields['modules']['judged'] == metrics['conntrack_modules']['modules']
        assert fields['modules']['unexpected'] == metrics['conntrack_modules']['unexpected']
    for family in fields['neighbour'].get('families', ()):
        assert family.get('usage') == metrics['neighbour'].get(f'{family["family"]}_usage')
        assert family['entries'] == metrics['neighbour'][f'{family["family"]}_entries']
    for label in ('unresolved', 'off_link'):
        counts = [family[label] for family in fields['neighbour'].get('families', ()) if label in family]
        if counts:
            assert sum(counts) == metrics['neighbour'][label]
    assert fields['ferm'].get('age') == metrics['ferm'].get('age')
    messages = fields['kernel_log'].get('messages', {})
    told = {label: message['count'] for label, message in messages.items() if message['count']}
    assert told == {label: value for label, value in metrics['kernel_log'].items() if label in messages}
    for label in ('suppressed', 'lost'):
        assert fields['kernel_log'].get(label) == metrics['kernel_log'].get(label)


@CASES
def test_every_gateway_that_is_wrong_has_its_finding(case: str) -> None:
    gateways = taken(case)['neighbour'].get('gateways', ())
    found = {finding['code'] for finding in taken(case)['findings'] if finding['check'] == 'neighbour'}
    wrong = {gateway['code'] for gateway in gateways} - {'ok'}
    assert wrong == {code for code in found if code.startswith('neighbour-gateway-')}
    routes = [gateway['route'] for gateway in gateways]
    assert len(routes) == len(set(routes))


@CASES
def test_the_snapshot_is_the_golden_one(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Neither the day nor the time zone of whoever runs it may matter.
    monkeypatch.setattr(time, 'time', lambda: 1999999999.5)
    monkeypatch.setenv('TZ', 'Pacific/Chatham')
    time.tzset()
    try:
        assert snapshot_of(case) == Path(golden(case, 'snapshot', 'json')).read_text(), 'make golden; read the diff'
    finally:
        monkeypatch.undo()
        time.tzset()


@CASES
def test_lines_are_only_a_matter_of_form(case: str) -> None:
    pretty = json.loads(snapshot(case, '--pretty')[1])
    for name in ('time', 'duration'):
        assert pretty.pop(name) >= 0
    assert pretty == {name: value for name, value in taken(case).items() if name not in ('time', 'duration')}


@CASES
def test_words_and_their_codes_agree(case: str) -> None:
    fields = taken(case)
    for verdict in [fields, *fields['checks'].values()]:
        assert verdict['state'] == STATES[verdict['state_code']]
        assert verdict['summary']
    states = [verdict['state'] for verdict in fields['checks'].values()]
    assert fields['state'] == min(states, key=('critical', 'warning', 'unknown', 'ok').index)
    for finding in fields['findings']:
        assert finding['severity'] == SEVERITIES[finding['severity_code']]
        assert finding['code'] in CATALOGUE
    severities = [finding['severity'] for finding in fields['findings']]
    assert severities == sorted(severities, key=ORDER.index)
    for gateway in fields['neighbour'].get('gateways', ()):
        assert gateway['severity'] == STATES[gateway['severity_code']]
        assert (gateway['code'] == 'ok') == (gateway['severity'] == 'ok')


@CASES
def test_what_is_unseen_is_listed_with_its_reason(case: str) -> None:
    fields = taken(case)
    unseen = {finding['code'] for finding in fields['findings'] if finding['code'] in UNSEEN}
    assert {entry['code'] for entry in fields['unreadable'] if 'code' in entry} == unseen
    # A check that cannot read is UNKNOWN without a finding; here its part says so.
    for name, part in {'conntrack': 'conntrack', 'neighbour': 'neighbour', 'conntrack_modules': 'modules'}.items():
        plain = [entry for entry in fields['unreadable'] if entry['part'] == part and 'code' not in entry]
        assert bool(plain) == (not fields[part]['read']), name


def paths(value: Any, path: str = '') -> set[tuple[str, str]]:
    """(path, type) of everything in it, with [] for elements and * for keys that are not ours."""
    if isinstance(value, dict):
        own = path in ('checks', 'kernel_log.messages') or path.endswith('.statistics') or path == 'statistics'
        return {
            found
            for name, part in value.items()
            for found in paths(part, f'{path}.{"*" if own else name}'.removeprefix('.'))
        }
    if isinstance(value, list):
        return {found for part in value for found in paths(part, f'{path}[]')}
    return {(path, 'text' if isinstance(value, str) else 'number')}


def documented() -> dict[str, str]:
    rows = re.findall(r'^\| `([a-z0-9_.*\[\]]+)` \| (text|number|flag) \|.+\|.+\|$', PAGE, re.MULTILINE)
    assert len(rows) == len(dict(rows)), 'a field is described twice'
    return dict(rows)


def flags() -> set[str]:
    return {path for path, kind in documented().items() if kind == 'flag'}


@CASES
def test_every_field_is_documented_with_its_type(case: str) -> None:
    fields = documented()
    for path, kind in paths(taken(case)):
        assert path in fields, f'{path} is not in docs/snapshot.md'
        assert kind == fields[path].replace('flag', 'number'), path


def test_every_documented_field_is_in_some_snapshot(tmp_path: Path) -> None:
    emitted = {path for case in cases() for path, _ in paths(taken(case))}
    emitted |= {path for path, _ in paths(with_namespaces(tmp_path))}
    # In a captured tree nobody knows the time of day; and a snapshot that fails has its own test.
    emitted |= {'kernel_log.messages.*.last_seen', 'error'}
    assert sorted(set(documented()) - emitted) == []


def with_namespaces(tmp_path: Path) -> dict[str, Any]:
    """The second snapshot of a host with two containers, of which one has no statistics to read."""
    root = namespaces_tree(tmp_path / 'host', {700: 90, 800: None})
    options = ['--root', root, '--state-dir', str(tmp_path / 'state'), '--namespaces']
    answer(options)
    (tmp_path / 'host/proc/uptime').write_text('5060.0 1.0\n')
    code, output = answer(options)
    assert code == 0
    result: dict[str, Any] = json.loads(output)
    return result


def test_the_tables_of_all_namespaces_are_in_it_when_asked_for(tmp_path: Path) -> None:
    found = with_namespaces(tmp_path)
    for path, kind in paths(found):
        assert kind == documented()[path].replace('flag', 'number')
    (table,) = found['conntrack']['namespaces']['tables']
    assert (table['entries'], table['usage'], table['own'], table['drops'], table['refused']) == (90, 90.0, 0, 7, 0)
    assert (table['container'], table['command'], table['pid']) == ('docker 0123456789ab', 'nginx', 700)
    assert table['namespace'] == '4026532700'
    assert found['checks']['conntrack']['state'] == 'warning'
    unseen = {(entry['part'], entry.get('code')) for entry in found['unreadable']}
    assert ('conntrack', 'conntrack-namespaces-unseen') in unseen


def test_what_full_tables_of_other_namespaces_refused_is_told_one_by_one(tmp_path: Path) -> None:
    root = namespaces_tree(tmp_path / 'host', {1: 5, 700: 95, 800: 50})

    def refused(seconds: int, drops: int) -> dict[int, int | None]:
        for pid, entries in ((1, 95), (700, 95), (800, 50)):
            text = statistics(HEADERS['5.15'], {'entries': entries, 'drop': drops})
            (tmp_path / f'host/proc/{pid}/net/stat/nf_conntrack').write_text(text)
        (tmp_path / 'host/proc/uptime').write_text(f'{5000 + seconds}.0 1.0\n')
        found = json.loads(answer(['--root', root, '--state-dir', str(tmp_path / 'state'), '--namespaces'])[1])
        codes = [finding['code'] for finding in found['findings']]
        tables = {table['pid']: table.get('refused') for table in found['conntrack']['namespaces']['tables']}
        assert ('conntrack-namespace-table-full' in codes) == bool(tables[700])
        return tables

    # Of the first run nobody knows; the host's own table has findings of its own; one at half lost them otherwise.
    assert refused(0, 7) == {1: None, 700: None, 800: None}
    assert refused(60, 19) == {1: None, 700: 12, 800: 0}
    assert refused(120, 19) == {1: None, 700: 0, 800: 0}


def test_the_example_is_of_the_same_form() -> None:
    example = {path for path, _ in paths(EXAMPLE)}
    assert example <= set(documented())
    assert set(EXAMPLE) == set(taken('6.1-filling-up'))


def always() -> set[str]:
    """Fields outside of lists and parts that the page says are always there."""
    rows = re.findall(r'^\| `([a-z0-9_.]+)` \| \w+ \| .* \| \|$', PAGE, re.MULTILINE)
    top = ('schema', 'version', 'time', 'duration', 'state', 'state_code', 'summary')
    return {row for row in rows if row in top or row.endswith('.read')}


@CASES
def test_fields_that_are_always_there_are(case: str) -> None:
    found = {path for path, _ in paths(taken(case))}
    assert len(always()) == 11
    assert always() <= found


@CASES
def test_nothing_is_null_or_a_truth_value_and_flags_are_0_or_1(case: str) -> None:
    def walk(value: Any, path: str) -> None:
        assert not any(value is forbidden for forbidden in FORBIDDEN), path
        if isinstance(value, dict):
            for name, part in value.items():
                walk(part, f'{path}.{name}'.removeprefix('.'))
        elif isinstance(value, list):
            for part in value:
                walk(part, f'{path}[]')
        elif path in flags():
            assert value in (0, 1), path

    walk(taken(case), '')


@CASES
def test_it_stays_small(case: str) -> None:
    # The smallest agent takes 512 KiB; a fleet pays for every byte.
    assert len(snapshot(case)[1]) < 20_000


def test_the_verdict_of_an_operator_holds_for_the_whole() -> None:
    for case in cases():
        states = {run: verdict.state for run, verdict in read_verdicts(case).items() if run in CHECKS}
        found = {name: verdict['state'] for name, verdict in taken(case)['checks'].items()}
        for name, state in states.items():
            assert found[name] == state or (name, state, found[name]) == ('ferm', 'unknown', 'ok'), case
