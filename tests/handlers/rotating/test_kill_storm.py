"""The storm of kills, in small; and that it would see a fault."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.handlers.rotating import kill_storm

SCRIPT = Path(kill_storm.__file__)


@pytest.mark.shows("killed", "nothing lost", "nothing twice")
@pytest.mark.slow
@pytest.mark.parametrize("kind", kill_storm.KINDS)
def test_kills(tmp_path, kind):
    """Writers that are killed anywhere lose, double and tear nothing, by size, by time, with gzip."""
    environment = {"PYTHONPATH": str(SCRIPT.parents[3]), "TMPDIR": str(tmp_path)}
    command = [sys.executable, str(SCRIPT), "--kind", kind, "--kills", "60"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["kills"] == 60
    assert found["lines"] > 500


def test_storm_sees_faults(tmp_path):
    """A line that is lost, doubled, torn, that nobody can have written, and a file that is too big are seen."""
    log = tmp_path / "app.log"
    (tmp_path / "noted").mkdir()
    (tmp_path / "noted" / "w0").write_text("....")
    log.write_bytes(b"w0-0 xx.\nw0-1 .\nw0-3 .\nw0-5 .\n")
    log.with_name("app.log.1").write_bytes(b"w0-1 .\nw0-2 xxx")
    found = kill_storm.look(log, 20)
    assert found.lost == ["w0-2 of 4"]
    assert sorted(found.doubled) == ["w0-1", "w0-5"]
    assert len(found.torn) == len(found.oversized) == 1
    log.write_bytes(b"w0-0 xx.\nw0-1 .\nw0-3 .\nw0-4 .\n")
    log.with_name("app.log.1").write_bytes(b"w0-2 xxx.\n")
    assert not any(kill_storm.look(log, 50))
