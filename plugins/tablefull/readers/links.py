"""Network interfaces and the addresses on them.

Sources: RTM_GETLINK and psutil on the live host; the recordings ip-addr.txt and ip-s-link.txt, /sys/class/net,
/proc/net/fib_trie and /proc/net/if_inet6 in a tree of files.
"""

from __future__ import annotations

import struct

from tablefull.readers.files import ReadError, is_live, list_directory, read_optional, read_text, recording
from tablefull.readers.rtnetlink import GET_LINK, dump, parse_address, parse_attributes, parse_name, parse_u32
from tablefull.record import NamedTuple

UP, LOOPBACK, POINTOPOINT, NOARP = 0x1, 0x8, 0x10, 0x80

_IFLA_IFNAME, _IFLA_MASTER, _IFLA_LINKINFO = 3, 10, 18
_INFO_KIND, _INFO_DATA, _VRF_TABLE = 1, 2, 1
_IFINFOMSG = struct.Struct('=BBHiII')
# IFLA_EXT_MASK with RTEXT_FILTER_SKIP_STATS: a third of the answer, on hosts with thousands of links.
_SKIP_STATISTICS = struct.pack('=HHI', 8, 29, 8)


class Link(NamedTuple):
    """One interface.

    number  the kernel's number of it
    flags   IFF_* bits, None when unknown
    kind    'veth', 'vrf', 'wireguard', ...; '' for hardware and where unknown
    table   routing table of a VRF
    master  number of the bridge, bond or VRF it belongs to, 0 when none or unknown
    """

    name: str
    number: int = 0
    flags: int | None = None
    kind: str = ''
    table: int | None = None
    master: int = 0

    @property
    def resolves(self) -> bool | None:
        """Whether destinations on this link become neighbours: not on loopback, point-to-point and NOARP links."""
        return None if self.flags is None else not self.flags & (LOOPBACK | POINTOPOINT | NOARP)


class Address(NamedTuple):
    """An own address: 4 or 16 bytes, its interface ('' when unknown), and the length of its on-link prefix."""

    address: bytes
    device: str
    length: int


def parse_link(payload: bytes) -> Link:
    """One RTM_NEWLINK message (struct ifinfomsg and attributes). Raises ReadError."""
    attributes = parse_attributes(payload, _IFINFOMSG.size, 'links')
    _, _, _, index, flags, _ = _IFINFOMSG.unpack_from(payload)
    kind, table = '', None
    if _IFLA_LINKINFO in attributes:
        information = parse_attributes(attributes[_IFLA_LINKINFO], 0, 'links')
        kind = parse_name(information.get(_INFO_KIND))
        if kind == 'vrf' and _INFO_DATA in information:
            table = parse_u32(parse_attributes(information[_INFO_DATA], 0, 'links').get(_VRF_TABLE), 'links')
    master = parse_u32(attributes.get(_IFLA_MASTER), 'links') or 0
    return Link(parse_name(attributes.get(_IFLA_IFNAME)), index, flags, kind, table, master)


def read_links(root: str = '/') -> dict[str, Link]:
    """The interfaces by name; empty where the tree does not tell. Raises ReadError."""
    if is_live(root):
        body = _IFINFOMSG.pack(0, 0, 0, 0, 0, 0) + _SKIP_STATISTICS
        try:
            return {link.name: link for link in map(parse_link, dump(GET_LINK, body, 'links').payloads)}
        except ReadError:
            pass  # no netlink here, in some containers
    else:
        path = recording(root, 'ip-addr.txt', 'ip-s-link.txt')
        if path is not None:
            from tablefull.readers.iproute_text import parse_links

            return parse_links(read_text(root, path))
    return {name: Link(name, flags=_flags(root, name)) for name in list_directory(root, '/sys/class/net')}


def _flags(root: str, name: str) -> int | None:
    text = (read_optional(root, f'/sys/class/net/{name}/flags', 64) or '').strip()
    try:
        return int(text, 16)
    except ValueError:
        return None


def read_addresses(root: str = '/') -> list[Address] | None:
    """The own addresses, None where nothing tells. On the live host psutil is imported only now: it is expensive."""
    if is_live(root):
        return _addresses_of_host()
    path = recording(root, 'ip-addr.txt')
    if path is not None:
        from tablefull.readers.iproute_text import parse_addresses

        return parse_addresses(read_text(root, path))
    from tablefull.readers.proc_net import net_directory, parse_fib_trie, parse_if_inet6

    found = []
    trie = read_optional(root, f'{net_directory(root)}/fib_trie')
    if trie is not None:
        found += [Address(address, '', 32) for address in parse_fib_trie(trie)]
    inet6 = read_optional(root, f'{net_directory(root)}/if_inet6')
    if inet6 is not None:
        found += [Address(*entry) for entry in parse_if_inet6(inet6)]
    return found or None


def read_sources(root: str) -> list[Address]:
    """Own IPv4 addresses that the kernel's routes name in ip-route.txt of a tree: not always all. Raises ReadError."""
    path = None if is_live(root) else recording(root, 'ip-route.txt')
    if path is None:
        return []
    from tablefull.readers.iproute_text import parse_sources

    return parse_sources(read_text(root, path))


def _addresses_of_host() -> list[Address]:
    try:
        import psutil

        interfaces = psutil.net_if_addrs()
    except ImportError:
        raise ReadError('addresses of this host', 'psutil is missing, install python3-psutil') from None
    except OSError as error:
        raise ReadError('addresses of this host', error.strerror or str(error), error.errno) from None
    return [
        found
        for name, entries in interfaces.items()
        for entry in entries
        for found in parse_psutil(name, entry.address, entry.netmask)
    ]


def parse_psutil(name: str, address: str, netmask: str | None) -> list[Address]:
    """One entry of psutil.net_if_addrs(); [] for what is no IP address.

    An address with a label stands under the label ('eth0:1'), and a link-local one carries its scope ('fe80::1%eth0').
    """
    own = parse_address(address.partition('%')[0])
    if own is None:
        return []
    mask = parse_address(netmask or '')
    length = bin(int.from_bytes(mask, 'big')).count('1') if mask and len(mask) == len(own) else 8 * len(own)
    return [Address(own, name.partition(':')[0], length)]
