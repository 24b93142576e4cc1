"""templates/sudoers/tablefull: the exact command lines that the monitoring user may run as root."""

from __future__ import annotations

from tools.templates.services import SERVICES, command_line
from tools.templates.text import COMMENT, generated, wrapped

HEADER = """\
What tablefull asks root for. Copy to /etc/sudoers.d/tablefull (no dot in the name), mode 0440, owner root; check with
`visudo -c`. Delete what you do not use: everything but these two lines works without root.

Each line allows one command with exactly these arguments; "" means none at all. The plugin and every directory above it
must be writable for root alone. Do not add SETENV, env_keep or wildcards."""

# Users of the monitoring daemons on Debian, RPM systems and of Zabbix; who does not exist is not asked for.
USERS = ('nagios', 'nrpe', 'icinga', 'zabbix')


def files() -> dict[str, str]:
    """Path below templates/ -> text."""
    comment = COMMENT['shell']
    lines = generated(HEADER, comment)
    lines += [f'User_Alias TABLEFULL_USERS = {", ".join(USERS)}', '']
    for service in SERVICES:
        if service.root:
            alias = service.name.upper().replace('-', '_')
            # Without the wrapper: that runs as the monitoring user.
            program, *arguments = command_line(service)[1:]
            lines += wrapped(service.about, comment)
            lines += [f'Cmnd_Alias {alias} = {program} {" ".join(arguments) or chr(34) * 2}']
            lines += [f'TABLEFULL_USERS ALL = (root) NOPASSWD: {alias}', '']
    return {'sudoers/tablefull': '\n'.join(lines).rstrip() + '\n'}
