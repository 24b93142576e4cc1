"""Manual pages and completion are what the programs say of themselves."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tools import write_options
from tools.manuals.__main__ import files
from tools.manuals.programs import Program, programs
from tools.manuals.roff import escaped

from tablefull.command import answer
from tablefull.findings.catalogue import CATALOGUE

PACKAGING = Path(__file__).parents[3] / 'packaging'
PROGRAMS = {program.name: program for program in programs()}
FILES = files()


@pytest.mark.parametrize('name', FILES)
def test_the_file_is_what_make_manuals_writes(name: str) -> None:
    assert (PACKAGING / name).read_text() == FILES[name], 'run `make manuals`'


def test_no_page_is_of_something_that_is_no_more() -> None:
    assert {f'man/{path.name}' for path in (PACKAGING / 'man').iterdir()} == {
        name for name in FILES if name.startswith('man/')
    }


def test_every_check_and_command_is_known() -> None:
    _, text = answer(['--help'])
    commands = [line.split()[0] for line in text.partition('\ncommands:\n')[2].splitlines()[1:] if line[4:5].strip()]
    assert commands
    names = {check.program for check in write_options.checks()}
    assert set(PROGRAMS) == names | {'tablefull'} | {f'tablefull {command}' for command in commands}


@pytest.mark.parametrize('check', write_options.checks(), ids=lambda check: check.program)
def test_every_option_of_a_check_is_in_its_page(check: object) -> None:
    program = PROGRAMS[check.program]  # type: ignore[attr-defined]
    assert [option.names[-1] for option in program.options] == [f'--{option.name}' for option in check.all_options]  # type: ignore[attr-defined]
    page = FILES[f'man/{program.name}.8']
    for option in program.options:
        assert f'\\fB{escaped(option.names[-1])}\\fR' in page
        assert escaped(option.text[1:]) in page


def test_no_line_of_text_is_taken_for_a_request() -> None:
    assert escaped('.so /etc/passwd') == '\\&.so /etc/passwd'
    assert escaped("'tis") == '\\&\\(aqtis'
    assert escaped('a\\b-c') == 'a\\eb\\-c'


def complete(*words: str) -> list[str]:
    """What bash offers for the last of `words`."""
    script = '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tablefull; printf "%s\\n" "${COMPREPLY[@]}"'
    bash = shutil.which('bash')
    assert bash
    # compopt has no completion to change here.
    script = f'compopt() {{ :; }}; {script}'
    path = PACKAGING / 'completion' / 'tablefull'
    done = subprocess.run([bash, '-euc', script, 'bash', path, *words], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, '')
    return [line for line in done.stdout.splitlines() if line]


def own_options(program: Program) -> set[str]:
    return {name for option in program.options for name in option.names if name.startswith('--')}


@pytest.mark.parametrize('name', PROGRAMS)
def test_every_option_is_offered(name: str) -> None:
    assert set(complete(*name.split(), '--')) == own_options(PROGRAMS[name])


def test_a_path_before_the_program_changes_nothing() -> None:
    assert complete('/usr/lib/nagios/plugins/check_ferm', '--ver') == ['--verify-rules', '--verbose', '--version']


def test_words_codes_and_directories_are_offered_as_values(tmp_path: Path) -> None:
    (tmp_path / 'place').mkdir()
    (tmp_path / 'plain').touch()
    assert complete('check_ferm', '--missing', '') == ['ok', 'warning', 'critical', 'unknown']
    assert complete('check_ferm', '--ignore', 'ferm-age') == ['ferm-age']
    assert complete('check_ferm', '--root', f'{tmp_path}/pl') == [f'{tmp_path}/place']
    assert complete('check_ferm', '--warning', '') == []
    assert set(complete('tablefull', 'explain', 'conntrack-')) == {
        code for code in CATALOGUE if code.startswith('conntrack-')
    }
    assert complete('tablefull', 'expl') == ['explain']
