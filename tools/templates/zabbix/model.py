"""What a Zabbix template consists of, as far as these templates need it. No format: see export.py and readme.py."""

from __future__ import annotations

import re
from typing import NamedTuple

# In an expression it stands before a key, for `/Name of the template/`: one table serves several templates.
HERE = '@'


class Step(NamedTuple):
    """A step of preprocessing.

    kind        as the format spells it
    parameters  of the step
    on_failure  '' (the item becomes unsupported), 'DISCARD_VALUE' or 'CUSTOM_VALUE'
    value       the custom value
    """

    kind: str
    parameters: tuple[str, ...] = ('',)
    on_failure: str = ''
    value: str = ''


class Item(NamedTuple):
    """An item, or an item prototype.

    key         of the item; what stands in front of a bracket is the same in all prototypes
    name        component first, then the fact
    about       one or two sentences
    component   value of the tag `component`
    steps       preprocessing
    value_type  UNSIGNED, FLOAT, CHAR or TEXT
    units       as Zabbix scales them; a leading '!' stops that
    value_map   name of the value map, '' without one
    kind        DEPENDENT, ZABBIX_PASSIVE (becomes ZABBIX_ACTIVE in an active template) or CALCULATED
    master      key of the master item of a dependent one
    formula     of a calculated item
    history     how long values are kept; '0' keeps none
    trends      how long hourly averages are kept; '0' keeps none
    """

    key: str
    name: str
    about: str
    component: str
    steps: tuple[Step, ...] = ()
    value_type: str = 'UNSIGNED'
    units: str = ''
    value_map: str = ''
    kind: str = 'DEPENDENT'
    master: str = ''
    formula: str = ''
    history: str = '7d'
    trends: str = '365d'


class Trigger(NamedTuple):
    """A trigger, or a trigger prototype.

    name      the object and the fact
    severity  INFO, WARNING, AVERAGE, HIGH
    problem   expression, with HERE before each key
    about     what it means, and what a macro does
    url       page that tells what to do
    event     name of the event with the value in it; '' for the same as `name`
    recovery  expression that ends the problem; '' when the problem expression is false
    after     names of triggers that must not be in a problem state: causes, and stronger words for the same thing
    scope     value of the tag `scope`
    by_hand   may be closed by hand
    """

    name: str
    severity: str
    problem: str
    about: str
    url: str
    event: str = ''
    recovery: str = ''
    after: tuple[str, ...] = ()
    scope: str = 'capacity'
    by_hand: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the items it looks at, each once."""
        return tuple(dict.fromkeys(re.findall(HERE + r'([\w.]+(?:\[[^\]]*\])?)', self.problem + self.recovery)))


class Line(NamedTuple):
    """One item in a graph: its key, colour, and how it is drawn (SINGLE_LINE, BOLD_LINE, FILLED_REGION)."""

    key: str
    colour: str
    draw: str = 'SINGLE_LINE'


class Graph(NamedTuple):
    """A graph, or a graph prototype. `lowest` and `highest` bound its axis; '' leaves that to Zabbix."""

    name: str
    lines: tuple[Line, ...]
    lowest: str = '0'
    highest: str = ''


class Rule(NamedTuple):
    """A rule of low-level discovery that takes a list out of its master item.

    key      of the rule
    name     of the rule
    about    what it finds
    path     JSONPath of the list
    macros   LLD macro -> JSONPath in an element of the list
    keep     LLD macro -> (user macro with a pattern it must match, user macro with one it must not match)
    lifetime   how long what is lost stays, working all the while so that its problems end; '' for Zabbix's default
    heartbeat  how often a list that stays the same is looked at; much shorter than `lifetime`
    """

    key: str
    name: str
    about: str
    path: str
    macros: dict[str, str]
    master: str
    keep: dict[str, tuple[str, str]]
    items: tuple[Item, ...]
    triggers: tuple[Trigger, ...] = ()
    graphs: tuple[Graph, ...] = ()
    lifetime: str = ''
    heartbeat: str = '1h'


class Macro(NamedTuple):
    """A user macro: its name without braces, its value, what it does, and the first format that has a use for it."""

    name: str
    value: str
    about: str
    since: str = '6.0'


class Template(NamedTuple):
    """A template.

    name         and technical name
    about        description, several lines
    active       the agent sends by itself
    component    what `tag: target` says
    widgets      dashboard: format ('6.0', '7.0') -> widgets as that format writes them
    """

    name: str
    about: str
    active: bool
    items: tuple[Item, ...]
    triggers: tuple[Trigger, ...]
    rules: tuple[Rule, ...]
    macros: tuple[Macro, ...]
    graphs: tuple[Graph, ...]
    value_maps: dict[str, dict[str, str]]
    dashboard: str
    setup: str
