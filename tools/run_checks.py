"""Every check against this host on its defaults, one line each, and what it comes to. `make run`."""

from __future__ import annotations

import os

import check_conntrack
import check_conntrack_modules
import check_ferm
import check_kernel_log
import check_neighbour
from tablefull.frame.options import parse
from tablefull.frame.output import EXIT_CODES
from tablefull.frame.plugin import Check, examine
from tablefull.frame.text import clean

CHECKS: tuple[Check, ...] = (
    check_conntrack.CHECK,
    check_conntrack_modules.CHECK,
    check_neighbour.CHECK,
    check_kernel_log.CHECK,
    # Most hosts have no ferm, and that is no fault when somebody only tries the suite.
    check_ferm.CHECK,
)

# Where the verdict of a check is fuller for root.
ROOT_ADDS = 'Root adds: the kernel log where kernel.dmesg_restrict is set, and check_ferm --verify-rules.'


def main() -> None:
    """Print the lines and the closing summary."""
    states = []
    for check in CHECKS:
        arguments = ['--missing', 'ok'] if check is check_ferm.CHECK else []
        outcome = examine(check, parse(check.program, check.description, check.all_options, arguments))
        states.append(outcome.state)
        print(f'{check.program:24} {outcome.state.upper():9} {clean(outcome.summary)}')
        for finding in outcome.findings:
            print(f'{"":24} {finding.severity}: tablefull explain {finding.code}')
    counts = [f'{states.count(state)} {state.upper()}' for state in EXIT_CODES if state in states]
    print(f'\n{len(CHECKS)} checks: {", ".join(counts)}. Everything named here is in .venv/bin; -vv tells all')
    if os.geteuid() != 0:
        print(ROOT_ADDS)


if __name__ == '__main__':
    # The verdict is in the lines: a red exit code here would make `make run` itself look broken.
    main()
