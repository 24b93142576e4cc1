"""`tablefull triage` and `tablefull capture` on real tables of this kernel, and a capture read on another host."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.namespaces import NOBODY, Namespace, interpreter
from tests.system.test_conntrack import fill, send


@pytest.fixture
def tracking() -> Iterator[Namespace]:
    """A namespace with one rule that makes the kernel track."""
    with Namespace() as namespace:
        namespace.run('iptables', '-A', 'OUTPUT', '-m', 'conntrack', '--ctstate', 'INVALID', '-j', 'DROP')
        yield namespace


def tablefull(namespace: Namespace, *argv: str, user: int = 0) -> subprocess.CompletedProcess[str]:
    done = namespace.run(*interpreter(user), '-m', 'tablefull.command', *argv, check=False, user=user)
    assert done.stderr == ''
    return done


def told(namespace: Namespace, *argv: str) -> dict[str, Any]:
    done = tablefull(namespace, 'triage', '--output', 'json', *argv)
    result: dict[str, Any] = json.loads(done.stdout)
    assert result['exit_code'] == done.returncode
    return result


def causes(result: dict[str, Any]) -> list[str]:
    """Codes, but for that of tables which others fill on this machine at the same time: it is true."""
    return [cause['code'] for cause in found(result)]


def found(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [cause for cause in result['causes'] if cause['code'] != 'container-table-full']


def section(result: dict[str, Any], title: str) -> list[dict[str, Any]]:
    (lines,) = [section['lines'] for section in result['sections'] if section['title'] == title]
    return list(lines)


def test_a_table_that_refuses_is_named_first_and_one_with_room_is_not(tracking: Namespace, tmp_path: Path) -> None:
    state = ('--state-dir', str(tmp_path))
    limit = int(tracking.run('cat', '/proc/sys/net/netfilter/nf_conntrack_max').stdout)
    fill(tracking, 0, 1000)
    healthy = told(tracking, *state)
    assert 'limit-too-low' not in causes(healthy)
    assert {'view-restricted', 'tracking-needed'} <= set(causes(healthy)), 'a namespace is not the host, and says so'

    time.sleep(1.1)
    fill(tracking, 1000, limit)
    assert send(tracking, 40) == 40
    full = told(tracking, *state)
    assert causes(full)[:2] == ['one-range-holds-table', 'limit-too-low']
    assert found(full)[0]['summary'].startswith('203.0.113.0/30 holds 100.0 %')
    assert found(full)[1]['confidence'] == 'certain'
    assert any('drop +40' in piece for piece in found(full)[1]['evidence'])
    assert full['state'] == 'critical'


def test_a_flood_that_is_evicted_is_told_from_connections_that_stay(tracking: Namespace, tmp_path: Path) -> None:
    state = ('--state-dir', str(tmp_path))
    limit = int(tracking.run('cat', '/proc/sys/net/netfilter/nf_conntrack_max').stdout)
    fill(tracking, 0, limit, 'unanswered')
    told(tracking, *state)
    time.sleep(1.1)
    send(tracking, 400)
    flooded = told(tracking, *state)
    assert causes(flooded)[0] == 'unreplied-flood'
    assert found(flooded)[0]['confidence'] == 'certain', 'the kernel evicts, and the connections themselves tell'
    assert 'UDP that nobody answers, most of it to udp 53' in found(flooded)[0]['summary']


def test_a_capture_says_the_same_on_another_host(tracking: Namespace, tmp_path: Path) -> None:
    """Another name, other interfaces and processes, another user: the output is the same, byte for byte."""
    limit = int(tracking.run('cat', '/proc/sys/net/netfilter/nf_conntrack_max').stdout)
    fill(tracking, 0, limit)
    send(tracking, 20)
    file = tmp_path / 'host.tar.gz'
    done = tablefull(tracking, 'capture', str(file))
    assert done.returncode == 0 and file.stat().st_mode & 0o777 == 0o600
    with tempfile.NamedTemporaryFile(dir='/var/tmp', suffix='.tar.gz') as handed_over:
        handed_over.write(file.read_bytes())
        handed_over.flush()
        os.chmod(handed_over.name, 0o644)
        here = tablefull(tracking, 'triage', '--capture', handed_over.name)
        host = ['unshare', '--uts', '--net', '--pid', '--fork', '--mount-proc', 'sh', '-c', ELSEWHERE, 'sh']
        reading = [*interpreter(NOBODY), '-m', 'tablefull.command', 'triage', '--capture', handed_over.name]
        elsewhere = subprocess.run([*host, *reading], capture_output=True, text=True)
    assert elsewhere.stderr == ''
    assert (elsewhere.returncode, elsewhere.stdout) == (here.returncode, here.stdout)
    live = told(tracking, '--state-dir', str(tmp_path / 'state'))
    captured = told(tracking, '--capture', str(file))
    assert causes(captured)[0] == causes(live)[0] == 'one-range-holds-table'
    assert found(captured)[0]['summary'] == found(live)[0]['summary']
    assert section(captured, 'who holds the table') == section(live, 'who holds the table')


ELSEWHERE = f"""
hostname elsewhere
ip link set lo up
exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups env TZ=Pacific/Chatham LC_ALL=C "$@"
"""


def test_a_container_that_fills_is_named_with_its_process_here_and_in_a_capture(
    tracking: Namespace, tmp_path: Path
) -> None:
    limit = int(tracking.run('cat', '/proc/sys/net/netfilter/nf_conntrack_max').stdout)
    with Namespace() as container:
        container.run('iptables', '-A', 'OUTPUT', '-m', 'conntrack', '--ctstate', 'INVALID', '-j', 'DROP')
        fill(container, 0, int(0.95 * limit))
        live = told(tracking, '--state-dir', str(tmp_path / 'state'))
        file = tmp_path / 'host.tar.gz'
        tablefull(tracking, 'capture', str(file))
    captured = told(tracking, '--capture', str(file))
    for result in (live, captured):
        (cause,) = [cause for cause in result['causes'] if cause['code'] == 'container-table-full']
        assert (cause['severity'], cause['confidence']) == ('critical', 'certain')
        assert 'conntrack-namespace-usage-high' in cause['explains']
        # Others may fill theirs at the same time; the fullest are named.
        assert f'pid {container.pid}' in ' '.join([cause['summary'], *cause['evidence']])
        assert re.fullmatch(r'nsenter -t \d+ -n tablefull top', cause['steps'][0]['run'])
        lines = [line['text'] for line in section(result, 'tables') if line['label'] == 'container']
        assert any(text.startswith('95.0 %') and text.endswith(f'pid {container.pid}') for text in lines)


def test_looking_and_capturing_load_nothing_and_make_no_table(tmp_path: Path) -> None:
    with Namespace() as namespace:
        before = traces(namespace)
        tablefull(namespace, 'triage', '--state-dir', str(tmp_path / 'state'))
        tablefull(namespace, 'capture', str(tmp_path / 'host.tar.gz'))
        assert traces(namespace) == before


def traces(namespace: Namespace) -> list[str]:
    """Modules, and the tables of this namespace."""
    files = ('/proc/modules', '/proc/net/ip_tables_names', '/proc/net/ip6_tables_names')
    names = [namespace.run('cat', file, check=False).stdout for file in files]
    names[0] = ' '.join(sorted(line.split()[0] for line in names[0].splitlines()))
    return [*names, namespace.run('cat', '/proc/sys/net/netfilter/nf_conntrack_count', check=False).stdout]
