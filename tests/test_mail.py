"""The mail about many errors: what it says, what it cannot be made to say, and that it stays small."""

from __future__ import annotations

import logging
import re
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from loghub.history import Outlook
from loghub.ledger.protocol import Group, Item, Recovery
from loghub.mail import MOST_BUGS, SUBJECT_NAMES, compose, subject_fault
from loghub.trend import Spike, Trend

TRACEBACK = """Traceback (most recent call last):
  File "/srv/shop/web.py", line 12, in checkout
    pay(cart)
  File "/srv/shop/pay.py", line 40, in pay
    raise ValueError("no such card")
ValueError: no such card"""
NOW = 1_790_000_000.0
LIMIT = 200_000
EVENT_TEXTS = ("timestamp", "error_type", "error_message", "module", "function", "traceback", "message")
EVENT_TEXTS += ("component", "environment", "release")
HOSTILE = [
    "x\r\nBcc: eve@example.net",
    "x\n\n<script>alert(1)</script>",
    "=?utf-8?q?=0d=0aBcc:_eve=40example.net?=",
    "</pre></div><img src=//example.net/x>",
    "\x00\x1b[31m\u202e\u2028\ud800",
    "{component} %s \u00e9\u4e2d\U0001f4a5",
    "v1:1, v1:2",
]
texts = (
    st.text(max_size=80) | st.sampled_from(HOSTILE) | st.text(alphabet="=?uU8QqBb_ \r\n:,<>&é\ud800\x85", max_size=90)
)


def bug(number=0, *, count=1, total=None, level=logging.ERROR, **event):
    """Return what waits about one bug; further arguments are keys of its event."""
    event = {
        "timestamp": "2026-09-21T14:12:20.123Z",
        "error_type": "ValueError",
        "error_message": "no such card",
        "module": "shop.pay",
        "function": "pay",
        "traceback": TRACEBACK,
        "message": "payment failed",
        "component": "shop",
        "environment": "production",
        "release": "1.4.2",
    } | event
    group = Group(
        fingerprint=f"v1:{number:016x}",
        error_type="GroupType",
        error_module="builtins",
        error_message="of the group",
        component="of-the-group",
        culprit="shop.pay in pay",
        level="ERROR",
        logger="shop",
        count=total or count,
        first_seen_at=NOW - 7200,
        last_seen_at=NOW - 60,
        issue_url="https://github.com/example/shop/issues/7",
        releases=("1.4.1", "1.4.2"),
        environments=("staging", "production"),
    )
    return Item("smtp:mail.example:25/ops@example.com", group, count, total or count, event, level, NOW - 60)


def outlook(word, why="because of its counts."):
    """Return what occurrences do that are described by `word`."""
    if word == "spike":
        return Outlook(Trend("rising", 9, 3, "not this."), Spike(9, 1.0, 1e-9, 0, why), [])
    return Outlook(Trend(word, 9, 3, why), None, [])


def recovery(outcome="recovered", seconds=0.8, reason="", procedure="shop.repair.reopen"):
    """Return what a procedure did."""
    return Recovery(NOW - 90, procedure, outcome, seconds, reason)


def write(*bugs, **changes):
    """Compose, send through bytes, and return what a reader's client parses."""
    options = {
        "fromaddr": "Loghub <loghub@shop.example>",
        "toaddrs": ["ops@example.com", "dev@example.com"],
        "destination": "smtp:mail.example:25/ops@example.com",
        "now": NOW,
    }
    return message_from_bytes(compose(bugs, **options | changes).as_bytes(), policy=policy.default)


def text_of(message):
    """Return the text alternative as a reader sees it."""
    return message.get_body(("plain",)).get_content().replace("\r\n", "\n")


def html_of(message):
    """Return the source of the HTML alternative."""
    return message.get_body(("html",)).get_content().replace("\r\n", "\n")


class Page(HTMLParser):
    """What a browser sees: elements with their attributes, and text."""

    def __init__(self, source):
        super().__init__()
        self.elements = []
        self.text = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


# What it says


