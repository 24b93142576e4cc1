"""Rules of ferm: a oneshot unit that is 'active (exited)' when all is well, and often when it is not."""

from __future__ import annotations

from tablefull.findings import ferm_rules
from tablefull.findings.ferm_configuration import loads_nothing, newer, unreadable
from tablefull.findings.ferm_seen import Seen
from tablefull.findings.finding import Finding
from tablefull.findings.privilege import grant
from tablefull.findings.wording import duration
from tablefull.readers.systemd import Unit
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tablefull.findings.ferm_reasons import Reasons

# A start that resolves names waits for DNS; past this it is not just slow.
_LONGEST_RUN = 60.0

_STATUS = 'systemctl status ferm; journalctl -u ferm -b'


def failed(unit: Unit | None) -> bool:
    """Whether some run failed, so that the logs are worth reading."""
    return unit is not None and (unit.active_state == 'failed' or unit.reload_failed or _hidden(unit))


def judge(seen: Seen) -> Iterator[Finding]:
    """Everything about the unit, the settings and the configuration; rules only as far as use counts tell."""
    unit = seen.unit
    if unit is None:
        yield _unseen(seen, seen.gap)
    elif unit.load_state in ('not-found', 'bad-setting', 'error'):
        # The program is there, or this rule would not be asked.
        yield _unseen(seen, f'ferm is installed, but its unit is {unit.load_state}')
    else:
        yield from _state(seen, unit)
        yield from _boot(unit)
    silent = loads_nothing(seen)
    yield from silent
    if unit is not None and unit.active_state == 'active' and not silent and not seen.verified:
        yield from ferm_rules.gone(seen.traces, seen.configuration, seen.user)
    yield from newer(seen)
    if seen.reasons is not None:
        yield from _explain_failure(seen.reasons, seen.user)
    yield from unreadable(seen)
    if seen.nftables:
        yield Finding(
            'ferm-nftables-enabled',
            'info',
            'nftables.service is enabled too: each start of it flushes rules that ferm loaded through nftables',
            ('/etc/systemd/system/sysinit.target.wants/nftables.service',),
            ('systemctl disable nftables   # if ferm is to be the firewall',),
        )


def _unseen(seen: Seen, reason: str) -> Finding:
    return Finding(
        'ferm-unit-unseen',
        # Compared rules are a verdict of their own.
        'info' if seen.verified else 'unknown',
        'the state of ferm.service cannot be seen',
        (reason,),
        (ferm_rules.VERIFY, 'systemctl show ferm.service  # as root, on the host itself'),
    )


def _state(seen: Seen, unit: Unit) -> Iterator[Finding]:
    state = unit.active_state
    if state == 'failed':
        yield _failed(seen, unit)
    elif state == 'inactive':
        yield _inactive(seen, unit)
    elif state in ('activating', 'reloading', 'deactivating', 'refreshing'):
        yield from _running(seen, unit)
    elif state != 'active':
        # Not a state this rule knows: never taken for a healthy one.
        yield Finding('ferm-unit-unseen', 'unknown', 'ferm.service is in a state unknown to this check', (state,))
    if unit.reload_failed:
        yield _reload_failed(seen, unit)


def _rules_left(seen: Seen) -> str:
    """Half a sentence about the rules that are there in spite of a failure."""
    proof = ferm_rules.verdict(seen.traces, seen.configuration)
    if proof == 'present':
        return '; some rules are still loaded'
    if proof == 'unknown' or seen.traces is None:
        return ''
    if not seen.traces.in_use:
        return '; no rules are loaded'
    return '; its rules are not loaded' if proof == 'gone' else '; its rules seem to be gone'


def _traces(seen: Seen) -> tuple[str, ...]:
    return ferm_rules.evidence(seen.traces, seen.configuration)


def _reason(seen: Seen) -> str:
    return seen.reasons.short() if seen.reasons is not None else ''


def _told(seen: Seen) -> tuple[str, ...]:
    return seen.reasons.evidence() if seen.reasons is not None else ()


def _outcome(unit: Unit) -> str:
    return f'ferm.service: Result={unit.result} ReloadResult={unit.reload_result} ExecMainStatus={unit.status}'


def _failed(seen: Seen, unit: Unit) -> Finding:
    reason = _reason(seen) or f'{unit.result or "unknown reason"}, exit status {unit.status}'
    # A stop that fails leaves the start's status 0; most often the start after it fails as well, and tells more.
    action = 'stop' if unit.status == 0 and unit.result == 'exit-code' else 'start'
    return Finding(
        'ferm-start-failed',
        'critical',
        f'ferm failed to {action}: {reason}{_rules_left(seen)}',
        (*_told(seen), _outcome(unit), *_traces(seen)),
        (
            _STATUS,
            ferm_rules.DRY_RUN,
            'systemctl restart ferm   # once repaired: stops first, so the host is open for seconds',
        ),
    )


def _how_reload_ended(unit: Unit) -> str:
    if unit.reload_result not in ('signal', 'core-dump'):
        return unit.reload_result
    return f'killed ({unit.reload_signal})' if unit.reload_signal else 'killed by a signal'


