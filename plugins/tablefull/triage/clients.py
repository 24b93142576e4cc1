"""Causes that lie with the clients: a flood that nobody answers, one range of addresses that holds the table."""

from __future__ import annotations

from tablefull.findings.holders import percent
from tablefull.record import TYPE_CHECKING
from tablefull.triage.cause import Cause, Step
from tablefull.triage.holders import ITSELF, busiest_port, cut_off, heaviest, told, whose
from tablefull.triage.table import FULL, level, lowered, raise_steps, refuses, total, who

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tablefull.findings.conntrack_seen import Seen
    from tablefull.triage.facts import Facts
    from tablefull.triage.holders import Holders

# An entry that was evicted for each packet that was refused: without flows, that is all that tells.
_MANY_EVICTED = 1.0
# Of the table unanswered, or of what is unanswered of one protocol.
_MOSTLY = 0.5
_FEW = 0.1
# Protocol -> what a flood of it looks like.
_FLOODS = {
    1: 'pings that nobody answers',
    6: 'TCP handshakes that nobody finishes (SYN)',
    17: 'UDP that nobody answers',
}
_PREVENTION = {
    17: (
        'do not track what needs no state: notrack rules for DNS, NTP, syslog',
        'shorter lives: net.netfilter.nf_conntrack_udp_timeout',
    ),
    6: (
        'net.ipv4.tcp_syncookies = 1 for the listeners of this host; SYNPROXY before those behind it',
        'shorter lives: net.netfilter.nf_conntrack_tcp_timeout_syn_recv, nf_conntrack_tcp_timeout_syn_sent',
    ),
}


def judge(facts: Facts) -> Iterator[Cause]:
    """Who fills the table of this namespace."""
    if facts.conntrack is None:
        return
    yield from _flood(facts, facts.conntrack)
    held = facts.held
    # Below a limit that was lowered nobody holds too many.
    troubled = facts.found(*FULL, check='conntrack') and not lowered(facts.conntrack)
    if held is not None and held.unanswered < _MOSTLY and troubled:
        yield from _one_range(facts, facts.conntrack, held)


def _flood(facts: Facts, seen: Seen) -> Iterator[Cause]:
    measured, held = bool(facts.codes('conntrack-early-drops')), facts.held
    evicted, refused = total(seen, 'early_drop') or 0, total(seen, 'drop') or 0
    # The connections themselves show a flood.
    flood = held if held is not None and held.unanswered >= _MOSTLY and facts.found(*FULL, check='conntrack') else None
    full = bool(facts.found('conntrack-table-full', check='conntrack'))
    since_boot = full and evicted > 0 and evicted >= _MANY_EVICTED * refused
    if not measured and flood is None and not since_boot:
        return
    now = measured or flood is not None
    found = None if flood is None else heaviest(flood)
    yield Cause(
        'unreplied-flood',
        _says(flood, now),
        'certain' if measured and flood else 'probable' if now else 'possible',
        _because(measured, flood is not None),
        ('packets that nobody answers open entries', *_outcome(evicted > 0, refused > 0)),
        (
            *facts.evidence('conntrack-early-drops'),
            *((told(flood, found),) if flood is not None and found is not None else ()),
            f'early_drop {evicted} and drop {refused} since boot',
            level(seen),
        ),
        facts.codes('conntrack-early-drops', *(('conntrack-usage-high', 'conntrack-table-full') if now else ())),
        'conntrack-early-drops' if measured or since_boot else 'conntrack-usage-high',
        (
            *(cut_off(flood, found) if flood is not None and found is not None else _look_first(held)),
            *(raise_steps(facts) if flood is not None and not measured else ()),
        ),
        _prevention(flood),
        tuple(_against(held, measured, refused)),
    )


def _outcome(evicts: bool, refuses_some: bool) -> tuple[str, ...]:
    if not evicts:
        return (
            'the table fills up',
            'at its limit the kernel evicts unanswered or short ones (early_drop), or refuses packets',
        )
    return (
        'the table reaches its limit',
        'the kernel evicts unanswered or short ones for new ones (early_drop)',
        'where it finds none, it refuses packets (drop)'
        if refuses_some
        else 'nothing is refused as long as it finds some',
    )


