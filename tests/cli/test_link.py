"""link: an issue that a person has opened becomes the issue of a bug."""

from __future__ import annotations

import json

import pytest

from loghub.delivery import leases
from loghub.github.block import read_state
from tests.cli.test_cli import run
from tests.cli.test_mute import rows, told
from tests.fakes.github import FakeGitHub, Token

REPO = "acme/shop"
NOBODY = {"GITHUB_REPO": REPO, "GITHUB_TOKEN": "t", "GITHUB_API_URL": "http://127.0.0.1:9"}


@pytest.fixture
def fake(monkeypatch):
    """Run a GitHub on this machine, in which a person has opened issue #1; it saw nothing against its rules."""
    monkeypatch.setattr(leases, "pause", lambda seconds: None)  # the second between two writes
    with FakeGitHub(REPO) as running:
        running.add_issue(REPO, "Prices are wrong", "It hurts.")
        yield running
        assert running.violations == []


def writes(fake):
    """Return the requests that were to change something."""
    return [one for one in fake.requests if one.method != "GET"]


def state(fake, number=1):
    """Return what the block in an issue says."""
    return read_state(fake.issue(REPO, number)["body"])


@pytest.mark.parametrize("number", ["1", "#1"])
def test_link(home, fake, number):
    """The issue has the block with the whole count afterwards, what the person wrote stays, and readers name it."""
    whole = rows(home)["KeyError"]["fingerprint"]
    said = run("link", whole[3:9], number, "--home", home, **told(fake))
    assert said == f"{whole} is https://github.com/acme/shop/issues/1 now.\n"
    assert (state(fake).fingerprint, state(fake).count) == (whole, 3)
    issue = fake.issue(REPO, 1)
    assert issue["body"].startswith("It hurts.\n\n<!-- loghub:begin -->")
    assert (issue["title"], issue["state"]) == ("Prices are wrong", "open")
    assert rows(home)["KeyError"]["issue_url"] == issue["html_url"]


def test_link_of_what_had_an_issue(home, fake):
    """What loghub had opened becomes a duplicate of the issue that is linked."""
    run("drain", "--home", home, **told(fake))
    row = rows(home)["ERROR"]
    old = int(row["issue_url"].rpartition("/")[2])
    run("link", row["fingerprint"], 1, "--home", home, **told(fake))
    assert (fake.issue(REPO, old)["state"], fake.issue(REPO, old)["state_reason"]) == ("closed", "duplicate")
    assert (state(fake, old).duplicate_of, state(fake).count) == (1, 9)
    assert json.loads(run("outbox", "--home", home, "--json")) == []


def test_link_with_config(home, fake, tmp_path):
    """With --config the handlers of the file are asked, and the others in it are left alone."""
    path = tmp_path / "logging.yaml"
    github = {"class": "loghub.GitHubIssueHandler", "repo": REPO, "token": fake.token, "api_url": fake.url}
    detail = {"class": "loghub.JSONDetailHandler", "directory": str(tmp_path / "errors")}
    handlers = {"github": github | {"home": str(home)}, "detail": detail | {"home": str(home)}}
    path.write_text(json.dumps({"version": 1, "handlers": handlers, "root": {"handlers": ["github", "detail"]}}))
    whole = rows(home)["KeyError"]["fingerprint"]
    assert run("link", whole, 1, "--config", path) == f"{whole} is https://github.com/acme/shop/issues/1 now.\n"
    assert state(fake).count == 3


@pytest.mark.parametrize(
    "number", ["0", "#", "1.5", "-1", "1234567890", "https://github.com/acme/shop/issues/1", "##1"]
)
def test_no_number(home, number):
    """What is no issue's number is misuse."""
    said = run("link", "--home", home, "--", rows(home)["KeyError"]["fingerprint"], number, code=2, **NOBODY)
    assert f"{number} is no issue's number: give one such as 12 or '#12'." in said


