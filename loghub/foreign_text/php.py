"""PHP: uncaught exceptions and fatal errors as its log has them, and the exceptions of Monolog (Laravel, Symfony)."""

from __future__ import annotations

import re
from typing import Any

from loghub.foreign_text.shape import chained, error, frame

_PLACE = r"(?P<file>(?:[A-Za-z]:)?[^:\n]{1,1000}?)(?::|\((?=\d)| on line )(?P<line>\d{1,9})\)?"
_UNCAUGHT = re.compile(
    r".{0,1000}?(?:PHP )?(?:Fatal error|Recoverable fatal error|Warning)(?:</b>)?:\s{1,4}Uncaught (?P<rest>.*)"
)
_NEXT = re.compile(r"\s{0,80}Next (?P<rest>[\\\w]{1,300}(?:: .*| in .*|$))")
_KIND = re.compile(r"(?P<kind>[A-Za-z_\\][\\\w]{0,300}(?:@anonymous)?)(?:: ?(?P<message>.*))?$", re.DOTALL)
_AT_END = re.compile(rf"(?:^|(?P<before>.*) )in {_PLACE}$", re.DOTALL)
_OBJECT = re.compile(r"\[object\] \((?P<kind>[\\\w@]{1,300})\(code: [^)]{0,20}\): ")
_OBJECT_AT = re.compile(r" at (?P<file>(?:[A-Za-z]:)?[^:\s]{1,1000}):(?P<line>\d{1,9})\)")
_FRAME = re.compile(
    r"(?:PHP message: )?#\d{1,5} (?:\[internal function\]|(?P<file>.{1,1000}?)\((?P<line>\d{1,9})\))"
    r"(?: : [\w]{1,40})?: (?P<name>.*)$"
)
_MAIN = re.compile(r"(?:PHP message: )?#\d{1,5} \{main\}")
_PLAIN = re.compile(
    r".{0,1000}?PHP (?P<kind>Fatal error|Parse error|Warning|Notice|Deprecated|Recoverable fatal error"
    r"|Compile error|Core error):\s{1,4}(?P<rest>.*)"
)
_ON_LINE = re.compile(r" on line (?P<line>\d{1,9})")
_CALLER = re.compile(r", called in \S{1,1000} on line \d{1,9} and defined$")
_CLOSURE = re.compile(r"\{closure[^}]{0,300}\}(?:\(\))?")
_LIBRARY = re.compile(r"(?:^|/)(?:vendor|wp-includes|wp-admin)/|\.phar/|^phar:|/share/(?:php|pear)/")
MARK = re.compile(
    r"\bFatal error(?:</b>)?:\s+Uncaught |\[stacktrace\]|^#0 .{1,1000}\(\d+\): |PHP (?:\w+ )?(?:[Ee]rror"
    r"|Warning): ",
    re.MULTILINE,
)


def read(lines: list[str]) -> dict[str, Any] | None:
    """Read the first uncaught exception with those before it, or the first fatal error."""
    for at, line in enumerate(lines):
        if (uncaught := _UNCAUGHT.match(line)) is not None:
            return _uncaught([uncaught["rest"], *lines[at + 1 :]])
        if _logged(line) is not None:
            return _monolog(lines[at:])
        plain = _PLAIN.match(line)
        place = _ON_LINE.search(plain["rest"]) if plain else None
        if plain and place:
            message, _, file = plain["rest"][: place.start()].rpartition(" in ")
            return error(plain["kind"], message, [_place(file, "", place["line"])])
    return None


def _place(file: str, name: str, line: str) -> dict[str, Any]:
    return frame(file.replace("\\", "/"), name, line, in_app=_is_own(file))


def _logged(line: str) -> tuple[str, str, str, str] | None:
    """Return class, message, file and line of an exception as Monolog writes it."""
    head = _OBJECT.search(line)
    place = _OBJECT_AT.search(line, head.end()) if head else None
    if head is None or place is None:
        return None
    return head["kind"], line[head.end() : place.start()], place["file"], place["line"]


def _uncaught(lines: list[str]) -> dict[str, Any] | None:
    sections: list[tuple[list[str], list[str]]] = [([lines[0]], [])]
    within = False
    for line in lines[1:]:
        bare = line.removeprefix("PHP message: ").strip()
        if bare.startswith("thrown in ") or len(sections) > 50:
            break
        if (following := _NEXT.match(bare)) is not None:
            sections.append(([following["rest"]], []))
            within = False
        elif bare == "Stack trace:":
            within = True
        elif within:
            sections[-1][1].append(bare)
        elif len(sections[-1][0]) < 40:
            sections[-1][0].append(bare)
    return chained([_error("\n".join(head).strip(), trace) for head, trace in reversed(sections)])


def _error(head: str, trace: list[str]) -> dict[str, Any]:
    where = _AT_END.match(head[-3000:])
    said = (head[:-3000] + (where["before"] or "")) if where else head
    kind = _KIND.match(_CALLER.sub("", said))
    name, message = (kind["kind"], kind["message"] or "") if kind else ("", said)
    file, line = (where["file"], where["line"]) if where else ("", "0")
    return _of(name, message, _frames(file, line, trace))


def _of(name: str, message: str, frames: list[dict[str, Any]]) -> dict[str, Any]:
    return error(name.replace("\\\\", "\\").lstrip("\\").partition("@")[0], message, frames)


def _monolog(lines: list[str]) -> dict[str, Any]:
    errors: list[tuple[tuple[str, str, str, str], list[str]]] = []
    for line in lines:
        if (head := _logged(line)) is not None:
            if errors and "[previous exception]" not in line:
                break
            errors.append((head, []))
        elif line.startswith("#"):
            errors[-1][1].append(line)
    return chained([_of(kind, message, _frames(file, line, trace)) for (kind, message, file, line), trace in errors])


def _frames(file: str, line: str, trace: list[str]) -> list[dict[str, Any]]:
    """Return the frames; PHP writes who was called from where, so each function belongs to the place before it."""
    places, names = [(file, line)], []
    for entry in trace:
        if _MAIN.match(entry):
            break
        if (read := _FRAME.match(entry)) is not None:
            places.append((read["file"] or "", read["line"] or "0"))
            names.append(_named(read["name"]))
    names.append("{main}" if names else "")
    if len(places) > 1 and places[0] == places[1]:
        # Raised by a function of PHP's own or by a handler of warnings: the place is that of who called it.
        del places[0], names[0]
    return [_place(place, name, number) for (place, number), name in zip(places, names, strict=True) if place or name]


def _is_own(file: str) -> bool:
    return bool(file) and not _LIBRARY.search(file.replace("\\", "/"))


def _named(call: str) -> str:
    name = _CLOSURE.sub("{closure}", call).partition("(")[0].replace("\\\\", "\\")
    return name.replace("->", ".").replace("::", ".").partition("@anonymous")[0]
