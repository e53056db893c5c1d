"""The options that say where GitHub is and what opens it."""

from __future__ import annotations

import logging

import pytest

from loghub.delivery import deliverer
from loghub.errors import DeliveryError, OptionValueError
from loghub.github.app import AppToken
from loghub.github.client import GitHubClient
from loghub.github.failures import ExpiredTokenError
from loghub.github.replies import token_expires_at
from loghub.handlers.github import GitHubIssueHandler
from tests.fakes.github import ApiError
from tests.fakes.github_app import FakeGitHubApp

REPO = "acme/shop"
APP = {"app_id": 7, "private_key_file": "/etc/loghub/app.pem", "installation_id": 42}


@pytest.mark.parametrize(
    ("api_url", "web_url"),
    [
        ("https://api.github.com", "https://github.com"),
        ("https://api.github.com/", "https://github.com"),
        ("https://API.GitHub.com//", "https://github.com"),
        ("https://api.acme.ghe.com", "https://acme.ghe.com"),
        ("https://api.acme.ghe.com/", "https://acme.ghe.com"),
        ("https://git.acme.example/api/v3", "https://git.acme.example"),
        ("https://git.acme.example/api/v3/", "https://git.acme.example"),
        ("https://git.acme.example:8443/api/v3", "https://git.acme.example:8443"),
        ("http://git.acme.example/github/api/v3/", "http://git.acme.example/github"),
        ("https://api.acme.example/api/v3", "https://api.acme.example"),
        ("http://127.0.0.1:9", "http://127.0.0.1:9"),
        ("https://[::1]:8443/api/v3", "https://[::1]:8443"),
    ],
)
def test_where_people_read(api_url, web_url):
    """The pages are found from the address of the API: on github.com, with data residency, on a server of one's own."""
    handler = GitHubIssueHandler(api_url=api_url)
    assert handler.web_url == web_url
    assert not handler.api_url.endswith("/")


def test_web_url_is_taken():
    """Where the pages cannot be found from the API's address, they are named."""
    handler = GitHubIssueHandler(api_url="https://gateway.acme.example/gh", web_url="https://git.acme.example/")
    assert (handler.api_url, handler.web_url) == ("https://gateway.acme.example/gh", "https://git.acme.example")


@pytest.mark.parametrize(
    "value",
    [
        "api.github.com", "ftp://api.github.com", "https://", "https://host:port/api/v3", "https://[::1/api/v3",
        "https://git.acme.example/api/v3?x=1", "https://git.acme.example/api/v3#x", "https://github.com", 7, " ",
    ],
)  # fmt: skip
def test_malformed_address(value):
    """An address that nothing can be asked at is refused with what is right."""
    with pytest.raises(OptionValueError, match=r"option 'api_url' cannot be .*; it must be "):
        GitHubIssueHandler(api_url=value)


@pytest.mark.parametrize("value", ["https://ada:hunter2@git.acme.example/api/v3", "ada:hunter2@git.acme.example"])
@pytest.mark.parametrize("option", ["api_url", "web_url"])
def test_a_password_in_an_address(option, value):
    """A password in an address is refused, and does not stand in the refusal: links would tell it to everybody."""
    with pytest.raises(OptionValueError, match=option) as caught:
        GitHubIssueHandler(**{option: value})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "left_out", [("app_id",), ("private_key_file",), ("installation_id",), ("app_id", "installation_id")]
)
def test_a_part_of_an_app(left_out):
    """An app needs all of its three options, and what is missing is named."""
    given = {name: value for name, value in APP.items() if name not in left_out}
    with pytest.raises(OptionValueError, match=f"not given: {', '.join(left_out)}") as caught:
        GitHubIssueHandler(repo=REPO, **given)
    assert "GitHubIssueHandler" in str(caught.value)


