from __future__ import annotations

from typing import Any

import pytest

from tablefull.findings import conntrack as rules
from tablefull.findings.conntrack_configuration import configuration
from tablefull.findings.conntrack_loss import lost
from tablefull.findings.conntrack_remedy import file_of_limit
from tablefull.findings.conntrack_seen import Seen, sample_of
from tablefull.findings.finding import Finding
from tablefull.findings.rates import LOST, Sample
from tablefull.readers.conntrack import Conntrack
from tablefull.readers.kernel_log import Event, KernelLog
from tablefull.readers.statistics import Statistics
from tablefull.readers.sysctl_d import Setting, Sysctls

COLUMNS = ('entries', 'insert_failed', 'drop', 'early_drop', 'invalid', 'search_restart', 'chainlength')
FULL_LINE = Event('conntrack-table-full', '', 1, 'nf_conntrack: nf_conntrack: table full, dropping packet', 100.0)


def table(entries: int = 100, maximum: int = 1000, **counters: int) -> Conntrack:
    row = tuple({'entries': entries, **counters}.get(name, 0) for name in COLUMNS)
    return Conntrack(True, entries, maximum, 1000, 16, Statistics(COLUMNS, (row,)), True, '4026531840')


def seen(now: Conntrack, before: Conntrack | None = None, *events: Event, **more: Any) -> Seen:
    earlier = (sample_of(before, 40.0, 70.0),) if before is not None else ()
    log = KernelLog('/dev/kmsg', events, 1, now_seconds=130.0)
    return Seen(now, sample_of(now, 100.0, 130.0), **{'earlier': earlier, 'log': log, 'window': 61.0, **more})


def codes(findings: Any) -> list[str]:
    return [f'{finding.severity} {finding.code}' for finding in findings]


def judge(now: Conntrack, before: Conntrack | None = None, *events: Event, **more: Any) -> list[str]:
    return codes(rules.judge(seen(now, before, *events, **more), 900.0))


def test_a_refused_packet_is_critical_at_ten_percent_usage_when_the_kernel_says_the_table_was_full() -> None:
    assert judge(table(drop=5), table(), FULL_LINE) == ['critical conntrack-table-full']


def test_drops_at_the_limit_are_a_full_table_without_any_log() -> None:
    assert judge(table(1000, drop=5), table(990), log_gap='refused') == ['critical conntrack-table-full']


def test_a_burst_that_is_over_by_now_is_a_full_table_if_the_previous_look_saw_it_near_the_limit() -> None:
    assert judge(table(500, drop=5), table(960)) == ['critical conntrack-table-full']


def test_a_table_at_its_limit_that_refuses_nothing_is_what_the_thresholds_say() -> None:
    assert judge(table(1000), table(1000)) == []


def test_drops_far_from_the_limit_are_no_full_table() -> None:
    assert judge(table(drop=5), table()) == ['warning conntrack-drops']


def test_an_insertion_clash_raises_drop_too_and_is_not_counted_twice() -> None:
    assert judge(table(1000, drop=5, insert_failed=5), table(1000)) == []
    (finding,) = rules.judge(seen(table(1000, drop=7, insert_failed=5), table(1000)), 900.0)
    assert '2 packets refused' in finding.summary


def test_early_drops_alone_are_no_full_table() -> None:
    assert judge(table(1000, early_drop=713), table(1000)) == []
    breach = rules.early_drop_breach(seen(table(1000, early_drop=713), table(1000)), 'warning', 7.13, '0')
    assert (breach.code, breach.severity) == ('conntrack-early-drops', 'warning')


def test_drops_since_boot_prove_nothing_about_now() -> None:
    assert judge(table(1000, drop=5000)) == []
    assert judge(table(1000, drop=5000), table(1000, drop=5000)) == []


def test_drops_without_clashes_are_refusals_even_where_insert_failed_moves_alone() -> None:
    # Up to 4.8 a clash raised insert_failed only; since 5.15 a long hash chain raises it without drop.
    now, before = table(1000, drop=50, insert_failed=500), table(1000)
    assert judge(now, before, release=(3, 10)) == ['critical conntrack-table-full']
    chains = table(1000, drop=50, insert_failed=500, chainlength=500)
    assert judge(chains, before, release=(5, 15)) == ['critical conntrack-table-full']


