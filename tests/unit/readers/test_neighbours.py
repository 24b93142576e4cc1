from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull.readers import neighbours
from tablefull.readers.files import ReadError
from tablefull.readers.neighbours import (
    EXT_LEARNED,
    EXT_VALIDATED,
    FAILED,
    PERMANENT,
    REACHABLE,
    UNRESOLVED,
    Table,
    in_first_namespace,
    parse_neighbour,
    parse_table,
    read_neighbours,
    read_tables,
)
from tests.unit.readers import netlink
from tests.unit.readers.netlink import recorded, survives
from tests.unit.readers.trees import tree

FIXTURES = Path(__file__).parents[2] / 'fixtures'
HEADER_2_6_18 = (
    'entries  allocs destroys hash_grows  lookups hits  res_failed  rcv_probes_mcast rcv_probes_ucast  '
    'periodic_gc_runs forced_gc_runs'
)
HEADER_4_3 = HEADER_2_6_18 + ' unresolved_discards table_fulls'
THRESHOLD = '/proc/sys/net/ipv4/neigh/default/gc_thresh3'


def test_recorded_tables_are_one_per_family_however_many_devices() -> None:
    assert len(recorded('neighbour-tables')) > 2
    found = [table for table in map(parse_table, recorded('neighbour-tables')) if table]
    assert [(table.family, table.limit) for table in found] == [(4, 1024), (6, 1024)]
    assert all('table_fulls' in table.statistics for table in found)
    assert [(table.gc_thresh1, table.gc_thresh2) for table in found] == [(128, 512), (128, 512)]


def test_statistics_are_in_the_order_of_netlink_not_of_proc() -> None:
    found = parse_table(netlink.table('arp_cache', 256, 256, list(range(1, 12))))
    assert found is not None
    assert (found.statistics['res_failed'], found.statistics['forced_gc_runs']) == (4, 10)
    assert found.statistics['table_fulls'] == 11


def test_a_kernel_before_4_3_has_no_table_fulls() -> None:
    found = parse_table(netlink.table('arp_cache', 256, 256, list(range(1, 11))))
    assert found is not None and 'table_fulls' not in found.statistics
    assert found.statistics['forced_gc_runs'] == 10


def test_counters_of_later_kernels_do_no_harm() -> None:
    found = parse_table(netlink.table('ndisc_cache', 1, 1024, list(range(1, 14))))
    assert found is not None and found.statistics['table_fulls'] == 11 and len(found.statistics) == 11


def test_counters_have_64_bits() -> None:
    found = parse_table(netlink.table('arp_cache', 1, 1024, [0] * 10 + [1 << 40]))
    assert found is not None and found.statistics['table_fulls'] == 1 << 40


def test_a_negative_threshold_lets_nothing_in() -> None:
    found = parse_table(netlink.table('arp_cache', 1, 0xFFFFFFFF, [0] * 11))
    assert found is not None and found.limit == 0


def test_the_table_of_decnet_is_none_of_ours() -> None:
    assert parse_table(netlink.table('dn_neigh_cache', 1, 1024, [0] * 10)) is None


def test_a_table_without_its_numbers_is_a_read_error() -> None:
    with pytest.raises(ReadError, match='without numbers'):
        parse_table(netlink.table('arp_cache', 1, 1024, [0] * 11).replace(b'\x07\0', b'\x77\0'))


def test_recorded_neighbours_have_their_states_and_flags() -> None:
    found = [parse_neighbour(payload, {3: 'v0', 2: 'v1'}) for payload in recorded('neighbours')]
    states = {entry.address[-1]: entry for entry in found if entry and entry.address[:3] == b'\xc0\x00\x02'}
    assert states[50].state == PERMANENT and states[50].device == 'v0'
    assert states[51].flags & EXT_LEARNED
    assert states[52].state == FAILED
    assert states[53].state == neighbours.NOARP
    assert 60 not in states, 'proxy entries are not in the table'


def test_an_interface_that_has_just_gone_has_a_number_still() -> None:
    entry = parse_neighbour(netlink.neighbour(bytes(4), 9, REACHABLE), {})
    assert entry is not None and entry.device == 'interface 9'


def test_extended_flags_are_seen() -> None:
    entry = parse_neighbour(netlink.neighbour(bytes(16), 1, REACHABLE, extended=4), {})
    assert entry is not None and entry.flags & EXT_VALIDATED


def test_bridge_entries_are_no_neighbours() -> None:
    assert parse_neighbour(b'\x07' + netlink.neighbour(bytes(4), 1, REACHABLE)[1:], {}) is None


@pytest.mark.parametrize('header', [HEADER_2_6_18, HEADER_4_3], ids=['2.6.18', '4.3'])
def test_the_statistics_file_is_summed_by_name_but_never_its_entries(tmp_path: Path, header: str) -> None:
    columns = header.split()
    rows = [' '.join('00000100' if column == 'entries' else f'{cpu:08x}' for column in columns) for cpu in (0, 0x7FF)]
    root = tree(tmp_path, {'/proc/net/stat/arp_cache': '\n'.join([header, *rows]) + '\n', THRESHOLD: '256\n'})
    (found,) = read_tables(root)
    assert (found.family, found.entries, found.limit) == (4, 256, 256)
    # An overflow often stands in the row of one CPU only, and not in the first.
    assert found.statistics['forced_gc_runs'] == 0x7FF
    assert found.statistics.get('table_fulls') == (0x7FF if header == HEADER_4_3 else None)


