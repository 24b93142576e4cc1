"""The files go into a real Zabbix, change nothing the second time, and the newer one takes over what the older made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.zabbix.api import Api, ApiError
from tests.zabbix.conftest import TEMPLATES
from tests.zabbix.hosts import TEMPLATES as NAMES
from tests.zabbix.releases import Release


def uuids(api: Api) -> dict[str, set[str]]:
    """Kind of thing -> the UUIDs of all that belong to our templates."""
    ids = [template['templateid'] for template in ours(api)]
    found: dict[str, set[str]] = {}
    for kind in ('item', 'trigger', 'discoveryrule', 'itemprototype', 'triggerprototype', 'graph', 'graphprototype'):
        found[kind] = {one['uuid'] for one in api(f'{kind}.get', templateids=ids, output=['uuid'])}
    return found


def ours(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api('template.get', filter={'host': list(NAMES.values())}, output=['uuid'])
    return found


def test_a_second_import_changes_nothing(api: Api, templates: Path) -> None:
    assert len(ours(api)) == 4
    assert api.compare_file(templates) == []
    before = uuids(api)
    api.import_file(templates)
    assert uuids(api) == before
    assert all(before.values())


def test_an_older_file_and_a_newer_one_are_the_same_things(api: Api, templates: Path, release: Release) -> None:
    before = uuids(api)
    older = TEMPLATES / 'tablefull-6.0.yaml'
    api.import_file(older)
    assert uuids(api) == before
    # What a converter makes of it again and again is left aside: the order of widgets and a default spelled out.
    assert added_or_removed(api.compare_file(older)) == []
    api.import_file(templates)
    assert uuids(api) == before
    assert api.compare_file(templates) == []


def test_6_0_refuses_the_file_of_7_0_and_says_so(api: Api, release: Release) -> None:
    newer = TEMPLATES / 'tablefull-7.0.yaml'
    if release.version == '7.0':
        api.import_file(newer)
        return
    with pytest.raises(ApiError, match='unsupported version number'):
        api.import_file(newer)


def added_or_removed(changes: Any) -> list[Any]:
    """Whatever importcompare says would come or go."""
    if isinstance(changes, dict):
        found = [changes[key] for key in ('added', 'removed') if changes.get(key)]
        return found + [
            one for key, value in changes.items() if key not in ('before', 'after') for one in added_or_removed(value)
        ]
    if isinstance(changes, list):
        return [one for value in changes for one in added_or_removed(value)]
    return []
