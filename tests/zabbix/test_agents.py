"""Both agents, asked and sending by themselves, as user zabbix: every item has a value, and it is the right one."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.zabbix.api import Api
from tests.zabbix.daemons import as_user
from tests.zabbix.hosts import Monitored
from tests.zabbix.waiting import wait_for, wait_for_none

FIELDS = ['key_', 'lastvalue', 'lastclock', 'state', 'error', 'history', 'flags']


def items(api: Api, host: Monitored) -> dict[str, dict[str, Any]]:
    """The items of a host by key."""
    return {item['key_']: item for item in api('item.get', hostids=host.id, output=FIELDS)}


def without_value(api: Api, hosts: list[Monitored]) -> list[str]:
    """Items that keep values and have none yet, or are not supported, as 'host: key: error'."""
    return [
        f'{host.name}: {key}: {item["error"]}'
        for host in hosts
        for key, item in items(api, host).items()
        if item['state'] != '0' or (item['lastclock'] == '0' and item['history'] != '0')
    ]


@pytest.fixture(scope='module')
def filled(api: Api, hosts: list[Monitored]) -> list[Monitored]:
    """The hosts, when everything has been asked at least twice."""
    with_rules = [host for host in hosts if 'native' not in host.name]
    wait_for(
        'discovery', lambda: all('tablefull.interface.neighbours[eth0]' in items(api, host) for host in with_rules), 90
    )
    wait_for_none(lambda: without_value(api, hosts), 60)
    return hosts


def test_every_item_has_a_value_and_none_is_unsupported(api: Api, filled: list[Monitored]) -> None:
    assert len(filled) == 8
    assert without_value(api, filled) == []
    for host in filled:
        assert len(items(api, host)) > (20 if 'native' in host.name else 90), host.name


def test_discovery_found_both_families_and_the_interface(api: Api, filled: list[Monitored]) -> None:
    for host in filled:
        if 'native' in host.name:
            continue
        rules = api('discoveryrule.get', hostids=host.id, output=['key_', 'state', 'error'])
        assert [(rule['state'], rule['error']) for rule in rules] == [('0', '')] * 3
        found = {key for key, item in items(api, host).items() if item['flags'] == '4'}
        assert {key for key in found if key.startswith('tablefull.neighbour.usage[')} == {
            'tablefull.neighbour.usage[arp]',
            'tablefull.neighbour.usage[ndp]',
        }
        assert [key for key in found if key.startswith('tablefull.interface.neighbours[')] == [
            'tablefull.interface.neighbours[eth0]'
        ]
        names = {graph['name'] for graph in api('graph.get', hostids=host.id, output=['name'])}
        assert 'Neighbours IPv4 (ARP): entries and their limit' in names


def test_no_trigger_is_unknown(api: Api, filled: list[Monitored]) -> None:
    def unknown() -> list[str]:
        found = api(
            'trigger.get', hostids=[host.id for host in filled], output=['description', 'error'], filter={'state': 1}
        )
        return [f'{trigger["description"]}: {trigger["error"]}' for trigger in found]

    wait_for_none(unknown, 40)


def test_the_values_are_those_of_the_command(api: Api, filled: list[Monitored]) -> None:
    for host in filled:
        values = items(api, host)
        command = host.machine.inside(*as_user('zabbix'), '/opt/tablefull/bin/tablefull', 'snapshot')
        snapshot = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        if 'native' in host.name:
            limit = 'vfs.file.contents[/proc/sys/net/netfilter/nf_conntrack_max]'
        else:
            limit = 'tablefull.conntrack.max'
            assert values['tablefull.version']['lastvalue'] == snapshot['version']
            assert values['tablefull.status']['lastvalue'] == '0'
            families = {family['family']: family for family in snapshot['neighbour']['families']}
            for family in ('arp', 'ndp'):
                key = f'tablefull.neighbour.gc_thresh3[{family}]'
                assert values[key]['lastvalue'] == str(families[family]['gc_thresh3'])
        assert values[limit]['lastvalue'] == str(snapshot['conntrack']['max'])


def test_an_active_agent_is_not_asked(api: Api, filled: list[Monitored]) -> None:
    for host in filled:
        interfaces = api('hostinterface.get', hostids=host.id)
        assert len(interfaces) == (0 if 'active' in host.name else 1)


@pytest.mark.parametrize('agent', ['agentd', 'agent2'])
def test_the_agent_runs_as_zabbix_and_takes_parameters_without_unsafe_ones(filled: list[Monitored], agent: str) -> None:
    host = next(host for host in filled if host.name == f'{agent}-passive')

    def ask(key: str) -> str:
        done = subprocess.run(
            ['zabbix_get', '-s', host.machine.address, '-k', key], capture_output=True, text=True, timeout=60
        )
        return done.stdout + done.stderr

    assert json.loads(ask('tablefull.snapshot'))['schema'] == 1
    # The state of this run belongs to whoever ran it.
    states = subprocess.run(
        ['find', '/var/tmp', '-path', '*tablefull-*', '-name', 'snapshot-*', '-user', 'zabbix'], capture_output=True
    )
    assert states.stdout
    ignored = json.loads(ask('tablefull.snapshot[--ignore kernel-log-unreadable,ferm-not-installed --expect loaded]'))
    assert 'kernel-log-unreadable' not in {finding['code'] for finding in ignored['findings']}
    verdict = json.loads(ask('tablefull.check[conntrack,--warning 0:0 --critical 99]'))
    assert (verdict['check'], verdict['exit_code']) == ('conntrack', 1 if verdict['metrics']['usage'] else 0)
    refused = ask('tablefull.check[conntrack,$(id)]')
    assert 'ZBX_NOTSUPPORTED' in refused
    assert 'uid=' not in refused