def test_fields():
    """Text and HTML show the seed's fields in the seed's order, what else is known, and the traceback."""
    message = write(bug(count=3, total=12))
    for shown in (text_of(message), Page(html_of(message)).text):
        places = [
            shown.index(part)
            for part in (
                "An error occurred in shop:",
                "Timestamp: 2026-09-21T14:12:20.123Z",
                "Error Type: ValueError",
                "Error Message: no such card",
                "Module: shop.pay",
                "Function: pay",
                "Log Message: payment failed",
                "Level: ERROR",
                "Component: shop",
                "Environment: production",
                "Release: 1.4.2",
                "Occurrences: 3 since the last mail, 12 in all",
                "First Seen: 2026-09-21T12:13:20.000Z",
                "Last Seen: 2026-09-21T14:12:20.000Z",
                "Issue: https://github.com/example/shop/issues/7",
                "Fingerprint: v1:0000000000000000",
                "Traceback:",
                TRACEBACK,
            )
        ]
        assert places == sorted(places)
    assert "[cut" not in text_of(message)


def test_event_from_elsewhere():
    """Where the event lacks a key, the group says it; without an exception there is no traceback."""
    item = bug()
    item.event = {}
    shown = text_of(write(item))
    assert "Error Type: GroupType\nError Message: of the group\n" in shown
    assert "Component: of-the-group\nEnvironment: production\nRelease: 1.4.2\n" in shown
    assert "Timestamp: 2026-09-21T14:12:20.000Z\n" in shown
    assert "(logged without an exception)" in shown


def test_order():
    """Bugs are listed by level, then by count; only a mail about more than one opens with a table of them."""
    bugs = [
        bug(1, count=2, error_type="SecondError"),
        bug(2, count=9, error_type="FirstError"),
        bug(3, level=logging.CRITICAL, error_type="GravestError"),
    ]
    message = write(*bugs)
    for shown in (text_of(message), Page(html_of(message)).text):
        table, details = shown.split("Timestamp", 1)
        kinds = ["GravestError", "FirstError", "SecondError"]
        assert re.findall(r"[A-Z][a-z]+Error", table)[:3] == kinds
        assert re.findall("Error Type: (.*Error)", details) == kinds
    assert text_of(message).startswith("3 errors, 12 occurrences since the last mail:\n")
    assert "<table" not in html_of(write(bugs[0]))
    assert message["X-Loghub-Fingerprint"] == f"{bugs[2].group.fingerprint}, v1:{2:016x}, v1:{1:016x}"


def test_text_only():
    """Without HTML the mail is one plain text."""
    message = write(bug(), html=False)
    assert message.get_content_type() == "text/plain"
    assert "Error Type: ValueError" in message.get_content()


@pytest.mark.parametrize("word", ["spike", "new", "rising", "steady"])
def test_trend(word):
    """An entry says what the bug's occurrences do, and why; a list says it, too."""
    item = bug(1)
    message = write(item, bug(2), outlooks={item.group.fingerprint: outlook(word)})
    for shown in (text_of(message), Page(html_of(message)).text):
        assert re.search(rf"Trend: {word}: because of its counts\.", shown)
        assert shown.count("Trend: ") == 1
        assert word in shown[: shown.index("Timestamp")]


def test_recovery():
    """An entry says what recovery procedures did; one that needed none says nothing."""
    item = bug(1)
    object.__setattr__(item.group, "recoveries", [recovery(), recovery("failed", reason="busy")])
    message = write(item, bug(2))
    said = "Recovery: recovered by shop.repair.reopen in 0.8 s at 2026-09-21 14:11:50 UTC (2 runs, 1 recovered)"
    for shown in (text_of(message), Page(html_of(message)).text):
        assert said in " ".join(shown.split())
        assert shown.count("Recovery: ") == 1


