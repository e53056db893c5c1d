"""``loghub check`` says of each thing that can be wrong with GitHub what it is and what to do, in a line of its own."""

from __future__ import annotations

import json
import logging
import re
import sys
import time

import pytest
import yaml
from click.testing import CliRunner

from loghub.cli import check_github, main
from loghub.delivery import deliverer
from loghub.handlers.github import GitHubIssueHandler
from tests.fakes.github import ApiError, Token
from tests.fakes.github_app import FakeGitHubApp, key_pair, only_hides_the_secret, pem

REPO = "acme/shop"
DAY = 86_400.0


class Check:
    """A GitHub, a logging.yaml with one handler for it, and what check says of them."""

    def __init__(self, fake, folder) -> None:
        self.fake = fake
        self.folder = folder
        self.key_file = folder / "app.pem"
        self.key_file.write_bytes(fake.private_key)
        self.key_file.chmod(0o600)
        self.options = {"repo": REPO, "token": fake.token, "api_url": fake.url, "home": str(folder / "home")}

    def use_app(self):
        self.options |= {"private_key_file": str(self.key_file), **self.fake.app_options}
        del self.options["token"]

    def __call__(self, *, code):
        """Return what check says of GitHub and of what fails, as (verdict, text); it must end with `code`."""
        path = self.folder / "logging.yaml"
        handler = {"class": "loghub.GitHubIssueHandler"} | self.options
        handlers = {"console": {"class": "logging.StreamHandler"}, "g": handler}
        config = {"version": 1, "disable_existing_loggers": False, "handlers": handlers}
        path.write_text(yaml.safe_dump(config | {"root": {"handlers": ["console", "g"]}}))
        done = CliRunner().invoke(main, ["check", str(path), "--json"], catch_exceptions=False)
        assert done.exit_code == code, done.output
        found = json.loads(done.output)
        assert all("\n" not in one["text"] and one["text"].endswith(".") for one in found)
        assert not any(token in done.output for token in self.fake.tokens if len(token) > 1)
        return [
            (one["verdict"], one["text"])
            for one in found
            if one["subject"] not in ("home", "ledger") and (one["subject"] == "github" or one["verdict"] != "ok")
        ]


@pytest.fixture
def check(tmp_path):
    """Return what runs check; the probe must have been a request that GitHub's description knows."""
    with FakeGitHubApp(REPO) as fake:
        fake.repo(REPO).private = True
        yield Check(fake, tmp_path)
        assert fake.violations == []
        assert fake.issues(REPO) == []


def fails(found):
    """Return the texts of what failed."""
    return [text for verdict, text in found if verdict == "FAIL"]


def test_all_is_well(check):
    """A token that may write issues is found so by a write that cannot act."""
    assert check(code=0) == [("ok", "acme/shop takes issues with labels bug, automated-report.")]
    assert [(one.method, one.path, one.status) for one in check.fake.requests] == [
        ("GET", "/repos/acme/shop", 200),
        ("PATCH", f"/repos/acme/shop/issues/{check_github.NO_ISSUE}", 404),
    ]


def test_an_app_is_well(check):
    """With an app check borrows one token, and does not speak of push rights, which an app has not got."""
    check.use_app()
    assert check(code=0) == [("ok", "acme/shop takes issues with labels bug, automated-report.")]
    assert check.fake.lent == 1


def test_bad_token(check):
    """A token that GitHub does not know is said so."""
    check.options["token"] = "mistyped-token"
    assert fails(check(code=1)) == ["GitHub refused the token (401): set GITHUB_TOKEN to a valid token."]


def test_expired_token(check, monkeypatch):
    """A token of which the ledger knows that it has ended is called expired, and not just bad."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    ended = time.time() - 60
    check.fake.ends[check.fake.token] = ended
    handler = GitHubIssueHandler(**check.options)
    handler.handle(logging.makeLogRecord({"levelno": 40, "levelname": "ERROR", "msg": "lost"}))
    handler.home.ledger().remember(handler.pace, {"token_expires_at": ended})
    handler.close()
    (said,) = fails(check(code=1))
    assert said.startswith("The GitHub token expired on 20")
    assert said.endswith("(401): make a new one, and set GITHUB_TOKEN to it.")


@pytest.mark.parametrize(("days", "noted"), [(13.5, True), (0.01, True), (14.5, False)])
def test_token_that_ends_soon(check, days, noted):
    """A token that ends within fourteen days is noted with the time of its end."""
    check.fake.ends[check.fake.token] = time.time() + days * DAY
    notes = [text for verdict, text in check(code=0) if verdict == "note"]
    assert bool(notes) == noted
    if noted:
        assert notes[0].startswith("the token expires on 20")
        assert f"in {days:.1f} days: make a new one before that." in notes[0]


def test_no_permission(check):
    """A token that may only read is told which permission it lacks."""
    check.fake.tokens["reader-token"] = Token(issues="read")
    check.options["token"] = "reader-token"
    assert fails(check(code=1)) == ["the token may not write issues in acme/shop: give it the permission issues=write."]


def test_another_refusal(check):
    """A 403 for another reason, such as single sign-on, is said in GitHub's words."""
    check.fake.fault("PATCH *", 403)
    (said,) = fails(check(code=1))
    assert "GitHub forbids this (403: Forbidden)" in said


