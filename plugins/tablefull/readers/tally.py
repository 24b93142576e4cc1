"""Counts tracked connections by source, destination and so on: a million of them in a second or two, in bounded memory.

Most of the time is the kernel's. What is left for Python is a microsecond for a connection, so none is taken apart:
messages of one length are of one layout, whose places are learnt from the first of them. From there on a message is
five slices, and what must be the same in all of them (headers, protocol, status, state) is one key of a dictionary. A
key that is new is looked at in full before it counts.
"""

from __future__ import annotations

import struct
from _collections import defaultdict  # type: ignore[import-not-found]  # collections itself costs ten times as much
from heapq import nsmallest

from tablefull.readers.ctnetlink import NEW, check_end
from tablefull.readers.flows import ASSURED, HW_OFFLOAD, OFFLOAD, SEEN_REPLY, TCP, flow_of, message_at, places
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from tablefull.readers.flows import Flow, Places, Span

# A count holds the connections in its low half, and those of them that are half-open in its high one: one number to
# add for each connection, one object in memory for each key.
_HALF_OPEN = 1 << 40
_COUNT = _HALF_OPEN - 1

# Distinct keys kept: with their counts that many take some ten MiB. Ranges are worked out from lists of them, which
# take several times as much.
BOUND, BOUND_OF_PREFIXES = 65536, 8192

_LENGTH = struct.Struct('=I')

BY = ('source', 'destination', 'port', 'protocol', 'state', 'zone', 'prefix')


class Kind(NamedTuple):
    """What connections can have in common.

    protocol  number of IP
    status    bits of enum ip_conntrack_status
    state     '' without one
    """

    protocol: int
    status: int
    state: str

    @property
    def half_open(self) -> bool:
        """Never answered, or a TCP handshake that is not finished."""
        return not self.status & SEEN_REPLY or (self.protocol == TCP and self.state.startswith('SYN_'))


class Group(NamedTuple):
    """Connections that have something in common: how many, and how many of them are half-open."""

    flows: int
    half_open: int


