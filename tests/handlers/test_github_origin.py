"""CODEOWNERS, assignees and the suspect commit, all the way from a git repository into an issue."""

from __future__ import annotations

import json
import logging
import math

import pytest
import yaml

from loghub import clone
from loghub.github import origin
from tests.cli.test_cli import run
from tests.fakes.github import Token
from tests.github.rendered import LIVE, OURS, Page
from tests.github_bench import REPO, writes
from tests.repositories import PLAIN, Repository

WEB = f"https://github.com/{REPO}"
CART = "def charge(items):\n    raise ValueError(sum(items))\n"
TILL = CART.replace("ValueError", "KeyError")
OWNERS = "* @stranger\n/shop/ @helper @acme/team mail@example.com @stranger\n"


class Shop:
    """An application in a git repository, which is the working directory, and the stand-in that has its issues."""

    def __init__(self, make, root) -> None:
        self.bench = make
        self.fake = make.fake
        self.fake.repo(REPO).assignable = ("helper",)
        self.repository = Repository(root, f"{WEB}.git")
        self.commit = self.repository.commit({"shop/cart.py": CART, "shop/till.py": TILL}, "Charge at once")

    def reporting(self, **options):
        """Return a bench whose handler reports the commit that is checked out."""
        made = self.bench(web_url="https://github.com", **options)
        made.deploy(self.commit)
        return made

    def fail(self, one, file="shop/cart.py"):
        """Log what the code of a file raises."""
        path = self.repository.root / file
        names = {"__name__": "shop.cart"}
        exec(compile(path.read_text(), str(path), "exec"), names)
        try:
            names["charge"]([1])
        except (KeyError, ValueError):
            one.log.exception("failed")

    def assigned(self):
        """Return who is assigned to each issue."""
        return [[person["login"] for person in issue["assignees"]] for issue in self.fake.issues(REPO)]

    def asked(self, part):
        """Return the statuses of the requests whose path has a part."""
        return [one.status for one in self.fake.requests if part in one.path]


@pytest.fixture
def shop(bench, tmp_path, monkeypatch):
    """Return a shop; git knows no settings but its own."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, PLAIN[name])
    for cache in (clone._begun, clone.objects, clone.apart, clone.source, clone.blame, origin.checkout):
        cache.cache_clear()
    made = Shop(bench, tmp_path / "checkout")
    monkeypatch.chdir(made.repository.root)
    return made


def warnings(caplog):
    """Return what was said with concern."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


# Owners


def test_owners_beside_the_application(shop, caplog):
    """The users who own the culprit's file by the CODEOWNERS at hand are assigned; GitHub is not asked for another."""
    shop.repository.write({".github/CODEOWNERS": OWNERS})
    one = shop.reporting(codeowners=True)
    shop.fail(one)
    assert one.round()
    assert shop.assigned() == [["helper"]]
    assert shop.asked("/contents/") == []
    assert warnings(caplog) == []