@pytest.mark.parametrize("kind", ["drop", "html", "500"])
def test_no_clear_answer(check, kind):
    """Where GitHub does not say whether the token may write, nobody is told to look for what was done."""
    check.fake.fault("PATCH *", kind)
    (said,) = fails(check(code=1))
    assert said == "GitHub did not say whether the token may write issues in acme/shop: run loghub check again."


def test_limited(check):
    """A limit that is reached at the probe is said as such."""
    check.fake.fault("PATCH *", "secondary", seconds=30)
    (said,) = fails(check(code=1))
    assert "rate limit" in said


@pytest.mark.parametrize("how", ["not there", "not to be seen"])
def test_wrong_repository(check, how):
    """A repository that is not there, or hidden from the token, is said so."""
    if how == "not there":
        check.options["repo"] = "acme/none"
    else:
        check.fake.tokens["other-token"] = Token(repos=())
        check.options["token"] = "other-token"
    (said,) = fails(check(code=1))
    assert said.startswith(f"{check.options['repo']} is not there, or the token may not see it (404): check repo")


@pytest.mark.parametrize(
    ("attribute", "value", "says"),
    [
        ("archived", True, "acme/shop is archived: unarchive it, or name another repository."),
        ("has_issues", False, "issues are disabled in acme/shop: enable them in its settings."),
    ],
)
def test_no_issues(check, attribute, value, says):
    """A repository that takes no issues has a sentence for each reason, and nothing is tried there."""
    setattr(check.fake.repo(REPO), attribute, value)
    assert fails(check(code=1)) == [says]
    assert [one.method for one in check.fake.requests] == ["GET"]


def test_public(check):
    """A public repository is noted, or fails where allow_public is false."""
    check.fake.repo(REPO).private = False
    assert ("note", "acme/shop is public: everybody can read the issues.") in check(code=0)
    check.options["allow_public"] = False
    (said,) = fails(check(code=1))
    assert said.startswith("acme/shop is public and allow_public is false")


def test_renamed(check):
    """A repository that was renamed is found, and its new name is said; another case is no other name."""
    check.fake.rename(REPO, "acme/store")
    assert ("note", "acme/shop is called acme/store now: set repo to that.") in check(code=0)
    check.options["repo"] = "Acme/Store"
    assert not [text for _verdict, text in check(code=0) if "is called" in text]
    check.fake.rename("acme/store", REPO)


@pytest.mark.parametrize(
    ("more", "what"),
    [({}, "labels"), ({"assignees": ["ada"]}, "labels and assignees"), ({"codeowners": True}, "labels and assignees")],
)
def test_no_push(check, more, what):
    """Without push rights it is said once what GitHub drops."""
    check.fake.tokens["reporter-token"] = Token(push=False)
    check.options |= {"token": "reporter-token"} | more
    said = [text for _verdict, text in check(code=0) if "drops" in text]
    assert said == [f"the token may not push to acme/shop: GitHub drops the {what} of new issues."]


@pytest.mark.parametrize(
    ("scopes", "private", "code", "says"),
    [
        ("repo, workflow", True, 0, "a classic token with scopes repo, workflow:"),
        ("public_repo", False, 0, "a classic token with scopes public_repo:"),
        ("public_repo", True, 1, "the classic token lacks the scope repo:"),
        ("", False, 1, "the classic token lacks the scope public_repo:"),
    ],
)
def test_classic_token(check, scopes, private, code, says):
    """A classic token is warned about by its scopes, and fails where they are not enough."""
    check.fake.repo(REPO).private = private
    plain = check.fake.rest._with_headers

    def with_scopes(reply, *rest):
        reply.headers["X-OAuth-Scopes"] = scopes
        return plain(reply, *rest)

    check.fake.rest._with_headers = with_scopes
    assert any(text.startswith(says) for _verdict, text in check(code=code))


