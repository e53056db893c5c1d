import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent.parent


def test_outage():
    """While GitHub is silent, failing or refusing, all is counted, and delivered once it answers."""
    command = [sys.executable, str(ROOT / "benchmarks" / "outage.py"), "--seconds", "2", "--errors", "500"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()[2:]
    assert [row.split()[0] for row in rows] == ["answers", "hang", "500", "401"]
    assert all("5 issues, 500 counted, drain 0 " in row for row in rows), done.stdout
