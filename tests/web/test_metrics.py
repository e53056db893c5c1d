"""Whether this process is well, and its figures."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import Counter

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parsed

from loghub import filters
from loghub.delivery import deliverer
from loghub.delivery.home import home_of
from loghub.errors import LedgerError
from loghub.handlers.github import GitHubIssueHandler
from loghub.web import create_app
from loghub.web.metrics import exposition
from loghub.web.visitors import Visitors

DESTINATION = "github:acme/shop"


@pytest.fixture
def handler(tmp_path, monkeypatch):
    """Return a handler whose home has three occurrences of one bug, of which nothing is delivered."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    monkeypatch.setattr(filters, "_shared", None)
    one = GitHubIssueHandler(repo="acme/shop", token="t", home=str(tmp_path))
    record = logging.makeLogRecord({"name": "shop", "levelno": logging.ERROR, "levelname": "ERROR", "msg": "a bug"})
    for _ in range(3):
        one.handle(logging.makeLogRecord(record.__dict__))
    one.home.fold()
    yield one
    one.close()


def samples(text):
    """Return the samples by name and labels, as Prometheus reads them."""
    return {(one.name, *one.labels.values()): one.value for family in parsed(text) for one in family.samples}


def test_metrics(handler, tmp_path):
    """The figures are the ledger's, in OpenMetrics that Prometheus reads."""
    client = create_app(str(tmp_path), no_login=True).test_client()
    client.post("/api/report-error", data=b"{")
    answer = client.get("/metrics")
    assert answer.mimetype == "application/openmetrics-text"
    found = samples(answer.text)
    assert found["loghub_seen",] == 3
    assert found["loghub_kept",] == len(handler.home.ledger().events(100))
    assert found["loghub_waiting", DESTINATION] == 3
    assert found["loghub_sent", DESTINATION] == found["loghub_dead", DESTINATION] == 0
    assert found["loghub_dropped_total",] == 0
    assert found["loghub_reports_total", "400"] == 1


def test_names_are_escaped():
    """Whatever a destination is called, it stays one label."""
    figures = dict.fromkeys(("groups", "occurrences", "kept", "issues", "dropped", "torn", "forgotten"), 1)
    name = 'a"b\\n\\\nc'
    counts = {"sent": 1, "waiting": 2, "dead": 3}
    found = samples("\n".join(exposition(figures | {"destinations": {name: counts}}, {})) + "\n")
    assert found["loghub_dead", name] == 3


def test_who_may_read_metrics(tmp_path):
    """The figures are for who is logged in, or brings the token; others get a 401 and nothing else."""
    locked = create_app(str(tmp_path), admin_password="a good one").test_client()
    answer = locked.get("/metrics", headers={"Authorization": "Bearer "})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "loghub_seen" not in answer.text
    client = create_app(str(tmp_path), admin_password="a good one", metrics_token="mt").test_client()
    assert client.get("/metrics", headers={"Authorization": "Bearer mt"}).status_code == 200
    for wrong in ("Bearer mé", "Bearer", "Basic mt", "mt"):
        assert client.get("/metrics", headers={"Authorization": wrong}).status_code == 401


def test_token_of_the_environment(tmp_path, monkeypatch):
    """The environment names the token, too."""
    monkeypatch.setenv("LOGHUB_METRICS_TOKEN", "mt")
    client = create_app(str(tmp_path), admin_password="a good one").test_client()
    assert client.get("/metrics", headers={"Authorization": "bearer mt"}).status_code == 200


def test_health(tmp_path, monkeypatch):
    """Who watches is told whether the ledger can be used, without a login and without details."""
    app = create_app(str(tmp_path), admin_password="a good one")
    answer = app.test_client().get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")
    app = create_app(str(tmp_path / "other"), admin_password="a good one")
    home = home_of(str(tmp_path / "other"), None)

    def unreachable():
        raise LedgerError("No such disk: /secret/place.")

    monkeypatch.setattr(home, "ledger", unreachable)
    answer = app.test_client().get("/healthz")
    assert answer.status_code == 503
    assert "secret" not in answer.text


def test_own_errors(tmp_path, handler):
    """An error of the pages themselves is logged like any application's, says in which request, and makes no other."""
    app = create_app(str(tmp_path), no_login=True)

    @app.get("/broken/<name>")
    def broken(name):
        raise ZeroDivisionError(name)

    root = logging.getLogger()
    root.addHandler(handler)
    try:
        assert app.test_client().get("/broken/page?token=secret").status_code == 500
    finally:
        root.removeHandler(handler)
    handler.home.fold()
    (event,) = [one for one in handler.home.ledger().events(10) if one["error_type"] == "ZeroDivisionError"]
    assert event["additional_info"]["request"]["route"] == "/broken/<name>"
    assert "secret" not in str(event)


def test_answers_are_counted_once():
    """Answers to reports that end at the same moment are all counted."""
    visitors, both = Visitors(), threading.Barrier(2)

    class Slow(Counter):
        def __getitem__(self, status):
            known = super().__getitem__(status)
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(0.2)  # until another has read the same, if it can
            return known

    visitors.answered = Slow({200: 0})
    threads = [threading.Thread(target=visitors.count, args=[200]) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert dict(visitors.answered) == {200: 2}
