"""Completion for bash: options, the words they take, commands, and the codes of findings."""

from __future__ import annotations

from tablefull.findings.catalogue import CATALOGUE
from tools.manuals.programs import Program, Shown

HEAD = """\
# Completion of tablefull and its checks for bash. Written by `make manuals` from the option tables of the checks.

_tablefull_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word")
}

_tablefull_files() {
    mapfile -t COMPREPLY < <(compgen "$@" -- "$word")
    compopt -o filenames
}
"""

# Programs are completed by name, with a path before it or not.
FRAME = """\
_tablefull() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} program=${{COMP_WORDS[0]##*/}}
    COMPREPLY=()
    # The whole line: its first word may be a path, and its second one a command.
    if [[ $program == tablefull && $COMP_CWORD -gt 1 ]]; then
        program="tablefull ${{COMP_WORDS[1]}}"
    fi
    case "$program $before" in
{values}
    esac
    case $program in
{names}
    esac
}}
complete -F _tablefull {programs}
"""


def _values(option: Shown) -> str:
    if option.words:
        return f"_tablefull_words '{' '.join(option.words)}'"
    if 'CODE' in option.metavar:
        return "_tablefull_words '{}'".format(' '.join(CATALOGUE))
    if option.metavar == 'DIR':
        return '_tablefull_files -d'
    if option.metavar in ('FILE', 'PATH'):
        return '_tablefull_files -f'
    return ''


def completion(programs: list[Program]) -> str:
    """The file as bash reads it."""
    values, names = [], []
    for program in programs:
        for option in program.options:
            if option.metavar:
                pattern = ' | '.join(f"'{program.name} {name}'" for name in option.names)
                values += [f'        {pattern})', f'            {_values(option)}'.rstrip(), '            return ;;']
        words = [name for option in program.options for name in option.names if name.startswith('--')]
        words += [name for name, _ in program.commands]
        words += [word for argument in program.arguments for word in _argument(argument)]
        names += [f"        '{program.name}') _tablefull_words '{' '.join(words)}' ;;"]
    own = [program.name for program in programs if ' ' not in program.name]
    return HEAD + '\n' + FRAME.format(values='\n'.join(values), names='\n'.join(names), programs=' '.join(own))


def _argument(argument: Shown) -> tuple[str, ...]:
    return tuple(CATALOGUE) if 'CODE' in argument.metavar else argument.words
