"""The stand-in keeps GitHub's rules: what it answers is what GitHub's own description says."""

from __future__ import annotations

import base64
import math
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from githubkit import GitHub, TokenAuthStrategy
from githubkit_schemas.v2022_11_28 import models as m

from tests.clock import Clock
from tests.fakes.github import FakeGitHub, Token

REPO = "example/app"


@pytest.fixture
def clock():
    """Return a clock that a test moves."""
    return Clock()


@pytest.fixture
def fake(clock):
    """Run a GitHub with one public repository."""
    with FakeGitHub(REPO, clock=clock) as running:
        yield running


@pytest.fixture
def call(fake):
    """Send one request as a careful client would, below the repository unless the path starts with /."""
    with requests.Session() as session:

        def send(method, path, body=None, token="fake-token", headers=(), **more):
            url = fake.url + (path if path.startswith("/") else f"/repos/{REPO}/{path}")
            known = {"User-Agent": "test", **({"Authorization": f"Bearer {token}"} if token else {})}
            known |= dict(headers)
            more = {"allow_redirects": False, "timeout": 5} | more
            return session.request(method, url.rstrip("/"), json=body, headers=known, **more)

        yield send


def until(happened, seconds=10.0):
    """Wait for another thread, and fail if it does not come."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.001)


# GitHub's own description


def test_a_foreign_client_understands_every_answer(fake):
    """A client generated from GitHub's description parses each reply with its own models."""
    config = {"base_url": fake.url + "/", "http_cache": False, "auto_retry": False}
    with GitHub(TokenAuthStrategy(fake.token), **config) as github:
        rest = github.rest("2022-11-28")
        issues, at = rest.issues, ("example", "app")
        fake.repo(REPO).assignable = ("helper",)
        made = issues.create(*at, title="t", body="b", labels=["bug"], assignees=["helper"]).parsed_data
        assert (made.number, made.labels[0].name, made.assignees[0].login) == (1, "bug", "helper")
        closed = issues.update(*at, 1, state="closed", state_reason="not_planned").parsed_data
        assert closed.state_reason == "not_planned"
        assert issues.create_comment(*at, 1, body="c").parsed_data.body == "c"
        assert [one.body for one in issues.list_comments(*at, 1).parsed_data] == ["c"]
        assert issues.create_label(*at, name="x", color="00ff00").parsed_data.color == "00ff00"
        assert len(issues.add_labels(*at, 1, labels=["x"]).parsed_data) == 2
        assert len(issues.remove_label(*at, 1, "bug").parsed_data) == 1
        assert len(issues.list_labels_on_issue(*at, 1).parsed_data) == 1
        assert len(issues.list_labels_for_repo(*at).parsed_data) == 2
        assert issues.list_for_repo(*at, state="all").parsed_data[0].title == "t"
        assert issues.get(*at, 1).parsed_data.comments == 1
        assert issues.check_user_can_be_assigned(*at, "helper").status_code == 204
        assert rest.repos.get(*at).parsed_data.permissions.push is True
        assert rest.users.get_authenticated().parsed_data.login == "reporter"
        assert rest.rate_limit.get().parsed_data.rate.limit == 5_000
        assert rest.meta.root().parsed_data.current_user_url == fake.url
        assert rest.meta.get().parsed_data.verifiable_password_authentication is False
    assert fake.violations == []


