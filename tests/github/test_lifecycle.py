"""What to do next about a bug: every decision, from what the ledger knows and what GitHub shows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from loghub.event import iso
from loghub.github import lifecycle
from loghub.github.block import State, block
from loghub.github.issue import HEADING
from loghub.github.lifecycle import Rules, Step
from loghub.ledger.protocol import Group, Item, Recovery

FP = "v1:0123456789abcdef"
CLOSED_AT = 2_000.0
DAY = 86_400.0


def by_version(one, other):
    """Order releases as their numbers say; what is no number has no order, and ``b`` marks another branch."""
    try:
        first, second = ([int(part) for part in name.removesuffix("b").split(".")] for name in (one, other))
    except ValueError:
        return None
    if one.endswith("b") != other.endswith("b"):
        return "diverged"
    return "same" if first == second else "newer" if first > second else "older"


ORDERED, UNORDERED = Rules(order=by_version), Rules()


def group(count=5, last=3_000.0, releases=(), **changed):
    """Return a group that was seen `count` times, in `releases`, each with when it was first and last seen there."""
    made = Group(FP, "ValueError", "", "bad", "shop", "m in f", "ERROR", "shop", count, 1_000.0, last)
    return replace(made, releases=dict(releases), **changed)


def item(count=5, last=3_000.0, releases=(), **memory):
    """Return what is to be told about it, with what the handler remembers."""
    return Item("github:a/b", group(count, last, releases), count, count, {}, 40, 1_000.0, memory=memory)


def said(count=5, releases=(), **changed):
    """Return a block that says so."""
    return block(State(FP, {"ours": count}, 1_000.0, 2_000.0, releases=dict(releases), **changed))


def issue(state="open", reason=None, labels=(), body=None, closed_at=CLOSED_AT):
    """Return the issue as far as decisions look at it."""
    return {
        "number": 7,
        "state": state,
        "state_reason": reason,
        "labels": [{"name": name} for name in labels],
        "closed_at": iso(closed_at) if state == "closed" else None,
        "body": said() if body is None else body,
    }


def step(found, one=None, rules=ORDERED, now=4_000.0):
    """Return the decision about `found`."""
    return lifecycle.next_step(one or item(), found, "ours", now, rules)


def when_closed(seen, before=(), rules=ORDERED, last=3_000.0, **changed):
    """Return the decision about an issue closed as completed: releases of the group, and of its block."""
    return step(issue("closed", "completed", body=said(releases=before, **changed)), item(5, last, seen), rules)


# States, labels and reasons

EDIT, RESOLVED, MUTED = Step("edit"), Step("edit", "resolved"), Step("silent", "muted")
FOLLOW, REGRESSION = Step("follow", "muted"), Step("reopen", comment="regression")


@pytest.mark.parametrize(
    ("state", "reason", "label", "last", "decision"),
    [
        ("open", None, None, 3_000, EDIT),
        ("open", "reopened", None, 3_000, EDIT),
        ("open", None, "bug", 3_000, EDIT),
        ("open", None, "wontfix", 3_000, MUTED),
        ("open", None, "loghub:mute", 3_000, MUTED),
        ("open", None, "loghub:mute-30d", 3_000, MUTED),
        ("open", None, "loghub:mute-x", 3_000, EDIT),
        ("open", None, "my-loghub:mute-30d", 3_000, EDIT),
        ("closed", "completed", None, 3_000, REGRESSION),
        ("closed", None, None, 3_000, REGRESSION),
        ("closed", "completed", None, 1_999, RESOLVED),
        ("closed", "completed", None, 2_000, RESOLVED),
        ("closed", "completed", "regression", 3_000, REGRESSION),
        ("closed", "completed", "wontfix", 3_000, MUTED),
        ("closed", "completed", "loghub:mute", 3_000, MUTED),
        ("closed", "completed", "loghub:mute-30d", 3_000, MUTED),
        ("closed", "not_planned", None, 3_000, MUTED),
        ("closed", "not_planned", "bug", 1_999, MUTED),
        ("closed", "duplicate", None, 3_000, FOLLOW),
        ("closed", "duplicate", "wontfix", 3_000, MUTED),
    ],
)
def test_decisions(state, reason, label, last, decision):
    """An issue's state, what people labelled it and why they closed it decide, wherever no release is known."""
    labels = ["automated-report", label] if label else []

    assert step(issue(state, reason, labels), item(5, last)) == decision


