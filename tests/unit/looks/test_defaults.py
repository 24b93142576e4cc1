"""The defaults that a snapshot judges by are those of the checks' command lines."""

from __future__ import annotations

import pytest
from tools.write_options import checks

from tablefull.frame.option_table import defaults
from tablefull.frame.options import parse
from tablefull.frame.plugin import Check

CHECKS = pytest.mark.parametrize('check', checks(), ids=lambda check: check.name)


@CHECKS
def test_defaults_are_those_of_argparse(check: Check) -> None:
    parsed = vars(parse(check.program, check.description, check.all_options, []))
    kinds = {option.variable: option.kind for option in check.all_options}
    for name, value in defaults(check.all_options).items():
        found = parsed[name]
        # A range stays text where nagiosplugin is too expensive; its text is what a finding quotes.
        assert (str(found) if kinds[name] == 'range' and found is not None else found) == value, name


@CHECKS
def test_each_threshold_has_its_options(check: Check) -> None:
    from importlib import import_module

    look = import_module(f'tablefull.looks.{check.name}')
    names = {option.variable for option in check.all_options}
    for threshold in getattr(look, 'THRESHOLDS', ()):
        assert (threshold.breach is None) == (threshold.code == '')
        if threshold.breach is not None:
            assert {f'{threshold.prefix}warning', f'{threshold.prefix}critical'} & names
