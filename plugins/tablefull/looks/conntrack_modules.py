"""What the kernel holds of connection tracking, NAT and tables, what it does there, and what would keep it out."""

from __future__ import annotations

from tablefull.findings import modules as rules
from tablefull.findings.module_state import Policy, Seen, judged, tracking, unexpected
from tablefull.findings.wording import quantity
from tablefull.frame.look import Look, Number, Threshold
from tablefull.frame.option_table import Option, missing_option
from tablefull.readers.conntrack import read_conntrack
from tablefull.readers.files import kernel_release
from tablefull.readers.modprobe_d import read_modprobe
from tablefull.readers.module_names import CLASSES
from tablefull.readers.modules import read_modules, read_owners, read_tables
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from tablefull.readers.conntrack import Conntrack
    from tablefull.readers.modprobe_d import ModprobeConfiguration

OPTIONS = (
    Option('warning', 'range', '0', 'number of unexpected modules', 'w', 'RANGE'),
    Option('critical', 'range', '', 'number of unexpected modules', 'c', 'RANGE'),
    Option('expect', 'choice', 'none', 'what is meant to be loaded', metavar='WHAT', choices=('none', 'loaded')),
    Option('allow', 'names', '', 'modules that may be loaded; * or % stands for any characters', metavar='NAMES'),
    Option('forbid', 'names', '', 'modules that are CRITICAL whatever is expected or allowed', metavar='NAMES'),
    Option('require', 'names', '', 'modules that must be loaded or compiled in', metavar='NAMES'),
    Option('require-blocked', 'names', '', 'modules that nothing must be able to load', metavar='NAMES'),
    missing_option('a module of --require, or any tracking with --expect loaded, is not there', 'critical'),
)

THRESHOLDS = (
    Threshold('modules'),
    Threshold('unexpected', 'modules-unexpected', rules.unexpected_breach),
    Threshold('entries'),
)


def look(
    options: Any, table: Conntrack | None = None, modprobe: Callable[[str], ModprobeConfiguration] | None = None
) -> Look:
    """Acquire and judge. Raises ReadError. `table` and `modprobe` are for whoever has read them already."""
    modules = read_modules(options.root)
    policy = Policy(options.expect, options.allow or (), options.forbid or (), options.require or ())
    seen = Seen(
        modules,
        table or read_conntrack(options.root),
        (modprobe or read_modprobe)(options.root),
        policy,
        kernel_release(options.root),
        read_tables(options.root),
        read_owners(options.root, modules.loaded),
    )
    findings = [*rules.judge(seen, options.missing)]
    if options.require_blocked:
        from tablefull.findings.blocking import blocking

        findings += blocking(options.require_blocked, modules, seen.configuration)
    return Look(findings, tuple(_numbers(seen)), lambda: _healthy(seen), lambda: _facts(seen), seen)


def _numbers(seen: Seen) -> Iterator[Number]:
    yield Number('modules', len(judged(seen.modules)), least=0)
    yield Number('unexpected', len(unexpected(seen)), least=0)
    entries = seen.table.entries if seen.present else 0
    if entries is not None:
        yield Number('entries', entries, least=0, most=seen.table.limit)


def _healthy(seen: Seen) -> str:
    there = len(judged(seen.modules))
    if seen.built_in:
        doing = 'is active' if tracking(seen).state == 'active' else 'tracks nothing here'
        return f'connection tracking is compiled into this kernel and {doing}'
    if not there:
        return 'no module for connection tracking, NAT or tables is loaded'
    return f'{quantity(there, "module")} of netfilter loaded as expected, {tracking(seen).reason}'


def _facts(seen: Seen) -> list[tuple[str, str]]:
    state = tracking(seen)
    kinds = judged(seen.modules)
    facts = [('kernel', '.'.join(map(str, seen.release))), ('tracking', f'{state.state}: {state.reason}')]
    facts += [(f'{kinds[name]} module', str(tuple(seen.modules.loaded[name]))) for name in kinds]
    facts += [('modprobe.d', str(line)) for line in seen.configuration.lines if line.name in kinds]
    return [*facts, ('compiled in', ' '.join(sorted(seen.modules.built_in & CLASSES.keys())) or 'not known')]
