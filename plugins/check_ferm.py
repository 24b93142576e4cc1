#!/usr/bin/env python3
"""check_ferm: did ferm load its rules, are they still there, will they be after the next boot?"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator

# Before the imports: collecting garbage costs a process this short a tenth of its time, and frees nothing.
gc.disable()

try:
    import nagiosplugin

    from tablefull.findings import ferm as rules
    from tablefull.findings import ferm_rules
    from tablefull.findings.ferm_configuration import loads_nothing, outdated
    from tablefull.findings.ferm_seen import Seen
    from tablefull.findings.finding import Finding
    from tablefull.findings.wording import duration, shown
    from tablefull.frame.judge import Measure, finding_metrics, threshold
    from tablefull.frame.options import Option, missing_option
    from tablefull.frame.plugin import Acquired, Check, run
    from tablefull.readers.ferm import installed, read_configuration, read_settings
    from tablefull.readers.files import ReadError, exists, is_live, monotonic_now
    from tablefull.readers.rule_traces import RuleTraces, read_rule_traces
    from tablefull.readers.systemd import Unit, read_unit
    from tablefull.readers.user import ANYBODY, user_name
    from tablefull.record import TYPE_CHECKING
except Exception as error:  # noqa: BLE001  # broken, unreadable, out of memory
    # A missing library must not look like a WARNING, which exit code 1 of a traceback would be.
    why = str(error) or repr(error)
    print(f'FERM UNKNOWN - {why}: install tablefull with python3-nagiosplugin and python3-psutil')
    sys.exit(3)

if TYPE_CHECKING:
    import argparse

    from tablefull.findings.ferm_reasons import Reasons

UNIT = 'ferm.service'

OPTIONS = (
    Option(
        'warning',
        'range',
        '',
        'range of seconds since the last good load; 86400: warns below a day',
        'w',
        'RANGE',
    ),
    Option('critical', 'range', '', 'as --warning, for CRITICAL', 'c', 'RANGE'),
    Option('verify-rules', 'flag', '', 'compare the rules in the kernel with those ferm makes (root; runs ferm)'),
    missing_option('ferm is not installed', 'unknown'),
)

# systemd keeps no time for the beginning of a reload; a slow one (FAST=no) takes a while.
_RELOAD_SECONDS = 120.0


class Ferm(nagiosplugin.Resource):
    """The unit, the settings and the configuration, and what the kernel shows of the rules."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.seen: Seen | None = None
        self.rules: int | None = None

    def probe(self) -> Iterator[nagiosplugin.Metric]:
        """Acquire, judge."""
        options = self.options
        unit, gap = _unit(options.root)
        if not _is_installed(options.root, unit):
            yield from finding_metrics([_not_installed(options.missing)], options.ignore or ())
            return
        live = is_live(options.root)
        configuration = read_configuration(options.root)
        failed = rules.failed(unit)
        seen = Seen(
            unit,
            gap,
            read_settings(options.root),
            configuration,
            _traces(options.root),
            now=monotonic_now(options.root),
            wall=time.time() if live else None,
            nftables=exists(options.root, '/etc/systemd/system/sysinit.target.wants/nftables.service'),
            incomplete=not live and not exists(options.root, '/etc/ferm'),
            # Looking up a name can take long, and is of use only where something is closed.
            user=user_name(options.root) if configuration.denied or failed or options.verify_rules else ANYBODY,
        )
        if unit is not None and failed:
            seen = seen._replace(reasons=_reasons(options.root, unit, seen.now))
        findings: list[Finding] = []
        if options.verify_rules:
            findings = self._verify(seen)
            seen = seen._replace(verified=self.rules is not None)
        elif not live and self._is_comparable(seen):
            findings = self._verify(seen)
            # Nobody asked: what cannot be compared is no fault, and after a failed reload differences are expected.
            known = outdated(seen)
            findings = [_unasked(finding) for finding in findings if not known or finding.severity == 'critical']
            seen = seen._replace(verified=self.rules is not None and not known)
        self.seen = seen
        yield from finding_metrics([*rules.judge(seen), *findings], options.ignore or ())
        if self.rules is not None:
            yield nagiosplugin.Metric('rules', self.rules, min=0)
        if seen.age is not None:
            yield nagiosplugin.Metric('age', int(seen.age), 's', min=0)

    def _is_comparable(self, seen: Seen) -> bool:
        """Whether the tree holds both sides of rules that ought to be loaded."""
        from tablefull.readers.rulesets import recorded

        active = seen.unit is not None and seen.unit.active_state == 'active'
        return active and not loads_nothing(seen._replace(verified=True)) and recorded(self.options.root)

    def _verify(self, seen: Seen) -> list[Finding]:
        """Compare the rules; sets their number when it could be done."""
        from tablefull.findings import ferm_verify
        from tablefull.readers.rulesets import ConfigurationError, LoadingError, read_rulesets

        try:
            # Half of the check's time: when ferm hangs on a name, there is still time to say so.
            seconds = self.options.timeout / 2
            rulesets = read_rulesets(self.options.root, seen.settings, seen.configuration, seconds)
        except ConfigurationError as error:
            return [ferm_verify.broken(error.reason)]
        except LoadingError as error:
            return [ferm_verify.unlisted(str(error), error.modules)]
        except ReadError as error:
            return [ferm_verify.unverified(str(error), error.permission, seen.user)]
        self.rules = ferm_verify.count_rules(rulesets)
        inactive = seen.unit is not None and seen.unit.active_state == 'inactive'
        return list(ferm_verify.judge(rulesets, outdated(seen), inactive))

    def healthy(self) -> str:
        """The sentence when there is nothing to report."""
        if self.seen is None:
            return 'ferm is not installed'
        unit, age = self.seen.unit, self.seen.age
        state = unit.active_state if unit is not None else 'state unknown'
        since = f'loaded {duration(age)} ago' if age is not None else state
        if self.rules is not None:
            return f'{since}; all that ferm makes is among the {self.rules} rules in the kernel'
        proof = ferm_rules.verdict(self.seen.traces, self.seen.configuration)
        known = 'some rules are in use' if proof == 'present' else 'rules cannot be seen'
        return f'{since} without error; {known}, not compared (--verify-rules)'

    def facts(self) -> list[tuple[str, str]]:
        """Everything read, for -vv."""
        if self.seen is None:
            return []
        parts = (self.seen.unit, self.seen.settings, self.seen.configuration, self.seen.traces)
        return [(name, shown(value)) for part in parts if part is not None for name, value in part._asdict().items()]


