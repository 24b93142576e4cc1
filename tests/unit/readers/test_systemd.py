"""systemctl show: what it prints, what it may print, and a systemctl that never answers."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull.frame.plugin import TimedOut
from tablefull.readers import programs, systemd
from tablefull.readers.files import ReadError
from tablefull.readers.systemd import parse_unit, read_unit
from tests.unit.readers.trees import tree

FAILED_RELOAD = """\
Result=success
ReloadResult=exit-code
ExecMainExitTimestamp=Sat 2026-11-21 10:20:45 UTC
ExecMainExitTimestampMonotonic=21672391
ExecMainStatus=0
ExecStart={ path=/etc/init.d/ferm ; argv[]=/etc/init.d/ferm start ; code=exited ; status=0 }
ExecReload={ path=/etc/init.d/ferm ; argv[]=/etc/init.d/ferm reload ; pid=265 ; code=exited ; status=1 }
LoadState=loaded
ActiveState=active
SubState=exited
FragmentPath=/lib/systemd/system/ferm.service
UnitFileState=enabled
StateChangeTimestampMonotonic=29052412
InactiveExitTimestampMonotonic=11321210
ActiveEnterTimestampMonotonic=21687210
ConditionResult=yes
"""


def test_a_failed_reload_leaves_the_unit_active() -> None:
    unit = parse_unit(FAILED_RELOAD, 'x')
    assert (unit.active_state, unit.sub_state, unit.result, unit.status) == ('active', 'exited', 'success', 0)
    assert unit.reload_failed


def test_a_killed_reload_names_its_signal() -> None:
    killed = FAILED_RELOAD.replace('ReloadResult=exit-code', 'ReloadResult=signal')
    killed = killed.replace('pid=265 ; code=exited ; status=1', 'pid=265 ; code=killed ; status=9/KILL')
    assert parse_unit(killed, 'x').reload_signal == 'KILL'
    assert parse_unit(FAILED_RELOAD, 'x').reload_signal == ''


def test_the_last_good_load_is_the_start_when_a_reload_failed_since() -> None:
    assert parse_unit(FAILED_RELOAD, 'x').good_load == 21.68721


def test_the_last_good_load_is_the_reload_when_it_went_well() -> None:
    assert (
        parse_unit(FAILED_RELOAD.replace('ReloadResult=exit-code', 'ReloadResult=success'), 'x').good_load == 29.052412
    )


def test_a_systemd_without_reload_result_tells_by_the_exit_status_of_the_command() -> None:
    assert parse_unit(FAILED_RELOAD.replace('ReloadResult=exit-code\n', ''), 'x').reload_result == 'exit-code'
    good = FAILED_RELOAD.replace('ReloadResult=exit-code\n', '').replace('status=1', 'status=0')
    assert not parse_unit(good, 'x').reload_failed


def test_a_command_that_never_ran_has_no_status() -> None:
    text = 'LoadState=loaded\nActiveState=inactive\nExecMainStatus=0\nConditionResult=no\n'
    unit = parse_unit(text + 'ExecMainExitTimestampMonotonic=0\nStateChangeTimestampMonotonic=0\n', 'x')
    assert (unit.status, unit.changed, unit.good_load) == (None, None, None)
    # systemd says ConditionResult=no before it has ever looked at a condition.
    assert unit.condition


@pytest.mark.parametrize(
    'text', ['', 'ActiveState=active\n', 'LoadState=loaded\n', 'Failed to connect to bus\n', '\0' * 9]
)
def test_an_answer_without_a_state_is_an_error_and_not_a_healthy_unit(text: str) -> None:
    with pytest.raises(ReadError):
        parse_unit(text, 'systemctl show')


@given(st.data())
def test_mutated_answers_end_in_a_unit_or_a_read_error(data: st.DataObject) -> None:
    text = FAILED_RELOAD
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(text)))
        text = text[:place] + data.draw(st.text(max_size=8)) + text[place + data.draw(st.integers(0, 20)) :]
    try:
        unit = parse_unit(text, 'x')
    except ReadError:
        return
    assert unit.load_state and unit.active_state
    assert unit.good_load is None or unit.good_load >= 0


def test_a_captured_tree_answers_from_its_record_and_never_from_this_host(tmp_path: Path) -> None:
    root = tree(tmp_path, {'/systemctl-show-ferm.txt': FAILED_RELOAD})
    assert read_unit(root, 'ferm.service').reload_failed
    with pytest.raises(ReadError, match='no record'):
        read_unit(str(tmp_path / 'elsewhere'), 'ferm.service')


def test_a_host_without_systemd_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(systemd, 'BOOTED', str(tmp_path / 'absent'))
    with pytest.raises(ReadError, match='was not booted with systemd'):
        read_unit('/', 'ferm.service')


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A directory that stands for the system's own, and a systemd that runs."""
    monkeypatch.setattr(programs, '_DIRECTORIES', (str(tmp_path),))
    monkeypatch.setattr(systemd, 'BOOTED', str(tmp_path))
    return tmp_path


