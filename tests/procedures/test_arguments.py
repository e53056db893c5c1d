"""What procedures are called with: read and refused as options are, before anything is done."""

from __future__ import annotations

import inspect
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from loghub import procedures
from loghub.errors import LoghubError, OptionValueError, UnknownOptionError
from loghub.procedures.arguments import own_copy, stable

REFUSED = [
    (procedures.restore_sqlite, {"pth": "a.db"}, "restore_sqlite has no option 'pth'; did you mean 'path'?"),
    (procedures.restore_sqlite, {}, "restore_sqlite: option 'path' is missing."),
    (procedures.restore_sqlite, {"path": ""}, "option 'path' cannot be ''; it must be the path of a file."),
    (procedures.restore_sqlite, {"path": ":memory:"}, "it must be the path of a file."),
    (procedures.restore_sqlite, {"path": "file:a.db?mode=ro"}, "it must be the path of a file."),
    (procedures.restore_sqlite, {"path": 5}, "option 'path' cannot be 5; it must be the path of a file."),
    (procedures.restore_sqlite, {"path": "a", "backup": "b\0"}, "option 'backup' cannot be "),
    (procedures.restore_sqlite, {"path": "a", "any_schema": "perhaps"}, "it must be true or false."),
    (procedures.restore_sqlite, {"path": "a", "patience": -1}, "it must be a number of at least 0."),
    (procedures.backup_sqlite, {"path": "a", "keep": 0}, "it must be a whole number of at least 1."),
    (procedures.wait_for_network, {"hots": "a"}, "wait_for_network has no option 'hots'; did you mean 'host'?"),
    (procedures.wait_for_network, {"host": "https://shop.example/x"}, "without scheme and path."),
    (procedures.wait_for_network, {"host": "a b"}, "the name or the address of a host"),
    (procedures.wait_for_network, {"host": "a" * 64 + ".example"}, "the name or the address of a host"),
    (procedures.wait_for_network, {"host": "a..example"}, "the name or the address of a host"),
    (procedures.wait_for_network, {"host": "[]"}, "the name or the address of a host"),
    (procedures.wait_for_network, {"host": "a", "port": 0}, "option 'port' cannot be 0; it must be a whole number"),
    (procedures.wait_for_network, {"host": "a", "port": 65536}, "it must be a whole number from 1 to 65535."),
    (procedures.wait_for_network, {"host": "a", "patience": float("inf")}, "it must be a number of at least 0."),
    (procedures.wait_for_network, {"host": "a", "first_wait": 0}, "it must be a number of at least 0.01."),
    (procedures.reopen, {"call": "reopen"}, "it must be a function's dotted name, such as 'shop.camera:reopen'."),
    (procedures.reopen, {"call": "shop camera:x"}, "it must be a function's dotted name"),
    (procedures.reopen, {"call": None}, "it must be a function's dotted name"),
    (procedures.reopen, {"call": "a.b", "tries": 0}, "it must be a whole number of at least 1."),
    (procedures.reopen, {"call": "a.b", "arguments": [1]}, "it must be arguments by name, such as {'index': 0}."),
    (procedures.reopen, {"call": "a.b", "index": 0}, "reopen has no option 'index'; it has: arguments, call, "),
    (procedures.call, {"x": 1}, "call: option 'function' is missing."),
    (procedures.restart_service, {"unit": "a", "timeout": 0}, "it must be a number of at least 0.01."),
    (procedures.restart_service, {"zzz": "a"}, "restart_service has no option 'zzz'; it has: command, "),
]


@pytest.mark.parametrize(("procedure", "options", "sentence"), REFUSED)
def test_refused(procedure, options, sentence):
    """A typo or a malformed value is one sentence, from the procedure and before it is ever called."""
    with pytest.raises((UnknownOptionError, OptionValueError)) as called:
        procedure({}, **options)
    with pytest.raises(LoghubError) as checked:
        procedures.check(procedure, options)
    assert sentence in str(called.value)
    assert str(checked.value) == str(called.value)


def test_read():
    """Values are read as from any configuration, and what was read can be read again."""
    read = procedures.check(procedures.wait_for_network, {"host": "[::1]", "port": "80", "patience": "5"})
    assert read == {"host": "::1", "port": 80, "patience": 5.0}
    assert procedures.check(procedures.wait_for_network, read) == read
    assert procedures.check(procedures.backup_sqlite, {"path": Path("/a/b.db")}) == {"path": "/a/b.db"}
    assert procedures.check(procedures.call, {"function": "a:b", "anything": [1]}) == {
        "function": "a:b",
        "anything": [1],
    }


