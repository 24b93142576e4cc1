"""What the modules of netfilter are for, by name, from Linux 2.6.18 to 6.19.

A name alone says what somebody wanted when it was loaded. Modules that are not in the table but depend on one that is
(openvswitch, ip_vs, act_ct of a kernel where they do, anything out of tree) are recognised by /proc/modules itself.
Source: the files below net/ in the trees of the kernels.
"""

from __future__ import annotations

# The module that tracks, whatever else there is. ip_conntrack until 2.6.2x.
TRACKERS = ('nf_conntrack', 'ip_conntrack')

# Loading one of these starts tracking in every network namespace at once, rule or no rule, up to 4.9.
TRACKING_FAMILIES = ('ip_conntrack', 'nf_conntrack_ipv4', 'nf_conntrack_ipv6')

_CONNTRACK = """
    ip_conntrack nf_conntrack nf_conntrack_ipv4 nf_conntrack_ipv6
    ip_conntrack_netlink nf_conntrack_netlink nfnetlink_cttimeout nfnetlink_cthelper nf_conntrack_timeout
    ip_conntrack_proto_sctp nf_conntrack_proto_sctp nf_conntrack_proto_dccp nf_conntrack_proto_gre
    nf_conntrack_proto_udplite nf_conntrack_bridge nf_conncount nf_synproxy_core
    nf_flow_table nf_flow_table_ipv4 nf_flow_table_ipv6 nf_flow_table_inet
    ipt_state ipt_conntrack ipt_connmark ipt_CONNMARK ipt_connbytes ipt_helper ipt_NOTRACK ipt_CLUSTERIP
    ipt_SYNPROXY ip6t_SYNPROXY
    xt_state xt_conntrack xt_connmark xt_CONNMARK xt_connbytes xt_connlimit xt_connlabel xt_helper xt_NOTRACK xt_CT
    xt_CONNSECMARK xt_cluster
    nft_ct nft_connlimit nft_synproxy nft_flow_offload nf_flow_table_offload
    act_connmark act_ct
"""

_NAT = """
    ip_nat nf_nat nf_nat_ipv4 nf_nat_ipv6 nf_nat_redirect nf_nat_masquerade_ipv4 nf_nat_masquerade_ipv6
    nf_nat_proto_dccp nf_nat_proto_gre nf_nat_proto_sctp nf_nat_proto_udplite ip_nat_proto_gre
    iptable_nat ip6table_nat
    ipt_MASQUERADE ip6t_MASQUERADE xt_MASQUERADE ipt_REDIRECT xt_REDIRECT ipt_NETMAP xt_NETMAP ipt_SAME
    xt_nat nft_chain_nat nft_chain_nat_ipv4 nft_chain_nat_ipv6 nft_nat
    nft_masq nft_masq_ipv4 nft_masq_ipv6 nft_redir nft_redir_ipv4 nft_redir_ipv6
"""

# Tables and families of tables. ip_tables, x_tables and nf_tables are their engines: systemd loads the first two at
# boot, `nft --version` the third, and neither is a sign of anything.
_TABLE = """
    iptable_filter iptable_mangle iptable_raw iptable_security
    ip6table_filter ip6table_mangle ip6table_raw ip6table_security
    arptable_filter ebtable_filter ebtable_nat ebtable_broute
    nf_tables_ipv4 nf_tables_ipv6 nf_tables_inet nf_tables_arp nf_tables_bridge nf_tables_netdev
    nft_chain_route_ipv4 nft_chain_route_ipv6
"""

_HELPED = 'amanda ftp h323 irc netbios_ns pptp sane sip snmp snmp_basic tftp broadcast'

CLASSES: dict[str, str] = {
    **dict.fromkeys(_CONNTRACK.split(), 'conntrack'),
    **dict.fromkeys(_NAT.split(), 'nat'),
    **dict.fromkeys(_TABLE.split(), 'table'),
    **{f'{stack}_conntrack_{name}': 'helper' for stack in ('nf', 'ip') for name in _HELPED.split()},
    # They rewrite addresses inside the payload, for NAT only.
    **{f'{stack}_nat_{name}': 'nat' for stack in ('nf', 'ip') for name in _HELPED.split()},
}

# What may have loaded such modules with good reason: name -> modules and files that show it.
OWNERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    'Docker': ((), ('/run/docker.sock', '/sys/class/net/docker0')),
    'Kubernetes': ((), ('/var/lib/kubelet', '/var/lib/rancher')),
    'firewalld': ((), ('/etc/systemd/system/multi-user.target.wants/firewalld.service',)),
    'libvirt': ((), ('/sys/class/net/virbr0',)),
    'Open vSwitch': (('openvswitch',), ()),
    'IPVS': (('ip_vs',), ()),
}
