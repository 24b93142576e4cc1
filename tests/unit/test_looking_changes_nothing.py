"""Promise 1 as a linter: plugins/ may write, run and connect only where tests/allowed_effects.toml says so and why.

What is not known to be harmless is an effect: the lists below name what may be imported and called without a reason.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / 'plugins'

MODULES = frozenset(
    '__future__ _collections _json _signal _thread argparse bisect collections collections.abc datetime difflib errno '
    'fnmatch functools gc glob heapq ipaddress itertools json math nagiosplugin operator os psutil pwd re select '
    'signal stat struct sys time traceback typing zlib'.split()
)
# Of these modules, which could do anything, the names that only look, compute, or concern this process alone.
HARMLESS = {
    'os': frozenset(
        'F_OK O_CLOEXEC O_DIRECTORY O_NOCTTY O_NOFOLLOW O_NONBLOCK O_RDONLY R_OK W_OK X_OK access close environ '
        'fsencode fstat getegid geteuid getpid isatty listdir makedev path pread read readlink stat stat_result '
        'strerror uname waitpid waitstatus_to_exitcode pipe POSIX_SPAWN_DUP2 POSIX_SPAWN_OPEN'.split()
    ),
    'sys': frozenset('argv byteorder exit stdout'.split()),
    'signal': frozenset(
        'ITIMER_REAL SIGALRM SIGCHLD SIGKILL SIGPIPE SIG_BLOCK SIG_DFL SIG_SETMASK SIG_UNBLOCK pthread_sigmask '
        'setitimer signal'.split()
    ),
    '_signal': frozenset('ITIMER_REAL SIGALRM SIGCHLD SIG_DFL SIG_UNBLOCK pthread_sigmask setitimer signal'.split()),
    '_thread': frozenset('allocate_lock start_new_thread'.split()),
    '_socket': frozenset('AF_NETLINK NETLINK_ROUTE SOCK_CLOEXEC SOCK_RAW inet_ntop inet_pton'.split()),
    'psutil': frozenset(('Error', 'net_connections', 'net_if_addrs')),
}
# `other.os.system` reaches such a module through one that has imported it. `signal` is a name of much else, too.
REACHED = frozenset(('os', 'sys', 'posix', '_socket', 'psutil', 'subprocess'))
# open: os.open with explicit flags is what readers use; built-in open is not needed, for reading either.
NAMES = frozenset('eval exec compile __import__ __builtins__ input breakpoint open globals locals vars'.split())
# Methods and functions that write, whatever they are called on.
ATTRIBUTES = frozenset('write_text write_bytes touch FileType Cookie LogTail'.split())
READING = frozenset(name for name in HARMLESS['os'] if name.startswith('O_'))
# Opening /proc/kmsg takes lines from the system's logger, the flush file empties the table, the listing holds up
# packets on a busy host.
FILES = ('/proc/kmsg', '/proc/sysrq-trigger', '/net/nf_conntrack_flush', '/net/nf_conntrack', '/net/ip_conntrack')


def effects(source: str) -> list[tuple[int, str]]:
    """(line, effect) of everything in `source` that needs to be allowed."""
    tree = ast.parse(source)
    owners = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = _import(node)
        elif isinstance(node, ast.Attribute):
            names = _attribute(node, id(node) in called)
        elif isinstance(node, ast.Name) and node.id in NAMES:
            names = ['built-in open' if node.id == 'open' else node.id]
        elif isinstance(node, ast.Name) and node.id in HARMLESS and id(node) not in owners:
            # An alias, or an argument of getattr: what is done with it would not be seen.
            names = [f'{node.id} as a value']
        elif isinstance(node, ast.Call):
            names = _call(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [f'file {name}' for name in FILES if node.value.endswith(name)]
        found += [(getattr(node, 'lineno', 0), name) for name in names]
    return sorted(set(found))


def _import(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        names = [f'import {alias.name}' for alias in node.names if not _importable(alias.name)]
        aliases = [alias for alias in node.names if alias.asname and {alias.name, alias.asname} & HARMLESS.keys()]
        return names + [f'import {alias.name} as {alias.asname}' for alias in aliases]
    if node.module is None or node.level or not _importable(node.module):
        return [f'import {node.module}']
    # `from os import unlink` would hide the call; `from tablefull.readers.rtnetlink import _socket` the module.
    hidden = [name.name for name in node.names if node.module in HARMLESS or name.name in REACHED | ATTRIBUTES]
    return [f'from {node.module} import {name}' for name in hidden]


def _importable(name: str) -> bool:
    return name in MODULES or name == 'tablefull' or name.startswith('tablefull.')


def _attribute(node: ast.Attribute, called: bool) -> list[str]:
    module = node.value.id if isinstance(node.value, ast.Name) else ''
    if module == 'os' and node.attr == 'open':
        return [] if called else ['os.open as a value']
    if module in HARMLESS and node.attr not in HARMLESS[module] and not node.attr.startswith('O_'):
        return [f'{module}.{node.attr}']
    if node.attr in REACHED:
        return [f'.{node.attr}']
    return [f'.{node.attr}'] if node.attr in ATTRIBUTES else []


def _call(node: ast.Call) -> list[str]:
    function = ast.unparse(node.func)
    if function == 'os.open':
        flags = ast.unparse(node.args[1]).split(' | ') if len(node.args) > 1 else ['']
        reading = all(flag.startswith('os.') and flag[3:] in READING for flag in flags)
        return [] if reading else ['os.open for writing']
    if function.endswith('.open'):
        return ['.open']
    if function == '_socket.socket':
        asked = [ast.unparse(argument) for argument in node.args[::2]]
        return [] if asked == ['_socket.AF_NETLINK', '_socket.NETLINK_ROUTE'] else ['_socket.socket of another kind']
    return []


def allowed() -> dict[str, set[str]]:
    """File -> effects, from the one list. Each entry must carry a reason."""
    text = (ROOT / 'tests' / 'allowed_effects.toml').read_text()
    entries: dict[str, set[str]] = {}
    for block in text.split('[[allowed]]')[1:]:
        file = re.search(r'^file = "(.+)"$', block, re.M)
        listed = re.search(r'^effects = \[(.+)\]$', block, re.M)
        reason = re.search(r'^reason = "(.{20,})"$', block, re.M)
        assert file and listed and reason, f'an entry without file, effects or reason: {block}'
        entries.setdefault(file[1], set()).update(re.findall(r'"([^"]+)"', listed[1]))
    return entries


FILES_OF_PLUGINS = sorted(str(path.relative_to(PLUGINS)) for path in PLUGINS.rglob('*.py'))


@pytest.mark.parametrize('file', FILES_OF_PLUGINS)
def test_every_effect_has_its_reason(file: str) -> None:
    found = effects((PLUGINS / file).read_text())
    surprises = [f'{file}:{line}: {effect}' for line, effect in found if effect not in allowed().get(file, set())]
    assert not surprises, 'not in tests/allowed_effects.toml: ' + '; '.join(surprises)


def test_the_list_allows_nothing_that_is_not_there() -> None:
    for file, listed in allowed().items():
        present = {effect for _, effect in effects((PLUGINS / file).read_text())}
        assert listed == present, f'{file}: {sorted(listed ^ present)}'


@pytest.mark.parametrize(
    'offender',
    [
        'import subprocess',
        'from subprocess import run',
        'import os\nos.system("iptables -L")',
        'from os import system',
        'import os\nrun = os.execv',
        'import os\nos.open("/proc/sys/net/netfilter/nf_conntrack_max", os.O_WRONLY)',
        'open("/etc/passwd", "w")',
        'text = root + "/proc/kmsg"',
        'from pathlib import Path\nPath("/x").write_text("1")',
        '__import__("subprocess")',
        'eval("1")',
        'import os\nmode = os.O_RDWR\nos.open(p, mode)',
        'Path(p).open("w")',
        'import io\nio.open(p, "w")',
        'import os\nos.fdopen(3, "w")',
        'import os as o\no.system("x")',
        'import os\ngetattr(os, "system")("x")',
        'import os\nos.spawnvp(0, "x", [])',
        'import fcntl',
        'import _posixsubprocess',
        'import mmap',
        'import psutil\npsutil.Popen(["x"])',
        'import logging.handlers',
        'from tablefull.readers import rtnetlink\nrtnetlink._socket.socket(16, 3, 12)',
        'import os\nos.open("/proc/net/nf_conntrack", os.O_RDONLY)',
        'import _socket\n_socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW, 12)',
        'import sys\nsys.modules["os"].system("x")',
        'import os\nopened = os.open',
        'import os\nos.open(p, flags=os.O_RDWR)',
        'from tablefull.readers.rtnetlink import _socket',
    ],
)
def test_an_offender_is_caught(offender: str) -> None:
    assert effects(offender)


def test_reading_is_no_effect() -> None:
    assert not effects('import os\nos.open("/proc/modules", os.O_RDONLY | os.O_CLOEXEC)\nos.read(3, 10)')


def test_the_programs_that_load_modules_by_looking_are_in_no_table() -> None:
    from tablefull.readers.programs import PROGRAMS

    for program in ('iptables', 'ip6tables', 'nft', 'conntrack', 'ss', 'modprobe', 'ipset', 'iptables-save', 'sh'):
        assert program not in PROGRAMS
    assert all(len(reason) > 20 for reason in PROGRAMS.values())


def test_a_program_that_is_not_in_the_table_is_refused() -> None:
    from tablefull.readers.programs import run_program

    with pytest.raises(ValueError, match='not a program a check may run'):
        run_program('conntrack', ['-L'])
