"""The JSON-RPC API of the frontend."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from tests.zabbix.daemons import FRONTEND


class ApiError(Exception):
    """What the API says when it refuses."""


class Api:
    """A session of the user that every new Zabbix has: `api('host.get', output=['host'])`."""

    def __init__(self) -> None:
        self._token: str | None = None
        self._token = self('user.login', username='Admin', password='zabbix')

    def __call__(self, method: str, parameters: Any = None, **named: Any) -> Any:
        """The result of a method; `parameters` where it takes a list."""
        body: dict[str, Any] = {'jsonrpc': '2.0', 'method': method, 'params': parameters or named, 'id': 1}
        if self._token:
            body['auth'] = self._token
        request = urllib.request.Request(
            f'{FRONTEND}/api_jsonrpc.php', json.dumps(body).encode(), {'Content-Type': 'application/json-rpc'}
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            answer = json.load(response)
        if 'error' in answer:
            raise ApiError(f'{method}: {answer["error"]["message"]} {answer["error"]["data"]}')
        return answer['result']

    @property
    def version(self) -> str:
        """Such as '6.0'."""
        token, self._token = self._token, None
        try:
            full: str = self('apiinfo.version', [])
        finally:
            self._token = token
        return full.rpartition('.')[0]

    # What the page "Import" of the frontend sends when everything is ticked.
    def _rules(self) -> dict[str, dict[str, bool]]:
        full = {'createMissing': True, 'updateExisting': True, 'deleteMissing': True}
        kept = {'createMissing': True, 'updateExisting': True}
        rules = dict.fromkeys(('discoveryRules', 'graphs', 'httptests', 'items', 'templateDashboards'), full)
        rules |= {'triggers': full, 'valueMaps': full, 'templates': kept}
        rules['templateLinkage'] = {'createMissing': True, 'deleteMissing': True}
        groups = ('groups',) if self.version == '6.0' else ('template_groups', 'host_groups')
        return rules | dict.fromkeys(groups, kept)

    def import_file(self, path: Path) -> None:
        """Import a template file as the frontend does."""
        self('configuration.import', format='yaml', source=path.read_text(), rules=self._rules())

    def compare_file(self, path: Path) -> Any:
        """What importing the file would change."""
        rules = self._rules()
        if self.version == '6.0':
            rules['groups'] = {'createMissing': True, 'updateExisting': True}
        return self('configuration.importcompare', format='yaml', source=path.read_text(), rules=rules)
