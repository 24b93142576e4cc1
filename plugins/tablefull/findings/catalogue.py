"""Every finding code with its title; `tablefull explain`, docs/findings/ and the tests follow this table."""

from __future__ import annotations

CATALOGUE: dict[str, str] = {
    # conntrack
    'conntrack-table-full': 'The connection tracking table is full and packets are refused',
    'conntrack-table-full-elsewhere': 'The kernel log reports a full table of another network namespace',
    'conntrack-usage-high': 'The connection tracking table is filling up',
    'conntrack-entries-high': 'More tracked connections than the configured bounds allow',
    'conntrack-full-soon': 'At its present growth the table will be full soon',
    'conntrack-drops': 'Connection tracking refuses packets although its table is not full',
    'conntrack-early-drops': 'Connections that were never answered are evicted to make room',
    'conntrack-insert-failed': 'New connections collide and are dropped on insertion',
    'conntrack-expectation-table-full': 'The table of expected connections is full',
    'conntrack-hash-small': 'The hash table is too small for the limit',
    'conntrack-no-limit': 'Connection tracking has no limit on its entries',
    'conntrack-configuration-differs': 'The running limit is not the configured one',
    'conntrack-configuration-lost-at-boot': 'The running limit will not survive a reboot',
    'conntrack-statistics-missing': 'This kernel does not show connection tracking statistics',
    'conntrack-hidden': 'Connection tracking runs, but its numbers are hidden from this namespace',
    'conntrack-not-loaded': 'Connection tracking is not loaded',
    # modules
    # neighbour
    # ferm
    # kernel log
    # all checks
    'state-unwritable': 'Nothing can be remembered between two runs, so rates stay unknown',
    'state-damaged': 'What was remembered of earlier runs was damaged, and is started anew',
    'kernel-log-unreadable': 'The kernel log cannot be read with these privileges',
}
