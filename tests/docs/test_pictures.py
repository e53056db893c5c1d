"""The pictures of the pages: they are there, are told to those who do not see them, and are light."""

from __future__ import annotations

import os
import struct

import pytest

from tests.docs.pages import PAGES, ROOT, pictures

FOLDER = ROOT / "docs" / "pictures"
SHOWN = {
    (ROOT / page).parent.joinpath(target).resolve(): said
    for page, text in PAGES.items()
    for said, target in pictures(text)
}
MADE = sorted(FOLDER.glob("*"))


def test_all_are_shown():
    """Each picture that a page shows is there, and each that is there is shown."""
    assert [path for path in SHOWN if not path.is_file()] == []
    assert sorted(path for path in SHOWN if path.parent == FOLDER) == MADE != []


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_picture(path):
    """It is a PNG with a palette, light, wide enough to be read, and its page says what is to be seen on it."""
    head = path.read_bytes()[:26]
    width, _, depth, kind = struct.unpack(">IIBB", head[16:26])
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert (kind, width >= 1000, depth <= 8) == (3, True, True)
    assert os.path.getsize(path) < 150_000
    assert len(SHOWN[path].split()) > 10


def test_all_are_made():
    """`make pictures` makes each of them anew."""
    program = (ROOT / ".ci/pictures/make.py").read_text(encoding="utf-8")
    assert [path.name for path in MADE if f'"{path.name}"' not in program] == []
