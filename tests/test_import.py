"""``import loghub`` is light, and every public name is there when somebody asks for it."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import loghub

ROOT = Path(__file__).parents[1]
HEAVY = ["requests", "smtplib", "ssl", "sqlite3", "yaml", "click", "flask", "structlog", "apprise", "psycopg", "jwt"]


def fresh(code):
    """Return what an interpreter of its own prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import json, sys\nsys.path.insert(0, {str(ROOT)!r})\n{code}"],
        capture_output=True, text=True, check=False, cwd=ROOT.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def loaded_by(code):
    """Return which of the heavy modules are loaded after `code`."""
    return fresh(f"{code}\nprint(json.dumps([name for name in {HEAVY} if name in sys.modules]))")


def test_import_is_light():
    """Importing loghub loads no network, SMTP or database module, nor YAML or click; nor any module of its own."""
    assert loaded_by("import loghub") == []
    own = fresh("import loghub\nprint(json.dumps([name for name in sys.modules if name.startswith('loghub.')]))")
    assert own == []


@pytest.mark.parametrize("name", ["EventFilter", "JsonFormatter", "JSONDetailHandler", "UncaughtHandler"])
def test_local_names_are_light(name):
    """What needs no network loads no network module, not even when it is used by name."""
    assert loaded_by(f"import loghub\nloghub.{name}") == []


def test_reporting_locally_is_light(tmp_path):
    """The application's first error loads no network module either."""
    code = (
        "import logging, loghub\n"
        f"handler = loghub.JSONDetailHandler({str(tmp_path / 'errors')!r}, home={str(tmp_path / 'home')!r})\n"
        "from loghub.delivery import deliverer\n"
        "deliverer.stir = lambda **_: None  # the delivery thread may load what it delivers with\n"
        "handler.handle(logging.LogRecord('a', 40, 'a.py', 1, 'x', (), None))"
    )
    assert loaded_by(code) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", loghub.__all__)
def test_public_names(name):
    """Every public name resolves to something that says what it is, by getattr and by import."""
    value = getattr(loghub, name)
    assert value.__doc__
    assert name in dir(loghub)
    assert fresh(f"from loghub import {name}\nprint(json.dumps({name}.__class__.__name__))")


def test_all_is_sorted_and_complete():
    """What is resolved on first use is public, and nothing else but the version is."""
    assert list(loghub.__all__) == sorted(loghub.__all__)
    assert set(loghub.__all__) == {*loghub._HOME_OF, "__version__"}


def test_unknown_name():
    """A name that loghub does not have is an AttributeError, so that ``import loghub.env`` style paths resolve."""
    with pytest.raises(AttributeError, match=r"module 'loghub' has no attribute 'Handler'"):
        loghub.Handler  # noqa: B018 - asking is the point


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "loghub").rglob("*.py")), ids=lambda path: path.stem)
def test_every_module_imports(path):
    """Every module can be imported on its own, first of all."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(part for part in parts if part != "__init__")
    if name.endswith("__main__"):
        assert importlib.util.find_spec(name) is not None
        return
    assert fresh(f"import {name}\nprint(json.dumps('{name}' in sys.modules))") is True
