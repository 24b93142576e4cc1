"""Tracked connections one by one, from the messages of ctnetlink.

Source: ctnetlink_fill_info() in net/netfilter/nf_conntrack_netlink.c. Attributes are in network byte order, their
headers in that of the host.
"""

from __future__ import annotations

import struct

from tablefull.readers.ctnetlink import NEW, check_end
from tablefull.readers.files import ReadError
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TCP, UDP = 6, 17
PROTOCOLS = {
    1: 'icmp', 6: 'tcp', 17: 'udp', 33: 'dccp', 47: 'gre', 58: 'icmpv6', 132: 'sctp', 136: 'udplite'
}  # fmt: skip

_TCP = 'NONE SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT CLOSE SYN_SENT2'
_DCCP = 'NONE REQUEST RESPOND PARTOPEN OPEN CLOSEREQ CLOSING TIMEWAIT IGNORE INVALID'
_SCTP = (
    'NONE CLOSED COOKIE_WAIT COOKIE_ECHOED ESTABLISHED SHUTDOWN_SENT SHUTDOWN_RECD SHUTDOWN_ACK_SENT HEARTBEAT_SENT '
    'HEARTBEAT_ACKED'
)
STATES = {6: tuple(_TCP.split()), 33: tuple(_DCCP.split()), 132: tuple(_SCTP.split())}

# enum ip_conntrack_status.
SEEN_REPLY, ASSURED, OFFLOAD, HW_OFFLOAD = 0x2, 0x4, 0x4000, 0x8000

_TUPLE_ORIG, _TUPLE_REPLY, _STATUS, _PROTOINFO, _ZONE = 1, 2, 3, 4, 18
_TUPLE_IP, _TUPLE_PROTO, _TUPLE_ZONE = 1, 2, 3
_HEADER = struct.Struct('=IHHII')
_ATTRIBUTE = struct.Struct('=HH')
_BODY = 20  # nlmsghdr and nfgenmsg

Span = tuple[int, int]


class Flow(NamedTuple):
    """One tracked connection, in the direction of its first packet.

    source, destination          4 or 16 bytes
    protocol                     number of IP
    source_port, destination_port  of TCP, UDP, SCTP and the like; None for others
    state                        of TCP, SCTP and DCCP, '' for others and for offloaded ones
    zone                         of both directions, or of the one that has its own; 0 is the default
    status                       bits of enum ip_conntrack_status; from a listing only those that it shows
    reply                        (source, destination, source port, destination port) that answers have
    """

    source: bytes
    destination: bytes
    protocol: int
    source_port: int | None
    destination_port: int | None
    state: str
    zone: int
    status: int
    reply: tuple[bytes, bytes, int | None, int | None]


class Places(NamedTuple):
    """Where in a message its values lie, as (start, end); None for what it does not have.

    zone and state include the headers of their attributes, protocol and status that of their own: messages of one
    layout agree in those.
    """

    source: Span
    destination: Span
    protocol: Span
    source_port: Span | None
    destination_port: Span | None
    zone: Span | None
    status: Span
    state: Span | None
    reply: tuple[Span, Span, Span | None, Span | None]


def attributes(data: bytes, start: int, end: int) -> dict[int, Span]:
    """Type -> (start, end) of the values of attributes. Raises ReadError where a length does not fit."""
    found = {}
    while start + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, start)
        if length < 4 or start + length > end:
            raise ReadError('ctnetlink', 'an attribute is cut off')
        found[kind & 0x3FFF] = (start + 4, start + length)
        start += (length + 3) & ~3
    return found