def test_own_frames_stand_out():
    """In the page the application's frames are bold, those of exception groups and causes too, and only those."""
    group = "  + Exception Group Traceback (most recent call last):\n"
    for file, code in (("/srv/shop/web.py", "pay()"), ("/usr/lib/asyncio/run.py", "run()")):
        group += f'  |   File "{file}", line 12, in x\n  |     {code}\n  |     ^^^^\n'
    group += "  | ExceptionGroup: both (1 sub-exception)\n  +-+---------------- 1 ----------------\n"
    group += '    | Traceback (most recent call last):\n    |   File "/srv/shop/pay.py", line 40, in pay\n'
    group += "    |     raise KeyError\n    | KeyError\n    +------------------------------------"
    own = [{"file": "/srv/shop/pay.py", "line": 40, "in_app": True}]
    frames = [
        {"file": "/srv/shop/web.py", "line": 12, "in_app": True},
        {"file": "/usr/lib/asyncio/run.py", "line": 12, "in_app": False},
    ]
    page = html_of(write(bug(traceback=group, frames=frames, exceptions=[{"causes": [{"frames": own}]}])))
    bold = "\n".join(re.findall("(?s)<b>(.*?)</b>", page[page.index("<pre") :])).replace("<wbr>", "")
    assert bold.split("\n") == [
        '  |   File "/srv/shop/web.py", line 12, in x',
        "  |     pay()",
        "  |     ^^^^",
        '    |   File "/srv/shop/pay.py", line 40, in pay',
        "    |     raise KeyError",
    ]
    assert group in Page(page).text


def test_only_own_frames():
    """Where all frames are the application's none is bold: there is nothing to stand out from."""
    frames = [{"file": f"/srv/shop/{name}.py", "line": n, "in_app": True} for name, n in (("web", 12), ("pay", 40))]
    page = html_of(write(bug(frames=frames)))
    assert "<b>" not in page[page.index("<pre") :]


def test_list_in_columns():
    """The list of the text part keeps to 72 columns, also where characters take two."""
    shown = text_of(write(bug(1, error_message="支付" * 50), bug(2, error_message="word " * 50, count=12345)))
    listed = shown.split("\n\n")[1].split("\n")
    assert [sum(2 if each > "\u2e80" else 1 for each in line) <= 72 for line in listed] == [True] * 4
    assert listed[0].startswith("12,345 x ValueError: word word ")
    assert listed[1] == "         ERROR, shop.pay.pay"
    assert listed[2].startswith("     1 x ValueError: 支付支付")


# The headers


def test_headers():
    """A mail says who it is from and to, when it was made, and that no machine should answer it."""
    message = write(bug())
    assert message["From"] == "Loghub <loghub@shop.example>"
    assert message["To"] == "ops@example.com, dev@example.com"
    assert parsedate_to_datetime(message["Date"]).timestamp() == NOW
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["Precedence"] == "bulk"
    assert message["X-Loghub-Fingerprint"] == "v1:0000000000000000"


def test_same_batch_same_id():
    """A repeat has the same Message-ID in any order, at any time; another total or destination has not."""
    ids = [
        write(bug(1), bug(2))["Message-ID"],
        write(bug(2), bug(1), now=NOW + 99)["Message-ID"],
        write(bug(1), bug(2, count=2))["Message-ID"],
        write(bug(1), bug(2), destination="smtp:other:25/x@example.com")["Message-ID"],
    ]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert all(re.fullmatch(r"<loghub\.[0-9a-f]{24}@shop\.example>", each) for each in ids)


def test_threads():
    """Mails about one bug share a thread of their own; a mail about several bugs ties no threads together."""
    first, again, other = write(bug(1)), write(bug(1, count=5)), write(bug(2))
    assert first["References"] == again["References"] != other["References"]
    assert first["Message-ID"] != again["Message-ID"]
    assert re.fullmatch(r"<[\w.]+@shop\.example>", first["References"])
    assert write(bug(1), bug(2))["References"] is None


@pytest.mark.parametrize("sender", ["root", "x@bücher.example", f"x@{'a' * 60}.{'b' * 60}.example"])
def test_ids_fit_whatever_the_sender(sender):
    """Message-ID and References stay plain words on one line, whatever the sender's domain is."""
    raw = compose([bug()], fromaddr=sender, toaddrs=["a@b"], destination="smtp:", now=NOW).as_bytes()
    for name in (b"Message-ID", b"References"):
        assert re.search(rb"(?m)^" + name + rb": <[\w.]+@[\w.-]+>\r?$", raw)


