"""Tables of other network namespaces, real ones: discovered, right, one problem for each cause, gone with them."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from tests.system.namespaces import Namespace
from tests.system.test_conntrack import count, fill, send
from tests.zabbix.api import Api
from tests.zabbix.daemons import as_user
from tests.zabbix.hosts import OPTIONS, Monitored, monitored
from tests.zabbix.problems import began, problems, wait_for_problems
from tests.zabbix.test_failures import instead
from tests.zabbix.waiting import wait_for

FIELDS = ('entries', 'usage', 'drop.rate', 'refused')
ITEM = ['itemid', 'key_', 'name', 'lastvalue', 'lastclock', 'state', 'status', 'error']
# What a process may call itself, in fifteen characters: macros that would be expanded, and the end of a key.
HOSTILE = '{$TABLEFULL.X}"'
LIMIT = int(Path('/proc/sys/net/netfilter/nf_conntrack_max').read_text())


class Container(Namespace):
    """A namespace that tracks, whose process has a name of its own choice, in a container for the eyes of a host."""

    def __init__(self, command: str, host: Monitored | None = None, identity: str = '') -> None:
        self.command, self.host, self.identity = command, host, identity

    def __enter__(self) -> Container:
        script = 'ip link set lo up; printf %s "$1" >/proc/$$/comm; echo ready; read end'
        self._holder = subprocess.Popen(
            ['unshare', '--net', 'sh', '-euc', script, 'sh', self.command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b'ready\n'
        self.path = f'/proc/{self._holder.pid}/ns/net'
        self.run('iptables', '-A', 'OUTPUT', '-m', 'conntrack', '--ctstate', 'INVALID', '-j', 'DROP')
        if self.host:
            # A control group is a thing of the whole machine, and its name is all that is read of it.
            shown = Path(f'/run/cgroup-{self.pid}')
            shown.write_text(f'0::/system.slice/docker-{self.identity}.scope\n')
            self.host.machine.run('mount', '--bind', str(shown), f'/proc/{self.pid}/cgroup')
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._holder.stdin is not None
        self._holder.stdin.close()
        super().__exit__(kind, error, trace)

    def fill(self, percent: float) -> int:
        """Up to a usage from nothing. Returns the entries."""
        wanted = int(LIMIT * percent / 100)
        fill(self, 0, wanted)
        return wanted


@pytest.fixture(scope='module')
def host(api: Api, templates: Path, installed: None) -> Iterator[Monitored]:
    """A machine that looks at all namespaces, and sees those of the tests before and after it, too."""
    macros: Any = {'OPTIONS': f'{OPTIONS} --namespaces', 'QUIET': '10m', 'NAMESPACE.NOT_MATCHES': '^docker .*batch'}
    with monitored(api, 'agentd', 'namespaces', ('passive',), **macros) as (host,):
        wait_for('discovery', lambda: discovered(api, host), 90)
        wait_for_problems(api, host)
        yield host


def discovered(api: Api, host: Monitored) -> dict[str, dict[str, Any]]:
    """The items of all namespaces that the rule ever found, by key."""
    found = api('item.get', hostids=host.id, search={'key_': 'tablefull.namespace.'}, output=ITEM)
    return {item['key_']: item for item in found}


def of(api: Api, host: Monitored, name: str) -> dict[str, dict[str, Any]]:
    """The items of one namespace, by field, when all of them have values."""

    def filled() -> dict[str, dict[str, Any]]:
        found = discovered(api, host)
        ours = {field: found.get(f'tablefull.namespace.{field}[{name}]') for field in FIELDS}
        return {field: item for field, item in ours.items() if item and item['lastclock'] != '0'}

    wait_for(f'the items of {name}', lambda: set(filled()) == set(FIELDS))
    return filled()


def value(api: Api, host: Monitored, name: str, field: str) -> float:
    return float(of(api, host, name)[field]['lastvalue'])


def set_macro(api: Api, host: Monitored, name: str, value: str) -> None:
    (macro,) = api('usermacro.get', hostids=host.id, filter={'macro': f'{{$TABLEFULL.{name}}}'}, output=['hostmacroid'])
    api('usermacro.update', hostmacroid=macro['hostmacroid'], value=value)


def rule(api: Api, host: Monitored) -> dict[str, Any]:
    (found,) = api(
        'discoveryrule.get', hostids=host.id, filter={'key_': 'tablefull.namespaces'}, output=['state', 'error']
    )
    return {'state': found['state'], 'error': found['error']}


def assert_nothing_unsupported(api: Api, host: Monitored) -> None:
    assert rule(api, host) == {'state': '0', 'error': ''}
    assert [item for item in discovered(api, host).values() if item['state'] != '0'] == []


@contextlib.contextmanager
def answering(host: Monitored, change: Callable[[Any], None]) -> Iterator[None]:
    """The host answers as it would now, but for what `change` does to the snapshot."""
    permitted = ['--inh-caps=+syslog', '--ambient-caps=+syslog']
    program = ['/opt/tablefull/bin/tablefull', 'snapshot', *OPTIONS.split()]
    command = host.machine.inside(*as_user('zabbix'), *permitted, *program)
    snapshot = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    change(snapshot)
    with instead([host], f'print({json.dumps(snapshot)!r})'):
        yield


def finding(code: str, severity: str) -> dict[str, Any]:
    number = {'warning': 1, 'critical': 2}[severity]
    return {'check': 'conntrack', 'code': code, 'severity': severity, 'severity_code': number, 'summary': code}


def test_the_kernel_log_does_not_tell_again_what_a_namespace_told(api: Api, host: Monitored) -> None:
    line = finding('conntrack-table-full-elsewhere', 'warning')
    elsewhere = 'Conntrack: the kernel log tells of a full table in another network namespace'
    with answering(host, lambda snapshot: snapshot['findings'].append(line)):
        found = wait_for_problems(api, host, elsewhere)
        assert found[elsewhere].severity == 'WARNING'
    wait_for_problems(api, host)
    start = time.time()

    def full(snapshot: Any) -> None:
        snapshot['findings'] += [finding('conntrack-namespace-table-full', 'critical'), line]
        snapshot['conntrack']['namespaces'] = {
            'seen': 1,
            'left_out': 0,
            'unread': 0,
            'unvisited_processes': 0,
            'tables': [
                {'container': 'lxc db', 'command': 'init', 'pid': 7, 'own': 0, 'entries': 9, 'drops': 9, 'refused': 9}
            ],
        }

    object_ = 'Namespace lxc db (init, pid 7): the table is full, packets are refused'
    with answering(host, full):
        wait_for_problems(api, host, object_)
        time.sleep(4)
    wait_for_problems(api, host)
    assert [problem.trigger for problem in began(api, host, start)] == [object_]


def test_a_container_and_a_process_are_discovered_with_their_values(api: Api, host: Monitored) -> None:
    with Container('nginx', host, '3f2a9b1c04de' + '0' * 52) as container, Container(HOSTILE) as other:
        entries = container.fill(10)
        fill(other, 0, 300)
        name = 'docker 3f2a9b1c04de'
        wait_for('all entries', lambda: value(api, host, name, 'entries') == entries == count(container))
        wait_for('the usage', lambda: abs(value(api, host, name, 'usage') - 100 * entries / LIMIT) < 0.01)
        assert (value(api, host, name, 'drop.rate'), value(api, host, name, 'refused')) == (0, 0)
        assert of(api, host, name)['usage']['name'] == f'Namespace {name} (nginx, pid {container.pid}): usage'
        # Nobody knows a container of it: then it is its process.
        name = f'pid {other.pid}'
        wait_for('all entries', lambda: value(api, host, name, 'entries') == 300)
        assert of(api, host, name)['usage']['name'] == f'Namespace __TABLEFULL.X__, pid {other.pid}: usage'
        triggers = api('trigger.get', hostids=host.id, search={'description': f'pid {other.pid}'}, output='extend')
        assert len(triggers) == 3
        assert all('__TABLEFULL.X__' in trigger['description'] for trigger in triggers)
        assert all(f'nsenter -t {other.pid} ' in trigger['comments'] for trigger in triggers)
        # The machine's own table is that of the items of the host.
        own = host.machine.run('stat', '--format=%i', '/proc/self/net/stat').strip()
        for key in discovered(api, host):
            if key.startswith('tablefull.namespace.usage[pid '):
                stat = Path('/proc', key.rpartition(' ')[2].rstrip(']'), 'net/stat')
                assert not stat.exists() or str(stat.stat().st_ino) != own
        assert_nothing_unsupported(api, host)
    wait_for('nothing', lambda: value(api, host, name, 'entries') == 0)


def test_a_container_that_restarts_stays_the_same_thing(api: Api, host: Monitored) -> None:
    identity = 'aa' * 32
    name = f'docker {identity[:12]}'
    with Container('first', host, identity) as first:
        fill(first, 0, 500)
        wait_for('all entries', lambda: value(api, host, name, 'entries') == 500)
        before = {field: item['itemid'] for field, item in of(api, host, name).items()}
    wait_for('nothing', lambda: value(api, host, name, 'entries') == 0)
    with Container('second', host, identity) as second:
        fill(second, 0, 200)
        wait_for('all entries', lambda: value(api, host, name, 'entries') == 200)
        assert {field: item['itemid'] for field, item in of(api, host, name).items()} == before
        wait_for('its name', lambda: f'(second, pid {second.pid})' in of(api, host, name)['usage']['name'])


def test_a_container_that_is_full_is_one_problem_and_ends_with_it(api: Api, host: Monitored) -> None:
    identity = 'bb' * 32
    name = f'docker {identity[:12]}'
    with Container('mail', host, identity) as container:
        of(api, host, name)
        # What happens while the agent is away comes at once when it is back.
        host.agent.stop()
        start = time.time()
        container.fill(100)
        assert send(container, 40) == 40
        host.agent.start()
        full = f'Namespace {name} (mail, pid {container.pid}): the table is full, packets are refused'
        found = wait_for_problems(api, host, full)[full]
        assert found.severity == 'HIGH'
        assert found.name == f'{full} (40 at the last look, the limit is {LIMIT} entries)'
        (trigger,) = api('trigger.get', hostids=host.id, filter={'description': full}, output=['url', 'triggerid'])
        assert trigger['url'].endswith('/docs/findings/conntrack-namespace-table-full.md')
        # Neither is it told a second time as a finding, nor as usage.
        time.sleep(4)
        assert [problem.trigger for problem in began(api, host, start)] == [full]
    wait_for_problems(api, host)
    assert [problem.trigger for problem in began(api, host, start)] == [full]
    # It has ended, rather than being forgotten with its trigger.
    (event,) = api('event.get', objectids=trigger['triggerid'], value=1, time_from=int(start), output=['r_eventid'])
    assert event['r_eventid'] != '0'
    # What is lost works on, so that its problems end, for an hour at most.
    items = api(
        'item.get',
        hostids=host.id,
        filter={'key_': f'tablefull.namespace.usage[{name}]'},
        output=['status', 'state', 'lastvalue'],
        selectItemDiscovery=['ts_delete'],
    )
    assert [(item['status'], item['state'], float(item['lastvalue'])) for item in items] == [('0', '0', 0)]
    assert 2000 < int(items[0]['itemDiscovery']['ts_delete']) - time.time() <= 3600


def test_a_table_that_fills_is_high_then_very_high_and_stays_so_without_a_verdict(api: Api, host: Monitored) -> None:
    identity = 'cc' * 32
    name = f'docker {identity[:12]}'
    with Container('web', host, identity) as container:
        of(api, host, name)
        start = time.time()
        object_ = f'Namespace {name} (web, pid {container.pid})'
        high, warning = f'{object_}: usage is very high', f'{object_}: usage is high'
        entries = container.fill(85)
        found = wait_for_problems(api, host, warning)
        assert found[warning].severity == 'WARNING'
        # A look may come while it is still being filled.
        assert re.search(r'\(8\d(\.\d+)? % of the limit, threshold 80 %\)$', found[warning].name)
        fill(container, entries, int(LIMIT * 0.95))
        found = wait_for_problems(api, host, warning, high)
        assert found[high].severity == 'AVERAGE'
        assert [problem.trigger for problem in began(api, host, start)] == [warning, high]
        # No answer is no sign that it is gone.
        with instead([host], 'raise SystemError'):
            wait_for_problems(api, host, warning, high, 'Tablefull: the answer is not JSON')
            time.sleep(5)
            wait_for_problems(api, host, warning, high, 'Tablefull: the answer is not JSON')
        wait_for_problems(api, host, warning, high)
        # Who looks no longer has no such problems any more, and nothing broken either.
        set_macro(api, host, 'OPTIONS', OPTIONS)
        wait_for_problems(api, host)
        assert_nothing_unsupported(api, host)
        set_macro(api, host, 'OPTIONS', f'{OPTIONS} --namespaces')
        # At once it is one problem.
        wait_for_problems(api, host, high)
        # A loss joins the problem that was there before it, and leaves it behind when it is over.
        full = f'{object_}: the table is full, packets are refused'
        fill(container, int(LIMIT * 0.95), LIMIT)
        assert send(container, 40) == 40
        wait_for_problems(api, host, high, full)
        set_macro(api, host, 'QUIET', '4s')
        wait_for_problems(api, host, high)
        set_macro(api, host, 'QUIET', '10m')
    wait_for_problems(api, host)


def test_a_pattern_keeps_holders_out(api: Api, host: Monitored) -> None:
    with Container('batch', host, 'dd' * 32) as kept_out, Container('wanted', host, 'ee' * 32) as wanted:
        assert kept_out.pid < wanted.pid
        of(api, host, 'docker eeeeeeeeeeee')
        assert [key for key in discovered(api, host) if 'dddddddddddd' in key] == []
        kept_out.fill(85)
        time.sleep(5)
        assert problems(api, host) == {}
