"""Whatever keeps a verdict from coming is a problem of its own: never silence, and never OK."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.zabbix.api import Api
from tests.zabbix.hosts import INCLUDED, OPTIONS, Monitored, monitored
from tests.zabbix.problems import Problem, problems, wait_for_problems
from tests.zabbix.waiting import wait_for

PROGRAM = '/opt/tablefull/bin/tablefull-snapshot'
# One problem that is there all the time: it must neither end nor be joined by others when the verdicts stop.
OPEN = 'Neighbours: a default route without gateway makes every destination a neighbour'
SILENT = 'Tablefull: no answer from the agent'


@pytest.fixture(scope='module')
def broken(api: Api, templates: Path, installed: None) -> Iterator[list[Monitored]]:
    """A machine with each of the two agents; what is done to one is done to the other."""
    with contextlib.ExitStack() as stack:
        hosts = [
            host
            for kind in ('agentd', 'agent2')
            for host in stack.enter_context(monitored(api, kind, f'broken-{kind}', ('passive',), NODATA='10s'))
        ]
        run(hosts, 'ip', 'route', 'replace', 'default', 'dev', 'eth0')
        expect(api, hosts)
        yield hosts


def run(hosts: list[Monitored], *argv: str) -> None:
    """On each machine, as root."""
    for host in hosts:
        host.machine.run(*argv)


def expect(api: Api, hosts: list[Monitored], *triggers: str) -> list[dict[str, Problem]]:
    """On each host these problems and no other, beside the one that is always there."""
    return [wait_for_problems(api, host, OPEN, *triggers) for host in hosts]


def expect_for_long(api: Api, hosts: list[Monitored], *triggers: str) -> None:
    """The same, for the length of two intervals."""
    end = time.monotonic() + 4
    while time.monotonic() < end:
        for host in hosts:
            assert set(problems(api, host)) == {OPEN, *triggers}
        time.sleep(0.5)


@contextlib.contextmanager
def instead(hosts: list[Monitored], script: str, mode: int = 0o755) -> Iterator[None]:
    """Something else in the place of the program, on these machines only."""
    descriptor, other = tempfile.mkstemp(dir='/run')
    os.close(descriptor)
    Path(other).write_text(script)
    Path(other).chmod(mode)
    run(hosts, 'mount', '--bind', other, PROGRAM)
    yield
    run(hosts, 'umount', PROGRAM)


def restart(hosts: list[Monitored]) -> None:
    for host in hosts:
        host.agent.stop()
        host.agent.start()


def test_a_program_that_is_gone(api: Api, broken: list[Monitored]) -> None:
    name = 'Tablefull: the program is not there'
    for host in broken:
        # Not while it runs: one that is at work would miss half of its modules, and tell of that as well.
        host.agent.stop()
        host.machine.run('mount', '-t', 'tmpfs', '-o', 'mode=755', 'nothing', '/opt/tablefull')
        host.agent.start()
    for found in expect(api, broken, name):
        assert found[name].severity == 'AVERAGE'
        assert '/opt/tablefull/bin/python3: not found' in found[name].name
    expect_for_long(api, broken, name)
    run(broken, 'umount', '/opt/tablefull')
    expect(api, broken)


def test_a_program_that_the_agent_may_not_run(api: Api, broken: list[Monitored]) -> None:
    name = 'Tablefull: the agent may not run the program'
    with instead(broken, '', 0o700):
        for found in expect(api, broken, name):
            assert 'Permission denied' in found[name].name
        expect_for_long(api, broken, name)
    expect(api, broken)


def test_an_answer_that_is_no_json(api: Api, broken: list[Monitored]) -> None:
    name = 'Tablefull: the answer is not JSON'
    with instead(broken, 'raise SystemError'):
        for found in expect(api, broken, name):
            assert 'Traceback' in found[name].name
    with instead(broken, ''):
        wait_for('an empty answer', lambda: all('an empty answer' in error(api, host) for host in broken))
        expect_for_long(api, broken, name)
    expect(api, broken)


def test_a_snapshot_that_failed_says_why(api: Api, broken: list[Monitored]) -> None:
    name = 'Tablefull: the snapshot failed'
    ids = [host.id for host in broken]
    macros = api('usermacro.get', hostids=ids, filter={'macro': '{$TABLEFULL.OPTIONS}'})
    api('usermacro.update', [{'hostmacroid': macro['hostmacroid'], 'value': '--since yesterday'} for macro in macros])
    for found in expect(api, broken, name):
        assert 'yesterday' in found[name].name
    api('usermacro.update', [{'hostmacroid': macro['hostmacroid'], 'value': OPTIONS} for macro in macros])
    expect(api, broken)


def test_a_program_that_hangs(api: Api, broken: list[Monitored]) -> None:
    name = 'Tablefull: the agent does not run the snapshot'
    with instead(broken, 'import time; time.sleep(30)'):
        expect(api, broken, name)
        expect_for_long(api, broken, name)
    expect(api, broken)


def test_an_agent_that_is_stopped(api: Api, broken: list[Monitored]) -> None:
    for host in broken:
        host.agent.stop()
    # The server looks for silence every half minute.
    for found in expect(api, broken, SILENT):
        assert found[SILENT].severity == 'AVERAGE'
    for host in broken:
        host.agent.start()
    expect(api, broken)


def test_an_agent_without_our_configuration(api: Api, broken: list[Monitored]) -> None:
    name = 'Tablefull: the agent does not run the snapshot'
    for directory in INCLUDED.values():
        run(broken, 'mount', '-t', 'tmpfs', '-o', 'mode=755', 'nothing', str(directory))
    restart(broken)
    expect(api, broken, name)
    for directory in INCLUDED.values():
        run(broken, 'umount', str(directory))
    restart(broken)
    expect(api, broken)


def test_a_kernel_log_that_is_closed(api: Api, broken: list[Monitored]) -> None:
    name = 'Kernel log: cannot be read'
    permitted = [host.agent.command for host in broken]
    for host in broken:
        host.agent.command = [word for word in host.agent.command if '-caps=' not in word]
    restart(broken)
    for found in expect(api, broken, name):
        assert found[name].severity == 'WARNING'
        assert 'kernel_log: /dev/kmsg: Operation not permitted' in found[name].name
    for host, command in zip(broken, permitted):
        host.agent.command = command
    restart(broken)
    expect(api, broken)


def test_tracking_that_is_closed(api: Api, broken: list[Monitored]) -> None:
    name = 'Conntrack: cannot be read'
    shut = '/proc/sys/net/netfilter'
    run(broken, 'mount', '-t', 'tmpfs', '-o', 'mode=700', 'nothing', shut)
    for found in expect(api, broken, name):
        assert found[name].severity == 'AVERAGE'
    expect_for_long(api, broken, name)
    run(broken, 'umount', shut)
    expect(api, broken)


def error(api: Api, host: Monitored) -> str:
    (item,) = api('item.get', hostids=host.id, filter={'key_': 'tablefull.error'}, output=['lastvalue'])
    last: str = item['lastvalue']
    return last


def test_all_of_that_left_nothing_unsupported(api: Api, broken: list[Monitored]) -> None:
    expect_for_long(api, broken)
    assert api('item.get', hostids=[host.id for host in broken], filter={'state': 1}, output=['key_', 'error']) == []