def test_clashes_do_not_hide_a_full_table_that_the_kernel_names() -> None:
    (finding,) = rules.judge(seen(table(1000, drop=50, insert_failed=500), table(1000), FULL_LINE), 900.0)
    assert (finding.code, finding.severity) == ('conntrack-table-full', 'critical')
    assert 'up to 50 packets refused' in finding.summary


def test_a_table_at_93_percent_that_drops_is_full() -> None:
    # 522 of 560 were counted at a moment when clients were locked out: UDP entries had just expired.
    assert judge(table(522, 560, drop=196), table(540, 560), log_gap='refused') == ['critical conntrack-table-full']


def test_where_the_log_is_closed_nobody_claims_that_the_table_was_not_full() -> None:
    drops, gap = rules.judge(seen(table(drop=700), table(), log_gap='Operation not permitted'), 900.0)
    assert 'whether it was full cannot be told' in drops.summary
    assert (gap.code, gap.severity) == ('kernel-log-unreadable', 'info')


def remembered(entries: int, drop: int) -> Seen:
    """A run after one that saw 7 packets refused, and after another one since."""
    full = Sample(20.0, {'entries': (1000,), 'drop': (7,), LOST: (7,)})
    other = Sample(60.0, {'entries': (1000,), 'drop': (7,), LOST: (0,)})
    now = table(entries, drop=drop)
    return seen(now)._replace(earlier=(full, other), log=None)


def test_another_run_does_not_consume_the_loss_while_the_table_stays_full() -> None:
    # A second service, a retry before the hard state, somebody who looks: each would see no new drop.
    (finding,) = rules.judge(remembered(990, 7), 900.0)
    assert (finding.code, finding.severity) == ('conntrack-table-full', 'critical')
    assert '7 packets refused 80 s ago' in finding.summary
    assert list(rules.judge(remembered(990, 7), 60.0)) == []


def test_an_emptied_table_that_refuses_nothing_has_recovered() -> None:
    assert list(rules.judge(remembered(500, 7), 900.0)) == []


def test_only_a_run_that_proved_the_loss_remembers_it() -> None:
    full = seen(table(1000, drop=7), table(1000))
    assert lost(list(rules.judge(full, 900.0)), full) == 7
    assert lost([], seen(table(drop=7), table())) == 0
    again = remembered(990, 7)
    assert lost(list(rules.judge(again, 900.0)), again) == 0


def test_on_a_first_run_line_and_level_together_are_the_witness() -> None:
    assert judge(table(950, drop=5), None, FULL_LINE) == ['critical conntrack-table-full']


def test_on_a_first_run_an_old_drop_and_a_line_of_a_container_are_no_proof() -> None:
    # Nor a disproof: an overflow that ended a moment ago looks the same.
    assert judge(table(5, 300000, drop=1), None, FULL_LINE) == ['warning conntrack-table-full']
    # 6.18 leaves out the number for the first namespace only.
    assert judge(table(5, 300000, drop=1), None, FULL_LINE, release=(6, 18)) == ['critical conntrack-table-full']


def test_old_drops_of_the_host_do_not_swallow_the_overflow_of_a_container() -> None:
    before = table(5, 300, drop=7)
    assert judge(before, before, FULL_LINE) == ['warning conntrack-table-full-elsewhere']


def test_a_line_older_than_the_drops_counted_since_is_no_witness() -> None:
    assert judge(table(500, drop=9), table(500, drop=5), FULL_LINE, window=10.0) == ['warning conntrack-drops']


def test_an_older_line_still_illustrates_drops_at_the_limit() -> None:
    # Ten lines in five seconds at most: the packets refused just now may have left none of their own.
    (finding,) = rules.judge(seen(table(1000, drop=9), table(1000, drop=5), FULL_LINE, window=10.0), 900.0)
    assert f'kernel log, 30 s ago: {FULL_LINE.text}' in finding.evidence


def test_the_line_of_a_container_does_not_make_the_host_full() -> None:
    # 6.1 does not say which namespace: statistics without a single drop do.
    assert judge(table(5, 300), None, FULL_LINE) == ['warning conntrack-table-full-elsewhere']


