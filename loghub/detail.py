"""Detail files: one JSON file for each occurrence that is kept in full."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from loghub import fingerprint
from loghub.errors import DetailFileError
from loghub.event import dumps, epoch, indented, iso, lay_out
from loghub.scrub.own import scrubber

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loghub.event import Event

PATTERN = re.compile(r"error_\d{8}_\d{6}_[\w]+\.json", re.ASCII)
"""Names of detail files (seed B's pattern)."""

MAX_BYTES = 16 << 20
"""A larger file was not written by loghub, and is not read."""

_MAX_NAME_CHARS = 200
_TEXTS = (
    "timestamp", "error_type", "error_message", "module", "function", "traceback", "id", "fingerprint", "error_module",
    "level", "logger", "message", "template", "component", "environment", "server", "platform", "mechanism", "file",
    "code", "relation",
)  # fmt: skip
_LISTS = ("frames", "causes", "exceptions", "notes", "breadcrumbs")
_KEYS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(_TEXTS, str),
    **dict.fromkeys(_LISTS, list),
    **dict.fromkeys(("additional_info", "process", "thread", "system"), dict),
    **dict.fromkeys(("release", "task"), (str, type(None))),
    **dict.fromkeys(("line", "column"), (int, type(None))),
    "args": (list, dict),
}
_DIGITS = (8, 64)  # of the id, in a file's name: the second where another file has the first
_HIDDEN = re.compile(r"\.error_.*\.tmp")
_ABANDONED_SECONDS = 3600.0  # a file under its hidden name is finished in no time, unless its writer was killed


def detail_files(directory: str) -> list[tuple[str, float, int]]:
    """Return path, time of writing and bytes of each detail file in `directory`."""
    return list(_files(directory, PATTERN))


def detail_name(event: Event, created: float) -> str:
    """Return ``error_YYYYmmdd_HHMMSS_Type_<id8>.json`` (UTC)."""
    return _name(event, created, 8)


def is_name_of(filename: str, event: Event) -> bool:
    """Return whether a detail file with the event has this name, which also says when the event was."""
    at = epoch(event.get("timestamp"))
    return at is not None and filename in {_name(event, at, digits) for digits in _DIGITS}


def time_of(filename: str) -> float | None:
    """Return the second in a detail file's name; None where there is no such time."""
    digits = re.sub(r"\D", "", os.path.basename(filename))[:14]
    return epoch(f"{digits[:8]}T{digits[8:]}Z") if len(digits) == 14 else None


def write_detail(directory: str, event: Event, created: float, text: str | None = None) -> str:
    """Write `event` into a new file of `directory`; return its path.

    Args:
        directory: Made if somebody has removed it.
        event: The event.
        created: When it happened, epoch seconds.
        text: What `loghub.event.lay_out` gives for the event, if that is known.

    Raises:
        OSError: It could not be written; nothing is left behind.
    """
    hidden = os.path.join(directory, f".error_{_word(event.get('id'))[:64]}.{threading.get_ident()}.tmp")
    data = indented(text or lay_out(event)).encode()
    try:
        fd = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileNotFoundError:  # somebody removed the directory
        os.makedirs(directory, exist_ok=True)
        fd = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        try:
            while data:
                data = data[os.write(fd, data) :]
        finally:
            os.close(fd)
        return _publish(hidden, directory, event, created)
    finally:
        _remove(hidden)


def _publish(hidden: str, directory: str, event: Event, created: float) -> str:
    """Give the file its name, unless another has it: then with more of the id."""
    path = ""
    for digits in _DIGITS:
        path = os.path.join(directory, _name(event, created, digits))
        if _gave_name(hidden, path) or _holds(path, event):
            break
    return path


def _gave_name(hidden: str, path: str) -> bool:
    try:
        os.link(hidden, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if os.path.exists(path):
            return False
        os.rename(hidden, path)
    return True


def _holds(path: str, event: Event) -> bool:
    """Whether this very event is there already: one record can come by two ways."""
    try:
        with open(path, encoding="utf-8") as file:
            return dumps(event.get("id", "")) in file.read()
    except (OSError, ValueError):
        return False


def _name(event: Event, created: float, digits: int) -> str:
    kind = _word(event.get("error_type"))[:80] or "Error"
    return f"error_{_stamp(int(created))}_{kind}_{_word(event.get('id'))[:digits]}.json"


@lru_cache(16)
def _stamp(second: int) -> str:
    return time.strftime("%Y%m%d_%H%M%S", time.gmtime(second))


def _word(value: object) -> str:
    text = str(value or "")
    return text if text.isascii() and text.isalnum() else re.sub(r"\W", "_", text, flags=re.ASCII)


def _files(directory: str, pattern: re.Pattern[str]) -> Iterator[tuple[str, float, int]]:
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for name in filter(pattern.fullmatch, names):
        path = os.path.join(directory, name)
        try:
            seen = os.stat(path)
        except OSError:  # another process sweeps too
            continue
        yield path, seen.st_mtime, seen.st_size


def abandoned_files(directory: str, now: float) -> list[str]:
    """Return the paths of files whose writers were killed."""
    return [path for path, at, _ in _files(directory, _HIDDEN) if at < now - _ABANDONED_SECONDS]


def read_detail(path: str) -> Event:
    """Read a detail file, also one that loghub did not write; what it lacks is filled in, and secrets are taken out.

    Raises:
        DetailFileError: It cannot be read, or is no detail file; the message says why.
    """
    try:
        with open(path, "rb", opener=_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise DetailFileError("no regular file")
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DetailFileError(error.strerror or str(error)) from error
    if len(data) > MAX_BYTES:
        raise DetailFileError(f"larger than {MAX_BYTES >> 20} MiB")
    try:
        said = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DetailFileError("empty" if not data.strip(b"\0 \r\n\t") else "no JSON, or cut off") from error
    if not isinstance(said, dict) or not isinstance(said.get("error_type"), str) or not said["error_type"]:
        raise DetailFileError("no error: there is no error_type in it")
    try:
        return _completed(said, path, data)
    except RecursionError as error:
        raise DetailFileError("nested too deeply") from error


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # nobody may ever write to a FIFO


def _completed(said: dict[str, Any], path: str, data: bytes) -> Event:
    shaped: Any = {name: value for name, value in said.items() if _fits(name, value)}
    event: Event = scrubber().event(shaped)
    at = epoch(event.get("timestamp"))
    if at is None or at < 0:
        event["timestamp"] = iso(time_of(path) or os.stat(path).st_mtime)
    event["id"] = event.get("id") or hashlib.blake2b(data, digest_size=16).hexdigest()
    event["fingerprint"] = event.get("fingerprint") or fingerprint.of_event(event)
    return event


def _fits(name: str, value: Any) -> bool:
    """Return whether a value is of the type that an event has under a name; nobody looks again."""
    kind = _KEYS.get(name)
    if kind is not None and not isinstance(value, kind):
        return False
    if name in ("id", "fingerprint"):
        return len(value) <= _MAX_NAME_CHARS
    if not isinstance(value, list) or name in ("args", "notes"):
        return True
    return all(isinstance(one, dict) and all(_fits(*pair) for pair in one.items()) for one in value)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return
