"""Packs what was collected into one new file: a compressed tar of plain files and directories, nothing else."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import time

from tablefull import __version__
from tablefull.capture.collect import Collected, collect
from tablefull.findings.wording import quantity, quoted
from tablefull.frame.json_text import encode
from tablefull.frame.option_table import COMMON, Option
from tablefull.frame.text import clean
from tablefull.readers.files import ReadError, check_root
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

OPTIONS = (
    *(option for option in COMMON if option.name == 'root'),
    Option('help', 'flag', '', 'print this help', 'h'),
)


def answer(options: Any) -> tuple[int, str]:
    """(exit code, what was done). Does not raise; leaves no half of a file."""
    try:
        check_root(options.root)
        found = collect(options.root)
        data = packed(found)
        write_new(options.file, data)
    except ReadError as error:
        return _refused(f'cannot read {error}')
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return _refused(f'cannot write {options.file}: {reason}')
    lines = [f'CAPTURED {quantity(len(found.files), "file")}, {len(data)} bytes in {clean(options.file)}']
    lines += [f'not read: {clean(reason)}' for reason in found.unread]
    lines += [f'cut off: {clean(path)}' for path in found.cut]
    lines.append('It tells of addresses, routes, firewall and kernel log of this host: docs/captured-trees.md#privacy')
    lines.append(f'tablefull triage --capture {clean(quoted(options.file))}')
    return 0, '\n'.join(lines)


def _refused(reason: str) -> tuple[int, str]:
    return 3, clean(f'CAPTURE UNKNOWN - {reason}')


def packed(found: Collected) -> bytes:
    """The content of the file. Names alone decide about the order; neither times nor owners are kept."""
    origin = {
        'schema': 1,
        'version': __version__,
        'time': int(time.time()),
        'user': os.geteuid(),
        'unread': found.unread,
        'cut': found.cut,
    }
    files = {'capture.json': encode(origin).encode() + b'\n', **found.files}
    buffer = io.BytesIO()
    # The plain form of 1988, which needs no extension for anything that is packed here.
    with tarfile.open(fileobj=buffer, mode='w', format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(set(found.present).difference(files)):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o700
            archive.addfile(directory)
        for name, content in sorted(files.items()):
            file = tarfile.TarInfo(name)
            file.size, file.mode = len(content), 0o600
            archive.addfile(file, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def write_new(path: str, data: bytes) -> None:
    """Write `data` to `path`, which must not be there yet, not even as a link. Raises OSError; then nothing is left."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)
    except BaseException:
        os.unlink(path)
        raise
