"""What loaded firewall rules leave in files that anybody may read: the use counts of their modules.

A rule that asks for ports, states or another extension holds that extension's module; a chain, rule or set of nftables
holds nf_tables. The counts are those of the whole host, all network namespaces together. On a kernel with everything
built in there is nothing to see without privilege. Tables of iptables stay when their rules are flushed, so a table
(/proc/net/ip_tables_names, root only) proves no rule; but without a table there is none.
"""

from __future__ import annotations

from tablefull.readers.modules import Modules, read_modules, read_tables
from tablefull.record import NamedTuple

_TABLES = ('filter', 'nat', 'mangle', 'raw', 'security')
_FAMILIES = ('iptable_', 'ip6table_')
_EXTENSIONS = ('xt_', 'ipt_', 'ip6t_', 'nft_')


class RuleTraces(NamedTuple):
    """What is in the kernel and in use.

    counted     whether use counts can be seen, and tell of everything that could hold a rule
    tables      iptables table modules in the kernel ('iptable_filter'); empty: the old iptables has no rule
    nftables    what holds nf_tables beside other modules: chains, rules, sets; 0 when it is not there, None unknown
    extensions  name -> rules that hold it, of each match and target module loaded
    built_in    match and target modules compiled in, whose use nobody sees
    namespaced  tables of this network namespace by family, {} where only root may look
    """

    counted: bool
    tables: tuple[str, ...]
    nftables: int | None
    extensions: dict[str, int]
    built_in: frozenset[str]
    namespaced: dict[str, tuple[str, ...]]

    def used(self, *names: str) -> int | None:
        """Rules that hold one of these extensions; None when one is compiled in or nothing is counted."""
        if not self.counted or not self.built_in.isdisjoint(names):
            return None
        return sum(self.extensions.get(name, 0) for name in names)

    @property
    def impossible(self) -> bool:
        """True when no rule can be there: no table to hold one."""
        none_here = bool(self.namespaced) and not any(self.namespaced.values())
        return self.counted and self.nftables == 0 and (none_here or not self.tables)

    @property
    def in_use(self) -> bool:
        """True when some rule of somebody's is there for certain."""
        return self.counted and (bool(self.nftables) or any(self.extensions.values()))


def read_rule_traces(root: str) -> RuleTraces:
    """Look at the modules below `root`. Raises ReadError as read_modules does."""
    return rule_traces(read_modules(root), read_tables(root))


def rule_traces(modules: Modules, namespaced: dict[str, tuple[str, ...]]) -> RuleTraces:
    """The traces in what is loaded and built in. Pure."""
    # Code that is compiled in has no count, and shows only in modules.builtin; but what is compiled in does not depend
    # on a module, so a loaded x_tables means that everything above it is in modules too.
    complete = modules.listed or 'x_tables' in modules.loaded or 'nf_tables' in modules.loaded
    counted = modules.loadable and complete and all(module.references is not None for module in modules.loaded.values())
    engine = modules.loaded.get('nf_tables')
    nftables: int | None = engine.held if engine is not None else 0
    if not counted or 'nf_tables' in modules.built_in:
        nftables = None
    names = [family + table for family in _FAMILIES for table in _TABLES]
    return RuleTraces(
        counted,
        tuple(name for name in names if modules.has(name)),
        nftables,
        {name: module.held for name, module in modules.loaded.items() if name.startswith(_EXTENSIONS)},
        frozenset(name for name in modules.built_in if name.startswith(_EXTENSIONS)),
        namespaced,
    )
