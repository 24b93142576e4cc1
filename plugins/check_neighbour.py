#!/usr/bin/env python3
"""check_neighbour: do the neighbour tables (ARP, NDP) overflow, are they filling up, is the default gateway right?"""

from __future__ import annotations

import gc
import sys

# Before the imports: collecting garbage costs a process this short a tenth of its time, and frees nothing.
gc.disable()

try:
    from tablefull.frame.look import read_log_of
    from tablefull.frame.plugin import Acquired, Check, looking, run
    from tablefull.frame.state import remembering
    from tablefull.looks.neighbour import OPTIONS, THRESHOLDS, look
    from tablefull.record import TYPE_CHECKING
except Exception as error:  # noqa: BLE001  # broken, unreadable, out of memory
    # A missing library must not look like a WARNING, which exit code 1 of a traceback would be.
    why = str(error) or repr(error)
    print(f'NEIGHBOUR UNKNOWN - {why}: install tablefull with python3-nagiosplugin and python3-psutil')
    sys.exit(3)

if TYPE_CHECKING:
    import argparse


def acquire(options: argparse.Namespace) -> Acquired:
    """Look at the tables, and judge them by the ranges of the user."""
    memory = remembering('neighbour', options)
    return looking(options, lambda: look(options, memory, read_log_of(options.root)), THRESHOLDS)


CHECK = Check(
    'neighbour',
    'Judge the neighbour tables of IPv4 (ARP) and IPv6 (NDP): refused neighbours first, then how full they are,'
    ' and the mistakes in default routes that fill them.',
    OPTIONS,
    acquire,
)


def main() -> None:
    """Entry point."""
    run(CHECK)


if __name__ == '__main__':
    main()
