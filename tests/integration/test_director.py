"""Icinga Director takes the basket, twice without change, and makes of it what our files for Icinga say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tools.templates.services import CHECKS, SERVICES, options_of

from tests.integration.director import Director, director
from tests.integration.icinga import CONTRIBUTED, Icinga
from tests.integration.remotes import TEMPLATES

BASKET = (TEMPLATES / 'director' / 'tablefull-basket.json').read_text()
SENT = json.loads(BASKET)
COMMANDS = sorted(SENT['Command'])
# What the Director changes on every run, and what only its own database knows.
TABLES = {
    'director_datafield': 'varname, caption, description, datatype',
    'director_datafield_setting': 'setting_name, setting_value',
    'director_datalist_entry': 'entry_name, entry_value',
    'icinga_command': 'object_name, command',
    'icinga_command_argument': 'argument_name, argument_value, set_if, set_if_format, description',
    'icinga_command_field': 'command_id, datafield_id',
    'icinga_service': 'object_name, object_type, check_interval, use_agent',
    'icinga_service_set': 'object_name, description',
}


@pytest.fixture(scope='module')
def restored(shared_place: Path) -> Iterator[Director]:
    with director(shared_place) as found:
        found.run('basket', 'restore', text=BASKET)
        yield found


def rows(found: Director) -> dict[str, list[str]]:
    return {table: sorted(found.query(f'select {columns} from {table}')) for table, columns in TABLES.items()}


def test_restoring_it_again_changes_nothing(restored: Director) -> None:
    before, log = rows(restored), restored.query('select count(*) from director_activity_log')
    assert all(before.values())
    restored.run('basket', 'restore', text=BASKET)
    assert rows(restored) == before
    assert restored.query('select count(*) from director_activity_log') == log


def plain(value: Any) -> Any:
    """Without what is not set, with words for numbers as the Director keeps some of them."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if inner is not None and key != 'originalId'}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


def test_nothing_that_was_sent_is_lost(restored: Director) -> None:
    kept = json.loads(restored.run('basket', 'dump', '--name', 'tablefull'))
    assert set(kept) >= {'Command', 'ServiceTemplate', 'ServiceSet', 'Datafield', 'DatafieldCategory', 'DataList'}
    for name, command in SENT['Command'].items():
        stored = plain(kept['Command'][name])
        for key, value in plain(command).items():
            if key == 'arguments':
                assert {argument: given(stored[key][argument]) for argument in value} == {
                    argument: given(inner) for argument, inner in value.items()
                }
                assert set(stored[key]) == set(value)
            elif key != 'fields':
                assert stored[key] == value, (name, key)
    for kind in ('ServiceTemplate', 'DatafieldCategory'):
        for name, sent in SENT[kind].items():
            stored = plain(kept[kind][name])
            assert {key: stored.get(key) for key in plain(sent)} == plain(sent), name
    for name, sent in SENT['ServiceSet'].items():
        assert set(kept['ServiceSet'][name]['services']) == set(sent['services'])
    for name, sent in SENT['DataList'].items():
        words = [entry['entry_name'] for entry in kept['DataList'][name]['entries']]
        assert sorted(words) == sorted(entry['entry_name'] for entry in sent['entries'])


def given(argument: Any) -> Any:
    """An argument as it was written: only a value is shown as just that."""
    argument = {'value': argument} if isinstance(argument, str) else dict(plain(argument))
    argument.pop('set_if_format', None)
    return argument


def test_every_option_has_its_data_field(restored: Director) -> None:
    kept = json.loads(restored.run('basket', 'dump', '--name', 'tablefull'))
    fields = {number: plain(field) for number, field in kept['Datafield'].items()}
    for sent in SENT['Datafield'].values():
        stored = [field for field in fields.values() if field['varname'] == sent['varname']]
        assert len(stored) == 1
        assert {key: stored[0].get(key) for key in plain(sent) if key != 'settings'} == {
            key: value for key, value in plain(sent).items() if key != 'settings'
        }
        settings = stored[0].get('settings') or {}
        assert {key: settings.get(key) for key in sent['settings']} == sent['settings']
    for check in CHECKS.values():
        command = f'tablefull-{check.name}'.replace('_', '-')
        linked = {fields[str(field['datafield_id'])]['varname'] for field in kept['Command'][command]['fields']}
        assert linked == {f'tablefull_{check.name}_{option.variable}' for option in options_of(check)}


