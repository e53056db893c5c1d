import signal
import time

import pytest

from loghub.github.block import read_state
from loghub.handlers.github import GitHubIssueHandler
from loghub.ledger.sqlite import SQLiteLedger
from tests import processes
from tests.fakes.github import FakeGitHub, Token
from tests.fakes.github_app import FakeGitHubApp
from tests.github_bench import REPO, Bench, writes


def test_one_issue(bench):
    """Many occurrences of one bug open one issue with their count."""
    one = bench()
    one.fail(times=250)
    assert one.round()
    assert [issue["title"] for issue in one.issues()] == ["[Auto] ValueError: shop"]
    assert one.count() == 250
    assert {label["name"] for label in one.issues()[0]["labels"]} == {"bug", "automated-report", "shop"}


def test_two_bugs(bench):
    """Two bugs open two issues, at least a second apart."""
    one = bench()
    one.fail(ValueError)
    one.fail(KeyError)
    started = one.clock.now
    assert one.round()
    assert len(one.issues()) == 2
    assert one.clock.now - started >= 1.0


def test_count_is_edited_later(bench):
    """Repeats change the count in the block, not at once but when its rest is over, without a new issue."""
    one = bench()
    one.fail()
    one.round()
    one.fail(times=4)
    assert not one.round()
    assert one.count() == 1
    one.clock.now += 61
    assert one.round()
    assert one.count() == 5
    assert len(one.issues()) == 1


def test_closing_does_not_wait(bench):
    """What waits for an interval is told when the process goes."""
    one = bench()
    one.fail()
    one.round()
    one.fail(times=4)
    assert one.round(closing=True)
    assert one.count() == 5


@pytest.mark.slow
def test_crash_loop_edits_seldom(bench):
    """An error at the end of each of 500 processes is edited in ever more seldom; the next that drains tells all."""
    one = bench()
    for start in range(1, 501):
        one.fail()
        one.round(closing=True)
        one.clock.now += 1
        assert one.count() * 1.1 >= start
    edits = [path for method, path in writes(one.fake) if method == "PATCH"]
    assert 20 < len(edits) < 60
    assert len(one.issues()) == 1
    assert one.round(closing=True, everything=True)
    assert one.count() == 500


def test_milestone_comment(bench):
    """A comment says when a power of ten is passed, once."""
    one = bench()
    one.fail()
    one.round()
    one.fail(times=11)
    one.round(closing=True)
    one.fail(times=3)
    one.round(closing=True)
    assert len(one.fake.comments(REPO, 1)) == 1


def test_comment_limit(bench):
    """No comment is added beyond comment_limit."""
    one = bench(comment_limit=0)
    one.fail()
    one.round()
    one.fail(times=20)
    one.round(closing=True)
    assert one.fake.comments(REPO, 1) == []
    assert one.count() == 21


@pytest.mark.shows("ledger damaged", "nothing twice")
def test_found_by_marker(bench):
    """A ledger that knows nothing finds the issue by its marker and adds its own count."""
    first = bench("one")
    first.fail(times=3)
    first.round()
    second = bench("two")
    second.fail(times=2)
    second.round()
    assert len(first.issues()) == 1
    assert first.count() == 5


def test_people_text_survives(bench):
    """What people write outside the block stays byte for byte when the count is edited."""
    one = bench()
    one.fail()
    one.round()
    body = one.fake.issue(REPO, 1)["body"]
    one.fake.edit(REPO, 1, body="My note, line one\r\n\r\n" + body + "\n\nPS: it is the **cache**.")
    one.fail(times=2)
    one.round(closing=True)
    after = one.fake.issue(REPO, 1)["body"]
    assert after.startswith("My note, line one\r\n\r\n## Automated Error Report")
    assert after.endswith("\n\nPS: it is the **cache**.")
    assert one.count() == 3


@pytest.mark.slow
@pytest.mark.shows("github cut off", "nothing lost", "nothing twice")
@pytest.mark.parametrize("kind", ["drop", "cut", "truncate", "html", "hang"])
def test_lost_reply(bench, kind):
    """An issue whose reply was lost is found at the next attempt, and not opened twice."""
    one = bench()
    one.fake.fault("POST */issues", kind, when="after", seconds=1.5)
    one.fail(times=2)
    assert not one.round()
    assert len(one.issues()) == 1
    row = one.outbox()[0]
    assert row["state"] == "waiting"
    assert row["attempts"] == 1
    assert row["reason"]
    one.clock.now += 10
    assert one.round(closing=True)
    assert len(one.issues()) == 1
    assert one.count() == 2


