from __future__ import annotations

import errno

import pytest

from tablefull.findings.catalogue import CATALOGUE
from tablefull.findings.kernel_log import (
    RULES,
    SUPPRESSED,
    Seen,
    judge,
    kinds_of,
    label,
    missing,
    overwritten,
    suppressed,
    unreadable,
)
from tablefull.findings.kernel_log_position import lost_since, remember, unseen
from tablefull.readers.files import ReadError
from tablefull.readers.kernel_log import Event, KernelLog
from tablefull.readers.kernel_messages import PATTERNS

FULL = Event('conntrack-table-full', '', 1, 'nf_conntrack: nf_conntrack: table full, dropping packet', 100.0)
IN_NETNS = FULL._replace(subject='4026532177', text='nf_conntrack: nf_conntrack: table full in netns 4026532177, dro')
ARP = Event('neighbour-table-overflow', 'arp_cache', 1, 'neighbour: arp_cache: neighbor table overflow!', 100.0)
NDISC = ARP._replace(subject='ndisc_cache', text='neighbour: ndisc_cache: neighbor table overflow!')
HIDDEN = Event(SUPPRESSED, 'net_ratelimit', 245, 'net_ratelimit: 245 callbacks suppressed', 100.0)
REJECTED = Event('xtables-rejection', 'ip_tables', 1, 'x_tables: ip_tables: CT target: only valid in raw table', 1.0)


def seen(*events: Event, **fields: object) -> Seen:
    log = KernelLog('/dev/kmsg', events, 500, 0, 500, 0.0, 130.0, 0)
    return Seen(log, 900.0, lambda lines: None)._replace(**fields)  # type: ignore[arg-type]


def test_every_kind_of_message_has_its_rule_and_every_rule_its_title() -> None:
    assert [*RULES, SUPPRESSED] == [*dict.fromkeys(code for code, _, _ in PATTERNS)]
    assert all(rule.code in CATALOGUE for rule in RULES.values())
    assert len({label(kind) for kind in RULES}) == len(RULES)


def test_lines_are_events_at_least_and_the_suppressed_ones_are_added() -> None:
    (finding,) = judge(seen(*[FULL] * 10, HIDDEN))
    assert (finding.code, finding.severity) == ('conntrack-table-full', 'critical')
    assert finding.summary == 'connection tracking table full at least 255 times in 15 min: packets refused'
    assert finding.evidence[:2] == (FULL.text, '10 lines and 245 suppressed, the last 30 s ago')
    assert suppressed(seen(*[FULL] * 10, HIDDEN).log.events) == 245


def test_suppressed_messages_of_two_kinds_are_added_to_neither() -> None:
    summaries = [finding.summary for finding in judge(seen(FULL, ARP, HIDDEN))]
    assert summaries == [
        'connection tracking table full once or more in 15 min: packets refused',
        'neighbour table overflow (IPv4) once or more in 15 min: new neighbours refused',
    ]


def test_suppressed_messages_are_not_added_to_the_wanted_kind_when_another_was_there() -> None:
    (finding,) = judge(seen(FULL, ARP, HIDDEN, wanted=kinds_of(('conntrack-table-full',))))
    assert 'once or more' in finding.summary


def test_suppressed_messages_alone_are_never_a_verdict() -> None:
    (finding,) = judge(seen(HIDDEN, raised=lambda lines: 'critical'))
    assert (finding.code, finding.severity) == ('kernel-log-suppressed', 'info')
    assert finding.summary.startswith('245 kernel messages suppressed in 15 min')


def test_a_limit_of_another_place_in_the_code_hides_nothing_of_this_one() -> None:
    codes = [finding.code for finding in judge(seen(REJECTED, HIDDEN))]
    assert codes == ['xtables-rejection', 'kernel-log-suppressed']
    (finding,) = judge(seen(REJECTED, HIDDEN._replace(subject='xt_check_target')))
    assert finding.evidence[1].startswith('1 line and 245 suppressed')


@pytest.mark.parametrize('function', ['printk', '__ratelimit'])
def test_the_one_limit_of_old_kernels_may_hide_anything(function: str) -> None:
    (finding,) = judge(seen(REJECTED, HIDDEN._replace(subject=function)))
    assert '245 suppressed' in finding.evidence[1]


def test_a_named_namespace_is_told() -> None:
    (finding,) = judge(seen(IN_NETNS, IN_NETNS))
    assert 'full in namespace 4026532177 at least 2 times' in finding.summary
    assert finding.evidence[-1].startswith('network namespace 4026532177')


