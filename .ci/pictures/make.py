"""Make docs/pictures anew: an issue, a mail and the pages, as people see them after `loghub demo`.

    make pictures

The demo runs for real, in a git repository of its own, and sends its issues to the stand-in for GitHub that the tests
have. What comes out is shown by a headless Chromium: the pages by `loghub serve`, the mail as its HTML part, the issue
by GitHub's own Markdown (cmarkgfm), its style sheet (github-markdown-css) and its colours of code (starry-night). As
on GitHub, a permalink that stands alone is the code it leads to, and a link to a commit is its first digits.
"""

from __future__ import annotations

import contextlib
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, NamedTuple

import cmarkgfm
from cmarkgfm.cmark import Options
from PIL import Image

import loghub.demo
from loghub import history
from loghub.cli import preview
from tests.browser.chromium import Chromium
from tests.fakes.github import FakeGitHub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PICTURES = ROOT / "docs" / "pictures"
REPO = "acme/shop"

# Under the MIT licence, and the fonts under the OFL.
PACKAGES = (
    "github-markdown-css@5.9.0",
    "@wooorm/starry-night@3.11.0",
    "@expo-google-fonts/noto-sans@0.4.2",
    "@expo-google-fonts/noto-sans-mono@0.4.2",
)


class Outcome(NamedTuple):
    """What the demo left: its folder and home, the issues as GitHub has them, and where the stand-in was."""

    folder: Path
    home: str
    issues: list[dict[str, Any]]
    api_url: str


def ran(*command: str, **how: Any) -> str:
    """Return what a command prints."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **how).stdout


def template(name: str) -> Template:
    """Return a file that stands beside this one."""
    return Template((HERE / name).read_text(encoding="utf-8"))


# What happened


def demo(folder: Path) -> Outcome:
    """Run the demo in a repository that has its shop, and have it send its issues."""
    shutil.copy(Path(loghub.demo.__file__).with_name("shop.py"), folder)
    git = ("git", "-C", str(folder), "-c", "user.name=shop", "-c", "user.email=shop@example.com")
    ran(*git, "init", "--quiet")
    ran(*git, "remote", "add", "origin", f"https://github.com/{REPO}.git")
    ran(*git, "add", "shop.py")
    ran(*git, "commit", "--quiet", "--message", "Open the shop")
    with FakeGitHub(REPO) as github:
        told = {"GITHUB_API_URL": github.url, "GITHUB_TOKEN": github.token, "GITHUB_REPO": REPO}
        command = (sys.executable, "-m", "loghub", "demo", "--send", "--directory", str(folder))
        ran(*command, env=os.environ | told | {"PYTHONPATH": str(ROOT)})
        return Outcome(folder, str(folder / "home"), github.issues(REPO), github.url)


def mail(home: str) -> EmailMessage:
    """Return the mail about all of it."""
    opened = history.open_home(home, None)
    try:
        return preview.mail_of([], preview.waiting_items(opened.ledger(), None, 50))
    finally:
        opened.close(1.0)


@contextlib.contextmanager
def served(home: str) -> Iterator[str]:
    """Yield where the pages are."""
    command = (sys.executable, "-m", "loghub", "serve", "--no-login", "--port", "0", "--home", home)
    told = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=told, stdout=pipe, stderr=pipe, text=True) as server:
        try:
            yield server.stdout.readline().partition("/  ")[0]
        finally:
            server.terminate()


# The issue as GitHub would render it

_FENCE = re.compile(r'<pre lang="(\w+)"><code>(.*?)</code></pre>', re.DOTALL)
_ALONE = re.compile(r'<p><a href="[^"]+/blob/([0-9a-f]{40})/([^"]+)#L(\d+)">[^<]*</a></p>')
_COMMIT = re.compile(r'<a href="([^"]+/commit/([0-9a-f]{7})[0-9a-f]{33})">[^<]*</a>')
_LABEL = '<span class="label" style="background: {}; color: {}">{}</span>'
# `bug` comes with every repository; other labels are made by the first issue that names them, and are grey.
_COLOURS = {"bug": ("#d73a4a", "#fff")}
_NO_COLOURS = ("#ededed", "#1f2328")


def issue_page(issue: dict[str, Any], outcome: Outcome, packages: Path) -> str:
    """Return a page with an issue."""
    names = [label["name"] for label in issue["labels"]]
    style = packages / "node_modules/github-markdown-css/github-markdown-light.css"
    return template("issue.html").substitute(
        style=style.read_text(encoding="utf-8"),
        title=html.escape(issue["title"]),
        number=issue["number"],
        state=issue["state"].title(),
        author=html.escape(issue["user"]["login"]),
        day=issue["created_at"][:10],
        labels="".join(_LABEL.format(*_COLOURS.get(name, _NO_COLOURS), html.escape(name)) for name in names),
        body=rendered(issue["body"].replace(outcome.api_url, "https://github.com"), outcome.folder, packages),
    )


def rendered(markdown: str, clone: Path, packages: Path) -> str:
    """Return the HTML that GitHub would make of an issue's body."""
    flags = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_HARDBREAKS | Options.CMARK_OPT_GITHUB_PRE_LANG
    body = cmarkgfm.github_flavored_markdown_to_html(markdown, flags)
    body = _COMMIT.sub(r'<a href="\1"><tt>\2</tt></a>', body)
    body = _ALONE.sub(lambda found: linked(clone, *found.groups()), body)
    pieces = [(found[1], html.unescape(found[2])) for found in _FENCE.finditer(body)]
    command = ("node", "--input-type=module", "--eval", (HERE / "colours.mjs").read_text(encoding="utf-8"))
    coloured = iter(json.loads(ran(*command, input=json.dumps(pieces), cwd=packages)))
    return _FENCE.sub(lambda _: f'<div class="highlight"><pre>{next(coloured)}</pre></div>', body)


