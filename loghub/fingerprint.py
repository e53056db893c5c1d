"""Which events are the same bug, by version: one group is one bug that a maintainer would fix in one place.

`parts` says what counts and why; `of_event` is the hash over it. The rules of ``v1``:

==================  ==================================================================================
the stack tells     with frames of the application: the exception's class; the application's frames, each
                    function once (so recursion folds), as file and function; of the innermost one, the
                    culprit, also the class around it and its source line; causes by class and culprit; the
                    members of a group as a set, each by these same rules
codes               what tells two errors on one stack apart: errno, SQLSTATE, missing module or table ...
library only        class, innermost library function, message
no stack            class, place and logger if known, message
SyntaxError         file and message: it is the same whoever imports the file
RecursionError      the functions of the cycle, wherever it was entered and left
plain record        logger, place, template; a template of nothing but placeholders counts as its message
warning             category, file, message, source line
browser             class, named functions with their bundles; messages only where no function has a name
==================  ==================================================================================

Never: line numbers, folders above the one that all frames of the application share, notes, values. A message
counts where the stack cannot tell, and only its first line, with values taken out (`normalize`).

An event that has only the text of a traceback gets the fingerprint of the live one. So a rule may only use
what both know: file names and bare function names. The one exception is the class around the culprit, which
keeps ``Card.charge`` and ``Voucher.charge`` apart: a text tells it only through the event's ``function``, or
after `loghub.traceback_text.qualify`.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from loghub.event import Shared
from loghub.traceback_text import parse_javascript, parse_traceback

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Iterator

VERSION = "v1"
MAX_TEXT = 2000
"""Characters of a message that count."""

_MAX_FRAMES = 500
_MAX_MEMBERS = 100
_MAX_CAUSES = 50


class Part(NamedTuple):
    """One thing that was hashed: what it is, its value, and why it counts."""

    what: str
    value: str
    why: str


_WHY = {
    "type": "another class of error is another bug",
    "code": "what tells errors on one stack apart: errno, SQLSTATE, missing module or table",
    "frame": "the way through the application's own functions, each once",
    "class": "the class around the innermost function of the application",
    "line": "the source line in it, so that two raises in one function are two bugs",
    "cause": "what led to the error, and where in the application",
    "member": "one kind of error in the group; their order and number do not count",
    "library": "no frame is the application's: the innermost library function",
    "place": "where it was logged",
    "logger": "there is no stack: the logger stands for the place",
    "name": "the name in the message belongs to the code, not to the data",
    "message": "the stack cannot tell, so the message counts, without values",
    "template": "the log message without values: %s and an f-string come out alike",
    "file": "the file that is broken, whoever loads it",
    "text": "nothing could be read from the stack's text but its words",
}
_FROM_MESSAGE = frozenset({"code", "name", "message", "text"})


def of_record(record: logging.LogRecord) -> str:
    """Return the fingerprint of a record, by the EventFilter that has seen it, or by the defaults."""
    from loghub.filters import shared_capture

    return shared_capture().fingerprint_of(record)


def of_event(event: Mapping[str, Any]) -> str:
    """Return ``v1:`` and 16 hex digits: the key of "the same bug".

    Args:
        event: Any dict with an event's keys. Keys may be missing, values of any type; nothing is raised.
            Its own ``fingerprint`` is not read: see `custom`.
    """
    return judge(event)[0]


def judge(event: Mapping[str, Any]) -> tuple[str, bool]:
    """Return `of_event`, and whether another message on the same way through the code could be another bug.

    Where that is so, `message_key` says which messages need not be told apart.
    """
    event = _with_stack(event)
    found = _found(event)
    if _is_record(event):
        by_message = not _template(event)
    else:
        by_message = any(what in _FROM_MESSAGE for what, _ in found) or _may_have_code(event)
    return _digest(text for part in found for text in part), by_message


def explain(event: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what was hashed, in order, as rows: ``what``, ``value``, ``why``."""
    return [part._asdict() for part in parts(event)]


def custom(value: object, default: str) -> str:
    """Return the fingerprint that ``extra={"fingerprint": value}`` asks for.

    Args:
        value: A text or a list; ``"{{ default }}"`` in it stands for `default`. Nothing at all, or only
            that, is `default`.
        default: What `of_event` returned.
    """
    items = value if isinstance(value, list | tuple) else [value]
    texts = [str(item) for item in items if item is not None and item != ""]
    chosen = [default if _DEFAULT.fullmatch(text) else text for text in texts]
    return default if chosen in ([], [default]) else _digest(["custom", *chosen])


_DEFAULT = re.compile(r"\s*\{\{\s*default\s*\}\}\s*")


