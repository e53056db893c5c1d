"""What loghub says of itself never holds a credential: log lines, refusals, reasons in the outbox, what verbs print."""

from __future__ import annotations

import base64
import logging
import logging.config
import os

import pytest
import requests
import yaml

from loghub import own_log
from loghub.delivery import deliverer
from loghub.errors import DeliveryError, OptionValueError, RefusedError
from loghub.filters import EventFilter
from loghub.handlers.base import ReportingHandler
from loghub.handlers.github import GitHubIssueHandler
from loghub.handlers.smtp import BatchingSMTPHandler
from loghub.options import refuse
from loghub.scrub import own
from tests.channels import Told
from tests.cli.test_cli import run
from tests.fakes.smtp import FakeSMTP

TOKEN = "ghp_" + "x7Yq" * 9  # of nobody
PASSWORD = "hunter2-hunter2"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq\n-----END RSA PRIVATE KEY-----"


def fails(*args, **options):
    """Return the sentence with which an option is refused."""
    make = args[0]
    with pytest.raises(OptionValueError) as caught:
        make(*args[1:], **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("repo", f"https://x-access-token:{TOKEN}@github.com/acme/shop"),
        ("repo", f"https://{TOKEN}@github.com/acme/shop.git"),
        ("repo", TOKEN),
        ("token", [TOKEN]),
        ("token", {"value": PASSWORD}),
        ("token_file", TOKEN),
        ("token_file", "0123456789abcdef0123456789abcdef01234567"),
        ("token_file", [TOKEN]),
        ("api_url", f"https://ada:{PASSWORD}@git.acme.example:port/api/v3"),
        ("api_url", f"https://ada:{PASSWORD}@[::1/api/v3"),
        ("api_url", f"https://ada:{PASSWORD}@github.com"),
        ("api_url", f"https://git.acme.example/api/v3?token={PASSWORD}"),
        ("web_url", f"https://{TOKEN}@git.acme.example"),
        ("labels", {"token": TOKEN}),
        ("ledger", f"postgresql://ada:{PASSWORD}@d b/loghub"),
        ("ledger", f"postgresql:/ada:{PASSWORD}@db/loghub"),
        ("ledger", f"postgresql://db/loghub?schema=A&user=ada&password={PASSWORD}"),
        ("ledger", f"host=db user=ada password={PASSWORD}"),
        ("title", f"{{{TOKEN}}}"),
    ],
)
def test_refused_options(option, value):
    """A malformed option is refused without the secret in it, and still names option and what is right."""
    said = fails(GitHubIssueHandler, **{option: value})
    assert option in said
    for secret in (TOKEN, TOKEN[4:], PASSWORD, "ada", "0123456789abcdef"):
        assert secret not in said, said


def test_refused_key_file():
    """A key given instead of its file is refused without it, also as a list of its lines."""
    for value in (PEM, PEM.splitlines()):
        said = fails(GitHubIssueHandler, repo="a/b", app_id=1, installation_id=2, private_key_file=value)
        assert "private_key_file" in said
        assert "MIIE" not in said


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("mailhost", f"smtp://ada:{PASSWORD}@mail.example.com:587"),
        ("mailhost", f"ada:{PASSWORD}@mail.example.com"),
        ("mailhost", f"ada:{PASSWORD[:4]}'{PASSWORD[4:]}@mail.example.com"),
        ("credentials", PASSWORD),
        ("credentials", ["ada", PASSWORD, "x"]),
        ("credentials", {"ada": PASSWORD}),
    ],
)
def test_refused_mail_options(option, value):
    """The same of the mail handler's."""
    said = fails(BatchingSMTPHandler, **{option: value})
    assert option in said
    assert PASSWORD not in said
    assert PASSWORD[4:] not in said


def test_refusals_still_show_what_is_wrong():
    """What is no secret is shown as it was given: addresses, paths, templates with colons."""
    for value in ("ops@example.com", "/var/log/a:b", "{component}: {x}", "C:\\logs", ["a", "b"], 17):
        with pytest.raises(OptionValueError) as caught:
            refuse("Handler", "option", value, "something else")
        assert repr(value) in str(caught.value)


