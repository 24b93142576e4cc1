"""Option tables: one source for argparse, --help, documentation and every generated definition."""

from __future__ import annotations

import argparse
import math
import os
import re
from collections.abc import Callable

import nagiosplugin

from tablefull import __version__
from tablefull.findings.catalogue import CATALOGUE
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any, NoReturn

# argparse would look for translations of its headings, and import locale for that: a sixth of an empty Python process.
argparse._ = lambda text: text  # type: ignore[attr-defined]


class Option(NamedTuple):
    """One command line option of a check.

    name      long option without dashes, e.g. 'warning'
    kind      a key of KINDS: how the value is read; 'flag' and 'count' take none
    default   as typed on a command line; '' is "not given"
    help      one sentence, begins with a verb or a noun, without the default
    short     one letter or ''
    metavar   what stands for the value in --help
    choices   allowed words of a 'choice'
    """

    name: str
    kind: str
    default: str
    help: str
    short: str = ''
    metavar: str = ''
    choices: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """The attribute of the parsed options."""
        return self.name.replace('-', '_')


# Digits are bounded so that no threshold is ever printed with an exponent. Zeros may follow: Icinga writes 90.500000.
_NUMBER = r'-?\d{1,15}(?:\.\d{1,4}0*)?'
_RANGE = re.compile(rf'@?(?:(?:~|{_NUMBER})?:)?(?:{_NUMBER})?', re.ASCII)


def parse_range(text: str) -> nagiosplugin.Range:
    """A range of the Monitoring Plugins guidelines. Stricter than nagiosplugin, which takes 'nan' and '1e9'."""
    if not _RANGE.fullmatch(text) or text in ('@', ':', '@:'):
        raise ValueError('not a range like 80, 10:20, @5:9 or ~:0')
    return nagiosplugin.Range(text)


def parse_duration(text: str) -> float:
    """Seconds, or a number with s, m, h or d: '900', '15m'. Always finite and positive."""
    unit = {'s': 1, 'm': 60, 'h': 3600, 'd': 86400}.get(text[-1:])
    word = text[:-1] if unit else text
    if not re.fullmatch(r'[0-9]{1,9}(\.[0-9]+)?', word) or float(word) == 0:
        raise ValueError('not a length of time like 900, 15m, 2h or 1d')
    return float(word) * (unit or 1)


def parse_names(text: str) -> tuple[str, ...]:
    """Names separated by commas; '*' stands for any characters where the option allows it.

    So does '%', as in SQL: the agent of Zabbix refuses a '*' in a parameter (UnsafeUserParameters=0).
    """
    names = tuple(name.strip() for name in text.replace('%', '*').split(',') if name.strip())
    for name in names:
        if not re.fullmatch(r'[A-Za-z0-9_.*+:/@-]{1,128}', name):
            raise ValueError(f'{name!r} is not a name')
    return names


def parse_codes(text: str) -> tuple[str, ...]:
    """Finding codes separated by commas; an unknown one is an error, for a typo would otherwise silence nothing."""
    codes = parse_names(text)
    for code in codes:
        if code not in CATALOGUE:
            raise ValueError(f'{code!r} is no finding code; tablefull explain lists them')
    return codes


def parse_whole(text: str) -> int:
    """A whole number, not negative."""
    if not re.fullmatch(r'[0-9]{1,9}', text):
        raise ValueError('not a whole number')
    return int(text)


def parse_seconds(text: str) -> float:
    """Seconds for a timer, more than 0 and at most a day."""
    seconds = parse_duration(text)
    if not math.isfinite(seconds) or seconds > 86400:
        raise ValueError('not between 0 and 86400 seconds')
    return seconds


def parse_path(text: str) -> str:
    """A path, made absolute: a relative one counts from the working directory."""
    if '\0' in text or text.startswith('-'):
        raise ValueError('not a path')
    # os.path.abspath fails where the working directory is gone; an absolute path does not need it.
    return text if text.startswith('/') else os.path.abspath(text)


KINDS: dict[str, Callable[[str], Any]] = {
    'range': parse_range,
    'duration': parse_duration,
    'seconds': parse_seconds,
    'names': parse_names,
    'codes': parse_codes,
    'whole': parse_whole,
    'path': parse_path,
    'choice': str,
}

_STATES = ('ok', 'warning', 'critical', 'unknown')

COMMON = (
    Option('verbose', 'count', '', 'more detail; twice every fact, three times debugging', 'v'),
    Option('timeout', 'seconds', '8', 'give up after so long', 't', 'SECONDS'),
    Option('timeout-state', 'choice', 'unknown', 'state of a timeout', metavar='STATE', choices=_STATES),
    Option('output', 'choice', 'nagios', 'form of the output', metavar='FORM', choices=('nagios', 'json')),
    Option('ignore', 'codes', '', 'findings that do not count, by code', metavar='CODE,CODE'),
    Option('root', 'path', '/', 'read proc, sys, dev, etc, run and var below this directory', metavar='DIR'),
    Option('state-dir', 'path', '', 'where to remember counters between two runs', metavar='DIR'),
    Option('version', 'flag', '', 'print the version and exit with 3', 'V'),
    Option('help', 'flag', '', 'print this help and exit with 3', 'h'),
)


def missing_option(what: str, default: str) -> Option:
    """The --missing option of a check: `what` is the thing whose absence it means."""
    return Option('missing', 'choice', default, f'state when {what}', metavar='STATE', choices=_STATES)


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
