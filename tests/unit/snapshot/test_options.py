from __future__ import annotations

import pytest

from tablefull.command import answer as command
from tablefull.frame.options import build_parser
from tablefull.snapshot.options import OPTIONS, parse
from tests.unit.test_documentation import DOCS, section


def test_nothing_given_is_the_defaults() -> None:
    options = parse([])
    assert (options.expect, options.since, options.timeout, options.root) == ('none', 900, 2.5, '/')
    assert (options.allow, options.ignore, options.state_dir, options.pretty) == (None, None, None, False)


@pytest.mark.parametrize(
    'argv', [['--since', '5m', '--allow', 'a,b', '--pretty'], ['--since=5m', '--allow=a', '--allow', 'b', '--pretty']]
)
def test_a_value_stands_behind_a_blank_or_an_equals_sign(argv: list[str]) -> None:
    options = parse(argv)
    assert (options.since, options.allow, options.pretty) == (300, ('a', 'b'), True)


def test_it_takes_what_argparse_would() -> None:
    parser = build_parser('tablefull snapshot', '', OPTIONS)
    for argv in ([], ['--expect', 'loaded'], ['--ignore=ferm-busy', '--root', '/host'], ['--since', ''], ['--pretty']):
        assert parse(argv).__dict__ == vars(parser.parse_args(argv)), argv


@pytest.mark.parametrize(
    ('argv', 'reason'),
    [
        (['--frobnicate'], "'--frobnicate' is no option"),
        (['word'], "'word' is no option"),
        (['-v'], "'-v' is no option"),
        (['--since'], '--since needs a value'),
        (['--since', 'soon'], "--since 'soon': not a length of time"),
        (['--timeout', '0'], 'not a length of time'),
        (['--expect', 'both'], "--expect: 'both' is not one of none, loaded"),
        (['--ignore', 'no-such-code'], 'is no finding code'),
        (['--allow', 'a b;c'], 'is not a name'),
        (['--pretty=1'], '--pretty takes no value'),
        (['--root', '--pretty'], 'not a path'),
    ],
)
def test_what_cannot_be_understood_is_refused_with_the_reason(argv: list[str], reason: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse(argv)
    assert reason in str(refused.value)


def test_the_options_in_the_page_are_these() -> None:
    page = section((DOCS / 'snapshot.md').read_text(), 'Options')
    for option in OPTIONS:
        assert f'| `--{option.name} {option.metavar}'.rstrip() + '` |' in page
        if option.default:
            assert f'| `{option.default}` |' in page
    assert page.count('| `--') == len(OPTIONS)


def test_help_tells_all_of_them() -> None:
    code, text = command(['snapshot', '--help'])
    assert code == 0
    for option in OPTIONS:
        assert f'--{option.name}' in text
