"""The client keeps GitHub's limits, and gives every failure the name that says what to do."""

from __future__ import annotations

import contextlib
import http.server
import json
import math
import os
import socket
import ssl
import threading

import pytest
import requests
import responses
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loghub.errors import DeliveryError, RefusedError
from loghub.github import client as client_module
from loghub.github.client import GitHubClient
from loghub.github.failures import (
    BadTokenError,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    UnknownOutcomeError,
)
from tests.clock import Clock
from tests.fakes.github import FakeGitHub, Token

REPO = "example/app"
API = "https://api.github.com"
ISSUES = f"{API}/repos/{REPO}/issues"
SECRET = "ghp_secretsecretsecret"
NOW = 1_790_000_000.0


@pytest.fixture
def clock():
    """Return a clock that client and server share."""
    return Clock(NOW)


@pytest.fixture
def client(clock):
    """Return a client of api.github.com itself, for mocked replies."""
    return GitHubClient(REPO, lambda: SECRET, clock=clock, sleep=clock.sleep)


@pytest.fixture
def mocked():
    """Mock the wire."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def fake(clock):
    """Run a GitHub on this machine; nothing that was said to it may have broken its rules."""
    with FakeGitHub(REPO, clock=clock) as running:
        yield running
    assert running.violations == []


@pytest.fixture
def flow(fake, clock):
    """Return a client of the GitHub on this machine."""
    client = GitHubClient(REPO, lambda: fake.token, fake.url, timeout=(5.0, 1.0), clock=clock, sleep=clock.sleep)
    yield client
    client.close()


# What it does


def test_the_life_of_an_issue(fake, flow):
    """Create, look, label, comment, close and list: what was said is what GitHub has."""
    fake.repo(REPO).assignable = ("helper",)
    made = flow.create_issue("t", "b", ["bug"], ["helper"])
    assert flow.issue(made["number"])["body"] == "b"
    assert [one["name"] for one in flow.add_labels(1, ["regression"])] == ["bug", "regression"]
    assert flow.comment(1, "seen again")["body"] == "seen again"
    closed = flow.edit_issue(1, state="closed", state_reason="not_planned", body="new")
    assert (closed["state_reason"], closed["body"]) == ("not_planned", "new")
    assert [one["body"] for one in flow.comments(1)] == ["seen again"]
    assert [one["number"] for one in flow.issues(label="bug")] == [1]
    assert flow.repository()["permissions"]["push"] is True
    assert flow.user()["login"] == "reporter"


def test_all_pages_are_read_and_pull_requests_left_out(fake, flow, clock):
    """The list follows GitHub's links to the end, oldest first, without pull requests."""
    for number in range(230):
        fake.add_issue(REPO, str(number), labels=["kept"] if number % 2 else [], pull_request=number == 7)
    clock.now += 100
    fake.edit(REPO, 3, body="changed")
    fake.close(REPO, 5)
    assert [one["number"] for one in flow.issues()] == [n for n in range(1, 231) if n != 8]
    assert len(list(flow.issues(label="kept"))) == 114
    assert [one["number"] for one in flow.issues(since=clock.now)] == [3, 5]
    assert [one["number"] for one in flow.issues(state="closed")] == [5]


def test_pages_are_fetched_when_they_are_needed(fake, flow):
    """Who stops early asks for no more pages."""
    for number in range(150):
        fake.add_issue(REPO, str(number))
    next(flow.issues())
    assert len(fake.requests) == 1


def test_assignees_are_asked_for(fake, flow):
    """A login that cannot be assigned is False, whatever characters it holds."""
    fake.repo(REPO).assignable = ("helper",)
    assert flow.assignee_ok("helper") is True
    assert flow.assignee_ok("stranger") is False
    assert flow.assignee_ok("org/team?x=#1") is False
    assert fake.requests[-1].path.endswith("/assignees/org%2Fteam%3Fx%3D%231")


def left(client):
    """Return how many requests GitHub's primary limit leaves, by the last reply."""
    return int(client.replied["X-RateLimit-Remaining"])


def test_an_unchanged_issue_costs_nothing(fake, flow):
    """An issue that was read before is asked for by its ETag: unchanged it is what is known, and is not counted."""
    fake.add_issue(REPO, "t", "b")
    first = flow.issue(1)
    before = left(flow)
    first["body"] = "what its reader makes of it"
    for _ in range(3):
        assert flow.issue(1)["body"] == "b"
        flow.issue(1)["body"] = "what its reader makes of it"
    assert [one.status for one in fake.requests] == [200] + [304] * 6
    assert left(flow) == before
    fake.edit(REPO, 1, body="changed")
    assert flow.issue(1)["body"] == "changed"
    assert fake.requests[-1].status == 200
    assert left(flow) == before - 1
    assert flow.issue(1)["body"] == "changed"
    assert fake.requests[-1].status == 304


