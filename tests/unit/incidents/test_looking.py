"""The table of what looking loads: read as it is written, and no look begins where another one has left something."""

from __future__ import annotations

from typing import Any

import pytest

from tests.incidents.looking import LOOKS, OURS, PAGE, forget, loaded, look, named, row, shown, told
from tests.incidents.machine import MachineError, Result

HEAD = ['| command | a | b | c |', '| --- | --- | --- | --- |']


class FakeMachine:
    """Has modules; `stubborn` ones cannot be unloaded, and what is run loads `brings`."""

    def __init__(self, *modules: str, stubborn: str = '', brings: str = '') -> None:
        self.modules, self.stubborn, self.brings = list(modules), stubborn, brings

    def run(self, text: str, user: str = 'root', seconds: float = 300) -> Result:
        command = text.removeprefix('{ ').partition('\n')[0].split()
        if command[0] == 'rmmod':
            self.modules = [name for name in self.modules if name not in command or name == self.stubborn]
        elif command[0] != 'true':
            self.modules = [*self.brings.split(), *self.modules]
        return Result(0, ''.join(f'{name} 16384 0 - Live 0x0\n' for name in self.modules), '')


def test_a_table_is_read_as_it_is_written() -> None:
    seen = {
        'a': [('x', 'y'), ('x', 'y'), ('y',)],
        'b; c': [(), (), ()],
        OURS: [('x',), (), ()],
    }
    rows = [row(command, found) for command, found in seen.items()]
    assert told(['before', *HEAD, *rows, '', 'after']) == {shown(command): found for command, found in seen.items()}
    assert rows[0] == '| `a` | x y | the same | y |'


def test_the_page_has_every_look() -> None:
    assert list(told(PAGE.read_text().splitlines())) == [shown(command) for command in (*LOOKS, OURS)]


def test_a_look_is_told_by_what_it_loads_and_forgotten() -> None:
    machine: Any = FakeMachine('ext4', brings='nf_conntrack libcrc32c')
    fresh = loaded(machine)
    assert fresh == ('ext4',)
    seen = look(machine, 'conntrack -L', fresh)
    assert (seen, named(seen)) == (('nf_conntrack', 'libcrc32c'), ('nf_conntrack',))
    forget(machine, seen, fresh)
    assert loaded(machine) == fresh


@pytest.mark.parametrize(
    ('machine', 'fresh'),
    [
        (FakeMachine('nf_conntrack', 'ext4', stubborn='nf_conntrack'), ('ext4',)),
        (FakeMachine('nf_conntrack', 'ext4'), ('ext4', 'veth')),
    ],
)
def test_what_stays_behind_ends_the_measurement(machine: Any, fresh: tuple[str, ...]) -> None:
    with pytest.raises(MachineError, match='nf_conntrack'):
        forget(machine, ('nf_conntrack',), fresh)
