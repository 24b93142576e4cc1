"""The cause: what findings and facts add up to, with what it rests on and what to do about it by hand."""

from __future__ import annotations

from tablefull.record import NamedTuple

# How sure, in words, the surest first.
CONFIDENCES = ('certain', 'probable', 'possible')


class Step(NamedTuple):
    """A command to run by hand, and its effect: what it breaks, changes or loads. Never run by us."""

    run: str
    effect: str


class Cause(NamedTuple):
    """One cause.

    code        a key of CAUSES
    says        one sentence about this host
    confidence  one of CONFIDENCES
    because     why no more and no less sure than that
    chain       from what happened first to what is felt
    evidence    values and log lines it rests on
    explains    codes of findings it accounts for
    page        the finding whose page to read
    steps       in this order
    prevention  sentences and lines of configuration
    against     evidence that speaks against it
    excuses     codes of findings that are no fault if it is right, and nobody has said otherwise
    severity    of the worst finding it explains; set when causes are joined
    """

    code: str
    says: str
    confidence: str
    because: str
    chain: tuple[str, ...]
    evidence: tuple[str, ...]
    explains: tuple[str, ...]
    page: str
    steps: tuple[Step, ...] = ()
    prevention: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    excuses: tuple[str, ...] = ()
    severity: str = 'info'


def steps_of(lines: tuple[str, ...], otherwise: str) -> tuple[Step, ...]:
    """Remedies of findings, 'COMMAND  # what it does', as steps; `otherwise` is said where they say nothing."""
    steps = []
    for line in lines:
        command, _, comment = line.partition('  #')
        if command.strip():
            steps.append(Step(command.strip(), comment.strip() or otherwise))
    return tuple(steps)
