"""Option tables: one source for argparse, --help, documentation and every generated definition.

Nothing here imports argparse, re or nagiosplugin: the snapshot takes the defaults of the checks from these tables.
"""

from __future__ import annotations

import os

from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_NAME = frozenset('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.*+:/@-')


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


def parse_duration(text: str) -> float:
    """Seconds, or a number with s, m, h or d: '900', '15m'. Always finite and positive."""
    unit = {'s': 1, 'm': 60, 'h': 3600, 'd': 86400}.get(text[-1:])
    word = text[:-1] if unit else text
    whole, dot, fraction = word.partition('.')
    if not (_is_whole(whole) and (_is_digits(fraction) or not dot)) or float(word) == 0:
        raise ValueError('not a length of time like 900, 15m, 2h or 1d')
    return float(word) * (unit or 1)


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _is_whole(text: str) -> bool:
    return _is_digits(text) and len(text) <= 9


def parse_names(text: str) -> tuple[str, ...]:
    """Names separated by commas; '*' stands for any characters where the option allows it.

    So does '%', as in SQL: the agent of Zabbix refuses a '*' in a parameter (UnsafeUserParameters=0).
    """
    names = tuple(name.strip() for name in text.replace('%', '*').split(',') if name.strip())
    for name in names:
        if len(name) > 128 or not _NAME.issuperset(name):
            raise ValueError(f'{name!r} is not a name')
    return names


def parse_codes(text: str) -> tuple[str, ...]:
    """Finding codes separated by commas; an unknown one is an error, for a typo would otherwise silence nothing."""
    codes = parse_names(text)
    from tablefull.findings.catalogue import CATALOGUE

    for code in codes:
        if code not in CATALOGUE:
            raise ValueError(f'{code!r} is no finding code; tablefull explain lists them')
    return codes


def parse_whole(text: str) -> int:
    """A whole number, not negative."""
    if not _is_whole(text):
        raise ValueError('not a whole number')
    return int(text)


def parse_seconds(text: str) -> float:
    """Seconds for a timer, more than 0 and at most a day."""
    seconds = parse_duration(text)
    if seconds > 86400:
        raise ValueError('not between 0 and 86400 seconds')
    return seconds


def parse_path(text: str) -> str:
    """A path, made absolute: a relative one counts from the working directory."""
    if '\0' in text or text.startswith('-'):
        raise ValueError('not a path')
    # os.path.abspath fails where the working directory is gone; an absolute path does not need it.
    return text if text.startswith('/') else os.path.abspath(text)


# How the value of an option is read, by its kind. 'flag' and 'count' take none. A range stays text here; it becomes
# one of nagiosplugin in options.py. Each raises ValueError, with the reason, for text it does not take.
READERS: dict[str, Callable[[str], Any]] = {
    'range': str,
    'duration': parse_duration,
    'seconds': parse_seconds,
    'names': parse_names,
    'codes': parse_codes,
    'whole': parse_whole,
    'path': parse_path,
    'choice': str,
}


class Values:
    """The values of options as attributes, for whom argparse is too expensive."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def defaults(options: tuple[Option, ...]) -> dict[str, Any]:
    """Variable -> value of each option that is not given. A range is its text, None without one."""
    values: dict[str, Any] = {}
    for option in options:
        if option.kind in ('flag', 'count'):
            values[option.variable] = False if option.kind == 'flag' else 0
        else:
            values[option.variable] = READERS[option.kind](option.default) if option.default else None
    return values
