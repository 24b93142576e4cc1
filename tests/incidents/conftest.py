"""One image for all, one machine with the suite installed for each kernel and way to boot, one copy for each test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.incidents.image import Image, image, locked
from tests.incidents.machine import Machine, snapshot

# Where outputs, kernel logs and captured trees are brought back to.
RESULTS = Path(__file__).parents[2] / 'build' / 'incidents'


@pytest.fixture(scope='session')
def lab_image() -> Image:
    """The image, built before the first test that needs it."""
    return image()


@pytest.fixture(scope='session')
def machines(lab_image: Image, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Machine]:
    """Makes a machine of (kernel, boot) that has just booted and has the suite of this tree installed."""
    shared = tmp_path_factory.getbasetemp()
    if 'PYTEST_XDIST_WORKER' in os.environ:
        shared = shared.parent

    def make(kernel: str, boot: str) -> Machine:
        installed = shared / f'installed-{kernel}-{boot}'
        with locked(shared / f'installed-{kernel}-{boot}.lock'):
            if not installed.is_dir():
                building = shared / f'installing-{kernel}-{boot}'
                building.mkdir()
                booted = snapshot(lab_image, kernel, boot)
                with Machine(lab_image, kernel, boot, booted) as machine:
                    machine.install()
                    machine.save(building)
                building.rename(installed)
        return Machine(lab_image, kernel, boot, installed)

    return make


@pytest.fixture
def results(request: pytest.FixtureRequest) -> Path:
    """A directory of this test's own, emptied."""
    directory = RESULTS / request.node.name.replace('/', '-')
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory
