"""When digests go: a new bug at once, a known one with the next digest, and a storm in very few."""

from __future__ import annotations

import logging
from collections import Counter

import pytest

from loghub.delivery.home import Home
from loghub.errors import DeliveryError, UnknownOptionError
from loghub.handlers.digest import DigestHandler
from loghub.journal.reading import Fold
from loghub.mail import MOST_BUGS
from tests.clock import Clock
from tests.ledger.rows import event, tally

MINUTE, HOUR, DAY = 60, 3600, 86_400


class Letters(DigestHandler):
    """Sends to a list: what was told of each bug, by name."""

    what, limit = "letters", "letters_per_hour"

    def __init__(self, clock, *, capacity=100, flush_interval=60, flushLevel="CRITICAL", letters_per_hour=30, **rest):
        self.destination = "letters:all"
        self.clock = clock
        self.sent = []
        self.trouble = None
        super().__init__(capacity, flush_interval, flushLevel, letters_per_hour, **rest)

    def send(self, batch):
        if self.trouble:
            raise self.trouble
        self.sent.append((self.clock(), {item.event["error_type"]: item.count for item in batch.items}))

    @property
    def times(self):
        """Seconds after the beginning at which something was sent."""
        return [round(at - 1_790_000_000) for at, _ in self.sent]

    @property
    def told(self):
        """What was told in all, by bug."""
        return sum((Counter(counts) for _, counts in self.sent), Counter())


class World:
    """A home with a clock; `live` lets time pass in steps of a second, as the delivery thread looks at it."""

    def __init__(self, path):
        self.clock = Clock()
        self.path = str(path)
        self.homes = []
        self.written = 0
        self.home = self.another()

    def another(self):
        """Return what another process would use of the same ledger."""
        home = Home(self.path, None, now=self.clock)
        self.homes.append(home)
        return home

    def handler(self, home=None, **options):
        """Return a handler that is attached."""
        home = home or self.home
        made = Letters(self.clock, home=self.path, **options)
        made.home.detach(id(made))
        made.home = home
        home.attach(id(made), made)
        return made

    def log(self, name, count=1, level=logging.ERROR):
        """Have occurrences of a bug in the ledger."""
        mark = f"v1:{name:0>16}"
        said = tally(count, self.clock(), of=event(mark, name[0], self.clock(), error_type=name), level=level)
        said.kept = [said.event | {"id": f"{self.written:032}"}]
        said.routed["letters:all"] = count
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("loghub.ledger.folding.time.time", self.clock)
            assert self.home.ledger().fold(Fold(f"j{self.written}", 0, 9, {mark: said}))
        self.written += 1

    def live(self, seconds, step=1.0, do=lambda: None):
        """Let time pass, with a round of each process at every step."""
        for _ in range(round(seconds / step)):
            do()
            for home in self.homes:
                home.round()
            self.clock.now += step

    def end(self):
        """Let the last process go."""
        self.home.round(closing=True)


@pytest.fixture
def world(tmp_path):
    """Return a world of one process."""
    made = World(tmp_path / "home")
    yield made
    for home in made.homes:
        home.close(1.0)


def test_a_new_bug_does_not_wait(world):
    """The first error goes after a moment, not after the interval."""
    handler = world.handler()
    world.log("a")
    world.live(5)
    assert handler.sent == [(1_790_000_001, {"a": 1})]


def test_what_comes_together_goes_together(world):
    """The bugs of the first second are in one digest; the next ones wait for the interval."""
    handler = world.handler()
    world.log("a")
    world.log("b")
    world.live(10)
    world.log("c")
    world.live(5)
    world.log("d")
    world.live(60)
    assert handler.sent == [(1_790_000_001, {"a": 1, "b": 1}), (1_790_000_061, {"c": 1, "d": 1})]


def test_after_the_interval_a_new_bug_goes_at_once(world):
    """A new bug waits for nothing if nothing went out lately."""
    handler = world.handler()
    world.log("a")
    world.live(90)
    world.log("b")
    world.live(5)
    assert handler.times == [1, 91]


