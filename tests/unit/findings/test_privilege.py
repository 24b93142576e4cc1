from __future__ import annotations

from tablefull.findings.privilege import grant


def test_a_group_is_granted_by_one_command() -> None:
    assert grant('adm', 'zabbix') == 'usermod -aG adm zabbix  # then restart the monitoring agent'
