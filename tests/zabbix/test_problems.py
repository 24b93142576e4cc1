"""A real table fills in a namespace, and what the server makes of it: the right problems, in order, one for a cause."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.test_conntrack import SEND
from tests.zabbix.api import Api
from tests.zabbix.hosts import Machine, Monitored, monitored
from tests.zabbix.problems import began, problems, wait_for_problems
from tests.zabbix.waiting import wait_for

FILL = str(Path(__file__).parents[1] / 'system' / 'fill_conntrack.py')
SOON = 'Conntrack: the table will be full soon'
WARNING = 'Conntrack: usage is high'
HIGH = 'Conntrack: usage is very high'
FULL = 'Conntrack: the table is full, packets are refused'
NATIVE_FULL = 'Conntrack: packets are refused'


@pytest.fixture(scope='module')
def pair(api: Api, templates: Path, installed: None) -> Iterator[tuple[Monitored, Monitored]]:
    """One machine, watched by UserParameter and by the agent's own keys.

    The host's own forecast is switched off: what is left is that of the server, timeleft().
    """
    macros: Any = {
        'CONNTRACK.FULL_IN': '0',
        'CONNTRACK.FORECAST.PERIOD': '20s',
        'CONNTRACK.FORECAST.TIME': '5m',
        'QUIET': '6s',
    }
    with monitored(api, 'agentd', 'filling', ('passive', 'native'), **macros) as (snapshot, native):
        wait_for('usage', lambda: value(api, snapshot, 'tablefull.conntrack.usage') is not None, 60)
        wait_for('usage', lambda: value(api, native, 'tablefull.native.conntrack.usage') is not None, 60)
        seen_by_the_kernel_only = {
            'Neighbours IPv4 (ARP): the table cannot be seen',
            'Neighbours IPv6 (NDP): the table cannot be seen',
        }
        wait_for_problems(api, native, *seen_by_the_kernel_only)
        wait_for_problems(api, snapshot)
        yield snapshot, native


def value(api: Api, host: Monitored, key: str) -> float | None:
    """The last value of a numeric item."""
    (item,) = api('item.get', hostids=host.id, filter={'key_': key}, output=['lastvalue', 'lastclock'])
    return float(item['lastvalue']) if item['lastclock'] != '0' else None


class Table:
    """The tracking table of a machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.limit = int(machine.run('cat', '/proc/sys/net/netfilter/nf_conntrack_max'))
        self.entries = 0

    def fill(self, percent: float) -> None:
        """Up to a usage."""
        wanted = int(self.limit * percent / 100)
        self.machine.run(sys.executable, FILL, str(wanted - self.entries), str(self.entries), 'assured')
        self.entries = wanted

    def refill(self) -> None:
        """Takes the room that entries left since the table was full."""
        self.machine.run(sys.executable, FILL, '200', str(self.entries), 'assured')
        self.entries += 200

    def send(self, packets: int) -> int:
        """Packets of new flows; returns how many were refused."""
        return int(self.machine.run(sys.executable, '-c', SEND, str(packets)))

    def flush(self) -> None:
        self.machine.run('conntrack', '--flush')
        self.entries = 0


@pytest.fixture
def table(api: Api, pair: tuple[Monitored, Monitored]) -> Iterator[Table]:
    """The table of both hosts, empty before and after."""
    snapshot, native = pair
    table = Table(snapshot.machine)
    yield table
    table.flush()
    wait_for_problems(api, snapshot)
    wait_for('native to recover', lambda: all('cannot be seen' in name for name in problems(api, native)), 60)


def test_a_table_that_fills_is_foretold_then_high_then_very_high_then_full(
    api: Api, pair: tuple[Monitored, Monitored], table: Table
) -> None:
    snapshot, native = pair
    start = time.time()
    for percent in (20, 30, 40, 50, 60, 70, 78):
        table.fill(percent)
        time.sleep(2.5)
    foretold = wait_for_problems(api, snapshot, SOON)
    assert foretold[SOON].severity == 'WARNING'
    assert '%' in foretold[SOON].name
    wait_for('the same of native', lambda: SOON in problems(api, native))

    table.fill(85)
    wait_for_problems(api, snapshot, SOON, WARNING)
    wait_for('the same of native', lambda: WARNING in problems(api, native))
    table.fill(95)
    wait_for_problems(api, snapshot, SOON, WARNING, HIGH)
    wait_for('the same of native', lambda: HIGH in problems(api, native))
    table.fill(100)
    assert table.send(40) == 40
    full = wait_for_problems(api, snapshot, SOON, WARNING, HIGH, FULL)[FULL]
    assert re.search(rf'\(\d+ of {table.limit} entries\)', full.name)
    wait_for('the same of native', lambda: NATIVE_FULL in problems(api, native))

    order = [(problem.trigger, problem.severity) for problem in began(api, snapshot, start)]
    assert order == [(SOON, 'WARNING'), (WARNING, 'WARNING'), (HIGH, 'AVERAGE'), (FULL, 'HIGH')]
    order = [(problem.trigger, problem.severity) for problem in began(api, native, start)]
    assert order == [(SOON, 'WARNING'), (WARNING, 'WARNING'), (HIGH, 'AVERAGE'), (NATIVE_FULL, 'HIGH')]


