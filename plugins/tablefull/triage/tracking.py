"""Causes of tracking that is there: who brought it, who needs it, what it left behind."""

from __future__ import annotations

from tablefull.findings.module_state import TRACKING_CLASSES, Seen, judged, some, tracking
from tablefull.findings.unload import commands, dependents, unloading
from tablefull.findings.wording import quantity
from tablefull.readers.module_names import TRACKERS, TRACKING_FAMILIES
from tablefull.record import TYPE_CHECKING
from tablefull.triage.cause import Cause, Step
from tablefull.triage.module_use import NAT_TABLES, NETLINK, held, keep_out, of_rules, unload_steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tablefull.triage.facts import Facts

# Since then a rule switches the hooks on, and loading alone tracks nothing: commit 0c66dc1ea3f0.
_ON_DEMAND = (4, 10)
# Until then the targets SNAT and DNAT were part of iptable_nat, so that a rule of theirs that is gone left no trace.
_TARGETS_APART = (3, 8)
_DAMAGE = ('conntrack-table-full', 'conntrack-usage-high', 'conntrack-full-soon')
_FAILED_RUN = ('ferm-start-failed', 'ferm-failure-hidden')
_LOADED = ('modules-tracking', 'modules-unexpected', 'modules-nat-left-behind', 'modules-owner')


def judge(facts: Facts) -> Iterator[Cause]:
    """Who brought the modules that are there; and beside rules in use, NAT that none of them uses."""
    seen = facts.modules
    if seen is None or not facts.codes(*_LOADED):
        return
    trackers = [name for name in TRACKERS if name in seen.modules.loaded]
    tables = [name for name in NAT_TABLES if name in seen.modules.loaded and not seen.modules.loaded[name].held]
    listed = bool(trackers and tables) and not _nat_rules(seen) and _came_together(seen, trackers[0], tables)
    if listed:
        yield _by_listing(facts, seen, tables)
    elif held(seen):
        yield _needed(facts, seen)
        if facts.codes('modules-nat-left-behind'):
            yield from _left_behind(facts, seen, [*_nat_rules(seen), *tables])
    elif seen.owners and trackers:
        yield _needed(facts, seen)
    elif of_rules(seen) or (trackers and tables):
        yield from _left_behind(facts, seen, [*of_rules(seen), *tables])
    elif trackers and any(name in seen.modules.loaded for name in NETLINK) and not seen.table.entries:
        yield _by_tool(facts, seen)
    elif tracking(seen).state == 'active' and seen.release >= _ON_DEMAND:
        yield _needed(facts, seen)
    elif trackers or seen.built_in:
        yield _unclaimed(facts, seen)
    elif facts.codes('modules-unexpected') and not facts.codes(*_FAILED_RUN):
        yield from _table(facts, seen)


def _nat_rules(seen: Seen) -> list[str]:
    """Modules that a NAT rule has loaded."""
    kinds = judged(seen.modules)
    return [name for name in of_rules(seen) if kinds[name] == 'nat']


def _unused_nat(seen: Seen) -> list[str]:
    """NAT that no rule holds; unloading stops by itself where something else needs it."""
    loaded = seen.modules.loaded
    return [name for name, kind in judged(seen.modules).items() if kind == 'nat' and not loaded[name].held]


def _came_together(seen: Seen, tracker: str, tables: list[str]) -> bool:
    """Whether the tracker was loaded for one of `tables`: nothing else that needs it is older."""
    # The newest come first.
    order = list(seen.modules.loaded)
    others = dependents([tracker], seen.modules.loaded).difference(tables, _with_tables(seen, tables), [tracker])
    eldest = max(order.index(table) for table in tables)
    return all(order.index(name) < eldest for name in others)


def _with_tables(seen: Seen, tables: list[str]) -> list[str]:
    """What the tables themselves need: nf_nat, and the family's tracker of old kernels."""
    loaded = seen.modules.loaded
    return [name for name, module in loaded.items() if set(module.users).intersection(tables)] + [
        name for name in ('nf_nat', 'ip_nat', *TRACKING_FAMILIES) if name in loaded
    ]


def _active(seen: Seen) -> bool:
    return tracking(seen).state in ('active', 'leftover')


def _tracks(seen: Seen) -> str:
    state = tracking(seen)
    return f'tracking: {state.reason}'


