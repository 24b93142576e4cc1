"""The tables of all network namespaces, from what processes in them see."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull.readers import namespaces
from tablefull.readers.files import ReadError
from tablefull.readers.namespaces import MOST, container_of, read_namespaces
from tests.unit.readers.test_statistics import HEADERS, statistics
from tests.unit.readers.trees import tree

IDENTITY = '0123456789abcdef' * 4
SYSCTL = '/proc/sys/net/netfilter/nf_conntrack_'


def namespaces_tree(root: Path, processes: dict[int, int | None], maximum: int = 100) -> str:
    """A host with a namespace for each process: number -> entries, None for one without statistics."""
    files: dict[str, str | bytes] = {
        SYSCTL + 'count': '5\n',
        SYSCTL + 'max': f'{maximum}\n',
        SYSCTL + 'buckets': '100\n',
        '/proc/sys/kernel/osrelease': '6.1.0\n',
        '/proc/uptime': '5000.0 1.0\n',
        '/proc/sys/kernel/random/boot_id': 'a-boot\n',
        '/proc/net/stat/nf_conntrack': statistics(HEADERS['5.15'], {'entries': 5}),
        '/kmsg': '6,1,100,-;a line\n',
    }
    for pid, entries in processes.items():
        files[f'/proc/{pid}/comm'] = 'nginx\n'
        files[f'/proc/{pid}/cgroup'] = f'0::/system.slice/docker-{IDENTITY}.scope\n'
        if entries is not None:
            text = statistics(HEADERS['5.15'], {'entries': entries, 'drop': 7})
            files[f'/proc/{pid}/net/stat/nf_conntrack'] = text
        else:
            files[f'/proc/{pid}/net/stat/other'] = ''
    made = tree(root, files)
    for pid in processes:
        (root / f'proc/{pid}/ns').mkdir()
        (root / f'proc/{pid}/ns/net').symlink_to(f'net:[{4026532000 + pid}]')
    return made


def test_each_namespace_is_told_with_who_is_in_it(tmp_path: Path) -> None:
    found = read_namespaces(namespaces_tree(tmp_path, {700: 90, 800: 30, 900: None}))
    assert (found.seen, found.entries, found.unread, found.hidden, found.unvisited) == (2, 120, 1, 0, 0)
    assert [(table.entries, table.pid, table.inode, table.drops) for table in found.tables] == [
        (90, 700, '4026532700', 7),
        (30, 800, '4026532800', 7),
    ]
    assert found.tables[0].holder == 'docker 0123456789ab (nginx, pid 700)'


def test_processes_of_one_namespace_count_once(tmp_path: Path) -> None:
    root = namespaces_tree(tmp_path, {700: 90})
    (tmp_path / 'proc/701').mkdir()
    # One inode, as the kernel has it for two processes.
    (tmp_path / 'proc/701/net').symlink_to('../700/net')
    found = read_namespaces(root)
    assert (found.seen, [table.pid for table in found.tables]) == (1, [700])


def test_the_namespace_of_the_first_process_is_the_hosts_own(tmp_path: Path) -> None:
    found = read_namespaces(namespaces_tree(tmp_path, {1: 10, 700: 20}))
    assert [(table.pid, table.own) for table in found.tables] == [(700, False), (1, True)]


def test_of_many_the_largest_are_kept(tmp_path: Path) -> None:
    found = read_namespaces(namespaces_tree(tmp_path, {100 + number: number for number in range(200)}))
    assert (found.seen, found.entries) == (200, sum(range(200)))
    assert [table.entries for table in found.tables] == list(range(199, 199 - MOST, -1))


def test_what_does_not_fit_into_the_time_is_counted(tmp_path: Path) -> None:
    found = read_namespaces(namespaces_tree(tmp_path, {100 + number: number for number in range(10)}), seconds=0)
    assert (found.seen, found.unvisited, found.empty) == (0, 10, None)


def test_what_may_not_be_seen_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = namespaces_tree(tmp_path, {700: 90, 800: 30})
    real = os.stat

    def stat(path: str) -> os.stat_result:
        if '/proc/800/' in str(path):
            raise PermissionError(13, 'Permission denied')
        return real(path)

    monkeypatch.setattr(namespaces.os, 'stat', stat)
    found = read_namespaces(root)
    assert (found.seen, found.hidden, found.empty) == (1, 1, None)


def test_processes_that_proc_does_not_list_are_told(tmp_path: Path) -> None:
    root = namespaces_tree(tmp_path, {700: 90})
    assert read_namespaces(root).withheld == ''
    # On a host that is mounted, and hides the processes of others, there is not even the first one.
    (tmp_path / 'proc/self').symlink_to('700')
    found = read_namespaces(root)
    assert 'hidepid' in found.withheld
    (tmp_path / 'proc/1').mkdir()
    assert read_namespaces(root).withheld == ''


def test_a_pid_namespace_shows_its_own_processes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    links = {'/proc/self/ns/pid': 'pid:[4026532999]'}
    monkeypatch.setattr(namespaces.os, 'readlink', lambda path: links.get(path, 'net:[1]'))
    assert 'PID namespace' in read_namespaces('/').withheld
    links['/proc/self/ns/pid'] = 'pid:[4026531836]'
    assert read_namespaces('/').withheld == ''


def test_a_name_without_a_process_is_told(tmp_path: Path) -> None:
    root = namespaces_tree(tmp_path, {700: 90})
    (tmp_path / 'run/netns').mkdir(parents=True)
    (tmp_path / 'run/netns/left').write_text('')
    assert read_namespaces(root).empty == ('left',)
    # Who may not see what a process is in cannot tell whether a name has one.
    (tmp_path / 'proc/700/ns/net').unlink()
    assert read_namespaces(root).empty is None


def test_without_proc_there_is_nothing_to_see(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match='/proc'):
        read_namespaces(str(tmp_path))


@pytest.mark.parametrize(
    'text', ['', 'entries\n', 'entries\nzz 1\n', '\0', 'entries\n\n', 'entries\n-5 1\n', f'entries\n{"f" * 900} 1\n']
)
def test_statistics_that_are_none_are_not_read_as_none(tmp_path: Path, text: str) -> None:
    root = namespaces_tree(tmp_path, {700: 90})
    (tmp_path / 'proc/700/net/stat/nf_conntrack').write_text(text)
    found = read_namespaces(root)
    assert (found.seen, found.unread) == (0, 1)


@pytest.mark.parametrize(
    ('lines', 'container'),
    [
        (f'0::/system.slice/docker-{IDENTITY}.scope', 'docker 0123456789ab'),
        (f'4:memory:/docker/{IDENTITY}', 'docker 0123456789ab'),
        (f'0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{IDENTITY}.scope', 'cri-containerd 0123456789ab'),
        (f'1:cpu:/kubepods/besteffort/pod7/{IDENTITY}', 'kubepods 0123456789ab'),
        (f'0::/machine.slice/libpod-{IDENTITY}.scope/container', 'libpod 0123456789ab'),
        ('0::/lxc.payload.mail/system.slice/postfix.service', 'lxc mail'),
        ('0::/machine.slice/machine-qemu.scope', 'machine qemu'),
        ('0::/system.slice/nginx.service', 'nginx.service'),
        ('0::/', ''),
        ('', ''),
        ('garbage', ''),
    ],
)
def test_a_container_is_known_by_its_control_group(lines: str, container: str) -> None:
    assert container_of(lines + '\n') == container


@given(st.text(max_size=300))
def test_any_control_group_is_a_short_name_or_none(text: str) -> None:
    assert len(container_of(text)) < 300
