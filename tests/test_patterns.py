"""The patterns of regular expressions keep to what every Python that loghub runs on matches rightly."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "loghub"
GROUP = re.compile(r"(?<!\\)\)(?:[*+?]|\{\{?\d*,?\d*\}\}?)\+")


@pytest.mark.parametrize("pattern", ["(?:ab?c)*+", "(a|b)++", "(?:ab?)?+", "(?:ab?){2,}+", "(?:ab?){{2,9}}+"])
def test_possessive_groups_are_seen(pattern):
    """Every way to repeat a group possessively is found; repeating one character so is not."""
    assert GROUP.search(pattern)
    assert not GROUP.search(r"[ab]*+ \)++ (?>(?:ab?c)*) (a)+ (a){2}")


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_no_possessive_groups(path):
    """No group is repeated possessively: Python 3.11.0 to 3.11.4 lose their place there; ``(?>(...)*)`` is the same."""
    texts = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant))
    assert [one.lineno for one in texts if isinstance(one.value, str) and GROUP.search(one.value)] == []
