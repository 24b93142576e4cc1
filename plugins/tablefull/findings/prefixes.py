"""The few ranges of addresses that explain most of a table: heavy hitters in the tree of all prefixes.

A range counts for what it holds beyond the ranges below it that are named themselves (hierarchical heavy hitters,
Cormode and others, 2003). Of ranges that hold the same connections the longest is named. A range that is filled evenly
would fall into as many halves of halves as are heavy; these are named as the one they are.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from tablefull.readers.rtnetlink import address_text
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

# Halves are of one whole when each begins to be filled within so many bits, and holds at least a quarter of the other.
_SLACK = 2
_BALANCE = 4
# Length in bytes of what a tally keeps -> (bytes of an address of its family, bits).
_LENGTHS = {16: (16, 128), 8: (16, 64), 7: (16, 56), 6: (16, 48), 5: (16, 40)}
_LENGTHS.update({length: (4, 8 * length) for length in (4, 3, 2, 1)})


class Range(NamedTuple):
    """A range of addresses and what it holds.

    address    4 or 16 bytes, its first address
    bits       length of the prefix
    flows      connections in it, but for those in ranges below it that are named as well
    half_open  of these
    inside     how many such ranges there are
    missing    connections that are perhaps in it as well: all that is known of them is a wider range
    """

    address: bytes
    bits: int
    flows: int
    half_open: int
    inside: int = 0
    missing: int = 0

    @property
    def text(self) -> str:
        """203.0.113.0/24, or 203.0.113.7 for a single address."""
        whole = self.bits == 8 * len(self.address)
        return address_text(self.address) + ('' if whole else f'/{self.bits}')


def bits_of(key: bytes) -> tuple[int, int]:
    """(bytes of an address of its family, bits that are known) of a leaf; (0, 0) for one that tells nothing."""
    return _LENGTHS.get(len(key), (0, 0))


def heavy_ranges(leaves: Collection[tuple[bytes, int, int]], least: int, most: int) -> list[Range]:
    """Ranges that hold at least `least` connections each, those with the most first; more if there are over `most`.

    `leaves` are those of a tally by prefix.
    """
    trees = []
    anywhere = sum(flows for key, flows, _ in leaves if not key)
    for size in (4, 16):
        items = sorted(
            (int.from_bytes(key.ljust(size, b'\0'), 'big'), _LENGTHS[len(key)][1], flows, half_open)
            for key, flows, half_open in leaves
            if key and _LENGTHS[len(key)][0] == size
        )
        if items:
            trees.append(_Tree(items, size))
    while True:
        least = max(1, least)
        found = [item for tree in trees for item in tree.named(least, anywhere)]
        if len(found) <= most:
            return sorted(found, key=lambda item: (-item.flows, item.address, item.bits))
        # Not just the first ones: what is left out has to be part of the ranges around it.
        least += least // 4 + 1


class _Tree:
    """Sorted (first address, bits, connections, half-open ones), with sums up to each: any range is one subtraction."""

    def __init__(self, items: list[tuple[int, int, int, int]], size: int) -> None:
        self.size = size
        self.width = 8 * size
        self.least = 1
        self.places = [(start, bits) for start, bits, _, _ in items]
        self.flows = [0, *accumulate(flows for _, _, flows, _ in items)]
        self.half_open = [0, *accumulate(half_open for _, _, _, half_open in items)]

    def named(self, least: int, missing: int) -> list[Range]:
        """The ranges with at least `least` connections, when nobody knows where `missing` ones belong."""
        self.least = least
        return self.walk(0, len(self.places), missing)

    def walk(self, low: int, high: int, missing: int) -> list[Range]:
        """The ranges to name among the items from `low` to `high`, which are all of some prefix."""
        total = self.flows[high] - self.flows[low]
        if total < self.least:
            return []
        (first, first_bits), (last, _) = self.places[low], self.places[high - 1]
        bits = min(self.width - (first ^ last).bit_length(), first_bits)
        start = first >> (self.width - bits) << (self.width - bits)
        below: list[list[Range]] = []
        if high - low > 1:
            middle = start | 1 << (self.width - bits - 1)
            split = bisect_left(self.places, (middle, 0), low, high)
            # What has the whole range for its place (its addresses were too many to be kept) is in neither half.
            left = bisect_left(self.places, (start, bits + 1), low, split)
            lost = missing + self.flows[left] - self.flows[low]
            below = [self.walk(*half, lost) if half[0] < half[1] else [] for half in ((left, split), (split, high))]
        if self._one_whole(below, bits):
            named = [*below[0][1:], *below[1][1:]]
        else:
            named = [item for part in below for item in part]
            if total - sum(item.flows for item in named) < self.least:
                return named
        own = total - sum(item.flows for item in named)
        half_open = self.half_open[high] - self.half_open[low] - sum(item.half_open for item in named)
        return [Range(start.to_bytes(self.size, 'big'), bits, own, half_open, len(named), missing), *named]

    def _one_whole(self, below: list[list[Range]], bits: int) -> bool:
        """Whether two named halves are one range that is filled evenly, but for what is named inside of them."""
        if len(below) != 2 or not all(part and part[0].inside == len(part) - 1 for part in below):
            return False
        one, other = below[0][0], below[1][0]
        filled = all(half.bits <= min(bits + 1 + _SLACK, self.width - 1) for half in (one, other))
        return filled and max(one.flows, other.flows) <= _BALANCE * min(one.flows, other.flows)
