"""The definitions for monitoring systems that come with an installation, with the paths of this installation in them.

In the project they stand in templates/, with the paths of the README's installation. An installation that is somewhere
else, a distribution's package or one of pipx, needs them with its own.
"""

from __future__ import annotations

import os
import re
import stat

from tablefull.frame.option_table import Option
from tablefull.readers.files import read_text
from tablefull.record import NamedTuple

# templates/: a symbolic link in a checkout, the files themselves in an installed package.
TEMPLATES = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'templates')
# Where the daemons of distributions look for plugins, and what their constant for it is set to.
# How agents of the README's installation take one: without `site`, the cheapest way.
SNAPSHOT = '/opt/tablefull/bin/python3 -IS /opt/tablefull/bin/tablefull-snapshot'
PLUGIN_DIRECTORIES = ('/usr/lib/nagios/plugins', '/usr/lib64/nagios/plugins')
OPTIONS = (
    Option('write', 'path', '', 'write them below this directory, which must be new or empty', metavar='DIR'),
    Option('plugins', 'path', '', 'where the checks are, when not on this host (default: found)', metavar='DIR'),
)


class Places(NamedTuple):
    """Where an installation is.

    plugins   directory of the checks, as daemons are to name it
    programs  directory of the `tablefull` command
    snapshot  the command that takes a snapshot; '' for the interpreter and the script in `programs`
    """

    plugins: str
    programs: str
    snapshot: str = ''


def places(program: str, plugins: str | None = None) -> Places:
    """Of the installation whose `tablefull` command is `program`, a path. `plugins` is what the user knows better."""
    programs = os.path.dirname(os.path.realpath(program))
    # A package starts its command without `site` anyway.
    beside = os.path.exists(os.path.join(programs, 'tablefull-snapshot'))
    return Places(plugins or _plugins(programs), programs, '' if beside else f'{programs}/tablefull snapshot')


def _plugins(programs: str) -> str:
    own = os.path.join(programs, 'check_conntrack')
    for directory in PLUGIN_DIRECTORIES:
        there = os.path.join(directory, 'check_conntrack')
        # A package has the checks only there; the README's installation has links there.
        if os.path.exists(there) and (not os.path.exists(own) or os.path.realpath(there) == os.path.realpath(own)):
            return directory
    return programs


def names() -> list[str]:
    """Path of each file below templates/, sorted."""
    return sorted(f'{system}/{name}' for system in os.listdir(TEMPLATES) for name in _listed(system))


def _listed(system: str) -> list[str]:
    path = os.path.join(TEMPLATES, system)
    return os.listdir(path) if os.path.isdir(path) else []


def adapted(text: str, where: Places) -> str:
    """A definition with the paths of an installation instead of those of the README."""
    words = {
        **({SNAPSHOT: where.snapshot} if where.snapshot else {}),
        '/opt/tablefull/bin/check_': f'{where.plugins}/check_',
        '/opt/tablefull/bin/': f'{where.programs}/',
        PLUGIN_DIRECTORIES[0]: where.plugins,
    }
    if where.plugins not in PLUGIN_DIRECTORIES:
        # What Icinga, Nagios and the Director call the plugin directory is another one.
        words['PluginDir + "/check_'] = f'"{where.plugins}/check_'
        words['$USER1$/check_'] = f'{where.plugins}/check_'
        words['"command": "check_'] = f'"command": "{where.plugins}/check_'
    # All at once: what was put in is not looked at again.
    return re.sub('|'.join(map(re.escape, words)), lambda found: words[found[0]], text)


def only_root_writes(path: str) -> bool:
    """Can nobody but root put something else where `path` leads?"""
    try:
        place = os.path.realpath(path)
        while True:
            status = os.stat(place)
            if status.st_uid != 0 or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return False
            if place == '/':
                return True
            place = os.path.dirname(place)
    except OSError:
        return False


def write(directory: str, where: Places) -> list[str]:
    """Write the definitions below `directory`, which must be new or empty. Returns what was done, a line each.

    Raises OSError or ReadError.
    """
    os.makedirs(directory, exist_ok=True)
    if os.listdir(directory):
        raise FileExistsError(f'{directory} is not empty; nothing was written')
    lines = []
    for name in names():
        if name.startswith('sudoers/') and not only_root_writes(os.path.join(where.plugins, 'check_conntrack')):
            lines.append(
                f'not {name}: others than root can write below {where.plugins}, so root must run nothing there'
            )
            continue
        target = os.path.join(directory, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        # O_EXCL: the directory is new, so whatever is there now was put there to be written through.
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            data = adapted(read_text('/', os.path.join(TEMPLATES, name)), where).encode()
            while data:
                data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)
        lines.append(target)
    return lines
