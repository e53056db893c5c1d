"""A Flask application, and one without a framework behind ``/raw/``: there the server logs what it raises."""

from __future__ import annotations

import logging
import time

from flask import Flask

from tests.servers.bugs import fail, say

flask = Flask("shop")


@flask.get("/<bug>")
def meet(bug):
    """Meet a bug; Flask logs it."""
    fail(bug)


@flask.get("/slow")
def slow():
    """Take too long."""
    say("slow", "-")
    time.sleep(60)
    return ""


def app(environ, start_response):
    """Pass on to Flask, or fail by itself."""
    path = environ["PATH_INFO"]
    if path.startswith("/raw/"):
        fail(path.removeprefix("/raw/"))
    return flask(environ, start_response)


logging.getLogger("shop").info("loaded")
