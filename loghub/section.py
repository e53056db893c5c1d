"""Seed B's ``error_handling`` section of a JSON configuration, as a dictConfig."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from loghub import options
from loghub.errors import OptionValueError, UnknownOptionError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

SECTION = "error_handling"
_KEYS = ("log_path", "max_log_size", "backup_count", "email_notifications", "email_config")
_MAIL_KEYS = ("server", "port", "username", "password", "from_addr", "to_addrs")


def from_error_handling_section(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `logging.config.dictConfig` takes for an ``error_handling`` section.

    The error log in ``log_path`` rolls over as the section says; beside it stands a JSON file for each kept error;
    uncaught exceptions are logged; with ``email_notifications`` errors are mailed. Where the configuration has a
    ``database`` with a ``path``, a damaged or missing one is restored from ``path`` + ``.backup``. Loggers of the
    application stay as they are.

    Args:
        config: The whole configuration, or the section alone.

    Raises:
        UnknownOptionError: The section has a key that it should not have.
        OptionValueError: A value is malformed or missing.
    """
    said = options.plain(config)
    if not isinstance(said, dict):
        raise OptionValueError(
            f"An {SECTION} section is a mapping with {', '.join(_KEYS)}, not a {type(config).__name__}."
        )
    section = _mapping(SECTION, said[SECTION], _KEYS) if SECTION in said else _mapping(SECTION, said, _KEYS)
    folder = options.text(SECTION, "log_path", section.get("log_path", "logs/errors"))
    handlers = {
        "error_log": {
            "class": "loghub.RotatingFileHandler",
            "formatter": "error_log",
            "level": "ERROR",
            "filename": f"{folder.rstrip('/')}/error.log",
            "maxBytes": options.whole(SECTION, "max_log_size", section.get("max_log_size", 10_485_760)),
            "backupCount": options.whole(SECTION, "backup_count", section.get("backup_count", 5)),
        },
        "error_details": {"class": "loghub.JSONDetailHandler", "level": "ERROR", "directory": folder},
        "error_uncaught": {"class": "loghub.UncaughtHandler"},
    }
    if options.flag(SECTION, "email_notifications", section.get("email_notifications", False)):
        handlers["error_mail"] = _mail(section.get("email_config") or {})
    if database := _database(said):
        handlers["error_recovery"] = _recovery(database)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"error_log": {"format": "%(asctime)s - %(levelname)s - %(message)s"}},
        "handlers": handlers,
        "root": {"handlers": list(handlers)},
    }


def _mapping(name: str, value: object, keys: Collection[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        options.refuse(name, name, value, f"a mapping with {', '.join(keys)}")
    for key in value:
        if key not in keys:
            near = difflib.get_close_matches(str(key), keys, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(keys)}."
            raise UnknownOptionError(f"{name} has no {key!r}; {hint}")
    return value


def _mail(value: object) -> dict[str, Any]:
    owner = "email_config"
    said = _mapping(owner, value, _MAIL_KEYS)
    for key in ("server", "from_addr", "to_addrs"):
        if not said.get(key):
            raise OptionValueError(f"{owner} needs {key!r} while email_notifications is true.")
    port = options.whole(owner, "port", said.get("port", 587), 1)
    mail = {
        "class": "loghub.BatchingSMTPHandler",
        "level": "ERROR",
        "mailhost": [options.text(owner, "server", said["server"]), port],
        "fromaddr": said["from_addr"],
        "toaddrs": said["to_addrs"],
        "secure": "ssl" if port == 465 else "starttls",
    }
    if said.get("username"):
        mail["credentials"] = [said["username"], said.get("password") or ""]
    return mail


def _database(said: dict[str, Any]) -> str | None:
    database = said.get("database") if SECTION in said else None
    path = database.get("path") if isinstance(database, dict) else None
    return path if isinstance(path, str) and path else None


def _recovery(path: str) -> dict[str, Any]:
    return {
        "class": "loghub.RecoveryHandler",
        "level": "ERROR",
        "procedures": [
            {
                "on": "DatabaseError",
                "run": "loghub.procedures.restore_sqlite",
                "with": {"path": path, "backup": f"{path}.backup"},
            }
        ],
    }