def test_create():
    """A bug without an issue gets one."""
    assert step(None) == Step("create")


def test_duplicate_in_the_block():
    """An issue whose block names another is followed to it, open or closed, whatever was seen since."""
    body = said(duplicate_of=3)

    assert step(issue(body=body)) == FOLLOW
    assert step(issue("closed", "completed", body=body)) == FOLLOW
    assert step(issue(labels=["wontfix"], body=body)) == MUTED


def test_duplicate_that_is_wanted_back():
    """An issue that loghub opened, and that was a duplicate, goes its own way again once a person reopened it."""
    body = f"{HEADING}\n\n{said(duplicate_of=3)}"

    assert step(issue(body=body)) == EDIT
    assert step(issue("closed", "completed", body=body)) == FOLLOW


def test_duplicate_in_the_block_of_another_bug():
    """What the block of another bug in the same issue says is not about this one."""
    other = block(State("v1:ffffffffffffffff", {"ours": 5}, 1_000.0, 2_000.0, duplicate_of=3, quiet=True))

    assert step(issue(body=f"{other}\n\n{said()}")) == EDIT


@pytest.mark.parametrize("body", ["", "hello", said().replace("fingerprint", "fingerprints")])
def test_no_block(body):
    """An open issue whose block is gone gets it back, without a comment."""
    assert step(issue(body=body), item(500, releases={"1.0": (1, 2)})) == EDIT


def test_reopen_switched_off():
    """With reopen: false a closed issue is counted in and stays closed, also where loghub had closed it."""
    rules = replace(ORDERED, reopen=False)

    assert when_closed({"2.0": (2_500, 3_000)}, {"1.0": 500}, rules) == RESOLVED
    assert when_closed({}, rules=rules, quiet=True) == RESOLVED


@pytest.mark.parametrize("found", [issue(), issue("closed", "completed"), issue(body=said(9))])
def test_lock_decides_nothing(found):
    """That an issue is locked forbids comments, not decisions."""
    assert step(found | {"locked": True}, item(10)) == step(found | {"locked": False}, item(10))


# Muted for some days


@pytest.mark.parametrize("found", [issue(labels=["loghub:mute-30d"]), issue(labels=["bug", "LogHub:Mute-30D"])])
def test_mute_for_days(found):
    """The label mutes for so many days from when it was first seen; then it is taken away."""
    label = found["labels"][-1]["name"]

    assert step(found) == MUTED
    assert step(found, item(muted_at=1_000.0), now=1_000.0 + 30 * DAY - 1) == MUTED
    assert step(found, item(muted_at=1_000.0), now=1_000.0 + 30 * DAY) == Step("edit", unlabel=label)


def test_mute_for_days_of_a_closed_issue():
    """After its days a bug that came back reopens its issue, and one that did not stays as it is."""
    found = issue("closed", "completed", ["loghub:mute-1d"])

    assert step(found, item(muted_at=1_000.0), now=1_000.0 + DAY) == replace(REGRESSION, unlabel="loghub:mute-1d")
    assert step(found, item(5, 1_999.0, muted_at=1_000.0), now=1_000.0 + DAY).kind == "edit"


def test_mute_for_good_lasts_longer():
    """Beside the label that mutes for good, days mean nothing."""
    found = issue(labels=["loghub:mute-1d", "loghub:mute"])

    assert step(found, item(muted_at=1_000.0), now=1_000.0 + 2 * DAY) == MUTED


