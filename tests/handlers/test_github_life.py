"""The life of an issue between several ledgers, people and GitHub: exactly one per bug, and always true."""

from __future__ import annotations

import json

import pytest

from loghub.filters import EventFilter
from loghub.github.block import State, block, read_state, read_states
from loghub.github.issue import HEADING
from loghub.github.upkeep import CREATIONS_PER_MINUTE
from tests.fakes.github import Token
from tests.github_bench import REPO, writes

DAY = 86_400


def standing(fake):
    """Return the issues as (number, state, reason)."""
    return [(one["number"], one["state"], one["state_reason"]) for one in fake.issues(REPO)]


def counts(fake, number=1):
    """Return the counts in an issue, without the ledgers' names."""
    return sorted(read_state(fake.issue(REPO, number)["body"]).counts.values())


@pytest.fixture
def two(bench):
    """Return two benches whose ledgers share nothing but the repository."""
    one, other = bench("one"), bench("other")
    other.clock = other.handler.home.now = one.clock
    other.handler._client._clock, other.handler._client._sleep = one.clock, one.clock.sleep
    one.fake.clock = one.clock
    return one, other


# Exactly one


def test_race(two):
    """Two ledgers that open at the same time: the lowest stays, the other is its duplicate, the counts merge."""
    one, other = two
    one.fake.list_lag_seconds = 120
    one.fail(times=3)
    other.fail(times=4)
    one.round()
    other.round()
    assert standing(one.fake) == [(1, "open", None), (2, "open", None)]
    one.clock.now += 1000
    one.round()
    other.round()
    assert standing(one.fake) == [(1, "open", None), (2, "closed", "duplicate")]
    assert counts(one.fake) == [3, 4]
    assert read_state(one.fake.issue(REPO, 2)["body"]).duplicate_of == 1
    other.fail(times=2)
    other.round(closing=True)
    assert counts(one.fake) == [3, 6]
    assert other.handler.home.ledger().groups()[0].issue_url.endswith("/issues/1")


def test_race_seen_at_once(two):
    """A ledger that opened second sees it right away, and its readers name the issue that stays."""
    one, other = two
    other.fail()
    one.fail(times=2)
    rounds = [one.round]
    honest = other.handler.client.create_issue

    def create(*args, **more):
        while rounds:
            rounds.pop()()
        return honest(*args, **more)

    other.handler.client.create_issue = create
    assert other.round()
    assert standing(one.fake) == [(1, "open", None), (2, "closed", "duplicate")]
    assert counts(one.fake) == [1, 2]
    assert other.handler.home.ledger().groups()[0].issue_url.endswith("/issues/1")


