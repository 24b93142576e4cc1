"""Regressions made on purpose: the suite is broken at one place, and the scenario of that place has to turn red."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tests.incidents.scenario import tomllib

HERE = Path(__file__).parent
PLUGINS = HERE.parents[1] / 'plugins'


class Mutation(NamedTuple):
    """One regression.

    file      below plugins/
    old, new  what stands there exactly once, and what is put in its place
    scenario  name of the one that must turn red
    says      what must be among the reasons
    """

    name: str
    file: str
    old: str
    new: str
    scenario: str
    says: str

    def broken(self) -> str:
        """The text of the file with the regression in it. Raises ValueError when there is no such place any more."""
        text = (PLUGINS / self.file).read_text()
        if text.count(self.old) != 1 or self.old == self.new:
            raise ValueError(f'{self.name}: {self.old!r} stands {text.count(self.old)} times in {self.file}')
        return text.replace(self.old, self.new)


def mutations() -> list[Mutation]:
    """All of them, in the order of the file."""
    return [Mutation(**table) for table in tomllib.loads((HERE / 'mutations.toml').read_text())['mutation']]
