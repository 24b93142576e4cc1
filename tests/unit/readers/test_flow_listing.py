"""Tracked connections from the kernel's listing."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull.readers.files import ReadError
from tablefull.readers.flow_listing import parse_flow, read_flows, why_not
from tablefull.readers.flows import ASSURED, HW_OFFLOAD, OFFLOAD, SEEN_REPLY, flows
from tests.unit.readers.netlink import RECORDED, recorded
from tests.unit.readers.trees import tree

FIXTURES = Path(__file__).parents[2] / 'fixtures'
E5 = str(FIXTURES / 'E5-formats-acct-zones-nat')
E6 = str(FIXTURES / 'E6-formats-offload')
LINE = (
    'ipv4     2 tcp      6 431988 ESTABLISHED src=192.0.2.1 dst=192.0.2.10 sport=50959 dport=8099 packets=2 bytes=112 '
    'src=192.0.2.10 dst=192.0.2.1 sport=8090 dport=50959 packets=1 bytes=60 [ASSURED] mark=0 zone=0 delta-time=11 use=2'
)


def test_a_line_is_read_in_both_directions() -> None:
    flow = parse_flow(LINE)
    assert flow is not None
    assert (flow.source, flow.destination) == (bytes((192, 0, 2, 1)), bytes((192, 0, 2, 10)))
    assert (flow.protocol, flow.source_port, flow.destination_port, flow.state) == (6, 50959, 8099, 'ESTABLISHED')
    assert flow.status == SEEN_REPLY | ASSURED
    # The port that answers is another one: it was translated.
    assert flow.reply == (bytes((192, 0, 2, 10)), bytes((192, 0, 2, 1)), 8090, 50959)


def test_accounting_zones_and_protocols_without_ports_are_understood() -> None:
    found = list(read_flows(E5))
    assert len(found) == len((Path(E5) / 'proc/net/nf_conntrack').read_text().splitlines())
    assert {flow.zone for flow in found} == {0, 5, 7}
    assert {flow.protocol for flow in found} >= {1, 2, 6, 17, 47, 50, 89}
    assert all(not flow.state for flow in found if flow.protocol not in (6, 33, 132))
    assert all(flow.destination_port is None for flow in found if flow.protocol in (1, 2, 47, 50, 89))
    assert {len(flow.source) for flow in found} == {4, 16}


@pytest.mark.parametrize('digits', ['70000', '9' * 5000])
def test_numbers_that_no_kernel_writes_are_none(digits: str) -> None:
    assert parse_flow(LINE.replace(' 6 ', f' {digits} ')) is None
    flow = parse_flow(LINE.replace('dport=8099', f'dport={digits}').replace('zone=0', f'zone={digits}'))
    assert flow is not None
    assert (flow.destination_port, flow.zone) == (None, 0)


@pytest.mark.parametrize('word', ['E\x1b[31mVIL', 'E|VIL', 'E' * 5000])
def test_a_word_that_no_state_can_be_is_none(word: str) -> None:
    flow = parse_flow(LINE.replace('ESTABLISHED', word))
    assert flow is not None
    assert flow.state == ''


def test_offloaded_connections_have_neither_timeout_nor_state() -> None:
    offloaded = [flow for flow in read_flows(E6) if flow.status & (OFFLOAD | HW_OFFLOAD)]
    assert offloaded
    assert all(not flow.state and flow.source and flow.destination_port for flow in offloaded)


@pytest.mark.parametrize('kernel', ['6.1', '7.2'])
def test_a_dump_of_ctnetlink_has_the_connections_that_the_listing_of_the_same_moment_has(kernel: str) -> None:
    listed = [parse_flow(line) for line in (RECORDED / f'connections-{kernel}.listing').read_text().splitlines()]
    dumped = [flow._replace(status=shown(flow.status)) for flow in flows(recorded(f'connections-{kernel}'), 100)]
    assert sorted(dumped) == sorted(flow for flow in listed if flow)
    assert None not in listed
    offloaded = Counter((flow.protocol, len(flow.source)) for flow in dumped if flow.status & OFFLOAD)
    assert offloaded == {(6, 4): 4, (6, 16): 2, (17, 4): 3, (17, 16): 2}


def shown(status: int) -> int:
    """The bits of a connection that a listing tells: of an offloaded one not whether it is assured."""
    return status & (SEEN_REPLY | OFFLOAD | HW_OFFLOAD | (0 if status & OFFLOAD else ASSURED))


def test_the_seventh_word_of_a_line_is_the_source_of_tcp_only() -> None:
    # What people count with: cat /proc/net/nf_conntrack | awk '{print $7}' | sed s/src=//g | sort | uniq -c
    right: Counter[bool] = Counter()
    for root in (E5, E6):
        for line in (Path(root) / 'proc/net/nf_conntrack').read_text().splitlines():
            flow = parse_flow(line)
            assert flow is not None
            seventh_is_source = line.split()[6].startswith('src=')
            assert seventh_is_source == (flow.protocol == 6 and not flow.status & OFFLOAD) or flow.protocol == 47
            right[seventh_is_source] += 1
    assert right[False] > 10
    assert right[True] > 10


def test_a_copy_may_be_read_and_a_live_listing_of_an_old_kernel_only_when_it_is_short(tmp_path: Path) -> None:
    root = tree(tmp_path, {'/proc/net/nf_conntrack': LINE, '/proc/sys/kernel/osrelease': '6.1.0-1'})
    assert why_not(root, 10**6) == ''
    # A file of proc has no size.
    (tmp_path / 'proc/net/nf_conntrack').write_bytes(b'')
    assert why_not(root, 100) == ''
    assert 'minutes' in why_not(root, 100_000)
    assert 'minutes' in why_not(root, None)
    (tmp_path / 'proc/sys/kernel/osrelease').write_text('6.16.1')
    assert why_not(root, 10**6) == ''


def test_below_a_mounted_host_the_listing_is_the_hosts(tmp_path: Path) -> None:
    other = LINE.replace('192.0.2.1 ', '192.0.2.99 ')
    root = tree(tmp_path, {'/proc/net/nf_conntrack': LINE, '/proc/1/net/nf_conntrack': other})
    assert [flow.source for flow in read_flows(root)] == [bytes((192, 0, 2, 99))]


def test_no_listing_and_one_that_is_none_are_told(tmp_path: Path) -> None:
    assert 'No such file' in why_not(str(tmp_path), 1)
    (tmp_path / 'proc/net').mkdir(parents=True)
    os.mkfifo(tmp_path / 'proc/net/nf_conntrack')
    assert 'not a regular file' in why_not(str(tmp_path), 1)


@pytest.mark.parametrize(
    'text', ['x\n', LINE[:60] + '\n', '\0' * 20 + '\n', 'ipv4 2 tcp 6 1 X src=a dst=b src=c dst=d\n']
)
def test_a_line_that_is_none_is_an_error_with_its_number(tmp_path: Path, text: str) -> None:
    root = tree(tmp_path, {'/proc/net/nf_conntrack': f'{LINE}\n{text}'})
    with pytest.raises(ReadError, match='line 2 is not a connection'):
        list(read_flows(root))


def test_a_line_without_end_is_an_error(tmp_path: Path) -> None:
    root = tree(tmp_path, {'/proc/net/nf_conntrack': 'x' * 200_000})
    with pytest.raises(ReadError, match='without end'):
        list(read_flows(root))


@given(st.lists(st.sampled_from([*LINE.split(), 'src=x', 'sport=99999', '[OFFLOAD]', '', '=']), max_size=30))
def test_any_words_are_a_connection_or_none(words: list[str]) -> None:
    flow = parse_flow(' '.join(words))
    assert flow is None or len(flow.source) in (4, 16)
