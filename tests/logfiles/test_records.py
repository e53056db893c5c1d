"""Lines become records: bare tracebacks, several processes in one file, stacks of other languages."""

import time
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loghub.logfiles.layouts import Layout
from loghub.logfiles.records import MAX_RECORD, Records
from tests.logfiles import failing
from tests.logfiles.reading import ERROR, INFO, LINES, errors_in, records_in, take

STACK = 'Traceback (most recent call last):\n  File "/srv/shop/pay.py", line 5, in pay\n    charge()\n'


def text_of(site):
    """Return the traceback of a failing site, as print_exc writes it."""
    try:
        site()
    except Exception:
        return traceback.format_exc()
    raise AssertionError("it did not fail")


def stack(number):
    """Return the lines of a traceback."""
    return [
        "Traceback (most recent call last):",
        f'  File "/srv/shop/pay{number}.py", line 5, in pay{number}',
        f"    charge({number})",
        f"shop.Pay{number}Error: card {number}",
    ]


def starts(text, **options):
    """Return where the records of a text begin, and how many lines each has after its head."""
    return [(one.start, len(one.lines)) for one in records_in(text, **options)]


@pytest.mark.parametrize("site", failing.SITES, ids=lambda site: site.__name__)
def test_bare(site, tmp_path):
    """What print_exc wrote, twice, is two errors of one group."""
    path = tmp_path / "err.log"
    path.write_text(text_of(site) + text_of(site))
    report, counts, events = take(path)
    assert (report.errors, len(counts)) == (2, 1)
    assert {one["logger"] for one in events} == {"root"}


def test_level_of_traceback():
    """A traceback counts under a head of any level, a level below the least without one does not."""
    text = f"{INFO}\n{STACK}ValueError: x\n{INFO}\n{ERROR}\n{INFO}\n"
    assert [one.head.level for one in records_in(text)] == [20, 40]
    assert [one.head.level for one in records_in(text, level=20)] == [20, 20, 40, 20]
    assert [one.head.level for one in records_in(text, level=50)] == [20]


def test_access_line_is_no_head_of_traceback(tmp_path):
    """A traceback behind a line of an access log is an error of its own, with that line's time."""
    access = '10.0.0.1 - - [27/Nov/2026:03:00:00 +0000] "GET / HTTP/1.1" 500 12\n'
    path = tmp_path / "some.log"
    path.write_text(access + STACK + "ValueError: x\n")
    report, _, (event,) = take(path)
    assert (event["message"], event["timestamp"]) == ("ValueError: x", "2026-11-27T03:00:00.000Z")
    assert report.timeless == 1


def test_lines_of_others_within(tmp_path):
    """Single lines of other processes between the lines of a traceback are no part of it, and none is lost."""
    lines = [ERROR, *stack(1)]
    for at in range(1, len(lines)):
        between = [*lines[:at], INFO, "2026-11-27 03:00:02,123 ERROR shop: another", INFO, *lines[at:]]
        found = errors_in(tmp_path, "\n".join(between) + "\n")
        # Where the other error's head stands right before the traceback, nothing tells whose it is.
        assert len(found) == 2, at
        assert ("Pay1Error", "card 1", "shop") in found, at


def test_chain_goes_on_behind_another_line(tmp_path):
    """The second half of a chain belongs to the first, though a line of another process stands between."""
    whole = text_of(failing.from_a_cause).splitlines()
    alone = errors_in(tmp_path, "\n".join([ERROR, *whole]) + "\n")
    for at in range(1, len(whole)):
        parts = [ERROR, *whole[:at], INFO, *whole[at:]]
        assert [one[:1] for one in errors_in(tmp_path, "\n".join(parts) + "\n")] == [one[:1] for one in alone], at


def test_two_tracebacks_line_by_line_in_lanes(tmp_path):
    """Two tracebacks that are interleaved line by line are told apart by what compose puts before each line."""
    pairs = zip([ERROR, *stack(1)], [ERROR, *stack(2)], strict=True)
    text = "".join(f"web-1  | {one}\nweb-2  | {two}\n" for one, two in pairs)
    assert errors_in(tmp_path, text) == [("Pay1Error", "card 1", "shop"), ("Pay2Error", "card 2", "shop")]


