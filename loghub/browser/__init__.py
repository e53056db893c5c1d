"""Errors of browsers: what a page posts becomes a record of logger ``loghub.browser``, like any other.

::

    try:
        report = browser.read(body)
    except BadReportError as error:
        return {"success": False, "issue_url": None, "message": str(error)}, 400
    if why := browser.noise(report):
        return {"success": True, "issue_url": None, "message": why}
    record = browser.record_of(report, now=time.time(), origin=request.headers.get("Origin"))
    logging.getLogger("loghub.browser").handle(record)

`read` checks, `noise` says what is not worth a record, `record_of` makes it. `SourceMaps` gives frames of minified
scripts their original names. What is posted comes from strangers; each module says what follows from that.
"""

from loghub.browser.noise import noise
from loghub.browser.record import record_of
from loghub.browser.report import MAX_BYTES, Cause, Report, read
from loghub.browser.sourcemaps import SourceMaps

__all__ = ["MAX_BYTES", "Cause", "Report", "SourceMaps", "noise", "read", "record_of"]
