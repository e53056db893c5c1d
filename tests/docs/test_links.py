"""Every relative link and anchor of the pages leads somewhere."""

from __future__ import annotations

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, links


@pytest.mark.parametrize("page", sorted(PAGES))
def test_links(page):
    """A link to a file finds it, one to a heading finds that."""
    lost = []
    for link in links(PAGES[page]):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            lost.append(link)
    assert lost == []


def test_pages_are_found():
    """The README leads to every page of the manual, over other pages or by itself."""
    found, seen = {"README.md"}, set()
    while page := next(iter(found - seen), None):
        seen.add(page)
        for link in links(PAGES[page]):
            target = ((ROOT / page).parent / link.partition("#")[0]).resolve()
            if target.is_relative_to(ROOT) and str(target.relative_to(ROOT)) in PAGES:
                found.add(str(target.relative_to(ROOT)))
    assert {page for page in PAGES if page not in found} == set()
