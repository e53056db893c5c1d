"""Templates of the owner's own for the two parts of a mail: `string.Template`, or Jinja where it is installed.

A template is read once and tried on a sample, so that what is wrong with it is said when logging is configured. What
goes wrong later costs nobody a mail: loghub's own part stands in its place.
"""

from __future__ import annotations

import logging
import string
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

from loghub import options
from loghub.errors import MissingExtraError
from loghub.event import iso
from loghub.ledger.protocol import Group, Item
from loghub.mail import digest, page, plaintext
from loghub.mail.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loghub.event import Event
    from loghub.history import Outlook
    from loghub.mail.digest import Digest

JINJA_ENDINGS = (".j2", ".jinja")
"""How the name of a file ends that is written for Jinja."""

ENTRY_NAMES = (*(name for name in Entry.__dataclass_fields__ if name not in {"issue", "in_app"}), "issue_url")
"""What a Jinja template can name of each of `errors` and `listed`."""

_NEEDED = "A template whose name ends in .j2 or .jinja needs Jinja: pip install 'loghub-handlers[jinja]'."
_MOST_BYTES = 1_000_000
"""Of a template's file."""


class _Writer(Protocol):
    def __call__(self, digest: Digest, values: Mapping[str, str | int]) -> str: ...


class Template:
    """One part of a mail as its owner wants it.

    Args:
        owner: The handler, for what is said.
        option: Its option.
        path: The file.
        html: Whether it is for the HTML part: values are escaped then.

    Raises:
        OptionValueError: It cannot be read, is malformed, or names what there is not.
        MissingExtraError: It is written for Jinja, which is not installed.
    """

    def __init__(self, owner: object, option: str, path: str, *, html: bool) -> None:
        self.option = option
        name = options.text(owner, option, path)
        jinja = name.endswith(JINJA_ENDINGS)
        try:
            source = _read(name)
            self._write = _jinja(source, html=html) if jinja else _dollars(source, html=html)
            for sample in (_SAMPLE, _SAMPLE[:1]):
                self._write(digest.digest(sample, {}), _VALUES)
        except MissingExtraError:
            raise
        except Exception as error:  # of whatever an expression in the template does
            options.refuse(owner, option, path, f"the name of a file with a template that works ({_said(error)})")

    def write(
        self,
        bugs: Sequence[Item],
        outlooks: Mapping[str, Outlook],
        most: int,
        values: Mapping[str, str | int],
        on_fault: Callable[[str], object],
    ) -> str | None:
        """Return the part; None where the template fails or says too much, which `on_fault` is told.

        Args:
            bugs: In order.
            outlooks: As of `loghub.mail.compose`.
            most: Bytes that the part may take on its way.
            values: What is said of all bugs: `loghub.mail.SUBJECT_NAMES`.
            on_fault: Takes one sentence.
        """
        try:
            written = digest.fit(bugs, outlooks, most, lambda told: self._write(told, values))
        except Exception as error:
            on_fault(f"{self.option} failed ({_said(error)}), so the mail has loghub's own part in its place.")
            return None
        if written is None:
            on_fault(f"{self.option} wrote more than {most} bytes, so the mail has loghub's own part in its place.")
        return written


def templates(
    owner: object, template: str | None, html_template: str | None
) -> tuple[Template | None, Template | None]:
    """Return what the two options of a handler name; None where they name nothing."""
    return (
        None if template is None else Template(owner, "template", template, html=False),
        None if html_template is None else Template(owner, "html_template", html_template, html=True),
    )


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        source = file.read(_MOST_BYTES + 1)
    if len(source) > _MOST_BYTES:
        raise ValueError(f"it has more than {_MOST_BYTES} characters")
    return source


def _said(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, KeyError):
        return f"{error} is no name that a template has"
    where = getattr(error, "lineno", None)
    said = " ".join(str(error).split()).rstrip(".")[:200] or type(error).__name__
    return f"line {where}: {said}" if where else said


def _dollars(source: str, *, html: bool) -> _Writer:
    template = string.Template(source)
    own = page if html else plaintext

    def write(digest: Digest, values: Mapping[str, str | int]) -> str:
        safe = {name: escape(str(value)) if html else str(value) for name, value in values.items()}
        opening = escape(digest.opening) if html else digest.opening
        return template.substitute(safe, opening=opening, entries=own.entries(digest))

    return write


def _jinja(source: str, *, html: bool) -> _Writer:
    try:
        import jinja2
        from jinja2 import meta
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError:
        raise MissingExtraError(_NEEDED) from None
    environment = ImmutableSandboxedEnvironment(
        autoescape=html, undefined=jinja2.StrictUndefined, keep_trailing_newline=True, trim_blocks=True
    )
    known = {"opening", "error_count", "listed", *_VALUES}
    if unknown := meta.find_undeclared_variables(environment.parse(source)) - known - environment.globals.keys():
        raise KeyError(min(unknown))  # also where the sample does not come by
    template = environment.from_string(source)

    def write(digest: Digest, values: Mapping[str, str | int]) -> str:
        named: dict[str, Any] = {
            "opening": digest.opening,
            "error_count": values["errors"],
            "errors": [_names(entry) for entry in digest.told],
            "listed": [_names(entry) for entry in digest.listed],
        }
        return template.render({**values, **named})

    return write


def _names(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in ENTRY_NAMES}


def _sample(number: int) -> Item:
    group = Group(
        fingerprint=f"v1:{number:016x}",
        error_type="ValueError",
        error_module="builtins",
        error_message="a sample",
        component="sample",
        culprit="sample.work in work",
        level="ERROR",
        logger="sample",
        count=3,
        first_seen_at=0.0,
        last_seen_at=0.0,
        issue_url="https://github.com/example/sample/issues/1",
    )
    event: Event = {
        "timestamp": iso(0.0),
        "module": "sample.work",
        "function": "work",
        "traceback": "ValueError: a sample",
    }
    return Item("sample", group, 1, 3, event, logging.ERROR, 0.0)


_SAMPLE = [_sample(1), _sample(2)]
_VALUES: dict[str, str | int] = {
    "component": "sample",
    "type": "ValueError",
    "module": "sample.work",
    "errors": 2,
    "occurrences": 2,
    "level": "ERROR",
    "environment": "production",
    "release": "1.0",
    "trend": "new",
}
