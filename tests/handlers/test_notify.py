"""NotifyHandler against a web server on loopback: who is told, of what, and what never shows."""

from __future__ import annotations

import builtins
import json
import logging
import time

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loghub import notice
from loghub.cli import main
from loghub.delivery import deliverer
from loghub.errors import MissingExtraError, OptionValueError, UnknownOptionError
from loghub.handlers import notify
from loghub.handlers.notify import NotifyHandler
from loghub.scrub.own import clean
from tests.clock import Clock
from tests.fakes.hooks import FakeHooks
from tests.processes import run

MINUTE, HOUR = 60, 3600
SECRET = "T0ken-of-a-hook-7f3a9c"


class Shop:
    """An application with a NotifyHandler, a clock, and a server that is told."""

    def __init__(self, path, hooks) -> None:
        self.path = str(path)
        self.hooks = hooks
        self.clock = Clock(time.time())
        self.logger = logging.Logger("shop.cart")  # noqa: LOG001 - of this test alone
        self.logger.addFilter(self.date)
        self.handlers = []

    def date(self, record):
        record.created = self.clock()
        return True

    def attach(self, *paths, **options):
        """Attach a handler that tells these paths."""
        made = NotifyHandler(urls=[self.hooks.url(path) for path in paths or ("a",)], home=self.path, **options)
        made.home.now = self.clock
        self.handlers.append(made)
        self.logger.addHandler(made)
        return made

    def fail(self, error=None, times=1, level=logging.ERROR):
        """Have the application log an error."""
        for _ in range(times):
            try:
                raise error or ValueError("no such card")
            except Exception as raised:
                self.logger.log(level, "order failed", exc_info=raised)

    def live(self, seconds=3.0, step=1.0):
        """Let time pass, with a round of the delivery thread at every step."""
        for _ in range(round(seconds / step)):
            self.handlers[0].home.round()
            self.clock.now += step


@pytest.fixture
def hooks():
    """Return a server for notices."""
    with FakeHooks() as running:
        yield running