def test_subject_defaults():
    """One bug is named; more are counted, under the component that most of them have."""
    assert write(bug())["Subject"] == "shop Error: ValueError in shop.pay"
    bugs = [bug(1, count=1200), bug(2, count=3, component="web"), bug(3, component="web")]
    assert write(*bugs)["Subject"] == "web: 3 errors, 1204 occurrences"


def test_subject_template():
    """A template can use every name; type, module, level and the like are those of the gravest bug."""
    template = "|".join(f"{{{name}}}" for name in SUBJECT_NAMES)
    bugs = [bug(1, count=4), bug(2, level=logging.CRITICAL, error_type="KeyError", module="shop.web")]
    assert subject_fault(template) is None
    assert write(*bugs, subject=template)["Subject"] == "shop|KeyError|shop.web|2|5|CRITICAL|production|1.4.2|"


def test_trend_in_subject():
    """The most telling trend of all bugs is in the subject when asked; brackets around none leave no trace."""
    bugs = [bug(n) for n in range(4)]
    template = "[{trend}] {component} ({trend})"
    for words, expected in [
        (["steady", "new", "spike", "rising"], "[spike] shop (spike)"),
        (["steady", "rising", "new"], "[new] shop (new)"),
        (["gone", "rising"], "[rising] shop (rising)"),
        ([], "shop"),
    ]:
        outlooks = {bugs[n].group.fingerprint: outlook(word) for n, word in enumerate(words)}
        assert write(*bugs, subject=template, outlooks=outlooks)["Subject"] == expected


@pytest.mark.parametrize("template", ["{nope}", "{", "{0}", "{}", "{level.x}", "{type[0]}", "{errors:q}", "two\nlines"])
def test_subject_fault(template):
    """A template with an unknown name, more than a name, or two lines is refused, and told what exists."""
    assert "occurrences" in subject_fault(template)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="abé中=?_ .", max_size=120))
@example("a" * 72)
@example("a b " * 18)
@example("==??")
def test_subject_arrives(kind):
    """A subject of any length that holds no RFC 2047 word is read as it was written, but for outer spaces."""
    while "=?" in kind:
        kind = kind.replace("=?", "")
    kind = " ".join(kind.split()) or "Error"
    assert write(bug(error_type=kind), subject="{type}")["Subject"] == kind


def test_subject_of_other_scripts():
    """A subject in any script arrives as it was, in a mail of 7-bit bytes."""
    message = compose(
        [bug(error_type="Größenfehler", module="магазин")],
        fromaddr="a@b.example",
        toaddrs=["c@d.example"],
        destination="smtp:",
        now=NOW,
    )
    assert message.as_bytes().isascii()
    parsed = message_from_bytes(message.as_bytes(), policy=policy.default)
    assert parsed["Subject"] == "shop Error: Größenfehler in магазин"


