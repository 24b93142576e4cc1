"""How every reader opens a file: below a root, bounded, without side effects, with one kind of error."""

from __future__ import annotations

import errno
import os
import stat

# The largest file a reader takes whole. /proc/net/nf_conntrack is larger, and is not read this way.
LIMIT = 4 * 1024 * 1024

_ABSENT = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ESRCH, errno.ENXIO, errno.ENODEV))


# When whoever asks must have the answer, on the clock of time.monotonic(); None where an alarm ends the wait.
_answer_by: float | None = None


def answer_by(moment: float | None) -> None:
    """Wait for nothing that may hang (a program, a socket) beyond `moment`. For a thread, which no alarm reaches."""
    global _answer_by
    _answer_by = moment


def patience(seconds: float | None) -> float | None:
    """At most `seconds`, and not beyond what answer_by() says; None is without end."""
    if _answer_by is None:
        return seconds
    import time

    left = max(0.0, _answer_by - time.monotonic())
    return left if seconds is None else min(seconds, left)


class ReadError(Exception):
    """A file is there but its content cannot be had, or makes no sense.

    `path` is the path as the host knows it (without the root), `reason` a few words, `number` the errno or None.
    """

    def __init__(self, path: str, reason: str, number: int | None = None) -> None:
        super().__init__(f'{path}: {reason}')
        self.path = path
        self.reason = reason
        self.number = number

    @property
    def permission(self) -> bool:
        """True when more privilege would help."""
        return self.number in (errno.EACCES, errno.EPERM)


def below(root: str, path: str) -> str:
    """`path` (absolute on the host) below `root`."""
    return path if root == '/' else root.rstrip('/') + path


def is_live(root: str) -> bool:
    """Whether `root` is this host itself, so that answers which are not files (netlink, systemd) belong to it."""
    return os.path.realpath(root) == '/'


def check_root(root: str) -> None:
    """Raises ReadError for a root that holds nothing of a host: a failed mount is not "all is absent here"."""
    if is_live(root):
        return
    try:
        names = os.listdir(root)
    except OSError as error:
        raise ReadError(root, os.strerror(error.errno or 0), error.errno) from None
    parts = ('proc', 'sys', 'dev', 'etc', 'run', 'var')
    if not any(name in parts or os.path.isfile(os.path.join(root, name)) for name in names):
        raise ReadError(root, 'holds neither proc, sys, dev, etc, run, var nor a recording')


def read_bytes(root: str, path: str, limit: int = LIMIT) -> bytes:
    """The first `limit` bytes of a regular file. Raises FileNotFoundError when it is not there, ReadError otherwise.

    O_NONBLOCK so that a FIFO put there in between cannot hang a check; /proc and /sys ignore it.
    """
    try:
        place = below(root, path)
        # A device may lie under any name, and opening it could have effects.
        if not stat.S_ISREG(os.stat(place).st_mode):
            raise ReadError(path, 'not a regular file')
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ReadError(path, 'not a regular file')
            pieces = []
            while limit > 0:
                piece = os.read(descriptor, min(limit, 1 << 16))
                if not piece:
                    break
                pieces.append(piece)
                limit -= len(piece)
            return b''.join(pieces)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in _ABSENT:
            raise FileNotFoundError(error.errno, path) from None
        raise ReadError(path, os.strerror(error.errno or 0), error.errno) from None


def read_text(root: str, path: str, limit: int = LIMIT) -> str:
    r"""As `read_bytes`, decoded; bytes that are not UTF-8 stay visible as \xHH. NULs stay: parsers refuse them."""
    return read_bytes(root, path, limit).decode('utf-8', 'backslashreplace')


def read_optional(root: str, path: str, limit: int = LIMIT) -> str | None:
    """As `read_text`, None when the file is not there (other errors still raise ReadError)."""
    try:
        return read_text(root, path, limit)
    except FileNotFoundError:
        return None


def read_number(root: str, path: str) -> int | None:
    """A file that holds one decimal number, maybe negative; None when it is not there; ReadError for anything else."""
    text = read_optional(root, path, 64)
    if text is None:
        return None
    return parse_number(text, path)


def parse_number(text: str, path: str) -> int:
    """One decimal number with an optional minus sign, white space around it. Raises ReadError naming `path`."""
    word = text.strip()
    digits = word[1:] if word.startswith('-') else word
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 20:
        raise ReadError(path, 'empty' if not word else 'not a number')
    return int(word)


