"""/outbox: what waits and what is dead, why, and since when."""

from __future__ import annotations

import time

import pytest

from loghub.delivery import deliverer
from loghub.ledger.protocol import Outcome
from loghub.mailserver.owed import OWED, Owed, OwedMail
from loghub.web.outbox import MAX_ROWS
from tests import shop
from tests.fakes.github import FakeGitHub
from tests.web.logged import github, logged, post, texts

GITHUB = "github:acme/shop"


@pytest.fixture
def app(tmp_path, monkeypatch):
    """Return an application with two bugs: one is a dead letter for GitHub, of the other it is told later."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    with FakeGitHub("acme/shop") as fake, logged(tmp_path, [github(fake, tmp_path)]) as made:
        made.fail()
        made.fail(shop.charged_in_a_group)
        settle(made, "CardError", "dead", "GitHub answered 422: <b>labels</b>")
        settle(made, "ExceptionGroup", "later", "GitHub failed (503)", time.time() + 600)
        yield made


def settle(app, kind, state, reason, due_at=0.0):
    """Say what became of a group's delivery."""
    items = app.ledger().waiting(GITHUB, time.time())
    item = next(one for one in items if one.group.error_type == kind)
    said = Outcome(item.group.fingerprint, state, item.total, reason, due_at=due_at, attempts=3)
    app.ledger().settle(GITHUB, [said], time.time())


def states(app):
    """Return state and attempts of what is left, by reason."""
    return {row["reason"]: (row["state"], row["attempts"]) for row in app.ledger().outbox()}


def fingerprint(app, kind):
    """Return the fingerprint of a group."""
    return next(one.fingerprint for one in app.ledger().groups() if one.error_type == kind)


def test_outbox(app):
    """Each destination has its letters, the dead ones first, with why, since when and when next."""
    said = texts(app.client("viewer").get("/outbox"))
    for part in (
        f"{GITHUB} 1 dead 1 waiting",
        "dead CardError no card GitHub answered 422: <b>labels</b> 1 occurrence · since 20",
        "3 attempts · not tried again by itself", "waiting ExceptionGroup", "GitHub failed (503)",
        "next attempt not before 20",
    ):  # fmt: skip
        assert part in said
    assert said.index("CardError") < said.index("ExceptionGroup")
    assert "No handler of this process" not in said


def test_nothing_waits(tmp_path):
    """An empty outbox says so."""
    with logged(tmp_path) as app:
        app.fail()
        assert "Nothing waits." in texts(app.client("viewer").get("/outbox"))
        assert "Nothing waits for it." in texts(app.client("viewer").get("/outbox?destination=smtp:nowhere"))


def test_retry_one(app):
    """One dead letter is due again, the other deliveries stay as they are."""
    said = texts(
        post(app.client(), "/outbox", action="retry", destination=GITHUB, fingerprint=fingerprint(app, "CardError"))
    )
    assert "1 delivery is due now." in said
    assert sorted(states(app).values()) == [("waiting", 0), ("waiting", 3)]


def test_retry_all(app):
    """All of a destination are due again."""
    assert "2 deliveries are due now." in texts(post(app.client(), "/outbox", action="retry", destination=GITHUB))
    assert set(states(app).values()) == {("waiting", 0)}


def test_discard_one(app):
    """One dead letter is given up, and its error stays."""
    where = {"destination": GITHUB, "fingerprint": fingerprint(app, "CardError"), "only": GITHUB}
    said = texts(post(app.client(), "/outbox", action="discard", **where))
    assert "1 delivery is given up; the errors stay counted." in said
    assert list(states(app)) == ["GitHub failed (503)"]
    assert "All destinations" in said
    assert len(app.ledger().groups()) == 2


def test_discard_all(app):
    """All dead letters of a destination are given up; what waits goes on waiting."""
    settle(app, "ExceptionGroup", "dead", "GitHub answered 410")
    app.fail(lambda: {}["key"])
    assert "2 deliveries are given up" in texts(post(app.client(), "/outbox", action="discard", destination=GITHUB))
    assert list(states(app).values()) == [("waiting", 0)]


def test_of_another_process(app):
    """Where nobody here delivers, the page says who does."""
    app.ledger().entrust("smtp:mail.example.com:587/1", fingerprint(app, "CardError"), {})
    said = texts(app.client("viewer").get("/outbox?destination=smtp:mail.example.com:587/1"))
    assert "No handler of this process delivers there" in said
    assert GITHUB not in said


def test_resting(app):
    """A destination that asked to be left alone is shown so."""
    app.ledger().remember(GITHUB, {"rest_until": time.time() + 3600})
    assert "It is left alone until 20" in texts(app.client("viewer").get("/outbox"))


def test_owed_mails(app):
    """A mail that some have not got yet is told of."""
    owed = Owed({}, time.time())
    owed.add(OwedMail.put_off("<1@x>", "a@example.com", ["late@example.com"], b"mail", time.time()))
    app.ledger().remember("smtp:mail.example.com:587/1" + OWED, owed.memory())
    assert "late@example.com was put off" in texts(app.client("viewer").get("/outbox"))


def test_many(app):
    """Of many letters some are shown; the destination alone shows more."""
    group = app.ledger().group(fingerprint(app, "CardError"))
    for number in range(MAX_ROWS + 5):
        app.log.error("distinct", extra={"fingerprint": f"bug {number}"})
    client = app.client("viewer")
    app.ledger()
    first = client.get("/outbox").text
    assert first.count('<div class="what">') == MAX_ROWS
    assert "7 more." in texts(client.get("/outbox"))
    alone = client.get(f"/outbox?destination={GITHUB}").text
    assert alone.count('<div class="what">') == MAX_ROWS + 7
    assert group.fingerprint in alone


@pytest.mark.parametrize("action", ["retry", "discard"])
def test_who_may_change(app, action):
    """A viewer may not, nor may who is not logged in, or sends no token; nothing is changed then."""
    before = states(app)
    form = {"action": action, "destination": GITHUB}
    assert post(app.client("viewer"), "/outbox", **form).status_code == 403
    assert app.client().post("/outbox", data=form).status_code == 400
    stranger = app.client(None)
    assert post(stranger, "/outbox", page="/login", **form).status_code == 401
    assert stranger.get("/outbox").location == "/login?next=/outbox"
    assert states(app) == before
    assert 'name="action"' not in app.client("viewer").get("/outbox").text


def test_unknown_action(app):
    """What is neither is refused."""
    assert post(app.client(), "/outbox", action="explode").status_code == 400
