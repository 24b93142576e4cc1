"""Tracked connections, as a tree keeps them: those that triage looks at when something is wrong with their table.

Who talked to whom is nobody's business elsewhere: destinations and the ports of sources are left out.
"""

from __future__ import annotations

from tablefull.frame.option_table import Values, defaults
from tablefull.readers import flow_listing
from tablefull.readers.files import exists, is_live
from tablefull.readers.flows import ASSURED, HW_OFFLOAD, OFFLOAD, SEEN_REPLY, protocol_name
from tablefull.readers.rtnetlink import address_text
from tablefull.readers.survey import sample_of_flows
from tablefull.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tablefull.readers.flows import Flow


def connections(root: str) -> Iterator[tuple[str, bytes]]:
    """(path in the tree, its content), once or not at all. Raises ReadError where they may not be looked at."""
    from tablefull.triage.holders import SAMPLE, wanted
    from tablefull.triage.main import OPTIONS
    from tablefull.triage.take import look_around

    path = flow_listing.listing(root)
    if not is_live(root) and not exists(root, path):
        return
    options = Values(**{**defaults(OPTIONS), 'root': root})
    if wanted(look_around(options, False).facts):
        # One more than triage counts: so it knows that there are more.
        yield path[1:], b''.join(map(line, sample_of_flows(root, SAMPLE + 1)))


def line(flow: Flow) -> bytes:
    """One connection as /proc/net/nf_conntrack has it, see readers/flow_listing.py."""
    family, number = ('ipv4', 2) if len(flow.source) == 4 else ('ipv6', 10)
    nobody = address_text(bytes(len(flow.source)))
    port = '' if flow.destination_port is None else f' sport=0 dport={flow.destination_port}'
    words = [family, str(number), protocol_name(flow.protocol).partition(' ')[0], str(flow.protocol)]
    words += ['0', flow.state] if flow.state else ['0'] if not flow.status & (OFFLOAD | HW_OFFLOAD) else []
    words.append(f'src={address_text(flow.source)} dst={nobody}{port}')
    words += [] if flow.status & SEEN_REPLY else ['[UNREPLIED]']
    words.append(f'src={nobody} dst={nobody}')
    words += [word for bit, word in _FLAGS if flow.status & bit]
    words += [f'zone={flow.zone}'] if flow.zone else []
    return ' '.join(words).encode('ascii') + b'\n'


_FLAGS = ((OFFLOAD, '[OFFLOAD]'), (HW_OFFLOAD, '[HW_OFFLOAD]'), (ASSURED, '[ASSURED]'))
