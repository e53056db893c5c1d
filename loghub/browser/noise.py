"""Reports that tell nobody anything, whatever the page's own filter let through."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from loghub.browser import stack as stacks

if TYPE_CHECKING:
    from loghub.browser.report import Report

_FOREIGN = re.compile(r"script error\.?$", re.IGNORECASE)
_RESIZE = re.compile(r"ResizeObserver loop (?:limit exceeded|completed with undelivered notifications)")


def noise(report: Report) -> str | None:
    """Return why a report is not worth a record, one sentence for whoever posted it; None: it is worth one.

    That is: ``Script error.`` without a stack (a browser hides what scripts of another origin say), the two sentences
    of ResizeObserver (no error: the browser puts work off by a frame), and stacks of nothing but browser extensions.
    """
    message = report.error_message.removeprefix("Uncaught ").removeprefix("Error: ").strip()
    lines = stacks.read(report.stack, report.error_message, ())
    files = [line.frame["file"] for line in lines if line.frame is not None]
    written = [file for file in files if not stacks.is_native(file)]
    if _FOREIGN.match(message) and not written:
        return (
            'Ignored: "Script error." hides an error of another origin\'s script: give its tag crossorigin="anonymous".'
        )
    if _RESIZE.match(message):
        return "Ignored: ResizeObserver's loop notice is no error of the page."
    if written and all(map(stacks.is_extension, written)):
        return "Ignored: every frame of the stack is a browser extension's."
    return None