@pytest.mark.shows("github fails", "nothing lost")
@pytest.mark.parametrize("status", [500, 502, 503])
def test_server_error(bench, status):
    """A failing server is tried again later, and then told everything."""
    one = bench()
    one.fake.fault("POST */issues", str(status))
    one.fail()
    assert not one.round()
    one.fail(times=6)
    one.clock.now += 10
    assert one.round()
    assert one.count() == 7


@pytest.mark.shows("github fails", "bounded")
def test_backoff_spares_the_server(bench):
    """While a destination rests after a failure, new bugs do not make it be asked again."""
    one = bench()
    one.fake.fault("* *", "500", times=99)
    one.fail(ValueError)
    one.round()
    asked = len(one.fake.requests)
    one.fail(KeyError)
    one.fail(TypeError)
    assert not one.round()
    assert len(one.fake.requests) == asked
    one.fake.heal()
    one.clock.now += 10
    assert one.round()
    assert len(one.issues()) == 3


@pytest.mark.shows("github refuses", "nothing lost", "said")
def test_bad_token(bench):
    """A token that GitHub refuses is said in one sentence, and a mended one delivers what waited."""
    one = bench(token="wrong")
    one.fail(times=3)
    assert not one.round()
    assert "401" in one.outbox()[0]["reason"]
    assert "wrong" not in one.outbox()[0]["reason"]
    one.handler._token = one.fake.token
    one.clock.now += 10
    assert one.round()
    assert one.count() == 3


@pytest.mark.shows("github refuses", "said")
def test_forbidden(bench):
    """A token without the permission waits with a reason that names it."""
    one = bench()
    one.fake.tokens["reader"] = Token(push=False, issues="read")
    one.handler._token = "reader"
    one.fake.repo(REPO).private = True
    one.fail()
    assert not one.round()
    assert "403" in one.outbox()[0]["reason"]
    assert "issues" in one.outbox()[0]["reason"]


def test_wrong_repository(bench):
    """A repository that does not exist is said with its name."""
    one = bench(repo="acme/nothing")
    one.fail()
    assert not one.round()
    assert "acme/nothing" in one.outbox()[0]["reason"]
    assert "404" in one.outbox()[0]["reason"]


def test_issues_disabled(bench):
    """A repository without issues is said so."""
    one = bench()
    one.fake.repo(REPO).has_issues = False
    one.fail()
    assert not one.round()
    assert "410" in one.outbox()[0]["reason"]


def test_deleted_issue(bench):
    """A deleted issue is opened anew when the bug is seen again."""
    one = bench()
    one.fail()
    one.round()
    one.fake.delete(REPO, 1)
    one.fail()
    one.round(closing=True)
    assert [issue["number"] for issue in one.issues()] == [2]
    assert one.count(2) == 2


@pytest.mark.shows("github refuses", "nothing lost", "said")
def test_refused(bench):
    """An issue that GitHub will never take becomes a dead letter with its words; the next bug is delivered."""
    one = bench()
    one.fake.fault("POST */issues", "422")
    one.fail(ValueError)
    one.fail(KeyError)
    one.round()
    dead = [row for row in one.outbox() if row["state"] == "dead"]
    assert len(dead) == 1
    assert "422" in dead[0]["reason"]
    assert len(one.issues()) == 1
    assert one.handler.home.ledger().retry() == 1
    assert one.round()
    assert len(one.issues()) == 2


@pytest.mark.shows("github away", "nothing lost", "nothing twice", "said")
def test_away_for_a_while(bench):
    """While nobody listens all waits, with a reason; then each bug has one issue with its whole count."""
    with FakeGitHub(REPO) as gone:
        pass
    port = int(gone.url.rpartition(":")[2])
    one = bench(api_url=gone.url)
    for _ in range(3):
        one.fail(ValueError, times=10)
        one.fail(KeyError)
        assert not one.round()
        one.clock.now += 3600
    assert {row["waiting"] for row in one.outbox()} == {30, 3}
    assert all("nothing listens at 127.0.0.1:" in row["reason"] for row in one.outbox())
    with FakeGitHub(REPO, port=port) as back:
        assert one.round()
        assert sorted(read_state(issue["body"]).count for issue in back.issues(REPO)) == [3, 30]
        assert one.outbox() == []