def test_people_s_issues_parse_too(fake):
    """What a test puts into the repository by hand is shown as the description wants it."""
    fake.add_issue(REPO, "by hand", labels=["bug"], pull_request=True)
    (shown,) = fake.issues(REPO)
    parsed = m.Issue.model_validate(shown)
    assert (parsed.title, parsed.labels[0].name) == ("by hand", "bug")
    assert "pull_request" in shown


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "issues", {"title": "t", "colour": "red"}),
        ("POST", "issues", {"title": "t", "labels": "bug"}),
        ("POST", "issues", {"title": "t", "labels": [{"nme": "bug"}]}),
        ("POST", "issues", {"title": ["t"]}),
        ("POST", "issues", {"body": "no title"}),
        ("POST", "issues", {"title": "t" * 257}),
        ("POST", "issues", {"title": "t", "body": "b" * 65_537}),
        ("POST", "issues", {"title": " "}),
        ("POST", "issues", {"title": "t", "labels": ["l" * 51]}),
        ("PATCH", "issues/1", {"state": "resolved"}),
        ("PATCH", "issues/1", {"state_reason": "wontfix"}),
        ("POST", "issues/1/comments", {"text": "c"}),
        ("POST", "issues/1/comments", {"body": "c" * 65_537}),
        ("POST", "issues/1/labels", {"labels": [1]}),
        ("POST", "labels", {"name": "x", "color": "#00ff00"}),
        ("GET", "issues?state=resolved", None),
        ("GET", "issues?since=yesterday", None),
        ("GET", "issues?label=bug", None),
    ],
)
def test_what_the_description_forbids_is_refused_and_recorded(fake, call, method, path, body):
    """Unknown fields, wrong types and lengths are answered with 422, change nothing, and are violations."""
    fake.add_issue(REPO, "first")
    before = fake.issues(REPO)
    assert call(method, path, body).status_code == 422
    assert len(fake.violations) == 1
    assert fake.issues(REPO) == before


def test_what_is_no_json_is_refused(fake, call):
    """Broken JSON and text that is not Unicode are 400, as at GitHub."""
    for data in (b"{", b'{"title": "\\ud800"}', b"\xff"):
        assert call("POST", "issues", data=data).status_code == 400
    assert len(fake.violations) == 3
    assert fake.issues(REPO) == []


def test_headers_and_addresses_are_checked(fake, call):
    """No User-Agent, an unknown API version, a trailing slash, an unknown route: each is refused."""
    assert call("GET", "issues", headers={"User-Agent": ""}).status_code == 403
    assert call("GET", "issues", headers={"X-GitHub-Api-Version": "1999-01-01"}).status_code == 400
    assert call("GET", "issues/?page=1").status_code == 404
    assert call("GET", "nothing").status_code == 404
    assert len(fake.violations) == 4


# Who may do what


def test_tokens(fake, call):
    """A bad token is 401, none may only read what is public, and a private repository hides itself."""
    fake.add_repo("example/secret", private=True)
    fake.tokens["narrow"] = Token(repos=())
    assert call("GET", "issues", token="wrong").json()["message"] == "Bad credentials"
    assert call("GET", "issues", token=None).status_code == 200
    assert call("POST", "issues", {"title": "t"}, token=None).status_code == 401
    assert call("GET", "/repos/example/secret", token="narrow").status_code == 404
    assert call("GET", "/repos/example/secret").status_code == 200


def test_a_missing_permission_is_named(fake, call):
    """A fine-grained token without Issues: write gets 403 and the name of what it lacks."""
    fake.tokens["reader"] = Token(issues="read")
    for method, path in (("POST", "issues"), ("PATCH", "issues/404"), ("POST", "issues/404/comments")):
        reply = call(method, path, {"title": "t"}, token="reader")
        assert (reply.status_code, reply.headers["X-Accepted-GitHub-Permissions"]) == (403, "issues=write")
        assert reply.json()["message"] == "Resource not accessible by personal access token"
    fake.tokens["blind"] = Token(issues="")
    fake.repo(REPO).private = True
    assert call("GET", "issues", token="blind").status_code == 403


def test_without_push_labels_and_assignees_are_dropped(fake, call):
    """A token that may not push opens an issue, but its labels and assignees vanish silently."""
    fake.tokens["outsider"] = Token("outsider", push=False)
    body = {"title": "t", "labels": ["bug"], "assignees": ["example"]}
    made = call("POST", "issues", body, token="outsider")
    assert (made.status_code, made.json()["labels"], made.json()["assignees"]) == (201, [], [])
    assert fake.repo(REPO).labels == {}
    assert call("POST", "issues/1/labels", {"labels": ["bug"]}, token="outsider").status_code == 403
    assert call("PATCH", "issues/1", {"title": "mine"}, token="outsider").status_code == 200
    fake.add_issue(REPO, "of somebody else")
    assert call("PATCH", "issues/2", {"title": "mine"}, token="outsider").status_code == 403


