"""The block that loghub keeps up to date in an issue: what machines and people read of a bug's life.

Its first line is for machines (`State`), its second, where there is something to say, too (``loghub:seen``). An issue
may hold the blocks of several bugs, each known by its fingerprint; people write around them as they like.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeGuard

from loghub.event import epoch, iso
from loghub.github.markdown import code, first, units

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BODY_LIMIT = 65_536

BEGIN = "<!-- loghub:begin -->"
END = "<!-- loghub:end -->"

_LISTED = 5
_LEDGERS = 100
_SEEN = (20, 10, 5, 1, 0)  # so many names of a kind, as far as they fit
_SEEN_LIMIT = 4_000
NAME_LIMIT = 100
"""Characters of a release, environment or host that a block carries."""

RECOVERY_LIMIT = 300

_LATEST = 253_402_300_799  # the last second that an ISO time can tell
_LARGEST = 2**53  # beyond it JSON readers lose digits


# The state that an issue carries for machines


@dataclass(frozen=True)
class State:
    """What the first lines of a block tell the next loghub that reads them. Times are epoch seconds.

    Attributes:
        fingerprint: Of the group that the block is about.
        counts: Occurrences by ledger, the ledger that spoke last at the end. Each ledger only ever raises its
            own number, so that writers that know nothing of each other converge by `merge`.
        first_seen_at: Of all occurrences.
        last_seen_at: Of all occurrences.
        releases: By name, when it was first seen.
        environments: The same.
        servers: The same.
        duplicate_of: Number of the issue that goes on with this bug.
        quiet: Whether loghub closed the issue because the bug was silent.
        recovery: When a recovery procedure ended last, and what became of it; (0.0, "") where none ran.
        v: Version of the format.
    """

    fingerprint: str
    counts: dict[str, int]
    first_seen_at: float
    last_seen_at: float
    releases: Mapping[str, float] = field(default_factory=dict)
    environments: Mapping[str, float] = field(default_factory=dict)
    servers: Mapping[str, float] = field(default_factory=dict)
    duplicate_of: int | None = None
    quiet: bool = False
    recovery: tuple[float, str] = (0.0, "")
    v: int = 1

    def __post_init__(self) -> None:
        at, said = self.recovery
        known = (float(int(min(max(at, 0), _LATEST))), first(said, RECOVERY_LIMIT)) if said else (0.0, "")
        object.__setattr__(self, "recovery", known)
        for kind in _KINDS:
            object.__setattr__(self, kind, _short_names(getattr(self, kind)))

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
            releases=_united(self.releases, other.releases),
            environments=_united(self.environments, other.environments),
            servers=_united(self.servers, other.servers),
            recovery=max(self.recovery, other.recovery),
        )


_KINDS = ("releases", "environments", "servers")


def _united(ours: Mapping[str, float], theirs: Mapping[str, float]) -> dict[str, float]:
    return {name: min(ours.get(name, _LATEST), theirs.get(name, _LATEST)) for name in {**ours, **theirs}}


def short_name(name: str) -> str:
    """Return as much of a release's, environment's or host's name as a block carries."""
    return first(name, NAME_LIMIT)


def _short_names(names: Mapping[str, float]) -> dict[str, float]:
    short: dict[str, float] = {}
    for name, at in names.items():
        if name:
            short[short_name(name)] = min(at, short.get(short_name(name), at))
    return short


def _by_age(names: Mapping[str, float]) -> list[str]:
    """Return the names in the order in which they were first seen."""
    return sorted(names, key=lambda name: (names[name], name))


def as_iso(at: float) -> str:
    """Return any number of seconds as a time that ISO 8601 can write."""
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
    return {"*": min(counts.get("*", 0) + sum(counts[ledger] for ledger in silent), _LARGEST - 1), **rest}


def write_state(state: State) -> str:
    """Return the first line for machines; no value in it can end the comment that it is."""
    record = {
        "v": state.v,
        "fingerprint": state.fingerprint,
        "counts": _folded(state.counts),
        "first_seen_at": as_iso(state.first_seen_at),
        "last_seen_at": as_iso(state.last_seen_at),
    }
    return f"<!-- loghub:state {comment_json(record)} -->"


