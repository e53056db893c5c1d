"""Each option and each verb stands in the manual as the code has it."""

from __future__ import annotations

import logging

import pytest

import loghub
from tests.docs.pages import MANUAL
from tests.docs.tables import named, written

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
