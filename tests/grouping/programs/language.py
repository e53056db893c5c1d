"""What the language itself complains about: syntax, names, recursion, groups, generators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.grouping.programs.table import Table, case

if TYPE_CHECKING:
    from tests.grouping.stage import Case

TREE = {
    "tree": "",
    "tree.walk": """\
import sys

class Node:
    def __init__(self, name):
        self.name = name
        self.parent = self

    def path(self):
        return self.parent.path() + "/" + self.name

    def depth(self):
        return 1 + self.parent.depth()

    def __getattr__(self, name):
        return self.__dict__["extra"][name]

    def __repr__(self):
        return f"<{self.parent!r}>"

def even(number):
    return odd(number + 1)

def odd(number):
    return even(number + 1)

def render(items):
    return [render(item) for item in items]

def limited(function, depth):
    sys.setrecursionlimit(depth)
    try:
        return function()
    finally:
        sys.setrecursionlimit(2000)

def path(depth):
    return limited(Node("a").path, depth)

def path_of_child(name, depth):
    return limited(lambda: Node(name).path(), depth)

def depth_of(name, depth):
    return limited(Node(name).depth, depth)

def parity(start, depth):
    return limited(lambda: even(start), depth)

def parity_from_odd(start, depth):
    return limited(lambda: odd(start), depth)

def page(depth):
    items = []
    items.append(items)
    return limited(lambda: render(items), depth)

def shown(depth):
    return limited(lambda: repr(Node("a")), depth)

def extra(name):
    return getattr(Node("a"), name)
""",
    "tree.names": """\
import threading

total = 0

def add(value):
    if value > 100:
        step = value
    return step + 1

def count(values):
    for value in values:
        total += value
    return total

def typo(value):
    return vlaue

def other_typo(value):
    return valeu

def free():
    def inner():
        return later
    inner()
    later = 5

def attribute(value):
    return value.lenght

def other_attribute(value):
    return value.lengthh

def call(value):
    return value()

def unpack(values):
    first, second = values
    return first

def keyword(**options):
    return keyword_only(**options)

def keyword_only(*, size=1):
    return size

def many(*values):
    return one(*values)

def one(value):
    return value

def slot(value):
    (1).size = value

def compare(values):
    return sorted(values)

def concat(text, value):
    return text + value

def index(values, at):
    return values[at]

def hashed(value):
    return {value: 1}

def shrink(values):
    for key in values:
        del values[key]

def stop(values):
    def numbers():
        yield next(iter(values))
    return list(numbers())

def frozen(values):
    values[0] = 1
""",
    "tree.groups": """\
def check(row):
    if "id" not in row:
        raise KeyError("id")
    return int(row["id"])

def weigh(row):
    return 10 / row["weight"]

def collect(rows):
    errors = []
    for row in rows:
        try:
            check(row)
            weigh(row)
        except Exception as error:
            errors.append(error)
    if errors:
        raise ExceptionGroup(f"{len(errors)} of {len(rows)} rows are bad", errors)

def nested(batches):
    errors = []
    for number, rows in enumerate(batches):
        try:
            collect(rows)
        except ExceptionGroup as group:
            group.add_note(f"in batch {number}")
            errors.append(group)
    raise ExceptionGroup("batches are bad", errors)

def never_raised(names):
    raise ExceptionGroup("rules are broken", [ValueError(f"rule {name} is broken") for name in names])

def noted(row, *notes):
    try:
        check(row)
    except Exception as error:
        for note in notes:
            error.add_note(note)
        raise
""",
}

BROKEN = {
    "site": "",
    "site.app": """\
def load(name):
    return __import__("site_" + name)

def start():
    import site_open
    return site_open

def other():
    import site_indent
    return site_indent
