from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull.readers.files import (
    ReadError,
    drop_in_files,
    is_live,
    is_masked,
    list_directory,
    monotonic_now,
    net_directory,
    parse_number,
    parse_release,
    read_bytes,
    read_number,
    read_optional,
    read_text,
    recording,
)
from tests.unit.readers.trees import tree


def test_a_fifo_in_a_tree_does_not_hang_a_check(tmp_path: Path) -> None:
    (tmp_path / 'proc').mkdir()
    os.mkfifo(tmp_path / 'proc' / 'modules')
    with pytest.raises(ReadError, match='not a regular file'):
        read_text(str(tmp_path), '/proc/modules')


def test_a_directory_in_place_of_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / 'proc' / 'modules').mkdir(parents=True)
    with pytest.raises(ReadError, match='not a regular file'):
        read_text(str(tmp_path), '/proc/modules')


def test_a_device_is_not_even_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, 'open', lambda *arguments: pytest.fail('opened'))
    with pytest.raises(ReadError, match='not a regular file'):
        read_text('/', '/dev/null')


def test_what_has_become_a_device_in_between_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree(tmp_path, {'/x': '1'})
    monkeypatch.setattr(os, 'fstat', lambda descriptor: os.stat('/dev/null'))
    with pytest.raises(ReadError, match='not a regular file'):
        read_text(root, '/x')


def test_a_huge_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    root = tree(tmp_path, {'/proc/x': 'a' * 100_000})
    assert len(read_text(root, '/proc/x', 70_000)) == 70_000


def test_what_is_not_there_is_none_and_what_is_forbidden_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tree(tmp_path, {'/proc/x': '1'})
    assert read_optional(root, '/proc/y') is None
    assert read_optional(root, '/proc/x/y') is None

    def refuse(*args: object) -> int:
        raise PermissionError(1, 'Operation not permitted')

    monkeypatch.setattr(os, 'open', refuse)
    with pytest.raises(ReadError) as refused:
        read_optional(root, '/proc/x')
    # /dev/kmsg answers EPERM, not EACCES.
    assert refused.value.permission


def test_a_file_that_vanishes_while_it_is_read_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree(tmp_path, {'/proc/x': '1'})

    def vanish(descriptor: int, size: int) -> bytes:
        raise ProcessLookupError(3, 'No such process')

    monkeypatch.setattr(os, 'read', vanish)
    assert read_optional(root, '/proc/x') is None


def test_bytes_that_are_no_text_stay_visible(tmp_path: Path) -> None:
    assert read_text(tree(tmp_path, {'/x': b'a\xffb'}), '/x') == r'a\xffb'


@pytest.mark.parametrize('text', ['', ' \n', 'abc', '1 2', '1.5', '+1', '--1', '0x10', '٣', '1' * 21, '1\0', '-'])
def test_what_is_no_number_is_an_error_not_a_guess(text: str) -> None:
    with pytest.raises(ReadError):
        parse_number(text, '/proc/sys/x')


def test_numbers_may_be_negative(tmp_path: Path) -> None:
    # nf_conntrack_max reads back as -5 on kernels before 6.15.
    assert read_number(tree(tmp_path, {'/x': '-5\n'}), '/x') == -5


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_a_read_error(text: str) -> None:
    try:
        assert isinstance(parse_number(text, '/x'), int)
    except ReadError as error:
        assert str(error).startswith('/x: ')


def test_releases_of_distributions_are_understood() -> None:
    assert [
        parse_release(text) for text in ('6.1.0-56-amd64', '3.10.0-1160.el7', '2.6.32-754', '7.2.13+deb14', 'x')
    ] == [
        (6, 1),
        (3, 10),
        (2, 6),
        (7, 2),
        (0, 0),
    ]


def test_recordings_belong_to_captured_trees_only(tmp_path: Path) -> None:
    root = tree(tmp_path, {'/kmsg': 'x', '/proc/uptime': '20.78 19.71\n'})
    assert recording(root, 'other', 'kmsg') == '/kmsg'
    assert recording('/', 'proc') is None
    assert (is_live('/'), is_live('/proc/..'), is_live(root)) == (True, True, False)
    assert monotonic_now(root) == 20.78


def test_directories_are_listed_in_order_and_may_be_missing(tmp_path: Path) -> None:
    root = tree(tmp_path, {'/etc/x/b': '', '/etc/x/a': ''})
    assert list_directory(root, '/etc/x') == ['a', 'b']
    assert list_directory(root, '/etc/y') == []


def test_a_device_in_a_tree_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'device').symlink_to('/dev/null')
    monkeypatch.setattr(os, 'open', None)
    with pytest.raises(ReadError, match='not a regular file'):
        read_bytes(str(tmp_path), '/device')


def test_drop_in_files_hide_those_of_their_name_in_later_directories(tmp_path: Path) -> None:
    files = ['/etc/x.d/b.conf', '/lib/x.d/b.conf', '/lib/x.d/a.conf', '/lib/x.d/.c.conf', '/lib/x.d/d.txt']
    root = tree(tmp_path, dict.fromkeys(files, ''))
    directories = ('/etc/x.d', '/run/x.d', '/lib/x.d')
    assert drop_in_files(root, directories) == (['/lib/x.d/a.conf', '/etc/x.d/b.conf'], [])
    assert drop_in_files(root, directories, ('.txt',))[0] == ['/lib/x.d/d.txt']
    (tmp_path / 'run').write_text('no directory')
    (tmp_path / 'lib/x.d').rename(tmp_path / 'lib/y.d')
    (tmp_path / 'lib/x.d').symlink_to('x.d')
    assert drop_in_files(root, directories) == (['/etc/x.d/b.conf'], ['/lib/x.d'])


def test_a_link_to_dev_null_or_a_directory_masks_a_file(tmp_path: Path) -> None:
    root = tree(tmp_path, {'/a.conf': '', '/b.conf/c': ''})
    (tmp_path / 'd.conf').symlink_to('/dev/null')
    assert [is_masked(root, f'/{name}.conf') for name in 'abde'] == [False, True, True, False]


def test_below_a_mounted_host_the_network_files_are_those_of_its_first_process(tmp_path: Path) -> None:
    assert net_directory('/') == net_directory(str(tmp_path)) == '/proc/net'
    assert net_directory(tree(tmp_path, {'/proc/1/net/arp': ''})) == '/proc/1/net'
