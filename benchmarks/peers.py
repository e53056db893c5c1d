"""The contenders: how each is set up, by its own documentation, and how to wait until it is through.

    python benchmarks/peers.py              # which there are, and which are installed

A set-up runs in the contender's own process, imports what it needs there, and gets a `Place`.
"""

import importlib.util
import logging
import logging.config
import logging.handlers
import threading
from typing import Any, NamedTuple

FILE = {"maxBytes": 10_000_000, "backupCount": 5}
LOGHUB = {
    "github": ["github"],
    "detail": ["detail"],
    "mail": ["mail"],
    "file": ["file"],
    "three": ["github", "detail", "mail"],
    "four": ["github", "detail", "mail", "file"],
}


class Place(NamedTuple):
    """Where a contender writes and sends.

    Attributes:
        folder: A folder of its own.
        github: Address of the stand-in for GitHub.
        mailhost: ``host:port`` of the mail server.
        sink: Address that takes the reports of all services.
    """

    folder: str
    github: str
    mailhost: str
    sink: str


class Ready(NamedTuple):
    """A contender that can be called.

    Attributes:
        error: What the application calls in its `except`, with `message` and a number.
        message: In the style that `error` knows.
        settle: Waits until nothing but what the end of the process does is left.
        through: Waits for all, as the end of the process does.
    """

    error: Any
    message: str
    settle: Any
    through: Any


def _join_threads():
    for thread in threading.enumerate():  # some SDKs start one for each report
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()


def _ready(*handlers, settle=_join_threads, stop=lambda: None):
    log = logging.getLogger("shop")
    log.propagate = False
    for handler in handlers:
        log.addHandler(handler)

    def through():
        settle()
        stop()
        logging.shutdown()

    return Ready(log.exception, "order %d", settle, through)


def _file(place, kind=logging.handlers.RotatingFileHandler):
    return kind(f"{place.folder}/app.log", **FILE)


def _null(_place):
    return _ready(logging.NullHandler())


def _stdlib(place):
    return _ready(_file(place))


def _json(place):
    from pythonjsonlogger.json import JsonFormatter

    handler = _file(place)
    handler.setFormatter(JsonFormatter())
    return _ready(handler)


def _queue(place):
    import queue

    waiting = queue.Queue()
    listener = logging.handlers.QueueListener(waiting, _file(place))
    listener.start()
    return _ready(logging.handlers.QueueHandler(waiting), settle=waiting.join, stop=listener.stop)


def _concurrent(place):
    from concurrent_log_handler import ConcurrentRotatingFileHandler

    return _ready(_file(place, ConcurrentRotatingFileHandler))


def _loguru(place, **options):
    from loguru import logger

    logger.remove()
    logger.add(f"{place.folder}/app.log", rotation=FILE["maxBytes"], retention=FILE["backupCount"], **options)
    return Ready(logger.exception, "order {}", lambda: None, logger.remove)


def _loguru_plain(place):
    return _loguru(place, backtrace=False, diagnose=False)


def _sentry(place, **options):
    import sentry_sdk

    sentry_sdk.init(dsn=place.sink.replace("//", "//key@") + "/1", **options)
    # It patches the loggers themselves; without a handler logging would print to stderr.
    return _ready(logging.NullHandler(), settle=lambda: sentry_sdk.flush(timeout=30))


def _sentry_stripped(place):
    return _sentry(place, include_local_variables=False, include_source_context=False, max_breadcrumbs=0)


def _rollbar(place):
    import rollbar
    from rollbar.logger import RollbarHandler

    rollbar.init("token", "production", endpoint=f"{place.sink}/api/1/", allow_logging_basic_config=False)
    return _ready(RollbarHandler())


def _bugsnag(place):
    import bugsnag
    from bugsnag.handlers import BugsnagHandler

    bugsnag.configure(api_key="0" * 32, endpoint=place.sink, session_endpoint=place.sink)
    return _ready(BugsnagHandler())


def _honeybadger(place):
    from honeybadger.contrib.logger import HoneybadgerHandler

    handler = HoneybadgerHandler(api_key="key")
    handler.honeybadger.configure(endpoint=place.sink)
    return _ready(handler)


def write_yaml(place, names):
    """Write a logging.yaml with these handlers of loghub, all other options at their defaults; return its path."""
    import yaml

    home = {"home": f"{place.folder}/home"}
    github = {"repo": "acme/shop", "token": "fake-token", "api_url": place.github}
    mail = {"mailhost": place.mailhost, "fromaddr": "shop@example.com", "toaddrs": ["team@example.com"]}
    handlers = {
        "github": {"class": "loghub.GitHubIssueHandler", **github, **home},
        "detail": {"class": "loghub.JSONDetailHandler", "directory": f"{place.folder}/errors", **home},
        "mail": {"class": "loghub.BatchingSMTPHandler", **mail, **home},
        "file": {"class": "loghub.RotatingFileHandler", "filename": f"{place.folder}/app.log", **FILE},
    }
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {name: handlers[name] for name in names},
        "loggers": {"shop": {"handlers": names}},
    }
    path = f"{place.folder}/logging.yaml"
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump(config, file, sort_keys=False)
    return path


def _loghub(names):
    def set_up(place):
        import yaml

        with open(write_yaml(place, names), encoding="utf-8") as file:
            logging.config.dictConfig(yaml.safe_load(file))
        return _ready()

    return set_up


class Contender(NamedTuple):
    """A set-up, and the package that it needs."""

    set_up: Any
    needs: str = "logging"

    @property
    def installed(self):
        """Whether the package is there."""
        return importlib.util.find_spec(self.needs) is not None


CONTENDERS = {
    "null": Contender(_null),
    "stdlib": Contender(_stdlib),
    "stdlib-json": Contender(_json, "pythonjsonlogger"),
    "queue": Contender(_queue),
    "concurrent": Contender(_concurrent, "concurrent_log_handler"),
    "loguru": Contender(_loguru, "loguru"),
    "loguru-plain": Contender(_loguru_plain, "loguru"),
    "sentry": Contender(_sentry, "sentry_sdk"),
    "sentry-stripped": Contender(_sentry_stripped, "sentry_sdk"),
    "rollbar": Contender(_rollbar, "rollbar"),
    "bugsnag": Contender(_bugsnag, "bugsnag"),
    "honeybadger": Contender(_honeybadger, "honeybadger"),
    **{name: Contender(_loghub(names), "loghub") for name, names in LOGHUB.items()},
}

if __name__ == "__main__":
    for name, contender in CONTENDERS.items():
        print(f"{name:16} {'' if contender.installed else 'not installed: ' + contender.needs}")