def test_critical_goes_at_once(world):
    """A grave new bug waits neither for others nor for the interval, and takes along what waits; its repeats wait."""
    handler = world.handler()
    world.log("a")
    world.live(10)
    world.log("b")
    world.live(3)
    world.log("c", level=logging.CRITICAL)
    world.live(3)
    world.log("c", 5, level=logging.CRITICAL)
    world.live(20)
    assert handler.sent[1:] == [(1_790_000_013, {"b": 1, "c": 1})]


def test_capacity(world):
    """With capacity new bugs the digest goes; repeats do not count."""
    handler = world.handler(capacity=3)
    world.log("a")
    world.live(2)
    for name in "aab":
        world.log(name)
    world.live(2)
    assert handler.times == [1]
    for name in "cd":
        world.log(name)
    world.live(2)
    assert handler.sent[1] == (1_790_000_004, {"a": 2, "b": 1, "c": 1, "d": 1})


def test_a_repeat_joins_the_next_digest(world):
    """A known bug sends nothing at once; what it did is in the digest that another bug causes."""
    handler = world.handler()
    world.log("a")
    world.live(30)
    world.log("a", 7)
    world.live(20)
    assert handler.times == [1]
    world.log("b")
    world.live(20)
    assert handler.sent[1] == (1_790_000_061, {"a": 7, "b": 1})


@pytest.mark.slow
def test_the_digests_of_a_known_bug_become_rare(world):
    """A bug that goes on for a day is told of some eight times, and every occurrence is counted; then once a day."""
    handler = world.handler()
    world.live(DAY, step=10, do=lambda: world.log("a"))
    assert handler.times[:3] == [10, 80, 330]
    assert 6 <= len(handler.sent) <= 8
    day = len(handler.sent)
    world.live(2 * DAY, step=60, do=lambda: world.log("a"))
    assert 1 <= len(handler.sent) - day <= 3
    world.live(2 * DAY, step=60)
    assert handler.told["a"] == world.home.ledger().totals()["occurrences"]


@pytest.mark.slow
def test_a_bug_that_comes_back_is_told_soon(world):
    """After a long silence a known bug waits no longer than at the beginning."""
    handler = world.handler()
    world.live(HOUR, do=lambda: world.log("a"), step=10)
    world.live(DAY, step=60)
    told = len(handler.sent)
    back = world.clock()
    world.log("a")
    world.live(MINUTE + 2)
    assert [at - back for at, _ in handler.sent[told:]] == [60]


@pytest.mark.slow
def test_a_job_that_fails_every_minute(world):
    """Short processes that end with the same error do not send a letter each."""
    handler = world.handler()
    for _ in range(12 * 60):
        world.log("a")
        world.end()
        world.clock.now += MINUTE
    assert 4 <= len(handler.sent) <= 7
    assert sum(handler.told.values()) >= 300


def test_the_end_tells_what_is_new(world):
    """When the last process goes nothing new waits for the interval, and first repeats go with it; later ones wait."""
    handler = world.handler()
    world.log("a")
    world.live(2)
    world.log("b")
    world.log("a", 3)
    world.end()
    assert [counts for _, counts in handler.sent] == [{"a": 1}, {"b": 1, "a": 3}]
    world.log("a")
    world.end()
    assert len(handler.sent) == 2


def test_draining_tells_everything(world):
    """Who drains by hand leaves nothing, whatever its wait."""
    handler = world.handler()
    world.live(HOUR, step=10, do=lambda: world.log("a"))
    world.home.round(closing=True, everything=True)
    assert handler.told["a"] == 360


@pytest.mark.slow
@pytest.mark.shows("storm", "nothing lost", "nothing twice", "bounded")
@pytest.mark.parametrize("processes", [1, 4])
def test_a_storm(world, processes):
    """10,000 errors of 20 bugs in a minute, in one process or several, make three letters that count 10,000."""
    handlers = [world.handler(world.another() if n else None) for n in range(processes)]
    numbers = iter(range(10**9))

    def burst():
        for _ in range(8):
            world.log(f"bug{next(numbers) % 20}", 21)

    world.live(60, do=burst)
    world.live(10 * MINUTE)
    letters = sorted((one for handler in handlers for one in handler.sent), key=lambda one: one[0])
    told = sum((Counter(counts) for _, counts in letters), Counter())
    assert told.total() == 60 * 8 * 21 == 10_080
    assert len(told) == 20
    assert len(letters) <= 3