""",
    "site_open": "def run(a):\n    return (a,\n\ndef stop():\n    return 1\n",
    "site_indent": "def run(a):\n    return a\n   return 5\n",
    "site_block": "def run(a):\nreturn a\n",
    "site_tab": "def run(a):\n        a = 1\n\treturn a\n",
    "site_word": "def run(a):\n    a = = 5\n",
    "site_word2": "def start(b):\n    b = = 6\n",
    "site_late": "import json\njson.loads('{')\n",
    "site_name": "LEVELS = {'a': LOW}\n",
}
BROKEN = {name.replace("site.", "portal.").replace("site_", "site_") if name != "site" else "portal": source
          for name, source in BROKEN.items()}  # fmt: skip


def cases() -> list[Case]:
    """Return the cases of the language."""
    table = Table(TREE, 1)
    _recursion(table)
    _names(table)
    _groups(table)
    broken = Table(BROKEN, 2)
    _syntax(broken)
    return [*table.cases, *broken.cases]


def _recursion(table: Table) -> None:
    table.bug(
        "node is its own parent",
        "tree.walk:path",
        case("shallow", 48),
        case("deeper", 58),
        case("from another entry", "b", 52, call="tree.walk:path_of_child"),
        case("behind Flask", 100, via="flask"),
        case("folded in a text", 55, style="stderr"),
    )
    table.bug("node has no end of depth", "tree.walk:depth_of", case("1", "a", 48), case("2", "b", 56, shift=2))
    table.bug(
        "even asks odd",
        "tree.walk:parity",
        case("ends in one", 1, 48),
        case("ends in the other", 2, 49),
        case("begins with the other", 2, 48, call="tree.walk:parity_from_odd"),
        case("ends in the other", 2, 57, call="tree.walk:parity_from_odd"),
        case("in a text", 2, 53, style="stderr"),
    )
    table.bug(
        "list holds itself",
        "tree.walk:page",
        case("frames of comprehensions", 48, python="3.11"),
        case("none", 52, python="3.12"),
        case("none, moved", 48, python="3.13", shift=2),
    )
    table.bug("repr of a node", "tree.walk:shown", case("1", 48), case("2", 55))
    table.bug("node lacks extra", "tree.walk:extra", case("1", "colour"), case("2", "size", shift=3))


def _names(table: Table) -> None:
    table.bug("step is unbound", "tree.names:add", case("1", 5), case("2", 7, via="flask"), case("3", 1, style="queue"))
    table.bug("total is local", "tree.names:count", case("1", [5]), case("2", [7], shift=2))
    table.bug("a typo", "tree.names:typo", case("1", 5), case("2", 7, style="stderr"), case("3", 8, via="django"))
    table.bug("another typo", "tree.names:other_typo", case("1", 5), case("2", 7, style="stderr"))
    table.bug("free variable", "tree.names:free", case("1"), case("2", shift=2))
    table.bug("lenght", "tree.names:attribute", case("1", "a"), case("2", "b", via="celery"))
    table.bug("lengthh", "tree.names:other_attribute", case("1", "a"), case("2", "b", via="celery"))
    table.bug("not callable", "tree.names:call", case("1", 5), case("2", 6, shift=1))
    table.bug("too many to unpack", "tree.names:unpack", case("1", [1, 2, 3]), case("2", [1, 2, 3, 4], shift=1))
    table.bug("unknown keyword", "tree.names:keyword", case("1"), case("2"))
    table.cases[-2:] = []  # functools.partial brings no keywords: `many` has the same kind of error
    table.bug("too many arguments", "tree.names:many", case("1", 1, 2), case("2", 1, 2, 3, shift=1))
    table.bug("int has no size", "tree.names:slot", case("1", 5), case("2", 6, shift=1))
    table.bug("cannot be sorted", "tree.names:compare", case("1", [1, "a"]), case("2", [2, "b", "c"], via="executor"))
    table.bug("text plus number", "tree.names:concat", case("1", "a", 5), case("2", "b", 6, shift=3))
    table.bug("list is too short", "tree.names:index", case("1", [1], 5), case("2", [], 0, style="queue"))
    table.bug("list as a key", "tree.names:hashed", case("1", [1]), case("2", [2], via="thread"))
    table.bug("dict shrinks", "tree.names:shrink", case("1", {1: 2, 3: 4}), case("2", {5: 6, 7: 8}, shift=1))
    table.bug("generator stops", "tree.names:stop", case("1", []), case("2", [], shift=2))
    table.bug("tuple is frozen", "tree.names:frozen", case("1", (1,)), case("2", (1, 2), via="flask"))


def _groups(table: Table) -> None:
    table.bug(
        "rows without id",
        "tree.groups:collect",
        case("one", [{}]),
        case("three", [{}, {}, {"id": 1, "weight": 1}, {}]),
        case("text", [{}, {}], style="stderr"),
        case("through a queue", [{}], style="queue elsewhere"),
    )
    table.bug(
        "rows with a bad id",
        "tree.groups:collect",
        case("one", [{"id": "x"}]),
        case("two", [{"id": "1.5"}, {"id": ""}], shift=2),
        case("text", [{"id": "y"}], style="stderr"),
    )
    table.bug(
        "rows without weight",
        "tree.groups:collect",
        case("one", [{"id": 1, "weight": 0}]),
        case("two", [{"id": 2, "weight": 0}, {"id": 3, "weight": 0}], via="flask"),
    )
    both = [{}, {"id": 2, "weight": 0}]
    table.bug(
        "rows without id, rows without weight",
        "tree.groups:collect",
        case("this way round", both),
        case("that way round", both[::-1]),
        case("more of one", [*both, {}], shift=3),
        case("text, more of the other", [both[1], *both], style="stderr"),
    )
    table.bug(
        "batches of rows without id",
        "tree.groups:nested",
        case("one", [[{}]]),
        case("two", [[{}], [{}, {}]], shift=1),
        case("text", [[{}, {}]], style="stderr"),
    )
    table.bug("batches with a bad id", "tree.groups:nested", case("1", [[{"id": "x"}]]), case("2", [[{"id": "y"}]] * 2))
    table.bug("rules are broken", "tree.groups:never_raised", case("1", [17]), case("2", [4, 5], shift=2))
    table.bug(
        "noted row without id",
        "tree.groups:noted",
        case("no note", {}),
        case("a note", {}, "row 17"),
        case("two notes", {}, "row 18 of\nfile a.csv", "see the manual"),
        case("in a text, as part of the message", {}, "row 19", style="stderr"),
    )
    table.bug("noted row with a bad id", "tree.groups:noted", case("1", {"id": "x"}, "row 1"), case("2", {"id": "y"}))


def _syntax(broken: Table) -> None:
    broken.bug(
        "bracket is open",
        "portal.app:start",
        case("1"),
        case("moved lines", shift=3),
        case("imported by name", "open", call="portal.app:load"),
        case("text", style="stderr"),
    )
    broken.bug("indentation is off", "portal.app:other", case("1"), case("2", shift=2), case("text", style="stderr"))
    broken.bug("block is missing", "portal.app:load", case("1", "block"), case("2", "block", shift=1))
    broken.bug("tabs and spaces", "portal.app:load", case("1", "tab"), case("2", "tab", via="flask"))
    broken.bug("two equal signs", "portal.app:load", case("1", "word"), case("2", "word", shift=2))
    broken.bug("two equal signs elsewhere", "portal.app:load", case("1", "word2"), case("2", "word2", via="celery"))
    broken.bug("JSON on import", "portal.app:load", case("1", "late"), case("2", "late", shift=2))
    broken.bug("name on import", "portal.app:load", case("1", "name"), case("2", "name", shift=1, via="django"))
