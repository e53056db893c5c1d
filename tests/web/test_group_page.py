"""/groups/<fingerprint>: what a bug does, and what people can do about it."""

from __future__ import annotations

import math
import time

import pytest

from loghub.delivery import deliverer, leases, waiting
from loghub.github.block import read_state
from loghub.ledger.protocol import Outcome, Recovery
from loghub.web import group as group_page
from tests import shop
from tests.fakes.github import FakeGitHub
from tests.web.logged import github, logged, post, texts

GITHUB = "github:acme/shop"
DAY = 86_400.0


@pytest.fixture
def app(tmp_path):
    """Return an application with one bug, and no destination."""
    with logged(tmp_path) as made:
        made.fail()
        yield made


@pytest.fixture
def fake(monkeypatch):
    """Run a GitHub on this machine, in which a person has opened issue #1; it saw nothing against its rules."""
    monkeypatch.setattr(leases, "pause", lambda seconds: None)  # the second between two writes
    monkeypatch.setattr(group_page, "PATIENCE_SECONDS", 30.0)
    with FakeGitHub("acme/shop") as running:
        running.add_issue("acme/shop", "Cards are refused", "It hurts.")
        yield running
        assert running.violations == []


@pytest.fixture
def tracked(tmp_path, fake, monkeypatch):
    """Return an application with one bug, which is a dead letter for GitHub: nobody opens an issue by himself."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    with logged(tmp_path, [github(fake, tmp_path)]) as made:
        made.fail()
        (item,) = made.ledger().waiting(GITHUB, time.time())
        dead = Outcome(item.group.fingerprint, "dead", item.total, "GitHub answered 422", attempts=1)
        made.ledger().settle(GITHUB, [dead], time.time())
        monkeypatch.setattr(deliverer, "by_hand", False)
        yield made


def path_of(app):
    """Return the path of the only group's page."""
    return f"/groups/{app.fingerprint()}"


def group_of(app):
    """Return the only group with all that is known of it."""
    return app.ledger().group(app.fingerprint())


def act(app, action, **form):
    """Do something about the only group as an admin does; return what the page says then."""
    return texts(post(app.client(), path_of(app), action=action, **form))


def test_group(app):
    """Type, message, culprit, trend, counts, times, places, status and the newest error are there."""
    said = texts(app.client("viewer").get(path_of(app)))
    for part in (
        "CardError no card open ERROR tests.shop in charged_in_a_chain", "14 days new", "today 1", "Seen 1",
        "Releases 2.4.0", "Environments staging", "Hosts", "component shop", "issue none yet", "logger shop.orders",
        app.fingerprint(), "Errors kept in full", "order 7 failed", "The newest error", "caused by KeyError",
    ):  # fmt: skip
        assert part in said


def test_trend(app):
    """Each day has a bar that a screen reader reads, too."""
    app.fail()
    app.fail()
    found = app.client("viewer").get(path_of(app)).text
    today = time.strftime("%Y-%m-%d", time.gmtime(time.time()))
    assert found.count('<rect class="bar"') == 1
    assert found.count('<rect class="day"') == 14
    assert f"{today} 3\n" in found or f'{today} 3"' in found
    assert f"<title>{today}: 3</title>" in found


def test_components(app):
    """All components that the shown errors name are listed."""
    app.fail(component="checkout")
    assert "components checkout, shop" in texts(app.client("viewer").get(path_of(app)))


def test_recoveries(app):
    """What procedures did about it is told in the words of mail and issue."""
    failed = Recovery(1_790_000_000.0, "shop.repair.reopen", "failed", 12.0, "no answer <b>", "web-2")
    app.ledger().note_recovery(app.fingerprint(), failed)
    said = texts(app.client("viewer").get(path_of(app)))
    assert "failed 2026-09-21 14:13:20 UTC failed in shop.repair.reopen after 12 s: no answer <b> on web-2" in said


def test_pages_of_errors(app, monkeypatch):
    """The errors are listed ten on a page, the newest first; one gets to older ones and back."""
    for number in range(1, 13):
        app.fail(number=number)
    client, path = app.client("viewer"), path_of(app)
    first = client.get(path).text
    shown = [number for number in range(13) if f'"said">order {number} failed<' in first]
    assert shown == list(range(3, 13))
    older = first[first.index("?after=") :].partition("#")[0].replace("&amp;", "&")
    second = client.get(path + older).text
    assert [number for number in range(13) if f'"said">order {number} failed<' in second] == [1, 2, 7]
    assert f'href="{path}#samples">← Newest' in second
    assert client.get(f"{path}?after=nonsense").status_code == 400


def test_beginning_of_a_fingerprint(app):
    """The beginning of a fingerprint leads to the page; one of nothing, or of several, leads nowhere."""
    client, whole = app.client("viewer"), app.fingerprint()
    for short in (whole[:9], whole[3:9]):
        answer = client.get(f"/groups/{short}")
        assert (answer.status_code, answer.location) == (302, f"/groups/{whole}")
    assert client.get("/groups/v1:ffff").status_code == 404
    app.fail(shop.charged_in_a_group)
    app.ledger()
    ambiguous = client.get("/groups/v1:")
    assert ambiguous.status_code == 404
    assert "the beginning of several" in texts(ambiguous)


# Actions ----------------------------------------------------------------------------------------------------------


