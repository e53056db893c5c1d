"""What a hostile error, or a hostile option, can do to a mail on the wire: nothing. Read at a real server."""

from __future__ import annotations

import logging
import re
from collections import Counter
from email import message_from_bytes, policy

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from loghub.delivery import waiting
from loghub.delivery.batch import Batch
from loghub.errors import OptionValueError
from loghub.filters import EventFilter
from loghub.handlers.smtp import BatchingSMTPHandler
from loghub.ledger.protocol import Group, Item
from loghub.ledger.sqlite import SQLiteLedger
from tests.fakes.smtp import FakeSMTP

NOW = 1_790_000_000.0
HEADERS = {
    "subject", "from", "to", "date", "message-id", "references", "auto-submitted", "precedence",
    "x-auto-response-suppress", "x-loghub-fingerprint", "mime-version", "content-type",
}  # fmt: skip

ATTACKS = [
    "x\r\nBcc: eve@evil.example\r\n\r\nhello",
    "x\nBcc: eve@evil.example",
    "x\rBcc: eve@evil.example",
    "\r\n.\r\nMAIL FROM:<eve@evil.example>\r\nRCPT TO:<eve@evil.example>\r\nDATA\r\nSubject: smuggled\r\n\r\n.\r\n",
    "\n.\nRCPT TO:<eve@evil.example>\n",
    "\r.\rRCPT TO:<eve@evil.example>\r",
    "=?utf-8?q?x=0D=0ABcc:_eve@evil.example?=",
    "=?utf-8?b?eA0KQmNjOiBldmVAZXZpbC5leGFtcGxl?=",
    "x\u2028Bcc: eve@evil.example",
    "x\x85Bcc: eve@evil.example",
    "x\x0bBcc: eve@evil.example\x0cCc: eve@evil.example",
    "x\x00\r\nBcc: eve@evil.example",
    'ops@example.com>, "Eve" <eve@evil.example',
    "--===============\r\nContent-Type: text/html\r\n\r\n<script>",
    "." * 200 + "\n.\n..\n",
    "{type} {0.__class__} {component}",
]
text = st.sampled_from(ATTACKS) | st.text(max_size=80) | st.lists(
    st.sampled_from([*ATTACKS, "\r\n", "\n", "\r", ".", " ", "\t", ":", "<", ">", "@", ",", "ü", "\ud800"]), max_size=5
).map("".join)  # fmt: skip


def many(examples):
    """Return settings for tests that share a server, which may be busy."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=examples, deadline=None, suppress_health_check=checks)


@pytest.fixture(scope="module")
def server():
    """Return a mail server."""
    with FakeSMTP() as running:
        yield running


@pytest.fixture(scope="module")
def ledger():
    """Return an empty ledger."""
    opened = SQLiteLedger(None)
    yield opened
    opened.close()


def is_clean(mail, recipients, sender="loghub@shop.example"):
    """Assert that a mail has the headers and the envelope of a harmless one, and ends where it should."""
    assert mail.recipients == tuple(recipients)
    assert mail.sender == sender
    head, _, body = mail.content.partition(b"\r\n\r\n")
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", mail.content)
    assert max(map(len, mail.content.split(b"\r\n"))) <= 998
    names = Counter(line.partition(b":")[0].decode().lower() for line in re.split(rb"\r\n(?![ \t])", head))
    assert set(names) | {"references"} == HEADERS
    assert set(names.values()) == {1}
    message = message_from_bytes(mail.content, policy=policy.default)
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert not message.defects
    assert body.endswith(b"--\r\n")


def item(event, fingerprint="v1:0000000000000001"):
    """Return what waits about a bug with an event of any kind."""
    said = {key: str(event.get(key, "")) for key in ("error_type", "error_module", "error_message", "component")}
    group = Group(fingerprint, *said.values(), "a in b", "ERROR", event.get("logger", ""), 1, NOW, NOW)
    return Item("smtp:", group, 1, 1, event, logging.ERROR, NOW - 100, NOW)


events = st.fixed_dictionaries({}, optional=dict.fromkeys([
    "error_type", "error_message", "message", "module", "function", "component", "environment", "release", "logger",
    "traceback", "level", "timestamp",
], text))  # fmt: skip


@pytest.mark.slow
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(events=st.lists(events, min_size=1, max_size=2), template=st.none() | text)
@example(events=[dict.fromkeys(["error_type", "error_message", "module", "component"], ATTACKS[0])], template=None)
@example(events=[dict.fromkeys(["error_type", "error_message", "traceback", "message"], ATTACKS[3])], template=None)
def test_no_event_steers_the_mail(server, ledger, events, template):
    """Whatever stands in events, and in a template that is taken: headers, recipients and parts stay as they are."""
    server.mails.clear()
    options = {"fromaddr": "loghub@shop.example", "toaddrs": "ops@example.com, dev@example.com"}
    try:
        handler = BatchingSMTPHandler([server.host, server.port], subject=template, **options)
    except OptionValueError:
        handler = BatchingSMTPHandler([server.host, server.port], **options)
    try:
        items = [item(event, f"v1:{number:016x}") for number, event in enumerate(events)]
        handler.deliver(Batch(ledger, "owner", items, "smtp:x", now=lambda: NOW))
    finally:
        handler.close()
    ledger.remember("smtp:x", {})
    ledger.spend("smtp:x mails", 30, 0.0, NOW + 7200)
    (mail,) = server.mails
    is_clean(mail, ["ops@example.com", "dev@example.com"])


@pytest.mark.slow
@pytest.mark.shows("hostile input", "no secret")
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(texts=st.lists(text, min_size=5, max_size=5))
@example(texts=[ATTACKS[0]] * 5)
@example(texts=[ATTACKS[3]] * 5)
def test_no_record_steers_the_mail(server, tmp_path_factory, texts):
    """The same from logging on: message, exception and its class's name, logger, component, and extra."""
    server.mails.clear()
    message, error, name, logger_name, more = texts
    handler = BatchingSMTPHandler(
        [server.host, server.port],
        "loghub@shop.example",
        ["ops@example.com"],
        "[{component}] {type} {module}",
        home=str(tmp_path_factory.mktemp("home")),
    )
    logger = logging.Logger(logger_name)  # noqa: LOG001 - its name would stay for ever
    logger.addHandler(handler)
    handler.addFilter(EventFilter(component=more.strip() or "x"))
    try:
        raise type(name.replace("\0", "").encode(errors="replace").decode() or "Boom", (Exception,), {})(error)
    except Exception:
        logger.exception("%s", message, extra={"component": more, "to": more, more or "x1": message})
    try:
        assert waiting.flush(20.0)
    finally:
        handler.close()
    (mail,) = server.mails
    is_clean(mail, ["ops@example.com"])