def test_an_issue_that_moved_since_it_was_read(fake, flow):
    """An issue that was transferred or deleted after it was read is not taken from memory."""
    fake.add_repo("example/other")
    fake.add_issue(REPO, "one")
    fake.add_issue(REPO, "two")
    flow.issue(1)
    flow.issue(2)
    fake.transfer(REPO, 1, "example/other")
    fake.delete(REPO, 2)
    for _ in range(2):
        assert flow.issue(1)["html_url"].endswith("/example/other/issues/1")
    with pytest.raises(GoneError):
        flow.issue(2)


def test_only_so_many_issues_are_known(fake, flow, monkeypatch):
    """What is remembered of issues is bounded, and each is right all the same."""
    monkeypatch.setattr(client_module, "_MAX_KNOWN", 3)
    for number in range(1, 8):
        fake.add_issue(REPO, str(number))
    for number in [*range(1, 8), 7, 1]:
        assert flow.issue(number)["number"] == number
    assert len(flow._known) <= 3
    assert [one.status for one in fake.requests[-2:]] == [304, 200]


def test_an_issue_by_its_address(fake, flow):
    """An issue is also read, edited and commented by its address in the API, as one that was transferred needs."""
    fake.add_repo("example/other")
    fake.add_issue("example/other", "t")
    url = fake.issue("example/other", 1)["url"]
    assert flow.issue(url)["url"] == url
    flow.edit_issue(url, body="new")
    flow.comment(url, "c")
    flow.add_labels(url, ["bug"])
    assert flow.issue(url)["body"] == "new"
    assert [one["body"] for one in flow.comments(url)] == ["c"]
    flow.remove_label(url, "bug")
    assert fake.issue("example/other", 1)["labels"] == []
    assert fake.issues(REPO) == []


ELSEWHERE = (
    "https://evil.example/repos/example/app/issues/1",
    "http://api.github.com/repos/example/app/issues/1",
    "https://api.github.com@evil.example/repos/example/app/issues/1",
    "https://api.github.com:8443/repos/example/app/issues/1",
    "//evil.example/repos/example/app/issues/1",
    "https://[",
)


@pytest.mark.parametrize("url", ELSEWHERE)
def test_an_address_elsewhere_is_not_asked(mocked, client, url):
    """An address that is not of this API gets no request, and so no token, whatever is to be done."""
    for ask in (
        lambda: client.issue(url),
        lambda: client.edit_issue(url, body="b"),
        lambda: client.comment(url, "c"),
        lambda: list(client.comments(url)),
        lambda: client.add_labels(url, ["bug"]),
        lambda: client.remove_label(url, "bug"),
    ):
        with pytest.raises(DeliveryError, match="check api_url"):
            ask()
    assert len(mocked.calls) == 0


def test_an_unchanged_list_costs_nothing(fake, flow):
    """A list that is asked for by its ETag yields nothing and is not counted until something in it changes."""
    fake.add_issue(REPO, "one")
    assert [one["number"] for one in flow.issues()] == [1]
    etag, before = flow.etag, left(flow)
    assert etag
    assert list(flow.issues(etag=etag)) == []
    assert (flow.etag, left(flow)) == (etag, before)
    fake.add_issue(REPO, "two")
    assert [one["number"] for one in flow.issues(etag=etag)] == [1, 2]
    assert flow.etag not in ("", etag)
    assert left(flow) == before - 1


def test_only_a_list_of_one_page_has_an_etag(fake, flow):
    """The ETag of a page says nothing of those after it, and a full page is not changed by what comes after it."""
    for number in range(99):
        fake.add_issue(REPO, str(number))
    assert len(list(flow.issues())) == 99
    assert flow.etag
    for length in (100, 101, 102):
        fake.add_issue(REPO, str(length))
        assert len(list(flow.issues(etag=flow.etag))) == length
        assert flow.etag == ""


def test_issues_of_one_user(fake, flow):
    """The list can be that of one user's issues, whatever label they have."""
    for number, author in enumerate(["reporter", "somebody", "reporter[bot]", "reporter"]):
        fake.add_issue(REPO, str(number), author=author, labels=["bug"] if number else [])
    assert [one["number"] for one in flow.issues(creator="reporter")] == [1, 4]
    assert [one["number"] for one in flow.issues("bug", creator="reporter")] == [4]
    assert [one["number"] for one in flow.issues(creator="reporter[bot]")] == [3]
    assert list(flow.issues(creator="nobody")) == []


