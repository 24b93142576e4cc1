"""check_kernel_log on this kernel's ring buffer. Its lines stay in it: every test looks at what is new."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tablefull.readers.kernel_log import read_kernel_log
from tests.system.namespaces import NOBODY, Namespace

FORGED = 'nf_conntrack: nf_conntrack: table full in netns 4999999999, dropping packet'


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    with Namespace() as namespace:
        yield namespace


def told(namespace: Namespace, state: Path, *argv: str) -> dict[str, Any]:
    done = namespace.check('check_kernel_log', '--state-dir', str(state), '--output', 'json', *argv)
    result: dict[str, Any] = json.loads(done.stdout)
    assert result['exit_code'] == done.returncode
    return result


def reject_a_rule(namespace: Namespace) -> None:
    # It is refused, and so nothing is changed; the kernel says why at level INFO.
    refused = namespace.run('iptables', '-A', 'INPUT', '-j', 'NOTRACK', check=False)
    assert refused.returncode != 0


def ring() -> list[bytes]:
    """Every record of the ring buffer, read in the plainest way."""
    descriptor = os.open('/dev/kmsg', os.O_RDONLY | os.O_NONBLOCK)
    records = []
    try:
        while True:
            try:
                records.append(os.read(descriptor, 16384))
            except BlockingIOError:
                return records
            except BrokenPipeError:
                continue
    finally:
        os.close(descriptor)


@pytest.mark.parametrize('priority', ['', '<4>', '<12>', '<0>'])
def test_what_user_space_writes_to_the_log_is_never_believed(priority: str) -> None:
    text = FORGED.replace('4999999999', f'49999999{len(priority)}{priority[1:2] or 9}')
    descriptor = os.open('/dev/kmsg', os.O_WRONLY)
    os.write(descriptor, f'{priority}{text}\n'.encode())
    os.close(descriptor)
    assert any(text.encode() in record for record in ring())
    assert not [event for event in read_kernel_log('/', 900).events if event.text == text]


def test_every_record_of_this_kernel_is_read() -> None:
    before = ring()
    log = read_kernel_log('/', 900)
    assert log.source == '/dev/kmsg'
    assert log.records >= len(before)
    assert log.first_sequence is not None and log.last_sequence is not None
    assert log.last_sequence - log.first_sequence + 1 >= log.records
    assert log.oldest_seconds is not None and log.oldest_seconds <= log.now_seconds


def test_a_rejected_rule_is_told_once_with_new_and_for_the_time_asked_for_without(
    namespace: Namespace, tmp_path: Path
) -> None:
    told(namespace, tmp_path, '--new', '--only', 'xtables-rejection')
    assert told(namespace, tmp_path, '--new', '--only', 'xtables-rejection')['state'] == 'ok'
    reject_a_rule(namespace)
    new = told(namespace, tmp_path, '--new', '--only', 'xtables-rejection')
    assert (new['state'], new['metrics']['xtables_rejection']) == ('warning', 1)
    assert new['findings'][0]['evidence'][0].endswith('CT target: only valid in raw table, not filter')
    assert told(namespace, tmp_path, '--new', '--only', 'xtables-rejection')['state'] == 'ok'
    for _ in range(2):
        assert told(namespace, tmp_path, '--only', 'xtables-rejection')['state'] == 'warning'
    assert told(namespace, tmp_path, '--only', 'neighbour-table-full')['metrics'].keys() >= {'suppressed', 'lost'}


def test_without_privilege_the_answer_is_the_same_or_says_what_opens_the_log(
    namespace: Namespace, tmp_path: Path
) -> None:
    done = namespace.check('check_kernel_log', user=NOBODY)
    try:
        restricted = Path('/proc/sys/kernel/dmesg_restrict').read_text().strip() != '0'
    except FileNotFoundError:
        restricted = False
    if restricted:
        assert done.returncode == 3
        assert done.stdout.startswith('KERNEL LOG UNKNOWN - the kernel log is closed to user nobody')
        assert '/dev/kmsg: ' + os.strerror(errno.EPERM) in done.stdout
        assert '  do: usermod -aG ' in done.stdout or '  do: sysctl -w kernel.dmesg_restrict=0' in done.stdout
    else:
        as_root = namespace.check('check_kernel_log', '--state-dir', str(tmp_path))
        assert done.returncode == as_root.returncode


def test_the_check_leaves_the_log_to_others(namespace: Namespace, tmp_path: Path) -> None:
    before = ring()
    told(namespace, tmp_path)
    assert ring()[: len(before)] == before