@pytest.fixture
def shop(tmp_path, hooks, monkeypatch):
    """Return an application whose delivery is done by hand."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    made = Shop(tmp_path / "home", hooks)
    monkeypatch.setattr("loghub.ledger.folding.time.time", made.clock)
    yield made
    for each in made.handlers:
        each.close()


def test_told(shop, hooks):
    """A new bug is told at once: component, class and place in the title, message and culprit in the text."""
    shop.attach()
    shop.fail()
    shop.live()
    ((path, title, text),) = hooks.told
    assert path == "/a"
    assert title == f"shop: ValueError in {__name__} (new)"
    assert text.startswith("1 x ValueError: no such card | ")
    assert hooks.kinds == ["warning"]


def test_digest(shop, hooks):
    """Repeats are told with the next digest, with their counts, the gravest and most frequent bug first."""
    shop.attach()
    shop.fail()
    shop.live()
    shop.fail(times=40)
    shop.fail(KeyError("sku"))
    shop.live(2 * MINUTE)
    (_, title, text) = hooks.told[1]
    assert title == "shop: 2 errors, 41 occurrences"
    assert text.splitlines()[0].startswith("40 x ValueError: no such card | ")
    assert "41 in all" in text
    assert len(hooks.told) == 2


def test_level(shop, hooks):
    """Only CRITICAL is a level like any other."""
    shop.attach(level="CRITICAL")
    shop.fail()
    shop.live()
    assert hooks.told == []
    shop.fail(level=logging.CRITICAL)
    shop.live()
    assert len(hooks.told) == 1
    assert hooks.kinds == ["failure"]


def test_filters(shop, hooks):
    """A filter of the handler holds for all of its channels, also for repeats."""
    handler = shop.attach("a", "b")
    chosen = []
    handler.addFilter(lambda record: record.levelno >= logging.CRITICAL or chosen)
    shop.fail(times=5)
    shop.live()
    assert hooks.told == []
    chosen.append(1)
    shop.fail(times=5)
    shop.live()
    assert [message.partition(" x")[0] for message in hooks.messages("a") + hooks.messages("b")] == ["5", "5"]


def test_repeats_beside_another_handler(shop, hooks, tmp_path):
    """Beside a handler that takes all, each channel is told of exactly what was meant for it."""
    from tests.channels import Told

    told = Told(home=shop.path)
    shop.logger.addHandler(told)
    shop.handlers.append(told)
    shop.attach("a", "b", level="CRITICAL")
    for _ in range(10):
        shop.fail()
        shop.fail(level=logging.CRITICAL)
    shop.live(2 * MINUTE)
    assert told.count == 20
    for path in ("a", "b"):
        assert sum(int(message.partition(" x")[0]) for message in hooks.messages(path)) == 10


@pytest.mark.slow
@pytest.mark.shows("channel fails", "nothing lost", "nothing twice", "said")
@pytest.mark.parametrize("trouble", [500, 404, "drop"])
def test_one_that_fails_does_not_stop_the_others(shop, hooks, caplog, trouble):
    """A channel that fails is tried again, and is told once; the others are told meanwhile, once."""
    shop.attach("bad", "good")
    hooks.answers["/bad"] = [trouble, trouble]
    shop.fail()
    shop.live()
    assert len(hooks.messages("good")) == 1
    assert hooks.messages("bad") == []
    assert any("could not be told" in line and "notify:json/" in line for line in caplog.messages)
    shop.live(HOUR, step=5)
    assert (len(hooks.messages("bad")), len(hooks.messages("good"))) == (1, 1)


@pytest.mark.shows("channel fails", "bounded")
def test_one_that_hangs_does_not_stop_the_others(shop, hooks, monkeypatch):
    """A channel that does not answer costs its time limit, and is not asked again while it hangs."""
    monkeypatch.setattr(notify, "CALL_SECONDS", 0.2)
    shop.attach("slow", "good")
    hooks.answers["/slow"] = ["hang"]
    shop.fail()
    shop.live()
    assert len(hooks.messages("good")) == 1
    asked = hooks.asked
    shop.live(HOUR, step=60)
    assert hooks.asked == asked
    rows = shop.handlers[0].home.ledger().outbox()
    assert "has not answered to the notice before yet" in rows[0]["reason"]


def test_limit(shop, hooks):
    """Each channel has its own budget for an hour, kept by all processes; what is above it waits."""
    shop.attach("a", "b", flush_interval=0, notices_per_hour=3)
    for number in range(10):
        shop.fail(type(f"Bug{number}Error", (Exception,), {})("x"))
        shop.live(1)
    assert (len(hooks.messages("a")), len(hooks.messages("b"))) == (3, 3)
    shop.live(HOUR + 60, step=20)
    assert sum(message.count(" x Bug") for message in hooks.messages("a")) == 10


# Only


def test_only_new(shop, hooks):
    """With `only: new` repeats are never told."""
    shop.attach(only="new")
    shop.fail(times=3)
    shop.live(2 * MINUTE)
    shop.fail(times=50)
    shop.live(HOUR, step=20)
    shop.fail(KeyError("sku"))
    shop.live(2 * MINUTE)
    assert [message.partition(":")[0] for message in hooks.messages()] == ["3 x ValueError", "1 x KeyError"]
    assert shop.handlers[0].home.ledger().outbox() == []


@pytest.mark.parametrize("only", ["milestones", [10, "100", 1000], "10, 100"])
def test_only_milestones(shop, hooks, only):
    """With `only` and numbers a bug is told when its count passes one."""
    shop.attach(only=only)
    shop.fail(times=9)
    shop.live(5 * MINUTE, step=20)
    assert hooks.told == []
    shop.fail()
    shop.live(5 * MINUTE, step=20)
    assert len(hooks.told) == 1
    shop.fail(times=89)
    shop.live(5 * MINUTE, step=20)
    assert len(hooks.told) == 1
    shop.fail(times=5)
    shop.live(5 * MINUTE, step=20)
    assert len(hooks.told) == 2
    assert "104 in all" in hooks.messages()[1]


def test_only_spikes(shop, hooks):
    """With `only: spike` a bug is told once when it begins to spike."""
    shop.attach(only="spike")
    shop.clock.now -= 12 * 24 * HOUR
    for _ in range(12 * 8):
        shop.fail()
        shop.live(3 * HOUR, step=3 * HOUR)
    assert hooks.told == []
    for _ in range(6):
        shop.fail(times=50)
        shop.live(2 * MINUTE, step=30)
    ((_, title, _),) = hooks.told
    assert title.endswith("(spike)")


def test_rules_make_destinations(shop):
    """The same address with another rule is another destination; its name shows the service and no more."""
    first, second = shop.attach().branches[0], shop.attach(only=["new", 10]).branches[0]
    assert first.destination.startswith("notify:json/")
    assert second.destination == f"{first.destination}:10:new"
    assert "127" not in first.destination


# Secrets and strangers' text


@pytest.mark.parametrize(
    "url",
    [
        f"slakc://{SECRET}",
        f"slack://{SECRET}",
        f"json://user:{SECRET}@",
        f"{SECRET}",
        f"x y://{SECRET}",
        f"{SECRET}://x",
    ],
)
def test_a_malformed_address_is_not_shown(shop, url, caplog, capfd):
    """What is wrong with an address is said without it, by number and service."""
    with caplog.at_level(logging.DEBUG), pytest.raises(OptionValueError, match="'urls', entry 2: ") as caught:
        NotifyHandler(urls=["json://127.0.0.1", url], home=shop.path)
    said = str(caught.value) + caplog.text + "".join(capfd.readouterr())
    assert SECRET not in said
    assert "\n" not in str(caught.value)


def test_the_nearest_service(shop):
    """A service that apprise does not know is named, with the nearest one."""
    with pytest.raises(OptionValueError, match="no service slakc://; did you mean slack://"):
        NotifyHandler(urls="slakc://x", home=shop.path)


@pytest.mark.shows("channel fails", "no secret")
def test_no_secret_in_any_line(shop, hooks, caplog, capfd):
    """Neither a failure's reason, nor a log line, nor the outbox shows what an address holds."""
    url = hooks.url("bad").replace("json://", f"json://user:{SECRET}@") + f"?+X-Key={SECRET}"
    made = NotifyHandler(urls=[url], home=shop.path)
    made.home.now = shop.clock
    shop.handlers.append(made)
    shop.logger.addHandler(made)
    hooks.answers["/bad"] = [500] * 10
    shop.fail()
    with caplog.at_level(logging.DEBUG):
        shop.live()
    assert hooks.told == []
    (row,) = made.home.ledger().outbox()
    assert "500" in row["reason"]
    assert SECRET not in f"{row}{caplog.text}{capfd.readouterr()}{clean(url)}"


