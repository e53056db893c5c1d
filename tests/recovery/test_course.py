"""When a procedure may run: cooldown, attempts, circuit breaker."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loghub.recovery.course import LONGEST_REST_SECONDS, REST_SECONDS, Course, Terms

T0 = 1_790_000_000.0
TERMS = Terms(cooldown=60, attempts=3, timeout=30)


def ran(course, at, reason=None):
    """Have a run begin and end at a time."""
    course.begin(at)
    return course.conclude(TERMS, at, reason)


def step(course, now, since=None, last=None):
    """Return what to do about an error that has just come, or came at other times."""
    return course.step(TERMS, now, now if since is None else since, now if last is None else last)


def test_the_first_error_is_seen_to_at_once():
    """Nothing holds up the first run."""
    assert step(Course(), T0).kind == "run"


def test_what_happened_before_it_was_mended_is_covered():
    """An error that happened before the end of a run that helped needs no other; a later one does."""
    course = Course()
    ran(course, T0)
    assert step(course, T0 + 1, last=T0 - 1).kind == "covered"
    assert step(course, T0 + 1, last=T0).kind == "covered"
    assert step(course, T0 + 3600, last=T0 + 1).kind == "run"


def test_cooldown():
    """Within the cooldown nothing runs, whatever the outcome was; then it does."""
    for reason in (None, "no"):
        course = Course()
        ran(course, T0, reason)
        waits = step(course, T0 + 59)
        assert (waits.kind, waits.until) == ("wait", T0 + 60)
        assert "cooldown" in waits.why
        assert step(course, T0 + 60).kind == "run"


def test_giving_up_and_the_rest():
    """After so many failures it gives up for a while; then a single failure is enough, for twice as long."""
    course = Course()
    assert [ran(course, T0 + 60 * n, "no route") for n in range(3)] == ["failed", "failed", "gave up"]
    waits = step(course, T0 + 200)
    assert (waits.kind, waits.until, waits.why) == ("wait", T0 + 120 + REST_SECONDS, "gave up: no route")
    back = T0 + 120 + REST_SECONDS
    assert step(course, back).kind == "run"
    assert ran(course, back, "no route") == "gave up"
    assert course.rest_until == back + 2 * REST_SECONDS
    for _ in range(40):
        ran(course, back, "no route")
    assert course.rest_until == back + LONGEST_REST_SECONDS


def test_one_that_helps_ends_the_row():
    """A recovery that lasts forgets the failures before it."""
    course = Course()
    ran(course, T0, "no")
    ran(course, T0 + 60, "no")
    assert ran(course, T0 + 120) == "recovered"
    assert step(course, T0 + 3600).kind == "run"
    assert (course.failures, course.rests) == (0, 0)


def test_what_does_not_last_counts_as_failed():
    """An error that comes again right after each recovery ends in giving up, not in a run a minute."""
    course, now, runs = Course(), T0, 0
    while now < T0 + 6 * 3600:
        if step(course, now).kind == "run":
            ran(course, now)
            runs += 1
        now += 5
    assert 3 <= runs <= 12


def test_a_person_ends_the_rest():
    """Without `rest_until`, which `loghub outbox retry` takes away, it runs again."""
    course = Course()
    for n in range(3):
        ran(course, T0 + n, "no")
    memory = course.memory()
    memory.pop("rest_until")
    assert step(Course.read(memory), T0 + 100).kind == "run"


@given(
    st.lists(st.tuples(st.floats(0, 7200), st.booleans()), max_size=50),
    st.builds(Terms, st.floats(1, 1000), st.integers(1, 5)),
)
def test_guard_rails(life, terms):
    """Whatever happens, two runs are a cooldown apart, and it survives being written down."""
    course, now, ended = Course(), T0, None
    for gap, helps in life:
        now += gap
        course = Course.read(json.loads(json.dumps(course.memory())))
        if course.step(terms, now, now, now).kind == "run":
            assert ended is None or now >= ended + terms.cooldown
            course.begin(now)
            course.conclude(terms, now, None if helps else "no")
            ended = now


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from([*Course().memory(), "more"]), st.none() | st.text() | st.booleans() | st.floats())
)
def test_damaged_memory(memory):
    """What is damaged in a ledger neither raises nor keeps a procedure from running for ever."""
    course = Course.read(memory)
    assert course.step(TERMS, T0, T0, T0).kind in ("run", "wait", "covered")
    course.begin(T0)
    assert course.conclude(TERMS, T0, "no") in ("failed", "gave up")


@pytest.mark.parametrize("ahead", [10 * 86_400, 1e12, float("inf")])
def test_a_clock_that_was_wrong(ahead):
    """Times from a clock that was far ahead do not keep a procedure from running."""
    course = Course(outcome="failed", ended_at=T0 + ahead, rest_until=T0 + ahead)
    assert step(course, T0).kind == "run"


@pytest.mark.parametrize("ahead", [3600, 1e12, float("inf")])
def test_a_recovery_by_a_clock_that_was_ahead(ahead):
    """An error after the clock was set back is not covered by a recovery before, nor held up by its cooldown."""
    course = Course()
    ran(course, T0 + ahead)
    assert step(course, T0).kind == "run"
    course = Course()
    ran(course, T0 + ahead)
    assert course.may_run(TERMS, T0)


def test_a_host_whose_clock_is_a_little_ahead():
    """A recovery on another host covers what happened before it, although its clock is some seconds ahead."""
    course = Course()
    ran(course, T0 + 5)
    assert step(course, T0).kind == "covered"
