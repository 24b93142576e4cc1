"""Causes in the firewall run: what failed, what it left behind, and rules that are not in force."""

from __future__ import annotations

from tablefull.findings import ferm_rules
from tablefull.findings.module_state import TRACKING_CLASSES, judged, some, tracking
from tablefull.record import TYPE_CHECKING
from tablefull.triage.cause import Cause, Step, steps_of
from tablefull.triage.module_use import held, keep_out, unload_steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tablefull.triage.facts import Facts

_FAILED = ('ferm-start-failed', 'ferm-failure-hidden')
_TOLD = ('ferm-rolled-back', 'xtables-rejection', 'ferm-reason-unreadable', 'ferm-configuration-broken')
_GONE = ('ferm-rules-gone', 'ferm-rules-suspect', 'ferm-rules-missing', 'ferm-policy-differs')
_MISSING = (
    'ferm-switched-off',
    'ferm-configuration-missing',
    'ferm-stopped',
    'ferm-never-started',
    *_GONE,
)
_DAMAGE = ('conntrack-table-full', 'conntrack-usage-high', 'conntrack-full-soon')
_LOADED = ('modules-tracking', 'modules-unexpected', 'modules-nat-left-behind')


def judge(facts: Facts) -> Iterator[Cause]:
    """What is wrong with ferm."""
    if facts.codes('ferm-module-blocked'):
        yield _blocked(facts)
    elif facts.codes(*_FAILED):
        yield _failed(facts)
    elif facts.codes('ferm-reload-failed'):
        yield _reload(facts)
    if facts.codes(*_MISSING) and not facts.codes(*_FAILED, 'ferm-module-blocked'):
        yield _missing(facts)


def _left(facts: Facts) -> list[str]:
    """Modules that track and that nothing holds: those of the run that failed."""
    seen = facts.modules
    if seen is None or held(seen):
        return []
    return [name for name, kind in judged(seen.modules).items() if kind in TRACKING_CLASSES]


def _rules(facts: Facts) -> str:
    """'gone', 'suspect', 'present' or 'unknown'."""
    seen = facts.ferm
    return 'unknown' if seen is None else ferm_rules.verdict(seen.traces, seen.configuration)


def _failed(facts: Facts) -> Cause:
    failure = facts.found(*_FAILED)[0]
    left, rules = _left(facts), _rules(facts)
    active = facts.modules is not None and tracking(facts.modules).state in ('active', 'leftover')
    damage = facts.codes(*_DAMAGE) if active and rules != 'present' else ()
    rolled_back = bool(facts.codes('ferm-rolled-back'))
    chain = ['a change of the firewall was rolled out', 'ferm failed']
    if rules == 'present':
        chain.append('the rules of before, or part of the new ones, are still in force')
    elif rolled_back:
        chain.append('it took back what it had loaded: no rule of it is in force')
    else:
        chain.append('its rules are not in force')
    if left:
        chain.append(f'the modules they had loaded stayed ({some(left)})')
        chain.append(
            'connections are tracked with no rule behind it' if active else 'nothing is tracked until a rule asks'
        )
    if damage:
        chain.append(
            'the table is full, packets are refused' if 'conntrack-table-full' in damage else 'the table fills'
        )
    says = failure.summary
    if left and rules != 'present':
        says += f'; it left connection tracking {"on" if active else "loaded"}'
    steps: list[Step] = []
    if damage:
        from tablefull.triage.table import raise_steps

        steps += raise_steps(facts)
    steps += steps_of(failure.remedy, 'nothing: reads only')
    if left and facts.modules is not None and rules != 'present':
        instead = 'only if nothing here is meant to track: '
        steps += [step._replace(effect=instead + step.effect) for step in unload_steps(facts.modules)]
    against = []
    if rules == 'present':
        against.append('rules are in the kernel all the same: of before, or loaded by hand since')
    if left and facts.modules is not None and facts.modules.owners:
        against.append(f'{" and ".join(facts.modules.owners)} may have loaded the modules as well')
    return Cause(
        'firewall-run-failed',
        says,
        'certain',
        'systemd keeps the exit status of the run'
        + (', the kernel its reason' if facts.codes('xtables-rejection') else ''),
        tuple(chain),
        (
            *failure.evidence,
            *facts.evidence('ferm-rolled-back')[:1],
            *((f'no reference: {", ".join(left)}',) if left else ()),
            *(facts.evidence(*damage, check='conntrack')[:3] if damage else ()),
        ),
        (*facts.codes(*_FAILED, *_TOLD), *(facts.codes(*_LOADED) if left else ()), *damage),
        failure.code,
        tuple(steps),
        (
            'before every roll-out ferm --noexec --lines; reload, not restart: a failed reload keeps the old rules',
            'NOTRACK and CT --notrack stand in the raw table, nowhere else',
            *(keep_out(facts.modules)[:1] if left and facts.modules is not None else ()),
        ),
        tuple(against),
    )


