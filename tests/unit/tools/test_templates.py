"""What stands in templates/ is what the generator writes, and says what the option tables say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tools.templates import all_files
from tools.templates.services import CHECKS, PLUGIN_DIRECTORY, SERVICES, Service, command_line, options_of

from tablefull.frame.options import parse

TEMPLATES = Path(__file__).parents[3] / 'templates'
FILES = all_files()
# Written by hand, where the generator writes none.
OURS = {'README.md'}


@pytest.mark.parametrize('path', FILES)
def test_every_file_is_what_the_generator_writes(path: str) -> None:
    assert (TEMPLATES / path).read_text() == FILES[path], 'run `make templates`'


def test_there_is_no_file_that_nobody_writes() -> None:
    present = {str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob('*') if path.is_file()}
    assert {path for path in present if Path(path).name not in OURS or path in FILES} == set(FILES)


@pytest.mark.parametrize('service', SERVICES, ids=lambda service: service.name)
def test_the_arguments_of_a_service_are_understood_by_its_check(service: Service) -> None:
    check = CHECKS[service.check]
    parse(check.program, check.description, check.all_options, list(service.arguments))


@pytest.mark.parametrize('service', SERVICES, ids=lambda service: service.name)
def test_the_kernel_log_is_read_further_back_than_the_service_is_away(service: Service) -> None:
    check = CHECKS[service.check]
    options = parse(check.program, check.description, check.all_options, list(service.arguments))
    assert service.interval < getattr(options, 'since', float('inf'))


def test_every_check_is_a_service_for_everybody() -> None:
    assert {service.check for service in SERVICES if not service.root} == set(CHECKS)


def test_every_command_line_is_safe_for_the_shell_of_nrpe_and_for_nagios() -> None:
    for service in SERVICES:
        for word in command_line(service):
            assert re.fullmatch(r'[A-Za-z0-9/_.,=-]+', word)


def test_icinga_has_every_option_with_its_help() -> None:
    text = FILES['icinga2/tablefull-commands.conf']
    for check in CHECKS.values():
        command = text.partition(f'object CheckCommand "tablefull-{check.name.replace("_", "-")}" {{')[2].partition(
            '\n}'
        )[0]
        for option in options_of(check):
            assert f'$tablefull_{check.name}_{option.variable}$' in command
            assert option.help[1:].replace('"', '\\"') in command


def test_nrpe_takes_no_argument_of_a_client() -> None:
    assert '$ARG' not in FILES['nrpe/tablefull.cfg']


def test_nrpe_enables_nothing_that_runs_as_root() -> None:
    for line in FILES['nrpe/tablefull.cfg'].splitlines():
        assert not (line.startswith('command[') and 'check_by_sudo' in line)


def test_lines_of_nrpe_stay_below_its_limit() -> None:
    assert all(len(line) < 2047 for line in FILES['nrpe/tablefull.cfg'].splitlines())


def test_sudoers_names_whole_commands_and_no_wildcard() -> None:
    lines = [line for line in FILES['sudoers/tablefull'].splitlines() if not line.startswith('#')]
    for name in re.findall(r'^(?:\w+_Alias) (\w+)', '\n'.join(lines), re.MULTILINE):
        assert name.startswith('TABLEFULL_')
    commands = [line.partition(' = ')[2] for line in lines if line.startswith('Cmnd_Alias')]
    assert len(commands) == sum(service.root for service in SERVICES)
    for command in commands:
        assert command.startswith(f'{PLUGIN_DIRECTORY}/check_')
        assert ' ' in command, 'a command without arguments allows all of them'
        assert not set('*?[]\\!,') & set(command)
    assert 'SETENV' not in ''.join(lines)
    assert not (set('*?[]') & set(''.join(lines)))


def test_a_dot_would_make_sudo_ignore_the_file() -> None:
    assert all('.' not in Path(path).name for path in FILES if path.startswith('sudoers/'))


def test_nagios_reads_a_semicolon_as_a_comment_so_there_is_none() -> None:
    for path, text in FILES.items():
        if path.startswith('nagios/'):
            for line in text.splitlines():
                assert line.startswith('#') or ';' not in line, f'{path}: {line}'


def test_the_basket_has_a_field_for_every_option_and_no_variable_twice() -> None:
    fields = json.loads(FILES['director/tablefull-basket.json'])['Datafield'].values()
    names = [field['varname'] for field in fields]
    assert len(names) == len(set(names))
    assert set(names) == {
        f'tablefull_{check.name}_{option.variable}' for check in CHECKS.values() for option in options_of(check)
    }
