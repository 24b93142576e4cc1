"""What an experienced operator says about each situation of ferm; written down before the rules were."""

from __future__ import annotations

import pytest

from tablefull.findings.ferm import age_breach, failed, judge
from tablefull.findings.ferm_reasons import Reasons
from tablefull.findings.ferm_seen import Seen
from tablefull.readers.ferm import Configuration, Settings
from tablefull.readers.rule_traces import RuleTraces
from tablefull.readers.systemd import Unit
from tablefull.readers.unit_journal import Line

HEALTHY = Unit(
    'loaded', 'active', 'exited', 'success', 'success', 0, 'enabled', command='/etc/init.d/ferm start',
    left_inactive=7.0, became_active=13.0, exited=13.0, changed=13.0,
)  # fmt: skip
FAILED = HEALTHY._replace(active_state='failed', sub_state='failed', result='exit-code', status=1, became_active=None)
INACTIVE = HEALTHY._replace(active_state='inactive', sub_state='dead')
NEVER = Unit('loaded', 'inactive', 'dead', 'success', 'success', file_state='disabled')

TABLES = ('iptable_filter', 'iptable_raw')
LEGACY = RuleTraces(True, TABLES, 0, {'xt_CT': 4, 'xt_tcpudp': 12, 'xt_conntrack': 4}, frozenset(), {})
NFT = RuleTraces(True, (), 92, {'nft_compat': 8, 'xt_CT': 4, 'xt_tcpudp': 0, 'xt_conntrack': 4}, frozenset(), {})
EMPTY = RuleTraces(True, TABLES, 0, {'xt_CT': 0, 'xt_tcpudp': 0, 'xt_conntrack': 0}, frozenset(), {})
NONE = RuleTraces(True, (), 0, {}, frozenset(), {})
# `systemctl restart nftables`: its own table holds nf_tables, and no rule of ferm is left.
NFTABLES = RuleTraces(True, (), 6, {'nft_compat': 0, 'xt_CT': 0, 'xt_conntrack': 0}, frozenset(), {})
BUILT_IN = RuleTraces(False, (), None, {}, frozenset(), {})

GOOD = Settings(True, 'yes', 'no', '')
READ = Configuration(True, ('/etc/ferm/ferm.conf', 900.0), ('/etc/ferm/ferm.conf',), stateful=True, ports=True)
CONDITIONAL = READ._replace(conditional=('ports', 'states'))
CLOSED = Configuration(None, denied=('/etc/ferm/ferm.conf',))

KERNEL = ('x_tables: ip_tables: CT target: only valid in raw table, not filter',)
KERNEL6 = ('x_tables: ip6_tables: CT target: only valid in raw table, not filter',)


def lines(*texts: str) -> tuple[Line, ...]:
    return tuple(Line('ferm', '7', text) for text in texts)


BOTH = lines(
    'iptables-restore: line 15 failed',
    'Failed to run /usr/sbin/iptables-legacy-restore',
    'ip6tables-restore: line 15 failed',
    'Failed to run /usr/sbin/ip6tables-legacy-restore',
    'Firewall rules rolled back.',
    ' failed!',
)
SYNTAX = lines(
    'Error in /etc/ferm/ferm.conf line 14:', 'table filter', 'chain INPUT', 'proto tcp dportt <--',
    'Unrecognized keyword: dportt', ' (warning).',
)  # fmt: skip
MISSING_MODULE = lines('Warning: Extension state is not supported, missing kernel module?', *(x.text for x in BOTH))


def seen(unit: Unit | None = HEALTHY, traces: RuleTraces = LEGACY, **others: object) -> Seen:
    facts = {'gap': '', 'settings': GOOD, 'configuration': READ, 'now': 100.0, 'wall': 1000.0, **others}
    return Seen(unit=unit, traces=traces, **facts)  # type: ignore[arg-type]


