"""Routes that the kernel would use, in every table that a rule or a VRF leads to.

Sources: RTM_GETROUTE and RTM_GETRULE on the live host; the recordings ip-route.txt and ip6-route.txt, or
/proc/net/route and /proc/net/ipv6_route, in a tree of files.
"""

from __future__ import annotations

import struct

from tablefull.readers.files import ReadError, is_live, read_optional, read_text, recording
from tablefull.readers.links import Link
from tablefull.readers.rtnetlink import GET_ROUTE, GET_RULE, INET, INET6, dump, of_family, parse_attributes, parse_u32
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAIN = 254
_BUILT_IN = frozenset((253, MAIN, 255))  # default, main, local

_RTMSG = struct.Struct('=BBBBBBBBI')
_RTNEXTHOP = struct.Struct('=HBBi')
_UNICAST, _LOCAL = 1, 2
_CLONED = 0x200  # RTM_F_CLONED: a cache entry of IPv6, made of a route that is listed as well
_DST, _OIF, _GATEWAY, _PRIORITY, _MULTIPATH, _TABLE, _VIA, _ENCAP_TYPE, _NH_ID = 1, 4, 5, 6, 9, 15, 18, 21, 30
_DEAD, _ONLINK = 1, 4

_FIB_RULE = struct.Struct('=BBBBBBBBI')
_TO_TABLE, _RULE_TABLE = 1, 15

# RTF_* bits of the text files, include/uapi/linux/{route,ipv6_route}.h.
_RTF_GATEWAY, _RTF_REJECT, _RTF_ANYCAST, _RTF_CACHE, _RTF_LOCAL = 0x2, 0x200, 0x100000, 0x1000000, 0x80000000

# Routes looked at in each family; a router with the full table of the Internet has ten times as many.
_MOST_ROUTES = 50_000


class Hop(NamedTuple):
    """One way out of a route.

    gateway  4 or 16 bytes, not always of the route's family (RTA_VIA); None: the destination itself is the neighbour
    onlink   the administrator vouches for the gateway being on this link
    tunnel   packets are encapsulated (MPLS, SRv6, ...): their neighbour is not their destination
    """

    device: str
    gateway: bytes | None = None
    onlink: bool = False
    tunnel: bool = False


class Route(NamedTuple):
    """A unicast route, or with `local` the kernel's own entry for an address of this host.

    destination  4 or 16 bytes
    hops         the ways out that are not dead; () where a next-hop object hides them
    """

    destination: bytes
    length: int
    hops: tuple[Hop, ...]
    table: int = MAIN
    metric: int = 0
    local: bool = False


class Routes(NamedTuple):
    """What routing knows.

    families  those of 4 and 6 that could be listed
    complete  False when a list was cut off at its bound: then a route that was not found may exist all the same
    """

    entries: list[Route]
    families: tuple[int, ...] = (4, 6)
    complete: bool = True


def parse_message(payload: bytes, names: Mapping[int, str]) -> Route | None:
    """One RTM_NEWROUTE message; None for unreachable, blackhole, multicast routes and the like. Raises ReadError."""
    attributes = parse_attributes(payload, _RTMSG.size, 'routes')
    family, length, _, _, table, _, _, kind, flags = _RTMSG.unpack_from(payload)
    size = {INET: 4, INET6: 16}.get(family)
    if size is None or kind not in (_UNICAST, _LOCAL) or flags & _CLONED:
        return None
    destination = attributes.get(_DST, bytes(size))
    if len(destination) != size or length > 8 * size:
        raise ReadError('rtnetlink routes', 'a destination of another size')
    hops: tuple[Hop, ...] = ()
    if _MULTIPATH in attributes:
        hops = tuple(_hops(attributes[_MULTIPATH], names))
    elif _OIF in attributes and not flags & _DEAD:
        hops = (_hop(attributes, parse_u32(attributes[_OIF], 'routes') or 0, flags, names),)
    return Route(
        destination,
        length,
        hops,
        parse_u32(attributes.get(_TABLE), 'routes') or table,
        parse_u32(attributes.get(_PRIORITY), 'routes') or 0,
        kind == _LOCAL,
    )


def _hops(data: bytes, names: Mapping[int, str]) -> Iterator[Hop]:
    """The struct rtnexthop chain in RTA_MULTIPATH."""
    offset = 0
    while offset + _RTNEXTHOP.size <= len(data):
        length, flags, _, index = _RTNEXTHOP.unpack_from(data, offset)
        if length < _RTNEXTHOP.size or offset + length > len(data):
            raise ReadError('rtnetlink routes', 'a next hop is cut off')
        attributes = parse_attributes(data[offset : offset + length], _RTNEXTHOP.size, 'routes')
        if not flags & _DEAD:
            yield _hop(attributes, index, flags, names)
        offset += (length + 3) & ~3


