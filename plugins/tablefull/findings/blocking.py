"""Rules on what keeps a module from being loaded: whether a measure is there, and whether it really works."""

from __future__ import annotations

from tablefull.findings.finding import Finding
from tablefull.readers.modprobe_d import ModprobeConfiguration, normal
from tablefull.readers.module_names import CLASSES, TRACKERS
from tablefull.readers.modules import Modules
from tablefull.readers.prevention import Prevention, prevention
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def describe(module: str, configuration: ModprobeConfiguration) -> str:
    """One sentence: which ways into the kernel are still open to `module`, and what modprobe.d has on it."""
    found = prevention(module, configuration)
    lines = f': {"; ".join(map(str, found.lines))}' if found.lines else ''
    if found.complete:
        return f'{module} is blocked, but that only stops the next load{lines}'
    if not found.lines:
        return f'nothing keeps {module} from being loaded again {_open(found)}'
    return f'{module} still loads {_open(found)}, in spite of{lines[1:]}'


def blocking(names: tuple[str, ...], modules: Modules, configuration: ModprobeConfiguration) -> Iterator[Finding]:
    """--require-blocked: every one of `names` must be kept from loading by alias, by name and as a dependency."""
    open_ones, evidence = [], []
    for name in _expand(names, modules):
        if name in modules.built_in:
            open_ones.append(name)
            evidence.append(f'{name} is compiled into this kernel: nothing keeps it out')
        elif modules.loadable and not _stopped(name, modules, configuration):
            open_ones.append(name)
            evidence.append(describe(name, configuration))
    if open_ones:
        more = f' and {len(open_ones) - 3} more' if len(open_ones) > 3 else ''
        yield Finding(
            'modules-not-blocked',
            'warning',
            f'not kept from being loaded: {", ".join(open_ones[:3])}{more}',
            tuple(evidence),
            tuple(
                f"echo 'install {name} /bin/false' >> /etc/modprobe.d/blocked.conf  # what needs it fails from then on"
                for name in open_ones
                if name not in modules.built_in
            ),
        )
    if names and configuration.unread:
        yield Finding(
            'modules-configuration-unreadable',
            'unknown',
            f'part of what decides about blocking cannot be read: {configuration.unread[0]}',
            configuration.unread,
            tuple(f'chmod a+rX {path}' for path in configuration.unread if path.startswith('/etc/')),
        )


def _stopped(name: str, modules: Modules, configuration: ModprobeConfiguration) -> bool:
    if prevention(name, configuration).complete:
        return True
    # Everything else that tracks needs the tracker, and a request fails as a whole with one of its dependencies;
    # unless that is there already.
    tracker = TRACKERS[0]
    needs = CLASSES.get(name) in ('conntrack', 'nat', 'helper') and not modules.has(tracker)
    return needs and prevention(tracker, configuration).dependency


def _expand(names: tuple[str, ...], modules: Modules) -> list[str]:
    """Names with '*' become the known modules they match."""
    from fnmatch import fnmatchcase

    known = sorted({*CLASSES, *modules.loaded, *modules.built_in})
    expanded: list[str] = []
    for name in map(normal, names):
        expanded += [other for other in known if fnmatchcase(other, name)] if '*' in name else [name]
    return expanded


def _open(found: Prevention) -> str:
    ways = [('by alias', found.alias), ('by name', found.name), ('as a dependency', found.dependency)]
    return ', '.join(way for way, stopped in ways if not stopped)
