"""Whether the journal is open to this user: asked before journalctl is run, and before what reads it is imported."""

from __future__ import annotations

import errno
import os

from tablefull.readers.files import ReadError, read_optional

_HEXADECIMAL = frozenset('0123456789abcdef')


def require_open_journal() -> None:
    """Raises FileNotFoundError without a journal, ReadError when it is closed to us.

    journalctl shows nothing to whom it may not show everything, and exits with 0: so try the file of the system.
    """
    machine = (read_optional('/', '/etc/machine-id', 64) or '').strip()
    if len(machine) != 32 or not _HEXADECIMAL.issuperset(machine):
        raise FileNotFoundError(errno.ENOENT, '/etc/machine-id')
    refused = None
    for directory in ('/var/log/journal', '/run/log/journal'):
        path = f'{directory}/{machine}/system.journal'
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY))
            return
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM):
                refused = ReadError(path, os.strerror(error.errno), error.errno)
    raise refused or FileNotFoundError(errno.ENOENT, '/var/log/journal')
