"""`make templates`: the definitions for every monitoring system, written from the option tables of the checks.

One module a system, each with `files() -> dict[str, str]`: path below templates/ -> text.
"""

from __future__ import annotations

from tools.templates import director, grafana, icinga2_commands, icinga2_services, nagios, nrpe, sudoers, zabbix

SYSTEMS = (icinga2_commands, icinga2_services, director, grafana, nagios, nrpe, sudoers, zabbix)


def all_files() -> dict[str, str]:
    """Every generated file: path below templates/ -> text."""
    return {path: text for system in SYSTEMS for path, text in system.files().items()}