@pytest.mark.parametrize("name", ["bug", "loghub:mute-30d", "needs a/b?#&%20", "größer"])
def test_remove_label(fake, flow, clock, name):
    """A label is taken from an issue, whatever its name holds, and the others stay."""
    fake.add_issue(REPO, "t", labels=["other", name])
    flow.remove_label(1, name)
    assert [one["name"] for one in fake.issue(REPO, 1)["labels"]] == ["other"]
    assert flow.next_write_at == clock.now + 1.0
    with pytest.raises(NotFoundError):
        flow.remove_label(1, name)
    assert [one["name"] for one in fake.issue(REPO, 1)["labels"]] == ["other"]


@pytest.mark.parametrize("path", ["CODEOWNERS", ".github/CODEOWNERS", "a b/ü#?.txt"])
def test_file(fake, flow, path):
    """A file's text comes as it is in the repository."""
    fake.add_file(REPO, path, "* @größe\n" * 100)
    assert flow.file(path) == "* @größe\n" * 100


def test_no_file(fake, flow):
    """Where there is no file there is no text; an empty one has an empty text, as one that GitHub does not send."""
    fake.add_file(REPO, "empty", "")
    fake.add_file(REPO, "large", "x" * (1 << 20) + "x")
    assert flow.file("CODEOWNERS") is None
    assert flow.file("empty") == ""
    assert flow.file("large") == ""


@pytest.mark.parametrize(("content", "text"), [("/w==", "\ufffd"), ("a", None), (None, "")])
def test_a_file_that_is_no_text(mocked, client, content, text):
    """What is no UTF-8 is shown as such, and what is no base64 is no text."""
    mocked.get(f"{API}/repos/{REPO}/contents/CODEOWNERS", json={"type": "file", "content": content})
    assert client.file("CODEOWNERS") == text


def test_a_forbidden_file(fake, flow):
    """A token that may not read files learns which permission it lacks; it is not as if there were no file."""
    fake.repo(REPO).private = True
    fake.tokens[fake.token] = Token(contents="")
    with pytest.raises(ForbiddenError, match="the permission contents=read on example/app") as caught:
        flow.file("CODEOWNERS")
    assert caught.value.permission == "contents=read"


def test_requests_say_who_asks(mocked, client):
    """Each request names loghub, the version of the API and the token, and writes are JSON."""
    mocked.post(ISSUES, json={"number": 1}, status=201)
    client.create_issue("t", "b")
    sent = mocked.calls[0].request
    assert sent.headers["User-Agent"] == "loghub"
    assert sent.headers["X-GitHub-Api-Version"] == "2022-11-28"
    assert sent.headers["Authorization"] == f"Bearer {SECRET}"
    assert json.loads(sent.body) == {"title": "t", "body": "b", "labels": [], "assignees": []}


def test_path_parameters_are_encoded(mocked, clock):
    """A name in the path can add no segment and no query."""
    client = GitHubClient("ex ample/a?b/c", lambda: None, clock=clock)
    mocked.get(f"{API}/repos/ex%20ample/a%3Fb%2Fc", json={"id": 1})
    assert client.repository() == {"id": 1}


def test_an_enterprise_server(clock):
    """A base with a path works as api.github.com does, its pages too."""
    with FakeGitHub(REPO, clock=clock, prefix="/api/v3") as fake:
        client = GitHubClient(REPO, lambda: fake.token, fake.url + "/", clock=clock, sleep=clock.sleep)
        for number in range(101):
            fake.add_issue(REPO, str(number))
        assert len(list(client.issues())) == 101
        client.close()
        assert fake.violations == []


# The pace


def test_writes_are_a_second_apart(fake, flow, clock):
    """The rest of a second between two writes is slept; reads never wait."""
    flow.create_issue("t", "b")
    flow.issue(1)
    assert clock.slept == []
    clock.now += 0.25
    flow.comment(1, "c")
    assert clock.slept == [0.75]
    times = [one.time for one in fake.requests if one.method == "POST"]
    assert times[1] - times[0] >= 1.0


def test_a_longer_wait_is_not_slept(fake, flow, clock):
    """Where another process spoke for the next seconds, the client says how long instead of sleeping."""
    flow.next_write_at = clock.now + 5.0
    with pytest.raises(DeliveryError, match="due in 5 seconds") as caught:
        flow.create_issue("t", "b")
    assert caught.value.retry_after == 5.0
    assert (clock.slept, fake.requests) == ([], [])
    assert list(flow.issues()) == []


