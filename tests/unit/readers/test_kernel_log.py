from __future__ import annotations

import errno
import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tablefull.readers import log_files
from tablefull.readers.files import ReadError
from tablefull.readers.kernel_log import read_kernel_log, scan_kmsg
from tablefull.readers.programs import Output
from tests.unit.readers.test_kernel_records import journal
from tests.unit.readers.trees import tree

FULL = 'nf_conntrack: nf_conntrack: table full, dropping packet'


def record(sequence: int, seconds: float, text: str = FULL, priority: int = 4) -> bytes:
    return f'{priority},{sequence},{int(seconds * 1e6)},-;{text}\n'.encode()


def reader(*answers: bytes | int) -> Callable[[], bytes]:
    """A fake /dev/kmsg: each call gives a record, or raises the errno; EAGAIN for ever at the end."""
    remaining = iter(answers)

    def read() -> bytes:
        answer = next(remaining, errno.EAGAIN)
        if isinstance(answer, int):
            raise OSError(answer, os.strerror(answer))
        return answer

    return read


def test_the_ring_is_read_to_its_end() -> None:
    log, records = scan_kmsg('/dev/kmsg', reader(record(0, 0, 'Linux'), record(1, 1), record(2, 2, 'user', 12)))
    assert (log.records, log.lost, log.first_sequence, log.last_sequence, log.now_seconds) == (3, 0, 0, 2, 2.0)
    assert records == [record(1, 1)]


def test_overwritten_records_are_counted_by_their_numbers() -> None:
    answers = (record(5, 1), errno.EPIPE, errno.EPIPE, record(15, 2), record(16, 3))
    log, _ = scan_kmsg('/dev/kmsg', reader(*answers))
    assert (log.records, log.lost) == (3, 9)


def test_records_overwritten_before_the_first_read_are_nobodys_loss() -> None:
    assert scan_kmsg('/dev/kmsg', reader(errno.EPIPE, record(15, 2)))[0].lost == 0


def test_a_record_larger_than_the_buffer_is_counted_as_lost() -> None:
    log, _ = scan_kmsg('/dev/kmsg', reader(record(1, 1), errno.EINVAL, record(3, 2)))
    assert (log.records, log.lost) == (2, 1)


def test_an_error_that_is_no_end_is_an_error() -> None:
    with pytest.raises(ReadError, match='not permitted') as caught:
        scan_kmsg('/dev/kmsg', reader(record(1, 1), errno.EPERM))
    assert caught.value.permission


def test_a_writer_that_never_stops_is_not_chased_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('tablefull.readers.kernel_log._MOST_RECORDS', 1000)
    numbers = itertools.count()
    assert scan_kmsg('/dev/kmsg', lambda: record(next(numbers), 1, 'noise', 12))[0].records == 1000


def test_endless_overwriting_is_not_chased_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('tablefull.readers.kernel_log._MOST_RECORDS', 1000)

    def read() -> bytes:
        raise BrokenPipeError(errno.EPIPE, 'overtaken')

    with pytest.raises(ReadError, match='holds no record'):
        scan_kmsg('/dev/kmsg', read)


KMSG = b''.join(
    (
        record(0, 0, 'Linux version 6.1'),
        b'6,1,1,-;pci\n SUBSYSTEM=pci\n DEVICE=+pci:nf_conntrack: table full, dropping packet\n',
        record(2, 100),
        record(3, 1100),
        record(4, 1101, 'net_ratelimit: 245 callbacks suppressed'),
        record(5, 1102, FULL, 12),
    )
)


@pytest.mark.parametrize('path', ['/kmsg', '/dev/kmsg'])
def test_a_captured_ring_is_judged_at_the_moment_of_its_capture(tmp_path: Path, path: str) -> None:
    log = read_kernel_log(tree(tmp_path, {path: KMSG, '/proc/uptime': '1200.00 1.00\n'}), 900)
    assert (log.source, log.records, log.last_sequence, log.first_sequence) == (path, 6, 5, 0)
    assert [(event.code, event.sequence, event.count) for event in log.events] == [
        ('conntrack-table-full', 3, 1),
        ('callbacks-suppressed', 4, 245),
    ]
    assert log.age(log.events[0]) == 100.0


