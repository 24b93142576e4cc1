"""Why a run of ferm failed: the kernel's own line, ferm's words in the journal, a module that may not be loaded."""

from __future__ import annotations

import re

from tablefull.readers.unit_journal import Line
from tablefull.record import NamedTuple

ROLLED_BACK = 'Firewall rules rolled back'
_KERNEL_PREFIX = re.compile(r'^(?:x_tables: )?(?:\w+_tables: )?')
_FAILED_TOOL = re.compile(r'Failed to run \S*?/(ip6?)tables\S*-restore|^(ip6?)tables(?:-restore)?(?: v\S+ \S+)?:')
_NO_FILE = 'RULE_APPEND failed (No such file or directory)'
# What says nothing about the reason.
_NOISE = ('Starting Firewall', 'Stopping Firewall', 'Reloading Firewall', ' failed!', ' (warning)')


# Lines worth the first line of a report, the most telling first.
_TELLING = ('RULE_APPEND', r'tables-restore.*: line \d+ failed', 'Invalid argument', 'Perl library', 'Failed to run')


class Reasons(NamedTuple):
    """What the logs and the configuration of the host say about a failed run.

    run       its lines in the journal, oldest first
    kernel    lines of the kernel log that refuse a rule, at the time of the run
    blocked   the line of modprobe.d that keeps nf_conntrack from being loaded, '' for none
    gaps      why a log could not be read
    """

    run: tuple[Line, ...] = ()
    kernel: tuple[str, ...] = ()
    blocked: str = ''
    gaps: tuple[str, ...] = ()

    @property
    def rolled_back(self) -> bool:
        """Whether ferm took back what it had loaded."""
        return any(ROLLED_BACK in line.text for line in self.run)

    def families(self) -> frozenset[str]:
        """'ip', 'ip6' or both: whose rules were refused. Empty when nothing tells."""
        told = [match for match in (_FAILED_TOOL.search(line.text) for line in self.run) if match is not None]
        found = {match[1] or match[2] for match in told}
        for line in self.kernel:
            found |= {family for family in ('ip', 'ip6') if f'{family}_tables: ' in line}
        return frozenset(found)

    def short(self) -> str:
        """The reason in a few words, '' when nothing tells."""
        reason = self._kernel_reason() or _parse_error(self.run) or self._module_reason() or _refused(self.run)
        return f'IPv6 rules: {reason}' if reason and self.families() == {'ip6'} else reason

    def evidence(self) -> tuple[str, ...]:
        """The lines it rests on, the most telling first."""
        kernel = [f'kernel: {line}' for line in self.kernel]
        blocked = [f'modprobe.d: {self.blocked}'] if self.blocked else []
        words = [line.text.strip() for line in self.run if line.source != 'systemd' and not _is_noise(line.text)]
        return (*kernel, *blocked, *[f'journal: {text}' for text in dict.fromkeys(words)][:12])

    def _kernel_reason(self) -> str:
        return _KERNEL_PREFIX.sub('', self.kernel[0]).strip() if self.kernel else ''

    def _module_reason(self) -> str:
        # iptables-nft says no more of a module it cannot have; without the block that may be anything.
        signs = ('missing kernel module', 'insmod', *((_NO_FILE,) if self.blocked else ()))
        if not any(sign in line.text for line in self.run for sign in signs):
            return ''
        return 'modprobe.d keeps nf_conntrack out' if self.blocked else 'a kernel module is missing'


def _parse_error(run: tuple[Line, ...]) -> str:
    """ferm shows the place, then an excerpt of the file that ends in an arrow, and behind that what is wrong."""
    for index in range(len(run) - 1, -1, -1):
        match = re.match(r'Error in (.+) line (\d+):', run[index].text)
        if match is None:
            continue
        block = [line.text.strip() for line in run[index + 1 :] if line.process == run[index].process]
        arrows = [number for number, text in enumerate(block) if text.endswith('<--')]
        after = [text for text in block[arrows[0] + 1 :] if text] if arrows else []
        place = f'{match[1].removeprefix("/etc/ferm/")} line {match[2]}'
        return f'{place}: {after[0]}' if after else f'error in {place}'
    return ''


def _refused(run: tuple[Line, ...]) -> str:
    words = [line.text.strip() for line in run if line.source != 'systemd' and not _is_noise(line.text)]
    for pattern in _TELLING:
        for text in words:
            if re.search(pattern, text):
                return text
    return ''


def _is_noise(text: str) -> bool:
    return not text.strip() or text.startswith(_NOISE)