@pytest.mark.shows("mail away", "nothing lost")
def test_nothing_is_lost_while_it_cannot_be_sent(world):
    """What could not be sent is in the first digest that can, with all that came meanwhile."""
    handler = world.handler()
    handler.trouble = DeliveryError("the post is on strike")
    world.log("a", 3)
    world.live(30)
    world.log("b", 4)
    handler.trouble = None
    world.live(2 * HOUR, step=10)
    assert handler.told == {"a": 3, "b": 4}


@pytest.mark.slow
def test_limit_per_hour(world):
    """No more than the limit goes out in an hour, whatever the reasons; then the rest follows in one."""
    handler = world.handler(flush_interval=0, letters_per_hour=5)
    numbers = iter(range(10**9))
    world.live(50, do=lambda: world.log(f"bug{next(numbers)}"))
    assert len(handler.sent) == 5
    world.live(HOUR + 60, step=10)
    assert len(handler.told) == 50
    assert len(handler.sent) <= 6 + 4


def test_what_did_not_go_out_is_not_counted(world):
    """While the way is blocked nothing of the hour's limit is used up."""
    handler = world.handler(letters_per_hour=2)
    handler.trouble = DeliveryError("the post is on strike", 1.0)
    world.log("a")
    world.live(5 * MINUTE)
    handler.trouble = None
    world.live(3)
    assert handler.told == {"a": 1}


@pytest.mark.shows("clock wrong", "nothing lost")
def test_a_clock_that_was_set_back(world):
    """Times from a clock that was ahead delay nothing."""
    handler = world.handler()
    world.log("a")
    world.live(2)
    world.clock.now -= 10 * DAY
    world.log("b")
    world.live(3)
    world.log("a", 2)
    world.live(2 * MINUTE)
    assert handler.told == {"a": 3, "b": 1}


def test_no_interval(world):
    """Without an interval each new bug goes in the next round."""
    handler = world.handler(flush_interval=0)
    for name in "abc":
        world.log(name)
        world.live(1)
    assert handler.times == [0, 1, 2]


def test_order(world):
    """The gravest and then the most frequent come first."""
    handler = world.handler()
    for count, level in enumerate((logging.WARNING, logging.ERROR, logging.ERROR, logging.CRITICAL), 1):
        world.log("abcd"[count - 1], count, level)
    world.home.round()
    assert list(handler.sent[0][1]) == ["d", "c", "b", "a"]


def test_events_are_loaded_for_those_told_in_detail(world):
    """Of very many bugs only those told in detail have their events in memory; the others are known by their groups."""
    handler = world.handler()
    for number in range(MOST_BUGS + 30):
        world.log(f"bug{number:03}", 1 + number)
    seen = []
    handler.send = lambda batch: seen.extend(batch.items)
    world.live(3)
    assert len(seen) == MOST_BUGS + 30
    assert [bool(item.event.get("id")) for item in seen] == [True] * MOST_BUGS + [False] * 30
    assert seen[-1].event["error_type"] == "bug000"


def test_flush_level(world):
    """The level that is told at once can be a name in any case or a number."""
    for level, count in (("error", 1), (40, 1), ("41", 0)):
        handler = world.handler(flushLevel=level)
        world.log(f"bug{level}")
        found = world.home.ledger().waiting("letters:all", world.clock())[-1:]
        assert len(handler.ready(found, world.clock(), closing=False)) == count
        world.home.detach(id(handler))


def test_only_its_own_options(world):
    """What the base takes by position is not an option of its own."""
    with pytest.raises(UnknownOptionError, match="letters_per_hour"):
        Letters(world.clock, home=world.path, per_hour=3)
