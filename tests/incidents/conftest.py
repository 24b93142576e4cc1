"""One image for all, one machine with the suite installed for each kernel and way to boot, one copy for each test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.incidents.image import Image, image
from tests.incidents.machine import Machine, installed

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

    return lambda kernel, boot: installed(lab_image, kernel, boot, shared)


@pytest.fixture
def results(request: pytest.FixtureRequest) -> Path:
    """A directory of this test's own, emptied."""
    directory = RESULTS / request.node.name.replace('/', '-')
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory
