"""Promise 1 as a linter: plugins/ may write, run and connect only where tests/allowed_effects.toml says so and why."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / 'plugins'

# Modules that exist to run programs, to connect, or to write. Importing one is an effect to be allowed.
MODULES = frozenset(
    'subprocess socket _socket ssl ctypes multiprocessing concurrent pty shutil tempfile urllib http ftplib smtplib '
    'asyncio socketserver xmlrpc webbrowser sqlite3 dbm shelve pickle marshal runpy code importlib'.split()
)
# Functions of os (and built-ins) that change something, or run something.
CALLS = frozenset(
    'system popen execl execle execlp execv execve execvp execvpe spawnl spawnle spawnv spawnve posix_spawn '
    'posix_spawnp fork forkpty mkdir makedirs mkfifo mknod rename renames replace remove unlink rmdir removedirs '
    'symlink link chmod fchmod chown fchown lchown chroot truncate ftruncate write pwrite writev sendfile utime '
    'setxattr removexattr kill killpg setns unshare mount umount setuid setgid setgroups nice setpriority chdir umask '
    'putenv unsetenv _exit sched_setaffinity memfd_create'.split()
)
BUILTINS = frozenset(('eval', 'exec', 'compile', '__import__', 'input', 'breakpoint'))
WRITING_FLAGS = frozenset(('O_WRONLY', 'O_RDWR', 'O_CREAT', 'O_APPEND', 'O_TRUNC', 'O_EXCL', 'O_TMPFILE'))
# Reading /proc/kmsg takes lines away from the system's logger; the others make the kernel act on an open or a read.
FILES = ('/proc/kmsg', '/proc/sysrq-trigger', '/proc/net/nf_conntrack_flush')


def effects(source: str) -> list[tuple[int, str]]:
    """(line, effect) of everything in `source` that needs to be allowed."""
    tree = ast.parse(source)
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, f'import {alias.name}') for alias in node.names if _banned_module(alias.name)]
        elif isinstance(node, ast.ImportFrom):
            found += _import_from(node)
        elif isinstance(node, ast.Attribute):
            found += _attribute(node)
        elif isinstance(node, ast.Call):
            found += _call(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += [(node.lineno, f'file {name}') for name in FILES if node.value.endswith(name)]
    return sorted(set(found))


def _banned_module(name: str) -> bool:
    return name in MODULES or name.split('.')[0] in MODULES


def _import_from(node: ast.ImportFrom) -> list[tuple[int, str]]:
    if node.module and _banned_module(node.module):
        return [(node.lineno, f'import {node.module}')]
    if node.module in ('os', 'posix', 'signal'):
        # `from os import unlink` would hide the call from the rule below.
        return [(node.lineno, f'from {node.module} import {alias.name}') for alias in node.names]
    return []


def _attribute(node: ast.Attribute) -> list[tuple[int, str]]:
    if isinstance(node.value, ast.Name) and node.value.id in ('os', 'posix') and node.attr in CALLS:
        return [(node.lineno, f'os.{node.attr}')]
    if isinstance(node.value, ast.Name) and node.value.id in ('subprocess', 'socket', '_socket'):
        constructors = (
            'Popen',
            'run',
            'call',
            'check_call',
            'check_output',
            'getoutput',
            'socket',
            'create_connection',
        )
        return [(node.lineno, f'{node.value.id}.{node.attr}')] if node.attr in constructors else []
    if node.attr in ('write_text', 'write_bytes', 'touch'):
        return [(node.lineno, f'.{node.attr}')]
    return []


def _call(node: ast.Call) -> list[tuple[int, str]]:
    function = node.func
    if isinstance(function, ast.Name) and function.id in BUILTINS:
        return [(node.lineno, function.id)]
    if isinstance(function, ast.Name) and function.id == 'open':
        # os.open with explicit flags is what readers use: built-in open is not needed, for reading either.
        return [(node.lineno, 'built-in open')]
    if isinstance(function, ast.Attribute) and function.attr == 'open':
        names = {part.attr for argument in node.args for part in ast.walk(argument) if isinstance(part, ast.Attribute)}
        names |= {part.id for argument in node.args for part in ast.walk(argument) if isinstance(part, ast.Name)}
        if names & WRITING_FLAGS or 'flags' in names:
            return [(node.lineno, 'os.open for writing')]
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
        'import socket',
        'import os\nos.open("/proc/sys/net/netfilter/nf_conntrack_max", os.O_WRONLY)',
        'import os\nflags = os.O_RDWR\nos.open("/x", flags)',
        'open("/etc/passwd", "w")',
        'text = root + "/proc/kmsg"',
        'from pathlib import Path\nPath("/x").write_text("1")',
        '__import__("subprocess")',
        'import importlib',
        'eval("1")',
        'import ctypes',
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
