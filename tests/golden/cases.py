"""The fixture trees, the verdicts beside them, and how a check is run on one.

tests/fixtures/<case>/ is the root of a host as it was. Beside its proc, sys, etc and recordings lie

* verdict.toml  for each check the state, and codes of findings, that an experienced operator would give; under [triage]
                the state and the causes, in their order;
* NOTES         for a tree written by hand: which facts about that kernel it follows;
* earlier/      files of the same host some minutes before, for what only two runs can tell.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from typing import NamedTuple

from tablefull import command
from tablefull.frame.plugin import Check, main
from tablefull.snapshot.main import answer

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(os.path.dirname(HERE), 'fixtures')

CHECKS = ('conntrack', 'conntrack_modules', 'neighbour', 'ferm', 'kernel_log')


class Verdict(NamedTuple):
    """What a check has to say about a host.

    state   'ok', 'warning', 'critical' or 'unknown'
    codes   findings that must be among those of the check
    why     the reason, in one sentence
    absent  findings that would be wrong
    says    texts that must stand somewhere in the findings
    """

    state: str
    codes: tuple[str, ...]
    why: str
    absent: tuple[str, ...] = ()
    says: tuple[str, ...] = ()


def cases() -> list[str]:
    """Names of the trees."""
    return sorted(name for name in os.listdir(FIXTURES) if os.path.isfile(os.path.join(FIXTURES, name, 'verdict.toml')))


def runs() -> list[tuple[str, str]]:
    """(case, run) for every verdict; a run is the name of a check, and maybe options: 'ferm --verify-rules'."""
    return [(case, run) for case in cases() for run in read_verdicts(case)]


def read_verdicts(case: str) -> dict[str, Verdict]:
    """The verdicts of a tree by run, those of the five checks first."""
    path = os.path.join(FIXTURES, case, 'verdict.toml')
    with open(path, encoding='utf-8') as file:
        tables = parse_toml(file.read())
    names = [*CHECKS, *sorted(set(tables) - {*CHECKS, 'triage'})]
    return {run: Verdict(**tables[run]) for run in names}  # type: ignore[arg-type]


def read_triage(case: str) -> Verdict:
    """What triage has to say: `codes` are those of all causes, in their order."""
    with open(os.path.join(FIXTURES, case, 'verdict.toml'), encoding='utf-8') as file:
        return Verdict(**parse_toml(file.read())['triage'])  # type: ignore[arg-type]


def parse_toml(text: str) -> dict[str, dict[str, str | tuple[str, ...]]]:
    """As much of TOML as a verdict needs: tables of strings and of lists of strings, each on one line, without escapes.

    Python 3.9 and 3.10 have no tomllib. Raises ValueError for anything else.
    """
    string = r'"([^"\\]*)"'
    tables: dict[str, dict[str, str | tuple[str, ...]]] = {}
    table = ''
    for line in text.splitlines():
        if not line.strip() or line.startswith('#'):
            continue
        head = re.fullmatch(rf'\[(?:([\w-]+)|{string})\]', line)
        entry = re.fullmatch(rf'(\w+) = (?:{string}|(\[(?:{string}(?:, {string})*)?\]))', line)
        if head and (head[1] or head[2]) not in tables:
            table = head[1] or head[2]
            tables[table] = {}
        elif entry and table and entry[1] not in tables[table]:
            tables[table][entry[1]] = tuple(re.findall(string, entry[3])) if entry[3] else entry[2]
        else:
            raise ValueError(f'not a line of a verdict: {line}')
    return tables


def execute(case: str, run: str, *options: str) -> tuple[int, str]:
    """(exit code, output) of a run on a tree, with `options` beside its own and nothing remembered of other runs."""
    name, *own = run.split()
    check: Check = importlib.import_module(f'check_{name}').CHECK

    def with_options(*place: str) -> tuple[int, str]:
        return main(check, [*own, *options, *place])

    return on_tree(case, with_options, lambda *place: main(check, [*own, *place]))


def snapshot(case: str, *options: str) -> tuple[int, str]:
    """(exit code, output) of `tablefull snapshot` on a tree."""

    def take(*place: str) -> tuple[int, str]:
        return answer([*options, *place])

    return on_tree(case, take, take)


def triage(case: str, *options: str) -> tuple[int, str]:
    """(exit code, output) of `tablefull triage` on a tree."""

    def run(*place: str) -> tuple[int, str]:
        return command.answer(['triage', *options, *place])

    return on_tree(case, run, run)


def on_tree(case: str, run: Callable[..., tuple[int, str]], before: Callable[..., tuple[int, str]]) -> tuple[int, str]:
    """What `run` returns for the options of a tree, after `before` on what the tree was earlier, if it tells."""
    tree = os.path.join(FIXTURES, case)
    with tempfile.TemporaryDirectory(prefix='tablefull-') as directory:
        state = os.path.join(directory, 'state')
        earlier = os.path.join(tree, 'earlier')
        if os.path.isdir(earlier):
            # The same path for both runs, for it is part of what a check remembers a host by.
            root = os.path.join(directory, 'host')
            shutil.copytree(tree, root, symlinks=True)
            shutil.copytree(earlier, root, dirs_exist_ok=True)
            before('--root', root, '--state-dir', state)
            shutil.copytree(tree, root, symlinks=True, dirs_exist_ok=True)
        else:
            root = tree
        code, output = run('--root', root, '--state-dir', state)
    # What a user sees must tell of the host, not of where its tree lies.
    assert root not in output and directory not in output, output
    return code, output


def text_of(case: str, run: str) -> str:
    """The content of the golden .txt: default output."""
    return execute(case, run)[1] + '\n'


def json_of(case: str, run: str) -> str:
    """The content of the golden .json: --output json, over many lines, keys in their order."""
    return json.dumps(json.loads(execute(case, run, '--output', 'json')[1]), indent=2) + '\n'


def snapshot_of(case: str) -> str:
    """The content of the golden snapshot.json; what depends on the moment, and not on the tree, is left out."""
    taken = json.loads(snapshot(case)[1])
    for name in ('time', 'duration'):
        del taken[name]
    return json.dumps(taken, indent=2) + '\n'


def triage_of(case: str, form: str) -> str:
    """The content of the golden triage.txt, or of triage.json, over many lines."""
    if form == 'txt':
        return triage(case)[1] + '\n'
    return json.dumps(json.loads(triage(case, '--output', 'json')[1]), indent=2) + '\n'


def golden(case: str, run: str, form: str) -> str:
    """Path of the golden file: 'ferm --verify-rules' lies in ferm--verify-rules.txt."""
    return os.path.join(HERE, case, f'{run.replace(" ", "")}.{form}')
