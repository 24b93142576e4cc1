from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tablefull.readers import links
from tablefull.readers.files import ReadError
from tablefull.readers.links import Address, parse_link, parse_psutil, read_addresses, read_links
from tablefull.readers.rtnetlink import parse_address
from tests.unit.readers.netlink import link, recorded
from tests.unit.readers.trees import tree


def own(text: str) -> bytes:
    address = parse_address(text)
    assert address is not None
    return address


def test_recorded_links_tell_who_resolves_neighbours() -> None:
    found = {entry.name: entry for entry in map(parse_link, recorded('links'))}
    assert {name: entry.resolves for name, entry in found.items()} == {
        'lo': False,
        'tun0': False,
        'v0': True,
        'v1': True,
    }
    assert (found['v0'].kind, found['tun0'].kind) == ('veth', 'tun')


@pytest.mark.parametrize(
    'flags, resolves',
    [(0x1043, True), (0x49, False), (0x10D1, False), (0xC1, False), (0x1091, False), (0x82, False)],
    ids=['ethernet', 'loopback', 'tun', 'wireguard', 'ppp', 'ifb'],
)
def test_point_to_point_noarp_and_loopback_links_resolve_nothing(flags: int, resolves: bool) -> None:
    assert parse_link(link(2, 'x', flags)).resolves is resolves


def test_a_vrf_has_a_table_and_its_members_a_master() -> None:
    # This kernel has no VRF (CONFIG_NET_VRF), so the message is put together after include/uapi/linux/if_link.h.
    vrf = parse_link(link(7, 'red', 0x4C1, 'vrf', table=10))
    member = parse_link(link(8, 'eth1', master=7))
    assert (vrf.kind, vrf.table, vrf.resolves, member.master) == ('vrf', 10, False, vrf.number)


@pytest.mark.parametrize(
    'name, address, netmask, expected',
    [
        ('eth0', '192.0.2.10', '255.255.255.0', [Address(own('192.0.2.10'), 'eth0', 24)]),
        ('eth0:1', '192.0.2.11', '255.255.255.0', [Address(own('192.0.2.11'), 'eth0', 24)]),
        ('eth0', 'fe80::1%eth0', 'ffff:ffff:ffff:ffff::', [Address(own('fe80::1'), 'eth0', 64)]),
        ('tun0', '10.8.0.1', '255.255.255.255', [Address(own('10.8.0.1'), 'tun0', 32)]),
        ('eth0', '2001:db8::1', None, [Address(own('2001:db8::1'), 'eth0', 128)]),
        ('eth0', '02:fc:00:00:00:01', None, []),
    ],
)
def test_what_psutil_gives_is_understood(name: str, address: str, netmask: str, expected: list[Address]) -> None:
    assert parse_psutil(name, address, netmask) == expected


def test_the_addresses_of_this_host_come_from_psutil() -> None:
    found = read_addresses()
    assert found is not None and Address(own('127.0.0.1'), 'lo', 8) in found


def test_without_psutil_the_reason_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'psutil', None)
    with pytest.raises(ReadError, match='install python3-psutil'):
        read_addresses()


def test_psutil_that_fails_is_a_read_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise PermissionError(1, 'Operation not permitted')

    broken: ModuleType = SimpleNamespace(net_if_addrs=fail)  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, 'psutil', broken)
    with pytest.raises(ReadError, match='Operation not permitted'):
        read_addresses()


def test_a_tree_without_recordings_has_links_in_sysfs_and_addresses_in_proc(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            '/sys/class/net/eth0/flags': '0x1003\n',
            '/sys/class/net/ppp0/flags': '0x10d1\n',
            '/sys/class/net/odd/flags': 'none\n',
            '/proc/net/fib_trie': 'Main:\n  +-- 0.0.0.0/0 2 0 2\n     |-- 192.0.2.0\n        /24 link UNICAST\n'
            '     |-- 192.0.2.10\n        /32 host LOCAL\n     |-- 192.0.2.255\n        /32 link BROADCAST\n',
            '/proc/net/if_inet6': '20010db8000100000000000000000010 02 40 00 80     eth0\n',
        },
    )
    assert {name: entry.resolves for name, entry in read_links(root).items()} == {
        'eth0': True,
        'ppp0': False,
        'odd': None,
    }
    assert read_addresses(root) == [
        Address(own('192.0.2.10'), '', 32),
        Address(own('2001:db8:1::10'), 'eth0', 64),
    ]


def test_an_empty_tree_tells_neither_links_nor_addresses(tmp_path: Path) -> None:
    assert (read_links(str(tmp_path)), read_addresses(str(tmp_path))) == ({}, None)


def test_without_netlink_links_come_from_sysfs(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*unused: object) -> None:
        raise ReadError('rtnetlink links', 'Operation not permitted', 1)

    monkeypatch.setattr(links, 'dump', refuse)
    assert read_links()['lo'].resolves is False