def _by_listing(facts: Facts, seen: Seen, tables: list[str]) -> Cause:
    tracker = next(name for name in TRACKERS if name in seen.modules.loaded)
    by_itself = (0, 0) < seen.release < _ON_DEMAND
    used = held(seen)
    damage = facts.codes(*_DAMAGE) if _active(seen) else ()
    program = 'ip6tables' if tables == ['ip6table_nat'] else 'iptables'
    chain = [f'{program} -t nat -L (or -S) was run to look', f'{some(tables)} and {tracker} were loaded']
    if by_itself:
        chain.append('before Linux 4.10 that alone tracks every packet')
    elif used:
        chain.append(f'a rule that asks for it ({some(list(used))}) came later and switched tracking on')
    else:
        chain.append('nothing asks for it: no hook is in place until a rule does')
    if damage:
        chain.append(_end_of(facts))
    against = [f'{name} is used {count} x: by now a rule asks for tracking' for name, count in used.items()]
    against += [f'{owner} works here and may need it' for owner in seen.owners]
    return Cause(
        'tracking-by-listing',
        f'connection tracking came with a listing of the nat table; {tracking(seen).reason}',
        'probable',
        f'{_no_nat_rule(seen)}; an empty table that was restored leaves the same'
        + (', and a rule asks for tracking by now' if used else ''),
        tuple(chain),
        (
            ', '.join(f'{name}: no reference' for name in tables),
            f'/proc/modules lists the newest first: {tracker} came in together with {some(tables)}',
            *facts.evidence('modules-tracking', 'conntrack-loaded')[:2],
            *_damage_evidence(facts, damage),
        ),
        (*facts.codes(*_LOADED, 'conntrack-loaded'), *damage),
        'modules-nat-left-behind',
        (*_raise_first(facts, damage), *_unload_unless_needed(seen, bool(used or seen.owners))),
        (
            *keep_out(seen),
            'look with iptables-save without -t, or at /proc/net/ip_tables_names: neither loads anything',
        ),
        tuple(against),
    )


def _comes_back(facts: Facts) -> bool:
    """Whether ferm was in use here: with the module kept out, its next start would fail."""
    return facts.ferm is not None and not facts.codes('ferm-never-started')


def _unload_unless_needed(seen: Seen, used: bool, names: list[str] | None = None) -> Iterator[Step]:
    for step in unload_steps(seen, names):
        yield step._replace(effect=f'only if nothing here is meant to track: {step.effect}') if used else step


def _no_nat_rule(seen: Seen) -> str:
    if seen.release >= _TARGETS_APART:
        return 'no module is there that a NAT rule would have loaded'
    return 'no NAT rule is there, nor the module of MASQUERADE; SNAT and DNAT had none of their own before Linux 3.8'


def _needed(facts: Facts, seen: Seen) -> Cause:
    used = held(seen)
    who = [*seen.owners]
    if who:
        says = f'{" and ".join(who)} works here and needs connection tracking: raise its limits, do not unload it'
    elif used:
        says = f'rules of this host use connection tracking ({some(list(used))}): raise its limits, do not unload it'
    else:
        says = 'something here uses connection tracking: since Linux 4.10 only a rule switches it on'
    references = tuple(f'{name} is used {quantity(count, "time")}' for name, count in used.items())
    return Cause(
        'tracking-needed',
        says,
        'certain' if used else 'probable' if who else 'possible',
        'use counts of modules prove that rules are there, not that they are wanted'
        if used
        else 'no use count shows the rules themselves',
        (f'{" and ".join(who) or "a firewall"} makes rules with states or NAT', 'the rules switch tracking on'),
        (*references[:6], *(f'{owner} is at work' for owner in who), _tracks(seen)),
        facts.codes('modules-tracking', 'modules-unexpected', 'modules-owner'),
        'modules-tracking',
        (Step('tablefull triage --expect loaded', 'nothing: says that tracking is meant to be here'),),
        (
            'give the table room before it is needed: limit, hash size and modules-load.d, as for limit-too-low',
            'if this host is not meant to track: check_conntrack_modules names the unload order',
        ),
        excuses=('modules-tracking', 'modules-unexpected'),
    )


