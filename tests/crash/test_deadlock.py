"""Locks of ours and of logging's meet: nothing may wait for ever. faulthandler is the judge."""

from __future__ import annotations

import pytest

from tests import processes


@pytest.mark.slow
def test_dictconfig_while_others_log(tmp_path):
    """Handlers that die in the garbage collector while others log and dictConfig runs again block nobody."""
    script = """
    import gc, logging, logging.config, sys, threading
    gc.set_threshold(20)

    def configure():
        handlers = {"detail": {"class": "loghub.JSONDetailHandler", "directory": "errors", "home": sys.argv[1]}}
        root = {"handlers": list(handlers)}
        logging.config.dictConfig({
            "version": 1, "disable_existing_loggers": False, "handlers": handlers, "root": root,
        })

    def die():
        handler = logging.NullHandler()
        handler.me = handler

    def work():
        for _ in range(200):
            die()
            try: 1 / 0
            except Exception: logging.exception("order failed")

    configure()
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads: thread.start()
    while any(thread.is_alive() for thread in threads): configure()
    print("finished")
    """
    for number in range(4):
        out, _ = processes.run(script, tmp_path / f"home{number}", seconds=60)
        assert out == "finished\n"


def test_del_at_the_end(tmp_path):
    """An object that logs while the interpreter ends neither hangs it nor is lost."""
    script = """
    import logging, sys, loghub
    logging.getLogger().addHandler(loghub.JSONDetailHandler(home=sys.argv[1], directory=sys.argv[1] + "/errors"))

    class Late:
        def __del__(self):
            logging.error("from the end")

    late = Late()
    late.cycle = late
    logging.error("first")
    """
    processes.run(script, tmp_path / "home")
    out, _ = processes.run("import sys; from loghub.cli import main; main(sys.argv[1:])", "stats", "--json",
                           "--home", tmp_path / "home")  # fmt: skip
    assert '"total_errors": 2' in out
