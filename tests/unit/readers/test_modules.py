from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull.readers.files import ReadError
from tablefull.readers.module_names import CLASSES
from tablefull.readers.modules import Module, parse_builtin, parse_modules, read_modules, read_owners, read_tables
from tests.unit.readers.trees import tree

LINES = """\
nf_tables 307200 93 nft_compat, Live 0xffffffffc0587000
nf_conntrack 188416 3 nf_conntrack_netlink,xt_MASQUERADE,nf_nat, Live 0x0000000000000000
crc32c_generic 16384 0 - Live 0x0000000000000000
xt_ndpi 700000 1 - Live 0x0000000000000000 (OE)
"""
OSRELEASE = '/proc/sys/kernel/osrelease'


def test_users_end_in_a_comma_and_are_no_references_of_rules() -> None:
    module = parse_modules(LINES)['nf_conntrack']
    assert module == Module(
        'nf_conntrack', 188416, 3, ('nf_conntrack_netlink', 'xt_MASQUERADE', 'nf_nat'), False, 'Live', ''
    )
    assert module.held == 0


def test_what_no_user_explains_is_held_by_something_else() -> None:
    assert parse_modules(LINES)['nf_tables'].held == 92


def test_the_order_is_that_of_the_kernel_newest_first() -> None:
    assert list(parse_modules(LINES)) == ['nf_tables', 'nf_conntrack', 'crc32c_generic', 'xt_ndpi']


def test_taint_letters_are_kept_and_the_marks_of_coming_and_going_are_not() -> None:
    assert parse_modules(LINES)['xt_ndpi'].taint == 'OE'
    assert parse_modules('a 1 1 - Loading 0x0 (O+)\n')['a'].taint == 'O'
    assert parse_modules('a 1 0 - Unloading 0x0 (-)\n')['a'].taint == ''


def test_a_permanent_module_has_no_user_of_that_name() -> None:
    module = parse_modules('ipv6 512000 20 br_netfilter,[permanent], Live 0x0\n')['ipv6']
    assert (module.permanent, module.users, module.held) == (True, ('br_netfilter',), 19)


def test_a_kernel_that_cannot_unload_counts_nothing() -> None:
    module = parse_modules('nf_conntrack 65536 - - Live 0xbf000000\n')['nf_conntrack']
    assert (module.references, module.users, module.held) == (None, (), 0)


@pytest.mark.parametrize('state', ['Live', 'Loading', 'Unloading'])
def test_every_state_is_known(state: str) -> None:
    assert parse_modules(f'a 1 0 - {state} 0x0\n')['a'].state == state


def test_a_module_being_taken_out_has_a_negative_count_for_a_moment() -> None:
    assert parse_modules('a 1 -1 - Unloading 0x0\n')['a'].held == 0


def test_no_module_at_all_is_no_error() -> None:
    assert parse_modules('') == {}


def test_a_module_that_stands_twice_in_a_torn_reading_counts_once() -> None:
    assert len(parse_modules('a 1 0 - Live 0x0\na 1 1 - Live 0x0\n')) == 1


@pytest.mark.parametrize(
    'text',
    [
        'nf_conntrack 188416 3\n',
        'nf_conntrack many 3 - Live 0x0\n',
        'nf_conntrack 1 0 - Alive 0x0\n',
        '\n',
        'a 1 0 - Live 0x0\x00\n',
        '<html>\n',
    ],
)
def test_anything_else_is_an_error_and_not_an_empty_kernel(text: str) -> None:
    with pytest.raises(ReadError):
        parse_modules(text)


@given(st.data())
def test_mutated_lists_raise_nothing_but_read_errors(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(LINES)))
    text = LINES[:at] + data.draw(st.text(max_size=8)) + LINES[at + data.draw(st.integers(0, 30)) :]
    try:
        modules = parse_modules(text)
    except ReadError:
        return
    assert all(name == module.name and module.held >= 0 for name, module in modules.items())


def test_names_in_modules_builtin_have_underscores() -> None:
    text = 'kernel/net/netfilter/nf_conntrack.ko\nkernel/drivers/i2c-core.ko.xz\nnot a module\n'
    assert parse_builtin(text) == {'nf_conntrack', 'i2c_core'}


@given(st.text())
def test_any_text_is_a_list_of_compiled_in_modules(text: str) -> None:
    parse_builtin(text)


