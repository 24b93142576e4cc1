"""The traps of nagiosplugin and of the daemons, each with a check made for the purpose."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import nagiosplugin
import pytest

from tablefull.findings.finding import Finding
from tablefull.frame.judge import Measure, finding_metrics
from tablefull.frame.options import Option
from tablefull.frame.plugin import Acquired, Check, main
from tablefull.readers.files import ReadError

PLUGINS = Path(__file__).parents[3] / 'plugins'
CHECKS = sorted(PLUGINS.glob('check_*.py'))


def breach(severity: str, value: float, limits: str) -> Finding:
    return Finding('conntrack-usage-high', severity, f'usage {value} is outside {limits}')


def check_of(probe: Callable[[Any], Any]) -> Check:
    class Probe(nagiosplugin.Resource):
        def probe(self) -> Any:
            return probe(self)

    def acquire(options: argparse.Namespace) -> Acquired:
        return Acquired(
            Probe(),
            (Measure('zulu', breach, options.warning, options.critical), Measure('alpha')),
            lambda: 'all is well',
            lambda: (('a fact', 'its\nvalue'),),
        )

    return Check(
        'made_up',
        'Judge nothing.',
        (Option('warning', 'range', '80', 'warn', 'w'), Option('critical', 'range', '90', 'critical', 'c')),
        acquire,
    )


def numbers(zulu: float, *findings: Finding) -> Check:
    def probe(resource: Any) -> Iterator[nagiosplugin.Metric]:
        yield nagiosplugin.Metric('alpha', 0.1 + 0.2, '%')
        yield nagiosplugin.Metric('zulu', zulu, '', 0, 1e-07)
        yield from finding_metrics(findings, ())

    return check_of(probe)


def failing(error: BaseException) -> Check:
    def probe(resource: Any) -> Any:
        raise error

    return check_of(probe)


def test_perfdata_keep_their_order_and_are_rounded() -> None:
    # nagiosplugin sorts them by name and prints 0.30000000000000004.
    assert main(numbers(5), []) == (0, 'MADE UP OK - all is well | zulu=5;80;90;0;0 alpha=0.3%')


@pytest.mark.parametrize(('value', 'code'), [(80, 0), (80.01, 1), (90, 1), (90.001, 2)])
def test_thresholds_are_judged_on_the_exact_value(value: float, code: int) -> None:
    assert main(numbers(value), [])[0] == code


def test_a_proved_problem_outranks_doubt() -> None:
    doubt = Finding('state-unwritable', 'unknown', 'cannot remember')
    assert main(numbers(5, doubt), [])[0] == 3
    assert main(numbers(85, doubt), [])[0] == 1
    assert main(numbers(95, doubt), [])[0] == 2


def test_the_worst_finding_is_the_first_line_and_the_others_are_counted() -> None:
    _, text = main(numbers(95, Finding('state-unwritable', 'unknown', 'cannot remember')), [])
    assert text.splitlines()[0].startswith('MADE UP CRITICAL - usage 95 is outside 90 (+1 more) | ')


def test_an_information_changes_no_state() -> None:
    code, text = main(numbers(5, Finding('conntrack-no-limit', 'info', 'no limit')), [])
    assert code == 0
    assert text.splitlines()[0].startswith('MADE UP OK - all is well')
    assert 'info: no limit [conntrack-no-limit]' in text


@pytest.mark.parametrize(
    ('error', 'said'),
    [
        (
            ReadError('/proc/x', 'Permission denied', 13),
            f'cannot read /proc/x: Permission denied as user id {os.geteuid()}',
        ),
        (ReadError('/proc/x', 'empty'), 'cannot read /proc/x: empty'),
        (ZeroDivisionError('division by zero'), 'internal error: ZeroDivisionError: division by zero'),
        (OSError(28, 'No space left on device'), 'No space left on device'),
        (MemoryError(), 'out of memory'),
        (RecursionError('deep'), 'RecursionError'),
        (nagiosplugin.CheckError('broken'), 'broken'),
    ],
)
def test_every_failure_of_our_own_is_unknown_with_a_reason(error: BaseException, said: str) -> None:
    code, text = main(failing(error), [])
    assert code == 3
    assert text.startswith('MADE UP UNKNOWN - ')
    assert said in text
    assert 'Traceback' not in text


def test_a_traceback_appears_with_vvv_only() -> None:
    assert 'Traceback' not in main(failing(ZeroDivisionError()), ['-vv'])[1]
    assert 'Traceback' in main(failing(ZeroDivisionError()), ['-vvv'])[1]


def test_what_finds_nothing_and_measures_nothing_is_healthy_all_the_same() -> None:
    # A number that is not known is left out; for nagiosplugin no number at all is 'no check results', UNKNOWN.
    assert main(check_of(lambda resource: []), []) == (0, 'MADE UP OK - all is well')


def test_a_root_that_holds_nothing_of_a_host_is_unknown_whatever_missing_means(tmp_path: Path) -> None:
    code, text = main(numbers(5), ['--root', '/no/such/tree'])
    assert (code, 'No such file or directory' in text) == (3, True)
    code, text = main(numbers(5), ['--root', str(tmp_path), '--output', 'json'])
    assert (code, 'nor a recording' in text) == (3, True)
    (tmp_path / 'kmsg').write_text('')
    assert main(numbers(5), ['--root', str(tmp_path)])[0] == 0


def test_what_stands_behind_the_sentence_survives_its_cutting() -> None:
    findings = [Finding('conntrack-drops', 'critical', 'x' * 300)] * 2
    first = main(numbers(5, *findings), [])[1].splitlines()[0].split(' | ')[0]
    assert first.endswith('... (+1 more)')
    assert len(first) < 120
    assert main(numbers(5), ['--ignore', 'x' * 120])[1].endswith('; see check_made_up --help')


@pytest.mark.parametrize(('state', 'code'), [('unknown', 3), ('critical', 2), ('warning', 1), ('ok', 0)])
def test_the_state_of_a_timeout_is_the_users_choice(state: str, code: int) -> None:
    def probe(resource: Any) -> Any:
        try:
            time.sleep(30)
        except Exception:  # noqa: BLE001  # what careless code between us and the alarm would do
            return []

    began = time.monotonic()
    assert main(check_of(probe), ['-t', '0.2', '--timeout-state', state])[0] == code
    assert time.monotonic() - began < 5


def test_json_has_the_keys_of_the_contract_in_order() -> None:
    finding = Finding('conntrack-drops', 'warning', 'drops\n|', ('seen\x1b',), ('do',))
    code, text = main(numbers(5.55555, finding), ['--output', 'json'])
    told = json.loads(text)
    assert list(told) == ['schema', 'check', 'state', 'exit_code', 'summary', 'metrics', 'findings']
    assert (told['state'], told['exit_code'], code) == ('warning', 1, 1)
    assert told['metrics'] == {'zulu': 5.56, 'alpha': 0.3}
    assert list(told['findings'][0]) == ['code', 'severity', 'summary', 'evidence', 'remedy', 'url']
    assert told['findings'][0]['summary'] == r'drops\x0a\x7c'
    assert '\n' not in text


def test_output_is_bounded_and_has_one_line_of_perfdata_whatever_the_findings() -> None:
    hostile = 'x' * 500 + '|forged=1\nOK - fine | a=1'
    findings = [Finding('conntrack-drops', 'critical', hostile, (hostile,) * 5, (hostile,) * 5)] * 20
    code, text = main(numbers(5, *findings), [])
    lines = text.splitlines()
    assert code == 2
    assert len(text.encode()) <= 1023
    assert len(lines[0].split(' | ')[0]) < 120
    assert [line.count('|') for line in lines] == [1] + [0] * (len(lines) - 1)
    assert lines[-1] == '(more with -v)'
    assert len(main(numbers(5, *findings), ['-v'])[1]) > 1023


def test_facts_appear_with_vv_cleaned() -> None:
    assert r'a fact: its\x0avalue' in main(numbers(5), ['-vv'])[1].splitlines()
    assert 'a fact' not in main(numbers(5), ['-v'])[1]


def run_check(path: Path, *argv: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, str(path), *argv]
    return subprocess.run(command, capture_output=True, timeout=60, env={'LC_ALL': 'C', **environment}, cwd='/')


@pytest.mark.parametrize('path', CHECKS, ids=lambda path: path.stem)
@pytest.mark.parametrize('argv', [['--help'], ['-h'], ['-V'], ['--version'], ['--nonsense'], ['-t', 'abc'], ['stray']])
def test_help_version_and_bad_arguments_exit_with_3_on_standard_output(path: Path, argv: list[str]) -> None:
    done = run_check(path, *argv)
    assert (done.returncode, done.stderr) == (3, b'')
    assert done.stdout.strip()


@pytest.mark.parametrize('path', CHECKS, ids=lambda path: path.stem)
def test_a_missing_library_is_unknown_not_warning(path: Path, tmp_path: Path) -> None:
    lonely = tmp_path / path.name
    lonely.write_text(path.read_text())
    # -S: no site-packages, so neither nagiosplugin nor tablefull; exit code 1 of a traceback would mean WARNING.
    command = [sys.executable, '-I', '-S', str(lonely)]
    done = subprocess.run(command, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (3, b'')
    assert re.match(rb'[A-Z ]+ UNKNOWN - No module named .+: install tablefull', done.stdout)


@pytest.mark.parametrize('path', CHECKS, ids=lambda path: path.stem)
def test_an_empty_tree_is_never_ok_by_accident(path: Path, tmp_path: Path) -> None:
    done = run_check(path, '--root', str(tmp_path), '--state-dir', str(tmp_path / 'state'))
    assert (done.returncode, done.stderr) == (3, b'')
    assert b'UNKNOWN - ' in done.stdout


@pytest.mark.parametrize('path', CHECKS, ids=lambda path: path.stem)
def test_output_that_cannot_be_written_is_not_ok(path: Path) -> None:
    with open('/dev/full', 'wb') as full:
        done = subprocess.run([sys.executable, str(path), '-V'], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert (done.returncode, done.stderr) == (3, b'')


@pytest.mark.parametrize('path', CHECKS, ids=lambda path: path.stem)
def test_a_check_can_be_called_by_any_path(path: Path, tmp_path: Path) -> None:
    link = tmp_path / path.stem
    link.symlink_to(path)
    assert run_check(link, '-V').returncode == 3


@pytest.mark.parametrize('path', CHECKS, ids=lambda path: path.stem)
def test_a_closed_standard_output_is_not_ok(path: Path) -> None:
    command = ['sh', '-c', 'exec "$0" "$1" -V >&-', sys.executable, str(path)]
    done = subprocess.run(command, stderr=subprocess.PIPE, timeout=60)
    assert (done.returncode, done.stderr) == (3, b'')


@pytest.mark.parametrize('path', CHECKS, ids=lambda path: path.stem)
@pytest.mark.parametrize('error', ['MemoryError()', 'SyntaxError("for another Python")', 'OSError(24, "Too many")'])
def test_a_broken_library_is_unknown_not_warning(path: Path, tmp_path: Path, error: str) -> None:
    (tmp_path / 'nagiosplugin.py').write_text(f'raise {error}')
    done = run_check(path, '-V', PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (3, b'')
    assert re.match(rb'[A-Z ]+ UNKNOWN - \S.*: install tablefull', done.stdout)


def test_an_alarm_that_was_blocked_by_the_parent_comes_all_the_same() -> None:
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGALRM,))
    try:
        began = time.monotonic()
        assert main(check_of(lambda resource: time.sleep(5)), ['-t', '0.2'])[0] == 3
        assert time.monotonic() - began < 4
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def test_a_file_that_vanishes_between_two_looks_is_named() -> None:
    code, text = main(failing(FileNotFoundError(2, '/ip-addr.txt')), [])
    assert (code, text) == (3, 'MADE UP UNKNOWN - cannot read /ip-addr.txt: it vanished while the check was reading')
