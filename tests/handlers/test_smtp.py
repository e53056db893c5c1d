"""BatchingSMTPHandler against real mail servers: when it sends, what it sends, and what it cannot."""

from __future__ import annotations

import inspect
import logging
import logging.config
import logging.handlers
import socket

import pytest

from loghub.delivery import waiting
from loghub.delivery.batch import Batch
from loghub.errors import DeliveryError, OptionValueError, RefusedError, UnknownOptionError
from loghub.handlers.smtp import BatchingSMTPHandler
from loghub.ledger.protocol import Group, Item
from loghub.ledger.sqlite import SQLiteLedger
from tests.fakes.smtp import FakeSMTP

NOW = 1_790_000_000.0
SECRET = "hunter2-hunter2"
MENDED_BY_A_PERSON = 900.0


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Give the handlers a home of their own."""
    monkeypatch.setenv("LOGHUB_HOME", str(tmp_path / "home"))


@pytest.fixture
def server():
    """Return a plain mail server."""
    with FakeSMTP() as running:
        yield running


@pytest.fixture
def ledger():
    """Return an empty ledger."""
    opened = SQLiteLedger(None)
    yield opened
    opened.close()


@pytest.fixture
def make():
    """Return a function that makes handlers for a server; they are closed afterwards."""
    made = []

    def handler(server=None, **options):
        mailhost = {"mailhost": [server.host, server.port]} if server else {}
        options = {"fromaddr": "loghub@shop.example", "toaddrs": ["ops@example.com"]} | mailhost | options
        made.append(BatchingSMTPHandler(**options))
        return made[-1]

    yield handler
    for each in made:
        each.close()


@pytest.fixture
def deliver(ledger):
    """Return a function that has a handler deliver bugs, and returns the batch."""

    def run(handler, *items, now=NOW):
        batch = Batch(ledger, "owner", items or [bug()], handler.destination, now=lambda: now)
        handler.deliver(batch)
        return batch

    return run


def bug(number=0, *, level=logging.ERROR, since=10.0, due=0.0, count=1):
    """Return what waits about one bug since that many seconds."""
    group = Group(f"v1:{number:016x}", "ValueError", "", "bad", "shop", "a in b", "ERROR", "shop", count, NOW, NOW)
    return Item("smtp:", group, count, count, {}, level, NOW - since, NOW + due)


def silent():
    """Return a listening socket that never says a word."""
    return socket.create_server(("127.0.0.1", 0))


# What is sent


def test_one_mail_for_many(server, make, deliver):
    """A batch is one mail to all recipients; names stand in its headers, bare addresses on its envelope."""
    handler = make(server, fromaddr="Loghub <loghub@shop.example>", toaddrs="Ops <ops@example.com>, dev@example.com")
    batch = deliver(handler, bug(1), bug(2, count=3))
    (mail,) = server.mails
    assert mail.sender == "loghub@shop.example"
    assert mail.recipients == ("ops@example.com", "dev@example.com")
    assert mail.message["From"] == "Loghub <loghub@shop.example>"
    assert mail.message["To"] == "Ops <ops@example.com>, dev@example.com"
    assert mail.message["Subject"] == "shop: 2 errors, 4 occurrences"
    assert len(batch.unsettled) == 2
    assert not mail.encrypted


def test_subject_and_text_only(server, make, deliver):
    """The subject is a template, and HTML can be left out."""
    deliver(make(server, subject="{type} of {component}", html=False))
    assert server.mails[0].message["Subject"] == "ValueError of shop"
    assert server.mails[0].message.get_content_type() == "text/plain"


def test_sent_is_said(server, make, deliver, caplog):
    """A mail that went out is told to loghub's own logger, with its recipients."""
    with caplog.at_level(logging.INFO, "loghub"):
        deliver(make(server))
    assert "Error reporter: mailed 1 error to ops@example.com." in caplog.messages


def test_through_logging(server, tmp_path):
    """From dictConfig with lists for tuples to the mail: the error of a plain logger arrives."""
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "mail": {
                "class": "loghub.BatchingSMTPHandler",
                "mailhost": [server.host, server.port],
                "fromaddr": "loghub@shop.example",
                "toaddrs": ["ops@example.com"],
                "capacity": 1,
                "home": str(tmp_path / "shop"),
            }
        },
        "loggers": {"shop.pay": {"handlers": ["mail"], "propagate": False}},
    }
    logging.config.dictConfig(config)
    logger = logging.getLogger("shop.pay")
    (handler,) = logger.handlers
    try:
        raise ValueError("no such card")
    except ValueError:
        logger.exception("payment failed")
    try:
        assert waiting.flush(10.0)
        (mail,) = server.mails
        text = mail.message.get_body(("plain",)).get_content()
        assert "Error Type: ValueError" in text
        assert "Error Message: no such card" in text
        assert "test_through_logging" in text
        assert mail.message["Subject"] == f"shop Error: ValueError in {__name__}"
    finally:
        logger.removeHandler(handler)
        handler.close()


# Faults


