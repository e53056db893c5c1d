"""A disk that is full: the application goes on, what is missing is said, and what is there is delivered."""

from __future__ import annotations

import json
import re

import pytest

from tests import processes


@pytest.mark.slow
@pytest.mark.shows("disk full", "nothing lost", "said")
def test_full_disk(tmp_path):
    """Written, held back and lost add up to what was logged; each is said."""
    script = """
    import errno, logging, os, sys, loghub
    real = os.write
    room = [60_000]
    def small(fd, data):
        if fd > 2 and len(data) > room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        if fd > 2:
            room[0] -= len(data)
        return real(fd, data)
    import loghub.journal.writing
    loghub.journal.writing.Journal.__init__.__kwdefaults__["write"] = small
    logging.getLogger("loghub").addHandler(logging.StreamHandler(sys.stdout))
    log = logging.getLogger("shop")
    log.propagate = False
    log.addHandler(loghub.GitHubIssueHandler(home=sys.argv[1]))
    for number in range(3000):
        log.error("order %d " + "x" * (number % 50), number)
    logging.shutdown()
    """
    out, err = processes.run(script, tmp_path / "home")
    assert "Traceback" not in err
    assert "Error reporter: the journal in" in out
    missing = int(re.search(r"(\d+) errors could not be written", out)[1])
    stats, _ = processes.run(
        "import sys; from loghub.cli import main; main(sys.argv[1:])", "stats", "--json", "--home", tmp_path / "home"
    )
    assert json.loads(stats)["total_errors"] + missing == 3000


ENDS = """
import logging, os, sys, resource, signal
import loghub
logging.raiseExceptions = False
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = logging.getLogger("shop")
for handler in loghub.GitHubIssueHandler, loghub.JSONDetailHandler, loghub.BatchingSMTPHandler:
    log.addHandler(handler(home=sys.argv[1], shutdown_timeout=0.5))
log.error("before")
if sys.argv[2] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
for number in range(2000):
    try:
        raise ValueError(number)
    except ValueError:
        log.exception("order failed")
logging.shutdown()
os.write(1, b"ended")
"""


@pytest.mark.slow
@pytest.mark.shows("disk full", "application unharmed", "ends in time")
@pytest.mark.shows("home not writable", "application unharmed", "ends in time")
@pytest.mark.parametrize("home", ["full", "impossible"])
def test_goes_on_and_ends(tmp_path, home):
    """Where nothing can be written the application logs on and nothing is raised; its end does not wait for room."""
    (tmp_path / "file").touch()
    out, err = processes.run(
        ENDS, tmp_path / "home" if home == "full" else tmp_path / "file" / "home", home, seconds=10
    )
    assert out == "ended"
    assert "Traceback" not in err
