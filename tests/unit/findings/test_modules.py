from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull.findings.blocking import blocking
from tablefull.findings.finding import Finding
from tablefull.findings.module_state import Policy, Seen, judged, tracking, unexpected
from tablefull.findings.modules import judge, unexpected_breach
from tablefull.findings.unload import Unloading, commands, unloading
from tablefull.readers.conntrack import Conntrack
from tablefull.readers.modprobe_d import ModprobeConfiguration, parse_modprobe
from tablefull.readers.modules import Module, Modules, parse_modules

# As re-enacted on Debian's kernel 6.1: after the flush of a MASQUERADE rule, with iptables-legacy and iptables-nft.
FLUSHED = """\
iptable_filter 16384 0 - Live 0x0
nf_tables 307200 0 - Live 0x0
nf_conntrack_netlink 57344 0 - Live 0x0
nfnetlink 20480 2 nf_tables,nf_conntrack_netlink, Live 0x0
iptable_nat 16384 0 - Live 0x0
xt_MASQUERADE 20480 0 - Live 0x0
nf_nat 57344 2 iptable_nat,xt_MASQUERADE, Live 0x0
nf_conntrack 188416 3 nf_conntrack_netlink,xt_MASQUERADE,nf_nat, Live 0x0
nf_defrag_ipv6 24576 1 nf_conntrack, Live 0x0
nf_defrag_ipv4 16384 1 nf_conntrack, Live 0x0
libcrc32c 16384 3 nf_tables,nf_nat,nf_conntrack, Live 0x0
ip_tables 36864 2 iptable_filter,iptable_nat, Live 0x0
x_tables 61440 4 iptable_filter,iptable_nat,xt_MASQUERADE,ip_tables, Live 0x0
"""
MASQUERADE = FLUSHED.replace('iptable_nat 16384 0', 'iptable_nat 16384 1').replace(
    'xt_MASQUERADE 20480 0', 'xt_MASQUERADE 20480 1'
)
NFT = """\
nf_conntrack_netlink 57344 0 - Live 0x0
nft_chain_nat 16384 1 - Live 0x0
xt_MASQUERADE 20480 1 - Live 0x0
nf_nat 57344 2 nft_chain_nat,xt_MASQUERADE, Live 0x0
nf_conntrack 188416 3 nf_conntrack_netlink,xt_MASQUERADE,nf_nat, Live 0x0
nf_defrag_ipv6 24576 1 nf_conntrack, Live 0x0
nf_defrag_ipv4 16384 1 nf_conntrack, Live 0x0
nft_compat 20480 1 - Live 0x0
nf_tables 307200 4 nft_chain_nat,nft_compat, Live 0x0
x_tables 61440 2 xt_MASQUERADE,nft_compat, Live 0x0
nfnetlink 20480 4 nf_conntrack_netlink,nft_compat,nf_tables, Live 0x0
libcrc32c 16384 3 nf_nat,nf_conntrack,nf_tables, Live 0x0
"""
BOOT = 'ip_tables 36864 0 - Live 0x0\nx_tables 61440 1 ip_tables, Live 0x0\n'
LISTED = 'iptable_filter 16384 0 - Live 0x0\n' + BOOT
# CentOS 6, a stateful firewall.
OLD = """\
xt_state 1492 9 - Live 0x0
nf_conntrack_ipv4 9506 9 - Live 0x0
nf_conntrack 79206 2 xt_state,nf_conntrack_ipv4, Live 0x0
nf_defrag_ipv4 1483 1 nf_conntrack_ipv4, Live 0x0
iptable_filter 2793 1 - Live 0x0
"""


