"""Do all places that name the version agree, and is the changelog ready? `python -m tools.versions DIRECTORY TAG`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# File -> where its newest version stands. Debian's and RPM's own revision is left out.
PLACES = {
    'plugins/tablefull/__init__.py': r"__version__ = '([^']+)'",
    'CHANGELOG.md': r'^## ([0-9][^ ]*)',
    'packaging/debian/changelog': r'^monitoring-plugins-tablefull \(([^)]+)-[^-)]+\)',
    'packaging/rpm/nagios-plugins-tablefull.spec': r'^Version: +(\S+)',
}


def versions(root: Path = ROOT) -> dict[str, str]:
    """File -> the version it names, '' where it names none."""
    found = {}
    for name, pattern in PLACES.items():
        match = re.search(pattern, (root / name).read_text(), re.MULTILINE)
        found[name] = match[1] if match else ''
    match = re.search(r'^%changelog\n\* .* - (\S+)-\d+$', (root / [*PLACES][-1]).read_text(), re.MULTILINE)
    return {**found, '%changelog of the spec': match[1] if match else ''}


def complaints(root: Path, tag: str) -> list[str]:
    """What must be done before `tag` can be released."""
    found = versions(root)
    version = tag.removeprefix('v')
    wrong = [f'{name} says {own or "nothing"}, the tag {version}' for name, own in found.items() if own != version]
    if not re.search(rf'^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)$', (root / 'CHANGELOG.md').read_text(), re.M):
        wrong.append(f'CHANGELOG.md has no line "## {version} (YYYY-MM-DD)": it is not released yet')
    return wrong


if __name__ == '__main__':
    sys.exit('\n'.join(complaints(Path(sys.argv[1]), sys.argv[2])) or None)
