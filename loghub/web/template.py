"""The pages' templates, in an environment of their own.

A host application may write its templates with other delimiters, without escaping, or with undefined names that are
errors; it must not change what stands in ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import current_app, get_flashed_messages, request, url_for
from jinja2 import Environment, PackageLoader

from loghub.web import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.blueprints import BlueprintSetupState

_KEY = "loghub.web"

_environment = Environment(loader=PackageLoader("loghub.web"), autoescape=True, auto_reload=False)
_environment.globals.update(get_flashed_messages=get_flashed_messages, request=request, shown=shown, url_for=url_for)


def render(template: str, **context: Any) -> str:
    """Return a page, or a part of one, for the request that is being answered.

    Args:
        template: Its path in ``loghub/web/templates``.
        context: What it needs besides what all have (`known_to_all`).
    """
    known: Callable[[], dict[str, Any]] = current_app.extensions[_KEY]
    return _environment.get_template(template).render(known() | context)


def known_to_all(known: Callable[[], dict[str, Any]]) -> Callable[[BlueprintSetupState], None]:
    """Return what has a blueprint's templates know of who asks: `role`, `has_login`, `csrf_token` and `theme`."""

    def know(state: BlueprintSetupState) -> None:
        state.app.extensions[_KEY] = known

    return know