def test_one_container_is_not_woken_for_another() -> None:
    inside = table(5, 300)._replace(first_namespace=False)
    assert judge(inside, None, FULL_LINE) == ['info conntrack-table-full-elsewhere']


def test_a_line_that_names_another_namespace_is_not_ours_whatever_the_counters() -> None:
    other = FULL_LINE._replace(subject='4026532177')
    assert judge(table(100, drop=5), None, other) == ['warning conntrack-table-full-elsewhere']
    ours = FULL_LINE._replace(subject='4026531840')
    assert judge(table(100, drop=5), None, ours) == ['critical conntrack-table-full']


def test_without_statistics_line_and_level_together_prove_a_full_table() -> None:
    ubuntu = table(980)._replace(statistics=None)
    missing = 'info conntrack-statistics-missing'
    assert judge(ubuntu, None, FULL_LINE) == ['critical conntrack-table-full', missing]
    assert judge(ubuntu._replace(entries=5), None, FULL_LINE) == ['warning conntrack-table-full-elsewhere', missing]
    # Room there may be because somebody has just raised the limit: then nobody can tell whose table it was.
    raised = seen(ubuntu._replace(maximum=4000), None, FULL_LINE)
    (finding, _) = rules.judge(raised, 900.0)
    assert (finding.code, finding.severity) == ('conntrack-table-full', 'warning')
    assert 'this one or that of a container; now at 24.5 %' in finding.summary
    assert 'second run' not in finding.remedy[0]
    (finding, *_) = rules.judge(seen(ubuntu._replace(entries=None, maximum=None), None, FULL_LINE), 900.0)
    assert 'how full is not known' in finding.summary
    assert judge(ubuntu) == [missing]


def test_without_statistics_an_unreadable_log_is_said() -> None:
    missing, gap = rules.judge(seen(table()._replace(statistics=None), None, log_gap='Operation not permitted'), 900.0)
    assert (missing.code, gap.code) == ('conntrack-statistics-missing', 'kernel-log-unreadable')
    assert gap.evidence == ('Operation not permitted',)


@pytest.mark.parametrize('maximum', [0, -5])
def test_no_limit_is_an_information_and_never_a_division(maximum: int) -> None:
    assert judge(table(517, maximum, drop=9), table(517, maximum, drop=9)) == ['info conntrack-no-limit']


def test_a_limit_lowered_below_the_count_is_judged_by_level() -> None:
    now = table(517, 256)
    assert now.usage == pytest.approx(201.95, abs=0.01)
    assert judge(now, now) == []


def test_the_expectation_table_has_a_message_of_its_own() -> None:
    event = Event('conntrack-expectation-table-full', '', 1, 'nf_conntrack: expectation table full')
    assert judge(table(), table(), event) == ['warning conntrack-expectation-table-full']


def test_numbers_hidden_from_a_user_namespace_are_unknown_not_healthy() -> None:
    assert judge(table()._replace(maximum=None)) == ['unknown conntrack-hidden']
    assert judge(Conntrack(True)) == ['unknown conntrack-hidden']


def growing(entries: int, before: int, seconds: float = 300.0, latest: int | None = None) -> Seen:
    samples = [Sample(0.0, {'entries': (before,)})]
    if latest is not None:
        samples.append(Sample(seconds - 60.0, {'entries': (latest,)}))
    return Seen(table(entries), Sample(seconds, {'entries': (entries,)}), tuple(samples))


def test_growth_gives_the_time_until_the_table_is_full() -> None:
    growth = growing(700, 600)
    assert growth.full_in == pytest.approx(900)
    assert codes(rules.full_soon(growth, 30, 10)) == ['warning conntrack-full-soon']
    assert codes(rules.full_soon(growth, 30, 15)) == ['critical conntrack-full-soon']
    assert codes(rules.full_soon(growth, None, None)) == []


def test_a_wave_that_is_over_is_no_forecast() -> None:
    assert growing(550, 300, latest=550).full_in is None
    # A jump within the last minute: the pace of the last minutes counts.
    assert growing(600, 500, latest=510).full_in == pytest.approx(1200)


