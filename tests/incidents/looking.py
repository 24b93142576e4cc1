"""What ways of looking load: the table in docs/looking.md, measured, and written by `make looking`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.incidents.image import image
from tests.incidents.machine import Machine, installed
from tests.incidents.scenario import KERNELS

PAGE = Path(__file__).parents[2] / 'docs' / 'looking.md'

# Names of libraries, which hurt nobody and are compiled in here and there.
LIBRARIES = ('libcrc32c', 'crc32c_generic', 'crc32c_intel')

LOOKS = (
    'iptables-legacy -L -n',
    'iptables-legacy -t nat -L -n',
    'iptables-legacy -t raw -S',
    'ip6tables-legacy -t nat -L -n',
    'iptables-legacy-save',
    'iptables-legacy-save -t nat',
    'iptables-nft -L -n',
    'iptables-nft -t nat -L -n',
    'iptables-nft-save',
    'nft list ruleset',
    'conntrack -C',
    'conntrack -L',
    'conntrack -S',
    'ipset list',
    'ss -tan',
    'ferm --noexec --lines /etc/ferm/ferm.conf',
    'sysctl net.netfilter',
    'cat /proc/net/nf_conntrack',
    'cat /proc/modules /proc/net/ip_tables_names',
    'modprobe -c',
    'ip neigh; ip route; ip -s ntable',
)
OURS = 'for check in /usr/lib/nagios/plugins/check_*; do $check; done'


def loaded(machine: Machine) -> set[str]:
    """Modules of a machine."""
    return {line.split()[0] for line in machine.run('cat /proc/modules').output.splitlines()}


def look(machine: Machine, command: str) -> tuple[str, ...]:
    """Run one command on a machine that has just booted; the modules that it has loaded."""
    before = loaded(machine)
    machine.run(command)
    return tuple(sorted(loaded(machine) - before - set(LIBRARIES)))


def row(command: str, seen: list[tuple[str, ...]]) -> str:
    """A line of the page: the command, and what it loads on each kernel; 'the same' as on the one before."""
    cells = []
    for number, names in enumerate(seen):
        same = number and names == seen[number - 1]
        cells.append('the same' if same and names else ' '.join(names) or 'nothing')
    shown = 'every check of tablefull' if command == OURS else f'`{command}`'
    return f'| {shown} | ' + ' | '.join(cells) + ' |'


def main() -> None:
    """Measure all of it, and put it into the page."""
    built = image()
    rows = []
    with tempfile.TemporaryDirectory() as shared:
        for command in (*LOOKS, OURS):
            seen = []
            for kernel in KERNELS:
                with installed(built, kernel, 'plain', Path(shared)) as machine:
                    seen.append(look(machine, command))
            rows.append(row(command, seen))
            print(rows[-1])
    lines = PAGE.read_text().splitlines()
    first = lines.index('| --- | --- | --- | --- |') + 1
    last = next(number for number in range(first, len(lines)) if not lines[number].startswith('|'))
    PAGE.write_text('\n'.join([*lines[:first], *rows, *lines[last:]]) + '\n')


if __name__ == '__main__':
    main()
