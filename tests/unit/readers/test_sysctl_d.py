from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull.readers.sysctl_d import parse_sysctl, parse_value, read_sysctls
from tests.unit.readers.trees import tree

KEY = 'net.netfilter.nf_conntrack_max'


def test_the_last_file_by_name_wins_whatever_its_directory(tmp_path: Path) -> None:
    root = tree(tmp_path, {'/etc/sysctl.d/10-a.conf': f'{KEY}=1\n', '/usr/lib/sysctl.d/20-b.conf': f'{KEY} = 2\n'})
    setting = read_sysctls(root).last(KEY)
    assert setting is not None and (setting.value, setting.path) == ('2', '/usr/lib/sysctl.d/20-b.conf')


def test_a_file_in_etc_replaces_one_of_the_same_name(tmp_path: Path) -> None:
    root = tree(tmp_path, {'/etc/sysctl.d/50-x.conf': '# nothing\n', '/usr/lib/sysctl.d/50-x.conf': f'{KEY}=2\n'})
    assert read_sysctls(root).last(KEY) is None


def test_a_link_to_dev_null_masks_a_file(tmp_path: Path) -> None:
    root = tree(tmp_path, {'/usr/lib/sysctl.d/50-x.conf': f'{KEY}=2\n', '/etc/sysctl.d/y.conf': ''})
    os.symlink('/dev/null', tmp_path / 'etc/sysctl.d/50-x.conf')
    sysctls = read_sysctls(root)
    assert (sysctls.last(KEY), sysctls.unread) == (None, ())


def test_sysctl_conf_comes_last(tmp_path: Path) -> None:
    root = tree(tmp_path, {'/etc/sysctl.conf': f'{KEY}=3\n', '/etc/sysctl.d/99-z.conf': f'{KEY}=2\n'})
    setting = read_sysctls(root).last(KEY)
    assert setting is not None and setting.value == '3'


def test_files_of_another_ending_do_not_count(tmp_path: Path) -> None:
    assert read_sysctls(tree(tmp_path, {'/etc/sysctl.d/x.conf.bak': f'{KEY}=2\n'})).last(KEY) is None


def test_a_tree_without_configuration_says_so(tmp_path: Path) -> None:
    assert not read_sysctls(tree(tmp_path, {'/proc/x': ''})).present


def test_every_spelling_of_an_assignment_is_understood() -> None:
    text = '\n'.join(['# comment', '; comment', '-net/netfilter/nf_conntrack_max=5', 'net.ipv4.conf.a/b.x = 1', 'word'])
    assert [(setting.key, setting.value) for setting in parse_sysctl(text, 'x')] == [
        (KEY, '5'),
        ('net.ipv4.conf.a/b.x', '1'),
    ]


def test_interface_names_with_dots_keep_them() -> None:
    (setting,) = parse_sysctl('net/ipv4/conf/eth0.5/forwarding=1', 'x')
    assert setting.key == 'net.ipv4.conf.eth0/5.forwarding'


def test_values_are_taken_as_the_kernel_takes_them() -> None:
    assert [parse_value(text) for text in ('0x100', '010', '65536', 'many', '', '0')] == [256, 8, 65536, None, None, 0]


@given(st.text(max_size=200))
def test_any_text_is_parsed(text: str) -> None:
    for setting in parse_sysctl(text, 'x'):
        parse_value(setting.value)


@pytest.mark.parametrize('text', ['0x' + 'f' * 5000, '9' * 5000, '1_000', '\u0663', '\u00b2', ' 1', '0x', '--1'])
def test_what_the_kernel_would_not_take_is_no_value(text: str) -> None:
    assert parse_value(text) is None
