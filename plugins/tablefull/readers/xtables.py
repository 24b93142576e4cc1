"""The text form of iptables rules: iptables-save of either backend, `ferm --lines`, ferm's cached start.sh.

The two never agree as text: ferm writes long options, names of services and no `-m tcp`; the kernel's listing sorts
lists, fills in defaults (`--reject-with`, masks), counts packets and orders tables differently. So a rule is reduced
to its *core*: the options that decide which packets it meets and what becomes of them, in one spelling, and the names
of the other extensions it uses. Their options (limits, log prefixes, marks) are left out: the spelling of those has no
end, and a rule whose core is there is there.
"""

from __future__ import annotations

import re

from tablefull.readers.files import ReadError
from tablefull.readers.xtables_words import SERVICES, Values, core_values
from tablefull.record import NamedTuple

_TOKEN = re.compile(r'"((?:\\.|[^"\\])*)"|(\S+)')
_CHAIN = re.compile(r':(\S+) (\S+)')
_RULE = re.compile(r'(?:\[\d+:\d+\] )?-A (\S+)(?: (.*))?')
_LONGEST = 100_000  # lines

# Extensions that come with a protocol, which the listing names and ferm does not; and one that decides nothing.
_IMPLIED = frozenset(
    ['tcp', 'udp', 'udplite', 'icmp', 'icmp6', 'icmpv6', 'ipv6-icmp', 'sctp', 'dccp', 'esp', 'ah', 'comment']
)

# Every spelling of an option that belongs to the core, and its name there.
_NAMES = {
    '-p': 'protocol',
    '--protocol': 'protocol',
    '-s': 'source',
    '--source': 'source',
    '--src': 'source',
    '-d': 'destination',
    '--destination': 'destination',
    '--dst': 'destination',
    '-i': 'in',
    '--in-interface': 'in',
    '-o': 'out',
    '--out-interface': 'out',
    '-f': 'fragment',
    '--fragment': 'fragment',
    '-j': 'jump',
    '--jump': 'jump',
    '-g': 'goto',
    '--goto': 'goto',
    '--notrack': 'notrack',
    '--dport': 'dport',
    '--dports': 'dport',
    '--destination-port': 'dport',
    '--destination-ports': 'dport',
    '--sport': 'sport',
    '--sports': 'sport',
    '--source-port': 'sport',
    '--source-ports': 'sport',
    '--ports': 'port',
    '--state': 'state',
    '--ctstate': 'state',
    '--match-set': 'set',
    '--to-destination': 'to',
    '--to-source': 'to',
    '--to-ports': 'to',
}

# (negated, values); None for values nobody can compare, such as the name of a host.
Core = dict[str, 'tuple[bool, Values | None]']


class Rule(NamedTuple):
    """One rule: its text without counters, and its core."""

    text: str
    core: tuple[tuple[str, bool, Values | None], ...]

    @property
    def target(self) -> str:
        """Where it jumps or goes: 'ACCEPT', the name of a chain, '' for a rule that only counts."""
        return next((values[0] for name, _, values in self.core if name in ('jump', 'goto') and values), '')

    @property
    def vague(self) -> bool:
        """Whether some value cannot be compared: the name of a host, of a service unknown here."""
        return any(values is None for _, _, values in self.core)


class Chain(NamedTuple):
    """One chain: its policy, '' for a chain of users' making, and its rules in order."""

    policy: str
    rules: tuple[Rule, ...]


# (family, table, chain): 'ip' or 'ip6', 'filter', 'INPUT'.
Key = tuple[str, str, str]
Ruleset = dict[Key, Chain]


def parse_rules(text: str, family: str, source: str, services: dict[str, str] = SERVICES) -> Ruleset:
    """Tables of `text`. The family holds until a line names another tool, as in the output of ferm.

    Lines outside of tables are passed over (comments, warnings, hooks of ferm). Raises ReadError naming `source` for
    a table that is not ended by COMMIT, and for lines in a table that are none of its language.
    """
    if '\0' in text:
        raise ReadError(source, 'binary content')
    lines = text.splitlines()
    if len(lines) > _LONGEST:
        raise ReadError(source, f'more than {_LONGEST} lines')
    policies: dict[Key, str] = {}
    rules: dict[Key, list[Rule]] = {}
    table = ''
    for number, line in enumerate(lines, 1):
        if line.startswith('*') and not table:
            table = line[1:].strip()
        elif not table or not line.strip() or line.startswith('#'):
            family = _family(line) or family
        elif line.strip() == 'COMMIT':
            table = ''
        else:
            chain, rule = _CHAIN.match(line), _RULE.fullmatch(line)
            if chain is not None:
                policies[family, table, chain[1]] = '' if chain[2] == '-' else chain[2]
            elif rule is not None:
                rules.setdefault((family, table, rule[1]), []).append(parse_rule(rule[1], rule[2] or '', services))
            else:
                raise ReadError(source, f'line {number} is no rule')
    if table:
        raise ReadError(source, f'table {table} is cut off')
    keys = {**policies, **rules}
    return {key: Chain(policies.get(key, ''), tuple(rules.get(key, ()))) for key in keys}


def _family(line: str) -> str:
    """The family of the tool a comment or a shell line names, '' when it names none."""
    tool = re.search(r'\b(ip6|ip|arp|eb)tables-', line)
    return tool[1] if tool else ''


def parse_rule(chain: str, text: str, services: dict[str, str] = SERVICES) -> Rule:
    """What stands behind `-A CHAIN`. Never raises: what is not understood is not part of the core."""
    options: list[tuple[str, bool, list[str]]] = []
    negated = False
    for match in _TOKEN.finditer(text):
        quoted, word = match[1], match[2]
        if word == '!':
            negated = True
        elif word is not None and word.startswith('-') and len(word) > 1:
            options.append((word, negated, []))
            negated = False
        elif options:
            # '--dport ! 22' is the old spelling of '! --dport 22'.
            name, before, values = options[-1]
            values.append(word if quoted is None else quoted)
            options[-1] = (name, before or negated, values)
            negated = False
    core: Core = {}
    matches = set()
    for option, negative, values in options:
        name = _NAMES.get(option, '')
        if option in ('-m', '--match') and values:
            matches.add('conntrack' if values[0] == 'state' else values[0])
        if name:
            core[name] = (negative, core_values(name, values, services))
    if core.pop('notrack', None) is not None:
        core['jump'] = (False, ('NOTRACK',))
    core['matches'] = (False, tuple(sorted(matches - _IMPLIED)))
    kept = [(name, *core[name]) for name in sorted(core) if not _says_nothing(name, *core[name])]
    return Rule(f'-A {chain} {text}'.rstrip(), tuple(kept))


def _says_nothing(name: str, negated: bool, values: Values | None) -> bool:
    """Whether an option meets every packet: the kernel's listing leaves it out."""
    if negated or values is None:
        return False
    everything = {
        'protocol': ('all',),
        'in': ('+',),
        'out': ('+',),
        'dport': ('0:65535',),
        'sport': ('0:65535',),
        'source': ('everywhere',),
        'destination': ('everywhere',),
    }
    return everything.get(name) == values


def same(wanted: Rule, found: Rule) -> bool:
    """Whether two rules have one core. A value that nobody can compare equals any."""
    if wanted.core == found.core:
        return True
    unknown = {name for name, _, values in wanted.core if values is None}
    if not unknown:
        return False
    return [part for part in wanted.core if part[0] not in unknown] == [
        part for part in found.core if part[0] not in unknown
    ]