def test_wrong_variable(monkeypatch):
    """ext://loghub.env.NAME with the wrong name: the variable is named, and what it holds is not."""
    monkeypatch.setenv("SMTP_PASSWORD", PASSWORD)
    handler = {"class": "loghub.BatchingSMTPHandler", "capacity": "ext://loghub.env.SMTP_PASSWORD"}
    with pytest.raises(ValueError, match="mail") as caught:
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "handlers": {"mail": handler}})
    assert "cannot be what SMTP_PASSWORD holds; it must be a whole number" in str(caught.value.__cause__)


def test_before_send_that_cannot_be_imported(tmp_path, monkeypatch):
    """What a module of the application said when it could not be imported is repeated without its secrets."""
    (tmp_path / "hooks_of_ada.py").write_text(f"raise RuntimeError('no postgresql://ada:{PASSWORD}@db')\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    said = fails(EventFilter, before_send="hooks_of_ada.send")
    assert "RuntimeError: no postgresql://" in said
    assert PASSWORD not in said


class Channel(Told):
    """A channel of somebody's, which fails in the words of a library."""

    def __init__(self, error, **rest) -> None:
        super().__init__(**rest)
        self.on_deliver = self._fail
        self.error = error

    def _fail(self, batch):
        raise self.error


SAID = {
    "proxy": requests.exceptions.ProxyError(f"Cannot connect to proxy http://ada:{PASSWORD}@proxy:3128 (407)"),
    "webhook": requests.ConnectionError(
        f"HTTPSConnectionPool(host='hooks.slack.com', port=443): Max retries exceeded with url: https://hooks.slack.com/"
        f"services/T0AAAAAAA/B0BBBBBBB/{PASSWORD}aA1bB2"
    ),
    "query": ValueError(f"GET https://page.example/v1?access_token={PASSWORD} failed"),
    "key": TypeError(f"Could not parse the provided key: {PEM}"),
    "delivery": DeliveryError(f"Authorization: Bearer {TOKEN} was not taken"),
    "refused": RefusedError(f"password={PASSWORD} is wrong"),
}


@pytest.mark.parametrize("said", SAID)
def test_channel_that_fails(said, tmp_path, monkeypatch, caplog):
    """What a channel's library says of its failure is logged and kept as the reason, without what it was given."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    channel = Channel(SAID[said], home=str(tmp_path / "home"))
    log = logging.Logger("shop")  # noqa: LOG001 - one that no other test sees
    log.addHandler(channel)
    log.error("it broke")
    channel.home.round(everything=True)
    channel.home.fold()
    (row,) = channel.home.ledger().outbox()
    channel.close()
    told = "\n".join([row["reason"], caplog.text, run("outbox", "--home", tmp_path / "home"),
                      run("outbox", "--json", "--home", tmp_path / "home")])  # fmt: skip
    assert "[Filtered]" in row["reason"]
    assert "Error reporter" in caplog.text
    for secret in (TOKEN, PASSWORD, "MIIEpAIB"):
        assert secret not in told


@pytest.mark.parametrize(
    "echo",
    [PASSWORD, base64.b64encode(f"\0ada\0{PASSWORD}".encode()).decode(), base64.b64encode(PASSWORD.encode()).decode()],
    ids=["plain", "of AUTH PLAIN", "of AUTH LOGIN"],
)
def test_server_that_repeats_the_password(echo, tmp_path, monkeypatch):
    """A mail server that repeats what it was told does not get the password into the reason."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    with FakeSMTP(users={"ada": PASSWORD}, login_in_clear=True) as server:
        server.faults["AUTH"] = f"535 5.7.8 no {echo} here"
        handler = BatchingSMTPHandler(
            [server.host, server.port], "a@example.com", "b@example.com", credentials=["ada", PASSWORD], secure="none",
            home=str(tmp_path / "home"),
        )  # fmt: skip
        with pytest.raises(DeliveryError, match="did not let ada log in") as caught:
            handler.handshake()
        handler.close()
    assert PASSWORD not in str(caught.value)
    assert echo.rstrip("=")[-12:] not in str(caught.value)


def test_yaml_that_cannot_be_read(tmp_path):
    """YAML's own errors show the line where they were: without what stands there."""
    path = tmp_path / "logging.yaml"
    path.write_text(f"handlers:\n  github:\n    token: {TOKEN}: x\n", "utf-8")
    for verb in (["check", path], ["selftest", "secrets", path], ["groups", "--config", path]):
        said = run(*verb, code=1)
        assert "cannot be read" in said
        assert TOKEN not in said


class Dialer(logging.Handler):
    """A handler of somebody's, which shows its address when it cannot be made."""

    def __init__(self, url) -> None:
        raise ValueError(f"cannot reach {url}")


def test_handler_that_cannot_be_made(tmp_path):
    """What another's handler says against its options is repeated without the secrets among them."""
    path = tmp_path / "logging.yaml"
    handler = {"class": f"{__name__}.Dialer", "url": f"amqp://ada:{PASSWORD}@queue/"}
    path.write_text(yaml.safe_dump({"version": 1, "handlers": {"queue": handler}}), "utf-8")
    said = run("check", path, code=1)
    assert "cannot reach amqp://ada:" in said
    assert PASSWORD not in said


@pytest.mark.parametrize("way", ["option", "variable"])
def test_ledger_on_the_command_line(way, monkeypatch):
    """Where a ledger cannot be reached its address is said without the password, wherever it was given."""
    url = f"postgresql://ada:{PASSWORD}@db/loghub"
    said = run("groups", *(["--ledger", url] if way == "option" else []), code=1,
               **({"LOGHUB_LEDGER": url} if way == "variable" else {}))  # fmt: skip
    assert "The ledger postgresql://ada@db/loghub cannot be used now" in said
    assert PASSWORD not in said


def test_own_lines(caplog):
    """A line of loghub's own is clean, whoever had it said."""
    own.hide("a-token-without-any-shape-0")
    own_log.tell(logging.WARNING, f"x a-token-without-any-shape-0 y https://ada:{PASSWORD}@proxy z")
    assert caplog.messages == ["Error reporter: x [Filtered] y https://ada:[Filtered]@proxy z"]


def test_mail_password_in_events(tmp_path, monkeypatch):
    """The mail server's password, as long as it is no word, does not stand in events either."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    BatchingSMTPHandler("mail.example.com", "a@b.c", "d@e.f", credentials=["ada", "not-shaped-like-a-secret"]).close()
    handler = ReportingHandler(home=str(tmp_path / "home"))
    log = logging.Logger("shop")  # noqa: LOG001 - one that no other test sees
    log.addHandler(handler)
    log.error("sent not-shaped-like-a-secret to %s", "mail")
    handler.home.fold()
    assert handler.home.ledger().events(1)[0]["message"] == "sent [Filtered] to mail"
    handler.close()


def test_representations(tmp_path):
    """Neither handler nor client nor server shows a credential when it is printed."""
    key = tmp_path / "key.pem"
    key.write_text(PEM, "utf-8")
    github = GitHubIssueHandler(repo="acme/shop", token=TOKEN)
    mail = BatchingSMTPHandler("mail.example.com", "a@b.c", "d@e.f", credentials=["ada", PASSWORD])
    shown = "\n".join(map(repr, (github, github.client, mail, mail.server, github.home)))
    assert TOKEN not in shown
    assert PASSWORD not in shown
    assert os.fspath(key) not in shown


def test_long_values():
    """A value of a megabyte is refused as soon as one of ten characters, whatever it consists of."""
    for piece in (":", "a:", "pass", "@", "://", "gh"):
        with pytest.raises(OptionValueError) as caught:
            refuse("Handler", "option", piece * 500_000, "something else")
        assert len(str(caught.value)) < 200
