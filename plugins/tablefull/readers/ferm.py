"""ferm's own settings and configuration: /etc/default/ferm, /etc/ferm/ferm.conf and what it includes.

The configuration is a program of its own language and is not interpreted here; only its words are looked at, and
`@include` of literal names is followed. An include that ends in '|' is the output of a program, and is never run.
Source of both: ferm 2.5.1 (collect_filenames) and Debian's /etc/init.d/ferm.
"""

from __future__ import annotations

import os
import re

from tablefull.readers.files import ReadError, below, exists, list_directory, read_optional
from tablefull.record import NamedTuple

DEFAULTS = '/etc/default/ferm'
CONFIGURATION = '/etc/ferm/ferm.conf'
_PROGRAMS = ('/usr/sbin/ferm', '/sbin/ferm', '/usr/local/sbin/ferm')
_MOST_FILES = 1000
_PORTS = frozenset(('dport', 'sport', 'dports', 'sports', 'destination-ports', 'source-ports'))

_ASSIGNMENT = re.compile(r'\s*(?:export\s+)?(ENABLED|FAST|CACHE|OPTIONS)=(.*)')
_SHELL_PIECE = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\;#&|<>()]""")
_TOKEN = re.compile(r"""'[^']*'|"[^"]*"|`[^`]*`|#[^\n]*|[(){};,!=]|[^\s'"`#(){};,!=]+""")


class Settings(NamedTuple):
    """The shell variables of /etc/default/ferm; None where it does not set them, or by an expansion only a shell knows.

    present  whether the file is there
    changed  its modification time, None unknown
    """

    present: bool
    enabled: str | None = None
    fast: str | None = None
    cache: str | None = None
    options: str | None = None
    changed: float | None = None


class Configuration(NamedTuple):
    """What can be told of the configuration without running ferm.

    present     whether /etc/ferm/ferm.conf is there; None when the directory is closed to this user
    newest      (path, modification time) of the file changed last, None when none could be looked at
    followed    the files read
    unfollowed  includes that are programs or computed names
    denied      paths this user may not read
    stateful    whether a rule asks for connection states (mod state, mod conntrack)
    ports       whether a rule asks for TCP or UDP ports
    """

    present: bool | None
    newest: tuple[str, float] | None = None
    followed: tuple[str, ...] = ()
    unfollowed: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    stateful: bool = False
    ports: bool = False


class Words(NamedTuple):
    """What the text of one file says: names it includes, includes nobody can follow, and as in Configuration."""

    includes: tuple[str, ...]
    unfollowed: tuple[str, ...]
    stateful: bool
    ports: bool


def installed(root: str) -> bool:
    """Whether the program is there. A captured tree rarely holds it."""
    return any(exists(root, path) for path in _PROGRAMS)


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
    for line in text.splitlines():
        match = _ASSIGNMENT.match(line)
        if match:
            values[match[1].lower()] = _shell_word(match[2])
    enabled, fast, cache, options = (values.get(name) for name in ('enabled', 'fast', 'cache', 'options'))
    return Settings(True, enabled, fast, cache, options)


def _shell_word(text: str) -> str | None:
    """The first word of shell text without its quotes; None when a shell would expand something in it."""
    word, position = '', 0
    while True:
        match = _SHELL_PIECE.match(text, position)
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
    queue = [CONFIGURATION]
    followed: list[str] = []
    denied: list[str] = []
    unfollowed: list[str] = []
    present: bool | None = True
    newest: tuple[str, float] | None = None
    stateful = ports = False
    while queue and len(followed) < _MOST_FILES:
        path = queue.pop(0)
        if path in followed or path in denied:
            continue
        try:
            if path.endswith('/'):
                queue += [path + name for name in list_directory(root, path) if _included(root, path + name)]
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
        changed = _modified(root, path)
        if changed is not None and (newest is None or changed > newest[1]):
            newest = (path, changed)
        words = parse_configuration(text)
        stateful, ports = stateful or words.stateful, ports or words.ports
        unfollowed += words.unfollowed
        for include in words.includes:
            queue += _expand(root, os.path.join(os.path.dirname(path), include))
    return Configuration(present, newest, tuple(followed), tuple(unfollowed), tuple(denied), stateful, ports)


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
    tokens = [token for token in _TOKEN.findall(text) if not token.startswith('#')]
    includes: list[str] = []
    unfollowed: list[str] = []
    stateful = ports = False
    for index, token in enumerate(tokens):
        if token in ('@include', 'include'):
            _collect(tokens[index + 1 : index + 200], includes, unfollowed)
        elif token in ('mod', 'module'):
            following = tokens[index + 1 : index + 20]
            modules = following[1 : _closing(following)] if following[:1] == ['('] else following[:1]
            stateful = stateful or not {'state', 'conntrack'}.isdisjoint(modules)
        ports = ports or token in _PORTS
    return Words(tuple(includes), tuple(unfollowed), stateful, ports)


def _closing(tokens: list[str]) -> int:
    return tokens.index(')') if ')' in tokens else len(tokens)


def _collect(tokens: list[str], includes: list[str], unfollowed: list[str]) -> None:
    """Names between @include and its semicolon."""
    for word in tokens:
        if word == ';':
            return
        if word in ('(', ')', '@glob'):
            continue
        name = word[1:-1] if word[0] in '\'"' else word
        computed = word[0] in '`$@' or ('$' in name and word[0] != "'")
        (unfollowed if computed or name.endswith('|') or not name else includes).append(name)