def _reload_failed(seen: Seen, unit: Unit) -> Finding:
    killed = unit.reload_result in ('signal', 'core-dump', 'timeout', 'watchdog', 'oom-kill')
    reason = _reason(seen) or _how_reload_ended(unit)
    proof = ferm_rules.verdict(seen.traces, seen.configuration)
    gone = proof == 'gone'
    left = 'old rules stay'
    if killed:
        left = 'perhaps half loaded'
    elif proof in ('gone', 'suspect'):
        left = 'its rules are not loaded' if gone else 'its rules seem to be gone'
    return Finding(
        'ferm-reload-failed',
        # The old rules protect the host until the next boot; a rule set loaded by half does not.
        'critical' if killed or gone else 'warning',
        f'ferm failed to reload: {reason}; {left}',
        (
            *_told(seen),
            # A killed ferm says nothing about its configuration.
            f'{_outcome(unit)}: the unit stays active' + ('' if killed else ', the next boot will fail'),
            *_traces(seen),
        ),
        (_STATUS, ferm_rules.DRY_RUN, 'systemctl reload ferm   # once repaired'),
    )


def _hidden(unit: Unit) -> bool:
    """`systemctl reset-failed` clears state and result, but not the exit status of the last start."""
    return unit.active_state == 'inactive' and unit.status not in (None, 0)


def _inactive(seen: Seen, unit: Unit) -> Finding:
    if _hidden(unit):
        reason = _reason(seen) or f'exit status {unit.status}'
        return Finding(
            'ferm-failure-hidden',
            'critical',
            f'ferm failed to start (hidden): {reason}{_rules_left(seen)}',
            (*_told(seen), f'reset-failed hides it: inactive, yet ExecMainStatus={unit.status}', *_traces(seen)),
            (_STATUS, ferm_rules.DRY_RUN, 'systemctl start ferm   # once repaired'),
        )
    wanted = unit.file_state.startswith('enabled') or unit.file_state in ('static', 'generated', 'alias', '')
    masked = 'masked' in (unit.load_state, unit.file_state)
    # Somebody who disabled the unit meant to have no firewall; the check on this host says somebody else does not.
    severity = 'critical' if wanted and not masked else 'warning'
    how = 'masked' if masked else unit.file_state or 'state of the unit file unknown'
    if not unit.condition:
        how += ', its conditions are not met'
    evidence = (f'ferm.service: inactive, {how}', *_traces(seen))
    start = ('systemctl unmask ferm; ' if masked else '') + 'systemctl enable --now ferm'
    if unit.left_inactive is None and unit.status is None:
        return Finding(
            'ferm-never-started',
            severity,
            f'ferm has not been started since boot ({how}){_rules_left(seen)}',
            evidence,
            (start,),
        )
    return Finding('ferm-stopped', severity, f'ferm is stopped ({how}){_rules_left(seen)}', evidence, (start,))


def _running(seen: Seen, unit: Unit) -> Iterator[Finding]:
    began = unit.changed if unit.changed is not None else unit.left_inactive
    lasting = seen.now - began if seen.now is not None and began is not None else 0.0
    yield Finding(
        'ferm-busy',
        'warning' if lasting > _LONGEST_RUN else 'info',
        f'ferm.service has been {unit.active_state} for {duration(max(0.0, lasting))}',
        (f'ferm.service: {unit.active_state} ({unit.sub_state})',),
        ('systemctl status ferm   # names that cannot be resolved are what it waits for most often',),
    )


def _boot(unit: Unit) -> Iterator[Finding]:
    """A unit that runs now, but will not after the next boot."""
    if unit.active_state == 'inactive':
        return
    state = 'masked' if unit.load_state == 'masked' else unit.file_state
    if state in ('disabled', 'masked', 'masked-runtime', 'enabled-runtime', 'linked', 'linked-runtime'):
        yield Finding(
            'ferm-not-enabled',
            'warning',
            f'ferm will not start at the next boot: its unit is {state}',
            (f'ferm.service: UnitFileState={unit.file_state} LoadState={unit.load_state}',),
            ('systemctl unmask ferm' if 'masked' in state else 'systemctl enable ferm',),
        )


def _explain_failure(reasons: Reasons, user: str) -> Iterator[Finding]:
    if reasons.rolled_back:
        yield Finding(
            'ferm-rolled-back',
            'warning',
            'ferm took its rules back: those of before the run are in force, if there were any',
            ('journal: Firewall rules rolled back.',),
            ('iptables-legacy-save   # without -t: lists what is there and loads nothing',),
        )
    if reasons.blocked:
        yield Finding(
            'ferm-module-blocked',
            'warning',
            'modprobe.d keeps nf_conntrack from being loaded, which rules about connections need',
            (reasons.blocked,),
            ('grep -n nf_conntrack /etc/modprobe.d/*  # shows the line: remove it, or the rules with states and NAT',),
        )
    if reasons.gaps:
        yield Finding(
            'ferm-reason-unreadable',
            'info',
            'why ferm failed stands in logs that this user may not read',
            reasons.gaps,
            (grant('adm', user),),
        )


def age_breach(severity: str, value: float, limits: str) -> Finding:
    """The last good load was longer ago, or more recently, than the user's range says."""
    return Finding(
        'ferm-age',
        severity,
        f'ferm last loaded its rules {duration(value)} ago',
        (f'{int(value)} s is outside {limits}',),
        ('journalctl -u ferm   # who loaded it when',),
    )
