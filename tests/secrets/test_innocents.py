"""What only looks like a secret stays byte for byte, wherever it stands."""

from __future__ import annotations

import pytest

from loghub.scrub import Scrubber
from tests.secrets.innocents import CODE, INNOCENTS

PROSE = [text for text in INNOCENTS if text not in CODE]  # a line of code is one only where code is expected
ROLES = {
    "message": lambda text: {"message": text, "template": text},
    "error_message": lambda text: {"error_message": text},
    "value": lambda text: {"additional_info": {"detail": text, "more": [text]}},
    "key": lambda text: {"additional_info": {text: None}},
    "argument": lambda text: {"args": [text, (1, text)]},
    "path": lambda text: {"frames": [{"file": f"/srv/{text}", "line": 1}]},
    "string in code": lambda text: {"frames": [{"file": "x.py", "code": f"run({text!r})"}]},
    "local": lambda text: {"frames": [{"file": "x.py", "locals": {"row": repr(text)}}]},
    "note": lambda text: {"notes": [text]},
    "message in a traceback": lambda text: {
        "traceback": f'Traceback (most recent call last):\n  File "x.py", line 1, in f\n    f()\nValueError: {text}'
    },
}


@pytest.fixture(scope="module")
def scrubber():
    """One scrubber without anything of the user's."""
    return Scrubber()


def test_there_are_enough():
    """There are at least 200 of them, all different."""
    assert len(set(INNOCENTS)) == len(INNOCENTS) >= 200


@pytest.mark.parametrize("role", ROLES)
def test_innocent_stays(scrubber, role):
    """No look-alike is touched in any place of an event."""
    touched = [text for text in PROSE if scrubber.event(event := ROLES[role](text)) != plain(event)]
    assert touched == []


def plain(event):
    """Return `event` as JSON would hold it."""
    if isinstance(event, dict):
        return {key: plain(value) for key, value in event.items()}
    return [plain(value) for value in event] if isinstance(event, list | tuple) else event


def test_text_stays(scrubber):
    """A line for a log file stays, too."""
    assert [text for text in PROSE if scrubber.text(text) != text] == []


def test_source_lines_stay(scrubber):
    """A line of code keeps its names and expressions, alone and in a traceback."""
    touched = []
    for line in CODE:
        traceback = f'Traceback (most recent call last):\n  File "x.py", line 1, in f\n    {line}\nValueError: no'
        event = {"frames": [{"file": "x.py", "line": 1, "code": line}], "traceback": traceback}
        if scrubber.event(event) != event:
            touched.append(line)
    assert touched == []


def test_all_at_once(scrubber):
    """They do not make secrets of each other: all of them in one text and in one event stay."""
    text = "\n".join(text for text in PROSE if len(text) < 80)
    assert scrubber.text(text) == text
    many = {f"v{number}": text for number, text in enumerate(PROSE[:90])}
    assert scrubber.event({"additional_info": many})["additional_info"] == many
