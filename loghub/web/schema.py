"""JSON schemas of what the code already says in types."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Any: {},
}


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
