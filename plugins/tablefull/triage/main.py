"""From the command line of `tablefull triage` to its exit code."""

from __future__ import annotations

import os

from tablefull.frame.option_table import COMMON, Option
from tablefull.readers.files import ReadError, check_root, is_live
from tablefull.record import TYPE_CHECKING
from tablefull.triage.fields import as_json, failure
from tablefull.triage.take import triage
from tablefull.triage.text import as_text

if TYPE_CHECKING:
    import argparse
    from typing import Any

DESCRIPTION = 'name the cause of what the checks find, with its evidence and what to do by hand'
_NAMES = 'modules that may be loaded; * or % stands for any characters'
OPTIONS = (
    Option(
        'expect',
        'choice',
        'auto',
        'what is meant to be loaded; auto: what rules or known programs here hold',
        metavar='WHAT',
        choices=('auto', 'none', 'loaded'),
    ),
    Option('allow', 'names', '', _NAMES, metavar='NAMES'),
    Option('forbid', 'names', '', 'modules that are CRITICAL whatever is expected or allowed', metavar='NAMES'),
    Option('require', 'names', '', 'modules that must be loaded or compiled in', metavar='NAMES'),
    Option('since', 'duration', '15m', 'how far to look back in the kernel log', metavar='TIME'),
    Option('ignore', 'codes', '', 'findings that do not count, by code', metavar='CODE,CODE'),
    Option('output', 'choice', 'text', 'form of the output', metavar='FORM', choices=('text', 'json')),
    Option('verbose', 'flag', '', 'all evidence, and findings that are under "not seen" as well', 'v'),
    Option('timeout', 'seconds', '8', 'give up on what has not been read after so long', 't', 'SECONDS'),
    Option('capture', 'path', '', 'read this file that tablefull capture made, instead of a host', metavar='FILE'),
    *(option for option in COMMON if option.name in ('root', 'state-dir')),
    Option('help', 'flag', '', 'print this help', 'h'),
)


def answer(options: argparse.Namespace) -> tuple[int, str]:
    """(exit code, output) for parsed options. Whatever cannot be read is said; does not raise."""
    try:
        if options.capture:
            return _of_capture(options)
        check_root(options.root)
    except ReadError as error:
        return refuse(f'cannot read {error}', options)
    return report(options)


def _of_capture(options: argparse.Namespace) -> tuple[int, str]:
    """Triage of a capture, in a private directory that is gone afterwards. Raises ReadError."""
    import tempfile

    from tablefull.capture.unpack import origin, read_capture, unpack

    found = read_capture(options.capture)
    try:
        with tempfile.TemporaryDirectory(prefix='tablefull-') as directory:
            unpack(found, directory)
            check_root(directory)
            options.root, options.state_dir = directory, None
            return report(options, origin(found))
    except ReadError as error:
        raise ReadError(options.capture, error.reason, error.number) from None
    except OSError as error:
        raise ReadError(options.capture, f'cannot be unpacked: {error.strerror}', error.errno) from None


def report(options: argparse.Namespace, origin: tuple[str, ...] = ()) -> tuple[int, str]:
    """Triage of what lies below --root."""
    # A tree is one moment: remembering it would only leave a trace. Unless told where, for two trees of one host.
    remembering = is_live(options.root) or bool(options.state_dir)
    found = triage(options, remembering)
    if options.output == 'json':
        return found.exit_code, as_json(found, origin)
    return found.exit_code, as_text(found, origin, _colour(), options.verbose)


def refuse(reason: str, options: Any) -> tuple[int, str]:
    """Exit code and the reason why there is no triage, in the form that was asked for."""
    if getattr(options, 'output', '') == 'json':
        return 3, failure(reason)
    from tablefull.frame.text import clean

    return 3, clean(f'TRIAGE UNKNOWN - {reason}')


def _colour() -> bool:
    """Only for eyes: not in a pipe, not where NO_COLOR says so (https://no-color.org)."""
    environment = os.environ
    return not environment.get('NO_COLOR') and environment.get('TERM') != 'dumb' and os.isatty(1)
