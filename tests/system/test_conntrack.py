"""check_conntrack on real tables of this kernel, up to and past its real limit."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.namespaces import NOBODY, Namespace

SEND = """
import socket, sys
channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
refused = 0
for port in range(int(sys.argv[1])):
    try:
        channel.sendto(b'x', ('127.0.0.1', 20000 + port))
    except PermissionError:
        refused += 1
print(refused)
"""


@pytest.fixture
def tracking() -> Iterator[Namespace]:
    """A namespace with one rule that makes the kernel track."""
    with Namespace() as namespace:
        namespace.run('iptables', '-A', 'OUTPUT', '-m', 'conntrack', '--ctstate', 'INVALID', '-j', 'DROP')
        yield namespace


def told(namespace: Namespace, state: Path, *argv: str) -> dict[str, Any]:
    done = namespace.check('check_conntrack', '--state-dir', str(state), '--output', 'json', *argv)
    result: dict[str, Any] = json.loads(done.stdout)
    assert result['exit_code'] == done.returncode
    return result


def count(namespace: Namespace) -> int:
    return int(namespace.run('cat', '/proc/sys/net/netfilter/nf_conntrack_count').stdout)


def fill(namespace: Namespace, first: int, last: int, kind: str = 'assured') -> int:
    """Entries from number `first` up to `last`; returns how many the kernel refused."""
    return int(namespace.python('fill_conntrack.py', str(last - first), str(first), kind))


def send(namespace: Namespace, packets: int) -> int:
    """Send as many packets of new flows; returns how many the kernel refused."""
    return int(namespace.run(sys.executable, '-c', SEND, str(packets)).stdout)


def test_a_table_is_followed_up_to_its_limit_past_it_and_down_again(tracking: Namespace, tmp_path: Path) -> None:
    limit = int(tracking.run('cat', '/proc/sys/net/netfilter/nf_conntrack_max').stdout)
    kernel_log = Path('/dev/kmsg')
    assert kernel_log.exists()
    reached = 0
    for share, state in ((0.5, 'ok'), (0.85, 'warning'), (0.95, 'critical')):
        fill(tracking, reached, int(limit * share))
        reached = int(limit * share)
        result = told(tracking, tmp_path)
        assert result['state'] == state
        assert result['metrics']['entries'] == count(tracking) == reached
        assert result['metrics']['max'] == limit
        time.sleep(1.1)

    assert fill(tracking, reached, limit + 50) == 50
    time.sleep(1.1)
    full = told(tracking, tmp_path, '-w', '100', '-c', '100')
    # ctnetlink was refused 50 entries, but no packet was: what the thresholds say, and they say nothing at 100 %.
    assert (full['state'], full['metrics']['usage'], full['metrics']['drop_rate']) == ('ok', 100.0, 0.0)

    time.sleep(1.1)
    assert send(tracking, 20) == 20
    refused = told(tracking, tmp_path, '-w', '100', '-c', '100')
    (finding,) = [finding for finding in refused['findings'] if finding['code'] == 'conntrack-table-full']
    assert (refused['state'], finding['severity']) == ('critical', 'critical')
    assert '20 packets refused' in finding['summary']
    evidence = ' '.join(finding['evidence'])
    assert 'drop +20' in evidence
    assert 'table full' in evidence
    assert refused['metrics']['drop_rate'] > 0

    time.sleep(1.1)
    # Nothing new was refused, but the table is as full as it was: a second look does not take the alert away.
    assert told(tracking, tmp_path, '-w', '100', '-c', '100')['state'] == 'critical'

    tracking.run('conntrack', '-F')
    time.sleep(1.1)
    empty = told(tracking, tmp_path)
    assert (empty['state'], empty['metrics']['drop_rate'], empty['metrics']['entries']) == ('ok', 0.0, count(tracking))


def test_early_drops_alone_are_not_a_full_table(tracking: Namespace, tmp_path: Path) -> None:
    limit = int(tracking.run('cat', '/proc/sys/net/netfilter/nf_conntrack_max').stdout)
    # Flows that were never answered fill it: the kernel evicts them for newer ones.
    fill(tracking, 0, limit, 'unanswered')
    # It looks into eight buckets only, so once in a thousand packets or so it finds nothing to evict and refuses one:
    # then this was no run of early drops alone, and the next one counts.
    for number in range(10):
        state = tmp_path / str(number)
        told(tracking, state)
        time.sleep(1.1)
        refused = send(tracking, 300)
        result = told(tracking, state, '-w', '100', '-c', '100')
        if not refused:
            break
    assert refused == 0
    assert result['metrics']['early_drop_rate'] > 0
    codes = [finding['code'] for finding in result['findings'] if finding['severity'] != 'info']
    assert codes == ['conntrack-early-drops']
    assert result['state'] == 'warning'


def test_the_verdict_of_nobody_is_the_verdict_of_root(tracking: Namespace, tmp_path: Path) -> None:
    limit = int(tracking.run('cat', '/proc/sys/net/netfilter/nf_conntrack_max').stdout)
    private = tmp_path / 'nobody'
    private.mkdir(mode=0o700)
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == 0 and parent != Path('/') and 'pytest' in str(parent):
            parent.chmod(0o755)
    import os

    os.chown(private, NOBODY, NOBODY)
    arguments = ['--output', 'json', '-w', '100', '-c', '100', '--state-dir']
    fill(tracking, 0, limit)
    first = json.loads(tracking.check('check_conntrack', *arguments, str(private), user=NOBODY).stdout)
    assert first['state'] == 'ok'
    time.sleep(1.1)
    assert send(tracking, 20) == 20
    as_nobody = json.loads(tracking.check('check_conntrack', *arguments, str(private), user=NOBODY).stdout)
    assert as_nobody['state'] == 'critical'
    assert as_nobody['findings'][0]['code'] == 'conntrack-table-full'


def test_this_machine_and_the_kernels_own_numbers_agree(tmp_path: Path) -> None:
    with Namespace() as namespace:
        result = told(namespace, tmp_path)
        assert result['metrics']['entries'] == count(namespace) == 0
        assert result['state'] == 'ok'


def test_looking_as_root_tracks_nothing_and_changes_nothing(tmp_path: Path) -> None:
    with Namespace() as namespace:
        before = namespace.shown()
        for name in ('check_conntrack', 'check_conntrack_modules', 'check_neighbour', 'check_ferm', 'check_kernel_log'):
            namespace.check(name, '--state-dir', str(tmp_path))
        assert namespace.shown() == before
        send(namespace, 50)
        # No hook was registered by the looks: nothing is tracked, no table exists.
        assert count(namespace) == 0
        assert namespace.run('iptables-legacy-save').stdout == ''
        assert namespace.run('nft', 'list', 'tables').stdout == ''