@pytest.mark.shows("mail refuses", "said")
@pytest.mark.shows("mail puts off", "said")
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("answer", ["451 4.3.0 try later", "554 5.7.1 spam"])
def test_refusals(server, make, deliver, verb, answer):
    """4xx is tried again, 5xx is a dead letter; both say the server's words."""
    server.faults[verb] = answer
    with pytest.raises(DeliveryError) as caught:
        deliver(make(server))
    assert isinstance(caught.value, RefusedError) is answer.startswith("5")
    assert answer in str(caught.value)
    assert server.mails == []


def test_authentication_required(server, make, deliver):
    """A server that wants a login first is tried again: a person can mend that."""
    server.faults["MAIL"] = "530 5.7.0 Authentication required"
    with pytest.raises(DeliveryError, match="530") as caught:
        deliver(make(server))
    assert not isinstance(caught.value, RefusedError)
    assert caught.value.retry_after == MENDED_BY_A_PERSON


def test_some_recipients_refused(server, make, deliver, caplog):
    """Who is taken gets the mail, who is refused is named with the server's words, and all is done."""
    server.faults["RCPT"] = lambda address: "550 5.1.1 no such user" if "gone" in address else None
    with caplog.at_level(logging.INFO, "loghub"):
        deliver(make(server, toaddrs=["gone@example.com", "ops@example.com"]))
    assert server.mails[0].recipients == ("ops@example.com",)
    assert any(
        "Error reporter" in line and "gone@example.com: 550 5.1.1 no such user" in line for line in caplog.messages
    )


def test_all_recipients_refused_in_two_ways(server, make, deliver):
    """As long as one recipient may be taken later the mail is tried again."""
    server.faults["RCPT"] = lambda address: "450 greylisted" if "grey" in address else "550 unknown"
    with pytest.raises(DeliveryError, match=r"450 greylisted; 550 unknown") as caught:
        deliver(make(server, toaddrs=["gone@example.com", "grey@example.com"]))
    assert not isinstance(caught.value, RefusedError)


@pytest.mark.shows("mail cut off", "nothing twice")
def test_reply_lost(server, make, deliver):
    """A mail that was taken, though nobody said so, is sent again with the same Message-ID."""
    handler = make(server)
    server.faults["DATA"] = "lose"
    with pytest.raises(DeliveryError, match="hung up"):
        deliver(handler, bug(1), bug(2))
    server.faults.clear()
    deliver(handler, bug(2), bug(1), now=NOW + 60)
    first, second = (mail.message["Message-ID"] for mail in server.mails)
    assert first == second


def test_lease_lost_before(make, ledger):
    """Who lost the right to deliver does not even connect."""
    with silent() as listening:
        handler = make(mailhost=list(listening.getsockname()))
    ledger.lease(handler.destination, "somebody else", NOW, 60.0)
    with pytest.raises(DeliveryError, match="taken over"):
        handler.deliver(Batch(ledger, "owner", [bug()], handler.destination, now=lambda: NOW))


def test_lease_lost_on_the_way(server, make, ledger):
    """Who loses the right to deliver while the server makes him wait sends nothing."""
    handler = make(server)
    batch = Batch(ledger, "owner", [bug()], handler.destination, now=lambda: NOW)

    def take_over(_):
        ledger.release(handler.destination, "owner")
        ledger.lease(handler.destination, "somebody else", NOW, 60.0)

    server.faults["EHLO"] = take_over
    with pytest.raises(DeliveryError, match="taken over"):
        handler.deliver(batch)
    assert server.mails == []


# Addresses of the world


def test_smtputf8(server, make, deliver):
    """An address that is not ASCII before its @ is used where the server can; its domain is always ASCII."""
    deliver(make(server, toaddrs=["jörg@bücher.example"]))
    assert server.mails[0].recipients == ("jörg@xn--bcher-kva.example",)
    assert "SMTPUTF8" in server.mails[0].options


def test_encoded_name(server, make, deliver):
    """A name that was written as headers have it is that name."""
    deliver(make(server, fromaddr="=?utf-8?q?J=C3=B6rg?= <j@shop.example>"))
    assert server.mails[0].message["From"] == "Jörg <j@shop.example>"


def test_smtputf8_only_if_needed(server, make, deliver):
    """ASCII addresses ask nothing special of the server, whatever the mail says."""
    deliver(make(server, toaddrs=["Jörg <ops@bücher.example>"], subject="größer"))
    assert server.mails[0].recipients == ("ops@xn--bcher-kva.example",)
    assert "SMTPUTF8" not in server.mails[0].options
    assert server.mails[0].content.isascii()
    assert server.mails[0].message["To"] == "Jörg <ops@xn--bcher-kva.example>"


