"""One mail about many errors: what waits for a mail destination as text and HTML in an `EmailMessage`.

Two things shape this module. A payload must not steer the mail: headers are one line each, and everything is
escaped. And a mail must arrive: it stays under 200 KB, because the outer end of long tracebacks gives way,
and where that is not enough the details of the least grave bugs; what gave way is said.
"""

from __future__ import annotations

import hashlib
import logging
import re
import socket
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import parseaddr
from html import escape
from string import Formatter
from typing import TYPE_CHECKING, Any

from loghub.event import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loghub.ledger.protocol import Item

MOST_BUGS = 100
"""How many bugs one mail can tell of in detail."""

SUBJECT_NAMES = ("component", "type", "module", "errors", "occurrences", "level", "environment", "release")
"""What a subject template can name; type, module, level and the rest are those of the gravest bug."""

_ONE_BUG = "{component} Error: {type} in {module}"
_MANY_BUGS = "{component}: {errors} errors, {occurrences} occurrences"
_LONGEST_SUBJECT = 200

# Bytes as they travel. Together they leave a mail under 200 KB.
_TEXT_BYTES = 80_000
_HTML_BYTES = 118_000
# How many characters a traceback may have, and how many bugs are told in detail: the first pair that fits.
_ROOMS = [int(30_000 * 0.85**step) for step in range(35)]
_FITS = [(room, MOST_BUGS) for room in _ROOMS] + [(_ROOMS[-1], MOST_BUGS >> step) for step in range(1, 8)]
_SHORT = 120

# Control characters, lone surrogates, and those that turn or break lines where a reader does not see it.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_QP_PLAIN = bytes(range(32, 127)).replace(b"=", b"") + b"\t\n"

_CUT = "[cut: {}]"
_CUT_SAID = "Where it says [cut: ...], `loghub show FINGERPRINT` has the whole."


class _Policy(EmailPolicy):
    """How a mail is written: its headers begin on the line of their name.

    EmailPolicy puts a value that just misses the first line on the second, and readers that unfold without
    trimming get it with a space in front.
    """

    def fold(self, name: str, value: Any) -> str:
        folded: str = super().fold(name, value)
        return folded.replace(f"{name}:\r\n ", f"{name}: ", 1)

    def fold_binary(self, name: str, value: Any) -> bytes:
        folded: bytes = super().fold_binary(name, value)
        return folded.replace(f"{name}:\r\n ".encode(), f"{name}: ".encode(), 1)


# 7bit: every server takes the mail as it is, whatever it offers.
_POLICY = _Policy(linesep="\r\n", cte_type="7bit")


def compose(
    items: Sequence[Item],
    *,
    fromaddr: str,
    toaddrs: Sequence[str],
    subject: str | None = None,
    html: bool = True,
    destination: str,
    now: float,
    names_host: bool = True,
) -> EmailMessage:
    """Return the mail that tells of `items`, one entry per bug, the gravest and most frequent first.

    The same items with the same totals give the same ``Message-ID``, so that a mail which had to be sent
    twice can be recognized as one.

    Args:
        items: What waits; at least one. Beyond `MOST_BUGS` a bug is only listed, without details.
        fromaddr: The sender, as it stands in ``From``.
        toaddrs: The recipients, as they stand in ``To``.
        subject: A template with `SUBJECT_NAMES`, checked by `subject_fault`; None for the default.
        html: Whether there is an HTML alternative.
        destination: The destination's name in the ledger.
        now: The time for ``Date``, epoch seconds.
        names_host: Whether the ids name this host, where the sender has no domain.
    """
    bugs = sorted(items, key=_rank)
    message = EmailMessage(policy=_POLICY)
    message["Subject"] = _subject(bugs, subject)
    message["From"] = fromaddr
    message["To"] = ", ".join(toaddrs)
    message["Date"] = datetime.fromtimestamp(now, UTC)
    _identify(message, bugs, destination, _domain(fromaddr, names_host=names_host))
    message["Auto-Submitted"] = "auto-generated"
    message["Precedence"] = "bulk"
    message["X-Auto-Response-Suppress"] = "All"
    text = _fit(bugs, _TEXT_BYTES, _text)
    message.set_content(text, cte=_transfer_encoding(text))
    if html:
        page = _fit(bugs, _HTML_BYTES, _html)
        message.add_alternative(page, subtype="html", cte=_transfer_encoding(page))
    return message


