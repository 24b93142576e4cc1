"""Triage costs nobody anything who does not ask for it, and leaves no trace in trees."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tablefull import command
from tests.golden.cases import CHECKS, FIXTURES

ROOT = Path(__file__).parents[3]


def imported(statement: str) -> set[str]:
    """Modules of triage and capture that a process has after `statement`."""
    script = f'import sys; {statement}; print(*[name for name in sys.modules if name.startswith("tablefull.")])'
    done = subprocess.run(
        [sys.executable, '-c', script], env={'PYTHONPATH': str(ROOT / 'plugins')}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return {name for name in done.stdout.split() if name.startswith(('tablefull.triage', 'tablefull.capture'))}


@pytest.mark.parametrize('check', CHECKS)
def test_no_check_imports_triage_or_capture(check: str) -> None:
    assert imported(f'import check_{check}') == set()


@pytest.mark.parametrize('statement', ['import tablefull.snapshot.main', 'import tablefull.command'])
def test_neither_the_snapshot_nor_the_command_imports_them_unasked(statement: str) -> None:
    assert imported(statement) == set()


def test_a_tree_leaves_no_trace_without_a_state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('NAGIOS_PLUGIN_STATE_DIRECTORY', str(tmp_path))
    root = os.path.join(FIXTURES, '6.1-filling-up')
    command.answer(['triage', '--root', root])
    assert list(tmp_path.iterdir()) == []
    command.answer(['triage', '--root', root, '--state-dir', str(tmp_path / 'state')])
    assert [path.name.split('-')[0] for path in (tmp_path / 'state').iterdir()] == ['triage']


def test_a_look_that_breaks_costs_its_part_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from tablefull.looks import neighbour

    def broken(*arguments: object) -> None:
        raise ZeroDivisionError('oops')

    monkeypatch.setattr(neighbour, 'look', broken)
    code, text = command.answer(['triage', '--root', os.path.join(FIXTURES, '6.12-nothing-loaded')])
    assert code == 3
    assert '\n  neighbour: internal error: ZeroDivisionError: oops\n' in text
    assert 'part of this host could not be seen' not in text.split('\n')[1]