def _write_seen(state: State) -> str:
    """Return the second line for machines, the newest names of each kind; empty if it would say nothing."""
    for most in _SEEN:
        record: dict[str, Any] = {}
        for kind in _KINDS:
            names = getattr(state, kind)
            newest = _by_age(names)[-most:] if most else []
            if newest:
                record[kind] = {name: int(min(max(names[name], 0), _LATEST)) for name in newest}
        if state.duplicate_of is not None:
            record["duplicate_of"] = state.duplicate_of
        if state.quiet:
            record["quiet"] = True
        if state.recovery[1]:
            record["recovery"] = {"at": int(state.recovery[0]), "said": state.recovery[1]}
        line = f"<!-- loghub:seen {comment_json(record)} -->" if record else ""
        if len(line) <= _SEEN_LIMIT:
            break
    return line


def comment_json(value: object) -> str:
    """Return JSON in which what could end a comment, or be live, is an escape; it only stands in strings."""
    return re.sub("[<>&@#]|--", lambda found: "".join(f"\\u{ord(char):04x}" for char in found[0]), json.dumps(value))


_NEWLINE = r"[ \t]*(?:\r\n|\r|\n)"
_STATE = re.compile(rf"{re.escape(BEGIN)}{_NEWLINE}<!-- loghub:state (\{{[^\r\n]*\}}) -->{_NEWLINE}")
_SEEN_LINE = re.compile(rf"<!-- loghub:seen (\{{[^\r\n]*\}}) -->{_NEWLINE}")


def read_state(body: str | None, fingerprint: str | None = None) -> State | None:
    """Return the state of the block of `fingerprint`, or of the first; None where there is none of ours."""
    return next((one for one in read_states(body) if fingerprint in (None, one.fingerprint)), None)


def read_states(body: str | None) -> list[State]:
    """Return the states of all blocks in a body."""
    return [state for span in _spans(body or "") if (state := _state_at(body or "", span[0])) is not None]


def read_blocks(body: str | None) -> list[tuple[State, str]]:
    """Return the states of all blocks in a body, each with the block's text."""
    text = body or ""
    return [(state, text[slice(*span)]) for span in _spans(text) if (state := _state_at(text, span[0])) is not None]


def _state_at(body: str, start: int) -> State | None:
    found = _STATE.match(body, start)
    if found is None:
        return None
    seen = _SEEN_LINE.match(body, found.end())
    return _state(_json(found[1]), _json(seen[1]) if seen else {})


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _state(read: Any, seen: Any) -> State | None:
    """Check what people may have edited."""
    if not isinstance(read, dict) or type(read.get("v")) is not int or read["v"] != 1:
        return None
    fingerprint, counts = read.get("fingerprint"), read.get("counts")
    first_at, last_at = _at(read.get("first_seen_at")), _at(read.get("last_seen_at"))
    if not _is_name(fingerprint) or not _are_counts(counts) or first_at is None or last_at is None:
        return None
    seen = seen if isinstance(seen, dict) else {}
    number = seen.get("duplicate_of")
    return State(
        fingerprint,
        counts,
        first_at,
        last_at,
        releases=_times(seen.get("releases")),
        environments=_times(seen.get("environments")),
        servers=_times(seen.get("servers")),
        duplicate_of=number if type(number) is int and 0 < number < _LARGEST else None,
        quiet=seen.get("quiet") is True,
        recovery=_recovery(seen.get("recovery")),
    )


def _recovery(value: object) -> tuple[float, str]:
    if not isinstance(value, dict) or not isinstance(value.get("said"), str):
        return 0.0, ""
    at = value.get("at")
    return (float(at), value["said"]) if type(at) is int and 0 <= at <= _LATEST else (0.0, "")


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and re.fullmatch("[!-~]{1,64}", value) is not None


def _are_counts(value: object) -> TypeGuard[dict[str, int]]:
    return isinstance(value, dict) and all(
        _is_name(ledger) and type(count) is int and 0 <= count < _LARGEST for ledger, count in value.items()
    )


def _times(value: object) -> dict[str, float]:
    if not isinstance(value, dict):
        return {}
    return {name: float(at) for name, at in value.items() if type(at) is int and name and 0 <= at <= _LATEST}


def _at(value: object) -> float | None:
    at = epoch(value) if isinstance(value, str) else None
    return at if at is not None and 0 <= at <= _LATEST else None


# Finding and replacing a block in a body that people may have edited

