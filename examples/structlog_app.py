"""structlog that ends in logging: what is bound becomes the error's context.

    python examples/structlog_app.py

The lines of the log are JSON. Without a token the error is kept: `loghub show ID` tells it with order and user.
"""

import logging.config

import structlog

logging.config.dictConfig(
    {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "loghub.JsonFormatter", "format": "%(levelname)s %(message)s"}},
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": "json"},
            "github": {"class": "loghub.GitHubIssueHandler"},
            "detail": {"class": "loghub.JSONDetailHandler", "directory": "logs/errors"},
        },
        "root": {"level": "INFO", "handlers": ["console", "github", "detail"]},
    }
)
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.filter_by_level,
        structlog.stdlib.render_to_log_kwargs,  # the rest of the event dict goes into extra
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
    logger_factory=structlog.stdlib.LoggerFactory(),
)

log = structlog.get_logger("shop")


def charge(total, people):
    return total / people


if __name__ == "__main__":
    structlog.contextvars.bind_contextvars(user="u-7")
    order = log.bind(order=17)
    order.info("charging")
    try:
        charge(100, 0)
    except ZeroDivisionError:
        order.exception("charge failed")
