"""The text files of /proc/net about neighbours, routes and addresses: what there is where netlink cannot be asked."""

from __future__ import annotations

import sys

from tablefull.readers.files import ReadError
from tablefull.readers.files import net_directory as net_directory
from tablefull.readers.statistics import parse_hexadecimal


def parse_arp(text: str, path: str = '/proc/net/arp') -> list[tuple[str, int, str]]:
    """/proc/net/arp: (address, ATF flags, device). NOARP entries are not in it. Raises ReadError.

    Flags 0x0 is unresolved, 0x2 complete, 0x6 permanent, 0xc a proxy entry, which is not in the table itself.
    """
    lines = text.splitlines()
    if not lines or not lines[0].startswith('IP address'):
        raise ReadError(path, 'no header')
    entries = []
    for line in lines[1:]:
        words = line.split()
        if len(words) != 6 or not words[2].startswith('0x'):
            raise ReadError(path, 'a line of another form')
        entries.append((words[0], parse_hexadecimal(words[2][2:], path), words[5]))
    return entries


def parse_route(text: str, path: str = '/proc/net/route') -> list[tuple[str, bytes, int, bytes, int, int]]:
    """/proc/net/route: (device, destination, prefix length, gateway, RTF flags, metric) of IPv4's main table.

    The addresses are printed as numbers of the host's byte order. Raises ReadError.
    """
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines or lines[0][:4] != ['Iface', 'Destination', 'Gateway', 'Flags'] or 'Mask' not in lines[0]:
        raise ReadError(path, 'no header of column names')
    routes = []
    for words in lines[1:]:
        if len(words) != len(lines[0]):
            raise ReadError(path, 'a line of another form')
        row = dict(zip(lines[0], words))
        destination, gateway, mask = (
            (parse_hexadecimal(row[column], path) & 0xFFFFFFFF).to_bytes(4, sys.byteorder)
            for column in ('Destination', 'Gateway', 'Mask')
        )
        length = bin(int.from_bytes(mask, 'big')).count('1')
        metric = row.get('Metric', '0')
        if not (metric.isascii() and metric.isdigit()):
            raise ReadError(path, 'a metric that is no number')
        flags = parse_hexadecimal(row['Flags'], path)
        routes.append((row['Iface'], destination, length, gateway, flags, int(metric[:10])))
    return routes


def parse_ipv6_route(text: str, path: str = '/proc/net/ipv6_route') -> list[tuple[str, bytes, int, bytes, int, int]]:
    """/proc/net/ipv6_route: (device, destination, prefix length, gateway, RTF flags, metric) of all tables.

    Source: rt6_info_route(). Raises ReadError.
    """
    routes = []
    for line in text.splitlines():
        words = line.split()
        if len(words) != 10 or len(words[0]) != 32 or len(words[4]) != 32:
            raise ReadError(path, 'a line of another form')
        try:
            destination, gateway = bytes.fromhex(words[0]), bytes.fromhex(words[4])
        except ValueError:
            raise ReadError(path, 'not a hexadecimal address') from None
        length, metric, flags = (parse_hexadecimal(words[index], path) for index in (1, 5, 8))
        if length > 128:
            raise ReadError(path, f'a prefix of {length} bits')
        routes.append((words[9], destination, length, gateway, flags, metric))
    return routes


def parse_if_inet6(text: str, path: str = '/proc/net/if_inet6') -> list[tuple[bytes, str, int]]:
    """/proc/net/if_inet6: (address, device, prefix length). Raises ReadError."""
    addresses = []
    for line in text.splitlines():
        words = line.split()
        try:
            if len(words) != 6 or len(words[0]) != 32:
                raise ValueError
            addresses.append((bytes.fromhex(words[0]), words[5], parse_hexadecimal(words[2], path)))
        except ValueError:
            raise ReadError(path, 'a line of another form') from None
    return addresses


def parse_fib_trie(text: str) -> set[bytes]:
    """The own IPv4 addresses in /proc/net/fib_trie: leaves ('|-- 192.0.2.10') with a line '/32 host LOCAL' below."""
    from tablefull.readers.rtnetlink import parse_address

    addresses = set()
    leaf: bytes | None = None
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ['|--'] and len(words) == 2:
            leaf = parse_address(words[1])
        elif words == ['/32', 'host', 'LOCAL'] and leaf is not None and len(leaf) == 4:
            addresses.add(leaf)
    return addresses
