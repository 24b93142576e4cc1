"""Scenarios as data, what is done with them in a machine, and how what the checks say is judged.

docs/incident-lab.md tells how to write one.
"""

from __future__ import annotations

import json
import operator
import re
from pathlib import Path
from typing import Any, NamedTuple

try:
    import tomllib
except ModuleNotFoundError:
    # Python 3.9 and 3.10, where pytest brings it.
    import tomli as tomllib

from tablefull.findings.catalogue import CATALOGUE
from tablefull.frame.output import EXIT_CODES
from tablefull.triage.catalogue import CAUSES
from tests.incidents.machine import Machine, MachineError

SCENARIOS = Path(__file__).parent / 'scenarios'
CHECKS = ('check_conntrack', 'check_conntrack_modules', 'check_neighbour', 'check_ferm', 'check_kernel_log')
# Judged like a check: its causes are what it finds, and the commands of their steps are the remedies.
TRIAGE = 'tablefull triage'
KERNELS = ('5.10', '6.1', 'newest')

# What a scenario's commands begin with: the first that fails ends the step, unless it is said to fail.
PRELUDE = r"""set -eu -o pipefail
fails() { if "$@"; then echo "did not fail: $*" >&2; exit 1; fi; }
loaded() { grep -q "^$1 " /proc/modules; }
absent() { ! loaded "$1"; }
# Not grep -q, which goes when it has seen enough: what writes into the pipe would fail then.
has() { grep -e "$1" > /dev/null; }
once_more() { runuser -u nagios -- "/usr/lib/nagios/plugins/$1" --timeout 60 > /dev/null || true; sleep 2; }
eventually() { local n; for n in $(seq 100); do ! "$@" > /dev/null 2>&1 || return 0; sleep 0.3; done; "$@"; }
"""


class Expectation(NamedTuple):
    """What one run of a check has to say.

    command  the check and its options
    user     who runs it
    state    'ok', 'warning', 'critical' or 'unknown'; the exit code has to be that of the state
    codes    findings that must be there, absent those that must not
    says     texts that must stand somewhere in summaries, evidence and remedies
    metrics  such as 'usage >= 90'
    quiet    no finding may be above info
    """

    command: str
    state: str
    user: str = 'nagios'
    codes: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    quiet: bool = False


class Step(NamedTuple):
    """One thing done, and what must be true then.

    do       commands of bash, as root, that must succeed
    remedy   code of a finding, maybe behind the name of a check: what it printed before is carried out, as printed
    filled   (`with` in the file) text in them -> what somebody who knows the network puts in its place
    reboot   the machine is booted once more
    sees     commands that must succeed after all that: the facts, seen without the checks
    capture  kernel -> name of the fixture that a captured tree of this moment can become
    """

    name: str
    do: str = ''
    remedy: str = ''
    filled: dict[str, str] = {}
    reboot: bool = False
    sees: str = ''
    capture: dict[str, str] = {}
    expectations: tuple[Expectation, ...] = ()


class Scenario(NamedTuple):
    """An outage or a healthy twin of one.

    boot  'plain' (nothing runs but the agent) or 'systemd'
    """

    name: str
    outage: str
    why: str
    kernels: tuple[str, ...]
    boot: str
    steps: tuple[Step, ...]


class Report(NamedTuple):
    """What a check said: its exit code, its standard error and its JSON."""

    code: int
    errors: str
    said: dict[str, Any]

    def text(self) -> str:
        """All sentences of its findings."""
        pieces = [self.said['summary']]
        for finding in self.said['findings']:
            pieces += [finding['summary'], *finding['evidence'], *finding['remedy']]
        return '\n'.join(pieces)


def scenarios() -> list[Scenario]:
    """All of them, by name."""
    return [parse_scenario(path.stem, path.read_text()) for path in sorted(SCENARIOS.glob('*.toml'))]


