"""templates/zabbix/tablefull.conf: what an agent on the monitored host must know."""

from __future__ import annotations

TEXT = """\
# UserParameters of tablefull for zabbix_agentd and zabbix_agent2. Written by `make templates`.
#
# Put this file where your agent looks for more configuration, readable for user zabbix (mode 0644):
#   Debian            /etc/zabbix/zabbix_agentd.conf.d    /etc/zabbix/zabbix_agent2.d
#   Zabbix's packages /etc/zabbix/zabbix_agentd.d         /etc/zabbix/zabbix_agent2.d
# Then restart the agent, or (nothing is interrupted): zabbix_agentd -R userparameter_reload
# The paths are those of the README's installation. Of any other one: tablefull templates --write DIRECTORY
#
# Try it as the agent runs it, not as root, to whom everything looks fine:
#   setpriv --reuid=zabbix --regid=zabbix --init-groups /opt/tablefull/bin/tablefull snapshot
#
# The kernel log is closed to user zabbix where kernel.dmesg_restrict is set, as on Debian. This group opens it, and the
# reasons that ferm left in the journal; restart the agent afterwards:
#   usermod --append --groups systemd-journal zabbix
# Without a journal, the unit of the agent can have AmbientCapabilities=CAP_SYSLOG instead.
#
# No parameter needs a character that UnsafeUserParameters=0 refuses, so leave it at that.

# Everything in one JSON object, for the templates: one process each interval. The parameter is options of the snapshot,
# out of the macro {$TABLEFULL.OPTIONS} of the host, such as --expect loaded.
UserParameter=tablefull.snapshot[*],/opt/tablefull/bin/python3 -IS /opt/tablefull/bin/tablefull-snapshot $1

# One check as JSON, for items of your own: tablefull.check[conntrack,--warning 70 --critical 85], and JSONPath in their
# preprocessing ($.exit_code, $.summary, $.metrics.usage). The agent ignores exit codes and waits three seconds.
UserParameter=tablefull.check[*],/opt/tablefull/bin/check_$1 --timeout 2 --output json $2
"""


def text() -> str:
    """The whole file."""
    return TEXT