def test_check_calls_nothing():
    """A function of the application is not imported, and nothing is done, when arguments are checked."""
    assert procedures.check(procedures.reopen, {"call": "no_such_module:reopen"}) == {"call": "no_such_module:reopen"}


def test_others():
    """The names of any callable's arguments are checked, as far as it says which it has."""

    def mine(event, /, host, *, retries=3):
        raise AssertionError

    class Mine:
        def __call__(self, event, **options):
            raise AssertionError

    assert procedures.check(mine, {"host": "a", "retries": "x"}) == {"host": "a", "retries": "x"}
    assert procedures.check(Mine(), {"anything": 1}) == {"anything": 1}
    assert procedures.check(dict.update, {"anything": 1}) == {"anything": 1}
    with pytest.raises(UnknownOptionError, match="mine has no option 'retires'; did you mean 'retries'"):
        procedures.check(mine, {"host": "a", "retires": 1})
    with pytest.raises(UnknownOptionError, match="mine has no option 'event'"):
        procedures.check(mine, {"host": "a", "event": {}})
    with pytest.raises(OptionValueError, match="mine: option 'host' is missing"):
        procedures.check(mine, {})
    with pytest.raises(UnknownOptionError, match="it has: none"):
        procedures.check(lambda event: True, {"x": 1})


def test_secret_in_the_wrong_place():
    """A refusal shows no secret."""
    token = "ghp_" + "a1B2c3D4e5" * 4
    with pytest.raises(OptionValueError) as caught:
        procedures.restart_service({}, command=f"curl -H {token} http://shop.example")
    assert token not in str(caught.value)


def test_names():
    """Every public name is there, and no module is called like a procedure: dotted names would lead to it."""
    assert set(procedures.__all__) <= set(dir(procedures))
    assert all(callable(getattr(procedures, name)) for name in procedures.__all__)
    modules = {path.stem for path in Path(procedures.__file__).parent.glob("*.py")}
    assert not modules & set(procedures.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'restore'"):
        procedures.restore  # noqa: B018


def test_documented():
    """The documentation tells every argument of every procedure, with its default."""
    said = (Path(__file__).parents[2] / "docs" / "procedures.md").read_text("utf-8")
    for name in set(procedures.__all__) - {"check"}:
        section = said.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        for one in list(inspect.signature(getattr(procedures, name)).parameters.values())[1:]:
            if one.kind is one.VAR_KEYWORD:
                continue
            plain = one.default in (one.empty, None)
            shown = "" if plain else f" ({str(one.default).lower() if one.default is False else f'{one.default:g}'})"
            assert f"`{one.name}`{shown}" in section, (name, one.name)


def test_import_is_light():
    """Importing the procedures loads no database, network or process module."""
    script = (
        "import sys, loghub.procedures\n"
        "print([name for name in ('sqlite3', 'socket', 'subprocess', 'tempfile') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"


class Device:
    """Something of an application that cannot be copied, or of which a copy would be useless."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def reopen(self) -> None:
        """Open it again."""


def test_a_copy_holds_the_same_objects():
    """What a procedure may change is its own; a device in it, or its method, is the application's."""
    device = Device()
    reopen = device.reopen
    given = {"device": device, "call": reopen, "nested": [{"lock": device.lock}]}
    copied = own_copy(given)
    assert copied == given
    assert copied["device"] is device
    assert copied["call"].__self__ is device
    copied["nested"][0]["lock"] = None
    assert given["nested"] == [{"lock": device.lock}]


def test_a_copy_of_what_holds_itself():
    """A mapping that holds itself ends."""
    given: dict[str, object] = {}
    given["self"] = given
    assert own_copy(given)["self"]
    assert stable(given)


def test_a_stable_text_has_no_address():
    """Two objects of a kind, as two processes have them, are told by the same text, and other values by another."""
    one, other = Device(), Device()
    assert stable({"call": one.reopen, "device": one}) == stable({"device": other, "call": other.reopen})
    assert stable([lambda: 1]) == stable([lambda: 1])
    assert stable({"index": 0}) != stable({"index": 1})
    assert stable({"index": "0"}) != stable({"index": 0})