@pytest.mark.shows("clock wrong", "nothing lost")
def test_a_clock_that_was_set_back_stops_nothing(fake, flow, clock):
    """Ends of pauses that began in the future, or lie further ahead than any pause, are not believed."""
    flow.next_write_at = flow.quiet_until = clock.now + 80_000
    flow.quiet_from = clock.now + 79_000
    assert flow.create_issue("t", "b")["number"] == 1


def test_a_failed_write_counts_too(fake, flow, clock):
    """A write that got no answer may have been one: the next one waits its second."""
    fake.fault("POST */issues", "drop", when="after")
    with pytest.raises(UnknownOutcomeError):
        flow.create_issue("t", "b")
    assert flow.next_write_at == clock.now + 1.0


def test_wait_to_write(fake, flow, clock):
    """Who wants to read just before a write sits out the second first; then the write itself waits no more."""
    flow.wait_to_write()
    assert clock.slept == []
    flow.create_issue("t", "b")
    clock.now += 0.25
    flow.wait_to_write()
    assert clock.slept == [0.75]
    flow.issue(1)
    flow.edit_issue(1, body="new")
    assert clock.slept == [0.75]


def test_wait_to_write_does_not_wait_for_long(fake, flow, clock):
    """Where the next write is due later, or GitHub wants quiet, that is said at once and nothing is asked."""
    flow.next_write_at = clock.now + 5.0
    with pytest.raises(DeliveryError, match="due in 5 seconds") as caught:
        flow.wait_to_write()
    assert caught.value.retry_after == 5.0
    flow.quiet_until = clock.now + 90.0
    with pytest.raises(RateLimitedError, match="90 seconds"):
        flow.wait_to_write()
    assert (clock.slept, fake.requests) == ([], [])


def test_a_write_is_announced_before_it_leaves(fake, flow, clock):
    """When a write is on its way, the time of the next one was handed over already; it is again after the reply."""
    kept, seen = [], []
    flow.before_write = lambda: kept.append(flow.next_write_at)
    fake.on_request = lambda when, call: seen.append((when, call.method, list(kept)))
    flow.create_issue("t", "b")
    soon = clock.now + 1.0
    assert seen == [("arrived", "POST", [soon]), ("answered", "POST", [soon])]
    assert kept == [soon, soon]
    flow.issue(1)
    assert kept == [soon, soon]  # reading is nobody's business


@pytest.mark.parametrize("kind", ["drop", "500", "hang"])
def test_a_slow_failure_is_announced_again(fake, flow, clock, kind):
    """The second begins anew when a write has failed, however long that took."""
    kept = []
    flow.before_write = lambda: kept.append(flow.next_write_at)
    fake.on_request = lambda when, call: setattr(clock, "now", clock.now + 10)
    fake.fault("POST */issues", kind, seconds=1.0)
    with pytest.raises(DeliveryError):
        flow.create_issue("t", "b")
    assert kept == [NOW + 1.0, clock.now + 1.0]


# Limits


@pytest.mark.shows("github limits", "said")
@pytest.mark.parametrize(
    ("status", "headers", "body", "pause"),
    [
        (403, {"Retry-After": "90"}, {"message": "wait"}, 90.0),
        (429, {"Retry-After": "7"}, {"message": "wait"}, 7.0),
        (403, {"Retry-After": "0"}, {"message": "wait"}, 1.0),
        (403, {"Retry-After": "999999"}, {"message": "wait"}, 86_400.0),
        (429, {"Retry-After": "Mon, 21 Sep 2026 14:13:50 GMT"}, {"message": "wait"}, 30.0),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW) + 40)}, {"message": ""}, 40.0),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, {"message": ""}, 60.0),
        (
            403,
            {"X-RateLimit-Remaining": "12"},
            {"message": "You have exceeded a secondary rate limit."},
            60.0,
        ),
        (429, {}, {}, 60.0),
        (429, {"Retry-After": "²"}, "<html>slow down</html>", 60.0),
    ],
)
def test_limits_say_how_long(mocked, client, *, status, headers, body, pause):
    """Retry-After, then the reset, then a minute: that long GitHub is left alone, and nothing was done."""
    text = body if isinstance(body, str) else json.dumps(body)
    mocked.post(ISSUES, body=text, status=status, headers=headers)
    with pytest.raises(RateLimitedError, match=f"try again in {pause:.0f} seconds") as caught:
        client.create_issue("t", "b")
    assert caught.value.retry_after == pause


