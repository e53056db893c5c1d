"""One mail about many errors: what waits for a mail destination as text and HTML in an `EmailMessage`.

Two things shape it. A payload must not steer the mail: headers are one line each, and everything is escaped. And a
mail must arrive: it stays under 200 KB, because the outer end of long tracebacks gives way, and where that is not
enough the details of the least grave bugs; what gave way is said.

`entry` says what is known of one bug, `digest` how much of it fits, `plaintext` and `page` write it, `template` lets
the owner do so.
"""

from __future__ import annotations

import hashlib
import logging
import re
import socket
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import parseaddr
from string import Formatter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from loghub.mail import page, plaintext
from loghub.mail.digest import MOST_BUGS, component_of, fit, in_order, transfer_encoding
from loghub.mail.entry import about, line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loghub.history import Outlook
    from loghub.ledger.protocol import Item
    from loghub.mail.digest import Digest
    from loghub.mail.template import Template

__all__ = ["MOST_BUGS", "SUBJECT_NAMES", "compose", "in_order", "subject_fault"]

SUBJECT_NAMES = ("component", "type", "module", "errors", "occurrences", "level", "environment", "release", "trend")
"""What a subject template can name; type, module, level and the rest are those of the gravest bug, and `trend` is the
most telling one of all bugs."""

TRENDS = ("spike", "new", "rising", "steady", "falling", "gone")
"""The most telling first."""

_ONE_BUG = "{component} Error: {type} in {module}"
_MANY_BUGS = "{component}: {errors} errors, {occurrences} occurrences"
_LONGEST_SUBJECT = 200

# Bytes as they travel. With the headers, of which 500 fingerprints are the most, they leave a mail under 200 KB; and a
# big provider hides what of an HTML part is beyond 102 KB.
_TEXT_BYTES = 78_000
_HTML_BYTES = 98_000
_LONGEST_TOKEN = 36


class _Policy(EmailPolicy):
    """How a mail is written: its headers begin on the line of their name.

    EmailPolicy puts a value that just misses the first line on the second, and readers that unfold without
    trimming get it with a space in front.
    """

    def fold(self, name: str, value: Any) -> str:
        folded: str = super().fold(name, value)
        return folded.replace(f"{name}:\r\n ", f"{name}: ", 1)

    def fold_binary(self, name: str, value: Any) -> bytes:
        folded: bytes = super().fold_binary(name, value)
        return folded.replace(f"{name}:\r\n ".encode(), f"{name}: ".encode(), 1)


# 7bit: every server takes the mail as it is, whatever it offers.
_POLICY = _Policy(linesep="\r\n", cte_type="7bit")


def compose(
    items: Sequence[Item],
    *,
    fromaddr: str,
    toaddrs: Sequence[str],
    subject: str | None = None,
    html: bool = True,
    destination: str,
    now: float,
    names_host: bool = True,
    outlooks: Mapping[str, Outlook] = MappingProxyType({}),
    template: Template | None = None,
    html_template: Template | None = None,
    on_fault: Callable[[str], object] | None = None,
) -> EmailMessage:
    """Return the mail that tells of `items`, one entry per bug, the gravest and most frequent first.

    The same items with the same totals give the same ``Message-ID``, so that a mail which had to be sent
    twice can be recognized as one.

    Args:
        items: What waits; at least one. Beyond `MOST_BUGS` a bug is only listed, without details.
        fromaddr: The sender, as it stands in ``From``.
        toaddrs: The recipients, as they stand in ``To``.
        subject: A template with `SUBJECT_NAMES`, checked by `subject_fault`; None for the default.
        html: Whether there is an HTML alternative.
        destination: The destination's name in the ledger.
        now: The time for ``Date``, epoch seconds.
        names_host: Whether the ids name this host, where the sender has no domain.
        outlooks: What occurrences do, by fingerprint; may lack some.
        template: Writes the text part instead of loghub.
        html_template: Writes the HTML part instead of loghub.
        on_fault: Called with one sentence when a template failed, and what loghub writes stands in its place.
    """
    bugs = in_order(items)
    values = _values(bugs, outlooks)
    message = EmailMessage(policy=_POLICY)
    message["Subject"] = _subject(values, subject)
    message["From"] = fromaddr
    message["To"] = ", ".join(toaddrs)
    message["Date"] = datetime.fromtimestamp(now, UTC)
    _identify(message, bugs, destination, _domain(fromaddr, names_host=names_host))
    message["Auto-Submitted"] = "auto-generated"
    message["Precedence"] = "bulk"
    message["X-Auto-Response-Suppress"] = "All"

    def body(most: int, own: Callable[[Digest], str], theirs: Template | None) -> str:
        written = theirs.write(bugs, outlooks, most, values, on_fault or str) if theirs else None
        written = written if written is not None else fit(bugs, outlooks, most, own)
        assert written is not None, "titles of 500 bugs fit in any script"
        return written

    shown = body(_TEXT_BYTES, plaintext.text, template)
    message.set_content(shown, cte=transfer_encoding(shown))
    if html:
        shown = body(_HTML_BYTES, page.page, html_template)
        message.add_alternative(shown, subtype="html", cte=transfer_encoding(shown))
    return message