def message_key(message: str) -> str:
    """Return all that `of_event` can take from an exception's message: equal keys, equal fingerprints."""
    line = _first_line(message)
    found = [shape(line), *_ERRNO.findall(line)]
    patterns = [*(pattern for _, pattern in _CODES), _CODE_NAME, _BROKEN_FILE]
    found += [match[0] for pattern in patterns if (match := pattern.search(line))]
    return "\0".join(found)


def _digest(texts: Iterable[str]) -> str:
    parts = list(texts)
    joined = "\0".join(parts)
    if joined.count("\0") >= len(parts) > 0:  # a text has one of its own
        joined = "\0".join([text.replace("\0", " ") for text in parts])
    return f"{VERSION}:{hashlib.blake2b(joined.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"


# ---------------------------------------------------------------------------------------------- the rules


def parts(event: Mapping[str, Any]) -> list[Part]:
    """Return what counts of `event`, in the order in which it is hashed."""
    return [Part(what, value, _WHY[what]) for what, value in _found(_with_stack(event))]


def _found(event: Mapping[str, Any]) -> Collection[tuple[str, str]]:
    if _text(event, "platform") == "javascript":
        found = _script(event)
    elif _is_record(event):
        found = _record(event)
    else:
        found = _exception(event)
    return dict.fromkeys(found)


