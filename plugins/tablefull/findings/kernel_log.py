"""Rules of the kernel log: what each message means, and what the log could not tell."""

from __future__ import annotations

from tablefull.findings.finding import Finding
from tablefull.findings.wording import duration, quantity
from tablefull.readers.files import ReadError
from tablefull.readers.kernel_log import Event, KernelLog
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Rule(NamedTuple):
    """What a kind of message is worth.

    code      of the finding
    severity  unless the user raises it by a threshold
    says      the sentence, with {where} and {times}; nothing of the log is ever a format
    remedy    first steps by hand
    """

    code: str
    severity: str
    says: str
    remedy: tuple[str, ...]


SUPPRESSED = 'callbacks-suppressed'

# Kind of message -> rule, in the order of the perfdata. Where another check proves the same thing, it is the same code.
RULES = {
    'conntrack-table-full': Rule(
        'conntrack-table-full',
        'critical',
        'connection tracking table full{where} {times}: packets refused',
        (
            'sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max  # is it this namespace?',
            'lsns -t net  # if not: nsenter -t PID -n sysctl net.netfilter.nf_conntrack_count',
        ),
    ),
    'conntrack-expectation-table-full': Rule(
        'conntrack-expectation-table-full',
        'warning',
        'table of expected connections (FTP, SIP) full {times}',
        ('sysctl net.netfilter.nf_conntrack_expect_max',),
    ),
    'neighbour-table-overflow': Rule(
        'neighbour-table-full',
        'critical',
        'neighbour table overflow{where} {times}: new neighbours refused',
        (
            'ip route show default; ip -6 route show default  # a gateway that is no gateway?',
            'ip -s ntable show name arp_cache',
        ),
    ),
    'route-cache-full': Rule(
        'route-cache-full',
        'critical',
        'route cache full {times}: packets refused',
        ('sysctl net.ipv4.route.max_size net.ipv6.route.max_size',),
    ),
    'xtables-rejection': Rule(
        'xtables-rejection',
        'warning',
        'the kernel rejected a firewall rule{where}',
        ('systemctl status ferm  # or whatever loads the firewall: did it stop half-way?',),
    ),
    'conntrack-helper-unassigned': Rule(
        'conntrack-helper-unassigned',
        'info',
        'connections of a helper (FTP, SIP) pass without it: no rule assigns helpers {times}',
        ('grep -rn -e --helper -e "helper " /etc/ferm /etc/iptables /etc/nftables.conf  # assigned anywhere?',),
    ),
    'conntrack-loaded': Rule(
        'conntrack-loaded', 'info', 'connection tracking was loaded {times}', ('check_conntrack_modules',)
    ),
}
# The last kernel whose /dev/kmsg can only be written to.
_CLOSED = (3, 4)
_FAMILIES = {'arp_cache': 'IPv4', 'ndisc_cache': 'IPv6'}


def label(kind: str) -> str:
    """Perfdata label of a kind of message: its finding code with underscores."""
    return RULES[kind].code.replace('-', '_')


def kinds_of(codes: tuple[str, ...] | None) -> tuple[str, ...]:
    """The kinds of message behind finding codes; all of them without any."""
    return tuple(kind for kind, rule in RULES.items() if not codes or rule.code in codes)


def may_hide(function: str, kind: str) -> bool:
    """Whether a rate limit that names `function` may have suppressed messages of `kind`."""
    if function in ('printk', '__ratelimit'):  # one for everything, up to 2.6.32
        return True
    if kind == 'xtables-rejection':  # a limit for each place in the code
        return function.startswith(('xt_', 'set_', 'ipt_', 'ip6t_'))
    if kind == 'route-cache-full':
        return function in ('dst_alloc', 'net_ratelimit')
    return function == 'net_ratelimit' and kind not in ('conntrack-loaded', 'conntrack-helper-unassigned')


def suppressed(events: tuple[Event, ...]) -> int:
    """Messages the kernel says it did not print."""
    return sum(event.count for event in events if event.code == SUPPRESSED)


class Seen(NamedTuple):
    """What was read, and how it is to be judged.

    log               the log, its events those to be told
    since             seconds that were looked at
    raised            number of lines -> severity the user's thresholds give it, None within them
    names_namespaces  this kernel names the namespace of a full table, unless it is the first one (6.17)
    wanted            the kinds of message to tell
    """

    log: KernelLog
    since: float
    raised: Callable[[int], str | None]
    names_namespaces: bool = False
    wanted: tuple[str, ...] = tuple(RULES)

    @property
    def kinds(self) -> list[str]:
        """The wanted kinds of message seen, in the order of the perfdata."""
        return [kind for kind in RULES if kind in self.wanted and self.of(kind)]

    def of(self, kind: str) -> tuple[Event, ...]:
        """The events of one kind, oldest first."""
        return tuple(event for event in self.log.events if event.code == kind)


def judge(seen: Seen) -> Iterator[Finding]:
    """One finding for each kind of message; suppressed messages are added to the kind they must have been."""
    hidden = dict.fromkeys(RULES, 0)
    unexplained: list[Event] = []
    present = {event.code for event in seen.log.events}
    for event in seen.of(SUPPRESSED):
        kinds = [kind for kind in RULES if kind in present and may_hide(event.subject, kind)]
        if len(kinds) == 1:
            hidden[kinds[0]] += event.count
        elif not kinds:
            unexplained.append(event)
        # Of several kinds under one limit nobody knows which was suppressed; their own lines tell enough.
    for kind in seen.kinds:
        yield _finding(seen, kind, hidden[kind])
    if unexplained:
        # A hint, never more. On kernels 3.6 to 4.2 it is all that a neighbour overflow leaves in the log.
        yield Finding(
            'kernel-log-suppressed',
            'info',
            f'{quantity(sum(event.count for event in unexplained), "kernel message")} suppressed in '
            f'{duration(seen.since)}, and the log does not tell which',
            (unexplained[-1].text,),
            ('check_conntrack; check_neighbour  # counters know what the log left out',),
        )


