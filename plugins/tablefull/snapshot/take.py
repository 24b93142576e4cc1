"""Takes a snapshot: reads what is shared once, lets each look judge its part, and puts everything into one object."""

from __future__ import annotations

import time

from tablefull import __version__
from tablefull.frame.option_table import Values, defaults
from tablefull.frame.state import Remembered, key, load, save
from tablefull.readers.files import ReadError, boot_id, read_optional, same_boot, uptime
from tablefull.record import TYPE_CHECKING, NamedTuple
from tablefull.snapshot.parts import Lost, attempt, run_parts
from tablefull.snapshot.verdicts import STATES, Verdict, all_findings, lost_verdict, text, unreadable, verdict, worst

if TYPE_CHECKING:
    from typing import Any

    from tablefull.findings.finding import Finding
    from tablefull.frame.look import Look
    from tablefull.frame.option_table import Option
    from tablefull.readers.conntrack import Conntrack
    from tablefull.readers.kernel_log import KernelLog
    from tablefull.readers.modprobe_d import ModprobeConfiguration

SCHEMA = 1
# Check -> its object in the snapshot, in the order of both.
NAMES = {
    'conntrack': 'conntrack',
    'conntrack_modules': 'modules',
    'neighbour': 'neighbour',
    'ferm': 'ferm',
    'kernel_log': 'kernel_log',
}


# Of the time for all, for what is read and judged; the rest is for remembering it.
_FOR_LOOKS = 0.9


class Taken(NamedTuple):
    """What one part comes to; `kept` is what its next run is to know, `look` what all of it rests on."""

    verdict: Verdict
    fields: dict[str, Any]
    look: Look
    kept: dict[str, Any] | None = None


class _Memory:
    """The share of one check in what the snapshot remembers."""

    def __init__(self, content: dict[str, Any] | None, name: str) -> None:
        found = (content or {}).get(name)
        self.content: dict[str, Any] | None = found if isinstance(found, dict) else None
        self.kept: dict[str, Any] | None = None

    def save(self, content: dict[str, Any]) -> tuple[Finding, ...]:
        """Kept until all parts are done; what goes wrong with the file is told then."""
        self.kept = content
        return ()


