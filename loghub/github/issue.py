"""The text of an issue: title, labels, body, the block that loghub keeps up to date, and comments.

Pure functions. Everything that came with an error is shown as code: fenced, or as a code span on one line.
GitHub looks for mentions, references, links and HTML everywhere but in code [1]_, so a payload can only do
harm by leaving its code, and for that it would need a run of backticks as long as the one that opened it. A
title cannot hold code; there a space is put into whatever would be live.

Lengths are counted in UTF-16 code units, which are never fewer than characters. GitHub says that it takes
65,536 characters; measured were as many beyond the basic plane, and up to 262,144 of ASCII [2]_.

.. [1] https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls
.. [2] https://github.com/dead-claudia/github-limits/pull/13
"""

from __future__ import annotations

import json
import re
import string
import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeGuard

from loghub.event import culprit, epoch, iso
from loghub.options import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loghub.event import Event
    from loghub.ledger.protocol import Group

DEFAULT_TITLE = "[Auto] {type}: {component}"
TITLE_NAMES = ("type", "component", "message", "module", "function", "culprit", "environment", "level")
TITLE_LIMIT = 256
LABEL_LIMIT = 50
LABELS_LIMIT = 100
BODY_LIMIT = 65_536

BEGIN = "<!-- loghub:begin -->"
END = "<!-- loghub:end -->"

_CREATED_LIMIT = 60_000  # a new issue leaves its block and its readers room to grow
_MESSAGE_LIMIT = 4_000
_CONTEXT_LIMIT = 8_000
_SYSTEM_LIMIT = 4_000
_LINE_LIMIT = 1_000
_VALUE_LIMIT = 200
_LISTED = 5
_LINKED = 10
_CRUMBS = 10
_LEDGERS = 100
_LATEST = 253_402_300_799  # the last second that an ISO time can tell
_LARGEST = 2**53  # beyond it JSON readers lose digits

CommentKind = Literal["milestone", "release", "regression"]


# Characters and lengths


def _units(text: str) -> int:
    return len(text) + sum(1 for char in text if char > "\uffff") if not text.isascii() else len(text)


def _first(text: str, room: int) -> str:
    """Return as much of the start of `text` as `room` units hold; no half of a pair."""
    return text[:room].encode("utf-16-le", "replace")[: 2 * max(room, 0)].decode("utf-16-le", "ignore")


def _last(text: str, room: int) -> str:
    return _first(text[: -room - 1 : -1], room)[::-1] if room > 0 else ""


def _shown(match: re.Match[str]) -> str:
    char = match[0]
    if char.isprintable() or unicodedata.category(char) == "Zs":
        return char
    return json.dumps(char)[1:-1]


def visible(text: str) -> str:
    r"""Return `text` with control, bidirectional and zero-width characters as escapes such as ``\u202e``."""
    text = text.replace("\r\n", "\n")
    text = re.sub(r"[^\x20-\x7e\n\t]", _shown, text)
    # Printable by their category, invisible on a screen.
    return re.sub(r"[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe00-\ufe0e]", _escape, text)


