"""A real ferm, both back ends of iptables, real rules: each test in a network namespace of its own. Needs root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.system.namespaces import NOBODY, interpreter

PLUGINS = Path(__file__).parents[2] / 'plugins'

GOOD = """\
domain (ip ip6) {
    table raw {
        chain PREROUTING proto udp dport domain NOTRACK;
        chain OUTPUT proto udp sport domain NOTRACK;
    }
    table filter {
        chain INPUT {
            policy DROP;
            mod state state INVALID DROP;
            mod state state (ESTABLISHED RELATED) ACCEPT;
            interface lo ACCEPT;
            proto udp dport domain ACCEPT;
            proto tcp dport (ssh http https) ACCEPT;
            proto tcp mod multiport destination-ports (smtp 1000:1010) mod comment comment "it's mail" ACCEPT;
            proto tcp dport 8080 mod limit limit 3/minute LOG log-prefix "a b: ";
            jump refuse;
        }
        chain refuse { proto tcp REJECT reject-with tcp-reset; DROP; }
        chain OUTPUT policy ACCEPT;
        chain FORWARD policy DROP;
    }
}
domain ip table filter chain FORWARD saddr (10.1.2.3/8 192.0.2.1) daddr ! 198.51.100.0/255.255.255.0 ACCEPT;
domain ip6 table filter chain FORWARD saddr FE80:0:0::/10 DROP;
domain ip table nat chain POSTROUTING outerface eth0 saddr 10.0.0.0/8 MASQUERADE;
"""

# Inside the namespaces: /etc/ferm is ours, and for nft the tools of the old back end are out of sight.
SETUP = """\
set -e
mount -t tmpfs none /etc/ferm
cp "$1" /etc/ferm/ferm.conf
if [ "$2" = nft ]; then
    for tool in iptables ip6tables; do
        for suffix in '' -save -restore; do mount --bind /bin/false /usr/sbin/$tool-legacy$suffix; done
    done
    mkdir /etc/ferm/bin
    sed "s/-legacy'/-nft'/" /usr/sbin/ferm > /etc/ferm/bin/ferm
    chmod 755 /etc/ferm/bin/ferm
    mount --bind /etc/ferm/bin/ferm /usr/sbin/ferm
