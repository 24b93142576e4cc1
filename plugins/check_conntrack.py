#!/usr/bin/env python3
"""check_conntrack: does connection tracking refuse packets, is its table filling up, will it be full soon?"""

from __future__ import annotations

import gc
import sys

# Before the imports: collecting garbage costs a process this short a tenth of its time, and frees nothing.
gc.disable()

try:
    from tablefull.frame.look import read_log_of
    from tablefull.frame.plugin import Acquired, Check, looking, run
    from tablefull.frame.state import remembering
    from tablefull.looks.conntrack import OPTIONS, THRESHOLDS, look
    from tablefull.record import TYPE_CHECKING
except Exception as error:  # noqa: BLE001  # broken, unreadable, out of memory
    # A missing library must not look like a WARNING, which exit code 1 of a traceback would be.
    why = str(error) or repr(error)
    print(f'CONNTRACK UNKNOWN - {why}: install tablefull with python3-nagiosplugin and python3-psutil')
    sys.exit(3)

if TYPE_CHECKING:
    import argparse


def acquire(options: argparse.Namespace) -> Acquired:
    """Look at the table, and judge it by the ranges of the user."""
    memory = remembering('conntrack', options)
    return looking(options, lambda: look(options, memory, read_log_of(options.root)), THRESHOLDS)


CHECK = Check(
    'conntrack',
    'Judge the connection tracking table: refused packets first, then how full it is and how fast it fills.',
    OPTIONS,
    acquire,
)


def main() -> None:
    """Entry point."""
    run(CHECK)


if __name__ == '__main__':
    main()