_EVERY_LINE = re.compile(r"([^\r\n]*)(?:\r\n|\r|\n|\Z)")
_MARKER = r" {0,3}+(?:[-+*]|\d{1,9}+[.)]) {1,4}+"  # of a list's item, which may begin with a fence
_ITEMS = re.compile(rf"(?>(?:{_MARKER})*)")
_FENCE = re.compile(rf"((?>(?:{_MARKER})*)) {{0,3}}(`{{3,}}(?=[^`]*$)|~{{3,}})")


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


def _spans(body: str) -> Iterator[tuple[int, int]]:
    """Yield where blocks begin and end: two lines that are nothing but the markers, outside of code."""
    begin = None
    for offset, line in _lines_outside_fences(body):
        marker = line.rstrip(" \t")
        if marker == BEGIN:
            begin = offset
        elif marker == END and begin is not None:
            yield begin, offset + len(END)
            begin = None


def _span_of(body: str, fingerprint: str) -> tuple[int, int] | None:
    """Return the block of `fingerprint`; else one whose state somebody has spoilt, which was it then."""
    spoilt = None
    for span in _spans(body):
        state = _state_at(body, span[0])
        if state is None:
            spoilt = spoilt or span
        elif state.fingerprint == fingerprint:
            return span
    return spoilt


def splice(body: str, state: State) -> str | None:
    """Return `body` with the block of this bug replaced, or at its end if it is gone; the rest stays byte for byte.

    Returns:
        None if even a block of nothing but its state would make the body longer than GitHub takes.
    """
    return put(body, block(state))


def put(body: str, new_block: str) -> str | None:
    """Do what `splice` does, with the text of a block."""
    state = _state_at(new_block, 0)
    assert state is not None  # its writer is `block`
    span = _span_of(body, state.fingerprint)
    lines = new_block.split("\n")
    heads = (lines[:3], lines[:2]) if lines[2] else (lines[:2],)  # for machines alone
    for text in (new_block, *("\n".join([*head, lines[-1]]) for head in heads)):
        whole = _put(body, text, span)
        if units(whole) <= BODY_LIMIT:
            return whole
    return None


def _put(body: str, new_block: str, span: tuple[int, int] | None) -> str:
    newline = "\r\n" if "\r\n" in (body[slice(*span)] if span else body) else "\n"  # GitHub's editor sends CRLF
    new_block = new_block.replace("\n", newline)
    if span:
        return body[: span[0]] + new_block + body[span[1] :]
    gap = newline * 2 if body else ""
    appended = body + gap + new_block
    # After a fence that nobody closed, the end of the body is code: nothing encloses its start.
    found = any(start == len(body + gap) for start, _ in _spans(appended))
    return appended if found else new_block + gap + body


# What people read


def when(at: float) -> str:
    """Return a time as people read it."""
    return as_iso(at)[:19].replace("T", " ") + " UTC"


def _newest(names: Mapping[str, float]) -> str:
    """Return the names that were first seen last, and how many more there are."""
    shown = ", ".join(_cell(name, 60) for name in _by_age(names)[: -_LISTED - 1 : -1])
    more = len(names) - _LISTED
    return f"{shown} and {more:,} more" if more > 0 else shown


def _cell(value: str, limit: int = RECOVERY_LIMIT) -> str:
    return code(value, limit).replace("|", r"\u007c")  # a pipe would end the cell, even in code


def block(state: State) -> str:
    """Return the part of the body that loghub keeps up to date, from its first marker to its last."""
    rows = [
        ("First seen", when(state.first_seen_at)),
        ("Last seen", when(state.last_seen_at)),
        ("Releases", _newest(state.releases)),
        ("Environments", _newest(state.environments)),
        ("Hosts", _newest(state.servers)),
        ("Recovery", _cell(state.recovery[1]) if state.recovery[1] else ""),
        ("Closed", "because it was silent; opened again when it is seen again" if state.quiet else ""),
        ("Duplicate of", f"#{state.duplicate_of}" if state.duplicate_of else ""),
    ]
    table = [f"| {name} | {cell} |" for name, cell in rows if cell]
    return framed(state, [f"| Occurrences | {state.count:,} |", "| --- | --- |", *table])


def framed(state: State, lines: list[str]) -> str:
    """Return a block whose visible part is `lines`."""
    seen = _write_seen(state)
    return "\n".join([BEGIN, write_state(state), *([seen] if seen else []), "", *lines, "", END])
