from __future__ import annotations

from pathlib import Path

import pytest

from tablefull.readers.ferm_presence import has_unit_file, installed
from tests.unit.readers.trees import tree


def test_the_program_is_looked_for_where_packages_put_it(tmp_path: Path) -> None:
    assert not installed(tree(tmp_path, {}))
    assert installed(tree(tmp_path, {'/usr/sbin/ferm': ''}))


@pytest.mark.parametrize('directory', ['etc/systemd/system', 'run/systemd/transient', 'lib/systemd/system'])
def test_a_unit_is_looked_for_where_systemd_does(tmp_path: Path, directory: str) -> None:
    assert not has_unit_file(str(tmp_path))
    tree(tmp_path, {f'/{directory}/ferm.service': ''})
    assert has_unit_file(str(tmp_path))


def test_a_masked_unit_is_one(tmp_path: Path) -> None:
    directory = tmp_path / 'etc/systemd/system'
    directory.mkdir(parents=True)
    (directory / 'ferm.service').symlink_to('/dev/null-of-another-root')
    assert has_unit_file(str(tmp_path))


def test_what_a_generator_made_of_an_init_script_is_none(tmp_path: Path) -> None:
    assert not has_unit_file(tree(tmp_path, {'/run/systemd/generator.late/ferm.service': ''}))
