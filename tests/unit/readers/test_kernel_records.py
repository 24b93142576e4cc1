from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tablefull.readers.kernel_lines import interesting_line, parse_journal_line, parse_syslog_line
from tablefull.readers.kernel_records import interesting, kmsg_position, parse_kmsg

FULL = 'nf_conntrack: nf_conntrack: table full, dropping packet'
NOW = 1795256471.0  # 2026-11-21 10:21:11 UTC


@pytest.fixture(autouse=True)
def berlin() -> Iterator[None]:
    """Traditional syslog lines are local time."""
    before = os.environ.get('TZ')
    os.environ['TZ'] = 'CET-1CEST,M3.5.0,M10.5.0/3'
    time.tzset()
    yield
    os.environ.pop('TZ')
    if before is not None:
        os.environ['TZ'] = before
    time.tzset()


def test_a_record_has_sequence_time_and_text() -> None:
    record = parse_kmsg(f'4,464,54652415,-;{FULL}\n'.encode())
    assert record is not None
    assert (record.sequence, record.seconds, record.text) == (464, 54.652415, FULL)


@pytest.mark.parametrize(
    'header', [b'4,464,54652415', b'4,464,54652415,-', b'4,464,54652415,c,caller=T123', b'4,464,54652415,-,a,b=c']
)
def test_fields_of_all_kernels_are_taken(header: bytes) -> None:
    data = header + b';' + FULL.encode() + b'\n'
    record = parse_kmsg(data)
    assert record is not None and record.text == FULL
    assert interesting(data)
    assert kmsg_position(data) == (464, 54.652415)


@pytest.mark.parametrize('priority', [8, 12, 28, 30, 46, 191])
def test_a_record_of_user_space_is_never_believed(priority: int) -> None:
    data = f'{priority},464,54652415,-;{FULL}\n'.encode()
    assert parse_kmsg(data) is None
    assert not interesting(data)
    assert kmsg_position(data) == (464, 54.652415)


def test_a_continuation_is_no_message() -> None:
    assert parse_kmsg(f'4,464,54652415,+;{FULL}\n'.encode()) is None


def test_what_follows_the_text_is_not_part_of_it() -> None:
    record = parse_kmsg(f'6,1,2,-;pci\n SUBSYSTEM=net\n DEVICE={FULL}\n'.encode())
    assert record is not None and record.text == 'pci'


def test_escapes_are_undone() -> None:
    record = parse_kmsg(rb'4,1,2,-;a\x5cb\x1b[31m\xc3\xa9\xff' + b'\n')
    assert record is not None
    assert record.text == 'a\\b\x1b[31mé\\xff'


@pytest.mark.parametrize(
    'data',
    [
        b'',
        b'4',
        b'4,1',
        b'4,1,2,-',
        b'4,' + b'1' * 5000 + b',2,-;t',
        b'x,1,2,-;t',
        b'-1,1,2,-;t',
        b'4,1,2,-\n;t',
        b'\0' * 99,
    ],
)
def test_garbage_is_no_record(data: bytes) -> None:
    assert parse_kmsg(data) is None
    assert kmsg_position(data) is None


def journal(**fields: object) -> bytes:
    """A line as journalctl writes it, without blanks."""
    entry = {
        '_TRANSPORT': 'kernel',
        'SYSLOG_FACILITY': '0',
        'PRIORITY': '6',
        'MESSAGE': 'neighbour: arp_cache: neighbor table overflow!',
        '_SOURCE_MONOTONIC_TIMESTAMP': '54652415',
        '__REALTIME_TIMESTAMP': '1795256471383121',
        '_BOOT_ID': 'f533953c52e244e390790ae9c30410e5',
        **fields,
    }
    return json.dumps(entry, separators=(',', ':')).encode()


def test_a_journal_line_has_both_times() -> None:
    record = parse_journal_line(journal())
    assert record is not None
    assert (record.seconds, record.wall) == (54.652415, 1795256471.383121)
    assert record.boot == 'f533953c52e244e390790ae9c30410e5'
    assert interesting_line(journal())


@pytest.mark.parametrize('fields', [{'_TRANSPORT': 'syslog'}, {'SYSLOG_FACILITY': '3'}, {'MESSAGE': None}])
def test_a_journal_line_of_anybody_else_is_none(fields: dict[str, object]) -> None:
    assert parse_journal_line(journal(**fields)) is None


def test_a_journal_message_may_be_a_list_of_bytes() -> None:
    line = journal(MESSAGE=list(FULL.encode() + b'\xff'))
    record = parse_journal_line(line)
    assert record is not None and record.text == FULL + '\\xff'
    assert interesting_line(line)


