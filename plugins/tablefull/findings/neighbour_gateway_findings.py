"""What the rules of default routes say: findings about one way out that is wrong, and how to repair it.

Imported only where something is wrong.
"""

from __future__ import annotations

from tablefull.findings.finding import Finding
from tablefull.findings.neighbour import Seen
from tablefull.findings.neighbour_gateway import (
    describe,
    family_of,
    gateways,
    link_local,
    neighbour_state,
    own_device,
    place,
    prefix,
    severity_of,
    way,
)
from tablefull.readers.neighbours import FAILED, UNRESOLVED
from tablefull.readers.routes import Hop, Route
from tablefull.readers.rtnetlink import address_text


def finding(seen: Seen, route: Route, hop: Hop, code: str) -> Finding:
    """The finding of a fault; of gateways that do not answer one for all of them."""
    if code == 'neighbour-gateway-missing':
        return _without_gateway(seen, route, hop)
    if code == 'neighbour-gateway-own-address':
        return _own_address(seen, route, hop)
    if code == 'neighbour-gateway-off-link':
        return _outside(seen, route, hop)
    return _unresolved(seen)


def _repair(route: Route, wrong: Hop) -> tuple[str, ...]:
    """What gives a route its gateway. `replace` finds it by prefix, table and metric, and takes all its hops away."""
    ways = [f'via GATEWAY dev {hop.device}' if hop == wrong else way(route, hop) for hop in route.hops]
    if len(ways) == 1:
        words = [prefix(route), ways[0], *place(route)]
    else:
        words = [prefix(route), *place(route), *(f'nexthop {words}' for words in ways)]
    ip = f'ip -{family_of(route.destination)}'
    return (
        f'{ip} route replace {" ".join(words)}',
        f'{ip} neigh flush dev {wrong.device}  # after that: drops what was learned',
    )


def _without_gateway(seen: Seen, route: Route, hop: Hop) -> Finding:
    family = f'IPv{family_of(route.destination)}'
    return Finding(
        'neighbour-gateway-missing',
        severity_of(seen, route, 'neighbour-gateway-missing'),
        f'{family} default route on {hop.device} has no gateway: every destination becomes a neighbour',
        (describe(route, hop), f'{hop.device} resolves neighbours: it is no point-to-point link'),
        _repair(route, hop),
    )


def _own_address(seen: Seen, route: Route, hop: Hop) -> Finding:
    assert hop.gateway is not None
    gateway = address_text(hop.gateway)
    return Finding(
        'neighbour-gateway-own-address',
        severity_of(seen, route, 'neighbour-gateway-own-address'),
        f'default gateway {gateway} is an address of this host: every destination becomes a neighbour',
        (describe(route, hop), f'{gateway} is configured on {own_device(seen, hop)}'),
        _repair(route, hop),
    )


def _outside(seen: Seen, route: Route, hop: Hop) -> Finding:
    assert hop.gateway is not None
    gateway = address_text(hop.gateway)
    return Finding(
        'neighbour-gateway-off-link',
        severity_of(seen, route, 'neighbour-gateway-off-link'),
        f'default gateway {gateway} is outside every network connected to {hop.device}',
        (describe(route, hop), f'no address and no route makes {gateway} reachable on {hop.device}'),
        (
            f'ip -{family_of(hop.gateway)} address show dev {hop.device}  # is an address or its prefix length wrong?',
            f'ip -{family_of(hop.gateway)} route add {gateway} dev {hop.device} scope link  # if it is meant to be so',
        ),
    )


def _unresolved(seen: Seen) -> Finding:
    """Gateways that do not answer: critical when the host is cut off."""
    states = [(route, hop, neighbour_state(seen, hop)) for route, hop in gateways(seen)]
    silent = [(route, hop, state) for route, hop, state in states if state & UNRESOLVED]
    _, hop, _ = silent[0]
    assert hop.gateway is not None
    return Finding(
        'neighbour-gateway-unresolved',
        severity_of(seen, silent[0][0], 'neighbour-gateway-unresolved'),
        f'default gateway {address_text(hop.gateway)} on {hop.device} does not answer'
        + (f' (+{len(silent) - 1} more)' if len(silent) > 1 else ''),
        tuple(
            f'{describe(route, hop)}: neighbour {"FAILED" if state & FAILED else "INCOMPLETE"}'
            for route, hop, state in silent
        ),
        (
            f'ip -{family_of(hop.gateway)} neigh show dev {hop.device}',
            f'ping -c 3 {address_text(hop.gateway)}{"%" + hop.device if link_local(hop.gateway) else ""}',
        ),
    )
