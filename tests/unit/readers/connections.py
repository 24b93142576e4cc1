"""Messages of ctnetlink as the kernel puts them together, and connections to make them of, for the tests of readers."""

from __future__ import annotations

import struct

from hypothesis import strategies

from tablefull.readers.flows import ASSURED, OFFLOAD, SEEN_REPLY, STATES, TCP, UDP, Flow
from tests.unit.readers.netlink import attribute

NESTED = 0x8000
CONFIRMED = 8


def nested(kind: int, *parts: bytes) -> bytes:
    return attribute(kind | NESTED, b''.join(parts))


def _tuple(kind: int, flow: Flow, ends: tuple[bytes, bytes, int | None, int | None], zone: bytes) -> bytes:
    source, destination, source_port, destination_port = ends
    first = 1 if len(source) == 4 else 3
    protocol = attribute(1, bytes((flow.protocol,)))
    if flow.protocol in (1, 58):
        base = 4 if flow.protocol == 1 else 7
        protocol += attribute(base, b'\x12\x34') + attribute(base + 1, b'\x08') + attribute(base + 2, b'\0')
    elif source_port is not None and destination_port is not None:
        protocol += attribute(2, struct.pack('>H', source_port)) + attribute(3, struct.pack('>H', destination_port))
    addresses = nested(1, attribute(first, source), attribute(first + 1, destination))
    return nested(kind, addresses, nested(2, protocol), zone)


def message(flow: Flow, accounting: bool = False, one_way: bool = False, name: bytes = b'') -> bytes:
    """IPCTNL_MSG_CT_NEW as ctnetlink_fill_info() writes it; `name` is that of a helper."""
    zone = attribute(3 if one_way else 18, struct.pack('>H', flow.zone)) if flow.zone else b''
    body = bytes((2 if len(flow.source) == 4 else 10, 0, 0, 0))
    ends = (flow.source, flow.destination, flow.source_port, flow.destination_port)
    body += _tuple(1, flow, ends, zone if one_way else b'') + _tuple(2, flow, flow.reply, b'')
    body += b'' if one_way else zone
    body += attribute(3, struct.pack('>I', flow.status))
    if not flow.status & OFFLOAD:
        body += attribute(7, struct.pack('>I', 100))
    if accounting:
        counters = attribute(1, bytes(7) + b'\x05') + attribute(2, bytes(6) + b'\x01\x00')
        body += nested(9, counters) + nested(10, counters)
    if flow.state:
        number = STATES[flow.protocol].index(flow.state)
        rest = attribute(2, b'\x07') + attribute(3, b'\x07') if flow.protocol == TCP else b''
        body += nested(4, nested(3 if flow.protocol == 132 else 1, attribute(1, bytes((number,))) + rest))
    if name:
        body += nested(5, attribute(1, name + b'\0'))
    body += attribute(8, bytes(4)) + attribute(12, b'\x01\x02\x03\x04') + attribute(11, struct.pack('>I', 1))
    return struct.pack('=IHHII', 16 + len(body), 0x0100, 2, 1, 0) + body


def end(number: int = 0, kind: int = 3) -> bytes:
    """NLMSG_DONE, or NLMSG_ERROR."""
    return struct.pack('=IHHIIi', 20, kind, 2, 1, 0, -number)


ADDRESSES = strategies.one_of(
    strategies.sampled_from([bytes((10, 0, 0, n)) for n in range(4)]),
    strategies.binary(min_size=4, max_size=4),
    strategies.sampled_from([b'\x20\x01\x0d\xb8' + bytes(11) + bytes((n,)) for n in range(3)]),
)


@strategies.composite
def connections(draw: strategies.DrawFn) -> Flow:
    """Any connection a kernel may have."""
    source = draw(ADDRESSES)
    size = len(source)
    destination = draw(strategies.binary(min_size=size, max_size=size))
    protocol = draw(strategies.sampled_from([TCP, TCP, UDP, 1, 58, 132, 33, 50]))
    status = CONFIRMED | draw(strategies.sampled_from([0, SEEN_REPLY, SEEN_REPLY | ASSURED, SEEN_REPLY | OFFLOAD]))
    has_ports = protocol in (TCP, UDP, 132, 33)
    ports = [draw(strategies.sampled_from([53, 80, 443])) if has_ports else None for _ in range(2)]
    state = draw(strategies.sampled_from(STATES[protocol])) if protocol in STATES and not status & OFFLOAD else ''
    zone = draw(strategies.sampled_from([0, 0, 5, 7]))
    reply = (destination, source, ports[1], ports[0])
    return Flow(source, destination, protocol, ports[0], ports[1], state, zone, status, reply)
