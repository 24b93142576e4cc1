"""Whether ferm is there at all: its program, and the file of its unit."""

from __future__ import annotations

import os

from tablefull.readers.files import below, exists

_PROGRAMS = ('/usr/sbin/ferm', '/sbin/ferm', '/usr/local/sbin/ferm')
# Where systemd looks for units, systemd.unit(5), but for what its generators write: from the init script of Debian
# they make a unit even after the package was removed.
_UNITS = (
    '/etc/systemd/system.control',
    '/run/systemd/system.control',
    '/run/systemd/transient',
    '/etc/systemd/system',
    '/etc/systemd/system.attached',
    '/run/systemd/system',
    '/run/systemd/system.attached',
    '/usr/local/lib/systemd/system',
    '/usr/lib/systemd/system',
    '/lib/systemd/system',
)


def installed(root: str) -> bool:
    """Whether the program is there. A captured tree rarely holds it."""
    return any(exists(root, path) for path in _PROGRAMS)


def has_unit_file(root: str) -> bool:
    """Whether somebody wrote, linked or masked a ferm.service."""
    return any(os.path.lexists(below(root, f'{directory}/ferm.service')) for directory in _UNITS)
