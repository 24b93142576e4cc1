from __future__ import annotations

import random
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull.readers import routes
from tablefull.readers.files import ReadError
from tablefull.readers.links import Link
from tablefull.readers.routes import Hop, Route, parse_message, parse_rule, read_routes
from tablefull.readers.rtnetlink import GET_ROUTE, GET_RULE, Dump, parse_address
from tests.unit.readers import netlink
from tests.unit.readers.netlink import attribute, recorded, survives, u32
from tests.unit.readers.trees import tree

NAMES = {2: 'v1', 3: 'v0', 4: 'tun0'}
ANY, ANY6 = bytes(4), bytes(16)


def ip(text: str) -> bytes:
    address = parse_address(text)
    assert address is not None
    return address


def recorded_routes(name: str) -> dict[tuple[str, int], Route]:
    found = [parse_message(payload, NAMES) for payload in recorded(name)]
    return {(str(list(route.destination)), route.table): route for route in found if route and not route.local}


def by(name: str, destination: str, table: int = 254) -> Route:
    return recorded_routes(name)[str(list(ip(destination))), table]


def test_a_default_route_has_a_gateway_and_a_device() -> None:
    assert by('routes4', '0.0.0.0').hops == (Hop('v0', ip('192.0.2.1')),)


def test_a_route_without_gateway_has_none() -> None:
    assert by('routes4', '172.31.1.1').hops == (Hop('v0'),)
    assert by('routes4', '0.0.0.0', 100).hops == (Hop('tun0'),)


def test_each_next_hop_of_a_multipath_route_counts() -> None:
    assert by('routes4', '198.51.100.0').hops == (Hop('v0', ip('192.0.2.1')), Hop('v0', ip('192.0.2.2')))


def test_an_ipv4_route_may_have_an_ipv6_gateway() -> None:
    assert by('routes4', '203.0.113.0').hops == (Hop('v0', ip('fe80::5')),)


def test_onlink_and_the_metric_are_seen() -> None:
    route = by('routes4', '10.9.9.0')
    assert (route.hops, route.metric) == ((Hop('v0', ip('172.16.0.1'), onlink=True),), 7)


def test_a_next_hop_object_shows_its_gateway_too() -> None:
    # Unless net.ipv4.nexthop_compat_mode is 0: then the route has no hop at all, and is not judged.
    assert by('routes4', '10.10.0.0').hops == (Hop('v0', ip('192.0.2.1')),)
    hidden = parse_message(netlink.route(ANY, 0, u32(30, 7)), NAMES)
    assert hidden is not None and hidden.hops == ()


def test_unreachable_and_blackhole_routes_are_none() -> None:
    assert (str(list(ip('10.66.0.0'))), 254) not in recorded_routes('routes4')
    assert parse_message(netlink.route(ANY6, 0, u32(4, 1), kind=7), NAMES) is None
    assert parse_message(netlink.route(ANY, 0, kind=6), NAMES) is None


def test_a_default_by_a_link_local_gateway_is_read() -> None:
    assert by('routes6', '::').hops == (Hop('v0', ip('fe80::1')),)


def test_own_addresses_are_local_routes() -> None:
    found = [parse_message(payload, NAMES) for payload in recorded('routes4')]
    assert ip('192.0.2.10') in {route.destination for route in found if route and route.local}


def test_dead_hops_and_cached_clones_do_not_count() -> None:
    dead = parse_message(netlink.route(ANY, 0, u32(4, 3), flags=1), NAMES)
    assert dead is not None and dead.hops == ()
    assert parse_message(netlink.route(ANY6, 0, u32(4, 3), flags=0x200), NAMES) is None
    hops = b''.join(struct.pack('=HBBi', 8, flags, 0, 3) for flags in (1, 0))
    multipath = parse_message(netlink.route(ANY, 0, attribute(9, hops)), NAMES)
    assert multipath is not None and multipath.hops == (Hop('v0'),)


def test_a_hop_whose_link_is_down_counts_unless_the_kernel_ignores_it() -> None:
    # RTNH_F_LINKDOWN is 16; with ignore_routes_with_linkdown RTNH_F_DEAD comes with it.
    for flags, hops in ((16, (Hop('v0'),)), (17, ())):
        down = parse_message(netlink.route(ANY, 0, u32(4, 3), flags=flags), NAMES)
        assert down is not None and down.hops == hops


