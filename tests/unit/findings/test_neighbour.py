from __future__ import annotations

import pytest

from tablefull.findings import neighbour, neighbour_gateway, neighbour_log, neighbour_off_link
from tablefull.findings.finding import Finding
from tablefull.findings.neighbour import Seen
from tablefull.findings.rates import Sample
from tablefull.readers.kernel_log import Event, KernelLog
from tablefull.readers.links import Address, Link
from tablefull.readers.neighbours import (
    EXT_LEARNED,
    FAILED,
    INCOMPLETE,
    NOARP,
    PERMANENT,
    REACHABLE,
    Neighbour,
    Neighbours,
    Table,
)
from tablefull.readers.routes import Hop, Route, Routes
from tablefull.readers.rtnetlink import parse_address

ANY, ANY6 = bytes(4), bytes(16)
LINKS = {
    'lo': Link('lo', 1, 0x49),
    'eth0': Link('eth0', 2, 0x1043),
    'eth1': Link('eth1', 3, 0x1043),
    'ppp0': Link('ppp0', 4, 0x10D1),
    'wg0': Link('wg0', 5, 0xD1, 'wireguard'),
    'docker0': Link('docker0', 6, 0x1003, 'bridge'),
}


def ip(text: str) -> bytes:
    address = parse_address(text)
    assert address is not None
    return address


def table(family: int = 4, entries: int = 10, limit: int | None = 1024, **statistics: int) -> Table:
    return Table(family, entries, limit, {'table_fulls': 0, 'forced_gc_runs': 0, 'res_failed': 0, **statistics})


def old_table(entries: int, limit: int, **statistics: int) -> Table:
    """As kernels before 4.3 and RHEL 7 have it."""
    return Table(4, entries, limit, {'forced_gc_runs': 0, 'res_failed': 0, **statistics})


def route(destination: str, length: int, *hops: Hop, table: int = 254, metric: int = 0, local: bool = False) -> Route:
    return Route(ip(destination), length, hops, table, metric, local)


CONNECTED = [
    route('192.0.2.0', 24, Hop('eth0')),
    route('2001:db8:1::', 64, Hop('eth0')),
    route('fe80::', 64, Hop('eth0')),
    route('192.0.2.10', 32, Hop('eth0'), table=255, local=True),
    route('2001:db8:1::10', 128, Hop('eth0'), table=255, local=True),
]
OWN = [Address(ip('192.0.2.10'), 'eth0', 24), Address(ip('2001:db8:1::10'), 'eth0', 64)]


def seen(
    *routes: Route,
    tables: tuple[Table, ...] = (table(), table(6)),
    neighbours: list[Neighbour] | None = None,
    release: tuple[int, int] = (6, 1),
    links: dict[str, Link] = LINKS,
    addresses: list[Address] | None = None,
) -> Seen:
    facts = Seen(
        tables,
        release,
        links,
        Neighbours(neighbours or []),
        Routes([*CONNECTED, *routes]),
        neighbour.sample(tables, 1000.0),
    )
    needed = neighbour_gateway.needs_addresses(facts)
    return facts._replace(addresses=(OWN if addresses is None else addresses) if needed else None)


def earlier(facts: Seen, seconds: float, *tables: Table) -> Seen:
    before = neighbour.sample(tables, facts.now.at - seconds)
    return facts._replace(before=before, early=before)


def logged(facts: Seen, *events: Event) -> Seen:
    return facts._replace(log=KernelLog('/dev/kmsg', events, len(events), now_seconds=1000.0))


OVERFLOW = Event(
    'neighbour-table-overflow', 'arp_cache', 1, 'neighbour: arp_cache: neighbor table overflow!', seconds=880.0
)
SUPPRESSED = Event('callbacks-suppressed', 'net_ratelimit', 2127, 'net_ratelimit: 2127 callbacks suppressed', 990.0)


def judged(facts: Seen) -> list[Finding]:
    off_link = neighbour_off_link.off_link(facts)
    return [
        *neighbour.judge(facts),
        *neighbour_log.judge(facts),
        *neighbour_gateway.judge(facts),
        *neighbour_off_link.judge(facts, off_link),
    ]


def verdicts(facts: Seen) -> list[tuple[str, str]]:
    return [(finding.code, finding.severity) for finding in judged(facts)]


# Usage


@pytest.mark.parametrize('release, counted', [((4, 20), 560), ((5, 0), 160), ((6, 1), 160), ((0, 0), 160)])
def test_permanent_and_learned_entries_count_up_to_4_20_only(release: tuple[int, int], counted: int) -> None:
    entries = [Neighbour(n.to_bytes(4, 'big'), 'eth0', PERMANENT, 0) for n in range(358)]
    entries += [Neighbour(n.to_bytes(4, 'big'), 'eth0', REACHABLE, EXT_LEARNED) for n in range(42)]
    facts = seen(tables=(table(entries=560, limit=256),), neighbours=entries, release=release)
    assert facts.counted(4) == counted
    assert facts.usage(4) == 100.0 * counted / 256