def exists(root: str, path: str) -> bool:
    """Whether something is at `path` (a broken symbolic link is not)."""
    # Not os.path.exists(), which raises and catches an error for each file that is not there: most of them are not.
    return os.access(below(root, path), os.F_OK)


def list_directory(root: str, path: str) -> list[str]:
    """Sorted names in a directory; empty when it is not there. Raises ReadError when it cannot be listed."""
    try:
        return sorted(os.listdir(below(root, path)))
    except OSError as error:
        if error.errno in _ABSENT:
            return []
        raise ReadError(path, os.strerror(error.errno or 0), error.errno) from None


def is_masked(root: str, path: str) -> bool:
    """Whether a configuration file holds nothing on purpose: a link to /dev/null, or a directory of its name."""
    place = below(root, path)
    try:
        return os.path.isdir(place) or os.readlink(place) == '/dev/null'
    except OSError:
        return False


def drop_in_files(
    root: str, directories: tuple[str, ...], endings: tuple[str, ...] = ('.conf',)
) -> tuple[list[str], list[str]]:
    """(paths in the order of their names, directories that cannot be listed) of several NAME.d directories.

    A file hides those of the same name in the directories after its own; hidden files do not count. Names are sorted
    by byte, as systemd and kmod do.
    """
    chosen: dict[str, str] = {}
    unread = []
    for directory in directories:
        try:
            names = list_directory(root, directory)
        except ReadError:
            unread.append(directory)
            continue
        for name in names:
            if name.endswith(endings) and not name.startswith('.'):
                chosen.setdefault(name, f'{directory}/{name}')
    return [chosen[name] for name in sorted(chosen, key=os.fsencode)], unread


def net_directory(root: str) -> str:
    """Where the host's network files are: below a mounted host, /proc/net is of the reader's own namespace."""
    if not is_live(root) and os.path.isdir(below(root, '/proc/1/net')):
        return '/proc/1/net'
    return '/proc/net'


def recording(root: str, *names: str) -> str | None:
    """The first of `names` that a captured tree holds at its top, as a path for `read_text`; None on a live host.

    A captured tree keeps beside its files what no file says: the output of `systemctl show`, of `ip route`, the
    kernel's ring buffer. docs/captured-trees.md lists the names.
    """
    if is_live(root):
        return None
    for name in names:
        if os.path.isfile(below(root, '/' + name)):
            return '/' + name
    return None


def monotonic_now(root: str) -> float | None:
    """Seconds on the clock of kernel log timestamps: CLOCK_MONOTONIC here, the first word of proc/uptime elsewhere."""
    if is_live(root):
        import time

        return time.clock_gettime(time.CLOCK_MONOTONIC)
    words = (read_optional(root, '/proc/uptime', 128) or '').split()
    try:
        now = float(words[0])
    except (IndexError, ValueError):
        return None
    return now if 0 <= now < 1e12 else None


def uptime(root: str) -> float:
    """Seconds since boot, suspend included, immune to clock changes; in a captured tree the moment of the capture."""
    if is_live(root):
        import time

        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return monotonic_now(root) or 0.0


def boot_id(root: str) -> str:
    """The kernel's random boot id, '' where the tree has none. Source: /proc/sys/kernel/random/boot_id."""
    return (read_optional(root, '/proc/sys/kernel/random/boot_id', 64) or '').strip()


def same_boot(root: str) -> bool:
    """Whether `root` is of the kernel that runs here: this host itself, or mounted into this container.

    Not so a capture, even one of this boot: it is of a moment that is past.
    """
    if is_live(root) or recording(root, 'capture.json') is not None:
        return is_live(root)
    return bool(boot_id(root)) and boot_id(root) == boot_id('/')


def kernel_release(root: str) -> tuple[int, int]:
    """(major, minor) of /proc/sys/kernel/osrelease or /proc/version; (0, 0) when neither tells."""
    text = read_optional(root, '/proc/sys/kernel/osrelease', 256)
    if not text:
        words = (read_optional(root, '/proc/version', 512) or '').split()
        text = words[2] if len(words) > 2 else ''
    return parse_release(text)


def parse_release(text: str) -> tuple[int, int]:
    """(major, minor) of a release string such as '6.1.0-56-amd64' or '3.10.0-1160.el7'; (0, 0) when it is none."""
    major, _, rest = text.strip().partition('.')
    minor = ''
    for character in rest:
        if not character.isdigit():
            break
        minor += character
    if not (major.isascii() and major.isdigit() and minor.isascii() and minor):
        return (0, 0)
    return (int(major[:4]), int(minor[:4]))