def test_refused_connection(bench):
    """Nobody listening is an attempt that failed, with a reason."""
    one = bench(api_url="http://127.0.0.1:9")
    one.fail()
    assert not one.round()
    assert one.outbox()[0]["attempts"] == 1
    assert "127.0.0.1" in one.outbox()[0]["reason"]


@pytest.mark.shows("github limits", "nothing lost")
def test_rate_limit(bench):
    """Nothing is asked while GitHub wants to be left alone; afterwards all is delivered."""
    one = bench()
    one.fake.clock = one.clock
    one.fake.fault("POST */issues", "secondary", headers={"Retry-After": "90"})
    one.fail()
    one.round()
    asked = len(one.fake.requests)
    one.clock.now += 60
    one.round(closing=True)
    assert len(one.fake.requests) == asked
    one.clock.now += 60
    assert one.round()
    assert one.count() == 1


@pytest.mark.shows("storm", "nothing lost")
def test_issues_per_hour(bench):
    """Above issues_per_hour bugs wait for the next hour; none is lost, and waiting is no failure."""
    one = bench(issues_per_hour=2)
    for kind in (ValueError, KeyError, TypeError):
        one.fail(kind)
    assert not one.round()
    assert len(one.issues()) == 2
    assert one.outbox()[0]["attempts"] == 0
    assert "issues_per_hour" in one.outbox()[0]["reason"]
    one.clock.now += 3601
    assert one.round()
    assert len(one.issues()) == 3


def test_regression(bench):
    """A bug that is seen after its issue was closed as completed reopens it, with label and comment."""
    one = bench()
    one.fail()
    one.round()
    one.fake.clock = one.clock
    one.fake.close(REPO, 1, "completed")
    one.clock.now += 100
    one.fail()
    one.round(closing=True)
    issue = one.fake.issue(REPO, 1)
    assert issue["state"] == "open"
    assert "regression" in {label["name"] for label in issue["labels"]}
    assert len(one.fake.comments(REPO, 1)) == 1


@pytest.mark.parametrize("how", ["not_planned", "wontfix", "loghub:mute"])
def test_silent(bench, how):
    """An issue closed as not planned or labelled so is left alone; occurrences are counted."""
    one = bench()
    one.fail()
    one.round()
    if how == "not_planned":
        one.fake.close(REPO, 1, how)
    else:
        one.fake.add_label(REPO, how)
        one.fake.edit(REPO, 1, labels=[how])
    before = writes(one.fake)
    one.fail(times=50)
    assert one.round(closing=True)
    assert writes(one.fake) == before
    group = one.handler.home.ledger().groups()[0]
    assert (group.count, group.status) == (51, "muted")


def test_labels_dropped(bench):
    """Where GitHub drops labels, the issue is still found by a ledger that knows nothing."""
    one = bench("one")
    one.fake.tokens[one.fake.token] = Token(push=False)
    one.fail()
    one.round()
    assert one.issues()[0]["labels"] == []
    one.fake.edit(REPO, 1, title="renamed by a person")
    one.handler.home.ledger()._db.execute("UPDATE outbox SET memory = '{}'")
    one.fail()
    one.round(closing=True)
    assert len(one.issues()) == 1
    assert one.count() == 2


def test_no_token(bench):
    """Without a token errors are counted; once there is one, the next occurrence opens with the full count."""
    one = bench(token=None)
    one.fail(times=7)
    assert one.round()
    assert one.handler.destination is None
    assert one.outbox() == []
    one.log.removeHandler(one.handler)
    one.handler.close()
    one.handler = one.make()
    one.log.addHandler(one.handler)
    one.fail()
    assert one.round()
    assert one.count() == 8


def test_token_file(bench, tmp_path):
    """The token is read from its file anew for each use."""
    path = tmp_path / "token"
    path.write_text("old")
    one = bench(token=None, token_file=str(path))
    one.fail()
    assert not one.round()
    path.write_text(one.fake.token + "\n")
    one.clock.now += 10
    assert one.round()
    assert one.count() == 1


def test_public_not_allowed(bench):
    """With allow_public: false nothing is sent to a public repository, and it is said."""
    one = bench(allow_public=False)
    one.fail()
    assert not one.round()
    assert writes(one.fake) == []
    assert "allow_public" in one.outbox()[0]["reason"]
    one.fake.repo(REPO).private = True
    one.clock.now += 4000
    assert one.round()
    assert one.count() == 1


