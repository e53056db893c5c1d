"""What is printed about a record that a handler could not handle: as logging prints it, but without secrets."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import traceback
from typing import TYPE_CHECKING

from loghub.description import message_of, text_of
from loghub.scrub.own import scrubber

if TYPE_CHECKING:
    from types import FrameType


def tell(record: logging.LogRecord) -> None:
    """Print the error that is being handled, and `record`, to standard error."""
    if not logging.raiseExceptions or not sys.stderr:
        return
    with contextlib.suppress(OSError):  # nobody is there to read it
        sys.stderr.write(_said(record))


def _said(record: logging.LogRecord) -> str:
    kind, error, tb = sys.exc_info()
    frame = tb.tb_frame if tb is not None else None
    while frame is not None and os.path.dirname(frame.f_code.co_filename) == logging.__path__[0]:
        frame = frame.f_back
    told = scrubber().event({
        "traceback": "".join(traceback.format_exception(kind, error, tb)) + _stack(frame, record),
        "message": message_of(record),  # shows which of the arguments stands beside the name of a secret
        "template": text_of(record.msg, repr),
        "args": [text_of(arg, repr) for arg in record.args] if isinstance(record.args, tuple) else [record.args],
    })  # fmt: skip
    arguments = ", ".join(map(str, told.get("args", [])))
    what = f"Message: {told.get('template', '')}\nArguments: ({arguments})\n"
    return f"--- Logging error ---\n{told.get('traceback', '')}{what}"


def _stack(frame: FrameType | None, record: logging.LogRecord) -> str:
    if frame is None:
        return f"Logged from file {record.filename}, line {record.lineno}\n"
    return "Call stack:\n" + "".join(traceback.format_stack(frame))