OPEN_VSWITCH = """\
openvswitch 212992 0 - Live 0x0
nsh 16384 1 openvswitch, Live 0x0
nf_conncount 24576 1 openvswitch, Live 0x0
nf_nat 57344 1 openvswitch, Live 0x0
nf_conntrack 188416 3 openvswitch,nf_conncount,nf_nat, Live 0x0
nf_defrag_ipv6 24576 2 openvswitch,nf_conntrack, Live 0x0
nf_defrag_ipv4 16384 1 nf_conntrack, Live 0x0
"""
IPVS = """\
ip_vs_ftp 16384 0 - Live 0x0
ip_vs_rr 16384 0 - Live 0x0
nf_nat 57344 1 ip_vs_ftp, Live 0x0
ip_vs 180224 2 ip_vs_ftp,ip_vs_rr, Live 0x0
nf_conntrack 188416 2 nf_nat,ip_vs, Live 0x0
nf_defrag_ipv6 24576 2 nf_conntrack,ip_vs, Live 0x0
nf_defrag_ipv4 16384 1 nf_conntrack, Live 0x0
"""
# A network card that can offload flows depends on what tracks them.
OFFLOAD = """\
mlx5_core 2000000 0 - Live 0x0
act_ct 32768 1 mlx5_core, Live 0x0
nf_flow_table 57344 2 mlx5_core,act_ct, Live 0x0
nf_nat 57344 1 act_ct, Live 0x0
nf_conntrack 188416 3 act_ct,nf_flow_table,nf_nat, Live 0x0
"""
ACT_CT = (
    OFFLOAD.partition('\n')[2].replace('act_ct 32768 1 mlx5_core,', 'act_ct 32768 0 -').replace('2 mlx5_core,', '1 ')
)


class Kernel:
    """Unloads as rmmod does: refuses a module that is in use, and lets go of what it depended on."""

    def __init__(self, loaded: dict[str, Module]) -> None:
        self.held = {name: module.held for name, module in loaded.items()}
        self.users = {name: set(module.users) & set(loaded) for name, module in loaded.items()}

    def flush(self) -> None:
        self.held = dict.fromkeys(self.held, 0)

    def rmmod(self, name: str) -> None:
        assert not self.held[name], f'{name} is in use by {self.held[name]} rules'
        assert not self.users[name], f'{name} is in use by {self.users[name]}'
        del self.held[name], self.users[name]
        for users in self.users.values():
            users.discard(name)


def seen(
    text: str | None = '',
    entries: int | None = 0,
    policy: Policy = Policy(),  # noqa: B008
    release: tuple[int, int] = (6, 1),
    configuration: str = '',
    owners: tuple[str, ...] = (),
) -> Seen:
    loaded = parse_modules(text or '')
    there = text is None or any(name in loaded for name in ('nf_conntrack', 'ip_conntrack'))
    table = Conntrack(there, entries if there else None, 65536)
    built_in = frozenset({'nf_conntrack'}) if text is None else frozenset()
    return Seen(
        Modules(loaded, text is not None, built_in, False),
        table,
        ModprobeConfiguration(tuple(parse_modprobe(configuration, '/etc/modprobe.d/x.conf'))),
        policy,
        release,
        owners=owners,
    )


def codes(what: Seen, missing: str = 'critical') -> dict[str, str]:
    return {finding.code: finding.severity for finding in judge(what, missing)}


def breach(what: Seen) -> Finding:
    return unexpected_breach(what, 'warning', 1, '0')


def test_ip_tables_loaded_at_boot_is_a_sign_of_nothing() -> None:
    assert judged(seen(BOOT).modules) == {}
    assert codes(seen(BOOT)) == {}


def test_a_listing_leaves_a_table_module_and_the_finding_says_so() -> None:
    what = seen(LISTED)
    assert unexpected(what) == ['iptable_filter'] and codes(what) == {}
    finding = breach(what)
    assert 'iptables -L' in finding.evidence[0] and finding.remedy[0] == 'rmmod iptable_filter'


def test_nf_tables_without_a_chain_is_a_sign_of_nothing() -> None:
    text = 'nf_tables 307200 0 - Live 0x0\nlibcrc32c 1 1 nf_tables, Live 0x0\nnfnetlink 1 1 nf_tables, Live 0x0\n'
    assert unexpected(seen(text)) == []


def test_a_module_that_depends_on_tracking_is_judged_whatever_its_name() -> None:
    text = 'xt_ndpi 9 0 - Live 0x0 (OE)\nnf_conntrack 9 1 xt_ndpi, Live 0x0\n'
    assert judged(seen(text).modules) == {'xt_ndpi': 'conntrack', 'nf_conntrack': 'conntrack'}
    assert any('taints the kernel (OE)' in line for line in breach(seen(text)).evidence)


def test_names_are_matched_with_dashes_and_stars() -> None:
    assert unexpected(seen(FLUSHED, policy=Policy(allow=('nf-conntrack*', 'iptable_*', '*MASQ*', 'nf_nat')))) == []


