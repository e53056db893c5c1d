"""The token of a GitHub App is borrowed, used for its hour, renewed in time, and never shown."""

from __future__ import annotations

import builtins
import os
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from loghub.errors import DeliveryError, MissingExtraError, RefusedError
from loghub.github.app import AppToken
from loghub.github.client import GitHubClient
from loghub.github.failures import BadTokenError, RateLimitedError
from tests.clock import Clock
from tests.fakes.github_app import APP_ID, INSTALLATION_ID, FakeGitHubApp, key_pair, only_hides_the_secret, pem

REPO = "example/app"
ASKING = f"POST /app/installations/{INSTALLATION_ID}/access_tokens"


@pytest.fixture
def clock():
    """Return a clock that app and server share."""
    return Clock()


@pytest.fixture
def fake(clock):
    """Run a GitHub with an app; nothing that was said to it may have broken its rules."""
    with FakeGitHubApp(REPO, clock=clock) as running:
        yield running
    assert running.violations == []


@pytest.fixture
def key_file(fake, tmp_path):
    """Return the path of the app's key."""
    path = tmp_path / "app.pem"
    path.write_bytes(fake.private_key)
    return path


@pytest.fixture
def make(fake, key_file, clock):
    """Return a maker of the app's token."""

    def made(**options):
        given = {
            "repo": REPO, "app_id": APP_ID, "private_key_file": str(key_file), "installation_id": INSTALLATION_ID,
            "api_url": fake.url, "timeout": (2.0, 0.3), "clock": clock,
        }  # fmt: skip
        return AppToken(**given | options)

    return made


@pytest.fixture
def flow(fake, make, clock):
    """Return the app's token and a client that uses it."""
    app = make()
    client = GitHubClient(REPO, app, fake.url, timeout=(2.0, 0.3), clock=clock, sleep=clock.sleep, renew=app.renew)
    yield app, client
    client.close()


def asked(fake):
    """Return the bodies of the requests for a token."""
    return [one.body for one in fake.requests if one.path.endswith("/access_tokens")]


def test_one_token_for_many_requests(fake, flow):
    """A token is borrowed once, and is the one that issues are opened with."""
    _app, client = flow
    client.create_issue("one", "body")
    client.create_issue("two", "body")
    assert fake.lent == 1
    assert {issue["user"]["login"] for issue in fake.issues(REPO)} == {"app[bot]"}


def test_least_privilege(fake, make):
    """The token may write issues of one repository and nothing else; more has to be said."""
    make()()
    fake.granted["contents"] = "read"
    make(permissions={"issues": "write", "contents": "read"})()
    assert asked(fake) == [
        {"repositories": ["app"], "permissions": {"issues": "write"}},
        {"repositories": ["app"], "permissions": {"issues": "write", "contents": "read"}},
    ]


def test_what_is_signed(fake, make, clock):
    """The JWT is dated a minute back, ends in less than ten minutes, and names the app as a text."""
    make()()
    assert fake.claims == {"iat": int(clock.now) - 60, "exp": int(clock.now) + 540, "iss": APP_ID}


def test_renewed_before_its_end(fake, make, clock):
    """A token is used for almost an hour and renewed some minutes before it ends."""
    app = make()
    first = app()
    clock.now += 3_200
    assert app() == first
    clock.now += 150
    assert app() != first
    assert fake.lent == 2


@pytest.mark.parametrize("off", [-7_200.0, -600.0, -45.0, 45.0, 600.0, 7_200.0])
def test_a_wrong_clock(fake, make, clock, off):
    """Whatever this machine's clock says, the token is lent, and renewed by the server's clock."""
    app = make(clock=lambda: clock.now + off)
    first = app()
    clock.now += 3_200
    assert app() == first
    clock.now += 150
    assert app() != first


def test_a_clock_that_was_set_back(fake, make, clock):
    """A token that would have to be renewed in more than an hour is not trusted."""
    app = make()
    app()
    clock.now -= 86_400
    app()
    assert fake.lent == 2


