"""Templates -> what a file of Zabbix holds, in the format of 6.0 or of 7.0."""

from __future__ import annotations

from typing import Any

from tools.templates.zabbix.dashboard import natural, widgets
from tools.templates.zabbix.model import HERE, Graph, Item, Rule, Step, Template, Trigger
from tools.templates.zabbix.uuids import GROUP, Uuids

Content = dict[str, Any]


def export(templates: tuple[Template, ...], version: str, uuids: Uuids) -> Content:
    """The content of one file, everything as strings. Empty fields are left out, as Zabbix does."""
    triggers = [
        _trigger(template, trigger, template.triggers, uuids)
        for template in templates
        for trigger in template.triggers
        if len(trigger.keys) > 1
    ]
    graphs = [_graph(template, graph, uuids) for template in templates for graph in template.graphs]
    return {
        'zabbix_export': _without_empty(
            {
                'version': version,
                'groups' if version == '6.0' else 'template_groups': [{'uuid': GROUP[1], 'name': GROUP[0]}],
                'templates': [_template(template, version, uuids) for template in templates],
                'triggers': triggers,
                'graphs': graphs,
            }
        )
    }


def _without_empty(fields: Content) -> Content:
    return {name: value for name, value in fields.items() if value not in ('', [], None)}


def _template(template: Template, version: str, uuids: Uuids) -> Content:
    dashboard = {
        'uuid': uuids(template.name, 'dashboard', template.dashboard),
        'name': template.dashboard,
        'pages': [{'widgets': widgets(template, version)}],
    }
    vendor = {'name': 'tablefull', 'version': f'{version}-{TEMPLATE_VERSION}'} if version != '6.0' else None
    return _without_empty(
        {
            'uuid': uuids(template.name, 'template'),
            'template': template.name,
            'name': template.name,
            'description': template.about,
            'vendor': vendor,
            'groups': [{'name': GROUP[0]}],
            'items': [_item(template, item, (), version, uuids) for item in template.items],
            'discovery_rules': [_rule(template, rule, version, uuids) for rule in template.rules],
            'tags': _tags({'class': 'os', 'target': 'tablefull'}),
            'macros': [
                _without_empty({'macro': f'{{${macro.name}}}', 'value': macro.value, 'description': macro.about})
                for macro in sorted(template.macros)
                if macro.since <= version
            ],
            'dashboards': [dashboard],
            'valuemaps': [
                {
                    'uuid': uuids(template.name, 'value map', name),
                    'name': name,
                    'mappings': [{'value': value, 'newvalue': word} for value, word in mappings.items()],
                }
                for name, mappings in template.value_maps.items()
            ],
        }
    )


# Of the templates, not of the suite: raised when an item or a trigger changes.
TEMPLATE_VERSION = '0'


def _tags(tags: dict[str, str]) -> list[Content]:
    return [{'tag': name, 'value': value} for name, value in sorted(tags.items())]


def _item(template: Template, item: Item, siblings: tuple[Trigger, ...], version: str, uuids: Uuids) -> Content:
    """An item; with `siblings`, the triggers of its rule, an item prototype."""
    prototype = '{#' in item.key
    triggers = siblings if prototype else template.triggers
    own = [_trigger(template, one, triggers, uuids) for one in triggers if one.keys == (item.key,)]
    kind = 'ZABBIX_ACTIVE' if template.active and item.kind == 'ZABBIX_PASSIVE' else item.kind
    # The default of both formats is left out, as an export does.
    kind = '' if kind == 'ZABBIX_PASSIVE' else kind
    numeric = item.value_type in ('UNSIGNED', 'FLOAT')
    tags = {'component': item.component}
    if prototype:
        tags |= {name: macro for name, macro in _PROTOTYPE_TAGS.items() if macro in item.key}
    polled = item.kind != 'DEPENDENT'
    return _without_empty(
        {
            'uuid': uuids(template.name, 'item', item.key),
            'name': item.name,
            'type': kind,
            'key': item.key,
            'delay': '{$TABLEFULL.INTERVAL}' if polled else '0',
            'history': item.history,
            'trends': item.trends if numeric and item.trends != '365d' else '' if numeric else '0',
            'value_type': '' if item.value_type == 'UNSIGNED' else item.value_type,
            'units': item.units,
            'params': item.formula,
            'description': item.about,
            'valuemap': {'name': item.value_map} if item.value_map else None,
            'preprocessing': [_step(step, version) for step in item.steps],
            'timeout': '{$TABLEFULL.TIMEOUT}' if _may_take_long(item, version) else '',
            'master_item': {'key': item.master} if item.master else None,
            'tags': _tags(tags),
            'trigger_prototypes' if prototype else 'triggers': own,
        }
    )


