"""Rules of default routes: the mistakes that make every destination of the Internet a neighbour (outage O4).

The kernel takes most of them without a word. Only links that resolve neighbours are judged: on point-to-point links
(PPP, WireGuard, tunnels) a default route needs no gateway.
"""

from __future__ import annotations

from tablefull.findings.finding import Finding
from tablefull.findings.neighbour import Seen
from tablefull.readers.neighbours import FAILED, NOARP, UNRESOLVED
from tablefull.readers.routes import MAIN, Hop, Route
from tablefull.readers.rtnetlink import address_text
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Without a gateway, routes as wide as this are as bad as a default: 0.0.0.0/1 with 128.0.0.0/1, 2000::/3. Wider than
# any network somebody owns.
_WIDEST = {4: 7, 16: 8}
_UNIQUE_LOCAL = b'\xfc' + bytes(15)  # fc00::/7: an organisation's own, and no part of the Internet


def covers(address: bytes, destination: bytes, length: int) -> bool:
    """Whether `address` lies in the prefix."""
    if len(address) != len(destination):
        return False
    shift = 8 * len(address) - length
    return int.from_bytes(address, 'big') >> shift == int.from_bytes(destination, 'big') >> shift


def link_local(address: bytes) -> bool:
    """Whether `address` is in fe80::/10: on every link by definition."""
    return len(address) == 16 and covers(address, b'\xfe\x80' + bytes(14), 10)


def multicast(address: bytes) -> bool:
    """Whether `address` is a multicast address (or in IPv4 from 224.0.0.0 on, which is never a host)."""
    return address[0] == 0xFF if len(address) == 16 else address[0] >= 224


def like_default(route: Route) -> bool:
    """Whether a route takes in the whole Internet or a good part of it."""
    destination = route.destination
    if route.local or route.length > _WIDEST[len(destination)] or multicast(destination):
        return False
    return route.length < 7 or not covers(destination, _UNIQUE_LOCAL, 7)


def resolves(seen: Seen, device: str) -> bool | None:
    """Whether destinations on a link become neighbours; None when nothing tells."""
    link = seen.links.get(device)
    if link is not None and link.flags is not None:
        return link.resolves
    # Every neighbour of a link without address resolution is marked NOARP.
    listed = [entry.state & NOARP for entry in seen.neighbours.entries if entry.device == device]
    return not all(listed) if listed else None


def needs_addresses(seen: Seen) -> bool:
    """Whether own addresses are needed for a verdict: to read them costs as much as the rest of the check."""
    local = {route.destination for route in seen.routes.entries if route.local}
    for _, hop in gateways(seen):
        assert hop.gateway is not None
        size = len(hop.gateway)
        known = any(len(destination) == size for destination in local)
        if not known or hop.gateway in local or _off_link(seen, hop):
            return True
    return False


def judge(seen: Seen) -> Iterator[Finding]:
    """Every default route, in every table in use."""
    unseen = []
    for route in seen.routes.entries:
        if not like_default(route):
            continue
        for hop in route.hops:
            link = resolves(seen, hop.device)
            if fault(seen, route, hop) == 'neighbour-gateway-missing':
                yield _finding(seen, route, hop, 'neighbour-gateway-missing')
            elif hop.gateway is None and link is None and not hop.tunnel:
                unseen.append(f'{describe(route, hop)}: whether {hop.device} is point-to-point')
    told = set()
    for route, hop in gateways(seen):
        wrong = fault(seen, route, hop)
        # Those that do not answer are told together.
        if wrong and (wrong != 'neighbour-gateway-unresolved' or wrong not in told):
            yield _finding(seen, route, hop, wrong)
        told.add(wrong)
        if seen.addresses is None and not own_device(seen, hop) and needs_addresses(seen):
            unseen.append(f'{describe(route, hop)}: whether the gateway is an address of this host')
    yield from _not_seen(seen, unseen)


def fault(seen: Seen, route: Route, hop: Hop) -> str:
    """The code of what is wrong with one way out of a route like_default(); '' when nothing is, or nothing tells."""
    link = resolves(seen, hop.device)
    if hop.gateway is None:
        return 'neighbour-gateway-missing' if link and not hop.tunnel else ''
    if route.length or link is False:
        return ''
    if own_device(seen, hop):
        return 'neighbour-gateway-own-address'
    if _off_link(seen, hop):
        return 'neighbour-gateway-off-link'
    return 'neighbour-gateway-unresolved' if neighbour_state(seen, hop) & UNRESOLVED else ''


def _finding(seen: Seen, route: Route, hop: Hop, code: str) -> Finding:
    # Most hosts never need the words.
    from tablefull.findings.neighbour_gateway_findings import finding

    return finding(seen, route, hop, code)


def severity_of(seen: Seen, route: Route, code: str) -> str:
    """What a fault is worth on this route."""
    if code == 'neighbour-gateway-off-link':
        return 'warning'
    if code == 'neighbour-gateway-unresolved':
        return 'critical' if _cut_off(seen) else 'warning'
    # A route that is not in use does no harm yet.
    return 'critical' if _in_use(seen, route) else 'warning'


