import pytest

from loghub.github import lifecycle
from loghub.github.issue import State, block
from loghub.ledger.protocol import Group, Item

FP = "v1:0123456789abcdef"


def group(count=5, last=2000.0):
    """Return a group that was seen `count` times."""
    return Group(FP, "ValueError", "", "bad", "shop", "m in f", "ERROR", "shop", count, 1000.0, last)


def item(count=5, last=2000.0, **memory):
    """Return what is to be told about it, with what the handler remembers."""
    return Item("github:a/b", group(count, last), count, count, {}, 40, 1000.0, memory=memory)


def issue(state="open", reason=None, labels=(), closed_at=None):
    """Return the issue as far as decisions look at it."""
    return {
        "number": 7,
        "state": state,
        "state_reason": reason,
        "labels": [{"name": name} for name in labels],
        "closed_at": closed_at,
    }


def step(found, before=5, now=5, last=2000.0, *, reopen=True):
    """Return the decision where the block says `before` and should say `now`."""
    states = [None if n is None else State(FP, {"a": n}, 1000.0, 2000.0) for n in (before, now)]
    return lifecycle.next_step(item(last=last), found, *states, reopen=reopen)


def test_create():
    """A bug without an issue gets one."""
    assert step(None).kind == "create"


def test_edit():
    """An open issue has its block edited, without a comment."""
    assert step(issue()) == lifecycle.Step("edit")


@pytest.mark.parametrize(("before", "now", "says"), [(9, 10, True), (10, 11, False), (99, 1200, True), (1, 9, False)])
def test_milestone(before, now, says):
    """A comment comes when the count passes a power of ten."""
    assert (step(issue(), before, now).comment == "milestone") is says


@pytest.mark.parametrize("label", ["wontfix", "loghub:mute"])
def test_muted_by_label(label):
    """A label of a person silences an issue, open or closed."""
    assert step(issue(labels=[label])) == lifecycle.Step("silent", "muted")
    assert step(issue("closed", "completed", [label])) == lifecycle.Step("silent", "muted")


@pytest.mark.parametrize("reason", ["not_planned", "duplicate"])
def test_closed_for_good(reason):
    """An issue closed as not planned or duplicate stays closed."""
    assert step(issue("closed", reason, closed_at="1970-01-01T00:00:01Z")) == lifecycle.Step("silent", "muted")


def test_reopen():
    """An issue closed as completed is reopened when the bug was seen after that."""
    assert step(issue("closed", "completed", closed_at="1970-01-01T00:20:00Z")).kind == "reopen"


def test_late_occurrence_does_not_reopen():
    """What happened before the issue was closed does not reopen it."""
    found = issue("closed", "completed", closed_at="1970-01-01T01:00:00Z")
    assert step(found) == lifecycle.Step("silent", "resolved")


def test_reopen_switched_off():
    """With reopen: false a closed issue stays closed."""
    found = issue("closed", "completed", closed_at="1970-01-01T00:20:00Z")
    assert step(found, reopen=False) == lifecycle.Step("silent", "resolved")


def test_state_merges_ledgers():
    """The issue's counts of other ledgers stay; ours only grows."""
    other = block(State(FP, {"other": 40, "ours": 9}, 500.0, 3000.0), group())
    state = lifecycle.state_of(group(count=5), "ours", other)
    assert (state.counts["other"], state.counts["ours"]) == (40, 9)
    assert (state.first_seen_at, state.last_seen_at) == (500.0, 3000.0)


def test_state_of_another_bug_is_ignored():
    """A block with another fingerprint does not add to our count."""
    other = block(State("v1:ffffffffffffffff", {"other": 40}, 500.0, 3000.0), group())
    assert lifecycle.state_of(group(), "ours", other).counts == {"ours": 5}


def test_edits_become_rarer():
    """The higher the count, the longer it rests between two edits, up to an hour."""
    rests = [lifecycle.edit_due_at(item(count, edited_at=0.0)) for count in (1, 100, 10_000, 10**6, 10**9)]
    assert rests == sorted(rests)
    assert rests[0] == 60.0
    assert rests[-1] == 3600.0