@pytest.mark.parametrize(("name", "value"), [("token", "a-token"), ("token_file", "/run/secrets/github")])
def test_two_ways_in(name, value):
    """A token and an app at once are refused."""
    with pytest.raises(OptionValueError, match=f"{name} and app_id .* keep one of them"):
        GitHubIssueHandler(repo=REPO, **APP, **{name: value})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("app_id", True), ("app_id", ""), ("app_id", "my app"), ("app_id", 1.5), ("app_id", [7]),
        ("installation_id", 0), ("installation_id", "x"), ("installation_id", True), ("private_key_file", 7),
        ("private_key_file", ""),
    ],
)  # fmt: skip
def test_malformed_app(option, value):
    """A malformed option of an app is named with what is right."""
    with pytest.raises(OptionValueError, match=f"'{option}' cannot be .*; it must be "):
        GitHubIssueHandler(repo=REPO, **APP | {option: value})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("private_key_file", "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA"),
        ("token_file", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
        ("token_file", "github_pat_abcdefghijklmnopqrstuvwxyz0123456789"),
    ],
)
def test_a_secret_in_place_of_a_path(option, value):
    """A secret where its file belongs is refused without being repeated."""
    given = APP if option in APP else {}
    with pytest.raises(OptionValueError, match=f"'{option}' must be the path of a file") as caught:
        GitHubIssueHandler(repo=REPO, **given | {option: value})
    assert value[12:] not in str(caught.value)


def test_the_app_wins(monkeypatch):
    """A token in the environment does not replace the app that is named; nothing is asked while the handler is made."""
    monkeypatch.setenv("GITHUB_TOKEN", "from-the-environment")
    monkeypatch.setattr(AppToken, "__call__", lambda self: "from-the-app")
    handler = GitHubIssueHandler(repo=REPO, **APP)
    assert handler.destination == f"github:{REPO}"
    assert handler.token() == "from-the-app"
    assert GitHubIssueHandler(repo=REPO, **APP | {"app_id": "Iv23abc", "installation_id": "42"}).app is not None
    assert GitHubIssueHandler(**APP).destination is None


def test_codeowners_are_contents(tmp_path):
    """The app's token may read the contents only where CODEOWNERS are wanted."""
    path = tmp_path / "app.pem"
    with FakeGitHubApp(REPO) as fake:
        path.write_bytes(fake.private_key)
        fake.granted["contents"] = "read"
        for codeowners in (False, True):
            GitHubIssueHandler(repo=REPO, private_key_file=str(path), codeowners=codeowners, **fake.app_options).token()
        assert [one.body["permissions"] for one in fake.requests] == [
            {"issues": "write"},
            {"issues": "write", "contents": "read"},
        ]