def test_nothing_is_unexpected_where_tracking_is_expected() -> None:
    assert unexpected(seen(MASQUERADE, 21, Policy('loaded'))) == []
    assert codes(seen(MASQUERADE, 21, Policy('loaded'))) == {}


def test_loaded_is_not_active() -> None:
    assert tracking(seen(FLUSHED)).state == 'idle'
    assert 'modules-tracking' not in codes(seen(FLUSHED))


def test_entries_that_a_rule_accounts_for_are_tracking() -> None:
    assert codes(seen(MASQUERADE, 21))['modules-tracking'] == 'critical'


def test_entries_without_any_rule_are_leftovers() -> None:
    # B2: twenty more flows after the flush were not tracked, and the count stayed.
    assert tracking(seen(FLUSHED, 21)).state == 'leftover'
    assert codes(seen(FLUSHED, 21)) == {'modules-nat-left-behind': 'warning'}


def test_on_an_unknown_kernel_entries_are_never_taken_for_leftovers() -> None:
    assert tracking(seen(FLUSHED, 21, release=(0, 0))).state == 'active'


def test_rules_that_have_tracked_nothing_yet_are_named() -> None:
    assert 'xt_MASQUERADE' in tracking(seen(MASQUERADE, 0)).reason


@pytest.mark.parametrize(('release', 'state'), [((2, 6), 'active'), ((4, 9), 'active'), ((4, 10), 'idle')])
def test_up_to_4_9_the_family_module_tracks_by_being_loaded(release: tuple[int, int], state: str) -> None:
    assert tracking(seen(OLD, 0, release=release)).state == state


def test_hooks_can_be_forced_by_an_option() -> None:
    assert tracking(seen(FLUSHED, 0, configuration='options nf_conntrack enable_hooks=1')).state == 'active'


def test_a_hidden_count_is_not_taken_for_zero() -> None:
    assert tracking(seen(FLUSHED, None)).state == 'hidden'


def test_a_module_whose_files_are_hidden_is_not_absent() -> None:
    what = seen(FLUSHED)._replace(table=Conntrack(False))
    assert tracking(what).state == 'hidden' and 'modules-missing' not in codes(what)


def test_code_that_is_compiled_in_was_not_loaded_unexpectedly() -> None:
    assert unexpected(seen(None, 0)) == [] and codes(seen(None, 0)) == {}


def test_code_that_is_compiled_in_must_not_track_unexpectedly() -> None:
    assert codes(seen(None, 5)) == {'modules-tracking': 'critical'}
    assert codes(seen(None, 5, Policy('loaded'))) == {}
    assert codes(seen(None, 5, Policy(allow=('nf_conntrack',)))) == {}


def test_code_that_is_compiled_in_satisfies_and_breaks_demands() -> None:
    assert codes(seen(None, 0, Policy(require=('nf_conntrack',)))) == {}
    assert codes(seen(None, 0, Policy(forbid=('nf_conntrack',)))) == {'modules-forbidden': 'critical'}


def test_what_a_kernel_without_modules_has_compiled_in_cannot_be_seen_by_every_name() -> None:
    assert codes(seen(None, 0, Policy(require=('nf_nat',)))) == {'modules-missing': 'unknown'}


def test_a_required_module_that_is_not_there_counts_as_missing_says() -> None:
    what = seen(BOOT, policy=Policy('loaded', require=('xt_*', 'ip_tables')))
    assert codes(what, 'critical') == {'modules-missing': 'critical'}
    assert codes(what, 'ok') == {'modules-missing': 'info'}
    (finding,) = judge(what, 'critical')
    assert 'nf_conntrack, xt_*' in finding.summary


def test_every_forbidden_module_is_unloaded_and_not_only_what_tracks() -> None:
    (finding,) = [
        finding
        for finding in judge(seen(FLUSHED, 0, Policy(forbid=('iptable_*', 'nf_conntrack'))), 'critical')
        if finding.code == 'modules-forbidden'
    ]
    (line,) = finding.remedy
    assert {'iptable_filter', 'iptable_nat', 'nf_conntrack'} <= set(line.split())


