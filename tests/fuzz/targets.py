"""What is held against any bytes: each target reads them as what its code may meet, and states what must be true.

A target raises where something is not as promised. Time is not looked at here: what runs away would hang, and the
long runs (`tests.fuzz.run`) stop that.
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from loghub import capture, description, fingerprint, rendering, scrub
from loghub.event import dumps
from loghub.filters import EventFilter
from loghub.foreign_text import parse_foreign
from loghub.scrub import Scrubber
from loghub.traceback_text import parse_javascript, parse_traceback, undressed
from loghub.written import texts_at
from tests.fuzz.choices import Choices

if TYPE_CHECKING:
    from collections.abc import Callable

OWN = "own-credential-0123456789"
SHAPED = (  # with a shape that nothing around them hides
    "ghp_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8",
    "github_pat_" + "11ABCDE0Y0abcdefghijkl_" + "zyxwvutsrqponmlkjihg",
    "xoxb-123456789012-abcdefABCDEF123456",
    "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
    "npm_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    OWN,
)
NAMED = ("password", "api_key", "X-Api-Key", "client_secret", "DB_PASSWORD", "authorization", "cookie", "passwd")
HIDDEN = "tr0ub4dor&3-zebra"

PIECES = (
    "password", "passwd=", "token: ", "api_key", "Authorization: ", "Bearer ", "Basic ", "Cookie: ",
    "secret", "key ", "%D0%B1", "\\u0061", "&amp;", "=3D", "c2VjcmV0", "=", ":", "'", '"', "\\", "\\n",
    "\n", "\r\n", "\t", " ", ",", ";", "&", "?", "/", "//", "://", "@", "#", "%", "%3D", "%20", "%22",
    "[", "]", "{", "}", "(", ")", "<", ">", "|", "-", "--", "-----", "+", "*", ".", "..", "...",
    "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "[Filtered]", "***", "${X}",
    "{{ default }}", "None", "eyJhbGciOi.eyJzdWIiOi.abc", "AKIAABCDEFGHIJKLMNOP", "4111 1111 1111 1111",
    "4111111111111111", "sk-", "SG.", "https://ada:hunter2@host:80/p?sig=0123456789abcdef",
    "postgresql://", "hooks.slack.com/services/", "user:p@tcp(", "\x1b[31m", "\x00", "\ud800", "\udcff",
    "\u0130", "\u202e", "\U0001f600", "\xe9", "0", "123456789", "0x7f", "a" * 20,
    "Traceback (most recent call last):", '  File "/srv/shop/cart.py", line 3, in pay', "    pay(order)",
    "    ^^^^", "  + Exception Group Traceback (most recent call last):", "  | ",
    "  +-+---------------- 1 ----------------", "    +---------------- 2 ----------------",
    "    +------------------------------------",
    "The above exception was the direct cause of the following exception:", "ValueError: bad",
    "a.b.Error", "Error: x", "ExceptionGroup: g (2)",
    "During handling of the above exception, another exception occurred:",
    "  [Previous line repeated 9 more times]", '  File "<string>", line 1',
    "SyntaxError: invalid syntax", "Current thread 0x7 (most recent call first):",
    "Fatal Python error: Segmentation fault", "at pay (https://shop.example/a.js:1:2)",
    "panic: boom", "goroutine 7 [running]:", "main.(*Cart).Pay(0xc000)", "\t/src/cart.go:7 +0x1d", "web-1  | ",
    'Exception in thread "main" java.lang.Error: x', "\tat com.acme.Cart.pay(Cart.java:7)", "Caused by: a.B: c",
    "thread 'main' panicked at src/main.rs:4:5:", "   3: shop::cart::pay",
    "PHP Fatal error:  Uncaught Error: x in /a.php:3",
    "#0 /a.php(3): pay()", "cart.rb:7:in 'pay': no (KeyError)", "\tfrom cart.rb:9:in 'main'",
    "   at Shop.Cart.Pay() in /src/Cart.cs:line 7", "System.Exception: x", "log.error(",
    'f"user {name} gone"', "else: ",
    "pay@https://x/a.js:1:2", "at ", "[Errno 2]", "No module named 'x'", "Table 'a.b' doesn't exist",
    "has no attribute 'y'", "2026-01-01T00:00:00Z", "127.0.0.1:80", "::1", "a@b.example",
    "00000000-0000-0000-0000-000000000000", "<object at 0x7f>", "b'x'", "`x`",
)  # fmt: skip
KEYS = (
    "timestamp", "error_type", "error_message", "module", "function", "traceback", "additional_info", "id", "level",
    "fingerprint", "error_module", "logger", "message", "template", "args", "component", "environment", "release",
    "server", "process", "thread", "task", "platform", "mechanism", "frames", "causes", "exceptions", "notes", "file",
    "breadcrumbs", "system", "line", "column", "code", "in_app", "locals", "relation", "name", "value", "x", *NAMED,
)  # fmt: skip
KINDS = ("ValueError", "ERROR", "OSError", "SyntaxError", "RecursionError", "ExceptionGroup", "OperationalError")
PLATFORMS = ("python", "javascript", "native")
VERSION = re.compile(r"v\d+:[0-9a-f]{16}")
MOST_DEEP = 5


def text_of(choices: Choices) -> str:
    """Return a text of known pieces and anything."""
    parts: list[str] = []
    while choices and len(parts) < 60:
        parts.append(choices.text(24) if choices.chance(4) else choices.pick(PIECES))
        if choices.chance(24):
            parts.append(choices.pick(PIECES) * (choices.number(63) + 1))
        if choices.chance(10):
            break
    return "".join(parts)


def json_of(choices: Choices, depth: int = 0) -> Any:
    """Return what JSON can hold."""
    kind = choices.number(9)
    if depth < MOST_DEEP and kind in (0, 1, 2):
        count = choices.number(4)
        if kind == 0:
            return [json_of(choices, depth + 1) for _ in range(count)]
        return {key_of(choices): json_of(choices, depth + 1) for _ in range(count)}
    scalars = (None, True, False, 0, -1, 2**70, 1.5, 10**15, 4111111111111111)
    return choices.pick(scalars) if kind in (3, 4) else text_of(choices)


def key_of(choices: Choices) -> str:
    """Return a key, mostly one that events have."""
    return choices.text(12) if choices.chance(6) else choices.pick(KEYS)


def frame_of(choices: Choices) -> dict[str, Any]:
    """Return a frame as an event has it, or nearly."""
    frame: dict[str, Any] = {
        "file": choices.pick(
            ("/srv/shop/cart.py", "/srv/shop/pay.py", "<stdin>", "/usr/lib/python3.11/json/decoder.py")
        ),
        "function": choices.pick(("pay", "Cart.pay", "order.<locals>.pay", "<lambda>", "<listcomp>", "Cart.total")),
        "line": choices.number(200),
        "code": choices.pick(("pay(order)", "raise ValueError", "")),
        "in_app": choices.chance(2),
    }
    if choices.chance(5):
        frame[key_of(choices)] = json_of(choices, MOST_DEEP - 1)
    return frame


def event_of(choices: Choices, depth: int = 0) -> dict[str, Any]:
    """Return an event, or something that has come to look like one."""
    event: dict[str, Any] = {
        "error_type": choices.pick(KINDS),
        "error_message": text_of(choices),
        "frames": [frame_of(choices) for _ in range(choices.number(4))],
    }
    for _ in range(choices.number(4)):
        event[key_of(choices)] = json_of(choices, 1)
    if choices.chance(4):
        event["platform"] = choices.pick(PLATFORMS)
    if depth < 3:
        for key in ("causes", "exceptions"):
            if choices.chance(3):
                event[key] = [event_of(choices, depth + 1) for _ in range(choices.number(2) + 1)]
    return event


# scrub ---------------------------------------------------------------------------------------------------------

SCRUBBER = Scrubber(["/acme-[0-9]+/", "iban"], secrets=lambda: [OWN])


def check_scrub(data: bytes) -> None:
    """No text and no event breaks the scrubber, grows without bound or keeps what was planted; twice is once."""
    choices = Choices(data)
    planted = choices.pick(SHAPED)
    if choices.chance(2):
        _check_event(choices, planted)
        return
    before = text_of(choices)
    _check_text(before)
    _check_text(choices.rest())
    after = text_of(Choices(data[::-1]))
    for around in (f"{before}{planted}{after}", f"{before}\n{planted}\n{after}"):
        clean = SCRUBBER.text(around)
        assert planted not in clean, ("planted", around, clean)
    name = choices.pick(NAMED)
    clean = SCRUBBER.text(f'{before}\n{name}="{HIDDEN}"\n{after}')
    assert HIDDEN not in clean, ("named", f'{before}\n{name}="{HIDDEN}"\n{after}', clean)


def _check_text(text: str) -> None:
    clean = SCRUBBER.text(text)
    clean.encode()
    assert len(clean) <= 10 * len(text) + 64, ("grows", text, clean)
    again = SCRUBBER.text(clean)
    assert again == clean, ("twice", text, clean, again)


def _check_event(choices: Choices, planted: str) -> None:
    event = event_of(choices)
    spots = [spot for spot in _spots(event) if spot[1] not in ("id", "timestamp", "fingerprint")]
    if spots:
        holder, key = spots[choices.number(255) % len(spots)]
        holder[key] = f"{holder[key]}\n{planted}\n"
    before = dumps(event)
    clean = SCRUBBER.event(event)  # type: ignore[arg-type]
    assert dumps(event) == before, ("changed", before)
    written = json.dumps(clean, allow_nan=False, ensure_ascii=False)
    written.encode()
    assert json.loads(written) == clean, ("plain", event)
    assert len(dumps(clean)) <= scrub.MAX_EVENT_BYTES, ("size", event)
    assert planted not in written, ("planted", event, clean)
    if all(char.isprintable() or char in "\n\t" for holder, key in _spots(event) for char in holder[key]):
        again = SCRUBBER.event(clean)  # else what was escaped may look like something now
        assert dumps(again) == dumps(clean), ("twice", event, clean, again)


def _spots(value: Any) -> list[tuple[Any, Any]]:
    """Return each place of a text: what holds it, and under which key."""
    found: list[tuple[Any, Any]] = []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in pairs:
        found += [(value, key)] if isinstance(entry, str) else _spots(entry)
    return found


# fingerprint ---------------------------------------------------------------------------------------------------


def check_fingerprint(data: bytes) -> None:
    """Any event has a fingerprint, the same after JSON and with unread keys; normalized twice is normalized once."""
    choices = Choices(data)
    if choices.chance(2):
        for text in (text_of(choices), choices.rest()):
            shaped = fingerprint.normalize(text)
            assert len(shaped) <= 2000, ("long", text)
            assert fingerprint.normalize(shaped) == shaped, ("twice", text, shaped, fingerprint.normalize(shaped))
        return
    event = json_of(choices) if choices.chance(6) else event_of(choices)
    mark = fingerprint.of_event(event)
    assert VERSION.fullmatch(mark), ("mark", event, mark)
    read = json.loads(json.dumps(event))
    if read == event:  # two lone surrogates may have become a character
        assert fingerprint.of_event(read) == mark, ("json", event)
    if isinstance(event, dict):
        rows = fingerprint.explain(event)
        assert all(set(row) == {"what", "value", "why"} for row in rows), ("rows", event)
        assert fingerprint.judge(event)[0] == mark, ("judge", event)
        unread = {**event, "id": "0", "timestamp": "1970-01-01T00:00:00.000Z", "fingerprint": "v1:0", "server": "x"}
        assert fingerprint.of_event(unread) == mark, ("unread", event)
        fingerprint.message_key(str(event.get("error_message")))
        assert VERSION.fullmatch(fingerprint.custom(json_of(choices), mark)), ("custom", event)


# texts of tracebacks -------------------------------------------------------------------------------------------

PART = {"error_type", "error_module", "error_message", "frames", "causes", "exceptions", "notes"}


def check_traceback(data: bytes) -> None:
    """Any text is read without a word, into the shape of an event that JSON holds and that has a fingerprint."""
    choices = Choices(data)
    lines: list[str] = [choices.rest()] if choices.chance(3) else []
    while choices and len(lines) < 80:
        lines.append(choices.pick(("", "", "  ", "  | ", "    | ", "+ ")) + choices.pick(PIECES) + choices.text(8))
    whole = "\n".join(lines)
    foreign = parse_foreign(whole)
    for read in (parse_traceback(whole), parse_javascript(undressed(whole)), *([foreign] if foreign else ())):
        _check_part(read, 0)
        json.loads(json.dumps(read))
        assert len(json.dumps(read)) <= 64 * len(whole) + 4096, ("grows", whole)
    for number in range(min(len(lines), 3)):  # as if it were a source
        assert all(isinstance(text, str) for texts in texts_at(lines, number) for text in texts), ("texts", whole)
    for platform in PLATFORMS:
        mark = fingerprint.of_event({"traceback": whole, "platform": platform})
        assert VERSION.fullmatch(mark), ("mark", whole)


def _check_part(part: dict[str, Any], depth: int) -> None:
    assert set(part) >= PART, ("keys", part)
    assert depth <= 16, ("deep", part)
    for frame in part["frames"]:
        assert isinstance(frame["file"], str), ("frame", frame)
        assert isinstance(frame["function"], str), ("frame", frame)
        assert type(frame.get("line", 0)) is int, ("frame", frame)
    for key in ("causes", "exceptions"):
        for inner in part[key]:
            _check_part(inner, depth + 1)


# capture -------------------------------------------------------------------------------------------------------


class Odd(str):
    """A text that does not want to be one."""

    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Broken:
    """An object that fails whoever looks at it."""

    def __getattribute__(self, name: str) -> Any:
        raise KeyError(name)

    def __repr__(self) -> str:
        raise ZeroDivisionError

    def __bool__(self) -> bool:
        raise OSError("neither")

    def __eq__(self, other: object) -> bool:
        raise LookupError

    def __len__(self) -> int:
        raise TypeError

    __hash__ = None  # type: ignore[assignment]


def _odd_str(how: int, text: str) -> Callable[[Any], Any]:
    def broken(_: Any) -> Any:
        match how:
            case 0:
                return text
            case 1:
                raise ValueError(text)
            case 2:
                return None
            case 3:
                raise RecursionError
            case 4:
                return Odd(text)
            case _:
                raise KeyboardInterrupt

    return broken


def value_of(choices: Choices, depth: int = 0) -> Any:
    """Return anything that an application may hand to logging."""
    kind = choices.number(11)
    if depth < 3 and kind < 4:
        items = [value_of(choices, depth + 1) for _ in range(choices.number(3))]
        whole: Any = (
            items,
            tuple(items),
            {text_of(choices): one for one in items},
            {repr(type(one)) for one in items},
        )[kind]
        if isinstance(whole, list) and choices.chance(3):
            whole.append(whole)
        return whole
    odd = (
        Broken,
        Odd("x"),
        object(),
        b"\xff\x00",
        bytearray(b"y"),
        10**400,
        float("nan"),
        ...,
        ValueError(),
        type,
        range(3),
    )
    if kind == 4:
        made = choices.pick(odd)
        return Broken() if made is Broken else made
    return text_of(choices) if kind < 9 else choices.pick((None, True, 0, -1.5, 2**200))


def exception_of(choices: Choices, known: list[BaseException]) -> BaseException:
    """Return an exception of a class of its own, with anything on it; it may be one that is there already."""
    if known and choices.chance(5):
        return choices.pick(known)
    bases: tuple[Any, ...] = (
        Exception,
        ValueError,
        OSError,
        KeyError,
        UnicodeError,
        SyntaxError,
        ImportError,
        BaseException,
    )
    text = text_of(choices)
    body: dict[str, Any] = {"__module__": choices.pick(("shop.errors", "builtins", "", "__main__", 7, None))}
    if choices.chance(3):
        body["__str__"] = _odd_str(choices.number(5), text)
    if choices.chance(6):
        body["__repr__"] = _odd_str(choices.number(5), text)
    if choices.chance(8):
        body["__eq__"] = _odd_str(1, "no")
    if choices.chance(4) and len(known) < 7:  # traceback takes a time that is exponential in this
        members = [exception_of(choices, known) for _ in range(choices.number(3) + 1)]
        kind = type("Group", (BaseExceptionGroup,), body)
        error: BaseException = kind(text, members)
    else:
        kind = type(choices.pick(("Failed", "Odd.Failed", "F" * 300, "é")), (choices.pick(bases),), body)
        try:
            error = kind(*[value_of(choices, 2) for _ in range(choices.number(2))])
        except Exception:  # a class that wants other arguments
            error = kind()
    known.append(error)
    with suppress(Exception):  # SyntaxError takes only certain things there
        if choices.chance(4):
            error.__notes__ = choices.pick(([text, "note"], (text,), text, None, [Broken()], 7))  # type: ignore[attr-defined]
        if choices.chance(3):
            error.__cause__ = exception_of(choices, known)
        if choices.chance(3):
            error.__context__ = exception_of(choices, known)
    return error


def _raised(error: BaseException, depth: int) -> None:
    if depth:
        _raised(error, depth - 1)
    raise error


FILTERS = (
    EventFilter(release="1"),
    EventFilter(release="1", include_locals=True, component="shop", ignore=["shop.errors.Failed"]),
    EventFilter(release="1", before_send=lambda event: event),
)


def check_capture(data: bytes) -> None:
    """No record, whatever it holds, breaks who looks at it; it becomes an event, its traceback is Python's own text."""
    try:
        _check_capture(Choices(data))
    except (KeyboardInterrupt, SystemExit) as error:  # of an object of the application; it would end the fuzzer
        raise AssertionError("let out", type(error).__name__) from error


