"""Writes tracked connections into this namespace through ctnetlink: write_flows.py KIND COUNT, or those of stdin.

A line is PROTOCOL SOURCE DESTINATION SOURCE_PORT DESTINATION_PORT STATUS STATE ZONE, STATE '-' for none. Kinds
for benchmarks: `mixed` is what a busy gateway has, `spread` has another source for every connection.
"""

from __future__ import annotations

import random
import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.system.fill_conntrack import (
    IPCTNL_MSG_CT_NEW,
    NESTED,
    NETLINK_NETFILTER,
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REQUEST,
    attribute,
)

CONFIRMED, SEEN_REPLY, ASSURED = 8, 2, 4
ANSWERED = CONFIRMED | SEEN_REPLY | ASSURED
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
SYN_SENT, ESTABLISHED, TIME_WAIT = 1, 3, 7
BATCH = 150


class Entry(NamedTuple):
    """One connection; for ICMP the ports are the identifier and nothing."""

    protocol: int
    source: str
    destination: str
    source_port: int
    destination_port: int
    status: int = ANSWERED
    state: int | None = None
    zone: int = 0


def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ':' in address else socket.AF_INET, address)


def nested(kind: int, *parts: bytes) -> bytes:
    return attribute(kind | NESTED, b''.join(parts))


def one_way(kind: int, entry: Entry, reply: bool) -> bytes:
    """CTA_TUPLE_ORIG or CTA_TUPLE_REPLY."""
    source, destination = packed(entry.source), packed(entry.destination)
    ports = (entry.source_port, entry.destination_port)
    if reply:
        source, destination, ports = destination, source, ports[::-1]
    first = 1 if len(source) == 4 else 3
    addresses = attribute(first, source) + attribute(first + 1, destination)
    protocol = attribute(1, bytes((entry.protocol,)))
    if entry.protocol in (ICMP, ICMPV6):
        base, types = (4, (8, 0)) if entry.protocol == ICMP else (7, (128, 129))
        protocol += attribute(base, struct.pack('>H', entry.source_port))
        protocol += attribute(base + 1, bytes((types[reply],))) + attribute(base + 2, b'\0')
    else:
        protocol += attribute(2, struct.pack('>H', ports[0])) + attribute(3, struct.pack('>H', ports[1]))
    return nested(kind, nested(1, addresses), nested(2, protocol))


def message(number: int, entry: Entry, flags: int) -> bytes:
    """IPCTNL_MSG_CT_NEW."""
    family = socket.AF_INET6 if ':' in entry.source else socket.AF_INET
    body = struct.pack('>BBH', family, 0, 0) + one_way(1, entry, False) + one_way(2, entry, True)
    if entry.zone:
        body += attribute(18, struct.pack('>H', entry.zone))
    body += attribute(3, struct.pack('>I', entry.status)) + attribute(7, struct.pack('>I', 3600))
    if entry.state is not None:
        body += nested(4, nested(1, attribute(1, bytes((entry.state,)))))
    flags |= NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL
    return struct.pack('=IHHII', 16 + len(body), IPCTNL_MSG_CT_NEW, flags, number, 0) + body


def write(entries: Iterable[Entry]) -> int:
    """Insert; returns how many were. Those that exist already or do not fit are left out."""
    channel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    channel.bind((0, 0))
    channel.settimeout(20)
    written, batch = 0, []
    for entry in entries:
        batch.append(entry)
        if len(batch) == BATCH:
            written += send(channel, batch)
            batch = []
    return written + (send(channel, batch) if batch else 0)


def send(channel: socket.socket, batch: list[Entry]) -> int:
    """Insert a batch; only its last message asks for an answer, errors are answered anyway."""
    last = len(batch) - 1
    channel.send(b''.join(message(n, entry, NLM_F_ACK if n == last else 0) for n, entry in enumerate(batch)))
    refused = 0
    while True:
        data = channel.recv(1 << 18)
        while data:
            length, _, _, sequence, _ = struct.unpack_from('=IHHII', data)
            refused += struct.unpack_from('=i', data, 16)[0] != 0
            if sequence == last:
                return len(batch) - refused
            data = data[(length + 3) & ~3 :]


def mixed(count: int) -> Iterator[Entry]:
    """Seven in ten are TCP over IPv4 and one in eight over IPv6; 5000 clients, of whom the first are the busiest."""
    choose = random.Random(1)
    clients = [f'10.{n >> 8}.{n & 255}.{choose.randrange(1, 255)}' for n in range(5000)]
    clients6 = [f'2001:db8:{n >> 4:x}:{n & 15:x}::{n + 1:x}' for n in range(1000)]
    weights = [1 / (n + 10) for n in range(5000)]
    sources = iter(choose.choices(range(5000), weights, k=count))
    for number, client in enumerate(sources):
        port, kind = 1024 + number % 64000, choose.random()
        server = f'192.0.2.{number % 250 + 1}'
        if kind < 0.7:
            state = ESTABLISHED if kind < 0.5 else TIME_WAIT if kind < 0.62 else SYN_SENT
            status = CONFIRMED if state == SYN_SENT else ANSWERED
            yield Entry(TCP, clients[client], server, port, 443, status, state)
        elif kind < 0.84:
            yield Entry(UDP, clients[client], server, port, 53, ANSWERED if kind < 0.8 else CONFIRMED)
        elif kind < 0.97:
            server6 = f'2001:db8:ffff::{number % 250 + 1:x}'
            yield Entry(TCP, clients6[client % 1000], server6, port, 443, ANSWERED, ESTABLISHED)
        else:
            yield Entry(ICMP, clients[client], server, number & 0xFFFF, 0, CONFIRMED | SEEN_REPLY)


def spread(count: int) -> Iterator[Entry]:
    """Never answered, each from an address of its own."""
    for number in range(count):
        source = f'{11 + (number >> 16)}.{number & 255}.{number >> 8 & 255}.{(number * 7) & 255}'
        yield Entry(TCP, source, '192.0.2.1', 1024 + number % 60000, 80, CONFIRMED, SYN_SENT)


def listed(lines: Iterable[str]) -> Iterator[Entry]:
    for line in lines:
        protocol, source, destination, *numbers, state, zone = line.split()
        first, second, status = map(int, numbers)
        yield Entry(
            int(protocol), source, destination, first, second, status, None if state == '-' else int(state), int(zone)
        )


if __name__ == '__main__':
    kinds = {'mixed': mixed, 'spread': spread}
    print(write(listed(sys.stdin) if len(sys.argv) == 1 else kinds[sys.argv[1]](int(sys.argv[2]))))