def describe(route: Route, hop: Hop) -> str:
    """A route as iproute2 writes it."""
    return ' '.join([prefix(route), way(route, hop), *place(route)])


def prefix(route: Route) -> str:
    """'default', or the destination with its length."""
    return f'{address_text(route.destination)}/{route.length}' if route.length else 'default'


def way(route: Route, hop: Hop) -> str:
    """'via GATEWAY dev DEVICE', with the family where it is not that of the route."""
    if hop.gateway is None:
        return f'dev {hop.device}'
    family = '' if len(hop.gateway) == len(route.destination) else 'inet ' if len(hop.gateway) == 4 else 'inet6 '
    return f'via {family}{address_text(hop.gateway)} dev {hop.device}'


def place(route: Route) -> list[str]:
    """The words that tell the route from others of its prefix: table and metric, where they are not the default."""
    table = ['table', str(route.table)] if route.table != MAIN else []
    return [*table, 'metric', str(route.metric)] if route.metric else table


def gateways(seen: Seen) -> list[tuple[Route, Hop]]:
    """Default routes with a gateway, on links that resolve it."""
    return [
        (route, hop)
        for route in seen.routes.entries
        if route.length == 0 and not route.local
        for hop in route.hops
        if hop.gateway is not None and resolves(seen, hop.device) is not False
    ]


def _in_use(seen: Seen, route: Route) -> bool:
    """Whether no other route to the same destinations comes before it in its table."""
    return all(
        route.metric <= other.metric
        for other in seen.routes.entries
        if other.hops
        and not other.local
        and (other.destination, other.length, other.table) == (route.destination, route.length, route.table)
    )


def _domain(seen: Seen, device: str) -> int:
    """The VRF a device belongs to: addresses of different ones may be the same. 0 is outside every VRF."""
    link = seen.links.get(device)
    if link is None:
        return 0
    above = next((other for other in seen.links.values() if link.master and other.number == link.master), None)
    return link.table or (above.table if above is not None else None) or 0


def own_device(seen: Seen, hop: Hop) -> str:
    """The device that has the gateway's address, '' when none has."""
    assert hop.gateway is not None
    for own in (*(seen.addresses or ()), *seen.sources):
        if own.address != hop.gateway:
            continue
        if link_local(own.address) and own.device != hop.device:
            continue  # fe80::1 is often used on several links
        if not own.device or _domain(seen, own.device) == _domain(seen, hop.device):
            return own.device or hop.device
    return ''


def _off_link(seen: Seen, hop: Hop) -> bool:
    """Whether nothing says that the gateway is on its link: no route, no address, no `onlink`."""
    gateway = hop.gateway
    assert gateway is not None
    family = 4 if len(gateway) == 4 else 6
    if hop.onlink or link_local(gateway) or not seen.routes.complete or family not in seen.routes.families:
        return False
    for route in seen.routes.entries:
        if route.local or not covers(gateway, route.destination, route.length):
            continue
        if any(other.gateway is None and other.device == hop.device for other in route.hops):
            return False
    return not any(
        own.device in (hop.device, '') and covers(gateway, own.address, own.length) for own in seen.addresses or ()
    )


def neighbour_state(seen: Seen, hop: Hop) -> int:
    """The neighbour state of a gateway, 0 when it is no neighbour at present."""
    for entry in seen.neighbours.entries:
        if entry.address == hop.gateway and entry.device == hop.device:
            return entry.state
    return 0


def _cut_off(seen: Seen) -> bool:
    """Whether every default route in use, of both families, leads to a gateway that does not answer.

    A route that is not in use is no proof of another way out: nobody has asked its gateway. Other tables than the
    main one are for a part of the traffic only.
    """
    used = [
        (route, hop)
        for route in seen.routes.entries
        if like_default(route) and route.table == MAIN and _in_use(seen, route)
        for hop in route.hops
    ]
    return bool(used) and all(hop.gateway is not None and neighbour_state(seen, hop) & FAILED for _, hop in used)


def family_of(address: bytes) -> int:
    """4 or 6."""
    return 4 if len(address) == 4 else 6


def _not_seen(seen: Seen, reasons: list[str]) -> Iterator[Finding]:
    for family in (4, 6):
        if seen.concerns(family) and family not in seen.routes.families:
            reasons.append(f'IPv{family} routes: neither rtnetlink nor a file shows them')
        gateway = any(family_of(hop.gateway or b'') == family for _, hop in gateways(seen))
        if gateway and family not in seen.neighbours.families:
            reasons.append(f'IPv{family} neighbours: neither rtnetlink nor a file shows whether the gateway answers')
    if not seen.routes.complete:
        reasons.append('off-link gateways and neighbours: the routing table is too large to be read in a check')
    if reasons:
        yield Finding(
            'neighbour-not-seen',
            'info',
            'part of the default routes could not be judged',
            tuple(dict.fromkeys(reasons)),
        )
