"""netlink messages for tests: recorded ones, and ones put together where this kernel has no such device."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Callable, TypeVar

from tablefull.readers.files import ReadError

RECORDED = Path(__file__).parents[2] / 'fixtures' / 'netlink'
T = TypeVar('T')


def recorded(name: str) -> list[bytes]:
    """The payloads of one dump. Each follows its length.

    Those of rtnetlink were taken on 6.18 in a namespace with veth and tun links. connections-* are of ctnetlink on a
    router of the incident lab with a flowtable, and beside each lies what /proc/net/nf_conntrack said then; on 7.2
    with accounting and timestamps.
    """
    data = (RECORDED / f'{name}.bin').read_bytes()
    payloads = []
    while data:
        (length,) = struct.unpack_from('<I', data)
        payloads.append(data[4 : 4 + length])
        data = data[4 + length :]
    return payloads


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return struct.pack('=HH', 4 + len(value), kind) + value + b'\0' * (-len(value) % 4)


def u32(kind: int, value: int) -> bytes:
    """A numeric attribute."""
    return attribute(kind, struct.pack('=I', value))


def link(
    number: int, name: str, flags: int = 0x1043, kind: str = '', table: int | None = None, master: int = 0
) -> bytes:
    """RTM_NEWLINK; the default flags are those of an Ethernet link that is up."""
    body = struct.pack('=BBHiII', 0, 0, 1, number, flags, 0) + attribute(3, name.encode() + b'\0')
    if master:
        body += u32(10, master)
    if kind:
        data = attribute(2, u32(1, table)) if table is not None else b''
        body += attribute(18, attribute(1, kind.encode()) + data)
    return body


def route(
    destination: bytes, length: int, *attributes: bytes, table: int = 254, kind: int = 1, flags: int = 0
) -> bytes:
    """RTM_NEWROUTE; type 1 is unicast, 2 local, 7 unreachable."""
    family = 2 if len(destination) == 4 else 10
    head = struct.pack('=BBBBBBBBI', family, length, 0, 0, min(table, 252) if table > 255 else table, 3, 0, kind, flags)
    body = attribute(1, destination) if length else b''
    return head + body + u32(15, table) + b''.join(attributes)


def neighbour(address: bytes, number: int, state: int, flags: int = 0, extended: int = 0) -> bytes:
    """RTM_NEWNEIGH."""
    family = 2 if len(address) == 4 else 10
    body = struct.pack('=BBHiHBB', family, 0, 0, number, state, flags, 1) + attribute(1, address)
    return body + (u32(15, extended) if extended else b'')


def table(name: str, entries: int, limit: int, counters: list[int]) -> bytes:
    """RTM_NEWNEIGHTBL with as many statistics as `counters` has: ten up to 4.2, eleven since."""
    family = 2 if name == 'arp_cache' else 10
    config = struct.pack('=HHIIIIIII', 4, 408, entries, 0, 0, 0, 0, 0, 0)
    return (
        struct.pack('=BBH', family, 0, 0)
        + attribute(1, name.encode() + b'\0')
        + u32(4, limit)
        + attribute(5, config)
        + attribute(7, struct.pack(f'={len(counters)}Q', *counters))
    )


def survives(parse: Callable[[bytes], T], payload: bytes) -> T | None:
    """What `parse` makes of hostile bytes; None for a ReadError. Any other exception fails the test."""
    try:
        return parse(payload)
    except ReadError:
        return None