def test_a_tunnel_over_a_link_is_no_missing_gateway() -> None:
    route = parse_message(netlink.route(ANY, 0, u32(4, 3), attribute(21, b'\x02\0')), NAMES)
    assert route is not None and route.hops[0].tunnel


def test_tables_above_255_stand_in_an_attribute() -> None:
    route = parse_message(netlink.route(ANY, 0, u32(4, 3), table=51820), NAMES)
    assert route is not None and route.table == 51820


@pytest.mark.parametrize(
    'payload',
    [
        netlink.route(ANY, 0, u32(4, 3))[:10],
        netlink.route(ANY, 0, u32(4, 3), attribute(5, ip('192.0.2.1')))[:-3],
        netlink.route(ANY, 0, u32(4, 3), attribute(5, b'abc')),
        netlink.route(ANY, 0, attribute(9, struct.pack('=HBBi', 80, 0, 0, 3))),
        netlink.route(ANY, 0, attribute(9, struct.pack('=HBBi', 0, 0, 0, 3))),
        netlink.route(ANY, 0, attribute(4, b'ab')),
        netlink.route(ANY, 33, u32(4, 3)),
    ],
)
def test_a_damaged_route_is_a_read_error_and_never_one_without_gateway(payload: bytes) -> None:
    with pytest.raises(ReadError):
        parse_message(payload, NAMES)


def test_rules_lead_to_tables_unless_they_refuse() -> None:
    assert [parse_rule(payload) for payload in recorded('rules4')] == [255, None, 100, 254, 253]


def answers(monkeypatch: pytest.MonkeyPatch, found: dict[int, list[bytes]], complete: bool = True) -> None:
    """Let the kernel answer IPv4 questions with `found`, and IPv6 ones with nothing."""

    def dump(request: int, body: bytes, what: str, most: int = 0) -> Dump:
        if request == GET_RULE and request not in found:
            raise ReadError('rtnetlink routing rules', 'Operation not supported', 95)
        return Dump(found[request] if body[0] == 2 else [], complete)

    monkeypatch.setattr(routes, 'dump', dump)


def test_a_family_the_kernel_does_not_know_is_answered_with_all_others_and_those_are_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # ipv6.disable=1: RTM_GETROUTE of an unregistered family falls back to rtnl_dump_all().
    found = {GET_ROUTE: [netlink.route(ANY, 0, u32(4, 3))], GET_RULE: recorded('rules4')}
    monkeypatch.setattr(routes, 'dump', lambda request, body, what, most=0: Dump(found[request]))
    answered = read_routes('/', {})
    assert [route.destination for route in answered.entries] == [ANY]
    assert answered.families == (4,)


def test_a_family_without_any_route_has_answered_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, {GET_ROUTE: recorded('routes4'), GET_RULE: recorded('rules4')})
    assert read_routes('/', {}).families == (4, 6)


def test_rules_of_another_family_lead_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = netlink.route(ANY6, 0, u32(4, 3), table=100)
    rules = {2: recorded('rules4'), 10: recorded('rules4')}
    monkeypatch.setattr(
        routes, 'dump', lambda request, body, what, most=0: Dump(rules[body[0]] if request == GET_RULE else [bad])
    )
    assert read_routes('/', {}).entries == []


def test_a_table_that_no_rule_leads_to_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = netlink.route(ANY, 0, u32(4, 3), table=100)
    answers(monkeypatch, {GET_ROUTE: [bad], GET_RULE: recorded('rules4')[:1]})
    assert read_routes('/', {}).entries == []
    answers(monkeypatch, {GET_ROUTE: [bad], GET_RULE: recorded('rules4')})
    assert [route.table for route in read_routes('/', {}).entries] == [100]


def test_the_table_of_a_vrf_needs_no_rule_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, {GET_ROUTE: [netlink.route(ANY, 0, u32(4, 3), table=10)], GET_RULE: []})
    assert len(read_routes('/', {'red': Link('red', 7, 0x4C1, 'vrf', 10)}).entries) == 1


def test_a_kernel_without_policy_routing_has_its_three_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, {GET_ROUTE: [netlink.route(ANY, 0, u32(4, 3), table=table) for table in (254, 100)]})
    assert [route.table for route in read_routes('/', {}).entries] == [254]


def test_a_routing_table_that_is_too_large_is_said_to_be_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, {GET_ROUTE: recorded('routes4'), GET_RULE: recorded('rules4')}, complete=False)
    assert not read_routes('/', {}).complete