def program(directory: Path, name: str, script: str) -> None:
    path = directory / name
    path.write_text('#!/bin/sh\n' + script)
    path.chmod(0o755)


def test_systemctl_is_asked_for_named_properties_in_the_c_locale(fake: Path) -> None:
    program(
        fake,
        'systemctl',
        f'echo "$LC_ALL" "$HOME" "$@" > {fake}/seen\necho LoadState=loaded; echo ActiveState=active\n',
    )
    assert read_unit('/', 'ferm.service').active_state == 'active'
    seen = (fake / 'seen').read_text().split()
    assert seen[:3] == ['C', '--no-pager', 'show']
    assert seen[3].startswith('--property=LoadState,ActiveState')
    assert seen[-2:] == ['--', 'ferm.service']


def test_a_bus_that_refuses_is_told_in_its_own_words(fake: Path) -> None:
    program(fake, 'systemctl', 'echo "Failed to connect to bus: Permission denied" >&2\nexit 1\n')
    with pytest.raises(ReadError, match='Failed to connect to bus'):
        read_unit('/', 'ferm.service')


def test_no_systemctl_is_an_error(fake: Path) -> None:
    with pytest.raises(ReadError, match='not installed'):
        read_unit('/', 'ferm.service')


def test_endless_output_is_cut_off(fake: Path) -> None:
    program(fake, 'systemctl', 'while :; do echo "X=yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"; done\n')
    with pytest.raises(ReadError):
        read_unit('/', 'ferm.service')


def test_a_hung_systemctl_is_gone_when_the_check_gives_up(fake: Path) -> None:
    program(fake, 'systemctl', f'echo $$ > {fake}/number\n/bin/sleep 60 &\necho $! > {fake}/grandchild\nwait\n')

    def expire(number: int, frame: object) -> None:
        raise TimedOut

    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(TimedOut):
            read_unit('/', 'ferm.service')
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    for name in ('number', 'grandchild'):
        assert gone(int((fake / name).read_text()))


def test_a_program_that_takes_longer_than_its_own_limit_is_an_error(fake: Path) -> None:
    program(fake, 'ferm', f'echo $$ > {fake}/number\nexec /bin/sleep 60\n')
    with pytest.raises(ReadError, match=r'no answer within 0\.3 s'):
        programs.run_program('ferm', (), seconds=0.3)
    assert gone(int((fake / 'number').read_text()))


def test_a_program_within_its_limit_is_not_disturbed(fake: Path) -> None:
    program(fake, 'ferm', 'echo rules\nexit 3\n')
    assert programs.run_program('ferm', (), seconds=30) == programs.Output(3, b'rules\n', b'')


def test_a_talkative_program_does_not_wait_for_its_complaints_to_be_read(fake: Path) -> None:
    program(
        fake,
        'ferm',
        'i=0; while [ $i -lt 5000 ]; do echo "complaint number $i ......" >&2; i=$((i+1)); done; echo done',
    )
    answer = programs.run_program('ferm', ())
    assert (answer.code, answer.output, len(answer.errors)) == (0, b'done\n', 4096)


def test_a_program_starts_with_no_signal_blocked_or_ignored(fake: Path) -> None:
    program(fake, 'ferm', 'while read -r name value; do echo "$name $value"; done < /proc/self/status')
    status = dict(
        line.split(': ') for line in programs.run_program('ferm', ()).output.decode().splitlines() if ': ' in line
    )
    assert int(status['SigBlk'], 16) == int(status['SigIgn'], 16) & (1 << 12) == 0


def test_a_file_that_is_no_program_is_an_error(fake: Path) -> None:
    (fake / 'ferm').write_bytes(b'\x7fELF')
    (fake / 'ferm').chmod(0o755)
    before = os.listdir('/proc/self/fd')
    with pytest.raises(ReadError):
        programs.run_program('ferm', ())
    assert len(os.listdir('/proc/self/fd')) == len(before)


def gone(number: int) -> bool:
    """Whether the process has ended, waiting a moment for whoever has to reap it."""
    for _ in range(50):
        try:
            os.kill(number, 0)
            if 'Z' in Path(f'/proc/{number}/stat').read_text().rpartition(')')[2].split()[0]:
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


def test_a_value_holds_any_character_but_a_newline() -> None:
    unit = parse_unit('Names=x\u2028ActiveState=active\nLoadState=loaded\nActiveState=failed\n', 'x')
    assert unit.active_state == 'failed'


def test_a_parent_that_ignores_its_children_hides_no_exit_code(fake: Path) -> None:
    program(fake, 'ferm', 'exit 3\n')
    previous = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert programs.run_program('ferm', ()).code == 3
    finally:
        signal.signal(signal.SIGCHLD, previous)
