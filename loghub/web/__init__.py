"""What loghub has for web applications: `wsgi` and `asgi` tell errors of which request they are.

Names resolve on first use, so that the middleware needs no web framework.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loghub.web.request import asgi, wsgi

_HOME_OF = {
    "asgi": "loghub.web.request",
    "wsgi": "loghub.web.request",
}

__all__ = ["asgi", "wsgi"]


def __getattr__(name: str) -> Any:
    try:
        module = _HOME_OF[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
