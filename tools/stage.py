"""Lay out what a distribution's package installs, below a directory: `python -m tools.stage debian DIRECTORY`.

For package builds: it needs nothing but Python. The library is copied, or left to the packaging system that has macros
for it; the launchers, definitions, manual pages and completion around it are written here, alike for all.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from tablefull.definitions import Places, adapted

ROOT = Path(__file__).resolve().parents[1]
COMPLETIONS = 'usr/share/bash-completion/completions'

# -I: nothing of the user or the environment is looked at. -S: no search for .pth files, a fifth of an empty process.
LAUNCHER = """\
#!/usr/bin/python3 -IS
import sys

sys.path[:0] = {first!r}
sys.path += {last!r}
{before}try:
    from {module} import main
except Exception as error:
    # A package half unpacked must not look like a WARNING, which exit code 1 of a traceback would be.
    print(f'{title} UNKNOWN - cannot be started: {{type(error).__name__}}: {{error}}')
    sys.exit(3)
main()
"""
# Collecting garbage costs a process this short a tenth of its time; the checks switch it off themselves.
NO_COLLECTION = """\
if sys.argv[1:2] == ['snapshot']:
    import gc

    gc.disable()
"""


class System(NamedTuple):
    """Where a distribution has things; paths without the first slash.

    plugins    plugin directory of its monitoring daemons
    library    directory of this package's own modules; '' when its macros install them
    search     where Python is to look for the others
    shared     what the package has beside its modules
    documents  documentation of the package
    active     name below templates/ -> where a stock daemon reads it
    """

    plugins: str
    library: str
    search: tuple[str, ...]
    shared: str
    documents: str
    active: dict[str, str]


def system(name: str, environment: dict[str, str]) -> System:
    """Of 'debian', or of 'rpm' with the values of its macros in `environment`."""
    icinga = {'icinga2/tablefull-commands.conf': 'usr/share/icinga2/include/plugins-contrib.d/tablefull-commands.conf'}
    if name == 'debian':
        own = 'usr/share/monitoring-plugins-tablefull'
        return System(
            plugins='usr/lib/nagios/plugins',
            library=own,
            search=('/usr/lib/python3/dist-packages',),
            shared=own,
            documents='usr/share/doc/monitoring-plugins-tablefull',
            active={
                **icinga,
                'nagios/tablefull-commands.cfg': 'etc/nagios-plugins/config/tablefull-commands.cfg',
                'nrpe/tablefull.cfg': 'etc/nagios/nrpe.d/tablefull.cfg',
            },
        )
    if name == 'rpm':
        search = dict.fromkeys((environment['PYTHON_SITELIB'], environment['PYTHON_SITEARCH']))
        return System(
            plugins=environment['PLUGIN_DIRECTORY'].lstrip('/'),
            library='',
            search=tuple(search),
            shared='usr/libexec/tablefull',
            documents='usr/share/doc/nagios-plugins-tablefull',
            active={**icinga, 'nrpe/tablefull.cfg': 'etc/nrpe.d/tablefull.cfg'},
        )
    raise SystemExit(f'{name} is neither debian nor rpm')


def put(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file with its directories."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def launcher(where: System, module: str, title: str, before: str = '') -> str:
    """A program that runs main() of `module`; `title` begins its line when it cannot."""
    first = [f'/{where.library}'] if where.library else []
    return LAUNCHER.format(first=first, last=list(where.search), module=module, title=title, before=before)


def stage(where: System, target: Path) -> None:
    """Write everything below `target`."""
    plugins = ROOT / 'plugins'
    checks = sorted(path.stem for path in plugins.glob('check_*.py'))
    if where.library:
        ignored = shutil.ignore_patterns('__pycache__', 'py.typed')
        # Links in a checkout, files in a package: the pages and the definitions.
        shutil.copytree(plugins / 'tablefull', target / where.library / 'tablefull', ignore=ignored)
        for check in checks:
            put(target / where.library / f'{check}.py', imported((plugins / f'{check}.py').read_text()))
    for check in checks:
        title = check.removeprefix('check_').replace('_', ' ').upper()
        put(target / where.plugins / check, launcher(where, check, title), 0o755)
    put(target / where.plugins / 'check_by_sudo', (plugins / 'check_by_sudo').read_text(), 0o755)
    put(target / 'usr/bin/tablefull', launcher(where, 'tablefull.launch', 'TABLEFULL', NO_COLLECTION), 0o755)
    helper = ROOT / 'packaging' / 'state-directories'
    put(target / where.shared / 'state-directories', helper.read_text(), 0o755)
    (target / 'var/lib/tablefull').mkdir(parents=True, exist_ok=True)
    _definitions(where, target)
    for path in sorted((ROOT / 'packaging' / 'man').iterdir()):
        put(target / f'usr/share/man/man{path.suffix[1:]}' / path.name, path.read_text())
    put(target / COMPLETIONS / 'tablefull', (ROOT / 'packaging' / 'completion' / 'tablefull').read_text())
    for check in checks:
        # The shell looks for a file with the name of the program.
        (target / COMPLETIONS / check).symlink_to('tablefull')
    documents = target / where.documents / 'docs'
    shutil.copytree(ROOT / 'docs', documents, ignore=shutil.ignore_patterns('findings'))


def imported(source: str) -> str:
    """A check as a module alone: its launcher is another file."""
    return source.removeprefix('#!/usr/bin/env python3\n')


def _definitions(where: System, target: Path) -> None:
    places = Places(f'/{where.plugins}', '/usr/bin', '/usr/bin/tablefull snapshot')
    templates = ROOT / 'templates'
    for path in sorted(path for path in templates.rglob('*') if path.is_file()):
        name = path.relative_to(templates).as_posix()
        original = path.read_text()
        text = adapted(original, places)
        example = target / where.documents / 'examples' / name
        if text == original and where.library:
            # A megabyte of them names no path.
            example.parent.mkdir(parents=True, exist_ok=True)
            example.symlink_to(f'/{where.library}/tablefull/templates/{name}')
        else:
            put(example, text)
        if name in where.active:
            put(target / where.active[name], text)


if __name__ == '__main__':
    stage(system(sys.argv[1], dict(os.environ)), Path(sys.argv[2]))