def parse_scenario(name: str, text: str) -> Scenario:
    """A scenario file. Raises ValueError for what would never be judged: unknown words, steps without effect."""
    tables = tomllib.loads(text)
    steps = tuple(_parse_step(name, table) for table in tables.pop('step'))
    kernels, boot = tuple(tables.pop('kernels')), tables.pop('boot', 'plain')
    if not kernels or not set(kernels) <= set(KERNELS) or boot not in ('plain', 'systemd'):
        raise ValueError(f'{name}: no kernel, or an unknown one, or an unknown boot')
    if not any(step.expectations for step in steps):
        raise ValueError(f'{name}: no check is asked anything')
    return Scenario(name, tables.pop('outage'), tables.pop('why'), kernels, boot, steps, **tables)


def _parse_step(name: str, table: dict[str, Any]) -> Step:
    expectations = []
    for command in [key for key in table if key.split()[0] in CHECKS or key == TRIAGE]:
        expected = {
            key: tuple(value) if isinstance(value, list) else value for key, value in table.pop(command).items()
        }
        expectation = Expectation(command, **expected)
        unknown = {*expectation.codes, *expectation.absent} - CATALOGUE.keys() - CAUSES.keys()
        if unknown or expectation.state not in EXIT_CODES:
            raise ValueError(f'{name}: no finding has the code {unknown}, or no state is {expectation.state}')
        expectations.append(expectation)
    step = Step(filled=table.pop('with', {}), **table, expectations=tuple(expectations))
    if not (step.do or step.remedy or step.reboot or step.sees or expectations):
        raise ValueError(f'{name}: nothing happens in the step {step.name!r}')
    return step