def test_the_reset_is_by_the_server_s_clock(mocked, client):
    """A local clock that is an hour wrong does not make the pause wrong."""
    headers = {"Date": "Mon, 21 Sep 2026 15:00:00 GMT", "X-RateLimit-Remaining": "0"}
    headers["X-RateLimit-Reset"] = "1790002820"  # 20 seconds after that
    mocked.get(ISSUES + "/1", json={"message": "API rate limit exceeded"}, status=403, headers=headers)
    with pytest.raises(RateLimitedError) as caught:
        client.issue(1)
    assert caught.value.retry_after == 20.0


def test_a_secondary_limit_without_retry_after_grows(fake, flow, clock):
    """A minute, then two, then four; the first success makes it a minute again."""
    pauses = []
    fake.fault("*", "secondary", times=3)
    for _ in range(3):
        with pytest.raises(RateLimitedError) as caught:
            flow.issue(1)
        pauses.append(caught.value.retry_after)
        clock.now += pauses[-1]
    flow.repository()
    fake.fault("*", "secondary")
    with pytest.raises(RateLimitedError) as caught:
        flow.issue(1)
    assert [*pauses, caught.value.retry_after] == [60.0, 120.0, 240.0, 60.0]


@pytest.mark.shows("github limits", "bounded")
def test_while_limited_nothing_is_asked(fake, flow, clock):
    """Until the pause is over, no request leaves: going on may get the token banned."""
    fake.fault("*", "primary", seconds=30)
    with pytest.raises(RateLimitedError):
        flow.repository()
    clock.now += 10
    with pytest.raises(RateLimitedError, match="20 seconds") as caught:
        flow.create_issue("t", "b")
    assert (caught.value.retry_after, len(fake.requests)) == (20.0, 1)
    clock.now += 20
    assert flow.create_issue("t", "b")["number"] == 1


def test_the_last_request_of_the_hour(fake, flow, clock):
    """A good reply that says it was the last one makes quiet until the reset; nothing has to be refused first."""
    announced = []
    flow.before_write = lambda: announced.append(flow.quiet_until)
    fake.limits.requests_per_hour = 2
    assert flow.repository()["full_name"] == REPO
    assert flow.quiet_until == 0.0
    assert flow.user()["login"] == "reporter"
    assert flow.quiet_until == clock.now + 3600.0
    assert announced == [flow.quiet_until]
    clock.now += 3599
    for ask in (flow.repository, lambda: flow.create_issue("t", "b"), flow.wait_to_write):
        with pytest.raises(RateLimitedError, match="1 seconds") as caught:
            ask()
        assert caught.value.retry_after == 1.0
    assert len(fake.requests) == 2
    clock.now += 1
    assert flow.repository()["full_name"] == REPO


@pytest.mark.parametrize(
    ("headers", "quiet"),
    [
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW) + 40)}, 40.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW) + 86_400)}, 3600.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW))}, None),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, None),
        ({"X-RateLimit-Remaining": "0"}, None),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": str(int(NOW) + 40)}, None),
        ({"X-RateLimit-Reset": str(int(NOW) + 40)}, None),
    ],
)
def test_how_long_after_the_last_request(mocked, client, headers, quiet):
    """The quiet after a good reply lasts until the reset, an hour at most; where none is named there is none."""
    mocked.get(f"{ISSUES}/1", json={"number": 1}, headers=headers)
    assert client.issue(1)["number"] == 1
    assert client.quiet_until == (0.0 if quiet is None else NOW + quiet)


def test_github_s_own_limits_are_understood(fake, flow):
    """The real rules, not only the faults: a spent hour and too much content are both RateLimitedError."""
    fake.limits.creations_per_minute = 0
    with pytest.raises(RateLimitedError) as caught:
        flow.create_issue("t", "b")
    assert caught.value.retry_after == 60.0
    flow.quiet_until = 0.0
    fake.limits.requests_per_hour = 1
    with pytest.raises(RateLimitedError) as caught:
        flow.issue(1)
    assert caught.value.retry_after == 3600.0


# Failures


