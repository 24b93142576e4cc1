"""Which ways of loading a module are stopped. A pure function of what readers/modprobe_d.py has read.

Each cell was tried with kmod 30 on Linux 5.10, 6.1, 6.12 and 7.2: the kernel's own request (modprobe -q -- NAME), a
dependency, and a hand behave differently, and the line that everybody writes first, `blacklist`, stops the least.
"""

from __future__ import annotations

from tablefull.readers.modprobe_d import Line, ModprobeConfiguration, normal
from tablefull.record import NamedTuple

# Commands of an install line that end without having loaded anything.
_LOADS_NOTHING = ('false', 'true', 'echo', 'logger', ':', 'exit')


_LONGEST_PATTERN = 1024


class Prevention(NamedTuple):
    """Which ways of loading a module are stopped, and the lines that concern it, effective or not.

    alias       the kernel asks for something that only resolves to this module (nfnetlink-subsys-1)
    name        the kernel or a program asks for it by its name (iptable_nat for a listing of the nat table)
    dependency  another module needs it
    hand        `modprobe NAME`
    """

    alias: bool
    name: bool
    dependency: bool
    hand: bool
    lines: tuple[Line, ...] = ()

    @property
    def complete(self) -> bool:
        """Nothing but a hand with --ignore-install or insmod brings it in."""
        return self.alias and self.name and self.dependency


def prevention(module: str, configuration: ModprobeConfiguration) -> Prevention:
    """Which ways of loading `module` are stopped.

    `blacklist` stops only a load by alias; `alias MODULE off` only one by its real name, for kmod then looks for a
    module called off; `install MODULE /bin/false` all of them, for the whole request fails. Without a helper the
    kernel loads nothing by itself, but a program that runs modprobe still does, with all that depends on it.
    """
    name = normal(module)
    if configuration.disabled or name in configuration.forbidden:
        return Prevention(True, True, True, True)
    concerned = [line for line in configuration.lines if _concerns(line, name)]
    installs = [line for line in concerned if line.command == 'install']
    # kmod takes the first install line and none of the others.
    installed = bool(installs) and loads_nothing(installs[0].rest)
    blacklisted = any(line.command == 'blacklist' for line in concerned)
    aliases = [line.rest for line in concerned if line.command == 'alias']
    renamed = bool(aliases) and name not in aliases
    no_helper = configuration.helper is not None and loads_nothing(configuration.helper or 'false')
    return Prevention(
        alias=installed or blacklisted or no_helper,
        name=installed or renamed or no_helper,
        dependency=installed,
        hand=installed or renamed,
        lines=tuple(concerned),
    )


def _concerns(line: Line, name: str) -> bool:
    """Names of `install` and `alias` are shell patterns; that of `blacklist` is not."""
    if line.command in ('install', 'alias'):
        return _matches(name, line.name)
    return line.command == 'blacklist' and line.name == name


def _matches(name: str, pattern: str) -> bool:
    # Most lines are no pattern at all; and nobody writes one this long, which would take minutes to compile.
    if not any(character in pattern for character in '*?[') or len(pattern) > _LONGEST_PATTERN:
        return name == pattern
    import re
    from fnmatch import fnmatchcase

    try:
        return fnmatchcase(name, pattern)
    except re.error:
        # Up to Python 3.10 a range that is the wrong way round; to fnmatch(3) it matches nothing.
        return False


def loads_nothing(command: str) -> bool:
    """Whether a shell command is known to load no module: /bin/false, /bin/true and the like, nothing after them."""
    words = command.split('#')[0].split()
    if not words or any(character in command.split('#')[0] for character in ';&|`$<>('):
        return False
    return words[0].rpartition('/')[2] in _LOADS_NOTHING
