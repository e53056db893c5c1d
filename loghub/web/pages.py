"""/errors: what failed lately."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, render_template

from loghub import history

if TYPE_CHECKING:
    from loghub.web.access import Access
    from loghub.web.site import Site


def add(blueprint: Blueprint, site: Site, access: Access) -> None:
    """Add the routes."""

    @blueprint.get("/errors")
    @access.see
    def errors() -> Any:
        ledger = site.ledger()
        return render_template(
            "loghub/errors.html",
            statistics=history.statistics(ledger),
            groups=ledger.groups(50),
            recent=ledger.events(50),
        )