@pytest.mark.parametrize('release, counted', [((6, 10), 2), ((6, 11), 1)])
def test_entries_on_loopback_count_up_to_6_10(release: tuple[int, int], counted: int) -> None:
    entries = [Neighbour(ANY, 'lo', NOARP, 0), Neighbour(ip('224.0.0.22'), 'eth0', NOARP, 0)]
    assert seen(tables=(table(entries=2),), neighbours=entries, release=release).counted(4) == counted


def test_what_other_namespaces_exempt_is_not_known_so_usage_is_never_negative() -> None:
    entries = [Neighbour(n.to_bytes(4, 'big'), 'eth0', PERMANENT, 0) for n in range(9)]
    assert seen(tables=(table(entries=4),), neighbours=entries).counted(4) == 0


def test_a_limit_of_zero_is_no_division_and_no_healthy_table() -> None:
    assert seen(tables=(table(entries=3, limit=0),)).usage(4) == 300.0


def test_a_breach_names_the_limit_and_who_is_out_of_sight() -> None:
    facts = seen(tables=(table(entries=950),), neighbours=[Neighbour(ip('192.0.2.1'), 'eth0', REACHABLE, 0)])
    finding = neighbour.usage_breach(4)(facts, 'critical', 92.77, '90')
    assert (finding.code, finding.severity) == ('neighbour-usage-high', 'critical')
    assert '950 of 1024' in finding.summary
    assert '1 of 950 entries are of this network namespace' in finding.evidence


def test_a_limit_that_cannot_be_seen_is_unknown() -> None:
    assert verdicts(seen(tables=(table(limit=None),))) == [('neighbour-limit-unknown', 'unknown')]


# Overflow


def test_refused_neighbours_are_critical_at_any_usage() -> None:
    facts = earlier(seen(tables=(table(entries=5, table_fulls=44),)), 60, table(table_fulls=40))
    assert verdicts(facts) == [('neighbour-table-full', 'critical')]
    assert '4 new neighbours refused' in judged(facts)[0].summary
    assert facts.overflow_rate(4) == pytest.approx(4 / 60)


def test_a_full_table_that_refuses_nothing_is_left_to_the_thresholds() -> None:
    facts = earlier(seen(tables=(table(entries=1024, forced_gc_runs=9),)), 60, table())
    assert verdicts(facts) == []


def test_each_family_overflows_for_itself() -> None:
    facts = earlier(seen(tables=(table(), table(6, table_fulls=1))), 60, table(), table(6))
    assert ['IPv6' in finding.summary for finding in judged(facts)] == [True]


def test_a_line_of_the_kernel_log_is_enough() -> None:
    facts = logged(seen(tables=(table(table_fulls=40), table(6))), OVERFLOW)
    assert verdicts(facts) == [('neighbour-table-full', 'critical')]
    assert 'neighbour: arp_cache: neighbor table overflow! (2 min ago)' in judged(facts)[0].evidence


def test_a_line_without_family_counts_for_the_fuller_table() -> None:
    event = Event('neighbour-table-overflow', '', 1, 'Neighbour table overflow.', seconds=990.0)
    facts = logged(seen(tables=(table(entries=1), table(6, entries=1024))), event)
    assert ['IPv6' in finding.summary for finding in judged(facts)] == [True]


def test_the_table_of_decnet_is_not_blamed_on_ip() -> None:
    event = Event('neighbour-table-overflow', 'dn_neigh_cache', 1, 'neighbour: dn_neigh_cache: ...', seconds=990.0)
    assert verdicts(logged(seen(), event)) == []


def test_an_overflow_of_unknown_time_is_only_told() -> None:
    facts = seen(tables=(table(table_fulls=1905),))._replace(log_gap='/dev/kmsg: Operation not permitted')
    assert verdicts(facts) == [('neighbour-overflowed-before', 'info')]
    assert 'kernel log: /dev/kmsg: Operation not permitted' in judged(facts)[0].evidence


@pytest.mark.parametrize('counter', ['forced_gc_runs', 'res_failed'])
def test_before_4_3_a_full_table_with_a_second_sign_probably_refuses(counter: str) -> None:
    facts = earlier(seen(tables=(old_table(1024, 1024, **{counter: 7}),)), 60, old_table(1024, 1024))
    assert verdicts(facts) == [('neighbour-table-full-probable', 'critical')]
    assert any(counter in line for line in judged(facts)[0].evidence)