def test_a_table_that_is_full_already_has_no_forecast() -> None:
    assert growing(1000, 600).full_in is None


def test_no_forecast_from_moments_from_an_empty_table_or_from_one_that_shrinks() -> None:
    assert growing(700, 600, 30.0).full_in is None
    assert growing(300, 100).full_in is None
    assert growing(600, 700).full_in is None


def test_a_breach_says_how_full_and_how_fast() -> None:
    breach = rules.usage_breach(growing(850, 600), 'warning', 85.0, '80')
    assert breach.summary == '85 % of the connection tracking table in use (850 of 1000), full in 3 min'


def sysctls(*settings: Setting, present: bool = True) -> Sysctls:
    return Sysctls(settings, (), present)


def configured(value: str) -> Sysctls:
    return sysctls(Setting('net.netfilter.nf_conntrack_max', value, '/etc/sysctl.d/90-conntrack.conf'))


def test_a_configured_limit_that_came_before_the_module_is_said_to_be_never_applied() -> None:
    (finding,) = configuration(table(maximum=1000), configured('262144'), None)
    assert (finding.code, finding.severity) == ('conntrack-configuration-differs', 'warning')
    assert 'the module was loaded after the setting' in finding.summary


def test_a_limit_lowered_by_hand_is_told_from_one_never_applied() -> None:
    (finding,) = configuration(table(maximum=1500), configured('2000'), None)
    assert (finding.severity, 'lowered since' in finding.summary) == ('warning', True)


def test_a_limit_that_something_raised_since_is_no_alarm_and_is_not_to_be_lowered() -> None:
    # kube-proxy and tuned set it at each start.
    (finding,) = configuration(table(maximum=1048576), configured('524288'), None)
    assert finding.severity == 'info'
    assert '1048576' in finding.remedy[0] and not any('524288' in line for line in finding.remedy)


@pytest.mark.parametrize(
    ('path', 'file'),
    [
        ('/etc/sysctl.d/10-site.conf', '/etc/sysctl.d/10-site.conf'),
        ('/etc/sysctl.d/99-limits.conf', '/etc/sysctl.d/99-limits.conf'),
        ('/etc/sysctl.conf', '/etc/sysctl.conf'),
        ('/usr/lib/sysctl.d/50-default.conf', '/etc/sysctl.d/90-conntrack.conf'),
        ('/usr/lib/sysctl.d/99-vendor.conf', '/etc/sysctl.d/zz-conntrack.conf'),
        ('/etc/sysctl.d/a; reboot #.conf', "'/etc/sysctl.d/a; reboot #.conf'"),
        ("/etc/sysctl.d/o'brien.conf", "'/etc/sysctl.d/o'\\''brien.conf'"),
    ],
)
def test_a_limit_is_written_where_it_wins(path: str, file: str) -> None:
    setting = Setting('net.netfilter.nf_conntrack_max', '524288', path)
    (finding,) = configuration(table(maximum=1048576), sysctls(setting), None)
    assert finding.remedy[0] == f'echo "net.netfilter.nf_conntrack_max = 1048576" >> {file}'
    full = seen(table(900, 1000))._replace(limit_file=file_of_limit(path))
    assert rules.usage_breach(full, 'critical', 90.0, '90').remedy[-2].endswith(f' >> {file}')


def test_a_limit_that_may_stand_in_a_file_nobody_could_read_is_not_said_to_stand_nowhere() -> None:
    closed = sysctls()._replace(unread=('/etc/sysctl.d/99-limits.conf',))
    (finding,) = configuration(table(maximum=5000), closed, None)
    assert 'configured nowhere that can be read' in finding.summary
    assert '/etc/sysctl.d/99-limits.conf: unreadable' in finding.evidence


def test_a_limit_raised_by_hand_is_said_to_be_lost_at_a_reboot() -> None:
    (finding,) = configuration(table(maximum=5000), sysctls(), None)
    assert (finding.code, finding.severity) == ('conntrack-configuration-lost-at-boot', 'info')


@pytest.mark.parametrize('value', ['1000', '0x3e8', '01750'])
def test_a_limit_that_is_configured_in_any_spelling_is_fine(value: str) -> None:
    assert list(configuration(table(maximum=1000), configured(value), None)) == []


