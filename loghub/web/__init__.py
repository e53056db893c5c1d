"""What loghub has for web applications, and the pages that it brings.

`wsgi` and `asgi` tell errors of which request they are; `create_app` and `blueprint` are the pages and the REST
endpoint (extra ``web``). Names resolve on first use, so that the middleware needs no web framework.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from loghub.errors import MissingExtraError

if TYPE_CHECKING:
    from loghub.web.app import create_app
    from loghub.web.request import asgi, wsgi
    from loghub.web.routes import blueprint

_HOME_OF = {
    "asgi": "loghub.web.request",
    "blueprint": "loghub.web.routes",
    "create_app": "loghub.web.app",
    "wsgi": "loghub.web.request",
}

__all__ = ["asgi", "blueprint", "create_app", "wsgi"]


def __getattr__(name: str) -> Any:
    try:
        module = _HOME_OF[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    try:
        value = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("loghub", ""):
            raise
        raise MissingExtraError(f"loghub.web.{name} needs {error.name}: pip install 'loghub-handlers[web]'.") from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
