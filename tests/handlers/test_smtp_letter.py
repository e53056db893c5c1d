"""What the mail handler has a mail say: trends from the ledger, templates, and neither at the cost of the mail."""

from __future__ import annotations

import logging

import pytest

from loghub import history
from loghub.errors import LedgerError, OptionValueError
from loghub.handlers.smtp import BatchingSMTPHandler
from loghub.ledger.sqlite import SQLiteLedger
from loghub.mail import MOST_BUGS
from tests.test_mail import NOW, bug, outlook, text_of


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Give the handlers a home of their own."""
    monkeypatch.setenv("LOGHUB_HOME", str(tmp_path / "home"))


@pytest.fixture
def make():
    """Return a function that makes handlers; they are closed afterwards."""
    made = []

    def handler(**options):
        made.append(BatchingSMTPHandler(**options))
        return made[-1]

    yield handler
    for each in made:
        each.close()


@pytest.fixture
def ledger():
    """Return an empty ledger."""
    opened = SQLiteLedger(None)
    yield opened
    opened.close()


def test_trend_of_the_ledger(make, ledger):
    """With a ledger mail and subject say what it knows of each bug; without one they say nothing of it."""
    handler = make(subject="[{trend}] {type}")
    item = bug()
    expected = history.outlooks(ledger, [item.group], lambda: NOW)[item.group.fingerprint]
    told = handler.compose([item], NOW, ledger)
    assert told["Subject"] == f"[{expected.word}] ValueError"
    assert f"Trend: {expected.word}: " in text_of(told)
    untold = handler.compose([item], NOW)
    assert untold["Subject"] == "ValueError"
    assert "Trend" not in text_of(untold)


@pytest.mark.slow
def test_asks_only_for_what_is_told(make, ledger, monkeypatch):
    """Of 500 bugs the ledger is asked about those that are told in detail: the gravest."""
    asked = []

    def outlooks(ledger, groups, now):
        asked.extend(group.fingerprint for group in groups)
        return {group.fingerprint: outlook("new") for group in groups}

    monkeypatch.setattr(history, "outlooks", outlooks)
    make().compose([bug(n, count=1 + n) for n in range(500)], NOW, ledger)
    assert asked == [f"v1:{n:016x}" for n in range(499, 499 - MOST_BUGS, -1)]


def test_trend_that_fails(make, ledger, monkeypatch, caplog):
    """A trend that cannot be computed costs nobody the mail, and is said once."""

    def fail(ledger, groups, now):
        raise ZeroDivisionError

    monkeypatch.setattr(history, "outlooks", fail)
    handler = make()
    with caplog.at_level(logging.WARNING, "loghub"):
        for _ in range(3):
            assert "Error Type: ValueError" in text_of(handler.compose([bug()], NOW, ledger))
    assert sum("trend of errors cannot be told" in line for line in caplog.messages) == 1


def test_ledger_that_fails(make, ledger, monkeypatch):
    """A ledger that does not answer stops the mail: that it was sent could not be written down either."""

    def fail(fingerprints, since):
        raise LedgerError("The ledger is locked.")

    monkeypatch.setattr(ledger, "hours_of", fail)
    with pytest.raises(LedgerError):
        make().compose([bug()], NOW, ledger)


def test_templates(make, tmp_path):
    """Options name the files of templates for both parts."""
    (tmp_path / "a.txt").write_text("text of $component", encoding="utf-8")
    (tmp_path / "a.html.j2").write_text("<p>page of {{ component }}</p>", encoding="utf-8")
    handler = make(template=str(tmp_path / "a.txt"), html_template=str(tmp_path / "a.html.j2"))
    message = handler.compose([bug()], NOW)
    assert message.get_body(("plain",)).get_content() == "text of shop\n"
    assert message.get_body(("html",)).get_content() == "<p>page of shop</p>\n"
    with pytest.raises(OptionValueError, match="option 'html_template' cannot be"):
        make(html_template=str(tmp_path / "none.html"))


def test_template_that_fails_is_said_once(make, tmp_path, caplog):
    """A template that fails for every mail is said once in loghub's log."""
    (tmp_path / "a.j2").write_text("{{ 1 // (errors[0].total - 12) }}", encoding="utf-8")
    handler = make(template=str(tmp_path / "a.j2"))
    with caplog.at_level(logging.WARNING, "loghub"):
        for _ in range(3):
            assert "Error Type: ValueError" in text_of(handler.compose([bug(total=12)], NOW))
    assert sum("template failed" in line for line in caplog.messages) == 1
