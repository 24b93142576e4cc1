"""templates/director/tablefull-basket.json: the same commands and services for Icinga Director, with data fields.

The form is that of Director 1.10, which refuses properties it does not know, UUIDs among them, and drops keys of an
argument that it does not know. It finds objects by name and data fields by content: a basket may be restored again.
"""

from __future__ import annotations

import json
from typing import Any

from tablefull.frame.options import Option
from tablefull.frame.plugin import Check
from tools.templates.icinga2_commands import variable
from tools.templates.services import CHECKS, PLUGIN_DIRECTORY, SERVICES, Service, command_line, options_of
from tools.templates.text import described

NAME = 'tablefull'
_TYPES = 'Icinga\\Module\\Director\\DataType\\DataType'


def _list_name(choices: tuple[str, ...]) -> str:
    return f'tablefull: {", ".join(choices)}'


def _category(check: Check) -> str:
    return f'tablefull {check.name.replace("_", " ")}'


def _data_type(option: Option) -> tuple[str, dict[str, Any]]:
    """Name of the data type of a field, and its settings."""
    if option.choices:
        return 'Datalist', {
            'behavior': 'strict',
            'data_type': 'string',
            'datalist': _list_name(option.choices),
        }
    if option.kind in ('names', 'codes'):
        return 'Array', {}
    if option.kind == 'flag':
        return 'Boolean', {}
    if option.kind == 'count':
        return 'Number', {}
    return 'String', {'visibility': 'visible'}


def _field(check: Check, option: Option) -> dict[str, Any]:
    kind, settings = _data_type(option)
    return {
        'varname': variable(check, option),
        'caption': option.name.replace('-', ' ').capitalize(),
        'description': described(option),
        'datatype': f'{_TYPES}{kind}',
        'format': None,
        'category': _category(check),
        'settings': settings,
    }


def _arguments(check: Check) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for option in options_of(check):
        value = f'${variable(check, option)}$'
        if option.kind == 'count':
            for level in (1, 2, 3):
                condition = f'Number(macro("{value}")) == {level}'
                arguments[f'-{"v" * level}'] = {'set_if': condition, 'set_if_format': 'expression'}
            arguments['-v']['description'] = f'1, 2 or 3: {described(option)}'
        elif option.kind == 'flag':
            arguments[f'--{option.name}'] = {
                'set_if': value,
                'set_if_format': 'string',
                'description': described(option),
            }
        else:
            arguments[f'--{option.name}'] = {'value': value, 'description': described(option)}
    return arguments


def _command(service: Service, field_ids: dict[str, int]) -> dict[str, Any]:
    """A command; it reads its plugin below PluginDir unless that is named."""
    line = ' '.join(command_line(service)).removeprefix(f'{PLUGIN_DIRECTORY}/')
    command: dict[str, Any] = {
        'command': line,
        'methods_execute': 'PluginCheck',
        'object_name': service.command,
        'object_type': 'object',
    }
    if service.root:
        return command
    check = CHECKS[service.check]
    options = options_of(check)
    defaults = {'flag': False, 'count': 0}
    return {
        **command,
        'arguments': _arguments(check),
        'vars': {variable(check, option): defaults[option.kind] for option in options if option.kind in defaults},
        'fields': [
            {'datafield_id': field_ids[variable(check, option)], 'is_required': 'n', 'var_filter': None}
            for option in options
        ],
    }


def _template(service: Service) -> dict[str, Any]:
    return {
        'check_command': service.command,
        'check_interval': str(service.interval),
        'max_check_attempts': str(service.attempts),
        'notes': service.about,
        'notes_url': service.page,
        'object_name': service.name,
        'object_type': 'template',
        'retry_interval': str(service.retry),
        # On the master it would be the verdict of another host.
        'use_agent': True,
    }


def _set(name: str, about: str, services: list[Service]) -> dict[str, Any]:
    return {
        'description': about,
        'object_name': name,
        'object_type': 'template',
        'services': {
            service.name: {'imports': [service.name], 'object_name': service.name, 'object_type': 'object'}
            for service in services
        },
    }


def basket() -> dict[str, Any]:
    """The basket, by type of object and name."""
    pairs = [(check, option) for check in CHECKS.values() for option in options_of(check)]
    field_ids = {variable(check, option): number for number, (check, option) in enumerate(pairs, 1)}
    choices = sorted({option.choices for _, option in pairs if option.choices})
    commands = {service.command: service for service in SERVICES}
    sets = [_set(NAME, 'What every host should run.', [service for service in SERVICES if not service.wanted])]
    # One for each of the others: a set goes to a host as a whole.
    sets += [_set(service.name.replace('-', ' '), service.about, [service]) for service in SERVICES if service.wanted]
    # No object of type Basket: Director 1.10 would add its list of members to the stored one at every restore.
    return {
        'DataList': {
            _list_name(words): {
                'list_name': _list_name(words),
                'owner': NAME,
                'entries': [
                    {'entry_name': word, 'entry_value': word, 'format': 'string', 'allowed_roles': None}
                    for word in words
                ],
            }
            for words in choices
        },
        'DatafieldCategory': {
            _category(check): {'category_name': _category(check), 'description': check.description}
            for check in CHECKS.values()
        },
        'Datafield': {str(number): _field(check, option) for number, (check, option) in enumerate(pairs, 1)},
        'Command': {name: _command(service, field_ids) for name, service in commands.items()},
        'ServiceTemplate': {service.name: _template(service) for service in SERVICES},
        'ServiceSet': {services['object_name']: services for services in sets},
    }


def files() -> dict[str, str]:
    """Path below templates/ -> text."""
    return {f'director/{NAME}-basket.json': json.dumps(basket(), indent=4, ensure_ascii=False) + '\n'}
