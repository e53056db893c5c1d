"""explain: what was hashed for an error's fingerprint, and why two errors are or are not the same bug."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from loghub import fingerprint, history
from loghub.cli.where import Where, where
from loghub.event import culprit, dumps, escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loghub.event import Event
    from loghub.ledger.protocol import Ledger

_Parts = list[dict[str, str]]
_VALUE_CHARS = 60  # what is longer has its reason on the next line
_CHOSEN = "the application gave it: extra fingerprint, or before_send"
_ESCAPED = "It was made before characters that cannot be kept as they are were escaped: lone surrogates, or controls."
_SURROGATE = re.compile(r"\\ud[89a-f][0-9a-f]{2}")
_ESCAPE = re.compile(rf"{_SURROGATE.pattern}|\\x[0189][0-9a-f]|\\x7f|\\r")


class _Told(NamedTuple):
    """One kept error: what counted of it, and what has to be known about that."""

    event: Event
    parts: _Parts
    note: str

    @property
    def fingerprint(self) -> str:
        return str(self.event.get("fingerprint", ""))

    @property
    def head(self) -> str:
        """Which error it is."""
        return f"{self.event.get('error_type')} at {culprit(self.event)}"

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.event.get("id", ""),
            "fingerprint": self.fingerprint,
            "parts": self.parts,
            "note": self.note,
        }


@click.command(short_help="Why two errors are or are not the same bug.")
@click.argument("key", metavar="ID")
@click.argument("other", metavar="[ID]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@where
def explain(place: Where, key: str, other: str | None, as_json: bool) -> None:
    """Print what was hashed for an error's fingerprint; with two, whether they are the same bug and where they differ.

    ID is an error's id, or a group's fingerprint for its newest error; the beginning of either is enough. Exit
    code 1 if there is no such error; 0 whether two are the same or not.

    \b
    Example:
      loghub explain v1:3f2a
      loghub explain v1:3f2a 9c1d4e7a
    """
    ledger = place.open().ledger()
    told = [_tell(_find(ledger, one)) for one in (key, other) if one is not None]
    same = len({one.fingerprint for one in told}) == 1
    if as_json:
        differences = [row for row in _aligned(told[0].parts, told[-1].parts) if row["first"] != row["second"]]
        events = [one.as_json() for one in told]
        click.echo(dumps({"events": events, "same": same, "differences": differences}, indent=2))
    elif other is None:
        click.echo(_about_one(told[0]))
    else:
        click.echo(_about_two(told[0], told[1], same=same))


def _find(ledger: Ledger, key: str) -> Event:
    group = ledger.group(key)
    if group is None:
        event = ledger.event(key)
        if event is None:
            raise click.ClickException(f"Nothing here has the fingerprint or id {key}: see loghub groups, recent.")
        return event
    newest = history.recent(ledger, 1, group.fingerprint)
    if not newest:
        raise click.ClickException(f"No error of {group.fingerprint} is kept whole, so nothing can be explained.")
    return newest[0]


# What counted --------------------------------------------------------------------------------------------------


def _tell(event: Event) -> _Told:
    """Find the parts that give the fingerprint which the event has; say so where they do not."""
    stored = event.get("fingerprint", "")
    made_by = stored.partition(":")[0]
    asked = event.get("custom_fingerprint")
    if asked is not None:
        return _tell_chosen(event, asked, stored)
    version = made_by if made_by in fingerprint.VERSIONS else fingerprint.VERSION
    for source, note in _sources(event):  # of an exception that was never raised, the text did not count
        for one in (source, {**source, "traceback": ""}):
            if fingerprint.of_event(one, version) == stored:
                return _Told(event, _shown(fingerprint.explain(one, version)), note)
    parts, default = fingerprint.explain(event, version), fingerprint.of_event(event, version)
    if version != made_by:
        other = f"It was made by the rules {made_by}, which are not known here"
        return _Told(event, parts, f"{other}; by {version} it is {default}, of these parts.")
    return _Told(event, parts, _changed(default))


def _tell_chosen(event: Event, asked: object, stored: str) -> _Told:
    """Find the parts of a fingerprint that the application gave; whose rules it extends stands nowhere."""
    versions = (fingerprint.VERSION, *(one for one in fingerprint.VERSIONS if one != fingerprint.VERSION))
    for source, note in _sources(event):
        for one in (source, {**source, "traceback": ""}):
            for version in versions:
                default = fingerprint.of_event(one, version)
                if fingerprint.custom(asked, default) == stored:
                    parts = list(_chosen(asked, default, _shown(fingerprint.explain(one, version))))
                    said = "" if stored == default else f"It was not made by the rules alone; {_CHOSEN}."
                    return _Told(event, parts, f"{said} {note}".strip())
    default = fingerprint.of_event(event)
    parts = list(_chosen(asked, default, fingerprint.explain(event)))
    return _Told(event, parts, f"In part {_CHOSEN}. {_changed(fingerprint.custom(asked, default))}")


def _sources(event: Event) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the event as it is kept, and as it was before it was escaped, each with what is to be said about it."""
    yield {**event}, ""
    for code in (_SURROGATE, _ESCAPE):
        if (before := _unescaped(event, code)) != event:
            yield before, _ESCAPED


