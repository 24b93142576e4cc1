"""Our reading of modprobe.d against kmod's own. `modprobe -c` only prints the configuration it has read."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tablefull.readers.modprobe_d import parse_command_line, parse_modprobe, read_modprobe

DIRECTORIES = ('etc/modprobe.d', 'run/modprobe.d', 'usr/local/lib/modprobe.d', 'usr/lib/modprobe.d', 'lib/modprobe.d')
TEXTS = {
    'plain': 'install nf_conntrack /bin/false\nblacklist ip_tables\nalias x off\noptions nf_conntrack hashsize=7\n',
    'dashes': 'install nf-conntrack  /bin/false\nblacklist foo-bar\nalias a-b[0-9-] c-d\noptions nf-conntrack a-b=1\n',
    'comments': '# first\n  # not first\nblacklist a # b\n#c \\\nblacklist swallowed\nblacklist last',
    'backslashes': 'install split\\\nname /bin/\\true\ninstall a\\\\nb /bin/true\ninstall c\\\\\nd /bin/true\n',
    'blanks': '\t blacklist \t tabbed\nblacklist return\r\n\n   \ninstall a\t/bin/false\n',
    'incomplete': 'blacklist\ninstall x\nalias y\noptions z\nsoftdep\nremove\nbogus line\ninclude /tmp\n',
    'more': 'softdep foo pre: a b\nremove foo /bin/true\nblacklist one two\nalias one two three\n',
}


def kmod(root: Path) -> list[str]:
    """The lines that `modprobe -c` prints for the directories below `root`, without those of modules.alias."""
    arguments = [argument for directory in DIRECTORIES for argument in ('-C', str(root / directory))]
    run = subprocess.run(['modprobe', '-c', *arguments], capture_output=True, check=False)
    # Not text=True, which drops carriage returns.
    return sorted(squeezed(line) for line in run.stdout.decode().split('\n\n# End of')[0].split('\n') if line)


def ours(root: Path) -> list[str]:
    lines = list(read_modprobe(str(root)).lines)
    # kmod adds the command line of the running kernel.
    lines += parse_command_line(Path('/proc/cmdline').read_text())[0]
    return sorted(squeezed(f'{line.command} {line.name} {line.rest}') for line in lines)


def squeezed(line: str) -> str:
    return re.sub('[ \t]+', ' ', line).strip(' ')


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for directory in DIRECTORIES:
        (tmp_path / directory).mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize('name', TEXTS)
def test_every_line_is_read_as_kmod_reads_it(root: Path, name: str) -> None:
    (root / 'etc/modprobe.d/x.conf').write_bytes(TEXTS[name].encode())
    assert ours(root) == kmod(root)
    assert parse_modprobe(TEXTS[name], 'x') or name == 'incomplete'


def test_files_hide_each_other_as_in_kmod(root: Path) -> None:
    for index, directory in enumerate(DIRECTORIES):
        for later in range(index, len(DIRECTORIES)):
            (root / directory / f'{later}.conf').write_text(f'blacklist from_{index}_{later}\n')
        (root / directory / f'own{index}.conf').write_text(f'install own_{index} /bin/false\n')
    assert ours(root) == kmod(root)


def test_endings_hidden_files_and_masks_are_as_in_kmod(root: Path) -> None:
    for name in ('a.txt', 'b.conf', 'c.alias', '.d.conf', 'e.conf.bak', 'f.CONF', 'g.conf'):
        (root / 'lib/modprobe.d' / name).write_text(f'blacklist in_{name[0]}{name[1]}\n')
    os.symlink('/dev/null', root / 'etc/modprobe.d/g.conf')
    assert ours(root) == kmod(root)


def test_the_first_install_line_wins_as_in_kmod(root: Path) -> None:
    (root / 'etc/modprobe.d/b.conf').write_text('install tablefull_test /bin/second\n')
    (root / 'lib/modprobe.d/a.conf').write_text('install tablefull_test /bin/first\n')
    arguments = [argument for directory in DIRECTORIES for argument in ('-C', str(root / directory))]
    run = subprocess.run(
        ['modprobe', '-n', '-v', *arguments, 'tablefull_test'], capture_output=True, text=True, check=False
    )
    assert read_modprobe(str(root)).lines[0].rest == '/bin/first'
    assert '/bin/first' in run.stdout and '/bin/second' not in run.stdout
