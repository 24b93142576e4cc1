"""No installation that our documents recommend brings a mail transport agent to a host that has none."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob('*.md'), *(ROOT / 'docs').rglob('*.md'), *(ROOT / 'templates').rglob('*.md')]


def recommended() -> list[str]:
    """Every `apt-get install` line of README, docs and templates, without what stands before it."""
    return sorted(
        {line for path in DOCUMENTS for line in re.findall(r'^apt-get install (.+)$', path.read_text(), re.M)}
    )


def installed(options: str) -> set[str]:
    """The packages that this would install on a machine with no package at all."""
    argv = ['apt-get', '--simulate', '-o', 'Dir::State::status=/dev/null', 'install', *shlex.split(options)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(re.findall(r'^Inst (\S+)', done.stdout, re.MULTILINE))


def agents() -> set[str]:
    """Every package that is a mail transport agent."""
    done = subprocess.run(['apt-cache', 'showpkg', 'mail-transport-agent'], capture_output=True, text=True, check=True)
    return {line.split()[0] for line in done.stdout.partition('Reverse Provides:')[2].splitlines() if line.strip()}


def test_the_agents_are_known_and_would_be_seen() -> None:
    # Proof that the question is asked right: the daemon as apt installs it by default does bring one.
    assert len(agents()) > 5
    assert installed('icinga2') & agents()


def test_there_is_something_recommended() -> None:
    assert any('nagios-nrpe-server' in line for line in recommended())


@pytest.mark.parametrize('options', recommended())
def test_what_the_documents_recommend_brings_no_agent(options: str) -> None:
    assert not installed(options) & agents()


@pytest.mark.parametrize('package', ['python3-nagiosplugin', 'python3-psutil'])
@pytest.mark.parametrize('recommends', ['--install-recommends', '--no-install-recommends'])
def test_what_a_package_of_the_suite_depends_on_brings_no_agent(package: str, recommends: str) -> None:
    assert not installed(f'{recommends} {package}') & agents()
