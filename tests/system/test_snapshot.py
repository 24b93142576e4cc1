"""`tablefull snapshot` on real tables of this kernel."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.namespaces import NOBODY, Namespace, readable_plugins
from tests.system.test_conntrack import count, fill, send


@pytest.fixture
def tracking() -> Iterator[Namespace]:
    """A namespace with one rule that makes the kernel track."""
    with Namespace() as namespace:
        namespace.run('iptables', '-A', 'OUTPUT', '-m', 'conntrack', '--ctstate', 'INVALID', '-j', 'DROP')
        yield namespace


def take(namespace: Namespace, state: Path, *argv: str, user: int = 0) -> dict[str, Any]:
    """As the agent's UserParameter calls it: without `site`, with an empty environment."""
    script = os.path.join(readable_plugins(), 'tablefull-snapshot')
    python = os.path.realpath(sys.executable)
    command = ['env', '-i', python, '-IS', script, '--state-dir', str(state), *argv]
    done = namespace.run(*command, user=user)
    assert done.stderr == ''
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def told(namespace: Namespace, state: Path, check: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(namespace.check(check, '--state-dir', str(state), '--output', 'json').stdout)
    return result


def codes(result: dict[str, Any], check: str) -> set[str]:
    return {finding['code'] for finding in result['findings'] if finding['check'] == check}


def test_a_table_is_followed_up_to_its_limit_past_it_and_down_again(tracking: Namespace, tmp_path: Path) -> None:
    limit = int(tracking.run('cat', '/proc/sys/net/netfilter/nf_conntrack_max').stdout)
    loaded = ('--expect', 'loaded')
    reached = 0
    for share, state in ((0.5, 'ok'), (0.85, 'warning'), (0.95, 'critical')):
        fill(tracking, reached, int(limit * share))
        reached = int(limit * share)
        result = take(tracking, tmp_path, *loaded)
        assert result['checks']['conntrack']['state'] == state
        assert result['conntrack']['entries'] == count(tracking) == reached
        assert (result['conntrack']['max'], result['conntrack']['read']) == (limit, 1)
        assert abs(result['conntrack']['usage'] - 100 * share) < 0.1
        assert result['modules']['tracking'] == 'active'
        time.sleep(1.1)
    assert result['conntrack']['growth'] > 0
    assert result['conntrack']['counters']['drop'] == 0

    assert fill(tracking, reached, limit + 50) == 50
    assert send(tracking, 20) == 20
    time.sleep(1.1)
    full = take(tracking, tmp_path, *loaded)
    assert full['conntrack']['usage'] == 100.0
    assert full['conntrack']['counters']['drop'] >= 20
    assert full['conntrack']['counters']['drop'] == full['conntrack']['statistics']['drop']
    assert full['findings'][0]['code'] == 'conntrack-table-full'
    assert (full['state'], full['state_code']) == ('critical', 2)
    message = full['kernel_log']['messages']['conntrack_table_full']
    assert message['count'] > 0
    assert abs(message['last_seen'] - time.time()) < 30

    tracking.run('conntrack', '-F')
    time.sleep(1.1)
    empty = take(tracking, tmp_path, *loaded)
    assert empty['checks']['conntrack']['state'] == 'ok'
    assert empty['conntrack']['growth'] < 0
    # The line stays in the kernel log, and counts there for --since.
    assert 'conntrack-table-full' in codes(empty, 'kernel_log')


def test_it_agrees_with_the_checks_on_this_kernel(tracking: Namespace, tmp_path: Path) -> None:
    send(tracking, 30)
    for check in ('conntrack', 'conntrack_modules', 'neighbour', 'kernel_log'):
        report = told(tracking, tmp_path / 'checks', f'check_{check}')
        result = take(tracking, tmp_path / check)
        assert result['checks'][check]['state'] == report['state'], check
        assert codes(result, check) == {finding['code'] for finding in report['findings']}, check


def test_nobody_sees_what_root_sees_but_for_the_kernel_log(tracking: Namespace, tmp_path: Path) -> None:
    send(tracking, 30)
    private = Path(readable_plugins()) / f'state-{os.getpid()}'
    private.mkdir(mode=0o700)
    os.chown(private, NOBODY, NOBODY)
    as_root = take(tracking, tmp_path)
    as_nobody = take(tracking, private, user=NOBODY)
    for part in ('conntrack', 'modules', 'neighbour', 'ferm'):
        assert as_nobody[part]['read'] == 1
        # Counters of the whole host go on between two runs.
        same = set(as_root[part]) - {'families', 'interfaces', 'counters', 'statistics'}
        for name in same:
            assert as_nobody[part].get(name) == as_root[part][name], (part, name)
    if as_nobody['kernel_log']['read'] == 0:
        (entry,) = [entry for entry in as_nobody['unreadable'] if entry['code'] == 'kernel-log-unreadable'][:1]
        assert entry['remedy'].startswith(('usermod -aG ', 'sysctl -w kernel.dmesg_restrict=0'))


def test_a_wrong_gateway_and_the_neighbours_it_makes_are_listed_by_interface(tmp_path: Path) -> None:
    with Namespace() as namespace:
        namespace.run('ip', 'link', 'add', 'out0', 'type', 'veth', 'peer', 'name', 'peer0')
        namespace.run('ip', 'address', 'add', '192.0.2.10/24', 'dev', 'out0')
        for device in ('out0', 'peer0'):
            namespace.run('ip', 'link', 'set', device, 'up')
        namespace.run('ip', 'route', 'add', 'default', 'dev', 'out0')
        for host in range(1, 30):
            namespace.run(
                'ip',
                'neigh',
                'add',
                f'203.0.113.{host}',
                'lladdr',
                '02:00:00:00:00:01',
                'dev',
                'out0',
                'nud',
                'reachable',
            )
        result = take(namespace, tmp_path)
        (gateway,) = [gateway for gateway in result['neighbour']['gateways'] if gateway['family'] == 'IPv4']
        assert (gateway['code'], gateway['severity'], gateway['interface'], gateway['gateway']) == (
            'neighbour-gateway-missing',
            'critical',
            'out0',
            '',
        )
        (interface,) = [entry for entry in result['neighbour']['interfaces'] if entry['interface'] == 'out0']
        assert (interface['neighbours'], interface['off_link'], interface['unresolved']) == (29, 29, 0)
        (family,) = [family for family in result['neighbour']['families'] if family['family'] == 'arp']
        assert family['off_link'] == 29
        assert (family['gc_thresh1'], family['gc_thresh2']) > (0, 0)


def test_looking_changes_nothing(tmp_path: Path) -> None:
    with Namespace() as namespace:
        before = namespace.shown()
        take(namespace, tmp_path)
        assert namespace.shown() == before
        send(namespace, 50)
        assert count(namespace) == 0
        assert namespace.run('iptables-legacy-save').stdout == ''
        assert namespace.run('nft', 'list', 'tables').stdout == ''