def test_apprise_is_overheard_in_our_threads_only(shop, hooks, caplog):
    """What the application does with apprise itself is logged as ever."""
    import apprise

    shop.attach()
    hooks.answers["/a"] = [500]
    apprise.Apprise.instantiate(hooks.url("a"), asset=apprise.AppriseAsset(async_mode=False)).notify(body="x")
    assert any(record.name == "apprise" for record in caplog.records)


NAMES = st.text(max_size=300)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(NAMES, NAMES, st.integers(1, 10**6)), min_size=1, max_size=30),
    st.sampled_from([0, 100, 250]),
    st.integers(20, 4000),
)
def test_any_text_fits_and_mentions_nobody(bugs, title_room, body_room):
    """Whatever errors say, a notice keeps to its room, one line for a bug, and calls nobody."""
    items = [_item(number, message, name, count) for number, (message, name, count) in enumerate(bugs)]
    title, body = notice.compose(items, outlooks={}, title_room=title_room, body_room=body_room)
    assert len(title) <= title_room
    assert "\n" not in title
    assert body.count("\n") <= len(bugs) + 1
    if title_room:
        assert len(body) <= max(body_room, 60)
    for word in ("@everyone", "@here", "<!channel>", "<@U"):
        assert not f" {title} {body}".replace("\n", " ").count(f" {word}")


