"""Rules of causes: the evidence that decides, what contradicts it, and the order."""

from __future__ import annotations

from tablefull.findings import conntrack_seen, ferm_seen, module_state
from tablefull.findings.finding import Finding
from tablefull.findings.rates import Sample
from tablefull.readers.conntrack import Conntrack
from tablefull.readers.ferm import Configuration, Settings
from tablefull.readers.modules import Modules, parse_modules
from tablefull.readers.statistics import Statistics
from tablefull.triage.cause import Cause
from tablefull.triage.facts import Facts
from tablefull.triage.join import excused, join, unexplained

TRACKING = ('conntrack_modules', Finding('modules-tracking', 'critical', 'tracks', ('entries',)))
UNEXPECTED = ('conntrack_modules', Finding('modules-unexpected', 'warning', 'loaded', ('modules',)))
LEFT = ('conntrack_modules', Finding('modules-nat-left-behind', 'warning', 'left', ('nat', 'tables')))
NONE = Modules({}, True, frozenset(), True)
FULL = ('conntrack', Finding('conntrack-table-full', 'critical', 'full', ('drop 5',)))


def modules(*lines: str) -> Modules:
    """Lines 'NAME REFERENCES USERS', the newest first."""
    text = ''.join('{} 1 {} {} Live 0x0\n'.format(*line.split()) for line in lines)
    return Modules(parse_modules(text), True, frozenset(), True)


def facts(
    loaded: Modules,
    *findings: tuple[str, Finding],
    entries: int = 0,
    release: tuple[int, int] = (6, 1),
    owners: tuple[str, ...] = (),
) -> Facts:
    table = Conntrack(True, entries, 1000, 1000, first_namespace=True)
    seen = module_state.Seen(loaded, table, release=release, owners=owners)
    return Facts(findings, conntrack_seen.Seen(table, Sample(1.0, {}), release=release), seen)


def named(given: Facts, excusing: bool = True) -> list[str]:
    return [cause.code for cause in join(given, excusing)]


def first(given: Facts) -> Cause:
    return join(given)[0]


LISTED = ('iptable_nat 0 -', 'nf_nat 1 iptable_nat,', 'nf_conntrack 1 nf_nat,')


def test_a_listed_table_is_one_that_brought_the_tracker() -> None:
    listed = facts(modules(*LISTED), UNEXPECTED, LEFT)
    assert named(listed) == ['tracking-by-listing']
    # An empty table that a firewall script restores leaves the same traces.
    assert first(listed).confidence == 'probable'
    assert not any('only if' in step.effect for step in first(listed).steps)


def test_a_listing_is_told_for_what_the_kernel_lets_it_be_told_by() -> None:
    new = first(facts(modules(*LISTED), UNEXPECTED, LEFT, release=(3, 8)))
    old = first(facts(modules(*LISTED), UNEXPECTED, LEFT, release=(3, 7)))
    assert 'a NAT rule would have loaded' in new.because
    assert 'SNAT and DNAT had none of their own before Linux 3.8' in old.because


def test_who_uses_tracking_by_now_is_not_told_to_unload_it_without_a_word() -> None:
    lines = ('xt_conntrack 1 -', 'iptable_nat 0 -', 'nf_nat 1 iptable_nat,', 'nf_conntrack 2 xt_conntrack,nf_nat,')
    for given in (facts(modules(*lines), TRACKING, LEFT), facts(modules(*LISTED), LEFT, owners=('Docker',))):
        unloading = [step for step in first(given).steps if step.run.startswith(('rmmod', 'iptables'))]
        assert unloading
        assert all(step.effect.startswith('only if nothing here is meant to track: ') for step in unloading)


def test_a_rule_that_came_later_makes_it_probable_and_stands_against_it() -> None:
    later = facts(
        modules('xt_conntrack 1 -', 'iptable_nat 0 -', 'nf_nat 1 iptable_nat,', 'nf_conntrack 2 xt_conntrack,nf_nat,'),
        TRACKING,
        LEFT,
        FULL,
        entries=1000,
    )
    cause = first(later)
    assert (cause.code, cause.confidence, cause.severity) == ('tracking-by-listing', 'probable', 'critical')
    assert any('xt_conntrack is used 1 x' in piece for piece in cause.against)
    assert 'conntrack-table-full' in cause.explains


def test_a_listing_after_the_rule_has_not_brought_tracking() -> None:
    earlier = facts(
        modules('iptable_nat 0 -', 'nf_nat 1 iptable_nat,', 'xt_conntrack 1 -', 'nf_conntrack 2 xt_conntrack,nf_nat,'),
        TRACKING,
        LEFT,
        entries=5,
    )
    assert named(earlier) == ['tracking-left-behind', 'tracking-needed']
    assert [step.run for step in first(earlier).steps] == ['rmmod iptable_nat nf_nat'], 'the rule keeps what it needs'


def test_before_on_demand_hooks_a_listing_alone_tracks() -> None:
    old = facts(modules(*LISTED), TRACKING, FULL, entries=1000, release=(2, 6))
    assert first(old).code == 'tracking-by-listing'
    assert any('that alone tracks every packet' in link for link in first(old).chain)


def test_a_module_that_only_a_rule_loads_tells_a_removed_rule_from_a_listing() -> None:
    removed = facts(
        modules(
            'iptable_nat 0 -', 'xt_MASQUERADE 0 -', 'nf_nat 2 iptable_nat,xt_MASQUERADE,', 'nf_conntrack 1 nf_nat,'
        ),
        UNEXPECTED,
        LEFT,
        entries=5,
    )
    assert named(removed) == ['tracking-left-behind']


