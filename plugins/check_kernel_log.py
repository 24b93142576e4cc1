#!/usr/bin/env python3
"""check_kernel_log: did the kernel say that a network table was full, or that it rejected a firewall rule?"""

from __future__ import annotations

import gc
import sys

# Before the imports: collecting garbage costs a process this short a tenth of its time, and frees nothing.
gc.disable()

try:
    import nagiosplugin

    from tablefull.findings import kernel_log as rules
    from tablefull.frame.judge import Looking, Measure
    from tablefull.frame.look import Look
    from tablefull.frame.plugin import Acquired, Check, run
    from tablefull.frame.state import remembering
    from tablefull.looks.kernel_log import OPTIONS, cursor_name, look
    from tablefull.readers.kernel_log import read_kernel_log
    from tablefull.record import TYPE_CHECKING
except Exception as error:  # noqa: BLE001  # broken, unreadable, out of memory
    # A missing library must not look like a WARNING, which exit code 1 of a traceback would be.
    why = str(error) or repr(error)
    print(f'KERNEL LOG UNKNOWN - {why}: install tablefull with python3-nagiosplugin and python3-psutil')
    sys.exit(3)

if TYPE_CHECKING:
    import argparse


def _look(options: argparse.Namespace) -> Look:
    kinds = rules.kinds_of(options.only)
    if len(kinds) < len(set(options.only or ())):
        # A code that no message has: judging nothing would be OK for ever.
        raise nagiosplugin.CheckError(f'--only takes {", ".join(rules.RULES[kind].code for kind in rules.RULES)}')

    def raised(lines: int) -> str | None:
        for severity in ('critical', 'warning'):
            limits = getattr(options, severity)
            if limits is not None and not limits.match(lines):
                return severity
        return None

    memory = remembering(cursor_name(options), options)
    return look(options, kinds, raised, memory, lambda: read_kernel_log(options.root, options.since, options.file))


def acquire(options: argparse.Namespace) -> Acquired:
    """Look at the log. The ranges are judged with the kinds' own severities, in the rules; here they are only shown."""
    resource = Looking(lambda: _look(options), options.ignore)
    limits = (options.warning, options.critical)
    kinds = tuple(Measure(rules.label(kind), None, *limits) for kind in rules.RULES)
    return Acquired(resource, (*kinds, Measure('suppressed'), Measure('lost')), resource.healthy, resource.facts)


CHECK = Check(
    'kernel_log',
    'Find what the kernel said about full network tables and rejected firewall rules, at any level.',
    OPTIONS,
    acquire,
)


def main() -> None:
    """Entry point."""
    run(CHECK)


if __name__ == '__main__':
    main()
