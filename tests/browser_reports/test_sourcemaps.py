"""Minified frames get their original places, from maps below the named folders and from no other file.

``maps/js`` holds what esbuild 0.28.2 made of ``src`` (``npx esbuild src/main.ts --bundle --minify --sourcemap
--outfile=maps/js/app.3f2a1b.js``); the stacks below are what Node 20 and JavaScriptCore 2.50.6 said when they ran it.
"""

from __future__ import annotations

import json
import logging
import os
import pathlib
import shutil
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loghub import browser
from loghub.browser import sourcemaps
from loghub.errors import OptionValueError

MAPS = pathlib.Path(__file__).parent / "maps"
PREFIX = "https://shop.example/static/"
BUNDLE = f"{PREFIX}js/app.3f2a1b.js"
V8 = f"""TypeError: Cannot read properties of undefined (reading 'reduce')
    at e ({BUNDLE}:1:32)
    at r.total ({BUNDLE}:1:89)
    at s ({BUNDLE}:1:144)
    at u ({BUNDLE}:1:177)
    at {BUNDLE}?v=1:1:201"""
JSC = f"""e@{BUNDLE}:1:31
s@{BUNDLE}:1:149
u@{BUNDLE}:1:178
@{BUNDLE}:1:202
global code@{BUNDLE}:1:207"""


@pytest.fixture
def maps():
    """The maps of the bundle."""
    return browser.SourceMaps({PREFIX: MAPS})


@pytest.fixture
def said(caplog):
    """Return a function that lists what loghub said of itself."""
    caplog.set_level(logging.WARNING, "loghub")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "loghub"]


def frame(file=BUNDLE, line=1, column=32):
    """Return a minified frame."""
    return {"file": file, "module": "app", "function": "e", "in_app": True, "line": line, "column": column}


def test_original_frames(post, event_of, maps):
    """Function, file, line, column and source line are those that a person wrote; libraries are known by their path."""
    event = event_of(post("TypeError", "Cannot read properties of undefined (reading 'reduce')", V8), maps=maps)
    shown = [
        (one["file"], one["function"], one["line"], one["column"], one["code"], one["in_app"])
        for one in event["frames"]
    ]
    assert shown == [
        ("src/main.ts", "", 13, 1, "start();", True),
        ("src/main.ts", "start", 9, 16, "const html = renderTotal(new Cart());", True),
        ("src/main.ts", "renderTotal", 4, 22, "const total = cart.total();", True),
        ("src/cart.ts", "Cart.total", 7, 12, "return sum(this.items!, (item) => item.price);", True),
        (
            "src/node_modules/price/index.js",
            "sum",
            2,
            22,
            "const total = list.reduce((all, one) => all + of(one), 0);",
            False,
        ),
    ]
    assert (event["module"], event["function"]) == ("cart", "Cart.total")
    assert "at Cart.total (src/cart.ts:7:12)" in event["traceback"]


def test_another_engine(post, event_of, maps):
    """Safari points elsewhere into the same expressions, and to the same lines."""
    event = event_of(post("TypeError", "undefined is not an object (evaluating 't.reduce')", JSC), maps=maps)
    assert [(one["function"], one["line"]) for one in event["frames"]] == [
        ("", 13), ("", 13), ("start", 9), ("renderTotal", 4), ("sum", 2),
    ]  # fmt: skip


def test_causes_are_mapped_too(post, event_of, maps):
    """The frames of a cause are minified as well."""
    event = event_of(post(causes=[{"error_type": "TypeError", "error_message": "x", "stack": V8}]), maps=maps)
    assert event["causes"][0]["frames"][-2]["function"] == "Cart.total"


def test_a_map_without_its_script(tmp_path):
    """Places are known by the map alone; the name stays as it is."""
    (tmp_path / "js").mkdir()
    shutil.copy(MAPS / "js/app.3f2a1b.js.map", tmp_path / "js")
    found = browser.SourceMaps({PREFIX: tmp_path}).original(frame())
    assert (found["file"], found["function"], found["line"]) == ("src/node_modules/price/index.js", "e", 2)


def test_as_text(maps):
    """The option is a mapping, or a text of pairs; the longest prefix counts."""
    told = browser.SourceMaps(f"https://shop.example/={MAPS.parent / 'src'}, {PREFIX}={MAPS}")
    assert told.original(frame()) == maps.original(frame()) != frame()


@pytest.mark.parametrize("roots", ["static=/", {"https://a/?x": "/"}, {PREFIX: "/no/such/folder"}, 7, "https://a/"])
def test_bad_options(roots):
    """A prefix that is no URL, or a folder that is not there, is refused."""
    with pytest.raises(OptionValueError, match=r"SourceMaps: option 'roots' cannot be"):
        browser.SourceMaps(roots)


@pytest.mark.parametrize(
    "file",
    ["https://shop.example/other.js", f"{PREFIX}js/none.js", f"{PREFIX}../maps/js/app.3f2a1b.js", "<anonymous>", PREFIX,
     f"{PREFIX}%2e%2e/maps/js/app.3f2a1b.js", f"{PREFIX}js/app.3f2a1b.js%00", f"{PREFIX}js//app.3f2a1b.js",
     f"{PREFIX}/{MAPS}/js/app.3f2a1b.js", f"{PREFIX}js/.hidden", f"{PREFIX}js"],
)  # fmt: skip
def test_no_map(maps, said, file):
    """What has no map, or names a path that leads elsewhere, stays as it is; that is no news."""
    assert maps.original(frame(file)) == frame(file)
    assert said() == []


