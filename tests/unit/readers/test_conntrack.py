from __future__ import annotations

from pathlib import Path

import pytest

from tablefull.readers.conntrack import read_conntrack
from tablefull.readers.files import ReadError
from tests.unit.readers.test_statistics import HEADERS, statistics
from tests.unit.readers.trees import tree

SYSCTL = '/proc/sys/net/netfilter/nf_conntrack_'


def test_the_modern_files_are_read(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            SYSCTL + 'count': '512\n',
            SYSCTL + 'max': '512\n',
            SYSCTL + 'buckets': '6144\n',
            SYSCTL + 'expect_max': '96\n',
            '/proc/sys/net/nf_conntrack_max': '512\n',
            '/proc/net/stat/nf_conntrack': statistics(HEADERS['5.15'], {'entries': 512}),
        },
    )
    table = read_conntrack(root)
    assert (table.entries, table.maximum, table.buckets, table.expect_maximum) == (512, 512, 6144, 96)
    assert (table.usage, table.first_namespace, table.loaded) == (100.0, True, True)


def test_the_names_of_old_kernels_are_read(tmp_path: Path) -> None:
    old = '/proc/sys/net/ipv4/netfilter/ip_conntrack_'
    root = tree(
        tmp_path,
        {
            old + 'count': '10\n',
            old + 'max': '65536\n',
            old + 'buckets': '8192\n',
            '/proc/net/stat/ip_conntrack': statistics(HEADERS['2.6.32'], {'drop': 3}),
        },
    )
    table = read_conntrack(root)
    assert (table.entries, table.maximum, table.buckets, table.hash_load) == (10, 65536, 8192, 8.0)
    assert table.statistics is not None and table.statistics.total('drop') == 3


@pytest.mark.parametrize('maximum', ['0', '-5'])
def test_no_limit_is_no_division(tmp_path: Path, maximum: str) -> None:
    table = read_conntrack(
        tree(tmp_path, {SYSCTL + 'count': '517\n', SYSCTL + 'max': maximum + '\n', SYSCTL + 'buckets': '6144\n'})
    )
    assert (table.limit, table.usage, table.hash_load, table.loaded) == (None, None, None, True)


def test_a_directory_without_conntrack_files_means_not_loaded(tmp_path: Path) -> None:
    # nf_log lives in /proc/sys/net/netfilter too.
    root = tree(tmp_path, {'/proc/sys/net/netfilter/nf_log_all_netns': '0\n'})
    assert not read_conntrack(root).loaded


def test_without_proc_sys_nothing_can_be_said(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match='nothing can be said'):
        read_conntrack(str(tmp_path))


def test_hidden_sysctls_of_a_user_namespace_leave_the_statistics(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            '/proc/sys/kernel/osrelease': '4.18.0',
            '/proc/net/stat/nf_conntrack': statistics(HEADERS['2.6.35'], {'entries': 7}),
        },
    )
    table = read_conntrack(root)
    assert (table.loaded, table.entries, table.maximum) == (True, 7, None)


def test_built_in_code_alone_is_loaded_only_if_it_shows_numbers(tmp_path: Path) -> None:
    # /sys/module/nf_conntrack exists for built-in code as well; initstate only for a loaded module.
    root = tree(tmp_path, {'/proc/sys/x': '', '/sys/module/nf_conntrack/parameters/hashsize': '1'})
    assert not read_conntrack(root).loaded
    root = tree(tmp_path, {'/sys/module/nf_conntrack/initstate': 'live'})
    assert read_conntrack(root).loaded


def test_below_a_mounted_host_the_numbers_are_the_hosts_not_the_containers(tmp_path: Path) -> None:
    # /host/proc/sys answers for the namespace of whoever reads it; /host/proc/1/net is the host's.
    root = tree(
        tmp_path,
        {
            SYSCTL + 'count': '3\n',
            SYSCTL + 'max': '1000\n',
            '/proc/net/stat/nf_conntrack': statistics(HEADERS['5.15'], {'entries': 3}),
            '/proc/1/net/stat/nf_conntrack': statistics(HEADERS['5.15'], {'entries': 900, 'drop': 5}),
        },
    )
    assert read_conntrack(root).entries == 900


@pytest.mark.parametrize('damage', ['', 'garbage', '1 2', '\0'])
def test_a_damaged_count_is_an_error_not_zero(tmp_path: Path, damage: str) -> None:
    with pytest.raises(ReadError, match='nf_conntrack_count'):
        read_conntrack(tree(tmp_path, {SYSCTL + 'count': damage, SYSCTL + 'max': '1000\n'}))
