import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def example(name, folder, **env):
    """Run an example as a person would; return what it printed."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "GH_"))}
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name)],
        cwd=folder,
        env=clean | {"LOGHUB_HOME": str(folder / "home")} | env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_minimal(tmp_path):
    """The smallest set-up leaves a detail file and a counted bug."""
    example("minimal.py", tmp_path)
    assert len(list((tmp_path / "logs" / "errors").glob("error_*_ZeroDivisionError_*.json"))) == 1
    assert (tmp_path / "home" / "ledger.db").exists()


def test_own_channel(tmp_path):
    """A channel of one's own is told each bug with its count."""
    assert example("own_channel.py", tmp_path).strip() == "3 x ERROR in own_channel in <module>"


def test_own_procedure(tmp_path):
    """A procedure of one's own mends what failed, without a word of the application."""
    assert example("own_procedure.py", tmp_path).strip() == "a picture"


def test_every_example_is_run():
    """No example is without a test."""
    tested = Path(__file__).read_text(encoding="utf-8")
    for path in (ROOT / "examples").glob("*.py"):
        assert f'example("{path.name}"' in tested