def _says(held: Holders | None, now: bool) -> str:
    if held is None:
        if now:
            return 'the table is full of connections that nobody answers: a flood of UDP or SYN, or a scan'
        return 'unanswered or short connections were evicted at some time since boot, more than packets were refused'
    protocol, port = _protocol(held), busiest_port(held)
    unanswered = _unanswered(held)
    share = percent(unanswered.get(protocol, sum(unanswered.values())), held.ranges.counted)
    where = f', most of it to {port}' if port else ''
    return (
        f'{share} of the table is {_FLOODS.get(protocol, "connections that nobody answers")}{where}: a flood, or a scan'
    )


def _because(measured: bool, seen_in_flows: bool) -> str:
    if measured and seen_in_flows:
        return 'the kernel evicts entries, and the connections themselves are unanswered'
    if measured:
        return 'what is evicted is unanswered, or as short as an exchange of DNS; which of them, the flows tell'
    if seen_in_flows:
        return 'the connections are unanswered; whether somebody means harm they do not tell'
    return 'counters since boot do not tell when it was'


def _unanswered(held: Holders) -> dict[int, int]:
    """Protocol -> half-open connections."""
    found: dict[int, int] = {}
    for kind, count in held.ranges.kinds.items():
        if kind.half_open:
            found[kind.protocol] = found.get(kind.protocol, 0) + count
    return found


def _protocol(held: Holders) -> int:
    """The protocol that most of what is unanswered has, -1 when none has most of it."""
    found = _unanswered(held)
    protocol = max(found, key=lambda number: found[number], default=-1)
    return protocol if found and found[protocol] > _MOSTLY * sum(found.values()) else -1


def _prevention(held: Holders | None) -> tuple[str, ...]:
    known = () if held is None else _PREVENTION.get(_protocol(held), ())
    return known or (*_PREVENTION[17], *_PREVENTION[6])


def _look_first(held: Holders | None) -> tuple[Step, ...]:
    """Where it comes from is not known, or it comes from everywhere."""
    if held is not None:
        return (Step('tablefull top --unanswered --by port', 'nothing: counts where that loads nothing'),)
    return (
        *who(' -u UNREPLIED'),
        Step('iptables -t raw -I PREROUTING -s PREFIX -j DROP', 'everything from PREFIX; loads the raw table'),
    )


def _against(held: Holders | None, measured: bool, refused: int) -> Iterator[str]:
    if held is not None and held.unanswered < _FEW:
        yield f'of the connections that are there now {percent(held.unanswered, 1)} are unanswered'
    if not refused and not measured and held is None:
        yield 'nothing was refused since boot'


def _one_range(facts: Facts, seen: Seen, held: Holders) -> Iterator[Cause]:
    found = heaviest(held)
    if found is None:
        return
    full, port, place = refuses(facts), busiest_port(held), whose(held, found)
    who_holds = 'this host' if place == ITSELF else found.text
    yield Cause(
        'one-range-holds-table',
        told(held, found),
        'probable',
        'the connections were counted; whether that many are wrong, or wanted, they do not tell',
        (
            f'{who_holds} opens connections and keeps them' + (f', most of them to {port}' if port else ''),
            level(seen),
            'new connections of everybody are refused' if full else 'soon new connections of everybody are refused',
        ),
        (told(held, found), f'{percent(found.half_open, found.flows)} of these are half-open', level(seen)),
        facts.codes(*FULL),
        'conntrack-table-full' if full else 'conntrack-usage-high',
        (*raise_steps(facts), *cut_off(held, found)),
        (
            'a limit for each client: connlimit in the firewall, or in the program that serves them',
            'let dead connections go sooner: net.netfilter.nf_conntrack_tcp_timeout_established = 86400',
        ),
    )
