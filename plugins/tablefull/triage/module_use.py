"""What a cause wants to know of modules: which are in use, which only a rule loads, how they go and stay out."""

from __future__ import annotations

from tablefull.findings.module_state import TRACKING_CLASSES, Seen, judged
from tablefull.findings.unload import commands, unloading
from tablefull.readers.module_names import TRACKERS, TRACKING_FAMILIES
from tablefull.triage.cause import Step

NAT_TABLES = ('iptable_nat', 'ip6table_nat')
# Loaded by a rule, never by a listing.
_OF_RULES = ('xt_', 'ipt_', 'ip6t_', 'nft_')
NETLINK = ('nf_conntrack_netlink', 'ip_conntrack_netlink')
_UNLOADED = 'tracking and NAT end on this host, all entries are forgotten; refused while anything holds a module'


def held(seen: Seen) -> dict[str, int]:
    """Modules of state and NAT rules and of helpers that are in use: name -> references that no module explains.

    Not the tracker itself, which its own families hold.
    """
    kinds = judged(seen.modules)
    left_out = (*TRACKERS, *TRACKING_FAMILIES, *NETLINK)
    return {
        name: seen.modules.loaded[name].held
        for name, kind in kinds.items()
        if kind in TRACKING_CLASSES and name not in left_out and seen.modules.loaded[name].held
    }


def of_rules(seen: Seen) -> list[str]:
    """Modules that track or translate and that only a rule loads, in use or not."""
    kinds = judged(seen.modules)
    return [name for name, kind in kinds.items() if kind in TRACKING_CLASSES and name.startswith(_OF_RULES)]


def unload_steps(seen: Seen, names: list[str] | None = None) -> tuple[Step, ...]:
    """How to get rid of `names`, or of everything that tracks and translates, in order."""
    kinds = judged(seen.modules)
    goals = [name for name, kind in kinds.items() if kind in TRACKING_CLASSES] if names is None else names
    plan = unloading(goals, seen.modules.loaded)
    steps = []
    for line in commands(plan, seen.modules.loaded):
        command, _, comment = line.partition('  # ')
        if line.startswith('# '):
            steps.append(Step('lsmod', line.removeprefix('# ')))
        else:
            steps.append(Step(command, comment or _UNLOADED))
    return tuple(steps)


def keep_out(seen: Seen) -> tuple[str, ...]:
    """How to keep connection tracking out, and what is in place for that."""
    from tablefull.findings.blocking import describe

    return (
        "echo 'install nf_conntrack /bin/false' > /etc/modprobe.d/no-conntrack.conf  # rules that need it then fail",
        'blacklist nf_conntrack does not do it: it stops a load by alias alone',
        f'in place now: {describe(TRACKERS[0], seen.configuration)}',
    )
