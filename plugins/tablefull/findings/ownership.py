"""Whose connections are in the table: of this host, forwarded for others, or left over from what is gone."""

from __future__ import annotations

from tablefull.readers.flows import TCP, UDP
from tablefull.record import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tablefull.readers.flows import Flow
    from tablefull.readers.sockets import Sockets


class Ownership(NamedTuple):
    """Connections, counted.

    local      to or from this host, with a socket that is theirs; those of protocols without sockets as well
    forwarded  neither end is an address of this host
    orphaned   to or from this host, but no socket is theirs: closed and not forgotten yet, or never accepted
    """

    local: int = 0
    forwarded: int = 0
    orphaned: int = 0


def ownership(flows: Iterable[Flow], sockets: Sockets) -> Ownership:
    """Tell them apart."""
    counts = {'local': 0, 'forwarded': 0, 'orphaned': 0}
    for flow in flows:
        counts[owner(flow, sockets)] += 1
    return Ownership(**counts)


def owner(flow: Flow, sockets: Sockets) -> str:
    """The field of Ownership that one connection counts for."""
    reply_source, reply_destination, reply_port, other_port = flow.reply
    # As the socket sees it: what answers, for a destination that was translated; the source before it was.
    incoming = (reply_source, reply_port, reply_destination, other_port)
    outgoing = (flow.source, flow.source_port, flow.destination, flow.destination_port)
    here = [end for end in (outgoing, incoming) if _is_here(end[0], sockets)]
    if not here:
        return 'forwarded'
    if flow.protocol not in (TCP, UDP):
        return 'local'
    for own, own_port, other, port in here:
        if own_port is None or port is None:
            continue
        if (flow.protocol, own, own_port, other, port) in sockets.connected:
            return 'local'
        # A listener holds no connection of TCP but those that wait to be accepted, which have no socket yet.
        listens = any((flow.protocol, address, own_port) in sockets.bound for address in (own, b''))
        if listens and (flow.protocol == UDP or flow.state.startswith('SYN_')):
            return 'local'
    return 'orphaned'


def _is_here(address: bytes, sockets: Sockets) -> bool:
    return address in sockets.addresses or (len(address) == 4 and address[0] == 127)