def test_unknown_labels_are_made_on_the_way(fake, call):
    """With push, an unknown label comes into being, grey; a known one keeps its spelling."""
    fake.add_label(REPO, "Bug", color="ff0000")
    made = call("POST", "issues", {"title": "t", "labels": ["bug", "new"]}).json()
    assert [(one["name"], one["color"]) for one in made["labels"]] == [("Bug", "ff0000"), ("new", "ededed")]


def test_assignees(fake, call):
    """Only those who can be assigned are: others are 404 when asked for and 422 in an issue."""
    fake.repo(REPO).assignable = ("helper",)
    assert call("GET", "assignees/helper").status_code == 204
    assert call("GET", "assignees/stranger").status_code == 404
    refused = call("POST", "issues", {"title": "t", "assignees": ["stranger"]})
    assert refused.json()["errors"] == [{"resource": "Issue", "code": "invalid", "field": "assignees"}]


# The life of an issue


def test_state_reason_needs_a_change_of_state(fake, call):
    """A reason is ignored while the state stays; closing says completed, opening says reopened."""
    call("POST", "issues", {"title": "t"})
    assert call("PATCH", "issues/1", {"state_reason": "not_planned"}).json()["state_reason"] is None
    closed = call("PATCH", "issues/1", {"state": "closed"}).json()
    assert (closed["state_reason"], bool(closed["closed_at"])) == ("completed", True)
    ignored = call("PATCH", "issues/1", {"state": "closed", "state_reason": "not_planned"}).json()
    assert ignored["state_reason"] == "completed"
    opened = call("PATCH", "issues/1", {"state": "open"}).json()
    assert (opened["state_reason"], opened["closed_at"]) == ("reopened", None)


def test_closed_as_a_duplicate(fake, call):
    """A duplicate names the id of another issue of the repository; a number or a stranger's id is refused."""
    first, second = fake.add_issue(REPO, "first"), fake.add_issue(REPO, "second")
    closing = {"state": "closed", "state_reason": "duplicate"}
    for wrong in (first.number, second.id, 999_999):
        assert call("PATCH", "issues/2", closing | {"duplicate_issue_id": wrong, "title": "x"}).status_code == 422
    assert (second.state, second.title, len(fake.violations)) == ("open", "second", 3)
    closed = call("PATCH", "issues/2", closing | {"duplicate_issue_id": first.id}).json()
    assert (closed["state"], closed["state_reason"], closed["closed_by"]["login"]) == (
        "closed",
        "duplicate",
        "reporter",
    )
    assert second.duplicate_of == first.id
    fake.reopen(REPO, 2)
    again = call("GET", "issues/2").json()
    assert (again["state"], again["state_reason"]) == ("open", "reopened")
    assert (again["closed_by"], again["closed_at"]) == (None, None)
    fake.close(REPO, 2, "duplicate", of=1)
    assert (second.duplicate_of, call("GET", "issues/2").json()["closed_by"]["login"]) == (first.id, "somebody")


def test_what_people_do_to_labels(fake, call):
    """A renamed label keeps its issues, and one taken off is gone from one issue."""
    fake.add_issue(REPO, "t", labels=["Bug", "old"])
    fake.rename_label(REPO, "OLD", "new")
    fake.remove_label(REPO, 1, "bug")
    assert [one["name"] for one in call("GET", "issues/1").json()["labels"]] == ["new"]
    assert call("GET", "issues?labels=old").json() == []


def test_labels_count_once(fake, call):
    """The same label twice is one label, and too many or too long ones change nothing."""
    made = call("POST", "issues", {"title": "t", "labels": ["bug", "Bug", "bug"]}).json()
    assert [one["name"] for one in made["labels"]] == ["bug"]
    for wrong in ([f"l{n}" for n in range(101)], ["fine", "l" * 51]):
        assert call("POST", "issues", {"title": "t", "labels": wrong}).status_code == 422
    assert set(fake.repo(REPO).labels) == {"bug"}


