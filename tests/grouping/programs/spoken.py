"""What is only said: log calls without an exception, where nothing but the words and their place can tell.

All messages of one module are logged by one function, so that the place of the call tells nothing more than the words
do. A slot ``{}`` of a template is filled in one of several ways: ``%s`` with an argument, an f-string, ``str.format``,
a sum of texts, or the whole message as the argument of ``"%s"``.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from tests.grouping.programs.table import Table, case

if TYPE_CHECKING:
    from tests.grouping.stage import Case

_WAYS = ("%s", "f-string", "%s", "format", "sum", "f-string")


def _expression(template: str, way: str) -> str:  # noqa: PLR0911 - one for each way
    parts = template.split("{}")
    names = [f"v[{at}]" for at in range(len(parts) - 1)]
    if way == "%s":
        return ", ".join([repr(template.replace("%", "%%" if names else "%").replace("{}", "%s")), *names])
    if way == "f-string":
        inner = "".join(repr(part)[1:-1] + (f"{{v[{at}]}}" if at < len(names) else "") for at, part in enumerate(parts))
        return f'f"{inner}"'.replace("\\'", "'")
    if way == "format":
        return f"{template!r}.format(*v)"
    if way == "whole":
        return f"'%s', {template!r}.format(*v)"
    if way == "exception":
        return f"ValueError({template!r}.format(*v))"
    if way == "fields":
        fields = template
        for at in range(len(names)):
            fields = fields.replace("{}", f"%(field{at})s", 1)
        return f"{fields!r}, " + "{" + ", ".join(f"'field{at}': {name}" for at, name in enumerate(names)) + "}"
    joined = [repr(parts[0])]
    for name, part in zip(names, parts[1:], strict=True):
        joined += [f"str({name})", repr(part)]
    return " + ".join(joined)


def _program(template: str, way: str, module: str, level: str) -> dict[str, str]:
    source = (
        f"import logging\n\nlog = logging.getLogger({module!r})\n\n"
        f"def report(*v):\n    log.{level}({_expression(template, way)})\n"
    )
    return {module.partition(".")[0]: "", module: source}


class _Says:
    def __init__(self) -> None:
        self.table = Table({}, 0)
        self._ways = itertools.cycle(_WAYS)

    def bug(
        self,
        label: str,
        template: str,
        *values: tuple[Any, ...],
        module: str = "shop.payments",
        level: str = "error",
        ways: tuple[str, ...] = (),
        styles: tuple[str, ...] = (),
    ) -> None:
        """Add a message with so many sets of values, each said in the next way."""
        chosen = itertools.cycle(ways) if ways else self._ways
        for at, one in enumerate(values):
            way = next(chosen)
            self.table.bug(
                label,
                f"{module}:report",
                case(f"values {at + 1}, by {way}" + (f", {styles[at]}" if styles else ""), *one),
                sources=_program(template, way, module, level),
                shift=at,
                style=styles[at] if styles else "live",
            )


WARNINGS = {
    "old": "",
    "old.api": """\
import warnings

def connect(host):
    warnings.warn(f"connect({host!r}) is deprecated, use open_connection", DeprecationWarning, stacklevel=2)

def colour(name):
    warnings.warn("colour() ignores gamma", RuntimeWarning)
""",
    "old.use": """\
import logging
from old.api import colour, connect

logging.captureWarnings(True)

def mailer(host):
    connect(host)

def importer(host):
    connection = connect(host)
    return connection

def painter(name):
    colour(name)

def escape(text):
    return eval(text)
