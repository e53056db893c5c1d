"""The verb import: what it prints, what it refuses, and where it counts."""

import gzip
import json
import os
import subprocess
import sys
import threading
import time

import pytest
import yaml
from click.testing import CliRunner

from loghub.cli import main
from loghub.event import iso

LOG = """2026-11-25 03:00:00,000 - shop - INFO - started
2026-11-25 03:00:01,000 - shop - ERROR - order 7 lost
Traceback (most recent call last):
  File "/srv/shop/pay.py", line 5, in pay
    charge()
shop.PayError: no card
2026-11-26 04:00:00,500 - shop - WARNING - slow
2026-11-26 04:00:02,500 - shop - ERROR - cart 9 lost
"""


@pytest.fixture
def path(tmp_path):
    """Return a log with two errors."""
    path = tmp_path / "app.log"
    path.write_text(LOG)
    return path


@pytest.fixture
def new_home(tmp_path):
    """Return where a home may be made."""
    return tmp_path / "new" / "home"


def run(*args, code=0, **options):
    """Run a verb in this process; return what it printed on stdout."""
    done = CliRunner().invoke(main, list(map(str, args)), catch_exceptions=False, **options)
    assert done.exit_code == code, done.output
    return done.stdout


def summary(*args, **options):
    """Run import with --json; return what it said."""
    return json.loads(run("import", "--json", *args, **options))


def groups(home):
    """Return the groups' types and counts."""
    return [(row["error_type"], row["count"]) for row in json.loads(run("groups", "--home", home, "--json"))]


def test_summary(path, new_home):
    """The summary names files, lines, errors, groups, first and last time; the home is made."""
    said = run("import", "--utc", "--home", new_home, path)
    assert "app.log" in said
    assert "2026-11-25 03:00:01  2026-11-26 04:00:02" in said
    assert "2 errors of 2 groups counted, in 8 lines, new to this ledger." in said
    assert sorted(groups(new_home)) == [("ERROR", 1), ("PayError", 1)]
    assert "was counted before: nothing is new" in run("import", "--utc", "--home", new_home, path)
    assert sorted(groups(new_home)) == [("ERROR", 1), ("PayError", 1)]


def test_json(path, new_home):
    """--json says the same for programs."""
    said = summary("--utc", "--home", new_home, path)
    assert said == {
        "dry_run": False,
        "files": [
            {
                "name": str(path), "lines": 8, "errors": 2, "first_at": "2026-11-25T03:00:01.000Z",
                "last_at": "2026-11-26T04:00:02.500Z", "without_time": 0, "known_bytes": 0, "unfinished": False,
                "trouble": None,
            }
        ],
        "lines": 8, "errors": 2, "groups": 2, "first_at": "2026-11-25T03:00:01.000Z",
        "last_at": "2026-11-26T04:00:02.500Z", "warning": None,
    }  # fmt: skip


def test_many_files(path, new_home, tmp_path):
    """Rotated and packed files count together; what cannot be read is said, makes exit code 1, and stops no other."""
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(LOG.replace("-25", "-20").replace("-26", "-21").encode()))
    missing, folder = tmp_path / "gone.log", tmp_path / "logs"
    folder.mkdir()
    said = run("import", "--utc", "--home", new_home, missing, folder, tmp_path / "app.log.1.gz", path, path, code=1)
    assert f"{missing} does not exist." in said
    assert f"{folder} is a directory: name the files in it." in said
    assert "4 errors of 2 groups counted" in said
    assert sorted(groups(new_home)) == [("ERROR", 2), ("PayError", 2)]


def test_no_permission(path, new_home):
    """A file that this user may not read is said to be so."""
    path.chmod(0)
    code = """
import os, sys
from loghub.logfiles import counting, source
os.geteuid() == 0 and os.setuid(65534)
try:
    source.Source(sys.argv[1])
except source.SourceError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True).stdout
    assert "may not be read by this user" in said


def test_stdin(path, new_home):
    """``-`` reads standard input, also packed, and knows what it has counted."""
    assert summary("--utc", "--home", new_home, "-", input=LOG)["errors"] == 2
    assert summary("--utc", "--home", new_home, "-", input=gzip.compress(LOG.encode()))["errors"] == 0
    assert summary("--utc", "--home", new_home, path)["errors"] == 0
    assert "standard input was counted before" in run("import", "--utc", "--home", new_home, "-", input=LOG)


def test_fifo(new_home, tmp_path):
    """A named pipe is read to its end."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(LOG,))
    writer.start()
    assert summary("--utc", "--home", new_home, pipe)["errors"] == 2
    writer.join()


def test_dry_run(path, new_home):
    """--dry-run says what would be counted, and makes not even the home."""
    said = run("import", "--dry-run", "--home", new_home, path)
    assert "2 errors of 2 groups would be counted" in said
    assert not new_home.exists()


def test_since_until(path, new_home):
    """--since and --until take a part; a later run without them takes the rest."""
    assert summary("--utc", "--until", "2026-11-26", "--home", new_home, path)["errors"] == 1
    assert (
        summary("--utc", "--since", "2026-11-25T12:00", "--until", "2026-11-25T13:00", "--home", new_home, path)[
            "errors"
        ]
        == 0
    )
    assert summary("--utc", "--home", new_home, path)["errors"] == 1


def test_ago(new_home, tmp_path):
    """A time can be said as how long ago."""
    path = tmp_path / "app.log"
    path.write_text("".join(f"{iso(time.time() - hours * 3600)} ERROR shop: lost\n" for hours in (50, 30, 10)))
    assert summary("--since", "36h", "--home", new_home, path)["errors"] == 2
    assert summary("--since", "7d", "--until", "40h", "--home", new_home, path)["errors"] == 1