def as_number(text: str) -> str:
    return f'{int.from_bytes(ip(text), sys.byteorder):08X}'


def test_proc_net_route_has_addresses_in_the_byte_order_of_the_host(tmp_path: Path) -> None:
    number = as_number('192.0.2.1')
    mask = as_number('255.255.255.0')
    net = as_number('192.0.2.0')
    text = (
        'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT   \n'
        f'eth0\t00000000\t{number}\t0003\t0\t0\t100\t00000000\t0\t0\t0   \n'
        f'eth0\t{net}\t00000000\t0001\t0\t0\t0\t{mask}\t0\t0\t0   \n'
        '*\t00000000\t00000000\t0200\t0\t0\t9999\t00000000\t0\t0\t0   \n'
    )
    found = read_routes(tree(tmp_path, {'/proc/net/route': text}), {})
    assert found.families == (4,)
    assert found.entries == [
        Route(ANY, 0, (Hop('eth0', ip('192.0.2.1')),), metric=100),
        Route(ip('192.0.2.0'), 24, (Hop('eth0'),)),
    ]


IPV6_ROUTE = (
    '{destination} {length:02x} 00000000000000000000000000000000 00 {gateway} {metric:08x} 00000001 00000000 '
    '{flags:08x}     {device}\n'
)


def ipv6_line(destination: str, length: int, gateway: str, flags: int, device: str = 'eth0', metric: int = 1024) -> str:
    return IPV6_ROUTE.format(
        destination=ip(destination).hex(),
        length=length,
        gateway=ip(gateway).hex(),
        flags=flags,
        device=device,
        metric=metric,
    )


def test_proc_net_ipv6_route_leaves_out_what_rejects_and_caches(tmp_path: Path) -> None:
    text = (
        ipv6_line('::', 0, 'fe80::1', 0x450003)
        + ipv6_line('::', 0, '::', 0x200200, 'lo', 0xFFFFFFFF)
        + ipv6_line('2001:db8::5', 128, 'fe80::1', 0x1000003)
        + ipv6_line('2001:db8:1::', 64, '::', 0x1)
        + ipv6_line('2001:db8:1::10', 128, '::', 0x80200001, 'lo')
    )
    found = read_routes(tree(tmp_path, {'/proc/net/ipv6_route': text}), {})
    assert found.entries == [
        Route(ANY6, 0, (Hop('eth0', ip('fe80::1')),), metric=1024),
        Route(ip('2001:db8:1::'), 64, (Hop('eth0'),), metric=1024),
        Route(ip('2001:db8:1::10'), 128, (Hop('lo'),), metric=1024, local=True),
    ]


@pytest.mark.parametrize(
    'file, text',
    [
        ('/proc/net/route', ''),
        ('/proc/net/route', 'garbage\n'),
        ('/proc/net/route', 'Iface Destination Gateway Flags Metric Mask\neth0 00000000\n'),
        ('/proc/net/route', 'Iface Destination Gateway Flags Metric Mask\neth0 0000000z 0 0 0 0\n'),
        ('/proc/net/route', 'Iface Destination Gateway Flags Metric Mask\neth0 0 0 0 x 0\n'),
        ('/proc/net/ipv6_route', 'garbage\n'),
        ('/proc/net/ipv6_route', ipv6_line('::', 0, '::', 1).replace('0', 'z')),
        ('/proc/net/ipv6_route', ipv6_line('::', 129, '::', 1)),
    ],
)
def test_a_damaged_file_is_a_read_error(tmp_path: Path, file: str, text: str) -> None:
    with pytest.raises(ReadError, match=f'{file}: '):
        read_routes(tree(tmp_path, {file: text}), {})


def test_ten_thousand_mutated_messages_are_routes_or_a_read_error() -> None:
    chance = random.Random(3)
    payloads = recorded('routes4') + recorded('routes6')
    for _ in range(10_000):
        data = bytearray(chance.choice(payloads))
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        found = survives(lambda payload: parse_message(payload, NAMES), bytes(data))
        assert found is None or found.length <= 8 * len(found.destination)
        survives(parse_rule, bytes(data))


@given(st.binary(max_size=120))
def test_any_bytes_are_a_route_or_a_read_error(data: bytes) -> None:
    survives(lambda payload: parse_message(payload, NAMES), data)
    survives(parse_rule, data)