def test_a_forbidden_module_is_one_whatever_is_expected_or_allowed() -> None:
    what = seen(FLUSHED, 0, Policy('loaded', allow=('*',), forbid=('nf_nat',)))
    assert codes(what) == {'modules-forbidden': 'critical'} and unexpected(what) == ['nf_nat']


def test_nat_without_a_rule_is_left_behind_even_where_tracking_is_expected() -> None:
    (finding,) = judge(seen(FLUSHED, 0, Policy('loaded')), 'critical')
    assert finding.code == 'modules-nat-left-behind'
    assert finding.remedy == ('rmmod iptable_nat xt_MASQUERADE nf_nat',)


def test_nat_in_use_is_not_left_behind() -> None:
    assert 'modules-nat-left-behind' not in codes(seen(MASQUERADE, 21))
    assert 'modules-nat-left-behind' not in codes(seen(NFT, 0))


@pytest.mark.parametrize('text', [OPEN_VSWITCH, IPVS, ACT_CT, OFFLOAD])
def test_nat_that_something_else_than_nat_needs_is_not_left_behind(text: str) -> None:
    assert codes(seen(text, 0, Policy('loaded'))) == {}
    assert codes(seen(text, 0)) == {} and 'nf_nat' in unexpected(seen(text))


def test_the_same_holds_where_the_tracker_is_compiled_in() -> None:
    text = 'openvswitch 212992 0 - Live 0x0\nnf_nat 57344 1 openvswitch, Live 0x0\n'
    what = seen(text)._replace(table=Conntrack(True, 0, 65536))
    assert codes(what) == {} and not any(line.startswith('rmmod') for line in breach(what).remedy)


@pytest.mark.parametrize(
    ('text', 'users'),
    [(OPEN_VSWITCH, ('openvswitch',)), (IPVS, ('ip_vs', 'ip_vs_ftp', 'ip_vs_rr')), (OFFLOAD, ('mlx5_core',))],
)
def test_what_the_network_goes_through_is_never_to_be_unloaded(text: str, users: tuple[str, ...]) -> None:
    for what in (seen(text, 0), seen(text, 5), seen(text, 0, Policy(forbid=('nf_nat', *users)))):
        remedies = [breach(what).remedy, *(finding.remedy for finding in judge(what, 'critical'))]
        for remedy in remedies:
            named = [line for line in remedy if any(user in line for user in users)]
            assert named and all(line.startswith('# ') and 'breaks' in line for line in named)
            assert not any(line.startswith('rmmod') for line in remedy)
    assert '--expect loaded' in breach(seen(text, 0)).remedy[0]


def test_nat_that_nothing_needs_is_left_behind_beside_what_the_network_goes_through() -> None:
    text = OPEN_VSWITCH.replace('nf_nat 57344 1 openvswitch,', 'nf_nat 57344 2 openvswitch,iptable_nat,')
    (finding,) = judge(seen('iptable_nat 16384 0 - Live 0x0\n' + text, 0, Policy('loaded')), 'critical')
    assert finding.summary.endswith(': iptable_nat') and finding.remedy == ('rmmod iptable_nat',)


def test_without_counted_references_nat_is_never_said_to_be_left_behind() -> None:
    text = 'nf_nat 9 - - Live 0x0\nnf_conntrack 9 - - Live 0x0\n'
    assert codes(seen(text)) == {}
    assert '--expect loaded' in breach(seen(text)).remedy[0] and 'reboot' in breach(seen(text)).remedy[1]


def test_coming_and_going_is_told_and_changes_no_state() -> None:
    assert codes(seen('ext4 9 1 - Loading 0x0 (+)\n')) == {'modules-in-transition': 'info'}


def test_likely_owners_are_named_where_something_is_unexpected() -> None:
    assert codes(seen(LISTED, owners=('Docker',)))['modules-owner'] == 'info'
    # Every finding says what it rests on.
    assert all(finding.evidence for finding in judge(seen(LISTED, owners=('Docker',)), 'critical'))
    assert codes(seen(BOOT, owners=('Docker',))) == {}


