"""What a monitoring system runs of tablefull: one table for Icinga 2, Director, Nagios, NRPE and sudoers."""

from __future__ import annotations

from typing import NamedTuple

from tablefull.findings.finding import DOCUMENTS
from tablefull.frame.options import Option
from tablefull.frame.plugin import Check
from tools.write_options import checks

# Where Debian's Icinga, Nagios and NRPE look for plugins, and so the README puts the checks.
PLUGIN_DIRECTORY = '/usr/lib/nagios/plugins'

CHECKS: dict[str, Check] = {check.name: check for check in checks()}

# They print something else than a verdict, and exit with 3.
NO_VERDICT = ('version', 'help')


class Service(NamedTuple):
    """One service of a host.

    name       as the host's list of services shows it
    check      name of the check that it runs, a key of CHECKS
    arguments  options that make this service what it is, as on a command line
    interval   seconds between two runs in a hard state
    retry      seconds between two runs in a soft state
    attempts   runs that must agree before somebody is woken
    about      what it watches, one sentence for a person
    why        why these intervals and attempts
    root       only complete as root: run through sudo, by the exact line that sudoers allows
    wanted     the host variable without which no host gets it, '' for every host
    unless     the host variable with which a host does not get it, '' for none
    """

    name: str
    check: str
    interval: int
    retry: int
    attempts: int
    about: str
    why: str
    arguments: tuple[str, ...] = ()
    root: bool = False
    wanted: str = ''
    unless: str = ''

    @property
    def command(self) -> str:
        """Name of the command definition in Icinga, Director and Nagios."""
        return f'tablefull-{self.check}'.replace('_', '-') + ('-sudo' if self.root else '')

    @property
    def remote_command(self) -> str:
        """Name of the command in the NRPE daemon."""
        return self.name.replace('-', '_')

    @property
    def page(self) -> str:
        """Address of the list of findings this service can have, each with its runbook page."""
        return f'{DOCUMENTS}checks/check_{self.check}.md#findings'


SERVICES = (
    Service(
        'tablefull-conntrack',
        'conntrack',
        interval=60,
        retry=30,
        attempts=3,
        about='Does connection tracking refuse packets, is its table filling up, will it be full soon?',
        why='Its rates are the growth between two runs, so the interval is their resolution. A retry takes no alert '
        'away: a loss stays CRITICAL while the table is nearly full.',
    ),
    Service(
        'tablefull-conntrack-modules',
        'conntrack_modules',
        interval=300,
        retry=60,
        attempts=2,
        about='Has something loaded connection tracking, NAT or firewall tables that nobody here asked for?',
        why='Modules come with somebody who types, and stay: minutes are soon enough.',
    ),
    Service(
        'tablefull-neighbour',
        'neighbour',
        interval=60,
        retry=30,
        attempts=3,
        about='Do the neighbour tables overflow, and is a default gateway wrong that will overflow them?',
        why='Overflows are counted between two runs; a gateway may be unresolved for a moment.',
    ),
    Service(
        'tablefull-kernel-log',
        'kernel_log',
        interval=300,
        retry=60,
        attempts=1,
        about='Did the kernel say that a network table was full, or that it rejected a firewall rule?',
        why='A line in the log is an event: a second attempt would tell nothing new. It alerts for --since (15 '
        'minutes), so the interval must be shorter than that.',
        unless='tablefull_kernel_log_root',
    ),
    Service(
        'tablefull-ferm',
        'ferm',
        interval=300,
        retry=60,
        attempts=2,
        about='Did ferm load its rules, are they still there, and will they be after the next boot?',
        why='A run of ferm takes seconds: the second attempt is after it.',
        wanted='tablefull_ferm',
    ),
    Service(
        'tablefull-ferm-rules',
        'ferm',
        interval=3600,
        retry=300,
        attempts=2,
        about='Are the rules in the kernel the ones that ferm makes of its configuration?',
        why='It runs ferm, which costs seconds and resolves names, and needs root: once an hour.',
        arguments=('--verify-rules',),
        root=True,
        wanted='tablefull_ferm_rules',
    ),
    Service(
        'tablefull-kernel-log-root',
        'kernel_log',
        interval=300,
        retry=60,
        attempts=1,
        about='The same as tablefull-kernel-log, for hosts where no group opens the kernel log.',
        why='As tablefull-kernel-log. Prefer the group systemd-journal to root wherever there is a journal.',
        root=True,
        wanted='tablefull_kernel_log_root',
    ),
)


def options_of(check: Check) -> list[Option]:
    """The options of a check that a definition can set."""
    return [option for option in check.all_options if option.name not in NO_VERDICT]


def command_line(service: Service) -> list[str]:
    """The program and arguments of a service on the monitored host, as the user of the monitoring agent."""
    check = [f'{PLUGIN_DIRECTORY}/{CHECKS[service.check].program}', *service.arguments]
    return [f'{PLUGIN_DIRECTORY}/check_by_sudo', *check] if service.root else check
