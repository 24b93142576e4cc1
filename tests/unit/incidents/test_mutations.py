"""The regressions of the lab cannot rot: each still has its place in the code, and each scenario has one."""

from __future__ import annotations

import ast

import pytest

from tests.incidents.mutations import Mutation, mutations
from tests.incidents.scenario import scenarios

ALL = pytest.mark.parametrize('mutation', mutations(), ids=lambda mutation: mutation.name)


@ALL
def test_the_place_of_a_regression_stands_exactly_once_in_its_file(mutation: Mutation) -> None:
    assert ast.dump(ast.parse(mutation.broken()))


@ALL
def test_a_regression_has_a_scenario_and_a_reason(mutation: Mutation) -> None:
    assert mutation.scenario in {scenario.name for scenario in scenarios()}
    assert mutation.says


def test_every_scenario_has_a_regression() -> None:
    assert {mutation.scenario for mutation in mutations()} == {scenario.name for scenario in scenarios()}
    assert len({mutation.name for mutation in mutations()}) == len(mutations())


def test_a_place_that_is_gone_is_an_error() -> None:
    (first, *_) = mutations()
    with pytest.raises(ValueError, match='stands 0 times'):
        first._replace(old='no such line').broken()
    with pytest.raises(ValueError, match='times in'):
        first._replace(old='return').broken()
