"""Rules in the kernel against those ferm makes: what is missing is a fault, what others add is not."""

from __future__ import annotations

from tablefull.findings.ferm_verify import count_rules, judge, unlisted, unverified
from tablefull.readers.rulesets import Rulesets
from tablefull.readers.xtables import parse_rules

EXPECTED = """\
*filter
:FORWARD DROP [0:0]
:INPUT DROP [0:0]
:OUTPUT ACCEPT [0:0]
:log_drop - [0:0]
-A INPUT --match state --state ESTABLISHED,RELATED --jump ACCEPT
-A INPUT --in-interface lo --jump ACCEPT
-A INPUT --protocol tcp --dport ssh --jump ACCEPT
-A INPUT --jump log_drop
-A log_drop --jump LOG
-A log_drop --jump DROP
COMMIT
"""
LOADED = """\
*filter
:INPUT DROP [3:180]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:log_drop - [0:0]
[9:540] -A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
[0:0] -A INPUT -i lo -j ACCEPT
[0:0] -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
[0:0] -A INPUT -j log_drop
[0:0] -A log_drop -j LOG
[0:0] -A log_drop -j DROP
COMMIT
"""


def codes(loaded: str, legacy: str = '', family: str = 'ip') -> dict[str, str]:
    """Findings of `loaded` in the nft back end and `legacy` in the other: code -> severity."""
    rulesets = Rulesets(
        parse_rules(EXPECTED, family, 'ferm'),
        'ferm --noexec --lines',
        {'legacy': parse_rules(legacy, family, 'x'), 'nft': parse_rules(loaded, family, 'x')},
    )
    return {finding.code: finding.severity for finding in judge(rulesets)}


def test_the_rules_of_ferm_are_recognised_in_either_back_end_and_family() -> None:
    assert codes(LOADED) == codes('', LOADED) == codes(LOADED, family='ip6') == {}


def test_a_rule_that_is_gone_is_critical() -> None:
    assert codes(LOADED.replace('[0:0] -A INPUT -j log_drop\n', '')) == {'ferm-rules-missing': 'critical'}


def test_nothing_at_all_is_critical_in_rules_and_policies() -> None:
    assert codes('') == {'ferm-rules-missing': 'critical', 'ferm-policy-differs': 'critical'}


def test_an_opened_policy_is_critical_and_a_stricter_one_a_warning() -> None:
    assert codes(LOADED.replace(':INPUT DROP', ':INPUT ACCEPT')) == {'ferm-policy-differs': 'critical'}
    assert codes(LOADED.replace(':OUTPUT ACCEPT', ':OUTPUT DROP')) == {'ferm-policy-differs': 'warning'}


def test_another_order_is_a_warning() -> None:
    lines = LOADED.splitlines(keepends=True)
    lines[5], lines[8] = lines[8], lines[5]
    assert codes(''.join(lines)) == {'ferm-rules-reordered': 'warning'}


def test_an_accept_that_nobody_known_made_is_a_warning() -> None:
    assert codes(LOADED.replace('[9:540]', '-A INPUT -j ACCEPT\n[9:540]')) == {'ferm-rules-added': 'warning'}


def test_fail2ban_is_tolerated() -> None:
    added = ':f2b-sshd - [0:0]\n-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd\n'
    added += '-A f2b-sshd -s 192.0.2.1/32 -j REJECT --reject-with icmp-port-unreachable\n-A f2b-sshd -j RETURN\n'
    assert codes(LOADED.replace('[9:540]', added + '[9:540]')) == {'ferm-rules-of-others': 'info'}


