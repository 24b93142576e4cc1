"""ferm: its unit, its settings and its configuration, and what the kernel shows of its rules."""

from __future__ import annotations

import time

from tablefull.findings import ferm as rules
from tablefull.findings import ferm_rules
from tablefull.findings.ferm_configuration import loads_nothing, outdated
from tablefull.findings.ferm_seen import Seen
from tablefull.findings.finding import Finding
from tablefull.findings.wording import duration, shown
from tablefull.frame.look import Look, Number, Threshold
from tablefull.frame.option_table import Option, missing_option
from tablefull.looks import ferm_absent
from tablefull.readers import ferm_presence
from tablefull.readers.ferm import read_configuration, read_settings
from tablefull.readers.files import ReadError, exists, is_live, monotonic_now
from tablefull.readers.rule_traces import RuleTraces, read_rule_traces
from tablefull.readers.systemd import Unit, read_unit
from tablefull.readers.user import ANYBODY, user_name
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

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

THRESHOLDS = (Threshold('rules'), Threshold('age', 'ferm-age', lambda seen, *judged: rules.age_breach(*judged)))

# systemd keeps no time for the beginning of a reload; a slow one (FAST=no) takes a while.
_RELOAD_SECONDS = 120.0


def look(options: Any) -> Look:
    """Acquire, judge. Raises ReadError."""
    if ferm_absent.absent(options.root):
        return ferm_absent.look(options.missing)
    unit, gap = _unit(options.root)
    if not _is_installed(options.root, unit):
        return ferm_absent.look(options.missing)
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
    count = None
    if options.verify_rules:
        findings, count = _verify(options, seen)
        seen = seen._replace(verified=count is not None)
    elif not live and _is_comparable(options.root, seen):
        findings, count = _verify(options, seen)
        # Nobody asked: what cannot be compared is no fault, and after a failed reload differences are expected.
        known = outdated(seen)
        findings = [_unasked(finding) for finding in findings if not known or finding.severity == 'critical']
        seen = seen._replace(verified=count is not None and not known)
    return Look(
        [*rules.judge(seen), *findings],
        tuple(_numbers(seen, count)),
        lambda: _healthy(seen, count),
        lambda: _facts(seen),
        seen,
    )


def _is_comparable(root: str, seen: Seen) -> bool:
    """Whether the tree holds both sides of rules that ought to be loaded."""
    from tablefull.readers.rulesets import recorded

    active = seen.unit is not None and seen.unit.active_state == 'active'
    return active and not loads_nothing(seen._replace(verified=True)) and recorded(root)


def _verify(options: Any, seen: Seen) -> tuple[list[Finding], int | None]:
    """Compare the rules: what differs, and their number, None when it could not be done."""
    from tablefull.findings import ferm_verify
    from tablefull.readers.rulesets import ConfigurationError, LoadingError, read_rulesets

    try:
        # Half of the check's time: when ferm hangs on a name, there is still time to say so.
        seconds = options.timeout / 2
        rulesets = read_rulesets(options.root, seen.settings, seen.configuration, seconds)
    except ConfigurationError as error:
        return [ferm_verify.broken(error.reason)], None
    except LoadingError as error:
        return [ferm_verify.unlisted(str(error), error.modules)], None
    except ReadError as error:
        return [ferm_verify.unverified(str(error), error.permission, seen.user)], None
    inactive = seen.unit is not None and seen.unit.active_state == 'inactive'
    return list(ferm_verify.judge(rulesets, outdated(seen), inactive)), ferm_verify.count_rules(rulesets)


def _numbers(seen: Seen, count: int | None) -> Iterator[Number]:
    if count is not None:
        yield Number('rules', count, least=0)
    if seen.age is not None:
        yield Number('age', int(seen.age), 's', least=0)


def _healthy(seen: Seen, count: int | None) -> str:
    unit, age = seen.unit, seen.age
    state = unit.active_state if unit is not None else 'state unknown'
    since = f'loaded {duration(age)} ago' if age is not None else state
    if count is not None:
        return f'{since}; all that ferm makes is among the {count} rules in the kernel'
    proof = ferm_rules.verdict(seen.traces, seen.configuration)
    known = 'some rules are in use' if proof == 'present' else 'rules cannot be seen'
    return f'{since} without error; {known}, not compared (--verify-rules)'


def _facts(seen: Seen) -> list[tuple[str, str]]:
    parts = (seen.unit, seen.settings, seen.configuration, seen.traces)
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
    if ferm_presence.installed(root):
        return True
    if unit is not None:
        return unit.load_state != 'not-found' and not (is_live(root) and unit.file_state == 'generated')
    return not is_live(root) and (exists(root, '/etc/ferm') or exists(root, '/etc/default/ferm'))


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