def test_a_table_that_was_full_before_anybody_looked_is_not_said_to_refuse_packets() -> None:
    # The check saw room; the line in the log is critical to check_kernel_log for a quarter of an hour all the same.
    line = ('kernel_log', FULL[1]._replace(evidence=('table full, dropping packet',)))
    past = ('conntrack', FULL[1]._replace(severity='warning'))
    cause = next(cause for cause in join(facts(NONE, line, past, entries=300)) if cause.code == 'limit-too-low')
    assert cause.confidence == 'probable'
    assert cause.says == 'a table was full a while ago, this one or that of a container; now 300 of 1000'
    assert cause.chain[-1] == 'packets of new connections were refused'
    assert not any('a little below' in piece for piece in cause.against)


def test_refusals_of_before_are_not_called_none() -> None:
    high = ('conntrack', Finding('conntrack-usage-high', 'critical', 'high', ('usage',)))
    given = facts(NONE, high, entries=930)
    assert given.conntrack is not None
    assert 'no refusal yet' in first(given).because
    counted = given.conntrack.table._replace(statistics=Statistics(('entries', 'drop'), ((930, 196),)))
    seen = given.conntrack._replace(table=counted)
    assert 'drop 196 since boot' in first(given._replace(conntrack=seen)).because


def test_no_limit_is_not_written_down_as_one() -> None:
    given = facts(NONE, FULL, entries=300)
    assert given.conntrack is not None
    table = given.conntrack.table._replace(maximum=0)
    cause = first(given._replace(conntrack=given.conntrack._replace(table=table)))
    assert not any('nf_conntrack_max = 0' in piece for piece in cause.prevention)


def test_a_program_that_needs_tracking_is_named_and_excuses_it() -> None:
    docker = facts(
        modules('xt_MASQUERADE 1 -', 'nf_conntrack 1 xt_MASQUERADE,'),
        TRACKING,
        UNEXPECTED,
        owners=('Docker',),
        entries=5,
    )
    assert named(docker) == ['tracking-needed']
    assert 'Docker works here' in first(docker).says and 'do not unload' in first(docker).says
    assert first(docker).severity == 'info'
    assert excused(join(docker), True) == {'modules-tracking', 'modules-unexpected'}
    # Whoever says that nothing is meant to track is not contradicted.
    strict = join(docker, False)
    assert strict[0].severity == 'critical' and not excused(strict, False)


def test_an_owner_speaks_against_a_listing() -> None:
    cause = first(facts(modules(*LISTED), UNEXPECTED, LEFT, owners=('Docker',)))
    assert (cause.code, cause.confidence) == ('tracking-by-listing', 'probable')
    assert cause.against == ('Docker works here and may need it',)


def test_what_cannot_be_unloaded_is_said() -> None:
    permanent = facts(modules(*LISTED[:2], 'nf_conntrack 1 nf_nat,[permanent],'), UNEXPECTED)
    assert any('only a reboot' in step.effect for step in first(permanent).steps)


def test_modules_of_ferm_are_not_unloaded_behind_its_back() -> None:
    stopped = facts(modules('xt_conntrack 0 -', 'nf_conntrack 1 xt_conntrack,'), UNEXPECTED)
    alone = first(stopped)
    beside = first(stopped._replace(ferm=ferm_seen.Seen(None, 'unseen', Settings(True), Configuration(True))))
    assert [alone.code, beside.code] == ['tracking-left-behind'] * 2
    assert not alone.against and not any('only if' in step.effect for step in alone.steps)
    assert beside.against == ('ferm is here, and may ask for them when its rules come back',)
    assert all('only if nothing here is meant to track' in step.effect for step in beside.steps)


def test_neighbour_tables_that_are_not_there_are_no_proof_of_a_container() -> None:
    missing = ('neighbour', Finding('neighbour-tables-missing', 'unknown', 'none', ('arp_cache is not there',)))
    host = facts(NONE, missing)
    assert (first(host).code, first(host).confidence) == ('view-restricted', 'possible')
    assert host.conntrack is not None
    table = host.conntrack.table._replace(first_namespace=False)
    inside = host._replace(conntrack=host.conntrack._replace(table=table))
    assert (first(inside).code, first(inside).confidence) == ('view-restricted', 'certain')


def test_a_few_entries_beyond_the_limit_are_packets_that_are_being_refused() -> None:
    # __nf_conntrack_alloc() counts before it compares, on each CPU.
    assert named(facts(NONE, FULL, entries=1003)) == ['limit-too-low']
    assert named(facts(NONE, FULL, entries=1500)) == ['limit-below-entries']


def test_a_cause_that_is_merely_possible_comes_behind_one_that_is_known() -> None:
    causes = join(facts(modules('nf_conntrack 0 -'), UNEXPECTED, FULL, entries=1000))
    assert [(cause.code, cause.confidence) for cause in causes] == [
        ('limit-too-low', 'certain'),
        ('tracking-unclaimed', 'possible'),
    ]


def test_what_no_cause_explains_is_left_over() -> None:
    other = ('ferm', Finding('ferm-not-enabled', 'warning', 'not enabled', ('disabled',)))
    given = facts(modules(), other)
    assert join(given) == () and unexplained(given, ()) == (other,)


def test_nothing_found_has_no_cause() -> None:
    assert join(Facts()) == ()
