"""The journal of one unit, as JSON and as text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull.readers import programs
from tablefull.readers.files import ReadError
from tablefull.readers.unit_journal import Line, last_run, parse_journal_json, parse_journal_short, read_unit_journal
from tests.unit.readers.test_systemd import program
from tests.unit.readers.trees import tree

SHORT = """\
Nov 21 10:20:45.158144 lab systemd[1]: Finished ferm.service - ferm firewall configuration.
Nov 21 10:20:50.357109 lab systemd[1]: Reloading ferm.service - ferm firewall configuration...
Nov 21 10:20:52.016244 lab ferm[271]: iptables-restore: line 15 failed
Nov 21 10:20:52.318512 lab ferm[268]: Firewall rules rolled back.
Nov 21 10:20:52.412646 lab systemd[1]: Reload failed for ferm.service - ferm firewall configuration.
"""


def entry(**fields: object) -> str:
    return json.dumps({'_SYSTEMD_UNIT': 'ferm.service', 'SYSLOG_IDENTIFIER': 'ferm', '_PID': '7', **fields})


def test_the_last_run_begins_where_systemd_says_so() -> None:
    run = last_run(parse_journal_short(SHORT))
    assert [line.text for line in run[:2]] == ['iptables-restore: line 15 failed', 'Firewall rules rolled back.']


def test_at_boot_the_first_lines_can_be_missing() -> None:
    lines = parse_journal_short(SHORT)[2:]
    assert last_run(lines) == lines


def test_json_is_told_from_the_message_ids_of_systemd() -> None:
    begin = entry(UNIT='ferm.service', MESSAGE='x', MESSAGE_ID='d34d037fff1847e6ae669a370e694725')
    lines = parse_journal_json(begin + '\n' + entry(MESSAGE='y'), 'ferm.service')
    assert last_run(lines) == (Line('ferm', '7', 'y'),)


def test_messages_that_are_no_text_are_kept_as_bytes_or_nothing() -> None:
    text = '\n'.join((entry(MESSAGE=[255, 65]), entry(MESSAGE=None), entry(MESSAGE=[256]), entry()))
    assert [line.text for line in parse_journal_json(text, 'ferm.service')] == ['\\xffA', '', '', '']


def test_lines_of_other_units_and_broken_lines_are_passed_over() -> None:
    text = (
        entry(_SYSTEMD_UNIT='ssh.service', MESSAGE='no') + '\n{"cut\n[]\n7\n' + '[' * 5000 + '\n' + entry(MESSAGE='yes')
    )
    assert [line.text for line in parse_journal_json(text, 'ferm.service')] == ['yes']


@given(st.text(max_size=300), st.integers(0, len(SHORT)))
def test_any_text_is_read_without_an_exception(noise: str, place: int) -> None:
    parse_journal_short(SHORT[:place] + noise + SHORT[place:])
    parse_journal_json(noise + '\n' + entry(MESSAGE=noise)[:place], 'ferm.service')


def test_a_tree_is_read_in_either_form(tmp_path: Path) -> None:
    assert read_unit_journal(tree(tmp_path, {'/journal-ferm.txt': SHORT}), 'ferm.service')[2].source == 'ferm'
    assert read_unit_journal(tree(tmp_path, {'/journal.json': entry(MESSAGE='m')}), 'ferm.service')[0].text == 'm'
    with pytest.raises(ReadError):
        read_unit_journal(str(tmp_path / 'none'), 'ferm.service')


def test_a_closed_journal_is_a_matter_of_permission(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(programs, '_DIRECTORIES', (str(tmp_path),))
    hint = 'Hint: You are currently not seeing messages from other users and the system.'
    program(tmp_path, 'journalctl', f'echo "{hint}" >&2\n')
    with pytest.raises(ReadError) as caught:
        read_unit_journal('/', 'ferm.service')
    assert caught.value.permission


def test_a_message_holds_any_character_but_a_newline() -> None:
    (line,) = parse_journal_json(entry(MESSAGE='Error\u2028in\x85it').encode().decode('unicode_escape'), 'ferm.service')
    assert line.text == 'Error\u2028in\x85it'


def test_a_message_is_cut_before_patterns_are_searched_for_in_it() -> None:
    (line,) = parse_journal_json(entry(MESSAGE='/iptables' * 100_000), 'ferm.service')
    assert len(line.text) == 4096