@pytest.mark.shows("github refuses", "said")
@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (401, BadTokenError, "GitHub refused the token (401): set GITHUB_TOKEN to a valid token."),
        (403, ForbiddenError, "GitHub forbids this (403: no): check what the token may do on example/app."),
        (404, NotFoundError, "check that it exists and that the token may see it."),
        (410, GoneError, "any more (410: no): check that issues are enabled."),
        (422, InvalidError, "GitHub will not take this as it is (422): no."),
        (400, InvalidError, "GitHub will not take this as it is (400): no."),
        (409, DeliveryError, "GitHub did not do this (409: no): try again later."),
        (451, ForbiddenError, "GitHub forbids this (451: no): check"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_statuses_have_names(mocked, client, *, method, status, error, says):
    """Each of GitHub's refusals is its own error in one sentence, the same for reads and writes."""
    mocked.add(method, f"{ISSUES}/1", json={"message": "no."}, status=status)
    with pytest.raises(error) as caught:
        client.issue(1) if method == "GET" else client.edit_issue(1, title="t")
    assert says in str(caught.value)
    assert type(caught.value) is error
    assert str(caught.value).endswith(".")


def test_the_missing_permission_is_named(fake, flow):
    """A token without the permission learns which one it lacks, and where."""
    fake.tokens[fake.token] = Token(issues="read")
    with pytest.raises(ForbiddenError, match="the permission issues=write on example/app") as caught:
        flow.create_issue("t", "b")
    assert caught.value.permission == "issues=write"


def test_a_full_or_locked_issue_is_no_missing_permission(fake, flow):
    """Where nobody may comment, no permission is asked for, and GitHub's words can be read."""
    fake.add_issue(REPO, "t").comments = [None] * 2_500
    with pytest.raises(ForbiddenError) as caught:
        flow.comment(1, "c")
    assert caught.value.permission is None
    assert "2500 comments" in caught.value.said


def test_github_s_reasons_become_one_sentence(mocked, client):
    """All that GitHub objects to stands in one line, cut to a readable length."""
    errors = [
        {"resource": "Issue", "code": "custom", "field": "title", "message": "title is\ntoo long"},
        {"resource": "Issue", "code": "invalid", "field": "assignees"},
        "and more",
    ]
    mocked.post(ISSUES, json={"message": "Validation Failed", "errors": errors}, status=422)
    with pytest.raises(InvalidError) as caught:
        client.create_issue("t", "b")
    wanted = "(422): Validation Failed; title is too long; assignees is invalid; and more."
    assert str(caught.value).endswith(wanted)
    assert isinstance(caught.value, RefusedError)


UNCLEAR = [500, 502, 503, "drop", "cut", "truncate", "hang", "html"]


@pytest.mark.shows("github fails", "said")
@pytest.mark.shows("github hangs", "said")
@pytest.mark.shows("github cut off", "said")
@pytest.mark.parametrize("kind", UNCLEAR)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_write_without_a_clear_reply(fake, flow, kind, when):
    """Nobody knows whether the server acted, and the error says so, whichever is true."""
    fake.fault("POST */issues", kind, when=when, seconds=5)
    with pytest.raises(UnknownOutcomeError, match="look whether it was done before trying again"):
        flow.create_issue("t", "b")
    assert len(fake.issues(REPO)) == (when == "after")


@pytest.mark.parametrize("kind", UNCLEAR)
def test_a_read_without_a_clear_reply(fake, flow, kind):
    """A read can simply be tried again."""
    fake.fault("GET *", kind, seconds=5)
    with pytest.raises(DeliveryError, match="try again later") as caught:
        flow.issue(1)
    assert type(caught.value) is DeliveryError


@pytest.mark.parametrize("status", [200, 401, 403, 404, 410, 422])
def test_a_proxy_s_page_is_not_github_s_word(mocked, client, status):
    """A status around HTML is a proxy's: the issue is neither missing nor gone, and nothing is known."""
    mocked.patch(f"{ISSUES}/1", body="<html>blocked</html>", status=status)
    mocked.get(f"{ISSUES}/1", body="<html>blocked</html>", status=status)
    with pytest.raises(UnknownOutcomeError, match="proxy"):
        client.edit_issue(1, title="t")
    with pytest.raises(DeliveryError, match="proxy") as caught:
        client.issue(1)
    assert type(caught.value) is DeliveryError


def test_a_busy_server_s_retry_after_is_kept(mocked, client):
    """A 503 with Retry-After is tried again when it asks for it."""
    mocked.get(f"{ISSUES}/1", json={"message": "busy"}, status=503, headers={"Retry-After": "12"})
    with pytest.raises(DeliveryError) as caught:
        client.issue(1)
    assert caught.value.retry_after == 12.0


def test_a_write_that_never_left_is_no_unknown_outcome(clock):
    """Where nobody listens, nothing was done: no need to look."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    client = GitHubClient(REPO, lambda: SECRET, f"http://127.0.0.1:{port}", clock=clock)
    with pytest.raises(DeliveryError, match=rf"nothing listens at 127\.0\.0\.1:{port}: try") as caught:
        client.create_issue("t", "b")
    assert type(caught.value) is DeliveryError
    client.close()


def test_a_name_that_nobody_knows(clock):
    """A host that has no address is named, and nothing was done."""
    client = GitHubClient(REPO, lambda: SECRET, "https://github.invalid/api/v3", clock=clock)
    with pytest.raises(DeliveryError, match=r"the name github\.invalid was not found: try again later") as caught:
        client.create_issue("t", "b")
    assert type(caught.value) is DeliveryError


@pytest.mark.shows("github away", "no secret")
def test_a_certificate_that_nobody_vouches_for(clock):
    """Nothing is said to a server whose certificate is not trusted: no token, no issue."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with FakeGitHub(REPO, clock=clock, tls=context) as fake:
        client = GitHubClient(REPO, lambda: SECRET, fake.url, clock=clock)
        with pytest.raises(DeliveryError, match=r"the certificate of 127\.0\.0\.1:\d+ was not accepted") as caught:
            client.create_issue("t", "b")
        assert type(caught.value) is DeliveryError
        assert fake.requests == []


@pytest.mark.shows("github away", "no secret")
def test_bad_bundles_and_proxies_never_sent_anything(clock, monkeypatch, tmp_path):
    """A missing CA bundle and a proxy that is not there are told without the proxy's password."""
    client = GitHubClient(REPO, lambda: SECRET, clock=clock)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:hunter2@127.0.0.1:{port}")
    with pytest.raises(DeliveryError, match=r"cannot be asked through the proxy .*HTTPS_PROXY") as caught:
        client.create_issue("t", "b")
    assert type(caught.value) is DeliveryError
    assert "hunter2" not in str(caught.value)
    clock.now += 1
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with pytest.raises(DeliveryError, match="OSError") as caught:
        client.create_issue("t", "b")
    assert type(caught.value) is DeliveryError


# Redirects


def test_a_renamed_repository_is_followed_with_method_and_body(fake, flow):
    """Reads and writes on the old name arrive at the new one as what they are."""
    fake.rename(REPO, "example/new")
    made = flow.create_issue("t", "b")
    assert made["html_url"].endswith("/example/new/issues/1")
    assert flow.comment(1, "c")["body"] == "c"
    assert flow.edit_issue(1, state="closed")["state"] == "closed"
    assert [one["number"] for one in flow.issues()] == [1]


def test_a_transferred_issue_comes_from_its_new_place(fake, flow):
    """Asking for an issue that was moved answers the issue where it is now."""
    fake.add_repo("example/other")
    fake.add_issue("example/other", "another")
    fake.add_issue(REPO, "t")
    fake.transfer(REPO, 1, "example/other")
    assert flow.issue(1)["html_url"].endswith("/example/other/issues/2")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_every_redirect_keeps_a_post_a_post(mocked, client, status):
    """Also 301 and 302, which requests would turn into a GET, may be relative, and cost one write."""
    mocked.post(ISSUES, status=status, headers={"Location": "/repositories/7/issues"})
    mocked.post(f"{API}/repositories/7/issues", json={"number": 3}, status=201)
    assert client.create_issue("t", "b") == {"number": 3}
    assert mocked.calls[0].request.body == mocked.calls[1].request.body


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/repositories/7",
        "http://api.github.com/repositories/7",
        "https://api.github.com:444/repositories/7",
        "//evil.example/x",
        "https://api.github.com@evil.example/",
    ],
)
def test_the_token_goes_nowhere_else(mocked, client, location):
    """Another host, port or scheme is never asked, by a redirect or by a link to the next page."""
    mocked.post(ISSUES, status=307, headers={"Location": location})
    mocked.get(ISSUES, json=[], headers={"Link": f'<{location}>; rel="next"'})
    with pytest.raises(DeliveryError, match="check api_url") as caught:
        client.create_issue("t", "b")
    assert type(caught.value) is DeliveryError
    with pytest.raises(DeliveryError, match="check api_url"):
        list(client.issues())
    assert len(mocked.calls) == 2