NOTRACK = Reasons(BOTH, KERNEL)
PARSE = Reasons(SYNTAX)
BLOCKED = Reasons(MISSING_MODULE, blocked='install nf_conntrack /bin/false (/etc/modprobe.d/x.conf)')
ONLY_IPV6 = Reasons(BOTH[2:], KERNEL6)
ABSENT = Configuration(False)
CHANGED = READ._replace(newest=('/etc/ferm/ferm.d/x', 950.0))
RAW_LEFT = EMPTY._replace(extensions={'xt_CT': 4, 'xt_tcpudp': 4, 'xt_conntrack': 0})
UNMET = NEVER._replace(file_state='enabled', condition=False)
RELOAD = HEALTHY._replace(reload_result='exit-code', changed=20.0)

# The captured situations, and others seen when the outages were re-enacted: (what, facts, state, first).
VERDICTS = [
    ('c01 healthy, legacy', seen(), 'ok', ''),
    ('c01 healthy, nft', seen(traces=NFT), 'ok', ''),
    ('c02 NOTRACK in filter, boot', seen(FAILED, EMPTY, reasons=NOTRACK), 'critical', 'ferm-start-failed'),
    ('c03 NOTRACK in filter, restart', seen(FAILED, EMPTY, reasons=NOTRACK), 'critical', 'ferm-start-failed'),
    ('c04 NOTRACK in filter, reload', seen(RELOAD, reasons=NOTRACK), 'warning', 'ferm-reload-failed'),
    ('c04 the same, nft', seen(RELOAD, NFT, reasons=NOTRACK), 'warning', 'ferm-reload-failed'),
    ('c05 syntax error, reload', seen(RELOAD, reasons=PARSE), 'warning', 'ferm-reload-failed'),
    ('a failed reload, and flushed', seen(RELOAD, EMPTY, reasons=PARSE), 'critical', 'ferm-reload-failed'),
    ('c12 syntax error, restart', seen(FAILED._replace(status=255), reasons=PARSE), 'critical', 'ferm-start-failed'),
    ('c06 stopped', seen(INACTIVE, EMPTY), 'critical', 'ferm-stopped'),
    ('c07 flushed, legacy', seen(traces=EMPTY), 'critical', 'ferm-rules-gone'),
    ('c07, conditional', seen(traces=EMPTY, configuration=CONDITIONAL), 'warning', 'ferm-rules-suspect'),
    ('no table at all, the same', seen(traces=NONE, configuration=CONDITIONAL), 'critical', 'ferm-rules-gone'),
    ('a failed reload, the same', seen(RELOAD, EMPTY, configuration=CONDITIONAL), 'warning', 'ferm-reload-failed'),
    ('c07 raw rules left', seen(traces=RAW_LEFT), 'critical', 'ferm-rules-gone'),
    ('c07 as nagios', seen(traces=EMPTY, configuration=CLOSED), 'warning', 'ferm-rules-suspect'),
    ('nothing at all in the kernel, as nagios', seen(traces=NONE, configuration=CLOSED), 'critical', 'ferm-rules-gone'),
    ('restart of nftables, nft', seen(traces=NFTABLES), 'critical', 'ferm-rules-gone'),
    ('c08 ENABLED=no', seen(traces=NONE, settings=GOOD._replace(enabled='no')), 'critical', 'ferm-switched-off'),
    ('no configuration', seen(traces=NONE, configuration=ABSENT), 'critical', 'ferm-configuration-missing'),
    ('no /etc/default/ferm', seen(traces=NONE, settings=Settings(False)), 'critical', 'ferm-switched-off'),
    ('c14 cache', seen(FAILED, EMPTY, reasons=NOTRACK), 'critical', 'ferm-start-failed'),
    ('c22 module blocked', seen(FAILED, EMPTY, reasons=BLOCKED), 'critical', 'ferm-start-failed'),
    ('never enabled', seen(NEVER, NONE), 'warning', 'ferm-never-started'),
    ('enabled, never started', seen(NEVER._replace(file_state='enabled'), NONE), 'critical', 'ferm-never-started'),
    ('masked', seen(NEVER._replace(load_state='masked', file_state='masked'), NONE), 'warning', 'ferm-never-started'),
    ('masked while it runs', seen(HEALTHY._replace(load_state='masked')), 'warning', 'ferm-not-enabled'),
    ('disabled while it runs', seen(HEALTHY._replace(file_state='disabled')), 'warning', 'ferm-not-enabled'),
    ('disabled and stopped', seen(INACTIVE._replace(file_state='disabled'), EMPTY), 'warning', 'ferm-stopped'),
    ('reset-failed', seen(INACTIVE._replace(status=1), EMPTY, reasons=NOTRACK), 'critical', 'ferm-failure-hidden'),
    ('failed, then ferm by hand', seen(FAILED, reasons=NOTRACK), 'critical', 'ferm-start-failed'),
    ('killed during a reload', seen(HEALTHY._replace(reload_result='signal')), 'critical', 'ferm-reload-failed'),
    ('only IPv6 bad', seen(FAILED, EMPTY, reasons=ONLY_IPV6), 'critical', 'ferm-start-failed'),
    ('no Net::DNS', seen(FAILED._replace(status=2), NONE), 'critical', 'ferm-start-failed'),
    ('a condition keeps it from starting', seen(UNMET, NONE), 'critical', 'ferm-never-started'),
    ('nftables.service enabled too', seen(nftables=True), 'ok', 'ferm-nftables-enabled'),
    ('everything built in', seen(traces=BUILT_IN), 'ok', 'ferm-rules-unseen'),
    ('configuration closed', seen(configuration=CLOSED), 'ok', 'ferm-configuration-unreadable'),
    ('configuration newer', seen(configuration=CHANGED), 'warning', 'ferm-configuration-newer'),
    ('settings newer', seen(settings=GOOD._replace(changed=950.0)), 'warning', 'ferm-configuration-newer'),
    ('the same in a captured tree', seen(configuration=CHANGED, wall=None), 'ok', ''),
    ('starting for a moment', seen(HEALTHY._replace(active_state='activating', changed=90.0)), 'ok', 'ferm-busy'),
    ('starting for minutes', seen(HEALTHY._replace(active_state='activating', changed=10.0)), 'warning', 'ferm-busy'),
    ('no systemd', seen(None, gap='systemd does not run this host'), 'unknown', 'ferm-unit-unseen'),
    ('no systemd, rules compared', seen(None, gap='x', verified=True), 'ok', 'ferm-unit-unseen'),
    ('installed without a unit', seen(NEVER._replace(load_state='not-found')), 'unknown', 'ferm-unit-unseen'),
    ('a state of the future', seen(HEALTHY._replace(active_state='dancing')), 'unknown', 'ferm-unit-unseen'),
]  # fmt: skip


