"""templates/icinga2/tablefull-services.conf: apply rules for hosts with an agent, NRPE or SSH, and the dependency."""

from __future__ import annotations

from tools.templates.icinga2_commands import string, words
from tools.templates.services import SERVICES, Service, command_line
from tools.templates.text import COMMENT, generated, wrapped

HEADER = """\
Services of tablefull for Icinga 2. Put this file beside your other apply rules: /etc/icinga2/conf.d, or the zone of the
hosts below /etc/icinga2/zones.d. A host says how its checks are run, and what is special about it:

  vars.tablefull = "agent"     by the Icinga agent on the host; its endpoint has the name of the host,
                               or is named by vars.agent_endpoint
  vars.tablefull = "nrpe"      by an NRPE daemon with templates/nrpe/tablefull.cfg
  vars.tablefull = "ssh"       through SSH, as the remote user of this Icinga user
  vars.tablefull = "local"     by the node that reads this: a host that monitors itself

  vars.tablefull_ferm = true                                its firewall is ferm
  vars.tablefull_conntrack_modules_expect = "loaded"        a router, a stateful firewall, a host of containers
  vars.tablefull_conntrack_warning = "85"                   any threshold of any check, by its variable

Thresholds of a host reach its checks by agent, SSH and local. With NRPE they stand in the file on the host."""

SHARED = """\
template Service "tablefull-by-nrpe" {
	check_command = "nrpe"
	// A daemon that does not answer says nothing about the tables of the host: UNKNOWN, not CRITICAL.
	vars.nrpe_timeout_unknown = true
	vars.nrpe_timeout = "15:UNKNOWN"
}

template Service "tablefull-by-ssh" {
	check_command = "by_ssh"
	vars.by_ssh_quiet = true
	vars.by_ssh_timeout = 15
}
"""

DEPENDENCY = """\
/* A full table refuses new connections, so services of the host fail one after the other. One alert, its cause:
 * while tablefull-conntrack is CRITICAL, nobody is told about services that are asked over the network.
 * Set vars.tablefull_dependency = false on a host where you want to hear all of them.
 */
apply Dependency "tablefull-conntrack" to Service {
	parent_service_name = "tablefull-conntrack"
	// Unknown is no explanation: a check that cannot tell silences nothing.
	states = [ OK, Warning, Unknown ]
	// The refused service is noticed within seconds of the full table, before a third attempt confirms it.
	ignore_soft_states = false
	disable_notifications = true

	assign where host.vars.tablefull && host.vars.tablefull_dependency != false && service.check_command in [
		"dig", "dns", "ftp", "http", "imap", "ldap", "mysql", "nntp", "pgsql", "ping4", "ping6", "pop", "simap", "smtp",
		"spop", "ssh", "ssl", "ssmtp", "tcp", "udp"
	]
}
"""


def duration(seconds: int) -> str:
    """Seconds in Icinga's notation."""
    for unit, size in (('h', 3600), ('m', 60)):
        if seconds % size == 0:
            return f'{seconds // size}{unit}'
    return f'{seconds}s'


def _by_ssh(service: Service) -> list[str]:
    lines = [f'vars.by_ssh_command = {words(command_line(service))}']
    if not service.root:
        lines.append(f'vars.by_ssh_arguments = get_check_command({string(service.command)}).arguments')
    return lines


def _service(service: Service) -> list[str]:
    conditions = ['host.vars.tablefull']
    if service.wanted:
        conditions.append(f'host.vars.{service.wanted}')
    if service.unless:
        conditions.append(f'!host.vars.{service.unless}')
    return [
        '/*',
        *wrapped(service.about, ' * '),
        *wrapped(service.why, ' * '),
        ' */',
        f'apply Service {string(service.name)} {{',
        f'\tcheck_interval = {duration(service.interval)}',
        f'\tretry_interval = {duration(service.retry)}',
        f'\tmax_check_attempts = {service.attempts}',
        f'\tnotes = {string(service.about)}',
        f'\tnotes_url = {string(service.page)}',
        '',
        '\tif (host.vars.tablefull == "nrpe") {',
        '\t\timport "tablefull-by-nrpe"',
        f'\t\tvars.nrpe_command = {string(service.remote_command)}',
        '\t} else if (host.vars.tablefull == "ssh") {',
        '\t\timport "tablefull-by-ssh"',
        *(f'\t\t{line}' for line in _by_ssh(service)),
        '\t} else if (host.vars.tablefull == "agent") {',
        f'\t\tcheck_command = {string(service.command)}',
        '\t\tcommand_endpoint = host.vars.agent_endpoint || host.name',
        '\t} else if (host.vars.tablefull == "local") {',
        f'\t\tcheck_command = {string(service.command)}',
        '\t} else {',
        # Without it a typing error would run the check on the wrong host, or on none.
        '\t\tthrow "vars.tablefull of host " + host.name + " is none of: agent, nrpe, ssh, local"',
        '\t}',
        '',
        f'\tassign where {" && ".join(conditions)}',
        '}',
        '',
    ]


def files() -> dict[str, str]:
    """Path below templates/ -> text."""
    lines = generated(HEADER, COMMENT['c']) + SHARED.splitlines() + ['']
    for service in SERVICES:
        lines += _service(service)
    lines += DEPENDENCY.splitlines()
    return {'icinga2/tablefull-services.conf': '\n'.join(lines) + '\n'}
