"""What iproute2 prints: the recordings ip-addr.txt, ip-s-link.txt, ip[6]-route.txt and ip-s-neigh[6].txt of a tree.

Only for captured trees; nothing here runs `ip`. Source of the forms: iproute2's ipaddress.c, iproute.c, ipneigh.c.
"""

from __future__ import annotations

import re

from tablefull.readers import links, neighbours
from tablefull.readers.files import ReadError
from tablefull.readers.links import Address, Link
from tablefull.readers.routes import MAIN, Hop, Route
from tablefull.readers.rtnetlink import parse_address

_LINK = re.compile(r'(\d{1,10}): ([^:@\s]+)(?:@\S+)?: <([A-Z0-9_,-]*)>')
_BITS = {'UP': links.UP, 'LOOPBACK': links.LOOPBACK, 'POINTOPOINT': links.POINTOPOINT, 'NOARP': links.NOARP}
_STATES = {
    'INCOMPLETE': neighbours.INCOMPLETE,
    'REACHABLE': neighbours.REACHABLE,
    'STALE': 0x04,
    'DELAY': 0x08,
    'PROBE': 0x10,
    'FAILED': neighbours.FAILED,
    'NOARP': neighbours.NOARP,
    'PERMANENT': neighbours.PERMANENT,
}
_KINDS = frozenset(
    ('unicast', 'local', 'broadcast', 'multicast', 'anycast', 'blackhole', 'unreachable', 'prohibit', 'throw', 'nat')
)
_TABLES = {'main': MAIN, 'default': 253, 'local': 255}


def _number(word: str) -> int:
    return int(word) if word.isascii() and word.isdigit() and len(word) <= 10 else 0


def parse_links(text: str, path: str = 'ip-addr.txt') -> dict[str, Link]:
    """Interfaces of `ip addr` or `ip link`, by name; with -d also VRFs. Raises ReadError: every host has lo."""
    found: dict[str, Link] = {}
    masters: dict[str, str] = {}
    name = ''
    for line in text.splitlines():
        match = _LINK.match(line)
        words = line.split()
        if match:
            index, name, flags = match.groups()
            found[name] = Link(name, int(index), sum(bit for word, bit in _BITS.items() if word in flags.split(',')))
            masters[name] = _after(words, 'master')
        elif name and words[:2] == ['vrf', 'table'] and len(words) > 2:
            found[name] = found[name]._replace(kind='vrf', table=_number(words[2]))
    if not found:
        raise ReadError(path, 'no interface in it')
    for name, master in masters.items():
        if master in found:
            found[name] = found[name]._replace(master=found[master].number)
    return found


def parse_addresses(text: str, path: str = 'ip-addr.txt') -> list[Address]:
    """The own addresses in `ip addr`: 'inet 192.0.2.10/24 ...', 'inet 10.0.0.1 peer 10.0.0.2/32 ...'."""
    found = []
    device = ''
    for line in text.splitlines():
        match = _LINK.match(line)
        words = line.split()
        if match:
            device = match.group(2)
        elif len(words) > 1 and words[0] in ('inet', 'inet6'):
            word, _, length = words[1].partition('/')
            address = parse_address(word)
            if address is None:
                raise ReadError(path, 'an address of another form')
            whole = 8 * len(address)
            found.append(Address(address, device, min(whole, _number(length)) if length else whole))
    return found


def parse_neighbours(text: str, path: str = 'ip-s-neigh.txt') -> list[tuple[bytes, str, int, int]]:
    """(address, device, NUD state, NTF flags) of `ip -s neigh show nud all`; proxy entries are left out.

    With -s the counter of probes sticks to the times ('used 3/3/3probes 4'), so the words count, not their places.
    """
    found = []
    for line in text.splitlines():
        words = line.split()
        if not words or 'proxy' in words:
            continue
        address = parse_address(words[0])
        if address is None or len(words) < 3 or words[1] != 'dev':
            raise ReadError(path, 'a line of another form')
        flags = neighbours.EXT_LEARNED if 'extern_learn' in words else 0
        flags |= neighbours.EXT_VALIDATED if 'extern_valid' in words else 0
        found.append((address, words[2], sum(_STATES.get(word, 0) for word in set(words[3:])), flags))
    return found


def parse_routes(text: str, family: int, path: str = 'ip-route.txt') -> list[Route]:
    """The unicast and local routes of `ip route` or `ip -6 route` (`family` 4 or 6). Raises ReadError.

    Next hops of a multipath route follow on lines of their own, which begin with white space.
    """
    found: list[Route] = []
    wanted = False
    for line in text.splitlines():
        words = line.split()
        if not words:
            continue
        if line[0] in ' \t':
            if wanted and words[0] == 'nexthop' and not {'dead', 'offline'} & set(words):
                found[-1] = found[-1]._replace(hops=(*found[-1].hops, _hop(words, path)))
            continue
        kind = words.pop(0) if words[0] in _KINDS else 'unicast'
        wanted = kind in ('unicast', 'local')
        if wanted:
            found.append(_route(words, kind, family, path))
    return found


def parse_sources(text: str) -> list[Address]:
    """The own addresses that routes of the kernel prefer, as in '... dev eth0 proto kernel scope link src 192.0.2.10'.

    The kernel makes such a route for the first address of each network, and takes it away with the address.
    """
    found = []
    for line in text.splitlines():
        words = line.split()
        address = parse_address(_after(words, 'src')) if _after(words, 'proto') == 'kernel' else None
        if address is not None:
            found.append(Address(address, _after(words, 'dev'), 8 * len(address)))
    return found


def _route(words: list[str], kind: str, family: int, path: str) -> Route:
    size = 4 if family == 4 else 16
    if not words:
        raise ReadError(path, 'a line of another form')
    if words[0] == 'default':
        destination, length = bytes(size), 0
    else:
        word, _, bits = words[0].partition('/')
        address = parse_address(_whole(word) if family == 4 else word)
        if address is None or len(address) != size or _number(bits) > 8 * size:
            raise ReadError(path, 'a line of another form')
        destination, length = address, _number(bits) if bits else 8 * size
    table = _after(words, 'table')
    hops = (_hop(words, path),) if {'dev', 'via'} & set(words) and 'dead' not in words else ()
    number = _TABLES.get(table, _number(table)) if table else MAIN
    return Route(destination, length, hops, number, _number(_after(words, 'metric')), kind == 'local')


def _whole(word: str) -> str:
    """'10.0.0.0' for '10', as old iproute2 abbreviates."""
    return '.'.join([*word.split('.'), '0', '0', '0'][:4])


def _after(words: list[str], key: str) -> str:
    """The word after `key`, '' when there is none."""
    return words[words.index(key) + 1] if key in words[:-1] else ''


def _hop(words: list[str], path: str) -> Hop:
    gateway = _after(words, 'via')
    if gateway in ('inet', 'inet6'):
        gateway = _after(words, gateway)
    address = parse_address(gateway) if gateway else None
    if 'via' in words and address is None:
        raise ReadError(path, 'a gateway of another form')
    device = _after(words, 'dev')
    if not device:
        raise ReadError(path, 'a line that is cut off')
    return Hop(device, address, 'onlink' in words, 'encap' in words)