def test_no_smtputf8(make, deliver, caplog):
    """A server without SMTPUTF8 gets the mail for the others, and who is left out is said."""
    with FakeSMTP(utf8=False) as server:
        with caplog.at_level(logging.INFO, "loghub"):
            deliver(make(server, toaddrs=["jörg@example.com", "ops@example.com"]))
        assert server.mails[0].recipients == ("ops@example.com",)
        assert server.mails[0].message["To"] == "ops@example.com"
        assert any("jörg@example.com: the server has no SMTPUTF8" in line for line in caplog.messages)
        for options in ({"toaddrs": "jörg@example.com"}, {"fromaddr": "jörg@example.com"}):
            with pytest.raises(RefusedError, match="SMTPUTF8"):
                deliver(make(server, **options))


# Limits


@pytest.mark.shows("storm", "bounded")
def test_mails_per_hour(server, make, ledger, caplog):
    """When the hour's mails are used up everything waits, without counting as failed, and that is said."""
    handler = make(server, mails_per_hour=2)
    told = []

    def deliver_at(seconds):
        batch = Batch(ledger, "owner", [bug()], handler.destination, now=lambda: NOW + seconds)
        batch.later = lambda item, reason, after, *, failed: told.append((reason, after, failed))
        handler.deliver(batch)

    deliver_at(0)
    deliver_at(600)
    with caplog.at_level(logging.WARNING, "loghub"):
        deliver_at(1200)
    assert len(server.mails) == 2
    ((reason, after, failed),) = told
    assert reason.startswith("2 mails went out within an hour (mails_per_hour)")
    assert (after, failed) == (2400.0, False)
    assert any("mails_per_hour" in line for line in caplog.messages)
    deliver_at(3601)
    assert len(server.mails) == 3


# Options


def test_as_the_stdlib(make):
    """Positional arguments are those of logging.handlers.SMTPHandler, in its order."""
    theirs = list(inspect.signature(logging.handlers.SMTPHandler).parameters)
    ours = list(inspect.signature(BatchingSMTPHandler).parameters)
    assert ours[: len(theirs)] == theirs
    handler = BatchingSMTPHandler(
        ("mail.example", 587), "a@b.example", ["c@d.example"], "sub", ("user", SECRET), (), 2.0
    )
    assert handler.destination == "smtp:mail.example:587/c@d.example"
    handler.close()


def test_destination_tells_recipients_apart(make):
    """The destination's name depends on who gets the mail, not on the order, and holds no credentials."""
    one, two, turned, other = (
        make(mailhost="mail.example", toaddrs=each, credentials=["user", SECRET]).destination
        for each in (
            ["a@b.example"],
            "a@b.example, c@d.example",
            ["c@d.example", "A@b.example"],
            ["c@d.example"],
        )
    )
    assert len({one, two, other}) == 3
    assert two == turned
    assert "user" not in two
    assert SECRET not in two


@pytest.mark.parametrize("mailhost", [None, ""])
def test_without_mailhost(mailhost):
    """Without a mailhost nothing is sent, and the mail that would be can be seen."""
    handler = BatchingSMTPHandler(mailhost=mailhost)
    assert handler.destination is None
    assert "mailhost" in handler.needs
    assert handler.compose([bug()], NOW)["Subject"] == "shop Error: ValueError in unknown"
    handler.handshake()
    handler.close()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("mailhost", "mail.example:port"),
        ("mailhost", "mail.example:70000"),
        ("mailhost", "smtp://mail.example"),
        ("mailhost", ["mail.example", 25, 1]),
        ("mailhost", ["mail.example", True]),
        ("mailhost", 25),
        ("fromaddr", None),
        ("fromaddr", "a@b.example, c@d.example"),
        ("fromaddr", "a@b.example\r\nBcc: c@d.example"),
        ("toaddrs", []),
        ("toaddrs", "not an address"),
        ("toaddrs", ["Doe, Jane <jane@example.com>"]),
        ("toaddrs", ["a@b.example\nRCPT TO:<c@d.example>"]),
        ("toaddrs", [None]),
        ("toaddrs", "a@b@c"),
        ("subject", "{nope}"),
        ("subject", 5),
        ("credentials", "user:password"),
        ("credentials", ["user"]),
        ("credentials", ["user", None]),
        ("secure", "tls"),
        ("secure", True),
        ("secure", ["/nonexistent/key.pem"]),
        ("ca_file", "/nonexistent/ca.pem"),
        ("timeout", 0),
        ("timeout", "soon"),
        ("capacity", 0),
        ("flush_interval", -1),
        ("flushLevel", "URGENT"),
        ("mails_per_hour", 0),
        ("html", "maybe"),
    ],
)
def test_malformed(make, option, value):
    """A malformed value is refused with the class and the option."""
    with pytest.raises(OptionValueError, match=f"BatchingSMTPHandler: .*'{option}'"):
        make(**{"mailhost": "mail.example", option: value})


def test_unknown_option(make):
    """An option that does not exist is refused with the nearest one."""
    with pytest.raises(UnknownOptionError, match="'flush_interval'"):
        make(flush_intervall=5)


def test_local_mailbox(server, make, deliver):
    """A bare name is a mailbox on the server itself."""
    deliver(make(server, fromaddr="root", toaddrs="root"))
    assert (server.mails[0].sender, server.mails[0].recipients) == ("root", ("root",))
