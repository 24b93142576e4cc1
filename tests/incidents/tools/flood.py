#!/usr/bin/env python3
"""Traffic. Prints what became of it; exits with 0 whatever that is.

flood.py udp COUNT ADDRESS [SOURCES]    one packet of each of COUNT flows to ADDRESS, ports 20000 and up: no answers
flood.py tcp COUNT ADDRESS [SOURCES]    COUNT connections to port 8080, which stay open in the background
flood.py listen ADDRESS                 accepts such connections, in the background
flood.py talk COUNT ADDRESS [SOURCES]   COUNT conversations over UDP with port 8080: a packet, its answer, a packet
flood.py echo ADDRESS                   answers these, in the background
flood.py neighbours COUNT PREFIX        one packet to each of COUNT addresses of PREFIX

SOURCES is a prefix or a range such as 203.0.113.1-14: connections come from its addresses in turn.
"""

from __future__ import annotations

import collections
import errno
import ipaddress
import os
import resource
import select
import signal
import socket
import sys

PORT = 8080
# Time for an answer over links that lie within one machine.
PATIENCE = 3.0


def addresses(text: str) -> list[str]:
    """All addresses of a prefix or a range; of a large prefix the first 70000."""
    first, _, last = text.partition('-')
    if last:
        start = ipaddress.ip_address(first)
        return [str(start + number) for number in range(int(last) - int(str(start).rpartition('.')[2]) + 1)]
    network = ipaddress.ip_network(text)
    return [str(network[number]) for number in range(1, min(network.num_addresses, 70001) - 1 or 1)] or [first]


def family(address: str) -> int:
    """AF_INET or AF_INET6."""
    return socket.AF_INET6 if ':' in address else socket.AF_INET


def told(what: str, outcomes: collections.Counter[str]) -> None:
    """One line about all outcomes."""
    print(f'{what}: ' + ', '.join(f'{count} {name}' for name, count in outcomes.most_common()), flush=True)


def name_of(error: OSError) -> str:
    """EPERM and the like."""
    return errno.errorcode.get(error.errno or 0, str(error))


def into_background() -> None:
    """Go on without whoever waits for this program."""
    if os.fork():
        os._exit(0)
    os.setsid()
    null = os.open('/dev/null', os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    while True:
        signal.pause()


def udp(count: int, address: str, sources: list[str]) -> None:
    """One-way packets, a new flow each."""
    outcomes: collections.Counter[str] = collections.Counter()
    channels = []
    for source in sources or [None]:
        channel = socket.socket(family(address), socket.SOCK_DGRAM)
        if source:
            channel.bind((source, 0))
        channels.append(channel)
    for number in range(count):
        try:
            channels[number % len(channels)].sendto(b'x', (address, 20000 + number // len(channels) % 40000))
            outcomes['sent'] += 1
        except OSError as error:
            outcomes[name_of(error)] += 1
    told('udp', outcomes)


def tcp(count: int, address: str, sources: list[str]) -> None:
    """Connections that stay open; gives up after 64 that got no answer, as the rest would not either."""
    outcomes: collections.Counter[str] = collections.Counter()
    kept = []
    for first in range(0, count, 64):
        poll = select.poll()
        waiting = {}
        for number in range(first, min(first + 64, count)):
            channel = socket.socket(family(address), socket.SOCK_STREAM)
            channel.setblocking(False)
            try:
                if sources:
                    # The port is chosen when the destination is known, so that each address has all of them.
                    channel.setsockopt(socket.IPPROTO_IP, 24, 1)
                    channel.bind((sources[number % len(sources)], 0))
                channel.connect((address, PORT))
            except BlockingIOError:
                waiting[channel.fileno()] = channel
                poll.register(channel, select.POLLOUT)
            except OSError as error:
                outcomes[name_of(error)] += 1
        while waiting:
            ready = poll.poll(PATIENCE * 1000)
            if not ready:
                break
            for descriptor, _ in ready:
                channel = waiting.pop(descriptor)
                poll.unregister(descriptor)
                code = channel.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                outcomes[errno.errorcode[code] if code else 'established'] += 1
                kept.append(channel)
        if waiting:
            outcomes['without answer'] += len(waiting)
            kept += waiting.values()
            break
    told('tcp', outcomes)
    into_background()


def listen(address: str) -> None:
    """Accept everything, answer nothing."""
    listener = socket.socket(family(address), socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, PORT))
    listener.listen(4096)
    if os.fork():
        os._exit(0)
    os.setsid()
    kept = []
    while True:
        kept.append(listener.accept()[0])


def talk(count: int, address: str, sources: list[str]) -> None:
    """Conversations one after the other: what is answered, and then goes on, is offloaded where anything is."""
    outcomes: collections.Counter[str] = collections.Counter()
    for number in range(count):
        with socket.socket(family(address), socket.SOCK_DGRAM) as channel:
            if sources:
                channel.bind((sources[number % len(sources)], 0))
            channel.settimeout(PATIENCE)
            channel.connect((address, PORT))
            try:
                channel.send(b'x')
                channel.recv(1)
                channel.send(b'y')
                channel.recv(1)
                outcomes['answered'] += 1
            except OSError as error:
                outcomes[name_of(error)] += 1
    told('talk', outcomes)


def echo(address: str) -> None:
    """Send back what comes."""
    channel = socket.socket(family(address), socket.SOCK_DGRAM)
    channel.bind((address, PORT))
    if os.fork():
        os._exit(0)
    os.setsid()
    while True:
        channel.sendto(*channel.recvfrom(2048))


def neighbours(count: int, prefix: str) -> None:
    """One packet to each address, so that each becomes a neighbour where the route says it is one."""
    outcomes: collections.Counter[str] = collections.Counter()
    channels = [socket.socket(family(prefix), socket.SOCK_DGRAM) for _ in range(8)]
    for channel in channels:
        channel.setblocking(False)
    for number, address in enumerate(addresses(prefix)[:count]):
        try:
            channels[number % 8].sendto(b'x', (address, 9))
            outcomes['sent'] += 1
        except OSError as error:
            outcomes[name_of(error)] += 1
    told('neighbours', outcomes)


def main() -> None:
    """Entry point."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (65536, 65536))
    what, *rest = sys.argv[1:]
    if what in ('listen', 'echo'):
        {'listen': listen, 'echo': echo}[what](rest[0])
    elif what == 'neighbours':
        neighbours(int(rest[0]), rest[1])
    else:
        {'udp': udp, 'tcp': tcp, 'talk': talk}[what](int(rest[0]), rest[1], addresses(rest[2]) if rest[2:] else [])


if __name__ == '__main__':
    main()