""",
}


def cases() -> list[Case]:
    """Return the cases of messages and of warnings."""
    says = _Says()
    _near(says)
    _values(says)
    _errors_in_words(says)
    table = Table(WARNINGS, 2)
    table.bug(
        "mailer uses what is deprecated",
        "old.use:mailer",
        case("1", "db1"),
        case("2", "10.0.0.5", shift=3),
        case("through a queue", "db3", style="queue"),
    )
    table.bug("importer uses what is deprecated", "old.use:importer", case("1", "db1"), case("2", "db9", shift=2))
    table.bug("painter ignores gamma", "old.use:painter", case("1", "red"), case("2", "blue", shift=5))
    return [*says.table.cases, *table.cases]


def _near(says: _Says) -> None:
    says.bug(
        "payment failed", "payment {} failed after {}", (17, "3.2 s"), (90021, "12 ms"), (4, "250ms"), (55, "1.5 min")
    )
    says.bug("refund failed", "refund {} failed after {}", (17, "3.2 s"), (90021, "12 ms"), (8, "0.25s"))
    says.bug("payment declined", "payment {} declined after {}", (17, "3.2 s"), (90021, "12 ms"))
    says.bug(
        "login from an address",
        "user {} could not log in from {}",
        ("ann@example.org", "10.0.0.7"),
        ("bob.b@mail.example.com", "192.168.17.203"),
        ("c+x@example.net", "2001:db8::8a2e:370:7334"),
    )
    says.bug(
        "logout from an address",
        "user {} could not log out from {}",
        ("ann@example.org", "10.0.0.7"),
        ("bob@example.com", "fe80::1"),
    )
    says.bug(
        "cannot read",
        "cannot read {}: permission denied",
        ("/srv/data/in/2026-11-01.csv",),
        ("C:\\Users\\deploy\\in.csv",),
        ("/tmp/tmpab12/x",),
        ("\\\\nas\\share\\in.csv",),
    )
    says.bug("cannot write", "cannot write {}: permission denied", ("/srv/data/out.csv",), ("D:\\out\\17.csv",))
    says.bug(
        "GET without body",
        "GET {} returned no body",
        ("https://api.example.com/v1/orders/17?full=1",),
        ("http://10.0.0.3:8080/orders/18",),
    )
    says.bug(
        "POST without body",
        "POST {} returned no body",
        ("https://api.example.com/v1/orders",),
        ("http://a.example/x#y",),
    )
    says.bug("job stuck", "job {} is stuck since {}", ("6b1f7f7e-40a5-4d5e-8a4b-8f1f0f4f8f11", "2026-11-01T07:00:12Z"),
             ("0f1e2d3c-aaaa-4bbb-8ccc-1234567890ab", "2026-11-02 09:30:00,123"), (17, "Mon Nov  2 09:30:00 2026"),
             (18, "02/Nov/2026:09:30:00 +0100"))  # fmt: skip
    says.bug("job late", "job {} is late since {}", ("6b1f7f7e-40a5-4d5e-8a4b-8f1f0f4f8f12", "2026-11-01T07:00:12"),
             (9, "07:00:12"))  # fmt: skip
    says.bug("scheduler stopped", "scheduler stopped", (), ())
    says.bug("scheduler started twice", "scheduler started twice", (), ())
    says.bug("queue is long", "queue length {} exceeds {}", (1000, 500), (72345, 500), ("12,345", "10_000"))
    says.bug("queue is old", "queue age {} exceeds {}", ("1000 s", "500 s"), ("2h 15m", "1h"), ("0:45:10", "0:30:00"))
    says.bug("no paper", "printer is out of paper on tray {}", (1,), (2,), (3,), ways=("%s", "whole", "f-string"))
    says.bug("jam", "printer is jammed on tray {}", (1,), (2,), (3,), ways=("whole", "f-string", "whole"))
    says.bug(
        "mailer lost its peer",
        "connection lost to {}",
        ("db-1.internal:5432",),
        ("10.1.1.1:5432",),
        module="shop.mailer",
    )
    says.bug(
        "importer lost its peer",
        "connection lost to {}",
        ("db-1.internal:5432",),
        ("10.1.1.1:5433",),
        module="stock.importer",
    )
    says.bug("in colour", "\x1b[31mlost contact\x1b[0m with {}", ("web-3.example.com",), ("web-17.example.com",))
    says.bug("in colour", "lost contact with {}", ("web-4.example.com",), ("10.2.3.4",))


def _values(says: _Says) -> None:
    says.bug(
        "lock is held",
        "lock held by {}",
        ("<shop.worker.Worker object at 0x7f3a1c2b4d50>",),
        ("<shop.worker.Worker object at 0x000001F2A3B4C5D0>",),
        ("<Worker(Thread-17, started 139872)>",),
    )
    says.bug(
        "bad payload",
        "bad payload {}",
        ('{"id": 17, "items": [1, 2]}',),
        ("{'id': 'x', 'tags': []}",),
        ("b'\\x00\\xff'",),
        ("[]",),
    )
    says.bug(
        "checksum",
        "checksum mismatch: {} instead of {}",
        ("9e107d9d372bb6826bd81d3542a419d6", "e4d909c290d0fb1ca068ffaddf22cbd0"),
        ("da39a3ee5e6b4b0d3255bfef95601890afd80709", "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"),
        ("0xdeadbeef", "0x1f"),
    )
    says.bug("cache key", "no cache entry for {}", ("'a b'",), ('"other key"',), ("'user:17:cart'",))
    says.bug("rows imported", "only {} of {} rows imported", (5, 17), (0, 90000), ("1.234", "5.678"))
    says.bug(
        "worker died",
        "worker {} died",
        ("web-3.internal.example.com:8443",),
        ("10.0.3.7:8000",),
        ("[fe80::1]:80",),
        ("localhost:9000",),
    )
    says.bug(
        "session rejected",
        "session {} was rejected",
        ("sess_9f8a7b6c5d4e3f2a1b0c",),
        ("Q2hhbmdlIG1lIHNvb24gcGxlYXNlIQ==",),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV",),
    )
    says.bug("disk usage", "disk usage at {} on {}", ("97%", "/dev/sda1"), ("98.5 %", "/mnt/data"), ("100%", "C:\\"))
    says.bug(
        "retrying",
        "retrying in {} (attempt {} of {})",
        ("1 second", 1, 5),
        ("2 seconds", 2, 5),
        ("1.5s", 3, 7),
        ("30 minutes", 4, 10),
    )
    says.bug("temperature", "temperature {} is out of range", (-17.5,), ("1e9",), ("+3,141.59 K",), ("451 °F",))
    says.bug("file size", "upload is {} too big", ("5 MB",), ("1.2 GiB",), ("300 bytes",), ("17kB",))
    says.bug("no VAT id", "invoice {} has no VAT id", ("INV-2026-0017",), ("RE/2026/993",), ("#4711",))
    says.bug("import summary", "import summary:\n- {} rows\n- {} errors", (5, 1), (1000, 17))
    says.bug("disk full by fields", "volume {} has {} left", ("'vol-1'", 5), ("'vol-2'", 0), ways=("fields", "%s"))
    says.bug("version mismatch", "client {} is too old", ("1.2.3",), ("2.0.0rc1",), ("v0.9.17",))
    says.bug("exception as message", "value {} is refused", (5,), (6,), ways=("exception", "f-string"))
    says.bug(
        "through a queue",
        "shelf {} is empty",
        (5,),
        (6,),
        (7,),
        ways=("%s",),
        styles=("live", "queue", "queue elsewhere"),
    )
    says.bug("shelf is full", "shelf {} is full", (5,), (6,), ways=("%s",), styles=("live", "queue"))
    says.bug("date only", "no rates for {}", ("2026-11-01",), ("01.11.2026",), ("11/01/2026",), ("1 Nov 2026",))
    says.bug("name behind %s", "no rates from bank {}", ("Alpha",), ("Beta Trust",), ("Gamma & Sons",), ways=("%s",))


def _errors_in_words(says: _Says) -> None:
    says.bug("upload: disk is full", "upload failed: {}", ("[Errno 28] No space left on device: '/a/1'",),
             ("[Errno 28] No space left on device: '/b/2'",))  # fmt: skip
    says.bug("upload: not allowed", "upload failed: {}", ("[Errno 13] Permission denied: '/a/1'",),
             ("[Errno 13] Permission denied: '/b/2'",))  # fmt: skip
    says.bug("query: no orders", "query failed: {}", ("no such table: orders",), ("no such table: orders",))
    says.bug("query: no bills", "query failed: {}", ("no such table: bills",), ("no such table: bills",))
    says.bug("start: no redis", "cannot start: {}", ("No module named 'redis'",), ("No module named 'redis'",))
    says.bug("start: no kafka", "cannot start: {}", ("No module named 'kafka'",), ("No module named 'kafka'",))
    says.bug("low fuel", "fuel is low: {} litres", (5,), (6.5,), level="critical")
    says.bug("oil is low", "oil is low: {} litres", (5,), (6.5,), level="critical")
