"""Recipients who are put off while the mail is taken for others: they get the same mail later, and only they."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter

import pytest

from loghub.delivery import leases
from loghub.delivery.batch import Batch
from loghub.ledger.sqlite import SQLiteLedger
from loghub.mailserver import owed
from tests.fakes.smtp import FakeSMTP
from tests.postal import Post

ALL = ["ada@example.com", "bob@example.com", "cyd@example.com"]
GREY = "450 4.2.0 greylisted, come back later"
DAY = 86_400


@pytest.fixture
def server():
    """Return a mail server."""
    with FakeSMTP() as running:
        yield running


@pytest.fixture
def post(tmp_path):
    """Return a home whose mails go to real servers."""
    made = Post(tmp_path / "home")
    yield made
    made.die()


@pytest.fixture
def said(caplog):
    """Return a function that returns the lines of loghub's own life that hold a word."""
    caplog.set_level(logging.INFO, "loghub")
    return lambda word: [line for line in caplog.messages if word in line]


def got(server):
    """Return how many mails each recipient got."""
    return Counter(address for mail in server.mails for address in mail.recipients)


def grey(*who, times=1, answer=GREY):
    """Return a fault that puts recipients off so many times each."""
    left = dict.fromkeys(who, times)

    def fault(address):
        if left.get(address, 0) > 0:
            left[address] -= 1
            return answer
        return None

    return fault


@pytest.mark.shows("mail puts off", "nothing lost", "nothing twice")
def test_put_off_gets_it_later(server, post, said):
    """Who was put off gets the very same mail later, nobody gets it twice, and nothing is left."""
    server.faults["RCPT"] = grey("bob@example.com", times=3)
    handler = post.handler(server, toaddrs=ALL)
    post.log(handler, "a")
    post.live(DAY)
    assert got(server) == dict.fromkeys(ALL, 1)
    first, second = server.mails
    assert second.recipients == ("bob@example.com",)
    assert (second.content, second.sender) == (first.content, first.sender)
    assert said(f"bob@example.com: {GREY}; it is offered again later")
    assert said("mailed what was put off to bob@example.com.")
    assert not said("given up")
    assert post.next() == float("inf")
    assert handler.home.ledger().memory(f"{handler.destination} owed") == {"mails": []}
    assert "wake_at" not in handler.home.ledger().memory(handler.destination)


def test_each_at_its_time(server, post):
    """Of several who were put off each gets it as soon as he is taken, and once."""
    later = grey("cyd@example.com", times=5)
    sooner = grey("bob@example.com", times=2)
    server.faults["RCPT"] = lambda address: later(address) or sooner(address)
    post.log(post.handler(server, toaddrs=ALL), "a")
    post.live(DAY)
    assert [mail.recipients for mail in server.mails] == [(ALL[0],), (ALL[1],), (ALL[2],)]
    assert len({mail.content for mail in server.mails}) == 1


@pytest.mark.shows("mail refuses", "bounded", "said")
def test_finally_refused(server, post, said):
    """Who is refused for good in the end is named with the server's words, and not asked again."""
    answers = [GREY, GREY, "550 5.1.1 no such user"]
    server.faults["RCPT"] = lambda address: answers.pop(0) if "bob" in address and answers else None
    post.log(post.handler(server, toaddrs=ALL), "a")
    post.live(DAY)
    assert got(server) == {"ada@example.com": 1, "cyd@example.com": 1}
    (line,) = said("given up")
    assert "bob@example.com" in line
    assert "550 5.1.1 no such user" in line
    assert post.next() == float("inf")


@pytest.mark.slow
@pytest.mark.shows("mail puts off", "bounded", "said")
def test_given_up_after_two_days(server, post, said):
    """Who is put off for ever is asked for two days, less and less often, and then it is said."""
    asked = []
    server.faults["RCPT"] = lambda address: asked.append(address) or GREY if "bob" in address else None
    post.log(post.handler(server, toaddrs=ALL), "a")
    begun = post.clock()
    post.live()
    (line,) = said("given up")
    assert "bob@example.com" in line
    assert GREY in line
    assert 2 * DAY <= post.clock() - begun < 2 * DAY + 3700
    assert 40 < len(asked) < 200
    assert post.next() == float("inf")


@pytest.mark.parametrize("verb", ["MAIL", "354", "DATA"])
@pytest.mark.parametrize("answer", ["451 4.3.0 later", "554 5.7.1 spam"])
def test_the_mail_itself_is_refused(server, post, said, verb, answer):
    """What is owed may be refused as a whole, for now or for good, like any mail."""
    arrives = answer.startswith("4")
    server.faults["RCPT"] = grey("bob@example.com")
    post.log(post.handler(server, toaddrs=ALL), "a")
    post.live(5)
    refusals = [answer]
    server.faults[verb] = lambda _: refusals.pop() if refusals else None
    post.live(DAY)
    assert got(server)["bob@example.com"] == arrives
    assert bool(said("given up")) is not arrives
    assert all(answer in line for line in said("given up"))
    assert post.next() == float("inf")


