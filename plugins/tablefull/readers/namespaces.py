"""The tracking tables of all network namespaces that a process can be seen in, without entering one.

/proc/PID/net is what that process sees, and everybody may read its statistics; no setns(2), no `ip netns exec`. Two
processes share a namespace when their /proc/PID/net/stat is one inode, which is known without the privilege that
/proc/PID/ns/net wants. Source: fs/proc/proc_net.c, net/netfilter/nf_conntrack_standalone.c.
"""

from __future__ import annotations

import os
import time

from tablefull.readers.files import ReadError, below, is_live, read_bytes, read_optional
from tablefull.readers.statistics import parse_hexadecimal, parse_statistics
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# A host of containers has thousands of namespaces; those with the most entries are told.
MOST = 64
_AT_ONCE = 64
_LONGEST_NAME = 64
# The header and the first line: the count of entries is the same in each line, one of which each CPU has.
_HEAD = 1024
# Where named namespaces are mounted, with processes in them or without.
_NAMED = ('/run/netns', '/run/docker/netns')
# PROC_PID_INIT_INO of include/linux/proc_ns.h.
_FIRST_PID_NAMESPACE = 'pid:[4026531836]'


class Table(NamedTuple):
    """The tracking table of one network namespace.

    entries    tracked connections
    drops      packets refused since the namespace was made, None when the statistics could not be read again
    pid        of a process in it, the first one
    command    its name, as the process itself likes to be called
    container  'docker 3f2a9b1c04de', 'lxc mail' or 'nginx.service', after its control group; '' when that tells nothing
    inode      of the namespace, as the kernel log calls it; '' where only root may know
    own        it is the one of whoever looks
    clashes    of the drops since 4.9, those of connections that collided on insertion
    identity   of the namespace as long as it lives; not the inode
    """

    entries: int
    drops: int | None
    pid: int
    command: str
    container: str
    inode: str = ''
    own: bool = False
    clashes: int = 0
    identity: int = 0

    @property
    def holder(self) -> str:
        """Who it is, for people."""
        process = f'{self.command}, pid {self.pid}' if self.command else f'pid {self.pid}'
        return f'{self.container} ({process})' if self.container else process


class Namespaces(NamedTuple):
    """What can be seen of all of them.

    seen       namespaces whose entries are known
    entries    of all of these together
    tables     those with the most entries, most first, MOST at most
    unread     namespaces that have processes, and no statistics that could be read
    hidden     processes whose namespace could not be seen
    unvisited  processes that were not looked at, for time was out
    empty      names of namespaces without a process that can be seen; None where they cannot be told apart
    withheld   why /proc does not list all processes, '' when it does as far as one can tell
    """

    seen: int
    entries: int
    tables: tuple[Table, ...]
    unread: int = 0
    hidden: int = 0
    unvisited: int = 0
    empty: tuple[str, ...] | None = ()
    withheld: str = ''


def read_namespaces(root: str = '/', seconds: float = 1.0) -> Namespaces:
    """Look at each process below `root`, for about `seconds` at most. Raises ReadError when /proc cannot be listed."""
    ends = time.monotonic() + seconds
    me = 'self' if is_live(root) else '1'
    own = _identity(root, me)
    # Identity -> inode, '' as long as no process of it let its be read.
    inodes: dict[int, str] = {}
    # (entries, -pid, identity): of thousands only the largest are kept.
    largest: list[tuple[int, int, int]] = []
    entries = seen = unread = hidden = unvisited = 0
    processes = _processes(root)
    withheld = _withheld(root, processes)
    for number, pid in enumerate(processes):
        if number % _AT_ONCE == 0 and time.monotonic() >= ends:
            unvisited = len(processes) - number
            break
        try:
            identity = _identity(root, str(pid))
        except ReadError:
            hidden += 1
            continue
        if identity is None:
            continue
        known = identity in inodes
        if not inodes.get(identity):
            inodes[identity] = _inode(root, me if identity == own else str(pid))
        if known:
            continue
        count = _entries(root, pid)
        if count is None:
            unread += 1
            continue
        seen += 1
        entries += count
        largest.append((count, -pid, identity))
        if len(largest) == 4 * MOST:
            largest = sorted(largest, reverse=True)[:MOST]
    tables = tuple(
        _table(root, -pid, count)._replace(inode=inodes[identity], own=identity == own, identity=identity)
        for count, pid, identity in sorted(largest, reverse=True)[:MOST]
    )
    # Without the inode of each, a mounted namespace may be one of those that were seen.
    found = set(inodes.values())
    told_apart = '' not in found and not unvisited and not hidden
    empty = tuple(_without_process(root, found)) if told_apart else None
    return Namespaces(seen, entries, tables, unread, hidden, unvisited, empty, withheld)


