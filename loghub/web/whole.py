"""An event as a page shows it: any shape goes in, plain and bounded parts come out.

What came with an error may be hostile, huge, or not of the types that an event has: `before_send` may change it, and a
detail file may be of somebody else. So nothing is taken for granted here; templates find texts in which every
character is visible, and lists that end. What is left out is said in its place; the JSON has all of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from loghub.event import FIRST_SECOND, KEYS, LAST_SECOND, culprit, epoch, iso
from loghub.github.markdown import as_text, cut, visible
from loghub.history import DAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loghub.event import Event

MAX_TEXT = 20_000
MAX_VALUE = 4_000
MAX_NAME = 300
MAX_ITEMS = 100
MAX_NODES = 2_000
MAX_DEPTH = 12
MAX_FRAMES = 100
"""Of one exception: a recursion repeats itself."""
MAX_LOCALS = 50
MAX_PARTS = 60
"""Exceptions on a page: causes and members, with theirs."""
MAX_LEVELS = 8
MAX_LINES = 400
"""Lines of all stacks on a page."""
MAX_CHARS = 300_000
"""Of one tree, and of all stacks together; what comes then is cut to a line."""

_LEAST = 80

_OPEN = 16
"""Branches with up to so many values are unfolded from the beginning."""


def text(value: object, limit: int = MAX_VALUE) -> str:
    """Return any value as a text of at most `limit` characters in which each is visible."""
    try:
        said = as_text(value)
    except Exception as error:  # an int of more digits than Python prints, a __str__ that fails
        said = f"({type(value).__name__} that cannot be shown: {type(error).__name__})"
    # Escapes make it longer; the end is kept as well, where the reason often stands.
    return cut(visible(said if len(said) <= 2 * limit else cut(said, 2 * limit, 0.8)), limit, 0.8)


def name(value: object, limit: int = MAX_NAME) -> str:
    """Return any value as one line."""
    return " ".join(text(value, limit).split())


# Trees ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Node:
    """A value of JSON.

    Attributes:
        kind: ``text``, ``plain`` (a number, true, false, null), ``pairs`` or ``items``.
        text: Of the first two.
        children: Name (of an item its number) and node, of the others.
        left: So many more children there are, which are not shown.
        is_open: Whether the children are few enough to be seen at once.
    """

    kind: str
    text: str = ""
    children: list[tuple[str, Node]] = field(default_factory=list)
    left: int = 0
    is_open: bool = True


@dataclass(slots=True)
class _Budget:
    """How much may still come: values or exceptions, lines of stacks, and characters. Later texts are cut shorter."""

    nodes: int
    lines: int = MAX_LINES
    chars: int = MAX_CHARS

    def text(self, value: object, limit: int = MAX_VALUE) -> str:
        said = text(value, max(_LEAST, min(limit, self.chars)))
        self.chars -= len(said)
        return said


def tree(value: object) -> Node:
    """Return any value as a tree of at most `MAX_NODES` nodes."""
    return _node(value, 0, _Budget(MAX_NODES))


def _node(value: object, depth: int, budget: _Budget) -> Node:
    budget.nodes -= 1
    if value is None or isinstance(value, bool):
        return Node("plain", {None: "null", True: "true", False: "false"}[value])
    if isinstance(value, int | float):
        return Node("plain", text(value))
    if not isinstance(value, dict | list | tuple):
        return Node("text", budget.text(value))
    if depth >= MAX_DEPTH:
        return Node("plain", f"… {len(value)} more values, nested deeper")
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    made = Node("pairs" if isinstance(value, dict) else "items", is_open=depth == 0 or len(value) <= _OPEN)
    for key, one in islice(pairs, MAX_ITEMS):
        if budget.nodes <= 0:
            break
        made.children.append((name(key), _node(one, depth + 1, budget)))
    made.left = len(value) - len(made.children)
    return made


# Stacks ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Line:
    """One line of a stack.

    Attributes:
        place: File, line and column, as far as they are known.
        function: Its name.
        module: Its module.
        code: The source line.
        in_app: Whether it is the application's own.
        is_culprit: Whether it is the innermost of those.
        locals: Names and values, if they were asked for.
        left: More locals there are.
    """

    place: str
    function: str
    module: str
    code: str
    in_app: bool
    locals: list[tuple[str, str]]
    left: int = 0
    is_culprit: bool = False

    @property
    def file(self) -> str:
        """The last part of its path, without line and column."""
        return re.sub(r"(?::\d+){0,2}\Z", "", self.place).replace("\\", "/").rpartition("/")[2]


@dataclass(slots=True)
class Run:
    """Lines of a stack that follow each other, all in_app or none.

    Attributes:
        in_app: Whether they are the application's own.
        lines: Innermost first.
        is_open: Whether they are seen at once.
    """

    in_app: bool
    lines: list[Line]
    is_open: bool

    @property
    def modules(self) -> str:
        """What a run that is folded says: where the lines are."""
        seen = dict.fromkeys(line.module.partition(".")[0] or line.file for line in self.lines)
        names = [one for one in seen if one]
        return ", ".join(names[:4]) + (" …" if len(names) > 4 else "")


@dataclass(slots=True)
class Part:
    """One exception: the error itself, a cause, or a member of a group.

    Attributes:
        relation: ``""`` for the error itself, ``cause``, ``context`` or ``member``.
        kind: Its class, with the module where that says something.
        message: What it says.
        notes: What was added.
        runs: Its stack, innermost first.
        left: So many frames in the middle are not shown.
        members: Of a group.
        causes: Nearest first.
        missing: So many causes and members are not shown.
        number: Which member it is, from 1; else 0.
    """

    relation: str
    kind: str
    message: str
    notes: list[str]
    runs: list[Run]
    left: int
    members: list[Part] = field(default_factory=list)
    causes: list[Part] = field(default_factory=list)
    missing: int = 0
    number: int = 0

    @property
    def frames(self) -> int:
        """How many lines are shown."""
        return sum(len(run.lines) for run in self.runs)


def part(said: Mapping[str, Any], relation: str = "", budget: _Budget | None = None, level: int = 0) -> Part:
    """Return an exception with its causes and members."""
    budget = budget or _Budget(MAX_PARTS)
    budget.nodes -= 1
    frames, left = _some([one for one in _list(said.get("frames")) if isinstance(one, dict)], budget)
    made = Part(
        relation=relation,
        kind=_class(said),
        message=budget.text(said.get("error_message"), MAX_TEXT),
        notes=[budget.text(one) for one in _list(said.get("notes"))[:MAX_ITEMS]],
        runs=_runs(frames, budget),
        left=left,
    )
    for key, into in (("causes", made.causes), ("exceptions", made.members)):
        within = [one for one in _list(said.get(key)) if isinstance(one, dict)]
        for number, one in enumerate(within, 1):
            if budget.nodes <= 0 or level >= MAX_LEVELS:
                break
            how = "member" if key == "exceptions" else "context" if one.get("relation") == "context" else "cause"
            into.append(part(one, how, budget, level + 1))
            into[-1].number = number if key == "exceptions" else 0
        made.missing += len(within) - len(into)
    return made


def _class(said: Mapping[str, Any]) -> str:
    kind, module = name(said.get("error_type")) or "Error", name(said.get("error_module"))
    return kind if module in ("", "builtins", "__main__") else f"{module}.{kind}"


def _some(frames: list[Any], budget: _Budget) -> tuple[list[Any], int]:
    """Return the outermost and the innermost frames, more of these, and how many were between them."""
    most = max(4, min(MAX_FRAMES, budget.lines))
    shown_frames = frames if len(frames) <= most else frames[: most // 4] + frames[most // 4 - most :]
    budget.lines -= len(shown_frames)
    return shown_frames, len(frames) - len(shown_frames)


def _runs(frames: list[Any], budget: _Budget) -> list[Run]:
    lines = [_line(one, budget) for one in reversed(frames)]
    if mine := next((line for line in lines if line.in_app), None):
        mine.is_culprit = True
    runs = [Run(in_app, list(same), in_app) for in_app, same in groupby(lines, key=lambda line: line.in_app)]
    if runs and mine is None:
        runs[0].is_open = True
    return runs


def _line(frame: Mapping[str, Any], budget: _Budget) -> Line:
    place = ":".join(filter(None, (name(frame.get(key), 1_000) for key in ("file", "line", "column"))))
    held = frame.get("locals")
    named = held if isinstance(held, dict) else {}
    most = MAX_LOCALS if budget.chars > 0 else 0
    return Line(
        place=place or "(unknown file)",
        function=name(frame.get("function")),
        module=name(frame.get("module")),
        code=budget.text(frame.get("code"), 1_000).strip("\n"),
        in_app=bool(frame.get("in_app")),
        locals=[(name(key), budget.text(value, 1_000)) for key, value in islice(named.items(), most)],
        left=max(0, len(named) - most),
    )


# The whole ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Crumb:
    """A record before the error."""

    at: str
    level: str
    logger: str
    message: str
    kind: str
    extra: str


@dataclass(slots=True)
class Shown:
    """An event.

    Attributes:
        error: The exception, or what stands for one.
        message: The log message, where it says more than the exception.
        traceback: As its language prints it.
        facts: Names and values of what is known besides.
        request: Names and values of the web request.
        context: What the record carried, without the request.
        system: The host.
        rest: What no event of loghub's has.
        crumbs: The records before it, oldest first.
        crumbs_left: Older ones that are not shown.
        level: Of the record.
        at: When, as the event says it.
        culprit: Where.
    """

    error: Part
    message: str
    traceback: str
    facts: list[tuple[str, str]]
    request: list[tuple[str, str]]
    context: Node | None
    system: Node | None
    rest: Node | None
    crumbs: list[Crumb]
    crumbs_left: int
    level: str
    at: str
    culprit: str


_FACTS = (
    "level", "logger", "message", "template", "args", "component", "environment", "release", "server", "process",
    "thread", "task", "platform", "mechanism", "fingerprint", "custom_fingerprint", "id",
)  # fmt: skip
_REQUEST = ("request", "http_request")
_METHODS = ("method", "path", "route", "status", "request_id")


def shown(event: Mapping[str, Any]) -> Shown:
    """Return what a page shows of an event, whatever it is like."""
    carried = event.get("additional_info")
    context = dict(carried) if isinstance(carried, dict) else {"additional_info": carried} if carried else {}
    crumbs = _list(event.get("breadcrumbs"))
    message = text(event.get("message"), MAX_TEXT)
    known = {*KEYS, "custom_fingerprint"}
    rest = {key: value for key, value in event.items() if key not in known}
    error = part(event)
    return Shown(
        error=error,
        message="" if event.get("message") == event.get("error_message") else message,
        traceback=text(event.get("traceback"), 10 * MAX_TEXT).strip("\n"),
        facts=list(_facts(event)),
        request=_request(context),
        context=tree(context) if context else None,
        system=tree(event["system"]) if event.get("system") else None,
        rest=tree(rest) if rest else None,
        crumbs=[_crumb(one) for one in crumbs[-MAX_ITEMS:]],
        crumbs_left=max(0, len(crumbs) - MAX_ITEMS),
        level=name(event.get("level")),
        at=name(event.get("timestamp"), 40),
        culprit=_culprit(event, error),
    )


def _culprit(event: Mapping[str, Any], error: Part) -> str:
    """Return where it was: what the event says, else its innermost in-app frame."""
    place: Event = {"module": name(event.get("module")), "function": name(event.get("function"))}
    if place["module"] or place["function"]:
        return name(culprit(place))
    found = next((line for run in error.runs for line in run.lines if line.is_culprit), None)
    return " in ".join(filter(None, (found.module or found.place, found.function))) if found else ""


def _facts(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in _FACTS:
        value = event.get(key)
        if value is None or (isinstance(value, str | dict | list) and not value):
            continue
        if key in ("process", "thread") and isinstance(value, dict):
            number = name(value.get("id"))
            if said := " ".join(filter(None, (name(value.get("name")), f"({number})" if number else ""))):
                yield key, said
        elif isinstance(value, dict | list | tuple):
            yield key, _flat(value)
        else:
            yield key, text(value)


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        parts = [f"{name(key)}={text(one, 500)}" for key, one in islice(value.items(), 20)]
    else:
        parts = [text(one, 500) for one in value[:20]]
    return ", ".join(parts) + (" …" if len(value) > 20 else "")


def _request(context: dict[str, Any]) -> list[tuple[str, str]]:
    """Take what loghub knows of the web request out of the context; a request of the application's own stays."""
    for key in reversed(_REQUEST):
        facts = context.get(key)
        if isinstance(facts, dict) and facts and facts.keys() <= set(_METHODS):
            del context[key]
            return [(one.replace("_", " "), text(facts[one])) for one in _METHODS if one in facts]
    return []