def test_a_kernel_without_module_support_has_no_list_and_is_no_error(tmp_path: Path) -> None:
    # As in a kernel with everything compiled in: `lsmod` fails there, and nothing found is not nothing there.
    root = tree(tmp_path, {OSRELEASE: '6.18.44\n', '/sys/module/nf_conntrack/parameters/hashsize': '1\n'})
    modules = read_modules(root)
    assert not modules.loadable and not modules.listed
    assert modules.has('nf_conntrack') and not modules.has('nf_nat')


def test_modules_builtin_tells_what_sysfs_does_not(tmp_path: Path) -> None:
    builtin = 'kernel/net/netfilter/nf_nat.ko\n'
    modules = read_modules(
        tree(tmp_path, {OSRELEASE: '6.1.0\n', '/proc/modules': LINES, '/lib/modules/6.1.0/modules.builtin': builtin})
    )
    assert modules.loadable and modules.listed and modules.built_in == {'nf_nat'}


def test_a_loaded_module_is_not_compiled_in(tmp_path: Path) -> None:
    root = tree(tmp_path, {OSRELEASE: '6.1.0\n', '/proc/modules': '', '/sys/module/nf_nat/initstate': 'coming\n'})
    assert not read_modules(root).has('nf_nat')


def test_a_release_cannot_lead_out_of_its_directory(tmp_path: Path) -> None:
    root = tree(tmp_path, {OSRELEASE: '../../etc\n', '/etc/modules.builtin': 'x/y.ko\n', '/lib/modules/a': ''})
    assert not read_modules(root).listed


def test_a_tree_without_proc_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReadError):
        read_modules(str(tmp_path))


def test_tables_of_the_old_iptables_are_read_where_they_may_be(tmp_path: Path) -> None:
    root = tree(tmp_path, {'/proc/net/ip_tables_names': 'nat\nfilter\n'})
    assert read_tables(root) == {'ip': ('nat', 'filter')}


def test_below_a_mounted_host_the_tables_are_those_of_its_first_process(tmp_path: Path) -> None:
    root = tree(tmp_path, {'/proc/net/ip_tables_names': 'nat\n', '/proc/1/net/ip_tables_names': 'raw\n'})
    assert read_tables(root) == {'ip': ('raw',)}


def test_owners_show_by_their_modules_and_by_their_files(tmp_path: Path) -> None:
    root = tree(tmp_path, {'/run/docker.sock': ''})
    assert read_owners(root, parse_modules('ip_vs 1 0 - Live 0x0\n')) == ('Docker', 'IPVS')


@pytest.mark.parametrize(
    ('name', 'kind'),
    [
        ('ip_conntrack', 'conntrack'),
        ('nf_conntrack_ipv4', 'conntrack'),
        ('ipt_MASQUERADE', 'nat'),
        ('xt_MASQUERADE', 'nat'),
        ('nft_chain_nat_ipv4', 'nat'),
        ('nft_chain_nat', 'nat'),
        ('nf_nat_ftp', 'nat'),
        ('nf_conntrack_ftp', 'helper'),
        ('ip6table_raw', 'table'),
    ],
)
def test_names_of_every_generation_have_a_class(name: str, kind: str) -> None:
    assert CLASSES[name] == kind


@pytest.mark.parametrize('name', ['ip_tables', 'x_tables', 'nf_tables', 'nft_compat', 'nf_defrag_ipv4', 'nfnetlink'])
def test_the_engines_of_tables_are_a_sign_of_nothing(name: str) -> None:
    # systemd loads ip_tables at boot, `nft --version` nfnetlink.
    assert name not in CLASSES


def test_a_release_with_a_nul_is_no_part_of_a_path(tmp_path: Path) -> None:
    root = tree(tmp_path, {OSRELEASE: '6.1\0/x', '/proc/modules': ''})
    assert not read_modules(root).listed


def test_no_modules_in_spite_of_a_live_one_is_an_error_not_a_kernel_without_modules(tmp_path: Path) -> None:
    root = tree(tmp_path, {OSRELEASE: '6.1.0\n', '/sys/module/nf_conntrack/initstate': 'live\n'})
    with pytest.raises(ReadError, match='/proc/modules'):
        read_modules(root)
    tree(tmp_path, {'/proc/modules': ''})
    with pytest.raises(ReadError, match='/proc/modules'):
        read_modules(root)


def test_line_ends_of_windows_in_a_copied_tree_change_nothing() -> None:
    text = 'nf_nat 57344 1 xt_MASQUERADE, Live 0x0\nnf_conntrack 188416 0 - Live 0x0 (OE)\n'
    assert parse_modules(text.replace('\n', '\r\n')) == parse_modules(text)
