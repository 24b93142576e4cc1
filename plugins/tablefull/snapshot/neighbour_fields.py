"""The object `neighbour` of a snapshot."""

from __future__ import annotations

from tablefull.findings.neighbour import LABELS
from tablefull.findings.neighbour_gateway import describe, family_of, fault, like_default, severity_of
from tablefull.readers.links import UP
from tablefull.readers.neighbours import NOARP, UNRESOLVED
from tablefull.readers.rtnetlink import address_text
from tablefull.record import TYPE_CHECKING
from tablefull.snapshot.fields import present
from tablefull.snapshot.verdicts import STATES, text

if TYPE_CHECKING:
    from typing import Any

    from tablefull.findings.neighbour import Seen
    from tablefull.frame.look import Look
    from tablefull.readers.neighbours import Neighbour, Table
    from tablefull.readers.routes import Hop, Route

_TITLES = {4: 'IPv4 (ARP)', 6: 'IPv6 (NDP)'}
# A host of containers has thousands of interfaces, and an agent takes half a mebibyte in all.
MOST_INTERFACES = 64
MOST_GATEWAYS = 64


def neighbour(look: Look) -> dict[str, Any]:
    """Tables, interfaces and default routes."""
    seen: Seen = look.seen.all
    off_link: list[Neighbour] | None = look.seen.off_link
    interfaces = _interfaces(seen, off_link)
    return {
        'read': 1,
        'families': [_family(seen, table, off_link) for table in seen.tables],
        'interfaces': interfaces[:MOST_INTERFACES],
        'interfaces_left_out': max(0, len(interfaces) - MOST_INTERFACES),
        'gateways': _gateways(seen),
    }


def _family(seen: Seen, table: Table, off_link: list[Neighbour] | None) -> dict[str, Any]:
    family, statistics = table.family, table.statistics
    size = 4 if family == 4 else 16
    listed = [entry for entry in seen.neighbours.entries if len(entry.address) == size]
    known = family in seen.neighbours.families
    fields = present(
        family=LABELS[family],
        title=_TITLES[family],
        entries=table.entries,
        counted=seen.counted(family),
        gc_thresh1=table.gc_thresh1,
        gc_thresh2=table.gc_thresh2,
        gc_thresh3=table.limit,
        usage=seen.usage(family),
        table_fulls=statistics.get('table_fulls'),
        forced_gc_runs=statistics.get('forced_gc_runs'),
        res_failed=statistics.get('res_failed'),
        unresolved=sum(bool(entry.state & UNRESOLVED) for entry in listed) if known else None,
        off_link=sum(len(entry.address) == size for entry in off_link) if known and off_link is not None else None,
    )
    return {**fields, 'statistics': {text(name): value for name, value in statistics.items()}}


def _interfaces(seen: Seen, off_link: list[Neighbour] | None) -> list[dict[str, Any]]:
    """Interfaces that have neighbours or could have some, those with the most of them first."""
    counts: dict[str, list[int]] = {
        name: [0, 0, 0]
        for name, link in seen.links.items()
        # What belongs to a bridge or a bond has its neighbours there.
        if link.resolves and link.flags and link.flags & UP and not link.master
    }
    for entry in seen.neighbours.entries:
        # Multicast addresses stand in the table, too; nobody has to answer for them.
        if not entry.state & NOARP:
            found = counts.setdefault(entry.device, [0, 0, 0])
            found[0] += 1
            found[1] += bool(entry.state & UNRESOLVED)
    for entry in off_link or ():
        counts.setdefault(entry.device, [0, 0, 0])[2] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1][0], item[0]))
    return [
        present(
            interface=text(name),
            neighbours=neighbours,
            unresolved=unresolved,
            off_link=outside if off_link is not None else None,
        )
        for name, (neighbours, unresolved, outside) in ordered
    ]


def _gateways(seen: Seen) -> list[dict[str, Any]]:
    found = [(route, hop) for route in seen.routes.entries if like_default(route) for hop in route.hops]
    return [_gateway(seen, route, hop) for route, hop in found[:MOST_GATEWAYS]]


def _gateway(seen: Seen, route: Route, hop: Hop) -> dict[str, Any]:
    code = fault(seen, route, hop)
    severity = severity_of(seen, route, code) if code else 'ok'
    return {
        'route': text(describe(route, hop)),
        'family': f'IPv{family_of(route.destination)}',
        'interface': text(hop.device),
        'gateway': '' if hop.gateway is None else address_text(hop.gateway),
        'table': route.table,
        'metric': route.metric,
        'code': code or 'ok',
        'severity': severity,
        'severity_code': STATES.index(severity),
    }