def test_killed_after_opening(two, monkeypatch):
    """A process that dies between two requests leaves it to the next one to look."""
    one, other = two
    one.fake.list_lag_seconds = 5
    one.fail()
    one.round()
    other.fail()
    monkeypatch.setattr("loghub.github.upkeep.end_doubles", lambda visit: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        other.round()
    monkeypatch.undo()
    assert len(one.issues()) == 2
    one.clock.now += 100
    memory = other.handler.home.ledger().memory(other.handler.destination)
    assert memory["wake_at"] <= one.clock.now
    other.round()
    assert standing(one.fake) == [(1, "open", None), (2, "closed", "duplicate")]


def test_quoted_marker(bench):
    """An issue in which a person quotes ours, as raw text even, is neither taken for it nor closed."""
    one = bench()
    one.fail(times=2)
    one.round()
    body = one.fake.issue(REPO, 1)["body"]
    quoted = "\n".join(f"> {line}" for line in body.split("\n"))
    for text in (f"Look:\n\n{body}", quoted, f"````\n{body}\n````"):
        one.fake.add_issue(REPO, "What is this?", text, author="somebody")
    other = bench("other")
    other.fail(times=3)
    other.round()
    assert counts(one.fake) == [2, 3]
    assert {state for _, state, _ in standing(one.fake)} == {"open"}
    assert [one.fake.issue(REPO, number)["body"] for number in (2, 3)] == [f"Look:\n\n{body}", quoted]


def test_many_pages(bench):
    """The issue of a bug is found among many, on whatever page it stands."""
    one = bench()
    for number in range(120):
        one.fake.add_issue(REPO, f"old {number}", labels=["automated-report"])
    one.fail()
    one.round()
    other = bench("other")
    other.fail()
    other.round()
    assert len(one.issues()) == 121
    assert counts(one.fake, 121) == [1, 1]


def test_list_is_read_once(bench):
    """The whole list is read once in a ledger's life; later looks ask for what has changed, by ETag."""
    one = bench()
    for kind in (ValueError, KeyError, TypeError, OSError):
        one.fail(kind)
        one.round()
    lists = [request for request in one.fake.requests if request.path.partition("?")[0].endswith("/issues")]
    whole = [request for request in lists if request.method == "GET" and "since=" not in request.path]
    assert len(whole) <= 2  # with our label, and by the author
    again = bench("home")
    again.handler.home.ledger()
    again.fail(LookupError)
    again.round()
    lists = [r for r in one.fake.requests if r.method == "GET" and r.path.partition("?")[0].endswith("/issues")]
    assert [request for request in lists if "since=" not in request.path] == whole


def test_merged_into_a_fixed_one(bench):
    """Where a double is merged into an issue that was closed meanwhile, a newer release in it opens that one again."""
    one = bench()
    one.fake.clock = one.clock
    one.deploy("1.0")
    one.fail()
    one.round()
    one.fake.close(REPO, 1)
    one.clock.now += 1000
    fingerprint = read_state(one.issues()[0]["body"]).fingerprint
    other = State(fingerprint, {"other": 7}, one.clock.now, one.clock.now, releases={"2.0": one.clock.now})
    body = f"{HEADING}\n\n{block(other)}"
    one.fake.add_issue(REPO, "the same", body, labels=["automated-report"], author="another host")
    for _ in range(3):
        one.round(closing=True)
    assert standing(one.fake) == [(1, "open", "reopened"), (2, "closed", "duplicate")]
    assert counts(one.fake) == [1, 7]


def test_overwritten_count(two):
    """A count that another ledger's edit has overwritten is written again."""
    one, other = two
    one.fail(times=5)
    one.round()
    stale = one.fake.issue(REPO, 1)["body"]
    other.fail(times=3)
    other.round()
    one.fail(times=2)
    one.round(closing=True)
    assert counts(one.fake) == [3, 7]
    one.fake.edit(REPO, 1, body=stale)  # as if somebody had read the issue long ago, and written now
    for _ in range(4):
        one.clock.now += 6
        one.round(closing=True)
        other.round(closing=True)
    assert counts(one.fake) == [3, 7]


def test_overwritten_by_a_newcomer(two):
    """A ledger that was alone on an issue also sees that its edit was overwritten, by one that came meanwhile."""
    one, other = two
    one.fail(times=5)
    one.round()
    one.clock.now += 1000
    one.round()  # looks once more for a double of what it has opened
    other.fail(times=3)
    other.round(closing=True)
    newcomer = one.fake.issue(REPO, 1)["body"]
    state = read_state(newcomer)
    alone = block(State(state.fingerprint, dict([*state.counts.items()][:1]), state.first_seen_at, state.last_seen_at))
    one.fake.edit(REPO, 1, body=newcomer.replace(newcomer[newcomer.index("<!-- loghub:begin") :], alone))
    one.fail(times=2)
    one.round(closing=True)
    assert counts(one.fake) == [7]
    one.clock.now += 10  # so long a request may be under way until GitHub ends it
    one.round()
    one.fake.edit(REPO, 1, body=newcomer)  # it had read the issue before that edit
    for _ in range(3):
        one.clock.now += 6
        one.round(closing=True)
    assert counts(one.fake) == [3, 7]


def test_edited_while_doubles_are_merged(two):
    """What a third ledger writes to the issue that stays, while the double is looked at, is not overwritten."""
    one, other = two
    one.fake.list_lag_seconds = 120
    one.fail(times=3)
    other.fail(times=4)
    one.round()
    other.round()
    one.clock.now += 1000

    def on_request(when, call):
        issue = one.fake.issue(REPO, 1)
        if when == "arrived" and call.method == "GET" and call.path.endswith("/issues/2"):
            state = read_state(issue["body"])
            third = State(state.fingerprint, {"third": 9}, state.first_seen_at, state.last_seen_at)
            body = issue["body"].replace(block(state), block(state.merge(third)))
            one.fake.on_request = None
            one.fake.edit(REPO, 1, body=body)
        return False

    one.fake.on_request = on_request
    one.round()
    assert standing(one.fake) == [(1, "open", None), (2, "closed", "duplicate")]
    assert counts(one.fake) == [3, 4, 9]


# What people do


def test_follows_a_duplicate(bench):
    """Closed as a duplicate of #n: what is counted goes on there, with our label, beside what people wrote."""
    one = bench()
    one.fail()
    one.round()
    theirs = one.fake.add_issue(REPO, "Prices are wrong", "It hurts.\r\nBadly.")
    one.fake.add_comment(REPO, 1, f"Duplicate of #{theirs.number}")
    one.fake.close(REPO, 1, "duplicate")
    one.fail(times=2)
    one.round(closing=True)
    body = one.fake.issue(REPO, 2)["body"]
    assert body.startswith("It hurts.\r\nBadly.\r\n\r\n<!-- loghub:begin -->\r\n")
    assert counts(one.fake, 2) == [3]
    assert [label["name"] for label in one.fake.issue(REPO, 2)["labels"]] == ["automated-report"]
    other = bench("other")
    other.fail(times=5)
    other.round()
    assert counts(one.fake, 2) == [3, 5]
    assert len(one.issues()) == 2


def test_duplicate_of_nothing(bench):
    """Closed as a duplicate without saying of what: counted, silent."""
    one = bench()
    one.fail()
    one.round()
    one.fake.close(REPO, 1, "duplicate")
    before = writes(one.fake)
    one.fail()
    assert one.round(closing=True)
    assert writes(one.fake) == before


def test_transferred(bench):
    """An issue that was moved to another repository is kept up to date there."""
    one = bench()
    one.fake.add_repo("acme/other")
    one.fake.add_issue("acme/other", "their own")
    one.fail()
    one.round()
    number = one.fake.transfer(REPO, 1, "acme/other")
    for _ in range(2):
        one.fail()
        one.round(closing=True)
    assert read_state(one.fake.issue("acme/other", number)["body"]).count == 3
    assert one.issues() == []


def test_transferred_out_of_sight(bench):
    """An issue that was moved to where the token may not look is opened anew."""
    one = bench()
    one.fake.add_repo("acme/secret", private=True)
    one.fake.tokens[one.fake.token] = Token(repos=(REPO,))
    one.fail()
    one.round()
    one.fake.transfer(REPO, 1, "acme/secret")
    one.fail()
    one.round(closing=True)
    assert [issue["number"] for issue in one.issues()] == [2]
    assert counts(one.fake, 2) == [2]


def test_locked(bench):
    """A locked issue gets no comment; its count goes on."""
    one = bench()
    one.fail()
    one.round()
    one.fake.edit(REPO, 1, locked=True)
    one.fail(times=10)
    one.round(closing=True)
    assert one.fake.comments(REPO, 1) == []
    assert counts(one.fake) == [11]


def test_renamed_label(bench):
    """Where our label was renamed, ledgers that know nothing find the issue all the same."""
    one = bench()
    one.fail()
    one.round()
    repo = one.fake.repo(REPO)
    label = repo.labels.pop("automated-report")
    label["name"] = "robot"
    repo.labels["robot"] = label
    one.fake.edit(REPO, 1, labels=["bug", "robot"])
    other = bench("other")
    other.fail()
    other.round()
    assert len(one.issues()) == 1
    third = bench("third")
    third.fail(KeyError)
    third.round()
    third.fail()
    third.round(closing=True)
    assert len(one.issues()) == 2
    assert counts(one.fake) == [1, 1, 1]


def test_mute_for_days(bench):
    """loghub:mute-30d silences for thirty days, then the label goes and the whole count is told."""
    one = bench()
    one.fake.clock = one.clock
    one.fail()
    one.round()
    one.fake.add_label(REPO, "loghub:mute-30d")
    one.fake.edit(REPO, 1, labels=["automated-report", "loghub:mute-30d"])
    for _ in range(3):
        one.clock.now += 9.9 * DAY
        one.fail()
        assert one.round(closing=True)
        assert counts(one.fake) == [1]
    assert one.handler.home.ledger().groups()[0].status == "muted"
    one.clock.now += DAY
    one.fail()
    one.round(closing=True)
    assert counts(one.fake) == [5]
    assert [label["name"] for label in one.fake.issue(REPO, 1)["labels"]] == ["automated-report"]


def test_muted_by_hand(bench):
    """A group muted in the ledger is counted and told to nobody, until it is unmuted."""
    one = bench()
    one.fail()
    ledger = one.handler.home.ledger()
    one.round()
    group = ledger.groups()[0]
    ledger.mute(group.fingerprint, float("inf"))
    asked = len(one.fake.requests)
    one.fail(times=20)
    assert one.round(closing=True)
    assert len(one.fake.requests) == asked
    assert (ledger.groups()[0].count, ledger.groups()[0].status) == (21, "muted")
    ledger.mute(group.fingerprint, 0.0)
    one.fail()
    one.round(closing=True)
    assert counts(one.fake) == [22]


def test_quiet(bench):
    """An issue that was silent for quiet_close_days is closed; seen again, it is open again, and no regression."""
    one = bench(quiet_close_days=14)
    one.fake.clock = one.clock
    one.fail()
    one.round()
    one.fail(KeyError)
    one.round()
    for _ in range(15):
        one.clock.now += DAY
        one.fail(KeyError)
        one.round(closing=True)
    assert standing(one.fake) == [(1, "closed", "completed"), (2, "open", None)]
    assert one.handler.home.ledger().group(read_state(one.fake.issue(REPO, 1)["body"]).fingerprint).status == "resolved"
    one.clock.now += 60
    one.fail()
    one.round(closing=True)
    issue = one.fake.issue(REPO, 1)
    assert issue["state"] == "open"
    assert "regression" not in [label["name"] for label in issue["labels"]]
    assert "silent" in one.fake.comments(REPO, 1)[0]["body"]
    assert not read_state(issue["body"]).quiet


def test_quiet_needs_nothing_to_wait(bench):
    """A silent issue is closed although nothing waits for delivery, and nobody else's is."""
    one = bench(quiet_close_days=2)
    one.fake.clock = one.clock
    one.fail()
    one.round()
    home = one.handler.home
    assert home.look_at == float("inf")
    for _ in range(60):
        one.clock.now = max(home.wake_at, one.clock.now)
        one.round()
    assert standing(one.fake) == [(1, "closed", "completed")]


def test_linked_back(bench):
    """A link can be taken back: what was closed as a duplicate is open again, and the other one is its duplicate."""
    one = bench()
    one.fail(times=3)
    one.round()
    one.fake.add_issue(REPO, "Prices are wrong", "It hurts.")
    ledger = one.handler.home.ledger()
    for number in (2, 1):
        ledger.entrust(one.handler.destination, ledger.groups()[0].fingerprint, {"link_to": number})
        one.round(closing=True)
    one.fail()
    one.round(closing=True)
    assert standing(one.fake) == [(1, "open", "reopened"), (2, "open", None)]  # a person's is his to close
    assert counts(one.fake, 1) == [4]
    assert read_state(one.fake.issue(REPO, 2)["body"]).duplicate_of == 1


def test_link_to_nothing(bench):
    """A link to an issue that is not there changes nothing, and is said."""
    one = bench()
    one.fail(times=3)
    one.round()
    ledger = one.handler.home.ledger()
    ledger.entrust(one.handler.destination, ledger.groups()[0].fingerprint, {"link_to": 7})
    one.round(closing=True)
    assert standing(one.fake) == [(1, "open", None)]
    assert counts(one.fake) == [3]
    assert one.outbox() == []


def test_linked(bench):
    """An issue that a person has linked gets the block; ours is closed as its duplicate, and the counts stay."""
    one = bench()
    one.fail(times=3)
    one.round()
    theirs = one.fake.add_issue(REPO, "Prices are wrong", "It hurts.")
    ledger = one.handler.home.ledger()
    ledger.entrust(one.handler.destination, ledger.groups()[0].fingerprint, {"link_to": theirs.number})
    one.round(closing=True)
    assert standing(one.fake) == [(1, "closed", "duplicate"), (2, "open", None)]
    assert one.fake.issue(REPO, 2)["body"].startswith("It hurts.\n\n<!-- loghub:begin -->")
    one.fail()
    one.round(closing=True)
    assert counts(one.fake, 2) == [4]
    other = bench("other")
    other.fail()
    other.round()
    assert counts(one.fake, 2) == [1, 4]


# The storm


@pytest.mark.slow
@pytest.mark.shows("storm", "bounded", "said")
def test_storm(bench):
    """Beyond issues_per_hour one issue lists what waits, is kept up to date, and closed when all have their own."""
    one = bench(issues_per_hour=5)
    one.fake.clock = one.clock
    kinds = [type(f"E{number}", (ValueError,), {}) for number in range(12)]
    for times, kind in enumerate(kinds, 1):
        one.fail(kind, times)
    one.round()

    def storms():
        return [issue for issue in one.fake.issues(REPO) if "Storm" in issue["title"]]

    assert len(one.issues()) == 5
    (storm,) = storms()
    assert "7 bugs with 63 occurrences wait" in storm["body"]
    rows = [line for line in storm["body"].split("\n") if "`E" in line]
    assert rows[0].startswith("| 12 | `E11:")
    one.clock.now += 301
    one.fail(kinds[11], 8)
    one.round()
    assert "7 bugs with 71 occurrences wait" in storms()[0]["body"]
    for _ in range(40):
        one.clock.now = max(one.clock.now + 1, min(one.handler.home.look_at, one.handler.home.wake_at))
        one.round()
        if storms()[0]["state"] == "closed":
            break
    assert len(one.issues()) == 12
    assert len(storms()) == 1
    assert storms()[0]["state_reason"] == "completed"
    assert sum(read_state(issue["body"]).count for issue in one.issues()) == sum(range(13)) + 8


@pytest.mark.slow
def test_new_issues_in_a_minute(bench):
    """No more than twenty issues are opened in a minute, whatever issues_per_hour says."""
    one = bench(issues_per_hour=100)
    one.fake.clock = one.clock
    for number in range(30):
        one.fail(type(f"E{number}", (ValueError,), {}))
    started = one.clock.now
    one.round()
    assert len(one.issues()) == CREATIONS_PER_MINUTE
    while len(one.issues()) < 30:
        one.clock.now += 1
        one.round()
    assert one.clock.now - started > 60
    assert not [issue for issue in one.fake.issues(REPO) if "Storm" in issue["title"]]


def test_storm_of_a_ledger_that_is_gone(bench):
    """What a ledger has left in the storm issue keeps it open for a day, not for ever."""
    one = bench(issues_per_hour=1)
    one.fake.clock = one.clock
    one.fail(ValueError)
    one.fail(KeyError)
    one.round()
    (storm,) = [issue for issue in one.fake.issues(REPO) if "Storm" in issue["title"]]
    gone = State("storm:gone", {"gone": 5}, one.clock.now, one.clock.now)
    one.fake.edit(REPO, storm["number"], body=storm["body"] + "\n\n" + block(gone))
    states = []
    for _ in range(60):
        one.clock.now += 3600
        one.round()
        states.append(one.fake.issue(REPO, storm["number"])["state"])
    assert states[12] == "open"
    assert states[-1] == "closed"


def test_second_storm(two):
    """A storm that begins while another ledger's lasts, or after it, is listed at once, and opens the issue again."""
    one = two[0]
    for each in two:
        each.handler.issues_per_hour = 1
        each.fail(type(f"A{id(each)}", (ValueError,), {}))
        each.fail(type(f"B{id(each)}", (ValueError,), {}))
        each.round()
    storm = next(issue["number"] for issue in one.fake.issues(REPO) if "Storm" in issue["title"])
    for each in two:  # the first ends, then the second
        one.clock.now += 3700
        each.round()
        each.round()
    assert one.fake.issue(REPO, storm)["state"] == "closed"
    for kind in "CD":
        one.fail(type(f"{kind}{id(one)}", (ValueError,), {}))
    one.clock.now += 60
    one.round()
    issue = one.fake.issue(REPO, storm)
    assert issue["state"] == "open"
    assert max(state.count for state in read_states(issue["body"])) >= 1


def test_two_ledgers_one_storm(two):
    """Ledgers that share nothing list what waits in one storm issue, which ends with the last of them."""
    for one in two:
        one.handler.issues_per_hour = 1
        for number in range(3):
            one.fail(type(f"E{number}{id(one)}", (ValueError,), {}))
        one.round()
    (storm,) = [issue for issue in two[0].fake.issues(REPO) if "Storm" in issue["title"]]
    states = read_states(storm["body"])
    assert [state.count for state in states] == [2, 2]
    assert all(state.fingerprint.startswith("storm:") for state in states)
    assert json.dumps(two[0].handler.home.ledger().memory(two[0].handler.destination))


def test_one_token_two_repositories(bench):
    """Two repositories that one token is used for keep its limits together, in whichever process."""
    one = bench("home")
    one.fake.clock = one.clock
    one.fake.add_repo("acme/other")
    other = bench("home", repo="acme/other")
    other.clock = other.handler._client._clock = one.clock
    other.handler._client._sleep = one.clock.sleep
    one.handler.home.now = one.clock
    one.fake.fault("POST */acme/shop/issues", "secondary", seconds=600)
    one.fail()
    one.round()
    asked = len(one.fake.requests)
    one.clock.now += 60
    other.fail()
    other.round()
    assert len(one.fake.requests) == asked
    one.clock.now += 600
    other.round()
    one.round()
    assert len(one.issues()) == len(one.fake.issues("acme/other")) == 1
    assert one.fake.impatient_reads == []


# What went wrong once


def linked(one, number, kind=0):
    """Link the bug that was first seen first (or the next) to an issue, as the CLI does."""
    ledger = one.handler.home.ledger()
    groups = sorted(ledger.groups(), key=lambda group: group.first_seen_at)
    ledger.entrust(one.handler.destination, groups[kind].fingerprint, {"link_to": number})


@pytest.mark.parametrize("fault", range(3))
def test_link_that_times_out(bench, fault):
    """A link that fails halfway is finished by the next try: one issue is open in the end."""
    one = bench()
    one.fail()
    one.round()
    one.fake.add_issue(REPO, "Prices are wrong", "It hurts.")
    match, when = [("PATCH */issues/2", "after"), ("PATCH */issues/1", "before"), ("PATCH */issues/2", "before")][fault]
    one.fake.fault(match, 502, when=when)
    linked(one, 2)
    for _ in range(4):
        one.round(closing=True)
        one.clock.now += 60
    assert standing(one.fake) == [(1, "closed", "duplicate"), (2, "open", None)]


def test_link_of_a_shared_issue(bench):
    """An issue that two bugs share stays open for the one when the other is linked elsewhere."""
    one = bench()
    one.fail(ValueError)
    one.round()
    one.clock.now += 60
    one.fail(KeyError)
    one.round()
    one.fake.add_issue(REPO, "Prices are wrong", "It hurts.")
    linked(one, 1, kind=1)
    one.round(closing=True)
    linked(one, 3, kind=0)
    one.round(closing=True)
    one.fail(KeyError, times=4)
    one.fail(ValueError)
    one.round(closing=True)
    assert standing(one.fake) == [(1, "open", None), (2, "closed", "duplicate"), (3, "open", None)]
    told = {state.fingerprint: state.count for n in (1, 3) for state in read_states(one.fake.issue(REPO, n)["body"])}
    assert sorted(told.values()) == [2, 5]


def test_transferred_original(bench):
    """Where the issue that goes on was transferred, it is written to there, and to nobody who has its number here."""
    one = bench()
    one.fake.add_repo("acme/elsewhere")
    for title in ("a", "b"):
        one.fake.add_issue("acme/elsewhere", title)
    one.fail()
    one.round()
    one.fake.add_issue(REPO, "original", "It hurts.")
    one.fake.add_issue(REPO, "theirs", "precious")
    one.fake.add_comment(REPO, 1, "Duplicate of #2")
    one.fake.close(REPO, 1, "duplicate")
    assert one.fake.transfer(REPO, 2, "acme/elsewhere") == 3
    for _ in range(2):
        one.fail()
        one.round(closing=True)
    assert one.fake.issue(REPO, 3)["body"] == "precious"
    assert read_state(one.fake.issue("acme/elsewhere", 3)["body"]).count == 3


def test_transferred_storm(bench):
    """A storm issue that somebody has moved away is his; the next list stands in one of ours."""
    one = bench(issues_per_hour=1)
    one.fake.clock = one.clock
    one.fake.add_repo("acme/elsewhere")
    one.fake.add_issue(REPO, "theirs", "precious")
    one.fail(ValueError)
    one.fail(KeyError)
    one.round()
    assert one.fake.transfer(REPO, 3, "acme/elsewhere") == 1
    one.fail(TypeError)
    one.clock.now += 301
    one.round()
    assert one.fake.issue(REPO, 1)["body"] == "precious"
    assert "1 bugs with" in one.fake.issue("acme/elsewhere", 1)["body"]
    assert "2 bugs with" in one.fake.issue(REPO, 4)["body"]


def test_duplicate_that_leads_nowhere(bench):
    """A duplicate of what is not there is opened anew once, not at each occurrence."""
    one = bench()
    one.fake.add_repo("acme/elsewhere")
    one.fail()
    one.round()
    number = one.fake.transfer(REPO, 1, "acme/elsewhere")
    one.fake.add_comment("acme/elsewhere", number, "Duplicate of #77")
    one.fake.close("acme/elsewhere", number, "duplicate")
    for _ in range(4):
        one.fail()
        one.round(closing=True)
    assert [issue["number"] for issue in one.issues()] == [2]
    assert counts(one.fake, 2) == [5]


@pytest.mark.shows("github refuses", "nothing twice")
def test_repository_out_of_sight(bench):
    """A token that may not look for a while gets the answer of a deleted issue: nothing is opened twice for it."""
    one = bench()
    one.fake.clock = one.clock
    one.fake.repo(REPO).private = True
    one.fail()
    one.round()
    one.clock.now += 7200
    token, one.fake.tokens[one.fake.token] = one.fake.tokens[one.fake.token], Token(repos=())
    one.fail()
    assert not one.round(closing=True)
    one.fake.tokens[one.fake.token] = token
    one.clock.now += 7200
    assert one.round(closing=True)
    assert len(one.issues()) == 1
    assert counts(one.fake) == [2]


@pytest.mark.shows("clock wrong", "nothing lost")
@pytest.mark.parametrize("back", [60, 4000, 2 * DAY])
def test_clock_set_back(bench, back):
    """A bug that waits for room is not forgotten where the clock is set back."""
    one = bench(issues_per_hour=1)
    one.fail(ValueError)
    one.round()
    one.clock.now -= back
    one.fail(KeyError)
    one.round()
    for _ in range(8):
        one.clock.now += 1800
        one.round()
    assert len(one.issues()) == 2


def test_person_who_prefers_the_other(two):
    """A person who opens the double again and closes ours as its duplicate is followed."""
    one, other = two
    one.fake.list_lag_seconds = 120
    one.fail()
    other.fail()
    one.round()
    other.round()
    one.clock.now += 1000
    one.round()
    assert standing(one.fake)[1] == (2, "closed", "duplicate")
    one.fake.edit(REPO, 2, state="open", state_reason="reopened", closed_at=None)
    one.fake.add_comment(REPO, 1, "Duplicate of #2")
    one.fake.close(REPO, 1, "duplicate")
    for _ in range(2):
        one.clock.now += 1000
        one.fail()
        one.round(closing=True)
        other.round(closing=True)
    assert standing(one.fake) == [(1, "closed", "duplicate"), (2, "open", "reopened")]
    assert counts(one.fake, 2) == [1, 3]
    assert read_state(one.fake.issue(REPO, 2)["body"]).duplicate_of is None


def test_regression_without_the_right_to_label(bench):
    """A token that may not label opens a bug's issue again all the same."""
    one = bench()
    one.fake.clock = one.clock
    one.fake.tokens[one.fake.token] = Token(push=False)
    one.fail()
    one.round()
    one.fake.close(REPO, 1)
    one.clock.now += 60
    one.fail()
    one.round(closing=True)
    assert standing(one.fake) == [(1, "open", "reopened")]
    assert counts(one.fake) == [2]


def test_component_that_is_a_command(bench):
    """What a component is called may come from outside: it sets no label that silences."""
    one = bench()
    for component in ("loghub:mute", "wontfix", "Loghub:mute-30d"):
        one.handler.filters[:] = [EventFilter(component=component)]
        one.fail(type(f"E{len(component)}", (ValueError,), {}))
        one.round()
    assert all({"bug", "automated-report"} == {label["name"] for label in one["labels"]} for one in one.issues())


@pytest.mark.shows("github fails", "bounded")
def test_failures_take_no_room(bench):
    """However often opening one issue fails, it takes room for one in issues_per_hour."""
    one = bench(issues_per_hour=2)
    one.fake.fault("POST */issues", 502, times=6)
    one.fail()
    for _ in range(12):
        one.round()
        one.clock.now += 70
    assert [issue["title"] for issue in one.fake.issues(REPO)] == ["[Auto] ValueError: shop"]


@pytest.mark.shows("hostile input", "ends in time")
def test_comment_of_many_lines(bench):
    """A stranger's comment of nothing but a million line breaks is read through at once (it would have taken hours)."""
    one = bench()
    one.fail()
    one.round()
    one.fake.add_comment(REPO, 1, "\n" * 1_000_000)
    one.fake.close(REPO, 1, "duplicate")
    one.fail()
    assert one.round(closing=True)
    assert one.handler.home.ledger().groups()[0].status == "muted"