def test_an_app_opens_issues(tmp_path, monkeypatch):
    """An error becomes an issue of the app's; when its key is mended, what waited is told."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    path = tmp_path / "app.pem"
    path.write_text("not yet")
    with FakeGitHubApp(REPO) as fake:
        handler = GitHubIssueHandler(
            repo=REPO, private_key_file=str(path), home=str(tmp_path / "home"), **fake.app_options
        )
        now = 1_790_000_000.0
        handler.home.now = lambda: now
        handler.handle(logging.makeLogRecord({"levelno": 40, "levelname": "ERROR", "msg": "lost", "created": now}))
        assert not handler.home.round()
        assert "holds no RSA private key" in handler.home.ledger().outbox()[0]["reason"]
        path.write_bytes(fake.private_key)
        now += 60
        assert handler.home.round()
        assert [issue["user"]["login"] for issue in fake.issues(REPO)] == ["app[bot]"]
        handler.close()
        assert fake.violations == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("codeowners", "perhaps"), ("quiet_close_days", 0), ("quiet_close_days", -1), ("quiet_close_days", "soon"),
        ("quiet_close_days", True), ("quiet_close_days", float("nan")), ("quiet_close_days", float("inf")),
    ],
)  # fmt: skip
def test_malformed_choices(option, value):
    """A malformed choice is named with what is right."""
    with pytest.raises(OptionValueError, match=f"'{option}' cannot be .*; it must be "):
        GitHubIssueHandler(**{option: value})


def test_choices():
    """CODEOWNERS and closing what is quiet are off unless they are asked for."""
    handler = GitHubIssueHandler()
    assert (handler.codeowners, handler.quiet_close_days) == (False, None)
    handler = GitHubIssueHandler(codeowners="yes", quiet_close_days="1.5")
    assert (handler.codeowners, handler.quiet_close_days) == (True, 1.5)


@pytest.mark.parametrize(
    "written",
    [b"a-token", b"a-token\n", b"\r\n  a-token \r\n\r\n", b"\xef\xbb\xbfa-token\r\n"],
    ids=["plain", "newline", "spaces", "bom"],
)
def test_token_file(tmp_path, written):
    """The token is what stands in the file, without what an editor leaves around it; a new file is read at once."""
    path = tmp_path / "token"
    path.write_bytes(written)
    handler = GitHubIssueHandler(repo=REPO, token_file=str(path))
    assert handler.token() == "a-token"
    (tmp_path / "new").write_bytes(written.replace(b"a-token", b"b-token"))
    (tmp_path / "new").replace(path)
    assert handler.token() == "b-token"


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (None, "cannot be read (No such file or directory): mend it"),
        (b"", "is empty: put the token into it"),
        (b" \n", "is empty: put the token into it"),
        (b"GITHUB_TOKEN = secret", "holds something else than one token"),
        (b"secret-one\nsecret-two\n", "holds something else than one token"),
        ("secret\n".encode("utf-16"), "cannot be read (it is no text in UTF-8): mend it"),
        ("s\u00e9cret".encode(), "holds something else than one token"),
    ],
    ids=["missing", "empty", "blank", "assignment", "two", "utf-16", "accent"],
)
def test_a_bad_token_file(tmp_path, written, says):
    """A token file that is no good is one sentence, which names the file and not what stands in it."""
    path = tmp_path / "token"
    if written is not None:
        path.write_bytes(written)
    handler = GitHubIssueHandler(repo=REPO, token_file=str(path))
    assert handler.destination == f"github:{REPO}"
    with pytest.raises(DeliveryError) as caught:
        handler.token()
    assert str(caught.value).startswith(f"token_file {path} ")
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.shows("secrets", "no secret")
def test_a_handler_s_token_is_hidden(tmp_path):
    """A token that was given to a handler, by name or in a file, is hidden in every event, whatever its shape."""
    tokens = ["0123456789abcdef0123456789abcdef01234567", "fedcba9876543210fedcba9876543210fedcba98"]
    path = tmp_path / "token"
    path.write_text(tokens[1])
    seen = []
    for given in ({"token": tokens[0]}, {"token_file": str(path)}):
        handler = GitHubIssueHandler(repo=REPO, **given)
        record = logging.makeLogRecord({"levelno": 40, "levelname": "ERROR", "msg": f"sent {tokens}"})
        handler.kept = lambda record, sighting: seen.append(str(sighting.whole(record)))
        handler.handle(record)
        handler.close()
    assert tokens[0] not in "".join(seen)
    assert tokens[1] not in seen[1]
    assert "[Filtered]" in seen[0]


def test_when_a_token_ends():
    """Both ways in which GitHub writes the end of a token are read; what is no time is none."""
    name = "GitHub-Authentication-Token-Expiration"
    assert token_expires_at({name: "2026-12-01 10:00:00 UTC"}) == 1_796_119_200
    assert token_expires_at({name: "2026-12-01 03:00:00 -0700"}) == 1_796_119_200
    for value in ("", "soon", "2026-12-01", "9999-99-99 00:00:00 UTC"):
        assert token_expires_at({name: value}) is None
    assert token_expires_at({}) is None


def test_an_expired_token():
    """After its end a token is called expired, also by a client that was told of the end; a new one is not."""
    now = 1_790_000_000.0
    with FakeGitHubApp(REPO, clock=lambda: now) as fake:
        fake.ends[fake.token] = 1_790_000_600.0
        token = fake.token

        def client():
            return GitHubClient(REPO, lambda: token, fake.url, clock=lambda: now)

        first = client()
        first.repository()
        assert first.token_expires_at == 1_790_000_600.0
        now += 600
        with pytest.raises(ExpiredTokenError, match=r"expired on 2026-09-21 at 14:23 UTC \(401\): make a new one"):
            first.repository()
        later = client()
        with pytest.raises(DeliveryError, match=r"refused the token \(401\)"):
            later.repository()
        later.token_expires_at = first.token_expires_at
        with pytest.raises(ExpiredTokenError):
            later.repository()
        token = "mistyped"
        with pytest.raises(DeliveryError, match=r"refused the token \(401\)"):
            later.repository()


def test_github_says_expired():
    """Where GitHub itself says that the token has expired, it is called so."""
    with FakeGitHubApp(REPO) as fake:
        authenticate = fake.rest._authenticate
        client = GitHubClient(REPO, lambda: fake.token, fake.url)

        def refuse(key):
            authenticate(key)
            raise ApiError(401, "Your token has expired")

        fake.rest._authenticate = refuse
        with pytest.raises(ExpiredTokenError, match=r"has expired \(401\): make a new one"):
            client.repository()
