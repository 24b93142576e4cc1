"""Monitored hosts: each a network and mount namespace of its own, joined to the sandbox by a pair of veth devices."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from tests.zabbix.api import Api
from tests.zabbix.daemons import Daemon, as_user, write_settings

PROGRAMS = {'agentd': '/usr/sbin/zabbix_agentd', 'agent2': '/usr/sbin/zabbix_agent2'}
# Where Debian's agents look for files such as tablefull.conf.
INCLUDED = {'agentd': Path('/etc/zabbix/zabbix_agentd.conf.d'), 'agent2': Path('/etc/zabbix/zabbix_agent2.d')}

_numbers = itertools.count(1)


class Machine:
    """A machine with one network interface, eth0; use with `with`."""

    def __init__(self) -> None:
        number = next(_numbers)
        self.server_address, self.address = f'10.9.{number}.1', f'10.9.{number}.2'
        self._veth = f'machine{number}'

    def __enter__(self) -> Machine:
        """Make the namespaces. /sys is mounted anew: it shows the interfaces of whoever mounted it."""
        self._holder = subprocess.Popen(
            ['unshare', '--net', '--mount', 'sh', '-c', 'mount -t sysfs sysfs /sys && echo ready && exec sleep 3600'],
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b'ready\n'
        peer = ['name', 'eth0', 'netns', str(self._holder.pid)]
        _ip('link', 'add', self._veth, 'type', 'veth', 'peer', *peer)
        _ip('address', 'add', f'{self.server_address}/24', 'dev', self._veth)
        _ip('link', 'set', self._veth, 'up')
        self.run('ip', 'link', 'set', 'lo', 'up')
        self.run('ip', 'address', 'add', f'{self.address}/24', 'dev', 'eth0')
        self.run('ip', 'link', 'set', 'eth0', 'up')
        self.run('ip', 'route', 'add', 'default', 'via', self.server_address)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The kernel takes the namespaces and their devices away with their last process."""
        self._holder.kill()
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()

    def inside(self, *argv: str) -> list[str]:
        """The command line that runs a command on this machine, as root."""
        namespaces = [
            f'--{kind}=/proc/{self._holder.pid}/ns/{name}' for kind, name in (('net', 'net'), ('mount', 'mnt'))
        ]
        # Root and directory are said: the root of a mount namespace is not the root of whoever runs this in a chroot.
        return ['nsenter', *namespaces, *(f'--{kind}=/proc/{self._holder.pid}/root' for kind in ('root', 'wd')), *argv]

    def run(self, *argv: str, **options: Any) -> str:
        """Run a command on this machine as root. Fails the test when it fails. Returns its output."""
        done = subprocess.run(
            self.inside(*argv), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, **options
        )
        assert done.returncode == 0, f'{argv}: exit {done.returncode}: {done.stdout}'
        output: str = done.stdout
        return output

    def keep_reachable(self) -> None:
        """Do not track what the agent and the server say to each other, as docs/systems/zabbix.md recommends."""
        for chain, port in (('PREROUTING', '--dport'), ('OUTPUT', '--sport')):
            self.run('iptables', '-t', 'raw', '-A', chain, '-p', 'tcp', port, '10050', '-j', 'CT', '--notrack')
        for chain, port in (('PREROUTING', '--sport'), ('OUTPUT', '--dport')):
            self.run('iptables', '-t', 'raw', '-A', chain, '-p', 'tcp', port, '10051', '-j', 'CT', '--notrack')

    def agent(self, kind: str, *active: str, capabilities: str = '') -> Daemon:
        """An agent on this machine as user zabbix, with Debian's directory of included files.

        active        names of hosts whose active checks it does
        capabilities  what systemd's AmbientCapabilities= would give it, such as '+syslog'
        """
        configuration = Path(f'/run/{self._veth}.conf')
        settings = {
            'LogType': 'console',
            'Server': self.server_address,
            'Hostname': ','.join(active) or 'none',
            'PidFile': f'/run/zabbix/{self._veth}.pid',
            'Include': f'{INCLUDED[kind]}/*.conf',
        }
        if active:
            settings |= {'ServerActive': self.server_address, 'RefreshActiveChecks': '60', 'BufferSend': '1'}
        if kind == 'agent2':
            sockets = {'ControlSocket': 'control', 'PluginSocket': 'plugin'}
            settings |= {name: f'/run/zabbix/{self._veth}.{what}' for name, what in sockets.items()}
        write_settings(configuration, settings)
        user = as_user('zabbix')
        if capabilities:
            user += [f'--inh-caps={capabilities}', f'--ambient-caps={capabilities}']
        foreground = ['--foreground'] if kind == 'agentd' else []
        command = self.inside(*user, PROGRAMS[kind], *foreground, '--config', str(configuration))
        return Daemon(f'{self._veth}-{kind}', command)


