"""A long life of one issue, event by event: what people, releases and GitHub do, and how the issue stands then."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from loghub.github.block import read_state
from tests.github_bench import REPO


class Row(NamedTuple):
    """How things stand: the bug's issue, the count in it, its comments by loghub, and what the ledger's readers say."""

    number: int
    state: str
    count: int
    comments: int
    status: str
    regression: bool = False


class Story:
    """One application, one repository; `tell` makes an event happen and lets loghub react."""

    def __init__(self, one) -> None:
        self.one = one
        self.fake = one.fake
        self.fake.clock = one.clock
        self.fake.add_repo("acme/elsewhere")
        self.repo = REPO
        self.number = 1
        self.people = "\n\nA person's own words, with `code` and trailing blanks  \n"
        self.spoken = False

    def tell(self, what: str, *args) -> Row:
        self.one.clock.now += 7200
        getattr(self, what)(*args)
        self.one.clock.now += 7200
        self.one.round(closing=True)
        return self.row()

    def row(self) -> Row:
        issue = self.fake.issue(self.repo, self.number)
        state = read_state(issue["body"])
        if self.spoken:
            assert self.people in issue["body"]
        said = [one for one in self.fake.comments(self.repo, self.number) if "loghub:comment" in one["body"]]
        labels = {label["name"] for label in issue["labels"]}
        status = self.one.handler.home.ledger().groups()[0].status
        return Row(self.number, issue["state"], state.count, len(said), status, "regression" in labels)

    # What happens

    def log(self, release, times=1):
        self.one.deploy(release)
        self.one.fail(times=times)

    def close(self, reason="completed"):
        self.fake.close(self.repo, self.number, reason)

    def open(self):
        self.fake.edit(self.repo, self.number, state="open", state_reason="reopened", closed_at=None)

    def speak(self):
        body = self.fake.issue(self.repo, self.number)["body"]
        self.fake.edit(
            self.repo, self.number, body=body.replace("\n\n<!-- loghub:begin", self.people + "\n<!-- loghub:begin")
        )
        self.spoken = True

    def title(self, text):
        self.fake.edit(self.repo, self.number, title=text)

    def label(self, name):
        self.fake.add_label(self.repo, name)
        issue = self.fake.issue(self.repo, self.number)
        self.fake.edit(self.repo, self.number, labels=[label["name"] for label in issue["labels"]] + [name])

    def unlabel(self, name):
        issue = self.fake.issue(self.repo, self.number)
        names = [label["name"] for label in issue["labels"] if label["name"] != name]
        self.fake.edit(self.repo, self.number, labels=names)

    def comment(self, text):
        self.fake.add_comment(self.repo, self.number, text)

    def lock(self):
        self.fake.edit(self.repo, self.number, locked=True)

    def unlock(self):
        self.fake.edit(self.repo, self.number, locked=False)

    def rename(self, to):
        self.fake.rename(self.repo, to)
        self.repo = to

    def rename_label(self, old, new):
        self.fake.rename_label(self.repo, old, new)

    def duplicate(self):
        theirs = self.fake.add_issue(self.repo, "Prices are wrong", "It hurts." + self.people)
        self.fake.add_comment(self.repo, self.number, f"Duplicate of #{theirs.number}")
        self.fake.close(self.repo, self.number, "duplicate")
        self.number = theirs.number

    def delete(self):
        self.fake.delete(self.repo, self.number)
        self.number, self.spoken = self.fake.repo(self.repo).last_number + 1, False

    def delete_and_log(self, release):
        self.delete()
        self.log(release)

    def duplicate_and_log(self, release):
        self.duplicate()
        self.log(release)

    def transfer_and_log(self, release):
        self.number = self.fake.transfer(self.repo, self.number, "acme/elsewhere")
        self.repo = "acme/elsewhere"
        self.log(release)

    def wait(self, days):
        self.one.clock.now += days * 86_400


HISTORY = [
    # what happens                         number, state, count, comments, status, regression
    (("log", "1.0"), (1, "open", 1, 0, "open")),
    (("log", "1.0", 3), (1, "open", 4, 0, "open")),
    (("log", "1.1"), (1, "open", 5, 1, "open")),  # a new release is said once
    (("log", "1.1"), (1, "open", 6, 1, "open")),
    (("log", "1.0"), (1, "open", 7, 1, "open")),  # an old worker
    (("log", "0.9"), (1, "open", 8, 1, "open")),  # a rollback to before all that is known
    (("log", "1.1", 2), (1, "open", 10, 2, "open")),  # a power of ten
    (("speak",), (1, "open", 10, 2, "open")),
    (("title", "Prices"), (1, "open", 10, 2, "open")),
    (("log", "1.1"), (1, "open", 11, 2, "open")),  # the words stay, see Story.row
    (("close",), (1, "closed", 11, 2, "open")),
    (("log", "1.1"), (1, "closed", 12, 2, "resolved")),  # an old worker goes on failing
    (("log", "1.0"), (1, "closed", 13, 2, "resolved")),
    (("log", "0.8"), (1, "closed", 14, 2, "resolved")),  # rolled back further than ever
    (("log", "1.2"), (1, "open", 15, 3, "open", True)),  # the release that should have the fix
    (("log", "1.2"), (1, "open", 16, 3, "open", True)),
    (("close",), (1, "closed", 16, 3, "open", True)),
    (("log", "1.2"), (1, "closed", 17, 3, "resolved", True)),  # known by now
    (("log", "1.3"), (1, "open", 18, 4, "open", True)),
    (("close", "not_planned"), (1, "closed", 18, 4, "open", True)),
    (("log", "1.4"), (1, "closed", 18, 4, "muted", True)),
    (("open",), (1, "open", 18, 4, "muted", True)),
    (("log", "1.4"), (1, "open", 20, 5, "open", True)),  # what was silent is counted; 1.4 is new to the issue
    (("label", "wontfix"), (1, "open", 20, 5, "open", True)),
    (("log", "1.4", 80), (1, "open", 20, 5, "muted", True)),
    (("unlabel", "wontfix"), (1, "open", 20, 5, "muted", True)),
    (("log", "1.4"), (1, "open", 101, 6, "open", True)),  # and a power of ten
    (("label", "loghub:mute-30d"), (1, "open", 101, 6, "open", True)),
    (("log", "1.4"), (1, "open", 101, 6, "muted", True)),
    (("wait", 31), (1, "open", 101, 6, "muted", True)),
    (("log", "1.4"), (1, "open", 103, 6, "open", True)),
    (("lock",), (1, "open", 103, 6, "open", True)),
    (("log", "1.5"), (1, "open", 104, 6, "open", True)),  # a locked issue gets no comment
    (("unlock",), (1, "open", 104, 6, "open", True)),
    (("comment", "> Seen 10 times\n\nWhat is this?"), (1, "open", 104, 6, "open", True)),
    (("rename_label", "automated-report", "robot"), (1, "open", 104, 6, "open", True)),
    (("log", "1.5"), (1, "open", 105, 6, "open", True)),
    (("rename", "acme/store"), (1, "open", 105, 6, "open", True)),
    (("log", "1.5"), (1, "open", 106, 6, "open", True)),  # by the repository's old name
    (("duplicate_and_log", "1.5"), (2, "open", 107, 0, "open")),
    (("log", "1.5"), (2, "open", 108, 0, "open")),
    (("close",), (2, "closed", 108, 0, "open")),
    (("log", "1.6"), (2, "open", 109, 1, "open", True)),  # a regression there, too
    (("delete_and_log", "1.6"), (3, "open", 110, 0, "open")),
    (("transfer_and_log", "1.6"), (2, "open", 111, 0, "open")),
    (("log", "1.6"), (2, "open", 112, 0, "open")),
]


@pytest.fixture
def story(bench):
    """Return a story with an issue of its own in the other repository, so that numbers tell the two apart."""
    made = Story(bench())
    made.fake.add_issue("acme/elsewhere", "theirs")
    return made


@pytest.mark.slow
def test_history(story):
    """After each of some forty events the issue, its count, comments, label and status are as the table says."""
    assert len(HISTORY) >= 40
    for number, (event, expected) in enumerate(HISTORY):
        assert story.tell(*event) == Row(*expected), f"{number}: {event}"
    others = [issue for issue in story.fake.issues("acme/store") if issue["state"] == "open"]
    assert others == []
