"""Dumps of rtnetlink, the kernel's own answer about neighbours, routes and links.

A dump is a GET request: it needs no privilege, changes nothing and loads no module. Sources: rtnetlink(7), netlink(7),
include/uapi/linux/{netlink,rtnetlink,neighbour,if_link,fib_rules}.h. Numbers are in the byte order of the host.
"""

from __future__ import annotations

# The C half of the socket module: importing the whole costs a tenth of a check's CPU budget, for enums unused here.
import _socket
import os
import struct
import time

from tablefull.readers.files import ReadError, patience
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

GET_LINK, GET_ROUTE, GET_NEIGHBOUR, GET_RULE, GET_NEIGHBOUR_TABLE = 18, 26, 30, 34, 66

INET, INET6 = 2, 10

_REQUEST_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_DUMP_INTR = 0x10
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct('=IHHII')
_ATTRIBUTE = struct.Struct('=HH')

# The kernel never answers with more than 32 KiB at once.
_ANSWER = 1 << 16
_SECONDS = 3.0
_MOST_MESSAGES = 100_000
_RETRIES = 3


class Dump(NamedTuple):
    """The messages of one dump, without their netlink headers.

    complete  False when it was cut off at a bound of size: at a full routing table of the Internet, for example
    """

    payloads: list[bytes]
    complete: bool = True


def dump(request: int, body: bytes, what: str, most: int = _MOST_MESSAGES) -> Dump:
    """Ask the kernel for everything of one kind.

    `what` names the request in errors. Raises ReadError when the kernel refuses, answers nonsense, or takes longer
    than three seconds. A dump that a change interrupted is asked for again, a few times; then the last one counts, as
    iproute2 takes it: on a host where interfaces come and go all day no dump would ever be good enough.
    """
    try:
        for _ in range(_RETRIES):
            answer, interrupted = _dump_once(request, body, what, most)
            if not interrupted:
                break
        return answer
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else 'no answer in time'
        raise ReadError(f'rtnetlink {what}', reason, error.errno) from None


def of_family(payloads: list[bytes], family: int) -> list[bytes]:
    """Those messages that are of the family asked for, which each message begins with.

    Asked for one it does not have, as IPv6 with ipv6.disable=1, the kernel answers with all others (rtnl_dump_all()).
    """
    return [payload for payload in payloads if payload[:1] == bytes((family,))]


def _dump_once(request: int, body: bytes, what: str, most: int) -> tuple[Dump, bool]:
    """One dump, and whether it was interrupted by a change."""
    payloads: list[bytes] = []
    interrupted = False
    seconds = patience(_SECONDS)
    assert seconds is not None
    end = time.monotonic() + seconds
    connection = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, _socket.NETLINK_ROUTE)
    try:
        # A timeout of 0 would mean not to wait at all, and another error.
        connection.settimeout(max(0.01, seconds))
        connection.sendto(_HEADER.pack(_HEADER.size + len(body), request, _REQUEST_DUMP, 1, 0) + body, (0, 0))
        while time.monotonic() < end:
            data, (sender, _) = connection.recvfrom(_ANSWER)
            if sender != 0:
                continue  # not the kernel
            for kind, flags, payload in parse_messages(data, what):
                interrupted = interrupted or bool(flags & _DUMP_INTR)
                if kind in (_DONE, _ERROR):
                    number = _error_number(payload)
                    if number:
                        raise OSError(number, '')
                    return Dump(payloads), interrupted
                if len(payloads) >= most:
                    return Dump(payloads, complete=False), interrupted
                payloads.append(payload)
        raise OSError
    finally:
        connection.close()


def _error_number(payload: bytes) -> int:
    """The errno in a NLMSG_ERROR or NLMSG_DONE message: they carry it negated; 0 is "no error"."""
    if len(payload) < 4:
        return 0
    number: int = struct.unpack_from('=i', payload)[0]
    return -number


def parse_messages(data: bytes, what: str = 'answer') -> Iterator[tuple[int, int, bytes]]:
    """(type, flags, payload) of the messages in one answer. Raises ReadError where a length does not fit."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, flags, _, _ = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or offset + length > len(data):
            raise ReadError(f'rtnetlink {what}', 'a message is cut off')
        yield kind, flags, data[offset + _HEADER.size : offset + length]
        offset += (length + 3) & ~3


def parse_attributes(data: bytes, offset: int, what: str) -> dict[int, bytes]:
    """The attributes of a message from `offset` on: type (without its flag bits) -> value; the last one of a type wins.

    Raises ReadError where a length does not fit: a route whose gateway is cut off must not pass for one without.
    """
    attributes = {}
    end = len(data)
    if offset > end:
        raise ReadError(f'rtnetlink {what}', 'a message is cut off')
    while offset + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < 4 or offset + length > end:
            raise ReadError(f'rtnetlink {what}', 'an attribute is cut off')
        attributes[kind & 0x3FFF] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return attributes


def parse_u32(value: bytes | None, what: str) -> int | None:
    """A 32-bit attribute; None when it is not there. Raises ReadError for another size."""
    if value is None:
        return None
    if len(value) != 4:
        raise ReadError(f'rtnetlink {what}', f'a number of {len(value)} bytes')
    number: int = struct.unpack('=I', value)[0]
    return number


def parse_name(value: bytes | None) -> str:
    """A string attribute, '' when it is not there; it ends at its NUL."""
    return (value or b'').partition(b'\0')[0].decode('utf-8', 'backslashreplace')


def address_text(address: bytes) -> str:
    """An address of 4 or 16 bytes as people write it."""
    return _socket.inet_ntop(INET if len(address) == 4 else INET6, address)


def parse_address(text: str) -> bytes | None:
    """The 4 or 16 bytes of an address as people write it, without scope or prefix length; None for anything else."""
    try:
        return _socket.inet_pton(INET6 if ':' in text else INET, text)
    except (OSError, ValueError):  # ValueError: an embedded NUL
        return None