def _finding(seen: Seen, kind: str, hidden: int) -> Finding:
    rule, events = RULES[kind], seen.of(kind)
    # The kernel prints 10 lines in 5 s, and a summary only when something is printed later: lines are a lower bound.
    lines = sum(event.count for event in events)
    total = lines + hidden
    times = f'at least {total} times' if total > 1 else 'once or more' if rule.severity != 'info' else 'once'
    amount = quantity(lines, 'line') + (f' and {hidden} suppressed' if hidden else '')
    last = events[-1]
    evidence = [last.text, f'{amount}, the last {duration(max(0.0, seen.log.age(last)))} ago']
    evidence += [text for text in dict.fromkeys(event.text for event in reversed(events)) if text != last.text][:4]
    if kind in ('conntrack-table-full', 'conntrack-expectation-table-full', 'xtables-rejection'):
        evidence.append(_namespaces(events, seen.names_namespaces and kind == 'conntrack-table-full'))
    severities = (rule.severity, seen.raised(lines))
    return Finding(
        rule.code,
        next(severity for severity in ('critical', 'warning', 'info') if severity in severities),
        rule.says.format(where=_where(kind, events), times=f'{times} in {duration(seen.since)}'),
        tuple(evidence),
        rule.remedy,
    )


def _where(kind: str, events: tuple[Event, ...]) -> str:
    subjects = sorted({event.subject for event in events if event.subject})
    if kind == 'xtables-rejection':
        # What the kernel disliked is the best of it: 'CT target: only valid in raw table, not filter'.
        return ': ' + events[-1].text.replace('x_tables: ', '', 1)
    if kind == 'neighbour-table-overflow' and subjects:
        return f' ({" and ".join(_FAMILIES.get(subject, subject) for subject in subjects)})'
    if kind == 'conntrack-table-full' and subjects and all(event.subject for event in events):
        return f' in namespace {subjects[0]}' if len(subjects) == 1 else f' in {len(subjects)} namespaces'
    return ''


def _namespaces(events: tuple[Event, ...], names_namespaces: bool) -> str:
    """The log is one for all namespaces of the host: say whose lines these are, as far as the kernel tells."""
    named = sorted({event.subject for event in events if event.subject.isdigit()})
    unnamed = sum(not event.subject.isdigit() for event in events)
    if named:
        text = f'network namespace {", ".join(named[:5])} (lsns -t net lists them)'
        if not unnamed:
            return text
        return f'{text}; {quantity(unnamed, "line")} of the first namespace of the host'
    if names_namespaces:
        return "of the host's first network namespace: this kernel names any other"
    return 'the log is one for the whole host and names no namespace: it may be that of a container'


def silence(log: KernelLog, since: float) -> str:
    """For the healthy sentence: how long nothing was written to a log file, when that is longer than `since`."""
    age = 0.0 if log.newest_seconds is None else log.now_seconds - log.newest_seconds
    return f'; its last line is {duration(age)} old' if age > since else ''


def overwritten(log: KernelLog, since: float, lost: int) -> Iterator[Finding]:
    """What of the time in question was gone before it could be read."""
    reach = None if log.oldest_seconds is None else log.now_seconds - log.oldest_seconds
    if lost:
        text = f'{quantity(lost, "kernel log record")} overwritten before this check could read them'
    elif reach is not None and reach < since and log.first_sequence != 0 and not (log.wall_clock and reach == 0):
        text = f'{log.source} reaches back only {duration(max(0.0, reach))}, not {duration(since)}'
    else:
        return
    yield Finding(
        'kernel-log-overwritten',
        'info',
        text,
        (f'{quantity(log.records, "record")} in {log.source}',),
        (
            f'ls -l {log.source}*  # rotated more often than --since: read are this file and the one that ends in .1'
            if log.wall_clock
            else 'check more often, or boot with a larger log_buf_len=4M',
        ),
    )


def unreadable(error: ReadError, user: str, journal: bool, log_file: str | None) -> Finding:
    """The kernel log is closed to this user; `journal` and `log_file` are what this host has besides."""
    remedy = []
    if user == 'root':
        remedy.append('run it on the host: this container, or kernel.printk_devkmsg=off, closes /dev/kmsg to root too')
    else:
        if journal:
            remedy.append(f'usermod -aG systemd-journal {user}  # then restart the monitoring agent')
        if log_file:
            remedy.append(f'usermod -aG adm {user}  # then restart the monitoring agent, and use --file {log_file}')
        remedy.append('sysctl -w kernel.dmesg_restrict=0  # opens the kernel log to every user of this host')
    return Finding(
        'kernel-log-unreadable', 'unknown', f'the kernel log is closed to user {user}', (str(error),), tuple(remedy)
    )


def missing(severity: str, path: str | None, release: tuple[int, int] = (0, 0)) -> Finding:
    """There is no kernel log at all, or no log file at `path`."""
    remedy = 'run the check on the host of this container'
    if path:
        remedy = 'ls -l /var/log/kern.log /var/log/messages'
    elif (0, 0) < release <= _CLOSED:
        remedy = '--file /var/log/messages, or /var/log/kern.log: up to Linux 3.4 /dev/kmsg cannot be read'
    return Finding(
        'kernel-log-missing',
        'info' if severity == 'ok' else severity,
        f'there is no log file {path}' if path else 'this host shows no kernel log',
        (f'{path or "/dev/kmsg"} is not there',),
        (remedy,),
    )