RFC_3339 = '2026-11-21T10:21:11.372806+00:00 lab kernel: '


@pytest.mark.parametrize(
    ('line', 'wall'),
    [
        (RFC_3339 + '[   54.652415] ' + FULL, 1795256471.372806),
        (RFC_3339 + FULL, 1795256471.372806),
        ('2026-11-21T11:21:11+01:00 lab kernel: [   54.652415] ' + FULL, NOW),
        ('2026-11-21T10:21:11Z lab kernel: ' + FULL, NOW),
        ('2026-11-21T11:21:11+0100 lab kernel: ' + FULL, NOW),
        ('2026-11-21T11:21:11 lab kernel: ' + FULL, NOW),
        ('Nov 21 11:21:11 lab kernel: [   54.652415] ' + FULL, NOW),
        ('Nov 21 11:21:11 lab kernel: [12345.652415][  T123] ' + FULL, NOW),
        ('<4>Nov 21 11:21:11 lab kernel: ' + FULL, NOW),
    ],
)
def test_both_formats_of_syslog_are_read(line: str, wall: float) -> None:
    record = parse_syslog_line(line, NOW)
    assert record is not None
    assert (record.text, record.times) == (FULL, 1)
    assert record.wall == pytest.approx(wall)
    assert interesting_line(line.encode())


def test_a_day_below_ten_may_have_a_blank() -> None:
    record = parse_syslog_line('Nov  1 11:21:11 lab kernel: ' + FULL, NOW)
    assert record is not None and record.wall == NOW - 20 * 86400


def test_a_line_of_december_read_in_january_is_of_last_year() -> None:
    january = 1798761605.0  # 2027-01-01 00:00:05 UTC
    record = parse_syslog_line('Dec 31 23:59:58 lab kernel: ' + FULL, january)
    assert record is not None and record.wall == 1798757998.0


def test_a_line_of_january_read_in_december_by_a_slow_clock_is_of_next_year() -> None:
    december = 1798757998.0  # 2026-12-31 23:59:58 in Berlin
    record = parse_syslog_line('Jan  1 00:00:02 lab kernel: ' + FULL, december)
    assert record is not None and record.wall == december + 4


def test_the_29th_of_february_is_of_a_leap_year() -> None:
    record = parse_syslog_line('Feb 29 12:00:00 lab kernel: ' + FULL, NOW)
    assert record is not None and record.wall is not None
    assert time.localtime(record.wall)[:3] == (2024, 2, 29)


def test_a_repeated_line_counts_as_often_as_it_was_logged() -> None:
    line = f'Nov 21 11:21:11 lab kernel: [   54.652415] message repeated 3 times: [ [   54.1] {FULL}]'
    record = parse_syslog_line(line, NOW)
    assert record is not None
    assert (record.text, record.times) == (FULL, 3)


@pytest.mark.parametrize(
    'line',
    [
        'Nov 21 11:21:11 lab logger: ' + FULL,
        'Nov 21 11:21:11 lab kernel[1]: ' + FULL,
        'Nov 21 11:21:11 lab sshd[1]: kernel: ' + FULL,
        'Nov 31 11:21:11 lab kernel: ' + FULL,
        'Foo 21 11:21:11 lab kernel: ' + FULL,
        '2026-02-30T10:21:11Z lab kernel: ' + FULL,
        FULL,
        '',
    ],
)
def test_a_line_of_anybody_else_is_none(line: str) -> None:
    assert parse_syslog_line(line, NOW) is None


SAMPLES = [f'4,464,54652415,-;{FULL}\n'.encode(), journal(), (RFC_3339 + FULL).encode(), b'Nov 21 11:21:11 l kernel: x']


@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=6)), max_size=6))
@example(b'4,1,2,-;' + b'x' * (1 << 20), [])
@example(b'[' * (1 << 20), [])
@example(b'{"MESSAGE": 1e999999}', [])
def test_a_mutated_record_is_one_or_none(sample: bytes, changes: list[tuple[int, bytes]]) -> None:
    for place, change in changes:
        sample = sample[:place] + change + sample[place + len(change) // 2 :]
    for record in (
        parse_kmsg(sample),
        parse_journal_line(sample),
        parse_syslog_line(sample.decode('utf-8', 'backslashreplace'), NOW),
    ):
        assert record is None or record.text.encode('utf-8')
    interesting(sample), interesting_line(sample), kmsg_position(sample)
