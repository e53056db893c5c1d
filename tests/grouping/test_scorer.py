from __future__ import annotations

import json

import pytest

from tests.grouping.scorer import Score, load, mistakes, score


def lines(*placed):
    """Return a set: bug and group of each event."""
    return [{"bug": bug, "case": f"case {at}", "event": {"group": group}} for at, (bug, group) in enumerate(placed)]


def group_of(event):
    """Return what the event itself says."""
    return event["group"]


def test_perfect():
    """A rule that agrees with every label has precision and recall of one."""
    found = score(lines(("a", "1"), ("a", "1"), ("b", "2")), group_of)
    assert found == Score(right=1, merged=0, split=0)
    assert (found.precision, found.recall, found.f1) == (1.0, 1.0, 1.0)


def test_all_in_one():
    """A rule that tells nothing apart finds every pair and pays in precision."""
    found = score(lines(("a", "1"), ("a", "1"), ("b", "1"), ("b", "1")), group_of)
    assert found == Score(right=2, merged=4, split=0)
    assert found.precision == pytest.approx(1 / 3)
    assert found.recall == 1.0


def test_all_apart():
    """A rule that tells everything apart is never wrong and finds nothing."""
    found = score(lines(("a", "1"), ("a", "2"), ("a", "3")), group_of)
    assert found == Score(right=0, merged=0, split=3)
    assert (found.precision, found.recall, found.f1) == (1.0, 0.0, 0.0)


def test_both_kinds_of_mistakes():
    """F1 is the harmonic mean where there are both kinds of mistakes."""
    found = score(lines(("a", "1"), ("a", "1"), ("a", "2"), ("b", "2")), group_of)
    assert found == Score(right=1, merged=1, split=2)
    assert found.f1 == pytest.approx(0.4)


def test_empty_set():
    """An empty set has nothing wrong in it."""
    assert score([], group_of).f1 == 1.0


def test_mistakes_are_named():
    """The costliest mistake comes first, and each names its bugs, groups and cases."""
    told = mistakes(lines(("a", "1"), ("a", "1"), ("b", "1"), ("c", "3"), ("c", "4")), group_of)
    assert told == [
        "MERGED 1 (2 pairs)\n  a: case 0 | case 1\n  b: case 2",
        "SPLIT c (1 pairs)\n  3: case 3\n  4: case 4",
    ]


def test_mistakes_are_bounded():
    """No more mistakes are told than asked for."""
    assert len(mistakes(lines(("a", "1"), ("b", "1"), ("c", "3"), ("c", "4")), group_of, limit=1)) == 1


def test_no_mistakes():
    """A perfect rule has none."""
    assert mistakes(lines(("a", "1"), ("b", "2")), group_of) == []


def test_load(tmp_path):
    """A set is read line by line."""
    path = tmp_path / "set.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines(("a", "1"), ("b", "2"))))
    assert [line["bug"] for line in load(str(path))] == ["a", "b"]
