"""What is remembered between two runs: a few recent samples of counters, or a position in the kernel log.

One JSON file per check and network namespace, in a directory that only its owner can write. It is replaced as a
whole, so that two runs at once, or a full disk, leave an old state or a new one and never half of one.
"""

from __future__ import annotations

import errno
import os
import stat

from tablefull.findings.finding import Finding
from tablefull.frame.json_text import decode, encode
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Of the package, which has a directory below it for each user of a monitoring daemon, named by the user id. Nobody else
# can write there, so nobody can put a file under the name that another user's check is going to use.
PACKAGED = '/var/lib/tablefull'
# Four samples of 8192 CPUs.
_LARGEST = 3 * 1024 * 1024


class Remembered(NamedTuple):
    """What was found.

    content   the object saved by an earlier run, None when there is none to use
    findings  what went wrong, for the check to yield
    """

    content: dict[str, Any] | None
    findings: tuple[Finding, ...] = ()


class Memory:
    """What one check remembers: content from its last run, and what it wants its next run to know."""

    def __init__(self, chosen: str | None, name: str) -> None:
        self._place = (chosen, name)
        self._remembered = load(chosen, name)
        self.content = self._remembered.content

    def save(self, content: dict[str, Any]) -> tuple[Finding, ...]:
        """Replace what is remembered. Returns what went wrong, now or when it was loaded."""
        return save(*self._place, content) or self._remembered.findings


def remembering(check: str, options: Any) -> Callable[[], Memory]:
    """What brings the memory of a check with the options --state-dir and --root to mind, when it is asked for."""
    return lambda: Memory(options.state_dir, key(check, options.root))


def directory(chosen: str | None) -> str:
    """The option, $NAGIOS_PLUGIN_STATE_DIRECTORY, the packaged directory if it is ours, else a private one."""
    if chosen:
        return chosen
    # Set by the administrator in the daemon's environment; sudo drops it, so that a caller cannot steer root with it.
    named = os.environ.get('NAGIOS_PLUGIN_STATE_DIRECTORY', '')
    if named.startswith('/'):
        return os.path.join(named, 'tablefull')
    for packaged in (f'{PACKAGED}/{os.geteuid()}', PACKAGED):
        if os.access(packaged, os.W_OK):
            return packaged
    return f'/var/tmp/tablefull-{os.geteuid()}'  # noqa: S108  # made private and checked by _open_directory


def key(check: str, root: str) -> str:
    """File name for a check below `root`: one per user and network namespace, one per captured tree."""
    if os.path.realpath(root) == '/':
        try:
            return f'{check}-{os.geteuid()}-{os.stat("/proc/self/ns/net").st_ino}.json'
        except OSError:
            return f'{check}-{os.geteuid()}.json'
    import zlib

    return (
        f'{check}-{os.geteuid()}-root-{zlib.crc32(os.path.realpath(root).encode("utf-8", "surrogateescape")):08x}.json'
    )


def load(chosen: str | None, name: str) -> Remembered:
    """What an earlier run saved under `name`. Trouble is a finding, never an exception."""
    try:
        handle = _open_directory(directory(chosen), create=False)
    except FileNotFoundError:
        return Remembered(None)
    except OSError as error:
        return Remembered(None, (_unwritable(chosen, error),))
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=handle)
    except FileNotFoundError:
        return Remembered(None)
    except OSError as error:
        return Remembered(None, (_unwritable(chosen, error),))
    finally:
        os.close(handle)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid not in (os.geteuid(), 0):
            return Remembered(None, (_unwritable(chosen, OSError(errno.EINVAL, 'not a file of our own')),))
        data = os.read(descriptor, _LARGEST)
    except OSError as error:
        return Remembered(None, (_unwritable(chosen, error),))
    finally:
        os.close(descriptor)
    try:
        content = decode(data.decode())
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        return Remembered(None, (_damaged(chosen, name),))
    return Remembered(content)


def save(chosen: str | None, name: str, content: dict[str, Any]) -> tuple[Finding, ...]:
    """Replace what is remembered under `name`. Returns the findings of a failure, () when it worked."""
    data = encode(content).encode()
    temporary = f'.{name}.{os.getpid()}'
    try:
        handle = _open_directory(directory(chosen), create=True)
        try:
            # O_EXCL and O_NOFOLLOW: a link planted under the name is refused, not written through.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            try:
                descriptor = os.open(temporary, flags, 0o600, dir_fd=handle)
            except FileExistsError:
                # Left by a process with our number that was killed between open and rename.
                os.unlink(temporary, dir_fd=handle)
                descriptor = os.open(temporary, flags, 0o600, dir_fd=handle)
            try:
                try:
                    if os.write(descriptor, data) != len(data):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                finally:
                    os.close(descriptor)
                os.rename(temporary, name, src_dir_fd=handle, dst_dir_fd=handle)
            except BaseException:
                os.unlink(temporary, dir_fd=handle)
                raise
        finally:
            os.close(handle)
    except OSError as error:
        return (_unwritable(chosen, error),)
    return ()


def _open_directory(path: str, create: bool) -> int:
    """A descriptor of the directory, made with mode 0700 if asked. Refuses one that others could tamper with."""
    if create:
        os.makedirs(path, 0o700, exist_ok=True)
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    status = os.fstat(handle)
    # A group may share it only where the sticky bit keeps its members from replacing each other's files.
    shared = status.st_mode & stat.S_IWGRP and not status.st_mode & stat.S_ISVTX and status.st_gid != os.getegid()
    if status.st_uid not in (os.geteuid(), 0) or status.st_mode & stat.S_IWOTH or shared:
        os.close(handle)
        raise OSError(errno.EPERM, 'directory belongs to somebody else or is writable for others')
    return handle


def _unwritable(chosen: str | None, error: OSError) -> Finding:
    place = directory(chosen)
    return Finding(
        'state-unwritable',
        'unknown',
        'nothing can be remembered between runs, so rates stay unknown',
        (f'{place}: {error.strerror}',),
        (f'install -d -m 0700 -o {_user()} {place}', 'or name another directory with --state-dir'),
    )


def _damaged(chosen: str | None, name: str) -> Finding:
    return Finding(
        'state-damaged',
        'info',
        'what earlier runs had remembered was damaged: started anew, no rates yet',
        (os.path.join(directory(chosen), name),),
    )


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
