"""templates/zabbix/README.md, in the form of those of Zabbix's own templates, from the tables of the templates."""

from __future__ import annotations

from collections.abc import Sequence

from tools.templates.zabbix.model import HERE, Item, Rule, Step, Template, Trigger

KINDS = {'ZABBIX_PASSIVE': 'Zabbix agent', 'DEPENDENT': 'Dependent item', 'CALCULATED': 'Calculated'}
SEVERITIES = {'INFO': 'Info', 'WARNING': 'Warning', 'AVERAGE': 'Average', 'HIGH': 'High'}

HEAD = """\
# Tablefull by Zabbix agent

<!-- Written by `make templates` from the tables of the templates. -->

## Overview

Four templates for the tables of the Linux network that fill up in silence: connection tracking and neighbours (ARP,
NDP), with the modules that switch tracking on, the ferm firewall run that breaks half-way, and the kernel log.

| Template | The host needs | Values come |
| --- | --- | --- |
| Tablefull by Zabbix agent | this suite and `tablefull.conf` | when the server asks: one process per interval |
| Tablefull by Zabbix agent active | the same | when the agent sends |
| Tablefull native by Zabbix agent | nothing but the agent | when the server asks: {requests} per interval |
| Tablefull native by Zabbix agent active | the same | when the agent sends |

The first two know everything that the checks of the suite know. The native ones read files with the agent's own keys;
what they cannot see stands in their description and [below](#tablefull-native-by-zabbix-agent).

## Requirements

Zabbix version: 6.0 and higher.

| File | For |
| --- | --- |
| `tablefull-6.0.yaml` | 6.0 and higher |
| `tablefull-7.0.yaml` | 7.0 and higher: gauges and problems on the dashboard, a timeout for the snapshot alone |
| `tablefull.conf` | zabbix_agentd and zabbix_agent2 on the monitored host |
| `fleet-dashboard-6.0.json`, `fleet-dashboard-7.0.json` | a dashboard of all hosts, by one request to the API |

Both files hold the same templates with the same UUIDs: import the newer one over the older one at any time.

## Tested versions

Debian's zabbix_server, frontend, zabbix_agentd and zabbix_agent2, 6.0.14 and 7.0.9, on Debian 12: `make test-zabbix`.

## Configuration

> Zabbix should be configured according to the instructions in the
> [Templates out of the box](https://www.zabbix.com/documentation/7.0/manual/config/templates_out_of_the_box)
> section.

## Setup

The page [Zabbix](../../docs/systems/zabbix.md) leads from nothing to a problem on the dashboard, and tells of proxies,
fleets, and what to do when no verdict comes. In short:

1. Install the suite on the host, into `/opt/tablefull`, as the [README](../../README.md#use-it) says. (Not for the
   native templates.)
2. Copy `tablefull.conf` into the agent's directory of included files and restart the agent. (Not for the native ones.)
   The file says where that is, how to change the path, and which group opens the kernel log.
3. Import the file of your version: *Data collection > Templates > Import* (6.0: *Configuration > Templates > Import*).
4. Link one of the four templates to the host.
5. On a host that is meant to track connections (a router, a NAT gateway, a stateful firewall, containers) set the macro
   `{$TABLEFULL.OPTIONS}` to `--expect loaded`.
"""

FEEDBACK = """\
## Feedback

Please report problems and wishes in the issue tracker of the project, with the output of `tablefull snapshot`.
"""


def text(templates: tuple[Template, ...]) -> str:
    """The whole file. The active templates differ in one word, and have no part of their own."""
    (native,) = [one for one in templates if one.setup == 'native' and not one.active]
    requests = sum(item.kind == 'ZABBIX_PASSIVE' for item in native.items)
    parts = [HEAD.replace('{requests}', f'{requests} requests')]
    parts += [_template(template) for template in templates if not template.active]
    return '\n'.join([*parts, FEEDBACK])


def _template(template: Template) -> str:
    lines = [f'## {template.name}', '', *_wrapped(template.about), '']
    lines += _table(
        'Macros used',
        ('Name', 'Description', 'Default'),
        [
            (
                f'{{${macro.name}}}',
                macro.about + (f' {macro.since} only.' if macro.since != '6.0' else ''),
                f'`{macro.value}`' if macro.value else '',
            )
            for macro in sorted(template.macros)
        ],
    )
    lines += _items('Items', template.items)
    lines += _triggers('Triggers', template, template.triggers)
    for rule in template.rules:
        lines += _rule(template, rule)
    return '\n'.join(lines)


def _wrapped(about: str) -> list[str]:
    import textwrap

    return [line for part in about.split('\n') for line in textwrap.wrap(part, 120) or ['']]


def _rule(template: Template, rule: Rule) -> list[str]:
    kept = [f'`{{${name}}}`' for names in rule.keep.values() for name in names]
    filtered = f' Filtered by {" and ".join(kept)}.' if kept else ''
    lines = _table(
        f'LLD rule {rule.name}',
        ('Name', 'Description', 'Type', 'Key and additional info'),
        [(rule.name, rule.about + filtered, KINDS['DEPENDENT'], rule.key)],
    )
    lines += _items(f'Item prototypes for {rule.name}', rule.items)
    return lines + _triggers(f'Trigger prototypes for {rule.name}', template, rule.triggers)


def _items(heading: str, items: tuple[Item, ...]) -> list[str]:
    rows = [(item.name, item.about, KINDS[item.kind], _additional(item)) for item in items]
    return _table(heading, ('Name', 'Description', 'Type', 'Key and additional info'), rows)


def _additional(item: Item) -> str:
    steps = [_step(step) for step in item.steps]
    return item.key + (f'<br>**Preprocessing**: {"; ".join(steps)}' if steps else '')


def _step(step: Step) -> str:
    name = {
        'JSONPATH': 'JSON Path: `{0}`',
        'JAVASCRIPT': 'JavaScript',
        'CHANGE_PER_SECOND': 'change per second',
        'DISCARD_UNCHANGED_HEARTBEAT': 'discard unchanged with heartbeat `{0}`',
        'CHECK_NOT_SUPPORTED': 'check for not supported value',
    }[step.kind].format(*step.parameters)
    if step.on_failure == 'DISCARD_VALUE':
        return name + ' (on failure: discard)'
    if step.on_failure == 'CUSTOM_VALUE':
        value = step.value.replace('\n', ' ')
        return name + f' (on failure: `{value}`)'
    return name


def _triggers(heading: str, template: Template, triggers: tuple[Trigger, ...]) -> list[str]:
    rows = []
    for trigger in triggers:
        more = []
        if trigger.by_hand:
            more.append('Manual close: Yes')
        if trigger.after:
            more.append('**Depends on**: ' + '; '.join(trigger.after))
        expression = f'`{trigger.problem}`'.replace(HERE, f'/{template.name}/')
        if trigger.recovery:
            expression += f'<br>Recovery: `{trigger.recovery}`'.replace(HERE, f'/{template.name}/')
        rows.append((trigger.name, trigger.about, expression, SEVERITIES[trigger.severity], '<br>'.join(more)))
    columns = ('Name', 'Description', 'Expression', 'Severity', 'Dependencies and additional info')
    return _table(heading, columns, rows)


def _table(heading: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    lines = [f'### {heading}', '']
    for row in (columns, tuple('---' for _ in columns), *rows):
        lines.append('| ' + ' | '.join(cell.replace('|', '\\|') for cell in row) + ' |')
    return [*lines, '']