@pytest.mark.parametrize(
    ('facts', 'state', 'first'), [case[1:] for case in VERDICTS], ids=[case[0] for case in VERDICTS]
)
def test_the_verdict_is_the_operators(facts: Seen, state: str, first: str) -> None:
    findings = sorted(judge(facts), key=lambda f: ('critical', 'warning', 'unknown', 'info').index(f.severity))
    severity = findings[0].severity if findings else 'info'
    assert (severity if severity != 'info' else 'ok') == state, findings
    assert (findings[0].code if findings else '') == first
    for finding in findings:
        assert len(finding.summary) <= 118, finding.summary


def summary(facts: Seen) -> str:
    return next(judge(facts)).summary


def test_the_kernels_own_reason_stands_in_the_sentence() -> None:
    text = summary(seen(FAILED, EMPTY, reasons=NOTRACK))
    assert text == 'ferm failed to start: CT target: only valid in raw table, not filter; no rules are loaded'
    assert next(judge(seen(FAILED, EMPTY, reasons=NOTRACK))).evidence[0] == f'kernel: {KERNEL[0]}'


def test_a_failure_with_the_old_rules_in_force_says_so() -> None:
    text = summary(seen(FAILED, reasons=Reasons(SYNTAX)))
    assert 'line 14: Unrecognized keyword: dportt; some rules are still loaded' in text


