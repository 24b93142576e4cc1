"""templates/icinga2/tablefull-commands.conf: a CheckCommand for each check, as the Icinga Template Library does it."""

from __future__ import annotations

from tablefull.frame.options import Option
from tablefull.frame.plugin import Check
from tools.templates.services import CHECKS, PLUGIN_DIRECTORY, SERVICES, Service, command_line, options_of
from tools.templates.text import COMMENT, described, generated

HEADER = """\
Commands of tablefull for Icinga 2. Put this file where every node that runs a check reads it: into
/usr/share/icinga2/include/plugins-contrib.d (read by the stock icinga2.conf), or into a global zone such as
/etc/icinga2/zones.d/global-templates on the master.

Every option of a check has the variable of its name: --full-in-warning of check_conntrack is
tablefull_conntrack_full_in_warning. A variable that is not set leaves the plugin's own default. Write thresholds as
strings: Icinga passes the number 90.5 as 90.500000. Lists (names, codes) may be arrays."""


def variable(check: Check, option: Option) -> str:
    """The variable of an option: command and long option, as in the Icinga Template Library."""
    return f'tablefull_{check.name}_{option.variable}'


def string(text: str) -> str:
    """A string of Icinga's language."""
    return '"' + text.replace('\\', '\\\\').replace('"', '\\"') + '"'


def words(command: list[str]) -> str:
    """A command line as an array of Icinga's language, with its own constant for the plugin directory."""
    place = f'{PLUGIN_DIRECTORY}/'
    return '[ {} ]'.format(
        ', '.join(
            f'PluginDir + {string(word[len(place) - 1 :])}' if word.startswith(place) else string(word)
            for word in command
        )
    )


def _verbosity(check: Check, option: Option) -> list[str]:
    """One key for each level: an argument cannot be repeated by a number."""
    lines = []
    for level in (1, 2, 3):
        condition = f'{{{{ Number(macro("${variable(check, option)}$")) == {level} }}}}'
        lines += [f'\t\t"-{"v" * level}" = {{', f'\t\t\tset_if = {condition}']
        if level == 1:
            lines.append(f'\t\t\tdescription = {string(f"1, 2 or 3: {described(option)}")}')
        lines.append('\t\t}')
    return lines


def _argument(check: Check, option: Option) -> list[str]:
    if option.kind == 'count':
        return _verbosity(check, option)
    key = 'set_if' if option.kind == 'flag' else 'value'
    return [
        f'\t\t"--{option.name}" = {{',
        f'\t\t\t{key} = "${variable(check, option)}$"',
        f'\t\t\tdescription = {string(described(option))}',
        '\t\t}',
    ]


def _command(name: str, check: Check) -> list[str]:
    options = options_of(check)
    lines = [
        f'// {check.description}',
        f'object CheckCommand "{name}" {{',
        f'\tcommand = [ PluginDir + "/{check.program}" ]',
        '',
        '\targuments = {',
    ]
    for option in options:
        lines += _argument(check, option)
    lines.append('\t}')
    defaults = {'flag': 'false', 'count': '0'}
    unset = [option for option in options if option.kind in defaults]
    lines += ['', *(f'\tvars.{variable(check, option)} = {defaults[option.kind]}' for option in unset), '}', '']
    return lines


def _root_command(service: Service) -> list[str]:
    return [
        f'// {service.about} {service.why}',
        '// As root, by the exact line in the sudoers file of tablefull: so it has no further arguments.',
        f'object CheckCommand "{service.command}" {{',
        f'\tcommand = {words(command_line(service))}',
        '}',
        '',
    ]


def files() -> dict[str, str]:
    """Path below templates/ -> text."""
    lines = generated(HEADER, COMMENT['c'])
    for service in SERVICES:
        if not service.root:
            lines += _command(service.command, CHECKS[service.check])
    for service in SERVICES:
        if service.root:
            lines += _root_command(service)
    return {'icinga2/tablefull-commands.conf': '\n'.join(lines).rstrip() + '\n'}
