"""One spelling for the values of rules: services, protocols, addresses, connection states."""

from __future__ import annotations

Values = tuple[str, ...]

# A captured tree has no /etc/services, and small containers neither: the names firewalls use most.
SERVICES = {
    'ftp-data': '20',
    'ftp': '21',
    'ssh': '22',
    'telnet': '23',
    'smtp': '25',
    'domain': '53',
    'bootps': '67',
    'bootpc': '68',
    'tftp': '69',
    'http': '80',
    'www': '80',
    'pop3': '110',
    'sunrpc': '111',
    'auth': '113',
    'nntp': '119',
    'ntp': '123',
    'imap2': '143',
    'imap': '143',
    'snmp': '161',
    'snmp-trap': '162',
    'bgp': '179',
    'ldap': '389',
    'https': '443',
    'submissions': '465',
    'isakmp': '500',
    'syslog': '514',
    'submission': '587',
    'ldaps': '636',
    'rsync': '873',
    'imaps': '993',
    'pop3s': '995',
    'openvpn': '1194',
    'nfs': '2049',
    'mysql': '3306',
    'ipsec-nat-t': '4500',
    'postgresql': '5432',
    'nrpe': '5666',
    'munin': '4949',
    'zabbix-agent': '10050',
    'zabbix-trapper': '10051',
}

_PROTOCOLS = {
    '0': 'all',
    '1': 'icmp',
    '2': 'igmp',
    '6': 'tcp',
    '17': 'udp',
    '33': 'dccp',
    '47': 'gre',
    '50': 'esp',
    '51': 'ah',
    '58': 'ipv6-icmp',
    'icmpv6': 'ipv6-icmp',
    '88': 'eigrp',
    '89': 'ospf',
    'ospfigp': 'ospf',
    '103': 'pim',
    '112': 'vrrp',
    '132': 'sctp',
    '136': 'udplite',
}


def parse_services(text: str) -> dict[str, str]:
    """/etc/services: names and aliases with their port numbers, over the ones known here. Other lines are passed over.

    Not getservbyname(3), which may ask the network.
    """
    services = dict(SERVICES)
    for line in text.splitlines():
        words = line.partition('#')[0].split()
        port = words[1].partition('/')[0] if len(words) > 1 else ''
        if port.isascii() and port.isdigit():
            services.update(dict.fromkeys([words[0], *words[2:]], port))
    return services


def core_values(name: str, values: list[str], services: dict[str, str]) -> Values | None:
    """The values of one option of a rule's core in one spelling; None when nobody can compare them."""
    if name == 'protocol':
        words = [value.lower() for value in values]
        return tuple(_PROTOCOLS.get(word, word) for word in words)
    if name in ('dport', 'sport', 'port'):
        ports = [_ports(port, services) for value in values for port in value.split(',')]
        return None if None in ports else tuple(port for port in ports if port is not None)
    if name in ('source', 'destination'):
        return _address(values[0]) if len(values) == 1 else None
    if name == 'state':
        return tuple(sorted({state.upper() for value in values for state in value.split(',')}))
    return tuple(values)


def _ports(text: str, services: dict[str, str]) -> str | None:
    """'ssh' as '22', '1024:' as '1024:65535'; None for a service nobody here knows."""
    if ':' not in text:
        return _port(text, services)
    first, _, last = text.partition(':')
    low, high = _port(first or '0', services), _port(last or '65535', services)
    return None if low is None or high is None else f'{low}:{high}'


def _port(text: str, services: dict[str, str]) -> str | None:
    if text.isascii() and text.isdigit() and len(text) < 6:
        return str(int(text))
    return services.get(text)


def _address(text: str) -> Values | None:
    """A network as the kernel lists it: '10.9.8.7/8' as '10.0.0.0/8'; None for the name of a host."""
    import ipaddress

    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    return ('everywhere',) if network.prefixlen == 0 else (str(network),)
