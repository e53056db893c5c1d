"""explain tells what a fingerprint was made of, and never that it was made of something else."""

from __future__ import annotations

import json
import logging

import pytest

from loghub.delivery import deliverer
from loghub.filters import EventFilter
from loghub.handlers.base import ReportingHandler
from tests.cli.test_cli import run


class Shop:
    """A home, and a logger that reports to it."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.handler = ReportingHandler(home=str(folder))
        self.log = logging.Logger("shop")  # noqa: LOG001 - one that no other test sees
        self.log.addHandler(self.handler)

    def ids(self):
        """Return the ids of what was logged, the first first."""
        self.handler.home.fold()
        return [event["id"] for event in reversed(self.handler.home.ledger().events(50))]

    def explain(self, *keys, code=0):
        """Return what the verb prints as JSON about some of the errors."""
        return json.loads(run("explain", *keys, "--json", "--home", self.folder, code=code))


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Return a shop whose rounds nobody makes."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    made = Shop(tmp_path / "home")
    yield made
    made.handler.close()


def charge(log, kind=ValueError, **extra):
    """Fail at one place with any class."""
    try:
        raise kind("card declined")
    except kind:
        log.exception("failed", extra=extra)


def refund(log):
    """Fail at another place."""
    try:
        raise ValueError("card declined")
    except ValueError:
        log.exception("failed")


def keyed(parts):
    """Return what and value of each part."""
    return [(part["what"], part["value"]) for part in parts]


def test_one(shop):
    """One error: its type, place and fingerprint, and each part that was hashed, with its reason."""
    charge(shop.log)
    text = run("explain", shop.ids()[0][:10], "--home", shop.folder)
    assert text.startswith("ValueError at tests.cli.test_explain in charge\n")
    assert "fingerprint  v1:" in text
    assert "frame  test_explain in charge" in text.replace("cli/", "")
    assert "the source line in it" in text
    assert "kept" not in text


def test_group(shop):
    """A group's fingerprint stands for its newest error, its beginning is enough, with or without v1:."""
    charge(shop.log)
    found = shop.explain(shop.ids()[0])["events"][0]
    for key in (found["fingerprint"], found["fingerprint"][3:9]):
        assert shop.explain(key)["events"] == [found]


def test_not_there(shop):
    """What is not there is said in one sentence, and is exit code 1, also as the second."""
    charge(shop.log)
    one = shop.ids()[0]
    assert "Nothing here has the fingerprint or id v1:zz" in run("explain", "v1:zz", "--home", shop.folder, code=1)
    assert "id nope" in run("explain", one, "nope", "--home", shop.folder, code=1)


def test_same(shop):
    """Two errors of one place are the same bug, with nothing that differs."""
    charge(shop.log)
    charge(shop.log)
    ids = shop.ids()
    found = shop.explain(*ids)
    assert found["same"] is True
    assert found["differences"] == []
    assert [one["id"] for one in found["events"]] == ids
    text = run("explain", *ids, "--home", shop.folder)
    assert text.startswith("The same bug.\n")
    assert "All that counts is the same in both." in text


def test_different(shop):
    """Two places: what both share stands as it is, what differs is marked, and the first difference named."""
    charge(shop.log)
    refund(shop.log)
    charge(shop.log, KeyError)
    one, two, three = shop.ids()
    found = shop.explain(one, two)
    assert found["same"] is False
    assert [(row["first"]["what"], row["second"]["what"]) for row in found["differences"]] == [
        ("frame", "frame"), ("line", "line"),
    ]  # fmt: skip
    text = run("explain", one, two, "--home", shop.folder)
    assert text.startswith("Not the same bug.\n")
    assert "They differ first (>) in this: frame;" in text
    lines = [line for line in text.splitlines() if line[:2].strip()]
    assert sum(line.startswith(">- ") for line in lines) == 1
    assert any(line.startswith("+ ") and "in refund" in line for line in lines)
    first = shop.explain(one, three)["differences"][0]
    assert (first["first"]["value"], first["second"]["value"]) == ("ValueError", "KeyError")


def test_only_in_one(shop):
    """A part that only one of them has stands alone."""
    charge(shop.log)
    try:
        try:
            raise LookupError("no card")
        except LookupError as error:
            raise ValueError("card declined") from error
    except ValueError:
        shop.log.exception("failed")
    assert any(row["first"] is None and row["second"]["what"] == "cause" for row in
               shop.explain(*shop.ids())["differences"])  # fmt: skip


@pytest.mark.parametrize("asked", ["checkout", ["checkout", "{{ default }}"]])
def test_custom(shop, asked):
    """A fingerprint that the application gave is told from one that the rules made."""
    charge(shop.log, fingerprint=asked)
    found = shop.explain(*shop.ids())["events"][0]
    assert keyed(found["parts"])[0] == ("custom", "checkout")
    assert (("type", "ValueError") in keyed(found["parts"])) is isinstance(asked, list)
    assert "the application gave it" in found["note"]
    assert "It was not made by the rules alone" in run("explain", found["id"], "--home", shop.folder)