def test_what_is_said(path, new_home):
    """Component, environment, release and zone are what the options say."""
    options = ("--component", "billing", "--environment", "staging", "--release", "1.2", "--timezone", "Asia/Tokyo")
    run("import", *options, "--home", new_home, path)
    (newest, *_) = json.loads(run("recent", "--home", new_home, "--json"))
    assert (newest["component"], newest["environment"], newest["release"]) == ("billing", "staging", "1.2")
    assert newest["timestamp"] == "2026-11-25T19:00:02.500Z"


def test_what_a_record_says(new_home, tmp_path):
    """What a record says of itself counts before the options."""
    said = {"component": "till", "environment": "test", "release": "0.9"}
    path = tmp_path / "app.json"
    path.write_text(json.dumps({"levelname": "ERROR", "message": "lost", **said}) + "\n")
    run("import", "--component", "x", "--environment", "y", "--release", "z", "--home", new_home, path)
    (event,) = json.loads(run("recent", "--home", new_home, "--json"))
    assert {key: event[key] for key in said} == said


def test_level(path, new_home):
    """--level takes less or more than errors, without counting those twice."""
    assert summary("--level", "CRITICAL", "--home", new_home, path)["errors"] == 1
    assert summary("--level", "warning", "--home", new_home, path)["errors"] == 2
    assert summary("--home", new_home, path)["errors"] == 0


def test_format(new_home, tmp_path):
    """--format reads what is not recognised."""
    path = tmp_path / "odd.log"
    path.write_text("shop~2026.11.25~ERROR~lost\n")
    assert summary("--home", new_home, path)["errors"] == 0
    layout = "%(name)s~%(asctime)s~%(levelname)s~%(message)s"
    assert summary("--home", new_home / "2", "--format", layout, path)["errors"] == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--since", "tomorrow"], "'tomorrow' is no time"),
        (["--since", "2d", "--until", "3d"], "--since must be before --until"),
        (["--timezone", "Mars/Base"], "'Mars/Base' is no time zone"),
        (["--format", "%(message"], "is no logging format"),
        (["--format", "%(asctime)s"], "it has no message"),
        (["--level", "BAD"], "'BAD' is not one of"),
    ],
)
def test_misuse(path, new_home, options, words):
    """A malformed option is misuse, with a sentence that names it."""
    done = CliRunner().invoke(main, ["import", "--home", str(new_home), *options, str(path)])
    assert done.exit_code == 2
    assert words in done.output


def test_nothing_named(new_home):
    """Without a file it is misuse."""
    assert CliRunner().invoke(main, ["import", "--home", str(new_home)]).exit_code == 2


def test_config(path, tmp_path):
    """--config says the home, and its EventFilter what is the application's, hidden, ignored and named."""
    config = {
        "version": 1,
        "filters": {"say": {"()": "loghub.EventFilter", "component": "till", "ignore": ["shop.PayError"]}},
        "handlers": {"detail": {"class": "loghub.JSONDetailHandler", "directory": str(tmp_path / "errors"),
                                "home": str(tmp_path / "its"), "filters": ["say"]}},
        "root": {"handlers": ["detail"]},
    }  # fmt: skip
    (tmp_path / "logging.yaml").write_text(yaml.safe_dump(config))
    assert summary("--config", tmp_path / "logging.yaml", path)["errors"] == 1
    (event,) = json.loads(run("recent", "--home", tmp_path / "its", "--json"))
    assert (event["component"], event["message"]) == ("till", "cart 9 lost")


def test_nothing_is_sent(path, home):
    """Imported errors wait for no destination."""
    before = run("outbox", "--home", home, "--json")
    run("import", "--home", home, path)
    assert run("outbox", "--home", home, "--json") == before


def test_counted_live(home, tmp_path):
    """Where errors of the same hours were counted live, the summary says so, and from when on; else not."""
    (event,) = [one for one in json.loads(run("recent", "--home", home, "--json")) if one["error_type"] == "KeyError"][
        :1
    ]
    path = tmp_path / "app.log"
    path.write_text(f"{event['timestamp']} ERROR shop: no key\n{event['traceback']}\n")
    said = summary("--home", home, path)
    assert said["errors"] == 1
    assert "counted already when they happened" in said["warning"]
    assert f"--until {event['timestamp'][:13]}:00Z" in said["warning"]
    older = tmp_path / "older.log"
    older.write_text(f"2026-01-02 03:00:00,000 ERROR shop: no key\n{event['traceback']}\n")
    assert summary("--home", home, older)["warning"] is None


def test_timeless(new_home, tmp_path):
    """Errors without a time are said to have that of something else."""
    path = tmp_path / "app.log"
    path.write_text("ERROR:    Exception in ASGI application\n")
    assert "1 error without a time" in run("import", "--home", new_home, path)


def test_unfinished(new_home, tmp_path):
    """A record that is not complete at the end of a file that was just written is said to be left."""
    path = tmp_path / "app.log"
    path.write_text(LOG + "Traceback (most recent call last):\n")
    assert "the last record is not complete" in run("import", "--home", new_home, path)


@pytest.mark.slow
def test_progress(path, new_home):
    """The progress bar is on stderr, and only on a terminal."""
    done = CliRunner().invoke(main, ["import", "--home", str(new_home), str(path)])
    assert done.stderr == ""
    script = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    command = [sys.executable, "-m", "loghub", "import", "--home", str(new_home / "2"), str(path)]
    done = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Reading" in done.stdout
    assert "100%" in done.stdout
