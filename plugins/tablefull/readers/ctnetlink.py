"""Dumps of ctnetlink, the kernel's own list of tracked connections, and whether one may be asked for.

A dump reads. But opening such a socket, or sending the first message, makes the kernel load what is missing, and with
it connection tracking itself; so nothing is asked where the module is not there already. Sources:
net/netfilter/nfnetlink.c, net/netfilter/nf_conntrack_netlink.c, include/uapi/linux/netfilter/nfnetlink_conntrack.h.
"""

from __future__ import annotations

# The C half of the socket module: importing the whole costs a tenth of a check's CPU budget, for enums unused here.
import _socket
import os
import struct

from tablefull.readers.files import ReadError, exists, is_live, patience, read_optional
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

NETLINK_NETFILTER = 12
# IPCTNL_MSG_CT_GET and _NEW of NFNL_SUBSYS_CTNETLINK.
GET, NEW = 0x0101, 0x0100
ERROR, DONE = 2, 3

_REQUEST_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_HEADER = struct.Struct('=IHHII')
_COUNT = '/proc/sys/net/netfilter/nf_conntrack_count'
_MODULE = 'nf_conntrack_netlink'

# The kernel never answers with more than 32 KiB at once.
_ANSWER = 1 << 16
# For one answer, not for the whole dump: a table of millions takes seconds, a kernel that hangs says nothing.
_SECONDS = 5.0

GRANT = 'run it as root, or: setpriv --ambient-caps +net_admin --inh-caps +net_admin COMMAND'


def why_not(root: str = '/') -> str:
    """Why no dump may be asked for, '' when one may. Reads files only; raises ReadError when these cannot be read.

    The code of nf_conntrack_netlink has to be there, loaded or built in. A kernel that cannot load modules at all
    (no /proc/sys/kernel/modprobe: CONFIG_MODULES=n) may be asked in any case, for it can only say no.
    """
    if not is_live(root):
        return 'only the running kernel answers over netlink'
    if not exists(root, _COUNT):
        return 'connection tracking is not loaded, or hidden from this namespace'
    if exists(root, f'/sys/module/{_MODULE}') or not _loads_modules(root) or _listed(root):
        return ''
    return f'{_MODULE} is not loaded, and asking would load it'


def _loads_modules(root: str) -> bool:
    return exists(root, '/proc/modules') or exists(root, '/proc/sys/kernel/modprobe') or not exists(root, '/proc/sys')


def _listed(root: str) -> bool:
    lines = (read_optional(root, '/proc/modules') or '').splitlines()
    if any(line.startswith(_MODULE + ' ') for line in lines):
        return True
    release = os.uname().release
    return f'/{_MODULE}.ko' in (read_optional(root, f'/lib/modules/{release}/modules.builtin') or '')


def dump(family: int = 0, attributes: bytes = b'', seconds: float | None = None) -> Iterator[bytes]:
    """The datagrams of a dump as they come, without end: whoever reads them stops at DONE, and closes the generator.

    `family` is 2, 10 or 0 for both, `attributes` what the kernel may filter by (older ones ignore it), `seconds` how
    long to wait for one answer. The caller has asked why_not() before. Raises ReadError when the kernel refuses: it
    wants CAP_NET_ADMIN in the user namespace that owns this network namespace.
    """
    body = struct.pack('=BBH', family, 0, 0) + attributes
    try:
        connection = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
        try:
            connection.settimeout(max(0.01, patience(_SECONDS if seconds is None else seconds) or 0.0))
            connection.sendto(_HEADER.pack(_HEADER.size + len(body), GET, _REQUEST_DUMP, 1, 0) + body, (0, 0))
            while True:
                data, (sender, _) = connection.recvfrom(_ANSWER)
                if sender == 0:  # the kernel
                    yield data
        finally:
            connection.close()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else 'no answer in time'
        raise ReadError('ctnetlink', reason, error.errno) from None


def check_end(data: bytes, offset: int, kind: int) -> None:
    """Raises ReadError when the message that ends a dump carries an error."""
    number = struct.unpack_from('=i', data, offset + 16)[0] if offset + 20 <= len(data) else 0
    if kind not in (DONE, ERROR) or (kind == ERROR and not number):
        raise ReadError('ctnetlink', f'an answer of type {kind}')
    if number:
        raise ReadError('ctnetlink', os.strerror(-number), -number)


def attribute(kind: int, value: bytes) -> bytes:
    """One netlink attribute, padded."""
    length = 4 + len(value)
    return struct.pack('=HH', length, kind) + value + bytes(-length % 4)


# CTA_STATUS and CTA_STATUS_MASK: no reply seen (Linux >= 5.15).
UNANSWERED = attribute(3, struct.pack('>I', 0)) + attribute(26, struct.pack('>I', 2))
