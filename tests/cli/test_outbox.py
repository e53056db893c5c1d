"""drain: how long it sits out what is not due yet."""

from __future__ import annotations

import json
import logging
import math
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from loghub.cli import main, outbox
from loghub.delivery import deliverer
from loghub.errors import DeliveryError
from tests.channels import Told
from tests.clock import Clock
from tests.fakes.github import FakeGitHub
from tests.fakes.smtp import FakeSMTP
from tests.processes import run


@pytest.fixture
def clock(monkeypatch):
    """Let drain live in a time of its own."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    made = Clock()
    monkeypatch.setattr(outbox, "time", SimpleNamespace(sleep=made.sleep, monotonic=made, time=made))
    return made


@pytest.fixture
def channel(clock):
    """Return a channel for which one error waits."""
    made = Told()
    made.home.now = clock
    log = logging.Logger("shop")  # noqa: LOG001 - one that no other test sees
    log.addHandler(made)
    log.error("lost")
    yield made
    made.close()


def waking(clock, *seconds):
    """Return what asks for one batch after the other, each so many seconds later."""
    left = list(seconds)

    def on_deliver(batch):
        batch.memory["wake_at"] = clock.now + left.pop(0) if left else math.inf

    return on_deliver


@pytest.mark.parametrize(
    ("wakes", "sat_out", "batches"),
    [((), 0, 1), ((9,), 9, 2), ((9, 9, 9), 27, 4), ((16,), 0, 1), ((9, 3600), 9, 2), ((9,) * 5, 27, 4)],
)
def test_wakes(channel, clock, wakes, sat_out, batches):
    """A handler that wants to look again within seconds is let, within the timeout; nobody stays for a later look."""
    begun = clock.now
    channel.on_deliver = waking(clock, *wakes)
    assert outbox.drain_home(channel.home, begun + 30) == []
    assert (clock.now - begun, len(channel.batches)) == (sat_out, batches)
    assert channel.count == 1


def test_a_rest_within_the_timeout(channel, clock):
    """A rest that ends within the timeout is sat out, a longer one is left and told at once."""
    begun = clock.now
    answers = [DeliveryError("a moment", retry_after=20), None, DeliveryError("an hour", retry_after=3600)]

    def on_deliver(batch):
        if error := answers.pop(0):
            raise error

    channel.on_deliver = on_deliver
    assert outbox.drain_home(channel.home, begun + 30) == []
    assert 20 <= clock.now - begun <= 22
    channel.home.ledger().entrust(channel.destination, channel.batches[0].items[0].group.fingerprint, {})
    before = clock.now
    (row,) = outbox.drain_home(channel.home, before + 30)
    assert (row["reason"], clock.now) == ("an hour", before)


def test_a_woken_batch_that_rests(channel, clock):
    """A look that failed and is to be tried again in an hour holds nobody up: nothing waits."""
    channel.on_deliver = waking(clock, 9)
    outbox.drain_home(channel.home, clock.now + 5)
    begun = clock.now = clock.now + 9
    errors = []

    def on_deliver(batch):
        errors.append(begun)
        raise DeliveryError("an hour", retry_after=3600)

    channel.on_deliver = on_deliver
    assert outbox.drain_home(channel.home, begun + 30) == []
    assert (clock.now, errors) == (begun, [begun])


def test_what_recipients_are_owed(tmp_path):
    """Whom the server put off, and until when, is shown by outbox and by drain, which then has something left."""
    home = tmp_path / "home"
    with FakeSMTP() as server:
        server.faults["RCPT"] = lambda address: "451 greylisted" if address.startswith("two") else None
        mail = {
            "class": "loghub.BatchingSMTPHandler",
            "mailhost": [server.host, server.port],
            "fromaddr": "shop@example.com",
            "toaddrs": ["one@example.com", "two@example.com"],
            "home": str(home),
        }
        config = {"version": 1, "handlers": {"mail": mail}, "root": {"handlers": ["mail"]}}
        (tmp_path / "logging.yaml").write_text(json.dumps(config))
        place = ["--config", str(tmp_path / "logging.yaml")]
        CliRunner().invoke(main, ["test", *place], catch_exceptions=False)
        drained = CliRunner().invoke(main, ["drain", "--timeout", "0", *place], catch_exceptions=False)
        shown = CliRunner().invoke(main, ["outbox", *place], catch_exceptions=False)
    assert len(server.mails) == 1
    for said in (drained, shown):
        assert "two@example.com was put off, and is offered the mail of 20" in said.output
        assert ": one@example.com" not in said.output
    assert (drained.exit_code, shown.exit_code) == (1, 0)


def test_reasons_are_whole(tmp_path):
    """outbox shows why something waits to its last word, however narrow the table is, once for each destination."""
    handler = {"class": "loghub.GitHubIssueHandler", "repo": "acme/shop", "token": "made-up"}
    handler |= {"api_url": "http://127.0.0.1:9", "home": str(tmp_path / "home")}
    config = {"version": 1, "handlers": {"github": handler}, "root": {"handlers": ["github"]}}
    (tmp_path / "logging.yaml").write_text(json.dumps(config))
    place = ["--config", str(tmp_path / "logging.yaml")]
    run(EIGHT_BUGS, tmp_path / "logging.yaml")
    CliRunner().invoke(main, ["drain", "--timeout", "0", *place], catch_exceptions=False)
    shown = CliRunner().invoke(main, ["outbox", *place], env={"COLUMNS": "80"}, catch_exceptions=False)
    lines = shown.output.splitlines()
    assert [line.split()[0] for line in lines[2:10]] == ["github:acme/shop"] * 8
    assert lines[10:] == ["", "github:acme/shop: nothing listens at 127.0.0.1:9: try again later."]


EIGHT_BUGS = """
import json, logging, logging.config, sys
from loghub.delivery import deliverer
deliverer.by_hand = True
logging.config.dictConfig(json.load(open(sys.argv[1])))
for number in range(8):
    logging.getLogger("shop").error("out of tea", extra={"fingerprint": f"bug {number}"})
"""


@pytest.mark.slow
def test_drain_stops_in_time(tmp_path):
    """When its time is over drain stops in the midst of a delivery, says what is left, and the next one goes on."""
    with FakeGitHub("acme/shop") as github:  # which wants a second between two writes
        handler = {"class": "loghub.GitHubIssueHandler", "repo": "acme/shop", "token": github.token}
        handler |= {"api_url": github.url, "home": str(tmp_path / "home")}
        path = tmp_path / "logging.json"
        path.write_text(json.dumps({"version": 1, "handlers": {"github": handler}, "root": {"handlers": ["github"]}}))
        run(EIGHT_BUGS, path)
        short, long = (
            CliRunner().invoke(main, ["drain", "--config", str(path), "--timeout", seconds], catch_exceptions=False)
            for seconds in ("2", "120")
        )
        assert short.exit_code == 1
        assert short.output.count(": 1 waiting: ") >= 1
        assert (long.exit_code, long.output) == (0, "Nothing waits.\n")
        assert len(github.issues("acme/shop")) == 8
        assert github.violations == []
