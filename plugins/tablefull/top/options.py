"""The options of `tablefull top`."""

from __future__ import annotations

from tablefull.frame.option_table import Option
from tablefull.readers.tally import BY

OPTIONS = (
    Option('by', 'choice', 'prefix', 'what to group by', metavar='WHAT', choices=BY),
    Option('limit', 'whole', '10', 'rows at most, 1 to 1000', metavar='N'),
    Option('sample', 'whole', '', 'look at about so many connections only, and tell how sure that is', metavar='N'),
    Option('unanswered', 'flag', '', 'only connections that were never answered'),
    Option('family', 'choice', 'both', 'addresses to look at', metavar='F', choices=('both', 'ipv4', 'ipv6')),
    Option('sockets', 'flag', '', 'compare a sample with the sockets of this host: local, forwarded, orphaned'),
    Option('timeout', 'seconds', '', 'tell what is counted after so long', metavar='SECONDS'),
    Option('output', 'choice', 'text', 'form of the output', metavar='FORM', choices=('text', 'json')),
    Option('root', 'path', '/', 'read proc and sys below this directory', metavar='DIR'),
)
