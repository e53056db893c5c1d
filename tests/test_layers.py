"""Imports point down only, as DESIGN's list of layers says; imports within functions count as well."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "loghub"

# Lowest first. A module may import what stands in a line above its own, and its neighbours in the same line
# if nothing goes in a circle. `scrub` refuses options, so options stands below it with env.
LAYERS = [
    ["errors"],
    ["env", "descriptor", "imports", "replaced", "sources"],
    ["options", "backoff", "tails", "runs"],
    ["trend"],
    ["forecast"],
    ["event", "codepath", "request", "container"],
    ["sighting", "written"],
    ["scrub", "traceback_text", "foreign_text", "release", "clone", "release_order", "copies", "rendering", "rollover"],
    ["breadcrumbs"],
    ["fingerprint"],
    ["rendered", "traceback_dicts"],
    ["plain"],
    ["description"],
    ["complaint"],
    ["capture"],
    ["own_log"],
    ["ledger.protocol", "ledger.find", "journal"],
    ["ledger", "asked"],
    ["logfiles"],
    ["delivery"],
    ["filters", "hooks"],
    ["lives"],
    ["formatters", "declared"],
    ["handlers.base"],
    ["detail"],
    ["mailserver"],
    ["github", "mail", "procedures", "history", "recovery", "notice"],
    ["handlers"],
    ["actions"],
    ["structlog", "seeds", "section", "supervise", "demo", "reindex", "browser"],
    ["cli", "web"],
]

EXCEPTIONS = {
    ("options", "scrub.own"): "a value that is refused may be a secret; imported when one is",
    ("cli", ""): "the version stands in the root, which loads nothing",
    ("cli.where", ""): "the public names, for the nearest right one",
    ("cli.schema", ""): "the public names, all of which are described",
    ("fingerprint", "filters"): "of_record asks the filter's defaults",
}


def names_of(path):
    """Return the module's name within the package, without ``loghub.``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {names_of(path): path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"}


def layer(name):
    """Return a module's layer: that of its longest listed prefix."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        for number, line in enumerate(LAYERS):
            if prefix in line:
                return number
    return None


def nodes(tree):
    """Yield the nodes that run: what stands under TYPE_CHECKING does not."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from (inner for child in node.orelse for inner in (child, *nodes(child)))
        else:
            yield node
            yield from nodes(node)


@functools.cache
def imports(source):
    """Return the modules of the package that `source` imports; ``""`` is the package itself."""
    found = set()
    for node in nodes(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition("loghub")[2].lstrip(".") for alias in node.names if is_ours(alias.name)}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            if is_ours(node.module):
                module = node.module.partition("loghub")[2].lstrip(".")
                found |= {child_or(module, alias.name) for alias in node.names}
    return found


def is_ours(name):
    """Return whether a dotted name is of the package."""
    return name == "loghub" or name.startswith("loghub.")


def child_or(module, name):
    """Return the module that ``from module import name`` loads."""
    child = f"{module}.{name}".lstrip(".")
    return child if child in MODULES else module


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name):
    """A module imports only from layers below its own, or from its own."""
    if name == "__main__":
        return
    mine = layer(name)
    assert mine is not None, f"{name} stands in no layer: DESIGN.md says where it belongs"
    for other in imports(MODULES[name].read_text("utf-8")):
        if (name, other) not in EXCEPTIONS:
            assert other != "", f"{name} imports the root of the package, which makes a cycle: import the module"
            assert layer(other) is not None, f"{name} imports {other}, which stands in no layer"
            assert layer(other) <= mine, f"{name} imports {other}, which stands above it"


def test_no_cycles():
    """Within a layer nothing goes in a circle, either."""
    waiting = {name: {other for other in imports(path.read_text("utf-8")) if (name, other) not in EXCEPTIONS} - {name}
               for name, path in MODULES.items()}  # fmt: skip
    while ready := [name for name, needs in waiting.items() if not needs & waiting.keys()]:
        for name in ready:
            del waiting[name]
    assert not waiting


def test_exceptions_are_needed():
    """An exception that nothing needs any more is taken off the list."""
    needed = {(name, other) for name, other in EXCEPTIONS if other in imports(MODULES[name].read_text("utf-8"))}
    assert needed == set(EXCEPTIONS)


def test_the_test_sees(tmp_path):
    """Imports are found in functions and in every form; those for the type checker are not."""
    source = (
        "import loghub\n"
        "from loghub import env, options\n"
        "import loghub.handlers.base as base\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from loghub import delivery\n"
        "def act():\n    from loghub.errors import LedgerError\n    import os, sys\n"
    )
    assert imports(source) == {"", "env", "options", "handlers.base", "errors"}
