"""Ten thousand mutations of real input for each parser of text: a result, or a ReadError that says why, and no more.

The parsers of /proc/net, of routes and of netlink have theirs beside their own tests.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tablefull.readers import (
    ferm,
    kernel_lines,
    kernel_messages,
    kernel_records,
    modprobe_d,
    modules,
    sysctl_d,
    systemd,
    unit_journal,
    xtables,
    xtables_words,
)
from tablefull.readers.files import ReadError

TREE = Path(__file__).parents[2] / 'fixtures' / 'C-legacy-c04-notrack-reload'
MUTATIONS = 10_000
PIECES = ['', 'x' * 99, '\u2028', '\udc80', *'\0|\n\r "\\{}[,=-%٣']

FULL = 'nf_conntrack: nf_conntrack: table full, dropping packet'
MODPROBE = """\
# comment
blacklist nf_conntrack
alias nfnetlink-subsys-1 off
install iptable_nat /bin/false
options nf_conntrack hashsize=65536 \\
    expect_hashsize=64
softdep a pre: b
"""
UNIT = (
    'LoadState=loaded\nActiveState=active\nSubState=exited\nResult=success\nReloadResult=exit-code\nExecMainStatus=0\n'
)


def sample(name: str, limit: int = 4000) -> str:
    return (TREE / name).read_text()[:limit]


PARSERS: dict[str, tuple[Callable[[str], Any], str]] = {
    'modules': (modules.parse_modules, sample('proc/modules')),
    'modules.builtin': (modules.parse_builtin, 'kernel/net/netfilter/nf_conntrack.ko\nkernel/net/x_tables.ko\n'),
    'modprobe.d': (lambda text: modprobe_d.parse_modprobe(text, '/x'), MODPROBE),
    'command line': (modprobe_d.parse_command_line, 'quiet modprobe.blacklist=a,b module_blacklist=c nf_x.hashsize=8'),
    'sysctl.d': (
        lambda text: sysctl_d.parse_sysctl(text, '/x'),
        '# c\nnet.netfilter.nf_conntrack_max = 0x100\n-net/x=1\n',
    ),
    'sysctl value': (sysctl_d.parse_value, '0x40000'),
    'kmsg': (
        lambda text: kernel_records.parse_kmsg(text.encode('utf-8', 'replace')),
        f'4,444,46322061,-;{FULL}\n K=v\n',
    ),
    'syslog line': (
        lambda text: kernel_lines.parse_syslog_line(text, 1.8e9),
        f'2026-11-21T10:20:31.804351+00:00 lab kernel: [   46.322061] {FULL}',
    ),
    'traditional syslog line': (
        lambda text: kernel_lines.parse_syslog_line(text, 1.8e9),
        f'Nov 21 10:20:31 lab kernel: [   46.322061] {FULL}',
    ),
    'journal line': (
        lambda text: kernel_lines.parse_journal_line(text.encode('utf-8', 'replace')),
        f'{{"_TRANSPORT":"kernel","MESSAGE":"{FULL}","__REALTIME_TIMESTAMP":"1795256471383121","PRIORITY":"4"}}',
    ),
    'message': (kernel_messages.classify, FULL),
    'unit': (lambda text: systemd.parse_unit(text, 'x'), UNIT + sample('systemctl-show-ferm.txt', 700)),
    'ferm settings': (ferm.parse_settings, sample('etc/default/ferm')),
    'ferm configuration': (ferm.parse_configuration, sample('etc/ferm/ferm.conf')),
    'saved rules': (lambda text: xtables.parse_rules(text, '4', 'x'), sample('iptables-legacy-save.txt')),
    'ferm lines': (lambda text: xtables.parse_rules(text, '4', 'x'), sample('ferm-lines.txt')),
    'services': (xtables_words.parse_services, 'ssh\t22/tcp\t# login\ndomain 53/udp nameserver\n'),
    'journal of a unit': (
        lambda text: unit_journal.parse_journal_json(text, 'ferm.service'),
        sample('journal.json', 900),
    ),
    'short journal': (unit_journal.parse_journal_short, 'Nov 21 10:20:52.016244 lab ferm[271]: line 15 failed\n'),
}


def mutated(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 5)):
        where = chance.randrange(len(text) + 1)
        text = text[:where] + chance.choice(PIECES) + text[where + chance.randint(0, 9) :]
    return text


@pytest.mark.parametrize('name', PARSERS)
def test_mutated_input_is_parsed_or_refused(name: str) -> None:
    parse, good = PARSERS[name]
    parse(good)
    chance = random.Random(zlib.crc32(name.encode()))
    for _ in range(MUTATIONS):
        try:
            parse(mutated(good, chance))
        except ReadError as error:
            assert str(error)
