"""The snapshot as a process: what an agent gets, whatever goes wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.golden.cases import FIXTURES
from tests.unit.readers.test_systemd import program

PLUGINS = Path(__file__).parents[3] / 'plugins'
SCRIPT = str(PLUGINS / 'tablefull-snapshot')
HEALTHY = str(Path(FIXTURES) / '6.1-debian12-healthy')
# What the snapshot of a healthy host may import: each of the others costs a tenth of an empty process, or half of it.
EXPECTED = frozenset(
    """
    __future__ __main__ _abc _codecs _collections _collections_abc _frozen_importlib
    _frozen_importlib_external _imp _io _json _signal _socket _stat _struct _thread _warnings _weakref abc
    builtins codecs encodings encodings.aliases encodings.ascii encodings.latin_1 encodings.utf_8 errno gc
    genericpath io marshal os os.path posix posixpath stat struct sys time zipimport
    """.split()
)


def run(*argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """As an agent runs it: nothing in the environment, no `site`."""
    done = subprocess.run(
        [sys.executable, '-IS', SCRIPT, *argv], capture_output=True, text=True, env={}, cwd='/', timeout=60, **options
    )
    assert done.stderr == ''
    return done


def taken(*argv: str) -> dict[str, Any]:
    done = run(*argv)
    assert done.returncode == 0
    assert done.stdout.count('\n') == 1
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_this_host_gives_a_whole_object(tmp_path: Path) -> None:
    result = taken('--state-dir', str(tmp_path / 'state'))
    assert result['schema'] == 1
    assert abs(result['time'] - time.time()) < 30
    assert result['neighbour']['families'][0]['family'] == 'arp'
    time.sleep(1.1)  # a rate over less means nothing
    again = taken('--state-dir', str(tmp_path / 'state'))
    assert 'growth' in again['conntrack'] or not again['conntrack'].get('loaded')


def test_a_captured_tree_gives_the_same_in_every_way_it_is_started(tmp_path: Path) -> None:
    argv = ['--root', HEALTHY, '--state-dir', str(tmp_path)]
    bare = taken(*argv)
    launched = subprocess.run(
        [sys.executable, '-c', 'from tablefull.launch import main; main()', 'snapshot', *argv],
        capture_output=True,
        text=True,
        env={'PYTHONPATH': str(PLUGINS)},
    )
    assert (launched.returncode, launched.stderr) == (0, '')
    other = json.loads(launched.stdout)
    for name in ('time', 'duration'):
        del bare[name], other[name]
    # The second run knows the first.
    assert bare.pop('conntrack').items() <= other.pop('conntrack').items()
    for verdict in (bare, other):
        verdict['checks']['conntrack'].pop('summary')
        verdict['checks']['neighbour'].pop('summary')
        verdict.pop('summary')
    assert bare == other


def test_nothing_is_imported_that_a_host_in_order_does_not_need(tmp_path: Path) -> None:
    # Neither what this machine has of ferm nor its kernel messages are of this test.
    script = (
        'import sys, os; sys.path.insert(0, sys.argv[1])\n'
        'from tablefull.readers import ferm_presence\n'
        'ferm_presence.installed = ferm_presence.has_unit_file = lambda root: False\n'
        'from tablefull.snapshot.main import answer\n'
        'for run in (1, 2):\n'
        '    code, text = answer(["--state-dir", sys.argv[2], "--since", "0.001"])\n'
        'print(code, *sorted(name for name in sys.modules if not name.startswith("tablefull")))\n'
    )
    source = tmp_path / 'program.py'  # A file, as in use: Python 3.13 imports more for `-c`.
    source.write_text(script)
    command = [sys.executable, '-IS', str(source), str(PLUGINS), str(tmp_path / 'state')]
    code, *modules = subprocess.run(command, capture_output=True, text=True).stdout.split()
    assert code == '0'
    assert set(modules) <= EXPECTED, sorted(set(modules) - EXPECTED)


def test_the_checks_own_libraries_are_not_needed_for_a_tree_either(tmp_path: Path) -> None:
    done = run('--root', HEALTHY, '--state-dir', str(tmp_path))
    assert done.returncode == 0  # -S: there is no nagiosplugin to import


@pytest.mark.parametrize(
    'argv', [['--nothing'], ['--since', 'x'], ['--root', '/nonexistent-root'], ['--ignore', 'nothing']]
)
def test_what_cannot_be_done_is_an_object_with_an_error(argv: list[str]) -> None:
    done = run(*argv)
    assert done.returncode == 3
    answer = json.loads(done.stdout)
    assert set(answer) == {'schema', 'version', 'error'}
    assert answer['error'].isprintable()


def test_an_error_of_our_own_is_an_object_too(tmp_path: Path) -> None:
    script = (
        'import sys; sys.path.insert(0, sys.argv[1])\n'
        'from tablefull.snapshot import main, take\n'
        'def broken(self): raise ZeroDivisionError("what")\n'
        'take.Snapshot.take = broken\n'
        'main.main([])\n'
    )
    done = subprocess.run([sys.executable, '-IS', '-c', script, str(PLUGINS)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (3, '')
    assert json.loads(done.stdout)['error'] == 'internal error: ZeroDivisionError: what'


@pytest.mark.parametrize(
    'damage', ["raise RuntimeError('half \\\\ \"written\\n')", 'def', 'import nothing_of_this_name']
)
def test_a_broken_installation_is_an_object_too(damage: str, tmp_path: Path) -> None:
    shutil.copytree(PLUGINS, tmp_path / 'plugins', ignore=shutil.ignore_patterns('__pycache__', 'pages'))
    (tmp_path / 'plugins/tablefull/readers/files.py').write_text(damage)
    script = str(tmp_path / 'plugins/tablefull-snapshot')
    done = subprocess.run([sys.executable, '-ISB', script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (3, '')
    assert json.loads(done.stdout)['error'].startswith('cannot be started: ')


def test_a_full_disk_is_no_success(tmp_path: Path) -> None:
    with open('/dev/full', 'w') as full:
        done = subprocess.run([sys.executable, '-IS', SCRIPT, '--root', HEALTHY, '--state-dir', tmp_path], stdout=full)
    assert done.returncode == 3


def test_closed_descriptors_are_no_success_and_harm_no_file(tmp_path: Path) -> None:
    command = f'exec "{sys.executable}" -IS "{SCRIPT}" --root "{HEALTHY}" --state-dir "{tmp_path}/state" >&- 2>&- <&-'
    assert subprocess.run(['sh', '-c', command]).returncode == 3
    (state,) = (tmp_path / 'state').iterdir()
    assert json.loads(state.read_text())['schema'] == 1


def test_a_reader_that_goes_away_is_no_success(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    process = subprocess.Popen([sys.executable, '-IS', SCRIPT, '--state-dir', str(tmp_path)], stdout=writing)
    os.close(writing)
    os.close(reading)
    assert process.wait(30) == 3


def test_a_reader_that_never_reads_does_not_keep_it(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    # No room for anything.
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b' ' * 65536)
    except BlockingIOError:
        os.set_blocking(writing, True)
    began = time.monotonic()
    command = [sys.executable, '-IS', SCRIPT, '--state-dir', str(tmp_path), '--timeout', '2']
    process = subprocess.Popen(command, stdout=writing)
    os.close(writing)
    assert process.wait(30) != 0
    assert time.monotonic() - began < 5
    os.close(reading)


def test_nothing_is_written_started_or_connected_but_the_state_and_rtnetlink(tmp_path: Path) -> None:
    script = (
        'import sys; sys.path.insert(0, sys.argv[1])\n'
        'import os\n'
        'seen = []\n'
        'def watch(event, arguments):\n'
        '    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):\n'
        '        seen.append("write " + str(arguments[0]))\n'
        '    elif event.startswith(("os.", "socket.", "subprocess.", "shutil.")) and event not in READING:\n'
        '        seen.append(event + " " + str(arguments[1:3]))\n'
        'READING = ("os.listdir", "os.scandir")\n'
        'from tablefull.snapshot.main import answer\n'
        'sys.addaudithook(watch)\n'
        'code, text = answer(["--state-dir", sys.argv[2]])\n'
        'print(code, *seen, sep="\\n")\n'
    )
    command = [sys.executable, '-ISB', '-c', script, str(PLUGINS), str(tmp_path / 'state')]
    code, *effects = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    assert code == '0'
    written = [effect for effect in effects if effect.startswith('write ')]
    # Its directory is open already: the name is relative to it.
    assert len(written) == 1 and written[0].startswith('write .snapshot-')
    kinds = {effect.partition(' ')[0] for effect in effects}
    # AF_NETLINK, SOCK_RAW.
    assert kinds <= {'write', 'os.mkdir', 'os.rename', 'socket.__new__', 'socket.sendto'}, effects
    sockets = {effect for effect in effects if effect.startswith('socket.__new__')}
    assert all(effect.startswith('socket.__new__ (16, ') for effect in sockets), sockets
    (state,) = (tmp_path / 'state').iterdir()
    assert state.name.startswith('snapshot-')


def test_the_state_is_for_nobody_else(tmp_path: Path) -> None:
    run('--state-dir', str(tmp_path / 'state'))
    (state,) = (tmp_path / 'state').iterdir()
    assert state.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / 'state').stat().st_mode & 0o777 == 0o700


def test_a_state_directory_nobody_may_write_is_told_and_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    result = taken('--root', HEALTHY, '--state-dir', str(tmp_path / 'file'), '--expect', 'loaded')
    (finding,) = [finding for finding in result['findings'] if finding['check'] == 'snapshot']
    assert (finding['code'], finding['severity']) == ('state-unwritable', 'unknown')
    assert [entry['part'] for entry in result['unreadable'] if entry.get('code') == 'state-unwritable'] == ['state']
    assert (result['conntrack']['read'], result['state']) == (1, 'unknown')


def test_a_systemctl_that_hangs_costs_ferm_alone(tmp_path: Path) -> None:
    program(tmp_path, 'systemctl', f'echo $$ > {tmp_path}/number\nexec /bin/sleep 60\n')
    script = (
        'import sys; sys.path.insert(0, sys.argv[1])\n'
        'from tablefull.readers import ferm_presence, programs, systemd\n'
        'from tablefull.snapshot.main import main\n'
        'programs._DIRECTORIES = (sys.argv[2],)\n'
        'systemd.BOOTED = sys.argv[2]\n'
        'ferm_presence.installed = lambda root: True\n'
        'main(["--state-dir", sys.argv[2] + "/state", "--timeout", "2.4"])\n'
    )
    began = time.monotonic()
    command = [sys.executable, '-IS', '-c', script, str(PLUGINS), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert time.monotonic() - began < 5
    assert (done.returncode, done.stderr) == (0, '')
    result = json.loads(done.stdout)
    assert result['ferm']['active_state'] == 'unseen'
    (entry,) = [entry for entry in result['unreadable'] if entry.get('code') == 'ferm-unit-unseen']
    assert 'no answer within' in entry['reason']
    assert result['neighbour']['read'] == result['conntrack']['read'] == 1
    number = int((tmp_path / 'number').read_text())
    assert not Path(f'/proc/{number}').exists(), 'systemctl is left behind'


def test_a_look_that_hangs_in_the_kernel_does_not_keep_the_process(tmp_path: Path) -> None:
    # A thread that cannot be interrupted: the end of the process takes it along.
    script = (
        'import sys; sys.path.insert(0, sys.argv[1])\n'
        'import _thread\n'
        'from tablefull.snapshot import main, take\n'
        'def hang(self): lock = _thread.allocate_lock(); lock.acquire(); lock.acquire()\n'
        'take.Snapshot.neighbour = hang\n'
        'main.main(["--state-dir", sys.argv[2], "--timeout", "2"])\n'
    )
    began = time.monotonic()
    command = [sys.executable, '-IS', '-c', script, str(PLUGINS), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert time.monotonic() - began < 5
    assert (done.returncode, done.stderr) == (0, '')
    result = json.loads(done.stdout)
    assert result['neighbour'] == {'read': 0}
    assert result['checks']['neighbour']['state'] == 'unknown'
    assert [entry['part'] for entry in result['unreadable'] if 'no answer within' in entry['reason']] == ['neighbour']
