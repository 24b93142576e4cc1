"""How scenarios of the lab are read and judged: what could pass unnoticed must not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.incidents.machine import MachineError, Result
from tests.incidents.scenario import (
    KERNELS,
    Expectation,
    Report,
    Transcript,
    judge,
    parse_scenario,
    play,
    remedy_of,
    scenarios,
)

HEAD = "outage = 'O3'\nwhy = 'because'\nkernels = ['6.1']\n"
STEP = "[[step]]\nname = 'a step'\n[step.check_conntrack]\nstate = 'ok'\n"


def said(state: str = 'ok', check: str = 'conntrack', **more: Any) -> dict[str, Any]:
    return {'check': check, 'state': state, 'summary': 'so it is', 'metrics': {}, 'findings': [], **more}


def finding(code: str = 'conntrack-table-full', severity: str = 'critical', *remedy: str) -> dict[str, Any]:
    return {'code': code, 'severity': severity, 'summary': 'full', 'evidence': ['drop +1'], 'remedy': list(remedy)}


class FakeMachine:
    """Answers what it is told to, in turn; remembers what was run."""

    kernel = '6.1'

    def __init__(self, *answers: Result) -> None:
        self.answers = list(answers)
        self.told: list[str] = []

    def run(self, text: str, user: str = 'root', seconds: float = 300) -> Result:
        self.told.append(text)
        return self.answers.pop(0)


def report(state: str = 'ok', *findings: dict[str, Any], code: int = 0, errors: str = '', **metrics: float) -> Report:
    return Report(code, errors, said(state, findings=list(findings), metrics=metrics))


def test_every_scenario_can_be_read_and_every_outage_has_some() -> None:
    found = scenarios()
    assert {scenario.outage for scenario in found} == {'O1', 'O2', 'O3', 'O4', 'O5'}
    healthy = {scenario.outage for scenario in found if scenario.name.startswith('healthy-')}
    assert healthy == {'O1', 'O3', 'O4', 'O5'}
    for outage in ('o2', 'o3', 'o4'):
        kernels = {kernel for scenario in found if scenario.name.startswith(outage) for kernel in scenario.kernels}
        assert kernels == set(KERNELS)


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        (HEAD + "[[step]]\nname = 'nothing'\n", 'nothing happens'),
        (HEAD + "[[step]]\nname = 'done'\ndo = 'true'\n", 'no check is asked'),
        (HEAD.replace('6.1', '6.2') + STEP, 'an unknown one'),
        (HEAD.replace("'6.1'", '') + STEP, 'no kernel'),
        (HEAD + "boot = 'upstart'\n" + STEP, 'unknown boot'),
        (HEAD + STEP + "codes = ['conntrack-tabel-full']\n", 'conntrack-tabel-full'),
        (HEAD + STEP.replace("'ok'", "'fine'"), 'fine'),
    ],
)
def test_what_would_never_be_judged_is_an_error(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_scenario('x', text)


@pytest.mark.parametrize(
    'text',
    [
        HEAD + "kernal = '5.10'\n" + STEP,
        HEAD + STEP.replace("name = 'a step'", "name = 'a step'\nsee = 'true'"),
        HEAD + STEP + "code = ['conntrack-table-full']\n",
    ],
)
def test_a_word_that_is_not_known_is_an_error(text: str) -> None:
    with pytest.raises(TypeError):
        parse_scenario('x', text)


def test_a_check_with_options_and_a_remedy_with_words_to_fill_in_are_read() -> None:
    text = HEAD + "[[step]]\nname = 'a'\nremedy = 'ferm-stopped'\nwith = { A = 'b' }\n"
    scenario = parse_scenario('x', text + "[step.\"check_neighbour --since 5s\"]\nstate = 'ok'\nuser = 'root'\n")
    (step,) = scenario.steps
    assert (step.remedy, step.filled) == ('ferm-stopped', {'A': 'b'})
    (expectation,) = step.expectations
    assert (expectation.command, expectation.user, expectation.state) == ('check_neighbour --since 5s', 'root', 'ok')


GOOD = Expectation('check_conntrack', 'ok')


def test_what_is_as_expected_is_not_wrong() -> None:
    expectation = Expectation(
        'check_conntrack',
        'critical',
        codes=('conntrack-table-full',),
        absent=('conntrack-drops',),
        says=('drop +1', 'rmmod'),
        metrics=('usage >= 90', 'usage < 90.5', 'max == -1', 'drop_rate > 0', 'entries <= 5'),
    )
    full = report(
        'critical',
        finding('conntrack-table-full', 'critical', 'rmmod x'),
        code=2,
        usage=90.0,
        max=-1,
        drop_rate=0.1,
        entries=5,
    )
    assert judge(expectation, full) == []


@pytest.mark.parametrize(
    ('expectation', 'seen', 'reason'),
    [
        (GOOD, report('warning'), 'state warning, not ok'),
        (GOOD, report('ok', code=1), 'exit code 1'),
        (GOOD, report('ok', errors='Traceback'), 'standard error is not empty'),
        (GOOD._replace(codes=('conntrack-drops',)), report(), 'does not find conntrack-drops'),
        (GOOD._replace(absent=('conntrack-table-full',)), report('ok', finding()), 'finds conntrack-table-full'),
        (GOOD._replace(says=('drop +2',)), report('ok', finding()), "does not say 'drop +2'"),
        (GOOD._replace(metrics=('usage >= 90',)), report(usage=89.9), 'not so: usage >= 90'),
        (GOOD._replace(metrics=('usage >= 90',)), report(entries=99), 'not so: usage >= 90'),
        (GOOD._replace(quiet=True), report('ok', finding(severity='warning')), 'warning: full'),
    ],
)
def test_what_is_not_as_expected_is_said(expectation: Expectation, seen: Report, reason: str) -> None:
    (sentence,) = judge(expectation, seen)
    assert reason in sentence
    assert sentence.startswith('check_conntrack as nagios: ')


def test_a_note_is_quiet() -> None:
    assert judge(GOOD._replace(quiet=True), report('ok', finding(severity='info'))) == []


def test_a_condition_that_cannot_be_read_is_an_error_and_not_true() -> None:
    with pytest.raises(ValueError, match='not a condition'):
        judge(GOOD._replace(metrics=('usage => 90',)), report(usage=95.0))


def test_a_remedy_is_the_last_one_printed_by_the_check_that_was_named() -> None:
    first = report('critical', finding('conntrack-table-full', 'critical', 'old'))
    second = report('critical', finding('conntrack-table-full', 'critical', 'new'), finding())
    other = Report(2, '', said('critical', 'kernel_log', findings=[finding('conntrack-table-full', 'critical', 'log')]))
    reports = [first, second, other, report()]
    assert remedy_of('conntrack-table-full', reports) == ['log']
    assert remedy_of('check_conntrack conntrack-table-full', reports) == ['new']
    with pytest.raises(LookupError):
        remedy_of('ferm-stopped', reports)


def test_causes_are_judged_like_findings_and_their_steps_are_remedies() -> None:
    text = HEAD + "[[step]]\nname = 'a'\n[step.\"tablefull triage\"]\nstate = 'warning'\ncodes = ['gateway-silent']\n"
    cause = '{"code": "gateway-silent", "severity": "warning", "summary": "", "evidence": [], "steps": [{"run": "ip"}]}'
    printed = '{"state": "warning", "exit_code": 1, "summary": "", "causes": [' + cause + ']}'
    done = "[[step]]\nname = 'b'\nremedy = 'triage gateway-silent'\n"
    machine = FakeMachine(Result(1, printed, ''), Result(0, 'file', ''), Result(0, '', ''))
    assert play(parse_scenario('x', text + done), machine, Transcript()) == []  # type: ignore[arg-type]
    assert machine.told[0].startswith('/usr/bin/tablefull triage --output json')
    assert machine.told[2] == 'ip'


def test_a_step_that_cannot_be_done_ends_a_scenario() -> None:
    scenario = parse_scenario('x', HEAD + STEP.replace("'a step'", "'a step'\ndo = 'true'") + STEP)
    machine = FakeMachine(Result(1, '', 'not so'))
    assert play(scenario, machine, Transcript()) == ['a step: cannot be done (exit 1): not so']  # type: ignore[arg-type]
    assert len(machine.told) == 1


def test_a_fact_that_is_not_to_be_seen_ends_a_scenario_before_a_check_is_asked() -> None:
    scenario = parse_scenario('x', HEAD + STEP.replace("'a step'", "'a step'\nsees = 'loaded x'"))
    machine = FakeMachine(Result(1, '', ''))
    (sentence,) = play(scenario, machine, Transcript())  # type: ignore[arg-type]
    assert 'not to be seen: loaded x' in sentence


def test_a_check_that_prints_no_json_is_no_verdict() -> None:
    machine = FakeMachine(Result(3, 'CONNTRACK UNKNOWN - no library', ''))
    with pytest.raises(MachineError, match='no JSON'):
        play(parse_scenario('x', HEAD + STEP), machine, Transcript())  # type: ignore[arg-type]


def test_advice_alone_is_no_remedy() -> None:
    text = HEAD + STEP + "[[step]]\nname = 'cured'\nremedy = 'conntrack-table-full'\n"
    printed = '{"check": "conntrack", "state": "ok", "summary": "", "metrics": {}, "findings": [%s]}'
    full = '{"code": "conntrack-table-full", "summary": "", "severity": "info", "evidence": [], "remedy": ["think"]}'
    machine = FakeMachine(Result(0, printed % full, ''), Result(1, '', ''))
    (sentence,) = play(parse_scenario('x', text), machine, Transcript())  # type: ignore[arg-type]
    assert sentence == 'cured: conntrack-table-full has no command among its remedies'
