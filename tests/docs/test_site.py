"""The pages become a site, as `make docs` builds it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.docs.pages import PAGES, ROOT


@pytest.mark.slow
def test_site(tmp_path):
    """MkDocs builds it without a warning: each page is in the navigation, each link and anchor leads somewhere."""
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\ndocs:")[2].partition("\n\n")[0]
    shown = re.search(r"cp -r (.+) \.site-source", recipe)[1].split()
    (tmp_path / ".site-source").mkdir()
    for name in shown:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / ".site-source" / name)
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/mkdocs.yml", tmp_path / ".ci")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", ".ci/mkdocs.yml"]
    built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert built.returncode == 0, built.stderr
    for page in PAGES:
        folder = tmp_path / ".site" / page.removesuffix(".md").removesuffix("README")
        html = (folder / "index.html").read_text(encoding="utf-8")
        blocks = len(re.findall(r"^```\w*$", PAGES[page], re.MULTILINE)) // 2
        assert html.count("<pre>") >= blocks, page
        text = re.sub(r"<pre>.*?</pre>", "", html, flags=re.DOTALL)
        assert re.findall(r"^(?:[-*] |\||```).*", text, re.MULTILINE) == [], page  # a list or a table that is none
        assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=\"(?:https?:)?//", html), page


def test_groups():
    """The navigation has few groups, so that one sees what there is."""
    config = yaml.safe_load((ROOT / ".ci/mkdocs.yml").read_text(encoding="utf-8"))
    assert sum(isinstance(next(iter(one.values())), list) for one in config["nav"]) <= 5