@pytest.mark.parametrize(("line", "column"), [(0, 1), (1, 0), (9, 9), (2**31, 1), (1, 2**40), (1, 10**8)])
def test_places_that_are_none(maps, line, column):
    """A position outside of the script is left alone, or is the last one; it never fails."""
    assert maps.original(frame(line=line, column=column))["line"] in (line, 13)


def test_links_do_not_lead_out(tmp_path):
    """A link within the folder to a map elsewhere is not followed."""
    (tmp_path / "js").mkdir()
    (tmp_path / "js/app.3f2a1b.js.map").symlink_to(MAPS / "js/app.3f2a1b.js.map")
    assert browser.SourceMaps({PREFIX: tmp_path}).original(frame()) == frame()


@pytest.mark.parametrize(
    "content", [b"", b"[", b'{"version": 3, "sources": ["a"], "mappings": "!!!"}', b"\xff\0", b'{"version": 9}']
)
def test_a_broken_map_is_skipped(tmp_path, said, content):
    """A map that cannot be read leaves frames as they are, and is told once."""
    (tmp_path / "a.js.map").write_bytes(content)
    maps = browser.SourceMaps({PREFIX: tmp_path})
    for _ in range(3):
        assert maps.original(frame(f"{PREFIX}a.js")) == frame(f"{PREFIX}a.js")
    told = said()
    assert len(told) <= 1
    assert all("a source map is skipped: " in one and "a.js.map" in one for one in told)


def test_a_huge_map_is_not_read(tmp_path, said):
    """A file that is larger than any map is told once, and never opened."""
    path = tmp_path / "a.js.map"
    path.touch()
    os.truncate(path, sourcemaps.MAX_MAP_BYTES + 1)
    maps = browser.SourceMaps({PREFIX: tmp_path})
    assert [maps.original(frame(f"{PREFIX}a.js")) for _ in range(2)] == [frame(f"{PREFIX}a.js")] * 2
    assert len(said()) == 1


def test_a_deploy_is_seen(tmp_path):
    """A map that is written anew counts from then on."""
    shutil.copytree(MAPS / "js", tmp_path / "js")
    maps, path = browser.SourceMaps({PREFIX: tmp_path}), tmp_path / "js/app.3f2a1b.js.map"
    assert maps.original(frame())["file"] == "src/node_modules/price/index.js"
    told = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(told | {"sources": [f"webpack://shop/./lib{at}.ts" for at in range(3)]}), "utf-8")
    assert maps.original(frame())["file"] == "lib0.ts"


def test_only_so_many_are_held(tmp_path, monkeypatch):
    """The least used maps go when there are too many; each is still found."""
    monkeypatch.setattr(sourcemaps, "MAX_HELD", 2)
    for name in "abc":
        shutil.copy(MAPS / "js/app.3f2a1b.js.map", tmp_path / f"{name}.js.map")
    maps = browser.SourceMaps({PREFIX: tmp_path})
    for name in "abcabc":
        assert maps.original(frame(f"{PREFIX}{name}.js"))["line"] == 2
        assert len(maps._held) <= 2


def test_a_stack_that_names_many_maps(tmp_path, monkeypatch):
    """Reports that name every map of a site have each map read once, not once in each report."""
    names = [f"c{number}" for number in range(150)]
    for name in names:
        shutil.copy(MAPS / "js/app.3f2a1b.js.map", tmp_path / f"{name}.js.map")
    maps, read = browser.SourceMaps({PREFIX: tmp_path}), []
    reading = maps._read
    monkeypatch.setattr(maps, "_read", lambda path, state: read.append(path) or reading(path, state))
    for name in names * 2:
        assert maps.original(frame(f"{PREFIX}{name}.js"))["line"] == 2
    assert len(read) == len(names)


class Broken:
    """Stands for a map that is read, and then cannot answer."""

    @classmethod
    def from_bytes(cls, *_):
        """Take anything."""
        return cls()

    def lookup(self, *_):
        """Fail as the library does."""
        raise RuntimeError("no such token")


def test_a_look_up_that_fails(monkeypatch, said):
    """Whatever the library raises, the frame stays as it is, and one line says why."""
    monkeypatch.setattr("symbolic.sourcemapcache.SourceMapCache", Broken)
    maps = browser.SourceMaps({PREFIX: MAPS})
    assert [maps.original(frame()) for _ in range(2)] == [frame(), frame()]
    assert said() == ["Error reporter: a source map is skipped: no such token"]


def test_without_the_extra(monkeypatch, said):
    """Where nothing reads maps, one line says so, and frames stay as they are."""
    monkeypatch.setitem(sys.modules, "symbolic.sourcemapcache", None)
    maps = browser.SourceMaps({PREFIX: MAPS})
    assert maps.original(frame()) == frame()
    assert said() == ["Error reporter: source maps are not used: pip install 'loghub-handlers[sourcemaps]'."]


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.text(),
        st.lists(st.sampled_from(["../", "js/", "%2e", "%00", "\\", "app.3f2a1b", ".js", "/", "~"])).map("".join),
    )
)
def test_any_url(maps, below):
    """Whatever stands behind a prefix, nothing outside of the folder is asked for, and nothing fails."""
    path = maps._path_of(PREFIX + below)
    assert path is None or (path.startswith(f"{MAPS.resolve()}/") and path.endswith(".map"))
    maps.original(frame(PREFIX + below))