def _exception(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    error = _read(event)
    members = _member_keys(event) if event.get("exceptions") else []
    stack = _stack(error)
    if not stack and len(members) == 1 and any(what == "frame" for what, _ in members[0]):
        # A framework wrapped the application's error into a group of its own.
        yield from members[0]
        return
    broken = _BROKEN_FILE.search(error.message) if _last(error.kind) in _SYNTAX_ERRORS else None
    if broken and not broken["file"].startswith("<"):
        yield "type", error.kind
        yield "file", broken["file"]
        yield "message", shape(error.message[: broken.start()])
        return
    causes = list(_causes(event)) if event.get("causes") else []
    yield from _of_error(error, stack)
    if not stack and not members and not any(_stack(cause) for cause in causes):
        yield from _by_message(event, error)
    for cause in causes:
        yield from _of_cause(cause)
    yield from (("member", " | ".join(f"{what} {value}" for what, value in member)) for member in members)


def _of_error(error: _Error, stack: list[_Frame]) -> Iterator[tuple[str, str]]:
    """What counts of any error, a member of a group too."""
    yield "type", error.kind
    yield from (("code", code) for code in _codes(error))
    if not stack:
        return
    tails = _tails(stack)
    yield from (("frame", tail) for tail in dict.fromkeys(tails))
    if _last(error.kind) == "RecursionError":
        return
    culprit = stack[-1]
    if culprit.owner:
        yield "class", culprit.owner
    if culprit.code:
        yield "line", culprit.code


def _of_cause(cause: _Error) -> Iterator[tuple[str, str]]:
    stack = _stack(cause)
    if stack or cause.relation == "cause":
        place = f" at {_tails(stack)[-1]}: {stack[-1].code}" if stack else ""
        yield "cause", f"{cause.relation} {cause.kind}{place}"
        yield from (("code", f"{cause.relation} {code}") for code in _codes(cause))


def _by_message(event: Mapping[str, Any], error: _Error) -> Iterator[tuple[str, str]]:
    """What counts where no frame is the application's."""
    if error.frames:
        yield "library", _library_place(error.frames)
    else:
        yield from _place(event)
        yield from (("text", shape(text)) for text in [_text(event, "traceback")] if text)
    if name := _CODE_NAME.search(_first_line(error.message)):
        yield "name", next(filter(None, name.groups()))
    yield "message", shape(_first_line(error.message))


def _member_keys(event: Mapping[str, Any]) -> list[tuple[tuple[str, str], ...]]:
    """Return the set of a group's members, sorted."""
    return sorted({_member_key(member) for member in _members(event)})


def _members(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the members of a group; groups within groups are opened."""
    waiting = deque(islice(_dicts(event.get("exceptions")), _MAX_MEMBERS))
    for _ in range(_MAX_MEMBERS):
        if not waiting:
            return
        member = waiting.popleft()
        inner = list(islice(_dicts(member.get("exceptions")), _MAX_MEMBERS))
        waiting += inner
        if not inner:
            yield member


def _member_key(member: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    error = _read(member)
    own = list(_of_error(error, _stack(error)))
    return (*own, *(part for cause in _causes(member) for part in _of_cause(cause)))


def _causes(event: Mapping[str, Any]) -> Iterator[_Error]:
    return (_read(cause) for cause in islice(_dicts(event.get("causes")), _MAX_CAUSES))


def _record(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What counts of a log record without an exception."""
    message = _text(event, "message") or _text(event, "error_message")
    warning = _WARNING.match(message) if _text(event, "logger") == "py.warnings" else None
    if warning:
        yield "type", warning["category"]
        yield "file", _folders(warning["file"]).name
        yield "message", shape(warning["message"])
        yield "line", _code(warning["code"] or "")
        return
    yield from _place(event)
    yield "template", shape(_template(event) or message)


def _template(event: Mapping[str, Any]) -> str:
    """Return the template with sample values in it; nothing if it has no words or is the message itself."""
    template = _text(event, "template")
    if template == (_text(event, "message") or _text(event, "error_message")):
        return ""
    words = _WORD.search(_CONVERSION.sub("", template))
    return _CONVERSION.sub(_sample, template) if words else ""


def _place(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    module, function = _last(_text(event, "module")), _last(_text(event, "function"))
    if module or function:
        yield "place", f"{module} in {function}"
    if logger := _text(event, "logger"):
        yield "logger", logger


_SYNTAX_ERRORS = frozenset({"SyntaxError", "IndentationError", "TabError"})
_BROKEN_FILE = re.compile(r"\s?\((?P<file>[^()]{1,255}), line \d+\)$")
_WARNING = re.compile(r"(?P<file>[^\n]{1,400}?):\d+: (?P<category>\w+): (?P<message>[^\n]*)(?:\n\s*(?P<code>[^\n]*))?")
_CONVERSION = re.compile(r"%(?:\(\w{0,99}\))?[#0 +-]{0,5}[\d*]{0,5}(?:\.[\d*]{0,5})?[hlL]?[diouxXeEfFgGcrsa%]")
_WORD = re.compile(r"[^\W\d_]{2}")


def _sample(conversion: re.Match[str]) -> str:
    """A value as `normalize` knows it, so that ``%s`` and an f-string come out alike."""
    return "%" if conversion[0] == "%%" else "0"


# ---------------------------------------------------------------------------------------- codes in messages

# Exceptions whose class already says the errno; the number differs between systems.
_SAYS_ERRNO = frozenset({
    "BlockingIOError", "BrokenPipeError", "ChildProcessError", "ConnectionAbortedError", "ConnectionRefusedError",
    "ConnectionResetError", "FileExistsError", "FileNotFoundError", "InterruptedError", "IsADirectoryError",
    "NotADirectoryError", "PermissionError", "ProcessLookupError", "TimeoutError",
})  # fmt: skip
# PEP 249 gives all databases these few classes: without a code, the message's words are the code.
_DATABASE_ERRORS = frozenset({
    "DatabaseError", "DataError", "IntegrityError", "InterfaceError", "InternalError", "NotSupportedError",
    "OperationalError", "ProgrammingError",
})  # fmt: skip
_HAVE_CODES = _DATABASE_ERRORS | {
    "OSError", "IOError", "EnvironmentError", "gaierror", "herror", "SSLError", "URLError", "ConnectionError",
    "ImportError", "ModuleNotFoundError", "ClientError",
}  # fmt: skip
_ERRNO = re.compile(r"\[(?:Errno|WinError) (-?\d{1,9})\]")
_CODES = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("ssl", r"\[SSL: (\w+)"),
        ("sqlstate", r"SQLSTATE\W{0,3}([0-9A-Z]{5})\b|^\('([0-9A-Z]{5})',|^ERROR ([0-9A-Z]{5}):"),
        ("database", r"^(?:\([\w.]+\) )?\((\d{4}), [\"']|\b((?:ORA|PLS|TNS)-\d{5})\b"),
        ("module", r"No module named '?([\w.]+)|([\w.+-]+\.so[.\d]*): cannot open shared object"),
        ("name", r"cannot import name '(\w+)' from [\w ]*'[\w.]+'"),
        ("table", r"no such (?:table|column|function|index): ([\w.]+)|Invalid object name '([\w.]+)'"),
        ("table", r"\b(?:relation|table|column|schema) \"?([\w.]+)\"? (?:of .{1,99} )?does not exist"),
        ("table", r"Table '(?:[^'.]*\.)?([^']+)' doesn't exist|Unknown column '([^']+)'"),
        ("table", r"\btable (\w+ has no column named \w+)"),
        ("constraint", r"constraint failed: ([\w., ]+)|violates [\w -]+ constraint \"([^\"]+)\""),
        ("aws", r"An error occurred (\(\w+\) when calling the \w+) operation"),
    )
)
_CODE_NAME = re.compile(
    r"has no attribute '(\w+)'|(?:name|variable) '(\w+)' (?:is not|referenced|where)|keyword argument '(\w+)'"
    r"|cannot read propert\w+ .{0,40}\(reading '(\w+)'\)",
    re.IGNORECASE,
)


def _codes(error: _Error) -> tuple[str, ...]:
    """Return the codes that the message carries, each as ``kind value``."""
    line = _first_line(error.message)
    return (_codes_in if len(line) <= _SHORT else _codes_in.__wrapped__)(_last(error.kind), line)


@lru_cache(1024)
def _codes_in(name: str, line: str) -> tuple[str, ...]:
    found = [] if name in _SAYS_ERRNO else [f"errno {number}" for number in _ERRNO.findall(line)]
    for kind, pattern in _CODES:
        if match := pattern.search(line):
            found.append(f"{kind} {next(filter(None, match.groups()))}")
    if not found and name in _DATABASE_ERRORS:
        found = [f"database {shape(line)}"]
    return tuple(dict.fromkeys(found))


def may_have_code(message: str) -> bool:
    """Return whether a message may carry a code that tells bugs apart; quick, and right where it says no."""
    m = message if len(message) <= MAX_TEXT else message[:MAX_TEXT]
    # One by one: a pattern of these takes several times as long.
    return (
        ("[" in m and ("Errno" in m or "WinError" in m or "SSL: " in m))
        or ("-" in m and ("ORA-" in m or "PLS-" in m or "TNS-" in m))
        or "no such " in m or " exist" in m or "No module named" in m or "cannot open shared" in m
        or "constraint" in m or "SQLSTATE" in m or "ERROR " in m or "cannot import name" in m
        or "Invalid object" in m or "Unknown column" in m or "has no column" in m or "An error occurred" in m
        or m[:1] == "(" or (m[:1].isspace() and m.lstrip()[:1] == "(")
    )  # fmt: skip


def _may_have_code(event: Mapping[str, Any]) -> bool:
    errors = [event]
    if event.get("causes") or event.get("exceptions"):
        errors += (*islice(_dicts(event.get("causes")), _MAX_CAUSES), *_members(event))
    return any(_last(error.kind) in _HAVE_CODES or _codes(error) for error in map(_read_head, errors))


# -------------------------------------------------------------------------------------- reading an event


class _Frame(NamedTuple):
    file: _File
    function: str  # the bare name, as a traceback prints it
    owner: str  # the class around it, if the event says so
    code: str  # the source line without blanks
    in_app: bool


class _File(NamedTuple):
    folders: tuple[str, ...]
    name: str
    anchored: bool  # the folders begin below site-packages or the like


class _Error(NamedTuple):
    kind: str
    message: str
    frames: list[_Frame]
    relation: str


def _text(source: Mapping[str, Any], key: str) -> str:
    value = source.get(key)
    return value if isinstance(value, str) else ""


def _name(source: Mapping[str, Any], key: str) -> str:
    return _text(source, key)[:MAX_TEXT]


def _dicts(value: object) -> Iterator[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, Mapping)) if isinstance(value, _SEQUENCES) else iter(())


