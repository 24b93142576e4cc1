"""The text of triage: bars, colours, columns, hostile words."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull.findings.finding import Finding
from tablefull.triage.cause import Cause, Step
from tablefull.triage.sections import Line, Section
from tablefull.triage.take import Report
from tablefull.triage.text import as_text
from tests.golden.cases import FIXTURES, triage

ROOT = Path(__file__).parents[3]
CASE = '3.10-rhel7-table-full'
CAUSE = Cause(
    'limit-too-low',
    'it is full',
    'certain',
    'counters say so',
    ('first', 'then'),
    ('seen this',),
    ('conntrack-table-full',),
    'conntrack-table-full',
    (Step('sysctl -w a=b', 'memory'),),
    ('a larger one',),
)


def report(share: float | None = None, cause: Cause = CAUSE, others: tuple[tuple[str, Finding], ...] = ()) -> Report:
    sections = (Section('tables', (Line('conntrack', '1 of 2', share),)),)
    return Report(
        'critical', 'it is full', {'release': '6.1'}, sections, (cause,), others, others, (('ferm', 'x'),), []
    )


@pytest.mark.parametrize(
    ('share', 'filled'), [(0.0, 0), (1.0, 0), (50.0, 12), (99.9, 24), (100.0, 24), (200.0, 24), (1e9, 24)]
)
def test_a_bar_is_as_long_as_the_table_is_full(share: float, filled: int) -> None:
    bar = re.search(r'\[([#.]+)\]', as_text(report(share)))
    assert bar is not None
    assert bar[1] == '#' * filled + '.' * (24 - filled)


def test_without_a_limit_there_is_no_bar() -> None:
    text = as_text(report())
    assert '[' not in text and '  conntrack  1 of 2\n' in text


def on_terminal(**environment: str) -> str:
    """What triage prints on a terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, '-m', 'tablefull.command', 'triage', '--root', os.path.join(FIXTURES, CASE)],
        stdout=slave,
        env={'PYTHONPATH': str(ROOT / 'plugins'), 'TERM': 'xterm', **environment},
    )
    os.close(slave)
    pieces = []
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(master)
    assert process.wait() == 2
    return b''.join(pieces).decode().replace('\r\n', '\n')


def test_colour_is_for_terminals_alone_and_changes_no_word() -> None:
    coloured = on_terminal()
    assert '\x1b[1;31m' in coloured
    assert re.sub(r'\x1b\[[0-9;]*m', '', coloured) == triage(CASE)[1] + '\n'


@pytest.mark.parametrize('environment', [{'NO_COLOR': '1'}, {'TERM': 'dumb'}])
def test_nobody_gets_colour_who_does_not_want_it(environment: dict[str, str]) -> None:
    assert on_terminal(**environment) == triage(CASE)[1] + '\n'


def test_an_empty_no_color_is_none() -> None:
    assert '\x1b[' in on_terminal(NO_COLOR='')


@given(st.text(), st.text(min_size=1))
def test_whatever_a_host_says_stays_on_its_lines_and_is_printable(evidence: str, command: str) -> None:
    cause = CAUSE._replace(evidence=(evidence,), says=evidence, against=(evidence,), steps=(Step(command, evidence),))
    finding = Finding('conntrack-drops', 'warning', evidence, (evidence,))
    text = as_text(report(5.0, cause, (('conntrack', finding),)), (evidence,))
    assert all(character.isprintable() or character == '\n' for character in text)
    for line in text.split('\n')[1:]:
        assert len(line) <= 80 or line.startswith('   do 1 ') or line == text.split('\n')[2], line


def test_a_command_is_never_cut() -> None:
    command = 'rmmod ' + ' '.join(f'module_{number}' for number in range(40))
    text = as_text(report(cause=CAUSE._replace(steps=(Step(command, 'x'),))))
    assert f'   do 1     {command}\n' in text


def test_long_evidence_is_cut_short_and_much_of_it_counted() -> None:
    cause = CAUSE._replace(evidence=('x' * 5000, *map(str, range(20))))
    assert len(as_text(report(cause=cause))) < 3000
    assert 'and 15 more (-v)' in as_text(report(cause=cause))
    assert 'and 15 more' not in as_text(report(cause=cause), verbose=True)
