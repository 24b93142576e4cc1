"""templates/zabbix/: templates in the formats of 6.0 and 7.0, and what belongs to them."""

from __future__ import annotations

from tools.templates.zabbix import agent_configuration, fleet, readme
from tools.templates.zabbix.export import export
from tools.templates.zabbix.templates import TEMPLATES
from tools.templates.zabbix.uuids import Uuids
from tools.templates.zabbix.yaml_text import to_yaml

VERSIONS = ('6.0', '7.0')


def give_uuids() -> None:
    """Give a UUID to what is new in the templates."""
    uuids = Uuids(growing=True)
    for version in VERSIONS:
        export(TEMPLATES, version, uuids)
    uuids.save()


def files() -> dict[str, str]:
    """Path below templates/ -> text. Raises KeyError when something has no UUID yet."""
    uuids = Uuids()
    found = {f'zabbix/tablefull-{version}.yaml': to_yaml(export(TEMPLATES, version, uuids)) for version in VERSIONS}
    found |= {f'zabbix/fleet-dashboard-{version}.json': text for version, text in fleet.requests().items()}
    found['zabbix/README.md'] = readme.text(TEMPLATES)
    found['zabbix/tablefull.conf'] = agent_configuration.text()
    return found