def test_made_public(bench):
    """With allow_public: false a repository that somebody makes public is told nothing more from then on."""
    one = bench(allow_public=False)
    one.fake.repo(REPO).private = True
    one.fail()
    assert one.round()
    one.fake.repo(REPO).private = False
    before = writes(one.fake)
    one.fail()
    one.fail(KeyError)
    assert not one.round(closing=True)
    assert writes(one.fake) == before
    assert {row["reason"].partition(":")[0] for row in one.outbox()} == {
        "acme/shop is public and allow_public is false"
    }


def test_public_is_asked_for_once_a_rest(bench):
    """While nothing may be sent to a public repository it is looked at once an hour, also by who wanted to look."""
    one = bench(allow_public=False)
    ledger = one.handler.home.ledger()
    ledger.remember(one.handler.destination, {"look_at": one.clock.now, "wake_at": one.clock.now})
    for _ in range(120):
        one.fail()
        one.round()
        one.clock.now += 60
    assert [request.path for request in one.fake.requests] == ["/repos/acme/shop"] * 2


def test_public_is_not_asked_for(bench):
    """Where public repositories are welcome, nobody asks whether this one is."""
    one = bench()
    one.fail()
    one.round()
    assert "/repos/acme/shop" not in [request.path for request in one.fake.requests]


def test_token_that_ends(bench, tmp_path):
    """When its token ends is remembered from process to process: after that it is called expired, not bad."""
    with FakeGitHubApp(REPO) as fake:
        one = Bench(fake, tmp_path / "home")
        fake.clock = one.clock
        fake.ends[fake.token] = one.clock.now + 600
        one.fail()
        assert one.round()
        memory = one.handler.home.ledger().memory(one.handler.pace)
        assert memory["token_expires_at"] == one.clock.now + 600
        one.clock.now += 700
        one.log.removeHandler(one.handler)
        one.handler.close()
        one.handler = one.make()  # as the next process does
        one.log.addHandler(one.handler)
        one.fail()
        assert not one.round(closing=True)
        assert "The GitHub token expired on 2026-02-02 at 02:50 UTC (401)" in one.outbox()[0]["reason"]
        fake.tokens["another"] = fake.tokens[fake.token]
        one.handler._token = "another"
        one.clock.now += 10
        assert one.round(closing=True)
        assert one.count() == 2
        assert one.handler.home.ledger().memory(one.handler.pace)["token_expires_at"] is None
        one.handler.close()
        assert fake.violations == []


def two_repositories(bench):
    """Return a bench, and a second handler of its home and logger whose repository is another."""
    one = bench()
    one.fake.add_repo("acme/till")
    other = one.make(repo="acme/till")
    one.log.addHandler(other)
    return one, other


def test_two_repositories(bench):
    """Two handlers of one process and home each keep their own repository's issue, with the same count."""
    one, other = two_repositories(bench)
    one.fail(times=3)
    assert one.round()
    one.fail(times=2)
    one.clock.now += 61
    assert one.round()
    for repo in (REPO, "acme/till"):
        (issue,) = one.fake.issues(repo)
        assert (issue["number"], read_state(issue["body"]).count) == (1, 5)
    ledger = one.handler.home.ledger()
    assert ledger.groups()[0].count == 5
    for handler in (one.handler, other):
        assert len(ledger.memory(handler.destination)["issues"]) == 1
    other.close()


def test_one_of_two_repositories_fails(bench):
    """A repository that cannot be told holds up the other's neither issues nor counts, and gets all of it later."""
    one, other = two_repositories(bench)
    one.fake.fault("* /repos/acme/till/*", "503", times=1)
    one.fail(times=3)
    assert not one.round()
    assert (len(one.fake.issues(REPO)), len(one.fake.issues("acme/till"))) == (1, 0)
    assert [row["destination"] for row in one.outbox()] == ["github:acme/till"]
    one.clock.now += 10
    assert one.round()
    assert read_state(one.fake.issue("acme/till", 1)["body"]).count == 3
    other.close()


def test_a_removed_repository(bench):
    """When one of the two handlers goes, the other's repository is told as before."""
    one, other = two_repositories(bench)
    one.fail()
    one.round()
    one.log.removeHandler(other)
    other.close()
    one.fail(times=4)
    assert one.round(closing=True)
    assert one.count() == 5
    assert read_state(one.fake.issue("acme/till", 1)["body"]).count == 1


VICTIM = """
import logging, sys
from loghub import GitHubIssueHandler
handler = GitHubIssueHandler(repo="acme/shop", token=sys.argv[1], api_url=sys.argv[2], home=sys.argv[3])
logging.getLogger("shop").addHandler(handler)
logging.getLogger("shop").error("lost")
handler.flush()
"""