def test_mute(app):
    """A bug is muted for good, the page says so, and unmute takes it back."""
    said = act(app, "mute", days="")
    assert f"{app.fingerprint()} is muted until it is unmuted." in said
    assert "status muted, until it is unmuted" in said
    assert group_of(app).muted_until == math.inf
    said = act(app, "unmute")
    assert f"{app.fingerprint()} is not muted." in said
    assert group_of(app).muted_until == 0.0


def test_mute_for_days(app):
    """It is muted for as many days as are chosen."""
    before = time.time()
    said = act(app, "mute", days="7")
    assert before + 7 * DAY <= group_of(app).muted_until <= time.time() + 7 * DAY
    assert "status muted, until 20" in said


@pytest.mark.parametrize("days", ["0", "-1", "nan", "inf", "1e9", "many", "<b>"])
def test_mute_for_no_days(app, days):
    """What is no number of days is refused in a sentence."""
    said = act(app, "mute", days=days)
    assert "is no number of days" in said
    assert group_of(app).muted_until == 0.0


def test_open(tracked, fake):
    """The issue is opened now, and the page says which it is."""
    said = act(tracked, "open")
    url = "https://github.com/acme/shop/issues/2"
    assert f"It is {url} now." in said
    assert group_of(tracked).issue_url == url
    assert [one["title"] for one in fake.issues("acme/shop")] == ["Cards are refused", "[Auto] CardError: shop"]
    assert "Open issue now" not in said


def test_link(tracked, fake):
    """A person's issue becomes the bug's."""
    said = act(tracked, "link", number="#1")
    assert "It is https://github.com/acme/shop/issues/1 now." in said
    assert read_state(fake.issue("acme/shop", 1)["body"]).fingerprint == tracked.fingerprint()


def test_link_to_nothing(tracked, fake):
    """An issue that there is not cannot be linked to, and the page says so."""
    assert "There is no issue #99 in acme/shop that it can be linked to." in act(tracked, "link", number="99")
    assert "seven is no issue's number" in act(tracked, "link", number="seven")


def test_resend(tracked, fake):
    """A destination is told once more: its dead letter is no longer one."""
    assert f"{GITHUB} will be told of {tracked.fingerprint()} again." in act(tracked, "resend", destination=GITHUB)
    assert waiting.wait_for(lambda: group_of(tracked).issue_url, 30.0)
    assert tracked.ledger().outbox() == []
    assert f"{GITHUB} will be told" in act(tracked, "resend", destination="")
    assert "There is no destination smtp:elsewhere here." in act(tracked, "resend", destination="smtp:elsewhere")


def test_github_is_away(tmp_path, monkeypatch):
    """When GitHub does not answer the page does not wait for it, and says what will happen."""
    monkeypatch.setattr(group_page, "PATIENCE_SECONDS", 0.05)
    with FakeGitHub("acme/shop") as fake:
        handler = github(fake, tmp_path)
    with logged(tmp_path, [handler]) as app:
        app.fail()
        said = act(app, "open")
        assert "The issue will be opened in acme/shop as soon as GitHub is told: " in said
        said = act(app, "link", number="12")
        assert "It will be linked to #12 of acme/shop as soon as GitHub is told: " in said
        assert f"{GITHUB} waiting" in texts(app.client("viewer").get(path_of(app)))


def test_without_a_repository(app):
    """Without a repository nothing can be opened, and the page says what to do."""
    assert "Issues can be opened and linked where" in texts(app.client().get(path_of(app)))
    for form in ({"action": "open"}, {"action": "link", "number": "1"}):
        assert "set GITHUB_REPO and GITHUB_TOKEN" in act(app, **form)
    assert "There is no destination" in act(app, "resend")


def test_muted_is_not_told(tracked):
    """Of a muted bug nothing is told, so nothing is promised."""
    act(tracked, "mute")
    for form in ({"action": "open"}, {"action": "link", "number": "1"}, {"action": "resend"}):
        assert "unmute it first" in act(tracked, **form)
    assert group_of(tracked).issue_url is None


ACTIONS = [{"action": "mute"}, {"action": "unmute"}, {"action": "open"}, {"action": "link", "number": "1"},
           {"action": "resend"}]  # fmt: skip


@pytest.mark.parametrize("form", ACTIONS, ids=lambda form: form["action"])
def test_who_may_change(app, form):
    """A viewer may not, nor may who is not logged in, or sends no token; nothing is changed then."""
    path, state = path_of(app), group_of(app)
    assert post(app.client("viewer"), path, **form).status_code == 403
    assert app.client().post(path, data=form).status_code == 400
    stranger = app.client(None)
    assert post(stranger, path, page="/login", **form).status_code == 401
    assert stranger.get(path).location == f"/login?next={path}"
    assert group_of(app) == state


def test_unknown_action(app):
    """What is no action is refused, and what is no group is not found."""
    assert post(app.client(), path_of(app), action="explode").status_code == 400
    assert post(app.client(), "/groups/v1:ffff", page="/outbox", action="mute").status_code in (400, 404)


def test_viewer_sees_no_buttons(app):
    """Who may change nothing is offered nothing."""
    assert 'name="action"' not in app.client("viewer").get(path_of(app)).text
    assert 'name="action"' in app.client().get(path_of(app)).text
