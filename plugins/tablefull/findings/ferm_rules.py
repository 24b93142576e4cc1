"""Are ferm's rules in the kernel? By use counts, which everybody may read; by comparing the rules, which needs root."""

from __future__ import annotations

from tablefull.findings.finding import Finding
from tablefull.findings.privilege import grant
from tablefull.readers.ferm import Configuration
from tablefull.readers.rule_traces import RuleTraces
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DRY_RUN = 'ferm --noexec --lines /etc/ferm/ferm.conf   # resolves names and runs its backticks, loads nothing'
VERIFY = 'check_ferm --verify-rules   # as root: compares the rules, and runs `ferm --noexec --lines` for it'


def verdict(traces: RuleTraces | None, configuration: Configuration) -> str:
    """What use counts prove of rules: 'gone', 'suspect', 'present' or 'unknown'.

    gone     no table that could hold a rule; or the configuration asks for states or ports, and no rule in the kernel
             does, of either back end
    suspect  the same, but it asks for them only under a condition or in a function, and its language is not interpreted
             here; or it cannot be read, and some rule once asked for states
    present  somebody's rules are there; whose, the counts do not tell
    """
    if traces is None or not traces.counted:
        return 'unknown'
    if traces.impossible:
        return 'gone'
    unused = _unused(traces, configuration)
    if unused:
        proved = configuration.followed and not unused.keys() <= set(configuration.conditional)
        return 'gone' if proved else 'suspect'
    return 'present' if traces.in_use else 'unknown'


def _unused(traces: RuleTraces, configuration: Configuration) -> dict[str, str]:
    """'states', 'ports' that the configuration asks for and no rule uses, with a sentence that says so.

    Without the configuration, what some rule once asked for.
    """
    unused = {}
    stateful, ports = configuration.stateful, configuration.ports
    if not configuration.followed:
        stateful = any(name in traces.extensions for name in ('xt_conntrack', 'xt_state'))
        ports = False
    if stateful and traces.used('xt_conntrack', 'xt_state', 'nft_ct') == 0:
        unused['states'] = 'no rule in the kernel asks for connection states (xt_conntrack: 0 uses)'
    # nftables compares ports by itself, without a module.
    if ports and traces.nftables == 0 and traces.used('xt_tcpudp', 'xt_multiport') == 0:
        unused['ports'] = 'no rule in the kernel asks for ports (xt_tcpudp: 0 uses)'
    return unused


def evidence(traces: RuleTraces | None, configuration: Configuration) -> tuple[str, ...]:
    """What the verdict rests on."""
    if traces is None or not traces.counted:
        return ()
    if traces.impossible:
        return ('no table of iptables is there, and nothing holds nf_tables',)
    unused = _unused(traces, configuration)
    reasons = tuple(unused.values())
    counts = [f'{name} {count}' for name, count in sorted(traces.extensions.items()) if count]
    if traces.nftables:
        counts.append(f'nf_tables {traces.nftables}')
    if unused and unused.keys() <= set(configuration.conditional):
        reasons += ('ferm.conf asks for it only under a condition or in a function, which are not interpreted here',)
    return (*reasons, '/proc/modules: uses by rules: ' + (', '.join(counts) or 'none'))


def gone(traces: RuleTraces | None, configuration: Configuration, user: str) -> Iterator[Finding]:
    """For a unit that says all is well: what the kernel says."""
    proof = verdict(traces, configuration)
    if proof == 'gone':
        yield Finding(
            'ferm-rules-gone',
            'critical',
            'ferm is active, but its rules are not in the kernel: the host may be open',
            evidence(traces, configuration),
            ('systemctl reload ferm   # start would do nothing: the unit is active already', VERIFY),
        )
    elif proof == 'suspect':
        yield Finding(
            'ferm-rules-suspect',
            'warning',
            'ferm is active, but no rule asks for connection states or ports any more: flushed?'
            if configuration.followed
            else 'ferm is active, but no rule looks at connection states any more: flushed?',
            evidence(traces, configuration),
            (VERIFY,) if configuration.followed else (VERIFY, grant('adm', user)),
        )
    elif proof == 'unknown':
        yield Finding(
            'ferm-rules-unseen',
            'info',
            'whether the rules are loaded cannot be seen here without root',
            ('no use counts of netfilter modules tell', *evidence(traces, configuration)),
            (VERIFY,),
        )
