"""For --verify-rules: the rules ferm makes of its configuration, and those in the kernel. Needs root.

Nothing here may load a module or create a table (kernel-side: net/netfilter/x_tables.c, nf_tables_api.c):
iptables-legacy-save looks only at tables that /proc/net/ip_tables_names lists, and is not even run when there are none;
iptables-nft-save asks for nf_tables and nft_compat, and is run only where both are in the kernel; ferm runs the save
program of its back end once, so it is not run where that would be the second without those.

`ferm --noexec --lines` is not harmless in every other way: it resolves the names in the configuration, and runs the
commands in its backticks and the programs it includes, as a start of ferm does. It has a time limit of its own.
"""

from __future__ import annotations

import os

from tablefull.readers.ferm import CONFIGURATION, Configuration, Settings
from tablefull.readers.files import ReadError, below, is_live, read_optional, read_text, recording
from tablefull.readers.modules import Modules, read_modules, read_tables
from tablefull.readers.programs import find_program, run_program
from tablefull.readers.xtables import Ruleset, parse_rules
from tablefull.readers.xtables_words import parse_services
from tablefull.record import NamedTuple

_CACHE = '/var/cache/ferm/start.sh'
_LARGEST = 8 << 20
_FAMILIES = ('ip', 'ip6')


class ConfigurationError(ReadError):
    """ferm does not understand its configuration; `reason` is what it says about it."""


class Rulesets(NamedTuple):
    """Both sides of the comparison.

    expected  as ferm makes them
    source    where from: a command or a path
    loaded    back end ('legacy', 'nft') -> its rules in the kernel; a back end that has none is empty or not there
    """

    expected: Ruleset
    source: str
    loaded: dict[str, Ruleset]


def read_rulesets(root: str, settings: Settings, configuration: Configuration, seconds: float) -> Rulesets:
    """Both sides; `seconds` is what ferm may take. Raises ReadError when either cannot be had."""
    services = parse_services(read_optional(root, '/etc/services') or '')
    if not is_live(root):
        return _recorded(root, services)
    if os.geteuid():
        raise ReadError('iptables-save', 'only root may list the rules', 1)
    modules, tables = read_modules(root), read_tables(root)
    loaded = {'legacy': _legacy(tables, services), 'nft': _nft(modules, services)}
    text = _cached(root, settings, configuration)
    if text is not None:
        expected = parse_rules(text, 'ip', _CACHE, services)
        # With FAST=no the cache holds commands instead of tables.
        if expected:
            return Rulesets(expected, _CACHE, loaded)
    source = 'ferm --noexec --lines'
    if find_program('iptables-legacy-save') is None and not _nft_ready(modules):
        raise ReadError(source, 'not run, for it would load nf_tables')
    expected = parse_rules(_run('ferm', _arguments(settings), seconds), 'ip', source, services)
    if not expected:
        raise ReadError(source, 'printed no rules')
    return Rulesets(expected, source, loaded)


def _recorded(root: str, services: dict[str, str]) -> Rulesets:
    path = recording(root, 'ferm-lines.txt')
    if path is None:
        raise ReadError('ferm-lines.txt', 'the tree holds no record of the rules ferm makes')
    text = read_text(root, path)
    if text.startswith('Error in '):
        raise ConfigurationError('ferm', _complaint(text))
    expected = parse_rules(text, 'ip', path, services)
    if not expected:
        raise ReadError(path, 'no rules in it')
    loaded: dict[str, Ruleset] = {}
    for backend in ('legacy', 'nft'):
        for family in _FAMILIES:
            saved = recording(root, f'{family}tables-{backend}-save.txt')
            if saved is not None:
                loaded.setdefault(backend, {}).update(parse_rules(read_text(root, saved), family, saved, services))
    if not loaded:
        raise ReadError('iptables-legacy-save.txt', 'the tree holds no record of the rules in the kernel')
    return Rulesets(expected, path, loaded)


def _legacy(tables: dict[str, tuple[str, ...]], services: dict[str, str]) -> Ruleset:
    rules: Ruleset = {}
    for family in _FAMILIES:
        if tables.get(family):
            # Not iptables-save, which is of either back end: before iptables 1.8 rules cannot be compared.
            name = f'{family}tables-legacy-save'
            rules.update(parse_rules(_run(name, (), None), family, name, services))
    return rules


def _nft(modules: Modules, services: dict[str, str]) -> Ruleset:
    rules: Ruleset = {}
    if not _nft_ready(modules):
        return rules
    for family in _FAMILIES:
        name = f'{family}tables-nft-save'
        if find_program(name) is None:
            continue
        try:
            rules.update(parse_rules(_run(name, (), None), family, name, services))
        except ReadError as error:
            # A kernel with everything built in may come without nf_tables: then there are no such rules.
            if modules.loadable or 'Protocol not supported' not in error.reason:
                raise
    return rules


def _nft_ready(modules: Modules) -> bool:
    """Whether iptables-nft-save finds everything it asks the kernel for, so that nothing gets loaded."""
    return not modules.loadable or (modules.has('nf_tables') and modules.has('nft_compat'))


def _arguments(settings: Settings) -> list[str]:
    """ferm's command line: of OPTIONS only the definitions and the domain, which change the rules.

    The init script leaves OPTIONS unquoted, so words are split at blanks and quotes are part of them. --interactive,
    --slow, --flush or --shell have no business in a dry run.
    """
    words = (settings.options or '').split()
    arguments = ['--noexec', '--lines']
    for index, word in enumerate(words):
        if word.startswith(('--def=', '--domain=')):
            arguments.append(word)
        elif word in ('--def', '--domain') and index + 1 < len(words):
            arguments += [word, words[index + 1]]
    return [*arguments, CONFIGURATION]


def _run(name: str, arguments: tuple[str, ...] | list[str], seconds: float | None) -> str:
    try:
        answer = run_program(name, arguments, _LARGEST, seconds)
    except FileNotFoundError:
        raise ReadError(name, 'not installed') from None
    if answer.code:
        complaint = answer.errors.decode('utf-8', 'backslashreplace')
        if 'Error in ' in complaint:
            raise ConfigurationError(name, _complaint(complaint))
        raise ReadError(name, _complaint(complaint) or f'exit code {answer.code}')
    return answer.output.decode('utf-8', 'backslashreplace')


def _complaint(text: str) -> str:
    """First and last line: ferm shows the place first, then an excerpt of the file, and the reason last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return ' '.join(dict.fromkeys((lines[0], lines[-1]))) if lines else ''


def _cached(root: str, settings: Settings, configuration: Configuration) -> str | None:
    """start.sh of CACHE=yes, None when the init script would make a new one."""
    if settings.cache != 'yes' or configuration.newest is None:
        return None
    try:
        made = os.stat(below(root, _CACHE)).st_mtime
    except OSError:
        return None
    if made <= max(configuration.newest[1], settings.changed or 0.0):
        return None
    if read_optional(root, _CACHE + '.kernel') != read_optional(root, '/proc/version'):
        return None
    return read_optional(root, _CACHE)
