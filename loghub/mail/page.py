"""The HTML part of a mail, for every client: narrow and wide, light and dark, and those that drop most of it.

Styles stand in the elements because many clients drop ``<style>``. None sets the colour of text or page, so that a
client's dark mode keeps its own, and none a width. Nothing is loaded from anywhere.
"""

from __future__ import annotations

import re
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from loghub.mail.entry import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loghub.mail.digest import Digest
    from loghub.mail.entry import Entry

_PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width,initial-scale=1">'
    '<meta name="color-scheme" content="light dark"><title>{title}</title></head>\n'
    '<body style="margin:0"><div style="max-width:60em;padding:12px;font:15px/1.5 sans-serif;'
    'overflow-wrap:anywhere;word-break:break-word">\n<p style="margin:0 0 12px">{title}</p>\n{content}\n'
    "</div></body></html>\n"
)
_GRAVE, _NOTABLE = "#d1242f", "#bf6a02"
_URGENCY = {"spike": _GRAVE, "new": _NOTABLE, "rising": _NOTABLE}
_ENTRY = "border-top:1px solid #888;margin:24px 0 0;padding:16px 0 0"
_TITLE = "font-size:19px;line-height:1.3;margin:0 0 6px"
_BADGE = "border:1px solid {colour};border-radius:9px;padding:0 8px;white-space:nowrap"
_BUTTON = (
    "display:inline-block;border:2px solid #1f78d1;border-radius:6px;padding:5px 14px;color:inherit;"
    "font-weight:bold;text-decoration:none"
)
_TRACEBACK = (
    "white-space:pre-wrap;font:13px/1.45 monospace;border-left:3px solid #d1242f;padding:0 0 0 10px;margin:6px 0 0"
)
_LIST_TITLE = 80
# As traceback prints a frame, also within the boxes of exception groups.
_FRAME = re.compile(r'([ |]*)File "(.+)", line (\d+)')


def page(digest: Digest) -> str:
    """Return the HTML part."""
    return _PAGE.format(title=escape(digest.opening), content=entries(digest))


def entries(digest: Digest) -> str:
    """Return what stands below the opening: if there are several bugs a list, details, and the list of the rest."""
    parts = [_list(digest.told, told=True)] if digest.several and digest.told else []
    parts += [_entry(entry, _ENTRY if digest.several else "") for entry in digest.told]
    if cuts := digest.cuts("".join(parts)):
        parts.append(f'<p style="{_ENTRY}">{escape(cuts)}</p>')
    if digest.untold:
        parts.append(_list(digest.untold, told=False))
    return "\n".join(parts)


def _list(listed: Sequence[Entry], *, told: bool) -> str:
    """Return a row for each bug: how often and what, and below it how grave and where."""
    rows = "\n".join(_row(entry, told=told) for entry in listed)
    # Bare cells: five hundred of them have to arrive.
    return f'<table cellpadding="4"><tbody valign="top">\n{rows}\n</table>'


def _row(entry: Entry, *, told: bool) -> str:
    if told:
        place = _text(entry.place).replace(".", ".<wbr>")
        below = " &middot; ".join(filter(None, (_level(entry.level), _trend(entry.trend), place)))
    else:
        below = _text(", ".join(filter(None, (entry.level, entry.token, entry.place))))
    title = _text(shortened(entry.title, _LIST_TITLE))
    return f"<tr><td align=right nowrap>{entry.count:,} x <td><b>{title}</b><br>{below}"


def _entry(entry: Entry, style: str) -> str:
    fields = "<br>\n".join(f"{_label(name)} {_value(name, value, entry)}" for name, value in entry.fields())
    traceback = (
        f'<pre style="{_TRACEBACK}">{_traceback(entry)}</pre>'
        if entry.traceback
        else '<p style="margin:0">(logged without an exception)</p>'
    )
    return (
        f'<div style="{style}"><h2 style="{_TITLE}">{_text(entry.title)}</h2>\n{_glance(entry)}'
        f'<p style="margin:0">{fields}<br>\n{_label("Traceback")}</p>{traceback}</div>'
    )


def _label(name: str) -> str:
    return f'<span style="opacity:.7">{name}:</span>'


def _glance(entry: Entry) -> str:
    """Return what is seen first: how often, how grave, what it does, and the way to the issue."""
    parts = [f"<b>{entry.count:,} x</b>", _level(entry.level), _trend(entry.trend)]
    shown = f'<p style="margin:0 0 10px">{" ".join(filter(None, parts))}</p>\n'
    if entry.issue_url:
        number = re.search(r"/issues/(\d+)$", entry.issue_url)
        name = f"Issue #{number[1]}" if number else "The issue"
        link = f'<a href="{escape(entry.issue_url)}" style="{_BUTTON}">{name}</a>'
        shown += f'<p style="margin:0 0 12px">{link}</p>\n'
    return shown


def _level(level: str) -> str:
    return f'<span style="{_BADGE.format(colour=_GRAVE)}">{level}</span>' if level == "CRITICAL" else _text(level)


def _trend(word: str) -> str:
    colour = _URGENCY.get(word)
    return f'<span style="{_BADGE.format(colour=colour)}">{word}</span>' if colour else word


def _value(name: str, value: str, entry: Entry) -> str:
    shown = _text(value).replace("\n", "<br>")
    if name == "Issue" and entry.issue_url:
        return f'<a href="{escape(value)}" style="color:inherit">{shown}</a>'
    return shown


def _traceback(entry: Entry) -> str:
    """Return the traceback with the application's own frames bold, where there are others to stand out from."""
    marked = list(_marked(entry))
    stands_out = any(mine is False for _, mine in marked)
    return "\n".join(
        f"<b>{shown}</b>" if mine and stands_out else shown
        for mine, run in groupby(marked, key=lambda each: bool(each[1]))
        for shown in ["\n".join(_code(line) for line, _ in run)]
    )


def _code(line: str) -> str:
    # Where a line is too long, a path breaks between its folders.
    return _text(line).replace("/", "/<wbr>") if _FRAME.match(line) else _text(line)


def _marked(entry: Entry) -> Iterator[tuple[str, bool | None]]:
    """Yield each line, and whether the frame that it belongs to is in-app; None where it belongs to none."""
    mine, edge = None, ""
    for line in entry.traceback.split("\n"):
        if found := _FRAME.match(line):
            mine, edge = (found[2], found[3]) in entry.in_app, found[1] + "  "
        elif not line.startswith(edge):
            mine = None
        yield line, mine


def _text(value: str) -> str:
    return escape(value, quote=False)
