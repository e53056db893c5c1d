"""An event of any origin, read as errors with frames."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from loghub.event import Shared, escaped
from loghub.fingerprint.files import PROGRAM, File, folders, is_library_path, place_of
from loghub.fingerprint.messages import MAX_TEXT
from loghub.traceback_text import TRACEBACK_HEAD, parse_javascript, parse_traceback, undressed

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FRAMES = 500


class Frame(NamedTuple):
    """A line of a stack.

    Attributes:
        file: Where.
        place: The same as ``package/name``, if it is the application's.
        function: The bare name, as a traceback prints it.
        owner: The class around it, if the event says so.
        code: The source line without blanks.
        template: What a raise says whose line does not tell, its values as %s.
        in_app: Whether it is the application's.
    """

    file: File
    place: str
    function: str
    owner: str
    code: str
    template: str
    in_app: bool


class Error(NamedTuple):
    """An exception: the event's own, a cause, or the member of a group.

    Attributes:
        kind: Its class, with its module unless that is builtins or the program itself.
        message: Not only its first line.
        frames: Outermost first.
        relation: Of a cause: ``cause`` or ``context``.
    """

    kind: str
    message: str
    frames: list[Frame]
    relation: str


def text_in(source: Mapping[str, Any], key: str) -> str:
    """Return a text of an event; empty if it has none."""
    value = source.get(key)
    return value if isinstance(value, str) else ""


def name_in(source: Mapping[str, Any], key: str) -> str:
    """Return as much of a text as can be a name."""
    return text_in(source, key)[:MAX_TEXT]


def dicts_in(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield the objects in a list."""
    return (item for item in value if isinstance(item, Mapping)) if isinstance(value, _SEQUENCES) else iter(())


_SEQUENCES = (list, tuple)


def last_name(dotted: str) -> str:
    """Return what stands behind the last dot."""
    return dotted.rpartition(".")[2]


def first_line(text: str) -> str:
    """Return the first line that has words, of a bounded text, as a scrubbed event would have it."""
    line = text[:MAX_TEXT].strip(" \n\t").partition("\n")[0]
    return line if line.isprintable() else escaped(line)


def with_stack(event: object) -> Mapping[str, Any]:
    """Return `event`, with what the text of its traceback says if it has no frames."""
    if not isinstance(event, Mapping):
        return {}
    text = text_in(event, "traceback")[-_MAX_STACK:]
    if not text or next(dicts_in(event.get("frames")), None) is not None:
        return event
    text = undressed(text)
    if (foreign := _foreign(event, text)) is not None:
        return foreign
    script = _is_script_text(event, text)
    read = parse_javascript(text) if script else parse_traceback(text)
    if not (read["frames"] or read["exceptions"] or read["causes"]) and (script or TRACEBACK_HEAD not in text):
        return event
    if any(BUNDLE.search(text_in(frame, "file")) for frame in read["frames"]):
        read["platform"] = "javascript"
    else:
        name_program(read)
    return _told(event, read)


def name_program(read: dict[str, Any], program: str = "") -> None:
    """Give the frames of the program that was started, and of what lies beside it, the module that it has.

    Args:
        read: An error from a text.
        program: The name of the file that was started, without its ending, if it is known: the stack of a thread
            does not begin there.
    """
    parts = list(_all_parts(read))
    outermost = [part["frames"][0] for part in parts if part["frames"]]
    folder = next((_folder(one) for one in outermost if one["function"] == "<module>"), None)
    if folder is None and program:
        every = (frame for part in parts for frame in part["frames"])
        folder = next((_folder(one) for one in every if _stem(one) == program), None)
    for part in parts:
        for frame in part["frames"]:
            if folder is not None and _folder(frame) == folder:
                frame["module"] = "__main__"