_SEQUENCES = (list, tuple)


def _last(dotted: str) -> str:
    return dotted.rpartition(".")[2]


def _first_line(text: str) -> str:
    return text[:MAX_TEXT].strip().partition("\n")[0]


def _with_stack(event: object) -> Mapping[str, Any]:
    """Return `event`, with what the text of its traceback says if it has no frames."""
    if not isinstance(event, Mapping):
        return {}
    text = _text(event, "traceback")
    if not text or next(_dicts(event.get("frames")), None) is not None:
        return event
    script = _is_script_text(event, text)
    read = parse_javascript(text[:_MAX_STACK]) if script else parse_traceback(text[-_MAX_STACK:])
    if not (read["frames"] or read["exceptions"] or read["causes"]) and (script or _HEAD not in text):
        return event
    if not read["error_type"]:
        read |= {key: _text(event, key) for key in ("error_type", "error_module", "error_message")}
    if any(_BUNDLE.search(_text(frame, "file")) for frame in read["frames"]):
        read["platform"] = "javascript"
    return {**event, **read, "traceback": ""}


def _is_script_text(event: Mapping[str, Any], text: str) -> bool:
    if _text(event, "platform") == "javascript":
        return True
    return 'File "' not in text and _SCRIPT_LINE.search(text) is not None


_HEAD = "Traceback (most recent call last):"
_MAX_STACK = 200_000
_SCRIPT_LINE = re.compile(r"^[ \t]*at \S|^[^@\s]*@\S+:\d+:\d+$", re.MULTILINE)


