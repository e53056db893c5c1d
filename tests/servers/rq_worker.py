"""An RQ worker with logging.yaml, and its jobs; each runs in a work-horse that ends with ``os._exit``."""

from __future__ import annotations

import logging.config
import sys

from tests.servers.bugs import config, fail


def meet(bug):
    """Fail; RQ logs it."""
    fail(bug)


if __name__ == "__main__":
    from redis import Redis
    from rq import Worker

    logging.config.dictConfig(config())
    connection = Redis(port=int(sys.argv[1]))
    connection.set_response_callback("CLIENT INFO", lambda *_, **__: {"addr": "here"})  # fakeredis has none
    Worker(["shop"], connection=connection).work(logging_level="WARNING")