@pytest.mark.parametrize(
    ('release', 'ratio'),
    [((0, 0), 1), ((0, 0), 4), ((0, 0), 8), ((5, 10), 4), ((5, 14), 1), ((5, 14), 4), ((6, 1), 1), ((6, 1), 8)],
)
def test_the_kernels_own_choice_is_not_taken_for_a_hand(release: tuple[int, int], ratio: int) -> None:
    assert list(configuration(table(maximum=1000 * ratio), sysctls(), None, release)) == []


@pytest.mark.parametrize(('release', 'ratio'), [((6, 1), 4), ((5, 15), 4), ((5, 10), 1)])
def test_a_limit_raised_by_hand_together_with_the_hash_size_is_no_choice_of_this_kernel(
    release: tuple[int, int], ratio: int
) -> None:
    # The mirror list of 2019: 262144 entries, and a hash of a quarter of it.
    (finding,) = configuration(table(maximum=1000 * ratio), sysctls(), None, release)
    assert finding.code == 'conntrack-configuration-lost-at-boot'


def test_a_container_and_a_tree_without_configuration_say_nothing_about_it() -> None:
    assert list(configuration(table(maximum=5000)._replace(first_namespace=False), sysctls(), None)) == []
    assert list(configuration(table(maximum=5000), sysctls(present=False), None)) == []


def test_a_hash_size_that_was_never_applied_is_said() -> None:
    (finding,) = configuration(table(maximum=1000), sysctls(), '65536')
    assert 'hashsize=65536' in finding.summary
    assert list(configuration(table(maximum=1000), sysctls(), '1000')) == []
    assert list(configuration(table(maximum=1000), sysctls(), 'auto')) == []


def test_a_table_that_was_full_before_its_limit_was_raised_was_full() -> None:
    # The remedy has been carried out between two runs: packets refused before it are a loss of a full table still.
    full = table(1000, 1000, drop=10)
    assert judge(table(1010, 2000, drop=74), full)[0] == 'critical conntrack-table-full'
    assert judge(table(1010, 2000, drop=74), table(500, 1000, drop=10))[0] == 'warning conntrack-drops'
    # And one whose limit was lowered since was not.
    assert judge(table(100, 200, drop=74), table(190, 1000, drop=10))[0] == 'warning conntrack-drops'


def test_a_hash_table_is_resized_now_and_for_the_next_boot() -> None:
    # Otherwise the boot after the one that keeps the limit has a table of 64 entries a bucket again.
    def remedy(release: tuple[int, int], **more: Any) -> tuple[str, ...]:
        now = table(maximum=8000)._replace(**more)
        return rules.hash_breach(seen(now, release=release), 'warning', 8.0, '4').remedy

    now, boot = remedy((6, 1))
    assert now == 'echo 8000 > /sys/module/nf_conntrack/parameters/hashsize'
    assert boot.startswith('echo "net.netfilter.nf_conntrack_buckets = 8000" >> /etc/sysctl.d/90-conntrack.conf')
    # Before 4.8 that setting is read-only; what kernel it is may be unknown, too.
    for release in ((4, 4), (0, 0)):
        boot = remedy(release)[1]
        assert boot.startswith('echo "options nf_conntrack hashsize=8000" >> /etc/modprobe.d/conntrack.conf')
    assert 'options ip_conntrack hashsize=8000' in remedy((2, 6), legacy=True)[1]
    # In a container nothing of the next boot can be said.
    assert len(remedy((6, 1), first_namespace=False)) == 1


def test_no_remedy_contains_a_character_that_a_daemon_would_take_for_perfdata() -> None:
    everything: list[Finding] = [
        *rules.judge(seen(table(1000, 1000, drop=5), table()), 900.0),
        *rules.judge(seen(table(drop=5), table()), 900.0),
        rules.hash_breach(seen(table()), 'warning', 5.0, '4'),
        rules.entries_breach(seen(table()), 'warning', 5.0, '4'),
        rules.insert_failed_breach(seen(table(insert_failed=900, chainlength=3), table()), 'warning', 15.0, '10'),
    ]
    for finding in everything:
        assert '|' not in ''.join((finding.summary, *finding.evidence, *finding.remedy))