def _is_record(event: Mapping[str, Any]) -> bool:
    kind = _text(event, "error_type")
    if event.get("frames") or _text(event, "error_module") or _text(event, "traceback"):
        return False
    return kind in _LEVELS or kind.startswith("Level ") or kind == _text(event, "level")


_LEVELS = frozenset({"CRITICAL", "FATAL", "ERROR", "WARNING", "WARN", "INFO", "DEBUG", "NOTSET"})


def _read(source: Mapping[str, Any]) -> _Error:
    return _read_head(source)._replace(frames=_frames(source.get("frames"), _name(source, "function")))


def _read_head(source: Mapping[str, Any]) -> _Error:
    """Read all but the frames."""
    module, kind = _name(source, "error_module"), _name(source, "error_type").rpartition("<locals>.")[2]
    full = kind if module in ("", "builtins", "__main__") else f"{module}.{kind}"
    message = _text(source, "error_message") or _text(source, "message")
    return _Error(
        full.removeprefix("builtins.").removeprefix("__main__."),
        message[: 2 * MAX_TEXT].strip(),
        [],
        "cause" if source.get("relation") == "cause" else "context",
    )


def _frames(value: object, function: str) -> list[_Frame]:
    """Read frames; comprehensions, which are no frames of their own from 3.12 on, become their function's."""
    listed = list(islice(_dicts(value), 100_000))
    if len(listed) > _MAX_FRAMES:
        listed = listed[: _MAX_FRAMES // 2] + listed[-_MAX_FRAMES // 2 :]
    frames = [_frame(source) for source in listed]
    if any(frame.function in _COMPREHENSIONS for frame in frames):
        _name_comprehensions(frames)
    return _with_hint(frames, function)


def _name_comprehensions(frames: list[_Frame]) -> None:
    around: dict[_File, _Frame] = {}
    for at, frame in enumerate(frames):
        if frame.function in _COMPREHENSIONS and frame.file in around:
            outer = around[frame.file]
            frames[at] = frame._replace(function=outer.function, owner=outer.owner)
        around[frame.file] = frames[at]


_COMPREHENSIONS = frozenset({"<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"})


def _with_hint(frames: list[_Frame], function: str) -> list[_Frame]:
    """Give the culprit the class that the event's own ``function`` names, if its frame does not."""
    at = next((at for at in reversed(range(len(frames))) if frames[at].in_app), None)
    if at is None or frames[at].owner:
        return frames
    owner, bare = _split_function(function)
    if bare == frames[at].function:
        frames[at] = frames[at]._replace(owner=owner)
    return frames


def _frame(source: Mapping[str, Any]) -> _Frame:
    if type(source) is not Shared:
        return _read_frame(source)
    if source.read is None:
        source.read = _read_frame(source)
    return cast("_Frame", source.read)


def _read_frame(source: Mapping[str, Any]) -> _Frame:
    path, flag = _name(source, "file"), source.get("in_app")
    owner, function = _split_function(_name(source, "function"))
    file = _folders(path) if path else _folders(_name(source, "module").replace(".", "/"))
    in_app = flag if isinstance(flag, bool) else not is_library_path(path)
    return _Frame(file, function, owner, _code(_text(source, "code")), in_app)


_SHORT = 600  # characters of a message that may be remembered


@lru_cache(4096)
def _split_function(name: str) -> tuple[str, str]:
    """Split a qualified name into class and function; what is around a local function does not count."""
    while name.endswith(_LOCAL_COMPREHENSIONS):
        name = name.rpartition(".<locals>.")[0]
    owner, _, bare = name.rpartition(".<locals>.")[2].rpartition(".")
    return owner, bare


_LOCAL_COMPREHENSIONS = tuple(f".<locals>.{name}" for name in _COMPREHENSIONS)


def _code(line: str) -> str:
    return "".join(line[:MAX_TEXT].split())


def _stack(error: _Error) -> list[_Frame]:
    """Return the application's frames; of endless recursion, the functions that came again, sorted."""
    stack = [frame for frame in error.frames if frame.in_app]
    if _last(error.kind) != "RecursionError":
        return stack
    seen: set[tuple[_File, str]] = set()
    again: dict[tuple[_File, str], _Frame] = {}
    for frame in stack:
        key = frame.file, frame.function
        if key in seen:
            again[key] = frame
        seen.add(key)
    return [again[key] for key in sorted(again)] or stack


# ------------------------------------------------------------------------------------------------ files

_LIBRARY = re.compile(
    r"(?:^|/)(?:site-packages|dist-packages|node_modules|lib(?:64)?/python\d[\d.]*t?|python[\d.]+\.zip"
    r"|python\d+(?:-\d\d)?/lib|PythonSoftwareFoundation[^/]*/lib"
    r"|(?:anaconda|miniconda|miniforge|mambaforge)\d?/(?:envs/[^/]+/)?lib)/",
    re.IGNORECASE,
)
_LAUNCHER = re.compile(r"(?:^|[/.])(?:usr|local|v?env[^/]*|conda[^/]*)/(?:s?bin|scripts)/[^/.]+(?:\.exe/.*)?$")
_TYPED_IN = (
    "<stdin>",
    "<string>",
    "<console>",
    "<input>",
    "<python-input",
    "<ipython",
    "<unknown>",
    "<doctest",
)


@lru_cache(4096)
def is_library_path(path: str) -> bool:
    """Return whether a file belongs to an installed package, the standard library or a launcher.

    Pseudo-files are library code (``<frozen importlib._bootstrap>``), unless a person typed them (``<stdin>``).
    """
    path = path.replace("\\", "/")
    if path.startswith("<"):
        return not path.startswith(_TYPED_IN)
    return bool(_LIBRARY.search(path) or _LAUNCHER.search(path.lower()))


@lru_cache(4096)
def _folders(path: str) -> _File:
    """Return a path as folders and name; of an installed file only the folders within its package."""
    path = path.replace("\\", "/")
    anchors = list(_LIBRARY.finditer(path))
    *folders, name = path[anchors[-1].end() if anchors else 0 :].split("/")
    folders = [folder for folder in folders if folder not in ("", ".")]
    stem = name.removesuffix(".pyc").removesuffix(".py")
    if stem in ("__init__", "__main__") and folders:
        stem = folders.pop()
    return _File(tuple(folders), stem, bool(anchors))


def _tails(stack: Sequence[_Frame]) -> list[str]:
    """Return each frame as ``package/file in function``.

    Folders count from the deepest one that all of them share, so that no install prefix does.
    """
    files = {id(frame.file): frame.file for frame in stack}  # most frames are of a few files
    shared = _shared_depth([file.folders for file in files.values() if not file.anchored])
    places = {key: _relative(file, 0 if file.anchored else shared) for key, file in files.items()}
    return [f"{places[id(frame.file)]} in {frame.function}" for frame in stack]


def _shared_depth(paths: Sequence[tuple[str, ...]]) -> int:
    if not paths:
        return 0
    first, last = min(paths), max(paths)
    pairs = zip(first, last, strict=False)
    return next((depth for depth, (one, other) in enumerate(pairs) if one != other), len(first))


def _relative(file: _File, shared: int) -> str:
    """Return the file with the folder around it, if that can be a package of Python's."""
    package = file.folders[shared:][-1:]
    return f"{package[0]}/{file.name}" if package and package[0].isidentifier() else file.name


def _library_place(frames: Sequence[_Frame]) -> str:
    named = [frame for frame in frames if not frame.file.name.startswith("<")] or frames
    file = named[-1].file
    return f"{'/'.join([*file.folders, file.name]) if file.anchored else file.name} in {named[-1].function}"


# --------------------------------------------------------------------------------------------- browsers


def _script(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What counts of a browser's error; the browsers word their messages differently."""
    message = _first_line(_text(event, "error_message") or _text(event, "message")).removeprefix("Uncaught ")
    if _FOREIGN_SCRIPT.match(message):
        yield "message", "Script error."
        return
    kind = _text(event, "error_type")
    yield "type", "RangeError" if kind == "InternalError" else kind
    frames = list(islice(_dicts(event.get("frames")), _MAX_FRAMES))
    named = [place for frame in frames if (place := _script_place(frame))]
    if named:
        yield from (("frame", place) for place in dict.fromkeys(named))
        return
    bundles = dict.fromkeys(_bundle(_text(frame, "file")) for frame in frames)
    yield from (("file", bundle) for bundle in bundles if bundle)
    yield from (("text", shape(text)) for text in [_text(event, "traceback")] if text and not message)
    yield "message", next((said for said, pattern in _SAID if pattern.search(message)), shape(message))


def _script_place(frame: Mapping[str, Any]) -> str:
    """Return ``bundle in function``; empty for what another browser would not show or a build renames."""
    file, name = _text(frame, "file"), _text(frame, "function")
    if _BROWSER_OWN.search(file) or _ASYNC.match(name):
        return ""
    name = _last(_DECORATION.sub("", name).rpartition("/")[2])
    return f"{_bundle(file)} in {name}" if _TELLING.match(name) else ""


@lru_cache(1024)
def _bundle(file: str) -> str:
    """Return the name of a script without origin, query and the hashes that builds put into it."""
    name = re.split(r"[?#]", file.replace("\\", "/"), maxsplit=1)[0].rpartition("/")[2]
    if not _BUNDLE.search(name):
        return "page"
    stem, _, suffix = name.rpartition(".")
    return ".".join([*filter(None, _HASH.sub("", f".{stem}").split(".")), suffix])


_BUNDLE = re.compile(r"\.(?:[mc]?js|jsx|tsx?|vue)(?:[?#:]|$)")
_FOREIGN_SCRIPT = re.compile(r"Script error\.?$", re.IGNORECASE)
_BROWSER_OWN = re.compile(r"^(?:<anonymous>|native|\[native code\]|[\w-]+-extension://.*)$|/node_modules/")
_ASYNC = re.compile(r"async[ *]|promise callback|(?:setTimeout|setInterval) handler")
_DECORATION = re.compile(r"^new |^[gs]et |\s*\[as .*")
# Minified names change with every build; Firefox ends an anonymous function's name in "<".
_TELLING = re.compile(r"(?!(?:anonymous|undefined|null|eval)$)[\w$]{3,200}$")
_HASH = re.compile(
    r"[.~_-](?:[0-9a-f]{6,64}|\d+|(?=[\w-]{0,7}[0-9A-Z])(?=[\w-]{0,7}[A-Za-z])[\w-]{8}"
    r"|(?=[\w-]{0,63}\d)[\w-]{20,64})(?=[.~_-]|$)"
)
_SAID = tuple(
    (said, re.compile(pattern, re.IGNORECASE))
    for said, pattern in (
        ("<nothing>", r"cannot [rs]e\w+ propert|can't access propert|is not an object \(|^\S+ is (?:undefined|null)$"),
        ("<no such variable>", r"is not defined$|can't find variable"),
        ("<not a function>", r"is not a (?:function|constructor)"),
        ("<no network>", r"failed to fetch|networkerror when attempting|load failed|network request failed"),
        ("<no JSON>", r"JSON\.parse:|JSON parse error|unexpected (?:token|end of JSON)|is not valid JSON"),
        ("<recursion>", r"call stack size exceeded|too much recursion"),
    )
)


# -------------------------------------------------------------------------------------------- messages


def normalize(text: str) -> str:
    """Take the values out of a message: what stays is what every occurrence of the same message has.

    ``user 42 not found in '/srv/a.db'`` becomes ``user <num> not found in <str>``. Words stay. It counts the
    first `MAX_TEXT` characters, takes time in proportion to them, and is idempotent.
    """
    text = text[:MAX_TEXT]
    for _ in range(_ROUNDS):
        before = text
        text = _VALUE.sub(_placeholder, " ".join(_COLOUR.sub("", text).split()))[:MAX_TEXT].rstrip()
        if text == before:
            break
    return text


def shape(text: str) -> str:
    """Return `normalize`, with one sign for every value and for every run of values: what is hashed."""
    return _RUN.sub("<*>", _PLACEHOLDER.sub("<*>", normalize(text)))


def _placeholder(match: re.Match[str]) -> str:
    return match[0] if match.lastgroup == "kept" else f"<{match.lastgroup}>"


_ROUNDS = 10
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*\x07?|\[\d{1,3}(?:;\d{1,3})*m")
_RUN = re.compile(r"<\*>(?:[^\w<]*<\*>)+")
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:t(?:ember)?)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
_CLOCK = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:\s?[ap]m\b)?"
_ZONE = r"(?:\s?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)\b)?"
_UNIT = (
    r"(?:%|°[CF]?|[nuµm]?s|sec(?:ond)?s?|min(?:ute)?s?|h(?:ou)?rs?|h|d|days?|weeks?|months?|years?"
    r"|milliseconds?|microseconds?|bytes?|[kmgt]i?b(?:ytes?|/s|ps)?|b|[kmg]?hz|px)"
)
# One alternative per kind of value; at each place of the text the first that fits is taken. Alternatives that
# run over words begin only where a word begins, and none has a repeat within a repeat over the same
# characters: that keeps the time linear.
_KINDS = {
    "kept": r"<(?:NAMES)>",
    "url": r"(?<![a-z0-9])[a-z][a-z0-9+.-]{1,15}://[^\s'\"<>`]*[^\s'\"<>`.,;:!?)\]}]",
    "bytes": r"(?<!\w)b(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")",
    "str": r"(?<!\w)'(?:[^'\\]|\\.|'(?=\w))*+'|\"(?:[^\"\\]|\\.)*\"|`[^`]+`|“[^”]{0,300}”|«[^»]{0,300}»",
    "data": (
        r"\{\s*(?:\}|['\"<\d\[{](?:.*\}|.*$))"
        r"|\[\s*(?:\]|\[.*\]|['\"({<\d-][^\[\]]*(?:\]|\[.*\])|\w[^\[\],]*,[^\[\]]*\])"
    ),
    "object": r"<(?=[a-z_][\w.]*[\s:(])[^<>]*(?:>|<.*>)",
    "email": r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    "uuid": r"(?<![0-9a-z])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9a-z])",
    "mac": r"(?<![0-9a-z:])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![0-9a-z:])",
    "date": (
        r"(?<!\w)(?:\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?/\d\d?/\d{2,4}|\d\d?\.\d\d?\.\d{4})(?:[T ]" + _CLOCK + r")?" + _ZONE
        + r"|(?<!\w)(?:(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?,?\s)?(?:\d{1,2}[\s-])?"
        + _MONTH + r"[\s-]\d{1,4}(?:,?\s\d{4})?(?:,?\s" + _CLOCK + r")?(?:\s\d{4})?" + _ZONE
    ),
    "time": r"(?<![\w:.])" + _CLOCK + _ZONE + r"(?![\w:])",
    "ip": (
        r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5}|/\d\d?)?(?![\w.]\d)"
        r"|\[?(?<![\w:.])(?:(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){1,6}"
        r"|(?:[0-9a-f]{1,4}:){1,7}:|::(?:[0-9a-f]{1,4}:){0,5}[0-9a-f]{1,4})(?![\w:])(?:%\w+)?(?:\]:\d{1,5})?"
    ),
    "path": (
        r"(?<!\w)[a-z]:[\\/](?:[^\\/:*?\"<>|]{1,99}[\\/])*[^\s\\/:*?\"<>|',;)\]]*|\\\\[\w.$-]+(?:\\[\w.$ -]+)+"
        r"|(?<![\w<>/.~])(?:~\w*|\.\.?)?/[\w.@%+~-]+(?:/[\w.@%+~-]*)*"
        r"|(?<![\w.@%+/-])(?:[\w.@%+-]+/)+[\w@%+-]+\.[a-z]\w{0,4}\b"
        r"|(?<![\w.-])[\w-]+(?:\.[\w-]+)*\.(?:SUFFIXES)\b"
    ),
    "host": (
        r"(?<![\w.-])(?:localhost|(?:[a-z0-9-]+\.)+(?:com|net|org|edu|gov|local|localdomain|internal|lan|intra|corp|cloud"
        r"|example|invalid|svc|eu|uk|de|fr|io|dev)\b|(?:[a-z0-9-]+\.)+[a-z]{2,}(?=:\d))(?::\d{1,5}\b)?"
    ),
    "hex": r"(?<![0-9a-z])(?:0x[0-9a-f]+|(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,})(?![0-9a-z])",
    "token": (
        r"(?<![\w-])(?:eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?|(?=[a-z_-]*\d+[a-z_-]+\d)[\w-]{8,}={0,2}"
        r"|(?=[a-z+/_-]*\d)(?=\d*[a-z])[\w+/-]{32,}={0,2})"
    ),
    "value": r"(?<=\w=)[^\s,;&)\]}'\"<>=][^\s,;&)\]}'\"<>]*",
    "duration": r"(?:(?<![\w.-])[+-])?\d+(?:[.,_]\d+)*\s?" + _UNIT + r"(?![\w])",
    "num": r"(?:(?<![\w.-])[+-])?\d+(?:[.,_]\d+)*(?:e[+-]?\d+)?",
}  # fmt: skip
_SUFFIXES = (
    "py|pyc|so|dll|exe|sh|js|ts|css|html?|xml|json|ya?ml|toml|ini|cfg|conf|env|sql|db|sqlite3?|csv|tsv|xlsx?|docx?"
    "|pdf|txt|log|md|png|jpe?g|gif|svg|webp|mp[34]|wav|zip|gz|tar|tgz|bz2|xz|7z|parquet|pkl|bin|dat|tmp|bak|lock|pid"
    "|sock|pem|crt|key"
)
_PLACEHOLDER = re.compile(rf"<(?:{'|'.join(list(_KINDS)[1:])})>")
# Nothing below begins at a blank, within a word, or with a plain word; to say so at once makes it three times as fast.
_SKIPPED = (
    r"\s|(?<=\w)[^\W\d]"
    r"|(?<!=)(?!jan|feb|mar|apr|may|ju[nl]|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun|localhost)[a-z]+(?:[\s,;!?]|$)"
)
_VALUE = re.compile(
    f"(?!{_SKIPPED})(?:"
    + "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items())
    .replace("NAMES", "|".join(list(_KINDS)[1:]))
    .replace("SUFFIXES", _SUFFIXES)
    + ")",
    re.IGNORECASE,
)
