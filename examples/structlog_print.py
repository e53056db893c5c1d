"""structlog that prints by itself: one processor hands errors over, nothing else changes.

    python examples/structlog_print.py

The log's lines are structlog's own. Without a token the error is kept: `loghub show ID` tells it with order and user.
"""

import logging.config

import structlog

import loghub.structlog

logging.config.dictConfig(
    {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"github": {"class": "loghub.GitHubIssueHandler"}},
        "root": {"level": "INFO", "handlers": ["github"]},
    }
)
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        loghub.structlog.report,  # before exceptions are rendered
        structlog.processors.dict_tracebacks,
        structlog.processors.JSONRenderer(),
    ],
)

log = structlog.get_logger()


def charge(total, people):
    return total / people


if __name__ == "__main__":
    structlog.contextvars.bind_contextvars(user="u-7")
    try:
        charge(100, 0)
    except ZeroDivisionError:
        log.exception("charge failed", order=17)
