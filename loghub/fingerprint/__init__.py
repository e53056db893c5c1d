"""Which events are the same bug, by version: one group is one bug that a maintainer would fix in one place.

`parts` says what counts and why; `of_event` is the hash over it. The rules stand in a module for each version:
`loghub.fingerprint.v1`, and `loghub.fingerprint.v0` for who comes from elsewhere.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from loghub.fingerprint import v0, v1
from loghub.fingerprint.codes import may_have_code
from loghub.fingerprint.files import is_library_path
from loghub.fingerprint.messages import normalize
from loghub.fingerprint.reading import with_stack

if TYPE_CHECKING:
    import logging
    from collections.abc import Collection, Iterable, Iterator, Mapping

__all__ = [
    "VERSION", "VERSIONS", "Part", "custom", "explain", "is_library_path", "judge", "may_have_code", "message_key",
    "normalize", "of_event", "of_record", "parts",
]  # fmt: skip


class Rules(Protocol):
    """What the module of a version has."""

    WHY: dict[str, str]

    def found_in(self, event: Mapping[str, Any], /) -> Iterator[tuple[str, str]]:
        """Yield what counts of an event, each as what it is and its value, in the order in which it is hashed."""

    def is_by_message(self, event: Mapping[str, Any], found: Collection[tuple[str, str]], /) -> bool:
        """Return whether another message on the same way through the code could be another bug."""

    def message_key(self, message: str, /) -> str:
        """Return all that `found_in` can take from an exception's message: equal keys, equal fingerprints."""


VERSION = "v1"
VERSIONS: dict[str, Rules] = {"v0": v0, "v1": v1}
"""The rules by version; which one counts is the option ``grouping`` of an EventFilter."""


class Part(NamedTuple):
    """One thing that was hashed: what it is, its value, and why it counts."""

    what: str
    value: str
    why: str


def of_record(record: logging.LogRecord) -> str:
    """Return the fingerprint of a record, by the EventFilter that has seen it, or by the defaults."""
    from loghub.filters import shared_capture

    return shared_capture().fingerprint_of(record)


def of_event(event: Mapping[str, Any], version: str = VERSION) -> str:
    """Return the version, ``:``, and 16 hex digits: the key of "the same bug".

    Args:
        event: Any dict with an event's keys. Keys may be missing, values of any type; nothing is raised.
            Its own ``fingerprint`` is not read: see `custom`.
        version: One of `VERSIONS`.

    Raises:
        KeyError: There is no such version.
    """
    return judge(event, version)[0]


def judge(event: Mapping[str, Any], version: str = VERSION) -> tuple[str, bool]:
    """Return `of_event`, and whether another message on the same way through the code could be another bug.

    Where that is so, `message_key` says which messages need not be told apart.
    """
    rules = VERSIONS[version]
    event = with_stack(event)
    found = dict.fromkeys(rules.found_in(event))
    return _digest((text for part in found for text in part), version), rules.is_by_message(event, found)


def message_key(message: str, version: str = VERSION) -> str:
    """Return all that `of_event` can take from an exception's message: equal keys, equal fingerprints."""
    return VERSIONS[version].message_key(message)


def parts(event: Mapping[str, Any], version: str = VERSION) -> list[Part]:
    """Return what counts of `event`, in the order in which it is hashed."""
    rules = VERSIONS[version]
    return [Part(what, value, rules.WHY[what]) for what, value in dict.fromkeys(rules.found_in(with_stack(event)))]


def explain(event: Mapping[str, Any], version: str = VERSION) -> list[dict[str, str]]:
    """Return `parts` as rows: ``what``, ``value``, ``why``."""
    return [part._asdict() for part in parts(event, version)]


def custom(value: object, default: str) -> str:
    """Return the fingerprint that ``extra={"fingerprint": value}`` asks for.

    Args:
        value: A text or a list; ``"{{ default }}"`` in it stands for `default`. Nothing at all, or only
            that, is `default`.
        default: What `of_event` returned.
    """
    items = value if isinstance(value, list | tuple) else [value]
    texts = [str(item) for item in items if item is not None and item != ""]
    chosen = [default if _DEFAULT.fullmatch(text) else text for text in texts]
    return default if chosen in ([], [default]) else _digest(["custom", *chosen], VERSION)


_DEFAULT = re.compile(r"\s*\{\{\s*default\s*\}\}\s*")


def _digest(texts: Iterable[str], version: str) -> str:
    parts = list(texts)
    joined = "\0".join(parts)
    if joined.count("\0") >= len(parts) > 0:  # a text has one of its own
        joined = "\0".join([text.replace("\0", " ") for text in parts])
    return f"{version}:{hashlib.blake2b(joined.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"