def _blocked(facts: Facts) -> Cause:
    failures = facts.found(*_FAILED, 'ferm-reload-failed')
    return Cause(
        'firewall-module-blocked',
        'modprobe.d keeps out a module that the rules of ferm need, and ferm fails with it',
        'certain',
        'the line is there, the module is not, and the run failed',
        (
            'somebody blocked connection tracking, as after an outage',
            'the rules of ferm still ask for states',
            'ferm fails, and takes all its rules back',
            'the host is open',
        ),
        (
            *facts.evidence('ferm-module-blocked'),
            *(piece for finding in failures for piece in finding.evidence),
        ),
        facts.codes('ferm-module-blocked', *_FAILED, 'ferm-reload-failed', *_TOLD, 'modules-unexpected'),
        'ferm-module-blocked',
        (
            *steps_of(tuple(facts.remedies('ferm-module-blocked')), 'lets connection tracking in again'),
            Step('systemctl restart ferm', 'stops first, so the host is open for seconds'),
        ),
        ('block a module only on hosts whose rules need no states', 'or rewrite the rules without states first'),
    )


def _reload(facts: Facts) -> Cause:
    failure = facts.found('ferm-reload-failed')[0]
    half = failure.severity == 'critical'
    return Cause(
        'firewall-reload-failed',
        failure.summary,
        'certain',
        'systemd keeps the result of the last reload apart, behind a unit that stays active',
        (
            'a change of the firewall was rolled out',
            'ferm failed to reload; the unit stays active (exited), Result=success',
            'rules are loaded in part' if half else 'the rules of before stay: the change is not in force',
        ),
        (*failure.evidence, *facts.evidence('xtables-rejection', 'ferm-rolled-back')[:2]),
        facts.codes('ferm-reload-failed', *_TOLD, *_GONE),
        'ferm-reload-failed',
        steps_of(failure.remedy, 'nothing: reads only'),
        ('before every roll-out ferm --noexec --lines', 'look at ReloadResult after it, not at the state of the unit'),
        ()
        if half or _rules(facts) != 'gone'
        else ('no rule of ferm is in the kernel, which a failed reload leaves there',),
    )


def _missing(facts: Facts) -> Cause:
    findings = facts.found(*_MISSING)
    present = _rules(facts) == 'present' and not facts.codes(*_GONE)
    return Cause(
        'firewall-missing',
        findings[0].summary,
        'probable' if facts.codes('ferm-never-started', 'ferm-rules-suspect') else 'certain',
        'the unit and its settings tell, and the use counts of modules',
        ('ferm is not asked for its rules, or somebody flushed them', 'the host is open, or held by rules of others'),
        tuple(piece for finding in findings for piece in finding.evidence)[:8],
        facts.codes(*_MISSING),
        findings[0].code,
        tuple(
            step._replace(effect='changes the setting alone') if step.run.startswith('sed ') else step
            for step in steps_of(tuple(dict.fromkeys(facts.remedies(*_MISSING))), 'loads all rules of ferm')
        ),
        (
            'at boot: systemctl enable ferm, and ENABLED=yes in /etc/default/ferm',
            'no script that flushes rules beside ferm',
        ),
        ('rules of somebody are in the kernel all the same',) if present else (),
    )
