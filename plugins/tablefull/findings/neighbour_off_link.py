"""Rules of the neighbours themselves: those that should be none, and those that do not answer."""

from __future__ import annotations

from tablefull.findings.finding import Finding
from tablefull.findings.neighbour import NAMES, Seen
from tablefull.findings.neighbour_gateway import like_default, link_local, multicast, resolves
from tablefull.findings.wording import quantity
from tablefull.readers.neighbours import EXT_LEARNED, NOARP, PERMANENT, UNRESOLVED, Neighbour
from tablefull.readers.rtnetlink import address_text
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Percent of gc_thresh3 from which such neighbours matter. A few off-link ones are normal where networks share a wire:
# a foreign host's ARP request is enough to be learned; unresolved ones come with every scan of a network.
_OFF_LINK_MATTERS = 10.0
_UNRESOLVED_MATTERS = 25.0

# On-link prefixes wider than this (bits) can fill any table.
_WIDE = {4: 16, 16: 64}
# Neighbours are summed up by prefixes of this length.
_SUMMED = {4: 16, 16: 48}


def off_link(seen: Seen) -> list[Neighbour] | None:
    """Learned neighbours that lie in no connected prefix of their interface; None when that cannot be judged.

    A default route without gateway connects nothing here: what is behind it is what is looked for. Multicast,
    point-to-point and loopback neighbours are all NOARP; permanent and externally learned ones were put there.
    """
    needed = {family for family in seen.neighbours.families if seen.concerns(family)}
    if not (seen.routes.complete and needed <= set(seen.routes.families)):
        return None
    connected: dict[tuple[str, int], dict[int, set[int]]] = {}
    vouched = set()
    for route in seen.routes.entries:
        for hop in route.hops:
            if hop.gateway is not None:
                vouched.add((hop.device, hop.gateway))
            elif not route.local and not like_default(route):
                bits = 8 * len(route.destination)
                prefixes = connected.setdefault((hop.device, bits), {}).setdefault(bits - route.length, set())
                prefixes.add(int.from_bytes(route.destination, 'big') >> bits - route.length)
    found = []
    for entry in seen.neighbours.entries:
        address = entry.address
        if entry.state & (NOARP | PERMANENT) or entry.flags & EXT_LEARNED or not entry.state:
            continue
        if link_local(address) or multicast(address) or (entry.device, address) in vouched:
            continue
        number = int.from_bytes(address, 'big')
        shifts = connected.get((entry.device, 8 * len(address)), {})
        if not any(number >> shift in prefixes for shift, prefixes in shifts.items()):
            found.append(entry)
    return found


def unresolved(seen: Seen) -> list[Neighbour]:
    """Neighbours that do not answer: INCOMPLETE while they are asked, FAILED afterwards."""
    return [entry for entry in seen.neighbours.entries if entry.state & UNRESOLVED]


def judge(seen: Seen, found_off_link: list[Neighbour] | None) -> Iterator[Finding]:
    """Off-link and unresolved neighbours where they take a good part of the table, and wide on-link prefixes."""
    for family, size in ((4, 4), (6, 16)):
        outside = [entry for entry in found_off_link or () if len(entry.address) == size]
        if _share(seen, family, len(outside)) >= _OFF_LINK_MATTERS:
            yield Finding(
                'neighbour-off-link',
                'warning',
                f'{quantity(len(outside), "neighbour")} outside every connected network in the {NAMES[family]}',
                tuple(shares(outside)),
                (f'ip -{family} route show table all  # a default route without gateway? a prefix without a router?',),
            )
        silent = [entry for entry in unresolved(seen) if len(entry.address) == size]
        if _share(seen, family, len(silent)) >= _UNRESOLVED_MATTERS:
            yield Finding(
                'neighbour-unresolved',
                'warning',
                f'{quantity(len(silent), "neighbour")} in the {NAMES[family]} do not answer: a scan, or a wrong route',
                tuple(shares(silent)),
                (f'ip -{family} neigh show nud failed nud incomplete',),
            )
    if not seen.neighbours.complete:
        yield Finding(
            'neighbour-not-seen',
            'info',
            'part of the neighbours could not be judged: their list is too long',
            (f'only the first {len(seen.neighbours.entries)} were looked at',),
        )
    yield from wide_prefixes(seen)


def _share(seen: Seen, family: int, count: int) -> float:
    table = seen.table(family)
    if table is None or table.limit is None:
        return 0.0
    return 100.0 * count / max(1, table.limit)


def shares(entries: Iterable[Neighbour]) -> Iterator[str]:
    """The largest groups of neighbours by interface and prefix, three of them: '153 on eth0 in 10.77.0.0/16'."""
    groups: dict[tuple[str, bytes], int] = {}
    total = 0
    for entry in entries:
        kept = _SUMMED[len(entry.address)] // 8
        group = (entry.device, entry.address[:kept] + bytes(len(entry.address) - kept))
        groups[group] = groups.get(group, 0) + 1
        total += 1
    for (device, prefix), count in sorted(groups.items(), key=lambda item: -item[1])[:3]:
        yield f'{count} of {total} on {device} in {address_text(prefix)}/{_SUMMED[len(prefix)]}'


def wide_prefixes(seen: Seen) -> Iterator[Finding]:
    """On-link prefixes that hold more hosts than a neighbour table: nothing wrong, but one scan fills it."""
    found = [
        f'{address_text(route.destination)}/{route.length} dev {hop.device}'
        for route in seen.routes.entries
        if route.length < _WIDE[len(route.destination)] and not (route.local or like_default(route))
        for hop in route.hops
        if hop.gateway is None
        and not (link_local(route.destination) or multicast(route.destination))
        and resolves(seen, hop.device)
    ]
    if found:
        yield Finding(
            'neighbour-prefix-wide',
            'info',
            f'{quantity(len(found), "connected prefix", "connected prefixes")} so wide that a scan fills the table',
            tuple(found[:3]),
        )
