"""Whom a remedy grants something."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from tablefull.findings.privilege import grant
from tablefull.readers.user import user_name


def test_the_effective_user_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, 'geteuid', lambda: 0)
    assert user_name('/') == pwd.getpwuid(0).pw_name


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, 'geteuid', lambda: 3999999999)
    assert user_name('/') == '3999999999'


def test_in_a_captured_tree_nobody_in_particular_is_meant(tmp_path: Path) -> None:
    assert user_name(str(tmp_path)) == 'USER'


def test_the_command_says_what_has_to_follow_it() -> None:
    assert grant('adm', 'icinga') == 'usermod -aG adm icinga  # then restart the monitoring agent'
