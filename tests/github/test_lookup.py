"""Which issue is about which bug: what the list of issues says, read once and then only where it has changed."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loghub.errors import DeliveryError
from loghub.event import epoch
from loghub.github.block import State, block
from loghub.github.client import GitHubClient
from loghub.github.issue import HEADING
from loghub.github.lookup import LAG_SECONDS, STORM, Lookup
from tests.clock import Clock
from tests.fakes.github import FakeGitHub

REPO = "example/app"
LABEL = "automated-report"
NOW = 1_790_000_000.0


def fingerprint(number):
    """Return the fingerprint of the bug that a test gives this number."""
    return f"v1:{number:016x}"


ONE, TWO, THREE, MANY = map(fingerprint, (1, 2, 3, 10**6))


def block_of(fingerprint, **changed):
    """Return the block of a bug."""
    return block(State(fingerprint, {"a": 1}, NOW, NOW, **changed))


def body_of(*fingerprints, **changed):
    """Return the body of an issue of ours."""
    return "\n\n".join([HEADING, *(block_of(one, **changed) for one in fingerprints)])


class Desk:
    """A repository, and one memory for all who look at it."""

    def __init__(self, fake, clock) -> None:
        self.fake = fake
        self.clock = clock
        self.client = GitHubClient(REPO, lambda: fake.token, fake.url, clock=clock)
        self.memory = {}
        self.renewed = 0

    def open(self, *fingerprints, labels=(LABEL,), author="reporter", body=None):
        """Open an issue as loghub would, and return its number."""
        body = body_of(*fingerprints) if body is None else body
        return self.fake.add_issue(REPO, "t", body, labels=list(labels), author=author).number

    def lookup(self, label=LABEL):
        """Return a look by the next process, which finds the memory as JSON."""
        self.memory = json.loads(json.dumps(self.memory))
        return Lookup(self.client, self.memory, label, self.renew)

    def renew(self):
        self.renewed += 1

    def look(self, label=LABEL):
        """Return a look after it has read what has changed, and what it asked for."""
        before, lookup = len(self.fake.requests), self.lookup(label)
        lookup.refresh()
        return lookup, self.fake.requests[before:]


def question(request):
    """Return the query of a request."""
    return dict(parse_qsl(urlsplit(request.path).query))


@pytest.fixture
def desk():
    """Return a desk; nothing that was asked may have broken GitHub's rules."""
    clock = Clock(NOW)
    with FakeGitHub(REPO, clock=clock) as fake:
        made = Desk(fake, clock)
        yield made
        made.client.close()
    assert fake.violations == []


# Reading


def test_whole_list_once(desk):
    """All pages are read once; afterwards only what changed since, with a quarter of an hour before the newest."""
    fingerprints = [fingerprint(n) for n in range(1, 251)]
    for one in fingerprints:
        desk.clock.now += 60
        desk.open(one)

    lookup, asked = desk.look()

    assert [lookup.number(one) for one in fingerprints] == list(range(1, 251))
    assert ["labels" in question(request) for request in asked].count(True) == 3
    assert len(asked) == 3 + 1 + 3  # once by the author, too: somebody may have taken the label away
    assert question(asked[0])["labels"] == LABEL
    assert question(asked[0])["state"] == "all"
    assert "since" not in question(asked[0])
    assert desk.renewed >= 2

    newest = desk.clock.now
    desk.clock.now += 3_600
    desk.fake.edit(REPO, 7, body=body_of(fingerprints[6], MANY))
    lookup, asked = desk.look()

    assert len(asked) == 1
    assert epoch(question(asked[0])["since"]) == newest - LAG_SECONDS
    assert lookup.number(MANY) == 7
    assert [lookup.number(one) for one in fingerprints] == list(range(1, 251))
    assert desk.memory["since"] == desk.clock.now - LAG_SECONDS


def test_fresh_list_is_not_read_again(desk):
    """The list is read once for a batch, until somebody says that it may have changed."""
    lookup, _ = desk.look()
    before = len(desk.fake.requests)

    lookup.refresh()
    assert len(desk.fake.requests) == before

    lookup.fresh = False
    lookup.refresh()
    assert len(desk.fake.requests) == before + 1


