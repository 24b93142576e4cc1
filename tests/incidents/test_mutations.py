"""Each regression turns its scenario red, for its reason: `make test-mutations`. One kernel each, that of Debian 12."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.incidents.machine import SUITE, Machine
from tests.incidents.mutations import Mutation, mutations
from tests.incidents.scenario import Transcript, play, scenarios

KERNEL = '6.1'
SCENARIOS = {scenario.name: scenario for scenario in scenarios()}


@pytest.mark.parametrize('mutation', mutations(), ids=lambda mutation: f'{mutation.scenario}: {mutation.name}')
def test_a_regression_turns_its_scenario_red(
    mutation: Mutation, machines: Callable[[str, str], Machine], results: Path
) -> None:
    scenario = SCENARIOS[mutation.scenario]
    assert KERNEL in scenario.kernels
    transcript = Transcript()
    path = f'{SUITE}/{mutation.file}'
    with machines(KERNEL, scenario.boot) as machine:
        machine.write(path, mutation.broken().encode())
        compiled = machine.run(f'python3 -m compileall -q {path}')
        assert compiled.code == 0, compiled.output
        wrong = play(scenario, machine, transcript)
    (results / 'transcript.txt').write_text(str(transcript))
    assert wrong, f'nobody notices that {mutation.name}'
    assert any(mutation.says in sentence for sentence in wrong), '\n'.join(wrong)