def linked(clone: Path, commit: str, path: str, line: str) -> str:
    """Return what GitHub shows in place of a permalink: the line, as the commit has it."""
    code = ran("git", "-C", str(clone), "show", f"{commit}:{path}").splitlines()[int(line) - 1]
    return (
        f'<div class="linked"><p><b>{REPO.partition("/")[2]}/{path}</b><span>Line {line} in {commit[:7]}</span></p>'
        f'<div><i>{line}</i><pre lang="python"><code>{html.escape(code)}</code></pre></div></div>'
    )


# The mail as a program for mails shows it

_HEADERS = """<div style="padding: 12px; font: 14px/1.6 sans-serif; background: #f6f8fa;
  border-bottom: 1px solid #d1d9e0">{}</div>"""
_HEADER = '<div><b style="display: inline-block; width: 5em">{}</b>{}</div>'


def mail_page(message: EmailMessage) -> str:
    """Return the HTML part of a mail below its headers."""
    part = str(message.get_body(("html",)).get_content())
    told = "".join(_HEADER.format(name, html.escape(message[name])) for name in ("Subject", "From", "To"))
    body = re.search("<body[^>]*>", part)
    return part[: body.end()] + _HEADERS.format(told) + part[body.end() :]


# Pictures

WIDTH = 1400
"""Of each picture: more dots than the page has pixels, so that it is sharp on the screens of today."""

FADES = 60
_PLACE = """scrollY + [...document.querySelectorAll("%s")].at(%d).getBoundingClientRect().top | 0"""
_FADE = """(() => {
  const veil = document.createElement("div");
  const ground = getComputedStyle(document.body).backgroundColor;
  veil.style = "position: absolute; left: 0; right: 0; top: %dpx; height: %dpx; z-index: 9";
  veil.style.background = `linear-gradient(transparent, ${ground === "rgba(0, 0, 0, 0)" ? "#fff" : ground})`;
  document.body.append(veil);
})()"""


class Sharp(Chromium):
    """A browser on a screen with more dots than pixels."""

    def screen(self, width: int, *, dark: bool = False, height: int = 800) -> None:
        """Have a screen of so many CSS pixels."""
        super().screen(width, dark=dark, height=height)
        told = {"width": width, "height": height, "deviceScaleFactor": WIDTH / width, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **told)

    def take(self, name: str, until: str, nth: int = -1) -> None:
        """Write a picture of what is shown; where the nth element that `until` selects begins, it fades away."""
        height = self.ask(_PLACE % (until, nth))
        self.ask(_FADE % (height, FADES))
        with tempfile.NamedTemporaryFile(suffix=".png") as raw:
            self.picture(raw.name, most=height + FADES)
            picture = Image.open(raw.name).convert("RGB")
        picture.quantize(64, dither=Image.Dither.NONE).save(PICTURES / name, optimize=True)
        print(f"{name}: {picture.width} x {picture.height}, {(PICTURES / name).stat().st_size:,} bytes")


def main() -> None:
    """Make all pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="loghub-demo-") as shop, tempfile.TemporaryDirectory() as folder:
        packages = Path(folder)
        npm = ("npm", "install", "--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund")
        ran(*npm, *PACKAGES, cwd=packages)
        (packages / "fonts.conf").write_text(template("fonts.conf").substitute(folder=packages), encoding="utf-8")
        os.environ["FONTCONFIG_FILE"] = str(packages / "fonts.conf")
        outcome = demo(Path(shop))
        photograph(outcome, packages)


def photograph(outcome: Outcome, packages: Path) -> None:
    """Make the pictures of what came out."""
    often = next(issue for issue in outcome.issues if issue["title"] == "[Auto] ValueError: shop")
    caused = next(issue for issue in outcome.issues if issue["title"] == "[Auto] PaymentError: shop")
    with Sharp() as browser, served(outcome.home) as pages:
        browser.show(issue_page(often, outcome, packages), 900)
        browser.take("issue.png", until=".markdown-body > p")
        browser.show(mail_page(mail(outcome.home)), 780)
        browser.take("mail.png", until="h2", nth=1)
        browser.allowed = pages
        browser.screen(1000)
        browser.go(f"{pages}/errors")
        browser.take("page.png", until="#recent")
        browser.go(f"{pages}/groups/{re.search('v1:[0-9a-f]{16}', caused['body'])[0]}")
        browser.take("bug.png", until="section.card", nth=5)


if __name__ == "__main__":
    main()
