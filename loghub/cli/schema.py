"""schema: what an editor needs to complete and to check a logging.yaml."""

from __future__ import annotations

import inspect
import json
import logging
from typing import Any

import click

import loghub
from loghub.declared import options_of, summary

_KINDS = {"formatters": logging.Formatter, "filters": logging.Filter, "handlers": logging.Handler}
_LEVEL = {
    "type": ["string", "integer"],
    "description": "The lowest level: a number, or a name such as INFO, WARNING, ERROR.",
}
_LIST = {"type": "array", "items": {"type": "string"}}
_FLAG = {"type": "boolean"}
_OF_DICT_CONFIG = {
    "formatters": {},
    "filters": {},
    "handlers": {"level": _LEVEL, "formatter": {"type": "string"}, "filters": _LIST},
}
_OF_LOGGER = {"level": _LEVEL, "filters": _LIST, "handlers": _LIST}
_FOR_CLASS = ("format", "datefmt", "style", "validate", "defaults")
"""All that dictConfig hands to a formatter that is named under ``class``."""


@click.command(short_help="Print a JSON Schema of logging.yaml, for editors.")
def schema() -> None:
    """Print a JSON Schema (draft 2020-12) of a logging.yaml with loghub's handlers, filters and formatters.

    Editors complete and check with it what the first line of a logging.yaml names:
    # yaml-language-server: $schema=logging.schema.json

    \b
    Example:
      loghub schema > logging.schema.json
    """
    click.echo(json.dumps(document(), indent=2))


def document() -> dict[str, Any]:
    """Return the schema of a whole logging.yaml; classes of others may have any options."""
    public = [found for name in loghub.__all__ if isinstance(found := getattr(loghub, name), type)]
    classes = {kind: [one for one in public if issubclass(one, base)] for kind, base in _KINDS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "logging.yaml with loghub",
        "type": "object",
        "properties": {
            "version": {"const": 1},
            "incremental": _FLAG,
            "disable_existing_loggers": _FLAG,
            **{kind: {"type": "object", "additionalProperties": {"$ref": f"#/$defs/{kind}"}} for kind in _KINDS},
            "root": {"type": "object", "properties": _OF_LOGGER},
            "loggers": {
                "type": "object",
                "additionalProperties": {"type": "object", "properties": {**_OF_LOGGER, "propagate": _FLAG}},
            },
        },
        "required": ["version"],
        "$defs": {kind: _entry(kind, found) for kind, found in classes.items()}
        | {one.__name__: _class(kind, one) for kind, found in classes.items() for one in found},
    }


def _entry(kind: str, classes: list[type]) -> dict[str, Any]:
    """Return the schema of one formatter, filter or handler, of whatever class."""
    known = [f"loghub.{one.__name__}" for one in classes]
    name = {"type": "string", "anyOf": [{"enum": known}, {"not": {"pattern": r"^loghub\.\w+$"}}]}
    cases = []
    for one in classes:
        is_it = {"enum": _names(one)}
        either: list[dict[str, Any]] = [{"properties": {key: is_it}, "required": [key]} for key in ("class", "()")]
        cases.append({"if": {"anyOf": either}, "then": {"$ref": f"#/$defs/{one.__name__}"}})
        if kind == "formatters":
            allowed = dict.fromkeys(("class", *_FOR_CLASS), True)
            cases.append({"if": either[0], "then": {"properties": allowed, "additionalProperties": False}})
    return {"type": "object", "properties": {"class": name, "()": name}, "allOf": cases}


def _class(kind: str, cls: type) -> dict[str, Any]:
    options = options_of(cls)
    properties: dict[str, Any] = {"class": {"enum": _names(cls)}, "()": {"enum": _names(cls)}, ".": {"type": "object"}}
    properties |= _OF_DICT_CONFIG[kind]
    for option in options.values():
        properties[option.name] = {**option.schema, "description": option.text, **_default(option.default)}
    if "fmt" in options:
        properties["format"] = properties["fmt"]  # as dictConfig calls it
    return {
        "description": summary(cls),
        "type": "object",
        "properties": properties,
        "required": [option.name for option in options.values() if option.default is inspect.Parameter.empty],
        "additionalProperties": False,
    }


def _names(cls: type) -> list[str]:
    return [f"loghub.{cls.__name__}", f"{cls.__module__}.{cls.__name__}"]


def _default(value: object) -> dict[str, Any]:
    if value is None or value is inspect.Parameter.empty or callable(value):
        return {}
    return {"default": list(value) if isinstance(value, tuple) else value}
