"""The end of a process that prints one text, without nagiosplugin."""

from __future__ import annotations

import os
import sys

from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NoReturn


def leave(code: int, text: str) -> NoReturn:
    """Print all of `text`, which is ASCII, or fail; a full disk or a closed pipe must not look like success."""
    try:
        if sys.stdout is None:
            # Closed from the start; its number may be that of another file by now.
            raise OSError
        data = text.encode('ascii') + b'\n'
        while data:
            data = data[os.write(1, data) :]
    except OSError:
        code = 3
    os._exit(code)
