"""What readers ask of a ledger; the same tests run against each implementation."""

from __future__ import annotations

import fnmatch
import itertools
import logging
import math
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loghub.errors import AmbiguousKeyError, BadCursorError
from loghub.event import iso
from loghub.journal.reading import Fold, Tally
from loghub.ledger import folding, retention
from loghub.ledger.find import ORDERS, Find, Page
from loghub.ledger.protocol import Restored, Seen
from tests.ledger.rows import HOUR, ONE, T0, TWO, event, fold, tally

DAY = 86400.0


def ids(page):
    """Return the first letters of the ids of events."""
    return "".join(one["id"][0] for one in page)


# Against a plain reading of the same rows

RELEASES, ENVIRONMENTS = ("1.0", "1.1"), ("production", "staging")
TYPES = (("ValueError", "builtins"), ("Timeout", "http.errors"), ("Time_out%", "builtins"))
MODULES, COMPONENTS, LEVELS = ("shop", "shop.cart", "shopping"), ("shop", "till"), ("WARNING", "ERROR", "CRITICAL")
MESSAGES = ("bad price", "Straße 100% gesperrt", "no_such\\thing")

_rows = st.lists(
    st.tuples(
        st.integers(0, 4),  # the group
        st.integers(0, 60 * 3600 * 1000).map(lambda ms: T0 + ms / 1000 + 0.0003),
        st.integers(1, 5),
        st.sampled_from(RELEASES),
        st.sampled_from(ENVIRONMENTS),
    ),
    max_size=25,
)
_times = st.none() | st.integers(-2 * 3600, 62 * 3600).map(lambda s: T0 + s)
_finds = st.builds(
    Find,
    error_type=st.none() | st.sampled_from(["valueerror", "http.errors.Timeout", "Time*", "Time_out%", "*"]),
    module=st.none() | st.sampled_from(["shop", "shop.cart", "shop*", "none"]),
    component=st.none() | st.sampled_from(["shop", "t*l"]),
    level=st.none() | st.sampled_from([logging.ERROR, logging.CRITICAL, logging.WARNING, 45, 60]),
    release=st.none() | st.sampled_from(["1.0", "1.*", "2"]),
    environment=st.none() | st.sampled_from(ENVIRONMENTS),
    text=st.none() | st.sampled_from(["PRICE", "strasse", "100%", "_such\\", "timeout", "cart"]),
    since=_times,
    until=_times,
)


def ends_before_it_begins(find):
    """Return whether a question leaves no time between its two moments."""
    return None not in (find.since, find.until) and find.until <= find.since


def described(number):
    """Return what the events of a group have in common."""
    error_type, error_module = TYPES[number % 3]
    return {
        "fingerprint": f"v1:{number:016x}",
        "error_type": error_type,
        "error_module": error_module,
        "error_message": MESSAGES[number % 3],
        "module": MODULES[(number + 1) % 3],
        "component": COMPONENTS[number % 2],
        "level": LEVELS[number % 3],
    }


def filled(make, rows):
    """Return a ledger with what `rows` say, and the events that it keeps."""
    ledger, kept = make(), []
    for index, (number, at, n, release, environment) in enumerate(rows):
        more = described(number) | {"release": release, "environment": environment}
        one = event(at=at, **more) | {"id": f"{index:04d}"}
        kept.append(one)
        level = logging.getLevelName(more["level"])
        told = tally(n, at, kept=[one], release=release, environment=environment, level=level)
        fold(ledger, told, fingerprint=more["fingerprint"])
    return ledger, kept


def holds(find, one):
    """Say in plain words whether an event is one of those that are looked for, whatever its time."""

    def like(value, wanted):
        wanted = wanted.replace("[", "[[]").replace("?", "[?]")
        return fnmatch.fnmatchcase(value.lower(), wanted.lower())

    said = [one[name] for name in ("error_type", "error_message", "module", "function", "logger", "component")]
    return (
        (
            find.error_type is None
            or like(one["error_type"], find.error_type)
            or like(f"{one['error_module']}.{one['error_type']}", find.error_type)
        )
        and (find.module is None or like(one["module"], find.module) or like(one["module"], f"{find.module}.*"))
        and (find.component is None or like(one["component"], find.component))
        and logging.getLevelName(one["level"]) >= (find.level or 0)
        and (find.text is None or any(find.text.casefold() in text.casefold() for text in said))
    )


def deployed(find, release, environment):
    """Say whether a release and an environment are looked for."""
    return (find.release is None or fnmatch.fnmatch(release, find.release)) and find.environment in {
        None,
        environment,
    }


