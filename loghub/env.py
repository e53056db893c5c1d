"""Environment variables for a logging.yaml: ``ext://loghub.env.NAME``.

A variable is read from the environment, then from ``.env`` in the working directory. ``.env`` is read again
when it changes; it never alters ``os.environ``.
"""

from __future__ import annotations

import os
from typing import Any

from loghub.errors import UnsetVariableError

_dotenv: tuple[object, dict[str, str]] = (None, {})


def read(*names: str) -> str | None:
    """Return the first of the variables `names` that is set and not empty, else None."""
    for name in names:
        value = os.environ.get(name)
        if value:
            return value
    file = _read_dotenv()
    return next((file[name] for name in names if file.get(name)), None)


def read_all(*names: str) -> list[str]:
    """Return what `read` gives for each of `names` that is set."""
    file = _read_dotenv()
    return [value for name in names if (value := os.environ.get(name) or file.get(name))]


def _read_dotenv() -> dict[str, str]:
    global _dotenv  # noqa: PLW0603 - one small cache per process
    try:
        seen = os.stat(".env")
    except OSError:
        return {}
    key = (seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_size)
    if _dotenv[0] != key:
        from dotenv import dotenv_values

        try:
            values = dotenv_values(os.path.abspath(".env"))
        except (OSError, ValueError):  # unreadable, or not text
            values = {}
        _dotenv = (key, {name: value for name, value in values.items() if value is not None})
    return _dotenv[1]


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    value = read(name)
    if value is None:
        raise UnsetVariableError(
            f"The environment variable {name} is not set; the logging configuration names it as "
            f"ext://loghub.env.{name}. Set it, or put {name}=... into .env in the working directory."
        )
    return value
