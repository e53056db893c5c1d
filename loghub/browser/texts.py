"""Texts of strangers, made harmless for whoever prints them."""

from __future__ import annotations

from typing import Any

from loghub.event import escaped

# What ends a line somewhere, or turns the direction in which it is read.
_TURNS = (0x2028, 0x2029, 0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF)
_ESCAPES = {ord("\n"): "\\n", ord("\t"): "\\t"} | {code: f"\\u{code:04x}" for code in _TURNS}


def line_of(text: str) -> str:
    """Return a text as one line: no control characters, no line ends, nothing that turns the direction."""
    return text if text.isascii() and text.isprintable() else escaped(text).translate(_ESCAPES)


def clean(value: Any) -> Any:
    """Return a value of JSON whose texts any database takes: control characters and lone surrogates are escaped."""
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, dict):
        return {escaped(name): clean(one) for name, one in value.items()}
    return [clean(one) for one in value] if isinstance(value, list) else value
