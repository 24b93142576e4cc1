from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull.readers.modprobe_d import (
    Line,
    ModprobeConfiguration,
    module_options,
    parse_command_line,
    parse_modprobe,
    read_modprobe,
)
from tablefull.readers.prevention import Prevention, loads_nothing, prevention
from tests.unit.readers.trees import tree

ALL = Prevention(True, True, True, True)
NONE = Prevention(False, False, False, False)


def stops(text: str, module: str = 'nf_conntrack') -> Prevention:
    found = prevention(module, ModprobeConfiguration(tuple(parse_modprobe(text, 'x.conf'))))
    return found._replace(lines=())


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('', NONE),
        ('blacklist nf_conntrack', Prevention(True, False, False, False)),
        ('alias nf_conntrack off', Prevention(False, True, False, True)),
        ('install nf_conntrack /bin/false', ALL),
        ('install nf_conntrack /bin/true', ALL),
        ('install nf-conntrack /bin/false', ALL),
        ('install nf_conntrack \\\n/bin/false', ALL),
        ('install ip_conntrack /bin/false\nalias ip_conntrack off\nblacklist ip_conntrack', NONE),
        ('install iptable_nat /bin/false', NONE),
        ('alias nfnetlink-subsys-1 off', NONE),
    ],
)
def test_each_measure_stops_what_it_was_seen_to_stop(text: str, expected: Prevention) -> None:
    assert stops(text) == expected


def test_only_a_measure_that_stops_dependencies_is_complete() -> None:
    assert stops('install nf_conntrack /bin/false').complete
    assert not stops('blacklist nf_conntrack\nalias nf_conntrack off').complete


def test_the_first_install_line_counts() -> None:
    loading = 'install nf_conntrack /sbin/modprobe --ignore-install nf_conntrack'
    assert stops(f'{loading}\ninstall nf_conntrack /bin/false') == NONE
    assert stops(f'install nf_conntrack /bin/false\n{loading}') == ALL


def test_install_takes_a_pattern_and_blacklist_does_not() -> None:
    assert stops('install nf_conn* /bin/false') == ALL
    assert stops('blacklist nf_conn*') == NONE


def test_an_alias_to_itself_stops_nothing() -> None:
    assert stops('alias nf_conntrack nf_conntrack') == NONE


@pytest.mark.parametrize(
    'command', ['/bin/false', '/usr/bin/true', 'false # why', 'exit 1', ': nothing', '/bin/echo off']
)
def test_commands_that_load_nothing_are_known(command: str) -> None:
    assert loads_nothing(command)


@pytest.mark.parametrize('command', ['/bin/true; modprobe -i x', 'modprobe -i x', '', '# false', 'true && insmod x'])
def test_a_command_that_may_load_something_blocks_nothing(command: str) -> None:
    assert not loads_nothing(command)


def test_every_line_that_concerns_a_module_is_named_with_its_file() -> None:
    lines = parse_modprobe('blacklist nf_conntrack\nblacklist other', '/etc/modprobe.d/a.conf')
    found = prevention('nf_conntrack', ModprobeConfiguration(tuple(lines)))
    assert [str(line) for line in found.lines] == ['blacklist nf_conntrack (/etc/modprobe.d/a.conf)']


def test_a_comment_goes_on_below_its_backslash() -> None:
    assert stops('# off for now \\\ninstall nf_conntrack /bin/false') == NONE


def test_a_carriage_return_is_part_of_the_name() -> None:
    assert stops('blacklist nf_conntrack\r\n') == NONE


def test_module_blacklist_is_the_kernels_own_and_stops_everything() -> None:
    _, forbidden = parse_command_line('quiet module_blacklist=a,nf_conntrack ro\n')
    assert prevention('nf_conntrack', ModprobeConfiguration(forbidden=forbidden)) == ALL


def test_of_several_module_blacklists_the_last_counts() -> None:
    assert parse_command_line('module_blacklist=a module_blacklist=b')[1] == ('b',)


def test_modprobe_blacklist_adds_up_and_knows_no_dashes() -> None:
    lines, _ = parse_command_line('modprobe.blacklist=a,b modprobe.blacklist=nf-conntrack')
    assert [line.name for line in lines] == ['a', 'b', 'nf-conntrack']
    assert prevention('nf_conntrack', ModprobeConfiguration(tuple(lines))) == NONE


def test_words_for_init_are_not_words_for_the_kernel() -> None:
    assert parse_command_line('ro -- module_blacklist=nf_conntrack modprobe.blacklist=x') == ([], ())


def test_modules_disabled_stops_everything() -> None:
    assert prevention('nf_conntrack', ModprobeConfiguration(disabled=True)) == ALL


@pytest.mark.parametrize('helper', ['', '/bin/false', '/bin/true'])
def test_without_a_helper_only_programs_load_modules(helper: str) -> None:
    assert prevention('x', ModprobeConfiguration(helper=helper)) == Prevention(True, True, False, False)


