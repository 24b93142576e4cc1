"""Triage of every fixture: the verdict of an operator, the golden output, and what holds for any output."""

from __future__ import annotations

import functools
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tablefull.findings.catalogue import CATALOGUE
from tablefull.frame.output import EXIT_CODES
from tablefull.readers.namespaces import can_be_seen
from tablefull.snapshot.verdicts import UNSEEN
from tablefull.triage.catalogue import CAUSES
from tablefull.triage.cause import CONFIDENCES
from tests.golden.cases import FIXTURES, cases, golden, read_triage, snapshot, triage, triage_of

CASES = pytest.mark.parametrize('case', cases())
SEVERITIES = ['critical', 'warning', 'unknown', 'info']

# The five outages: each re-created, and beside it the twin that is healthy or looks alike.
OUTAGES = {
    'O1': (
        'firewall-run-failed',
        (
            '3.16-debian8-ferm-failed-table-full',
            'C-legacy-c02-notrack-at-boot',
            'C-legacy-c03-notrack-restart',
            'C-nft-c02-notrack-at-boot',
            'ferm-reset-failed',
        ),
        ('C-legacy-c01-healthy', 'C-nft-c01-healthy', 'C-legacy-c04-notrack-reload', 'C-legacy-c06-stopped'),
    ),
    'O2': (
        'tracking-by-listing',
        (
            '2.6.32-rhel6-nat-listed-table-full',
            'A2-legacy-nat-listed',
            'A4-legacy-table-full',
            '5.10-lab-nat-listed',
            '7.2-lab-nat-listed',
            '7.2-lab-table-full',
        ),
        (
            'A0-clean-host',
            'A1-legacy-filter-listed',
            'A2-nft-nat-listed',
            'B1-legacy-masquerade-rule',
            'E1-healthy',
            '6.1-lab-containers',
        ),
    ),
    'O3': (
        'tracking-left-behind',
        ('B2-legacy-flushed-modules-remain',),
        ('B1-legacy-masquerade-rule', 'B3-legacy-unloaded', 'A2-legacy-nat-listed', '6.1-lab-containers'),
    ),
    'O4': (
        'default-route-wrong',
        (
            '3.10-rhel7-gateway-own-address',
            'D1-proxyarp-default-dev-below',
            'D2-proxyarp-arp-overflow',
            'D3-proxyarp-ndisc-overflow',
            '5.10-lab-neighbour-overflow',
            '7.2-lab-neighbour-overflow',
            '6.1-lab-gateway-own-address',
        ),
        (
            'D0-proxyarp-healthy',
            '3.10-rhel7-healthy',
            '3.10-messages-suppressed',
            '6.1-many-neighbours',
            '6.1-off-link-neighbours',
            '6.1-router-wide-prefix',
            '5.10-neighbour-overflow-silent',
        ),
    ),
    'O5': (
        'one-range-holds-table',
        ('E3-table-full', 'E2-abuser-below-max'),
        ('E1-healthy', '6.1-recovered', 'A3-legacy-udp-early-drop', 'A6-legacy-count-above-max'),
    ),
    'O5, connections not to be seen': (
        'limit-too-low',
        ('3.10-rhel7-table-full', '6.1-docker-table-full'),
        ('E1-healthy', '6.1-recovered', 'A8-netns-full-host-not-6.1', '6.18-builtin-container-full'),
    ),
}


@functools.cache
def taken(case: str) -> dict[str, Any]:
    code, output = triage(case, '--output', 'json')
    result: dict[str, Any] = json.loads(output, parse_constant=pytest.fail)
    assert result['exit_code'] == code
    return result


def causes(case: str) -> list[str]:
    return [cause['code'] for cause in taken(case)['causes']]


@CASES
def test_triage_gives_the_verdict_of_an_operator(case: str) -> None:
    verdict = read_triage(case)
    assert taken(case)['state'] == verdict.state, verdict.why
    assert tuple(causes(case)) == verdict.codes, verdict.why
    assert not set(causes(case)) & set(verdict.absent)
    assert verdict.why.endswith('.') and set(verdict.codes + verdict.absent) <= set(CAUSES)


@pytest.mark.parametrize('outage', OUTAGES)
def test_the_cause_of_each_outage_comes_first_and_its_twin_does_not_name_it(outage: str) -> None:
    cause, shown, twins = OUTAGES[outage]
    for case in shown:
        assert causes(case)[0] == cause, case
        assert taken(case)['summary'].startswith(f'{cause} ('), case
    for case in twins:
        assert cause not in causes(case), case


@pytest.mark.parametrize('cause', CAUSES)
def test_every_cause_is_named_in_some_tree_and_not_in_another(cause: str) -> None:
    named = [case for case in cases() if cause in causes(case)]
    assert named and len(named) < len(cases())


