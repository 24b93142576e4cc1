"""Run the tests with both releases at the same time, each in a sandbox of its own. `make test-zabbix`.

Arguments go to pytest; `--release 6.0` or `--release 7.0` runs one of them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.zabbix.releases import VERSIONS, Release, release

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Exit code: 0 when all tests of all releases passed."""
    arguments = sys.argv[1:]
    versions: tuple[str, ...] = VERSIONS
    if arguments[:1] == ['--release']:
        versions, arguments = (arguments[1],), arguments[2:]
    # Fetched and prepared one after the other, before anything is tested.
    releases = [release(version) for version in versions]
    failed = False
    with tempfile.TemporaryDirectory() as outputs:
        running = [_start(each, arguments, Path(outputs, each.version)) for each in releases]
        for each, process in zip(releases, running):
            failed = bool(process.wait()) or failed
            print(f'Zabbix {each.version}:', Path(outputs, each.version).read_text(), sep='\n', flush=True)
    return int(failed)


def _start(release: Release, arguments: list[str], output: Path) -> subprocess.Popen[bytes]:
    command = [str(ROOT / 'tools' / 'sandbox'), sys.executable, '-m', 'pytest', 'tests/zabbix', *arguments]
    command += ['--release', release.version, '--database', str(release.database)]
    command += ['--tree', str(release.tree)] if release.tree else []
    with output.open('wb') as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)


if __name__ == '__main__':
    sys.exit(main())