def test_the_usual_helper_stops_nothing() -> None:
    assert prevention('x', ModprobeConfiguration(helper='/sbin/modprobe')) == NONE


def test_options_add_up_and_the_command_line_comes_last(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            '/etc/modprobe.d/b.conf': 'options nf-conntrack hashsize=2 acct=1\n',
            '/usr/lib/modprobe.d/a.conf': 'options nf_conntrack hashsize=1\noptions other hashsize=9\n',
            '/proc/cmdline': 'ro nf_conntrack.expect_hashsize=64 nf_conntrack.acct=0\n',
        },
    )
    options = module_options(read_modprobe(root), 'nf_conntrack')
    assert options == {'hashsize': '2', 'acct': '0', 'expect_hashsize': '64'}


def test_quoted_options_stay_together() -> None:
    lines = tuple(parse_modprobe('options x a="1 2" b', 'x'))
    assert module_options(ModprobeConfiguration(lines), 'x') == {'a': '1 2', 'b': ''}


def test_a_file_hides_those_of_its_name_in_later_directories(tmp_path: Path) -> None:
    places = ['/etc', '/run', '/usr/local/lib', '/usr/lib', '/lib']
    files: dict[str, str | bytes] = {
        f'{place}/modprobe.d/x.conf': f'blacklist {index}\n' for index, place in enumerate(places)
    }
    for index in range(len(places)):
        assert [line.name for line in read_modprobe(tree(tmp_path, files)).lines] == [str(index)]
        (tmp_path / f'{places[index][1:]}/modprobe.d/x.conf').unlink()
        del files[f'{places[index]}/modprobe.d/x.conf']


def test_files_apply_by_name_whatever_their_directory(tmp_path: Path) -> None:
    root = tree(tmp_path, {'/etc/modprobe.d/b.conf': 'blacklist 2\n', '/lib/modprobe.d/a.conf': 'blacklist 1\n'})
    assert [line.name for line in read_modprobe(root).lines] == ['1', '2']


def test_a_link_to_dev_null_masks_a_file(tmp_path: Path) -> None:
    root = tree(tmp_path, {'/lib/modprobe.d/x.conf': 'blacklist x\n', '/etc/modprobe.d/y.conf': ''})
    os.symlink('/dev/null', tmp_path / 'etc/modprobe.d/x.conf')
    configuration = read_modprobe(root)
    assert (configuration.lines, configuration.unread) == ((), ())


def test_files_of_another_ending_do_not_count(tmp_path: Path) -> None:
    install = 'install nf_conntrack /bin/false\n'
    names = ['lab.txt', 'x.conf.dpkg-old', '.hidden.conf', 'conf']
    root = tree(tmp_path, {f'/etc/modprobe.d/{name}': install for name in names})
    assert read_modprobe(root).lines == ()


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    root = tree(tmp_path, {'/etc/modprobe.d/a.conf': 'blacklist x\n'})
    os.mkfifo(tmp_path / 'etc/modprobe.d/b.conf')
    configuration = read_modprobe(root)
    assert configuration.unread == ('/etc/modprobe.d/b.conf',)
    assert configuration.lines == (Line('blacklist', 'x', '', '/etc/modprobe.d/a.conf'),)


def test_the_switches_are_read(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {'/proc/sys/kernel/modules_disabled': '1\n', '/proc/sys/kernel/modprobe': '\n'}
    configuration = read_modprobe(tree(tmp_path, files))
    assert (configuration.disabled, configuration.helper) == (True, '')
    assert read_modprobe('/nonexistent').helper is None


@given(st.text(alphabet=st.sampled_from('installblack nf_-[]*#\\\n\t "=\r\0é')), st.text())
def test_any_text_is_a_configuration(text: str, other: str) -> None:
    lines = [*parse_modprobe(text, 'x'), *parse_modprobe(other, 'x'), *parse_command_line(other)[0]]
    configuration = ModprobeConfiguration(tuple(lines))
    prevention('nf_conntrack', configuration)
    module_options(configuration, 'nf_conntrack')


COMMANDS = st.sampled_from(
    ['install', 'blacklist', 'alias', 'options', '#', 'softdep', '\\', '\n', ' ', 'nf_conntrack']
)


@given(st.lists(COMMANDS).map(' '.join))
def test_any_order_of_words_is_a_configuration(text: str) -> None:
    assert all(line.name for line in parse_modprobe(text, 'x'))


def test_a_line_of_a_megabyte_takes_no_minutes() -> None:
    for text in ('options nf_conntrack ' + 'a' * 1_000_000, 'install ' + '[' * 1_000_000 + ' /bin/false'):
        began = time.monotonic()
        configuration = ModprobeConfiguration(tuple(parse_modprobe(text, 'x')))
        assert not prevention('nf_conntrack', configuration).complete
        module_options(configuration, 'nf_conntrack')
        assert time.monotonic() - began < 5


def test_a_range_that_is_the_wrong_way_round_matches_nothing() -> None:
    assert stops('install nf_conntrac[z-a] /bin/false') == NONE