@CASES
def test_the_output_is_the_golden_one(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Neither the day, the time zone nor the terminal of whoever runs it may matter.
    monkeypatch.setattr(time, 'time', lambda: 1999999999.5)
    monkeypatch.setenv('TZ', 'Pacific/Chatham')
    monkeypatch.setenv('TERM', 'xterm-256color')
    time.tzset()
    try:
        for form in ('txt', 'json'):
            assert triage_of(case, form) == Path(golden(case, 'triage', form)).read_text(), 'make golden; read the diff'
    finally:
        monkeypatch.undo()
        time.tzset()


@CASES
def test_every_fault_has_a_cause_or_stands_under_what_was_not_seen(case: str) -> None:
    unseen = {entry.get('code') for entry in taken(case)['unseen']}
    for finding in taken(case)['findings']:
        if finding['severity'] != 'info' and finding['code'] not in unseen:
            assert finding['explained_by'], finding['code']


@CASES
def test_it_finds_what_the_snapshot_finds(case: str) -> None:
    namespaces = ('--namespaces',) if can_be_seen(os.path.join(FIXTURES, case)) else ()
    theirs = json.loads(snapshot(case, *namespaces)[1])
    mine = [
        {key: value for key, value in finding.items() if key != 'explained_by'} for finding in taken(case)['findings']
    ]
    assert mine == theirs['findings']
    assert [entry for entry in taken(case)['unseen'] if entry['part'] != 'holders'] == theirs['unreadable']
    assert taken(case)['kernel'] == theirs['kernel']


@CASES
def test_the_state_is_of_the_worst_finding_that_is_no_excused_one(case: str) -> None:
    """Without the excuses of --expect auto it is that of the snapshot."""
    strict = json.loads(triage(case, '--expect', 'none', '--output', 'json')[1])
    assert strict['state'] == json.loads(snapshot(case)[1])['state']
    excused = {'modules-tracking', 'modules-unexpected'} if 'tracking-needed' in causes(case) else set()
    severities = [finding['severity'] for finding in taken(case)['findings'] if finding['code'] not in excused]
    worst = min(severities, key=SEVERITIES.index, default='info')
    assert taken(case)['state'] == ('ok' if worst == 'info' else worst)


@CASES
def test_a_cause_says_all_that_it_must(case: str) -> None:
    for cause in taken(case)['causes']:
        assert cause['confidence'] in CONFIDENCES
        assert cause['severity'] in SEVERITIES
        assert len(cause['chain']) >= 2 and cause['evidence'] and cause['because'] and cause['summary']
        assert cause['steps'] and cause['prevention'], cause['code']
        assert all(step['run'] and step['effect'] for step in cause['steps']), cause['code']
        assert cause['page'] in CATALOGUE
        known = {finding['code'] for finding in taken(case)['findings']}
        assert set(cause['explains']) <= known, cause['code']
    grave = [SEVERITIES.index(cause['severity']) for cause in taken(case)['causes']]
    assert grave == sorted(grave)


@CASES
def test_the_text_fits_a_terminal_and_a_ticket(case: str) -> None:
    code, text = triage(case)
    first, *lines = text.split('\n')
    state = next(state for state, number in EXIT_CODES.items() if number == code)
    assert first.startswith(f'TRIAGE {state.upper()} - ') and len(first) < 120
    for line in lines:
        command = re.match(r' {3}do \d+ | {3}prevent  echo |    grant: ', line)
        assert command or len(line) <= 80, line
        assert line.isprintable() and line == line.rstrip()
    assert '\x1b' not in text


@CASES
def test_both_forms_say_the_same(case: str) -> None:
    text = ' '.join(triage(case, '-v')[1].split())
    for place, cause in enumerate(taken(case)['causes'], 1):
        assert f'{place}. {cause["code"]} (' in text
        for piece in [cause['summary'], cause['because'], *cause['chain'], *(step['run'] for step in cause['steps'])]:
            assert ' '.join(piece.split()) in text, piece
    for entry in taken(case)['looked_at']:
        assert entry['check'] + ': ' in text


@CASES
def test_a_step_reads_or_says_what_it_changes(case: str) -> None:
    for cause in taken(case)['causes']:
        for step in cause['steps']:
            if re.match(
                r'(sysctl -w|rmmod|echo|ip .*(replace|flush|add)|iptables .*(-I|-F)|conntrack -D)', step['run']
            ):
                assert not step['effect'].startswith('nothing: reads'), step


def test_each_unseen_part_names_its_reason() -> None:
    parts = set()
    for case in cases():
        for entry in taken(case)['unseen']:
            assert entry['reason']
            parts.add(entry['part'])
    assert {'ferm', 'kernel_log', 'neighbour'} <= parts <= {*UNSEEN.values(), 'conntrack', 'holders'}


def test_nothing_found_says_what_was_looked_at() -> None:
    code, text = triage('6.12-nothing-loaded')
    assert code == 0
    assert 'No cause found.' in text
    for check in ('conntrack', 'conntrack_modules', 'neighbour', 'ferm', 'kernel_log'):
        assert f'\n  {check}: ' in text
