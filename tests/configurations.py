"""Configurations for tests, which a child process can make as well: all handlers at once; and how YAML is read."""

from __future__ import annotations

NOBODY = 9
"""A port of this machine at which nobody listens."""


def everything(folder, *, github=f"http://127.0.0.1:{NOBODY}", smtp=NOBODY, token="a-token", file=None, **common):
    """Return a dictConfig with all handlers that write or deliver, one EventFilter and JSON lines in the file.

    Args:
        folder: Where home, detail files and log are.
        github: URL of GitHub; nobody is there by default.
        smtp: Port of the mail server on this machine.
        token: For GitHub.
        file: More options of the log file.
        common: Options of all reporting handlers.
    """
    given = {"home": f"{folder}/home", "filters": ["event"], "level": "ERROR"} | common
    handlers = {
        "github": {"class": "loghub.GitHubIssueHandler", "repo": "acme/shop", "token": token, "api_url": github},
        "detail": {"class": "loghub.JSONDetailHandler", "directory": f"{folder}/errors"},
        "mail": {
            "class": "loghub.BatchingSMTPHandler", "mailhost": ["127.0.0.1", smtp],
            "fromaddr": "shop@example.com", "toaddrs": ["team@example.com"],
        },
    }  # fmt: skip
    handlers = {name: said | given for name, said in handlers.items()}
    handlers["file"] = {
        "class": "loghub.RotatingFileHandler", "filename": f"{folder}/logs/app.log", "formatter": "json",
        "maxBytes": 500_000, "backupCount": 100,
    } | (file or {})  # fmt: skip
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"event": {"()": "loghub.EventFilter", "component": "shop"}},
        "formatters": {
            "json": {"()": "loghub.JsonFormatter", "format": "%(asctime)s %(levelname)s %(message)s"},
            "line": {"format": "%(asctime)s - %(levelname)s - %(message)s"},
        },
        "handlers": handlers,
        "root": {"level": "INFO", "handlers": list(handlers)},
    }


def keyed(value):
    """Return what an editor reads where PyYAML reads a bare ``on`` as true."""
    if isinstance(value, dict):
        return {"on" if key is True else key: keyed(one) for key, one in value.items()}
    return [keyed(one) for one in value] if isinstance(value, list) else value
