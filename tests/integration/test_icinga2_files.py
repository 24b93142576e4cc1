"""Icinga 2 accepts our files beside its stock configuration, and says nothing about them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.integration.icinga import CONTRIBUTED, Icinga

TEMPLATES = Path(__file__).parents[2] / 'templates' / 'icinga2'

ZONE = 'zones.d/sandbox.example.org'

AGENT = """
object Endpoint "agent1" { }
object Zone "agent1" { endpoints = [ "agent1" ]; parent = ZoneName }
"""

HOSTS = """
template Host "test" { import "generic-host"; address = "127.0.0.1"; vars.tablefull_ferm = true }
object Host "local1" { import "test"; vars.tablefull = "local"; vars.tablefull_ferm_rules = true }
object Host "agent1" { import "test"; vars.tablefull = "agent"; vars.tablefull_kernel_log_root = true }
object Host "agent2" { import "test"; vars.tablefull = "agent"; vars.agent_endpoint = "agent1" }
object Host "nrpe1" { import "test"; vars.tablefull = "nrpe"; vars.tablefull_ferm_rules = true }
object Host "ssh1" { import "test"; vars.tablefull = "ssh"; vars.tablefull_conntrack_warning = "85" }
object Host "other" { import "test" }
"""


@pytest.fixture
def node(place: Path) -> Icinga:
    shutil.copy(TEMPLATES / 'tablefull-commands.conf', CONTRIBUTED)
    return Icinga(place / 'node')


@pytest.fixture
def master(node: Icinga) -> Icinga:
    """The layout of a distributed set-up: hosts and services in the zone that owns them."""
    node.write(f'{ZONE}/tablefull-services.conf', (TEMPLATES / 'tablefull-services.conf').read_text())
    node.certify()
    return node


def about_us(output: str) -> list[str]:
    """Lines that name our files or objects and are more than information."""
    return [line for line in output.splitlines() if re.search(r'\b(warning|critical)/', line) and 'tablefull' in line]


def test_the_files_alone_are_accepted_without_a_word(node: Icinga) -> None:
    shutil.copy(TEMPLATES / 'tablefull-services.conf', node.etc / 'conf.d')
    code, output = node.validate()
    assert code == 0, output
    # That rules find no host yet is true, and no fault of theirs.
    assert [line for line in about_us(output) if 'does not match anywhere' not in line] == []


def test_hosts_of_every_kind_get_their_services(master: Icinga) -> None:
    master.write('conf.d/agent.conf', AGENT)
    master.write(f'{ZONE}/hosts.conf', HOSTS)
    code, output = master.validate()
    assert code == 0, output
    assert about_us(output) == []
    everywhere = {'conntrack', 'conntrack-modules', 'neighbour', 'ferm'}
    expected = {
        'local1': everywhere | {'kernel-log', 'ferm-rules'},
        'agent1': everywhere | {'kernel-log-root'},
        'agent2': everywhere | {'kernel-log'},
        'nrpe1': everywhere | {'kernel-log', 'ferm-rules'},
        'ssh1': everywhere | {'kernel-log'},
    }
    ours = {name for name in master.objects('Service') if '!tablefull-' in name}
    assert ours == {f'{host}!tablefull-{name}' for host, names in expected.items() for name in names}


def test_services_that_a_full_table_refuses_depend_on_it_and_ours_do_not(master: Icinga) -> None:
    master.write('conf.d/agent.conf', AGENT)
    master.write(
        f'{ZONE}/hosts.conf',
        HOSTS + 'object Host "loud" { import "test"; vars += { tablefull = "local", tablefull_dependency = false } }\n',
    )
    assert master.validate()[0] == 0
    found = {name.rpartition('!')[0] for name in master.objects('Dependency') if name.endswith('!tablefull-conntrack')}
    assert found == {f'{host}!ping4' for host in ('local1', 'agent1', 'agent2', 'nrpe1', 'ssh1')}


def test_a_typing_error_in_how_a_host_is_checked_is_refused_by_name(master: Icinga) -> None:
    master.write(f'{ZONE}/hosts.conf', 'object Host "typo1" { import "generic-host"; vars.tablefull = "agnet" }\n')
    code, output = master.validate()
    assert code != 0
    assert 'vars.tablefull of host typo1 is none of: agent, nrpe, ssh, local' in output


def test_an_agent_that_no_endpoint_names_is_refused_and_not_checked_on_the_master(master: Icinga) -> None:
    master.write(f'{ZONE}/hosts.conf', 'object Host "agent9" { import "generic-host"; vars.tablefull = "agent" }\n')
    code, output = master.validate()
    assert code != 0
    assert "Object 'agent9' of type 'Endpoint' does not exist" in output, output


def test_a_command_given_twice_is_refused_so_the_names_are_ours(node: Icinga) -> None:
    shutil.copy(TEMPLATES / 'tablefull-commands.conf', node.etc / 'conf.d' / 'again.conf')
    code, output = node.validate()
    assert code != 0
    assert 'tablefull-conntrack' in output
