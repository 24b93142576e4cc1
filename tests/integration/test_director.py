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
KINDS = ('DataList', 'DatafieldCategory', 'Datafield', 'Command', 'ServiceTemplate', 'ServiceSet')


@pytest.fixture(scope='module')
def restored(shared_place: Path) -> Iterator[Director]:
    with director(shared_place) as found:
        found.run('basket', 'restore', text=BASKET)
        yield found


def test_restoring_it_again_changes_nothing(restored: Director) -> None:
    before = restored.everything()
    assert any(line.startswith('INSERT INTO public.icinga_command_argument ') for line in before)
    restored.run('basket', 'restore', text=BASKET)
    assert restored.everything() == before


@pytest.fixture(scope='module')
def kept(restored: Director) -> dict[str, Any]:
    """What the Director has kept of the basket, as it exports it."""
    chosen = {kind: list(SENT[kind]) for kind in KINDS if not kind.startswith('Datafield')}
    basket = {'basket_name': 'kept', 'owner_type': 'user', 'owner_value': 'test', 'objects': chosen}
    restored.run('basket', 'restore', text=json.dumps({'Basket': {'kept': basket}}))
    exported: dict[str, Any] = json.loads(restored.run('basket', 'dump', '--name', 'kept'))
    return exported


def test_it_has_no_kind_of_object_that_is_not_looked_at() -> None:
    assert set(SENT) == set(KINDS)


@pytest.mark.parametrize('kind', KINDS)
def test_nothing_that_was_sent_is_lost_or_changed(kept: dict[str, Any], kind: str) -> None:
    assert comparable(kept, kept[kind]) == comparable(SENT, SENT[kind])


def comparable(basket: dict[str, Any], value: Any, key: str = '') -> Any:
    """Without the numbers that each database gives by itself, lists that have no order in that of the names."""
    if key == 'fields':
        return sorted(
            (basket['Datafield'][str(field.pop('datafield_id'))]['varname'], field) for field in map(dict, value)
        )
    if key == 'entries':
        return sorted(value, key=lambda entry: str(entry['entry_name']))
    if isinstance(value, dict):
        # Everything has fields in an export, if only none.
        return {
            name: comparable(basket, inner, name)
            for name, inner in value.items()
            if name != 'originalId' and (name, inner) != ('fields', [])
        }
    return value


def test_every_option_has_its_data_field(kept: dict[str, Any]) -> None:
    for check in CHECKS.values():
        command = f'tablefull-{check.name}'.replace('_', '-')
        numbers = [str(field['datafield_id']) for field in kept['Command'][command]['fields']]
        assert sorted(kept['Datafield'][number]['varname'] for number in numbers) == sorted(
            f'tablefull_{check.name}_{option.variable}' for option in options_of(check)
        )


def test_a_field_that_is_described_in_other_words_takes_the_place_of_the_old_one(restored: Director) -> None:
    older = json.loads(BASKET)
    field = next(field for field in older['Datafield'].values() if field['varname'] == 'tablefull_conntrack_warning')
    field['caption'] = 'Older'
    linked = (
        'select caption from icinga_command_field join director_datafield on id = datafield_id '
        "where varname = 'tablefull_conntrack_warning'"
    )
    restored.run('basket', 'restore', text=json.dumps(older))
    assert restored.query(linked) == ['Older']
    restored.run('basket', 'restore', text=BASKET)
    assert restored.query(linked) == ['Warning']


NODE = 'sandbox.example.org'


@pytest.fixture(scope='module')
def rendered(restored: Director) -> dict[str, str]:
    """The configuration that the Director would deploy, by path: what users do with the basket, and then an update."""
    template = {
        'object_name': 'gateways',
        'object_type': 'template',
        # The Director knows no commands of Icinga's own library yet.
        'check_command': 'tablefull-neighbour',
    }
    restored.run('host', 'create', 'gateways', '--json', text=json.dumps(template))
    agent = {'has_agent': True, 'master_should_connect': True, 'accept_config': True}
    host = {'object_type': 'object', 'address': '127.0.0.1', 'imports': ['gateways']}
    restored.run('host', 'create', 'gateway1', '--json', text=json.dumps({**host, **agent, 'object_name': 'gateway1'}))
    variables = {
        'tablefull_ferm': True,
        '_override_servicevars': {'tablefull-neighbour': {'tablefull_neighbour_critical': '@0:100'}},
    }
    itself = {**host, 'object_name': NODE, 'vars': variables}
    restored.run('host', 'create', NODE, '--json', text=json.dumps(itself))
    for name, target in (('tablefull', 'gateways'), *((name, 'gateway1') for name in SENT['ServiceSet'])):
        if (name, target) != ('tablefull', 'gateway1'):
            attached = ('--object_type', 'object', '--host', target, '--imports', name)
            restored.run('serviceset', 'create', name, *attached)
    restored.run('serviceset', 'set', 'tablefull ferm', '--assign_filter', 'host.vars.tablefull_ferm=true')
    restored.run('service', 'set', 'tablefull-conntrack', '--vars.tablefull_conntrack_warning', '85')
    restored.run('basket', 'restore', text=BASKET)
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
    node = Icinga(shared_place / 'deployed', NODE)
    node.certify()
    # The zone that the Director deploys to by default, and `icinga2 node setup` makes.
    constants = (node.etc / 'constants.conf').read_text()
    node.write('constants.conf', constants.replace('const ZoneName = NodeName', 'const ZoneName = "master"'))
    # The host itself is the Director's.
    (node.etc / 'conf.d' / 'hosts.conf').unlink()
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


def test_a_threshold_of_a_host_makes_its_service_red(deployed: Icinga) -> None:
    service = deployed.check_now(NODE, 'tablefull-neighbour')
    assert service['state'] == 2, service['last_check_result']
    assert service['last_check_result']['command'][1:] == ['--critical', '@0:100']


def test_an_update_keeps_thresholds_of_templates_and_rules_of_sets(deployed: Icinga) -> None:
    command = deployed.check_now(NODE, 'tablefull-conntrack')['last_check_result']['command']
    assert command[1:] == ['--warning', '85']
    assert deployed.service(NODE, 'tablefull-ferm')['name'] == 'tablefull-ferm'


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
    variables = {
        'tablefull_kernel_log_verbose': 2,
        'tablefull_kernel_log_new': True,
        'tablefull_kernel_log_since': '5m',
    }
    attributes = {'check_command': 'tablefull-kernel-log', 'vars': variables, 'enable_active_checks': False}
    deployed.api('PUT', f'/v1/objects/services/{NODE}!functions', {'attrs': attributes})
    command = deployed.check_now(NODE, 'functions')['last_check_result']['command']
    assert sorted(command[1:]) == ['--new', '--since', '-vv', '5m']
