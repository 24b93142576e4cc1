"""Put entries into this namespace's tracking table through ctnetlink: fill_conntrack.py COUNT START STATE.

`assured` entries are what a real overflow consists of: the kernel does not evict them to make room. `unanswered` ones
are what a flood leaves, and are evicted (early_drop).
"""

from __future__ import annotations

import errno
import socket
import struct
import sys

NETLINK_NETFILTER = 12
IPCTNL_MSG_CT_NEW = (1 << 8) | 0
NLM_F_REQUEST, NLM_F_CREATE, NLM_F_EXCL, NLM_F_ACK = 1, 0x400, 0x200, 4
TUPLE_ORIG, TUPLE_REPLY, STATUS, TIMEOUT = 1, 2, 3, 7
SEEN_REPLY, ASSURED, CONFIRMED = 2, 4, 8
STATES = {'assured': SEEN_REPLY | ASSURED | CONFIRMED, 'unanswered': CONFIRMED}
NESTED = 0x8000
BATCH = 200


def attribute(kind: int, payload: bytes) -> bytes:
    """One netlink attribute, padded."""
    length = 4 + len(payload)
    return struct.pack('=HH', length, kind) + payload + b'\0' * (-length % 4)


def flow(number: int) -> tuple[bytes, bytes]:
    """A tuple of addresses and ports for each number, as (source, destination)."""
    source = socket.inet_aton('203.0.113.0')[:3] + bytes([number >> 16 & 0xFF]) + struct.pack('>H', number & 0xFFFF)
    return source, socket.inet_aton('198.51.100.1') + struct.pack('>H', 53)


def nested_tuple(kind: int, source: bytes, destination: bytes) -> bytes:
    """CTA_TUPLE_*: addresses and ports of a UDP flow."""
    addresses = attribute(1, source[:4]) + attribute(2, destination[:4])
    protocol = attribute(1, b'\x11') + attribute(2, source[4:]) + attribute(3, destination[4:])
    return attribute(kind | NESTED, attribute(1 | NESTED, addresses) + attribute(2 | NESTED, protocol))


def message(number: int, flags: int, status: int) -> bytes:
    """IPCTNL_MSG_CT_NEW of one flow that lasts an hour."""
    source, destination = flow(number)
    body = struct.pack('>BBH', socket.AF_INET, 0, 0)
    body += nested_tuple(TUPLE_ORIG, source, destination) + nested_tuple(TUPLE_REPLY, destination, source)
    body += attribute(STATUS, struct.pack('>I', status))
    body += attribute(TIMEOUT, struct.pack('>I', 3600))
    flags |= NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL
    return struct.pack('=IHHII', 16 + len(body), IPCTNL_MSG_CT_NEW, flags, number, 0) + body


def main() -> None:
    """Insert, and print how many the kernel refused because its table is full."""
    count, start, status = int(sys.argv[1]), int(sys.argv[2]), STATES[sys.argv[3]]
    channel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    channel.bind((0, 0))
    channel.settimeout(20)
    refused = 0
    for first in range(start, start + count, BATCH):
        numbers = range(first, min(first + BATCH, start + count))
        # Only the last message of a batch asks for an answer; errors are answered anyway.
        batch = b''.join(message(number, NLM_F_ACK if number == numbers[-1] else 0, status) for number in numbers)
        channel.send(batch)
        done = False
        while not done:
            data = channel.recv(1 << 16)
            while data:
                length, kind, _, sequence, _ = struct.unpack_from('=IHHII', data)
                (code,) = struct.unpack_from('=i', data, 16)
                if kind == 2 and -code == errno.ENOMEM:
                    refused += 1
                elif kind == 2 and code:
                    raise OSError(-code, f'entry {sequence}')
                done = done or sequence == numbers[-1]
                data = data[(length + 3) & ~3 :]
    print(refused)


if __name__ == '__main__':
    main()
