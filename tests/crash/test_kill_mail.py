"""A process that is killed while it mails: nothing is lost, and a mail that may have been taken is known by its id."""

from __future__ import annotations

import json
import threading

import pytest
from click.testing import CliRunner

from loghub.cli import main
from loghub.delivery import deliverer
from tests.fakes.smtp import FakeSMTP
from tests.processes import python

SCRIPT = """
import json, logging, logging.config, sys, time
logging.config.dictConfig(json.load(open(sys.argv[1])))
logging.getLogger("shop").error("out of tea")
time.sleep(60)
"""


@pytest.mark.shows("killed", "nothing lost", "nothing twice")
@pytest.mark.slow
@pytest.mark.parametrize(("verb", "fault", "before"), [("RCPT", "hang", 0), ("DATA", "hang", 0), ("DATA", "lose", 1)])
def test_killed_while_it_mails(tmp_path, monkeypatch, verb, fault, before):
    """Killed before the mail, in its midst, or between its end and the acknowledgement: the next process mails it."""
    with FakeSMTP() as server:
        mail = {
            "class": "loghub.BatchingSMTPHandler",
            "mailhost": [server.host, server.port],
            "fromaddr": "shop@example.com",
            "toaddrs": ["team@example.com"],
            "home": str(tmp_path / "home"),
        }
        path = tmp_path / "logging.json"
        path.write_text(json.dumps({"version": 1, "handlers": {"mail": mail}, "root": {"handlers": ["mail"]}}))
        reached = threading.Event()

        def happens(_):
            reached.set()
            return fault

        server.faults[verb] = happens
        with python(SCRIPT, path, seconds=60) as process:
            assert reached.wait(30)
            process.kill()
            process.wait()
        assert len(server.mails) <= before
        server.faults.clear()
        monkeypatch.setattr(deliverer, "by_hand", True)
        done = CliRunner().invoke(main, ["drain", "--config", str(path), "--timeout", "60"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        assert 1 <= len(server.mails) <= 1 + before
        assert len({one.message["Message-ID"] for one in server.mails}) == 1
        assert "out of tea" in server.mails[-1].message.get_body(("plain",)).get_content()