def _escape(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


def _line(value: object, limit: int) -> str:
    """Return `value` as one line of at most `limit` units, ending in an ellipsis if it was longer."""
    line = " ".join(visible(_text(value)[: 4 * limit]).split())
    return line if _units(line) <= limit else _first(line, limit - 1) + "…"


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _ticks(text: str, least: int) -> str:
    """Return a run of backticks that is longer than any in `text`."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    return "`" * max(least, longest + 1)


def code(value: object, limit: int = _VALUE_LIMIT) -> str:
    """Return `value` as a code span on one line; nothing in it is live."""
    line = _line(value, limit) or "unknown"
    ticks = _ticks(line, 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def fence(text: str, language: str = "") -> str:
    """Return `text`, which is `visible` already, in a fence that it cannot close."""
    text = re.sub("`{51,}", lambda run: f"{'`' * 50}[... {len(run[0]) - 50:,} more]", text.strip("\n"))
    ticks = _ticks(text, 3)
    return f"{ticks}{language}\n{text}\n{ticks}"


def _cut(text: str, room: int, head: float) -> str:
    """Return `text` within `room` units, saying what is missing; `head` is the share that its start gets."""
    if _units(text) <= room:
        return text
    room -= len("\n[... 1,000,000,000 characters cut here ...]\n")
    top, bottom = _first(text, int(room * head)), _last(text, room - int(room * head))
    top = top[: top.rfind("\n")] if "\n" in top else top
    bottom = bottom[bottom.find("\n") + 1 :] or bottom
    missing = len(text) - len(top) - len(bottom)
    return f"{top}\n[... {missing:,} characters cut here ...]\n{bottom}"


# Title and labels

_LIVE = (
    (re.compile(r"@(?=\w)"), "@ "),
    (re.compile(r"#(?=\d)"), "# "),
    (re.compile(r"(GH-)(?=\d)", re.IGNORECASE), r"\1 "),
    (re.compile(r":(?=//)"), ": "),
    (re.compile(r"(www\.)(?=[\w-])", re.IGNORECASE), r"\1 "),
    (re.compile(r"\b([0-9a-f]{6})[0-9a-f]+\b", re.IGNORECASE), r"\1…"),  # a commit has seven digits or more
)


def _inert(text: str) -> str:
    for live, dead in _LIVE:
        text = live.sub(dead, text)
    return text


def check_title(template: object) -> str:
    """Return the template of a title as it is.

    Raises:
        OptionValueError: It is no text, is blank, or has braces around something that is not in TITLE_NAMES.
    """
    right = f"a text whose names are among {', '.join(f'{{{name}}}' for name in TITLE_NAMES)}"
    if not isinstance(template, str) or not template.strip():
        refuse("GitHubIssueHandler", "title", template, right)
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError:
        refuse("GitHubIssueHandler", "title", template, right)
    if any(name is not None and (name not in TITLE_NAMES or spec or how) for _, name, spec, how in parts):
        refuse("GitHubIssueHandler", "title", template, right)
    return template


def title(template: str, group: Group, event: Event) -> str:
    """Return the title of a new issue: one line of at most 256 characters in which nothing is live.

    Args:
        template: What `check_title` let pass.
        group: The bug.
        event: The occurrence that opens the issue.
    """
    values: dict[str, object] = {
        "type": event.get("error_type") or group.error_type,
        "component": event.get("component") or group.component,
        "message": event.get("error_message") or group.error_message,
        "module": event.get("module"),
        "function": event.get("function"),
        "culprit": group.culprit or culprit(event),
        "environment": event.get("environment"),
        "level": event.get("level") or group.level,
    }
    lines = {name: _line(value, 100) or "unknown" for name, value in values.items()}
    whole = _inert(_line(template.format_map(lines), 4 * TITLE_LIMIT))
    # Cutting may bare a commit's digits that a longer word hid, and killing those never makes it longer.
    return _inert(_line(whole, TITLE_LIMIT))


def labels(configured: Sequence[str], component: str, auto_label: bool) -> list[str]:
    """Return the labels of a new issue as GitHub takes them: short, without commas, each once in any case."""
    wanted = [*configured, component] if auto_label else configured
    chosen: dict[str, str] = {}
    for name in wanted:
        label = _line(_text(name).replace(",", " "), LABEL_LIMIT)
        if label:
            chosen.setdefault(label.casefold(), label)
    return list(chosen.values())[:LABELS_LIMIT]


# The state that an issue carries for machines


@dataclass(frozen=True)
class State:
    """What the first line of the block tells the next loghub that reads it.

    Attributes:
        fingerprint: Of the group that the issue is about.
        counts: Occurrences by ledger, the ledger that spoke last at the end. Each ledger only ever raises its
            own number, so that writers that know nothing of each other converge by `merge`.
        first_seen_at: Epoch seconds.
        last_seen_at: Epoch seconds.
        v: Version of the format.
    """

    fingerprint: str
    counts: dict[str, int]
    first_seen_at: float
    last_seen_at: float
    v: int = 1

    @property
    def count(self) -> int:
        """Occurrences in all ledgers."""
        return sum(self.counts.values())

    def merge(self, other: State) -> State:
        """Return what both know: per ledger the larger count, the earliest first, the latest last."""
        counts = {ledger: count for ledger, count in self.counts.items() if ledger not in other.counts}
        for ledger, count in other.counts.items():
            counts[ledger] = max(count, self.counts.get(ledger, 0))
        return replace(
            self,
            counts=counts,
            first_seen_at=min(self.first_seen_at, other.first_seen_at),
            last_seen_at=max(self.last_seen_at, other.last_seen_at),
        )


def _iso(at: float) -> str:
    return iso(min(max(at, 0), _LATEST))


def _folded(counts: dict[str, int]) -> dict[str, int]:
    """Return at most `_LEDGERS` counts; those that have been silent for longest become one, named ``*``.

    Containers without a lasting home make a new ledger at every start. One that speaks again after it was
    folded is counted twice; that takes a hundred others that spoke since.
    """
    silent = [ledger for ledger in counts if ledger != "*"][:-_LEDGERS]
    if not silent:
        return counts
    rest = {ledger: count for ledger, count in counts.items() if ledger not in {*silent, "*"}}
    return {"*": counts.get("*", 0) + sum(counts[ledger] for ledger in silent), **rest}


def write_state(state: State) -> str:
    """Return the line for machines; no value in it can end the comment that it is."""
    record = {
        "v": state.v,
        "fingerprint": state.fingerprint,
        "counts": _folded(state.counts),
        "first_seen_at": _iso(state.first_seen_at),
        "last_seen_at": _iso(state.last_seen_at),
    }
    return f"<!-- loghub:state {_comment_json(record)} -->"


def _comment_json(value: object) -> str:
    """Return JSON in which what could end a comment, or be live, is an escape; it only stands in strings."""
    return re.sub("[<>&@#]|--", lambda found: "".join(f"\\u{ord(char):04x}" for char in found[0]), json.dumps(value))


_STATE = re.compile(re.escape(BEGIN) + r"[ \t]*(?:\r\n|\r|\n)<!-- loghub:state (\{[^\r\n]*\}) -->[ \t]*[\r\n]")


def read_state(body: str | None) -> State | None:
    """Read the first line of our block; None where there is no block, or its first line is not ours."""
    span = _find(body or "")
    found = _STATE.match(body or "", span[0]) if span else None
    try:
        return _state(json.loads(found[1])) if found else None
    except (ValueError, RecursionError):
        return None


def _state(read: Any) -> State | None:
    """Check what people may have edited."""
    if not isinstance(read, dict) or type(read.get("v")) is not int or read["v"] != 1:
        return None
    fingerprint, counts = read.get("fingerprint"), read.get("counts")
    first, last = _at(read.get("first_seen_at")), _at(read.get("last_seen_at"))
    if not _is_name(fingerprint) or not _are_counts(counts) or first is None or last is None:
        return None
    return State(fingerprint, counts, first, last)


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and re.fullmatch("[!-~]{1,64}", value) is not None


def _are_counts(value: object) -> TypeGuard[dict[str, int]]:
    return isinstance(value, dict) and all(
        _is_name(ledger) and type(count) is int and 0 <= count < _LARGEST for ledger, count in value.items()
    )


def _at(value: object) -> float | None:
    at = epoch(value) if isinstance(value, str) else None
    return at if at is not None and 0 <= at <= _LATEST else None


# Finding and replacing our block in a body that people may have edited

_EVERY_LINE = re.compile(r"([^\r\n]*)(?:\r\n|\r|\n|\Z)")
_MARKER = r" {0,3}+(?:[-+*]|\d{1,9}+[.)]) {1,4}+"  # of a list's item, which may begin with a fence
_ITEMS = re.compile(rf"(?:{_MARKER})*+")
_FENCE = re.compile(rf"((?:{_MARKER})*+) {{0,3}}(`{{3,}}(?=[^`]*$)|~{{3,}})")


def _lines_outside_fences(body: str) -> Iterator[tuple[int, str]]:
    """Yield offset and text of each line that is not in a fence, by Markdown's idea of a line.

    A fence ends with a run as long as its first, or with the item of the list in which it stands.
    """
    run, item = "", 0
    for found in _EVERY_LINE.finditer(body):
        line = found[1]
        indent = len(line) - len(line.lstrip(" "))
        if indent < item and line.strip():
            run, item = "", 0
        if run:
            rest = line.strip(" \t")
            if indent <= item + 3 and len(rest) >= len(run) and set(rest) == {run[0]}:
                run = ""
        elif opened := _FENCE.match(line, item):
            run, item = opened[2], len(opened[1]) + item
        else:
            begun = _ITEMS.match(line, item)
            item = begun.end() if begun and line.strip() else item
            yield found.start(), line


def _find(body: str) -> tuple[int, int] | None:
    """Return where our block begins and ends: two lines that are nothing but the markers, outside of code."""
    begin = None
    for offset, line in _lines_outside_fences(body):
        marker = line.rstrip(" \t")
        if marker == BEGIN:
            begin = offset
        elif marker == END and begin is not None:
            return begin, offset + len(END)
    return None


def splice(body: str, new_block: str) -> str | None:
    """Return `body` with our block replaced, or at its end if it is gone; all other text stays byte for byte.

    Returns:
        None if even a block of nothing but its state would make the body longer than GitHub takes.
    """
    lines = new_block.split("\n")
    for block_text in (new_block, "\n".join([*lines[:2], lines[-1]])):
        whole = _put(body, block_text)
        if _units(whole) <= BODY_LIMIT:
            return whole
    return None


def _put(body: str, new_block: str) -> str:
    span = _find(body)
    newline = "\r\n" if "\r\n" in (body[slice(*span)] if span else body) else "\n"  # GitHub's editor sends CRLF
    new_block = new_block.replace("\n", newline)
    if span:
        return body[: span[0]] + new_block + body[span[1] :]
    gap = newline * 2 if body else ""
    appended = body + gap + new_block
    # After a fence that nobody closed, the end of the body is code: nothing encloses its start.
    return appended if _find(appended) else new_block + gap + body


# What people read


def _when(at: float) -> str:
    return _iso(at)[:19].replace("T", " ") + " UTC"


def _newest(values: Sequence[str]) -> str:
    """Return the newest values, which come last, and how many more there are."""
    shown = ", ".join(code(value, 60) for value in values[: -_LISTED - 1 : -1])
    more = len(values) - _LISTED
    cell = shown.replace("|", r"\u007c")  # a pipe would end the cell, even in code
    return f"{cell} and {more:,} more" if more > 0 else cell


def block(state: State, group: Group) -> str:
    """Return the part of the body that loghub keeps up to date, from its first marker to its last."""
    rows = [
        ("First seen", _when(state.first_seen_at)),
        ("Last seen", _when(state.last_seen_at)),
        ("Releases", _newest(group.releases)),
        ("Environments", _newest(group.environments)),
        ("Hosts", _newest(group.servers)),
    ]
    table = [f"| {name} | {cell} |" for name, cell in rows if cell]
    head = [f"| Occurrences | {state.count:,} |", "| --- | --- |"]
    return "\n".join([BEGIN, write_state(state), "", *head, *table, "", END])


def body(
    event: Event,
    group: Group,
    state: State,
    *,
    permalinks: Sequence[str] = (),
    include_system_info: bool = True,
) -> str:
    """Return the body of a new issue, at most 65,536 characters; what had to be cut is said in its place.

    Args:
        event: The occurrence to show.
        group: The bug.
        state: What is known about it over all ledgers.
        permalinks: The in-app frames as `loghub.release.permalink` makes them, outermost first.
        include_system_info: Whether to show the event's ``system``.
    """
    system = event.get("system") if include_system_info else None
    before = [
        _head(event, group, state),
        f"### Error Message\n{_message(event, group)}",
        block(state, group),
        _links(permalinks),
    ]
    after = [
        _as_json("Additional Context", _context(event), _CONTEXT_LIMIT),
        _as_json("System Information", system, _SYSTEM_LIMIT),
    ]
    room = _CREATED_LIMIT - sum(_units(part) + 2 for part in (*before, *after))
    return "\n\n".join(part for part in (*before, _traceback(event, room), *after) if part)


def _head(event: Event, group: Group, state: State) -> str:
    at = epoch(event.get("timestamp"))
    lines = [
        "## Automated Error Report",
        "",
        f"**Error Type:** {code(event.get('error_type') or group.error_type)}",
        f"**Component:** {code(event.get('component') or group.component)}",
        f"**Timestamp:** {_iso(state.last_seen_at if at is None else at)}",
    ]
    place = culprit(event) if event.get("module") or event.get("function") else group.culprit
    if place:
        lines.append(f"**Location:** {code(place)}")
    if event.get("message") and event.get("message") != event.get("error_message"):
        lines.append(f"**Log Message:** {code(event.get('message'))}")
    return "\n".join(lines)


def _message(event: Event, group: Group) -> str:
    text = visible(_text(event.get("error_message") or group.error_message))
    return fence(_cut(text, _MESSAGE_LIMIT, 0.8) or "(no message)")


_PERMALINK = re.compile(
    r"https?://[\w.:-]+(?:/[\w.~%-]+)+/blob/[0-9a-f]{40}(?:/[\w.~%-]+)+(?:#L\d+(?:-L\d+)?)?", re.ASCII
)


def _links(permalinks: Sequence[str]) -> str:
    """Return the innermost links, each once and alone on its line so that GitHub shows the code there."""
    good = [link for link in dict.fromkeys(permalinks) if len(link) <= 500 and _PERMALINK.fullmatch(link)]
    return "\n\n".join(good[-_LINKED:])


_LANGUAGES = {"python": "python", "javascript": "javascript"}
_FILE_LINE = re.compile(r'[ |+-]*File "')


def _traceback(event: Event, room: int) -> str:
    text = visible(_text(event.get("traceback"))).strip("\n")
    if not text:
        return ""
    platform = event.get("platform") or "python"
    heading = "### Traceback\n"
    room = max(room - len(heading) - 300, 1_000)  # 300: two fences and the notices in them
    lines = [_cut_line(line) for line in text.split("\n")]
    cut = _cut_frames(lines, room) if platform == "python" else _cut("\n".join(lines), room, 0.9)
    return heading + fence(cut, _LANGUAGES.get(_text(platform), "text"))


def _cut_line(line: str) -> str:
    if _units(line) <= _LINE_LIMIT:
        return line
    kept = _first(line, _LINE_LIMIT)
    return f"{kept} [... {len(line) - len(kept):,} characters cut here]"


def _cut_frames(lines: list[str], room: int) -> str:
    """Cut a Python traceback: it ends with the innermost frames, and after them a message of any length."""
    after = max((number for number, line in enumerate(lines) if _FILE_LINE.match(line)), default=-1) + 1
    while after < len(lines) and lines[after].startswith("    "):  # the source line and its carets
        after += 1
    message = _cut("\n".join(lines[after:]), room // 3, 0.8)
    frames = _cut("\n".join(lines[:after]), room - _units(message), 0.15)
    return f"{frames}\n{message}".strip("\n")


def _context(event: Event) -> dict[str, Any]:
    """Return what the record carried, and the last breadcrumbs before it."""
    info: Any = event.get("additional_info")
    crumbs: Any = event.get("breadcrumbs")
    context = dict(info) if isinstance(info, dict) else {"additional_info": info} if info else {}
    if isinstance(crumbs, list) and crumbs:
        context["breadcrumbs"] = crumbs[-_CRUMBS:]
    return context


def _as_json(heading: str, value: object, limit: int) -> str:
    if not value:
        return ""
    try:
        text = json.dumps(value, indent=2, default=repr, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):  # what a before_send may have put there
        text = repr(value)
    return f"### {heading}\n{fence(_cut(visible(text), limit, 0.9), 'json')}"


# Comments


def milestone(count: int) -> int:
    """Return the last of 10, 100, 1000, ... that `count` reached; 0 below ten."""
    return 0 if count < 10 else int(10 ** (len(str(count)) - 1))


def comment_marker(kind: CommentKind, state: State, event: Event) -> str:
    """Return the hidden last line of a comment, by which a retry after a lost reply finds it there."""
    about = str(milestone(state.count)) if kind == "milestone" else _line(event.get("release"), _VALUE_LIMIT)
    return f"<!-- loghub:comment {_comment_json({'kind': kind, 'about': about})} -->"


def comment(kind: CommentKind, state: State, event: Event) -> str:
    """Return the text of a comment.

    Args:
        kind: ``milestone`` (10, 100, 1000 ... occurrences), ``release`` (seen in a release for the first
            time) or ``regression`` (seen again in a release that should have the fix).
        state: What is known over all ledgers.
        event: The newest occurrence.
    """
    times = "once" if state.count == 1 else f"{state.count:,} times"
    since = f"{times} since {_when(state.first_seen_at)}"
    at, place = _when(state.last_seen_at), _place(event)
    texts = {
        "milestone": f"Seen {since}, last at {at}{place}.",
        "release": f"Seen in a new release at {at}{place}; {since}.",
        "regression": f"Regression: seen again at {at}{place}, after this was closed as completed; {since}.",
    }
    return f"{texts[kind]}\n\n{comment_marker(kind, state, event)}"


def _place(event: Event) -> str:
    named = (("in release", "release"), ("in environment", "environment"), ("on host", "server"))
    parts = [f"{words} {code(event.get(key), 60)}" for words, key in named if event.get(key)]
    return " " + ", ".join(parts) if parts else ""
