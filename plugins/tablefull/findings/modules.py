"""Rules on modules that bring connection tracking, NAT or tables: who asked for them, what they do, how they go."""

from __future__ import annotations

from tablefull.findings.finding import Finding
from tablefull.findings.module_state import TRACKING_CLASSES, Seen, judged, matches, some, tracking, unexpected
from tablefull.findings.unload import commands, dependents, unloading
from tablefull.findings.wording import quantity
from tablefull.readers.module_names import OWNERS, TRACKERS
from tablefull.readers.modules import Module
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def judge(seen: Seen, missing: str) -> Iterator[Finding]:
    """Everything that needs no threshold of the user. `missing` is the severity of a required module's absence."""
    yield from _tracking_unexpectedly(seen)
    yield from _forbidden(seen)
    yield from _missing(seen, missing)
    yield from _nat_left_behind(seen)
    passing = [module for module in seen.modules.loaded.values() if module.state != 'Live']
    if passing:
        yield Finding(
            'modules-in-transition',
            'info',
            f'modules are being loaded or unloaded at this moment: {some([module.name for module in passing])}',
            tuple(f'{module.name} is {module.state}' for module in passing[:5]),
            ('cat /proc/modules  # one that stays in this state for minutes hangs',),
        )
    if seen.owners and unexpected(seen):
        yield Finding(
            'modules-owner',
            'info',
            f'may well belong to what works here: {", ".join(seen.owners)}',
            tuple(
                f'{owner} is known by {" or ".join(map(" or ".join, filter(None, OWNERS[owner])))}'
                for owner in seen.owners
            ),
            ('if they do: --expect loaded, or --allow with the names',),
        )


def unexpected_breach(seen: Seen, severity: str, value: float, limits: str) -> Finding:
    """More unexpected modules than --warning or --critical allow."""
    names = unexpected(seen)
    kinds = judged(seen.modules)
    what = 'an unexpected module is loaded' if len(names) == 1 else f'{len(names)} unexpected modules are loaded'
    evidence = [tracking(seen).reason]
    if not any(kinds.get(name) in TRACKING_CLASSES for name in names):
        evidence = ['not connection tracking; listing rules is enough to load a table module (iptables -L)']
    evidence += [_describe(seen.modules.loaded[name], kinds.get(name, 'other')) for name in names]
    return Finding(
        'modules-unexpected',
        severity,
        f'{what}: {some(names)}',
        (*evidence, *_blocks(seen, names)),
        _removal(seen, names, 'if this host needs them: --expect loaded, or --allow with the names'),
    )


def _tracking_unexpectedly(seen: Seen) -> Iterator[Finding]:
    state = tracking(seen)
    trackers = [name for name in TRACKERS if name in unexpected(seen)]
    # Code that is compiled in can be left alone as long as it does nothing.
    if seen.built_in and seen.policy.expect == 'none' and not matches(TRACKERS[0], seen.policy.allow):
        trackers = [TRACKERS[0]]
    if state.state != 'active' or not trackers:
        return
    kinds = judged(seen.modules)
    held = [module for name, module in seen.modules.loaded.items() if module.held and name in kinds]
    evidence = [state.reason] + [f'{module.name} is used {module.held} x by rules or tables' for module in held]
    what = 'connection tracking, compiled in,' if seen.built_in else 'connection tracking'
    entries = '' if seen.table.entries is None else f': {quantity(seen.table.entries, "entry", "entries")}'
    wanted = 'if this host needs connection tracking: --expect loaded'
    remedy = _removal(seen, trackers, wanted)
    if seen.built_in:
        # Listing loads nothing here, but a listing of the old iptables would make the table it lists.
        find = 'nft list ruleset; iptables-legacy-save  # find the rule with ct, conntrack, state or NAT: remove it'
        remedy = (wanted, find)
    yield Finding(
        'modules-tracking',
        'critical',
        f'{what} is active but not expected here{entries}',
        tuple(evidence),
        remedy,
    )


