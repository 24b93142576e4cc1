from __future__ import annotations

import random
from pathlib import Path
from typing import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull.readers import iproute_text
from tablefull.readers.files import ReadError
from tablefull.readers.iproute_text import parse_addresses, parse_links, parse_neighbours, parse_routes
from tablefull.readers.links import Address
from tablefull.readers.neighbours import EXT_LEARNED, FAILED, NOARP, PERMANENT, REACHABLE
from tablefull.readers.routes import Hop, Route
from tablefull.readers.rtnetlink import parse_address

FIXTURES = Path(__file__).parents[2] / 'fixtures'
ADDRESSES = """\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
2: eth0@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    link/ether 1a:bd:5c:6a:95:5d brd ff:ff:ff:ff:ff:ff link-netns gw
    inet 192.0.2.10/24 brd 192.0.2.255 scope global eth0
    inet6 fe80::18bd:5cff:fe6a:955d/64 scope link
4: ppp0: <POINTOPOINT,MULTICAST,NOARP,UP,LOWER_UP> mtu 1492 qdisc fq_codel state UNKNOWN group default qlen 3
    link/ppp
    inet 10.8.0.1 peer 10.8.0.2/32 scope global ppp0
"""


def ip(text: str) -> bytes:
    address = parse_address(text)
    assert address is not None
    return address


def test_links_have_their_name_without_the_peer_and_their_flags() -> None:
    assert {name: link.resolves for name, link in parse_links(ADDRESSES).items()} == {
        'lo': False,
        'eth0': True,
        'ppp0': False,
    }


def test_addresses_stand_under_their_interface_and_peers_are_not_own() -> None:
    assert parse_addresses(ADDRESSES) == [
        Address(ip('127.0.0.1'), 'lo', 8),
        Address(ip('192.0.2.10'), 'eth0', 24),
        Address(ip('fe80::18bd:5cff:fe6a:955d'), 'eth0', 64),
        Address(ip('10.8.0.1'), 'ppp0', 32),
    ]


def test_a_recording_without_any_interface_is_a_read_error() -> None:
    with pytest.raises(ReadError, match='no interface'):
        parse_links('')


@pytest.mark.parametrize(
    'line, hops',
    [
        ('default via 192.0.2.1 dev eth0 ', (Hop('eth0', ip('192.0.2.1')),)),
        ('default dev eth0 scope link ', (Hop('eth0'),)),
        ('default via 172.31.1.1 dev eth0 onlink', (Hop('eth0', ip('172.31.1.1'), onlink=True),)),
        ('default via inet6 fe80::1 dev eth0 proto bgp', (Hop('eth0', ip('fe80::1')),)),
        ('default nhid 7 via 192.0.2.1 dev eth0', (Hop('eth0', ip('192.0.2.1')),)),
        ('default encap ip id 7 dst 10.0.0.1 dev vxlan0', (Hop('vxlan0', None, tunnel=True),)),
        ('default via 192.0.2.1 dev eth0 dead linkdown', ()),
        ('default nhid 7', ()),
    ],
)
def test_a_default_route_is_read_in_all_its_forms(line: str, hops: tuple[Hop, ...]) -> None:
    assert parse_routes(line + '\n', 4) == [Route(bytes(4), 0, hops)]


def test_next_hops_stand_on_lines_of_their_own() -> None:
    text = (
        'default proto static metric 20 \n'
        '\tnexthop via 192.0.2.1 dev eth0 weight 1 \n'
        '\tnexthop dev ppp0 weight 1 \n'
        '\tnexthop via 192.0.2.3 dev eth1 weight 1 dead linkdown \n'
    )
    (route,) = parse_routes(text, 4)
    assert (route.metric, route.hops) == (20, (Hop('eth0', ip('192.0.2.1')), Hop('ppp0')))


def test_unreachable_defaults_are_no_defaults() -> None:
    text = (
        'unreachable default dev lo metric 4294967295 error -101\n'
        'blackhole 10.0.0.0/8 \n'
        'multicast ff00::/8 dev eth0 table local\n'
        '\tnexthop dev eth0 weight 1\n'
    )
    assert parse_routes(text, 6) == []


def test_prefixes_tables_and_abbreviations_are_read() -> None:
    text = '10/8 via 192.0.2.1 dev eth0 table 100 metric 5\nlocal 192.0.2.10 dev eth0 table local proto kernel\n'
    assert parse_routes(text, 4) == [
        Route(ip('10.0.0.0'), 8, (Hop('eth0', ip('192.0.2.1')),), 100, 5),
        Route(ip('192.0.2.10'), 32, (Hop('eth0'),), 255, 0, True),
    ]


@pytest.mark.parametrize(
    'line',
    [
        'default via',
        'default via 192.0.2.1',
        'default via 192.0.2.1 dev',
        'default via x dev eth0',
        '999.1.1.1 dev e',
        '10.0.0.0/99 dev e',
        '::/0 dev e',
    ],
)
def test_a_line_that_is_cut_off_is_a_read_error_and_never_a_missing_gateway(line: str) -> None:
    with pytest.raises(ReadError, match=r'of another form|cut off'):
        parse_routes(line, 4)


