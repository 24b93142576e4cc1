"""ferm's own settings and configuration: /etc/default/ferm, /etc/ferm/ferm.conf and what it includes.

The configuration is a program of its own language and is not interpreted here; only its words are looked at, and
`@include` of literal names is followed. An include that ends in '|' is the output of a program, and is never run.
Source of both: ferm 2.5.1 (collect_filenames) and Debian's /etc/init.d/ferm.
"""

from __future__ import annotations

import os

from tablefull.readers.files import ReadError, below, list_directory, read_optional
from tablefull.record import NamedTuple

DEFAULTS = '/etc/default/ferm'
CONFIGURATION = '/etc/ferm/ferm.conf'
_MOST_FILES = 1000
_PORTS = frozenset(('dport', 'sport', 'dports', 'sports', 'destination-ports', 'source-ports'))

_VARIABLES = ('ENABLED=', 'CACHE=', 'OPTIONS=')
_ASSIGNMENT = r'\s*(?:export\s+)?(ENABLED|CACHE|OPTIONS)=(.*)'
_SHELL_PIECE = r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\;#&|<>()]"""
_WORDS = r"""'[^']*'|"[^"]*"|`[^`]*`|#[^\n]*|[(){};,!=]|[^\s'"`#(){};,!=]+"""


class Settings(NamedTuple):
    """The shell variables of /etc/default/ferm; None where it does not set them, or by an expansion only a shell knows.

    present  whether the file is there
    changed  its modification time, None unknown
    """

    present: bool
    enabled: str | None = None
    cache: str | None = None
    options: str | None = None
    changed: float | None = None


class Configuration(NamedTuple):
    """What can be told of the configuration without running ferm.

    present      whether /etc/ferm/ferm.conf is there; None when the directory is closed to this user
    newest       (path, modification time) of the file or included directory changed last, None when none can be seen;
                 a directory changes when a file in it comes or goes
    followed     the files read
    denied       paths this user may not read
    stateful     whether a rule asks for connection states (mod state, mod conntrack)
    ports        whether a rule asks for TCP or UDP ports
    conditional  'states', 'ports': asked for only under a condition (@if, @else) or in a function (@def), which are not
                 interpreted, so that it may not apply
    """

    present: bool | None
    newest: tuple[str, float] | None = None
    followed: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    stateful: bool = False
    ports: bool = False
    conditional: tuple[str, ...] = ()


class Words(NamedTuple):
    """What the text of one file says.

    includes  name -> whether it is included only under a condition
    asked     'states', 'ports': what some rule asks for
    certain   the same, of rules under no condition
    """

    includes: dict[str, bool]
    asked: frozenset[str]
    certain: frozenset[str]


def read_settings(root: str) -> Settings:
    """Read /etc/default/ferm. Raises ReadError when it is there and cannot be read."""
    text = read_optional(root, DEFAULTS, 1 << 18)
    if text is None:
        return Settings(False)
    return parse_settings(text)._replace(changed=_modified(root, DEFAULTS))


def parse_settings(text: str) -> Settings:
    """Assignments at the start of lines, the last of each wins. Raises ReadError on binary content."""
    if '\0' in text:
        raise ReadError(DEFAULTS, 'binary content')
    values: dict[str, str | None] = {}
    for line in text.split('\n'):
        name, equals, value = line.partition('=')
        # As Debian ships it: ENABLED="yes". Whoever wrote more into it pays for the rest of the shell's grammar.
        plain = value.strip('"')
        if name + equals in _VARIABLES and value in (plain, f'"{plain}"') and (plain.isalnum() or not plain):
            values[name.lower()] = plain
        elif any(variable in line for variable in _VARIABLES):
            values.update(_assignment(line))
    return Settings(True, values.get('enabled'), values.get('cache'), values.get('options'))


def _assignment(line: str) -> dict[str, str | None]:
    import re

    match = re.match(_ASSIGNMENT, line)
    return {match[1].lower(): _shell_word(match[2])} if match else {}


def _shell_word(text: str) -> str | None:
    """The first word of shell text without its quotes; None when a shell would expand something in it."""
    import re

    piece_of = re.compile(_SHELL_PIECE)
    word, position = '', 0
    while True:
        match = piece_of.match(text, position)
        if match is None:
            return word
        piece, position = match[0], match.end()
        if piece[0] == "'":
            word += piece[1:-1]
        elif piece[0] == '\\':
            word += piece[1]
        elif '$' in piece.replace('\\$', '') or '`' in piece:
            return None
        elif piece[0] == '"':
            word += re.sub(r'\\(["\\$`])', r'\1', piece[1:-1])
        else:
            word += piece


