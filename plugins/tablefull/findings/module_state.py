"""What the rules on modules look at: what is loaded and expected, and whether it tracks anything."""

from __future__ import annotations

from tablefull.findings.unload import dependents
from tablefull.findings.wording import quantity
from tablefull.readers.conntrack import Conntrack
from tablefull.readers.modprobe_d import ModprobeConfiguration, module_options, normal
from tablefull.readers.module_names import CLASSES, TRACKERS, TRACKING_FAMILIES
from tablefull.readers.modules import Module, Modules
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

# Since 4.10 the hooks are in place only while a rule needs them: commit 0c66dc1ea3f0.
_ON_DEMAND = (4, 10)
# Classes that bring connection tracking with them.
TRACKING_CLASSES = ('conntrack', 'nat', 'helper')


class Policy(NamedTuple):
    """What this host is meant to have. All but `expect` are names in which '*' stands for any characters."""

    expect: str = 'none'
    allow: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    require: tuple[str, ...] = ()


class Seen(NamedTuple):
    """Everything the rules look at.

    release  (major, minor) of the kernel
    tables   of the old iptables per family; empty for anybody but root
    owners   programs at work here that are known to need such modules
    """

    modules: Modules
    table: Conntrack
    configuration: ModprobeConfiguration = ModprobeConfiguration()
    policy: Policy = Policy()
    release: tuple[int, int] = (0, 0)
    tables: dict[str, tuple[str, ...]] = {}
    owners: tuple[str, ...] = ()

    @property
    def built_in(self) -> bool:
        """Connection tracking is compiled into the kernel."""
        return self.table.loaded and not self._loaded

    @property
    def present(self) -> bool:
        """Connection tracking is in the kernel, whether or not its files can be seen from here."""
        return self.table.loaded or self._loaded

    @property
    def _loaded(self) -> bool:
        return any(name in self.modules.loaded for name in TRACKERS)


class Tracking(NamedTuple):
    """Whether packets are tracked: 'absent', 'idle', 'active', 'leftover' or 'hidden', and how one knows."""

    state: str
    reason: str


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a module's name is among `patterns`."""
    wanted = [normal(pattern) for pattern in patterns]
    if name in wanted or not any(character in pattern for pattern in wanted for character in '*?['):
        return name in wanted
    from fnmatch import fnmatchcase  # imports re, which costs half of what an empty process costs

    return any(fnmatchcase(name, pattern) for pattern in wanted)


def judged(modules: Modules) -> dict[str, str]:
    """Loaded modules that bring connection tracking, NAT or a table: name -> class, the newest first."""
    trackers = dependents(TRACKERS, modules.loaded)
    classes = {name: CLASSES.get(name, 'conntrack' if name in trackers else '') for name in modules.loaded}
    return {name: kind for name, kind in classes.items() if kind}


def unexpected(seen: Seen) -> list[str]:
    """Judged modules that nobody allowed; forbidden ones whatever they are. Code that is compiled in was not loaded."""
    policy = seen.policy
    kinds = judged(seen.modules)
    return [
        name
        for name in seen.modules.loaded
        if matches(name, policy.forbid)
        or (policy.expect == 'none' and name in kinds and not matches(name, policy.allow))
    ]


def tracking(seen: Seen) -> Tracking:
    """Loaded is not active: the evidence, by kernel generation."""
    table, loaded = seen.table, seen.modules.loaded
    if not seen.present:
        return Tracking('absent', 'connection tracking is not loaded')
    family = next((name for name in TRACKING_FAMILIES if name in loaded), '')
    if family and (0, 0) < seen.release < _ON_DEMAND:
        return Tracking('active', f'before Linux 4.10 {family} tracks every packet, whether or not a rule needs it')
    if module_options(seen.configuration, 'nf_conntrack').get('enable_hooks', '0')[:1] in ('1', 'Y', 'y'):
        return Tracking('active', 'nf_conntrack is loaded with enable_hooks=1: it tracks in every namespace')
    if table.entries is None:
        return Tracking('hidden', 'its number of entries is hidden from this namespace')
    if table.entries == 0:
        return Tracking('idle', 'no entry in this network namespace' + _idle(loaded))
    entries = f'{quantity(table.entries, "tracked connection")} in this network namespace'
    users = [loaded[name] for name in dependents(TRACKERS, loaded)]
    unused = users and not any(module.held or module.references is None for module in users)
    if unused and seen.release >= _ON_DEMAND:
        return Tracking('leftover', f'{entries}, but no rule holds the modules any more: leftovers that expire')
    return Tracking('active', entries)


def _idle(loaded: dict[str, Module]) -> str:
    held = sorted(name for name in dependents(TRACKERS, loaded) if loaded[name].held)
    if not held:
        return ', nothing is tracked at this moment'
    return f', but rules here or in a container use {some(held)}: the next packet may be tracked'


def some(names: list[str]) -> str:
    """At most four names, the tracker itself first: the first line has little room."""
    names = sorted(names, key=lambda name: name not in TRACKERS)
    shown = len(names) if len(names) <= 4 else 3
    return ', '.join(names[:shown]) + (f' and {len(names) - shown} more' if shown < len(names) else '')