def places(data: bytes) -> Places:
    """Where the values of one message (with its header) lie. Raises ReadError for one that lacks what all have."""
    try:
        top = attributes(data, _BODY, len(data))
        original, answer = _tuple(data, top[_TUPLE_ORIG]), _tuple(data, top[_TUPLE_REPLY])
        start, end = top[_STATUS]
        protocol = original['protocol']
        if end - start != 4 or protocol[1] - protocol[0] != 1:
            raise ReadError('ctnetlink', 'a value of an unknown size')
        zone = top.get(_ZONE) or original.get('zone') or answer.get('zone')
        return Places(
            original['source'],
            original['destination'],
            (protocol[0] - 4, protocol[1]),
            original.get('source_port'),
            original.get('destination_port'),
            None if zone is None else (zone[0] - 4, zone[1]),
            (start - 4, end),
            _state(data, top.get(_PROTOINFO)),
            (answer['source'], answer['destination'], answer.get('source_port'), answer.get('destination_port')),
        )
    except KeyError:
        raise ReadError('ctnetlink', 'a connection without addresses, protocol or status') from None


def _tuple(data: bytes, span: Span) -> dict[str, Span]:
    """CTA_TUPLE_*: addresses, protocol, and what the protocol has."""
    parts = attributes(data, *span)
    addresses = attributes(data, *parts[_TUPLE_IP])
    protocol = attributes(data, *parts[_TUPLE_PROTO])
    version = 1 if 1 in addresses else 3
    found = {'source': addresses[version], 'destination': addresses[version + 1], 'protocol': protocol[1]}
    for name, kind in (('source_port', 2), ('destination_port', 3)):
        if kind in protocol:
            found[name] = protocol[kind]
    if _TUPLE_ZONE in parts:
        found['zone'] = parts[_TUPLE_ZONE]
    return found


def _state(data: bytes, span: Span | None) -> Span | None:
    """CTA_PROTOINFO_*, whose first attribute is the state; with the headers of all three."""
    if span is None:
        return None
    for inner in attributes(data, *span).values():
        state = attributes(data, *inner).get(1)
        if state is not None and state[1] - state[0] == 1:
            return (span[0] - 4, state[1])
    return None


def flow_of(data: bytes) -> Flow:
    """The connection that one message (with its header) is about. Raises ReadError."""
    at = places(data)
    protocol = data[at.protocol[1] - 1]
    source, destination, source_port, destination_port = at.reply
    return Flow(
        data[slice(*at.source)],
        data[slice(*at.destination)],
        protocol,
        _number(data, at.source_port),
        _number(data, at.destination_port),
        state_name(protocol, None if at.state is None else data[at.state[1] - 1]),
        0 if at.zone is None else int.from_bytes(data[at.zone[0] + 4 : at.zone[1]], 'big'),
        int.from_bytes(data[at.status[0] + 4 : at.status[1]], 'big'),
        (
            data[slice(*source)],
            data[slice(*destination)],
            _number(data, source_port),
            _number(data, destination_port),
        ),
    )


def _number(data: bytes, span: Span | None) -> int | None:
    return None if span is None else int.from_bytes(data[slice(*span)], 'big')


def state_name(protocol: int, number: int | None) -> str:
    """The state as the kernel prints it; '' without one, and the number where a newer kernel has more of them."""
    if number is None:
        return ''
    names = STATES.get(protocol, ())
    return names[number] if number < len(names) else f'state {number}'


def protocol_name(number: int) -> str:
    """As the kernel prints it, 'protocol 50' where that would be 'unknown'."""
    return PROTOCOLS.get(number) or f'protocol {number}'


def flows(datagrams: Iterable[bytes], most: int) -> Iterator[Flow]:
    """At most `most` connections of a dump, in the order of the kernel's hash: a fair sample. Raises ReadError."""
    for data in datagrams:
        offset = 0
        while offset < len(data):
            message, kind = message_at(data, offset)
            if kind != NEW:
                check_end(data, offset, kind)
                return
            if most <= 0:
                return
            most -= 1
            yield flow_of(message)
            offset += (len(message) + 3) & ~3


def message_at(data: bytes, offset: int) -> tuple[bytes, int]:
    """(the message with its header, its type). Raises ReadError where its length does not fit."""
    if offset + 16 > len(data):
        raise ReadError('ctnetlink', 'a message is cut off')
    length, kind, *_ = _HEADER.unpack_from(data, offset)
    if length < 16 or offset + length > len(data):
        raise ReadError('ctnetlink', 'a message is cut off')
    return data[offset : offset + length], kind
