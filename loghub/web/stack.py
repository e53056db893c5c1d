"""Exceptions as pages show them: causes, members, and stacks in which the application's own lines stand out.

Any shape goes in, plain and bounded parts come out; what is left out is counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from loghub.web.shown import MAX_TEXT, name
from loghub.web.tree import MAX_ITEMS, Allowance

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_FRAMES = 100
"""Of one exception: a recursion repeats itself."""
MAX_SAME = 3
"""Of frames of one line that follow each other, so many are seen; of more the innermost one, and the others folded."""
MAX_LOCALS = 50
MAX_PARTS = 60
"""Exceptions on a page: causes and members, with theirs."""
MAX_LEVELS = 8


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
    def streaks(self) -> list[tuple[list[Line], list[Line]]]:
        """The lines, those that are seen at once with the same ones that are folded behind them: a recursion."""
        alike = [list(same) for _, same in groupby(self.lines, key=lambda line: (line.place, line.function))]
        return [(same, []) if len(same) <= MAX_SAME else (same[:1], same[1:]) for same in alike]

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


def part(said: Mapping[str, Any], relation: str = "", allowance: Allowance | None = None, level: int = 0) -> Part:
    """Return an exception with its causes and members."""
    allowance = allowance or Allowance(MAX_PARTS)
    allowance.nodes -= 1
    frames, left = _some([one for one in listed(said.get("frames")) if isinstance(one, dict)], allowance)
    made = Part(
        relation=relation,
        kind=_class(said),
        message=allowance.text(said.get("error_message"), MAX_TEXT),
        notes=[allowance.text(one) for one in listed(said.get("notes"))[:MAX_ITEMS]],
        runs=_runs(frames, allowance),
        left=left,
    )
    for key, into in (("causes", made.causes), ("exceptions", made.members)):
        within = [one for one in listed(said.get(key)) if isinstance(one, dict)]
        for number, one in enumerate(within, 1):
            if allowance.nodes <= 0 or level >= MAX_LEVELS:
                break
            how = "member" if key == "exceptions" else "context" if one.get("relation") == "context" else "cause"
            into.append(part(one, how, allowance, level + 1))
            into[-1].number = number if key == "exceptions" else 0
        made.missing += len(within) - len(into)
    return made


def _class(said: Mapping[str, Any]) -> str:
    kind, module = name(said.get("error_type")) or "Error", name(said.get("error_module"))
    return kind if module in ("", "builtins", "__main__") else f"{module}.{kind}"


def _some(frames: list[Any], allowance: Allowance) -> tuple[list[Any], int]:
    """Return the outermost and the innermost frames, more of these, and how many were between them."""
    most = max(4, min(MAX_FRAMES, allowance.lines))
    shown_frames = frames if len(frames) <= most else frames[: most // 4] + frames[most // 4 - most :]
    allowance.lines -= len(shown_frames)
    return shown_frames, len(frames) - len(shown_frames)


def _runs(frames: list[Any], allowance: Allowance) -> list[Run]:
    lines = [_line(one, allowance) for one in reversed(frames)]
    if mine := next((line for line in lines if line.in_app), None):
        mine.is_culprit = True
    runs = [Run(in_app, list(same), in_app) for in_app, same in groupby(lines, key=lambda line: line.in_app)]
    if runs and mine is None:
        runs[0].is_open = True
    return runs


def _line(frame: Mapping[str, Any], allowance: Allowance) -> Line:
    place = ":".join(filter(None, (name(frame.get(key), 1_000) for key in ("file", "line", "column"))))
    held = frame.get("locals")
    named = held if isinstance(held, dict) else {}
    most = MAX_LOCALS if allowance.chars > 0 else 0
    return Line(
        place=place or "(unknown file)",
        function=name(frame.get("function")),
        module=name(frame.get("module")),
        code=allowance.text(frame.get("code"), 1_000).strip("\n"),
        in_app=bool(frame.get("in_app")),
        locals=[(name(key), allowance.text(value, 1_000)) for key, value in islice(named.items(), most)],
        left=max(0, len(named) - most),
    )


def listed(value: object) -> list[Any]:
    """Return a list as it is, and anything else as none."""
    return value if isinstance(value, list) else []
