"""The options of RotatingFileHandler: what they may be, and what they mean."""

from __future__ import annotations

import codecs
import datetime as dt
import os
from typing import TYPE_CHECKING, Annotated, Any

from loghub import options
from loghub.rollover.schedule import PERIODS, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable

Path = Annotated[str | os.PathLike[str], options.Takes(type="string", minLength=1)]
Mode = Annotated[str, options.Takes(pattern="^[bt+]*[awx][awxbt+]*$")]
When = Annotated[str, options.Takes(pattern="^([SsMmHhDd]|[Mm][Ii][Dd][Nn][Ii][Gg][Hh][Tt]|[Ww][0-6])$")]
TimeOfDay = Annotated[dt.time | str, options.Takes(type="string", pattern=r"^T?([01]\d|2[0-3])(:?[0-5]\d)?")]
Compress = Annotated[str, options.Takes(enum=["gzip", "none"])]
ModeBits = Annotated[
    int | str,
    options.Takes(
        type=["string", "integer"], pattern=r"^\s*(0o)?0*[0-7]?[67][0-7]{2}\s*$", minimum=0o600, maximum=0o7777
    ),
]


def filename(owner: object, value: object) -> str | os.PathLike[str]:
    """Read `filename`: a path."""
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        options.refuse(owner, "filename", value, "the path of a file")
    return value


def mode(owner: object, value: object) -> str:
    """Read `mode`; lines are bytes anyway, so ``t`` and ``b`` say nothing."""
    letters = set(value) if isinstance(value, str) else set()
    if not letters & set("awx") or letters - set("awxbt+"):
        options.refuse(owner, "mode", value, "'a', 'w' or 'x'")
    return next(letter for letter in "awx" if letter in letters)


def codec(owner: object, value: Any) -> str | None:
    """Read `encoding`."""
    if value not in (None, "locale"):  # io.text_encoding's name for None
        try:
            "".encode(value)
        except (LookupError, TypeError):
            options.refuse(owner, "encoding", value, "the name of a text encoding, such as 'utf-8'")
    return value  # type: ignore[no-any-return]


def error_handler(owner: object, value: Any) -> str:
    """Read `errors`."""
    if value is None:
        return "backslashreplace"
    try:
        codecs.lookup_error(value)
    except (LookupError, TypeError):
        options.refuse(owner, "errors", value, "the name of an error handler, such as 'backslashreplace'")
    return str(value)


def schedule(owner: object, when: object, interval: object, utc: object, at: object) -> Schedule | None:
    """Read `when`, `interval`, `utc` and `atTime`; None without `when`."""
    interval = options.whole(owner, "interval", interval, 1)
    utc = options.flag(owner, "utc", utc)
    at = _time_of_day(owner, at)
    if when is None:
        return None
    if not isinstance(when, str) or when.upper() not in PERIODS:
        options.refuse(owner, "when", when, "S, M, H, D, midnight, or W0 (Monday) to W6")
    return Schedule(when.upper(), interval, utc, at)


def _time_of_day(owner: object, value: object) -> dt.time | None:
    if value is None or isinstance(value, dt.time):
        return value
    try:
        return dt.time.fromisoformat(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):  # YAML reads 03:30:00 without quotes as a number in base 60
        options.refuse(owner, "atTime", value, "a datetime.time or a text such as '03:30' (in quotes)")


def compress(owner: object, value: object) -> bool:
    """Read `compress`: whether to."""
    word = "none" if value is None else value
    if word not in ("none", "gzip"):
        options.refuse(owner, "compress", value, "'gzip' or none")
    return word == "gzip"


def limit(read: Callable[..., Any], owner: object, name: str, value: object) -> Any:
    """Read a limit with a function of `options`; 0 is none."""
    return 0 if value is None else read(owner, name, value)


def mode_bits(owner: object, value: object) -> int | None:
    """Read `mode_bits`: permissions, None for the umask's."""
    if value is None:
        return None
    bits = value
    if isinstance(value, str):
        try:
            bits = int(value, 8)
        except ValueError:
            bits = -1
    # The decimal numbers 600, 640, 644 and so on, meant as octal, do not let the owner read.
    if not isinstance(bits, int) or isinstance(bits, bool) or bits & ~0o7777 or bits & 0o600 != 0o600:
        options.refuse(owner, "mode_bits", value, "octal permissions that let the owner read and write: '0640'")
    return bits