addresses = (
    text | text.map("{} <ops@example.com>".format) | st.sampled_from(["ops@example.com", '"A, B" <a@b.example>'])
)


@pytest.mark.slow
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(parts=st.lists(addresses, min_size=1, max_size=3), option=st.sampled_from(["toaddrs", "fromaddr"]))
@example(parts=[f"{ATTACKS[6]} <ops@example.com>"], option="toaddrs")
@example(parts=[f"{ATTACKS[7]} <ops@example.com>"], option="fromaddr")
@example(parts=[ATTACKS[6]], option="toaddrs")
@example(parts=["=?utf-8?q?x=0D=0ABcc:_eve?=@evil.example"], option="toaddrs")
def test_no_option_steers_the_mail(server, ledger, parts, option):
    """Addresses of any kind are refused, or are what stands in the header and on the envelope, and nothing else is."""
    server.mails.clear()
    options = {"fromaddr": "loghub@shop.example", "toaddrs": ["ops@example.com"]}
    options[option] = parts if option == "toaddrs" else ", ".join(parts)
    try:
        handler = BatchingSMTPHandler([server.host, server.port], **options)
    except OptionValueError:
        return
    try:
        handler.deliver(Batch(ledger, "owner", [item({"error_type": "E"})], "smtp:y", now=lambda: NOW))
    finally:
        handler.close()
    ledger.remember("smtp:y", {})
    ledger.spend("smtp:y mails", 30, 0.0, NOW + 7200)
    (mail,) = server.mails
    expected = [address.addr_spec for address in handler.recipients]
    is_clean(mail, expected, handler.sender.addr_spec)
    for header, specs in (("To", expected), ("From", [handler.sender.addr_spec])):
        shown = [each.addr_spec.encode(errors="surrogateescape").decode() for each in mail.message[header].addresses]
        assert shown == specs
    assert all(re.fullmatch(r"[^\s<>,]+", each) for each in [*expected, mail.sender])
    given_in_full = " ".join(parts)
    assert all(each.partition("@")[0] in given_in_full for each in expected if option == "toaddrs")


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("option", ["toaddrs", "fromaddr"])
def test_attacks_as_addresses(server, attack, option):
    """Each known attack is refused as an address, alone and behind one that is right."""
    for value in (attack, f"ops@example.com, {attack}", f"Ops {attack} <ops@example.com>"):
        options = {"fromaddr": "loghub@shop.example", "toaddrs": ["ops@example.com"]} | {option: value}
        if value.startswith("Ops ") and attack.isprintable() and "=?" not in attack:
            continue  # a name may be anything that is printed
        with pytest.raises(OptionValueError, match=option):
            BatchingSMTPHandler([server.host, server.port], **options)