@pytest.mark.parametrize("said", [None, "soon", 7, "1999-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "2026-09-21"])
def test_an_end_that_makes_no_sense(make, clock, monkeypatch, said):
    """A token without a credible end is used for an hour at most, and not asked for again with each request."""
    lent = []

    def lend(*_):
        lent.append(1)
        return {"token": f"t{len(lent)}", "expires_at": said}

    monkeypatch.setattr(GitHubClient, "installation_token", lend)
    app = make()
    assert (app(), app()) == ("t1", "t1")
    clock.now += 3_400
    assert app() == "t2"


def test_renewed_after_a_refusal(fake, flow):
    """A token that GitHub does not know any more is replaced, and the request is made again, once."""
    app, client = flow
    first = app()
    del fake.tokens[first]
    assert client.create_issue("one", "body")["number"] == 1
    assert app() != first
    assert [one.status for one in fake.requests if one.path.endswith("/issues")] == [401, 201]


def test_refused_again(fake, flow, monkeypatch):
    """Where the new token is refused as well, that is said after one more attempt."""
    _app, client = flow
    monkeypatch.setattr(fake, "tokens", {})
    lend = fake.rest._authenticate
    monkeypatch.setattr(fake.rest, "_authenticate", lambda key: lend(key) if "eyJ" in key else lend("Bearer none"))
    with pytest.raises(BadTokenError):
        client.repository()
    assert fake.lent == 2
    assert not client._renew("some other token")


def test_the_key_is_read_again(fake, make, key_file, clock):
    """A key that was replaced, as a new file, with a BOM and other line ends, signs the next request."""
    app = make()
    app()
    fake.key = key_pair(1)
    fresh = key_file.with_suffix(".new")
    fresh.write_bytes(b"\xef\xbb\xbf" + pem(fake.key).replace(b"\n", b"\r\n"))
    os.replace(fresh, key_file)
    clock.now += 3_600
    app()
    assert fake.lent == 2


def contents(kind):
    """Return what stands in a key file that is no good."""
    return {
        "empty": b"",
        "text": b"my key",
        "binary": bytes(range(256)),
        "half": pem(key_pair())[:600],
        "public": b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "curve": pem(ec.generate_private_key(ec.SECP256R1())),
        "encrypted": pem(key_pair(), b"secret"),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("empty", "holds no RSA private key"),
        ("text", "holds no RSA private key"),
        ("binary", "holds no RSA private key"),
        ("half", "holds no RSA private key"),
        ("public", "holds no RSA private key"),
        ("curve", "holds no RSA private key"),
        ("encrypted", "is encrypted: store it decrypted"),
        ("missing", "cannot be read (No such file or directory): mend it"),
        ("folder", "cannot be read (Is a directory): mend it"),
    ],
)
def test_a_bad_key(fake, make, key_file, kind, says):
    """A key that cannot be used is said in one sentence, which names the file, and tried again later."""
    key_file.unlink()
    if kind == "folder":
        key_file.mkdir()
    elif kind != "missing":
        key_file.write_bytes(contents(kind))
    with pytest.raises(DeliveryError) as caught:
        make()()
    assert says in str(caught.value)
    assert str(key_file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, RefusedError)
    assert fake.requests == []


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        (lambda fake: setattr(fake, "key", key_pair(1)), {}, r"\(401\): check that it is a key of app 7"),
        (lambda fake: None, {"app_id": "8"}, r"no installation 42 of app 8 \(404\): install the app on example/app"),
        (lambda fake: None, {"installation_id": 43}, r"no installation 43 of app 7 \(404\): install the app"),
        (lambda fake: setattr(fake, "suspended", True), {}, r"is suspended \(403\): unsuspend it"),
        (lambda fake: fake.granted.clear(), {}, r"permissions issues=write \(422\): grant them"),
        (lambda fake: None, {"repo": "example/other"}, r"may not see example/other \(422\): check repo"),
        (lambda fake: fake.fault(ASKING, 403), {}, r"no token \(403: Forbidden\): check the app's settings"),
        (lambda fake: fake.fault(ASKING, 410), {}, r"may not see example/app"),
    ],
    ids=["key", "app", "installation", "suspended", "permission", "repository", "forbidden", "gone"],
)
def test_no_token_is_lent(fake, make, change, options, says):
    """Each reason why GitHub lends none is one sentence, and never looks like an answer about an issue."""
    change(fake)
    with pytest.raises(BadTokenError, match=says) as caught:
        make(**options)()
    assert only_hides_the_secret(str(caught.value), fake)
    assert not isinstance(caught.value, RefusedError)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["drop", "cut", "truncate", "hang", "html", 500, 502])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_reply_is_no_unknown_outcome(fake, make, kind, when):
    """Asking for a token writes nothing: without a clear reply it is simply asked for again."""
    fake.fault(ASKING, kind, when, seconds=0.5)
    app = make()
    with pytest.raises(DeliveryError, match="try again later") as caught:
        app()
    assert type(caught.value) is DeliveryError
    assert app() in fake.tokens


