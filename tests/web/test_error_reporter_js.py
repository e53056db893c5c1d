"""loghub/web/static/js/error-reporter.js: its own tests, which Node runs, and its size."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import minify
import pytest

from loghub import web

REPORTER = Path(web.__file__).parent / "static" / "js" / "error-reporter.js"
TESTS = sorted(Path(__file__).parent.joinpath("js").glob("*.test.mjs"))


@pytest.mark.slow
@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name.removesuffix(".test.mjs"))
def test_in_node(file):
    """What the tests in JavaScript say holds; where there is no Node that is said, and in CI it is a failure."""
    if not shutil.which("node"):
        reason = "NOT TESTED: there is no Node here; `make browser` installs it on Debian."
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    done = subprocess.run(
        ["node", "--test", "--test-reporter=tap", file], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n# fail 0\n" in done.stdout
    assert "\n# pass 0\n" not in done.stdout


def test_size():
    """Minified, the reporter has less than 6 KB; no minifier finds fault with it."""
    small = minify.string("application/javascript", REPORTER.read_text(encoding="utf-8"))
    assert 2000 < len(small.encode()) < 6000
