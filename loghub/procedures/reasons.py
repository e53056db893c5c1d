"""Why a procedure did not help, in a sentence without secrets."""

from __future__ import annotations

from typing import NoReturn

from loghub.errors import ProcedureError
from loghub.scrub.own import clean

_MAX_CHARS = 300


def fail(sentence: str) -> NoReturn:
    """Raise ProcedureError with `sentence`."""
    raise ProcedureError(clean(sentence)) from None  # what is being handled may show a secret


def of(error: BaseException) -> str:
    """Return an exception's type and what it says, on one line and not too long."""
    try:
        said = short(str(error))
    except Exception:  # an exception of the application
        said = "<unprintable>"
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def short(text: str) -> str:
    """Return `text` on one line and not too long."""
    line = " ".join(text[: 4 * _MAX_CHARS].split())
    return line if len(line) <= _MAX_CHARS else line[: _MAX_CHARS - 3] + "..."
