#!/usr/bin/env python3
"""Run every program of the suite with every option, as root and as nagios; print a line for each run.

Each run is a process of its own, forked and not started anew: a start costs an emulated machine half a second. What is
no Python module is started. Fails when there is a program, a command or a kind of option that is not known here: what
nobody tries proves nothing.
"""

from __future__ import annotations

import importlib
import os
import pwd
import re
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

LIBRARY = '/usr/lib/tablefull'
CHECKS = '/usr/lib/nagios/plugins'
# Programs that are started, with their command lines: sudo is not installed, so this one gets as far as it says so.
STARTED = {
    'check_by_sudo': [[], ['check_ferm'], [f'{CHECKS}/check_ferm'], [f'{CHECKS}/check_conntrack', '--output', 'json']],
    'tablefull-snapshot': [['--timeout', '60'], ['--nonsense']],
}
# Commands of `tablefull`, and where the table of their options is. What one packs another one unpacks.
COMMANDS = {
    'capture': 'tablefull.capture.pack',
    'explain': '',
    'snapshot': 'tablefull.snapshot.options',
    'templates': 'tablefull.definitions',
    'top': 'tablefull.top.options',
    'triage': 'tablefull.triage.main',
}
VALUES = {
    'range': '0:5',
    'names': 'nf_conntrack,iptable_nat',
    'codes': 'conntrack-table-full',
    'whole': '5',
    'duration': '10m',
    'seconds': '60',
}
# What is written goes below a path that the test knows; `{}` is the user id. A capture needs a name that is new.
CAPTURED = '/tmp/state-captured-{}-'
PATHS = {
    'root': '/',
    'file': '/var/log/dpkg.log',
    'plugins': '/usr/lib/nagios/plugins',
    'state-dir': '/tmp/state-{}',
    'capture': CAPTURED + '0',
}
# What is given up has not been tried, and a machine that is emulated on a busy host is slow.
PATIENCE = ['--timeout', '60']
# Those that end a program early, look elsewhere, or look at less, are not among the options given together.
ALONE = ('help', 'version', 'file', 'root', 'only', 'capture')
# What no run may say: its option would not have been tried.
BROKEN = ('internal error', 'is no option', ' --help', 'Traceback')


def command_lines(options: Sequence[Any]) -> list[list[str]]:
    """No option, each option alone with each of its words, and the most of them together."""
    bounded = PATIENCE if any(option.name == 'timeout' for option in options) else []
    lines: list[list[str]] = [bounded]
    together = []
    for option in options:
        if option.kind == 'count':
            lines.append(['-vvv'])
            values: list[list[str]] = [[]]
        elif option.kind == 'flag':
            values = [[]]
        elif option.kind == 'choice':
            values = [[word] for word in option.choices]
        elif option.name == 'write':
            # Once: the directory has to be new.
            lines.append(['--write', f'/tmp/state-written-{os.getuid()}'])
            continue
        else:
            value = PATHS[option.name] if option.kind == 'path' else VALUES[option.kind]
            values = [[value.format(os.getuid())]]
        patience = [] if option.name == 'timeout' else bounded
        lines += [[*patience, f'--{option.name}', *value] for value in values]
        if option.name not in ALONE:
            together += [f'--{option.name}', *values[-1]]
    return [*lines, together]


def programs() -> list[str]:
    """All that lie in the library directory."""
    names = [name for name in os.listdir(LIBRARY) if name != '__pycache__']
    unknown = [name for name in names if not re.fullmatch(r'check_\w+\.py|tablefull', name) and name not in STARTED]
    if unknown:
        sys.exit(f'nobody tries {unknown}')
    return sorted(names)


def runs_of(name: str) -> list[tuple[str, list[str], Callable[[], object]]]:
    """(program as it is called, command line, what makes this process that program) of everything to run."""
    if name in STARTED:
        path = f'{LIBRARY}/{name}'
        return [(name, argv, lambda argv=argv: os.execv(path, [path, *argv])) for argv in STARTED[name]]
    if name == 'tablefull':
        return [('tablefull', argv, lambda argv=argv: command(argv)) for argv in commands()]
    module = importlib.import_module(name.removesuffix('.py'))
    frame = importlib.import_module('tablefull.frame.plugin')
    lines = command_lines(module.CHECK.all_options)
    return [(module.CHECK.program, argv, lambda argv=argv: frame.run(module.CHECK, argv)) for argv in lines]


def commands() -> list[list[str]]:
    """Command lines of `tablefull`: of each command that its help knows."""
    said = importlib.import_module('tablefull.command').answer(['--help'])[1]
    known = set(re.findall(r'^ {4}(\w+)', said.partition('COMMAND\n')[2], re.MULTILINE))
    if known != COMMANDS.keys():
        sys.exit(f'tablefull has the commands {known}, and {set(COMMANDS)} are tried')
    lines = [[], ['--help'], ['--version'], ['explain'], ['explain', 'CODE']]
    for word, module in COMMANDS.items():
        options = command_lines(importlib.import_module(module).OPTIONS) if module else []
        if word == 'capture':
            options = [[*argv, f'{CAPTURED.format(os.getuid())}{number}'] for number, argv in enumerate(options)]
        lines += [[word, *argv] for argv in [['--help'], *options]]
    return lines


def command(argv: list[str]) -> None:
    """Be the `tablefull` command. The pages of all codes are read by one process."""
    if argv == ['explain', 'CODE']:
        findings = importlib.import_module('tablefull.findings.catalogue').CATALOGUE
        for code in [*findings, *importlib.import_module('tablefull.triage.catalogue').CAUSES]:
            print(*importlib.import_module('tablefull.command').answer(['explain', code]))
    sys.argv = ['tablefull', *argv]
    importlib.import_module('tablefull.launch').main()


def run(name: str, user: str) -> None:
    """All command lines of one program, one child each."""
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    for program, argv, become in runs_of(name):
        said = os.memfd_create('said')
        begun = time.monotonic()
        child = os.fork()
        if not child:
            os.dup2(said, 1)
            become()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        seconds = time.monotonic() - begun
        os.lseek(said, 0, os.SEEK_SET)
        text = os.read(said, 1 << 20).decode(errors='replace')
        os.close(said)
        print(f'{user} {program} {" ".join(argv)}: {code}, {len(text)} characters, {seconds:.2f} s', flush=True)
        wrong = [word for word in BROKEN if word in text] if tried(program, argv) else []
        if code not in (0, 1, 2, 3) or not text or wrong:
            print(text)
            sys.exit(1)


def tried(program: str, argv: list[str]) -> bool:
    """Whether this command line is one that a program has to understand."""
    return bool(argv) and not {'--help', 'explain', '--nonsense'}.intersection(argv)


def main() -> None:
    """Every program as every user."""
    sys.path.insert(0, LIBRARY)
    for user in ('root', 'nagios'):
        for name in programs():
            child = os.fork()
            if not child:
                run(name, user)
                os._exit(0)
            if os.waitpid(child, 0)[1]:
                sys.exit(f'{name} as {user} failed')


if __name__ == '__main__':
    main()
