from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from tablefull.record import NamedTuple


class Point(NamedTuple):
    """A point."""

    x: int
    y: int = 0

    @property
    def length(self) -> int:
        """City blocks."""
        return self.x + self.y


def test_a_record_is_what_typing_makes_of_it() -> None:
    assert Point(1) == Point(1, 0) == (1, 0)
    assert repr(Point(1, y=2)) == 'Point(x=1, y=2)'
    assert Point(1)._replace(y=5).length == 6
    assert Point._fields == ('x', 'y')
    assert Point.__doc__ == 'A point.'
    assert pickle.loads(pickle.dumps(Point(3, 4))) == Point(3, 4)


def test_a_record_is_frozen() -> None:
    with pytest.raises(AttributeError):
        Point(1).x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Point(1).z = 2  # type: ignore[attr-defined]


def test_missing_fields_are_an_error() -> None:
    with pytest.raises(TypeError):
        Point()  # type: ignore[call-arg]


@pytest.mark.parametrize(
    'check', sorted(path.stem for path in (Path(__file__).parents[2] / 'plugins').glob('check_*.py'))
)
def test_no_check_imports_typing(check: str) -> None:
    script = (
        f'import sys; before = "typing" in sys.modules; import {check}; print(before or "typing" not in sys.modules)'
    )
    plugins = str(Path(__file__).parents[2] / 'plugins')
    done = subprocess.run(
        [sys.executable, '-S', '-c', f'import sys; sys.path[:0] = {[plugins, *sys.path]!r}\n{script}'],
        capture_output=True,
        text=True,
    )
    assert done.stdout == 'True\n', done.stderr
