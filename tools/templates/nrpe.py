"""templates/nrpe/tablefull.cfg: commands with fixed arguments for an NRPE daemon with dont_blame_nrpe=0."""

from __future__ import annotations

from tools.templates.services import SERVICES, Service, command_line
from tools.templates.text import COMMENT, generated, wrapped

HEADER = """\
Commands of tablefull for NRPE. Put this file into /etc/nagios/nrpe.d (Debian) or /etc/nrpe.d (RPM systems, where the
plugins are in /usr/lib64/nagios/plugins), then restart the daemon. Arguments are fixed here: a client cannot send any
(dont_blame_nrpe=0), and need not. Everything that allowed_hosts names may run these commands; what costs more or runs
as root is commented out."""

# What a host may have to say differently, shown where it is decided.
ALTERNATIVES = {
    'tablefull-conntrack': (
        ('On a NAT gateway or a stateful firewall, where tracking must be there:', ('--missing', 'critical')),
    ),
    'tablefull-conntrack-modules': (
        ('On a router, a stateful firewall or a host of containers:', ('--expect', 'loaded')),
    ),
}


def _line(service: Service, arguments: tuple[str, ...] = ()) -> str:
    # Quoting is not needed: a test sees to it that no word means anything to the shell that NRPE uses.
    return f'command[{service.remote_command}]={" ".join([*command_line(service), *arguments])}'


def files() -> dict[str, str]:
    """Path below templates/ -> text."""
    comment = COMMENT['shell']
    lines = generated(HEADER, comment)
    for service in SERVICES:
        lines += wrapped(service.about, comment)
        if service.root:
            lines += wrapped('Needs the sudoers file of tablefull.', comment)
        off = service.root or service.wanted
        lines.append(('#' if off else '') + _line(service))
        for about, arguments in ALTERNATIVES.get(service.name, ()):
            lines += [comment + about, '#' + _line(service, arguments)]
        lines.append('')
    return {'nrpe/tablefull.cfg': '\n'.join(lines).rstrip() + '\n'}