def _crumb(said: object) -> Crumb:
    if not isinstance(said, dict):
        return Crumb("", "", "", text(said, 1_000), "", "")
    at, extra = name(said.get("timestamp"), 40), said.get("extra")
    return Crumb(
        at=at,
        level=name(said.get("level"), 40),
        logger=name(said.get("logger")),
        message=text(said.get("message"), 1_000),
        kind=name(said.get("error_type")),
        extra=_flat(extra) if isinstance(extra, dict | list) else text(extra, 1_000),
    )


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


# Times and counts -------------------------------------------------------------------------------------------------


def moment(at: object) -> str:
    """Return epoch seconds or an ISO time as ``2026-11-28 03:10:07`` (UTC); what is neither, as it is."""
    if isinstance(at, int | float) and FIRST_SECOND <= at <= LAST_SECOND:
        return iso(at)[:19].replace("T", " ")
    read = epoch(at)
    return name(at, 40) if read is None else iso(read)[:19].replace("T", " ")


@dataclass(slots=True)
class Bar:
    """One day of a chart, in its own units: as wide as 10 for each day, and 100 high.

    Attributes:
        day: ``2026-11-28``.
        count: Occurrences.
        x: Its left edge.
        y: Its upper edge.
        height: How high it is.
    """

    day: str
    count: int
    x: int
    y: float
    height: float


def bars(daily: Sequence[int], now: float) -> list[Bar]:
    """Return a bar for each of some days, the last of which is today; a day with any has one that can be seen."""
    most = max(daily, default=0) or 1
    days = [iso(max(now - ago * DAY_SECONDS, 0.0))[:10] for ago in reversed(range(len(daily)))]
    heights = [round(max(4.0, 100 * count / most), 1) if count else 0.0 for count in daily]
    return [
        Bar(day, count, 10 * number, round(100 - height, 1), height)
        for number, (day, count, height) in enumerate(zip(days, daily, heights, strict=True))
    ]
