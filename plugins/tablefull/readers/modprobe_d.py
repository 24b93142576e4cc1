"""Reader of modprobe.d, of the kernel command line and of the switches that decide whether a module gets loaded.

Sources: modprobe.d(5), modprobe(8), kernel-parameters.txt, Documentation/admin-guide/sysctl/kernel.rst; the details
follow kmod (libkmod/libkmod-config.c), whose own `modprobe -c` a test in tests/system compares this with.
"""

from __future__ import annotations

from tablefull.readers.files import ReadError, drop_in_files, is_masked, read_optional, read_text
from tablefull.record import NamedTuple

DIRECTORIES = (
    '/etc/modprobe.d',
    '/run/modprobe.d',
    '/usr/local/lib/modprobe.d',
    '/usr/lib/modprobe.d',
    '/lib/modprobe.d',
)

_COMMANDS = ('alias', 'blacklist', 'install', 'options', 'remove', 'softdep')
# Not str.split(): kmod takes a carriage return for a part of the name.
_BLANKS = '\t '


class Line(NamedTuple):
    """One command, e.g. Line('install', 'nf_conntrack', '/bin/false', '/etc/modprobe.d/no-conntrack.conf')."""

    command: str
    name: str
    rest: str
    path: str

    def __str__(self) -> str:
        """As it stands in the file, and where that is."""
        return f'{self.command} {self.name} {self.rest}'.rstrip() + f' ({self.path})'


class ModprobeConfiguration(NamedTuple):
    """All that decides whether a module gets loaded.

    lines      of modprobe.d, in the order kmod takes them; those of the kernel command line last
    forbidden  module_blacklist= of the kernel command line, which the kernel itself enforces
    disabled   kernel.modules_disabled: nothing can be loaded until the next boot
    helper     kernel.modprobe, what the kernel runs to load a module; None when it cannot be seen
    unread     files and directories that could not be read
    """

    lines: tuple[Line, ...] = ()
    forbidden: tuple[str, ...] = ()
    disabled: bool = False
    helper: str | None = None
    unread: tuple[str, ...] = ()


def normal(name: str) -> str:
    """A module's name with underscores; inside [...] of a pattern a dash is a range and stays."""
    if '[' not in name:
        return name.replace('-', '_')
    inside, characters = False, []
    for character in name:
        inside = character == '[' or (inside and character != ']')
        characters.append('_' if character == '-' and not inside else character)
    return ''.join(characters)


def parse_modprobe(text: str, path: str) -> list[Line]:
    """The commands of one file. What kmod ignores is ignored: no command here ever fails.

    A backslash joins lines, and is dropped before any other character. Only a '#' that begins a line begins a comment,
    and a comment is continued like any other line: what stands below its backslash is a comment too.
    """
    lines = []
    for joined in _joined(text).split('\n'):
        if joined.startswith('#'):
            continue
        command, rest = _cut(joined.strip(_BLANKS))
        name, rest = _cut(rest)
        if command == 'blacklist':
            rest = ''
        elif command == 'alias':
            rest = normal(_cut(rest)[0])
        if command in _COMMANDS and name and (rest or command == 'blacklist'):
            lines.append(Line(command, normal(name), rest, path))
    return lines


def _joined(text: str) -> str:
    if '\\' not in text:
        return text
    import re  # hardly any file has one

    return re.sub(r'\\(.|\n)', lambda match: match[1].strip('\n'), text, flags=re.DOTALL)


def _cut(text: str) -> tuple[str, str]:
    """The first word, and what stands behind the blanks after it."""
    word = text.partition(' ')[0].partition('\t')[0]
    return word, text[len(word) :].lstrip(_BLANKS)


def parse_command_line(text: str) -> tuple[list[Line], tuple[str, ...]]:
    """(lines, forbidden) of a kernel command line: modprobe.blacklist=, MODULE.PARAMETER=VALUE; module_blacklist=.

    Neither list knows that a dash equals an underscore: kmod and the kernel compare the names as they stand. After a
    lone `--` the words belong to init. Of several module_blacklist= the kernel keeps the last.
    """
    path = '/proc/cmdline'
    lines: list[Line] = []
    forbidden: tuple[str, ...] = ()
    for word in _words(text):
        if word == '--':
            break
        key, equals, value = word.partition('=')
        module, dot, parameter = key.partition('.')
        if not equals:
            continue
        if key.replace('-', '_') == 'module_blacklist':
            forbidden = tuple(value.split(','))
        elif key == 'modprobe.blacklist':
            lines += [Line('blacklist', name, '', path) for name in value.split(',') if name]
        elif dot and module and parameter:
            lines.append(Line('options', normal(module), f'{parameter}={value}', path))
    return lines, forbidden


def _words(text: str) -> list[str]:
    """Words between blanks; double quotes hold blanks together and are dropped, as the kernel does."""
    if '"' not in text:
        return text.split()
    # Marked first and split then: to build words one character at a time takes minutes for a line of a megabyte.
    quoted, characters = False, []
    for character in text:
        if character == '"':
            quoted = not quoted
        else:
            characters.append('\n' if character.isspace() and not quoted else '\0' if character == '\n' else character)
    return [word.replace('\0', '\n') for word in ''.join(characters).split('\n') if word]


def module_options(configuration: ModprobeConfiguration, module: str) -> dict[str, str]:
    """Parameters a module will be loaded with, e.g. {'hashsize': '16384'}; the last of several values counts."""
    options = {}
    for line in configuration.lines:
        if line.command == 'options' and line.name == normal(module):
            for word in _words(line.rest):
                parameter, _, value = word.partition('=')
                options[parameter.replace('-', '_')] = value
    return options


def read_modprobe(root: str = '/') -> ModprobeConfiguration:
    """Read all of it below `root`. What cannot be read is named in `unread`, for the rest still counts."""
    # modprobe.d(5) speaks of .conf alone; kmod also takes .alias.
    paths, unread = drop_in_files(root, DIRECTORIES, ('.conf', '.alias'))
    lines: list[Line] = []
    for path in paths:
        try:
            lines += parse_modprobe(read_text(root, path, 1 << 20), path)
        except FileNotFoundError:
            continue
        except ReadError:
            if not is_masked(root, path):
                unread.append(path)
    disabled = _text(root, '/proc/sys/kernel/modules_disabled', unread)
    helper = _text(root, '/proc/sys/kernel/modprobe', unread)
    more, forbidden = parse_command_line(_text(root, '/proc/cmdline', unread) or '')
    return ModprobeConfiguration((*lines, *more), forbidden, disabled == '1', helper, tuple(unread))


def _text(root: str, path: str, unread: list[str]) -> str | None:
    try:
        text = read_optional(root, path, 1 << 16)
    except ReadError:
        unread.append(path)
        return None
    return None if text is None else text.strip()
