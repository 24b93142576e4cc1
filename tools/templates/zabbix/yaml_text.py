"""YAML as Zabbix writes it: every scalar a string, quoted unless it can be nothing else."""

from __future__ import annotations

import re
from typing import Any

import yaml

# Words that some YAML reader takes for something else than a string; 'y' is the name of a field.
_NOT_WORDS = {'y', 'n', 'yes', 'no', 'on', 'off', 'true', 'false', 'null'}


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _scalar(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "'"
    if '\n' in text:
        style = '|'
    elif re.fullmatch(r'[A-Za-z][\w.]*', text) and text.lower() not in _NOT_WORDS:
        style = ''
    return dumper.represent_scalar('tag:yaml.org,2002:str', text, style=style)


_Dumper.add_representer(str, _scalar)


def to_yaml(content: dict[str, Any]) -> str:
    """The text of a file. Raises TypeError for a scalar that is no string: Zabbix refuses those."""
    _only_strings(content)
    text: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6)
    return text


def _only_strings(content: Any) -> None:
    if isinstance(content, dict):
        for value in content.values():
            _only_strings(value)
    elif isinstance(content, list):
        for value in content:
            _only_strings(value)
    elif not isinstance(content, str):
        raise TypeError(f'{content!r} is no string')