def _unescaped(value: Any, code: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        return code.sub(lambda found: found[0].encode().decode("unicode_escape"), value)
    if isinstance(value, list):
        return [_unescaped(item, code) for item in value]
    return {key: _unescaped(item, code) for key, item in value.items()} if isinstance(value, dict) else value


def _shown(parts: _Parts) -> _Parts:
    return [{**part, "value": escaped(part["value"])} for part in parts]


def _changed(now: str) -> str:
    return (
        f"These parts are of the error as it was kept, and give {now}: of what counted when it was logged, "
        "something is not kept as it was. It was hidden as a secret, cut, escaped, or changed by before_send, or "
        "another release of loghub read it otherwise."
    )


def _chosen(asked: object, default: str, parts: _Parts) -> Iterator[dict[str, str]]:
    """Yield what the application gave, with the parts of the rules where it says so."""
    for item in asked if isinstance(asked, list | tuple) else [asked]:
        if fingerprint.custom(item, default) == default:
            yield from parts
        else:
            yield {"what": "custom", "value": str(item), "why": _CHOSEN}


def _aligned(first: _Parts, second: _Parts) -> list[dict[str, dict[str, str] | None]]:
    """Return the parts of both side by side; None where the other has nothing."""
    one_keys, two_keys = ([(part["what"], part["value"]) for part in parts] for parts in (first, second))
    rows: list[dict[str, dict[str, str] | None]] = []
    for _, at, to, other_at, other_to in difflib.SequenceMatcher(
        None, one_keys, two_keys, autojunk=False
    ).get_opcodes():
        for step in range(max(to - at, other_to - other_at)):
            one = first[at + step] if at + step < to else None
            two = second[other_at + step] if other_at + step < other_to else None
            if one and two and one["what"] != two["what"]:
                rows += [{"first": one, "second": None}, {"first": None, "second": two}]
            else:
                rows.append({"first": one, "second": two})
    return rows


# What people read ----------------------------------------------------------------------------------------------


def _about_one(told: _Told) -> str:
    lines = [told.head, f"  id           {told.event.get('id', '')}", f"  fingerprint  {told.fingerprint}"]
    if told.note:
        lines += ["", told.note]
    return "\n".join([*map(_visible, lines), "", *_table([("  ", part) for part in told.parts])])


def _about_two(one: _Told, two: _Told, *, same: bool) -> str:
    lines = ["The same bug." if same else "Not the same bug.", ""]
    for mark, told in (("-", one), ("+", two)):
        lines.append(f"{mark} {told.fingerprint}  {told.head}  (id {str(told.event.get('id', ''))[:8]})")
        if told.note:
            lines.append(f"  {told.note}")
    rows = _aligned(one.parts, two.parts)
    marked = [pair for row in rows for pair in _marked(row)]
    differ = [part for mark, part in marked if mark != "  "]
    by_rules = {told.fingerprint.partition(":")[0] for told in (one, two)}
    if len(by_rules) > 1 and not same:
        lines += ["", f"They were grouped by other rules ({', '.join(sorted(by_rules))}), so they never are the same."]
    elif differ:
        at = next(number for number, (mark, _) in enumerate(marked) if mark != "  ")
        marked[at] = (f">{marked[at][0][0]}", marked[at][1])
        lines += ["", f"They differ first (>) in this: {differ[0]['what']}; {differ[0]['why']}."]
    elif same:
        lines += ["", "All that counts is the same in both."]
    else:
        lines += ["", "What is kept of both is the same; what told them apart is not kept."]
    return "\n".join([*map(_visible, lines), "", *_table([(f"{mark:2} ", part) for mark, part in marked])])


def _marked(row: dict[str, dict[str, str] | None]) -> list[tuple[str, dict[str, str]]]:
    one, two = row["first"], row["second"]
    if one is not None and two is not None and one["value"] == two["value"]:
        return [("  ", one)]
    return [(mark, part) for mark, part in (("- ", one), ("+ ", two)) if part is not None]


def _table(rows: Sequence[tuple[str, dict[str, str]]]) -> Iterator[str]:
    """Yield a line for each part, whole: what is cut could be the difference. A reason is given once in a row."""
    names = max((len(part["what"]) for _, part in rows), default=0)
    width = max((len(part["value"]) for _, part in rows if len(part["value"]) <= _VALUE_CHARS), default=0)
    said = ""
    for mark, part in rows:
        why = part["why"] if part["why"] != said else ""
        said = part["why"]
        value = _visible(part["value"])
        head = f"{mark}{part['what']:{names}}  {value:{width}}"
        if why and len(value) > width:
            yield head
            head = " " * (len(mark) + names + 2 + width)
        yield f"{head}  {why}".rstrip()


def _visible(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