def test_bad_rules_of_ipv6_alone_are_named() -> None:
    only = Reasons(
        lines('ip6tables-restore: line 15 failed', 'Failed to run /usr/sbin/ip6tables-legacy-restore'), KERNEL6
    )
    assert summary(seen(FAILED, EMPTY, reasons=only)).startswith('ferm failed to start: IPv6 rules: CT target')
    nft = Reasons(lines('ip6tables-restore v1.8.9 (nf_tables):', 'line 9: RULE_APPEND failed (Invalid argument)'))
    assert 'IPv6 rules: line 9: RULE_APPEND failed' in summary(seen(FAILED, EMPTY, reasons=nft))


def test_a_blocked_module_is_the_reason_only_when_ferm_missed_one() -> None:
    blocked = Reasons(MISSING_MODULE, blocked='install nf_conntrack /bin/false (x.conf)')
    assert 'modprobe.d keeps nf_conntrack out' in summary(seen(FAILED, EMPTY, reasons=blocked))
    assert 'keyword' in summary(seen(FAILED, EMPTY, reasons=Reasons(SYNTAX, blocked='install nf_conntrack /bin/false')))


def test_a_blocked_module_is_the_reason_when_a_rule_met_no_file() -> None:
    run = lines(
        'iptables-restore v1.8.9 (nf_tables): line 15: RULE_APPEND failed (No such file or directory): rule in x'
    )
    blocked = Reasons(run, blocked='install nf_conntrack /bin/false (/etc/modprobe.d/x.conf)')
    assert 'modprobe.d' in blocked.short()
    assert 'RULE_APPEND' in Reasons(run).short()


def test_a_killed_reload_may_have_left_half_of_the_rules() -> None:
    assert summary(seen(HEALTHY._replace(reload_result='signal'))).endswith('perhaps half loaded')


def test_one_thing_asked_for_under_no_condition_is_proof() -> None:
    ports_only = READ._replace(conditional=('ports',))
    assert next(judge(seen(traces=EMPTY, configuration=ports_only))).code == 'ferm-rules-gone'
    used = EMPTY._replace(extensions={'xt_conntrack': 4, 'xt_tcpudp': 0})
    assert next(judge(seen(traces=used, configuration=ports_only))).code == 'ferm-rules-suspect'


def test_a_killed_reload_says_so_in_words() -> None:
    killed = RELOAD._replace(reload_result='signal')
    assert 'failed to reload: killed (KILL); perhaps' in summary(seen(killed._replace(reload_signal='KILL')))
    assert 'failed to reload: killed by a signal; perhaps' in summary(seen(killed))
    assert 'failed to reload: timeout; perhaps' in summary(
        seen(RELOAD._replace(reload_result='timeout', reload_signal='TERM'))
    )


def test_a_killed_reload_says_nothing_of_the_next_boot() -> None:
    told = {
        result: str(next(judge(seen(HEALTHY._replace(reload_result=result))))) for result in ('signal', 'exit-code')
    }
    assert 'next boot' not in told['signal']
    assert 'the next boot will fail' in told['exit-code']


def test_what_may_not_apply_is_named_beside_the_suspicion() -> None:
    finding = next(judge(seen(traces=EMPTY, configuration=CONDITIONAL)))
    assert any('only under a condition' in line for line in finding.evidence)
    assert not any('usermod' in line for line in finding.remedy)
    assert summary(seen(RELOAD, RAW_LEFT, configuration=CONDITIONAL)).endswith('its rules seem to be gone')
    assert summary(seen(FAILED, RAW_LEFT, configuration=CONDITIONAL)).endswith('its rules seem to be gone')


