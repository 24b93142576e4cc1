from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / 'plugins' / 'check_by_sudo'


def program(path: Path, script: str) -> str:
    path.write_text(f'#!/bin/sh\n{script}\n')
    path.chmod(0o755)
    return str(path)


def run(tmp_path: Path, *argv: str, sudo: str = 'shift 2; exec "$@"') -> subprocess.CompletedProcess[str]:
    """check_by_sudo with a sudo of our own: by default one that allows everything (`-n -- COMMAND`)."""
    path = tmp_path / 'bin'
    path.mkdir(exist_ok=True)
    program(path / 'sudo', sudo)
    environment = {'PATH': f'{path}:{os.environ["PATH"]}'}
    return subprocess.run([PROGRAM, *argv], capture_output=True, text=True, env=environment, timeout=20)


@pytest.mark.parametrize(('state', 'code'), [('OK', 0), ('WARNING', 1), ('CRITICAL', 2), ('UNKNOWN', 3)])
def test_the_verdict_of_the_check_passes_unchanged(tmp_path: Path, state: str, code: int) -> None:
    output = f'FERM {state} - 100 % of $HOME | rules=3;;;0\n  seen: a\\nb'
    check = program(tmp_path / 'check_ferm', f"printf '%s\\n' '{output}'; exit {code}")
    done = run(tmp_path, check)
    assert (done.returncode, done.stdout, done.stderr) == (code, output + '\n', '')


def test_a_refusal_of_sudo_is_unknown_and_not_warning(tmp_path: Path) -> None:
    check = program(tmp_path / 'check_kernel_log', 'echo never')
    done = run(tmp_path, check, '--new', sudo='echo "sudo: a password is required" >&2; exit 1')
    assert done.returncode == 3
    assert done.stdout.startswith('KERNEL LOG UNKNOWN - sudo does not let ')
    assert done.stdout.endswith(f'run exactly this command as root: {check} --new\n')
    assert done.stderr == ''


def test_arguments_reach_the_check_as_they_are(tmp_path: Path) -> None:
    check = program(tmp_path / 'check_x', 'for a; do printf "<%s>" "$a"; done')
    assert run(tmp_path, check, 'a b', '$HOME', "'", '*', '').stdout == "<a b><$HOME><'><*><>\n"


def test_a_warning_of_sudo_does_not_become_the_status_line(tmp_path: Path) -> None:
    check = program(tmp_path / 'check_ferm', 'echo FERM OK')
    done = run(tmp_path, check, sudo='echo "sudo: unknown setting" >&2; shift 2; exec "$@"')
    assert (done.returncode, done.stdout, done.stderr) == (0, 'FERM OK\n', '')


def test_a_check_that_says_nothing_is_unknown_whatever_its_exit_code(tmp_path: Path) -> None:
    check = program(tmp_path / 'check_ferm', 'exit 0')
    assert run(tmp_path, check).returncode == 3


def test_an_exit_code_beyond_unknown_is_unknown(tmp_path: Path) -> None:
    check = program(tmp_path / 'check_ferm', 'echo cut short; kill -9 $$')
    assert run(tmp_path, check).returncode == 3


@pytest.mark.parametrize(
    ('argv', 'reason'),
    [
        ([], 'no check given'),
        (['check_ferm'], 'with its whole path'),
        (['./check_ferm'], 'with its whole path'),
        (['/nonexistent/check_ferm'], 'no program check_ferm'),
        (['/etc/passwd'], 'not executable'),
    ],
)
def test_what_cannot_be_run_is_said(tmp_path: Path, argv: list[str], reason: str) -> None:
    done = run(tmp_path, *argv)
    assert done.returncode == 3
    assert ' UNKNOWN - ' in done.stdout
    assert reason in done.stdout
    assert done.stderr == ''


def test_without_sudo_it_is_unknown(tmp_path: Path) -> None:
    check = program(tmp_path / 'check_ferm', 'echo never')
    path = tmp_path / 'empty'
    path.mkdir()
    for name in ('sh', 'tr', 'id'):
        (path / name).symlink_to(f'/usr/bin/{name}')
    done = subprocess.run([PROGRAM, check], capture_output=True, text=True, env={'PATH': str(path)}, timeout=20)
    assert (done.returncode, done.stderr) == (3, '')
    assert done.stdout.startswith('FERM UNKNOWN - sudo does not let ')
