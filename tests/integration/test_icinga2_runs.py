"""A running Icinga 2: the command lines it makes, what it keeps of the results, and a real table that fills."""

from __future__ import annotations

import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tools.templates.services import CHECKS, SERVICES, options_of

from tablefull.frame.options import Option, parse
from tablefull.frame.plugin import Check
from tests.integration.icinga import CONTRIBUTED, Icinga, wait_for
from tests.integration.remotes import TEMPLATES, nrpe, ssh_server, uncommented

ROOT = Path(__file__).parents[2]
PLUGINS = '/usr/lib/nagios/plugins'
ZONE = 'zones.d/sandbox.example.org'

AGENT_ZONE = """
object Endpoint "agent1" { host = "127.0.0.1"; port = 5667 }
object Zone "agent1" { endpoints = [ "agent1" ]; parent = ZoneName }
"""

# What `icinga2 node setup` writes on an agent.
AGENT_ZONES = """
object Endpoint "sandbox.example.org" { }
object Zone "master" { endpoints = [ "sandbox.example.org" ] }
object Endpoint NodeName { }
object Zone NodeName { endpoints = [ NodeName ]; parent = "master" }
"""

HOSTS = """
template Host "test" {
  import "generic-host"
  address = "127.0.0.1"
  vars.tablefull_conntrack_modules_expect = "loaded"
}
object Host "bare" { import "generic-host"; address = "127.0.0.1" }
object Host "local1" { import "test"; vars.tablefull = "local" }
object Host "agent1" { import "test"; vars.tablefull = "agent"; vars.tablefull_conntrack_critical = "97" }
object Host "nrpe1" { import "test"; vars.tablefull = "nrpe" }
object Host "ssh1" {
  import "test"
  vars.tablefull = "ssh"
  vars.by_ssh_logname = "monitoring"
  vars.tablefull_conntrack_critical = "98.5"
}
"""

WRITERS = """
object GraphiteWriter "graphite" { host = "127.0.0.1"; port = 2003; enable_send_thresholds = true }
object PerfdataWriter "perfdata" { rotation_interval = 1s }
"""