def test_locked_full_deleted_disabled(fake, call):
    """A locked or full issue takes no comment (403); a deleted one and disabled issues are gone (410)."""
    fake.tokens["outsider"] = Token("outsider", push=False)
    issue = fake.add_issue(REPO, "t")
    fake.lock_issue(REPO, 1)
    assert call("POST", "issues/1/comments", {"body": "c"}, token="outsider").status_code == 403
    assert call("POST", "issues/1/comments", {"body": "c"}).status_code == 201
    issue.comments *= 2_500
    assert "2500" in call("POST", "issues/1/comments", {"body": "c"}).json()["message"]
    fake.delete(REPO, 1)
    assert call("GET", "issues/1").status_code == 410
    assert call("GET", "issues/2").status_code == 404
    fake.repo(REPO).has_issues = False
    assert call("POST", "issues", {"title": "t"}).status_code == 410


def test_renamed_and_transferred(fake, call):
    """A renamed repository and a transferred issue redirect by number: 301 for GET, 307 for the rest."""
    fake.rename(REPO, "example/new")
    fake.add_repo("example/other")
    read, write = call("GET", "issues?state=all"), call("POST", "issues", {"title": "t"})
    assert (read.status_code, write.status_code) == (301, 307)
    assert read.headers["Location"].endswith("/issues?state=all")
    followed = call("POST", write.headers["Location"].removeprefix(fake.url), {"title": "t"})
    assert followed.json()["html_url"].endswith("/example/new/issues/1")
    fake.transfer("example/new", 1, "example/other")
    moved = call("POST", "/repos/example/new/issues/1/comments", {"body": "c"})
    assert moved.status_code == 307
    call("POST", moved.headers["Location"].removeprefix(fake.url), {"body": "c"})
    assert [one["body"] for one in fake.comments("example/other", 1)] == ["c"]


def test_a_chain_of_transfers(fake, call):
    """An issue that moved twice redirects twice, keeps its state, and hides where the token may not look."""
    for name in ("example/b", "example/c"):
        fake.add_repo(name)
    fake.add_label("example/b", "bug")
    fake.tokens["narrow"] = Token(repos=(REPO, "example/b"))
    fake.add_issue(REPO, "t", labels=["bug", "unknown there"])
    fake.close(REPO, 1, "not_planned")
    fake.transfer(REPO, 1, "example/b")
    assert [one["name"] for one in fake.issue("example/b", 1)["labels"]] == ["bug"]
    fake.transfer("example/b", 1, "example/c")
    hops, path = [], f"/repos/{REPO}/issues/1"
    while (reply := call("GET", path)).status_code == 301:
        path = reply.headers["Location"].removeprefix(fake.url)
        hops.append(path)
    assert len(hops) == 2
    assert (reply.json()["repository_url"][-9:], reply.json()["state_reason"]) == ("example/c", "not_planned")
    fake.repo("example/c").private = True
    assert call("GET", "/repos/example/b/issues/1", token="narrow").status_code == 404


def test_contents(fake, call):
    """A file comes as base64, by its path and commit, to those who may read files."""
    fake.add_file(REPO, ".github/CODEOWNERS", "* @example\n")
    fake.add_file(REPO, ".github/CODEOWNERS", "* @other\n", ref="v1")
    shown = call("GET", "contents/.github/CODEOWNERS").json()
    m.ContentFile.model_validate(shown)
    assert base64.b64decode(shown["content"]) == b"* @example\n"
    assert base64.b64decode(call("GET", "contents/.github/CODEOWNERS?ref=v1").json()["content"]) == b"* @other\n"
    assert call("GET", "contents/CODEOWNERS").status_code == 404
    fake.tokens["narrow"] = Token(contents="")
    fake.repo(REPO).private = True
    refused = call("GET", "contents/.github/CODEOWNERS", token="narrow")
    assert (refused.status_code, refused.headers["X-Accepted-GitHub-Permissions"]) == (403, "contents=read")
    assert fake.violations == []


