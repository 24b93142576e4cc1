"""What rtnetlink told, in the form in which iproute2 prints it and readers/iproute_text.py reads it again.

Only what is read is written: no hardware address, no life times. Nothing here runs `ip`.
"""

from __future__ import annotations

from tablefull.readers import links as link_bits
from tablefull.readers import neighbours as neighbour_bits
from tablefull.readers.routes import MAIN
from tablefull.readers.rtnetlink import address_text
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tablefull.readers.links import Address, Link
    from tablefull.readers.neighbours import Neighbour
    from tablefull.readers.routes import Hop, Route

_FLAGS = {
    'LOOPBACK': link_bits.LOOPBACK,
    'POINTOPOINT': link_bits.POINTOPOINT,
    'NOARP': link_bits.NOARP,
    'UP': link_bits.UP,
}
_STATES = {
    neighbour_bits.INCOMPLETE: 'INCOMPLETE',
    neighbour_bits.REACHABLE: 'REACHABLE',
    0x04: 'STALE',
    0x08: 'DELAY',
    0x10: 'PROBE',
    neighbour_bits.FAILED: 'FAILED',
    neighbour_bits.NOARP: 'NOARP',
    neighbour_bits.PERMANENT: 'PERMANENT',
}
_LEARNED = {neighbour_bits.EXT_LEARNED: 'extern_learn', neighbour_bits.EXT_VALIDATED: 'extern_valid'}
_TABLES = {253: 'default', 255: 'local'}


def links_text(links: Collection[Link], addresses: Iterable[Address]) -> str:
    """As `ip -d addr`: a line for each interface, below it its addresses, and the table of a VRF."""
    names = {link.number: link.name for link in links}
    own: dict[str, list[str]] = {}
    for address in addresses:
        family = 'inet' if len(address.address) == 4 else 'inet6'
        own.setdefault(address.device, []).append(f'    {family} {address_text(address.address)}/{address.length}')
    lines = []
    for link in links:
        flags = ','.join(word for word, bit in _FLAGS.items() if (link.flags or 0) & bit)
        master = f' master {names[link.master]}' if link.master in names else ''
        lines.append(f'{link.number}: {link.name}: <{flags}>{master}')
        if link.table is not None:
            lines.append(f'    vrf table {link.table}')
        lines += own.get(link.name, ())
    return ''.join(f'{line}\n' for line in lines)


def neighbours_text(entries: Iterable[Neighbour]) -> str:
    """As `ip neigh show nud all`."""
    return ''.join(f'{_neighbour(entry)}\n' for entry in entries)


def _neighbour(entry: Neighbour) -> str:
    flags = [word for bit, word in _LEARNED.items() if entry.flags & bit]
    states = [word for bit, word in _STATES.items() if entry.state & bit] or ['NONE']
    return ' '.join([address_text(entry.address), 'dev', _name(entry.device), *flags, *states])


def routes_text(routes: Iterable[Route]) -> str:
    """As `ip route show table all`, unicast routes and own addresses alone."""
    return ''.join(f'{_route(route)}\n' for route in routes)


def _route(route: Route) -> str:
    words = ['local'] if route.local else []
    default = not route.length and not any(route.destination) and not route.local
    words.append('default' if default else f'{address_text(route.destination)}/{route.length}')
    several = len(route.hops) > 1
    if route.hops and not several:
        words += _hop(route.hops[0], len(route.destination))
    if route.table != MAIN:
        words += ['table', _TABLES.get(route.table, str(route.table))]
    if route.metric:
        words += ['metric', str(route.metric)]
    lines = [' '.join(words)]
    if several:
        lines += [f'\tnexthop {" ".join(_hop(hop, len(route.destination)))}' for hop in route.hops]
    return '\n'.join(lines)


def _hop(hop: Hop, size: int) -> list[str]:
    words = ['encap', 'some'] if hop.tunnel else []
    if hop.gateway is not None:
        other = ['inet6' if len(hop.gateway) == 16 else 'inet'] if len(hop.gateway) != size else []
        words += ['via', *other, address_text(hop.gateway)]
    words += ['dev', _name(hop.device)]
    return words + (['onlink'] if hop.onlink else [])


def _name(device: str) -> str:
    """As one word: the kernel allows no blank in a name, but one that is not known is 'interface 5' to the readers."""
    return device.replace(' ', '-')
