import json
import os
import re
import subprocess
import sys

import pytest

from tests.fakes.github import FakeGitHub

pytestmark = pytest.mark.slow


def demo(folder, *args, code=0, **env):
    """Run loghub demo as a process; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "loghub", "demo", "--directory", str(folder), "--orders", "2000", *args],
        env={**os.environ, "COLUMNS": "200", **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_demo(tmp_path):
    """The demo shows 2,016 errors as 7 bugs, files, an issue, a mail and statistics, and sends nothing."""
    with FakeGitHub("acme/shop") as fake:
        told = {"GITHUB_REPO": "acme/shop", "GITHUB_TOKEN": fake.token, "GITHUB_API_URL": fake.url}
        text = demo(tmp_path, **told)
        assert fake.requests == []
    assert "2,016 errors -> 7 bugs" in text
    for kind in ("ValueError", "PaymentError", "ExceptionGroup", "ZeroDivisionError", "ConnectionResetError"):
        assert re.search(rf"^ *[\d,]+  {kind}", text, re.MULTILINE), kind
    assert "Title:  [Auto] PaymentError: shop" in text
    assert "Subject: shop: 7 errors, 2016 occurrences" in text
    assert "4111" not in text
    log = (tmp_path / "logs" / "error.log").read_text(encoding="utf-8")
    assert log.count("could not be priced") == 2000
    for path in (tmp_path / "logs" / "errors").iterdir():
        json.loads(path.read_text(encoding="utf-8"))


def test_demo_send(tmp_path):
    """With --send the issues are opened for real, one for each bug."""
    with FakeGitHub("acme/shop") as fake:
        told = {"GITHUB_REPO": "acme/shop", "GITHUB_TOKEN": fake.token, "GITHUB_API_URL": fake.url}
        text = demo(tmp_path, "--send", **told)
        assert len(fake.issues("acme/shop")) == 7
        assert fake.violations == []
    assert "https://github.com/acme/shop/issues/7" in text


def test_demo_send_needs_a_token(tmp_path):
    """--send without a token is misuse, said before anything runs."""
    demo(tmp_path, "--send", code=2)