def test_unknown_fingerprint(home, fake):
    """A fingerprint that is not there is said, and GitHub is not asked."""
    said = run("link", "v1:zz", 1, "--home", home, code=1, **told(fake))
    assert said == "Error: Nothing here has the fingerprint v1:zz: see loghub groups.\n"
    assert fake.requests == []


@pytest.mark.parametrize("missing", ["GITHUB_REPO", "GITHUB_TOKEN"])
def test_no_token(home, missing):
    """Without a repository or a token it is said what to set."""
    said = run("link", rows(home)["KeyError"]["fingerprint"], 1, "--home", home, code=1, **NOBODY | {missing: None})
    assert said == ("Error: There is no repository or no token: set GITHUB_REPO and GITHUB_TOKEN, or --config.\n")


def refused(home, fake, number=1):
    """Return what is printed when an issue cannot be linked; nothing has changed then."""
    whole = rows(home)["KeyError"]["fingerprint"]
    said = run("link", whole, number, "--home", home, code=1, **told(fake))
    assert writes(fake) == []
    assert rows(home)["KeyError"]["issue_url"] is None
    return said


def test_pull_request(home, fake):
    """A pull request is not linked."""
    fake.add_issue(REPO, "Mend prices", pull_request=True)
    assert refused(home, fake, 2) == "Error: #2 of acme/shop is a pull request: link an issue.\n"


def test_missing_issue(home, fake):
    """An issue that is not there, or not any more, is said with its number and repository."""
    said = refused(home, fake, 7)
    assert said.startswith("Error: Issue #7 of acme/shop cannot be linked: ")
    assert "404" in said
    fake.delete(REPO, 1)
    assert "410" in refused(home, fake)


def test_bad_token(home, fake):
    """A token that GitHub refuses is said without being shown."""
    fake.tokens["another"] = fake.tokens.pop(fake.token)
    said = refused(home, fake)
    assert "cannot be linked: GitHub refused the token (401)" in said
    assert fake.token not in said


def test_github_down(home, fake):
    """Where GitHub does not answer, that is one sentence."""
    fake.fault("GET */issues/1", "503")
    assert refused(home, fake) == (
        "Error: Issue #1 of acme/shop cannot be linked: GitHub failed (503): try again later.\n"
    )
    said = run("link", rows(home)["KeyError"]["fingerprint"], 1, "--home", home, code=1, **NOBODY)
    assert said.startswith("Error: Issue #1 of acme/shop cannot be linked: nothing listens at 127.0.0.1:")


def test_github_goes_down(home, fake):
    """Where GitHub fails only after the issue was found, the link is kept, and the next delivery makes it."""
    whole = rows(home)["KeyError"]["fingerprint"]
    fake.fault("PATCH */issues/1", "503")
    said = run("link", whole, 1, "--home", home, **told(fake))
    assert said.startswith(f"{whole} will be told to https://github.com/acme/shop/issues/1 later: GitHub failed (503)")
    assert state(fake) is None
    run("outbox", "retry", "--home", home)
    assert run("drain", "--home", home, **told(fake)) == "Nothing waits.\n"
    assert state(fake).count == 3


def test_without_the_right_to_edit(home, fake):
    """Where the token may not edit a person's issue, that is said."""
    fake.tokens[fake.token] = Token(push=False)
    said = run("link", rows(home)["KeyError"]["fingerprint"], 1, "--home", home, **told(fake))
    assert "later: " in said
    assert "403" in said


def test_link_of_a_muted_bug(home, fake):
    """A muted bug is told to nobody, so its link is not said to be done; unmuted, it is linked."""
    whole = rows(home)["KeyError"]["fingerprint"]
    run("mute", whole, "--home", home)
    assert refused(home, fake) == f"Error: {whole} is muted, so nothing is told of it: unmute it first.\n"
    run("unmute", whole, "--home", home)
    run("link", whole, 1, "--home", home, **told(fake))
    assert state(fake).count == 3