@pytest.mark.parametrize("answer", ["554 5.7.1 spam", "554 5.7.1 spam, hanging up"])
def test_what_is_new_is_not_refused_with_it(server, post, said, answer):
    """A mail that is owed and refused for good takes nothing along, even if the server hangs up on it."""
    server.faults["RCPT"] = grey("bob@example.com")
    handler = post.handler(server, toaddrs=ALL)
    post.log(handler, "a")
    post.live(2)
    refusals = [answer]
    server.faults["DATA"] = lambda _: refusals.pop() if refusals else None
    post.clock.now += 600
    post.log(handler, "b", level=logging.CRITICAL)
    post.live(DAY)
    assert [mail.recipients for mail in server.mails] == [(ALL[0], ALL[2]), tuple(ALL)]
    assert handler.home.ledger().outbox() == []
    assert len(said("given up")) == 1


def test_all_put_off_is_no_debt(server, post):
    """Where nobody was taken yet nothing is owed: the mail is tried again as a whole, with what came meanwhile."""
    server.faults["RCPT"] = grey(*ALL)
    handler = post.handler(server, toaddrs=ALL)
    post.log(handler, "a")
    post.live(DAY)
    (mail,) = server.mails
    assert mail.recipients == tuple(ALL)
    assert handler.home.ledger().memory(f"{handler.destination} owed") == {}


def test_costs_no_budget(server, post):
    """What is owed goes out when the hour's mails are used up, too: it was paid for."""
    server.faults["RCPT"] = grey("bob@example.com")
    post.log(post.handler(server, toaddrs=ALL, mails_per_hour=1), "a")
    post.live(900)
    assert got(server) == dict.fromkeys(ALL, 1)
    post.live(DAY)


def test_one_connection_with_the_new_mail(server, post):
    """What is owed and the mail of the batch go over one connection, the old one first."""
    server.faults["RCPT"] = grey("bob@example.com")
    handler = post.handler(server, toaddrs=ALL)
    post.log(handler, "a")
    post.live(2)
    assert server.connections == 1
    post.clock.now += 600
    post.log(handler, "b", level=logging.CRITICAL)
    post.round()
    assert server.connections == 2
    assert [mail.recipients for mail in server.mails] == [(ALL[0], ALL[2]), (ALL[1],), tuple(ALL)]


def test_put_off_once_a_visit(server, post):
    """Who is owed several mails and put off is not asked for each of them; taken again, he gets all."""
    answers = {"bob@example.com": GREY}
    asked = []
    server.faults["RCPT"] = lambda address: asked.append(address) or answers.get(address)
    handler = post.handler(server, toaddrs=ALL)
    for name in "abc":
        post.log(handler, name, level=logging.CRITICAL)
        post.round()
        post.clock.now += 2
    post.clock.now += 3600
    asked.clear()
    post.round()
    assert asked == ["bob@example.com"]
    answers.clear()
    post.live(DAY)
    assert got(server) == dict.fromkeys(ALL, 3)


@pytest.mark.parametrize("damaged", [{}, {"mails": "x"}, {"mails": [{"id": "<1@shop.example>"}]}])
def test_woken_for_nothing(server, post, damaged):
    """Where what was owed is gone from the ledger, or damaged, the handler is not woken for it again and again."""
    handler = post.handler(server, toaddrs=ALL)
    ledger = handler.home.ledger()
    ledger.remember(handler.destination, {"wake_at": post.clock() + 5})
    ledger.remember(f"{handler.destination} owed", damaged)
    post.live(rounds=3)
    assert post.next() == float("inf")
    assert server.connections == 0


def test_survives_a_restart(server, post):
    """Another process, later, sends what is owed, though nothing new came."""
    server.faults["RCPT"] = grey("bob@example.com")
    post.log(post.handler(server, toaddrs=ALL), "a")
    post.live(5)
    post.die()
    handler = post.handler(server, toaddrs=ALL)
    post.live(DAY)
    assert got(server) == dict.fromkeys(ALL, 1)
    assert handler.home.ledger().outbox() == []


def test_many_processes(server, post):
    """Of several processes of a ledger one sends it, once."""
    server.faults["RCPT"] = grey("bob@example.com", times=2)
    handlers = [post.handler(server, toaddrs=ALL) for _ in range(3)]
    post.log(handlers[1], "a")
    post.live(DAY)
    assert got(server) == dict.fromkeys(ALL, 1)


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.shows("killed", "nothing lost", "nothing twice")
@pytest.mark.parametrize("step", range(12))
def test_survives_a_crash(server, post, monkeypatch, step):
    """Whichever write to the ledger a process dies before: nobody misses the mail, and a repeat has the same id."""
    server.faults["RCPT"] = grey("bob@example.com", times=2)
    writes = 0

    def dying(name):
        true = getattr(SQLiteLedger, name)

        def method(self, *args):
            nonlocal writes
            writes += 1
            if writes > step:
                raise Killed
            return true(self, *args)

        return method

    post.log(post.handler(server, toaddrs=ALL), "a")
    with monkeypatch.context() as patch:
        for name in ("remember", "settle", "release", "lease"):
            patch.setattr(SQLiteLedger, name, dying(name))
        with contextlib.suppress(Killed):  # there may be fewer writes than steps
            post.live(DAY)
    post.die()
    post.clock.now += 2 * leases.LEASE_SECONDS
    post.handler(server, toaddrs=ALL)
    post.live(DAY)
    assert set(got(server)) == set(ALL)
    assert len({mail.message["Message-ID"] for mail in server.mails}) == 1
    assert max(got(server).values()) <= 2


