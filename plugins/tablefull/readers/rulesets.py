"""For --verify-rules: the rules ferm makes of its configuration, and those in the kernel. Needs root.

Nothing here may load a module or create a table (kernel side: net/netfilter/x_tables.c, nft_compat.c).

iptables-legacy-save looks only at tables that /proc/net/ip_tables_names lists, and is not even run when there are none.
For each extension in a rule it asks the kernel which revisions there are (getsockopt IPT_SO_GET_REVISION_MATCH and
_TARGET), and the kernel would load ipt_NAME for a name unknown to it. But the name is one of a rule that is in the
kernel, and that rule holds its module: xt_find_revision() finds it whatever the revision, and nothing is loaded.

iptables-nft-save asks for nf_tables, nft_compat, and with NFNL_MSG_COMPAT_GET for each extension too. Rules made of
nft_compat hold theirs; but it also shows native expressions (ports, marks, limits, logs) as extensions that nobody
holds, and asking for one loads it. Where the kernel can load modules, it is run only when all of those are there.
Asking nfnetlink ourselves could load modules too, and would need all of that translation.

ferm 2.5 runs the save program of its back end once, even with --noexec: the old one where it is installed. An older
ferm runs iptables-save, of either kind. ferm is not run where that would be the new one and could load something.

`ferm --noexec --lines` is not harmless in every other way: it resolves the names in the configuration, and runs the
commands in its backticks and the programs it includes, as a start of ferm does. It has a time limit of its own.
"""

from __future__ import annotations

import os

from tablefull.readers.ferm import CONFIGURATION, Configuration, Settings
from tablefull.readers.files import (
    ReadError,
    below,
    is_live,
    kernel_release,
    read_optional,
    read_text,
    recording,
)
from tablefull.readers.modprobe_d import read_modprobe
from tablefull.readers.modules import Modules, read_modules, read_tables
from tablefull.readers.prevention import loads_nothing
from tablefull.readers.programs import find_program, run_program
from tablefull.readers.xtables import Ruleset, parse_rules
from tablefull.readers.xtables_words import parse_services
from tablefull.record import NamedTuple

_CACHE = '/var/cache/ferm/start.sh'
_LARGEST = 8 << 20
_FAMILIES = ('ip', 'ip6')
_BACKENDS = ('legacy', 'nft')

# What iptables up to 1.8.11 makes of native expressions (iptables/nft-ruleparse.c): the modules of tcp, udp, limit,
# NFLOG, mark and MARK, pkttype, ttl and hl, TRACE, comment.
_NATIVE = ('xt_tcpudp', 'xt_limit', 'xt_NFLOG', 'xt_mark', 'xt_pkttype', 'xt_hl', 'xt_TRACE', 'xt_comment')
# icmp and icmp6 stand in these, until Linux 6.4 moved them to xt_tcpudp.
_ICMP, _ICMP_MOVED = ('ip_tables', 'ip6_tables'), (6, 5)


class ConfigurationError(ReadError):
    """ferm does not understand its configuration; `reason` is what it says about it."""


class LoadingError(ReadError):
    """Nothing was listed, for that could load `modules`."""

    def __init__(self, path: str, modules: tuple[str, ...]) -> None:
        super().__init__(path, f'not run, for it could load {", ".join(modules)}')
        self.modules = modules


class Rulesets(NamedTuple):
    """Both sides of the comparison.

    expected  as ferm makes them
    source    where from: a command or a path
    loaded    back end ('legacy', 'nft') -> its rules in the kernel; a back end that has none is empty or not there,
              and so is nft where listing it could load something and ferm does not use it
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
    if find_program('iptables-legacy-save') is None and find_program('iptables-nft-save') is None:
        raise ReadError('iptables-legacy-save', 'not installed; iptables before 1.8 has no iptables-legacy-save')
    modules = read_modules(root)
    loadable = _loadable_by_listing(root, modules)
    loaded = {'legacy': _legacy(read_tables(root), services)}
    if not loadable:
        loaded['nft'] = _nft(modules, services)
    text, source = _cached(root, settings, configuration), _CACHE
    expected = parse_rules(text, 'ip', source, services) if text is not None else {}
    # With FAST=no the cache holds commands instead of tables.
    if text is None or not expected:
        source = 'ferm --noexec --lines'
        if loadable and not _ferm_uses_legacy(root):
            raise LoadingError(source, loadable)
        text = _run('ferm', _arguments(settings), seconds)
        expected = parse_rules(text, 'ip', source, services)
    if not expected:
        raise ReadError(source, 'printed no rules')
    if loadable and not _empty(modules) and 'tables-legacy-' not in text:
        raise LoadingError('iptables-nft-save', loadable)
    return Rulesets(expected, source, loaded)


def recorded(root: str) -> bool:
    """Whether a captured tree holds both sides, so that comparing them runs nothing."""
    if is_live(root) or recording(root, 'ferm-lines.txt') is None:
        return False
    names = [f'{family}tables-{backend}-save.txt' for family in _FAMILIES for backend in _BACKENDS]
    return recording(root, *names) is not None


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
    for backend in _BACKENDS:
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


def _loadable_by_listing(root: str, modules: Modules) -> tuple[str, ...]:
    """Modules that are not in the kernel, and that iptables-nft-save could make it load."""
    if not modules.loadable:
        return ()
    switches = read_modprobe(root)
    helper = switches.helper
    if switches.disabled or (
        helper is not None and (loads_nothing(helper or 'false') or not os.access(helper, os.X_OK))
    ):
        return ()
    icmp = _ICMP if kernel_release(root) < _ICMP_MOVED else ()
    return tuple(name for name in ('nf_tables', 'nft_compat', *_NATIVE, *icmp) if not modules.has(name))


def _empty(modules: Modules) -> bool:
    """Whether nftables certainly holds no rule: it is not in the kernel, or nothing but modules holds it."""
    engine = modules.loaded.get('nf_tables')
    if engine is None:
        return modules.listed and not modules.has('nf_tables')
    return engine.references is not None and not engine.held


def _ferm_uses_legacy(root: str) -> bool:
    """Whether this ferm prefers the old iptables, and it is there. ferm 2.4 takes whatever is called iptables-save."""
    ferm = find_program('ferm')
    if ferm is None or find_program('iptables-legacy-save') is None:
        return False
    return "'-legacy'" in (read_optional(root, ferm) or '')


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