def test_unchanged_list_costs_nothing(desk):
    """A list that is as it was is a 304, over processes, until something changes."""
    desk.open(ONE)
    asked = [desk.look()[1] for _ in range(4)]
    assert [[request.status for request in each] for each in asked] == [[200] * 3, [200], [304], [304]]

    desk.open(TWO)
    lookup, changed = desk.look()
    assert [request.status for request in changed] == [200]
    assert (lookup.number(ONE), lookup.number(TWO)) == (1, 2)
    assert [request.status for request in desk.look()[1]] == [304]


def test_longer_list_has_no_etag(desk):
    """One page's ETag says nothing of the others: where there are more, all are read."""
    for n in range(120):
        desk.open(fingerprint(n))
    desk.look()
    desk.look()
    desk.fake.edit(REPO, 120, body=body_of(TWO))

    lookup, asked = desk.look()

    assert [request.status for request in asked] == [200, 200]
    assert lookup.number(fingerprint(119)) is None
    assert sorted(desk.memory["issues"][TWO]) == ["120", "3"]


def test_late_issue(desk):
    """An issue that the list shows only after minutes is found, although newer changes were read before."""
    desk.fake.list_lag_seconds = 480.0
    desk.open(TWO)
    desk.clock.now += 3_600
    desk.open(ONE)
    desk.clock.now += 400
    desk.fake.edit(REPO, 1, title="changed")
    assert desk.look()[0].number(ONE) is None

    desk.clock.now += 100

    assert desk.look()[0].number(ONE) == 2


def test_empty_repository(desk):
    """Where there is nothing, nothing is found, and what is opened then is."""
    assert desk.look()[0].number(ONE) is None
    desk.open(ONE)
    assert desk.look()[0].number(ONE) == 1


def test_failure_is_no_reading(desk):
    """What a failure kept from being read is read by the next process, from where the last reading began."""
    for n in range(150):
        desk.open(fingerprint(n))
    desk.fake.fault("GET */issues", 500, times=1)
    with pytest.raises(DeliveryError):
        desk.look()
    assert "since" not in desk.memory

    assert desk.look()[0].number(fingerprint(149)) == 150


# Whose issues


def test_renamed_label(desk):
    """Where this ledger knows nothing and the label is renamed, issues are found by their author, then by all."""
    number = desk.open(ONE, labels=["renamed"])
    desk.open(labels=["bug"], author="somebody", body="unrelated")

    lookup, asked = desk.look()

    assert lookup.number(ONE) == number
    lists = [question(request) for request in asked if "/issues" in request.path]
    assert [(one.get("labels"), one.get("creator")) for one in lists] == [
        (LABEL, None),
        (None, "reporter"),
        (None, None),
    ]
    assert desk.memory["every_label"] is True
    desk.open(TWO, labels=[])
    lookup, asked = desk.look()
    assert lookup.number(TWO) == 3
    assert [question(request).get("labels") for request in asked] == [None]


def test_nobody_knows_the_author(desk):
    """An App may not ask who it is: it is asked once, and nothing is looked for by its author."""
    desk.fake.fault("GET /user", 403)

    _, asked = desk.look()

    assert [urlsplit(request.path).path for request in asked] == [f"/repos/{REPO}/issues", "/user"]
    assert desk.lookup().login() == ""
    assert len(desk.fake.requests) == 2


def test_nothing_of_ours_by_the_author(desk):
    """Other issues of the same author tell nothing about labels."""
    desk.open(labels=["bug"], body="written by hand")

    lookup, _ = desk.look()

    assert "every_label" not in desk.memory
    assert lookup.number(ONE) is None


