"""What a record's exception is, where a library wraps it."""

from __future__ import annotations

import logging

from billiard.einfo import ExceptionInfo

from loghub.capture import Capture


def test_wrapped_by_a_pool():
    """What Celery's pool says of a task is the exception that it wraps together with the text of its traceback."""
    try:
        raise TimeoutError("took too long")
    except TimeoutError:
        info = ExceptionInfo()
    record = logging.LogRecord("celery", logging.ERROR, __file__, 1, "failed: %r", (info.exception,), info.exc_info)
    assert type(record.exc_info[1]).__name__ == "ExceptionWithTraceback"
    capture = Capture()
    event = capture.keep(capture.sight(record), record)
    assert (event["error_type"], event["error_message"]) == ("TimeoutError", "took too long")
    assert event["function"] == "test_wrapped_by_a_pool"
