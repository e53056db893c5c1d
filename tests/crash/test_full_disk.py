"""A disk that is full: the application goes on, what is missing is said, and what is there is delivered."""

from __future__ import annotations

import json
import re

from tests import processes


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
    import loghub.journal
    loghub.journal.Journal.__init__.__kwdefaults__["write"] = small
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
