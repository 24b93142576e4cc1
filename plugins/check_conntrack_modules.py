#!/usr/bin/env python3
"""check_conntrack_modules: has something loaded connection tracking, NAT or tables that nobody here asked for?"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

# Before the imports: collecting garbage costs a process this short a tenth of its time, and frees nothing.
gc.disable()

try:
    import nagiosplugin

    from tablefull.findings import modules as rules
    from tablefull.findings.finding import Finding
    from tablefull.findings.module_state import Policy, Seen, judged, tracking, unexpected
    from tablefull.findings.wording import quantity
    from tablefull.frame.judge import Measure, finding_metrics, threshold
    from tablefull.frame.options import Option, missing_option
    from tablefull.frame.plugin import Acquired, Check, run
    from tablefull.readers.conntrack import read_conntrack
    from tablefull.readers.files import kernel_release
    from tablefull.readers.modprobe_d import read_modprobe
    from tablefull.readers.module_names import CLASSES
    from tablefull.readers.modules import read_modules, read_owners, read_tables
    from tablefull.record import TYPE_CHECKING
except Exception as error:  # noqa: BLE001  # broken, unreadable, out of memory
    # A missing library must not look like a WARNING, which exit code 1 of a traceback would be.
    why = str(error) or repr(error)
    print(f'CONNTRACK MODULES UNKNOWN - {why}: install tablefull with python3-nagiosplugin and python3-psutil')
    sys.exit(3)

if TYPE_CHECKING:
    import argparse

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


class NetfilterModules(nagiosplugin.Resource):
    """What the kernel holds, what it does there, and what would keep it out."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.seen: Seen | None = None

    def probe(self) -> Iterator[nagiosplugin.Metric]:
        """Acquire and judge."""
        options = self.options
        modules = read_modules(options.root)
        policy = Policy(options.expect, options.allow or (), options.forbid or (), options.require or ())
        seen = self.seen = Seen(
            modules,
            read_conntrack(options.root),
            read_modprobe(options.root),
            policy,
            kernel_release(options.root),
            read_tables(options.root),
            read_owners(options.root, modules.loaded),
        )
        findings = [*rules.judge(seen, options.missing)]
        if options.require_blocked:
            from tablefull.findings.blocking import blocking

            findings += blocking(options.require_blocked, modules, seen.configuration)
        yield from finding_metrics(findings, options.ignore or ())

        yield nagiosplugin.Metric('modules', len(judged(modules)), min=0)
        yield nagiosplugin.Metric('unexpected', len(unexpected(seen)), min=0)
        entries = seen.table.entries if seen.present else 0
        if entries is not None:
            yield nagiosplugin.Metric('entries', entries, min=0, max=seen.table.limit)

    def healthy(self) -> str:
        """The sentence when there is nothing to report."""
        seen = self.seen
        if seen is None:
            return ''
        there = len(judged(seen.modules))
        if seen.built_in:
            doing = 'is active' if tracking(seen).state == 'active' else 'tracks nothing here'
            return f'connection tracking is compiled into this kernel and {doing}'
        if not there:
            return 'no module for connection tracking, NAT or tables is loaded'
        return f'{quantity(there, "module")} of netfilter loaded as expected, {tracking(seen).reason}'

    def facts(self) -> list[tuple[str, str]]:
        """Everything read, for -vv."""
        seen = self.seen
        if seen is None:
            return []
        state = tracking(seen)
        kinds = judged(seen.modules)
        facts = [('kernel', '.'.join(map(str, seen.release))), ('tracking', f'{state.state}: {state.reason}')]
        facts += [(f'{kinds[name]} module', str(tuple(seen.modules.loaded[name]))) for name in kinds]
        facts += [('modprobe.d', str(line)) for line in seen.configuration.lines if line.name in kinds]
        return [*facts, ('compiled in', ' '.join(sorted(seen.modules.built_in & CLASSES.keys())) or 'not known')]


def acquire(options: argparse.Namespace) -> Acquired:
    """Put the resource and its contexts together."""
    resource = NetfilterModules(options)

    def breach(severity: str, value: float, limits: str) -> Finding:
        assert resource.seen is not None  # a metric exists only after the probe
        return rules.unexpected_breach(resource.seen, severity, value, limits)

    return Acquired(
        resource,
        (Measure('modules'), threshold('unexpected', 'modules-unexpected', breach, options), Measure('entries')),
        resource.healthy,
        resource.facts,
    )


CHECK = Check(
    'conntrack_modules',
    'Judge the modules that bring connection tracking, NAT or tables: expected or not, active or not.',
    OPTIONS,
    acquire,
)


def main() -> None:
    """Entry point."""
    run(CHECK)


if __name__ == '__main__':
    main()