@pytest.mark.parametrize(
    ("label", "days"),
    [("loghub:mute-1d", 1), ("loghub:mute-0d", 0), ("loghub:mute-9999d", 9999), ("LOGHUB:MUTE-7D", 7)],
)
def test_mute_seconds(label, days):
    """A label says how long it mutes."""
    assert lifecycle.mute_label(issue(labels=["x", label])) == label
    assert lifecycle.mute_seconds(label) == days * DAY


@pytest.mark.parametrize(
    "label", ["", "loghub:mute", "loghub:mute-", "loghub:mute-d", "loghub:mute-30", "loghub:mute-99999d", "x 30d"]
)
def test_no_mute_seconds(label):
    """What is no such label mutes for no days."""
    assert lifecycle.mute_label(issue(labels=[label])) == ""
    assert lifecycle.mute_seconds(label) == 0


# Closed as completed, and seen again in some release

OLD = {"1.0": (1_000, 1_900)}


@pytest.mark.parametrize("rules", [ORDERED, UNORDERED])
@pytest.mark.parametrize(
    ("seen", "before"),
    [
        ({"1.0": (1_000, 3_000)}, {}),  # whoever has not updated goes on failing
        ({"1.0": (1_000, 3_000)}, {"1.0": 1_000}),
        ({"1.0": (1_000, 3_000), "1.1": (1_500, 2_500)}, {}),
        ({"1.0": (2_500, 3_000)}, {"1.0": 500}),  # another ledger had seen it before the closing
        ({"1.1": (2_500, 3_000), **OLD}, {"1.0": 900, "1.1": 1_950}),
        ({"2.0": (1_950, 3_000), **OLD}, {}),
    ],
)
def test_release_known_before(seen, before, rules):
    """A release in which the bug was known before the closing cannot have the fix."""
    assert when_closed(seen, before, rules) == RESOLVED


@pytest.mark.parametrize(
    ("seen", "before", "release"),
    [
        ({**OLD, "1.1": (2_500, 3_000)}, {}, "1.1"),
        ({"1.1": (2_500, 3_000)}, {"1.0": 500}, "1.1"),
        ({"1.0": (1_000, 2_900), "1.1": (2_500, 3_000)}, {}, "1.1"),  # the old one fails beside it
        ({**OLD, "1.1": (2_500, 2_600), "1.2": (2_700, 3_000)}, {}, "1.2"),
        ({**OLD, "1.2": (2_500, 3_000), "0.9": (2_600, 3_000)}, {}, "1.2"),
        ({"2.0": (2_500, 3_000)}, {}, "2.0"),  # nobody knew in which release the bug was
        ({**OLD, "1.10": (2_500, 3_000)}, {"1.9": 900}, "1.10"),
    ],
)
def test_regression(seen, before, release):
    """A release that is newer than all in which the bug was known should have the fix; so the issue is reopened."""
    assert when_closed(seen, before) == replace(REGRESSION, release=release)


@pytest.mark.parametrize(
    ("seen", "before"),
    [
        ({**OLD, "0.9": (2_500, 3_000)}, {}),  # a rollback
        ({"0.9": (2_500, 3_000)}, {"1.0": 500}),
        ({"1.0": (500, 900), "1.2": (1_000, 1_900), "1.1": (2_500, 3_000)}, {}),  # older than the newest
        ({"1.1": (2_500, 3_000)}, {"1.0": 500, "1.2": 600}),
        ({**OLD, "1.1b": (2_500, 3_000)}, {}),  # a branch that went another way
        ({"1.0b": (500, 900), **OLD, "1.1": (2_500, 3_000)}, {}),  # newer than one, beside the other
        ({**OLD, "01.0": (2_500, 3_000)}, {}),  # another name of the same
    ],
)
def test_no_regression(seen, before):
    """A release that is older than one in which the bug was known, or beside it, need not have the fix."""
    assert when_closed(seen, before) == RESOLVED


