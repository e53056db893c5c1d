"""JsonFormatter: python-json-logger's, plus what loghub knows of the record."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pythonjsonlogger.json import JsonFormatter as _JsonFormatter

from loghub.capture import Sighting
from loghub.filters import shared_capture

if TYPE_CHECKING:
    from loghub.capture import Capture

_ADDED = ("fingerprint", "component", "environment", "release")


class JsonFormatter(_JsonFormatter):
    """Adds ``component``, ``environment``, ``release``, and for errors ``fingerprint``.

    Takes python-json-logger's options.
    """

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Fill in the line's fields."""
        super().add_fields(log_data, record, message_dict)
        seen = record.__dict__.get("_loghub_event")
        capture = seen.capture if type(seen) is Sighting else shared_capture()
        added = self._added(record, capture)
        log_data.update({name: value for name, value in added.items() if value is not None})

    def _added(self, record: logging.LogRecord, capture: Capture) -> dict[str, Any]:
        asked = record.__dict__.get("component")
        added = {
            "fingerprint": None,
            "component": asked or capture.component or record.name.partition(".")[0],
            "environment": capture.environment,
            "release": capture.release,
        }
        if record.levelno >= logging.ERROR or record.exc_info:
            kind = capture.sight(record).kind
            added["fingerprint"] = kind.fingerprint if kind else None
        return added
