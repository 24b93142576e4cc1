#!/usr/bin/env python3
"""Runs what the host asks for: one JSON object a line comes in over a virtio port, one goes back.

{"write": path, "data": base64}  stores a file
{"run": text, "user": name, "seconds": number}  runs bash; answers {"code", "output", "errors"}
"""

from __future__ import annotations

import base64
import json
import os
import pwd
import signal
import subprocess
import tempfile
import time

PORT = '/dev/vport0p1'


def run(text: str, user: str, seconds: float) -> dict[str, object]:
    """Run bash and wait for it; files and not pipes, so that a process left in the background holds nothing up."""
    entry = pwd.getpwnam(user)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            ['/bin/bash', '-c', text],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            cwd='/',
            start_new_session=True,
            user=entry.pw_uid if user != 'root' else None,
            group=entry.pw_gid if user != 'root' else None,
            extra_groups=os.getgrouplist(user, entry.pw_gid) if user != 'root' else None,
        )
        try:
            code = child.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            code = child.wait()
            errors.write(f'not done after {seconds} s'.encode())
        told = []
        for file in (output, errors):
            file.seek(0)
            told.append(file.read().decode(errors='backslashreplace'))
    return {'code': code, 'output': told[0], 'errors': told[1]}


def answer(request: dict[str, object]) -> dict[str, object]:
    """Do one thing."""
    if 'write' in request:
        path = str(request['write'])
        with open(path, 'wb') as file:
            file.write(base64.b64decode(str(request['data'])))
        return {}
    return run(str(request['run']), str(request['user']), float(str(request['seconds'])))


def main() -> None:
    """Serve for ever."""
    while not os.path.exists(PORT):
        time.sleep(0.05)
    port = os.open(PORT, os.O_RDWR)

    def send(message: dict[str, object]) -> None:
        data = json.dumps(message).encode() + b'\n'
        while data:
            data = data[os.write(port, data) :]

    with open('/proc/uptime') as file:
        send({'ready': os.uname().release, 'uptime': float(file.read().split()[0])})
    buffer = b''
    while True:
        piece = os.read(port, 1 << 16)
        if not piece:
            # Nobody listens at the other end: the machine is being saved, or was just restored.
            time.sleep(0.05)
            continue
        buffer += piece
        *lines, buffer = buffer.split(b'\n')
        for line in lines:
            try:
                send(answer(json.loads(line)))
            except Exception as error:  # noqa: BLE001  # the host tells
                send({'failed': repr(error)})


if __name__ == '__main__':
    main()