def test_a_captured_overflow_is_read(tmp_path: Path) -> None:
    found = read_tables(str(FIXTURES / 'D3-proxyarp-ndisc-overflow'))
    assert [(t.family, t.entries, t.limit, t.statistics['table_fulls']) for t in found] == [
        (4, 256, 256, 1905),
        (6, 256, 256, 347),
    ]


def test_a_namespace_that_is_not_the_first_has_no_files(tmp_path: Path) -> None:
    assert read_tables(str(tmp_path)) == []


def test_a_limit_that_cannot_be_seen_is_none(tmp_path: Path) -> None:
    root = tree(tmp_path, {'/proc/net/stat/arp_cache': HEADER_2_6_18 + '\n' + '00000001 ' * 11 + '\n'})
    assert [table.limit for table in read_tables(root)] == [None]


def test_all_three_thresholds_are_read_from_files(tmp_path: Path) -> None:
    row = '/proc/sys/net/ipv4/neigh/default/gc_thresh'
    root = tree(
        tmp_path,
        {
            '/proc/net/stat/arp_cache': HEADER_2_6_18 + '\n' + '00000001 ' * 11 + '\n',
            f'{row}1': '-1\n',
            f'{row}2': '2\n',
            f'{row}3': '3\n',
        },
    )
    assert [(table.gc_thresh1, table.gc_thresh2, table.limit) for table in read_tables(root)] == [(0, 2, 3)]


def test_a_mounted_host_is_asked_through_the_kernel_it_shares(tmp_path: Path) -> None:
    boot = Path('/proc/sys/kernel/random/boot_id').read_text()
    root = tree(tmp_path, {'/proc/sys/kernel/random/boot_id': boot})
    assert [(table.family, table.limit) for table in read_tables(root)][:1] == [
        (table.family, table.limit) for table in read_tables('/')
    ][:1]


def test_a_mounted_host_has_its_files_below_its_first_process(tmp_path: Path) -> None:
    row = HEADER_2_6_18 + '\n' + '0000000a ' * 11 + '\n'
    root = tree(tmp_path, {'/proc/1/net/stat/arp_cache': row, '/proc/net/stat/arp_cache': 'of the reader'})
    assert [table.entries for table in read_tables(root)] == [10]


def test_without_netlink_the_files_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*unused: object) -> None:
        raise ReadError('rtnetlink', 'Address family not supported by protocol', 97)

    monkeypatch.setattr(neighbours, 'dump', refuse)
    for table in read_tables():
        assert isinstance(table, Table) and table.entries >= 0
    assert read_neighbours('/', {}).families == (4,)


@pytest.mark.parametrize(
    'text', ['', 'entries\n0\n', HEADER_2_6_18, HEADER_2_6_18 + '\n1 2\n', HEADER_2_6_18 + '\nxyz\n']
)
def test_a_damaged_statistics_file_is_a_read_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ReadError, match='/proc/net/stat/arp_cache: '):
        read_tables(tree(tmp_path, {'/proc/net/stat/arp_cache': text}))


ARP = 'IP address       HW type     Flags       HW address            Mask     Device\n'


def test_proxy_entries_of_proc_net_arp_are_not_in_the_table(tmp_path: Path) -> None:
    lines = [
        f'192.0.2.{number}        0x1         {flags}         12:54:7f:f4:eb:ab     *        eth0\n'
        for number, flags in ((1, '0x2'), (2, '0x6'), (3, '0x0'), (4, '0xc'))
    ]
    found = read_neighbours(tree(tmp_path, {'/proc/net/arp': ARP + ''.join(lines)}), {})
    assert [entry.state for entry in found.entries] == [REACHABLE, PERMANENT, UNRESOLVED]
    assert found.families == (4,)


@pytest.mark.parametrize(
    'text', ['', 'garbage\n', ARP + '1 2 3\n', ARP + 'x 0x1 0x2 y * eth0\n', ARP + '1.1.1.1 0x1 zz y * eth0']
)
def test_a_damaged_arp_file_is_a_read_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ReadError, match='/proc/net/arp: '):
        read_neighbours(tree(tmp_path, {'/proc/net/arp': text}), {})


def test_recordings_come_before_proc_net_arp() -> None:
    found = read_neighbours(str(FIXTURES / 'D5-proxyarp-permanent-above-thresh3'), {})
    assert sum(entry.state == PERMANENT for entry in found.entries) == 358
    assert found.families == (4, 6)


def test_ten_thousand_mutated_messages_are_facts_or_a_read_error() -> None:
    chance = random.Random(2)
    payloads = recorded('neighbour-tables') + recorded('neighbours')
    for _ in range(10_000):
        data = bytearray(chance.choice(payloads))
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        cut = bytes(data[: chance.choice([len(data), chance.randint(0, len(data))])])
        found = survives(parse_table, cut)
        assert found is None or (found.limit is not None and found.limit >= 0)
        survives(lambda payload: parse_neighbour(payload, {}), cut)


@given(st.binary(max_size=120))
def test_any_bytes_are_facts_or_a_read_error(data: bytes) -> None:
    survives(parse_table, data)
    survives(lambda payload: parse_neighbour(payload, {}), data)


def test_a_missing_table_of_ipv4_is_never_healthy(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match='arp_cache'):
        read_tables(tree(tmp_path, {'/proc/net/stat/ndisc_cache': 'entries forced_gc_runs\n00000004 00000000\n'}))


def test_only_the_first_namespace_has_the_limits_as_files(tmp_path: Path) -> None:
    assert not in_first_namespace(str(tmp_path))
    assert in_first_namespace(tree(tmp_path, {'/proc/sys/net/ipv4/neigh/default/gc_thresh3': '1024\n'}))
