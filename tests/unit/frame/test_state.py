from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tablefull.findings.rates import Sample, content_of, samples_from
from tablefull.frame import state


def test_what_was_saved_is_remembered(tmp_path: Path) -> None:
    directory = str(tmp_path / 'new')
    assert state.load(directory, 'x.json') == (None, ())
    assert state.save(directory, 'x.json', {'samples': [1]}) == ()
    assert state.load(directory, 'x.json') == ({'samples': [1]}, ())
    assert (tmp_path / 'new').stat().st_mode & 0o777 == 0o700
    assert (tmp_path / 'new' / 'x.json').stat().st_mode & 0o777 == 0o600


def test_nothing_is_left_beside_the_state(tmp_path: Path) -> None:
    state.save(str(tmp_path), 'x.json', {})
    assert os.listdir(tmp_path) == ['x.json']


def test_a_symbolic_link_is_neither_read_nor_written_through(tmp_path: Path) -> None:
    target = tmp_path / 'target'
    target.write_text('{"precious": 1}')
    private = tmp_path / 'state'
    private.mkdir(mode=0o700)
    (private / 'x.json').symlink_to(target)
    assert state.load(str(private), 'x.json').content is None
    assert state.save(str(private), 'x.json', {}) == ()
    assert target.read_text() == '{"precious": 1}'
    assert not (private / 'x.json').is_symlink()


def test_a_directory_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'real').mkdir()
    (tmp_path / 'link').symlink_to('real')
    (finding,) = state.save(str(tmp_path / 'link'), 'x.json', {})
    assert finding.code == 'state-unwritable'


def test_a_directory_that_everybody_can_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    (finding,) = state.save(str(tmp_path), 'x.json', {})
    assert 'writable for others' in finding.evidence[0]


def test_a_directory_of_a_group_needs_the_sticky_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o770)
    monkeypatch.setattr(os, 'getegid', lambda: 12345)
    (finding,) = state.save(str(tmp_path), 'x.json', {})
    assert finding.code == 'state-unwritable'
    tmp_path.chmod(0o1770)
    assert state.save(str(tmp_path), 'x.json', {}) == ()


def test_the_package_has_a_directory_for_each_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('NAGIOS_PLUGIN_STATE_DIRECTORY', raising=False)
    monkeypatch.setattr(state, 'PACKAGED', str(tmp_path / 'packaged'))
    assert state.directory(None) == f'/var/tmp/tablefull-{os.geteuid()}'
    (tmp_path / 'packaged').mkdir()
    assert state.directory(None) == str(tmp_path / 'packaged')
    (tmp_path / 'packaged' / str(os.geteuid())).mkdir()
    assert state.directory(None) == str(tmp_path / 'packaged' / str(os.geteuid()))


def test_a_state_that_cannot_be_kept_is_never_ok_for_ever(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    (finding,) = state.save(str(tmp_path / 'file' / 'there'), 'x.json', {})
    assert finding.severity == 'unknown'
    assert str(tmp_path) in finding.evidence[0]
    assert any('install -d' in line for line in finding.remedy)


def test_a_full_disk_keeps_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state.save(str(tmp_path), 'x.json', {'old': 1})
    monkeypatch.setattr(os, 'write', lambda descriptor, data: len(data) // 2)
    (finding,) = state.save(str(tmp_path), 'x.json', {'new': 1})
    monkeypatch.undo()
    assert finding.code == 'state-unwritable'
    assert state.load(str(tmp_path), 'x.json').content == {'old': 1}
    assert os.listdir(tmp_path) == ['x.json']


def test_what_a_killed_run_left_behind_does_not_stop_the_next(tmp_path: Path) -> None:
    (tmp_path / f'.x.json.{os.getpid()}').write_text('half')
    assert state.save(str(tmp_path), 'x.json', {'new': 1}) == ()
    assert state.load(str(tmp_path), 'x.json').content == {'new': 1}


@pytest.mark.parametrize('damage', [b'', b'{', b'[]', b'null', b'\xff\xfe', b'[' * 100000, b'{"a":1}' * 2])
def test_a_damaged_state_is_said_and_started_anew(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / 'x.json').write_bytes(damage)
    remembered = state.load(str(tmp_path), 'x.json')
    assert remembered.content is None
    assert [finding.code for finding in remembered.findings] == ['state-damaged']


@settings(max_examples=200)
@given(content=st.binary(max_size=200))
def test_any_content_is_loaded_or_reported(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    directory = tmp_path_factory.getbasetemp() / 'any'
    directory.mkdir(exist_ok=True)
    (directory / 'x.json').write_bytes(content)
    remembered = state.load(str(directory), 'x.json')
    assert (remembered.content is None) == bool(remembered.findings)


def test_two_runs_at_once_leave_one_whole_state(tmp_path: Path) -> None:
    def write(number: int) -> None:
        for _ in range(30):
            # In one process the temporary name is shared, which is harder than two processes are.
            state.save(str(tmp_path), f'{number}.json', {'number': number})
            remembered = state.load(str(tmp_path), '0.json')
            assert remembered.content in (None, {'number': 0})

    threads = [threading.Thread(target=write, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert json.loads((tmp_path / '1.json').read_text()) == {'number': 1}


def test_the_administrator_can_name_the_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('NAGIOS_PLUGIN_STATE_DIRECTORY', '/var/lib/monitoring')
    assert state.directory(None) == '/var/lib/monitoring/tablefull'
    assert state.directory('/chosen') == '/chosen'
    monkeypatch.setenv('NAGIOS_PLUGIN_STATE_DIRECTORY', 'relative')
    assert state.directory(None).startswith('/var/')


def test_each_namespace_user_and_tree_has_a_state_of_its_own(tmp_path: Path) -> None:
    assert state.key('conntrack', '/') != state.key('conntrack', str(tmp_path))
    assert str(os.geteuid()) in state.key('conntrack', '/')
    assert str(os.stat('/proc/self/ns/net').st_ino) in state.key('conntrack', '/')


def test_a_state_that_cannot_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int, size: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    state.save(str(tmp_path), 'x.json', {})
    monkeypatch.setattr(os, 'read', fail)
    remembered = state.load(str(tmp_path), 'x.json')
    assert [finding.code for finding in remembered.findings] == ['state-unwritable']


def test_the_state_of_a_host_with_thousands_of_cpus_can_be_read_again(tmp_path: Path) -> None:
    samples: list[Sample] = []
    for at in range(0, 900, 10):
        new = Sample(float(at), {'entries': (at,), **{f'counter {n}': (2**32 - 1,) * 4096 for n in range(6)}})
        content = content_of('b', samples, new)
        assert state.save(str(tmp_path), 'x.json', content) == ()
        samples = samples_from(state.load(str(tmp_path), 'x.json').content, 'b', float(at))
    assert len(samples) > 30
    assert len(samples[-1].counters) == 7
