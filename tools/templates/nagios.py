"""templates/nagios/: command and service definitions for Nagios 4 and Naemon."""

from __future__ import annotations

from tools.templates.services import CHECKS, SERVICES, Service, command_line, options_of
from tools.templates.text import COMMENT, described, generated, wrapped

COMMANDS = """\
Commands of tablefull for Nagios 4 and Naemon. Put this file where the daemon reads object files, on Debian
/etc/nagios-plugins/config. $ARG1$ and $ARG2$ are --warning and --critical: left empty, the plugin's own defaults stay.
$ARG3$ takes any further options as they stand in a shell, such as: tablefull-conntrack!85!95!--missing critical"""

TEMPLATES = """\
Service templates of tablefull for Nagios 4 and Naemon: intervals, attempts and pages. Nothing is checked by this file
alone; tablefull-localhost.cfg and tablefull-nrpe.cfg use it. `generic-service` is in the stock templates.cfg."""

LOCALHOST = """\
Services of tablefull for the host that runs this daemon, named localhost in the stock configuration. Needs
tablefull-commands.cfg and tablefull-templates.cfg."""

NRPE = """\
Services of tablefull for hosts with an NRPE daemon and templates/nrpe/tablefull.cfg. Needs tablefull-templates.cfg, the
command check_nrpe (nagios-nrpe-plugin has it), and at least one host in the group: Nagios does not start with a service
of an empty one, unless allow_empty_hostgroup_assignment=1.

  define host {
      host_name   gateway1
      hostgroups  +tablefull-nrpe
      ...
  }"""


def _indented(lines: list[tuple[str, str]]) -> list[str]:
    return [f'    {name:22} {value}' for name, value in lines]


def _definition(kind: str, lines: list[tuple[str, str]]) -> list[str]:
    return [f'define {kind} {{', *_indented(lines), '}', '']


def _command(service: Service) -> list[str]:
    comment = COMMENT['shell']
    check = CHECKS[service.check]
    # $USER1$ is the plugin directory in every stock resource file.
    program = ' '.join(f'$USER1$/{word.rsplit("/", 1)[1]}' if '/' in word else word for word in command_line(service))
    about = wrapped(check.description, comment)
    if service.root:
        about = wrapped(f'{service.about} As root: needs the sudoers file of tablefull.', comment)
        line = program
    else:
        line = f"{program} --warning '$ARG1$' --critical '$ARG2$' $ARG3$"
        for option in options_of(check):
            about.append(f'{comment}  --{option.name:22} {described(option)}')
    return [*about, *_definition('command', [('command_name', service.command), ('command_line', line)])]


def _minutes(seconds: int) -> str:
    # interval_length is a minute in every stock configuration; fractions are for Naemon's parser to lose.
    return str(max(1, seconds // 60))


def _template(service: Service) -> list[str]:
    return [
        *wrapped(service.why, COMMENT['shell']),
        *_definition(
            'service',
            [
                ('name', service.name),
                ('use', 'generic-service'),
                ('register', '0'),
                ('service_description', service.name),
                ('check_interval', _minutes(service.interval)),
                ('retry_interval', _minutes(service.retry)),
                ('max_check_attempts', str(service.attempts)),
                ('notes', service.about),
                ('notes_url', service.page),
            ],
        ),
    ]


def _commented(lines: list[str]) -> list[str]:
    return [COMMENT['shell'] + line if line else line for line in lines]


def _of_localhost(service: Service) -> list[str]:
    lines = _definition(
        'service',
        [('use', service.name), ('host_name', 'localhost'), ('check_command', service.command)],
    )
    return _commented(lines) if service.wanted else lines


def _by_nrpe(service: Service) -> list[str]:
    lines = []
    group = 'tablefull-nrpe'
    if service.wanted:
        group = service.name.replace('tablefull', group)
        lines = _definition('hostgroup', [('hostgroup_name', group), ('alias', service.about)])
    lines += _definition(
        'service',
        [('use', service.name), ('hostgroup_name', group), ('check_command', f'check_nrpe!{service.remote_command}')],
    )
    return _commented(lines) if service.wanted else lines


def files() -> dict[str, str]:
    """Path below templates/ -> text."""
    comment = COMMENT['shell']
    commands = {service.command: service for service in reversed(SERVICES)}
    texts = {
        'commands': [generated(COMMANDS, comment), *(_command(service) for service in reversed(commands.values()))],
        'templates': [generated(TEMPLATES, comment), *(_template(service) for service in SERVICES)],
        'localhost': [generated(LOCALHOST, comment), *(_of_localhost(service) for service in SERVICES)],
        'nrpe': [
            generated(NRPE, comment),
            _definition(
                'hostgroup', [('hostgroup_name', 'tablefull-nrpe'), ('alias', 'Hosts with tablefull behind NRPE')]
            ),
            *(_by_nrpe(service) for service in SERVICES),
        ],
    }
    return {
        f'nagios/tablefull-{name}.cfg': '\n'.join(line for part in parts for line in part).rstrip() + '\n'
        for name, parts in texts.items()
    }