@pytest.mark.parametrize(
    ("seen", "before", "decision"),
    [
        ({"aaa": (1_000, 1_900), "bbb": (2_500, 3_000)}, {}, replace(REGRESSION, release="bbb")),
        ({"bbb": (2_500, 3_000)}, {"aaa": 500}, replace(REGRESSION, release="bbb")),
        ({"bbb": (2_500, 2_600), "ccc": (2_700, 3_000)}, {"aaa": 500}, replace(REGRESSION, release="ccc")),
        ({"aaa": (1_000, 3_000)}, {}, RESOLVED),
        ({"aaa": (2_500, 3_000)}, {"aaa": 500}, RESOLVED),
    ],
)
@pytest.mark.parametrize("rules", [ORDERED, UNORDERED])
def test_unknown_order(seen, before, decision, rules):
    """Where nobody can tell an order, the release that was first seen after the closing is the newer."""
    assert when_closed(seen, before, rules) == decision


@pytest.mark.parametrize("seen", [{}, OLD, {"1.0": (1_000, 2_000)}])
def test_no_release(seen):
    """Where what was seen after the closing has no release, time alone decides."""
    assert when_closed(seen) == REGRESSION
    assert when_closed(seen, last=2_000.0) == RESOLVED


@pytest.mark.parametrize("rules", [ORDERED, UNORDERED])
@pytest.mark.parametrize(
    ("seen", "before", "decision"),
    [
        ({}, {}, REGRESSION),
        ({}, {"1.0": 500}, RESOLVED),
        (OLD, {}, RESOLVED),  # that it was in a release without a name is for the other ledger to say
        ({}, {"1.0": 500, "2.0": 2_500}, replace(REGRESSION, release="2.0")),
    ],
)
def test_seen_elsewhere(seen, before, decision, rules):
    """What another ledger has seen after the closing, as the block says, reopens an issue as what we have seen does."""
    body = block(State(FP, {"other": 5}, 1_000.0, 3_000.0, releases=before))

    assert step(issue("closed", "completed", body=body), item(5, 1_900.0, seen), rules) == decision


def test_closed_by_another_clock():
    """Our times are compared with GitHub's by how far our clock is ahead; the second of the closing is before it."""
    rules = Rules(ahead=600.0)

    assert when_closed({}, rules=rules, last=CLOSED_AT + 600.9) == RESOLVED
    assert when_closed({}, rules=rules, last=CLOSED_AT + 601.1) == REGRESSION
    assert when_closed({}, rules=UNORDERED, last=CLOSED_AT + 0.9) == RESOLVED
    assert when_closed({}, rules=UNORDERED, last=CLOSED_AT + 1.1) == REGRESSION


def test_late_fold():
    """What happened before the closing and was counted after it reopens nothing, in whatever release."""
    assert when_closed({"2.0": (1_500, 1_999)}, {"1.0": 500}, last=1_999.0) == RESOLVED
    assert when_closed({"1.0": (1_000, 3_000), "2.0": (1_500, 1_999)}) == RESOLVED


@pytest.mark.parametrize("seen", [{}, {"1.0": (1_000, 3_000)}, {**OLD, "1.1": (2_500, 3_000)}])
@pytest.mark.parametrize("rules", [ORDERED, UNORDERED])
def test_return_after_silence(seen, rules):
    """An issue that loghub closed because of silence is reopened by any release; it was never said to be fixed."""
    assert when_closed(seen, {"1.0": 500}, rules, quiet=True) == Step("reopen", comment="return")
    assert when_closed(seen, {"1.0": 500}, rules, last=2_000.0, quiet=True) == RESOLVED


names = st.sampled_from(["1.0", "1.1", "1.2", "2.0", "1.1b", "aaa", "bbb"])
known_before = st.dictionaries(names, st.integers(0, 2_000), min_size=1)
order_answers = st.sampled_from(["older", "same", "newer", "diverged", None])
orders = st.just(by_version) | order_answers.map(lambda answer: lambda one, other: answer)


