"""What there is to document: every program and command, with the options that its --help shows.

Each program is asked for its help, and what it prints is not read: the parser that it was about to print is taken. So a
new command or option comes by itself, and the text is the same whatever the version of argparse makes of it.
"""

from __future__ import annotations

import argparse
import re
from typing import NamedTuple
from unittest.mock import patch

from tablefull.command import answer
from tablefull.frame.plugin import main
from tools.write_options import checks


class Shown(NamedTuple):
    """One option or argument.

    names    as typed: ('-w', '--warning'); () for an argument
    metavar  what stands for its value, '' for a flag
    text     what --help says
    words    the words it takes, where it takes certain ones
    """

    names: tuple[str, ...]
    metavar: str
    text: str
    words: tuple[str, ...]


class Program(NamedTuple):
    """A program, or a command of one: 'check_ferm', 'tablefull', 'tablefull snapshot'."""

    name: str
    about: str
    options: tuple[Shown, ...]
    arguments: tuple[Shown, ...]
    commands: tuple[tuple[str, str], ...]


def _parser(ask: object, *arguments: object) -> argparse.ArgumentParser:
    """The parser whose help is printed when `ask` is called. Raises LookupError when none is."""
    seen: list[argparse.ArgumentParser] = []
    format_help = argparse.ArgumentParser.format_help

    def spy(parser: argparse.ArgumentParser) -> str:
        seen.append(parser)
        return format_help(parser)

    with patch.object(argparse.ArgumentParser, 'format_help', spy):
        assert callable(ask)
        ask(*arguments)
    if not seen:
        raise LookupError(f'no help for {arguments}')
    return seen[0]


def _shown(parser: argparse.ArgumentParser, action: argparse.Action) -> Shown:
    # As format_help does it: this replaces %% and the like.
    text = parser._get_formatter()._expand_help(action) if action.help else ''
    flag = action.nargs == 0
    words = re.search(r'\(([a-z0-9_-]+(?:, [a-z0-9_-]+)+)\)', text)
    metavar = '' if flag else str(action.metavar or action.dest.upper())
    return Shown(tuple(action.option_strings), metavar, text, tuple(words[1].split(', ')) if words and not flag else ())


def _program(name: str, parser: argparse.ArgumentParser) -> Program:
    options, arguments, commands = [], [], []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            commands += [(choice.dest, choice.help or '') for choice in action._choices_actions]
        elif action.option_strings:
            options.append(_shown(parser, action))
        else:
            arguments.append(_shown(parser, action))
    about = ' '.join((parser.description or '').split())
    about = about[:1].upper() + about[1:]
    return Program(name, about, tuple(options), tuple(arguments), tuple(commands))


def programs() -> list[Program]:
    """Every check, the `tablefull` command, and each of its commands."""
    found = [_program(check.program, _parser(main, check, ['--help'])) for check in checks()]
    command = _program('tablefull', _parser(answer, ['--help']))
    found.append(command)
    return found + [_program(f'tablefull {name}', _parser(answer, [name, '--help'])) for name, _ in command.commands]
