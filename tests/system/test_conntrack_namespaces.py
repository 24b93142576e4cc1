"""check_conntrack --namespaces and --top on real namespaces and real tables."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.namespaces import NOBODY, ROOT, Namespace, interpreter

MANY = 1000
# One process that makes namespaces and leaves a sleeping child in each. It ends them when its standard input does.
HOLD = """
import ctypes, os, signal, sys
made, libc = [], ctypes.CDLL(None, use_errno=True)
try:
    for _ in range(int(sys.argv[1])):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            if libc.unshare(0x40000000):
                os._exit(1)
            os.write(writing, b'x')
            signal.pause()
        made.append(child)
        os.close(writing)
        assert os.read(reading, 1) == b'x'
        os.close(reading)
    print('ready', flush=True)
    sys.stdin.read()
finally:
    for child in made:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
"""


@pytest.fixture
def full() -> Iterator[Namespace]:
    """A namespace whose table is at the limit: none on this machine is fuller."""
    limit = int(Path('/proc/sys/net/netfilter/nf_conntrack_max').read_text())
    with Namespace() as namespace:
        namespace.python('fill_conntrack.py', str(limit), '0', 'assured')
        yield namespace


def check(state: Path, *argv: str, user: int = 0) -> dict[str, Any]:
    """check_conntrack in the first namespace; its standard error must be empty."""
    become = ['setpriv', f'--reuid={user}', f'--regid={user}', '--clear-groups'] if user else []
    script = 'import check_conntrack; check_conntrack.main()'
    command = [*become, *interpreter(user), '-c', script, '--state-dir', str(state), '--output', 'json', *argv]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ''
    found: dict[str, Any] = json.loads(done.stdout)
    assert found['exit_code'] == done.returncode
    return found


def test_a_full_namespace_is_found_from_outside_and_named(full: Namespace, tmp_path: Path) -> None:
    found = check(tmp_path, '--namespaces')
    (finding,) = [one for one in found['findings'] if one['code'] == 'conntrack-namespace-usage-high']
    assert finding['severity'] == 'critical'
    count = int(full.run('cat', '/proc/sys/net/netfilter/nf_conntrack_count').stdout)
    assert f'pid {full.pid}' in finding['summary']
    assert finding['evidence'][0].startswith(f'{count} of ')
    assert f'namespace {full.inode}' in finding['evidence'][0]
    assert found['metrics']['namespace_usage'] == pytest.approx(100 * count / found['metrics']['max'], abs=0.01)
    assert found['metrics']['entries'] < count


def test_packets_that_it_refuses_are_counted_from_outside(full: Namespace, tmp_path: Path) -> None:
    full.run('iptables', '-A', 'OUTPUT', '-m', 'conntrack', '--ctstate', 'INVALID', '-j', 'DROP')
    lax = ('--namespaces', '-w', '100', '-c', '100')
    check(tmp_path, *lax)
    time.sleep(1.1)
    sending = (
        'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n'
        'for port in range(30):\n try: s.sendto(b"x", ("127.0.0.1", 20000 + port))\n except PermissionError: pass'
    )
    full.run(sys.executable, '-c', sending)
    found = check(tmp_path, *lax)
    (finding,) = [
        one
        for one in found['findings']
        if one['code'] == 'conntrack-namespace-table-full' and f'pid {full.pid}' in one['summary']
    ]
    assert (found['state'], finding['severity']) == ('critical', 'critical')
    assert '30 packets refused' in finding['summary']


def test_nobody_sees_the_same_but_for_the_number_of_the_namespace(full: Namespace, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == 0 and 'pytest' in str(parent):
            parent.chmod(0o755)
    private = Path('/var/tmp') / f'tablefull-test-{full.pid}'
    private.mkdir(mode=0o700)
    try:
        subprocess.run(['chown', str(NOBODY), str(private)], check=True)
        found = check(private, '--namespaces', user=NOBODY)
        (finding,) = [one for one in found['findings'] if one['code'] == 'conntrack-namespace-usage-high']
        assert f'pid {full.pid}' in finding['summary']
        assert str(full.inode) not in finding['evidence'][0]
    finally:
        subprocess.run(['rm', '-r', str(private)], check=True)


def test_a_thousand_namespaces_take_bounded_time_and_memory(full: Namespace, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, '-c', HOLD, str(MANY)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == 'ready\n'
        began = time.monotonic()
        found = check(tmp_path, '--namespaces')
        took = time.monotonic() - began
        script = (
            'from tablefull.readers.namespaces import read_namespaces; read_namespaces();'
            'print([line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")][0])'
        )
        peak = int(subprocess.run([*interpreter(0), '-c', script], capture_output=True, check=True).stdout)
        holder.communicate()
    assert found['metrics']['namespaces'] > MANY
    assert f'pid {full.pid}' in found['summary']
    # A third of --timeout at most, and the start of a process on a machine that has other things to do.
    assert took < 4
    assert peak / 1024 < 16


def test_a_namespace_with_a_name_and_no_process_is_told(tmp_path: Path) -> None:
    name = f'tablefull-{time.monotonic_ns()}'
    subprocess.run(['ip', 'netns', 'add', name], check=True)
    try:
        (note,) = [one for one in check(tmp_path, '--namespaces')['findings'] if one['code'].endswith('spaces-unseen')]
        assert any('without a process that can be seen' in reason and name in reason for reason in note['evidence'])
    finally:
        subprocess.run(['ip', 'netns', 'delete', name], check=True)


def test_looking_at_all_namespaces_changes_none(full: Namespace, tmp_path: Path) -> None:
    before = full.shown()
    check(tmp_path, '--namespaces')
    assert full.shown() == before


def test_a_full_table_names_who_holds_it_and_nobody_is_told_why_not(full: Namespace, tmp_path: Path) -> None:
    done = full.check('check_conntrack', '--top', '3', '--state-dir', str(tmp_path))
    assert done.returncode == 2
    assert len(done.stdout.encode()) < 1024
    assert 'info: 203.0.' in done.stdout
    assert '[conntrack-holders]' in done.stdout
    asked = ('--top', '3', '--output', 'json')
    told = json.loads(full.check('check_conntrack', *asked, '--state-dir', str(tmp_path)).stdout)
    (note,) = [one for one in told['findings'] if one['code'] == 'conntrack-holders']
    # It is a large table: a sample is enough.
    assert note['evidence'][-1].startswith('a sample of 20')
    private = Path('/var/tmp') / f'tablefull-test-{full.pid}'
    private.mkdir(mode=0o700)
    try:
        subprocess.run(['chown', str(NOBODY), str(private)], check=True)
        refused = json.loads(full.check('check_conntrack', *asked, '--state-dir', str(private), user=NOBODY).stdout)
    finally:
        subprocess.run(['rm', '-r', str(private)], check=True)
    assert (refused['state'], told['state']) == ('critical', 'critical')
    (note,) = [one for one in refused['findings'] if one['code'] == 'conntrack-holders-unseen']
    assert 'CAP_NET_ADMIN' in note['evidence'][0]


def test_the_snapshot_lists_them(full: Namespace, tmp_path: Path) -> None:
    script = str(ROOT / 'plugins' / 'tablefull-snapshot')
    command = [sys.executable, script, '--state-dir', str(tmp_path), '--namespaces']
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    first = found['conntrack']['namespaces']['tables'][0]
    assert (first['pid'], first['namespace']) == (full.pid, str(full.inode))
    assert first['usage'] == pytest.approx(100, abs=0.1)
    command.remove('--namespaces')
    assert 'namespaces' not in json.loads(subprocess.run(command, capture_output=True, check=True).stdout)['conntrack']