@pytest.mark.parametrize("place", [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"])
def test_owners_in_the_repository(shop, place):
    """Where no CODEOWNERS is at hand the repository's is read, from wherever GitHub has it, once for all bugs."""
    shop.fake.add_file(REPO, place, OWNERS)
    one = shop.reporting(codeowners=True)
    shop.fail(one)
    shop.fail(one, "shop/till.py")
    assert one.round()
    assert shop.assigned() == [["helper"], ["helper"]]
    assert shop.asked("/contents/")[-1] == 200
    assert shop.asked("/contents/").count(200) == 1


def test_no_owners(shop, caplog):
    """Without a CODEOWNERS, or without a line for the file, nobody is assigned and nothing is said."""
    one = shop.reporting(codeowners=True)
    shop.fail(one)
    one.round()
    shop.repository.write({"CODEOWNERS": "/till/ @helper\n"})
    other = shop.reporting(folder="other", codeowners=True)
    shop.fail(other, "shop/till.py")
    other.round()
    assert shop.assigned() == [[], []]
    assert warnings(caplog) == []


def test_owners_only_if_wanted(shop):
    """Unless the option says so, CODEOWNERS is not looked for."""
    shop.repository.write({"CODEOWNERS": OWNERS})
    one = shop.reporting()
    shop.fail(one)
    one.round()
    assert shop.assigned() == [[]]


def test_owners_without_the_permission(shop, caplog):
    """A token that may not read files opens the issues without owners, and that is said once."""
    shop.fake.repo(REPO).private = True
    shop.fake.tokens[shop.fake.token] = Token(contents="")
    one = shop.reporting(codeowners=True)
    for file in ("shop/cart.py", "shop/till.py"):
        shop.fail(one, file)
        assert one.round()
    assert shop.assigned() == [[], []]
    assert shop.asked("/contents/") == [403]
    (said,) = warnings(caplog)
    assert "nobody is assigned by CODEOWNERS: the token lacks Contents: read" in said


def test_owners_who_cannot_be_assigned(shop, caplog):
    """Owners whom GitHub would not take are left out, each asked for once; the others are assigned."""
    shop.repository.write({"CODEOWNERS": OWNERS})
    one = shop.reporting(codeowners=True)
    for file in ("shop/cart.py", "shop/till.py"):
        shop.fail(one, file)
        assert one.round()
    assert shop.assigned() == [["helper"], ["helper"]]
    assert shop.asked("/assignees/helper") == [204]
    assert shop.asked("/assignees/stranger") == [404]
    assert warnings(caplog) == []


def test_owners_and_assignees(shop):
    """Who is assigned in any case is named first, and once."""
    shop.fake.repo(REPO).assignable = ("helper", "stranger")
    shop.repository.write({"CODEOWNERS": OWNERS})
    one = shop.reporting(codeowners=True, assignees=["stranger"])
    shop.fail(one)
    one.round()
    assert shop.assigned() == [["stranger", "helper"]]
    assert shop.asked("/assignees/stranger") == []


def test_owners_while_github_fails(shop):
    """An issue whose owners cannot be asked for now waits, and is opened with them."""
    shop.fake.add_file(REPO, "CODEOWNERS", OWNERS)
    shop.fake.fault("GET */contents/*", "503")
    one = shop.reporting(codeowners=True)
    shop.fail(one)
    assert not one.round()
    assert one.issues() == []
    one.clock.now += 10
    assert one.round()
    assert shop.assigned() == [["helper"]]


# Assignees


def test_assignees(shop):
    """Who is named in the options is assigned."""
    one = shop.reporting(assignees=["helper"])
    shop.fail(one)
    one.round()
    assert shop.assigned() == [["helper"]]
    assert shop.asked("/assignees/") == []


def test_assignees_who_cannot_be_assigned(shop, caplog):
    """Where GitHub refuses the assignees the issue is opened without any, and that is said with GitHub's words."""
    one = shop.reporting(assignees=["helper", "stranger"])
    shop.fail(one)
    assert one.round()
    assert shop.assigned() == [[]]
    assert [request.status for request in shop.fake.requests if request.method == "POST"] == [422, 201]
    assert one.outbox() == []
    (said,) = warnings(caplog)
    assert "opened without assignees" in said
    assert "assignees is invalid" in said


def test_not_the_assignees_fault(shop):
    """Where GitHub refuses the issue without assignees, too, it is a dead letter."""
    shop.fake.fault("POST */issues", "422", times=math.inf)
    one = shop.reporting(assignees=["helper"])
    shop.fail(one)
    one.round()
    assert shop.asked("/issues").count(422) == 2
    assert [row["state"] for row in one.outbox()] == ["dead"]


# The suspect commit


def body(shop):
    """Return the text of the only issue."""
    (issue,) = shop.fake.issues(REPO)
    return issue["body"]


def test_suspect(shop):
    """The issue names the commit that wrote the raising line, with a link, its summary, its author and its time."""
    wrote = shop.commit
    shop.commit = shop.repository.commit({"shop/till.py": TILL + "\n"}, "Leave a line")
    one = shop.reporting()
    shop.fail(one)
    one.round()
    assert (
        f"\n\n**Suspect Commit:** {WEB}/commit/{wrote} `Charge at once` by `A Writer`, 1970-01-01 00:16:40 UTC\n\n"
        in body(shop)
    )
    assert f"\n\n{WEB}/blob/{shop.commit}/shop/cart.py#L2\n\n" in body(shop)


def test_no_suspect(shop):
    """A release that is no commit of the clone has no suspect and no links."""
    for release in ("1.0", "0" * 40):
        one = shop.bench(release)
        one.deploy(release)
        shop.fail(one, "shop/cart.py" if release == "1.0" else "shop/till.py")
        one.round()
    for issue in shop.fake.issues(REPO):
        assert "Suspect" not in issue["body"]
        assert "/blob/" not in issue["body"]


COMMENTS = ["loghub:begin", "loghub:state", "loghub:seen", "loghub:end"]
HOSTILE = [
    "@octocat Fixes #12, closes GH-7",
    "o/r#12 o/r@cccccccccccccccccccccccccccccccccccccccc deadbeefdeadbeef",
    "https://evil.example/x www.evil.example a@evil.example",
    "[a](https://e.example) ![i](https://e.example/i.png) [^1]",
    "`` ` ``` ** __ ~~~ $x$ | --- |",
    "--> <!-- loghub:end --> </pre> <img src=x> <details> &#64;octocat",
    "\u202edrow \u200b\u2066 \x1b[31m \x07",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_suspect(shop, text):
    """Nothing in a commit's author or summary is live in the issue: no mention, reference, link, tag or comment."""
    author = text.translate(dict.fromkeys(map(ord, "<>\n")))
    shop.repository.git("commit", "-q", "--amend", "-m", text, "--author", f"{author} <writer@localhost>")
    shop.commit = shop.repository.git("rev-parse", "HEAD")
    one = shop.reporting()
    shop.fail(one)
    assert one.round()
    page = Page(body(shop))
    assert page.links == [f"{WEB}/blob/{shop.commit}/shop/cart.py#L2", f"{WEB}/commit/{shop.commit}"]
    assert set(page.tags) - OURS == {"a"}
    assert LIVE.search("".join(part for part in page.live if part not in page.links)) is None
    assert [comment.partition(" ")[0] for comment in page.comments] == COMMENTS
    assert one.count() == 1


# What a person sees before


def preview(shop, home, folder, **options):
    """Return what preview shows of the newest bug, with a handler of these options in logging.yaml."""
    given = {"repo": REPO, "api_url": shop.fake.url, "web_url": "https://github.com", "home": home, "codeowners": True}
    handlers = {"github": {"class": "loghub.GitHubIssueHandler"} | given | options}
    path = folder / "logging.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "handlers": handlers, "root": {"handlers": ["github"]}}))
    return json.loads(run("preview", "--config", path, "--json"))


def test_preview(shop, tmp_path):
    """preview shows title, labels and body as GitHub got them, to the byte, and sends nothing."""
    shop.repository.write({"CODEOWNERS": OWNERS})
    one = shop.reporting(codeowners=True)
    shop.fail(one)
    assert one.round()
    (issue,) = shop.fake.issues(REPO)
    before = writes(shop.fake)
    shown = preview(shop, one.handler.home.path, tmp_path, token=shop.fake.token)
    assert writes(shop.fake) == before
    assert f"**Suspect Commit:** {WEB}/commit/{shop.commit} `" in shown["body"]
    assert (shown["title"], shown["body"]) == (issue["title"], issue["body"])
    assert shown["labels"] == [label["name"] for label in issue["labels"]]


def test_preview_without_a_token(shop, tmp_path):
    """Without a token preview asks nobody, and has the same body all the same."""
    shop.repository.write({"CODEOWNERS": OWNERS})
    one = shop.reporting()
    shop.fail(one)
    assert one.round()
    asked = len(shop.fake.requests)
    assert preview(shop, one.handler.home.path, tmp_path)["body"] == body(shop)
    assert len(shop.fake.requests) == asked
