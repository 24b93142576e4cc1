"""From the command line of `tablefull top` to its output."""

from __future__ import annotations

import gc
import os

from tablefull import __version__
from tablefull.findings.ownership import ownership
from tablefull.frame.json_text import encode
from tablefull.frame.leaving import leave
from tablefull.frame.text import clean
from tablefull.frame.words import parse_words
from tablefull.readers.files import ReadError, check_root, is_live
from tablefull.readers.survey import Refused, sample_of_flows, survey
from tablefull.record import TYPE_CHECKING
from tablefull.top.options import OPTIONS
from tablefull.top.screen import fields, screen

if TYPE_CHECKING:
    from typing import Any, NoReturn

    from tablefull.findings.ownership import Ownership

_MOST_ROWS = 1000
# Of a comparison with sockets: a quarter of a second, and a percent or two of error at most.
_COMPARED = 20000


def main(argv: list[str]) -> NoReturn:
    """Print who holds the table, and leave at once."""
    # Millions of small objects, none of them in a cycle.
    gc.disable()
    try:
        code, output = answer(argv)
    except KeyboardInterrupt:
        code, output = 130, ''
    except Exception as error:  # noqa: BLE001  # the promise: one clear line, nothing on standard error
        code, output = failure(f'internal error: {type(error).__name__}: {error}', '', _as_json(argv))
    leave(code, output.encode('ascii', 'backslashreplace').decode('ascii'))


def answer(argv: list[str]) -> tuple[int, str]:
    """(exit code, output): 0 with what was asked for, 3 with the reason why not. Does not exit."""
    try:
        options = parse_words('tablefull top', OPTIONS, argv)
        if not 1 <= options.limit <= _MOST_ROWS:
            raise ValueError(f'--limit: not between 1 and {_MOST_ROWS}')
        if options.sample == 0:
            raise ValueError('--sample: nothing can be told from none')
    except ValueError as error:
        return failure(str(error), '', _as_json(argv))
    as_json = options.output == 'json'
    try:
        check_root(options.root)
        if options.sockets and not is_live(options.root):
            return failure('--sockets: only this host itself has sockets, not a tree', '', as_json)
        seen = survey(
            options.root,
            options.by,
            options.limit,
            sample=options.sample,
            only_unanswered=options.unanswered,
            family=options.family,
            seconds=options.timeout,
            progress=_progress if os.isatty(2) else None,
        )
        _progress(-1, None)
        owned = _owned(options.root) if options.sockets else None
    except Refused as error:
        return failure(str(error), error.grant, as_json)
    except ReadError as error:
        return failure(f'cannot read {error}', '', as_json)
    except MemoryError:
        return failure('out of memory', '', as_json)
    if as_json:
        return 0, encode({'schema': 1, 'version': __version__, **fields(seen, owned, options)})
    return 0, screen(seen, owned, options)


def _as_json(argv: list[str]) -> bool:
    """Whether options that could not be read ask for it."""
    return 'json' in argv or '--output=json' in argv


def failure(reason: str, grant: str, as_json: bool) -> tuple[int, str]:
    """Exit code and why there is nothing, in the form that was asked for."""
    if as_json:
        remedy: dict[str, Any] = {'remedy': clean(grant)} if grant else {}
        return 3, encode({'schema': 1, 'version': __version__, 'error': clean(reason), **remedy})
    return 3, '\n'.join([clean(f'TABLEFULL UNKNOWN - {reason}'), *([clean(f'  do: {grant}')] if grant else [])])


def _owned(root: str) -> Ownership:
    from tablefull.readers.sockets import read_sockets

    # Sockets first: a connection that is closed in between is orphaned, as it is a moment later.
    sockets = read_sockets()
    return ownership(sample_of_flows(root, _COMPARED), sockets)


def _progress(counted: int, entries: int | None) -> None:
    """Tell whoever watches how far it is; counted -1 takes it away again."""
    if not os.isatty(2):
        return
    text = '' if counted < 0 else f'{counted} of {"unknown" if entries is None else entries} connections'
    try:
        os.write(2, f'\r{text:60}\r'.encode('ascii'))
    except OSError:
        pass