def _may_take_long(item: Item, version: str) -> bool:
    return version != '6.0' and item.key.startswith('tablefull.') and item.kind == 'ZABBIX_PASSIVE'


_PROTOTYPE_TAGS = {'family': '{#FAMILY}', 'interface': '{#INTERFACE}', 'namespace': '{#NAMESPACE}'}


def _step(step: Step, version: str) -> Content:
    parameters = list(step.parameters)
    if step.kind == 'CHECK_NOT_SUPPORTED' and version != '6.0':
        parameters = ['-1']
    return _without_empty(
        {
            'type': step.kind,
            'parameters': parameters,
            'error_handler': step.on_failure,
            'error_handler_params': step.value,
        }
    )


def _expression(template: Template, expression: str) -> str:
    return expression.replace(HERE, f'/{template.name}/')


def _trigger(template: Template, trigger: Trigger, among: tuple[Trigger, ...], uuids: Uuids) -> Content:
    by_name = {other.name: other for other in (*template.triggers, *among)}
    return _without_empty(
        {
            'uuid': uuids(template.name, 'trigger', trigger.name),
            'expression': _expression(template, trigger.problem),
            'recovery_mode': 'RECOVERY_EXPRESSION' if trigger.recovery else '',
            'recovery_expression': _expression(template, trigger.recovery),
            'name': trigger.name,
            'event_name': trigger.event,
            'url': trigger.url,
            'priority': trigger.severity,
            'description': trigger.about,
            'manual_close': 'YES' if trigger.by_hand else '',
            'dependencies': [_dependency(template, by_name[name]) for name in sorted(trigger.after, key=natural)],
            'tags': _tags({'scope': trigger.scope}),
        }
    )


def _dependency(template: Template, trigger: Trigger) -> Content:
    return _without_empty(
        {
            'name': trigger.name,
            'expression': _expression(template, trigger.problem),
            'recovery_expression': _expression(template, trigger.recovery),
        }
    )


def _rule(template: Template, rule: Rule, version: str, uuids: Uuids) -> Content:
    conditions = []
    for macro, (matches, not_matches) in rule.keep.items():
        conditions += [
            {'macro': macro, 'value': f'{{${matches}}}', 'formulaid': 'A'},
            {'macro': macro, 'value': f'{{${not_matches}}}', 'operator': 'NOT_MATCHES_REGEX', 'formulaid': 'B'},
        ]
    prototypes = [_item(template, item, rule.triggers, version, uuids) for item in rule.items]
    several = [_trigger(template, one, rule.triggers, uuids) for one in rule.triggers if len(one.keys) > 1]
    return _without_empty(
        {
            'uuid': uuids(template.name, 'rule', rule.key),
            'name': rule.name,
            'type': 'DEPENDENT',
            'key': rule.key,
            'delay': '0',
            'filter': {'evaltype': 'AND', 'conditions': conditions} if conditions else None,
            'lifetime': rule.lifetime,
            # By default 7.0 disables at once, and then no value could end a problem.
            'enabled_lifetime_type': 'DISABLE_NEVER' if rule.lifetime and version != '6.0' else '',
            'description': rule.about,
            'item_prototypes': prototypes,
            'trigger_prototypes': several,
            'graph_prototypes': [_graph(template, graph, uuids) for graph in rule.graphs],
            'master_item': {'key': rule.master},
            'lld_macro_paths': [{'lld_macro': macro, 'path': path} for macro, path in sorted(rule.macros.items())],
            'preprocessing': [
                _step(Step('JSONPATH', (rule.path,), 'DISCARD_VALUE'), version),
                _step(Step('DISCARD_UNCHANGED_HEARTBEAT', (rule.heartbeat,)), version),
            ],
        }
    )


def _graph(template: Template, graph: Graph, uuids: Uuids) -> Content:
    lines = [
        _without_empty(
            {
                'sortorder': str(number) if number else '',
                'drawtype': '' if line.draw == 'SINGLE_LINE' else line.draw,
                'color': line.colour,
                'item': {'host': template.name, 'key': line.key},
            }
        )
        for number, line in enumerate(graph.lines)
    ]
    return _without_empty(
        {
            'uuid': uuids(template.name, 'graph', graph.name),
            'name': graph.name,
            'ymin_type_1': 'FIXED' if graph.lowest else '',
            'yaxismin': graph.lowest if graph.lowest != '0' else '',
            'ymax_type_1': 'FIXED' if graph.highest else '',
            'yaxismax': graph.highest if graph.highest != '100' else '',
            'graph_items': lines,
        }
    )
