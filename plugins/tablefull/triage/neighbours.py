"""Causes of neighbour tables that fill, and of gateways that are none."""

from __future__ import annotations

from tablefull.findings.neighbour import LABELS, NAMES
from tablefull.findings.neighbour import Seen as Neighbours
from tablefull.findings.wording import number
from tablefull.record import TYPE_CHECKING
from tablefull.triage.cause import Cause, Step, steps_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tablefull.triage.facts import Facts

_WRONG = ('neighbour-gateway-own-address', 'neighbour-gateway-missing', 'neighbour-gateway-off-link')
_OVERFLOW = ('neighbour-table-full', 'neighbour-table-full-probable')
_DAMAGE = (*_OVERFLOW, 'neighbour-usage-high')
_FILLERS = ('neighbour-off-link', 'neighbour-unresolved')
_SILENCE = ('neighbour-log-suppressed', 'kernel-log-suppressed')
_READS = 'nothing: reads only'


def judge(facts: Facts) -> Iterator[Cause]:
    """One for each thing that is wrong; a limit that is too low only where nothing else explains the damage."""
    damage = facts.codes(*_DAMAGE)
    explained = False
    if facts.codes(*_WRONG):
        yield _default_route(facts)
        explained = True
    if facts.codes('neighbour-gateway-unresolved'):
        yield _silent(facts)
    if not explained and facts.codes('neighbour-prefix-wide') and (damage or facts.codes('neighbour-unresolved')):
        yield _wide(facts)
        explained = True
    elif not explained and facts.codes('neighbour-unresolved'):
        yield _scanned(facts)
        explained = True
    if facts.codes('neighbour-off-link') and not facts.codes(*_WRONG):
        yield _off_link(facts)
        explained = True
    if damage and not explained:
        yield _too_low(facts)


def levels(seen: Neighbours) -> tuple[str, ...]:
    """How full each table is."""
    found = []
    for table in seen.tables:
        usage, limit = seen.usage(table.family), 'unknown' if table.limit is None else table.limit
        share = '' if usage is None else f' ({number(usage)} %)'
        fulls = table.statistics.get('table_fulls')
        counted = 'this kernel counts no refusals' if fulls is None else f'{fulls} refused since boot'
        label = LABELS[table.family].upper()
        found.append(f'{label}: {seen.counted(table.family)} of gc_thresh3 {limit}{share}, {counted}')
    return tuple(found)


def _levels(facts: Facts) -> tuple[str, ...]:
    return () if facts.neighbour is None else levels(facts.neighbour.all)


def _end_of(facts: Facts) -> tuple[str, ...]:
    if facts.codes(*_OVERFLOW):
        return ('the table reaches gc_thresh3, new neighbours are refused',)
    return ('the table fills up to gc_thresh3',) if facts.codes(*_DAMAGE) else ('the table will fill up',)


def _against(facts: Facts) -> tuple[str, ...]:
    """What does not fit: an overflow without the entries that would cause it, a table that is no longer full."""
    seen = facts.neighbour
    found = []
    if seen is not None and seen.off_link is not None and facts.codes(*_OVERFLOW) and not seen.off_link:
        found.append('no neighbour outside the connected networks is in the table at this moment')
    if facts.codes(*_OVERFLOW) and not facts.codes('neighbour-usage-high'):
        found.append('the table has room again: the overflow is over, or comes and goes')
    return tuple(found)


def _default_route(facts: Facts) -> Cause:
    findings = facts.found(*_WRONG)
    own = any(finding.code == 'neighbour-gateway-own-address' for finding in findings)
    outside = all(finding.code == 'neighbour-gateway-off-link' for finding in findings)
    silent = facts.codes(*_SILENCE)
    seen = facts.neighbour
    foreign = bool(seen and seen.off_link)
    return Cause(
        'default-route-wrong',
        findings[0].summary,
        'certain' if not outside else 'probable',
        'the route says so, and neighbours outside every connected network are in the table'
        if foreign
        else 'the route says so'
        if not outside
        else 'a route to the gateway may be meant to be missing: some providers do it so',
        (
            'a typing error in the gateway, or a route by device alone, was put in',
            'the kernel takes it: the gateway is an own address' if own else 'the kernel takes it without complaint',
            'the host cannot reach its gateway'
            if outside
            else 'every destination is asked for by ARP or NDP and becomes a neighbour',
            *(() if outside else _end_of(facts)),
            *(('the log is silent about it: the kernel suppressed the lines',) if silent else ()),
        ),
        (
            *(piece for finding in findings for piece in finding.evidence),
            *facts.evidence('neighbour-off-link'),
            *facts.evidence(*_OVERFLOW)[:2],
            *_levels(facts),
            *facts.evidence(*silent)[:1],
        ),
        facts.codes(*_WRONG, *(() if outside else (*_DAMAGE, *_FILLERS, *silent)), 'neighbour-gateway-unresolved'),
        findings[0].code,
        steps_of(
            tuple(dict.fromkeys(line for finding in findings for line in finding.remedy)),
            'replaces this route, at once: have the right gateway ready, and another way in',
        ),
        (
            'the same in the configuration of the network (interfaces, netplan, networkd), or a boot brings it back',
            'check_neighbour names such a route before the table is full',
        ),
        _against(facts),
    )


