"""A program is the same program in every process that it starts, however that is begun."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.processes import environment

_APP = """
import logging, multiprocessing, sys
import loghub

class ShopError(Exception): pass

def charge(order):
    raise ShopError(f"no card for order {order}")

def work(order):
    logging.getLogger().addHandler(loghub.GitHubIssueHandler())
    try:
        charge(order)
    except ShopError:
        logging.exception("order %d failed", order)
    logging.shutdown()

if __name__ == "__main__":
    work(1)
    worker = multiprocessing.get_context(sys.argv[1]).Process(target=work, args=(2,))
    worker.start()
    worker.join()
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_a_worker_fails_as_the_program_does(tmp_path, method):
    """A bug of a script is one bug in the script and in its workers, where it is called __mp_main__."""
    folder = tmp_path / "billing"
    folder.mkdir()
    (folder / "app.py").write_text(_APP)
    where = environment(LOGHUB_HOME=str(tmp_path / "home"))
    subprocess.run([sys.executable, str(folder / "app.py"), method], env=where, check=True, timeout=60)
    listed = [sys.executable, "-m", "loghub", "groups", "--json"]
    done = subprocess.run(listed, env=where, check=True, capture_output=True, timeout=60)
    assert [(group["error_type"], group["count"]) for group in json.loads(done.stdout)] == [("ShopError", 2)]


def test_a_class_of_the_program_in_a_text():
    """A class that a text calls __mp_main__.ShopError is the program's ShopError."""
    from loghub import fingerprint

    head = {"frames": [], "error_message": "no card", "message": "order failed"}
    names = ("__main__.ShopError", "__mp_main__.ShopError", "ShopError")
    assert len({fingerprint.of_event({**head, "error_type": name}) for name in names}) == 1