def test_reason_and_rules_fit_into_the_first_line_of_a_hidden_failure() -> None:
    text = summary(seen(INACTIVE._replace(status=1), EMPTY, reasons=NOTRACK))
    assert text == 'ferm failed to start (hidden): CT target: only valid in raw table, not filter; no rules are loaded'
    assert len('FERM CRITICAL - ' + text) <= 118
    assert len('FERM CRITICAL - ' + summary(seen(FAILED, reasons=PARSE))) <= 118


def test_a_remedy_names_the_user_of_the_check() -> None:
    findings = list(judge(seen(FAILED, EMPTY, configuration=CLOSED, reasons=Reasons(gaps=('x',)), user='icinga')))
    granted = [line for finding in findings for line in finding.remedy if 'usermod' in line]
    assert granted == ['usermod -aG adm icinga  # then restart the monitoring agent'] * 2
    suspect = next(judge(seen(traces=EMPTY, configuration=CLOSED, user='icinga')))
    assert 'usermod -aG adm icinga' in suspect.remedy[1]


def test_an_age_outside_the_range_is_a_finding_of_its_own() -> None:
    finding = age_breach('warning', 90000.0, '86400')
    assert (finding.code, finding.severity, finding.summary) == (
        'ferm-age',
        'warning',
        'ferm last loaded its rules 25 h ago',
    )


def test_rolled_back_is_told_apart_from_the_failure() -> None:
    assert 'ferm-rolled-back' in {finding.code for finding in judge(seen(FAILED, EMPTY, reasons=NOTRACK))}
    assert 'ferm-rolled-back' not in {finding.code for finding in judge(seen(RELOAD, reasons=Reasons(SYNTAX)))}


def test_without_logs_the_exit_status_is_what_is_known_and_the_remedy_is_named() -> None:
    findings = list(
        judge(seen(FAILED, EMPTY, reasons=Reasons(gaps=('journalctl: this user may not read the journal',))))
    )
    assert 'exit-code, exit status 1' in findings[0].summary
    assert any(finding.code == 'ferm-reason-unreadable' and 'usermod' in finding.remedy[0] for finding in findings)


def test_logs_are_read_only_after_a_failure() -> None:
    assert [failed(unit) for unit in (HEALTHY, NEVER, INACTIVE, None)] == [False] * 4
    assert all(failed(unit) for unit in (FAILED, RELOAD, INACTIVE._replace(status=1)))


def test_rules_of_others_do_not_hide_that_those_of_ferm_are_gone() -> None:
    docker = RuleTraces(True, (), 40, {'nft_compat': 2, 'xt_conntrack': 0, 'xt_addrtype': 2}, frozenset(), {})
    assert next(judge(seen(traces=docker))).code == 'ferm-rules-gone'


def test_an_extension_that_is_compiled_in_proves_nothing() -> None:
    half = EMPTY._replace(extensions={}, built_in=frozenset(('xt_conntrack', 'xt_tcpudp')))
    assert [finding.code for finding in judge(seen(traces=half))] == ['ferm-rules-unseen']


def test_a_configuration_without_states_and_ports_is_not_expected_to_use_them() -> None:
    plain = READ._replace(stateful=False, ports=False)
    assert [finding.code for finding in judge(seen(traces=EMPTY, configuration=plain))] == ['ferm-rules-unseen']


def test_only_the_init_script_looks_at_enabled() -> None:
    unit = HEALTHY._replace(command='{ path=/usr/libexec/ferm/ferm-systemd ; argv[]=ferm-systemd activate ; }')
    assert not list(judge(seen(unit, settings=GOOD._replace(enabled='no'))))


def test_root_sees_that_this_namespace_has_no_tables_although_others_have() -> None:
    traces = LEGACY._replace(namespaced={'ip': (), 'ip6': ()})
    assert next(judge(seen(traces=traces))).code == 'ferm-rules-gone'


def test_a_failed_reload_hides_the_age_of_earlier_good_reloads() -> None:
    assert seen(RELOAD).age == 87.0
    assert seen().age == 87.0
    assert seen(FAILED).age is None