def _silent(facts: Facts) -> Cause:
    return Cause(
        'gateway-silent',
        facts.found('neighbour-gateway-unresolved')[0].summary,
        'certain',
        'the kernel asked for it and had no answer',
        ('the gateway is down, unplugged or elsewhere, or the address is wrong', 'what is sent to it goes nowhere'),
        facts.evidence('neighbour-gateway-unresolved'),
        facts.codes('neighbour-gateway-unresolved'),
        'neighbour-gateway-unresolved',
        steps_of(tuple(facts.remedies('neighbour-gateway-unresolved')), _READS),
        ('two gateways with one address (VRRP)',),
    )


def _wide(facts: Facts) -> Cause:
    return Cause(
        'prefix-too-wide',
        facts.found('neighbour-prefix-wide')[0].summary,
        'certain' if facts.codes('neighbour-unresolved') else 'probable',
        'entries that do not answer fill the table'
        if facts.codes('neighbour-unresolved')
        else 'the entries cannot be told from real neighbours',
        (
            'a router, or a host, has a prefix on its link that holds far more addresses than gc_thresh3',
            'somebody scans it, from inside or from the Internet',
            'each address that nobody has becomes an entry that waits for an answer',
            *_end_of(facts),
        ),
        (
            *facts.evidence('neighbour-prefix-wide'),
            *facts.evidence('neighbour-unresolved', *_OVERFLOW)[:4],
            *_levels(facts),
        ),
        facts.codes('neighbour-prefix-wide', 'neighbour-unresolved', *_DAMAGE),
        'neighbour-prefix-wide',
        (
            Step('ip neigh show nud failed nud incomplete', _READS),
            *_raise_limit(facts),
        ),
        (
            'a smaller on-link prefix (IPv6: /120 to /126 for routers between each other, RFC 6164)',
            'an access list towards addresses that nobody has; a limit of new neighbours for each interface',
        ),
        _against(facts)[1:],
    )


def _scanned(facts: Facts) -> Cause:
    return Cause(
        'neighbours-scanned',
        facts.found('neighbour-unresolved')[0].summary,
        'probable',
        'entries without an answer tell that somebody asks, not who',
        (
            'somebody scans a connected network, or a service sends to hosts that are gone',
            'each address becomes an entry that waits for an answer',
            *_end_of(facts),
        ),
        (*facts.evidence('neighbour-unresolved'), *facts.evidence(*_OVERFLOW)[:2], *_levels(facts)),
        facts.codes('neighbour-unresolved', *_DAMAGE),
        'neighbour-unresolved',
        (
            Step('ip neigh show nud failed nud incomplete', _READS),
            Step(
                'tcpdump -n -c 50 arp or icmp6', 'nothing; the interface listens to everything for as long as it runs'
            ),
            *_raise_limit(facts),
        ),
        ('keep scanners out of the network, or behind an access list', 'a smaller on-link prefix'),
    )


def _off_link(facts: Facts) -> Cause:
    return Cause(
        'neighbours-off-link',
        facts.found('neighbour-off-link')[0].summary,
        'probable',
        'the default routes are in order; another route, or a foreign network on the same wire, brings them',
        (
            'a route without gateway points at this link, or networks share the wire',
            'destinations behind it become neighbours',
            *_end_of(facts),
        ),
        (*facts.evidence('neighbour-off-link'), *_levels(facts)),
        facts.codes('neighbour-off-link', *_DAMAGE),
        'neighbour-off-link',
        steps_of(tuple(facts.remedies('neighbour-off-link')), _READS),
        ('routes with a gateway; proxy ARP only where it is meant to be',),
    )


def _too_low(facts: Facts) -> Cause:
    return Cause(
        'neighbour-limit-too-low',
        facts.found(*_DAMAGE)[0].summary,
        'probable',
        'no fault of routes or neighbours shows',
        ('more hosts talk to this one than gc_thresh3 allows', *_end_of(facts)),
        (*facts.evidence(*_DAMAGE), *_levels(facts)),
        facts.codes(*_DAMAGE),
        'neighbour-table-full' if facts.codes(*_OVERFLOW) else 'neighbour-usage-high',
        _raise_limit(facts),
        ('the same lines in /etc/sysctl.d: gc_thresh1, gc_thresh2 and gc_thresh3, for IPv4 and IPv6',),
        _against(facts)[1:],
    )


def _raise_limit(facts: Facts) -> tuple[Step, ...]:
    seen = facts.neighbour
    if seen is None:
        return ()
    steps = []
    for table in seen.all.tables:
        usage = seen.all.usage(table.family)
        if table.limit and usage is not None and (usage >= 70 or f'{NAMES[table.family]}' in _said(facts)):
            name = f'net.ipv{table.family}.neigh.default.gc_thresh'
            steps.append(
                Step(
                    f'sysctl -w {name}3={4 * table.limit} {name}2={2 * table.limit}',
                    'about a kilobyte of memory an entry; gone at the next boot; on the host: one for all containers',
                )
            )
    return tuple(steps)


def _said(facts: Facts) -> str:
    return ' '.join(finding.summary for finding in facts.found(*_DAMAGE))