def test_two_tracebacks_line_by_line(tmp_path):
    """Where nothing tells them apart, two interleaved tracebacks are still two errors, and no third."""
    pairs = zip([ERROR, *stack(1)], [ERROR, *stack(2)], strict=True)
    found = errors_in(tmp_path, "".join(f"{one}\n{two}\n" for one, two in pairs))
    assert len(found) == 2


def test_blocks_of_two_processes(tmp_path):
    """Whole records of several processes one after the other are as many errors."""
    text = "\n".join([ERROR, *stack(1), ERROR, *stack(2), INFO, ERROR, *stack(3)]) + "\n"
    assert [one[0] for one in errors_in(tmp_path, text)] == ["Pay1Error", "Pay2Error", "Pay3Error"]


def test_print_within_stack(tmp_path):
    """What somebody prints between the lines of a stack does not end it."""
    lines = [ERROR, *stack(1)]
    lines.insert(3, "loading 50 %")
    assert errors_in(tmp_path, "\n".join(lines) + "\n") == [("Pay1Error", "card 1", "shop")]


def test_traceback_of_another_process_in_a_message(tmp_path):
    """The traceback that concurrent.futures quotes from its worker is no second error."""
    quoted = ["concurrent.futures.process._RemoteTraceback: ", '"""', *stack(1), '"""', "",
              "The above exception was the direct cause of the following exception:", ""]  # fmt: skip
    found = errors_in(tmp_path, "\n".join([ERROR, *quoted, *stack(1), INFO]) + "\n")
    assert found == [("Pay1Error", "card 1", "shop")]


def test_stack_info_is_no_traceback(tmp_path):
    """What stack_info adds to a record below the level is no error, and to an error no part of its message."""
    info = 'Stack (most recent call last):\n  File "/srv/a.py", line 1, in <module>\n    f()\n'
    assert errors_in(tmp_path, f"{INFO}\n{info}{INFO}\n") == []
    assert errors_in(tmp_path, f"{ERROR}\n{info}{INFO}\n") == [("ERROR", "failed", "shop")]


def test_broken_file_that_was_started(tmp_path):
    """What Python prints of a script that it cannot compile has no head, and is an error."""
    text = '  File "/srv/shop/app.py", line 3\n    x = = 1\n        ^\nSyntaxError: invalid syntax\n'
    assert errors_in(tmp_path, text) == [("SyntaxError", "invalid syntax (app.py, line 3)", "root")]


def test_multi_line_message(tmp_path):
    """Lines behind a head are its message, up to the next head."""
    assert errors_in(tmp_path, f"{ERROR}\nwith details\n  and more\n{INFO}\nnot this\n") == [
        ("ERROR", "failed\nwith details\n  and more", "shop")
    ]


def test_own_life_is_skipped(tmp_path):
    """What loghub says of itself is no error, also where the format has no logger."""
    text = (
        "2026-11-27 03:00:01,123 - loghub - ERROR - Error reporter: the token is refused\n"
        "ERROR:loghub:Error reporter: the token is refused\n"
        '{"levelname": "ERROR", "name": "loghub", "message": "Error reporter: the token is refused"}\n'
        "2026-11-27 03:00:01,123 - loghub.uncaught - CRITICAL - uncaught\n"
    )
    assert [one[2] for one in errors_in(tmp_path, text)] == ["loghub.uncaught"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/srv/app/main.go:7 +0x1d\nexit status 2\n", "panic"),
        (('Exception in thread "main" java.lang.IllegalStateException: no card\n\tat com.acme.Pay.charge(Pay.java:12)\n'
         "\tat com.acme.Main.main(Main.java:3)\n"), "IllegalStateException"),
        (("thread 'main' panicked at src/main.rs:4:5:\nno card\nstack backtrace:\n"
         "   0: shop::pay\n             at ./src/main.rs:4:5\n"), "panic"),
        (("Fatal Python error: Segmentation fault\n\nCurrent thread 0x00007f (most recent call first):\n"
         '  File "/srv/shop/app.py", line 3 in work\n  File "/srv/shop/app.py", line 9 in <module>\n'),
         "Fatal Python error"),
    ],
)  # fmt: skip
def test_other_languages(text, kind, tmp_path):
    """A stack of another language, or Python's last words, is one error, whatever stands around it."""
    found = errors_in(tmp_path, f"{INFO}\n{text}{INFO}\n")
    assert len(found) == 1
    assert found[0][0].lower() == kind.lower()
    path = tmp_path / "again.log"
    path.write_text(text + INFO + "\n" + text)
    assert list(take(path)[1].values()) == [2]


