"""A capture gives the same triage elsewhere, byte for byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tablefull import command
from tablefull.capture.unpack import Member, read_capture, unpack
from tests.golden.cases import FIXTURES, cases

ROOT = Path(__file__).parents[3]
CASES = pytest.mark.parametrize('case', cases())


def capture(file: Path, root: str = '/') -> str:
    code, text = command.answer(['capture', str(file), '--root', root])
    assert code == 0, text
    return text


def content(file: Path) -> set[Member]:
    return {member for member in read_capture(str(file)) if member.name != 'capture.json'}


def without_origin(text: str) -> str:
    return ''.join(line for line in text.splitlines(True) if not line.startswith(('captured ', 'not captured: ')))


@CASES
def test_the_capture_of_a_tree_says_what_the_tree_says(case: str, tmp_path: Path) -> None:
    file, root = tmp_path / 'host.tar.gz', os.path.join(FIXTURES, case)
    capture(file, root)
    code, text = command.answer(['triage', '-v', '--root', root])
    assert command.answer(['triage', '-v', '--capture', str(file)])[0] == code
    assert without_origin(command.answer(['triage', '-v', '--capture', str(file)])[1]) == text
    places = (['--root', root], ['--capture', str(file)])
    of_tree, of_capture = (json.loads(command.answer(['triage', '--output', 'json', *place])[1]) for place in places)
    assert of_capture.pop('origin') and not of_tree.pop('origin')
    assert of_tree == of_capture


@CASES
def test_a_capture_can_be_captured_again(case: str, tmp_path: Path) -> None:
    """What is packed is all that is read: unpacked and packed again it is the same."""
    first, second, tree = tmp_path / 'first', tmp_path / 'second', tmp_path / 'tree'
    capture(first, os.path.join(FIXTURES, case))
    tree.mkdir()
    unpack(read_capture(str(first)), str(tree))
    capture(second, str(tree))
    assert content(first) == content(second)


def test_this_host_is_captured_and_read_alike_by_whoever_reads_it(tmp_path: Path) -> None:
    file = tmp_path / 'host.tar.gz'
    said = capture(file)
    assert said.startswith('CAPTURED ') and '--capture' in said
    assert file.stat().st_mode & 0o777 == 0o600
    outputs = set()
    environments = ({'TZ': 'UTC'}, {'TZ': 'Pacific/Chatham', 'TERM': 'xterm', 'COLUMNS': '40', 'LANG': 'C'})
    for number, environment in enumerate(environments):
        place = tmp_path / f'elsewhere {number}'
        place.mkdir()
        done = subprocess.run(
            [sys.executable, '-m', 'tablefull.command', 'triage', '--capture', str(file), '--output', 'json'],
            env={'PYTHONPATH': str(ROOT / 'plugins'), 'TMPDIR': str(place), **environment},
            cwd=place,
            capture_output=True,
            text=True,
        )
        assert done.stderr == '' and done.returncode in (0, 1, 2, 3)
        assert list(place.iterdir()) == [], 'the private directory is gone'
        outputs.add(done.stdout)
    assert len(outputs) == 1
    (output,) = outputs
    assert json.loads(output)['origin'][0].startswith('captured 20')


def test_no_hardware_address_is_packed(tmp_path: Path) -> None:
    capture(tmp_path / 'host')
    for member in read_capture(str(tmp_path / 'host')):
        if member.name.startswith('ip'):
            assert b'lladdr' not in (member.content or b'') and b'link/ether' not in (member.content or b'')


def test_a_file_that_is_there_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / 'precious'
    file.write_text('precious')
    code, text = command.answer(['capture', str(file)])
    assert (code, text) == (3, f'CAPTURE UNKNOWN - cannot write {file}: File exists')
    assert file.read_text() == 'precious'


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target, link = tmp_path / 'target', tmp_path / 'link'
    link.symlink_to(target)
    assert command.answer(['capture', str(link)])[0] == 3
    assert not target.exists()


def test_nothing_is_left_where_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'write', full)
    code, text = command.answer(['capture', str(tmp_path / 'host')])
    monkeypatch.undo()
    assert code == 3 and text.endswith('No space left on device')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('argv', [[], ['a', 'b'], ['--frobnicate', 'a'], ['']])
def test_bad_arguments_are_refused_in_one_line(argv: list[str]) -> None:
    code, text = command.answer(['capture', *argv])
    assert code == 3 and text.startswith('TABLEFULL UNKNOWN - ') and text.endswith('see tablefull capture --help')


def test_what_cannot_be_read_is_named_and_told_again_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tablefull.capture import pack
    from tablefull.capture.collect import Collected

    found = Collected({'proc/uptime': b'1.00 1.00\n'}, [], ['/dev/kmsg: Operation not permitted'], ['/etc/sysctl.conf'])
    monkeypatch.setattr(pack, 'collect', lambda root: found)
    text = capture(tmp_path / 'host')
    assert 'not read: /dev/kmsg: Operation not permitted' in text and 'cut off: /etc/sysctl.conf' in text
    text = command.answer(['triage', '--capture', str(tmp_path / 'host')])[1]
    assert '\nnot captured: /dev/kmsg: Operation not permitted\n' in text
    assert '\nnot captured: /etc/sysctl.conf: cut off\n' in text


def test_a_configuration_that_was_closed_is_not_taken_for_a_missing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tablefull.capture import collect
    from tablefull.readers.ferm import Configuration

    closed = Configuration(None, denied=('/etc/ferm/ferm.conf',))
    monkeypatch.setattr(collect, 'read_configuration', lambda root: closed)
    said = capture(tmp_path / 'host', os.path.join(FIXTURES, 'C-legacy-c01-healthy'))
    assert 'not read: /etc/ferm/ferm.conf: Permission denied' in said
    data = json.loads(command.answer(['triage', '--output', 'json', '--capture', str(tmp_path / 'host')])[1])
    assert 'not captured: /etc/ferm/ferm.conf: Permission denied' in data['origin']
    assert 'ferm-configuration-missing' not in {finding['code'] for finding in data['findings']}
    assert 'firewall-missing' not in {cause['code'] for cause in data['causes']}
