"""Real Zabbix servers, frontends and agents of both long-term releases, each pair on a machine of its own."""