def test_custom_that_is_the_default(shop):
    """Who asks for what the rules say anyway gets no note."""
    charge(shop.log, fingerprint=["{{ default }}"])
    assert shop.explain(*shop.ids())["events"][0]["note"] == ""


def test_custom_by_before_send(shop):
    """A fingerprint that before_send gave is known, too."""
    shop.handler.addFilter(EventFilter(before_send=lambda event: {**event, "fingerprint": "checkout"}))
    charge(shop.log)
    found = shop.explain(*shop.ids())["events"][0]
    assert keyed(found["parts"]) == [("custom", "checkout")]


def test_never_raised(shop):
    """Of an exception that was never raised the parts are those that were hashed, and give its fingerprint."""
    shop.log.error("odd", exc_info=ValueError("never raised"))
    found = shop.explain(*shop.ids())["events"][0]
    assert found["note"] == ""
    assert ("message", "never raised") in keyed(found["parts"])


def test_what_was_hidden(shop):
    """Where a secret counted that is not kept, the parts do not pretend to give the fingerprint."""
    shop.log.error("login of ada failed, password: correct-horse")
    found = shop.explain(*shop.ids())["events"][0]
    assert "It was hidden as a secret, cut, escaped, or changed by before_send" in found["note"]
    assert "correct-horse" not in json.dumps(found)


def test_what_is_not_kept(shop):
    """Two whose words told them apart, which before_send took out, are not said to be the same."""
    gone = dict.fromkeys(("message", "template", "error_message"), "gone")
    shop.handler.addFilter(EventFilter(before_send=lambda event: {**event, **gone}))
    for words in ("the door is open", "the cat is away"):
        shop.log.error(words)
    ids = shop.ids()
    assert shop.explain(*ids)["same"] is False
    text = run("explain", *ids, "--home", shop.folder)
    assert text.startswith("Not the same bug.")
    assert "what told them apart is not kept" in text


def test_changed_by_before_send(shop):
    """What before_send took out is not there to be hashed again, and that is said."""
    shop.handler.addFilter(EventFilter(before_send=lambda event: {**event, "frames": [], "traceback": ""}))
    charge(shop.log)
    assert "changed by before_send" in shop.explain(*shop.ids())["events"][0]["note"]


def test_other_version(shop, monkeypatch):
    """A fingerprint by rules that this version does not know is said to be that."""
    charge(shop.log)
    event = shop.handler.home.ledger().event(shop.ids()[0])
    monkeypatch.setattr("loghub.ledger.sqlite.SQLiteLedger.event", lambda *_: {**event, "fingerprint": "v9:0123"})
    monkeypatch.setattr("loghub.ledger.sqlite.SQLiteLedger.group", lambda *_: None)
    text = run("explain", "v9:01", "--home", shop.folder)
    assert "It was made by the rules v9, which are not known here; by v1 it is v1:" in text


def test_grouping_v0(shop):
    """An event that was grouped by v0 is explained by the rules of v0."""
    shop.handler.addFilter(EventFilter(grouping="v0"))
    charge(shop.log)
    shop.log.error("odd", exc_info=ValueError("never raised"))
    charge(shop.log, fingerprint=["checkout", "{{ default }}"])
    raised, never, custom = (shop.explain(one)["events"][0] for one in shop.ids())
    assert raised["fingerprint"].startswith("v0:")
    assert raised["note"] == never["note"] == ""
    assert keyed(raised["parts"])[:2] == [("type", "ValueError"), ("message", "card declined")]
    assert raised["parts"][1]["why"] == "every letter of it counts"
    assert keyed(custom["parts"])[:3] == [("custom", "checkout"), *keyed(raised["parts"])[:2]]
    assert "kept" not in custom["note"]


def test_two_groupings(shop):
    """Of two that were grouped by other rules it is said that the rules are the reason."""
    charge(shop.log)
    shop.handler.addFilter(EventFilter(grouping="v0"))
    charge(shop.log)
    text = run("explain", *shop.ids(), "--home", shop.folder)
    assert text.startswith("Not the same bug.")
    assert "grouped by other rules (v0, v1)" in text
    assert "They differ first" not in text


@pytest.mark.parametrize("grouping", ["v0", "v1"])
@pytest.mark.parametrize("text", ["a\udc80b %s", "odd\x00\x1b %s", "ends in\r%s"])
def test_escaped(shop, grouping, text):
    """Where only escaping stands between what was hashed and what is kept, the parts are those that were hashed."""
    shop.handler.addFilter(EventFilter(grouping=grouping))
    shop.log.error(text, "x")
    shop.log.error("odd", exc_info=ValueError(text))
    for one in shop.ids():
        found = shop.explain(one)["events"][0]
        assert "secret" not in found["note"]
        assert "give" not in found["note"]
        assert all(part["value"].isprintable() for part in found["parts"])


def test_nothing_kept(shop, monkeypatch):
    """A group of which no error is kept whole cannot be explained, and that is said."""
    charge(shop.log)
    key = shop.explain(*shop.ids())["events"][0]["fingerprint"]
    monkeypatch.setattr("loghub.history.recent", lambda *_: [])
    assert "kept whole" in run("explain", key, "--home", shop.folder, code=1)
