"""The Zabbix templates: what an import would refuse, and what it would take and nobody would want."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools.templates.zabbix import VERSIONS, files
from tools.templates.zabbix.findings import CHECKS, OWN, SPOKEN_FOR
from tools.templates.zabbix.model import Item, Template, Trigger
from tools.templates.zabbix.templates import TEMPLATES
from tools.templates.zabbix.uuids import TABLE

from tablefull.findings.catalogue import CATALOGUE
from tablefull.findings.finding import DOCUMENTS

ROOT = Path(__file__).parents[3]
FILES = files()
SEVERITIES = ('INFO', 'WARNING', 'AVERAGE', 'HIGH')
# What agents refuse in a parameter as long as UnsafeUserParameters=0.
REFUSED = set('\\\'"`*?[]{}~$!&;()<>|#@\n')


def walk(content: Any) -> list[Any]:
    """Every scalar and every mapping in a file."""
    if isinstance(content, dict):
        return [content, *(one for value in content.values() for one in walk(value))]
    if isinstance(content, list):
        return [one for value in content for one in walk(value)]
    return [content]


def items(template: Template) -> tuple[Item, ...]:
    return template.items + tuple(item for rule in template.rules for item in rule.items)


def triggers(template: Template) -> tuple[Trigger, ...]:
    return template.triggers + tuple(trigger for rule in template.rules for trigger in rule.triggers)


def named(template: Template) -> str:
    return template.name


every_template = pytest.mark.parametrize('template', TEMPLATES, ids=named)
every_version = pytest.mark.parametrize('version', VERSIONS)


@every_version
def test_every_scalar_is_a_string(version: str) -> None:
    content = yaml.safe_load(FILES[f'zabbix/tablefull-{version}.yaml'])
    assert content['zabbix_export']['version'] == version
    assert [one for one in walk(content) if not isinstance(one, (str, dict))] == []


@every_version
def test_everything_has_a_uuid_of_its_own_and_keeps_it(version: str) -> None:
    known = json.loads(TABLE.read_text())
    assert len(set(known.values())) == len(known)
    content = yaml.safe_load(FILES[f'zabbix/tablefull-{version}.yaml'])
    found = [one['uuid'] for one in walk(content) if isinstance(one, dict) and 'uuid' in one]
    assert len(set(found)) == len(found)
    # The first is Zabbix's own group of templates.
    assert sorted(set(found[1:]) - set(known.values())) == []
    for one in found:
        assert re.fullmatch('[0-9a-f]{32}', one)
        assert (uuid.UUID(one).version, uuid.UUID(one).variant) == (4, uuid.RFC_4122)


def test_both_formats_hold_the_same_things() -> None:
    old, new = (
        {
            one['uuid']: one.get('key') or one.get('name')
            for one in walk(yaml.safe_load(FILES[f'zabbix/tablefull-{version}.yaml']))
            if isinstance(one, dict) and 'uuid' in one
        }
        for version in VERSIONS
    )
    assert old == new


@every_template
def test_keys_and_names_are_there_once_and_are_short_enough(template: Template) -> None:
    keys = [item.key for item in items(template)] + [rule.key for rule in template.rules]
    assert len(set(keys)) == len(keys)
    names = [trigger.name for trigger in triggers(template)]
    assert len(set(names)) == len(names)
    assert max(map(len, [*keys, *names])) <= 255


@every_template
def test_every_macro_is_defined_described_and_used(template: Template) -> None:
    used = set(re.findall(r'\{\$([A-Z._]+)', str((items(template), triggers(template), template.rules))))
    used |= {macro for rule in template.rules for pair in rule.keep.values() for macro in pair}
    # The format of 7.0 and the polled items take these two.
    used |= {'TABLEFULL.INTERVAL'} | ({'TABLEFULL.TIMEOUT'} if template.setup == 'snapshot' else set())
    assert {macro.name for macro in template.macros} == used
    assert all(macro.about.endswith('.') for macro in template.macros)


@every_template
def test_a_trigger_looks_at_items_there_are_and_leads_to_a_page(template: Template) -> None:
    keys = {item.key for item in items(template)}
    for trigger in triggers(template):
        assert trigger.keys, trigger.name
        assert set(trigger.keys) <= keys, trigger.name
        for key in re.findall(r'\{\?last\(//(.*?)\)\}', trigger.event):
            assert key in keys, trigger.name
        assert trigger.url.startswith(DOCUMENTS)
        assert (ROOT / 'docs' / trigger.url[len(DOCUMENTS) :].partition('#')[0]).exists()
        assert len(trigger.about) > 30


@every_template
def test_nothing_is_hidden_behind_something_less_severe(template: Template) -> None:
    by_name = {trigger.name: trigger for trigger in triggers(template)}
    for trigger in triggers(template):
        for name in trigger.after:
            assert SEVERITIES.index(by_name[name].severity) >= SEVERITIES.index(trigger.severity), trigger.name


@every_template
def test_no_trigger_depends_on_itself(template: Template) -> None:
    by_name = {trigger.name: trigger for trigger in triggers(template)}

    def behind(name: str, seen: tuple[str, ...]) -> None:
        assert name not in seen, f'{name} depends on itself'
        for other in by_name[name].after:
            behind(other, (*seen, name))

    for name in by_name:
        behind(name, ())


@every_template
def test_a_level_waits_for_a_second_look_for_a_loss_of_the_first_may_be_judged_after_it(template: Template) -> None:
    kept = {item.key: [step.kind for step in item.steps] for item in items(template)}
    levels = [trigger for trigger in triggers(template) if 'usage is' in trigger.name or 'full soon' in trigger.name]
    assert len(levels) >= 5
    for trigger in levels:
        found = re.match(r'min\(@(\S+?usage\S*),#2\)>=', trigger.problem)
        assert found, trigger.name
        # Two values are two looks only where each look leaves one.
        assert 'DISCARD_UNCHANGED_HEARTBEAT' not in kept[found[1]]


def test_every_finding_becomes_a_problem_in_one_way() -> None:
    codes = [own.code for own in OWN]
    assert len(set(codes)) == len(codes)
    assert set(codes) & set(SPOKEN_FOR) == set()
    assert set(codes) | set(SPOKEN_FOR) <= set(CATALOGUE)
    assert {own.check for own in OWN} | set(SPOKEN_FOR.values()) <= set(CHECKS)


def test_the_agents_take_the_configuration() -> None:
    lines = [line for line in FILES['zabbix/tablefull.conf'].splitlines() if line and not line.startswith('#')]
    keys = []
    for line in lines:
        assert len(line.encode()) <= 2048
        key, command = re.fullmatch(r'UserParameter=([a-z.]+)\[\*\],(/opt/tablefull/bin/\S+ .*)', line).groups()  # type: ignore[union-attr]
        keys.append(key)
        assert command
    assert len(set(keys)) == len(keys)


def test_what_the_templates_pass_needs_no_unsafe_parameters() -> None:
    for template in TEMPLATES:
        for macro in template.macros:
            if macro.name == 'TABLEFULL.OPTIONS':
                assert not REFUSED & set(macro.value + '--expect loaded --ignore conntrack-drops,ferm-age --since 15m')


def rules(version: str) -> dict[str, dict[str, Any]]:
    """The discovery rules of the first template in a file, by key."""
    (template, *_) = yaml.safe_load(FILES[f'zabbix/tablefull-{version}.yaml'])['zabbix_export']['templates']
    return {rule['key']: rule for rule in template['discovery_rules']}


def test_what_is_gone_works_on_until_its_problems_have_ended() -> None:
    old, new = rules('6.0')['tablefull.namespaces'], rules('7.0')['tablefull.namespaces']
    # An hour is the shortest that both releases take.
    assert (old['lifetime'], new['lifetime'], new['enabled_lifetime_type']) == ('1h', '1h', 'DISABLE_NEVER')
    assert 'enabled_lifetime_type' not in old
    for rule in (old, new):
        # The hour begins when the rule was last looked at, which must not be an hour ago.
        assert rule['preprocessing'][-1]['parameters'] == ['10m']
    # A network card that is away for a while keeps its history: as long as Zabbix thinks right.
    assert 'lifetime' not in rules('6.0')['tablefull.neighbour.interfaces']


@every_version
def test_a_namespace_that_is_gone_has_values_that_end_its_problems(version: str) -> None:
    prototypes = {item['key']: item for item in rules(version)['tablefull.namespaces']['item_prototypes']}
    for field in ('entries', 'usage', 'refused'):
        item = prototypes[f'tablefull.namespace.{field}[{{#NAMESPACE}}]']
        # An answer without the list has neither the one nor the other, and ends nothing.
        (step,) = item['preprocessing']
        assert "@.id=='{#NAMESPACE}' || @.id=='*'" in step['parameters'][0]
        assert step['error_handler'] == 'DISCARD_VALUE'
        assert {'tag': 'namespace', 'value': '{#NAMESPACE}'} in item['tags']


def test_a_namespace_that_is_full_is_one_problem() -> None:
    (rule,) = [rule for rule in TEMPLATES[0].rules if rule.key == 'tablefull.namespaces']
    full, high, warning = rule.triggers
    assert (full.severity, high.severity, warning.severity) == ('HIGH', 'AVERAGE', 'WARNING')
    assert (full.after, high.after, warning.after) == ((), (full.name,), (high.name, full.name))
    # The findings of the same fact have no trigger beside them.
    assert {'conntrack-namespace-table-full', 'conntrack-namespace-usage-high'} <= set(SPOKEN_FOR)
    assert full.url.endswith('/conntrack-namespace-table-full.md')
    assert high.url.endswith('/conntrack-namespace-usage-high.md')