# What it cannot be made to say


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(EVENT_TEXTS, texts)), texts, texts)
def test_no_payload_steers_the_mail(event, fingerprint, reason):
    """Whatever an error says, headers, recipients and parts are those of a harmless one, in legal lines."""
    item = bug(**event)
    object.__setattr__(item.group, "fingerprint", fingerprint)
    object.__setattr__(item.group, "recoveries", [recovery("failed", reason=reason)])
    raw = compose(
        [item],
        fromaddr="Loghub <loghub@shop.example>",
        toaddrs=["ops@example.com"],
        subject="{component} {type} {module} {environment}",
        destination="smtp:",
        now=NOW,
    ).as_bytes()
    parsed = message_from_bytes(raw, policy=policy.default)
    assert parsed.keys() == write(bug()).keys()
    assert (parsed["From"], parsed["To"]) == ("Loghub <loghub@shop.example>", "ops@example.com")
    assert "\n" not in parsed["Subject"]
    assert len(parsed["Subject"]) <= 200
    assert [part.get_content_type() for part in parsed.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


@pytest.mark.parametrize("payload", HOSTILE)
def test_known_attacks_on_headers(payload):
    """Line breaks, RFC 2047 words with line breaks inside, and commas add neither header nor recipient."""
    message = write(bug(component=payload, error_type=payload), subject="{component} {type}")
    assert message["Bcc"] is None
    assert message.get_all("To") == ["ops@example.com, dev@example.com"]
    assert len(message.get_all("Subject")) == 1


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(texts, texts, texts, texts)
def test_html_is_escaped(kind, message, traceback, reason):
    """No error adds an element or an attribute to the page, nor does a procedure."""
    # Where something is cut, whoever cut it, a sentence of loghub's own tells where the whole is.
    assume(not any("[cut:" in text for text in (kind, message, traceback, reason)))
    one, other = bug(error_type=kind, error_message=message, traceback="." + traceback), bug()
    object.__setattr__(one.group, "recoveries", [recovery("failed", reason=reason, procedure=reason)])
    object.__setattr__(other.group, "recoveries", [recovery()])
    hostile, harmless = (Page(html_of(write(each, bug(1)))) for each in (one, other))
    breaks = [("br", {}), ("wbr", {})]
    assert [each for each in hostile.elements if each not in breaks] == [
        each for each in harmless.elements if each not in breaks
    ]


def test_text_fields_cannot_be_faked():
    """A message of many lines cannot pass for the fields that follow it."""
    shown = text_of(write(bug(error_message="x\nFunction: innocent\nLevel: DEBUG")))
    assert re.findall("(?m)^Function: .*", shown) == ["Function: pay"]
    assert re.findall("(?m)^Level: .*", shown) == ["Level: ERROR"]


def test_invisible_characters_are_shown():
    """Control characters and those that turn the direction of writing are spelled out in text and HTML."""
    message = write(bug(error_message="a\x00b\x1b[31mc\u202ed", traceback="x\x07\ud800"))
    for shown in (text_of(message), Page(html_of(message)).text):
        assert r"a\x00b\x1b[31mc\u202ed" in shown
        assert r"x\x07\ud800" in shown


# The page


def test_page_loads_nothing():
    """The page has no script, style sheet, image or other thing to fetch; its only link is the issue."""
    page = Page(html_of(write(bug(1), bug(2))))
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "link", "img", "style", "iframe", "object"})
    assert not any({"src", "background", "srcset", "onload"} & set(found) for _, found in page.elements)
    assert {found["href"] for _, found in page.elements if "href" in found} == {
        "https://github.com/example/shop/issues/7"
    }
    assert "url(" not in html_of(write(bug()))


def test_only_web_addresses_are_links():
    """An issue's address that is none is shown, not linked."""
    item = bug()
    object.__setattr__(item.group, "issue_url", "javascript:alert(1)")
    page = Page(html_of(write(item)))
    assert "javascript:alert(1)" in page.text
    assert not any("href" in found for _, found in page.elements)


def test_page_on_small_and_dark_screens():
    """The page leaves text and page colours to the client, sets no fixed width, and wraps every long line."""
    elements = Page(html_of(write(bug(1), bug(2)))).elements
    styles = [found["style"] for _, found in elements if "style" in found]
    rules = dict(rule.split(":", 1) for style in styles for rule in style.split(";"))
    assert rules.pop("color") == "inherit"
    assert not any(name.startswith("background") or name == "width" for name in rules)
    assert rules["overflow-wrap"] == "anywhere"
    (traceback,) = {found["style"] for tag, found in elements if tag == "pre"}
    assert "white-space:pre-wrap" in traceback
    assert "monospace" in traceback
    metas = {found.get("name"): found.get("content") for tag, found in elements if tag == "meta"}
    assert metas["color-scheme"] == "light dark"
    assert metas["viewport"].startswith("width=device-width")


# Its size


def deep(line="    return call(<argument> = 'value')", calls=1000):
    """Return a long traceback."""
    frames = "".join(f'  File "/srv/shop/module_{n}.py", line {n}, in call\n{line}\n' for n in range(calls))
    return f"Traceback (most recent call last):\n{frames}ValueError: no such card"


