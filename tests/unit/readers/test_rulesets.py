"""Promise 1 for --verify-rules: what is run, and what is not run because it would load something."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tablefull.readers import programs, rulesets
from tablefull.readers.ferm import Configuration, Settings
from tablefull.readers.files import ReadError
from tablefull.readers.modules import Module, Modules
from tablefull.readers.rulesets import ConfigurationError, read_rulesets
from tests.unit.readers.test_systemd import program
from tests.unit.readers.trees import tree

TABLE = '*filter\n:INPUT DROP [0:0]\n-A INPUT -j ACCEPT\nCOMMIT\n'
SAVES = [f'{family}tables{backend}-save' for family in ('ip', 'ip6') for backend in ('-legacy', '-nft', '')]


class Host:
    """A stand-in for the live host whose programs note that they were run."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.patch = monkeypatch
        monkeypatch.setattr(programs, '_DIRECTORIES', (str(directory),))
        monkeypatch.setattr(os, 'geteuid', lambda: 0)
        self.install('ferm', *SAVES[:2], *SAVES[3:5])
        self.kernel(loaded=(), tables={})

    def install(self, *names: str) -> None:
        for name in names:
            program(self.directory, name, f'echo {name} "$@" >> {self.directory}/ran\ncat <<EOT\n{TABLE}EOT\n')
            (self.directory / name).write_text((self.directory / name).read_text().replace('cat', '/bin/cat'))

    def kernel(self, loaded: tuple[str, ...], tables: dict[str, tuple[str, ...]], loadable: bool = True) -> None:
        modules = {name: Module(name, 1, 0, (), False, 'Live', '') for name in loaded}
        self.patch.setattr(rulesets, 'read_modules', lambda root: Modules(modules, loadable, frozenset(), True))
        self.patch.setattr(rulesets, 'read_tables', lambda root: tables)

    def ran(self) -> list[str]:
        path = self.directory / 'ran'
        return path.read_text().splitlines() if path.exists() else []


FERM = 'ferm --noexec --lines /etc/ferm/ferm.conf'
NOTHING = (Settings(True), Configuration(True))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def test_without_tables_and_without_nf_tables_no_rules_are_listed(host: Host) -> None:
    found = read_rulesets('/', *NOTHING, 5)
    assert host.ran() == [FERM]
    assert found.loaded == {'legacy': {}, 'nft': {}}


def test_the_old_back_end_is_listed_only_for_families_that_have_tables(host: Host) -> None:
    host.kernel(('ip_tables', 'nf_tables'), {'ip': ('filter',), 'ip6': ()})
    read_rulesets('/', *NOTHING, 5)
    assert host.ran() == ['iptables-legacy-save', FERM]


def test_nf_tables_alone_is_not_enough_for_listing_would_load_nft_compat(host: Host) -> None:
    host.kernel(('nf_tables',), {})
    read_rulesets('/', *NOTHING, 5)
    assert host.ran() == [FERM]


def test_the_new_back_end_is_listed_when_nothing_is_left_to_load(host: Host) -> None:
    host.kernel(('nf_tables', 'nft_compat'), {})
    read_rulesets('/', *NOTHING, 5)
    assert host.ran() == ['iptables-nft-save', 'ip6tables-nft-save', FERM]


def test_a_kernel_without_modules_cannot_load_any(host: Host) -> None:
    host.kernel((), {'ip': ('raw',)}, loadable=False)
    read_rulesets('/', *NOTHING, 5)
    assert host.ran() == ['iptables-legacy-save', 'iptables-nft-save', 'ip6tables-nft-save', FERM]


def test_ferm_itself_is_not_run_where_it_would_load_nf_tables(host: Host) -> None:
    for name in SAVES:
        (host.directory / name).unlink(missing_ok=True)
    with pytest.raises(ReadError, match='would load nf_tables'):
        read_rulesets('/', *NOTHING, 5)
    assert host.ran() == []


def test_an_iptables_of_before_1_8_has_no_program_that_is_safe_to_run(host: Host) -> None:
    for name in SAVES:
        (host.directory / name).unlink(missing_ok=True)
    host.install('iptables-save', 'ip6tables-save')
    host.kernel(('ip_tables',), {'ip': ('filter',)})
    with pytest.raises(ReadError, match='iptables-legacy-save: not installed'):
        read_rulesets('/', *NOTHING, 5)
    assert host.ran() == []


def test_of_the_options_only_what_changes_rules_is_passed_on(host: Host) -> None:
    options = "--def $x=1 --interactive --domain ip --slow --shell --def=y=2 --flush '--def"
    read_rulesets('/', Settings(True, options=options), Configuration(True), 5)
    assert host.ran() == ['ferm --noexec --lines --def $x=1 --domain ip --def=y=2 /etc/ferm/ferm.conf']


def test_a_configuration_ferm_does_not_understand_is_told_in_its_words(host: Host) -> None:
    program(
        host.directory,
        'ferm',
        'echo "Error in /etc/ferm/ferm.conf line 14:" >&2\necho "    x <--" >&2\n'
        'echo "Unrecognized keyword: dportt" >&2\nexit 255\n',
    )
    with pytest.raises(ConfigurationError, match='line 14: Unrecognized keyword: dportt'):
        read_rulesets('/', *NOTHING, 5)


def test_a_ferm_that_waits_for_a_resolver_is_ended(host: Host) -> None:
    program(host.directory, 'ferm', 'exec /bin/sleep 60\n')
    with pytest.raises(ReadError, match='no answer within'):
        read_rulesets('/', *NOTHING, 0.2)


def test_only_root_may_compare(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, 'geteuid', lambda: 65534)
    with pytest.raises(ReadError) as caught:
        read_rulesets('/', *NOTHING, 5)
    assert caught.value.permission
    assert host.ran() == []


def test_a_captured_tree_runs_nothing(host: Host, tmp_path: Path) -> None:
    root = tree(tmp_path / 'tree', {'/ferm-lines.txt': TABLE, '/iptables-nft-save.txt': TABLE})
    found = read_rulesets(root, *NOTHING, 5)
    assert list(found.loaded) == ['nft']
    assert host.ran() == []
    with pytest.raises(ReadError):
        read_rulesets(tree(tmp_path / 'other', {'/ferm-lines.txt': TABLE}), *NOTHING, 5)
    with pytest.raises(ConfigurationError):
        read_rulesets(tree(tmp_path / 'third', {'/ferm-lines.txt': 'Error in x line 1:\nwrong\n'}), *NOTHING, 5)