def _left_behind(facts: Facts, seen: Seen, names: list[str]) -> Iterator[Cause]:
    if facts.codes(*_FAILED_RUN):
        # They are of the run that failed.
        return
    beside = held(seen)
    # Rules of ferm that are gone for now ask for the same modules when they come back.
    users = [f'{owner} works here and may need them' for owner in seen.owners]
    users += ['ferm is here, and may ask for them when its rules come back'] if facts.ferm and not beside else []
    damage = facts.codes(*_DAMAGE) if tracking(seen).state == 'active' and not beside else ()
    nat = _nat_rules(seen) or [name for name in NAT_TABLES if name in names]
    what = 'NAT rules' if nat else 'rules with states'
    by_itself = (0, 0) < seen.release < _ON_DEMAND
    after = (
        'before Linux 4.10 they go on tracking every packet'
        if by_itself
        else 'their hooks are gone, entries of before stay until they expire'
        if seen.table.entries
        else 'they are loaded, and track nothing until a rule asks'
    )
    yield Cause(
        'tracking-left-behind',
        f'{what} were removed, their modules stayed: {some(names)}',
        'certain' if of_rules(seen) else 'probable',
        'only a rule loads such modules, and none uses them now'
        if of_rules(seen)
        else 'a rule or a listing loads the table, and no rule uses it now',
        (f'{what} were added', 'they were flushed', 'the modules stayed', after, *([_end_of(facts)] if damage else [])),
        (
            ', '.join(f'{name}: no reference' for name in names[:6]),
            _tracks(seen),
            *facts.evidence('modules-nat-left-behind')[1:2],
            *_damage_evidence(facts, damage),
        ),
        (*facts.codes(*(('modules-nat-left-behind',) if beside else _LOADED)), *damage),
        'modules-nat-left-behind',
        (
            *_raise_first(facts, damage),
            *_unload_unless_needed(seen, bool(users), _unused_nat(seen) if beside else None),
        ),
        ('unload the modules in the script that removes the rules', *(() if _comes_back(facts) else keep_out(seen))),
        tuple(users),
    )


def _by_tool(facts: Facts, seen: Seen) -> Cause:
    tool = next(name for name in NETLINK if name in seen.modules.loaded)
    return Cause(
        'tracking-by-conntrack-tool',
        f'connection tracking came with a look by conntrack(8) or a monitoring check; {tracking(seen).reason}',
        'probable',
        'conntrack -L, -C and -S load these modules; so does any other program that asks ctnetlink',
        ('conntrack -L, -C or -S was run to look', f'{tool} and nf_conntrack were loaded', 'nothing asks for them'),
        (f'{tool}: no reference', 'no module of a rule and no table of NAT is there', _tracks(seen)),
        facts.codes(*_LOADED),
        'modules-tracking',
        unload_steps(seen),
        ('count with check_conntrack, which reads files and loads nothing', *keep_out(seen)),
    )


def _unclaimed(facts: Facts, seen: Seen) -> Cause:
    names = [name for name, kind in judged(seen.modules).items() if kind in TRACKING_CLASSES]
    where = 'compiled into this kernel' if seen.built_in else f'loaded ({some(names)})'
    return Cause(
        'tracking-unclaimed',
        f'connection tracking is {where}, and nothing shows who asked for it',
        'possible',
        'loaded by name, by modules-load.d, or by a rule that is gone with its module',
        ('something loaded it', tracking(seen).reason),
        (*facts.evidence('modules-tracking', 'modules-unexpected')[:4],),
        facts.codes(*_LOADED),
        'modules-tracking',
        (
            Step('grep -r conntrack /etc/modules /etc/modules-load.d', 'nothing: reads only'),
            *unload_steps(seen),
        ),
        keep_out(seen),
    )


def _table(facts: Facts, seen: Seen) -> Iterator[Cause]:
    names = list(judged(seen.modules))
    if any(seen.modules.loaded[name].held for name in names):
        return
    plan = unloading(names, seen.modules.loaded)
    yield Cause(
        'table-by-listing',
        f'a listing of rules loaded {some(names)}; nothing is tracked',
        'probable',
        'a rule that was flushed leaves the same trace',
        ('iptables -L was run to look', f'{some(names)} was loaded', 'no rule is in it, nothing is tracked'),
        (', '.join(f'{name}: no reference' for name in names), _tracks(seen)),
        facts.codes('modules-unexpected'),
        'modules-unexpected',
        tuple(
            Step(line.partition('  # ')[0], 'ends a policy of DROP, if a table has one; no rule is in them')
            for line in commands(plan, seen.modules.loaded)
        ),
        ('look with iptables-save without -t, which loads no table',),
    )


def _end_of(facts: Facts) -> str:
    if facts.codes('conntrack-table-full'):
        return 'the table is full, packets of new connections are refused'
    return 'the table fills up'


def _damage_evidence(facts: Facts, damage: tuple[str, ...]) -> tuple[str, ...]:
    return facts.evidence(*damage, check='conntrack')[:3] if damage else ()


def _raise_first(facts: Facts, damage: tuple[str, ...]) -> tuple[Step, ...]:
    """The outage is ended first, the modules go afterwards."""
    if not damage:
        return ()
    from tablefull.triage.table import raise_steps

    return raise_steps(facts)