def test_a_table_that_is_full_at_once_is_one_problem(api: Api, pair: tuple[Monitored, Monitored], table: Table) -> None:
    snapshot, native = pair
    # What happens while the agent is away comes at once when it is back.
    snapshot.agent.stop()
    start = time.time()
    table.fill(100)
    assert table.send(40) == 40
    snapshot.agent.start()
    wait_for_problems(api, snapshot, FULL)
    wait_for('the same of native', lambda: NATIVE_FULL in problems(api, native))
    time.sleep(7)
    assert [problem.trigger for problem in began(api, snapshot, start)] == [FULL]
    # Of the native one this cannot be said: its values come one by one, each at its own moment.


def test_a_full_table_that_cuts_off_the_agent_itself_is_not_silent(api: Api, templates: Path, installed: None) -> None:
    # One threshold: a machine that is slow to fill the table would meet the lower one on the way.
    macros: Any = {
        'CONNTRACK.FORECAST.USAGE': '100',
        'CONNTRACK.USAGE.WARN': '90',
        'NODATA': '10s',
        'QUIET': '6s',
    }
    with monitored(api, 'agentd', 'cut-off', ('passive',), reachable=False, **macros) as (host,):
        wait_for('usage', lambda: value(api, host, 'tablefull.conntrack.usage') is not None, 60)
        table = Table(host.machine)
        table.fill(96)
        wait_for_problems(api, host, HIGH)
        table.fill(100)

        def silent() -> bool:
            # An entry that ends leaves room for an answer, so that the agent may yet tell that the table is full.
            table.refill()
            return set(problems(api, host)) - {FULL} == {HIGH, 'Tablefull: no answer from the agent'}

        wait_for('the agent to be missed', silent)
        table.flush()
        wait_for_problems(api, host)


def test_a_default_route_without_gateway_is_named_before_any_table_is_full(
    api: Api, pair: tuple[Monitored, Monitored]
) -> None:
    snapshot, _ = pair
    gateway = snapshot.machine.server_address
    snapshot.machine.run('ip', 'route', 'replace', 'default', 'dev', 'eth0')
    name = 'Neighbours: a default route without gateway makes every destination a neighbour'
    found = wait_for_problems(api, snapshot, name)
    assert found[name].severity == 'HIGH'
    (trigger,) = api('trigger.get', hostids=snapshot.id, search={'description': name}, output=['url', 'comments'])
    assert trigger['url'].endswith('/docs/findings/neighbour-gateway-missing.md')
    snapshot.machine.run('ip', 'route', 'replace', 'default', 'via', gateway)
    wait_for_problems(api, snapshot)


def test_a_threshold_of_the_host_takes_the_place_of_the_templates(
    api: Api, pair: tuple[Monitored, Monitored], table: Table
) -> None:
    snapshot, _ = pair
    macros = [
        {'hostid': snapshot.id, 'macro': '{$TABLEFULL.CONNTRACK.USAGE.WARN}', 'value': '20'},
        {'hostid': snapshot.id, 'macro': '{$TABLEFULL.CONNTRACK.FORECAST.USAGE}', 'value': '100'},
    ]
    ids = api('usermacro.create', macros)['hostmacroids']
    table.fill(25)
    found = wait_for_problems(api, snapshot, WARNING)
    assert 'threshold 20 %' in found[WARNING].name
    # Below the threshold now, but not yet so far below that it ends.
    api('usermacro.update', hostmacroid=ids[0], value='28')
    time.sleep(5)
    assert set(problems(api, snapshot)) == {WARNING}
    table.flush()
    wait_for_problems(api, snapshot)
    api('usermacro.delete', ids)
