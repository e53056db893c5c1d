"""Which errors a procedure is for: what `on` says."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING

from loghub.plain import exception_of, plain
from loghub.traceback_text import TRACEBACK_HEAD, parse_traceback

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FINGERPRINT = re.compile(r"v\d+:[0-9a-f]{16}")
_MOST = 1000


class Kinds:
    """What `on` says, as a test of records.

    A name is that of an exception class, dotted or not, of which subclasses count, or that of a logger, of which
    children count; nothing is imported for it. A level stands for itself and those above.

    Args:
        names: Such names, levels and fingerprints; one that fits is enough.
    """

    def __init__(self, names: Sequence[str]) -> None:
        levels = logging.getLevelNamesMapping()
        self.fingerprints = frozenset(name for name in names if _FINGERPRINT.fullmatch(name))
        self.level = min((levels[name.upper()] for name in names if name.upper() in levels), default=None)
        self.names = frozenset(name for name in names if name.upper() not in levels) - self.fingerprints
        self._loggers: dict[str, bool] = {}
        self._classes: dict[type[BaseException], bool] = {}

    def fit(self, record: logging.LogRecord) -> bool:
        """Return whether the record is of these kinds, as far as that can be said without its fingerprint."""
        if self.level is not None and record.levelno >= self.level:
            return True
        if not self.names:
            return False
        return self._fits_logger(record.name) or self._fits_exception(record)

    def fit_class(self, name: str) -> bool:
        """Return whether the name of an exception class is one of these, or the end of one."""
        return any(name in (one, one.rpartition(".")[2]) for one in self.names)

    def _fits_logger(self, name: str) -> bool:
        known = self._loggers.get(name)
        if known is None:
            known = any(name == one or name.startswith(f"{one}.") for one in self.names)
            if len(self._loggers) < _MOST:
                self._loggers[name] = known
        return known

    def _fits_exception(self, record: logging.LogRecord) -> bool:
        info = record.exc_info
        if isinstance(info, tuple) and isinstance(info[0], type):
            return self._fits_class(info[0])
        unwrapped = plain(record)
        if (exc := exception_of(unwrapped)) is not None:
            return self._fits_class(type(exc))
        text = _traceback_in(unwrapped)
        if not text:
            return False
        said = parse_traceback(text)  # the exception stayed behind in another thread or process
        name, module = said["error_type"], said["error_module"]
        if not self.names.isdisjoint((name, f"{module}.{name}")):
            return True
        # Python prints no module for its own classes and those of __main__.
        places = [module] if module not in ("", "builtins") else ["builtins", "__main__"]
        found = (getattr(sys.modules.get(place), name, None) for place in places)
        cls = next((one for one in found if isinstance(one, type) and issubclass(one, BaseException)), None)
        return cls is not None and self._fits_class(cls)

    def _fits_class(self, cls: type[BaseException]) -> bool:
        known = self._classes.get(cls)
        if known is None:
            known = any(not self.names.isdisjoint(_names(one)) for one in cls.__mro__) or any(
                issubclass(cls, found) for found in self._loaded()
            )
            if len(self._classes) < _MOST:
                self._classes[cls] = known
        return known

    def _loaded(self) -> Iterator[type]:
        """Yield the classes that are meant by a name under which another module has them, too."""
        for name in self.names:
            module, _, attribute = name.rpartition(".")
            found = getattr(sys.modules.get(module), attribute, None)
            if isinstance(found, type):
                yield found


def _traceback_in(record: logging.LogRecord) -> str:
    """Return the text with the traceback that a QueueHandler left: in a place of its own, or in the message."""
    for text in (record.exc_text, record.msg):
        if isinstance(text, str) and TRACEBACK_HEAD in text:
            return text[text.index(TRACEBACK_HEAD) :]
    return ""


def _names(cls: type) -> tuple[str, str, str]:
    return cls.__name__, cls.__qualname__, f"{cls.__module__}.{cls.__qualname__}"
