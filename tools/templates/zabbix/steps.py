"""The few ways in which items here treat a value."""

from __future__ import annotations

from tools.templates.zabbix.model import Step


def path(json_path: str) -> Step:
    """Take a value out of JSON; what is not there leaves the item as it is, and never makes it unsupported."""
    return Step('JSONPATH', (json_path,), 'DISCARD_VALUE')


def path_or(json_path: str, value: str) -> Step:
    """Take a value out of JSON, and say `value` where it is not there."""
    return Step('JSONPATH', (json_path,), 'CUSTOM_VALUE', value)


# A counter that fell (a reboot, a 32-bit counter that came round) gives no value at that moment.
PER_SECOND = Step('CHANGE_PER_SECOND')

# For what hardly ever changes.
HOURLY = Step('DISCARD_UNCHANGED_HEARTBEAT', ('1h',))
