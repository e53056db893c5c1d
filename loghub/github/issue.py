"""The text of an issue: title, labels, body and comments. Pure functions.

What came with an error is shown by `loghub.github.markdown`, what loghub keeps up to date by `loghub.github.block`.
"""

from __future__ import annotations

import json
import re
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from loghub import breadcrumbs
from loghub.event import culprit, epoch
from loghub.github.block import as_iso, block, comment_json, when
from loghub.github.markdown import VALUE_LIMIT, as_text, code, cut, fence, first, inert, one_line, units, visible
from loghub.options import refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loghub.clone import Suspect
    from loghub.event import Event
    from loghub.github.block import State
    from loghub.ledger.protocol import Group

DEFAULT_TITLE = "[Auto] {type}: {component}"
TITLE_NAMES = ("type", "component", "message", "module", "function", "culprit", "environment", "level")
HEADING = "## Automated Error Report"
TITLE_LIMIT = 256
LABEL_LIMIT = 50
LABELS_LIMIT = 100

_CREATED_LIMIT = 53_000  # a new issue leaves its block and its readers room to grow
_MESSAGE_LIMIT = 4_000
_CONTEXT_LIMIT = 8_000
_SYSTEM_LIMIT = 4_000
_LINE_LIMIT = 1_000
_LINKED = 10
_CRUMBS = 10
_CRUMB_LIMIT = 300

_RESERVED = re.compile(r"wontfix|regression|loghub:.*", re.IGNORECASE | re.DOTALL)

CommentKind = Literal["milestone", "release", "regression", "return"]


@dataclass(frozen=True)
class Draft:
    """An issue as GitHub would get it."""

    title: str
    body: str
    labels: Sequence[str]
    assignees: Sequence[str] = ()


# Title and labels


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
    lines = {name: one_line(value, 100) or "unknown" for name, value in values.items()}
    whole = inert(one_line(template.format_map(lines), 4 * TITLE_LIMIT))
    # Cutting may bare a commit's digits that a longer word hid, and killing those never makes it longer.
    return inert(one_line(whole, TITLE_LIMIT))


def labels(configured: Sequence[str], component: str, auto_label: bool) -> list[str]:
    """Return the labels of a new issue as GitHub takes them: short, without commas, each once in any case."""
    # What a component is called may come from outside; these are commands.
    plain = _RESERVED.fullmatch(component.strip()) is None
    wanted = [*configured, component] if auto_label and plain else configured
    chosen: dict[str, str] = {}
    for name in wanted:
        label = one_line(as_text(name).replace(",", " "), LABEL_LIMIT)
        if label:
            chosen.setdefault(label.casefold(), label)
    return list(chosen.values())[:LABELS_LIMIT]


# Body


def body(
    event: Event,
    group: Group,
    state: State,
    *,
    permalinks: Sequence[str] = (),
    suspect: Suspect | None = None,
    commit_url: str = "",
    include_system_info: bool = True,
) -> str:
    """Return the body of a new issue, at most 65,536 characters; what had to be cut is said in its place.

    Args:
        event: The occurrence to show.
        group: The bug.
        state: What is known about it over all ledgers.
        permalinks: The in-app frames as `loghub.release.permalink` makes them, outermost first.
        suspect: The commit that gave the culprit's line its present form.
        commit_url: The address of that commit.
        include_system_info: Whether to show the event's ``system``.
    """
    kept = [block(state), _links(permalinks), _suspect(suspect, commit_url)]
    return _composed(event, group, kept, include_system_info=include_system_info)


def passage(event: Event, group: Group) -> str:
    """Return one occurrence as a new issue shows it, to be pasted into any text: without the block, which is loghub's.

    Args:
        event: The occurrence; any key may be missing.
        group: The bug.
    """
    return _composed(event, group, [], include_system_info=True)


def _composed(event: Event, group: Group, kept: Sequence[str], *, include_system_info: bool) -> str:
    """Return the sections in their order, cut to what fits; `kept` stands before the traceback and is never cut."""
    system = event.get("system") if include_system_info else None
    before = [_head(event, group), f"### Error Message\n{_message(event, group)}", *kept]
    after = [
        _as_json("Additional Context", _context(event), _CONTEXT_LIMIT),
        _crumbs(event),
        _as_json("System Information", system, _SYSTEM_LIMIT),
    ]
    room = _CREATED_LIMIT - sum(units(part) + 2 for part in (*before, *after))
    return "\n\n".join(part for part in (*before, _traceback(event, room), *after) if part)


def _head(event: Event, group: Group) -> str:
    at = epoch(event.get("timestamp"))
    lines = [
        HEADING,
        "",
        f"**Error Type:** {code(event.get('error_type') or group.error_type)}",
        f"**Component:** {code(event.get('component') or group.component)}",
        f"**Timestamp:** {as_iso(group.last_seen_at if at is None else at)}",
    ]
    place = culprit(event) if event.get("module") or event.get("function") else group.culprit
    if place:
        lines.append(f"**Location:** {code(place)}")
    if event.get("message") and event.get("message") != event.get("error_message"):
        lines.append(f"**Log Message:** {code(event.get('message'))}")
    return "\n".join(lines)


def _message(event: Event, group: Group) -> str:
    text = visible(as_text(event.get("error_message") or group.error_message))
    return fence(cut(text, _MESSAGE_LIMIT, 0.8) or "(no message)")


_PERMALINK = re.compile(
    r"https?://[\w.:-]+(?:/[\w.~%-]+)+/blob/[0-9a-f]{40}(?:/[\w.~%-]+)+(?:#L\d+(?:-L\d+)?)?", re.ASCII
)