def subject_fault(template: str) -> str | None:
    """Return what a subject template should be, or None where there is nothing wrong with it."""
    right = f"a one-line text in the style of str.format with {', '.join(SUBJECT_NAMES)}"
    sample: dict[str, Any] = dict.fromkeys(SUBJECT_NAMES, "") | {"errors": 1, "occurrences": 1}
    try:
        names = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
        template.format(**sample)
    except (ValueError, LookupError, AttributeError, TypeError):
        return right
    return None if names <= set(SUBJECT_NAMES) and "\n" not in template and "\r" not in template else right


# --- headers


def _subject(bugs: Sequence[Item], template: str | None) -> str:
    template = template or (_ONE_BUG if len(bugs) == 1 else _MANY_BUGS)
    line = _line(template.format(**_subject_values(bugs)), _LONGEST_SUBJECT)
    # EmailMessage decodes RFC 2047 words in what it is given, and Python before 3.11.10 and 3.12.5 writes a
    # line break from inside them as it is: https://github.com/python/cpython/issues/121650
    return line.replace("=?", "= ?")[:_LONGEST_SUBJECT] or "loghub"


def _subject_values(bugs: Sequence[Item]) -> dict[str, str | int]:
    first = bugs[0]
    components = Counter(_about(bug, "component") or "unknown" for bug in bugs)
    return {
        "component": components.most_common(1)[0][0],
        "type": _about(first, "error_type") or "Error",
        "module": _about(first, "module") or "unknown",
        "errors": len(bugs),
        "occurrences": sum(bug.count for bug in bugs),
        "level": logging.getLevelName(first.level),
        "environment": _about(first, "environment"),
        "release": _about(first, "release"),
    }


def _identify(message: EmailMessage, bugs: Sequence[Item], destination: str, domain: str) -> None:
    """Say which mail this is, and which bugs it is about.

    Only a mail about a single bug joins that bug's thread: clients take ``References`` as a chain of
    ancestors (RFC 5322, section 3.6.4), so one with two bugs' ids would tie their threads together for good.
    """
    told = sorted(f"{bug.group.fingerprint} {bug.total}" for bug in bugs)
    message["Message-ID"] = f"<loghub.{_digest(destination, *told)}@{domain}>"
    if len(bugs) == 1:
        message["References"] = f"<loghub.bug.{_digest(bugs[0].group.fingerprint)}@{domain}>"
    message["X-Loghub-Fingerprint"] = ", ".join(_token(bug.group.fingerprint) for bug in bugs)


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode(errors="replace")).hexdigest()[:24]


def _token(text: str) -> str:
    return re.sub(r"[^\w:.-]", "_", text[:60], flags=re.ASCII)


def _domain(fromaddr: str, *, names_host: bool) -> str:
    """Return the domain for ids: the sender's, or this host's; short enough for a header line of its own."""
    if "@" in fromaddr:
        name = parseaddr(fromaddr)[1].rpartition("@")[2].lower()
    else:
        name = socket.gethostname().lower() if names_host else "localhost"
    return re.sub(r"[^a-z0-9.-]", "", name)[-36:].strip(".-") or "localhost"


# --- what is said about a bug


@dataclass(frozen=True, slots=True)
class _Entry:
    """What one mail says about one bug, the same in text and HTML; nothing in it is escaped for HTML."""

    title: str
    count: int
    level: str
    fields: list[tuple[str, str]]
    traceback: str


