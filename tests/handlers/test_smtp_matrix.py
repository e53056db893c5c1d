"""Kinds of mail servers x faults at each point of a conversation: no mail is lost, none is sent twice once accepted.

Each case goes through the real handler, home and ledger, to a real server, until the fault is over.
"""

from __future__ import annotations

import base64
import contextlib
import logging

import pytest

from tests.fakes.smtp import FakeSMTP
from tests.postal import Post

SECRET = "hunter2-grüße"
ENCODED = base64.b64encode(SECRET.encode()).decode()
TIMES = 2
"""How often a fault comes before it is over."""

KINDS = ["plain", "starttls", "tls"]
LOGINS = [False, True]
POINTS = ["greeting", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "354", "DATA", "QUIT"]
ANSWERS = {"421": "421 4.3.2 closing", "4xx": "451 4.3.0 try later", "5xx": "554 5.7.1 go away"}
FAULTS = ["hang", "drop", "garbage", *ANSWERS]
REFUSABLE = {"MAIL", "RCPT", "354", "DATA"}
"""Where 5xx is about the mail, not about us or the connection: a dead letter."""


def cases():
    """Yield kind, login, point and fault of each case that there is."""
    for kind in KINDS:
        for login in LOGINS:
            points = [at for at in POINTS if (at != "STARTTLS" or kind == "starttls") and (at != "AUTH" or login)]
            yield from ((kind, login, at, fault) for at in points for fault in FAULTS)
            yield kind, login, "DATA", "lose"
            yield kind, login, "connection", "refuse"


def named(case):
    """Return a case's name."""
    kind, login, at, fault = case
    return f"{kind}{'-login' if login else ''}-{at}-{fault}"


def make(kind, certificate, *, login):
    """Return a server of a kind."""
    tls = {"starttls": {"starttls": certificate.server()}, "tls": {"tls": certificate.server()}}
    return FakeSMTP(
        users={"ops": SECRET} if login else None, login_in_clear=login and kind == "plain", **tls.get(kind, {})
    )


def options(kind, certificate, *, login):
    """Return the options of a handler for a server of a kind."""
    secure = {"plain": "none", "starttls": "starttls", "tls": "ssl"}[kind]
    return {"secure": secure, "ca_file": certificate.ca_file, "credentials": ["ops", SECRET] if login else None}


@pytest.fixture(scope="module")
def servers(certificate):
    """Return a function that returns a running server of a kind, the same for the same, as good as new."""
    running = {}
    with contextlib.ExitStack() as stack:

        def get(kind, login):
            if (kind, login) not in running:
                running[kind, login] = stack.enter_context(make(kind, certificate, login=login))
            server = running[kind, login]
            server.faults.clear()
            server.mails.clear()
            return server

        yield get


@pytest.fixture
def post(tmp_path):
    """Return a home whose mails go to real servers."""
    made = Post(tmp_path / "home")
    yield made
    made.die()


def passing(server, at, fault):
    """Have a fault come some times at a point, and then no more; return a list that tells whether it came."""
    came = []

    def act(_):
        came.append(at)
        if len(came) > TIMES:
            return None
        words = f" {SECRET} {ENCODED}" if server.users else ""  # it repeats what it should not
        return ANSWERS[fault] + words if fault in ANSWERS else fault

    server.faults[at] = act
    return came


def no_secret(lines):
    """Whether none of the lines shows the password, as it is or as it travels."""
    return not any(shown in line for line in lines for shown in (SECRET, ENCODED))


@pytest.mark.shows("mail away", "nothing lost", "nothing twice", "no secret", "said")
@pytest.mark.shows("mail refuses", "nothing lost", "nothing twice", "no secret", "said")
@pytest.mark.shows("mail puts off", "nothing lost", "nothing twice", "no secret", "said")
@pytest.mark.shows("mail hangs", "nothing lost", "no secret", "said")
@pytest.mark.shows("mail cut off", "nothing lost", "no secret", "said")
@pytest.mark.slow
@pytest.mark.parametrize("case", list(cases()), ids=named)
def test_matrix(case, servers, certificate, post, caplog):
    """Whatever a server does for a while: the mail arrives once, or is a dead letter that says why."""
    kind, login, at, fault = case
    caplog.set_level(logging.DEBUG, "loghub")
    with contextlib.ExitStack() as stack:
        server = make(kind, certificate, login=login) if fault == "refuse" else servers(kind, login)
        patience = {"timeout": 0.1} if fault == "hang" else {}
        handler = post.handler(server, **options(kind, certificate, login=login), **patience)
        post.log(handler, "a", count=3)
        if fault == "refuse":
            post.live(10)
            assert any("nothing listens at" in line for line in caplog.messages)
            stack.enter_context(server)
        else:
            came = passing(server, at, fault)
        post.live()
        outbox = handler.home.ledger().outbox()
        ids = [mail.message["Message-ID"] for mail in server.mails]
        assert no_secret([*caplog.messages, *(str(row) for row in outbox)])
        if fault == "5xx" and at in REFUSABLE:
            assert ids == []
            (row,) = outbox
            assert (row["state"], row["waiting"]) == ("dead", 3)
            assert ANSWERS["5xx"] in row["reason"]
            return
        assert outbox == []
        assert len(ids) == (1 + TIMES if fault == "lose" else 1)
        assert len(set(ids)) == 1
        assert server.mails[-1].encrypted is (kind != "plain")
        assert server.mails[-1].user == ("ops" if login else None)
        if fault != "refuse":
            assert came
        if at not in ("connection", "QUIT", "EHLO"):
            assert any("could not be told, trying again" in line for line in caplog.messages)


def test_the_matrix_is_whole():
    """Every kind, login, point and fault is in it."""
    found = list(cases())
    assert {kind for kind, *_ in found} == set(KINDS)
    assert {at for _, _, at, _ in found} == {*POINTS, "connection"}
    assert {fault for *_, fault in found} == {*FAULTS, "lose", "refuse"}
    assert len(found) == len(set(found)) == 2 * (7 * 6 + 2) * 3 + 2 * 6 + 3 * 6


@pytest.mark.shows("mail puts off", "nothing twice")
@pytest.mark.shows("mail cut off", "nothing twice")
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_long_day(kind, certificate, tmp_path, caplog):
    """A server that fails in every way in turn, while errors go on: all are counted in mails, and none twice."""
    caplog.set_level(logging.DEBUG, "loghub")
    faults = [(at, fault) for at in POINTS[4:8] for fault in ["drop", "garbage", "421", "4xx"]]
    with make(kind, certificate, login=True) as server:
        post = Post(tmp_path / "home")
        handler = post.handler(
            server,
            mails_per_hour=999,
            toaddrs=["a@example.com", "b@example.com"],
            **options(kind, certificate, login=True),
        )
        for number, (at, fault) in enumerate(faults):
            came = passing(server, at, fault)
            post.log(handler, f"{number:x}", level=logging.CRITICAL)
            post.live(120)
            server.faults.clear()
            assert came
        post.live()
        told = [mail.message["X-Loghub-Fingerprint"] for mail in server.mails]
        assert len(told) == len(faults) == len(set(told))
        assert handler.home.ledger().outbox() == []
        assert no_secret(caplog.messages)
        post.die()