def subject_fault(template: str) -> str | None:
    """Return what a subject template should be, or None where there is nothing wrong with it."""
    right = f"a one-line text in the style of str.format with {', '.join(SUBJECT_NAMES)}"
    sample: dict[str, Any] = dict.fromkeys(SUBJECT_NAMES, "") | {"errors": 1, "occurrences": 1}
    try:
        names = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
        template.format(**sample)
    except (ValueError, LookupError, AttributeError, TypeError):
        return right
    return None if names <= set(SUBJECT_NAMES) and "\n" not in template and "\r" not in template else right


# --- headers


def _subject(values: Mapping[str, str | int], template: str | None) -> str:
    template = template or (_ONE_BUG if values["errors"] == 1 else _MANY_BUGS)
    for name, value in values.items():
        if value == "":  # brackets around nothing
            template = template.replace(f"[{{{name}}}]", "").replace(f"({{{name}}})", "")
    subject = line(template.format(**values), _LONGEST_SUBJECT)
    # EmailMessage decodes RFC 2047 words in what it is given, and Python before 3.11.10 and 3.12.5 writes a
    # line break from inside them as it is: https://github.com/python/cpython/issues/121650
    return subject.replace("=?", "= ?")[:_LONGEST_SUBJECT] or "loghub"


def _values(bugs: Sequence[Item], outlooks: Mapping[str, Outlook]) -> dict[str, str | int]:
    """Return what subjects and templates can name: `SUBJECT_NAMES`."""
    first = bugs[0]
    words = {outlooks[bug.group.fingerprint].word for bug in bugs if bug.group.fingerprint in outlooks}
    return {
        "component": component_of(bugs),
        "type": about(first, "error_type") or "Error",
        "module": about(first, "module") or "unknown",
        "errors": len(bugs),
        "occurrences": sum(bug.count for bug in bugs),
        "level": logging.getLevelName(first.level),
        "environment": about(first, "environment"),
        "release": about(first, "release"),
        "trend": min(words, key=TRENDS.index, default=""),
    }


def _identify(message: EmailMessage, bugs: Sequence[Item], destination: str, domain: str) -> None:
    """Say which mail this is, and which bugs it is about.

    Only a mail about a single bug joins that bug's thread: clients take ``References`` as a chain of
    ancestors (RFC 5322, section 3.6.4), so one with two bugs' ids would tie their threads together for good.
    """
    told = sorted(f"{bug.group.fingerprint} {bug.total}" for bug in bugs)
    message["Message-ID"] = f"<loghub.{_digest(destination, *told)}@{domain}>"
    if len(bugs) == 1:
        message["References"] = f"<loghub.bug.{_digest(bugs[0].group.fingerprint)}@{domain}>"
    message["X-Loghub-Fingerprint"] = ", ".join(_token(bug.group.fingerprint) for bug in bugs)


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode(errors="replace")).hexdigest()[:24]


def _token(text: str) -> str:
    return re.sub(r"[^\w:.-]", "_", text[:_LONGEST_TOKEN], flags=re.ASCII)


def _domain(fromaddr: str, *, names_host: bool) -> str:
    """Return the domain for ids: the sender's, or this host's; short enough for a header line of its own."""
    if "@" in fromaddr:
        name = parseaddr(fromaddr)[1].rpartition("@")[2].lower()
    else:
        name = socket.gethostname().lower() if names_host else "localhost"
    return re.sub(r"[^a-z0-9.-]", "", name)[-36:].strip(".-") or "localhost"