def _check_capture(choices: Choices) -> None:
    chosen = choices.pick(FILTERS)
    info: Any = None
    if not choices.chance(4):
        error = exception_of(choices, [])
        if not choices.chance(6):
            try:
                _raised(error, choices.number(3))
            except BaseException as caught:
                error = caught
        info = (type(error), error, error.__traceback__)
        if not description._is_endless(error):  # there it takes what traceback takes
            _check_rendered(info)
    record = logging.LogRecord("shop.cart", logging.ERROR, __file__, 1, value_of(choices), (), info, "pay")
    if choices.chance(2):
        record.args = choices.pick(((value_of(choices),), {"x": value_of(choices)}, (1, 2), value_of(choices)))
    for _ in range(choices.number(3)):
        record.__dict__[choices.text(8) or "extra"] = value_of(choices)
    if choices.chance(5):
        record.__dict__["fingerprint"] = value_of(choices)
    chosen.filter(record)
    seen = chosen.capture.sight(record)
    for _ in range(2):
        if seen.kind is not None:
            event = seen.whole(record)
            assert VERSION.fullmatch(event["fingerprint"]), ("mark", event)
            written = json.dumps(event, allow_nan=False, ensure_ascii=False)
            written.encode()
            assert len(dumps(event)) <= scrub.MAX_EVENT_BYTES, ("size", len(written))
            assert json.loads(seen.laid_out(record).translate(dict.fromkeys(range(32)))) == json.loads(written)
            assert VERSION.fullmatch(capture_mark(chosen.capture, record)), ("mark", event)
        chosen.filter(record)


def capture_mark(by: capture.Capture, record: logging.LogRecord) -> str:
    """Return the record's fingerprint, asked for from outside."""
    return by.fingerprint_of(record)


def _check_rendered(info: Any) -> None:
    try:
        expected = "".join(traceback.format_exception(*info))
    except BaseException:
        return
    assert rendering.formatted(info) == expected.removesuffix("\n"), ("rendered", rendering.formatted(info), expected)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "capture": check_capture,
    "fingerprint": check_fingerprint,
    "scrub": check_scrub,
    "traceback": check_traceback,
}


def seeds() -> list[bytes]:
    """Return bytes to begin with: each piece once, and some rows of them."""
    rows = [piece.encode("utf-8", "surrogatepass") for piece in PIECES]
    return [*rows, b"\x01" + b"\n".join(rows[:40]), bytes(range(256)), bytes(range(255, -1, -1))]