def test_classic_token_by_its_shape(check):
    """A server that does not tell scopes still gives a classic token away by its shape."""
    token = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
    check.fake.tokens[token] = check.fake.tokens[check.fake.token]
    check.options["token"] = token
    assert [text for _verdict, text in check(code=0) if text.startswith("a classic token with scopes (none):")]


@pytest.mark.parametrize(
    ("written", "says"),
    [(None, "cannot be read (No such file or directory)"), ("", "is empty"), ("a b", "something else than one token")],
)
def test_token_file(check, written, says):
    """A token file that is no good is said so, without a request."""
    path = check.folder / "token"
    if written is not None:
        path.write_text(written)
        path.chmod(0o600)
    del check.options["token"]
    check.options["token_file"] = str(path)
    (said,) = fails(check(code=1))
    assert f"token_file {path}" in said
    assert says in said
    assert check.fake.requests == []


def test_files_of_others(check):
    """A token file or key that others can read is noted."""
    check.use_app()
    check.key_file.chmod(0o644)
    assert ("note", f"{check.key_file} can be read by others: chmod 600 it.") in check(code=0)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda check: check.key_file.unlink(), "cannot be read (No such file or directory): mend it"),
        (lambda check: check.key_file.write_text("?"), "holds no RSA private key"),
        (lambda check: check.key_file.write_bytes(pem(key_pair(), b"pass")), "is encrypted: store it decrypted"),
        (lambda check: check.key_file.write_bytes(pem(key_pair(1))), "check that it is a key of app 7"),
        (lambda check: check.options.update(app_id=8), "no installation 42 of app 8 (404)"),
        (lambda check: check.options.update(installation_id=43), "no installation 43 of app 7 (404)"),
        (lambda check: setattr(check.fake, "suspended", True), "is suspended (403): unsuspend it"),
        (lambda check: check.fake.granted.update(issues="read"), "permissions issues=write (422): grant them"),
        (lambda check: check.options.update(repo="acme/none"), "may not see acme/none (422)"),
        (lambda check: check.options.update(token="a-token"), "keep one of them"),
        (lambda check: check.options.pop("app_id"), "not given: app_id"),
    ],
    ids=["missing", "no key", "encrypted", "other key", "app", "installation", "suspended", "permission", "repository",
         "two ways", "half"],
)  # fmt: skip
def test_app(check, change, says):
    """What is wrong with an app is one sentence each, and shows neither token nor key."""
    check.use_app()
    change(check)
    (said,) = fails(check(code=1))
    assert says in said
    assert only_hides_the_secret(said, check.fake)


def test_a_missing_extra(check, monkeypatch):
    """Where the packages for an app are not installed, the extra is named."""
    check.use_app()
    monkeypatch.setitem(sys.modules, "jwt", None)
    (said,) = fails(check(code=1))
    assert "pip install 'loghub-handlers[app]'" in said


def test_quiet_is_kept(check, monkeypatch):
    """While GitHub asked for quiet, check asks nothing, no token of an app either."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    check.use_app()
    handler = GitHubIssueHandler(**check.options)
    handler.home.ledger().remember(handler.pace, {"quiet_until": time.time() + 600})
    handler.close()
    (said,) = fails(check(code=1))
    assert "GitHub asked to be left alone" in said
    assert check.fake.requests == []


def test_github_is_away(check):
    """A GitHub that does not answer is said so."""
    check.options["api_url"] = "http://127.0.0.1:9"
    (said,) = fails(check(code=1))
    assert said == "nothing listens at 127.0.0.1:9: try again later."


@pytest.mark.shows("clock wrong", "said")
def test_the_clock(check):
    """A machine whose clock is wrong is told how much."""
    check.fake.clock = lambda: time.time() - 600
    (said,) = fails(check(code=1))
    assert re.fullmatch(r"this machine's clock is 60\d s ahead: set it right\.", said)


def test_single_sign_on(check):
    """A token that an organization has not authorized is told in GitHub's words what to do."""

    def refuse(key):
        raise ApiError(403, "Resource protected by organization SAML enforcement. Authorize your token")

    check.fake.rest._authenticate = refuse
    (said,) = fails(check(code=1))
    assert "SAML enforcement" in said
