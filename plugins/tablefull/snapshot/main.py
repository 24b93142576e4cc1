"""From the command line of `tablefull snapshot` to its exit. Whatever goes wrong ends in an object and in exit code 3.

Without nagiosplugin and argparse: one snapshot a minute on each of a thousand hosts is what this is for.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of signal: without its enum

from tablefull import __version__
from tablefull.frame.json_text import encode
from tablefull.frame.leaving import leave
from tablefull.frame.text import clean
from tablefull.readers.files import ReadError, check_root
from tablefull.record import TYPE_CHECKING
from tablefull.snapshot.options import parse
from tablefull.snapshot.take import SCHEMA, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

# When even the end of the process hangs: nobody reads its output, or a thread cannot be got out of the kernel.
_GRACE = 0.4


def main(argv: list[str]) -> NoReturn:
    """Print the snapshot and leave at once."""
    try:
        code, output = answer(argv, _bound)
    except BaseException as error:  # noqa: BLE001  # the promise: one object, always
        code, output = failure(f'internal error: {type(error).__name__}: {error}')
    leave(code, output)


def answer(argv: list[str], bound: Callable[[float], None] | None = None) -> tuple[int, str]:
    """(exit code, output without the end of its line). `bound` is told how many seconds it may take at most."""
    try:
        options = parse(argv)
    except ValueError as error:
        return failure(str(error))
    if bound is not None:
        bound(options.timeout + _GRACE)
    try:
        check_root(options.root)
    except ReadError as error:
        return failure(f'cannot read {error}')
    return 0, encode(Snapshot(options).take(), 2 if options.pretty else None)


def failure(reason: str) -> tuple[int, str]:
    """Exit code and the object that says why there is no snapshot."""
    return 3, encode({'schema': SCHEMA, 'version': __version__, 'error': clean(reason[:1000])})


def _bound(seconds: float) -> None:
    """End this process after so long, whatever hangs. And let the kernel keep the exit codes of children."""
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    _signal.signal(_signal.SIGALRM, _signal.SIG_DFL)
    # A parent may hand it down blocked, and then no alarm would ever come.
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_signal.SIGALRM,))
    _signal.setitimer(_signal.ITIMER_REAL, seconds)
