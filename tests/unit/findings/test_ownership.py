"""Local, forwarded and orphaned connections."""

from __future__ import annotations

import pytest

from tablefull.findings.ownership import Ownership, owner, ownership
from tablefull.readers.flows import TCP, UDP, Flow
from tablefull.readers.sockets import Sockets

HERE, CLIENT, SERVER, INNER = (bytes((192, 0, 2, n)) for n in (1, 50, 80, 99))
SOCKETS = Sockets(
    connected=frozenset({(TCP, HERE, 443, CLIENT, 5000), (TCP, HERE, 6000, SERVER, 80), (UDP, HERE, 7000, SERVER, 53)}),
    bound=frozenset({(TCP, b'', 443), (UDP, b'', 53), (UDP, HERE, 123)}),
    addresses=frozenset({HERE}),
)


def flow(
    source: bytes, port: int, destination: bytes, to: int, protocol: int = TCP, state: str = 'ESTABLISHED'
) -> Flow:
    reply = (destination, source, to, port)
    return Flow(source, destination, protocol, port, to, state if protocol == TCP else '', 0, 14, reply)


@pytest.mark.parametrize(
    ('seen', 'whose'),
    [
        (flow(CLIENT, 5000, HERE, 443), 'local'),
        (flow(HERE, 6000, SERVER, 80), 'local'),
        (flow(CLIENT, 5001, HERE, 443), 'orphaned'),
        (flow(CLIENT, 5001, HERE, 443, state='SYN_RECV'), 'local'),
        (flow(CLIENT, 5001, HERE, 8443, state='SYN_SENT'), 'orphaned'),
        (flow(HERE, 6001, SERVER, 80), 'orphaned'),
        (flow(CLIENT, 5000, SERVER, 443), 'forwarded'),
        (flow(CLIENT, 5000, HERE, 53, UDP), 'local'),
        (flow(CLIENT, 5000, HERE, 54, UDP), 'orphaned'),
        (flow(HERE, 7000, SERVER, 53, UDP), 'local'),
        (flow(HERE, 123, SERVER, 123, UDP), 'local'),
        (flow(CLIENT, 0, HERE, 0, 1)._replace(source_port=None), 'local'),
        (flow(CLIENT, 0, SERVER, 0, 1), 'forwarded'),
        (flow(bytes((127, 0, 0, 1)), 1, bytes((127, 0, 0, 2)), 2), 'orphaned'),
    ],
)
def test_each_connection_belongs_to_somebody(seen: Flow, whose: str) -> None:
    assert owner(seen, SOCKETS) == whose


def test_a_translated_destination_is_looked_up_as_the_socket_sees_it() -> None:
    # From outside to a public address that is nobody's, answered by this host on its port 443.
    redirected = flow(CLIENT, 5000, INNER, 8443)._replace(reply=(HERE, CLIENT, 443, 5000))
    assert owner(redirected, SOCKETS) == 'local'
    # A client behind this host: its replies come back to this host's address, and it is forwarded all the same.
    masqueraded = flow(CLIENT, 5000, SERVER, 80)._replace(reply=(SERVER, HERE, 80, 5000))
    assert owner(masqueraded, SOCKETS) == 'forwarded'


def test_they_are_counted() -> None:
    seen = [
        flow(CLIENT, 5000, HERE, 443),
        flow(CLIENT, 1, SERVER, 2),
        flow(CLIENT, 1, SERVER, 3),
        flow(HERE, 1, SERVER, 2),
    ]
    assert ownership(seen, SOCKETS) == Ownership(local=1, forwarded=2, orphaned=1)