def test_java_stack_under_a_head(tmp_path):
    """A stack of another language behind a head is that record's."""
    text = "java.lang.IllegalStateException: no card\n\tat com.acme.Pay.charge(Pay.java:12)\n"
    assert errors_in(tmp_path, f"{ERROR}\n{text}{INFO}\n") == [("IllegalStateException", "no card", "shop")]


@pytest.mark.parametrize("bad", [b"\0", b"\xff\xfe", b"\r", b"\x1b[31m"])
def test_odd_bytes(bad, tmp_path):
    """NULs, bytes that are no UTF-8, CRLF and colours hide no error."""
    lines = [INFO, ERROR, *stack(1), INFO]
    text = b"".join((bad if bad in b"\0\x1b[31m" else b"") + line.encode() + (bad if bad == b"\r" else b"") + b"\n"
                    for line in lines)  # fmt: skip
    assert errors_in(tmp_path, text) == [("Pay1Error", "card 1", "shop")]


def test_invalid_utf8_in_a_message(tmp_path):
    """What is no UTF-8 is replaced."""
    assert errors_in(tmp_path, ERROR.encode() + b" \xff\n") == [("ERROR", "failed \ufffd", "shop")]


def test_long_records_are_cut():
    """Of a record without end so many bytes are held, and the exception's line still ends it."""
    lines = [ERROR, *stack(1)[:3], *['  File "/srv/x.py", line 1, in f' for _ in range(20_000)], "ValueError: x", INFO]
    (record,) = records_in("\n".join(lines))
    assert record.size < MAX_RECORD + 100
    assert record.lines[-1] == b"ValueError: x"


def test_given_out_in_order():
    """A record that waits for its exception holds back those that began later, until it has waited long enough."""
    records = Records()
    lines = f"{ERROR}\n{STACK}{INFO}\n{ERROR}\n{INFO}\n{INFO}\n".encode().split(b"\n")[:-1]
    records.feed(0, lines)
    size = sum(len(line) + 1 for line in lines)
    assert records.ready(size) == []
    assert records.reached(size) == 0
    assert [one.unfinished for one in records.ready(size + (2 << 20))] == [True, False]
    assert records.reached(size) == size


@pytest.mark.parametrize(
    "odd",
    [
        "2026-11-27 03:00:00 ERROR{}x",
        "2026-11-27 03:00:00{}ERROR x",
        "[error    ]{}(",
        "ERROR{}- x",
        "{}ERROR x",
        "[2026-11-27 03:00:00]{}[ERROR] x",
        "Nov 27 03:00:00 host{}app: x",
        "web{}| x",
        "<11>1{}x",
    ],
)
@pytest.mark.parametrize("filling", [" ", "a ", "a=b ", "[", "(", "- ", "'", "a.", ": ", "9", "\t-\t"])
def test_no_line_runs_away(odd, filling):
    """No line makes a pattern run away, whatever it is filled with."""
    line = odd.format(filling * (16_000 // len(filling)))
    layout = Layout("%(asctime)s %(name)s [%(levelname)s] %(threadName)s - %(funcName)s: %(message)s")
    started = time.process_time()
    found = [*records_in(line + "\n", level=0), *records_in(line + "\n", level=0, layout=layout)]
    assert time.process_time() - started < 1
    assert len(found) <= 2


@given(st.lists(LINES | st.text(max_size=40).map(lambda text: text.replace("\n", " ")), max_size=40), st.data())
def test_any_lines(lines, data):
    """Any lines are read without an error, the same in whatever pieces, never more records than lines."""
    raw = [line.encode("utf-8", "surrogatepass") for line in lines]
    whole = Records()
    whole.feed(0, raw)
    expected = [(one.start, one.lines, one.stage) for one in whole.rest()]
    assert [start for start, *_ in expected] == sorted({start for start, *_ in expected})
    cut = data.draw(st.integers(0, len(raw)))
    parts = Records()
    parts.feed(0, raw[:cut])
    parts.feed(sum(len(line) + 1 for line in raw[:cut]), raw[cut:])
    assert [(one.start, one.lines, one.stage) for one in parts.rest()] == expected