fi
ferm /etc/ferm/ferm.conf
"""


@pytest.fixture(scope='module', autouse=True)
def tools() -> None:
    if os.geteuid():
        pytest.fail('needs root: make test-system')
    for name in ('ferm', 'unshare', 'iptables-legacy-save', 'iptables-nft-save'):
        if shutil.which(name) is None:
            pytest.fail(f'needs {name}: apt-get install ferm iptables nftables util-linux')


def verify(tmp_path: Path, backend: str, meddling: str = '', configuration: str = GOOD) -> dict[str, Any]:
    """Load the configuration with a real ferm, do what `meddling` says, and let the check compare."""
    (tmp_path / 'ferm.conf').write_text(configuration)
    script = SETUP + meddling.replace('iptables ', f'iptables-{backend} ').replace(
        'ip6tables ', f'ip6tables-{backend} '
    )
    script += f'\nexec "{sys.executable}" -c "import check_ferm; check_ferm.main()" --verify-rules --output json\n'
    command = ['unshare', '--net', '--mount', 'sh', '-c', script, 'sh', str(tmp_path / 'ferm.conf'), backend]
    environment = {**os.environ, 'PYTHONPATH': str(PLUGINS)}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert not ran.stderr, ran.stderr
    report = json.loads(ran.stdout)
    assert report['exit_code'] == ran.returncode
    # No systemd here, or one that knows nothing of this namespace: the rules are what these tests are about.
    report['codes'] = {
        f['code']: f['severity'] for f in report['findings'] if f['code'].startswith(('ferm-rules', 'ferm-pol'))
    }
    return dict(report)


BACKENDS = pytest.mark.parametrize('backend', ['legacy', 'nft'])


@BACKENDS
def test_what_ferm_loaded_is_recognised(tmp_path: Path, backend: str) -> None:
    report = verify(tmp_path, backend)
    assert report['codes'] == {}
    assert report['metrics']['rules'] == 32


@BACKENDS
def test_a_deleted_rule_is_found_missing(tmp_path: Path, backend: str) -> None:
    report = verify(tmp_path, backend, 'ip6tables -D INPUT -p tcp --dport 22 -j ACCEPT')
    assert report['codes'] == {'ferm-rules-missing': 'critical'}
    missing = next(f for f in report['findings'] if f['code'] == 'ferm-rules-missing')
    assert missing['evidence'][0] == 'IPv6 filter INPUT: -A INPUT --protocol tcp --dport ssh --jump ACCEPT'


@BACKENDS
def test_flushed_rules_and_an_opened_policy_are_critical(tmp_path: Path, backend: str) -> None:
    report = verify(tmp_path, backend, 'iptables -F; iptables -P INPUT ACCEPT')
    assert report['exit_code'] == 2
    assert report['codes'] == {'ferm-rules-missing': 'critical', 'ferm-policy-differs': 'critical'}


@BACKENDS
def test_an_accept_by_hand_is_a_warning(tmp_path: Path, backend: str) -> None:
    report = verify(tmp_path, backend, 'iptables -I INPUT -s 203.0.113.0/24 -j ACCEPT')
    assert report['codes'] == {'ferm-rules-added': 'warning'}


@BACKENDS
def test_rules_in_another_order_are_a_warning(tmp_path: Path, backend: str) -> None:
    report = verify(tmp_path, backend, 'iptables -D INPUT -i lo -j ACCEPT; iptables -A INPUT -i lo -j ACCEPT')
    assert report['codes'] == {'ferm-rules-reordered': 'warning'}


@BACKENDS
def test_fail2ban_and_docker_are_tolerated(tmp_path: Path, backend: str) -> None:
    report = verify(
        tmp_path,
        backend,
        'iptables -N f2b-sshd; iptables -A f2b-sshd -s 192.0.2.9 -j REJECT; iptables -A f2b-sshd -j RETURN;'
        'iptables -I INPUT -p tcp -m multiport --dports 22 -j f2b-sshd;'
        'iptables -N DOCKER; iptables -I FORWARD -j DOCKER; iptables -t nat -N DOCKER;'
        'iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT;'
        'iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE;'
        'iptables -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT',
    )
    assert report['codes'] == {'ferm-rules-of-others': 'info'}


def test_rules_of_docker_in_the_other_back_end_are_tolerated(tmp_path: Path) -> None:
    meddling = '/usr/sbin/iptables-nft -N DOCKER\n/usr/sbin/iptables-nft -I FORWARD -j DOCKER'
    assert verify(tmp_path, 'legacy', meddling)['codes'] == {}


def test_a_configuration_ferm_does_not_understand_is_told_before_the_next_boot(tmp_path: Path) -> None:
    report = verify(tmp_path, 'legacy', "sed -i 's/dport (ssh/dportt (ssh/' /etc/ferm/ferm.conf")
    broken = next(f for f in report['findings'] if f['code'] == 'ferm-configuration-broken')
    assert 'Unrecognized keyword: dportt' in broken['summary']


def test_looking_creates_no_table_in_a_fresh_namespace(tmp_path: Path) -> None:
    script = (
        f'"{sys.executable}" -c "import check_ferm; check_ferm.main()" --verify-rules >/dev/null;'
        'cat /proc/net/ip_tables_names /proc/net/ip6_tables_names; nft list tables'
    )
    environment = {**os.environ, 'PYTHONPATH': str(PLUGINS)}
    ran = subprocess.run(['unshare', '--net', 'sh', '-c', script], capture_output=True, text=True, env=environment)
    assert (ran.stdout, ran.stderr) == ('', '')


def test_nobody_gets_a_verdict_and_the_lines_that_grant_the_rest(tmp_path: Path) -> None:
    command = [*interpreter(NOBODY), '-c', 'import check_ferm; check_ferm.main()', '--verify-rules', '--output', 'json']
    ran = subprocess.run(command, capture_output=True, text=True, user=NOBODY, group=NOBODY, extra_groups=[], cwd='/')
    report = json.loads(ran.stdout)
    findings = {finding['code']: finding for finding in report['findings']}
    assert ran.stderr == ''
    assert 'NOPASSWD' in findings['ferm-rules-unverified']['remedy'][0]
    assert 'usermod' in findings['ferm-configuration-unreadable']['remedy'][0]