def _forbidden(seen: Seen) -> Iterator[Finding]:
    modules, patterns = seen.modules, seen.policy.forbid
    compiled = sorted(name for name in _compiled_in(seen) if name not in modules.loaded and matches(name, patterns))
    names = [name for name in modules.loaded if matches(name, patterns)]
    if names or compiled:
        yield Finding(
            'modules-forbidden',
            'critical',
            f'forbidden modules are in the kernel: {some(names + compiled)}',
            (
                *(_describe(modules.loaded[name], judged(modules).get(name, 'other')) for name in names),
                *(f'{name} is compiled into this kernel: only another kernel removes it' for name in compiled),
            ),
            # Tables too, that hurt nobody elsewhere: somebody wants them gone.
            commands(unloading(names, modules.loaded), modules.loaded),
        )


def _missing(seen: Seen, severity: str) -> Iterator[Finding]:
    present = [*seen.modules.loaded, *_compiled_in(seen)]
    names = [pattern for pattern in seen.policy.require if not any(matches(name, (pattern,)) for name in present)]
    if seen.policy.expect == 'loaded' and not seen.present and TRACKERS[0] not in present:
        names.insert(0, TRACKERS[0])
    if not names:
        return
    if not seen.modules.loadable and not seen.modules.listed:
        # Most of what is compiled in leaves no trace in /sys/module.
        yield Finding(
            'modules-missing',
            'unknown',
            f'cannot be seen whether this kernel has {some(names)}',
            ('it loads no modules, and /lib/modules has no list of what is compiled in',),
        )
        return
    yield Finding(
        'modules-missing',
        'info' if severity == 'ok' else severity,
        f'required modules are not there: {some(names)}',
        ('neither loaded (/proc/modules) nor known to be compiled in',),
        tuple(
            f'modprobe {name}; echo {name} >> /etc/modules-load.d/netfilter.conf' for name in names if '*' not in name
        ),
    )


def _nat_left_behind(seen: Seen) -> Iterator[Finding]:
    loaded, kinds = seen.modules.loaded, judged(seen.modules)
    nat = [loaded[name] for name, kind in kinds.items() if kind == 'nat']
    if any(module.held or module.references is None or module.state != 'Live' for module in nat):
        return
    # What something else needs (openvswitch, ip_vs_ftp, act_ct) is in use, or may be at any moment.
    nat = [module for module in nat if all(kinds.get(name) == 'nat' for name in dependents([module.name], loaded))]
    names = [module.name for module in nat if not matches(module.name, seen.policy.allow)]
    if not names:
        return
    listed = [f'{family}: {" ".join(tables) or "none"}' for family, tables in seen.tables.items()]
    yield Finding(
        'modules-nat-left-behind',
        'warning',
        f'NAT is left behind, no rule uses it: {some(names)}',
        (
            'no reference but those of other modules: ' + ', '.join(_usage(module) for module in nat),
            f'tables of this namespace: {"; ".join(listed)}' if listed else 'root could also read ip_tables_names',
            'entries that were tracked before stay until they expire, and so do the hooks in the path of packets',
        ),
        _removal(seen, unexpected(seen) or names),
    )


def _compiled_in(seen: Seen) -> frozenset[str]:
    return seen.modules.built_in | (frozenset(TRACKERS[:1]) if seen.built_in else frozenset())


def _removal(seen: Seen, names: list[str], wanted: str = '') -> tuple[str, ...]:
    """How to unload `names`: of several the ones that track or translate, for tables without them hurt nobody.

    `wanted` tells what to do if they are needed; it comes first unless all of them can go and nothing breaks.
    """
    kinds, loaded = judged(seen.modules), seen.modules.loaded
    plan = unloading([name for name in names if kinds.get(name) in TRACKING_CLASSES] or names, loaded)
    lines = commands(plan, loaded)
    if not wanted:
        return lines
    return (wanted, *lines) if plan.held or plan.users or not plan.order else (*lines, wanted)


def _blocks(seen: Seen, names: list[str]) -> list[str]:
    """What modprobe.d says about the module that matters most among `names`."""
    from tablefull.findings.blocking import describe

    first = next((name for name in (*TRACKERS, *names) if name in names), '')
    return [describe(first, seen.configuration)] if first else []


def _describe(module: Module, kind: str) -> str:
    taint = f', taints the kernel ({module.taint})' if module.taint else ''
    return f'{_usage(module)} [{kind}]{taint}'


def _usage(module: Module) -> str:
    parts = [f'used by {", ".join(module.users)}'] if module.users else []
    if module.held:
        parts.append(f'{module.held} x by rules, tables or interfaces')
    if module.permanent:
        parts.append('permanent')
    return f'{module.name} ({"; ".join(parts) or "unused"})'