every_backend = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.slow
@every_backend
@given(_rows, _finds)
def test_events_that_are_looked_for(make, rows, find):
    """The events that are found are those that a plain look at each one finds."""
    ledger, kept = filled(make, rows)
    found = {one["id"] for one in ledger.events(100, find)}
    assert found == {
        one["id"]
        for one, (_, at, *_) in zip(kept, rows, strict=True)
        if holds(find, one)
        and deployed(find, one["release"], one["environment"])
        and (find.since or 0) <= at < (find.until or math.inf)
    }


@pytest.mark.slow
@every_backend
@given(_rows, _finds)
def test_groups_that_are_looked_for(make, rows, find):
    """Groups are found by what they are, by where they were seen, and by when they were alive."""
    ledger, kept = filled(make, rows)
    found = {one.fingerprint for one in ledger.groups(find=find)}
    wanted = set()
    for number in {number for number, *_ in rows}:
        mine = [row for row in rows if row[0] == number]
        times = [at for _, at, *_ in mine]
        first = next(one for one in kept if one["fingerprint"] == described(number)["fingerprint"])
        if (
            holds(find, first)
            and any(deployed(Find(release=find.release), release, "") for *_, release, _ in mine)
            and find.environment in {None, *(environment for *_, environment in mine)}
            and max(times) >= (find.since or 0)
            and min(times) < (find.until or math.inf)
            and not ends_before_it_begins(find)
        ):
            wanted.add(described(number)["fingerprint"])
    assert found == wanted


