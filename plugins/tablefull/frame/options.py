"""Option tables for argparse: the command line of a check, and its --help."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

import nagiosplugin

from tablefull import __version__
from tablefull.frame.option_table import COMMON as COMMON
from tablefull.frame.option_table import READERS
from tablefull.frame.option_table import Option as Option
from tablefull.frame.option_table import missing_option as missing_option
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, NoReturn

# argparse would look for translations of its headings, and import locale for that: a sixth of an empty Python process.
argparse._ = lambda text: text  # type: ignore[attr-defined]


# Digits are bounded so that no threshold is ever printed with an exponent. Zeros may follow: Icinga writes 90.500000.
_NUMBER = r'-?\d{1,15}(?:\.\d{1,4}0*)?'
_RANGE = re.compile(rf'@?(?:(?:~|{_NUMBER})?:)?(?:{_NUMBER})?', re.ASCII)


def parse_range(text: str) -> nagiosplugin.Range:
    """A range of the Monitoring Plugins guidelines. Stricter than nagiosplugin, which takes 'nan' and '1e9'."""
    if not _RANGE.fullmatch(text) or text in ('@', ':', '@:'):
        raise ValueError('not a range like 80, 10:20, @5:9 or ~:0')
    return nagiosplugin.Range(text)


KINDS: dict[str, Callable[[str], Any]] = {**READERS, 'range': parse_range}


class UsageError(Exception):
    """The command line cannot be understood; the text says why."""


class HelpAsked(Exception):
    """--help or --version: the text to print; the exit code is 3 all the same."""


class _Parser(argparse.ArgumentParser):
    """argparse exits with 2 = CRITICAL and writes to standard error; a plugin exits with 3 and is silent there."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


class _Extend(argparse.Action):
    """A list given several times is one list: Icinga repeats the option for each element of an array."""

    def __call__(self, parser: object, namespace: object, values: Any, option_string: str | None = None) -> None:
        before = getattr(namespace, self.dest)
        if values is not None:
            setattr(namespace, self.dest, values if before is self.default else before + values)


def _reader(option: Option) -> Callable[[str], Any]:
    convert = KINDS[option.kind]

    def read(text: str) -> Any:
        # Icinga passes --warning '' for a variable that is set to nothing: as if the option were not there.
        if text == '':
            text = option.default
        if text == '':
            return None
        if option.choices and text not in option.choices:
            raise argparse.ArgumentTypeError(f'{text!r} is not one of {", ".join(option.choices)}')
        try:
            return convert(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f'{text!r}: {error}') from None

    return read


def build_parser(program: str, description: str, options: tuple[Option, ...]) -> argparse.ArgumentParser:
    """An argparse parser of an option table; --help and --version are left to `parse`."""
    # A fixed width: --help is compared with the documentation, and has no terminal under a daemon.
    parser = _Parser(
        program,
        description=description,
        add_help=False,
        allow_abbrev=False,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, 2, 30, 100),
    )
    for option in options:
        names = ['-' + option.short] if option.short else []
        names.append('--' + option.name)
        text = option.help.replace('%', '%%')
        if option.kind == 'flag':
            parser.add_argument(*names, action='store_true', help=text)
        elif option.kind == 'count':
            parser.add_argument(*names, action='count', default=0, help=text)
        else:
            if option.choices:
                text += f' ({", ".join(option.choices)})'
            if option.default:
                text += f' (default: {option.default})'.replace('%', '%%')
            read = _reader(option)
            action = _Extend if option.kind in ('names', 'codes') else 'store'
            metavar = option.metavar or None
            parser.add_argument(*names, type=read, default=read(''), metavar=metavar, help=text, action=action)
    return parser


def parse(program: str, description: str, options: tuple[Option, ...], argv: list[str]) -> argparse.Namespace:
    """Parse `argv`. Raises UsageError for what cannot be understood, HelpAsked for --help and --version."""
    parser = build_parser(program, description, options)
    parsed = parser.parse_args(argv)
    for option in options:
        # argparse makes an empty list of --timeout=-- instead of reading it.
        if getattr(parsed, option.variable) == []:
            raise UsageError(f"argument --{option.name}: '--' is no value")
    if parsed.help:
        raise HelpAsked(parser.format_help().rstrip())
    if parsed.version:
        raise HelpAsked(f'{program} (tablefull) {__version__}')
    return parsed