def test_the_list(fake, call, clock):
    """The list filters by state, labels, time, sorts, shows pull requests, and links to its other pages."""
    for number in range(1, 6):
        fake.add_issue(REPO, str(number), labels=["even"] if number % 2 == 0 else ["Odd"])
        clock.now += 10
    fake.add_issue(REPO, "pull", pull_request=True)
    fake.close(REPO, 2)

    def titles(query):
        return [one["title"] for one in call("GET", f"issues?{query}").json()]

    assert titles("direction=asc") == ["1", "3", "4", "5", "pull"]
    assert titles("state=closed") == ["2"]
    assert titles("state=all&labels=odd") == ["5", "3", "1"]
    assert titles("state=all&since=2026-09-21T14:14:00Z") == ["pull", "5", "2"]
    assert titles("state=all&sort=updated")[:2] == ["pull", "2"]
    first = call("GET", "issues?state=all&per_page=2")
    assert "/repositories/" in first.links["next"]["url"]
    second = call("GET", first.links["next"]["url"].removeprefix(fake.url))
    assert [one["title"] for one in second.json()] == ["4", "3"]
    assert set(second.links) == {"first", "prev", "next", "last"}
    call("POST", "issues", {"title": "by reporter"})
    assert titles("state=all&creator=Reporter") == ["by reporter"]
    assert len(titles("per_page=101")) == 6
    assert fake.violations == [f"GET /repos/{REPO}/issues?per_page=101: a page holds 100 at most"]
    fake.list_lag_seconds = 5.0
    assert "pull" not in titles("state=all")


# Limits


