"""What journals say, for the tests of ledgers."""

from __future__ import annotations

import itertools
from collections import Counter

from loghub.event import iso
from loghub.journal.reading import Fold, Tally

T0 = 1_770_001_200.0
HOUR = int(T0 // 3600)
ONE, TWO = "v1:1111111111111111", "v1:2222222222222222"
GITHUB, SMTP = "github:acme/shop", "smtp:x"


def event(fingerprint=ONE, key="a", at=T0, **more):
    """Return an event."""
    return {
        "id": key * 32,
        "timestamp": iso(at),
        "fingerprint": fingerprint,
        "error_type": "ValueError",
        "error_module": "builtins",
        "error_message": "bad price",
        "component": "shop",
        "module": "shop.cart",
        "function": "total",
        "level": "ERROR",
        "logger": "shop.cart",
    } | more


def tally(n=1, at=T0, *, kept=(), of=None, level=40, release="1.0", environment="production", **routed):
    """Return what a stretch of a journal says about one group."""
    return Tally(
        event=of or (kept[-1] if kept else event()),
        count=n,
        first_at=at,
        last_at=at,
        level=level,
        hours=Counter({(int(at // 3600), release, environment): n}),
        routed=Counter({{"github": GITHUB, "smtp": SMTP}[name]: count for name, count in routed.items()}),
        kept=list(kept),
        releases=Counter({release: n}),
        environments=Counter({environment: n}),
        servers=Counter({"web1": n}),
    )


_names = itertools.count()


def fold(ledger, *tallies, fingerprint=ONE, **groups):
    """Fold tallies of one group, each from a journal of its own."""
    for one in tallies:
        assert ledger.fold(Fold(f"journal-{next(_names)}", 0, 10, {fingerprint: one}, **groups))