def _item(number, message, name, count):
    from loghub.ledger.protocol import Group, Item

    group = Group(f"v1:{number:016x}", name, "", message, name, message, "ERROR", "shop", count, 0.0, 0.0)
    return Item("notify:x", group, count, count, {}, logging.ERROR, 0.0)


@pytest.mark.parametrize("text", ["@everyone", "<!channel> look", "hi @here", "<@U123>", "mail bob@example.com"])
def test_mentions(shop, hooks, text):
    """What calls people together in a chat does not when an error says it; an address stays one."""
    shop.attach()
    shop.fail(ValueError(text))
    shop.live()
    (message,) = hooks.messages()
    assert (text in message) is ("bob" in text)


# Options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"urls": 5}, "'urls' must be a list"),
        ({"urls": [5]}, "'urls' must be a list"),
        ({"only": "never"}, "'only' cannot be 'never'"),
        ({"only": []}, "'only' cannot be"),
        ({"only": [0]}, "'only' cannot be 0"),
        ({"only": True}, "'only' cannot be True"),
        ({"capacity": 0}, "'capacity' cannot be 0"),
        ({"notices_per_hour": 0}, "'notices_per_hour' cannot be 0"),
        ({"flush_interval": -1}, "'flush_interval' cannot be -1"),
    ],
)
def test_malformed(shop, options, said):
    """A malformed value is refused with handler and option."""
    with pytest.raises(OptionValueError) as caught:
        NotifyHandler(**{"urls": "json://127.0.0.1", "home": shop.path} | options)
    assert said in str(caught.value)


def test_unknown_option(shop):
    """An option that does not exist is refused with the nearest one."""
    with pytest.raises(UnknownOptionError, match="did you mean 'urls'"):
        NotifyHandler(url="json://127.0.0.1", home=shop.path)


def test_without_apprise(shop, monkeypatch):
    """Without apprise it is said what to install."""
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "apprise":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"pip install 'loghub-handlers\[notify\]'"):
        NotifyHandler(urls="json://127.0.0.1", home=shop.path)
    NotifyHandler(home=shop.path).close()


def test_without_addresses(shop):
    """Without an address nothing is told and nothing is counted for it."""
    handler = shop.attach()
    handler.branch_off([])
    shop.fail()
    shop.live()
    assert shop.hooks.told == []


@pytest.mark.slow
def test_at_the_end_of_a_process(shop, hooks):
    """An error right before the end of a process is told while it ends, also where no thread can be started then."""
    run(
        """
        import logging, sys
        import loghub
        logging.getLogger("shop").addHandler(loghub.NotifyHandler(urls=[sys.argv[1]], home=sys.argv[2]))
        logging.getLogger("shop").error("out of stock")
        """,
        hooks.url(),
        shop.path,
    )
    assert len(hooks.told) == 1


@pytest.mark.slow
@pytest.mark.shows("channel fails", "nothing lost", "application unharmed", "ends in time")
def test_a_channel_that_hangs_does_not_keep_a_process(shop, hooks, tmp_path):
    """A process ends although a channel does not answer; what it was to be told is drained later."""
    notify = {"class": "loghub.NotifyHandler", "urls": [hooks.url()], "home": shop.path, "shutdown_timeout": 0.5}
    config = tmp_path / "logging.json"
    config.write_text(json.dumps({"version": 1, "handlers": {"n": notify}, "root": {"handlers": ["n"]}}))
    hooks.answers["/a"] = ["hang"]
    run(
        """
        import json, logging, logging.config, sys
        logging.config.dictConfig(json.load(open(sys.argv[1])))
        logging.getLogger("shop").error("out of stock")
        """,
        config,
        seconds=15,
    )
    assert hooks.told == []
    hooks.release.set()
    done = CliRunner().invoke(main, ["drain", "--config", str(config), "--timeout", "60"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert [message.partition(" x")[0] for message in hooks.messages()] == ["1"]