def _hop(attributes: Mapping[int, bytes], index: int, flags: int, names: Mapping[int, str]) -> Hop:
    gateway = attributes.get(_GATEWAY)
    if gateway is None and _VIA in attributes:
        gateway = attributes[_VIA][2:]  # struct rtvia: u16 family, address
    if gateway is not None and len(gateway) not in (4, 16):
        raise ReadError('rtnetlink routes', 'a gateway of another size')
    device = names.get(index) or f'interface {index}'
    return Hop(device, gateway, bool(flags & _ONLINK), _ENCAP_TYPE in attributes)


def parse_rule(payload: bytes) -> int | None:
    """The table one RTM_NEWRULE message leads to (struct fib_rule_hdr); None for other actions. Raises ReadError."""
    attributes = parse_attributes(payload, _FIB_RULE.size, 'routing rules')
    _, _, _, _, table, _, _, action, _ = _FIB_RULE.unpack_from(payload)
    if action != _TO_TABLE:
        return None
    return parse_u32(attributes.get(_RULE_TABLE), 'routing rules') or table or None


def read_routes(root: str, links: Mapping[str, Link]) -> Routes:
    """The routes in use, as far as they can be listed. Raises ReadError."""
    if is_live(root):
        try:
            return _ask(links)
        except ReadError:
            pass  # no netlink here; the files know the main table
    entries: list[Route] = []
    families: tuple[int, ...] = ()
    for family, name, read in ((4, 'ip-route.txt', _from_route), (6, 'ip6-route.txt', _from_ipv6_route)):
        path = recording(root, name)
        found = read(root) if path is None else _from_recording(root, path, family)
        if found is not None:
            entries += found
            families += (family,)
    return Routes(entries, families)


def _ask(links: Mapping[str, Link]) -> Routes:
    names = {link.number: name for name, link in links.items()}
    virtual = {link.table for link in links.values() if link.table is not None}
    entries: list[Route] = []
    families: tuple[int, ...] = ()
    complete = True
    for number, family in ((4, INET), (6, INET6)):
        answer = dump(GET_ROUTE, _RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0), 'routes', _MOST_ROUTES)
        payloads = of_family(answer.payloads, family)
        if answer.payloads and not payloads:
            continue  # only others answered: this kernel does not have the family
        families += (number,)
        complete = complete and answer.complete
        # A route in a table that nothing leads to is never used.
        tables = virtual | _ruled_tables(family)
        for payload in payloads:
            route = parse_message(payload, names)
            if route is not None and route.table in tables:
                entries.append(route)
    return Routes(entries, families, complete)


def _ruled_tables(family: int) -> frozenset[int]:
    try:
        answer = dump(GET_RULE, _FIB_RULE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0), 'routing rules')
    except ReadError:
        return _BUILT_IN  # a kernel without policy routing
    payloads = of_family(answer.payloads, family)
    return frozenset(table for table in map(parse_rule, payloads) if table is not None)


def _from_recording(root: str, path: str, family: int) -> list[Route]:
    from tablefull.readers.iproute_text import parse_routes

    return parse_routes(read_text(root, path), family, path)


def _from_route(root: str) -> list[Route] | None:
    from tablefull.readers.proc_net import net_directory, parse_route

    path = f'{net_directory(root)}/route'
    text = read_optional(root, path)
    if text is None:
        return None
    return [
        Route(destination, length, (Hop(device, gateway if flags & _RTF_GATEWAY else None),), metric=metric)
        for device, destination, length, gateway, flags, metric in parse_route(text, path)
        if not flags & _RTF_REJECT
    ]


def _from_ipv6_route(root: str) -> list[Route] | None:
    from tablefull.readers.proc_net import net_directory, parse_ipv6_route

    path = f'{net_directory(root)}/ipv6_route'
    text = read_optional(root, path)
    if text is None:
        return None
    unused = _RTF_REJECT | _RTF_ANYCAST | _RTF_CACHE
    return [
        Route(
            destination,
            length,
            (Hop(device, gateway if flags & _RTF_GATEWAY else None),),
            metric=metric,
            local=bool(flags & _RTF_LOCAL),
        )
        for device, destination, length, gateway, flags, metric in parse_ipv6_route(text, path)
        # Old kernels mark local routes as rejecting ones too (RTF_NONEXTHOP is another bit): local decides.
        if flags & _RTF_LOCAL or not flags & unused
    ]