def test_dropped_labels(desk):
    """Where GitHub drops our label from a new issue, the whole list is read from then on."""
    desk.open(TWO, labels=[])
    desk.fake.fault("GET /user", 403)  # as for an App
    desk.clock.now += 3_600
    desk.open(THREE)
    lookup, _ = desk.look()
    assert lookup.number(TWO) is None
    desk.memory["login"] = "reporter"  # as the reply to a new issue says
    number = desk.open(ONE, labels=[])

    lookup.note(desk.client.issue(number))

    assert lookup.number(ONE) == number
    assert not lookup.fresh
    lookup.refresh()
    assert "labels" not in question(desk.fake.requests[-1])
    assert lookup.number(TWO) == 1


def test_no_label_at_all(desk):
    """Without labels among the options the whole list is read, and what loghub wrote is found."""
    desk.open(ONE, labels=[])

    lookup, asked = desk.look(label=None)

    assert lookup.number(ONE) == 1
    assert ["labels" in question(request) for request in asked if "/issues" in request.path] == [False]


@pytest.mark.parametrize("label", [LABEL, "Automated-Report"])
def test_label_in_any_case(desk, label):
    """GitHub's labels are the same in any case."""
    desk.open(ONE, labels=[label], author="somebody", body=f"edited\n\n{block_of(ONE)}")

    assert desk.look()[0].number(ONE) == 1
    assert "every_label" not in desk.memory


QUOTES = {
    "fenced": f"Look:\n\n```\n{body_of(ONE)}\n```\n",
    "quoted": "> " + body_of(ONE).replace("\n", "\n> "),
    "raw": f"Look at this:\n\n{block_of(ONE)}\n",
}


@pytest.mark.parametrize(("how", "labels"), [(how, labels) for how in QUOTES for labels in ([], ["bug"])])
def test_quoting_person(desk, how, labels):
    """What a person quotes of an issue does not make his one of ours, in the whole list as well."""
    desk.memory["every_label"] = True
    desk.open(author="somebody", labels=labels, body=QUOTES[how])

    assert desk.look()[0].number(ONE) is None
    assert "since" in desk.memory


@pytest.mark.parametrize("how", ["fenced", "quoted"])
def test_quote_with_our_label(desk, how):
    """Not even our label makes a block of one that is shown as code or as a quotation."""
    desk.open(author="somebody", body=QUOTES[how])

    assert desk.look()[0].number(ONE) is None


def test_is_by_us():
    """An issue is by us if it begins as ours do, or has our heading and this token's author."""
    memory = {"login": "reporter"}
    lookup = Lookup(None, memory, LABEL, lambda: None)

    def by_us(body, author="somebody"):
        return lookup.is_by_us({"body": body, "user": author and {"login": author}})

    assert by_us(body_of(ONE))
    assert by_us(f"\n{block_of(TWO)}\n\n{body_of(ONE)}")
    assert by_us(f"note\n\n{body_of(ONE)}", "reporter")
    assert not by_us(f"note\n\n{body_of(ONE)}")
    assert not by_us(f"note\n\n{block_of(ONE)}", "reporter")
    assert not by_us(None, "reporter")
    assert not by_us(f"note\n\n{body_of(ONE)}", None)
    memory.clear()
    assert not by_us(f"note\n\n{body_of(ONE)}", None)


# How they stand


def test_deleted_block(desk):
    """An issue from which a person deleted the block is none of that bug any more; one that he adds is."""
    desk.open(ONE, TWO)
    assert desk.look()[0].number(ONE) == 1

    desk.clock.now += 60
    desk.fake.edit(REPO, 1, body=body_of(TWO, THREE))

    lookup, _ = desk.look()
    assert [lookup.number(one) for one in (ONE, TWO, THREE)] == [None, 1, 1]
    desk.fake.edit(REPO, 1, body=None)
    lookup, _ = desk.look()
    assert [lookup.number(one) for one in (ONE, TWO, THREE)] == [None] * 3
    assert desk.memory["issues"] == {}