def _links(permalinks: Sequence[str]) -> str:
    """Return the innermost links, each once and alone on its line so that GitHub shows the code there."""
    good = [link for link in dict.fromkeys(permalinks) if len(link) <= 500 and _PERMALINK.fullmatch(link)]
    return "\n\n".join(good[-_LINKED:])


_COMMIT = re.compile(r"https?://[\w.:-]+(?:/[\w.~%-]+)+/commit/[0-9a-f]{40}", re.ASCII)


def _suspect(suspect: Suspect | None, commit_url: str) -> str:
    """Return whose commit the line is, and which one; names in code, so that nobody is mentioned."""
    if suspect is None or not _COMMIT.fullmatch(commit_url):
        return ""
    said = f"{code(suspect.summary, 100)} by {code(suspect.author, 60)}, {when(suspect.at)}"
    return f"**Suspect Commit:** {commit_url} {said}"


_LANGUAGES = {"python": "python", "javascript": "javascript"}
_FILE_LINE = re.compile(r'[ |+-]*File "')


def _traceback(event: Event, room: int) -> str:
    text = visible(as_text(event.get("traceback"))).strip("\n")
    if not text:
        return ""
    platform = event.get("platform") or "python"
    heading = "### Traceback\n"
    room = max(room - len(heading) - 300, 1_000)  # 300: two fences and the notices in them
    lines = [_cut_line(line) for line in text.split("\n")]
    shown = _cut_frames(lines, room) if platform == "python" else cut("\n".join(lines), room, 0.9)
    return heading + fence(shown, _LANGUAGES.get(as_text(platform), "text"))


def _cut_line(line: str) -> str:
    if units(line) <= _LINE_LIMIT:
        return line
    kept = first(line, _LINE_LIMIT)
    return f"{kept} [... {len(line) - len(kept):,} characters cut here]"


def _cut_frames(lines: list[str], room: int) -> str:
    """Cut a Python traceback: it ends with the innermost frames, and after them a message of any length."""
    after = max((number for number, line in enumerate(lines) if _FILE_LINE.match(line)), default=-1) + 1
    while after < len(lines) and lines[after].startswith("    "):  # the source line and its carets
        after += 1
    message = cut("\n".join(lines[after:]), room // 3, 0.8)
    frames = cut("\n".join(lines[:after]), room - units(message), 0.15)
    return f"{frames}\n{message}".strip("\n")


def _context(event: Event) -> dict[str, Any]:
    """Return what the record carried."""
    info: Any = event.get("additional_info")
    return dict(info) if isinstance(info, dict) else {"additional_info": info} if info else {}


def _crumbs(event: Event) -> str:
    """Return the last records before this one, a line each; more stand in the detail file."""
    crumbs: Any = event.get("breadcrumbs")
    if not isinstance(crumbs, list) or not crumbs:
        return ""
    lines = "\n".join(one_line(breadcrumbs.line(one), _CRUMB_LIMIT) for one in crumbs[-_CRUMBS:])
    return f"**Breadcrumbs:** the last records before it\n\n{fence(lines, 'text')}"


def _as_json(heading: str, value: object, limit: int) -> str:
    if not value:
        return ""
    try:
        text = json.dumps(value, indent=2, default=repr, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):  # what a before_send may have put there
        text = repr(value)
    return f"### {heading}\n{fence(cut(visible(text), limit, 0.9), 'json')}"


# Comments


def milestone(count: int) -> int:
    """Return the last of 10, 100, 1000, ... that `count` reached; 0 below ten."""
    return 0 if count < 10 else int(10 ** (len(str(count)) - 1))


def comment_marker(kind: CommentKind, state: State, release: str = "") -> str:
    """Return the hidden last line of a comment, by which a retry after a lost reply finds it there."""
    about = str(milestone(state.count)) if kind == "milestone" else one_line(release, VALUE_LIMIT)
    return f"<!-- loghub:comment {comment_json({'kind': kind, 'about': about})} -->"


def comment(kind: CommentKind, state: State, event: Event, release: str = "") -> str:
    """Return the text of a comment.

    Args:
        kind: ``milestone`` (10, 100, 1000 ... occurrences), ``release`` (seen in a release for the first
            time), ``regression`` (seen again in a release that should have the fix) or ``return`` (seen again
            after loghub closed the issue because the bug was silent).
        state: What is known over all ledgers.
        event: The newest occurrence.
        release: The release that the comment is about; the event's if it is about none.
    """
    times = "once" if state.count == 1 else f"{state.count:,} times"
    since = f"{times} since {when(state.first_seen_at)}"
    at, place = when(state.last_seen_at), _place(event, release)
    texts = {
        "milestone": f"Seen {since}, last at {at}{place}.",
        "release": f"Seen in a new release at {at}{place}; {since}.",
        "regression": f"Regression: seen again at {at}{place}, after this was closed as completed; {since}.",
        "return": f"Seen again at {at}{place}, after this was closed because it was silent; {since}.",
    }
    return f"{texts[kind]}\n\n{comment_marker(kind, state, release)}"


def _place(event: Event, release: str) -> str:
    # The newest occurrence may be of another release, in another environment and on another host.
    told: Any = event if release in ("", event.get("release")) else {"release": release}
    named = (("in release", "release"), ("in environment", "environment"), ("on host", "server"))
    parts = [f"{words} {code(told.get(key), 60)}" for words, key in named if told.get(key)]
    return " " + ", ".join(parts) if parts else ""