def test_before_4_3_neither_sign_is_enough_alone() -> None:
    full = earlier(seen(tables=(old_table(1024, 1024),)), 60, old_table(1024, 1024))
    busy = earlier(seen(tables=(old_table(900, 1024, forced_gc_runs=5),)), 60, old_table(900, 1024))
    assert verdicts(full) == verdicts(busy) == []


@pytest.mark.parametrize('release', [(3, 6), (3, 10), (4, 2)])
def test_suppressed_callbacks_are_a_hint_and_never_a_verdict(release: tuple[int, int]) -> None:
    facts = logged(seen(tables=(old_table(100, 1024),), release=release), SUPPRESSED)
    assert verdicts(facts) == [('neighbour-log-suppressed', 'info')]


@pytest.mark.parametrize('release', [(2, 6), (3, 5), (0, 0)])
def test_suppressed_callbacks_are_no_hint_where_the_kernel_logs_an_overflow(release: tuple[int, int]) -> None:
    assert verdicts(logged(seen(tables=(old_table(100, 1024),), release=release), SUPPRESSED)) == []


def test_ipv6_overflows_are_logged_up_to_3_8() -> None:
    tables = (old_table(100, 1024)._replace(family=6),)
    assert verdicts(logged(seen(tables=tables, release=(3, 8)), SUPPRESSED)) == []
    assert verdicts(logged(seen(tables=tables, release=(3, 9)), SUPPRESSED)) == [('neighbour-log-suppressed', 'info')]


@pytest.mark.parametrize(
    'release, line',
    [
        ((3, 10), 'this kernel neither counts nor logs refused neighbours'),
        ((2, 6), 'this kernel does not count refused neighbours'),
    ],
)
def test_a_probable_overflow_says_what_its_kernel_does_not_tell(release: tuple[int, int], line: str) -> None:
    tables = (old_table(1024, 1024, res_failed=7),)
    facts = earlier(seen(tables=tables, release=release), 60, old_table(1024, 1024))
    assert line in judged(facts)[0].evidence


def test_suppressed_callbacks_confirm_a_table_that_is_full() -> None:
    facts = logged(seen(tables=(old_table(1024, 1024),), release=(3, 10)), SUPPRESSED)
    assert ('neighbour-table-full-probable', 'critical') in verdicts(facts)
    assert SUPPRESSED.text in judged(facts)[0].evidence


def test_suppressed_callbacks_say_nothing_where_overflows_are_counted() -> None:
    assert verdicts(logged(seen(), SUPPRESSED)) == []


def test_an_old_kernel_without_a_readable_log_says_what_it_cannot_see() -> None:
    facts = seen(tables=(old_table(100, 1024),))._replace(log_gap='/dev/kmsg: Operation not permitted')
    assert verdicts(facts) == [('kernel-log-unreadable', 'info')]
    assert judged(facts)[0].remedy == ()
    facts = facts._replace(log_reader='zabbix')
    assert judged(facts)[0].remedy == ('usermod -aG systemd-journal zabbix  # then restart the monitoring agent',)


def test_no_group_helps_where_there_is_no_kernel_log() -> None:
    facts = seen(tables=(old_table(100, 1024),))._replace(log_gap='there is none')
    assert judged(facts)[0].evidence == ('there is none',)
    assert judged(facts)[0].remedy == ()


def test_the_remedy_of_a_full_table_raises_both_thresholds_and_keeps_them() -> None:
    facts = earlier(seen(tables=(table(table_fulls=4),)), 60, table())
    default = 'net.ipv4.neigh.default.gc_thresh'
    now, later, _ = judged(facts)[0].remedy
    assert now == f'sysctl -w {default}2=2048 {default}3=4096  # ends the outage, not its cause'
    assert later == 'the same two settings in /etc/sysctl.d/60-neighbour.conf keep it at the next boot'
    inside = facts._replace(first_namespace=False)
    assert judged(inside)[0].remedy[0].endswith('  # on the host: ends the outage, not its cause')


def test_a_captured_tree_was_not_asked_over_netlink() -> None:
    facts = seen(tables=(table(limit=None),))
    assert 'AF_NETLINK' in judged(facts)[0].remedy[0]
    assert judged(facts._replace(live=False))[0].remedy == (
        'copy /proc/sys/net/ipv4/neigh/default of the host into the tree',
    )


def test_the_log_is_not_needed_while_the_counter_is_zero() -> None:
    assert not neighbour.needs_kernel_log(seen(), 900)
    assert neighbour.needs_kernel_log(seen(tables=(table(), table(6, table_fulls=1))), 900)
    assert neighbour.needs_kernel_log(seen(tables=(old_table(1, 1024),)), 900)


