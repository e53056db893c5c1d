"""Each option and each verb stands in the manual as the code has it."""

from __future__ import annotations

import logging
import re

import pytest

import loghub
from tests.docs.pages import MANUAL, PAGES, prose
from tests.docs.tables import named, written

_TOLD = re.compile(r"^\| `[\w-]+`.*\|$", re.MULTILINE)

CLASSES = {
    name
    for name in loghub.__all__
    if isinstance(one := getattr(loghub, name), type) and issubclass(one, logging.Handler | logging.Filter)
}


@pytest.mark.parametrize("page", sorted(MANUAL))
def test_tables(page):
    """The tables are what the code says; `python -m tests.docs.tables` writes them."""
    assert MANUAL[page] == written(MANUAL[page])


def test_every_class():
    """Each handler and filter has a table of its options, and one tells what all reporting handlers have."""
    assert sorted(named(MANUAL["docs/handlers.md"])) == sorted([*CLASSES, "handlers.base.ReportingHandler"])
    assert "<!-- verbs -->" in MANUAL["docs/commands.md"]


@pytest.mark.parametrize("page", sorted(PAGES))
def test_rows_belong_to_a_table(page):
    """A table begins with a head and a line of dashes: after a blank line rows would be shown as they are written."""
    lines = prose(PAGES[page]).split("\n")
    heads = [at for at, line in enumerate(lines) if line[:1] == "|" != lines[at - 1][:1]]
    assert [lines[at] for at in heads if not re.fullmatch(r"[| :-]*-[| :-]*", lines[at + 1])] == []


def test_every_option_means_something():
    """No option of a class or verb is without the words that its docstring or help owes to the tables."""
    lines = [line for page in MANUAL.values() for line in _TOLD.findall(page)]
    assert len(lines) > 150
    assert [line for line in lines if re.search(r"\|\s*\|$", line)] == []
