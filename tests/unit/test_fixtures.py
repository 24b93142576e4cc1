"""Every check on every fixture: the verdict of an operator, the golden output, and what holds for any output."""

from __future__ import annotations

import json
import os
import re
import time

import pytest

from tablefull.findings.catalogue import CATALOGUE
from tablefull.findings.finding import PAGES, SEVERITIES
from tablefull.frame.output import EXIT_CODES
from tests.golden.cases import CHECKS, FIXTURES, HERE, cases, execute, golden, json_of, parse_toml, read_verdicts, runs

# The contract: labels in their order.
PERFDATA = {
    'conntrack': 'usage entries max buckets hash_load drop_rate early_drop_rate insert_failed_rate invalid_rate '
    'search_restart_rate full_in',
    'conntrack_modules': 'modules unexpected entries',
    'neighbour': 'arp_usage arp_entries arp_overflow_rate ndp_usage ndp_entries ndp_overflow_rate unresolved off_link',
    'ferm': 'rules age',
    'kernel_log': 'conntrack_table_full conntrack_expectation_table_full neighbour_table_full route_cache_full '
    'xtables_rejection conntrack_helper_unassigned conntrack_loaded suppressed lost',
}
KEYS = ['schema', 'check', 'state', 'exit_code', 'summary', 'metrics', 'findings']
FINDING_KEYS = ['code', 'severity', 'summary', 'evidence', 'remedy', 'url']

NUMBER = r'-?\d+(?:\.\d+)?'
RANGE = rf'@?(?:(?:~|{NUMBER})?:)?(?:{NUMBER})?'
# Monitoring Plugins guidelines: 'label'=value[UOM];[warn];[crit];[min];[max]. Counters (c) and U are ruled out.
PERFDATUM = re.compile(
    rf'([a-z][a-z0-9_-]*)=({NUMBER})(s|%|B)?(?:;{RANGE}(?:;{RANGE}(?:;(?:{NUMBER})?(?:;(?:{NUMBER})?)?)?)?)?'
)

RUNS = pytest.mark.parametrize(('case', 'run'), runs())


@RUNS
def test_the_check_gives_the_verdict_of_an_operator(case: str, run: str) -> None:
    verdict = read_verdicts(case)[run]
    report = json.loads(execute(case, run, '--output', 'json')[1])
    codes = {finding['code'] for finding in report['findings']}
    assert report['state'] == verdict.state, f'{report["summary"]} {sorted(codes)}; but: {verdict.why}'
    assert set(verdict.codes) <= codes, f'{sorted(set(verdict.codes) - codes)} missing; {verdict.why}'
    assert not set(verdict.absent) & codes, f'{sorted(set(verdict.absent) & codes)} wrong; {verdict.why}'
    for text in verdict.says:
        assert any(
            text in piece for finding in report['findings'] for piece in [finding['summary'], *finding['evidence']]
        )