@pytest.mark.slow
@settings(deadline=None)
@given(known_before, st.sets(names), st.data(), orders)
def test_known_releases_never_reopen(before, by_others, data, order):
    """Where every occurrence after the closing is in a release known before it, nothing is reopened, in any order."""
    seen = {}
    for name, first_at in before.items():
        last_at = data.draw(st.integers(first_at, 5_000))
        # Where another ledger has told of it, this one may have met it only after the closing.
        seen[name] = (min(2_001, last_at) if name in by_others else first_at, last_at)
    assume(any(last_at > CLOSED_AT for _, last_at in seen.values()))
    told = {name: before[name] for name in by_others & before.keys()}

    decision = when_closed(seen, told, Rules(order=order), last=max(last_at for _, last_at in seen.values()))

    assert decision == RESOLVED


@settings(deadline=None)
@given(
    st.dictionaries(names, st.tuples(st.integers(0, 5_000), st.integers(0, 5_000)).map(sorted)), known_before, orders
)
def test_regression_is_in_a_release_seen_since(seen, before, order):
    """The release of a regression was seen after the closing, and never told of before it."""
    seen = {name: tuple(times) for name, times in seen.items()}
    released = lifecycle.regressed_in(
        group(releases=seen), State(FP, {}, 0, 0, releases=before), 2_000, Rules(order=order)
    )

    if released:
        assert seen[released][0] > 2_000
        assert released not in before
        assert all(order(released, other) in ("newer", None) for other in before)
    elif released == "":
        assert all(last_at <= 2_000 for _, last_at in seen.values())


# Comments on an open issue


@pytest.mark.parametrize(("before", "now", "says"), [(9, 10, True), (10, 11, False), (99, 1200, True), (1, 9, False)])
def test_milestone(before, now, says):
    """A comment comes when the count passes a power of ten."""
    assert (step(issue(body=said(before)), item(now)).comment == "milestone") is says


def test_milestone_of_all_ledgers():
    """The count is that of all ledgers together."""
    other = block(State(FP, {"other": 95, "ours": 4}, 1_000.0, 2_000.0))

    assert step(issue(body=other), item(5)).comment == "milestone"
    assert step(issue(body=other), item(4)).comment is None


@pytest.mark.parametrize(
    ("seen", "before", "release"),
    [
        ({"1.0": (1_000, 1_900), "1.1": (2_500, 3_000)}, {"1.0": 1_000}, "1.1"),
        ({"1.1": (2_500, 3_000), "1.2": (2_600, 3_000)}, {"1.0": 1_000}, "1.2"),
        ({"bbb": (2_500, 3_000)}, {"aaa": 1_000}, "bbb"),
        ({"1.0": (1_000, 3_000)}, {"1.0": 1_000}, ""),
        ({"0.9": (2_500, 3_000)}, {"1.0": 1_000}, ""),  # older
        ({"1.1": (2_500, 3_000)}, {"1.0": 1_000, "1.2": 1_100}, ""),
        ({"1.1b": (2_500, 3_000)}, {"1.0": 1_000}, ""),  # another branch
        ({"bbb": (1_000, 3_000)}, {"aaa": 1_000}, ""),  # both from the beginning, and nobody can tell an order
        ({"1.0": (1_000, 3_000)}, {}, ""),  # the first that anybody knows
        ({}, {"1.0": 1_000}, ""),
    ],
)
def test_new_release(seen, before, release):
    """A comment tells of a release newer than all that the issue speaks of; not of an older one, nor of the first."""
    decision = Step("edit", comment="release", release=release) if release else EDIT

    assert step(issue(body=said(releases=before)), item(releases=seen)) == decision


def test_milestone_before_release():
    """Where there is a milestone as well as a new release, only the milestone is told."""
    found = issue(body=said(9, {"1.0": 1_000}))

    assert step(found, item(10, releases={"1.1": (2_500, 3_000)})) == Step("edit", comment="milestone")


