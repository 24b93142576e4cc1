"""The sockets of this network namespace and its addresses, from psutil, which is imported by nobody else's doing.

It reads /proc/net/tcp, udp and their IPv6 twins, and asks for the addresses by getifaddrs(3).
"""

from __future__ import annotations

from tablefull.readers.files import ReadError
from tablefull.readers.flows import TCP, UDP
from tablefull.readers.rtnetlink import parse_address
from tablefull.record import NamedTuple

_STREAM = 1  # SOCK_STREAM
_MAPPED = bytes(10) + b'\xff\xff'


class Sockets(NamedTuple):
    """What this host itself holds.

    connected  (protocol, own address, own port, address and port of the other side)
    bound      (protocol, own address, own port) of those that take from everybody; b'' is any address
    addresses  of all interfaces
    """

    connected: frozenset[tuple[int, bytes, int, bytes, int]]
    bound: frozenset[tuple[int, bytes, int]]
    addresses: frozenset[bytes]


def read_sockets() -> Sockets:
    """All of them, for whoever asks. Raises ReadError."""
    import psutil  # costs two empty Python processes

    try:
        found = psutil.net_connections('inet')
        interfaces = psutil.net_if_addrs()
    except (psutil.Error, OSError, RuntimeError) as error:
        raise ReadError('sockets', str(error) or repr(error)) from None
    connected, bound = set(), set()
    for socket in found:
        if not socket.laddr:
            continue
        protocol = TCP if socket.type == _STREAM else UDP
        own = _address(socket.laddr.ip)
        if socket.raddr:
            connected.add((protocol, own, socket.laddr.port, _address(socket.raddr.ip), socket.raddr.port))
        else:
            bound.add((protocol, own if any(own) else b'', socket.laddr.port))
    addresses = {_address(entry.address) for entries in interfaces.values() for entry in entries}
    return Sockets(frozenset(connected), frozenset(bound), frozenset(addresses - {b''}))


def _address(text: str) -> bytes:
    """Four bytes also for an IPv4 address that an IPv6 socket has; b'' for what is none, such as a hardware address."""
    address = parse_address(text.partition('%')[0]) or b''
    return address[12:] if len(address) == 16 and address.startswith(_MAPPED) else address
