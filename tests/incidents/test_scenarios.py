"""Every scenario on each of its kernels: what happened must be seen, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.incidents.captures import bring_back
from tests.incidents.machine import Machine
from tests.incidents.scenario import Scenario, Transcript, play, scenarios

RUNS = [
    pytest.param(scenario, kernel, id=f'{scenario.name}-{kernel}')
    for scenario in scenarios()
    for kernel in scenario.kernels
]


@pytest.mark.parametrize(('scenario', 'kernel'), RUNS)
def test_the_checks_say_what_happened(
    scenario: Scenario, kernel: str, machines: Callable[[str, str], Machine], results: Path
) -> None:
    transcript = Transcript()
    with machines(kernel, scenario.boot) as machine:
        try:
            wrong = play(scenario, machine, transcript, lambda *what: bring_back(*what, results))
        finally:
            (results / 'transcript.txt').write_text(str(transcript))
            (results / 'console.log').write_bytes(machine.console.read_bytes() if machine.console.exists() else b'')
        (results / 'kmsg').write_text(machine.run('dd if=/dev/kmsg iflag=nonblock bs=16k 2> /dev/null').output)
    assert not wrong, '\n'.join([*wrong, f'see {results}/transcript.txt'])
