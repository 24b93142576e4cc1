"""What a check costs: CPU time as ratios to `python3 -c pass` of the same interpreter, and the kernel log per record.

Ratios carry from machine to machine, milliseconds do not. Runs are interleaved, so that a busy neighbour hits both
sides of a pair; the figure is the median of the ratios. Nothing here fails: `make test` holds no timed assertion.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tablefull.readers.kernel_log import scan_kmsg

PLUGINS = Path(__file__).parents[2] / 'plugins'
ROUNDS = 41
BUDGET = 4.0
RECORD_BUDGET = 3.0
RECORDS = 9500  # a full ring buffer of 1 MiB


def cpu(command: list[str]) -> float:
    """User and system seconds of a process and its children."""
    # Byte code is compiled at installation; a shell that forbids writing it would time the compiler.
    environment = {name: value for name, value in os.environ.items() if name != 'PYTHONDONTWRITEBYTECODE'}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def checks(directory: str) -> None:
    """Print a line per check."""
    nothing = [sys.executable, '-c', 'pass']
    # The installed command where there is one, as a daemon would call it.
    scripts = Path(sys.executable).parent
    commands = {}
    for path in sorted(PLUGINS.glob('check_*.py')):
        installed = scripts / path.stem
        start = [str(installed)] if installed.exists() else [sys.executable, str(path)]
        commands[path.stem] = [*start, '--state-dir', directory]
    for command in [nothing, *commands.values()]:
        cpu(command)  # byte code and page cache
    ratios: dict[str, list[float]] = {name: [] for name in commands}
    spent: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            empty, full = cpu(nothing), cpu(command)
            ratios[name].append(full / empty)
            spent[name].append(full)
    print(f'{"check":26} {"x pass":>7} {"budget":>7} {"ms cpu":>7}')
    for name in commands:
        ratio, milliseconds = statistics.median(ratios[name]), 1000 * statistics.median(spent[name])
        print(f'{name:26} {ratio:7.2f} {BUDGET:7.1f} {milliseconds:7.1f}{"" if ratio <= BUDGET else "  OVER BUDGET"}')


def kernel_log() -> None:
    """Print the cost of a record of the ring buffer: this machine's own where readable, and a full one from memory."""
    line = b'6,%d,%d,-;audit: type=1400 audit(1700000000.123:45): apparmor="DENIED" operation="open" profile="x"\n'
    ring = [line % (number, number * 1000) for number in range(RECORDS)]
    samples = []
    for _ in range(15):
        records = iter([*ring, b''])
        began = time.process_time()
        scan_kmsg('/dev/kmsg', records.__next__)
        samples.append((time.process_time() - began) / RECORDS * 1e6)
    print(f'{"full ring, from memory":26} {statistics.median(samples):7.2f} {RECORD_BUDGET:7.1f} us a record')
    try:
        descriptor = os.open('/dev/kmsg', os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        print(f'{"/dev/kmsg":26} not readable: {error.strerror}')
        return
    samples = []
    for _ in range(15):
        os.lseek(descriptor, 0, os.SEEK_SET)
        began = time.process_time()
        records_read = scan_kmsg('/dev/kmsg', lambda: os.read(descriptor, 16384))[0].records
        samples.append((time.process_time() - began) / max(1, records_read) * 1e6)
    os.close(descriptor)
    print(
        f'{f"/dev/kmsg, {records_read} records":26} {statistics.median(samples):7.2f} {RECORD_BUDGET:7.1f} us a record'
    )


if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as directory:
        checks(directory)
    kernel_log()