def read_configuration(root: str) -> Configuration:
    """Follow the configuration from /etc/ferm/ferm.conf. Files that may not be read are named, not raised."""
    queue = [(CONFIGURATION, False)]
    followed: list[str] = []
    denied: list[str] = []
    present: bool | None = True
    newest: tuple[str, float] | None = None
    asked: set[str] = set()
    certain: set[str] = set()
    while queue and len(followed) < _MOST_FILES:
        path, conditional = queue.pop(0)
        if path in followed or path in denied:
            continue
        try:
            if path.endswith('/'):
                names = [name for name in list_directory(root, path) if _included(root, path + name)]
                queue += [(path + name, conditional) for name in names]
                newest = _newer(newest, root, path)
                continue
            text = read_optional(root, path)
        except ReadError as error:
            if not error.permission:
                raise
            denied.append(path)
            present = None if path == CONFIGURATION else present
            continue
        if text is None:
            present = False if path == CONFIGURATION else present
            continue
        followed.append(path)
        newest = _newer(newest, root, path)
        words = parse_configuration(text)
        asked |= words.asked
        if not conditional:
            certain |= words.certain
        for include, condition in words.includes.items():
            names = _expand(root, os.path.join(os.path.dirname(path), include))
            queue += [(name, conditional or condition) for name in names]
    return Configuration(
        present,
        newest,
        tuple(followed),
        tuple(denied),
        'states' in asked,
        'ports' in asked,
        tuple(sorted(asked - certain)),
    )


def _newer(newest: tuple[str, float] | None, root: str, path: str) -> tuple[str, float] | None:
    changed = _modified(root, path)
    return newest if changed is None or (newest is not None and newest[1] >= changed) else (path, changed)


def _modified(root: str, path: str) -> float | None:
    try:
        return os.stat(below(root, path)).st_mtime
    except OSError:
        # Gone since it was read: an editor replaced it, or configuration management is at work.
        return None


def _included(root: str, path: str) -> bool:
    """Whether ferm takes this file of an included directory: no hidden, backup or dpkg left-over."""
    name = os.path.basename(path)
    skipped = name.startswith('.') or name.endswith(('~', '.dpkg-old', '.dpkg-dist', '.dpkg-new', '.dpkg-tmp'))
    return not skipped and os.path.isfile(below(root, path))


def _expand(root: str, path: str) -> list[str]:
    """A path with wildcards of @glob, expanded."""
    if not any(character in path for character in '*?['):
        return [path]
    import glob

    base = '' if root == '/' else root.rstrip('/')
    return sorted(found[len(base) :] for found in glob.glob(glob.escape(base) + path))


def parse_configuration(text: str) -> Words:
    """The words of one file. Raises ReadError on binary content; anything else is ferm's to judge."""
    if '\0' in text:
        raise ReadError(CONFIGURATION, 'binary content')
    import re

    tokens = [token for token in re.findall(_WORDS, text) if not token.startswith('#')]
    includes: dict[str, bool] = {}
    asked: set[str] = set()
    certain: set[str] = set()
    # What the statement asks for, with the blocks around it; None where a condition decides whether it applies.
    blocks: list[frozenset[str] | None] = []
    wanted: frozenset[str] | None = frozenset()
    for index, word in enumerate(tokens):
        if word in ('{', '}', ';'):
            if word == '{':
                blocks.append(wanted)
            elif word == '}':
                blocks = blocks[:-1]
            else:
                certain |= wanted or frozenset()
            wanted = blocks[-1] if blocks else frozenset()
        elif word in ('@if', '@else', '@def'):
            wanted = None
        elif word in ('@include', 'include'):
            for name in _names(tokens[index + 1 : index + 200]):
                includes[name] = includes.get(name, True) and wanted is None
        elif word in ('mod', 'module') or word in _PORTS:
            asking = _asking(word, tokens[index + 1 : index + 20])
            asked |= asking
            wanted = None if wanted is None else wanted | asking
    return Words(includes, frozenset(asked), frozenset(certain))


def _asking(word: str, following: list[str]) -> frozenset[str]:
    """'states' for a match of connection states, 'ports' for one of ports."""
    if word in _PORTS:
        return frozenset(('ports',))
    modules = following[1 : _closing(following)] if following[:1] == ['('] else following[:1]
    return frozenset() if {'state', 'conntrack'}.isdisjoint(modules) else frozenset(('states',))


def _closing(tokens: list[str]) -> int:
    return tokens.index(')') if ')' in tokens else len(tokens)


def _names(tokens: list[str]) -> list[str]:
    """Names between @include and its semicolon, without those nobody can follow: of programs, and computed ones."""
    names = []
    for word in tokens:
        # The next one begins here when a semicolon is missing: a list of names has no @include in it.
        if word in (';', '@include'):
            break
        if word in ('(', ')', '@glob'):
            continue
        name = word[1:-1] if word[0] in '\'"' else word
        computed = word[0] in '`$@' or ('$' in name and word[0] != "'")
        if name and not computed and not name.endswith('|'):
            names.append(name)
    return names
