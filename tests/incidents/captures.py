"""Captured trees of the lab: brought back from a machine, and made fixtures of the unit tests by `make captures`."""

from __future__ import annotations

import base64
import io
import re
import shutil
import sys
import tarfile
from pathlib import Path

from tests.incidents.machine import Machine, MachineError

ROOT = Path(__file__).parents[2]
PAGE = ROOT / 'docs' / 'captured-trees.md'
FIXTURES = ROOT / 'tests' / 'fixtures'
RESULTS = ROOT / 'build' / 'incidents'
# Written by hand, and no part of a capture.
KEPT = ('verdict.toml', 'NOTES')


def recipe(ferm: bool) -> str:
    """The commands that the page tells people to run, as they stand there: they are tried here."""
    blocks = re.findall(r'```sh\n(.*?)```', PAGE.read_text(), re.DOTALL)
    making = [block for block in blocks if 'tree=' in block or 'record ' in block]
    return '\n'.join(making[:2] if ferm else making[:1])


def bring_back(machine: Machine, name: str, results: Path) -> Path:
    """Capture a machine at this moment, after the page, as a directory `name` among the results."""
    done = machine.run(
        f'cd / && {{ {recipe(machine.init == "systemd")}\n}} > /dev/null 2>&1; tar -C /root/tree-lab -cz . | base64'
    )
    target = results / name
    try:
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(done.output))) as archive:
            archive.extractall(target)
    except (tarfile.TarError, ValueError) as error:
        raise MachineError(f'the capture {name} did not arrive: {error}; {done.errors}') from None
    return target


def main() -> None:
    """Replace fixtures by the trees that the last run of the lab brought back: `make captures`."""
    trees = [path for path in RESULTS.glob('*/*') if path.is_dir()]
    if not trees:
        sys.exit('nothing was brought back: run make test-incidents')
    for tree in trees:
        fixture = FIXTURES / tree.name
        for path in fixture.iterdir() if fixture.is_dir() else ():
            if path.name not in KEPT:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        shutil.copytree(tree, fixture, symlinks=True, dirs_exist_ok=True)
        for directory in [fixture, *(path for path in fixture.rglob('*') if path.is_dir())]:
            directory.chmod(0o755)
        for path in fixture.rglob('*'):
            if path.is_file() and not path.is_symlink():
                path.chmod(0o644)
        print(fixture.relative_to(ROOT))


if __name__ == '__main__':
    main()