def _all_parts(read: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield read
    for part in (*read["causes"], *read["exceptions"]):
        yield from _all_parts(part)


def _stem(frame: Mapping[str, Any]) -> str:
    return str(frame["file"]).replace("\\", "/").rpartition("/")[2].removesuffix(".py")


def _folder(frame: Mapping[str, Any]) -> str:
    return str(frame["file"]).replace("\\", "/").rpartition("/")[0]


def _told(event: Mapping[str, Any], read: dict[str, Any]) -> Mapping[str, Any]:
    if not read["error_type"]:
        read |= {key: text_in(event, key) for key in ("error_type", "error_module", "error_message")}
    return {**event, **read, "traceback": ""}


def _foreign(event: Mapping[str, Any], text: str) -> Mapping[str, Any] | None:
    """Return the event with what a stack of another language says; None if its text is none."""
    if text_in(event, "platform") == "javascript" or _PYTHON_LINE.search(text):
        return None
    from loghub.foreign_text import parse_foreign  # its patterns are compiled where such a text comes

    read = parse_foreign(text)
    if read is None:
        return None
    for error in (read, *read["causes"]):
        endless = error["error_type"] in _OVERFLOWS or _OVERFLOW.search(error["error_message"]) is not None
        error["frames"] = _placed(_cycle(error["frames"]) if endless else error["frames"])
    return _told(event, read | {"platform": "native"})


def _placed(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return frames whose places are the same in every build of the program."""
    # A place without a function says too little to be a stack: then the message counts, too.
    bare = not any(frame["in_app"] and frame["function"] for frame in frames)
    placed = []
    for frame in frames:
        more = {}
        if not frame["function"]:
            more = {"function": frame["module"]}
        elif frame["file"].endswith(".go"):
            name = frame["file"].rpartition("/")[2]
            more = {"file": f"{frame['module'].rpartition('/')[2]}/{name}", "module": ""}
        elif frame["module"]:
            # Builds without debugging information have no files; class files are named after classes, anyhow.
            path = f"{frame['module']}.{frame['function'].partition('.')[0]}"
            more = {"file": path.replace(".", "/"), "module": ""}
        placed.append({**frame, **more, "in_app": frame["in_app"] and not bare})
    return placed


def _cycle(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the frames of endless recursion from the same function on, wherever it was entered, left and cut."""
    names = [(frame["file"], frame["function"]) if frame["in_app"] else ("", "") for frame in frames]
    again = [name for name, count in Counter(names).items() if count > 1 and name != ("", "")]
    if not again:
        return frames
    first = names.index(min(again))
    last = len(names) - names[::-1].index(min(again))
    return frames[first:last]


_OVERFLOWS = frozenset({"StackOverflowError", "SystemStackError", "StackOverflowException"})
_OVERFLOW = re.compile(r"^stack overflow|^goroutine stack exceeds")


def _is_script_text(event: Mapping[str, Any], text: str) -> bool:
    if text_in(event, "platform") == "javascript":
        return True
    return 'File "' not in text and _SCRIPT_LINE.search(text) is not None


_MAX_STACK = 200_000
BUNDLE = re.compile(r"\.(?:[mc]?js|jsx|tsx?|vue)(?:[?#:]|$)")
"""How the name of a script ends."""

_PYTHON_LINE = re.compile(r'^[ \t|]*File "[^"\n]{1,1000}", line \d', re.MULTILINE)
_SCRIPT_LINE = re.compile(r"^[ \t]*at \S|^[^@\s]*@\S+:\d+:\d+$", re.MULTILINE)


def is_record(event: Mapping[str, Any]) -> bool:
    """Return whether an event is about a log record without an exception."""
    kind = text_in(event, "error_type")
    if event.get("frames") or text_in(event, "error_module") or text_in(event, "traceback"):
        return False
    return kind in _LEVELS or kind.startswith("Level ") or kind == text_in(event, "level")


_LEVELS = frozenset({"CRITICAL", "FATAL", "ERROR", "WARNING", "WARN", "INFO", "DEBUG", "NOTSET"})


def read_error(source: Mapping[str, Any]) -> Error:
    """Read an event, or a part of one."""
    error = read_head(source)
    if TRACEBACK_HEAD in error.message and not source.get("frames"):  # the stack of a child process, sent as a text
        read = parse_traceback(undressed(text_in(source, "error_message")[-_MAX_STACK:]))
        if read["frames"]:
            return read_head(read)._replace(frames=_frames(read["frames"], ""), relation=error.relation)
    return error._replace(frames=_frames(source.get("frames"), name_in(source, "function")))


def read_head(source: Mapping[str, Any]) -> Error:
    """Read all but the frames."""
    module, kind = name_in(source, "error_module"), name_in(source, "error_type").rpartition("<locals>.")[2]
    full = kind if module in ("", "builtins", *PROGRAM) else f"{module}.{kind}"
    message = text_in(source, "error_message") or text_in(source, "message")
    return Error(
        _UNNAMED.sub("", _RENAMED.get(full, full)),
        message[: 2 * MAX_TEXT].strip(),
        [],
        "cause" if source.get("relation") == "cause" else "context",
    )


_UNNAMED = re.compile(rf"^(?:builtins|{'|'.join(PROGRAM)})\.")
_RENAMED = {"re.PatternError": "re.error"}  # classes that got another name in some Python


def _frames(value: object, function: str) -> list[Frame]:
    """Read frames; comprehensions, which are no frames of their own from 3.12 on, become their function's."""
    listed = list(islice(dicts_in(value), 100_000))
    if len(listed) > MAX_FRAMES:
        listed = listed[: MAX_FRAMES // 2] + listed[-MAX_FRAMES // 2 :]
    frames = [_frame(source) for source in listed]
    if any(frame.function in _COMPREHENSIONS for frame in frames):
        _name_comprehensions(frames)
    return _with_hint(frames, function)


def _name_comprehensions(frames: list[Frame]) -> None:
    around: dict[File, Frame] = {}
    for at, frame in enumerate(frames):
        if frame.function in _COMPREHENSIONS and frame.file in around:
            outer = around[frame.file]
            frames[at] = frame._replace(function=outer.function, owner=outer.owner)
        around[frame.file] = frames[at]


_COMPREHENSIONS = frozenset({"<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"})


def _with_hint(frames: list[Frame], function: str) -> list[Frame]:
    """Give the culprit the class that the event's own ``function`` names, if its frame does not."""
    at = next((at for at in reversed(range(len(frames))) if frames[at].in_app), None)
    if at is None or frames[at].owner:
        return frames
    owner, bare = _split_function(function)
    if bare == frames[at].function:
        frames[at] = frames[at]._replace(owner=owner)
    return frames


def _frame(source: Mapping[str, Any]) -> Frame:
    if type(source) is not Shared:
        return _read_frame(source)
    if source.read is None:
        source.read = _read_frame(source)
    return cast("Frame", source.read)


def _read_frame(source: Mapping[str, Any]) -> Frame:
    path, flag = name_in(source, "file"), source.get("in_app")
    owner, function = _split_function(name_in(source, "function"))
    file = folders(path) if path else folders(name_in(source, "module").replace(".", "/"))
    in_app = flag if isinstance(flag, bool) else not is_library_path(path)
    code = without_blanks(text_in(source, "code"))
    place = place_of(file, name_in(source, "module"))
    return Frame(file, place, function, owner, code, name_in(source, "template"), in_app)


@lru_cache(4096)
def _split_function(name: str) -> tuple[str, str]:
    """Split a qualified name into class and function; what is around a local function does not count."""
    while name.endswith(_LOCAL_COMPREHENSIONS):
        name = name.rpartition(".<locals>.")[0]
    owner, _, bare = name.rpartition(".<locals>.")[2].rpartition(".")
    return owner, bare


_LOCAL_COMPREHENSIONS = tuple(f".<locals>.{name}" for name in _COMPREHENSIONS)


def without_blanks(line: str) -> str:
    """Return a source line as it is compared."""
    line = line[:MAX_TEXT]
    return "".join((_COMMENT.sub("", line) if "#" in line else line).split())


_COMMENT = re.compile(r"(?:^|\s)#[^'\"]*$")