@pytest.mark.shows("killed", "nothing twice")
def test_killed_while_writing(bench, tmp_path):
    """A process that is killed while its write is under way leaves behind when the next one may be, and to look."""
    fake, arrived = bench.fake, []

    def kill(when, call):
        if call.method == "GET":
            return False
        arrived.append(time.time())
        victim.kill()
        victim.wait()
        return True

    fake.on_request = kill
    started = time.time()
    with processes.python(VICTIM, fake.token, fake.url, tmp_path / "home") as victim:
        assert victim.wait(20) == -signal.SIGKILL
    assert len(arrived) == 1
    ledger = SQLiteLedger(str(tmp_path / "home/ledger.db"))
    memory = ledger.memory("github:acme/shop")
    pace = ledger.memory(GitHubIssueHandler(repo=REPO, token=fake.token, api_url=fake.url).pace)
    ledger.close()
    assert started + 1.0 <= pace["next_write_at"] <= arrived[0] + 1.0
    assert started <= memory["look_at"] == memory["wake_at"] <= arrived[0]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("repo", "acme"),
        ("repo", "https://github.com/acme/shop"),
        ("repo", ""),
        ("token", 7),
        ("api_url", "api.github.com"),
        ("labels", 3),
        ("auto_label", "perhaps"),
        ("comment_limit", -1),
        ("issues_per_hour", "many"),
        ("title", "{nothing}"),
        ("shutdown_timeout", "soon"),
    ],
)
def test_malformed_option(option, value):
    """A malformed value is a ValueError that names handler, option and what is right."""
    with pytest.raises(ValueError) as caught:
        GitHubIssueHandler(**{option: value})
    assert "GitHubIssueHandler" in str(caught.value)
    assert option in str(caught.value)
    assert "must be" in str(caught.value)


def test_unknown_option():
    """An unknown option is a TypeError that names the nearest right one."""
    with pytest.raises(TypeError, match=r"GitHubIssueHandler has no option 'label'; did you mean 'labels'\?"):
        GitHubIssueHandler(label=["bug"])


def test_environment(monkeypatch):
    """Repository and token come from the seed documents' variables, then from GitHub's own."""
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/second")
    monkeypatch.setenv("GH_TOKEN", "t2")
    assert GitHubIssueHandler().destination == "github:acme/second"
    monkeypatch.setenv("GITHUB_REPO", "acme/first")
    monkeypatch.setenv("GITHUB_TOKEN", "t1")
    handler = GitHubIssueHandler()
    assert (handler.destination, handler.token()) == ("github:acme/first", "t1")


def test_no_listing_without_room(bench):
    """While issues_per_hour is used up, waiting bugs cost no request."""
    one = bench(issues_per_hour=1)
    one.fail(ValueError)
    one.round()
    one.fail(KeyError)
    one.round()
    asked = len(one.fake.requests)
    for kind in (TypeError, LookupError, OSError):
        one.fail(kind)
        one.round()
    assert len(one.fake.requests) == asked
    one.clock.now += 3601
    one.round(closing=True)
    assert len(one.issues()) == 2


def test_refused_listing(bench):
    """When GitHub refuses a question, what waits is tried again: the items are not at fault."""
    one = bench()
    one.fake.fault("GET */issues", "422")
    one.fail()
    assert not one.round()
    assert one.outbox()[0]["state"] == "waiting"
    one.clock.now += 10
    assert one.round()
    assert len(one.issues()) == 1


def test_missing_token_file(bench, tmp_path):
    """A token file that is not there yet is named, and used once it is there."""
    path = tmp_path / "later"
    one = bench(token=None, token_file=str(path))
    one.fail()
    assert not one.round()
    assert f"{path} cannot be read" in one.outbox()[0]["reason"]
    path.write_text(one.fake.token)
    one.clock.now += 10
    assert one.round()
    assert one.count() == 1


def test_refused_edit(bench):
    """An edit that GitHub will never take is that bug's dead letter; the others are told."""
    one = bench()
    one.fail(ValueError)
    one.fail(KeyError)
    one.round()
    one.fake.fault("PATCH */issues/1", "422")
    one.fail(ValueError)
    one.fail(KeyError)
    one.round(closing=True)
    assert [row["state"] for row in one.outbox()] == ["dead"]
    assert (one.count(1), one.count(2)) == (1, 2)