def _unasked(finding: Finding) -> Finding:
    return finding._replace(severity='info') if finding.severity == 'unknown' else finding


def _unit(root: str) -> tuple[Unit | None, str]:
    """The unit, or None and why not."""
    try:
        return read_unit(root, UNIT), ''
    except ReadError as error:
        return None, str(error)


def _is_installed(root: str, unit: Unit | None) -> bool:
    """Removed without purge, Debian's ferm leaves its configuration, and an init script that becomes a unit."""
    if installed(root):
        return True
    if unit is not None:
        return unit.load_state != 'not-found' and not (is_live(root) and unit.file_state == 'generated')
    return not is_live(root) and (exists(root, '/etc/ferm') or exists(root, '/etc/default/ferm'))


def _not_installed(severity: str) -> Finding:
    return Finding(
        'ferm-not-installed',
        'info' if severity == 'ok' else severity,
        'ferm is not installed',
        ('no /usr/sbin/ferm and no ferm.service',),
        ('apt-get install ferm, or remove this check from the host',),
    )


def _traces(root: str) -> RuleTraces | None:
    try:
        return read_rule_traces(root)
    except ReadError:
        # A tree without /proc: the rules then cannot be seen, and that is what is said.
        return None


def _reasons(root: str, unit: Unit, now: float | None) -> Reasons:
    """Why a run failed. Looked for only then: it costs more than all the rest."""
    from tablefull.findings.ferm_reasons import Reasons
    from tablefull.readers.kernel_log import read_kernel_log
    from tablefull.readers.modprobe_d import read_modprobe
    from tablefull.readers.modules import read_modules
    from tablefull.readers.prevention import prevention
    from tablefull.readers.unit_journal import last_run, read_unit_journal

    reasons, gaps = Reasons(), []
    try:
        reasons = reasons._replace(run=last_run(read_unit_journal(root, UNIT)))
    except ReadError as error:
        gaps.append(str(error))
    began, ended = _span(unit)
    try:
        # Without a clock all of the log: the filter below keeps what is of the run.
        log = read_kernel_log(root, now - began if now is not None else 1e12)
        refusals = [event for event in log.events if event.code == 'xtables-rejection']
        near = [event.text for event in refusals if event.seconds is None or began <= event.seconds <= ended]
        reasons = reasons._replace(kernel=tuple(dict.fromkeys(near)))
    except FileNotFoundError:
        gaps.append('there is no kernel log')
    except ReadError as error:
        gaps.append(str(error))
    stopped = prevention('nf_conntrack', read_modprobe(root))
    if stopped.dependency and not read_modules(root).has('nf_conntrack'):
        line = str(stopped.lines[0]) if stopped.lines else 'nothing can be loaded (kernel command line or sysctl)'
        reasons = reasons._replace(blocked=line)
    return reasons._replace(gaps=tuple(gaps))


def _span(unit: Unit) -> tuple[float, float]:
    """When the failed run began and ended, on the clock of the kernel log, with a second to spare on either side."""
    if unit.reload_failed:
        ended = unit.changed or 0.0
        return ended - _RELOAD_SECONDS, ended + 1
    # reset-failed moves the time of the state change, but not that of the exit.
    ended = unit.exited or unit.changed or 0.0
    return (unit.left_inactive or ended - _RELOAD_SECONDS) - 1, ended + 1


def acquire(options: argparse.Namespace) -> Acquired:
    """Put the resource and its contexts together."""
    resource = Ferm(options)
    measures = (Measure('rules'), threshold('age', 'ferm-age', rules.age_breach, options))
    return Acquired(resource, measures, resource.healthy, resource.facts)


CHECK = Check(
    'ferm',
    'Judge ferm: its last start and reload, the next boot, and what can be seen of its rules in the kernel.',
    OPTIONS,
    acquire,
)


def main() -> None:
    """Entry point."""
    run(CHECK)


if __name__ == '__main__':
    main()