def test_a_token_that_is_none(make, monkeypatch):
    """A reply without a token in it is tried again later."""
    monkeypatch.setattr(GitHubClient, "installation_token", lambda *_: {"token": None})
    with pytest.raises(DeliveryError, match="holds no token"):
        make()()


def test_quiet_is_kept_by_both(fake, flow, clock):
    """Where GitHub limits the request for a token, nothing at all is asked until it may be again."""
    _app, client = flow
    fake.fault(ASKING, "secondary", seconds=90)
    with pytest.raises(RateLimitedError):
        client.create_issue("one", "body")
    assert client.quiet_until == clock.now + 90
    for call in (client.repository, lambda: client.create_issue("one", "body")):
        with pytest.raises(RateLimitedError):
            call()
    assert len(fake.requests) == 1
    clock.now += 91
    assert client.create_issue("one", "body")["number"] == 1


def test_no_token_is_asked_for_in_quiet(fake, flow, clock):
    """While the client keeps quiet, a token that ended is not renewed either."""
    app, client = flow
    app()
    clock.now += 4_000
    client.quiet_until = clock.now + 60
    with pytest.raises(RateLimitedError):
        client.repository()
    assert fake.lent == 1


def test_asking_is_no_write(fake, flow, clock):
    """The second that lies between two writes is not spent on the request for a token."""
    _app, client = flow
    started = clock.now
    client.create_issue("one", "body")
    assert clock.now == started


def test_nothing_is_shown(fake, flow):
    """Neither token nor key stands in a repr or in what is said when a request fails."""
    app, client = flow
    token = app()
    fake.fault("GET *", 403)
    with pytest.raises(DeliveryError) as caught:
        client.repository()
    for text in (repr(app), repr(client), repr(app._client), str(caught.value)):
        assert only_hides_the_secret(text, fake)
    assert len(token) > 500


def test_after_a_fork(make, monkeypatch):
    """A forked child uses the token that its parent borrowed, and borrows one on a connection of its own."""
    app = make()
    first = app()
    parents = app._client._session
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert app() == first
    assert app.renew(first)
    assert app() != first
    assert app._client._session is not parents
    parents.close()


@pytest.mark.parametrize("missing", ["jwt", "cryptography"])
def test_a_missing_extra(make, monkeypatch, missing):
    """Without the packages the extra is named at once."""
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'loghub-handlers\[app\]'"):
        make()


def test_a_broken_extra(make, monkeypatch):
    """Packages that are there and cannot be imported lose nothing: it is tried again."""
    app = make()
    real = builtins.__import__

    def broken(name, *args, **kwargs):
        if name == "jwt":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(DeliveryError, match="loghub-handlers"):
        app()
