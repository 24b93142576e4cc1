"""What `tablefull top` costs on a table of its own, as ratios to the pipelines people use for the same.

A network namespace is made for it, and filled over ctnetlink: root is needed. Interleaved, medians, nothing fails: see
cost.py. Memory is the peak of a process that counts connections of which every one has a source of its own: as many as
this kernel's limit allows, and a million that are made up, for few kernels take so many.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.cost import cpu
from tests.system.namespaces import Namespace

ROOT = Path(__file__).parents[2]
PYTHON = os.path.realpath(sys.executable)
ENTRIES = 250_000
ROUNDS = 7

SEED = "cat /proc/net/nf_conntrack | awk '{print $7}' | sed s/src=//g | sort | uniq -c | sort -nr | head"
MAWK = """conntrack -L 2>/dev/null | mawk '
    { for (i = 1; i <= NF; i++) if ($i ~ /^src=/) { count[substr($i, 5)]++; break } }
    END { for (source in count) print count[source], source }' | sort -nr | head"""
START = 'import sys; sys.path.insert(0, sys.argv[1]); from tablefull.top.main import main; main(sys.argv[2:])'
PEAK = """
import sys; sys.path.insert(0, sys.argv[1])
from tablefull.top.main import answer
answer(sys.argv[2:])
print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])
"""


def top(*argv: str, script: str = START) -> list[str]:
    """A command that starts without `site`, as an agent would."""
    return [PYTHON, '-IS', '-c', script, str(ROOT / 'plugins'), *argv]


def fill(namespace: Namespace, kind: str, entries: int) -> int:
    """Make a table; returns how many entries there are."""
    limit = int(namespace.run('cat', '/proc/sys/net/netfilter/nf_conntrack_max').stdout)
    # From 95 % of the limit on the kernel takes some away while we count.
    wanted = min(entries, limit * 94 // 100)
    namespace.run(sys.executable, '-m', 'tests.system.write_flows', kind, str(wanted), cwd=str(ROOT))
    return int(namespace.run('cat', '/proc/sys/net/netfilter/nf_conntrack_count').stdout)


def compare(namespace: Namespace, rounds: int) -> None:
    """Print a line for each comparison."""
    inside = ['nsenter', f'--net={namespace.path}']
    commands = {
        'pipeline': ['sh', '-c', SEED],
        'conntrack | mawk': ['sh', '-c', MAWK],
        'by source': top('--by', 'source'),
        'by prefix': top(),
        'sample of 20000': top('--by', 'source', '--sample', '20000'),
    }
    commands = {name: [*inside, *command] for name, command in commands.items()}
    for command in commands.values():
        cpu(command)
    spent: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            spent[name].append(cpu(command))
    for name, others in (
        ('by source', (('pipeline', 0.85), ('conntrack | mawk', 0.55))),
        ('sample of 20000', (('pipeline', 0.10),)),
        ('by prefix', (('by source', 1.3),)),
    ):
        for other, budget in others:
            ratio = statistics.median(one / two for one, two in zip(spent[name], spent[other]))
            milliseconds = 1000 * statistics.median(spent[name])
            over = '' if ratio <= budget else '  OVER BUDGET'
            print(f'{f"top {name} / {other}":42} {ratio:6.2f} {budget:7.2f} {milliseconds:7.0f} ms cpu{over}')


def memory(namespace: Namespace, entries: int) -> None:
    """Print the peak of a table in which no two connections have one source."""
    for by in ('source', 'prefix'):
        mebibytes = int(namespace.run(*top('--by', by, script=PEAK)).stdout) / 1024
        over = '' if mebibytes <= 25 else '  OVER BUDGET'
        print(f'{f"top by {by}, {entries} sources":42} {mebibytes:6.1f} {25:7.2f} MiB{over}')


MILLION = """
import sys; sys.path[:0] = sys.argv[1:3]
from tablefull.readers.tally import Tally
from tests.system.write_flows import Entry, message
entry = Entry(6, '10.0.0.0', '192.0.2.1', 1024, 80, 8, 1)
one = message(0, entry, 0)
one = one[:4] + b'\\0\\1' + one[6:]
at = one.index(bytes((10, 0, 0, 0)))
def dump():
    for start in range(0, 1_000_000, 100):
        yield b''.join(one[:at] + n.to_bytes(4, 'big') + one[at + 4 :] for n in range(start, start + 100))
tally = Tally(sys.argv[3])
tally.count(dump(), 1_000_000)
tally.largest(10), list(tally.leaves())
print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])
"""


def million() -> None:
    """Print the peak of counting a million sources."""
    for by in ('source', 'prefix'):
        command = [PYTHON, '-I', '-c', MILLION, str(ROOT / 'plugins'), str(ROOT), by]
        mebibytes = int(subprocess.run(command, capture_output=True, check=True).stdout) / 1024
        over = '' if mebibytes <= 25 else '  OVER BUDGET'
        print(f'{f"tally by {by}, 1000000 sources":42} {mebibytes:6.1f} {25:7.2f} MiB{over}')


def main() -> None:
    """Print ratio, budget, and what it cost here."""
    if os.geteuid() != 0:
        print('top: needs root, to make a table of its own')
        return
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
    with Namespace() as namespace:
        made = fill(namespace, 'mixed', entries)
        print(f'{f"{made} entries":42} {"x":>6} {"budget":>7}')
        compare(namespace, ROUNDS)
    with Namespace() as namespace:
        memory(namespace, fill(namespace, 'spread', max(entries, ENTRIES)))
    million()


if __name__ == '__main__':
    main()
