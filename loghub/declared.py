"""What the classes for a logging.yaml declare: each option with its type, its default and what it means.

All of it is read from the signatures and docstrings of the classes themselves. `loghub schema` and the tests of the
documentation stand on it.
"""

from __future__ import annotations

import builtins
import collections.abc
import inspect
import re
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loghub import options

REFERENCE = "(ext|cfg)://"
"""What dictConfig resolves before a class sees it."""

_FLAG = "|".join("".join(f"[{letter.upper()}{letter}]" for letter in word) for word in ("true", "false", "yes", "no"))
_FLAG += "|[Oo][Nn]|[Oo][Ff][Ff]|0|1"
_SOME_TEXT = r"\S"
_SECTIONS = re.compile(r"^(Args|Attributes|Raises|Returns):\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a class.

    Attributes:
        name: As it stands in a YAML file.
        owner: The class that declares it.
        default: What counts where it is left out; `inspect.Parameter.empty`: it has to be given.
        schema: What it can be, in the words of JSON Schema.
        text: What it means.
    """

    name: str
    owner: type
    default: Any
    schema: dict[str, Any]
    text: str


def options_of(cls: type) -> dict[str, Option]:
    """Return the options of a class but for `level`, which is dictConfig's own."""
    return {
        name: Option(
            name, owner, parameter.default, _taken(parameter.annotation, owner), _meanings(owner).get(name, "")
        )
        for name, (owner, parameter) in options.parameters(cls).items()
        if name != "level"
    }


def summary(cls: type) -> str:
    """Return the first sentence of a class's docstring."""
    return _plain((inspect.getdoc(cls) or "").partition("\n\n")[0])


# --- docstrings


def _meanings(cls: type) -> dict[str, str]:
    """Return what a docstring says of each argument, in one line each."""
    found: dict[str, str] = {}
    for doc in (inspect.getdoc(cls), inspect.getdoc(vars(cls)["__init__"])):
        parts = _SECTIONS.split(doc or "")
        for title, body in zip(parts[1::2], parts[2::2], strict=True):
            if title == "Args":
                lines = re.split(r"^    (?=\w+: )", body.partition("\n\n")[0], flags=re.MULTILINE)
                found |= {name: _plain(text) for name, _, text in (line.partition(": ") for line in lines if line)}
    return found


def _plain(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


# --- types


class _Names(dict[str, Any]):
    """The names that an annotation may use: its module's, and those that only type checkers import."""

    def __missing__(self, name: str) -> Any:
        for module in (builtins, typing, collections.abc):
            if hasattr(module, name):
                return getattr(module, name)
        return Any  # a class of loghub's own, which stands in no YAML file


def _taken(annotation: Any, owner: type) -> dict[str, Any]:
    if owner.__module__.partition(".")[0] != __name__.partition(".")[0]:
        return {}  # how others read their options is not said by their types
    names = _Names(vars(sys.modules[owner.__module__]))
    return _schema(eval(annotation, {}, names))  # noqa: S307 - written in our own source


def _schema(kind: Any) -> dict[str, Any]:
    """Return what values of a type an option takes; strings that dictConfig resolves come to these."""
    found = _kind(kind)
    if "enum" in found:
        return {"anyOf": [found, {"type": "string", "pattern": f"^{REFERENCE}"}]}
    if found and "string" not in _types(found):
        return found | {"type": [*_types(found), "string"], "pattern": f"^{REFERENCE}"}
    if "pattern" in found and found["pattern"] != _SOME_TEXT:
        return found | {"pattern": f"{found['pattern']}|^{REFERENCE}"}
    return found


def _kind(kind: Any) -> dict[str, Any]:
    origin = typing.get_origin(kind)
    if origin is typing.Required:
        return _kind(*typing.get_args(kind))
    if origin is typing.Annotated:
        return _annotated(*typing.get_args(kind))
    if origin in (typing.Union, types.UnionType):
        return _united(typing.get_args(kind))
    if origin is Sequence:
        return _sequence(*typing.get_args(kind))
    if typing.is_typeddict(kind):
        return _record(kind)
    return dict(_PLAIN.get(origin or kind, {}))


_PLAIN: dict[Any, dict[str, Any]] = {  # as the readers in `options` take them; a number may stand in quotes
    bool: {"type": ["boolean", "string", "integer"], "minimum": 0, "maximum": 1, "pattern": rf"^\s*({_FLAG})\s*$"},
    int: {"type": ["integer", "string"], "minimum": 0, "pattern": r"^\s*\+?\d+\s*$"},
    float: {"type": ["number", "string"], "minimum": 0, "pattern": r"^\s*\+?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"},
    str: {"type": "string", "pattern": _SOME_TEXT},
    Mapping: {"type": "object"},
}


def _annotated(base: Any, *said: Any) -> dict[str, Any]:
    """Return a type with what `Takes` adds to it, or has in its place."""
    added = {key: value for one in said for key, value in one.keywords.items()}
    found = added if "type" in added else _kind(base) | added
    if base in (int, float) and (found.get("exclusiveMinimum") == 0 or found["minimum"] > 0):
        found["pattern"] = found["pattern"].replace("^", r"^(?=.*[1-9])", 1)
    return found


def _united(kinds: Sequence[Any]) -> dict[str, Any]:
    """Return one schema for several types; a text beside a list is one in short."""
    given = [one for one in kinds if one is not types.NoneType]
    lists = [one for one in given if typing.get_origin(one) is Sequence]
    known = [found for one in lists or given if (found := _kind(one)).get("type")]
    found = known[0] if known else {}
    if not found or len(given) == len(kinds):
        return found
    if "enum" in found:
        found = found | {"enum": [*found["enum"], None]}
    return found | {"type": [*_types(found), "null"]}


def _sequence(item: Any) -> dict[str, Any]:
    if item is str:
        return {"type": ["array", "string"], "items": {"type": "string", "pattern": _SOME_TEXT}}
    return {"type": "array", "items": _kind(item)}


def _record(kind: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: _schema(one) for name, one in typing.get_type_hints(kind, include_extras=True).items()},
        "required": sorted(kind.__required_keys__),
        "additionalProperties": False,
    }


def _types(schema: dict[str, Any]) -> list[str]:
    said = schema.get("type", [])
    return [said] if isinstance(said, str) else list(said)