def test_the_order_is_the_one_that_worked_after_the_flush() -> None:
    loaded = parse_modules(FLUSHED)
    plan = unloading(['nf_conntrack'], loaded)
    assert plan == Unloading(
        (
            'nf_conntrack_netlink',
            'iptable_nat',
            'xt_MASQUERADE',
            'nf_nat',
            'nf_conntrack',
            'nf_defrag_ipv6',
            'nf_defrag_ipv4',
        ),
        (),
        (),
        (),
    )
    kernel = Kernel(loaded)
    for name in plan.order:
        kernel.rmmod(name)
    assert set(kernel.users) == {'iptable_filter', 'nf_tables', 'nfnetlink', 'libcrc32c', 'ip_tables', 'x_tables'}


@pytest.mark.parametrize('text', [MASQUERADE, NFT, OLD])
def test_rules_have_to_go_before_their_modules(text: str) -> None:
    loaded = parse_modules(text)
    plan = unloading(['nf_conntrack'], loaded)
    assert plan.held
    kernel = Kernel(loaded)
    with pytest.raises(AssertionError):
        for name in plan.order:
            kernel.rmmod(name)
    kernel = Kernel(loaded)
    kernel.flush()
    for name in plan.order:
        kernel.rmmod(name)
    assert 'nf_conntrack' not in kernel.users


def test_what_to_flush_first_is_said_with_what_it_breaks() -> None:
    loaded = parse_modules(MASQUERADE)
    lines = commands(unloading(['nf_conntrack'], loaded), loaded)
    assert lines[0].startswith('iptables-legacy -t nat -F  # port forwarding')
    assert lines[1].startswith('rmmod ') and len(lines) == 2


def test_a_base_chain_of_nftables_holds_its_module_until_the_ruleset_is_flushed() -> None:
    loaded = parse_modules(NFT)
    line = commands(unloading(['nf_conntrack'], loaded), loaded)[0]
    assert line.startswith('nft flush ruleset  # opens the firewall')


def test_what_no_suffix_means_is_said_for_systems_before_iptables_1_8() -> None:
    (line, *_) = (line for line in breach(seen(OLD, 0, release=(2, 6))).remedy if line.startswith('iptables'))
    assert line.startswith('iptables-legacy -t filter -F  # ') and 'ACCEPT' in line
    assert 'before iptables 1.8: without -legacy' in line


@pytest.mark.parametrize(
    ('module', 'command'),
    [
        ('iptable_raw', 'iptables-legacy -t raw -F'),
        ('ip6table_nat', 'ip6tables-legacy -t nat -F'),
        ('ebtable_nat', 'ebtables-legacy -t nat -F'),
        ('ebtable_broute', 'ebtables-legacy -t broute -F'),
        ('arptable_filter', 'arptables-legacy -t filter -F'),
    ],
)
def test_without_the_suffix_each_of_the_programs_would_speak_nftables(module: str, command: str) -> None:
    loaded = parse_modules(f'{module} 16384 1 - Live 0x0\n')
    assert commands(unloading([module], loaded), loaded)[0].startswith(f'{command}  # ')


def test_rules_that_may_be_needed_are_not_to_be_flushed_first() -> None:
    assert '--expect loaded' in breach(seen(MASQUERADE, 21)).remedy[0]
    assert breach(seen(FLUSHED, 21)).remedy[0].startswith('rmmod')


def test_what_nobody_knows_the_holder_of_is_not_guessed() -> None:
    loaded = parse_modules('nf_conntrack 9 2 - Live 0x0\n')
    assert 'find it first' in commands(unloading(['nf_conntrack'], loaded), loaded)[0]


def test_a_permanent_module_keeps_what_it_needs() -> None:
    text = FLUSHED.replace('xt_MASQUERADE 20480 0 -', 'xt_MASQUERADE 20480 0 [permanent],')
    plan = unloading(['nf_conntrack'], parse_modules(text))
    assert plan.stuck == ('xt_MASQUERADE', 'nf_nat', 'nf_conntrack', 'nf_defrag_ipv6', 'nf_defrag_ipv4')
    assert plan.order == ('nf_conntrack_netlink', 'iptable_nat')
    assert commands(plan, parse_modules(text))[-1].startswith('# only a reboot')


def test_defragmentation_that_others_use_stays() -> None:
    text = FLUSHED.replace('nf_defrag_ipv4 16384 1 nf_conntrack,', 'nf_defrag_ipv4 16384 2 nf_conntrack,xt_TPROXY,')
    assert 'nf_defrag_ipv4' not in unloading(['nf_conntrack'], parse_modules(text)).order