def test_a_malformed_address_is_not_followed(mocked, client):
    """A redirect or a link that is no address ends in a DeliveryError."""
    mocked.post(ISSUES, status=307, headers={"Location": "https://["})
    mocked.get(ISSUES, json=[], headers={"Link": '<https://[>; rel="next"'})
    with pytest.raises(DeliveryError):
        client.create_issue("t", "b")
    with pytest.raises(DeliveryError, match="malformed address"):
        list(client.issues())
    assert len(mocked.calls) == 2


def test_redirects_end(mocked, client):
    """After three redirects it is enough."""
    mocked.get(f"{ISSUES}/1", status=301, headers={"Location": f"{ISSUES}/1"})
    with pytest.raises(DeliveryError, match="more than 3 times"):
        client.issue(1)
    assert len(mocked.calls) == 4


# The token


def test_without_a_token_reading_works_and_writing_says_what_to_do(fake, clock):
    """No token asks without one, and is not sent at all for a write."""
    client = GitHubClient(REPO, lambda: None, fake.url, clock=clock, sleep=clock.sleep)
    assert list(client.issues()) == []
    with pytest.raises(BadTokenError, match="There is no GitHub token: set GITHUB_TOKEN"):
        client.create_issue("t", "b")
    assert len(fake.requests) == 1
    client.close()