# What an issue should say


def test_state_merges_ledgers():
    """The issue's counts of other ledgers stay; ours only grows; names and times are those of all."""
    other = block(State(FP, {"other": 40, "ours": 9}, 500.0, 3_000.0, releases={"1.0": 900, "1.1": 950}))
    ours = group(5, 2_500.0, {"1.1": (940.0, 2_500.0)}, servers={"web-1": (1_000.0, 2_500.0)})

    state = lifecycle.state_of(ours, "ours", other)

    assert (state.counts["other"], state.counts["ours"]) == (40, 9)
    assert (state.first_seen_at, state.last_seen_at) == (500.0, 3_000.0)
    assert (state.releases, state.servers) == ({"1.0": 900, "1.1": 940}, {"web-1": 1_000})


def test_state_tells_the_last_recovery():
    """The issue says when a procedure ran last, and what became of it."""
    last, before = (Recovery(at, "shop.repair", how, 0.5) for at, how in ((2_600.0, "recovered"), (2_500.0, "failed")))

    state = lifecycle.state_of(group(recoveries=(last, before)), "ours", None)

    assert state.recovery[0] == 2_600.0
    assert state.recovery[1].startswith("recovered by shop.repair")


@pytest.mark.parametrize("body", [None, "", block(State("v1:ffffffffffffffff", {"other": 40}, 500.0, 3_000.0))])
def test_state_of_another_bug_is_ignored(body):
    """A block with another fingerprint does not add to our count, nor does an issue without one."""
    assert lifecycle.state_of(group(), "ours", body) == State(FP, {"ours": 5}, 1_000.0, 3_000.0)


def test_state_among_several():
    """Of several blocks in an issue the bug's own is looked at, wherever it stands."""
    other = block(State("v1:ffffffffffffffff", {"other": 40}, 500.0, 3_000.0))

    assert lifecycle.state_of(group(), "ours", f"{other}\n\n{said(7)}").counts == {"ours": 7}


# When to edit


def test_edits_become_rarer():
    """The higher the count, the longer it rests between two edits, up to an hour."""
    rests = [lifecycle.edit_due_at(item(count, edited_at=0.0), 1, 0.0) for count in (1, 100, 10_000, 10**6, 10**9)]

    assert rests == sorted(rests)
    assert (rests[0], rests[-1]) == (60.0, 3_600.0)


def test_many_issues_share_the_edits():
    """The more issues wait for an edit, the longer each rests, so that all together stay within 240 an hour."""
    assert lifecycle.edit_due_at(item(1, edited_at=100.0), 4, 100.0) == 160.0
    assert lifecycle.edit_due_at(item(1, edited_at=100.0), 1_000, 100.0) == 15_100.0
    assert lifecycle.edit_due_at(item(10**6, edited_at=100.0), 10, 100.0) == 3_700.0


def test_edited_by_a_clock_that_was_ahead():
    """An edit that seems to come from the future puts off no other."""
    assert lifecycle.edit_due_at(item(1, edited_at=1e9), 1, 4_000.0) < 4_000.0
    assert lifecycle.edit_due_at(item(1, edited_at=4_000.0), 1, 4_000.0) == 4_060.0


@pytest.mark.parametrize(
    ("told", "last"), [({}, True), ({"said": 200}, True), ({"said": 199}, False), ({"said": 182}, False)]
)
def test_last_edit_of_a_process(told, last):
    """A process that ends edits again where there is more to say than a count that is behind by less than a tenth."""
    assert lifecycle.may_go_last(item(200, **told)) is last


@pytest.mark.parametrize("told", [200, 100, 221])
def test_last_edit_of_a_count(told):
    """It does so, too, where the count is a tenth behind or more, or where the issue says more than was counted."""
    assert lifecycle.may_go_last(item(220, said=told))