def test_server_that_breaks_off_at_what_is_owed(server, post):
    """A mail at which the server hangs up does not keep new ones from the others."""
    server.faults["RCPT"] = grey("bob@example.com")
    handler = post.handler(server, toaddrs=ALL)
    post.log(handler, "a")
    post.live(5)
    first = server.mails[0].content
    count = len(server.mails)
    server.faults["RCPT"] = lambda address: None
    monitor = []

    def fault(_):
        monitor.append(post.clock())
        return "drop" if len(monitor) in poisoned else None

    poisoned = {1, 3, 4}
    server.faults["354"] = fault
    post.clock.now += 600
    post.log(handler, "b", level=logging.CRITICAL)
    post.live(60)
    assert [mail.recipients for mail in server.mails[count:]] == [tuple(ALL)]
    post.live(DAY)
    assert [mail.content for mail in server.mails if mail.recipients == ("bob@example.com",)] == [first]


@pytest.mark.shows("mail away", "nothing lost")
def test_server_that_is_down(server, post):
    """While nothing can be sent at all, what is owed waits with the rest."""
    server.faults["RCPT"] = grey("bob@example.com")
    handler = post.handler(server, toaddrs=ALL)
    post.log(handler, "a")
    post.live(5)
    server.faults["greeting"] = "554 closed"
    post.live(3 * DAY)
    server.faults.clear()
    post.live(DAY)
    assert got(server) == dict.fromkeys(ALL, 1)


def test_slow_server_gets_to_the_new_mail(server, post, monkeypatch):
    """However much is owed to however slow a server: the new mail has its time."""
    answers = {"bob@example.com": GREY}
    server.faults["RCPT"] = answers.get
    handler = post.handler(server, toaddrs=ALL)
    for name in "abcde":
        post.log(handler, name, level=logging.CRITICAL)
        post.round()
        post.clock.now += 2
    answers.clear()
    post.clock.now += 600
    monkeypatch.setattr("loghub.mailserver.server.Session.has_time", property(lambda visit: not visit.is_open))
    count = len(server.mails)
    post.log(handler, "f", level=logging.CRITICAL)
    post.round()
    assert [mail.recipients for mail in server.mails[count:]] == [("bob@example.com",), tuple(ALL)]
    post.live(DAY)
    assert got(server) == dict.fromkeys(ALL, 6)


@pytest.mark.shows("mail puts off", "bounded", "said")
def test_what_is_too_much_is_said(server, post, said, monkeypatch):
    """What is owed has a bound; what gives way is named."""
    monkeypatch.setattr(owed, "MOST_MAILS", 2)
    server.faults["RCPT"] = lambda address: GREY if "bob" in address else None
    handler = post.handler(server, toaddrs=ALL)
    for name in "abc":
        post.log(handler, name, level=logging.CRITICAL)
        post.round()
        post.clock.now += 2
    (line,) = said("given up")
    assert "bob@example.com" in line
    assert "are owed" in line


def test_lease_lost_before_what_is_owed(server, post):
    """Who lost the right to deliver touches nothing of what is owed."""
    server.faults["RCPT"] = grey("bob@example.com")
    handler = post.handler(server, toaddrs=ALL)
    post.log(handler, "a")
    post.live(5)
    ledger = handler.home.ledger()
    before = ledger.memory(f"{handler.destination} owed")
    batch = Batch(ledger, "late", [], handler.destination, now=lambda: post.clock() + 600)
    ledger.lease(handler.destination, "another", post.clock() + 600, 60.0)
    with pytest.raises(leases.LeaseLostError):
        handler.deliver(batch)
    assert ledger.memory(f"{handler.destination} owed") == before
    assert len(server.mails) == 1


@pytest.mark.parametrize("call", range(1, 6))
def test_lease_lost_in_the_midst(server, post, monkeypatch, call):
    """Whenever the right to deliver is lost, the delivery ends there, and who was told by then is not told again."""
    server.faults["RCPT"] = lambda address: GREY if "bob" in address else None
    handler = post.handler(server, toaddrs=ALL)
    for name in "ab":
        post.log(handler, name, level=logging.CRITICAL)
        post.round()
        post.clock.now += 2
    server.faults.clear()
    post.clock.now += 3600
    batch = Batch(handler.home.ledger(), "me", [], handler.destination, now=post.clock)
    calls = []

    def renew():
        calls.append(1)
        if len(calls) == call:
            raise leases.LeaseLostError("another process has taken over")

    monkeypatch.setattr(batch, "renew", renew)
    with pytest.raises(leases.LeaseLostError):
        handler.deliver(batch)
    assert len(calls) == call
    post.live(DAY)
    assert got(server) == dict.fromkeys(ALL, 2)