def test_an_etag_makes_a_free_304(fake, call):
    """Asking again with the ETag costs nothing while nothing changed."""
    first = call("GET", "issues")
    again = call("GET", "issues", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["X-RateLimit-Remaining"] == first.headers["X-RateLimit-Remaining"]
    fake.add_issue(REPO, "new")
    assert call("GET", "issues", headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_an_etag_spares_nobody_the_points(fake, call):
    """A 304 is free of the primary limit alone, and only with a token."""
    etag = {"If-None-Match": call("GET", "issues").headers["ETag"]}
    fake.limits.points_per_minute = 2
    assert [call("GET", "issues", headers=etag).status_code for _ in range(2)] == [304, 403]
    etag = {"If-None-Match": call("GET", "issues", token=None).headers["ETag"]}
    unknown = call("GET", "issues", token=None, headers=etag)
    assert (unknown.status_code, unknown.headers["X-RateLimit-Used"]) == (304, "2")


def test_the_primary_limit(fake, call, clock):
    """When the hour's requests are spent, 403 says when the next hour begins."""
    fake.limits.requests_per_hour = 2
    assert [call("GET", "issues").status_code for _ in range(3)] == [200, 200, 403]
    refused = call("GET", "issues")
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert call("GET", "/rate_limit").status_code == 200
    clock.now = float(refused.headers["X-RateLimit-Reset"])
    assert call("GET", "issues").status_code == 200


@pytest.mark.parametrize("limit", ["creations_per_minute", "creations_per_hour", "points_per_minute"])
def test_the_secondary_limits(fake, call, limit):
    """Too much content or too many points is 403 with the secondary limit's message and Retry-After."""
    setattr(fake.limits, limit, 7 if limit == "points_per_minute" else 1)
    replies = [call("POST", "issues", {"title": "t"}) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [201, 403]
    assert "secondary rate limit" in replies[1].json()["message"]
    assert replies[1].headers["Retry-After"] == "60"
    assert len(fake.issues(REPO)) == 1


# Manners


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        ({"kind": 429, "headers": {"Retry-After": "7"}}, 7),
        ({"kind": 403, "headers": {"retry-after": "Mon, 21 Sep 2026 14:13:30 GMT"}}, 10),
        ({"kind": 429}, 60),
        ({"kind": "secondary", "seconds": 9}, 9),
        ({"kind": "secondary"}, 60),
        ({"kind": "primary", "seconds": 30}, 30),
    ],
)
def test_told_to_wait(fake, call, clock, fault, seconds):
    """Who writes before the time that a limit named is a violation, who reads is listed; later nobody minds."""
    fake.tokens["other"] = Token()
    fake.fault("*", **fault)
    call("GET", "issues")
    assert fake.wait_until == {fake.token: clock.now + seconds}
    clock.now += seconds - 1
    call("GET", "issues")
    call("POST", "issues", {"title": "t"}, token="other")
    assert (len(fake.impatient_reads), fake.violations) == (1, [])
    call("POST", "issues", {"title": "t"})
    early = f"POST /repos/{REPO}/issues: 1.00 s before the end of the time that GitHub asked for"
    assert fake.violations == [early]
    clock.now += 0.99
    call("POST", "issues", {"title": "t"})
    assert fake.violations == [early]


def test_the_true_limits_tell_to_wait(fake, call, clock):
    """The limits that are kept without a fault are noted like those that come with one; other refusals are not."""
    fake.limits.requests_per_hour = 3
    fake.tokens["reader"] = Token(issues="read")
    call("POST", "issues", {"title": "t"}, token="reader")
    assert not any(fake.wait_until.values())
    begun = clock.now
    for _ in range(4):
        call("POST", "issues", {"title": "t"})
    assert fake.wait_until[fake.token] == begun + 3_600


def test_hasty_writes(fake, call, clock):
    """Writes of one token that follow each other in less than the gap are listed; reads and other tokens are not."""
    fake.tokens["other"] = Token()
    for token in (fake.token, "other"):
        call("POST", "issues", {"title": "t"}, token=token)
        call("GET", "issues", token=token)
    assert fake.hasty == []
    clock.now += 0.5
    call("POST", "issues", {"title": "t"})
    assert fake.hasty == [f"POST /repos/{REPO}/issues: 0.50 s after the last write was answered"]
    fake.write_gap_seconds = 0.5
    clock.now += 0.5
    call("POST", "issues", {"title": "t"})
    assert len(fake.hasty) == 1
    assert fake.violations == []


def test_a_hook_sees_each_request(fake, call):
    """A hook may end the client: an arriving request is lost then, and what is answered reaches nobody."""
    seen, gone = [], {"arrived"}

    def watch(when, told):
        seen.append((when, told.method, told.secret))
        return when in gone

    fake.on_request = watch
    with pytest.raises(requests.ConnectionError):
        call("POST", "issues", {"title": "t"})
    assert (seen, fake.issues(REPO)) == ([("arrived", "POST", fake.token)], [])
    gone = {"answered"}
    fake.fault("*", 429, when="after")
    with pytest.raises(requests.ConnectionError):
        call("POST", "issues", {"title": "t"})
    assert (len(fake.issues(REPO)), fake.wait_until[fake.token]) == (1, 0.0)


# Faults


@pytest.mark.parametrize("kind", [500, 502, 503, 401, 403, 404, 410, 422, 429])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_status_on_request(fake, call, kind, when):
    """A faulty status comes once, with its headers, before the server acts or after it did."""
    fake.fault("POST */issues", kind, when=when, headers={"Retry-After": "7"})
    reply = call("POST", "issues", {"title": "t"})
    assert (reply.status_code, reply.headers["Retry-After"]) == (kind, "7")
    assert len(fake.issues(REPO)) == (when == "after")
    assert call("POST", "issues", {"title": "t"}).status_code == 201


@pytest.mark.parametrize("kind", ["drop", "cut", "truncate", "hang", "html"])
def test_a_reply_that_does_not_arrive(fake, call, kind):
    """Whatever happens to the reply, the server did act when the fault comes after."""
    fake.fault("POST */issues", kind, when="after", seconds=0.0)
    with pytest.raises((requests.RequestException, ValueError)):
        call("POST", "issues", {"title": "t"}).json()
    assert len(fake.issues(REPO)) == 1


def test_limits_on_request(fake, call, clock):
    """The limits can be had as faults: secondary with and without Retry-After, primary with its reset."""
    fake.fault("*", "secondary", seconds=90)
    fake.fault("*", "secondary")
    fake.fault("*", "primary", seconds=30, times=math.inf)
    assert call("GET", "issues").headers["Retry-After"] == "90"
    assert "Retry-After" not in call("GET", "issues").headers
    for _ in range(3):
        assert call("GET", "issues").headers["X-RateLimit-Reset"] == str(int(clock.now + 30))
    fake.heal()
    assert call("GET", "issues").status_code == 200


def test_an_unknown_fault_fails_where_it_is_asked_for(fake):
    """A misspelled kind fails in the test, not in the server's thread."""
    with pytest.raises(ValueError):
        fake.fault("*", "tuncate")


def test_hanging_ends_with_the_server(clock):
    """stop() frees a client that waits for an answer, and the thread that would have given it."""
    fake = FakeGitHub(REPO, clock=clock).start()
    fake.fault("*", "hang", seconds=600)
    outcome = []

    def ask():
        try:
            requests.get(f"{fake.url}/meta", timeout=60)
        except requests.ConnectionError as error:
            outcome.append(error)

    waiting = threading.Thread(target=ask)
    waiting.start()
    until(lambda: fake.requests)
    fake.stop()
    waiting.join(10)
    assert len(outcome) == 1
    until(lambda: fake.rest.active == 0)


# Looking in


def test_requests_are_listed(fake, call, clock):
    """Each request is kept with its time, body and status; 0 is a connection without a reply."""
    call("POST", "issues", {"title": "t"})
    fake.fault("*", "drop")
    with pytest.raises(requests.ConnectionError):
        call("GET", "issues?state=all")
    assert fake.requests == [
        (clock.now, "POST", "/repos/example/app/issues", {"title": "t"}, 201),
        (clock.now, "GET", "/repos/example/app/issues?state=all", None, 0),
    ]


def test_an_enterprise_server():
    """With a prefix, everything lives below it, its links too."""
    with FakeGitHub(REPO, prefix="/api/v3") as fake:
        made = requests.get(f"{fake.url}/repos/{REPO}", timeout=5).json()
        assert made["url"].startswith(fake.url)
        assert requests.get(f"{fake.url.removesuffix('/api/v3')}/meta", timeout=5).status_code == 404


def test_many_at_once(fake, call):
    """Parallel writers get different numbers, and none is lost."""
    url = f"{fake.url}/repos/{REPO}/issues"
    headers = {"Authorization": f"Bearer {fake.token}"}

    def write():
        with requests.Session() as session:
            for _ in range(10):
                session.post(url, json={"title": "t"}, headers=headers, timeout=5)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(issue["number"] for issue in fake.issues(REPO)) == list(range(1, 41))
    assert fake.violations == []


@pytest.mark.slow
def test_as_a_process():
    """As a process of its own it prints its URL, and another one can read the whole state."""
    command = [sys.executable, "-m", "tests.fakes.github", "--port", "0", "--repo", "example/own"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip()
            headers = {"Authorization": "Bearer fake-token"}
            requests.post(f"{url}/repos/example/own/issues", json={"title": "t"}, headers=headers, timeout=5)
            state = requests.get(f"{url}/_state", timeout=5).json()
        finally:
            process.terminate()
    assert state["repos"]["example/own"]["issues"][0]["title"] == "t"
    assert state["violations"] == []


def test_a_client_that_dies_in_the_midst(fake):
    """Half a request, of a process that was killed, is none: neither done nor held against the client."""
    address = urlsplit(fake.url)
    with socket.create_connection((address.hostname, address.port), timeout=5) as half:
        half.sendall(
            f"POST /repos/{REPO}/issues HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {fake.token}\r\n"
            "User-Agent: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n".encode()
        )
        half.shutdown(socket.SHUT_WR)
        assert half.recv(1) == b""
    assert (fake.violations, fake.issues(REPO)) == ([], [])
