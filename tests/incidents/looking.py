"""What ways of looking load: the table in docs/looking.md, measured, and written by `make looking`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.incidents.image import image
from tests.incidents.machine import Machine, MachineError, installed
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


def loaded(machine: Machine, after: str = 'true') -> tuple[str, ...]:
    """Modules of a machine after some bash, the latest first."""
    listed = machine.run(f'{{ {after}\n}} > /dev/null 2>&1; cat /proc/modules').output
    return tuple(line.split()[0] for line in listed.splitlines())


def look(machine: Machine, command: str, fresh: tuple[str, ...]) -> tuple[str, ...]:
    """Run one command on a machine that has the modules `fresh` and no more; those that it has loaded, latest first."""
    return tuple(name for name in loaded(machine, command) if name not in fresh)


def forget(machine: Machine, seen: tuple[str, ...], fresh: tuple[str, ...]) -> None:
    """Unload what a look has loaded: the next one must find what a machine that has just booted has, and no more.

    Raises MachineError where it does not. A machine for each look would prove no more, and costs more.
    """
    # The latest first: so none has users any more when its turn comes.
    if seen and loaded(machine, f'rmmod {" ".join(seen)}') != fresh:
        raise MachineError(f'{seen} cannot all be unloaded')


def named(seen: tuple[str, ...]) -> tuple[str, ...]:
    """What the page names of the modules that a look has loaded."""
    return tuple(sorted({*seen} - {*LIBRARIES}))


def shown(command: str) -> str:
    """A command in the first cell of its line."""
    return 'every check of tablefull' if command == OURS else f'`{command}`'


def row(command: str, seen: list[tuple[str, ...]]) -> str:
    """A line of the page: the command, and what it loads on each kernel; 'the same' as on the one before."""
    cells = []
    for number, names in enumerate(seen):
        same = number and names == seen[number - 1]
        cells.append('the same' if same and names else ' '.join(names) or 'nothing')
    return f'| {shown(command)} | ' + ' | '.join(cells) + ' |'


def told(lines: list[str]) -> dict[str, list[tuple[str, ...]]]:
    """First cell -> what is loaded on each kernel, of the table in the lines of the page: what row() wrote."""
    found = {}
    for line in lines[slice(*_table(lines))]:
        name, *cells = line.strip('| ').split(' | ')
        seen: list[tuple[str, ...]] = []
        for cell in cells:
            seen.append(seen[-1] if cell == 'the same' else () if cell == 'nothing' else tuple(cell.split(' ')))
        found[name] = seen
    return found


def _table(lines: list[str]) -> tuple[int, int]:
    first = lines.index('| --- | --- | --- | --- |') + 1
    return first, next(number for number in range(first, len(lines)) if not lines[number].startswith('|'))


def main() -> None:
    """Measure all of it, and put it into the page."""
    built = image()
    seen: dict[str, list[tuple[str, ...]]] = {command: [] for command in (*LOOKS, OURS)}
    with tempfile.TemporaryDirectory() as shared:
        for kernel in KERNELS:
            with installed(built, kernel, 'plain', Path(shared)) as machine:
                fresh = loaded(machine)
                for command, found in seen.items():
                    seen_here = look(machine, command, fresh)
                    found.append(named(seen_here))
                    forget(machine, seen_here, fresh)
                    print(f'{kernel}: {command}: {" ".join(found[-1])}')
    lines = PAGE.read_text().splitlines()
    first, last = _table(lines)
    rows = [row(command, found) for command, found in seen.items()]
    PAGE.write_text('\n'.join([*lines[:first], *rows, *lines[last:]]) + '\n')


if __name__ == '__main__':
    main()