class Graphite:
    """A Graphite server that remembers what it is sent: path -> latest value."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        values = self.values

        class Connection(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for line in self.rfile:
                    path, value, _ = line.decode().split()
                    values[path] = float(value)

        self.server = socketserver.ThreadingTCPServer(('127.0.0.1', 2003), Connection)
        self.server.daemon_threads = True


@pytest.fixture(scope='module')
def graphite() -> Iterator[Graphite]:
    graphite = Graphite()
    with graphite.server:
        threading.Thread(target=graphite.server.serve_forever, daemon=True).start()
        yield graphite
        graphite.server.shutdown()


@pytest.fixture(scope='module')
def master(shared_place: Path, graphite: Graphite) -> Iterator[Icinga]:
    """A master with four hosts, which are all this machine, each asked in another way."""
    shutil.copy(TEMPLATES / 'icinga2' / 'tablefull-commands.conf', CONTRIBUTED)
    master = Icinga(shared_place / 'master')
    master.certify()
    master.write('features-enabled/writers.conf', WRITERS)
    master.write('conf.d/agent.conf', AGENT_ZONE)
    master.write(f'{ZONE}/tablefull-services.conf', (TEMPLATES / 'icinga2' / 'tablefull-services.conf').read_text())
    master.write(f'{ZONE}/hosts.conf', HOSTS)
    agent = Icinga(shared_place / 'agent', 'agent1', 5667)
    agent.certify(master)
    agent.write('zones.conf', AGENT_ZONES)
    agent.write('icinga2.conf', (agent.etc / 'icinga2.conf').read_text().replace('include_recursive "conf.d"', ''))
    commands = uncommented((TEMPLATES / 'nrpe' / 'tablefull.cfg').read_text())
    with agent, nrpe(shared_place, commands), ssh_server(shared_place, 'monitoring'), master:
        wait_for('the agent', lambda: master.api('GET', '/v1/objects/endpoints/agent1')[0]['attrs']['connected'])
        yield master


def executed(master: Icinga, name: str, command: str, variables: dict[str, Any]) -> list[str]:
    """The argument vector that the daemon runs for a service with these variables."""
    path = f'/v1/objects/services/bare!{name}'
    master.api('PUT', path, {'attrs': {'check_command': command, 'vars': variables, 'enable_active_checks': False}})
    try:
        result = master.check_now('bare', name)['last_check_result']
        vector: list[str] = result['command']
        # Whatever was asked for was understood: a check complains about nothing of its command line.
        assert '; see check_' not in result['output'], result['output']
        return vector
    finally:
        master.api('DELETE', path)


def variable(check: Check, option: Option) -> str:
    return f'tablefull_{check.name}_{option.variable}'


# For each kind of option a value as users write it in Icinga, and what has to reach the plugin.
SAMPLES: dict[str, tuple[Any, list[str]]] = {
    'range': (85, ['85']),
    'duration': ('20m', ['20m']),
    'seconds': (7.5, ['7.500000']),
    'whole': (20, ['20']),
    'names': (['nf_nat', 'xt_*'], ['nf_nat', 'xt_*']),
    'codes': (['ferm-age', 'conntrack-drops'], ['ferm-age', 'conntrack-drops']),
    'choice': ('', ['']),
    'path': ('', ['']),
}


@pytest.mark.parametrize('check', CHECKS.values(), ids=lambda check: check.name)
def test_every_option_reaches_the_check(master: Icinga, check: Check) -> None:
    command = f'tablefull-{check.name.replace("_", "-")}'
    options = options_of(check)
    program = f'{PLUGINS}/{check.program}'
    values: dict[str, Any] = {}
    expected: list[str] = []
    for option in options:
        if option.kind == 'flag':
            values[variable(check, option)] = True
            expected.append(f'--{option.name}')
        elif option.kind == 'count':
            values[variable(check, option)] = 2
            expected.append('-vv')
        else:
            value, words = SAMPLES[option.kind]
            if option.choices:
                value, words = option.choices[0], [option.choices[0]]
            values[variable(check, option)] = value
            expected += [word for text in words for word in (f'--{option.name}', text)]
    vector = executed(master, 'every', command, values)
    assert vector[0] == program
    assert sorted(vector[1:]) == sorted(expected)
    understood = parse(check.program, '', check.all_options, vector[1:])
    assert understood == parse(check.program, '', check.all_options, expected)

    assert executed(master, 'none', command, {}) == [program]

    empty = dict.fromkeys(values, '')
    emptied = executed(master, 'empty', command, empty)
    assert parse(check.program, '', check.all_options, emptied[1:]) == parse(check.program, '', check.all_options, [])


@pytest.mark.parametrize(
    ('variables', 'expected'),
    [
        ({'warning': '85'}, ['--warning', '85']),
        ({'warning': 85}, ['--warning', '85']),
        ({'warning': 85.5}, ['--warning', '85.500000']),
        ({'warning': '85.5'}, ['--warning', '85.5']),
        ({'warning': '@10:20'}, ['--warning', '@10:20']),
        ({'warning': ''}, ['--warning', '']),
        ({'warning': None}, ['--warning', '']),
        ({'ignore': []}, []),
        ({'ignore': ['conntrack-drops']}, ['--ignore', 'conntrack-drops']),
        ({'verbose': 0}, []),
        ({'verbose': '1'}, ['-v']),
        ({'verbose': 3}, ['-vvv']),
        ({'verbose': ''}, []),
    ],
)
def test_a_variable_becomes_what_the_check_expects(
    master: Icinga, variables: dict[str, Any], expected: list[str]
) -> None:
    named = {f'tablefull_conntrack_{name}': value for name, value in variables.items()}
    vector = executed(master, 'case', 'tablefull-conntrack', named)
    assert vector == [f'{PLUGINS}/check_conntrack', *expected]


@pytest.mark.parametrize(
    ('value', 'given'), [(True, True), (1, True), ('1', True), (False, False), (0, False), ('', False)]
)
def test_a_flag_is_given_when_its_variable_is_true(master: Icinga, value: Any, given: bool) -> None:
    vector = executed(master, 'flag', 'tablefull-kernel-log', {'tablefull_kernel_log_new': value})
    assert ('--new' in vector) == given


def test_a_threshold_of_the_host_reaches_its_checks(master: Icinga) -> None:
    by_agent = master.check_now('agent1', 'tablefull-conntrack')['last_check_result']
    assert by_agent['command'] == [f'{PLUGINS}/check_conntrack', '--critical', '97']
    by_ssh = master.check_now('ssh1', 'tablefull-conntrack')['last_check_result']
    assert f"'{PLUGINS}/check_conntrack' '--critical' '98.5'" in by_ssh['command']


@pytest.mark.parametrize('host', ['local1', 'agent1', 'nrpe1', 'ssh1'])
@pytest.mark.parametrize('name', [service.name for service in SERVICES if not service.wanted])
def test_a_check_says_the_same_however_it_is_asked(master: Icinga, host: str, name: str) -> None:
    if host == 'nrpe1' and name == 'tablefull-conntrack-modules':
        # Its arguments stand in the file on the host; this host here is asked with the shipped ones.
        assert master.check_now(host, name)['last_check_result']['exit_status'] in (0, 2)
        return
    # Rates need a run before, at least a second ago.
    for asked in ('local1', host):
        master.check_now(asked, name)
    time.sleep(1.1)
    here, there = (master.check_now(asked, name)['last_check_result'] for asked in ('local1', host))
    assert here['exit_status'] == there['exit_status'], (here['output'], there['output'])
    labels = [[text.partition('=')[0] for text in result['performance_data']] for result in (here, there)]
    assert labels[0] == labels[1]
    assert labels[0] or name == 'tablefull-kernel-log'


def test_performance_data_reach_the_writers_unchanged_and_none_is_dropped(master: Icinga, graphite: Graphite) -> None:
    result = master.check_now('local1', 'tablefull-conntrack')['last_check_result']
    sent = [text.partition('=') for text in result['performance_data']]
    assert {'usage', 'entries', 'max', 'buckets', 'hash_load'} <= {label for label, _, _ in sent}

    def written() -> bool:
        path = master.place / 'spool' / 'perfdata'
        lines = [line for file in path.iterdir() for line in file.read_text().splitlines() if 'local1' in line]
        ours = [line for line in lines if 'SERVICEDESC::tablefull-conntrack\t' in line]
        return any(f'SERVICEPERFDATA::{" ".join(result["performance_data"])}\t' in line for line in ours)

    wait_for('the perfdata writer', written)
    prefix = 'icinga2.local1.services.tablefull-conntrack.tablefull-conntrack.perfdata'
    for label, _, rest in sent:
        value, *limits = rest.split(';')
        wait_for(label, lambda label=label: f'{prefix}.{label}.value' in graphite.values)
        assert graphite.values[f'{prefix}.{label}.value'] == float(value.rstrip('%s'))
        for name, text in zip(('warn', 'crit', 'min', 'max'), limits):
            if text:
                assert graphite.values[f'{prefix}.{label}.{name}'] == float(text)
    # Icinga says in its log when it rejects a value.
    assert 'invalid perfdata' not in master.log.read_text()


def fill(first: int, last: int) -> int:
    done = subprocess.run(
        [sys.executable, ROOT / 'tests/system/fill_conntrack.py', str(last - first), str(first), 'assured'],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout)


def send(packets: int) -> int:
    """Send as many packets of new flows; returns how many the kernel refused."""
    refused = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        for port in range(packets):
            try:
                channel.sendto(b'x', ('127.0.0.1', 20000 + port))
            except PermissionError:
                refused += 1
    return refused


def hard(master: Icinga, host: str, name: str) -> dict[str, Any]:
    """The service once as many checks have agreed as its attempts demand."""
    for _ in range(4):
        service = master.check_now(host, name)
        if service['state_type'] == 1:
            return service
    raise AssertionError(f'no hard state: {service}')


@pytest.fixture
def tracking() -> Iterator[int]:
    """This machine tracks UDP, and leaves alone the TCP that the daemons talk; gives the limit of the table."""
    for chain in ('OUTPUT', 'PREROUTING'):
        subprocess.run(['iptables', '-t', 'raw', '-A', chain, '-p', 'tcp', '-j', 'CT', '--notrack'], check=True)
    rule = ['OUTPUT', '-m', 'conntrack', '--ctstate', 'INVALID', '-j', 'DROP']
    subprocess.run(['iptables', '-A', *rule], check=True)
    yield int(Path('/proc/sys/net/netfilter/nf_conntrack_max').read_text())
    subprocess.run(['iptables', '-D', *rule], check=True)
    subprocess.run(['iptables', '-t', 'raw', '-F'], check=True)
    subprocess.run(['conntrack', '-F'], check=True, capture_output=True)


def test_a_real_table_goes_from_ok_to_warning_to_critical_and_back(master: Icinga, tracking: int) -> None:
    hosts = ('local1', 'nrpe1')
    assert [hard(master, host, 'tablefull-conntrack')['state'] for host in hosts] == [0, 0]
    reached = 0
    for share, state, text in ((0.85, 1, 'WARNING - '), (0.95, 2, 'CRITICAL - ')):
        fill(reached, int(tracking * share))
        reached = int(tracking * share)
        for host in hosts:
            service = hard(master, host, 'tablefull-conntrack')
            output = service['last_check_result']['output']
            assert (service['state'], service['state_type']) == (state, 1)
            assert output.startswith(f'CONNTRACK {text}')
            assert 'tablefull explain conntrack-' in output
    fill(reached, tracking)
    assert send(20) == 20
    service = hard(master, 'local1', 'tablefull-conntrack')
    assert service['state'] == 2
    assert 'connection tracking table full' in service['last_check_result']['output'], service['last_check_result'][
        'performance_data'
    ]

    subprocess.run(['conntrack', '-F'], check=True, capture_output=True)
    for host in hosts:
        wait_for(f'{host} to recover', lambda host=host: hard(master, host, 'tablefull-conntrack')['state'] == 0)


def test_a_check_that_is_missing_or_refused_or_hangs_is_unknown(master: Icinga) -> None:
    output = master.check_now('local1', 'tablefull-conntrack')['last_check_result']['output']
    assert 'UNKNOWN' not in output
    program = Path(PLUGINS, 'check_neighbour')
    target = program.readlink()
    program.unlink()
    try:
        for host in ('local1', 'agent1', 'nrpe1', 'ssh1'):
            assert master.check_now(host, 'tablefull-neighbour')['last_check_result']['state'] == 3, host
    finally:
        program.symlink_to(target)
    vector = executed(master, 'sudo', 'tablefull-ferm-sudo', {})
    assert vector == [f'{PLUGINS}/check_by_sudo', f'{PLUGINS}/check_ferm', '--verify-rules']
