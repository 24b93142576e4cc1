"""Counting tracked connections."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tablefull.findings.prefixes import heavy_ranges
from tablefull.readers.files import ReadError
from tablefull.readers.flow_listing import parse_flow
from tablefull.readers.flows import ASSURED, SEEN_REPLY, TCP, Flow, flow_of, flows
from tablefull.readers.tally import BY, Group, Kind, Tally
from tests.unit.readers.connections import connections, end, message
from tests.unit.readers.netlink import RECORDED, recorded

FORMS = st.tuples(st.booleans(), st.booleans(), st.sampled_from([b'', b'ftp', b'sip-20000']))


def datagrams(messages: list[bytes], size: int = 7) -> list[bytes]:
    return [b''.join(messages[start : start + size]) for start in range(0, len(messages), size)] + [end()]


def plain(number: int, source: bytes = b'') -> Flow:
    source = source or b'\x0a' + number.to_bytes(3, 'big')
    reply = (b'\xc0\0\x02\1', source, 443, 1024)
    return Flow(source, b'\xc0\0\x02\1', TCP, 1024, 443, 'ESTABLISHED', 0, 8 | SEEN_REPLY | ASSURED, reply)


def keys(flow: Flow, one_way: bool) -> dict[str, Any]:
    """What the connection counts for, by each way to group."""
    return {
        'source': flow.source,
        'prefix': flow.source,
        'destination': flow.destination,
        'port': (flow.protocol, flow.destination_port),
        'protocol': flow.protocol,
        'zone': (flow.zone, bool(flow.zone) and one_way),
    }


@pytest.mark.parametrize('by', BY)
@pytest.mark.parametrize('kernel', ['6.1', '7.2'])
def test_a_recorded_dump_with_offloaded_connections_counts_as_the_listing_of_the_same_moment(
    kernel: str, by: str
) -> None:
    dumped, listed = Tally(by), Tally(by)
    dumped.count(recorded(f'connections-{kernel}'))
    for line in (RECORDED / f'connections-{kernel}.listing').read_text().splitlines():
        flow = parse_flow(line)
        assert flow is not None
        listed.add(flow)
    assert (dumped.total, dumped.complete) == (listed.total, True)
    assert dumped.largest() == listed.largest()
    assert sorted(dumped.leaves()) == sorted(listed.leaves())


@settings(max_examples=200)
@given(st.lists(st.tuples(connections(), FORMS), max_size=40))
def test_counts_are_those_of_an_independent_count(made: list[tuple[Flow, tuple[bool, bool, bytes]]]) -> None:
    messages = [message(flow, *form) for flow, form in made]
    half_open = [
        not flow.status & SEEN_REPLY or (flow.protocol == TCP and flow.state.startswith('SYN_')) for flow, _ in made
    ]
    for by in BY:
        tally = Tally(by)
        tally.count(datagrams(messages))
        assert (tally.total, tally.complete, tally.low) == (len(made), True, 0)
        assert tally.kinds == Counter(Kind(flow.protocol, flow.status, flow.state) for flow, _ in made)
        if by != 'state':
            found = [keys(flow, form[1])[by] for flow, form in made]
            halves = Counter(key for key, half in zip(found, half_open) if half)
            assert dict(tally.largest()) == {key: Group(n, halves[key]) for key, n in Counter(found).items()}
        counts = [group.flows for _, group in tally.largest()]
        assert sum(counts) == len(made)
        assert counts == sorted(counts, reverse=True)
        assert tally.largest(3) == tally.largest()[:3]


@given(connections(), FORMS)
def test_a_message_is_taken_apart_as_it_was_put_together(flow: Flow, form: tuple[bool, bool, bytes]) -> None:
    assert flow_of(message(flow, *form)) == flow


@given(st.lists(connections(), max_size=30), st.sampled_from(['source', 'destination', 'port', 'zone', 'prefix']))
def test_connections_of_a_listing_count_as_those_of_a_dump(made: list[Flow], by: str) -> None:
    one, other = Tally(by), Tally(by)
    one.count(datagrams([message(flow) for flow in made]))
    for flow in made:
        other.add(flow)
    assert (one.largest(), one.kinds) == (other.largest(), other.kinds)


def test_two_layouts_of_one_length_are_told_apart() -> None:
    # UDP with a zone and the name of a helper is as long as ICMP is.
    udp = plain(1)._replace(protocol=17, state='', zone=5)
    icmp = plain(2)._replace(protocol=1, state='', source_port=None, destination_port=None)
    icmp = icmp._replace(reply=(icmp.destination, icmp.source, None, None))
    names = [name for name in (b'x' * n for n in range(60)) if len(message(udp, name=name)) == len(message(icmp))]
    messages = [message(udp)] if not names else [message(udp, name=names[0])]
    zoned = icmp._replace(zone=7)
    messages += [message(icmp), message(zoned, one_way=True), message(zoned)]
    assert len(message(zoned, one_way=True)) == len(message(zoned))
    tally = Tally('zone')
    tally.count(datagrams(messages * 3))
    assert {key: group.flows for key, group in tally.largest()} == {
        (5, False): 3,
        (0, False): 3,
        (7, True): 3,
        (7, False): 3,
    }


@given(st.lists(st.integers(0, 400), min_size=1, max_size=600), st.integers(4, 30))
def test_too_many_keys_cost_a_bounded_error_and_no_more(numbers: list[int], bound: int) -> None:
    tally = Tally('source', bound)
    tally.count(datagrams([message(plain(number)) for number in numbers], size=3))
    true = Counter(plain(number).source for number in numbers)
    assert tally.total == len(numbers)
    groups = dict(tally.largest())
    assert len(groups) <= bound + 3
    assert tally.low <= 2 * len(numbers) / bound
    for key, n in true.items():
        counted = groups.get(key, Group(0, 0)).flows
        assert n - tally.low <= counted <= n
    for by in ('source', 'prefix'):
        exact = Tally(by, 1000)
        exact.count(datagrams([message(plain(number)) for number in numbers]))
        assert exact.low == 0


@given(st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=300), st.integers(4, 20))
def test_by_prefix_what_is_taken_from_an_address_is_in_its_range(sources: list[bytes], bound: int) -> None:
    tally = Tally('prefix', bound)
    unanswered = [plain(0, source)._replace(status=8) for source in sources]
    tally.count(datagrams([message(flow) for flow in unanswered], size=2))
    leaves = list(tally.leaves())
    assert sum(counted for _, counted, _ in leaves) == len(sources)
    assert sum(half_open for _, _, half_open in leaves) == len(sources)
    assert len(leaves) <= 2 * bound + 2
    for key, counted, _ in leaves:
        assert counted <= sum(source.startswith(key) for source in sources)
    for item in heavy_ranges(leaves, 1, 5):
        network = ip_network((item.address, item.bits))
        true = sum(ip_address(source) in network for source in sources)
        whole = sum(flows for key, flows, _ in leaves if key and _inside(key, network))
        assert whole <= true <= whole + item.missing


def _inside(key: bytes, network: IPv4Network | IPv6Network) -> bool:
    """Of IPv4 keys."""
    return ip_network((key.ljust(4, b'\0'), 8 * len(key))).subnet_of(network)  # type: ignore[arg-type]


def test_unwanted_connections_are_looked_at_and_not_counted() -> None:
    tally = Tally('source', 4, wanted=lambda kind: kind.half_open)
    messages = [message(plain(number)) for number in range(100)] + [message(plain(7)._replace(status=8))]
    tally.count(datagrams(messages))
    assert (tally.total, tally.low) == (1, 0)
    assert tally.largest() == [(plain(7).source, Group(1, 1))]


def test_a_sample_stops_early_and_says_so() -> None:
    tally = Tally('source')
    tally.count(datagrams([message(plain(number)) for number in range(100)]), most=20)
    assert 20 <= tally.total < 30
    assert not tally.complete


def test_it_stops_when_it_is_told_to() -> None:
    told: list[int] = []
    tally = Tally('source')

    def watch(counted: int) -> bool:
        told.append(counted)
        return True

    tally.count(datagrams([message(plain(number)) for number in range(1000)]), watch=watch)
    assert told == [tally.total]
    assert tally.total < 1000
    assert not tally.complete


@pytest.mark.parametrize('kind', [2, 3])
def test_an_error_at_the_end_is_an_error(kind: int) -> None:
    with pytest.raises(ReadError, match='Operation not permitted') as caught:
        Tally('source').count([message(plain(1)), end(1, kind)])
    assert caught.value.permission


@settings(max_examples=300)
@given(st.data())
def test_garbage_is_an_error_or_a_count_and_never_without_end(data: st.DataObject) -> None:
    whole = b''.join(message(flow) for flow in data.draw(st.lists(connections(), min_size=1, max_size=4)))
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + data.draw(st.binary(max_size=8)) + whole[at + data.draw(st.integers(0, 8)) :]
    for by in ('source', 'port', 'zone'):
        tally = Tally(by)
        try:
            tally.count([damaged, end()])
        except ReadError:
            continue
        assert tally.total <= 8


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_noise_is_an_error(noise: bytes) -> None:
    for take in (lambda: Tally('source').count([noise, end()]), lambda: list(flows([noise, end()], 5))):
        try:
            take()
        except ReadError:
            pass


def test_one_by_one_they_come_up_to_a_number() -> None:
    made = [plain(number) for number in range(30)]
    assert list(flows(datagrams([message(flow) for flow in made]), 100)) == made
    assert list(flows(datagrams([message(flow) for flow in made]), 9)) == made[:9]
