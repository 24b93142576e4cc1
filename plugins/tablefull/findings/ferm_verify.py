"""--verify-rules: the rules in the kernel against those ferm makes of its configuration.

Docker, Kubernetes, fail2ban, libvirt and others add chains, and jumps to them in ferm's chains: that is how they work,
and never a fault. A fault is what ferm made and is not there any more, in the order it made it.
"""

from __future__ import annotations

from tablefull.findings.ferm_rules import DRY_RUN, VERIFY
from tablefull.findings.finding import Finding
from tablefull.findings.wording import quantity
from tablefull.readers.rulesets import Rulesets
from tablefull.readers.xtables import Chain, Key, Rule, Ruleset, same
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# Interfaces that container and virtualisation software makes, and rules for.
_VIRTUAL = ('docker', 'br-', 'virbr', 'cni', 'cali', 'flannel', 'podman', 'lxc', 'lxd', 'incus', 'veth', 'vnet', 'kube')
_RELOAD = 'systemctl reload ferm   # loads all rules anew; fail2ban and Docker have to be restarted after it'


class Difference(NamedTuple):
    """What differs in one family, seen with the back end that fits best.

    backend    'legacy' or 'nft', '' when the kernel holds nothing at all
    missing    rules and chains that are not there
    policies   (chain, expected, found)
    reordered  chains whose rules are all there in another order
    opened     rules that accept in ferm's chains of the filter table, and nobody known made them
    others     rules that others added, in ferm's chains and in their own
    """

    backend: str
    missing: tuple[str, ...] = ()
    policies: tuple[tuple[str, str, str], ...] = ()
    reordered: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()
    others: int = 0

    @property
    def weight(self) -> tuple[int, int]:
        """How much is wrong, to choose the back end by."""
        return (len(self.missing) + len(self.policies), len(self.reordered))


def count_rules(rulesets: Rulesets) -> int:
    """Rules in the kernel, of both back ends and both families."""
    return sum(len(chain.rules) for loaded in rulesets.loaded.values() for chain in loaded.values())


def judge(rulesets: Rulesets, outdated: bool = False, inactive: bool = False) -> Iterator[Finding]:
    """Compare, family by family.

    outdated  the kernel is known to hold the rules of an earlier configuration
    inactive  ferm is not meant to have loaded any: what is missing only explains the finding about its unit
    """
    differences = []
    for family in ('ip', 'ip6'):
        expected = {key: chain for key, chain in rulesets.expected.items() if key[0] == family}
        if expected:
            candidates = [_difference(expected, loaded, name) for name, loaded in rulesets.loaded.items()]
            differences.append(min(candidates, key=lambda candidate: candidate.weight, default=Difference('')))
    source = f'compared with {rulesets.source}'
    missing = [text for difference in differences for text in difference.missing]
    total = sum(len(chain.rules) for chain in rulesets.expected.values())
    if missing:
        yield Finding(
            'ferm-rules-missing',
            'info' if inactive else 'warning' if outdated and len(missing) < total else 'critical',
            f'none of the {quantity(total, "rule")} that ferm makes is in the kernel'
            if len(missing) >= total
            else f'{len(missing)} of {quantity(total, "rule")} that ferm makes missing from the kernel',
            (*missing[:10], *_more(missing), source),
            # Only an active unit can be reloaded.
            () if inactive else (_RELOAD,),
        )
    for finding in _policies(differences, source):
        if inactive:
            yield finding._replace(severity='info', remedy=())
        elif outdated and len(missing) < total and finding.severity == 'critical':
            yield finding._replace(severity='warning')
        else:
            yield finding
    reordered = [text for difference in differences for text in difference.reordered]
    if reordered:
        yield Finding(
            'ferm-rules-reordered',
            'warning',
            f'the rules of {reordered[0]} are in another order than ferm makes them',
            (*reordered, source),
            (_RELOAD,),
        )
    opened = [text for difference in differences for text in difference.opened]
    if opened:
        yield Finding(
            'ferm-rules-added',
            'warning',
            f'{quantity(len(opened), "rule")} that ferm did not make let packets in',
            (*opened[:10], *_more(opened)),
            ('write them into /etc/ferm, or remove them: the next reload of ferm removes them as well',),
        )
    others = sum(difference.others for difference in differences)
    if others:
        yield Finding(
            'ferm-rules-of-others',
            'info',
            f'{quantity(others, "rule")} of other programs beside those of ferm; a reload of ferm removes them',
        )


def broken(reason: str) -> Finding:
    """ferm does not understand its configuration."""
    return Finding(
        'ferm-configuration-broken',
        'warning',
        f'the next start of ferm will fail: {reason}',
        (reason,),
        (DRY_RUN,),
    )