def test_a_changed_token_is_used_at_once(fake, clock):
    """The token is asked for before each request."""
    tokens = iter(["wrong", f" {fake.token}\n"])
    client = GitHubClient(REPO, lambda: next(tokens), fake.url, clock=clock, sleep=clock.sleep)
    with pytest.raises(BadTokenError, match="refused"):
        client.repository()
    assert client.repository()["full_name"] == REPO
    client.close()


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "schlüssel", "nul\0"])
def test_a_malformed_token_is_not_sent(mocked, clock, token):
    """What no header can hold is told without being shown."""
    client = GitHubClient(REPO, lambda: token, clock=clock)
    with pytest.raises(BadTokenError, match="malformed") as caught:
        client.repository()
    assert token not in str(caught.value)
    assert len(mocked.calls) == 0


def test_netrc_does_not_replace_the_token(fake, flow, tmp_path, monkeypatch):
    """A line for the host in ~/.netrc would make requests send another password."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert flow.user()["login"] == "reporter"


@pytest.mark.shows("github refuses", "no secret")
def test_the_token_is_never_shown(mocked, client):
    """Neither repr nor an error tells the token, even if the server repeats it."""
    mocked.get(f"{ISSUES}/1", json={"message": f"bad header Bearer {SECRET}"}, status=400)
    with pytest.raises(InvalidError) as caught:
        client.issue(1)
    assert SECRET not in str(caught.value)
    assert "***" in str(caught.value)
    assert repr(client) == "<GitHubClient example/app at api.github.com>"


def test_a_forked_child_has_its_own_connection(client, monkeypatch):
    """A session that was made before a fork is not used after it."""
    before = client._connection()
    assert client._connection() is before
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert client._connection() is not before
    before.close()
    client.close()


# Whatever comes

HEADER = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=20).map(str.strip)
BODY = st.one_of(
    st.binary(max_size=60),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.just(SECRET),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["message", "errors", "x"]), inner),
        max_leaves=6,
    ).map(lambda value: json.dumps(value).encode()),
    st.just(b"[" * 5_000),
)


@pytest.mark.slow
@pytest.mark.shows("github refuses", "no secret")
@pytest.mark.shows("github fails", "no secret")
@pytest.mark.shows("github limits", "no secret")
@pytest.mark.shows("github cut off", "no secret")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    status=st.integers(200, 599),
    body=BODY,
    headers=st.dictionaries(
        st.sampled_from(["Retry-After", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Date", "Location", "Link"]),
        HEADER | st.sampled_from(["0", "-1", "1e999", "nan", "Mon, 32 Foo 2026"]),
    ),
)
def test_any_reply_is_a_result_or_a_delivery_error(status, body, headers):
    """No status, header or body makes another error, a silly pause, or shows the token."""
    clock = Clock(NOW)
    client = GitHubClient(REPO, lambda: SECRET, clock=clock, sleep=clock.sleep)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.post(ISSUES, body=body, status=status, headers=headers)
        mock.get(ISSUES, body=body, status=status, headers=headers)
        for ask in (lambda: client.create_issue("t", "b"), lambda: list(client.issues())):
            try:
                ask()
            except DeliveryError as error:
                text, pause = str(error), error.retry_after
                assert SECRET not in text
                assert "\n" not in text
                assert pause is None or math.isfinite(pause)
            client.quiet_until = 0.0


def test_only_one_session_is_needed(fake, flow):
    """Requests share one kept-alive connection."""
    flow.repository()
    first = flow._connection()
    flow.repository()
    assert flow._connection() is first
    assert isinstance(first, requests.Session)


@pytest.mark.shows("github hangs", "bounded")
@pytest.mark.shows("github cut off", "bounded")
def test_endless_reply(monkeypatch):
    """A reply that does not come to an end is given up, and is not held in memory."""

    class Endless(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(b" " * 65536)

        def log_message(self, *args):
            pass

    monkeypatch.setattr(client_module, "_MAX_REPLY_BYTES", 1 << 20)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endless) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = client_module.GitHubClient("acme/shop", lambda: "t", f"http://127.0.0.1:{server.server_address[1]}")
        with pytest.raises(DeliveryError, match="EndlessReply"):
            client.issue(1)
        client.close()
        server.shutdown()