def test_states_of_neighbours_are_words_wherever_they_stand() -> None:
    text = (
        '192.0.2.1 dev eth0 lladdr 12:54:7f:f4:eb:ab  ref 1 used 3/3/3probes 4 REACHABLE \n'
        '192.0.2.2 dev eth0  used 3/3/3probes 6 FAILED\n'
        '192.0.2.3 dev eth0 lladdr 02:00:00:00:00:01 extern_learn  used 3/3/3probes 0 NOARP \n'
        'fe80::1 dev eth0 lladdr 12:54:7f:f4:eb:ab router used 1/1/1probes 1 PERMANENT\n'
        '192.0.2.9 dev eth0 proxy\n'
    )
    assert parse_neighbours(text) == [
        (ip('192.0.2.1'), 'eth0', REACHABLE, 0),
        (ip('192.0.2.2'), 'eth0', FAILED, 0),
        (ip('192.0.2.3'), 'eth0', NOARP, EXT_LEARNED),
        (ip('fe80::1'), 'eth0', PERMANENT, 0),
    ]


@pytest.mark.parametrize('line', ['garbage', '192.0.2.1', '192.0.2.1 eth0 dev', '192.0.2 dev eth0 STALE'])
def test_a_line_that_is_no_neighbour_is_a_read_error(line: str) -> None:
    with pytest.raises(ReadError, match='ip-s-neigh'):
        parse_neighbours(line)


@pytest.mark.parametrize('case', sorted(path.parent.name for path in FIXTURES.glob('D*/ip-addr.txt')))
def test_captured_recordings_are_understood(case: str) -> None:
    tree = FIXTURES / case
    assert set(parse_links((tree / 'ip-addr.txt').read_text())) == {'lo', 'eth0'}
    assert len(parse_addresses((tree / 'ip-addr.txt').read_text())) == 5
    assert parse_routes((tree / 'ip-route.txt').read_text(), 4)[0].length == 0
    assert parse_routes((tree / 'ip6-route.txt').read_text(), 6)[-1].length == 0
    parse_neighbours((tree / 'ip-s-neigh.txt').read_text())


PARSERS: list[Callable[[str], object]] = [
    parse_links,
    parse_addresses,
    parse_neighbours,
    lambda text: parse_routes(text, 4),
    lambda text: parse_routes(text, 6),
]


def test_ten_thousand_mutated_recordings_are_facts_or_a_read_error() -> None:
    chance = random.Random(5)
    good = [
        ADDRESSES,
        '192.0.2.1 dev eth0 lladdr 12:54:7f:f4:eb:ab  ref 1 used 3/3/3probes 4 REACHABLE \n',
        'default proto static \n\tnexthop via 192.0.2.1 dev eth0 weight 1\n10/8 via 192.0.2.1 dev eth0 metric 7\n',
    ]
    for _ in range(10_000):
        text = list(chance.choice(good))
        for _ in range(chance.randint(1, 6)):
            where = chance.randrange(len(text))
            text[where : where + chance.randint(0, 20)] = chance.choice(
                ['', '\0', '|', '\n', ' ', 'via', ' dev ', '٣', 'x' * 99, '/', '9' * 30, ' metric ', '\n\tnexthop ']
            )
        for parse in PARSERS:
            try:
                parse(''.join(text))
            except ReadError:
                pass


@given(st.text(max_size=200))
def test_any_text_is_facts_or_a_read_error(text: str) -> None:
    for parse in PARSERS:
        try:
            parse(text)
        except ReadError:
            pass


def test_only_routes_of_the_kernel_tell_own_addresses() -> None:
    text = (
        'default via 192.0.2.1 dev eth0 proto dhcp src 192.0.2.11 metric 100\n'
        '192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.10 metric 100 \n'
        '10.0.0.2 dev tun0 proto kernel scope link src\n'
    )
    assert iproute_text.parse_sources(text) == [Address(bytes((192, 0, 2, 10)), 'eth0', 32)]


def test_a_vrf_and_what_belongs_to_it_are_told_by_the_details() -> None:
    text = (
        '1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN\n'
        '4: red: <NOARP,MASTER,UP,LOWER_UP> mtu 65575 qdisc noqueue state UP group default qlen 1000\n'
        '    link/ether 5e:0b:7c:1d:2a:31 brd ff:ff:ff:ff:ff:ff promiscuity 0\n'
        '    vrf table 10 addrgenmode eui64 numtxqueues 1\n'
        '5: eth1@if6: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc noqueue master red state UP group default\n'
    )
    links = parse_links(text)
    assert (links['red'].kind, links['red'].table, links['red'].master) == ('vrf', 10, 0)
    assert (links['eth1'].master, links['eth1'].table) == (4, None)
