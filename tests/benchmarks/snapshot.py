"""What a snapshot costs: CPU time as ratios to `python3 -c pass`, and to the same numbers as shell UserParameters.

Started as templates/zabbix starts it, without `site`, by the interpreter behind the virtual environment: an editable
installation slows down `pass` as well, and would flatter the ratio. Interleaved, medians, nothing fails: see cost.py.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path

from tablefull.readers.ferm_presence import installed
from tests.benchmarks.cost import cpu

SCRIPT = str(Path(__file__).parents[2] / 'plugins' / 'tablefull-snapshot')
PYTHON = os.path.realpath(sys.executable)
ROUNDS = 31
BUDGET = 1.2
SHELL_BUDGET = 0.25

CONNTRACK = '/proc/sys/net/netfilter/nf_conntrack_'
COLUMN = """awk 'NR == 1 {{ for (i = 1; i <= NF; i++) if ($i == "{0}") c = i }} NR > 1 {{ print $c }}' {1}"""
COUNTERS = (
    'drop early_drop insert_failed invalid search_restart found insert icmp_error expect_new expect_create '
    'expect_delete clashres chainlength'
).split()
MESSAGES = (
    'table full, dropping packet',
    'expectation table full',
    'neighbor table overflow',
    'Route cache is full',
    '_tables: ',
    'automatic helper',
    'conntrack version',
)


def user_parameters() -> list[str]:
    """One shell command for each number, as people write them: with the cheapest tools that can do it."""
    commands = [f'cat {CONNTRACK}{name}' for name in ('count', 'max', 'buckets', 'expect_max')]
    commands += [COLUMN.format(name, '/proc/net/stat/nf_conntrack') for name in COUNTERS]
    for family, cache in (('ipv4', 'arp_cache'), ('ipv6', 'ndisc_cache')):
        commands += [f'cat /proc/sys/net/{family}/neigh/default/gc_thresh{number}' for number in (1, 2, 3)]
        columns = ('entries', 'table_fulls', 'forced_gc_runs', 'res_failed')
        commands += [COLUMN.format(name, f'/proc/net/stat/{cache}') for name in columns]
        number = family.removeprefix('ipv')
        commands.append(f'ip -{number} neigh show nud failed nud incomplete | wc -l')
        commands.append(f'ip -{number} route show default')
    commands += ['grep -c conntrack /proc/modules', 'grep -c nat /proc/modules']
    commands += ['cut -d. -f1 /proc/uptime', 'uname -r', 'cat /proc/sys/kernel/random/boot_id']
    if installed('/'):
        # What the snapshot then tells as well; without systemd they end at once.
        properties = ('ActiveState', 'SubState', 'Result', 'ReloadResult', 'UnitFileState', 'ExecMainStatus')
        commands += [f'systemctl show --property {name} --value ferm' for name in properties]
    return commands + [f"dmesg | grep -c '{message}'" for message in MESSAGES]


def main() -> None:
    """Print a line per comparison."""
    with tempfile.TemporaryDirectory() as directory:
        nothing = [PYTHON, '-c', 'pass']
        taking = [PYTHON, '-IS', SCRIPT, '--state-dir', directory]
        # Old messages of other tests cost the catalogue's patterns; a host in order has none.
        quiet = [*taking, '--since', '1s']
        # What is not there on this host costs its process all the same.
        shells = [['sh', '-c', f'{command} 2>/dev/null'] for command in user_parameters()]
        for command in (nothing, taking, quiet, *shells):
            cpu(command)
        ratios: dict[str, list[float]] = {'snapshot, quiet kernel log': [], 'snapshot, this kernel log': []}
        against_shell: list[float] = []
        spent: list[float] = []
        for _ in range(ROUNDS):
            empty, calm, full = cpu(nothing), cpu(quiet), cpu(taking)
            ratios['snapshot, quiet kernel log'].append(calm / empty)
            ratios['snapshot, this kernel log'].append(full / empty)
            spent.append(calm)
            against_shell.append(calm / sum(map(cpu, shells)))
    print(f'{"":26} {"x pass":>7} {"budget":>7} {"ms cpu":>7}')
    for name, found in ratios.items():
        ratio = statistics.median(found)
        milliseconds = f' {1000 * statistics.median(spent):7.1f}' if 'quiet' in name else ''
        print(f'{name:26} {ratio:7.2f} {BUDGET:7.2f}{milliseconds}{"" if ratio <= BUDGET else "  OVER BUDGET"}')
    ratio = statistics.median(against_shell)
    over = '' if ratio <= SHELL_BUDGET else '  OVER BUDGET'
    print(f'{f"x {len(shells)} UserParameters":26} {ratio:7.2f} {SHELL_BUDGET:7.2f}{over}')


if __name__ == '__main__':
    main()
