"""What systemd knows of one unit: `systemctl show`, or the recording of it in a captured tree.

Only properties that systemd 219 (RHEL 7) has or that may be absent, and only the monotonic time stamps: the written
ones follow the time zone, cannot be parsed without it, and jump with the clock.
"""

from __future__ import annotations

import os

from tablefull.readers.files import ReadError, is_live, read_text, recording
from tablefull.record import NamedTuple

_SECONDS = {
    'InactiveExitTimestampMonotonic': 'left_inactive',
    'ActiveEnterTimestampMonotonic': 'became_active',
    'ExecMainExitTimestampMonotonic': 'exited',
    'StateChangeTimestampMonotonic': 'changed',
}
_WORDS = ('LoadState', 'ActiveState', 'SubState', 'Result', 'UnitFileState', 'ConditionResult')
# sd_booted(3): this directory is there where systemd is process 1.
BOOTED = '/run/systemd/system'

PROPERTIES = (*_WORDS, 'ReloadResult', 'ExecMainStatus', 'ExecStart', 'ExecReload', *_SECONDS)


class Unit(NamedTuple):
    """State of a unit. Words are systemd's own, '' where this systemd does not know the property.

    load_state       'loaded', 'not-found', 'masked', ...
    active_state     'active', 'failed', 'inactive', 'activating', 'reloading', 'deactivating'
    sub_state        'exited' for a oneshot that did its work and stays active
    result           'success', or how the last start or stop failed: 'exit-code', 'signal', 'timeout', ...
    reload_result    the same of the last reload, which leaves `result` alone
    status           exit status of the last start, None when it never ran; survives `systemctl reset-failed`
    file_state       'enabled', 'disabled', 'masked', 'generated', ...
    condition        False when a Condition of the unit file kept it from starting
    command          ExecStart as systemd prints it
    reload_signal    the signal that ended the last reload: 'KILL', 'TERM', ...; '' for none
    left_inactive, became_active, exited, changed
                     seconds on CLOCK_MONOTONIC, None for never
    """

    load_state: str
    active_state: str
    sub_state: str = ''
    result: str = ''
    reload_result: str = ''
    status: int | None = None
    file_state: str = ''
    condition: bool = True
    command: str = ''
    left_inactive: float | None = None
    became_active: float | None = None
    exited: float | None = None
    changed: float | None = None
    reload_signal: str = ''

    @property
    def reload_failed(self) -> bool:
        """Whether the last reload went wrong. The unit stays active then, and its result stays 'success'."""
        return self.reload_result not in ('', 'success')

    @property
    def good_load(self) -> float | None:
        """When the last good start or reload ended (CLOCK_MONOTONIC); None when there was none or nobody can tell."""
        if self.active_state == 'active' and not self.reload_failed:
            # A reload moves only this time stamp, which systemd before 227 does not have.
            return self.changed or self.became_active
        # A reload that failed or still runs moves it too, and hides when an earlier one was good.
        return self.became_active if self.active_state in ('active', 'reloading') else None


def read_unit(root: str, name: str) -> Unit:
    """Ask systemd. Raises ReadError where there is no systemd, no recording, or no sensible answer."""
    if not is_live(root):
        path = recording(root, f'systemctl-show-{name.partition(".")[0]}.txt')
        if path is None:
            raise ReadError(f'systemctl-show-{name.partition(".")[0]}.txt', 'the tree holds no record of the unit')
        return parse_unit(read_text(root, path, 1 << 18), path.lstrip('/'))
    return parse_unit(show_unit(name), f'systemctl show {name}')


def show_unit(name: str) -> str:
    """What systemctl prints of PROPERTIES. Raises ReadError where there is no systemd, or it complains."""
    if not os.path.isdir(BOOTED):
        raise ReadError('systemctl show', 'this host or container was not booted with systemd')
    from tablefull.readers.programs import run_program

    source = f'systemctl show {name}'
    try:
        wanted = '--property=' + ','.join(PROPERTIES)
        answer = run_program('systemctl', ('--no-pager', 'show', wanted, '--', name), 1 << 18)
    except FileNotFoundError:
        raise ReadError(source, 'systemctl is not installed') from None
    if answer.code:
        complaint = answer.errors.decode('utf-8', 'backslashreplace').strip().splitlines()
        raise ReadError(source, complaint[0] if complaint else f'exit code {answer.code}')
    return answer.output.decode('utf-8', 'backslashreplace')


def parse_unit(text: str, source: str) -> Unit:
    """The lines KEY=VALUE of `systemctl show`. Raises ReadError naming `source` when they hold no unit's state."""
    values: dict[str, str] = {}
    # Not splitlines(): a value may hold any character that Unicode takes for the end of a line.
    for line in text.split('\n'):
        key, separator, value = line.partition('=')
        if separator:
            values.setdefault(key, value.strip())
    load_state, active_state = values.get('LoadState', ''), values.get('ActiveState', '')
    if not load_state or not active_state or '\0' in text:
        raise ReadError(source, 'no state of a unit in it')
    seconds = {field: _seconds(values.get(key, '')) for key, field in _SECONDS.items()}
    reload_result = values.get('ReloadResult', '')
    if not reload_result and _failed(values.get('ExecReload', '')):
        # Where systemd has no such property, the command's own exit status tells.
        reload_result = 'exit-code'
    return Unit(
        load_state,
        active_state,
        values.get('SubState', ''),
        values.get('Result', ''),
        reload_result,
        _status(values.get('ExecMainStatus', '')) if seconds['exited'] else None,
        values.get('UnitFileState', ''),
        # 'no' is also what a unit says whose conditions were never looked at.
        values.get('ConditionResult') != 'no' or seconds['changed'] is None,
        values.get('ExecStart', ''),
        **seconds,
        reload_signal=_signal_of(values.get('ExecReload', '')),
    )


def _seconds(text: str) -> float | None:
    """Microseconds as text to seconds; 0 is systemd's 'never'."""
    if not (text.isascii() and text.isdigit()) or len(text) > 18 or int(text) == 0:
        return None
    return int(text) / 1e6


def _status(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _signal_of(command: str) -> str:
    if 'code=killed' not in command and 'code=dumped' not in command:
        return ''
    import re  # rarely of use

    match = re.search(r'code=(?:killed|dumped) ; status=[0-9]+/(\w+)', command)
    return match[1] if match is not None else ''


def _failed(command: str) -> bool:
    """Whether an Exec property tells of a run that ended badly: '... code=killed ; status=9/KILL }'."""
    import re  # for old versions of systemd alone

    match = re.search(r'code=(\w+) ; status=([0-9]+)', command)
    return match is not None and int(match[2][:9]) != 0