def test_docker_kubernetes_and_libvirt_are_tolerated() -> None:
    added = ''.join(f':{chain} - [0:0]\n' for chain in ('DOCKER', 'DOCKER-USER', 'KUBE-FIREWALL', 'LIBVIRT_INP'))
    added += """\
-A INPUT -j LIBVIRT_INP
-A INPUT -i virbr0 -p udp -m udp --dport 53 -j ACCEPT
-A INPUT -m comment --comment "kubernetes health check" -j ACCEPT
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i br-0123456789ab ! -o br-0123456789ab -j ACCEPT
-A FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j ACCEPT
-A DOCKER-USER -j RETURN
-A KUBE-FIREWALL -j DROP
"""
    nat = '*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\nCOMMIT\n'
    assert codes(LOADED.replace('[9:540]', added + '[9:540]') + nat) == {'ferm-rules-of-others': 'info'}


def test_the_policy_docker_sets_on_forward_is_no_fault() -> None:
    expected = EXPECTED.replace(':FORWARD DROP', ':FORWARD ACCEPT')
    rulesets = Rulesets(parse_rules(expected, 'ip', 'x'), 'x', {'nft': parse_rules(LOADED, 'ip', 'x')})
    assert {finding.severity for finding in judge(rulesets)} == {'info'}


def test_rules_of_the_other_back_end_beside_those_of_ferm_do_not_count_as_missing() -> None:
    docker = '*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j DOCKER\nCOMMIT\n'
    assert codes(docker, LOADED) == {}


def test_the_number_of_rules_is_that_of_the_kernel() -> None:
    rules = parse_rules(LOADED, 'ip', 'x')
    assert count_rules(Rulesets({}, 'x', {'legacy': rules, 'nft': rules})) == 12


def test_what_could_not_be_compared_is_unknown_and_names_the_line_that_grants_it() -> None:
    finding = unverified('only root may list the rules', permission=True, user='icinga')
    assert finding.severity == 'unknown'
    assert 'icinga ALL=(root) NOPASSWD: /usr/lib/nagios/plugins/check_ferm --verify-rules' in finding.remedy[0]


def test_what_was_not_listed_names_the_modules_it_would_have_loaded() -> None:
    finding = unlisted('iptables-nft-save: not run, for it could load xt_mark, xt_hl', ('xt_mark', 'xt_hl'))
    assert (finding.code, finding.severity) == ('ferm-rules-unverified', 'unknown')
    assert finding.remedy[0].startswith('modprobe -a xt_mark xt_hl ')
    assert finding.remedy[1] == 'iptables-nft-save > FILE   # by hand: may load xt_mark xt_hl'


def test_rules_missing_because_their_configuration_was_never_loaded_are_a_warning() -> None:
    loaded = parse_rules(LOADED.replace('[0:0] -A INPUT -j log_drop\n', ''), 'ip', 'x')
    rulesets = Rulesets(parse_rules(EXPECTED, 'ip', 'x'), 'x', {'legacy': loaded})
    assert [finding.severity for finding in judge(rulesets, outdated=True)] == ['warning']
    nothing = Rulesets(parse_rules(EXPECTED, 'ip', 'x'), 'x', {'legacy': {}})
    assert {finding.severity for finding in judge(nothing, outdated=True)} == {'critical'}


def test_thousands_of_addresses_are_compared_without_searching_for_each() -> None:
    def table(address: str, count: int = 3000) -> str:
        rules = (f'-A INPUT {address.format(number // 256, number % 256)} -j DROP\n' for number in range(count))
        return '*filter\n:INPUT DROP [0:0]\n' + ''.join(rules) + 'COMMIT\n'

    loaded = {'legacy': parse_rules(table('-s 10.0.{}.{}/32'), 'ip', 'x')}
    assert not list(judge(Rulesets(parse_rules(table('--source 10.0.{}.{}'), 'ip', 'x'), 'x', loaded)))


def test_duplicates_are_counted() -> None:
    twice = LOADED.replace('[0:0] -A INPUT -i lo -j ACCEPT\n', '[0:0] -A INPUT -i lo -j ACCEPT\n' * 2)
    rulesets = Rulesets(parse_rules(twice, 'ip', 'x'), 'x', {'legacy': parse_rules(LOADED, 'ip', 'x')})
    assert [finding.code for finding in judge(rulesets)] == ['ferm-rules-missing']