@pytest.mark.slow
@every_backend
@given(_rows, _finds)
def test_counts_that_are_looked_for(make, rows, find):
    """Counts by type and module, by day and by hour add up what happened in the hours between two times."""
    ledger, kept = filled(make, rows)
    groups, days, hours = Counter(), Counter(), Counter()
    first = 0 if find.since is None else find.since // 3600
    end = math.inf if find.until is None else math.ceil(find.until / 3600)
    for one, (_, at, n, release, environment) in zip(kept, rows, strict=True):
        if ends_before_it_begins(find):
            continue
        if holds(find, one) and deployed(find, release, environment) and first <= at // 3600 < end:
            groups[one["error_type"], one["module"]] += n
            days[int(at // DAY)] += n
            hours[int(at // 3600)] += n
    assert {(error_type, module): n for error_type, module, n in ledger.totals_of(find)} == groups
    assert ledger.days(find) == days
    assert ledger.hours(find) == hours


def test_where_it_was_seen(ledger):
    """Each server has the groups that were seen there, and how often; the one with the most comes first."""
    for number, (server, at, n) in enumerate([("web1", T0, 2), ("web2", T0 + DAY, 7), ("web1", T0 + 60, 1)]):
        said = tally(n, at)
        said.servers = Counter({server: n})
        fold(ledger, said, fingerprint=TWO if number == 2 else ONE)
    web1, web2 = Seen("web1", 2, 3, T0, T0 + 60), Seen("web2", 1, 7, T0 + DAY, T0 + DAY)
    assert ledger.seen_by("server") == [web2, web1]
    assert ledger.seen_by("server", Find(since=T0 + 61)) == [web2]
    assert ledger.seen_by("server", Find(until=T0 + 61)) == [web1]
    assert ledger.seen_by("server", Find(fingerprint=TWO)) == [Seen("web1", 1, 1, T0 + 60, T0 + 60)]
    assert ledger.seen_by("release") == [Seen("1.0", 2, 10, T0, T0 + DAY)]
    assert ledger.seen_by("server", Find(since=T0 + 1, until=T0)) == []


@pytest.mark.slow
@every_backend
@given(_rows, _finds, st.sampled_from(ORDERS), st.integers(1, 6))
def test_pages(make, rows, find, order, size):
    """Page after page gives the whole list, once, in its order; the last one says that it is the last."""
    ledger, _ = filled(make, rows)

    def paged(read):
        found, after = [], ""
        for _ in range(len(rows) + 1):
            page = read(size, after)
            found += page
            after = page.after
            if not after:
                return found
            assert len(page) == size
        raise AssertionError("no end")

    events = ledger.events(1000, find)
    assert paged(lambda limit, after: ledger.events(limit, find, after)) == events
    assert [one["timestamp"] for one in events] == sorted((one["timestamp"] for one in events), reverse=True)
    groups = ledger.groups(None, find, order=order)
    assert groups.after == ""
    assert paged(lambda limit, after: ledger.groups(limit, find, after, order)) == groups
    assert [getattr(one, order) for one in groups] == sorted((getattr(one, order) for one in groups), reverse=True)


# One by one


def test_type_of_the_whole_list():
    """A page is a list, so that whoever wants the rows alone has them."""
    assert Page([1]) == [1]
    assert Page.of([], 5).after == ""


def test_newest_of_one_millisecond_first(ledger):
    """Of events with the same time the one that came last is first, and a page ends between them."""
    fold(ledger, tally(1, kept=[event(key=key) for key in "abc"]))
    assert ids(ledger.events(10)) == "cba"
    page = ledger.events(1)
    assert ids(ledger.events(10, after=page.after)) == "ba"


def test_a_page_goes_on_from_what_json_says(ledger):
    """The cursor is made of what the last row's JSON has."""
    fold(ledger, tally(3, T0 + 0.1234567, kept=[event(key=key, at=T0 + n) for n, key in enumerate("abc")]))
    fold(ledger, tally(2, T0 + 0.125), fingerprint=TWO)
    last = ledger.events(10)[0]
    assert ids(ledger.events(10, after=f"{last['timestamp']}~{last['id']}")) == "ba"
    assert [one.fingerprint for one in ledger.groups(after=f"{iso(T0 + 0.125)}~{TWO}")] == [ONE]
    assert ledger.groups(after=f"{iso(T0 + 0.123)}~{ONE}") == []
    assert [one.fingerprint for one in ledger.groups(after=f"3~{ONE}", order="count")] == [TWO]


def test_a_page_after_a_group_that_moved_on(ledger):
    """Where the group that a page ended with was seen again, or is gone, the list goes on behind its old place."""
    names = [f"v1:{n}" for n in range(5)]
    for n, name in enumerate(names):
        fold(ledger, tally(9 - n, T0 - n * 10 + 0.0004), fingerprint=name)
    last, most = ledger.groups(2), ledger.groups(2, order="count")
    fold(ledger, tally(50, T0 + 99), fingerprint=names[1])
    assert [one.fingerprint for one in ledger.groups(after=last.after)] == names[2:]
    assert [one.fingerprint for one in ledger.groups(after=most.after, order="count")] == names[2:]
    ledger.purge([names[1]])
    assert [one.fingerprint for one in ledger.groups(after=last.after)] == names[2:]
    assert [one.fingerprint for one in ledger.groups(after=most.after, order="count")] == names[2:]


def test_a_page_after_an_event_that_is_gone(ledger):
    """Where the event that a page ended with was let go, the list goes on there: rather twice than never."""
    fold(ledger, tally(1, kept=[event(key="a"), event(key="c", at=T0 + 3), event(key="b", at=T0 + 5)]))
    assert ids(ledger.events(10, after=f"{iso(T0 + 3)}~gone")) == "ca"


@pytest.mark.parametrize(
    ("order", "after"),
    [("last_seen_at", "x"), ("last_seen_at", "x~v1:1"), ("last_seen_at", "2026-01-01~"), ("count", "-1~v1:1"),
     ("count", "2026-01-01~v1:1")],
)  # fmt: skip
def test_no_place_in_the_list(ledger, order, after):
    """A cursor that is none is refused with what one looks like."""
    with pytest.raises(BadCursorError, match="no place in a list ordered by") as caught:
        ledger.groups(after=after, order=order)
    assert ("COUNT~" if order == "count" else "LAST_SEEN_AT~") in str(caught.value)
    with pytest.raises(BadCursorError, match="TIMESTAMP~ID"):
        ledger.events(1, after="x")


def test_status(ledger):
    """Groups are found by their status; one that is muted is neither open nor resolved until that ends."""
    fold(ledger, tally())
    fold(ledger, tally(), fingerprint=TWO)
    ledger.mute(TWO, math.inf)
    assert [one.fingerprint for one in ledger.groups(find=Find(status="open"))] == [ONE]
    assert [one.fingerprint for one in ledger.groups(find=Find(status="muted"))] == [TWO]
    ledger.mute(TWO, 5.0)
    assert len(ledger.groups(find=Find(status="open"))) == 2


def test_text_of_the_context(ledger):
    """Text is found in the context, too: that is where order numbers are."""
    fold(ledger, tally(1, kept=[event(key="a", additional_info={"order": 4711}), event(key="b")]))
    assert ids(ledger.events(9, Find(text="4711"))) == "a"


def test_levels_without_a_name(ledger):
    """Levels go by number: an application has names for them that nobody else knows."""
    one = tally(2, kept=[event(key="a", level="NOTICE"), event(key="b", level="ERR")], level=40)
    one.levels = {id(one.kept[0]): 25}
    fold(ledger, one)
    fold(ledger, tally(1, kept=[event(TWO, key="c", level="FATALITY")], level=60), fingerprint=TWO)
    assert ids(ledger.events(9, Find(level=40))) == "cb"
    assert ids(ledger.events(9, Find(level=25))) == "cba"
    assert [one.fingerprint for one in ledger.groups(find=Find(level=50))] == [TWO]


def test_first_seen(ledger):
    """When the first of what is looked for was seen; never, where there is none."""
    fold(ledger, tally(1, T0))
    fold(ledger, tally(1, T0 - 50, release="2"), fingerprint=TWO)
    assert ledger.first_seen_at() == T0 - 50
    assert ledger.first_seen_at(Find(release="1.0")) == T0
    assert ledger.first_seen_at(Find(release="3")) == math.inf


def test_keys(ledger):
    """A group or an event is found by the beginning of its key, never by nothing, and not where several begin so."""
    for name in (ONE, TWO, "v1:12", "hello", "v1:abc"):
        kept = [event(name) | {"id": name[-1] * 4}]
        fold(ledger, tally(1, kept=kept), fingerprint=name)
    assert ledger.group("hel").fingerprint == "hello"
    assert ledger.group("abc").fingerprint == ledger.group("v1:abc").fingerprint == "v1:abc"
    assert ledger.group("12").fingerprint == "v1:12"
    for nothing in ("", "x", "%", "v1:_", "a\udcff"):
        assert ledger.group(nothing) is None
        assert ledger.event(nothing) is None
    with pytest.raises(AmbiguousKeyError, match="v1:1 is the beginning of several, such as v1:1111111111111111, v1:12"):
        ledger.group("1")
    assert ledger.event("o")["id"] == "oooo"


def test_hours_of_some_groups(ledger):
    """Hours come for each of the groups that were asked for, since a time, over all releases."""
    fold(ledger, tally(2, T0), tally(3, T0, release="2"), tally(4, T0 + 3600))
    fold(ledger, tally(9, T0), fingerprint=TWO)
    assert ledger.hours_of([ONE, "v1:none"], T0 + 30) == {ONE: {HOUR: 5, HOUR + 1: 4}, "v1:none": {}}
    assert ledger.hours_of([TWO], T0 + 3600) == {TWO: {}}


# What stays, and what is let go


def test_events_of_one_group_are_bounded(ledger, monkeypatch):
    """Of a group so many events are kept, the newest, whatever the order in which they come."""
    monkeypatch.setattr(folding, "EVENTS_PER_GROUP", 3)
    fold(ledger, tally(4, kept=[event(key=key, at=T0 + n) for n, key in enumerate("dacb")]))
    fold(ledger, tally(1, kept=[event(key="e", at=T0 - 9)]))
    fold(ledger, tally(1, kept=[event(TWO, key="f", at=T0 - 99)]), fingerprint=TWO)
    assert ids(ledger.events(10)) == "bcaf"


def tidied(ledger, now):
    """Tidy until there is nothing more; return the steps."""
    return next(number for number in itertools.count(1) if not ledger.tidy(now))


def test_what_is_too_old(ledger):
    """Old events and hours go, but for a group's newest event; counts by day stay longer, and groups longest."""
    now = T0 + 500 * DAY
    ages = {"new": 1, "late": 88, "events": retention.HOUR_DAYS + 2, "days": 399, "all": 402}
    for name, age in ages.items():
        at = now - age * DAY
        kept = [event(key=key, at=at - n, fingerprint=name) for n, key in enumerate(f"{name[0]}{name[0].upper()}")]
        fold(ledger, tally(2, at, kept=kept), fingerprint=name)
    tidied(ledger, now)
    assert {one.fingerprint: one.count for one in ledger.groups()} == dict.fromkeys([*list(ages)[:-1]], 2)
    assert sorted(ids(ledger.events(99))) == sorted("nNlLed")
    assert sum(ledger.hours().values()) == 4
    assert sum(ledger.days().values()) == 8
    assert ledger.tidy(now) is False


def test_spent_long_ago(ledger):
    """What was spent of a budget is not remembered for ever: its name may never come again."""
    for number in range(3):
        ledger.spend(f"login from {number}", 1, 60.0, T0)
    assert ledger.spend("login from 1", 1, 60.0, T0) == 60.0
    tidied(ledger, T0 + DAY)
    assert ledger.spend("login from 1", 1, 2 * DAY, T0) > 0.0
    tidied(ledger, T0 + 3 * DAY)
    assert ledger.spend("login from 1", 1, 2 * DAY, T0) == 0.0


def test_what_waits_stays(ledger):
    """A group that somebody has still to be told of, or that is muted, is not let go, however old."""
    fold(ledger, tally(1, T0, github=1))
    fold(ledger, tally(1, T0), fingerprint=TWO)
    fold(ledger, tally(1, T0), fingerprint="v1:3")
    ledger.mute(TWO, math.inf)
    tidied(ledger, T0 + 500 * DAY)
    assert {one.fingerprint for one in ledger.groups()} == {ONE, TWO}


def test_a_step_is_short(ledger, monkeypatch):
    """Tidying takes many steps where there is much, so that nobody waits for long."""
    monkeypatch.setattr(retention, "CHUNK", 10)
    for n in range(60):
        fold(ledger, tally(1, T0 + n * 3600, kept=[event(at=T0 + n * 3600) | {"id": str(n)}]))
    assert tidied(ledger, T0 + 100 * DAY) > 5
    assert len(ledger.events(100)) == 1
    assert ledger.hours() == {}


def test_purge(ledger):
    """Groups are deleted with their events, counts, facts and what waits."""
    fold(ledger, tally(3, kept=[event()], github=1))
    fold(ledger, tally(2, kept=[event(TWO, key="b", error_type="KeyError")]), fingerprint=TWO)
    assert ledger.purge([ONE, "v1:none"]) == 1
    assert ledger.group(ONE) is None
    assert ids(ledger.events(9)) == "b"
    assert ledger.outbox() == []
    assert sum(ledger.hours().values()) == sum(ledger.days().values()) == 2


# From elsewhere


def test_restore(ledger):
    """What detail files say is taken into an empty ledger, and a second time changes nothing."""
    said = {
        ONE: tally(2, T0, kept=[event(key="a"), event(key="b")]),
        TWO: tally(1, T0 + 5000, kept=[event(TWO, key="c", at=T0 + 5000)]),
    }
    assert ledger.restore(said, T0 + 9000) == Restored(groups=2, events=3, occurrences=3)
    whole = ledger.groups(), ledger.events(9), ledger.hours(), ledger.days(), ledger.group(ONE)
    assert [one.count for one in ledger.groups()] == [1, 2]
    assert ledger.restore(said, T0 + 9000) == Restored(0, 0, 0)
    assert (ledger.groups(), ledger.events(9), ledger.hours(), ledger.days(), ledger.group(ONE)) == whole
    assert ledger.outbox() == []


def test_restore_beside_what_was_counted(ledger):
    """An hour is counted up to what the files say, not on top of it; what is only in the files is added."""
    fold(ledger, tally(50, T0, kept=[event(key="a")]))
    said = tally(0, T0, kept=[event(key=key) for key in "ab"])
    said.hours = Counter({(HOUR, "1.0", "production"): 20, (HOUR - 30, "1.0", "production"): 3})
    said.first_at, said.last_at = T0 - 30 * 3600, T0
    assert ledger.restore({ONE: said}, T0 + 60) == Restored(groups=0, events=1, occurrences=3)
    group = ledger.group(ONE)
    assert (group.count, group.first_seen_at) == (53, T0 - 30 * 3600)
    assert ledger.hours() == {HOUR: 50, HOUR - 30: 3}


def test_restore_of_hours_that_went(ledger):
    """What was counted in hours that are not kept any more is not counted again."""
    fold(ledger, tally(50, T0))
    now = T0 + (retention.HOUR_DAYS + 5) * DAY
    tidied(ledger, now)
    assert ledger.restore({ONE: tally(20, T0)}, now).occurrences == 0
    assert ledger.restore({ONE: tally(20, T0 - 3 * DAY)}, now).occurrences == 20
    assert ledger.restore({ONE: tally(20, T0 - 3 * DAY)}, now).occurrences == 0


def test_fold_of_what_was_restored(ledger):
    """An empty stretch and an empty tally are nothing."""
    assert ledger.restore({}, T0) == Restored(0, 0, 0)
    assert ledger.fold(Fold("j", 0, 5, {ONE: Tally()}))
    assert ledger.group(ONE).count == 0


def test_where_what_was_restored_was_seen(ledger):
    """What files say again does not count twice for the places where it was seen."""
    fold(ledger, tally(6))
    ledger.restore({ONE: tally(10)}, T0)
    assert [(one.value, one.count) for one in ledger.seen_by("server")] == [("web1", 10)]