def test_several_namespaces_are_counted_and_listed() -> None:
    (finding,) = judge(seen(IN_NETNS, IN_NETNS._replace(subject='4026532178')))
    assert 'full in 2 namespaces' in finding.summary
    assert '4026532177, 4026532178' in finding.evidence[-1]


@pytest.mark.parametrize(
    ('names_namespaces', 'says'), [(False, 'may be that of a container'), (True, "host's first network namespace")]
)
def test_a_line_without_namespace_is_told_for_what_it_is(names_namespaces: bool, says: str) -> None:
    (finding,) = judge(seen(FULL, names_namespaces=names_namespaces))
    assert says in finding.evidence[-1]


def test_both_families_of_an_overflow_are_named() -> None:
    (finding,) = judge(seen(ARP, NDISC))
    assert (finding.code, finding.severity) == ('neighbour-table-full', 'critical')
    assert '(IPv4 and IPv6) at least 2 times' in finding.summary
    assert ARP.text in finding.evidence


def test_a_rejection_is_told_in_the_words_of_the_kernel() -> None:
    (finding,) = judge(seen(REJECTED))
    assert finding.severity == 'warning'
    assert finding.summary == 'the kernel rejected a firewall rule: ip_tables: CT target: only valid in raw table'


def test_a_brace_in_the_log_is_no_format() -> None:
    (finding,) = judge(seen(REJECTED._replace(text='x_tables: ip_tables: {0.__class__} match: invalid size %s')))
    assert finding.summary.endswith('{0.__class__} match: invalid size %s')


@pytest.mark.parametrize(
    ('event', 'raised', 'severity'),
    [(FULL, None, 'critical'), (FULL, 'warning', 'critical'), (REJECTED, 'critical', 'critical')],
)
def test_a_threshold_raises_a_severity_and_never_lowers_it(event: Event, raised: str | None, severity: str) -> None:
    (finding,) = judge(seen(event, raised=lambda lines: raised))
    assert finding.severity == severity


def test_what_was_overwritten_is_said() -> None:
    log = seen().log
    assert not list(overwritten(log, 900, 0))
    (finding,) = overwritten(log, 900, 7)
    assert finding.summary.startswith('7 kernel log records overwritten')


def test_a_ring_shorter_than_the_time_asked_for_is_said() -> None:
    log = seen().log._replace(first_sequence=1000, oldest_seconds=100.0)
    (finding,) = overwritten(log, 900, 0)
    assert finding.summary == '/dev/kmsg reaches back only 30 s, not 15 min'
    assert not list(overwritten(log, 20, 0))


def test_a_log_file_is_rotated_and_not_overwritten() -> None:
    log = file(5)._replace(oldest_seconds=880.0)
    (finding,) = overwritten(log, 900, 0)
    assert finding.summary == '/var/log/kern.log reaches back only 20 s, not 15 min'
    assert 'rotated' in finding.remedy[0] and 'log_buf_len' not in finding.remedy[0]


def test_the_only_line_of_a_captured_file_tells_nothing_of_how_far_it_reaches_back() -> None:
    assert not list(overwritten(file(900)._replace(oldest_seconds=900.0), 900, 0))


DENIED = ReadError('/dev/kmsg', 'Operation not permitted', errno.EPERM)


@pytest.mark.parametrize(
    ('user', 'journal', 'log_file', 'first'),
    [
        ('nagios', True, '/var/log/kern.log', 'usermod -aG systemd-journal nagios'),
        ('nagios', False, '/var/log/kern.log', 'usermod -aG adm nagios'),
        ('nagios', False, None, 'sysctl -w kernel.dmesg_restrict=0'),
        ('root', True, None, 'run it on the host'),
    ],
)
def test_the_remedy_is_the_one_that_works_on_this_host(
    user: str, journal: bool, log_file: str | None, first: str
) -> None:
    finding = unreadable(DENIED, user, journal, log_file)
    assert (finding.code, finding.severity) == ('kernel-log-unreadable', 'unknown')
    assert finding.evidence == ('/dev/kmsg: Operation not permitted',)
    assert finding.remedy[0].startswith(first)


def test_a_missing_log_is_what_the_user_says_it_is() -> None:
    assert [missing(state, None).severity for state in ('ok', 'warning', 'unknown')] == ['info', 'warning', 'unknown']
    assert missing('unknown', '/var/log/kern.log').summary == 'there is no log file /var/log/kern.log'


