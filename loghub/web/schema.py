"""JSON schemas of what the code already says in types."""

from __future__ import annotations

import types
from itertools import groupby
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Any: {},
}


def _not_blank() -> str:
    r"""Return a pattern for what ``str.strip`` leaves something of.

    ``\S`` will not do: to Python U+001C to U+001F and U+0085 are white space, to JSON Schema (ECMA 262) U+FEFF is.
    """
    codes = [code for code in range(0x10000) if chr(code).isspace()]
    runs = (list(run) for _, run in groupby(enumerate(codes), key=lambda pair: pair[1] - pair[0]))
    return "[^{}]".format("".join(f"\\u{run[0][1]:04x}-\\u{run[-1][1]:04x}" for run in runs))


NOT_BLANK = {"type": "string", "pattern": _not_blank()}
"""A text in which more stands than white space."""


def of(kind: Any) -> dict[str, Any]:
    """Return the JSON schema of a type: plain, a union, list, dict or Literal; a TypedDict is referred to."""
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    if is_typeddict(kind):
        return {"$ref": f"#/components/schemas/{kind.__name__}"}
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return {"anyOf": [of(one) for one in inner]}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin is list:
        return {"type": "array", "items": of(inner[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": of(inner[1])}
    raise TypeError(f"There is no JSON schema for {kind!r}.")


def of_typed_dict(kind: type) -> dict[str, Any]:
    """Return the JSON schema of a TypedDict, to be referred to by its name."""
    properties = {name: of(one) for name, one in get_type_hints(kind).items()}
    required = sorted(getattr(kind, "__required_keys__", ()))
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})