def test_the_log_is_not_needed_where_the_counter_rested_as_long() -> None:
    facts = seen(tables=(table(table_fulls=7),))
    assert not neighbour.needs_kernel_log(earlier(facts, 850, table(table_fulls=7)), 900)
    assert neighbour.needs_kernel_log(earlier(facts, 60, table(table_fulls=7)), 900)
    assert neighbour.needs_kernel_log(earlier(facts, 850, table(table_fulls=6)), 900)


def test_counters_of_64_bits_do_not_wrap_at_32() -> None:
    start = (1 << 32) - 1
    facts = earlier(seen(tables=(table(table_fulls=start + 2),)), 60, table(table_fulls=start))
    assert facts.growth(4, 'table_fulls') == 2


# Gateways: the errors


@pytest.mark.parametrize(
    'bad, code',
    [
        (route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.10'))), 'neighbour-gateway-own-address'),
        (route('::', 0, Hop('eth0', ip('2001:db8:1::10'))), 'neighbour-gateway-own-address'),
        (route('0.0.0.0', 0, Hop('eth0')), 'neighbour-gateway-missing'),
        (route('::', 0, Hop('eth0'), metric=1024), 'neighbour-gateway-missing'),
        (route('0.0.0.0', 1, Hop('eth0')), 'neighbour-gateway-missing'),
        (route('2000::', 3, Hop('eth0')), 'neighbour-gateway-missing'),
        (route('0.0.0.0', 0, Hop('docker0')), 'neighbour-gateway-missing'),
        (route('0.0.0.0', 0, Hop('eth0'), table=100), 'neighbour-gateway-missing'),
        (route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.1')), Hop('eth1')), 'neighbour-gateway-missing'),
    ],
)
def test_each_gateway_error_is_critical_by_name(bad: Route, code: str) -> None:
    facts = seen(bad)
    assert verdicts(facts) == [(code, 'critical')]
    assert neighbour_gateway.describe(bad, bad.hops[-1]) in judged(facts)[0].evidence


def test_a_gateway_in_no_connected_network_is_a_warning() -> None:
    assert verdicts(seen(route('0.0.0.0', 0, Hop('eth0', ip('203.0.113.1'))))) == [
        ('neighbour-gateway-off-link', 'warning')
    ]


def test_a_gateway_connected_on_another_interface_only_is_off_link() -> None:
    facts = seen(route('198.51.100.0', 24, Hop('eth1')), route('0.0.0.0', 0, Hop('eth0', ip('198.51.100.1'))))
    assert verdicts(facts) == [('neighbour-gateway-off-link', 'warning')]


@pytest.mark.parametrize('state, severity', [(FAILED, 'critical'), (INCOMPLETE, 'warning')])
def test_a_gateway_that_does_not_answer_cuts_the_host_off(state: int, severity: str) -> None:
    facts = seen(
        route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.1'))),
        neighbours=[Neighbour(ip('192.0.2.1'), 'eth0', state, 0)],
    )
    assert verdicts(facts) == [('neighbour-gateway-unresolved', severity)]


def test_one_silent_gateway_of_two_is_a_warning() -> None:
    facts = seen(
        route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.1'))),
        route('::', 0, Hop('eth0', ip('fe80::1'))),
        neighbours=[
            Neighbour(ip('192.0.2.1'), 'eth0', REACHABLE, 0),
            Neighbour(ip('fe80::1'), 'eth0', FAILED, 0),
        ],
    )
    assert verdicts(facts) == [('neighbour-gateway-unresolved', 'warning')]


def silent(gateway: str, device: str = 'eth0', state: int = FAILED) -> Neighbour:
    return Neighbour(ip(gateway), device, state, 0)


@pytest.mark.parametrize('backup', [[], [silent('192.0.2.2')]], ids=['never used', 'silent too'])
def test_an_unused_backup_is_no_proof_of_another_way_out(backup: list[Neighbour]) -> None:
    facts = seen(
        route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.1')), metric=100),
        route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.2')), metric=200),
        neighbours=[silent('192.0.2.1'), *backup],
    )
    assert verdicts(facts) == [('neighbour-gateway-unresolved', 'critical')]


def test_a_silent_backup_is_a_warning() -> None:
    facts = seen(
        route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.1')), metric=100),
        route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.2')), metric=200),
        neighbours=[silent('192.0.2.2')],
    )
    assert verdicts(facts) == [('neighbour-gateway-unresolved', 'warning')]


def test_the_gateway_of_the_other_family_may_still_be_a_way_out() -> None:
    facts = seen(
        route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.1'))),
        route('::', 0, Hop('eth0', ip('fe80::1')), metric=1024),
        neighbours=[silent('192.0.2.1')],
    )
    assert verdicts(facts) == [('neighbour-gateway-unresolved', 'warning')]
    both = facts._replace(neighbours=Neighbours([silent('192.0.2.1'), silent('fe80::1')]))
    assert verdicts(both) == [('neighbour-gateway-unresolved', 'critical')]


@pytest.mark.parametrize(
    'other',
    [
        route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.2')), metric=100),
        route('0.0.0.0', 0, Hop('ppp0'), metric=100),
        route('0.0.0.0', 1, Hop('wg0')),
    ],
    ids=['of the same metric', 'point-to-point', 'halves'],
)
def test_another_way_out_that_is_in_use_makes_it_a_warning(other: Route) -> None:
    facts = seen(route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.1')), metric=100), other, neighbours=[silent('192.0.2.1')])
    assert verdicts(facts) == [('neighbour-gateway-unresolved', 'warning')]


def test_a_default_route_with_its_link_down_counts_only_while_the_kernel_uses_it() -> None:
    backup = route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.2')), metric=200)
    gone = [silent('192.0.2.1', 'eth1'), silent('192.0.2.2')]
    used = seen(route('0.0.0.0', 0, Hop('eth1', ip('192.0.2.1'), onlink=True)), backup, neighbours=gone[:1])
    assert verdicts(used) == [('neighbour-gateway-unresolved', 'critical')]
    # With ignore_routes_with_linkdown the kernel marks its hop dead, and the reader leaves dead hops out.
    assert verdicts(seen(route('0.0.0.0', 0), backup, neighbours=gone)) == [
        ('neighbour-gateway-unresolved', 'critical')
    ]
    assert verdicts(seen(route('0.0.0.0', 0), backup)) == []
    alone = seen(
        route('0.0.0.0', 0), route('::', 0, Hop('eth0', ip('fe80::1')), metric=1024), neighbours=[silent('fe80::1')]
    )
    assert verdicts(alone) == [('neighbour-gateway-unresolved', 'critical')]


def test_a_silent_gateway_of_another_table_cuts_nobody_off() -> None:
    facts = seen(
        route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.1')), table=100),
        neighbours=[silent('192.0.2.1')],
    )
    assert verdicts(facts) == [('neighbour-gateway-unresolved', 'warning')]


FLUSH = 'neigh flush dev eth0  # after that: drops what was learned'


@pytest.mark.parametrize(
    'bad, remedy',
    [
        (route('0.0.0.0', 0, Hop('eth0')), '-4 route replace default via GATEWAY dev eth0'),
        (route('0.0.0.0', 0, Hop('eth0'), metric=100), '-4 route replace default via GATEWAY dev eth0 metric 100'),
        (
            route('0.0.0.0', 0, Hop('eth0'), table=100, metric=7),
            '-4 route replace default via GATEWAY dev eth0 table 100 metric 7',
        ),
        (route('128.0.0.0', 1, Hop('eth0')), '-4 route replace 128.0.0.0/1 via GATEWAY dev eth0'),
        (route('2000::', 3, Hop('eth0'), metric=1024), '-6 route replace 2000::/3 via GATEWAY dev eth0 metric 1024'),
        (
            route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.10')), metric=100),
            '-4 route replace default via GATEWAY dev eth0 metric 100',
        ),
        (
            route('::', 0, Hop('eth0', ip('2001:db8:1::10')), metric=1024),
            '-6 route replace default via GATEWAY dev eth0 metric 1024',
        ),
        (
            route('0.0.0.0', 0, Hop('eth1', ip('fe80::5')), Hop('eth0'), metric=5),
            '-4 route replace default metric 5 nexthop via inet6 fe80::5 dev eth1 nexthop via GATEWAY dev eth0',
        ),
    ],
)
def test_the_remedy_replaces_the_very_route_that_is_wrong(bad: Route, remedy: str) -> None:
    (finding,) = judged(seen(bad))
    family = remedy.split()[0]
    assert finding.remedy == (f'ip {remedy}', f'ip {family} {FLUSH}')


def test_a_unique_local_prefix_on_link_is_wide_and_no_default() -> None:
    for prefix, length in (('fc00::', 7), ('fd00::', 8), ('fc00::', 8)):
        assert verdicts(seen(route(prefix, length, Hop('eth0')))) == [('neighbour-prefix-wide', 'info')]
    assert verdicts(seen(route('f800::', 5, Hop('eth0')))) == [('neighbour-gateway-missing', 'critical')]


def test_neighbours_in_a_unique_local_prefix_are_on_link() -> None:
    facts = seen(route('fd00::', 8, Hop('eth0')), neighbours=many(150, 'fd00:1::'))
    assert verdicts(facts) == [('neighbour-prefix-wide', 'info')]


def test_a_wrong_route_that_another_comes_before_is_a_warning() -> None:
    facts = seen(
        route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.1')), metric=100), route('0.0.0.0', 0, Hop('eth0'), metric=1003)
    )
    assert verdicts(facts) == [('neighbour-gateway-missing', 'warning')]


# Gateways: their healthy twins

VRF = {**LINKS, 'red': Link('red', 7, 0x4C1, 'vrf', 10), 'eth2': Link('eth2', 8, 0x1043, master=7)}


@pytest.mark.parametrize(
    'good',
    [
        [route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.1')))],
        [route('::', 0, Hop('eth0', ip('fe80::1')), metric=1024)],
        [route('0.0.0.0', 0, Hop('ppp0'))],
        [route('0.0.0.0', 0, Hop('wg0'), table=51820), route('::', 0, Hop('wg0'), table=51820)],
        [route('0.0.0.0', 1, Hop('wg0')), route('128.0.0.0', 1, Hop('wg0'))],
        [route('0.0.0.0', 0, Hop('ppp0', ip('10.64.64.64')))],
        [route('172.31.1.1', 32, Hop('eth0')), route('0.0.0.0', 0, Hop('eth0', ip('172.31.1.1')))],
        [route('0.0.0.0', 0, Hop('eth0', ip('172.31.1.1'), onlink=True))],
        [route('2001:db8:ff::1', 128, Hop('eth0')), route('::', 0, Hop('eth0', ip('2001:db8:ff::1')))],
        [route('0.0.0.0', 0, Hop('eth0', ip('fe80::1')))],
        [route('0.0.0.0', 0)],
        [route('0.0.0.0', 0, Hop('eth0', tunnel=True))],
        [route('224.0.0.0', 4, Hop('eth0')), route('ff00::', 8, Hop('eth0'))],
        [route('172.17.0.0', 16, Hop('docker0'))],
        [route('127.0.0.0', 8, Hop('lo'), table=255, local=True)],
        [],
    ],
    ids=[
        'gateway in the network',
        'link-local IPv6 gateway',
        'PPP without gateway',
        'WireGuard in a table of its own',
        'OpenVPN halves',
        'gateway on a point-to-point link',
        'cloud gateway with a /32 route',
        'cloud gateway marked onlink',
        'cloud gateway with a /128 route',
        'IPv4 by an IPv6 gateway',
        'hidden next-hop object',
        'encapsulated',
        'multicast',
        'docker bridge',
        'loopback',
        'no default at all',
    ],
)
def test_a_healthy_twin_is_silent(good: list[Route]) -> None:
    assert verdicts(seen(*good)) == []


def test_the_default_of_a_vrf_is_silent() -> None:
    facts = seen(
        route('198.51.100.0', 24, Hop('eth2'), table=10),
        route('0.0.0.0', 0, Hop('eth2', ip('198.51.100.1')), table=10),
        links=VRF,
    )
    assert verdicts(facts) == []


def test_a_default_of_a_vrf_without_gateway_is_critical() -> None:
    bad = route('0.0.0.0', 0, Hop('eth2'), table=10)
    facts = seen(route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.1'))), bad, links=VRF)
    assert verdicts(facts) == [('neighbour-gateway-missing', 'critical')]
    assert judged(facts)[0].remedy[0] == 'ip -4 route replace default via GATEWAY dev eth2 table 10'


def test_an_address_of_another_vrf_is_not_the_gateway_s() -> None:
    twin = [Address(ip('192.0.2.10'), 'eth0', 24)]
    bad = [route('192.0.2.0', 24, Hop('eth2'), table=10), route('0.0.0.0', 0, Hop('eth2', ip('192.0.2.10')), table=10)]
    assert verdicts(seen(*bad, links=VRF, addresses=twin)) == []
    same = [Address(ip('192.0.2.10'), 'eth2', 24)]
    assert verdicts(seen(*bad, links=VRF, addresses=same)) == [('neighbour-gateway-own-address', 'critical')]


def test_the_same_link_local_address_on_another_link_is_not_the_gateway_s() -> None:
    facts = seen(
        route('fe80::1', 128, Hop('docker0'), table=255, local=True),
        route('::', 0, Hop('eth0', ip('fe80::1'))),
        addresses=[Address(ip('fe80::1'), 'docker0', 64)],
    )
    assert facts.addresses is not None
    assert verdicts(facts) == []


def test_a_network_that_only_an_address_knows_makes_its_gateway_on_link() -> None:
    # noprefixroute
    facts = seen(
        route('0.0.0.0', 0, Hop('eth1', ip('198.51.100.1'))), addresses=[Address(ip('198.51.100.9'), 'eth1', 24)]
    )
    assert verdicts(facts) == []


def test_a_gateway_of_the_other_family_is_described_as_iproute2_does() -> None:
    default = route('0.0.0.0', 0, Hop('eth0', ip('fe80::1')), metric=5)
    assert neighbour_gateway.describe(default, default.hops[0]) == 'default via inet6 fe80::1 dev eth0 metric 5'


def test_a_gateway_that_is_no_neighbour_yet_is_silent() -> None:
    assert verdicts(seen(route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.1'))), neighbours=[])) == []


def test_addresses_are_not_asked_for_where_routes_tell_enough() -> None:
    assert seen(route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.1')))).addresses is None
    assert seen().addresses is None
    assert seen(route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.10')))).addresses is not None


def test_what_cannot_be_judged_is_said() -> None:
    facts = seen(route('0.0.0.0', 0, Hop('eth9')))
    assert verdicts(facts) == [('neighbour-not-seen', 'info')]
    assert judged(facts)[0].evidence == ('default dev eth9: whether eth9 is point-to-point',)
    assert judged(facts)[0].summary == 'part of the default routes could not be judged'
    gateway = seen(route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.10'))))._replace(addresses=None)
    assert verdicts(gateway) == [('neighbour-not-seen', 'info')]
    partial = seen(route('0.0.0.0', 0, Hop('eth0', ip('203.0.113.1'))))
    partial = partial._replace(routes=partial.routes._replace(complete=False))
    assert verdicts(partial) == [('neighbour-not-seen', 'info')]


def test_neighbours_tell_about_a_link_whose_flags_are_not_known() -> None:
    bad = route('0.0.0.0', 0, Hop('eth9'))
    learned = Neighbour(ip('192.0.2.7'), 'eth9', PERMANENT, 0)
    assert verdicts(seen(bad, neighbours=[learned])) == [('neighbour-gateway-missing', 'critical')]
    assert verdicts(seen(bad, neighbours=[learned._replace(state=NOARP)])) == []


# Neighbours


def many(count: int, network: str = '10.77.0.0', device: str = 'eth0', state: int = REACHABLE) -> list[Neighbour]:
    start = int.from_bytes(ip(network), 'big')
    size = len(ip(network))
    return [Neighbour((start + n).to_bytes(size, 'big'), device, state, 0) for n in range(1, count + 1)]


def test_neighbours_outside_every_connected_network_are_found_with_their_share() -> None:
    facts = seen(neighbours=[*many(150), *many(50, '192.0.2.0')])
    assert verdicts(facts) == [('neighbour-off-link', 'warning')]
    assert judged(facts)[0].evidence == ('150 of 150 on eth0 in 10.77.0.0/16',)


def test_ipv6_neighbours_can_be_off_link_too() -> None:
    facts = seen(neighbours=[*many(150, '2001:db8:77::'), *many(50, '2001:db8:1::'), *many(50, 'fe80::')])
    assert verdicts(facts) == [('neighbour-off-link', 'warning')]
    assert '2001:db8:77::/48' in judged(facts)[0].evidence[0]


def test_a_default_without_gateway_connects_nothing() -> None:
    facts = seen(route('0.0.0.0', 0, Hop('eth0')), neighbours=many(150))
    assert ('neighbour-off-link', 'warning') in verdicts(facts)


@pytest.mark.parametrize(
    'entries',
    [
        many(150, '192.0.2.0'),
        many(150, '224.0.0.0', state=NOARP),
        many(150, 'ff02::', state=NOARP),
        many(150, state=PERMANENT),
        many(150, 'fe80::'),
        many(5),
        [entry._replace(flags=EXT_LEARNED) for entry in many(150)],
    ],
    ids=['connected', 'multicast', 'IPv6 multicast', 'permanent', 'link-local', 'a few', 'EVPN'],
)
def test_neighbours_that_may_be_there_are_silent(entries: list[Neighbour]) -> None:
    assert verdicts(seen(neighbours=entries)) == []


def test_a_gateway_that_is_vouched_for_is_not_off_link() -> None:
    facts = seen(
        route('0.0.0.0', 0, Hop('eth0', ip('172.31.1.1'), onlink=True)),
        neighbours=[Neighbour(ip('172.31.1.1'), 'eth0', REACHABLE, 0)],
    )
    assert neighbour_off_link.off_link(facts) == []


def test_the_same_network_on_another_interface_does_not_connect() -> None:
    facts = seen(neighbours=many(3, '192.0.2.0', device='eth1'))
    assert len(neighbour_off_link.off_link(facts) or ()) == 3


def test_off_link_needs_no_routes_of_a_family_that_the_kernel_does_not_have() -> None:
    # ipv6.disable=1
    facts = seen(tables=(table(),), neighbours=many(150))
    facts = facts._replace(routes=facts.routes._replace(families=(4,)))
    assert verdicts(facts) == [('neighbour-off-link', 'warning')]


def test_off_link_is_not_judged_without_all_routes() -> None:
    facts = seen(neighbours=many(150))
    assert neighbour_off_link.off_link(facts._replace(routes=facts.routes._replace(complete=False))) is None
    assert neighbour_off_link.off_link(facts._replace(routes=facts.routes._replace(families=()))) is None


def test_many_neighbours_that_do_not_answer_are_a_warning() -> None:
    assert verdicts(seen(neighbours=many(250, '192.0.2.0', state=INCOMPLETE))) == []
    facts = seen(neighbours=many(254, '192.0.2.0', state=FAILED), tables=(table(limit=1000),))
    assert verdicts(facts) == [('neighbour-unresolved', 'warning')]


def test_a_wide_connected_prefix_is_told_but_changes_nothing() -> None:
    assert verdicts(seen(route('10.0.0.0', 8, Hop('eth1')))) == [('neighbour-prefix-wide', 'info')]
    assert verdicts(seen(route('10.0.0.0', 16, Hop('eth1')))) == []
    assert verdicts(seen(route('10.0.0.0', 8, Hop('wg0')))) == []


def test_a_list_of_neighbours_that_was_cut_off_says_so() -> None:
    facts = seen()
    facts = facts._replace(neighbours=facts.neighbours._replace(complete=False))
    assert verdicts(facts) == [('neighbour-not-seen', 'info')]
    assert judged(facts)[0].summary == 'part of the neighbours could not be judged: their list is too long'


def test_every_finding_has_evidence_and_a_short_summary() -> None:
    facts = seen(
        route('0.0.0.0', 0, Hop('eth0')),
        route('::', 0, Hop('eth0', ip('2001:db8:1::10'))),
        neighbours=many(600),
        tables=(table(entries=1024, table_fulls=5), old_table(1, 1)._replace(family=6)),
    )
    for finding in judged(logged(earlier(facts, 60, table()), OVERFLOW)):
        assert finding.evidence, finding.code
        assert len(finding.summary) <= 120, finding.summary
        assert finding.severity == 'info' or finding.remedy, finding.code


def test_a_sample_remembers_both_families_under_their_labels() -> None:
    assert neighbour.sample((table(4, table_fulls=3), table(6)), 7.0) == Sample(
        7.0,
        {
            'arp_entries': (10,),
            'arp_table_fulls': (3,),
            'arp_forced_gc_runs': (0,),
            'arp_res_failed': (0,),
            'ndp_entries': (10,),
            'ndp_table_fulls': (0,),
            'ndp_forced_gc_runs': (0,),
            'ndp_res_failed': (0,),
        },
    )


def test_a_gateway_whose_neighbours_cannot_be_listed_is_not_called_answering() -> None:
    facts = seen(*CONNECTED, route('0.0.0.0', 0, Hop('eth0', ip('192.0.2.1'))))
    blind = facts._replace(neighbours=Neighbours([], (6,)))
    assert [finding.code for finding in neighbour_gateway.judge(facts)] == []
    (finding,) = neighbour_gateway.judge(blind)
    assert (finding.code, finding.severity) == ('neighbour-not-seen', 'info')
    assert 'IPv4 neighbours' in finding.evidence[0]


# Where no table can be seen


def test_without_tables_each_family_overflows_by_its_own_line() -> None:
    facts = logged(seen(*CONNECTED, tables=()), OVERFLOW._replace(subject='ndisc_cache'))
    assert [finding.summary for finding in judged(facts)] == [
        'IPv6 neighbour table (NDP) overflowed: new neighbours refused'
    ]
    facts = logged(seen(*CONNECTED, tables=()), OVERFLOW._replace(subject=''))
    assert [finding.summary for finding in judged(facts)] == ['a neighbour table overflowed: new neighbours refused']
    assert verdicts(logged(seen(*CONNECTED, tables=()), OVERFLOW._replace(subject='dn_neigh_cache'))) == []


def test_without_tables_the_kernel_log_is_needed_and_its_absence_told() -> None:
    facts = seen(*CONNECTED, tables=())
    assert neighbour.needs_kernel_log(facts, 900.0)
    assert verdicts(facts._replace(log_gap='there is none')) == [('kernel-log-unreadable', 'info')]


def test_without_tables_suppressed_callbacks_stay_a_hint() -> None:
    facts = logged(seen(*CONNECTED, tables=(), release=(3, 10)), SUPPRESSED)
    assert verdicts(facts) == [('neighbour-log-suppressed', 'info')]
    assert verdicts(facts._replace(release=(6, 1))) == []


def test_without_tables_and_routes_no_neighbour_is_called_off_link() -> None:
    facts = seen(tables=())
    assert neighbour_off_link.off_link(facts._replace(routes=Routes([], ()))) is None
