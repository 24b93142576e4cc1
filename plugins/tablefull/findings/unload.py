"""In which order modules can be unloaded, and what has to let go of them first. Computed, never carried out."""

from __future__ import annotations

from tablefull.findings.wording import quantity
from tablefull.readers.module_names import CLASSES
from tablefull.readers.modules import Module
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Dependencies that only conntrack pulls in and that look at packets; libcrc32c and the like hurt nobody.
_ORPHANS = ('nf_defrag_ipv4', 'nf_defrag_ipv6')

_LEGACY = {'iptable_': 'iptables', 'ip6table_': 'ip6tables', 'arptable_': 'arptables', 'ebtable_': 'ebtables'}


class Unloading(NamedTuple):
    """How to get rid of some modules.

    order  names for rmmod, each one free when its turn comes
    held   those of them that rules, tables or interfaces use, which have to go first
    stuck  those that cannot be unloaded at all: permanent, in transition, or needed by such a one
    users  what depends on them and is no part of netfilter: a switch, a balancer, a network card. They stay, and with
           them what they need: unused as modules go (openvswitch has no reference), they carry the network
    """

    order: tuple[str, ...]
    held: tuple[Module, ...]
    stuck: tuple[str, ...]
    users: tuple[str, ...]


def dependents(names: Iterable[str], loaded: Mapping[str, Module]) -> set[str]:
    """`names` as far as they are loaded, and everything that depends on one of them."""
    found: set[str] = set()
    waiting = [name for name in names if name in loaded]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [user for user in loaded[name].users if user in loaded]
    return found


def unloading(goals: Iterable[str], loaded: Mapping[str, Module]) -> Unloading:
    """The order in which `goals` can go: first what nothing depends on, then what has become free, and so on."""
    wanted = dependents(goals, loaded)
    for name in _ORPHANS:
        module = loaded.get(name)
        if module is not None and module.users and not module.held and wanted.issuperset(module.users):
            wanted.add(name)
    users = {name for name in wanted if name not in CLASSES and name not in _ORPHANS}
    unmovable = {name for name in wanted if not _removable(loaded[name])} - users
    stuck = _with_needed(unmovable, wanted, loaded)
    left = wanted - stuck - _with_needed(users, wanted, loaded)
    order: list[str] = []
    while left:
        free = [name for name in loaded if name in left and not left.intersection(loaded[name].users)]
        if not free:
            # Modules that depend on each other: a torn reading, for the kernel knows no such thing.
            stuck |= left
            break
        order += free
        left.difference_update(free)
    held = tuple(loaded[name] for name in order if loaded[name].held)
    return Unloading(
        tuple(order),
        held,
        tuple(name for name in loaded if name in stuck),
        tuple(name for name in loaded if name in users),
    )


def _removable(module: Module) -> bool:
    return not module.permanent and module.references is not None and module.state == 'Live'


def _with_needed(names: set[str], wanted: set[str], loaded: Mapping[str, Module]) -> set[str]:
    """`names`, and those of `wanted` that one of them needs."""
    found = names
    while True:
        more = {name for name in wanted - found if found.intersection(loaded[name].users)}
        if not more:
            return found
        found = found | more


def commands(plan: Unloading, loaded: Mapping[str, Module]) -> tuple[str, ...]:
    """Lines for hands, in order: what lets go of the modules and what that breaks, then rmmod."""
    lines = [line for module in plan.held for line in _release(module, loaded)]
    if plan.order:
        lines.append('rmmod ' + ' '.join(plan.order))
    if plan.stuck:
        lines.append(f'# only a reboot: the running kernel cannot unload {", ".join(plan.stuck)}')
    if plan.users:
        lines.append(f'# needed by {", ".join(plan.users)}: unloading that breaks what works through it')
    return tuple(dict.fromkeys(lines))


def _release(module: Module, loaded: Mapping[str, Module]) -> list[str]:
    """What makes the rules, tables or interfaces behind `module` let go of it."""
    name = module.name
    if name.startswith(tuple(_LEGACY)):
        return [_flush(name)]
    if name.startswith('nft_'):
        return [_FLUSH_NFT]
    if name.startswith('act_'):
        return ['tc filter show dev DEVICE  # and delete the filters with a ct action']
    # A match, a target or a helper belongs to rules, which can be in the tables of either iptables.
    tables = [other for other in loaded if other.startswith(tuple(_LEGACY)) and loaded[other].held]
    if CLASSES.get(name) == 'nat':
        tables = [table for table in tables if CLASSES[table] == 'nat' or table == 'ebtable_nat']
    lines = [_flush(table) for table in tables]
    if 'nft_compat' in loaded and loaded['nft_compat'].held:
        lines.append(_FLUSH_NFT)
    return lines or [f'# something that is no module uses {name} ({quantity(module.held, "reference")}): find it first']


_FLUSH_NFT = (
    'nft flush ruleset  # opens the firewall: no nftables rule of this host is left; first save: nft list ruleset'
)


def _flush(module: str) -> str:
    family, _, table = module.partition('_')
    consequence = {
        'nat': 'port forwarding and masquerading stop',
        'filter': 'opens the host, and a policy of DROP locks you out: set it to ACCEPT first',
    }.get(table, 'drops all rules of this table')
    # Without the suffix the programs of today speak nftables. The kernel's version does not tell which ones are there.
    program = f'{_LEGACY[family + "_"]}-legacy'
    return f'{program} -t {table} -F  # {consequence}; containers have their own; before iptables 1.8: without -legacy'
