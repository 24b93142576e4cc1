"""The house has floors, and arrows point downwards only."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[2] / 'plugins'
FLOORS = {
    'readers': 0,
    'findings': 1,
    'frame': 2,
    'looks': 3,
    'snapshot': 4,
    'definitions': 4,
    'top': 4,
    'capture': 5,
    'triage': 5,
    'command': 6,
    'launch': 7,
}


def imports(path: Path) -> set[str]:
    """Names of all modules imported anywhere in a file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f'{node.module}.{alias.name}' for alias in node.names}
    return found


def floor(module: str) -> int:
    parts = module.split('.')
    return FLOORS.get(parts[1], -1) if len(parts) > 1 else -1


@pytest.mark.parametrize('path', sorted((PLUGINS / 'tablefull').rglob('*.py')), ids=lambda path: path.stem)
def test_imports_point_downwards(path: Path) -> None:
    own = floor('.'.join(path.relative_to(PLUGINS).with_suffix('').parts))
    for module in imports(path):
        if module.startswith('tablefull.') and own >= 0:
            assert floor(module) <= own, f'{path.name} imports {module} from a floor above'
        assert not module.startswith('check_'), f'{path.name} imports a check'


@pytest.mark.parametrize('path', sorted((PLUGINS / 'tablefull').rglob('*.py')), ids=lambda path: path.stem)
def test_only_the_frame_knows_nagiosplugin(path: Path) -> None:
    if path.parent.name != 'frame':
        assert 'nagiosplugin' not in imports(path)


@pytest.mark.parametrize('path', sorted(PLUGINS.rglob('*.py')), ids=lambda path: path.stem)
def test_a_file_can_be_read_in_one_go(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 320


def test_no_check_imports_what_it_does_not_need_on_its_default_path() -> None:
    # Each of these costs a tenth of a check's time or more; see tests/benchmarks/cost.py.
    script = (
        'import sys; sys.path.insert(0, sys.argv[1]); import importlib; importlib.import_module(sys.argv[2]);'
        'print(*sorted({"psutil", "dataclasses", "subprocess", "socket", "pathlib", "asyncio"} & set(sys.modules)))'
    )
    import subprocess

    for check in sorted(PLUGINS.glob('check_*.py')):
        out = subprocess.run([sys.executable, '-c', script, str(PLUGINS), check.stem], capture_output=True, text=True)
        assert out.returncode == 0, out.stderr
        heavy = set(out.stdout.split()) - {'pathlib'}  # an editable installation imports pathlib by itself
        assert not heavy, f'{check.stem} imports {heavy}'