def unverified(reason: str, permission: bool, user: str) -> Finding:
    """--verify-rules was asked for and could not be done."""
    sudo = f'{user} ALL=(root) NOPASSWD: /usr/lib/nagios/plugins/check_ferm --verify-rules'
    return Finding(
        'ferm-rules-unverified',
        'unknown',
        'the rules could not be compared with those ferm makes',
        (reason,),
        (f'in /etc/sudoers.d/tablefull: {sudo}',) if permission else (VERIFY,),
    )


def unlisted(reason: str, modules: tuple[str, ...]) -> Finding:
    """The rules were not listed, for that could have loaded these modules."""
    names = ' '.join(modules)
    return Finding(
        'ferm-rules-unverified',
        'unknown',
        'the rules were not compared: listing those of nftables could load modules',
        (reason,),
        (
            f'modprobe -a {names}   # once they are there, the check compares; none of them tracks connections',
            f'iptables-nft-save > FILE   # by hand: may load {names}',
        ),
    )


def _policies(differences: list[Difference], source: str) -> Iterator[Finding]:
    policies = [change for difference in differences for change in difference.policies]
    if not policies:
        return
    # A stricter policy closes what ought to be open; Docker sets one on FORWARD, on purpose.
    opened = [change for change in policies if change[2] == 'ACCEPT']
    docker = not opened and all(where.endswith(' FORWARD') for where, _, _ in policies)
    where, expected, found = (opened or policies)[0]
    yield Finding(
        'ferm-policy-differs',
        'critical' if opened else 'info' if docker else 'warning',
        f'the policy of {where} is {found}, ferm makes it {expected}',
        (*(f'{where}: {found} instead of {expected}' for where, expected, found in policies), source),
        (_RELOAD,),
    )


def _more(texts: list[str]) -> tuple[str, ...]:
    return (f'and {len(texts) - 10} more',) if len(texts) > 10 else ()


def _difference(expected: Ruleset, loaded: Ruleset, backend: str) -> Difference:
    missing: list[str] = []
    policies: list[tuple[str, str, str]] = []
    reordered: list[str] = []
    opened: list[str] = []
    others = 0
    family = next(iter(expected))[0]
    for key, chain in expected.items():
        found = loaded.get(key)
        where = _where(key)
        if found is None and not chain.policy:
            missing.append(f'{where}: the chain itself')
        # A chain that is not there lets everything pass, as one with an empty policy does.
        policy = found.policy if found is not None else 'ACCEPT'
        if chain.policy and policy != chain.policy:
            policies.append((where, chain.policy, policy))
        absent, added, ordered = _match(chain, found or Chain('', ()))
        missing += [f'{where}: {rule.text}' for rule in absent]
        if not ordered:
            reordered.append(where)
        opening = [rule for rule in added if _opens(key, rule)]
        opened += [f'{where}: {rule.text}' for rule in opening]
        others += len(added) - len(opening)
    others += sum(len(chain.rules) for key, chain in loaded.items() if key[0] == family and key not in expected)
    return Difference(backend, tuple(missing), tuple(policies), tuple(reordered), tuple(opened), others)


def _where(key: Key) -> str:
    family, table, chain = key
    return f'{"IPv6" if family == "ip6" else "IPv4"} {table} {chain}'


def _match(wanted: Chain, found: Chain) -> tuple[list[Rule], list[Rule], bool]:
    """(rules not found, rules found beside the wanted ones, whether the wanted ones stand in their order)."""
    absent, places = [], []
    free = dict(enumerate(found.rules))
    # Lists of thousands of addresses are common: looked up by core, and searched only for what cannot be.
    by_core: dict[object, list[int]] = {}
    for place, other in free.items():
        by_core.setdefault(other.core, []).append(place)
    last = -1
    for rule in wanted.rules:
        alike = [place for place in by_core.get(rule.core, ()) if place in free]
        if not alike and rule.vague:
            alike = [place for place, other in free.items() if same(rule, other)]
        if not alike:
            absent.append(rule)
            continue
        # Behind the one before if there is such a twin, so that added duplicates do not look like another order.
        last = next((place for place in alike if place > last), alike[0])
        del free[last]
        places.append(last)
    return absent, list(free.values()), places == sorted(places)


def _opens(key: Key, rule: Rule) -> bool:
    """Whether a rule somebody added lets packets in that ferm's rules may not: an ACCEPT not bound to a bridge."""
    if key[1] != 'filter' or rule.target != 'ACCEPT':
        return False
    interfaces = [values[0] for name, _, values in rule.core if name in ('in', 'out') and values]
    foreign = any(interface.startswith(_VIRTUAL) for interface in interfaces)
    return not foreign and 'kube' not in rule.text and 'cali:' not in rule.text
