"""Reader of what is loaded into the kernel, and of what is compiled into it.

Sources: /proc/modules (kernel/module/procfs.c), /sys/module, /lib/modules/RELEASE/modules.builtin. All are readable
without privilege, and reading them loads nothing, which running `lsmod`, `iptables` or `nft` does not promise.
"""

from __future__ import annotations

import os

from tablefull.readers.files import ReadError, below, exists, list_directory, net_directory, read_optional
from tablefull.readers.module_names import OWNERS
from tablefull.record import NamedTuple

_STATES = ('Live', 'Loading', 'Unloading')


class Module(NamedTuple):
    """One line of /proc/modules.

    name        with underscores, as the kernel prints it
    size        bytes of memory
    references  how often it is in use, its users counted in; None on a kernel that cannot unload modules
    users       modules that depend on it; not the rules, tables, sockets and interfaces that use it
    permanent   it has no exit function and stays until the next boot
    state       'Live', 'Loading' or 'Unloading'
    taint       letters such as 'OE', '' for none
    """

    name: str
    size: int
    references: int | None
    users: tuple[str, ...]
    permanent: bool
    state: str
    taint: str

    @property
    def held(self) -> int:
        """References that no module explains: rules, tables, sockets, interfaces. 0 where none are counted."""
        return max(0, (self.references or 0) - len(self.users))


class Modules(NamedTuple):
    """What this kernel holds.

    loaded    name -> Module, in the order of /proc/modules: the newest first
    loadable  False on a kernel without CONFIG_MODULES, where everything is compiled in
    built_in  names known to be compiled in, with underscores; complete only if `listed`
    listed    modules.builtin was read, so that a name neither loaded nor in `built_in` is not there
    """

    loaded: dict[str, Module]
    loadable: bool
    built_in: frozenset[str]
    listed: bool

    def has(self, name: str) -> bool:
        """Whether the code is in the kernel, by whichever way."""
        return name in self.loaded or name in self.built_in


def parse_modules(text: str, path: str = '/proc/modules') -> dict[str, Module]:
    """Lines `NAME SIZE REFERENCES USERS STATE ADDRESS [(TAINT)]`; no line at all is a kernel with nothing loaded.

    USERS is '-' or names that each end in a comma, '[permanent]' among them; REFERENCES and USERS are both '-' with
    CONFIG_MODULE_UNLOAD=n. ADDRESS is hidden from unprivileged readers and tells nothing here. Raises ReadError.
    """
    modules: dict[str, Module] = {}
    for number, line in enumerate(text.rstrip('\n').split('\n') if text else [], 1):
        module = _parse_line(line.rstrip('\r'))  # of a tree copied by way of Windows
        if module is None:
            raise ReadError(path, f'line {number} is not a module')
        # A module loaded while the file was being read can stand in it twice.
        modules.setdefault(module.name, module)
    return modules


def _parse_line(line: str) -> Module | None:
    words = line.split(' ')
    if len(words) not in (6, 7) or not words[5].startswith('0x') or not line.isprintable():
        return None
    name, size, references, users, state = words[:5]
    taint = words[6] if len(words) == 7 else '()'
    # A count is negative for the moment in which a module is being taken out.
    counted = references == '-' or _is_number(references.removeprefix('-'))
    if not (name and _is_number(size) and counted and users and state in _STATES):
        return None
    if not (taint.startswith('(') and taint.endswith(')')):
        return None
    names = [user for user in users.split(',') if user not in ('', '-')]
    return Module(
        name=name,
        size=int(size),
        references=None if references == '-' else int(references),
        users=tuple(user for user in names if user != '[permanent]'),
        permanent='[permanent]' in names,
        state=state,
        # '+' and '-' repeat the state.
        taint=taint.strip('()').rstrip('+-'),
    )


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= 20


def parse_builtin(text: str) -> frozenset[str]:
    """Names in modules.builtin, whose lines are paths such as 'kernel/net/netfilter/nf_conntrack.ko'."""
    names = set()
    for line in text.splitlines():
        name, dot, _ = line.strip().rpartition('/')[2].partition('.ko')
        if dot:
            names.add(name.replace('-', '_'))
    return frozenset(names)


def read_modules(root: str = '/') -> Modules:
    """Everything loaded or compiled in below `root`. Raises ReadError when not even that there are none can be seen."""
    text = read_optional(root, '/proc/modules')
    if text is None and not exists(root, '/proc/sys/kernel'):
        raise ReadError('/proc', 'not there, so nothing can be said about modules')
    loaded = parse_modules(text) if text is not None else {}
    release = (read_optional(root, '/proc/sys/kernel/osrelease', 256) or '').strip()
    builtin = None
    # The release becomes part of a path: nothing but a plain name may.
    if release.isprintable() and '/' not in release and release.strip('.'):
        builtin = read_optional(root, f'/lib/modules/{release}/modules.builtin')
    built_in = parse_builtin(builtin or '') | _from_sysfs(root, loaded)
    return Modules(loaded, text is not None, built_in, builtin is not None)


def _from_sysfs(root: str, loaded: dict[str, Module]) -> frozenset[str]:
    """Code that has a directory in /sys/module without being loaded: only some of what is compiled in has one."""
    names = [name for name in list_directory(root, '/sys/module') if name not in loaded]
    # Only a loaded module has `initstate`: one that came or went between the two readings is not compiled in.
    coming = [name for name in names if exists(root, f'/sys/module/{name}/initstate')]
    if not loaded and any(read_optional(root, f'/sys/module/{name}/initstate', 16) == 'live\n' for name in coming):
        # Hidden or cut to nothing: not a kernel in which everything is compiled in.
        raise ReadError('/proc/modules', 'shows no module, but /sys/module does')
    return frozenset(names).difference(coming)


def read_tables(root: str = '/') -> dict[str, tuple[str, ...]]:
    """Tables of the old iptables per family ('ip', 'ip6') in this namespace, e.g. {'ip': ('filter', 'nat')}.

    Source: /proc/net/ip_tables_names, mode 0440: only root reads it. A family whose module is not loaded, or whose
    file may not be read, is not in the answer. Tables of nftables never stand there.
    """
    net = net_directory(root)
    tables = {}
    for family in ('ip', 'ip6'):
        try:
            text = read_optional(root, f'{net}/{family}_tables_names', 4096)
        except ReadError:
            continue
        if text is not None:
            tables[family] = tuple(text.split())
    return tables


def read_owners(root: str, loaded: dict[str, Module]) -> tuple[str, ...]:
    """Programs that are known to need such modules and seem to be at work here, by what they leave in files."""
    return tuple(
        owner
        for owner, (modules, paths) in OWNERS.items()
        # lexists: below a mounted host, the absolute link of an enabled unit leads nowhere.
        if any(name in loaded for name in modules) or any(os.path.lexists(below(root, path)) for path in paths)
    )
