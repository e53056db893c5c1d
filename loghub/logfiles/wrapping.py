"""What collectors put around each line, taken off: what it tells is which lines belong together, and a time.

Docker's json-file driver, ``docker logs -t``, compose, the CRI format of Kubernetes' nodes (``stdout F``), ``kubectl
logs --prefix`` and ``--timestamps``, syslog (RFC 3164 and 5424) and journalctl's short forms.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

_ISO = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
_LEVELS = rb"(?:TRACE|DEBUG|INFO|SUCCESS|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)"
_PREFIX = re.compile(
    rb"(?:"
    rb"(?P<service>(?!" + _LEVELS + rb"\b)[\w.\-]{1,80}+) *+\|(?: |$)"
    rb"|\[pod/(?P<pod>[^\]\s]{1,200})\] "
    rb"|(?P<cri>" + _ISO + rb") (?P<stream>std(?:out|err)) (?P<part>[FP])(?: |$)"
    rb"|(?P<stamped>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z)(?: |$)"
    rb"|(?:<\d{1,3}>)?(?P<month>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,6})?)"
    rb" (?P<program>[\w.\-]{1,80} (?!" + _LEVELS + rb"\b)[\w.\-/@]{1,80}(?:\[\d{1,9}\])?): ?"
    rb"|(?P<day>" + _ISO + rb") (?P<tag>[\w.\-]{1,80} [\w.\-/@]{1,80}\[\d{1,9}\]): ?"
    rb"|<\d{1,3}>1 (?P<sent>"
    + _ISO
    + rb") (?P<sender>\S{1,255} \S{1,48} \S{1,128}) \S{1,32} (?:-|\[[^\n]{0,500}?\])(?: |$)"
    rb")"
)
_TIMES = ("cri", "stamped", "month", "day", "sent")
_LANES = ("service", "pod", "stream", "program", "tag", "sender")
_DOCKER = b'{"log":'
MAX_DEEP = 3


class Unwrapped(NamedTuple):
    """A line as its program wrote it.

    Attributes:
        lane: What tells this program's lines from those of others; empty if nothing does.
        line: The line.
        time: When a collector got it; empty if it does not say.
        goes_on: The next one of the lane is the rest of this one.
    """

    lane: bytes
    line: bytes
    time: bytes = b""
    goes_on: bool = False


def unwrap(line: bytes) -> Unwrapped | None:
    """Take off what a collector put around `line`; None if there is nothing of that kind."""
    if line.startswith(_DOCKER):
        return _docker(line)
    read = _PREFIX.match(line)
    if read is None:
        return None
    lane, time, goes_on = b"", b"", False
    for _ in range(MAX_DEEP):
        lane += b" ".join([part for name in _LANES if (part := read[name])])
        time = next((found for name in _TIMES if (found := read[name])), time)
        goes_on = read["part"] == b"P"
        line = line[read.end() :]
        if (read := _PREFIX.match(line)) is None:
            break
    return Unwrapped(lane, line, time, goes_on)


def _docker(line: bytes) -> Unwrapped | None:
    try:
        said = json.loads(line)
        text = said["log"].encode(errors="replace")
        lane, time = str(said.get("stream", "")).encode(), str(said.get("time", "")).encode()
    except (ValueError, KeyError, AttributeError, RecursionError):
        return None
    inner = unwrap(text.removesuffix(b"\n").removesuffix(b"\r"))
    whole = text.endswith(b"\n")
    return Unwrapped(
        lane + (inner.lane if inner else b""), inner.line if inner else text.rstrip(b"\r\n"), time, not whole
    )