def test_most_bugs():
    """As many bugs as are told in detail fit: each has entry and innermost call, and the cut is said."""
    message = compose(
        [bug(n, traceback=deep(), release="c" * 40) for n in range(MOST_BUGS)],
        fromaddr="a@b.example",
        toaddrs=["c@d.example"],
        destination="smtp:",
        now=NOW,
    )
    assert len(message.as_bytes()) < LIMIT
    for shown in (text_of(message), Page(html_of(message)).text):
        assert shown.count("/srv/shop/module_999.py") == MOST_BUGS
        assert shown.count("lines further out]") == MOST_BUGS
        assert "`loghub show FINGERPRINT` has the whole" in shown
        assert all(f"v1:{n:016x}" in shown for n in range(MOST_BUGS))


@pytest.mark.slow
@pytest.mark.parametrize("character", ["中", "<", "=", "\x00", "\n", "a"])
def test_hostile_sizes(character):
    """However much characters swell on the way, a mail stays small, lists every bug, and says what it cut."""
    flood = character * 20_000
    names = dict.fromkeys(("traceback", "error_message", "module", "function", "component", "release"), flood)
    bugs = [bug(n, count=10**9, message="m" + flood, **names) for n in range(500)]
    raw = compose(bugs, fromaddr="a@b", toaddrs=["c@d"], destination="smtp:", now=NOW).as_bytes()
    message = message_from_bytes(raw, policy=policy.default)
    assert len(raw) < LIMIT
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    for shown in (text_of(message), Page(html_of(message)).text):
        assert all(f"v1:{n:016x}" in shown for n in range(500))
        assert shown.count("1,000,000,000 x ") >= 500
        assert re.search(r"\[cut: the details of \d+ more\serrors\]", shown)


@pytest.mark.slow
@pytest.mark.parametrize("character", ["中", "<", "=", "\x00", "\n", "a", "\U0001f4a5"])
def test_hostile_names(character):
    """A storm of 500 bugs whose very class names are of no use is a mail all the same."""
    flood = character * 500
    names = dict.fromkeys(EVENT_TEXTS, flood)
    raw = compose(
        [bug(n, **names) for n in range(500)], fromaddr="a@b", toaddrs=["c@d"], destination="smtp:", now=NOW
    ).as_bytes()
    assert len(raw) < LIMIT


@pytest.mark.slow
def test_storm():
    """In a storm the gravest bugs are told in detail; each other says what it is and how to ask for it."""
    bugs = [bug(n, count=1000 - n, error_message=f"order {n} of the customer is lost") for n in range(400)]
    message = write(*bugs)
    for shown in (text_of(message), Page(html_of(message)).text):
        told = shown.count("Timestamp: ")
        assert told >= 5
        assert f"[cut: the details of {400 - told} more errors]" in shown
        listed = shown[shown.index("more errors]") :]
        for n in range(told, 400):
            assert f"{1000 - n:,} x " in listed
            assert f"ValueError: order {n} of the customer is lost" in listed
            assert f"v1:{n:016x}" in listed
    assert len(message.as_bytes()) < LIMIT


@pytest.mark.parametrize("blank", ["\n", " ", "\r\n", "\x0c"])
def test_blank_traceback(blank):
    """A traceback of nothing but white space is none."""
    shown = text_of(write(bug(traceback=blank * 50_000)))
    assert "(logged without an exception)" in shown


def test_one_long_traceback():
    """A single long traceback loses its outer calls, and keeps the place and the message."""
    shown = text_of(write(bug(traceback=deep(calls=5000))))
    assert re.search(r"Traceback:\n\[cut: \d+ lines further out\]\n", shown)
    assert "module_4999.py" in shown
    assert shown.count("File") > 200
    assert "\nValueError: no such card\n" in shown


def test_long_message_does_not_hide_the_place():
    """A message of megabytes at the end of a traceback is cut, so that the calls before it stay."""
    flood = "".join(f"row {n}\n" for n in range(200_000))
    shown = text_of(write(bug(traceback=TRACEBACK.replace("no such card", flood), error_message=flood)))
    assert len(shown) < LIMIT
    assert 'File "/srv/shop/pay.py", line 40, in pay' in shown
    assert re.search(r"ValueError: row 0\n(.|\n)*\[cut: \d+ characters\](.|\n)*row 199999", shown)
