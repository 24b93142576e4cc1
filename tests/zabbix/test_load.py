"""What a host costs the server: values that are stored for each snapshot, and the size of the snapshot itself."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.zabbix.api import Api
from tests.zabbix.daemons import as_user, query
from tests.zabbix.hosts import OPTIONS, Monitored
from tests.zabbix.waiting import wait_for

TABLES = ('history', 'history_uint', 'history_str', 'history_text')
# Stored values for each snapshot of a quiet host, and bytes on the wire, that the page promises not to exceed.
MOST_VALUES = 50
MOST_BYTES = 8192
HOSTS = 1000


def stored(host: Monitored) -> int:
    """Values in the database of one host."""
    ours = f'where itemid in (select itemid from items where hostid = {host.id})'
    return sum(int(query(f'select count(*) from {table} {ours}')) for table in TABLES)


def snapshots(host: Monitored) -> int:
    """How often the host answered."""
    status = f"select itemid from items where hostid = {host.id} and key_ = 'tablefull.status'"
    return int(query(f'select count(*) from history_uint where itemid = ({status})'))


def server_seconds() -> float:
    """CPU that all processes of zabbix_server have used."""
    ticks = 0
    for path in Path('/proc').glob('[0-9]*/stat'):
        try:
            name, _, rest = path.read_text().partition(') ')
        except OSError:
            continue
        if name.endswith('(zabbix_server'):
            ticks += sum(int(number) for number in rest.split()[11:13])
    return ticks / 100


def test_a_quiet_host_costs_what_the_page_says(
    api: Api, hosts: list[Monitored], capsys: pytest.CaptureFixture[str]
) -> None:
    (host,) = [host for host in hosts if host.name == 'agentd-passive']
    wait_for('some snapshots', lambda: snapshots(host) > 15, 90)
    values, answers, cpu, start = stored(host), snapshots(host), server_seconds(), time.monotonic()
    wait_for('more snapshots', lambda: snapshots(host) - answers >= 10, 60)
    values, answers = stored(host) - values, snapshots(host) - answers
    command = host.machine.inside(*as_user('zabbix'), '/opt/tablefull/bin/tablefull', 'snapshot', *OPTIONS.split())
    size = len(subprocess.run(command, check=True, capture_output=True).stdout)
    each = values / answers
    items = len(api('item.get', hostids=host.id, output=['itemid']))
    used = (server_seconds() - cpu) / (time.monotonic() - start)
    assert json.loads(subprocess.run(command, check=True, capture_output=True).stdout)['schema'] == 1
    with capsys.disabled():
        print(
            f'\nper snapshot: {size} bytes, {items} items, {each:.1f} values stored; {HOSTS} hosts each minute: '
            f'{HOSTS * each / 60:.0f} values/s stored, {HOSTS * items / 60:.0f}/s processed, '
            f'{HOSTS * size / 60 / 1024:.0f} KiB/s; this server, with {len(hosts)} hosts every 2 s: {used:.2f} CPUs'
        )
    assert each <= MOST_VALUES
    assert size <= MOST_BYTES