def _ip(*argv: str) -> None:
    subprocess.run(['ip', *argv], check=True)


class Monitored(NamedTuple):
    """A host of Zabbix: its name and id, its template, the machine it is, and the agent on it."""

    name: str
    id: str
    template: str
    machine: Machine
    agent: Daemon


# kind of host -> its template
TEMPLATES = {
    'passive': 'Tablefull by Zabbix agent',
    'active': 'Tablefull by Zabbix agent active',
    'native': 'Tablefull native by Zabbix agent',
    'native-active': 'Tablefull native by Zabbix agent active',
}

# A machine here is meant to track. The kernel log is that of the whole machine: what other tests wrote into it is not
# about this one. The table of this one is judged all the same, by its counters.
OTHER_TESTS = (
    'conntrack-expectation-table-full conntrack-helper-unassigned conntrack-table-full-elsewhere '
    'kernel-log-overwritten kernel-log-suppressed neighbour-log-suppressed neighbour-table-full route-cache-full '
    'xtables-rejection'
)
OPTIONS = f'--expect loaded --ignore {OTHER_TESTS.replace(" ", ",")}'


@contextlib.contextmanager
def monitored(
    api: Api,
    agent: str,
    name: str = '',
    kinds: tuple[str, ...] = tuple(TEMPLATES),
    reachable: bool = True,
    **macros: str,
) -> Iterator[list[Monitored]]:
    """A machine whose kernel tracks connections, with an agent that serves one host for each kind.

    Unless it is `reachable`, a full table refuses the packets of the agent too.
    """
    name = name or agent
    with Machine() as machine:
        machine.run('iptables', '-A', 'OUTPUT', '-m', 'conntrack', '--ctstate', 'INVALID', '-j', 'DROP')
        if reachable:
            machine.keep_reachable()
        ids = {kind: create_host(api, f'{name}-{kind}', TEMPLATES[kind], machine, **macros) for kind in kinds}
        active = [f'{name}-{kind}' for kind in kinds if 'active' in kind]
        # An agent asks at once for its active checks, then not for a minute: the server must know the host by then.
        time.sleep(3)
        with machine.agent(agent, *active, capabilities='+syslog') as daemon:
            yield [Monitored(f'{name}-{kind}', ids[kind], TEMPLATES[kind], machine, daemon) for kind in kinds]
            daemon.assert_running()


def create_host(api: Api, name: str, template: str, machine: Machine, **macros: str) -> str:
    """A host linked to a template; an active one needs no interface. Returns its id."""
    interface = {'type': 1, 'main': 1, 'useip': 1, 'ip': machine.address, 'dns': '', 'port': '10050'}
    values = {'INTERVAL': '2s', 'NODATA': '15s', 'OPTIONS': OPTIONS, **macros}
    created = api(
        'host.create',
        host=name,
        groups=[{'groupid': _group(api)}],
        templates=[{'templateid': api('template.get', filter={'host': template})[0]['templateid']}],
        macros=[{'macro': f'{{$TABLEFULL.{macro}}}', 'value': value} for macro, value in values.items()],
        interfaces=[] if 'active' in name else [interface],
    )
    identifier: str = created['hostids'][0]
    return identifier


def _group(api: Api) -> str:
    found = api('hostgroup.get', filter={'name': 'Linux servers'})
    identifier: str = found[0]['groupid']
    return identifier
