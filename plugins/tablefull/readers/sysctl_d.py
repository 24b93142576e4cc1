"""Reader of what sysctl.d configures for the next boot, in the order of systemd-sysctl and procps.

Source: sysctl.d(5), sysctl.conf(5). A file in a directory further up the list replaces one of the same name; files
apply in the order of their names whatever their directory; /etc/sysctl.conf comes last.
"""

from __future__ import annotations

from tablefull.readers.files import ReadError, drop_in_files, exists, is_masked, read_text
from tablefull.record import NamedTuple

DIRECTORIES = ('/etc/sysctl.d', '/run/sysctl.d', '/usr/local/lib/sysctl.d', '/usr/lib/sysctl.d', '/lib/sysctl.d')


_DIGITS = frozenset('0123456789abcdefABCDEFxX')


class Setting(NamedTuple):
    """One assignment: the key with dots, the value as written, and the file it stands in."""

    key: str
    value: str
    path: str


class Sysctls(NamedTuple):
    """All assignments in the order they apply, and the files that could not be read.

    present is False when the tree holds no sysctl configuration at all, so that nothing can be concluded from it.
    """

    settings: tuple[Setting, ...]
    unread: tuple[str, ...]
    present: bool

    def last(self, *keys: str) -> Setting | None:
        """The assignment that wins among several names of one value."""
        for setting in reversed(self.settings):
            if setting.key in keys:
                return setting
        return None


def parse_sysctl(text: str, path: str) -> list[Setting]:
    """Lines `key = value`; `#` and `;` begin comments, a leading `-` only means "ignore errors"."""
    settings = []
    for line in text.splitlines():
        line = line.strip()
        if not line or line[0] in '#;' or '=' not in line:
            continue
        key, _, value = line.partition('=')
        settings.append(Setting(_normal(key.strip().lstrip('-')), value.strip(), path))
    return settings


def _normal(key: str) -> str:
    """Dots between the parts. The first separator decides: in 'net/ipv4/conf/eth0.5' the dot belongs to a name."""
    if '/' in key and ('.' not in key or key.index('/') < key.index('.')):
        return key.replace('.', '\0').replace('/', '.').replace('\0', '/')
    return key


def parse_value(value: str) -> int | None:
    """A number as the kernel takes it: decimal, 0x hexadecimal, leading 0 octal; None for anything else."""
    # int() alone would take underscores, digits of any script, and more of them than can be printed.
    digits = value.removeprefix('-')
    if not 1 <= len(digits) <= 20 or not _DIGITS.issuperset(digits):
        return None
    try:
        if value.lower().startswith('0x'):
            return int(value, 16)
        return int(value, 8) if len(value) > 1 and value.startswith('0') else int(value, 10)
    except ValueError:
        return None


def read_sysctls(root: str = '/') -> Sysctls:
    """Read all configuration below `root`. Unreadable files are named, not raised: the rest still counts."""
    paths, unread = drop_in_files(root, DIRECTORIES)
    present = any(exists(root, directory) for directory in DIRECTORIES)
    settings: list[Setting] = []
    for path in [*paths, '/etc/sysctl.conf']:
        try:
            settings += parse_sysctl(read_text(root, path, 1 << 18), path)
            present = True
        except FileNotFoundError:
            continue
        except ReadError:
            if not is_masked(root, path):
                unread.append(path)
    return Sysctls(tuple(settings), tuple(unread), present)