def _entry(bug: Item, room: int) -> _Entry:
    """Return the entry of `bug`, its traceback and messages cut to about `room` characters."""
    event, group = bug.event, bug.group
    error = str(event.get("error_message") or group.error_message).rstrip()
    logged = str(event.get("message") or "")
    level = logging.getLevelName(bug.level)
    fields = [
        ("Timestamp", _line(event.get("timestamp") or iso(group.last_seen_at))),
        ("Error Type", _about(bug, "error_type") or "Error"),
        ("Error Message", _clean(_cut_middle(error, max(room // 3, _SHORT))) or "(empty)"),
        ("Module", _about(bug, "module") or "unknown"),
        ("Function", _about(bug, "function") or "unknown"),
        ("Log Message", "" if logged == error else _clean(_cut_middle(logged, max(room // 6, _SHORT)))),
        ("Level", level),
        ("Component", _about(bug, "component")),
        ("Environment", _about(bug, "environment")),
        ("Release", _about(bug, "release")),
        ("Occurrences", f"{bug.count} since the last mail, {bug.total} in all"),
        ("First Seen", iso(group.first_seen_at)),
        ("Last Seen", iso(group.last_seen_at)),
        ("Issue", _line(group.issue_url or "", 500)),
        ("Fingerprint", _line(group.fingerprint)),
    ]
    title = f"{_about(bug, 'error_type')}: {_line(error, 60)}"
    traceback = _clean(_cut_traceback(str(event.get("traceback") or "").rstrip(), error, room))
    return _Entry(title, bug.count, level, [field for field in fields if field[1]], traceback)


def _about(bug: Item, key: str) -> str:
    """Return on one short line what the newest event or else the group says under `key`."""
    newest = list(getattr(bug.group, f"{key}s", ()))[-1:]  # releases, environments
    known = newest[0] if newest else getattr(bug.group, key, "")
    return _line(bug.event.get(key) or known)


def _rank(bug: Item) -> tuple[int, int, str]:
    return -bug.level, -bug.count, bug.group.fingerprint


# --- text


def _text(entries: Sequence[_Entry], detailed: int, opening: str) -> str:
    parts = [opening]
    if len(entries) > 1:
        rows = [f"{entry.count:>8} x {entry.level:<8} {entry.title}" for entry in entries]
        parts.append("\n".join(rows))
    for number, entry in enumerate(entries[:detailed], 1):
        if len(entries) > 1:
            parts.append(f"---- {number} of {len(entries)} ".ljust(72, "-"))
        parts.append("\n".join(f"{name}: {_indented(value)}" for name, value in entry.fields))
        parts.append(f"Traceback:\n{entry.traceback or '(logged without an exception)'}")
    return "\n\n".join(parts + _what_was_cut("".join(parts), entries[detailed:])) + "\n"


def _indented(value: str) -> str:
    # A message of many lines cannot pass for the fields that follow it.
    return value.replace("\n", "\n    ")


# --- HTML: styles stand in the elements because many clients drop <style>, and set no text or page colour, so
# that a client's dark mode keeps its own.

_PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width,initial-scale=1">'
    '<meta name="color-scheme" content="light dark"><title>{title}</title></head>'
    '<body style="margin:0"><div style="max-width:60em;padding:12px;font:15px/1.5 sans-serif;'
    'overflow-wrap:anywhere;word-break:break-word">\n<p>{title}</p>\n{content}\n</div></body></html>\n'
)
_TRACEBACK_STYLE = "white-space:pre-wrap;font-family:monospace;border-left:3px solid #d1242f;padding-left:8px"


def _html(entries: Sequence[_Entry], detailed: int, opening: str) -> str:
    parts = [_html_table(entries)] if len(entries) > 1 else []
    parts += [_html_entry(entry) for entry in entries[:detailed]]
    parts += [f"<p>{escape(said)}</p>" for said in _what_was_cut("".join(parts), entries[detailed:])]
    return _PAGE.format(title=escape(opening), content="\n".join(parts))


def _html_table(entries: Sequence[_Entry]) -> str:
    rows = "\n".join(
        f"<tr valign=top><td>{entry.count}<td nowrap>{escape(entry.level)}<td>{escape(entry.title)}"
        for entry in entries
    )
    return f'<table cellpadding="4"><tr align=left><th>Count<th>Level<th>Error\n{rows}\n</table>'


def _html_entry(entry: _Entry) -> str:
    fields = "<br>\n".join(f"<b>{name}:</b> {_html_value(name, value)}" for name, value in entry.fields)
    traceback = (
        f'<pre style="{_TRACEBACK_STYLE}">{escape(entry.traceback, quote=False)}</pre>'
        if entry.traceback
        else "<p>(logged without an exception)</p>"
    )
    return f"<h3>{escape(entry.title)}</h3>\n{fields}<br>\n<b>Traceback:</b>\n{traceback}"


def _html_value(name: str, value: str) -> str:
    shown = escape(value).replace("\n", "<br>")
    if name == "Issue" and value.startswith(("https://", "http://")):
        return f'<a href="{shown}" style="color:inherit">{shown}</a>'
    return shown


# --- fitting


def _fit(bugs: Sequence[Item], most: int, render: Callable[[Sequence[_Entry], int, str], str]) -> str:
    """Return the body with as much of each traceback as lets the whole travel in `most` bytes."""

    def body(room: int, detailed: int) -> str:
        return render([_entry(bug, room) for bug in bugs], detailed, _opening(bugs))

    first = bisect_left(_FITS, True, key=lambda fit: _size(body(*fit)) <= most)
    return body(*_FITS[min(first, len(_FITS) - 1)])


def _opening(bugs: Sequence[Item]) -> str:
    if len(bugs) == 1:
        return f"An error occurred in {_about(bugs[0], 'component') or 'unknown'}:"
    return f"{len(bugs)} errors, {sum(bug.count for bug in bugs)} occurrences since the last mail:"


def _what_was_cut(shown: str, untold: Sequence[_Entry]) -> list[str]:
    said = [_CUT.format(f"the details of {len(untold)} more errors")] if untold else []
    return [*said, _CUT_SAID] if said or _CUT.partition("{")[0] in shown else []


def _escapes(data: bytes) -> int:
    """Return how many bytes of `data` quoted-printable has to write as three."""
    return len(data.translate(None, _QP_PLAIN))


def _transfer_encoding(text: str) -> str:
    """Return the shorter of the two encodings that any server and any line length can take."""
    data = text.encode()
    return "base64" if _escapes(data) * 6 > len(data) else "quoted-printable"


def _size(text: str) -> int:
    """Return about how many bytes `text` takes on its way."""
    data = text.encode()
    if _transfer_encoding(text) == "base64":
        return len(data) * 137 // 100
    soft_breaks = sum(len(line) // 72 for line in data.split(b"\n"))
    return len(data) + 2 * _escapes(data) + data.count(b"\n") + 3 * soft_breaks


def _clean(value: object) -> str:
    """Return `value` as text of any number of lines in which nothing is invisible."""
    text = str(value).replace("\r\n", "\n")
    return _UNSAFE.sub(lambda found: ascii(found[0])[1:-1], text)


def _line(value: object, most: int = _SHORT) -> str:
    """Return `value` as one clean line of at most `most` characters."""
    line = _clean(" ".join(str(value)[: 4 * most].split()))
    return line if len(line) <= most else line[: most - 3] + "..."


def _cut_middle(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    head, tail = room * 2 // 3, room // 3
    return f"{text[:head]} {_CUT.format(f'{len(text) - head - tail} characters')} {text[-tail:]}"


def _cut_traceback(traceback: str, error: str, room: int) -> str:
    """Return `traceback` with the calls furthest out cut: the place of the error and its message stay."""
    if len(traceback) <= room:
        return traceback
    if len(error) > room // 3:
        traceback = traceback.replace(error, _cut_middle(error, room // 3))
    lines = traceback.splitlines()
    kept: list[str] = []
    for line in reversed(lines):
        room -= len(line) + 1
        if room < 0:
            break
        kept.insert(0, line)
    kept = kept or [_cut_middle(lines[-1], len(lines[-1]) + room)]
    if len(kept) < len(lines):
        kept.insert(0, _CUT.format(f"{len(lines) - len(kept)} lines further out"))
    return "\n".join(kept)
