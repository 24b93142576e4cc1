"""A whole Zabbix of one release, in a sandbox."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.zabbix.api import Api
from tests.zabbix.daemons import (
    database,
    frontend,
    lay_over,
    server,
    wait_for_database,
    wait_for_frontend,
)
from tests.zabbix.releases import Release


@contextlib.contextmanager
def running(release: Release) -> Iterator[Api]:
    """PostgreSQL, server and frontend of `release`, all up, on the ports they have by default."""
    if release.tree:
        lay_over(release.tree)
    with database(release):
        wait_for_database()
        with server(release) as zabbix, frontend():
            wait_for_frontend()
            api = Api()
            assert api.version == release.version
            zabbix.assert_running()
            yield api
            zabbix.assert_running()