@pytest.mark.parametrize(
    ('release', 'remedy'), [((2, 6), '--file /var/log/messages'), ((3, 4), '--file'), ((3, 5), 'run'), ((0, 0), 'run')]
)
def test_up_to_3_4_a_log_file_is_all_there_is(release: tuple[int, int], remedy: str) -> None:
    assert missing('unknown', None, release).remedy[0].startswith(remedy)


def ring(first: int, last: int, *sequences: int) -> KernelLog:
    events = tuple(FULL._replace(sequence=sequence) for sequence in sequences)
    return KernelLog('/dev/kmsg', events, last - first + 1, 0, last, 0.0, 130.0, first)


def test_a_line_is_new_once() -> None:
    content = remember(ring(0, 10, 3, 10), 'boot', None)
    assert unseen(ring(0, 10, 3, 10), 'boot', None) == ring(0, 10, 3, 10).events
    assert [event.sequence for event in unseen(ring(0, 12, 3, 10, 11), 'boot', content)] == [11]
    assert unseen(ring(0, 12, 3, 10), 'boot', content) == ()


def test_after_a_boot_every_line_is_new() -> None:
    content = remember(ring(0, 10, 10), 'boot', None)
    assert len(unseen(ring(0, 4, 3), 'another boot', content)) == 1
    assert len(unseen(ring(0, 4, 3), 'boot', content)) == 1  # a number of the future


def test_records_overwritten_between_two_runs_are_counted() -> None:
    content = remember(ring(0, 10), 'boot', None)
    assert lost_since(ring(11, 20), 'boot', content) == 0
    assert lost_since(ring(16, 20), 'boot', content) == 5
    assert lost_since(ring(16, 20), 'another boot', content) == 0
    assert lost_since(ring(16, 20)._replace(lost=2), 'boot', None) == 2


def file(*moments: float) -> KernelLog:
    events = tuple(FULL._replace(seconds=None, wall=moment) for moment in moments)
    return KernelLog('/var/log/kern.log', events, 10, now_seconds=900.0, wall_clock=True)


def test_in_a_file_without_numbers_time_and_count_tell_what_is_new() -> None:
    content = remember(file(5, 9, 9), 'boot', None)
    # Traditional syslog knows whole seconds only: a third line of the same second is new.
    assert [event.wall for event in unseen(file(5, 9, 9, 9, 12), 'a later boot', content)] == [9, 12]
    content = remember(file(9), 'boot', content)
    assert unseen(file(9, 9), 'boot', content) == ()
    assert unseen(file(), 'boot', remember(file(), 'boot', content)) == ()
    assert unseen(file(9), 'boot', remember(file(), 'boot', content)) == ()


@pytest.mark.parametrize(
    'content',
    [{}, {'source': 1}, {'source': '/dev/kmsg', 'boot': 'boot', 'sequence': 'x'}, {'newest': [], 'same': None}],
)
def test_damaged_memory_is_no_memory(content: dict[str, object]) -> None:
    assert len(unseen(ring(0, 4, 3), 'boot', content)) == 1
    assert lost_since(ring(5, 9), 'boot', content) == 0


@pytest.mark.parametrize(
    'damage', [{'newest': 10**400}, {'newest': float('inf')}, {'newest': float('nan')}, {'newest': True}, {'same': -1}]
)
def test_a_damaged_moment_hides_nothing(damage: dict[str, object]) -> None:
    log = KernelLog('kern.log', (FULL._replace(seconds=None, wall=100.0),), 9, now_seconds=130.0, wall_clock=True)
    content = {'source': 'kern.log', 'boot': '', 'newest': 50.0, 'same': 1, **damage}
    assert unseen(log, '', content) == log.events
    assert remember(log, '', content)['newest'] == 100.0


def test_a_clock_that_was_set_back_hides_nothing() -> None:
    old, new = FULL._replace(seconds=None, wall=9000.0), FULL._replace(seconds=None, wall=100.0)
    before = KernelLog('kern.log', (old,), 9, now_seconds=9001.0, wall_clock=True)
    log = before._replace(events=(old, new), now_seconds=130.0)
    content = remember(before, '', None)
    assert new in unseen(log, '', content)
    assert new not in unseen(log, '', remember(log, '', content))


def test_a_damaged_sequence_loses_nothing() -> None:
    log = KernelLog('/dev/kmsg', (), 9, last_sequence=20, first_sequence=5)
    assert lost_since(log, 'b', {'source': '/dev/kmsg', 'boot': 'b', 'sequence': -(10**400)}) == 0