@pytest.fixture(scope='module')
def rendered(restored: Director) -> dict[str, str]:
    """The configuration that the Director would deploy, by path, with one host that has everything."""
    host = {
        'object_name': 'gateway1',
        'object_type': 'object',
        'address': '127.0.0.1',
        # The Director knows no commands of Icinga's own library yet.
        'check_command': 'tablefull-neighbour',
        'has_agent': True,
        'master_should_connect': True,
        'accept_config': True,
        'vars': {'tablefull_conntrack_critical': '97'},
    }
    restored.run('host', 'create', 'gateway1', '--json', text=json.dumps(host))
    for name in SENT['ServiceSet']:
        attached = {'object_name': name, 'object_type': 'object', 'host': 'gateway1', 'imports': [name]}
        restored.run('serviceset', 'create', name, '--json', text=json.dumps(attached))
    restored.run('config', 'render')
    files: dict[str, str] = {}
    for row in restored.query(
        "select cf.file_path || '|' || replace(f.content, E'\\n', '~~') from director_generated_config_file cf "
        'join director_generated_file f on f.checksum = cf.file_checksum'
    ):
        path, _, content = row.partition('|')
        files[path] = content.replace('~~', '\n')
    return files


@pytest.fixture(scope='module')
def deployed(rendered: dict[str, str], shared_place: Path) -> Iterator[Icinga]:
    """An Icinga with the configuration of the Director and none of ours."""
    (CONTRIBUTED / 'tablefull-commands.conf').unlink(missing_ok=True)
    node = Icinga(shared_place / 'deployed')
    node.certify()
    # The zone that the Director deploys to by default, and `icinga2 node setup` makes.
    constants = (node.etc / 'constants.conf').read_text()
    node.write('constants.conf', constants.replace('const ZoneName = NodeName', 'const ZoneName = "master"'))
    for path, text in rendered.items():
        node.write(path, text)
    with node:
        yield node


def test_icinga_accepts_what_the_director_makes_of_it(deployed: Icinga) -> None:
    names = {result['attrs']['name'] for result in deployed.api('GET', '/v1/objects/services?host=gateway1')}
    assert {service.name for service in SERVICES} <= names
    service = deployed.service('gateway1', 'tablefull-conntrack')
    assert service['check_interval'] == 60
    assert service['command_endpoint'] == 'gateway1'


def loaded(node: Icinga) -> dict[str, dict[str, Any]]:
    """Our commands as the daemon has them, without what only its files differ in."""
    found = {}
    for result in node.api('GET', '/v1/objects/checkcommands'):
        attributes = result['attrs']
        if attributes['name'].startswith('tablefull-'):
            kept = {key: attributes[key] for key in ('command', 'arguments', 'vars', 'timeout')}
            found[attributes['name']] = without_functions(kept)
    return found


def without_functions(value: Any) -> Any:
    """A function has no text in the API; what it does is tested where it runs."""
    if isinstance(value, dict):
        inner = {key: without_functions(item) for key, item in value.items()}
        return 'a function' if inner.get('type') == 'Function' else inner
    return value


def test_it_defines_the_same_commands_as_the_files_for_icinga(deployed: Icinga, shared_place: Path) -> None:
    by_director = loaded(deployed)
    shutil.copy(TEMPLATES / 'icinga2' / 'tablefull-commands.conf', CONTRIBUTED)
    try:
        node = Icinga(shared_place / 'files', port=5670)
        node.certify()
        with node:
            by_files = loaded(node)
    finally:
        (CONTRIBUTED / 'tablefull-commands.conf').unlink()
    assert sorted(by_director) == sorted(by_files) == COMMANDS
    for name in COMMANDS:
        assert by_director[name] == by_files[name], name


def test_its_functions_do_what_ours_do(deployed: Icinga) -> None:
    host = deployed.name
    variables = {
        'tablefull_kernel_log_verbose': 2,
        'tablefull_kernel_log_new': True,
        'tablefull_kernel_log_since': '5m',
    }
    attributes = {'check_command': 'tablefull-kernel-log', 'vars': variables, 'enable_active_checks': False}
    deployed.api('PUT', f'/v1/objects/services/{host}!functions', {'attrs': attributes})
    command = deployed.check_now(host, 'functions')['last_check_result']['command']
    assert sorted(command[1:]) == ['--new', '--since', '-vv', '5m']