@RUNS
def test_the_output_is_the_golden_one(case: str, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = execute(case, run)
    assert text + '\n' == read(golden(case, run, 'txt')), 'make golden rewrites it; then read the diff'
    # Neither the day nor the time zone of whoever runs it may matter.
    monkeypatch.setattr(time, 'time', lambda: 1999999999.5)
    monkeypatch.setenv('TZ', 'Pacific/Chatham')
    time.tzset()
    try:
        assert json_of(case, run) == read(golden(case, run, 'json')), 'make golden rewrites it; then read the diff'
        assert execute(case, run) == (code, text)
    finally:
        monkeypatch.undo()
        time.tzset()


def read(path: str) -> str:
    with open(path, encoding='utf-8') as file:
        return file.read()


@RUNS
def test_the_text_is_what_every_daemon_takes(case: str, run: str) -> None:
    code, text = execute(case, run)
    check = run.split()[0]
    first, *others = text.split('\n')
    state = next(state for state, number in EXIT_CODES.items() if number == code)
    sentence, separator, perfdata = first.partition(' | ')
    assert sentence.startswith(f'{check.upper().replace("_", " ")} {state.upper()} - ')
    assert len(sentence) < 120
    assert len(text.encode()) + 1 <= 1024
    assert all(character.isprintable() or character == '\n' for character in text)
    assert not any('|' in line for line in [sentence, perfdata, *others]), 'performance data outside of the first line'
    if separator:
        labels = []
        for datum in perfdata.split(' '):
            match = PERFDATUM.fullmatch(datum)
            assert match, datum
            assert '::' not in datum
            labels.append(match[1])
        assert_in_order(check, labels)


def assert_in_order(check: str, labels: list[str]) -> None:
    assert labels == [label for label in PERFDATA[check].split() if label in labels], labels


@RUNS
def test_the_json_is_what_the_contract_says(case: str, run: str) -> None:
    code, text = execute(case, run, '--output', 'json')
    report = json.loads(text)
    assert '\n' not in text
    assert list(report) == KEYS
    assert report['schema'] == 1
    assert report['check'] == run.split()[0]
    assert report['exit_code'] == code == EXIT_CODES[report['state']]
    assert report['summary']
    assert_in_order(report['check'], list(report['metrics']))
    for value in report['metrics'].values():
        assert isinstance(value, (int, float)) and not isinstance(value, bool)
    for finding in report['findings']:
        assert list(finding) == FINDING_KEYS
        assert finding['code'] in CATALOGUE
        assert finding['severity'] in SEVERITIES
        assert finding['url'] == f'{PAGES}{finding["code"]}.md'
        assert finding['summary'] and finding['evidence'], finding['code']
        pieces = [finding['summary'], *finding['evidence'], *finding['remedy']]
        assert all(piece.isprintable() for piece in pieces)
    severities = [finding['severity'] for finding in report['findings']]
    order = ['critical', 'warning', 'unknown', 'info']
    assert severities == sorted(severities, key=order.index)
    worst = severities[0] if severities else 'info'
    # UNKNOWN without a finding: a file that is there and cannot be understood.
    assert report['state'] == ('ok' if worst == 'info' else worst) or (report['state'] == 'unknown' and not severities)


@RUNS
def test_both_forms_say_the_same(case: str, run: str) -> None:
    code, text = execute(case, run)
    report = json.loads(execute(case, run, '--output', 'json')[1])
    sentence, _, perfdata = text.split('\n')[0].partition(' | ')
    assert report['exit_code'] == code
    assert sentence.endswith(f' - {report["summary"]}') or re.search(r'\.\.\.( \(\+\d+ more\))?$', sentence)
    numbers = {match[1]: float(match[2]) for match in map(PERFDATUM.fullmatch, perfdata.split()) if match}
    assert numbers == report['metrics']


def test_every_tree_has_a_verdict_of_every_check() -> None:
    for case in cases():
        verdicts = read_verdicts(case)
        assert tuple(verdicts)[: len(CHECKS)] == CHECKS, case
        for run, verdict in verdicts.items():
            assert run.split()[0] in CHECKS
            assert verdict.state in EXIT_CODES, (case, run)
            assert verdict.why.endswith('.'), (case, run)
            assert set(verdict.codes + verdict.absent) <= set(CATALOGUE), (case, run)


def test_every_tree_written_by_hand_says_what_it_follows() -> None:
    for case in cases():
        notes = os.path.join(FIXTURES, case, 'NOTES')
        captured = re.match(r'[A-E]\d|C-', case)
        assert bool(captured) != os.path.isfile(notes), case
        assert captured or len(read(notes)) > 80, case


def test_there_is_no_golden_file_without_a_run() -> None:
    wanted = {golden(case, run, form) for case, run in runs() for form in ('txt', 'json')}
    wanted |= {golden(case, 'snapshot', 'json') for case in cases()}
    wanted |= {golden(case, 'triage', form) for case in cases() for form in ('txt', 'json')}
    found = {
        os.path.join(directory, name)
        for directory, _, files in os.walk(HERE)
        for name in files
        if name.endswith(('.txt', '.json'))
    }
    assert found == wanted


def test_the_trees_stay_small() -> None:
    sizes = [
        os.lstat(os.path.join(directory, name)).st_size for directory, _, files in os.walk(FIXTURES) for name in files
    ]
    assert sum(sizes) < 3_500_000


def test_a_verdict_is_toml() -> None:
    assert parse_toml('[a]\nb = "c"\n\n# d\n["e --f"]\ng = []\nh = ["i", "j"]\n') == {
        'a': {'b': 'c'},
        'e --f': {'g': (), 'h': ('i', 'j')},
    }


@pytest.mark.parametrize('text', ['a = "b"', '[a]\nb = c', '[a]\nb = "c', '[a]\n[a]', '[a]\nb = "c"\nb = "d"', 'junk'])
def test_a_verdict_with_a_typing_error_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_toml(text)
