#!/usr/bin/env python3
"""check_conntrack_modules: has something loaded connection tracking, NAT or tables that nobody here asked for?"""

from __future__ import annotations

import gc
import sys

# Before the imports: collecting garbage costs a process this short a tenth of its time, and frees nothing.
gc.disable()

try:
    from tablefull.frame.plugin import Acquired, Check, looking, run
    from tablefull.looks.conntrack_modules import OPTIONS, THRESHOLDS, look
    from tablefull.record import TYPE_CHECKING
except Exception as error:  # noqa: BLE001  # broken, unreadable, out of memory
    # A missing library must not look like a WARNING, which exit code 1 of a traceback would be.
    why = str(error) or repr(error)
    print(f'CONNTRACK MODULES UNKNOWN - {why}: install tablefull with python3-nagiosplugin and python3-psutil')
    sys.exit(3)

if TYPE_CHECKING:
    import argparse


def acquire(options: argparse.Namespace) -> Acquired:
    """Look at the modules, and judge their number by the ranges of the user."""
    return looking(options, lambda: look(options), THRESHOLDS)


CHECK = Check(
    'conntrack_modules',
    'Judge the modules that bring connection tracking, NAT or tables: expected or not, active or not.',
    OPTIONS,
    acquire,
)


def main() -> None:
    """Entry point."""
    run(CHECK)


if __name__ == '__main__':
    main()