def can_be_seen(root: str) -> bool:
    """Whether there is any process to look at: a captured tree has those of other namespaces, or none."""
    try:
        return is_live(root) or bool(_processes(root))
    except ReadError:
        return False


def _processes(root: str) -> list[int]:
    try:
        names = os.listdir(below(root, '/proc'))
    except OSError as error:
        raise ReadError('/proc', os.strerror(error.errno or 0), error.errno) from None
    return sorted(int(name) for name in names if name.isascii() and name.isdigit())


def _withheld(root: str, processes: list[int]) -> str:
    # A tree of files has no such link, and only those processes that somebody put there.
    if not os.path.lexists(below(root, '/proc/self')):
        return ''
    if processes[:1] != [1]:
        return 'processes of other users, which /proc does not list (hidepid)'
    if is_live(root) and _pid_namespace(root) not in ('', _FIRST_PID_NAMESPACE):
        return 'processes outside of this PID namespace'
    return ''


def _pid_namespace(root: str) -> str:
    try:
        return os.readlink(below(root, '/proc/self/ns/pid'))
    except OSError:
        return ''


def _identity(root: str, pid: str) -> int | None:
    """What two processes of one namespace have in common; None for one that is gone. Raises ReadError if hidden."""
    try:
        return os.stat(below(root, f'/proc/{pid}/net/stat')).st_ino
    except PermissionError as error:
        raise ReadError(f'/proc/{pid}/net', os.strerror(error.errno or 0), error.errno) from None
    except OSError:
        return None


def _entries(root: str, pid: int) -> int | None:
    """Entries, from the first line of the statistics."""
    try:
        lines = read_bytes(root, f'/proc/{pid}/net/stat/nf_conntrack', _HEAD).split(b'\n')
        return parse_hexadecimal(lines[1].split()[0].decode('ascii', 'replace'), '')
    except (OSError, ReadError, IndexError):
        return None


def _table(root: str, pid: int, entries: int) -> Table:
    path = f'/proc/{pid}/net/stat/nf_conntrack'
    drops, clashes = None, 0
    try:
        text = read_optional(root, path)
        if text is not None:
            statistics = parse_statistics(text, path, 'drop')
            drops = statistics.total('drop')
            # A chain that is too long (>= 5.15) raises insert_failed as well, and never drop.
            clashes = (statistics.total('insert_failed') or 0) - (statistics.total('chainlength') or 0)
    except ReadError:
        pass
    command = (_first(root, f'/proc/{pid}/comm') or '')[:_LONGEST_NAME]
    container = container_of(_text(root, f'/proc/{pid}/cgroup'))
    return Table(entries, drops, pid, command, container, clashes=max(0, clashes))


def _text(root: str, path: str) -> str:
    try:
        return read_optional(root, path, 4096) or ''
    except ReadError:
        return ''


def _first(root: str, path: str) -> str:
    return _text(root, path).partition('\n')[0]


def _inode(root: str, pid: str) -> str:
    try:
        # 'net:[4026531840]'
        return os.readlink(below(root, f'/proc/{pid}/ns/net')).partition('[')[2].rstrip(']')
    except OSError:
        return ''


def _without_process(root: str, inodes: set[str]) -> Iterator[str]:
    for directory in _NAMED:
        try:
            names = sorted(os.listdir(below(root, directory)))
        except OSError:
            continue
        for name in names:
            try:
                if str(os.stat(below(root, f'{directory}/{name}')).st_ino) not in inodes:
                    yield name[:_LONGEST_NAME]
            except OSError:
                yield name[:_LONGEST_NAME]


def container_of(text: str) -> str:
    """The container, machine or unit in the lines of /proc/PID/cgroup (cgroups(7)); '' when none is in them.

    Their names: systemd's scopes (docker-ID.scope, cri-containerd-ID.scope, machine-NAME.scope), plain directories of
    older runtimes (/docker/ID, /kubepods/.../ID), lxc.payload.NAME.
    """
    for line in text.splitlines():
        parts = [part for part in line.split(':', 2)[-1].split('/') if part]
        for place in range(len(parts) - 1, -1, -1):
            part = parts[place].removesuffix('.scope')
            kind, _, word = part.rpartition('-')
            if len(word) == 64 and set(word) <= set('0123456789abcdef'):
                return f'{kind or _family(parts[:place])} {word[:12]}'
            if part.startswith('lxc.payload.'):
                return f'lxc {part[12 : 12 + _LONGEST_NAME]}'
            if part.startswith('machine-') and parts[place].endswith('.scope'):
                return f'machine {part[8 : 8 + _LONGEST_NAME]}'
    services = [line.rpartition('/')[2] for line in text.splitlines() if line.endswith('.service')]
    return services[0][:_LONGEST_NAME] if services else ''


def _family(parts: list[str]) -> str:
    """What a directory full of containers is called: 'docker', 'kubepods'."""
    return parts[0] if parts else 'container'