class Transcript:
    """Everything done in a machine and what came of it, for a reader."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def tell(self, text: str) -> None:
        """Add text."""
        self.lines.append(text.rstrip())

    def run(self, machine: Machine, text: str, user: str = 'root') -> tuple[int, str]:
        """Run bash, write it down; (exit code, all it said)."""
        done = machine.run(text, user)
        said = (done.output + done.errors).rstrip()
        shown = text.removeprefix(PRELUDE).strip().replace('\n', '\n# ')
        self.tell(f'# {shown}\n{said}' + (f'\n[exit {done.code}]' if done.code else ''))
        return done.code, said

    def __str__(self) -> str:
        """All of it."""
        return '\n'.join(self.lines) + '\n'


def ask(machine: Machine, expectation: Expectation, transcript: Transcript) -> Report:
    """Run a check and take what it says apart. A slow machine is no finding: it gets a minute."""
    directory = '/usr/bin' if expectation.command == TRIAGE else '/usr/lib/nagios/plugins'
    done = machine.run(f'{directory}/{expectation.command} --output json --timeout 60', expectation.user)
    transcript.tell(f'# {expectation.user}: {expectation.command}\n{done.output}{done.errors}')
    try:
        said = json.loads(done.output)
    except ValueError:
        raise MachineError(f'{expectation.command}: no JSON: {done.output}{done.errors}') from None
    return Report(done.code, done.errors, said if 'causes' not in said else as_findings(said))


def as_findings(said: dict[str, Any]) -> dict[str, Any]:
    """What triage says, in the form of a check."""
    findings = [{**cause, 'remedy': [step['run'] for step in cause['steps']]} for cause in said['causes']]
    return {**said, 'check': 'triage', 'metrics': {}, 'findings': findings}


def judge(expectation: Expectation, report: Report) -> list[str]:
    """What is wrong with a report: one sentence each, none when all is as it must be."""
    said = report.said
    codes = {finding['code'] for finding in said['findings']}
    wrong = []
    if said['state'] != expectation.state:
        wrong.append(f'state {said["state"]}, not {expectation.state} ({said["summary"]})')
    if report.code != EXIT_CODES[expectation.state]:
        wrong.append(f'exit code {report.code}, not that of {expectation.state}')
    if report.errors:
        wrong.append(f'standard error is not empty: {report.errors}')
    wrong += [f'does not find {code}' for code in expectation.codes if code not in codes]
    wrong += [f'finds {code}' for code in expectation.absent if code in codes]
    wrong += [f'does not say {text!r}' for text in expectation.says if text not in report.text()]
    wrong += [
        f'not so: {text} in {said["metrics"]}' for text in expectation.metrics if not _holds(text, said['metrics'])
    ]
    if expectation.quiet:
        wrong += [f'{f["severity"]}: {f["summary"]}' for f in said['findings'] if f['severity'] != 'info']
    return [f'{expectation.command} as {expectation.user}: {sentence}' for sentence in wrong]


_OPERATORS = {'>=': operator.ge, '<=': operator.le, '>': operator.gt, '<': operator.lt, '==': operator.eq}


def _holds(text: str, metrics: dict[str, float]) -> bool:
    match = re.fullmatch(r'(\w+) (>=|<=|>|<|==) (-?[\d.]+)', text)
    if match is None:
        raise ValueError(f'not a condition: {text}')
    return match[1] in metrics and bool(_OPERATORS[match[2]](metrics[match[1]], float(match[3])))


def remedy_of(which: str, reports: list[Report]) -> list[str]:
    """The commands that a finding printed last, as printed; `which` is its code, or the check and its code.

    Raises LookupError when none did. A check may find the same twice, once for each family.
    """
    *check, code = which.split()
    for report in reversed(reports):
        found = [finding['remedy'] for finding in report.said['findings'] if finding['code'] == code]
        if any(found) and check in ([], [report.said['check']], [f'check_{report.said["check"]}']):
            return [line for lines in found for line in lines]
    raise LookupError(f'no check has printed a remedy of {which}')


def play(scenario: Scenario, machine: Machine, transcript: Transcript, capture: Any = None) -> list[str]:
    """All steps in order. Returns what was wrong at the first step that was; nothing after it would mean anything.

    capture  called with (machine, name of the fixture) at the steps that can become one
    """
    reports: list[Report] = []
    for step in scenario.steps:
        transcript.tell(f'\n== {step.name}')
        wrong = _act(step, machine, transcript, reports)
        if step.reboot and not wrong:
            machine.reboot()
            transcript.tell('[booted once more]')
        if step.sees and not wrong:
            code, said = transcript.run(machine, PRELUDE + step.sees)
            wrong += [f'not to be seen: {step.sees.strip()}: {said}'] if code else []
        if not wrong:
            for expectation in step.expectations:
                reports.append(ask(machine, expectation, transcript))
                wrong += judge(expectation, reports[-1])
            if capture is not None and machine.kernel in step.capture:
                capture(machine, step.capture[machine.kernel])
        if wrong:
            transcript.tell('\n'.join(f'WRONG: {sentence}' for sentence in wrong))
            return [f'{step.name}: {sentence}' for sentence in wrong]
    return []


def _act(step: Step, machine: Machine, transcript: Transcript, reports: list[Report]) -> list[str]:
    if step.do:
        code, said = transcript.run(machine, PRELUDE + step.do)
        if code:
            return [f'cannot be done (exit {code}): {said}']
    return _carry_out(step, machine, transcript, reports) if step.remedy else []


def _carry_out(step: Step, machine: Machine, transcript: Transcript, reports: list[Report]) -> list[str]:
    """The lines of a remedy in their order. What is no command is advice for the reader, and not enough alone."""
    done = 0
    for line in remedy_of(step.remedy, reports):
        for text, value in step.filled.items():
            line = line.replace(text, value)
        if machine.run(f'type -t {line.split()[0]}').output.strip() not in ('file', 'builtin'):
            transcript.tell(f'[advice: {line}]')
            continue
        # A status that is not 0 may be what the line is for: systemctl status tells of a failed unit that way.
        code, said = transcript.run(machine, line)
        if code in (2, 126, 127) and ('not found' in said or 'syntax error' in said):
            return [f'the remedy cannot be carried out: {line}: {said}']
        done += 1
    return [] if done else [f'{step.remedy} has no command among its remedies']