def test_order(desk):
    """The lowest number stays; those that are a duplicate come last, and are no doubles."""
    for _ in range(4):
        desk.open(ONE)
    desk.open(TWO)
    lookup, _ = desk.look()
    assert lookup.number(ONE) == 1
    assert list(lookup.doubles()) == [(ONE, 1, [2, 3, 4])]

    desk.clock.now += 60
    desk.fake.close(REPO, 1, "duplicate")
    desk.fake.edit(REPO, 3, body=body_of(ONE, duplicate_of=1), state="closed", state_reason="completed")
    desk.fake.close(REPO, 4, "completed")
    lookup, _ = desk.look()
    assert lookup.number(ONE) == 2
    assert list(lookup.doubles()) == [(ONE, 2, [4])]

    for number in (2, 4):
        desk.fake.edit(REPO, number, state="closed", state_reason="duplicate")
    lookup, _ = desk.look()
    assert lookup.number(ONE) == 1
    assert list(lookup.doubles()) == []


def test_order_of_numbers(desk):
    """Numbers are compared as numbers, although JSON has them as texts."""
    for n in range(1, 12):
        desk.open(ONE if n in (9, 10) else fingerprint(100 + n))

    lookup, _ = desk.look()

    assert lookup.number(ONE) == 9
    assert list(lookup.doubles()) == [(ONE, 9, [10])]


def test_storms(desk):
    """Storm issues are one to the lookup, whichever ledgers have blocks in them."""
    desk.open("storm:aaa", "storm:bbb")
    desk.open("storm:ccc")

    lookup, _ = desk.look()

    assert [lookup.number(f"storm:{ledger}") for ledger in ("aaa", "ccc", "new")] == [1, 1, 1]
    assert list(lookup.doubles()) == [(STORM, 1, [2])]
    desk.clock.now += 60
    desk.fake.edit(REPO, 1, body=body_of("storm:bbb"))
    assert list(desk.look()[0].doubles()) == [(STORM, 1, [2])]
    desk.fake.edit(REPO, 1, body=HEADING)
    assert desk.look()[0].number(STORM) == 2


def test_forget(desk):
    """An issue that is gone is forgotten for all its bugs, and nothing else is."""
    desk.open(ONE, TWO)
    desk.open(ONE)
    lookup, _ = desk.look()

    lookup.forget(1)
    lookup.forget(1)
    lookup.forget(99)

    assert [lookup.number(one) for one in (ONE, TWO, THREE)] == [2, None, None]
    assert list(lookup.doubles()) == []
    assert desk.lookup().number(ONE) == 2


def test_what_is_no_issue(desk):
    """Pull requests and issues without a text are passed over."""
    desk.fake.add_issue(REPO, "t", body_of(ONE), labels=[LABEL], pull_request=True)
    desk.fake.add_issue(REPO, "t", None, labels=[LABEL])

    assert desk.look()[0].number(ONE) is None


fingerprint_sets = st.sets(st.sampled_from([ONE, TWO, THREE]))
standings = st.sampled_from([("open", None), ("closed", "completed"), ("closed", "duplicate"), ("open", "reopened")])
sights = st.lists(st.tuples(st.integers(1, 12), fingerprint_sets, standings), max_size=12)


@pytest.mark.slow
@settings(deadline=None)
@given(sights)
def test_last_sight_counts(seen):
    """Whatever was seen in whatever order, each issue stands as it was seen last, in every process."""
    memory, last = {}, {}
    for number, fingerprints, (state, reason) in seen:
        found = {
            "number": number,
            "body": body_of(*sorted(fingerprints)),
            "state": state,
            "state_reason": reason,
            "labels": [{"name": LABEL}],
        }
        memory = json.loads(json.dumps(memory))
        lookup = Lookup(None, memory, LABEL, lambda: None)
        lookup.note(found)
        last[number] = (fingerprints, reason == "duplicate")

        for one in (ONE, TWO, THREE):
            ranks = sorted((duplicate, n) for n, (held, duplicate) in last.items() if one in held)
            assert lookup.number(one) == (ranks[0][1] if ranks else None)
        alive = {
            one: sorted(n for n, (held, dup) in last.items() if one in held and not dup) for one in memory["issues"]
        }
        doubles = {one: (numbers[0], numbers[1:]) for one, numbers in alive.items() if len(numbers) > 1}
        assert {one: (lowest, others) for one, lowest, others in lookup.doubles()} == doubles