def test_modules_that_name_each_other_do_not_hang_the_check() -> None:
    text = 'nf_conntrack 9 1 nf_nat, Live 0x0\nnf_nat 9 1 nf_conntrack, Live 0x0\n'
    assert unloading(['nf_conntrack'], parse_modules(text)) == Unloading((), (), ('nf_conntrack', 'nf_nat'), ())


NAMES = ['nf_conntrack', 'nf_nat', 'iptable_nat', 'xt_state', 'nf_defrag_ipv4', 'other']


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES)), st.integers(0, 9), st.booleans())))
def test_no_list_of_modules_breaks_the_order(rows: list[tuple[str, list[str], int, bool]]) -> None:
    loaded = {
        name: Module(name, 1, references, tuple(users), permanent, 'Live', '')
        for name, users, references, permanent in rows
    }
    plan = unloading(['nf_conntrack'], loaded)
    kernel = Kernel(loaded)
    kernel.flush()
    for name in plan.order:
        kernel.rmmod(name)
    assert not set(plan.order) & set(plan.stuck)
    assert commands(plan, loaded) or not plan.order


def test_a_measure_that_stops_everything_is_enough() -> None:
    what = seen(BOOT, configuration='install nf-conntrack /bin/true')
    assert [*blocking(('nf_conntrack',), what.modules, what.configuration)] == []


@pytest.mark.parametrize(
    ('text', 'ways'),
    [
        ('', 'by alias, by name, as a dependency'),
        ('blacklist nf_conntrack', 'by name, as a dependency'),
        ('alias nf_conntrack off', 'by alias, as a dependency'),
        ('install ip_conntrack /bin/false', 'by alias, by name, as a dependency'),
    ],
)
def test_the_ways_that_stay_open_are_named_with_the_missing_line(text: str, ways: str) -> None:
    what = seen(BOOT, configuration=text)
    (finding,) = blocking(('nf_conntrack',), what.modules, what.configuration)
    assert (finding.code, finding.severity) == ('modules-not-blocked', 'warning')
    assert ways in finding.evidence[0]
    assert "'install nf_conntrack /bin/false'" in finding.remedy[0]


def test_what_needs_a_blocked_tracker_is_blocked_too_unless_it_is_there_already() -> None:
    text = 'install nf_conntrack /bin/false'
    absent, present = seen(BOOT, configuration=text), seen(OLD, configuration=text)
    assert [*blocking(('iptable_nat', 'xt_conntrack'), absent.modules, absent.configuration)] == []
    assert [*blocking(('iptable_nat',), present.modules, present.configuration)] != []


def test_blocking_a_user_does_not_block_what_it_needs() -> None:
    # `install iptable_nat /bin/false`: the listing fails and nf_conntrack is in all the same.
    what = seen(BOOT, configuration='install iptable_nat /bin/false')
    (finding,) = blocking(('nf_conntrack', 'iptable_nat'), what.modules, what.configuration)
    assert 'nf_conntrack' in finding.summary and 'iptable_nat' not in finding.summary


def test_code_that_is_compiled_in_cannot_be_kept_out() -> None:
    what = seen(None, 0)
    (finding,) = blocking(('nf_conntrack',), what.modules, what.configuration)
    assert 'compiled' in finding.evidence[0] and finding.remedy == ()


def test_stars_stand_for_the_names_of_all_generations() -> None:
    what = seen(BOOT, configuration='install iptable_* /bin/false')
    assert [*blocking(('iptable_*',), what.modules, what.configuration)] == []


def test_configuration_that_cannot_be_read_makes_blocking_uncertain() -> None:
    configuration = ModprobeConfiguration(disabled=True, unread=('/etc/modprobe.d/secret.conf',))
    (finding,) = blocking(('nf_conntrack',), seen(BOOT).modules, configuration)
    assert (finding.code, finding.severity) == ('modules-configuration-unreadable', 'unknown')


def test_an_ineffective_measure_is_named_where_the_module_got_in() -> None:
    (line,) = (
        line for line in breach(seen(FLUSHED, configuration='blacklist nf_conntrack')).evidence if 'spite' in line
    )
    assert line == (
        'nf_conntrack still loads by name, as a dependency, in spite of blacklist nf_conntrack (/etc/modprobe.d/x.conf)'
    )