class Snapshot:
    """One snapshot in the making. Each method but take() and look_around() is a part, and runs in a thread."""

    def __init__(self, options: Any, name: str = 'snapshot') -> None:
        self.options = options
        self.name = name
        self.remembered = Remembered(None)
        self.table: Conntrack | None = None
        self.configuration: ModprobeConfiguration | None = None
        self.log: KernelLog | Exception = ReadError('kernel log', 'not read in time')

    def take(self) -> dict[str, Any]:
        """The whole object. Takes at most about as long as --timeout says."""
        began, wall = time.monotonic(), time.time()
        found = self.look_around()
        failed = {NAMES[name]: found[name] for name in NAMES if isinstance(found[name], Lost)}
        failed.update([('state', found[name]) for name in ('remember', 'save') if isinstance(found[name], Lost)])
        failed.update({'kernel': found['kernel']} if isinstance(found['kernel'], Lost) else {})
        verdicts = {
            name: lost_verdict(found[name]) if isinstance(found[name], Lost) else found[name].verdict for name in NAMES
        }
        others = {} if isinstance(found['save'], Lost) else {'snapshot': found['save']}
        worst_of_all = worst([*verdicts.values(), *others.values()])
        fields = {
            part: {'read': 0} if isinstance(found[name], Lost) else found[name].fields for name, part in NAMES.items()
        }
        return {
            'schema': SCHEMA,
            'version': __version__,
            'time': int(wall),
            'duration': round(time.monotonic() - began, 3),
            **_state(worst_of_all),
            'kernel': {} if isinstance(found['kernel'], Lost) else found['kernel'],
            'checks': {
                name: {**_state(found), 'findings': sum(finding.severity != 'info' for finding in found.findings)}
                for name, found in verdicts.items()
            },
            'findings': all_findings({**verdicts, **others}),
            'unreadable': unreadable(failed, {**verdicts, **others}),
            **fields,
        }

    def look_around(self, remembering: bool = True) -> dict[str, Any]:
        """What each part returned, or Lost: Taken under each of NAMES. Without `remembering` as if on a first run."""
        began = time.monotonic()
        parts = (
            ('kernel', lambda: _kernel(self.options.root)),
            ('remember', self.remember if remembering else lambda: None),
            ('kernel_log', self.kernel_log),
            ('conntrack', self.conntrack),
            ('conntrack_modules', self.conntrack_modules),
            ('neighbour', self.neighbour),
            ('ferm', self.ferm),
        )
        found = run_parts(parts, _FOR_LOOKS * self.options.timeout)
        # Only of parts that are told: a loss that nobody heard of must be new to the next run.
        kept = {name: found[name].kept for name in NAMES if not isinstance(found[name], Lost) and found[name].kept}
        left = self.options.timeout - (time.monotonic() - began)
        nothing = Verdict('ok', '', [])
        found.update(run_parts([('save', lambda: self.save(kept) if remembering else nothing)], left))
        return found

    def remember(self) -> None:
        """What the previous run left."""
        self.remembered = load(self.options.state_dir, key(self.name, self.options.root))

    def save(self, kept: dict[str, Any]) -> Verdict:
        """What the next run is to know; a part that was lost keeps what it knew."""
        before = self.remembered.content or {}
        old = {name: before[name] for name in NAMES if isinstance(before.get(name), dict)}
        content = {'schema': SCHEMA, **old, **kept}
        trouble = save(self.options.state_dir, key(self.name, self.options.root), content) or self.remembered.findings
        findings = [finding for finding in trouble if finding.code not in (self.options.ignore or ())]
        severities = [finding.severity for finding in findings if finding.severity != 'info']
        return Verdict(severities[0] if severities else 'ok', findings[0].summary if findings else '', findings)

    def kernel_log(self) -> Taken:
        """First, for others judge by it as well."""
        from tablefull.findings.kernel_log import RULES
        from tablefull.looks import kernel_log as looks
        from tablefull.readers.kernel_log import narrowed, read_kernel_log
        from tablefull.snapshot.fields import kernel_messages

        options = self._options(looks.OPTIONS)
        try:
            self.log = read_kernel_log(options.root, max(options.since, self._gap()))
        except (FileNotFoundError, ReadError) as error:
            self.log = error

        def read() -> KernelLog:
            return narrowed(self._log(0.0, True), options.since)

        memory = _Memory(self.remembered.content, 'kernel_log')
        look = looks.look(options, tuple(RULES), lambda lines: None, lambda: memory, read)
        wall = time.time() if same_boot(options.root) else None
        return Taken(verdict(look, (), options), kernel_messages(look, wall), look, memory.kept)

    def conntrack(self) -> Taken:
        """The table."""
        from tablefull.looks import conntrack as looks
        from tablefull.snapshot.fields import conntrack

        options = self._options(looks.OPTIONS)
        memory = _Memory(self.remembered.content, 'conntrack')
        look = looks.look(options, lambda: memory, self._log, self._modprobe)
        self.table = None if look.seen is None else look.seen.table
        return Taken(verdict(look, looks.THRESHOLDS, options), conntrack(look), look, memory.kept)

    def conntrack_modules(self) -> Taken:
        """The modules."""
        from tablefull.looks import conntrack_modules as looks
        from tablefull.snapshot.fields import modules

        options = self._options(looks.OPTIONS)
        look = looks.look(options, self.table, self._modprobe)
        return Taken(verdict(look, looks.THRESHOLDS, options), modules(look), look)

    def neighbour(self) -> Taken:
        """Neighbours and routes."""
        from tablefull.looks import neighbour as looks
        from tablefull.snapshot.neighbour_fields import neighbour

        options = self._options(looks.OPTIONS)
        memory = _Memory(self.remembered.content, 'neighbour')
        look = looks.look(options, lambda: memory, self._log)
        return Taken(verdict(look, looks.THRESHOLDS, options), neighbour(look), look, memory.kept)

    def ferm(self) -> Taken:
        """ferm; that it is not there is no fault: nobody put this check on the host."""
        from tablefull.looks import ferm_absent
        from tablefull.snapshot.fields import ferm

        if ferm_absent.absent(self.options.root):
            look = ferm_absent.look('ok')
            return Taken(verdict(look, (), self.options), ferm(look), look)
        from tablefull.looks import ferm as looks

        options = self._options(looks.OPTIONS, missing='ok')
        look = looks.look(options)
        return Taken(verdict(look, looks.THRESHOLDS, options), ferm(look), look)

    def _options(self, own: tuple[Option, ...], **changed: Any) -> Values:
        """A check's own defaults, and what the snapshot was told."""
        return Values(**{**defaults(own), **self.options.__dict__, **changed})

    def _modprobe(self, root: str) -> ModprobeConfiguration:
        """Both looks at connection tracking want it."""
        from tablefull.readers.modprobe_d import read_modprobe

        if self.configuration is None:
            self.configuration = read_modprobe(root)
        return self.configuration

    def _log(self, since: float, journal: bool) -> KernelLog:
        """As read_kernel_log, from what was read once; a time that is not bounded stays so."""
        from tablefull.readers.kernel_log import narrowed

        if isinstance(self.log, Exception):
            raise self.log
        return narrowed(self.log, since) if since else self.log

    def _gap(self) -> float:
        """Seconds since the previous run, 0 on a first one: lines that young prove something about counters."""
        from tablefull.findings.rates import previous, samples_from

        content = _Memory(self.remembered.content, 'conntrack').content
        now = uptime(self.options.root)
        before = previous(samples_from(content, boot_id(self.options.root), now), now)
        return 0.0 if before is None else now - before.at + 2


def _state(found: Verdict) -> dict[str, Any]:
    return {'state': found.state, 'state_code': STATES.index(found.state), 'summary': text(found.summary)}


def _kernel(root: str) -> dict[str, Any]:
    release = attempt(lambda: (read_optional(root, '/proc/sys/kernel/osrelease', 256) or '').strip())
    boot = attempt(lambda: boot_id(root))
    running = attempt(lambda: int(uptime(root)))
    known = {'release': release, 'boot_id': boot, 'uptime': running}
    return {
        name: text(value) if isinstance(value, str) else value
        for name, value in known.items()
        if value and not isinstance(value, Lost)
    }
