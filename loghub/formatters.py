"""JsonFormatter: python-json-logger's, plus what loghub knows of the record."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pythonjsonlogger.json import JsonFormatter as _JsonFormatter

from loghub.filters import shared_capture
from loghub.rendering import formatted
from loghub.sighting import FIELD, Sighting

if TYPE_CHECKING:
    from loghub.capture import Capture


class CachedTracebacks(logging.Formatter):
    """A mixin: tracebacks come from loghub's cache, byte for byte what `traceback` prints.

    ``class MyFormatter(TheirFormatter, CachedTracebacks)``: it stands where logging's own formatter would be asked.
    """

    def formatException(self, ei: Any) -> Any:
        """Return the traceback as text, without a line end."""
        return super().formatException(ei) if ei[1] is None else formatted(ei)


class JsonFormatter(_JsonFormatter, CachedTracebacks):
    """Adds ``component``, ``environment``, ``release``, and for errors ``fingerprint``.

    Takes python-json-logger's options; ``rename_fields`` renames these too, and ``reserved_attrs`` leaves them
    out. What the caller gave as ``extra`` stands where it has the same name, but for the fingerprint.
    """

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Fill in the line's fields."""
        super().add_fields(log_data, record, message_dict)
        seen = record.__dict__.get(FIELD)
        capture = (seen.capture if type(seen) is Sighting else None) or shared_capture()
        for name, value in _added(record, capture).items():
            field = self.rename_fields.get(name, name)
            said = log_data.get(field) is not None and name != "fingerprint"
            if value is not None and not said and name not in self.reserved_attrs:
                log_data[field] = value


def _added(record: logging.LogRecord, capture: Capture) -> dict[str, str | None]:
    fingerprint = None
    if record.levelno >= logging.ERROR or record.exc_info:
        kind = capture.sight(record).kind
        fingerprint = kind.fingerprint if kind else None
    said = capture.describer
    return {
        "fingerprint": fingerprint,
        "component": said.component_of(record),
        "environment": said.environment,
        "release": said.release,
    }
