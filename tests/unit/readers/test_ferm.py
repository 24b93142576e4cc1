"""/etc/default/ferm and /etc/ferm: shell quoting, includes, and files that may not be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tablefull.readers.ferm import (
    Settings,
    parse_configuration,
    parse_settings,
    read_configuration,
    read_settings,
)
from tablefull.readers.files import ReadError
from tests.unit.readers.trees import tree

SETTINGS = """\
# use iptables-restore for fast firewall initialization?
FAST=yes
CACHE=no
OPTIONS=
ENABLED="yes"
"""
CONFIGURATION = """\
# mod state in a comment is none
domain (ip ip6) table filter chain INPUT {
    policy DROP;
    mod state state (ESTABLISHED RELATED) ACCEPT;
    proto tcp dport (ssh http) ACCEPT;
}
@include ferm.d/;
@include 'local.conf';
@include @glob('more/*.conf');
@include "generate-rules|";
@include $FILE;
"""


def test_the_settings_debian_ships_are_read() -> None:
    assert parse_settings(SETTINGS) == Settings(True, 'yes', 'no', '')


@pytest.mark.parametrize(
    ('line', 'value'),
    [
        ('ENABLED=no', 'no'),
        ("ENABLED='no'", 'no'),
        ('ENABLED="n""o" # comment', 'no'),
        ('  export ENABLED=no; true', 'no'),
        ('ENABLED=', ''),
        ('ENABLED="a \\"b\\""', 'a "b"'),
        ("ENABLED='$x'", '$x'),
        ('ENABLED=$(cat /etc/x)', None),
        ('ENABLED="$X"', None),
        ('ENABLED=yes\nENABLED=no', 'no'),
    ],
)
def test_values_are_quoted_as_a_shell_would(line: str, value: str | None) -> None:
    assert parse_settings(line).enabled == value


def test_a_commented_line_sets_nothing() -> None:
    assert parse_settings('# ENABLED=no\n').enabled is None


def test_no_file_is_not_an_empty_file(tmp_path: Path) -> None:
    assert read_settings(tree(tmp_path, {})) == Settings(False)


def test_includes_are_told_from_what_nobody_can_follow() -> None:
    words = parse_configuration(CONFIGURATION)
    assert tuple(words.includes) == ('ferm.d/', 'local.conf', 'more/*.conf')
    assert words.asked == words.certain == {'states', 'ports'}


@pytest.mark.parametrize(
    'text', ['mod conntrack ctstate NEW', 'mod (comment state) state NEW', 'module state state NEW']
)
def test_states_are_recognised_in_each_spelling(text: str) -> None:
    assert 'states' in parse_configuration(text).asked


STATES = 'mod state state NEW ACCEPT;'


@pytest.mark.parametrize(
    'text',
    [
        f'@if $STATEFUL {{ {STATES} }}',
        f'@if $STATEFUL {STATES}',
        f'@if $X {{ DROP; }} @else {{ {STATES} }}',
        f'@if $X chain INPUT {{ proto tcp {{ {STATES} }} }}',
        f'@def &unused() = {{ {STATES} }}',
        'mod state state NEW { @if $X { ACCEPT; } }',
        'mod state state NEW @if $X ACCEPT;',
        'mod state state NEW { }',
    ],
)
def test_what_a_condition_decides_or_a_function_holds_is_not_certain(text: str) -> None:
    words = parse_configuration(text)
    assert (words.asked, words.certain) == ({'states'}, set())


@pytest.mark.parametrize(
    'text',
    [
        STATES,
        f'@if $X {{ DROP; }} @else {{ ACCEPT; }} {STATES}',
        f'@if $X DROP; {STATES}',
        f'@def $X = 1; @def &f() = {{ DROP; }} chain INPUT {{ policy DROP; {STATES} }}',
        'mod state state NEW { proto tcp ACCEPT; @if $X { DROP; } }',
        f"mod comment comment '@if' {STATES}",
        f'}} }} {STATES}',
    ],
)
def test_what_stands_beside_a_condition_is_certain(text: str) -> None:
    assert parse_configuration(text).certain == {'states'}


def test_the_configuration_debian_ships_asks_for_states_beside_its_condition(tmp_path: Path) -> None:
    shipped = """domain (ip ip6) table filter {
        chain INPUT { mod state state (ESTABLISHED RELATED) ACCEPT;
            @if @eq($DOMAIN, ip) { proto (esp ah) ACCEPT; } @else { proto (esp) ACCEPT; }
            proto tcp dport ssh ACCEPT; } }
        @include ferm.d/;"""
    configuration = read_configuration(tree(tmp_path, {'/etc/ferm/ferm.conf': shipped}))
    assert configuration.stateful and configuration.ports and not configuration.conditional


def test_a_file_included_under_a_condition_may_not_apply(tmp_path: Path) -> None:
    files = {'/etc/ferm/ferm.conf': '@if $X { include ferm.d/; }', '/etc/ferm/ferm.d/a': STATES}
    configuration = read_configuration(tree(tmp_path, dict(files)))
    assert configuration.stateful
    assert configuration.conditional == ('states',)


@pytest.mark.parametrize('text', ['# mod state', "mod comment comment 'mod state state'", 'mod recent (state)'])
def test_states_are_not_recognised_where_there_are_none(text: str) -> None:
    assert 'states' not in parse_configuration(text).asked


def test_every_included_file_is_followed_and_the_newest_is_known(tmp_path: Path) -> None:
    names = {
        '/etc/ferm/ferm.conf': CONFIGURATION,
        '/etc/ferm/ferm.d/10-a': 'include sub/x.conf;',
        '/etc/ferm/ferm.d/sub/x.conf': '',
        '/etc/ferm/ferm.d/.hidden': '',
        '/etc/ferm/ferm.d/a~': '',
        '/etc/ferm/ferm.d/a.dpkg-dist': '',
        '/etc/ferm/local.conf': "@include 'ferm.conf';",
        '/etc/ferm/more/b.conf': '',
    }
    root = tree(tmp_path, dict(names))
    for name in names:
        os.utime(root + name, (1000, 1000))
    os.utime(root + '/etc/ferm/ferm.d/sub/x.conf', (2000, 2000))
    configuration = read_configuration(root)
    followed = {path.removeprefix('/etc/ferm/') for path in configuration.followed}
    assert followed == {'ferm.conf', 'ferm.d/10-a', 'ferm.d/sub/x.conf', 'local.conf', 'more/b.conf'}
    assert configuration.newest is not None
    os.utime(root + '/etc/ferm/ferm.d', (1000, 1000))
    assert read_configuration(root).newest == ('/etc/ferm/ferm.d/sub/x.conf', 2000)


@pytest.mark.parametrize('change', ['removed', 'moved in with an old time'])
def test_an_included_file_that_goes_or_comes_changes_its_directory(tmp_path: Path, change: str) -> None:
    root = tree(tmp_path, {'/etc/ferm/ferm.conf': 'include ferm.d/;', '/etc/ferm/ferm.d/a': '', '/old': ''})
    for name in ('/etc/ferm/ferm.conf', '/etc/ferm/ferm.d/a', '/etc/ferm/ferm.d', '/old'):
        os.utime(root + name, (1000, 1000))
    if change == 'removed':
        os.unlink(root + '/etc/ferm/ferm.d/a')
    else:
        os.rename(root + '/old', root + '/etc/ferm/ferm.d/b')
    newest = read_configuration(root).newest
    assert newest is not None
    assert newest[0] == '/etc/ferm/ferm.d/'
    assert newest[1] > 1000


def test_a_missing_configuration_is_known_to_be_missing(tmp_path: Path) -> None:
    assert read_configuration(tree(tmp_path, {'/etc/ferm/other': ''})).present is False


def test_a_closed_directory_is_named_and_not_taken_for_a_missing_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(root: str, path: str, limit: int = 0) -> str | None:
        raise ReadError(path, 'Permission denied', 13)

    monkeypatch.setattr('tablefull.readers.ferm.read_optional', refuse)
    configuration = read_configuration(str(tmp_path))
    assert configuration.present is None
    assert configuration.denied == ('/etc/ferm/ferm.conf',)


@given(st.data())
def test_mutated_texts_end_in_facts_or_a_read_error(data: st.DataObject) -> None:
    for text, parse in ((SETTINGS, parse_settings), (CONFIGURATION, parse_configuration)):
        for _ in range(data.draw(st.integers(1, 5))):
            place = data.draw(st.integers(0, len(text)))
            text = text[:place] + data.draw(st.text(max_size=8)) + text[place + data.draw(st.integers(0, 20)) :]
        try:
            parse(text)
        except ReadError:
            pass


def test_binary_content_is_refused(tmp_path: Path) -> None:
    root = tree(tmp_path, {'/etc/default/ferm': b'ENABLED=\0yes', '/etc/ferm/ferm.conf': b'\0'})
    for read in (read_settings, read_configuration):
        with pytest.raises(ReadError):
            read(root)


def test_includes_without_semicolons_are_not_taken_again_and_again() -> None:
    words = parse_configuration('@include a @include b\n' * 50_000)
    assert tuple(words.includes) == ('a', 'b')


def test_a_line_ends_where_a_shell_sees_its_end() -> None:
    assert parse_settings('# was\x0cENABLED=yes\nFAST=no\n').enabled is None


@given(st.text('ENABLD=CHOPTIS="\'yesno #$\\ \t;', max_size=30), st.sampled_from(['ENABLED', 'CACHE', 'OPTIONS']))
def test_a_plain_assignment_is_what_the_shell_makes_of_it(value: str, name: str) -> None:
    # The short way for what Debian ships must not differ from the long one.
    assert getattr(parse_settings(f'{name}={value}'), name.lower()) == getattr(
        parse_settings(f'export {name}={value}'), name.lower()
    )
