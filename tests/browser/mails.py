"""Mails as they come: about errors that really happened, in several scripts, and about a storm."""

from __future__ import annotations

import asyncio
import json
import logging
import sys

from loghub import mail
from loghub.capture import Capture
from loghub.history import Outlook
from loghub.ledger.protocol import Group, Item, Recovery
from loghub.trend import Spike, Trend

NOW = 1_790_000_000.0

OUTLOOKS = {
    "new": Outlook(Trend("new", 4, None, "First seen 12 minutes ago."), None, []),
    "rising": Outlook(Trend("rising", 900, 300, "900 in the last 24 hours, where 300 were to be expected."), None, []),
    "steady": Outlook(Trend("steady", 20, 19, "20 in the last 24 hours, as usual."), None, []),
    "spike": Outlook(
        Trend("rising", 900, 300, "900 in the last 24 hours, where 300 were to be expected."),
        Spike(
            1204,
            2.6,
            1e-9,
            0,
            "1,204 in the last 1.4 hours, where the same hours of the 12 days before let expect 2.6.",
        ),
        [],
    ),
}


def refuse_card():
    """Raise in the application, with a cause."""
    try:
        {"visa": 1}["amex"]
    except KeyError as error:
        raise ValueError("no such card: amex") from error


def read_bad_json():
    """Raise in a library that the application calls."""
    json.loads('{"order": 7, "customer": "Nguyễn", ')


def fail_in_chinese():
    """Raise with a message of many words without spaces."""
    raise ValueError("无法连接到支付服务器、连接超时、请检查网络设置并稍后重试。" * 4)


def fail_in_arabic():
    """Raise with a message that is written from right to left."""
    raise RuntimeError("تعذر الاتصال بخادم الدفع: انتهت المهلة المحددة للطلب رقم 4711، يرجى المحاولة لاحقا")


def fail_in_a_group():
    """Raise several exceptions at once."""

    async def both():
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.to_thread(refuse_card))
            tasks.create_task(asyncio.to_thread(read_bad_json))

    asyncio.run(both())


def recurse(depth=60):
    """Raise far down."""
    if not depth:
        raise RecursionError("the tree of categories has a loop")
    asyncio.events.Handle._run and recurse(depth - 1)


def say_much():
    """Raise with a message of many long lines."""
    rows = "\n".join(f"  row {n}: ({n}, 'customer-{n}@example.com', {'x' * 90})" for n in range(40))
    raise LookupError(f"40 rows violate the constraint orders_customer_fk:\n{rows}")


def fail_without_spaces():
    """Raise with an address and a token that no line holds."""
    raise ConnectionError("https://payments.example.com/v1/" + "charges/" * 30 + "?cursor=" + "eyJhbGciOi" * 25)


def leave_html():
    """Raise with what a server sent."""
    raise OSError('<html><body onload="alert(1)"><h1>502 Bad Gateway</h1><img src="https://example.net/x.png"></html>')


CAUSES = [
    refuse_card, read_bad_json, fail_in_chinese, fail_in_arabic, fail_in_a_group, recurse, say_much,
    fail_without_spaces, leave_html,
]  # fmt: skip


def bug(number, cause, *, count=1, total=None, level=logging.ERROR, recoveries=(), issue=True):
    """Return what waits about an error that is made to happen; without a cause, about a plain message."""
    try:
        if cause:
            cause()
        exc_info = None
    except BaseException:
        exc_info = sys.exc_info()
    record = logging.LogRecord(
        "shop.orders", level, __file__, 120, "order %d could not be paid", (4700 + number,), exc_info, "checkout"
    )
    capture = Capture(component="shop", release="2026.11.3")
    event = capture.keep(capture.sight(record), record)
    group = Group(
        fingerprint=f"v1:{number * 0x9E3779B97F4A7C15 % 2**64:016x}",
        error_type=event["error_type"],
        error_module="builtins",
        error_message=event["error_message"],
        component="shop",
        culprit="shop.orders in checkout",
        level=logging.getLevelName(level),
        logger="shop.orders",
        count=total or count,
        first_seen_at=NOW - 7200,
        last_seen_at=NOW - 60,
        issue_url=f"https://github.com/example/shop/issues/{700 + number}" if issue else None,
        recoveries=recoveries,
    )
    return Item("smtp:", group, count, total or count, event, level, NOW - 60)


def written(bugs, *, outlooks=None, **options):
    """Return the mail about `bugs`."""
    return mail.compose(
        bugs,
        fromaddr="loghub@shop.example",
        toaddrs=["ops@example.com"],
        destination="smtp:",
        now=NOW,
        outlooks=outlooks or {},
        **options,
    )


def one():
    """Return a mail about one bug, with all that can be known of it."""
    failed = Recovery(NOW - 90, "shop.repair.reopen_connection", "failed", 12.0, "the server did not answer in 12 s")
    ran = [failed, Recovery(NOW - 900, "shop.repair.reopen_connection", "recovered", 0.8)]
    item = bug(1, fail_in_a_group, count=1204, total=1377, level=logging.CRITICAL, recoveries=ran)
    return written([item], outlooks={item.group.fingerprint: OUTLOOKS["spike"]})


def dozen():
    """Return a digest with every kind of error."""
    words = list(OUTLOOKS)
    bugs = [
        bug(
            n,
            CAUSES[n] if n < len(CAUSES) else None,
            count=[3, 1204, 1, 1, 17, 2, 88, 5, 41, 1, 12, 9][n],
            total=5000,
            level=logging.CRITICAL if n == 4 else logging.ERROR,
            issue=n % 2 == 0,
        )
        for n in range(12)
    ]
    return written(bugs, outlooks={one.group.fingerprint: OUTLOOKS[words[n % 4]] for n, one in enumerate(bugs)})


def storm(bugs=300):
    """Return a mail about so many bugs that most are only listed."""
    items = [bug(n, CAUSES[n % len(CAUSES)], count=1 + n * 37 % 900, issue=n % 2 == 0) for n in range(bugs)]
    return written(items, outlooks={one.group.fingerprint: OUTLOOKS["new"] for one in items[:50]})


MAILS = {"one": one, "dozen": dozen, "storm": storm}