class Tally:
    """Counts as they grow.

    by        what to group by, one of BY
    low       no count of a group is lower than the true one by more than this, and none is higher; 0 is exact
    complete  False when the dump was left early
    """

    def __init__(self, by: str, bound: int = 0, wanted: Callable[[Kind], bool] | None = None) -> None:
        self.by = by
        self.low = 0
        self.complete = True
        self._bound = bound or (BOUND_OF_PREFIXES if by == 'prefix' else BOUND)
        self._wanted = wanted
        self._counts: dict[bytes, int] = defaultdict(int)
        # Of ports there are no more than 65536 for each protocol.
        self._ports: dict[int, dict[bytes, int]] = {}
        self._pushed: dict[bytes, int] = defaultdict(int)
        self._kinds: dict[Kind, list[Any]] = {}

    @property
    def total(self) -> int:
        """Connections counted so far."""
        return sum(found[0] for found in self._kinds.values())

    @property
    def kinds(self) -> dict[Kind, int]:
        """How many there are of each kind; always exact."""
        return {kind: found[0] for kind, found in self._kinds.items() if found[0]}

    def largest(self, most: int | None = None) -> list[tuple[Any, Group]]:
        """The groups with the most connections (all of them for None), most first: (key, Group).

        Keys: an address, (protocol, port or None), the number of a protocol, a state, (zone, one direction only).
        """
        counts = self._keyed()
        chosen = counts if most is None else nsmallest(most, counts, key=_rank)
        return [(key, Group(n & _COUNT, n >> 40)) for key, n in sorted(chosen, key=_rank) if n]

    def leaves(self) -> Iterator[tuple[bytes, int, int]]:
        """Of a tally by prefix: (key, connections, half-open ones) of each address, and of each range around some.

        Addresses that were too many to be kept apart are in the ranges: see _around().
        """
        for counts in (self._counts, self._pushed):
            for key, n in counts.items():
                yield key, n & _COUNT, n >> 40

    def _keyed(self) -> Iterable[tuple[Any, int]]:
        """(key, packed count) of each group. A table of sources is not copied."""
        if self.by == 'port':
            return (
                ((protocol, int.from_bytes(key, 'big') if key else None), n)
                for protocol, counts in self._ports.items()
                for key, n in counts.items()
            )
        if self.by not in ('protocol', 'state', 'zone'):
            return self._counts.items()
        found: dict[Any, int] = defaultdict(int)
        if self.by == 'zone':
            for key, n in self._counts.items():
                found[_zone(key)] += n
        else:
            for kind, (n, weight, _) in self._kinds.items():
                found[kind.protocol if self.by == 'protocol' else state_of(kind)] += n * weight
        return found.items()

    def _kind(self, kind: Kind) -> list[Any]:
        """[connections, what one of them adds to a count, the counts] of a kind."""
        found = self._kinds.get(kind)
        if found is None:
            weight = 1 + _HALF_OPEN if kind.half_open else 1
            counts = self._ports.setdefault(kind.protocol, defaultdict(int)) if self.by == 'port' else self._counts
            if self._wanted is not None and not self._wanted(kind):
                return [0, 0, _Nothing()]
            found = self._kinds[kind] = [0, weight, counts]
        return found

    def add(self, flow: Flow) -> None:
        """Count one connection that was read from a listing."""
        found = self._kind(Kind(flow.protocol, flow.status, flow.state))
        found[0] += 1
        found[2][self._key(flow)] += found[1]
        if len(self._counts) > self._bound:
            self._prune()

    def _key(self, flow: Flow) -> bytes:
        if self.by in ('source', 'prefix'):
            return flow.source
        if self.by == 'destination':
            return flow.destination
        if self.by == 'port':
            return b'' if flow.destination_port is None else flow.destination_port.to_bytes(2, 'big')
        return _ONE_ZONE + flow.zone.to_bytes(2, 'big') if self.by == 'zone' and flow.zone else b''

    def count(
        self, datagrams: Iterable[bytes], most: int | None = None, watch: Callable[[int], bool] | None = None
    ) -> None:
        """Count the connections of a dump: all, or until `most` are counted or `watch` says that it is enough.

        `watch` is told now and then how many there are. Raises ReadError when the kernel refuses or talks nonsense.
        """
        layouts: dict[int, tuple[Any, ...]] = {}
        read_length = _LENGTH.unpack_from
        self.complete = False
        for number, data in enumerate(datagrams):
            offset, end = 0, len(data)
            while offset < end:
                try:
                    length = read_length(data, offset)[0]
                    unpack, start, stop, kinds = layouts[length]
                    found = kinds[unpack(data, offset)]
                except (KeyError, struct.error):
                    learnt = self._learn(data, offset, layouts)
                    if learnt is None:
                        self.complete = True
                        return
                    length, start, stop, found = learnt
                found[0] += 1
                found[2][data[offset + start : offset + stop]] += found[1]
                offset += (length + 3) & ~3
            if len(self._counts) > self._bound:
                self._prune()
            if most is not None and self.total >= most:
                return
            if watch is not None and number & 15 == 15 and watch(self.total):
                return

    def _learn(
        self, data: bytes, offset: int, layouts: dict[int, tuple[Any, ...]]
    ) -> tuple[int, int, int, list[Any]] | None:
        """(length, start and end of the key, kind) of a message seen for the first time; None at the end of a dump."""
        message, kind = message_at(data, offset)
        if kind != NEW:
            check_end(data, offset, kind)
            return None
        at = places(message)
        start, stop = self._span(at) or (0, 0)
        flow = flow_of(message)
        found = self._kind(Kind(flow.protocol, flow.status, flow.state))
        layout = _layout(at)
        known = layouts.get(len(message))
        if known is None or known[0].__self__.format != layout.format or known[1:3] != (start, stop):
            # The latest layout of a length stays. Two of one length are rare, and cost time only.
            known = layouts[len(message)] = (layout.unpack_from, start, stop, {})
        known[3][layout.unpack_from(message)] = found
        return len(message), start, stop, found

    def _span(self, at: Places) -> Span | None:
        return {
            'source': at.source,
            'prefix': at.source,
            'destination': at.destination,
            'port': at.destination_port,
            'zone': at.zone,
        }.get(self.by)

    def _prune(self) -> None:
        """Make room: take from each count what half of them do not exceed, and drop those that have nothing left.

        After Misra and Gries (1982): a count is low by what was taken from it, at most 2 / bound of all connections.
        By prefix nothing is lost, it goes to the range around the address.
        """
        counts, by_prefix = self._counts, self.by == 'prefix'
        least = sorted(map(_COUNT.__and__, counts.values()))[len(counts) // 2]
        kept = []
        for key, n in counts.items():
            flows, half_open = n & _COUNT, n >> 40
            left = max(0, flows - least)
            # Whatever is taken is answered as far as possible: so neither number is ever too high.
            still = min(half_open, left)
            if by_prefix:
                self._pushed[_around(key)] += flows - left + (half_open - still) * _HALF_OPEN
            if left:
                kept.append((key, left + still * _HALF_OPEN))
        # The same object: every kind has it at hand.
        counts.clear()
        counts.update(kept)
        self.low += least
        while len(self._pushed) > self._bound:
            self._widen()

    def _widen(self) -> None:
        """Too many ranges: the smaller half of them become part of the ranges around them."""
        least = sorted(map(_COUNT.__and__, self._pushed.values()))[len(self._pushed) // 2]
        wider: dict[bytes, int] = defaultdict(int)
        for key, n in self._pushed.items():
            wider[key if n & _COUNT > least else _around(key)] += n
        self._pushed = wider


class _Nothing(dict):  # type: ignore[type-arg]
    """Where connections are counted that nobody asked for."""

    def __getitem__(self, key: bytes) -> int:
        return 0

    def __setitem__(self, key: bytes, value: int) -> None:
        pass


_ONE_ZONE = struct.pack('=HH', 6, 18)


def _layout(at: Places) -> struct.Struct:
    """What takes out of a message, in the order of places, all that those of one kind agree in."""
    # From 20 to the source stand the headers of the tuple, of its addresses and of the first of them.
    pieces = [(20, at.source[0]), at.protocol, at.status]
    if at.state is not None:
        pieces.append(at.state)
    if at.zone is not None:
        pieces.append((at.zone[0], at.zone[0] + 4))
    form, position = '=', 0
    for start, stop in sorted(pieces):
        form += f'{start - position}x{stop - start}s'
        position = stop
    return struct.Struct(form)


def _around(key: bytes) -> bytes:
    """The range around an address or a range: its first bytes, which are of one length for each family and width.

    4, 3, 2, 1 bytes are of IPv4. IPv6 has 16 and 8 to 5; its shorter ranges are all one, as is the whole of IPv4.
    """
    if len(key) == 16:
        return key[:8]
    return key[:-1] if len(key) != 5 else b''


def _rank(item: tuple[Any, int]) -> tuple[int, str]:
    """Most connections first, and always in the same order."""
    return -(item[1] & _COUNT), repr(item[0])


def _zone(key: bytes) -> tuple[int, bool]:
    """(zone, whether only one direction has it) of a zone attribute with its header."""
    return int.from_bytes(key[4:6], 'big'), bool(key) and not key.startswith(_ONE_ZONE)


def state_of(kind: Kind) -> str:
    """What to call the state of a kind: 'tcp ESTABLISHED', 'udp unanswered', 'tcp offloaded'."""
    from tablefull.readers.flows import protocol_name

    if kind.status & (OFFLOAD | HW_OFFLOAD):
        word = 'offloaded'
    elif kind.state:
        word = kind.state
    elif not kind.status & SEEN_REPLY:
        word = 'unanswered'
    else:
        word = 'assured' if kind.status & ASSURED else 'answered'
    return f'{protocol_name(kind.protocol)} {word}'
