"""The `tablefull` command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tablefull import __version__, command
from tablefull.command import answer
from tablefull.findings.catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, '-m', 'tablefull.command', *argv],
        cwd=ROOT / 'plugins',
        env={'PYTHONPATH': str(ROOT / 'plugins'), 'LC_ALL': 'C'},
        capture_output=True,
        text=True,
        encoding='utf-8',
    )


@pytest.mark.parametrize('code', CATALOGUE)
def test_explain_prints_the_page_as_it_is(code: str) -> None:
    page = (ROOT / 'docs' / 'findings' / f'{code}.md').read_text()
    assert answer(['explain', code]) == (0, page.rstrip())


def test_explain_alone_lists_every_code_with_its_title() -> None:
    status, text = answer(['explain'])
    assert status == 0
    assert [tuple(line.split(None, 1)) for line in text.splitlines()] == list(CATALOGUE.items())


def test_an_unknown_code_is_refused_with_the_codes_close_to_it() -> None:
    status, text = answer(['explain', 'conntrack-tabel-full'])
    assert status == 3
    assert text.startswith(
        "TABLEFULL UNKNOWN - no finding has the code 'conntrack-tabel-full'; did you mean conntrack-"
    )
    assert 'conntrack-table-full' in text
    assert '\n' not in text


def test_a_code_like_no_other_gets_no_proposals() -> None:
    assert answer(['explain', 'xyz']) == (
        3,
        "TABLEFULL UNKNOWN - no finding has the code 'xyz'; tablefull explain lists all codes",
    )


@pytest.mark.parametrize(
    'code', ['../../README', '/etc/passwd', 'conntrack-table-full.md', '', 'a|b', 'a\nb', '\udcff']
)
def test_nothing_but_a_code_becomes_a_path(code: str) -> None:
    status, text = answer(['explain', code])
    assert status == 3
    assert 'no finding has the code' in text
    assert text.isprintable()
    assert '|' not in text


def test_a_page_that_is_not_installed_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, 'PAGES', str(tmp_path))
    status, text = answer(['explain', 'conntrack-table-full'])
    assert (status, text.startswith('TABLEFULL UNKNOWN - this installation has no page')) == (3, True)
    (tmp_path / 'conntrack-table-full.md').mkdir()
    status, text = answer(['explain', 'conntrack-table-full'])
    assert (status, text.startswith('TABLEFULL UNKNOWN - cannot read')) == (3, True)


@pytest.mark.parametrize('option', ['--version', '-V'])
def test_the_version(option: str) -> None:
    assert answer([option]) == (0, f'tablefull {__version__}')


@pytest.mark.parametrize('argv', [['--help'], ['-h'], ['-h', 'explain']])
def test_help_names_the_commands(argv: list[str]) -> None:
    status, text = answer(argv)
    assert status == 0
    assert text.startswith('usage: tablefull ')
    for name in ('triage', 'capture', 'explain', 'snapshot'):
        assert name in text


def test_a_command_has_help_of_its_own() -> None:
    status, text = answer(['explain', '--help'])
    assert status == 0
    assert text.startswith('usage: tablefull explain ')


@pytest.mark.parametrize(
    'argv', [[], ['frobnicate'], ['--frobnicate'], ['explain', 'a', 'b'], ['explain', '--all'], ['']]
)
def test_bad_arguments_exit_with_3_and_one_line(argv: list[str]) -> None:
    status, text = answer(argv)
    assert status == 3
    assert text.startswith('TABLEFULL UNKNOWN - ')
    assert text.endswith('see tablefull --help')
    assert '\n' not in text


def test_the_process_answers_on_standard_output_alone() -> None:
    done = run('explain', 'conntrack-table-full')
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout == (ROOT / 'docs' / 'findings' / 'conntrack-table-full.md').read_text()
    refused = run('--nothing')
    assert (refused.returncode, refused.stderr) == (3, '')
    assert refused.stdout.startswith('TABLEFULL UNKNOWN - ')


@pytest.mark.parametrize(
    ('error', 'expected'),
    [
        (RuntimeError('\x1b[31m|'), (3, 'TABLEFULL UNKNOWN - internal error: RuntimeError: \\x1b[31m\\x7c')),
        (KeyboardInterrupt(), (130, '')),
    ],
)
def test_whatever_goes_wrong_ends_in_one_line(
    error: BaseException, expected: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = []

    def broken(argv: list[str]) -> tuple[int, str]:
        raise error

    monkeypatch.setattr(command, 'answer', broken)
    monkeypatch.setattr(command, 'leave', lambda *said: left.append(said))
    command.main()
    assert left == [expected]


@pytest.mark.parametrize(('name', 'module'), [('top', 'tablefull.top.main'), ('triage', 'tablefull.command')])
def test_a_broken_installation_is_told_in_one_line(name: str, module: str) -> None:
    # None for a module makes its import fail, as a package half unpacked does.
    script = f'import sys; sys.modules[{module!r}] = None; from tablefull.launch import main; main()'
    done = subprocess.run(
        [sys.executable, '-c', script, name],
        env={'PYTHONPATH': str(ROOT / 'plugins')},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (3, '')
    assert done.stdout.startswith('TABLEFULL UNKNOWN - cannot be started: ') and done.stdout.count('\n') == 1


def test_triage_has_help_and_refuses_bad_arguments_in_one_line() -> None:
    status, text = answer(['triage', '--help'])
    assert status == 0 and text.startswith('usage: tablefull triage ')
    for argv in (['--frobnicate'], ['--output', 'xml'], ['--expect', 'maybe'], ['a']):
        status, text = answer(['triage', *argv])
        assert (status, '\n' in text) == (3, False)
        assert text.startswith('TABLEFULL UNKNOWN - ') and text.endswith('see tablefull triage --help')


@pytest.mark.parametrize('name', ['triage', 'top'])
def test_bad_arguments_of_who_asks_for_an_object_are_one(name: str) -> None:
    for asked in (['--output', 'json'], ['--output=json']):
        status, text = answer([name, *asked, '--frobnicate'])
        assert status == 3 and text.startswith('{"schema":1,') and '--frobnicate' in text.partition('"error":')[2]


def test_triage_of_nothing_is_unknown_in_either_form(tmp_path: Path) -> None:
    status, text = answer(['triage', '--root', str(tmp_path)])
    assert status == 3 and text.startswith('TRIAGE UNKNOWN - cannot read ') and '\n' not in text
    status, text = answer(['triage', '--root', str(tmp_path), '--output', 'json'])
    assert status == 3 and text.startswith('{"schema":1,') and '"error":"cannot read ' in text
