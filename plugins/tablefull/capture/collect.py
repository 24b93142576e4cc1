"""Collects what places.py lists from this host, a mounted one or a tree, under the names it gets in a tree."""

from __future__ import annotations

import os

from tablefull.capture.connections import connections
from tablefull.capture.places import (
    BY_HAND,
    DROP_INS,
    FALLBACKS,
    FERM,
    FILES,
    NAMESPACES,
    PRESENT,
    RECORDINGS,
    SERVICES,
)
from tablefull.looks import ferm_absent
from tablefull.readers.ferm import read_configuration
from tablefull.readers.files import (
    LIMIT,
    ReadError,
    below,
    drop_in_files,
    exists,
    is_live,
    is_masked,
    list_directory,
    net_directory,
    read_bytes,
    read_optional,
    recording,
)
from tablefull.readers.namespaces import read_namespaces
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What the readers take of a journal.
_LONGEST_RECORDING = 16 << 20
# Seconds: of thousands of processes, tens of thousands are seen in that time.
_LONGEST_LOOK = 2.0


class Collected(NamedTuple):
    """What was found.

    files    path in the tree, without its slash -> content
    present  directories that stand for something that is there
    unread   what is there and could not be read, with the reason
    cut      files longer than the readers read, of which the rest is left out
    """

    files: dict[str, bytes]
    present: list[str]
    unread: list[str]
    cut: list[str]


def collect(root: str) -> Collected:
    """Everything the readers read below `root`. Does not raise: what cannot be read is named."""
    found = Collected({}, [], [], [])
    live = is_live(root)
    if live:
        from tablefull.capture.recordings import record_host

        recorded = record_host()
        found.files.update(recorded.files)
        found.unread.extend(recorded.unread)
    else:
        _copy_recordings(root, found)
    for path in _expanded(root, FILES):
        _copy(root, path, found)
    for name, paths in FALLBACKS.items():
        if name not in found.files:
            for path in _expanded(root, paths):
                _copy(root, path, found)
    for directories, endings in DROP_INS.items():
        chosen, closed = drop_in_files(root, directories, endings)
        found.unread.extend(f'{path}: cannot be listed' for path in closed)
        found.present.extend(path[1:] for path in directories if exists(root, path))
        for path in chosen:
            _copy(root, path, found)
    if not ferm_absent.absent(root):
        unmarked = _ferm(root, found)
        marks = [path for path, what in PRESENT.items() if what == 'ferm' and path not in unmarked]
        found.present.extend(_there(root, marks))
    found.present.extend(_there(root, [path for path, what in PRESENT.items() if what != 'ferm']))
    for part in (connections, _namespaces):
        try:
            found.files.update(part(root))
        except ReadError as error:
            found.unread.append(str(error))
    return found


def _namespaces(root: str) -> Iterator[tuple[str, bytes]]:
    for table in read_namespaces(root, _LONGEST_LOOK).tables:
        # A tree with files of process 1 would be taken for a mounted host.
        if table.own or table.pid == 1:
            continue
        for pattern in NAMESPACES:
            path = pattern.replace('*', str(table.pid))
            try:
                yield path[1:], read_bytes(root, path, LIMIT)
            except (FileNotFoundError, ReadError):
                continue


def _expanded(root: str, patterns: Iterable[str]) -> Iterator[str]:
    """Patterns of places.py as paths of this host."""
    try:
        release = (read_optional(root, '/proc/sys/kernel/osrelease', 256) or '').strip()
    except ReadError:
        release = ''
    plain = release.isprintable() and '/' not in release and release.strip('.')
    for pattern in patterns:
        if 'RELEASE' in pattern and not plain:
            continue
        path = pattern.replace('NET/', f'{net_directory(root)}/').replace('RELEASE', release)
        directory, star, rest = path.partition('/*')
        if not star:
            yield path
            continue
        try:
            yield from (f'{directory}/{name}{rest}' for name in list_directory(root, directory))
        except ReadError:
            continue


def _copy(root: str, path: str, found: Collected, limit: int = LIMIT) -> None:
    try:
        content = read_bytes(root, path, limit + 1)
    except FileNotFoundError:
        return
    except ReadError as error:
        # A masked file holds nothing on purpose; a directory of its name says the same in a tree.
        if is_masked(root, path):
            found.present.append(path[1:])
        else:
            found.unread.append(str(error))
        return
    if len(content) > limit:
        found.cut.append(path)
    found.files[path[1:]] = content[:limit]


def _there(root: str, patterns: list[str]) -> Iterator[str]:
    for path in _expanded(root, tuple(patterns)):
        # Below a mounted host the absolute link of an enabled unit leads nowhere, and counts all the same.
        if os.path.lexists(below(root, path)):
            yield path[1:]


def _ferm(root: str, found: Collected) -> tuple[str, ...]:
    """Returns directories that must not be packed: without ferm.conf in it, /etc/ferm would say that there is none."""
    closed: tuple[str, ...] = ()
    try:
        configuration = read_configuration(root)
    except ReadError as error:
        found.unread.append(str(error))
        paths: tuple[str, ...] = FERM
    else:
        found.unread.extend(f'{path}: Permission denied' for path in configuration.denied)
        paths = (FERM[0], *configuration.followed)
        closed = ('/etc/ferm',) if configuration.present is None else ()
    for path in paths:
        _copy(root, path, found)
    return closed


def _copy_recordings(root: str, found: Collected) -> None:
    for name in (*(name for name in RECORDINGS if not name.startswith('NET/')), *BY_HAND):
        # Some lie where the file lies that they stand for.
        if '/' in name or recording(root, name) is not None:
            _copy(root, f'/{name}', found, _LONGEST_RECORDING)
    if 'kmsg' in found.files:
        from tablefull.capture.recordings import blanked

        found.files['kmsg'] = blanked(found.files['kmsg'].split(b'\n'))
    if 'ferm-lines.txt' in found.files:
        _copy(root, SERVICES, found)