def test_without_uptime_the_last_record_is_now(tmp_path: Path) -> None:
    assert read_kernel_log(tree(tmp_path, {'/kmsg': KMSG}), 900).now_seconds == 1102.0


@pytest.mark.parametrize('content', [b'', b'\0' * 4096, b'tail: cannot open', b'x' * (1 << 20)])
def test_a_ring_without_records_is_never_healthy(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ReadError, match='/kmsg: holds no record'):
        read_kernel_log(tree(tmp_path, {'/kmsg': content}), 900)


def test_no_kernel_log_at_all_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_kernel_log(str(tmp_path), 900)


def test_a_fifo_planted_in_a_tree_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / 'dev').mkdir()
    os.mkfifo(tmp_path / 'dev' / 'kmsg')
    with pytest.raises(ReadError, match='not the kernel log'):
        read_kernel_log(str(tmp_path), 900)


def test_another_device_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'dev').mkdir()
    (tmp_path / 'dev' / 'kmsg').symlink_to('/dev/zero')
    monkeypatch.setattr(os, 'open', lambda *arguments, **named: pytest.fail('opened'))
    with pytest.raises(ReadError, match='not the kernel log'):
        read_kernel_log(str(tmp_path), 900)


def test_what_a_container_has_in_its_place_is_no_kernel_log(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise FileNotFoundError(errno.ENOENT, 'journal')

    monkeypatch.setattr('tablefull.readers.kernel_log._is_kmsg', lambda status: False)
    monkeypatch.setattr('tablefull.readers.journal_files.require_open_journal', absent)
    with pytest.raises(FileNotFoundError):
        read_kernel_log('/', 900)


def test_a_captured_journal_stands_in_for_the_ring(tmp_path: Path) -> None:
    lines = [
        journal(_BOOT_ID='an earlier boot'),
        journal(_TRANSPORT='stdout'),
        journal(SYSLOG_FACILITY='3'),
        journal(_SOURCE_MONOTONIC_TIMESTAMP='1000000'),
        journal(),
    ]
    root = tree(tmp_path, {'/journal.json': b'\n'.join(lines) + b'\n', '/proc/uptime': '60.0 1.0'})
    log = read_kernel_log(root, 30)
    assert (log.source, log.records, log.now_seconds) == ('/journal.json', 4, 60.0)
    assert [(event.subject, event.seconds) for event in log.events] == [('arp_cache', 54.652415)]


def test_an_empty_journal_is_passed_over_for_the_log_file(tmp_path: Path) -> None:
    line = f'2026-11-21T10:21:11.372806+00:00 lab kernel: [   54.652415] {FULL}\n'
    root = tree(tmp_path, {'/journal.json': '', '/syslog-kern.log': line})
    log = read_kernel_log(root, 900)
    assert (log.source, len(log.events)) == ('/syslog-kern.log', 1)


def test_an_empty_journal_alone_is_never_healthy(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match='holds no message of the kernel'):
        read_kernel_log(tree(tmp_path, {'/journal.json': ''}), 900)


class Journalctl:
    """A fake journalctl, remembering how it was called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Output) -> None:
        self.answers, self.calls = list(answers), list[tuple[str, ...]]()
        monkeypatch.setattr('tablefull.readers.programs.run_program', self)

    def __call__(self, name: str, arguments: list[str], limit: int) -> Output:
        self.calls.append((name, *arguments))
        return self.answers.pop(0)


def now_line() -> bytes:
    return journal(_SOURCE_MONOTONIC_TIMESTAMP=str(int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6)))


def test_the_journal_is_asked_for_the_kernel_at_any_level(monkeypatch: pytest.MonkeyPatch) -> None:
    older, newer = journal(MESSAGE='Linux version 6.1'), now_line()
    journalctl = Journalctl(monkeypatch, Output(0, newer + b'\n' + older + b'\n', b''))
    log = log_files.read_journal('/', 900)
    assert journalctl.calls == [
        ('journalctl', '--dmesg', '--output=json', '--no-pager', '--quiet', '--since=-901s', '--reverse')
    ]
    assert (log.source, log.records, [event.subject for event in log.events]) == ('journal', 2, ['arp_cache'])


def test_a_quiet_kernel_in_the_journal_is_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    Journalctl(monkeypatch, Output(0, b'', b''), Output(0, journal(), b''))
    assert log_files.read_journal('/', 900).events == ()


def test_a_journal_without_any_kernel_message_is_that_of_a_container(monkeypatch: pytest.MonkeyPatch) -> None:
    Journalctl(monkeypatch, Output(0, b'', b''), Output(0, b'', b''))
    with pytest.raises(ReadError, match='holds no message of the kernel'):
        log_files.read_journal('/', 900)


def test_a_failing_journalctl_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    Journalctl(monkeypatch, Output(1, b'', b'Data from the specified boot is not available\nmore'))
    with pytest.raises(ReadError, match=r'specified boot is not available$'):
        log_files.read_journal('/', 900)


def refusing_kmsg(root: str, since: float) -> None:
    raise ReadError('/dev/kmsg', 'Operation not permitted', errno.EPERM)


def absent_kmsg(root: str, since: float) -> None:
    raise FileNotFoundError(errno.ENOENT, '/dev/kmsg')


@pytest.mark.parametrize(
    ('kmsg', 'reason', 'raises'),
    [
        (refusing_kmsg, FileNotFoundError(), 'Operation not permitted'),
        (refusing_kmsg, ReadError('journal', 'Permission denied', errno.EACCES), '/dev/kmsg: Operation not permitted'),
        (absent_kmsg, ReadError('journal', 'Permission denied', errno.EACCES), 'journal: Permission denied'),
    ],
)
def test_of_two_refusals_the_one_a_privilege_would_lift_is_told(
    monkeypatch: pytest.MonkeyPatch, kmsg: Callable[[str, float], None], reason: Exception, raises: str
) -> None:
    def refuse() -> None:
        raise reason

    monkeypatch.setattr('tablefull.readers.kernel_log._read_kmsg', kmsg)
    monkeypatch.setattr('tablefull.readers.journal_files.require_open_journal', refuse)
    with pytest.raises(ReadError, match=raises) as caught:
        read_kernel_log('/', 900)
    assert caught.value.permission


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[float]:
    monkeypatch.setattr(time, 'time', lambda: 1795256471.0)
    yield 1795256471.0


def stamped(seconds_ago: float, text: str) -> str:
    moment = time.gmtime(1795256471.0 - seconds_ago)
    return time.strftime('%Y-%m-%dT%H:%M:%SZ lab ', moment) + text + '\n'


def test_a_log_file_is_judged_by_its_own_time(tmp_path: Path, clock: float) -> None:
    content = stamped(1000, f'kernel: {FULL}') + stamped(100, f'kernel: {FULL}') + stamped(0, 'cron[1]: x')
    root = tree(tmp_path, {'/var/log/messages': content})
    log = read_kernel_log(root, 900, '/var/log/messages')
    assert (log.wall_clock, log.records, log.oldest_seconds, log.now_seconds) == (True, 3, clock - 1000, clock)
    assert [event.wall for event in log.events] == [clock - 100]
    assert log.events[0].seconds is None


def test_a_file_rotated_within_the_time_asked_for_is_read_too(tmp_path: Path, clock: float) -> None:
    files: dict[str, str | bytes] = {
        '/kern.log': stamped(50, 'kernel: x'),
        '/kern.log.1': stamped(2000, f'kernel: {FULL}') + stamped(100, f'kernel: {FULL}'),
    }
    root = tree(tmp_path, files)
    assert len(read_kernel_log(root, 900, '/kern.log').events) == 1
    assert len(read_kernel_log(root, 30, '/kern.log').events) == 0


def test_a_file_just_rotated_is_no_error(tmp_path: Path, clock: float) -> None:
    root = tree(tmp_path, {'/kern.log': '', '/kern.log.1': stamped(100, 'kernel: x')})
    assert read_kernel_log(root, 900, '/kern.log').events == ()


@pytest.mark.parametrize('content', ['\0' * 5000, 'tail: cannot open\n', 'x' * (1 << 20)])
def test_a_file_without_a_known_line_is_never_healthy(tmp_path: Path, content: str) -> None:
    with pytest.raises(ReadError, match=r'/kern\.log: holds no line in a known format'):
        read_kernel_log(tree(tmp_path, {'/kern.log': content}), 900, '/kern.log')


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r'/kern\.log: is empty'):
        read_kernel_log(tree(tmp_path, {'/kern.log': ''}), 900, '/kern.log')


def test_the_age_of_the_last_line_is_known(tmp_path: Path, clock: float) -> None:
    root = tree(tmp_path, {'/kern.log': stamped(5000, 'kernel: x') + stamped(3000, 'kernel: y')})
    assert read_kernel_log(root, 900, '/kern.log').newest_seconds == clock - 3000


def test_only_the_end_of_a_huge_file_is_read(tmp_path: Path, clock: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, 'LIMIT', 1000)
    content = stamped(200, f'kernel: {FULL}') + stamped(100, 'kernel: noise') * 50 + stamped(10, f'kernel: {FULL}')
    log = read_kernel_log(tree(tmp_path, {'/kern.log': content}), 900, '/kern.log')
    assert len(log.events) == 1
    assert log.oldest_seconds == clock - 100


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'fifo')
    for path, reason in (('/fifo', 'not a regular file'), ('/', 'not a regular file|directory')):
        with pytest.raises(ReadError, match=reason):
            read_kernel_log(str(tmp_path), 900, path)
    with pytest.raises(FileNotFoundError):
        read_kernel_log(str(tmp_path), 900, '/nothing')


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths that were opened: none is, for opening the real ones would have effects."""
    paths: list[str] = []

    def refuse(path: str, *args: object) -> int:
        paths.append(path)
        raise PermissionError(errno.EACCES, 'not in this test')

    monkeypatch.setattr(os, 'open', refuse)
    return paths


@pytest.mark.parametrize('path', ['/proc/kmsg', '/proc/version', '/proc/./self/../kmsg', '/sys/kernel/uevent_seqnum'])
def test_a_file_of_the_kernel_is_no_log_file_and_is_not_even_opened(path: str, opened: list[str]) -> None:
    if os.path.isfile(path):
        with pytest.raises(ReadError, match=r'a file of the kernel|not a regular file'):
            read_kernel_log('/', 900, path)
    assert opened == []


def test_neither_is_a_link_to_one(tmp_path: Path, opened: list[str]) -> None:
    (tmp_path / 'kern.log').symlink_to('/proc/version')
    with pytest.raises(ReadError, match='a file of the kernel'):
        read_kernel_log('/', 900, str(tmp_path / 'kern.log'))
    assert opened == []


def test_a_file_without_size_is_not_opened_wherever_it_lies(tmp_path: Path, opened: list[str]) -> None:
    # /proc/kmsg of a mounted host is on another device than /proc.
    with pytest.raises(ReadError, match='is empty'):
        read_kernel_log(tree(tmp_path, {'/proc/kmsg': ''}), 900, '/proc/kmsg')
    assert opened == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=6)), max_size=8), st.sampled_from(('kmsg', 'log')))
def test_a_mutated_log_is_a_log_or_a_read_error(tmp_path: Path, changes: list[tuple[int, bytes]], form: str) -> None:
    data = KMSG if form == 'kmsg' else stamped(10, f'kernel: {FULL}').encode() * 5
    for place, change in changes:
        data = data[:place] + change + data[place + len(change) // 2 :]
    (tmp_path / form).write_bytes(data)
    try:
        log = read_kernel_log(str(tmp_path), 900, None if form == 'kmsg' else '/log')
    except ReadError:
        return
    assert log.records > 0


def test_a_journalctl_that_was_killed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    Journalctl(monkeypatch, Output(-9, b'', b''), Output(0, journal(), b''))
    with pytest.raises(ReadError, match='journalctl exits with -9'):
        log_files.read_journal('/', 900)
