"""structlog: in each of its usual configurations an error is the event that the plain call would have been, once."""

from __future__ import annotations

import asyncio
import io
import logging
import subprocess
import sys

import pytest
import structlog
from structlog.processors import (
    CallsiteParameterAdder,
    EventRenamer,
    ExceptionRenderer,
    JSONRenderer,
    KeyValueRenderer,
    LogfmtRenderer,
    StackInfoRenderer,
    TimeStamper,
    dict_tracebacks,
    format_exc_info,
)
from structlog.stdlib import (
    BoundLogger,
    LoggerFactory,
    PositionalArgumentsFormatter,
    ProcessorFormatter,
    add_log_level,
    add_log_level_number,
    add_logger_name,
    filter_by_level,
    render_to_log_kwargs,
)

import loghub.structlog
from loghub.recovery.kinds import Kinds
from tests import shop
from tests.heard import Heard, attached, counted

NAME = "shop.orders"
STANDARD = [structlog.contextvars.merge_contextvars, filter_by_level, add_logger_name, add_log_level,
            PositionalArgumentsFormatter(), TimeStamper(fmt="iso"), StackInfoRenderer()]  # fmt: skip
LEAN = [add_log_level, TimeStamper(fmt="iso")]
console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
grey = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
every_parameter = CallsiteParameterAdder()

# What structlog's chapter on `logging` shows: rendered within structlog, by `logging`'s formatters, by its own.
TO_LOGGING = {
    "json": [*STANDARD, JSONRenderer()],
    "json, exception": [*STANDARD, format_exc_info, JSONRenderer()],
    "json, dicts": [*STANDARD, dict_tracebacks, JSONRenderer()],
    "json, indented": [*STANDARD, format_exc_info, JSONRenderer(indent=1)],
    "json, call site": [*STANDARD, every_parameter, add_log_level_number, format_exc_info, JSONRenderer()],
    "json, renamed": [*STANDARD, format_exc_info, EventRenamer("message"), JSONRenderer()],
    "json, unix time": [*STANDARD[:-2], TimeStamper(), format_exc_info, JSONRenderer()],
    "json, local time": [*STANDARD[:-2], TimeStamper("iso", utc=False, key="ts"), format_exc_info, JSONRenderer()],
    "pairs": [*STANDARD, KeyValueRenderer()],
    "pairs, exception": [*STANDARD, format_exc_info, KeyValueRenderer()],
    "logfmt": [*STANDARD, format_exc_info, LogfmtRenderer()],
    "console": [*STANDARD, console],
    "console, grey": [*STANDARD, grey],
    "kwargs": [*STANDARD, render_to_log_kwargs],
    "kwargs, exception": [*STANDARD, format_exc_info, render_to_log_kwargs],
    "kwargs, dicts": [*STANDARD, dict_tracebacks, render_to_log_kwargs],
    "wrapped": [*STANDARD, ProcessorFormatter.wrap_for_formatter],
    "wrapped, exception": [*STANDARD, format_exc_info, ProcessorFormatter.wrap_for_formatter],
    "wrapped, dicts": [*STANDARD, ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer()),
                       ProcessorFormatter.wrap_for_formatter],
    "wrapped, call site": [*STANDARD, every_parameter, ProcessorFormatter.wrap_for_formatter],
    "wrapped, renamed": [*STANDARD, EventRenamer("msg"), ProcessorFormatter.wrap_for_formatter],
    "merge_context": [*STANDARD, loghub.structlog.merge_context],
    "merge_context, exception": [*STANDARD, format_exc_info, loghub.structlog.merge_context],
}  # fmt: skip
if hasattr(structlog.stdlib, "render_to_log_args_and_kwargs"):  # since 25.1
    TO_LOGGING["args and kwargs"] = [*STANDARD, structlog.stdlib.render_to_log_args_and_kwargs]

WRAPPERS = {"stdlib": BoundLogger, "filtering": structlog.make_filtering_bound_logger(logging.INFO)}

ELSEWHERE = {
    "print": lambda: structlog.PrintLogger(io.StringIO()),
    "write": lambda: structlog.WriteLogger(io.StringIO()),
    "bytes": lambda: structlog.BytesLogger(io.BytesIO()),
}


@pytest.fixture(autouse=True)
def unconfigured():
    """Leave structlog and logging's class of loggers as they were."""
    kind = logging.getLoggerClass()
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.setLoggerClass(kind)


@pytest.fixture
def home(tmp_path):
    """Return the folder of journal and ledger."""
    return str(tmp_path / "home")


@pytest.fixture
def heard(home):
    """Return two handlers of one home, attached to the shop's logger."""
    one, other = Heard(home=home), Heard(home=home)
    with attached(NAME, one, other):
        yield one


def configured(processors, wrapper=BoundLogger, factory=None, **more):
    """Configure structlog and return a logger."""
    structlog.configure(
        processors=list(processors), wrapper_class=wrapper, logger_factory=factory or LoggerFactory(), **more
    )
    return structlog.get_logger(NAME)


def the_plain(case, heard):
    """Return the event of the plain call."""
    act, *args = shop.CASES[case]
    act(shop.Plain(logging.getLogger(NAME)), *args)
    return heard.events.pop()


@pytest.mark.slow
@pytest.mark.parametrize("case", shop.CASES)
@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("way", TO_LOGGING)
def test_through_logging(way, wrapper, case, heard, home):
    """In each configuration that ends in logging the event is that of the plain call, and it is counted once."""
    expected = the_plain(case, heard)
    act, *args = shop.CASES[case]
    log = configured(TO_LOGGING[way], WRAPPERS[wrapper])
    act(log, *args)
    assert [shop.compared(event) for event in heard.events] == [shop.compared(expected)]
    assert expected["additional_info"] == {"order": 7}
    assert counted(home) == 2


@pytest.mark.parametrize("case", shop.CASES)
@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("way", ELSEWHERE)
def test_reported(way, wrapper, case, heard, home):
    """By `report` the event is that of the plain call, also where structlog's output goes elsewhere."""
    expected = the_plain(case, heard)
    act, *args = shop.CASES[case]
    render = JSONRenderer(serializer=lambda *a, **k: b"{}") if way == "bytes" else JSONRenderer()
    reporting = loghub.structlog.Report(logger=NAME)
    log = configured([*LEAN, reporting, format_exc_info, render], WRAPPERS["filtering"], lambda *args: ELSEWHERE[way]())
    act(log, *args)
    assert [shop.compared(event) for event in heard.events] == [shop.compared(expected)]
    assert counted(home) == 2


@pytest.mark.parametrize("case", ["exception", "no exception"])
@pytest.mark.parametrize("way", TO_LOGGING)
def test_logger_of_structlogs_class(way, case, home):
    """It is the same where structlog has made the logger, whose class knows the place of a call (above it does not)."""
    logging.root.manager.loggerDict.pop(NAME, None)
    log = configured(TO_LOGGING[way])
    log.debug("makes the logger")
    heard = Heard(home=home)
    with attached(NAME, heard) as made:
        assert type(made) is not logging.Logger
        act, *args = shop.CASES[case]
        expected = the_plain(case, heard)
        act(log, *args)
    assert [shop.compared(event) for event in heard.events] == [shop.compared(expected)]
    logging.root.manager.loggerDict.pop(NAME, None)


async def complaining(log, message, said):
    """Log an error, from a coroutine."""
    await log.aerror(message, **said)


async def failing(log, act):
    """Log an exception, from a coroutine."""
    try:
        act()
    except Exception:
        await log.aexception("charge failed", order=7)


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("way", ["json, exception", "pairs, exception", "kwargs", "wrapped", "wrapped, exception",
                                 "wrapped, dicts", "merge_context"])  # fmt: skip
def test_awaited(way, wrapper, heard):
    """What a coroutine logs has its exception, its place and its thread, though another thread does it."""
    expected = the_plain("exception", heard)
    log = configured(TO_LOGGING[way], WRAPPERS[wrapper])
    asyncio.run(failing(log, shop.Card().charge))
    (event,) = heard.events
    assert event["frames"][-1]["line"] == expected["frames"][-1]["line"]
    assert event["frames"][0]["function"] == "failing"
    for key in ("error_type", "error_module", "error_message", "function", "message", "additional_info", "thread"):
        assert event[key] == expected[key], key
    heard.events.clear()
    asyncio.run(complaining(log, "charge failed", {"order": 7}))
    (event,) = heard.events
    assert (event["module"], event["function"]) == ("test_structlog", "complaining")
    assert event["thread"] == expected["thread"]


def test_async_bound_logger(heard):
    """structlog's deprecated AsyncBoundLogger is heard as its successor is."""
    expected = the_plain("exception", heard)

    async def failing_by_the_class():
        log = configured(TO_LOGGING["wrapped, exception"], structlog.stdlib.AsyncBoundLogger)
        try:
            shop.Card().charge()
        except shop.CardError:
            await log.exception("charge failed", order=7)
        await log.error("charge failed", order=7)

    asyncio.run(failing_by_the_class())
    failed, complained = heard.events
    for key in ("error_type", "error_message", "function", "message", "additional_info", "thread"):
        assert failed[key] == expected[key], key
    assert (complained["module"], complained["function"]) == ("test_structlog", "failing_by_the_class")
    assert complained["thread"] == expected["thread"]


def test_awaited_and_reported(heard):
    """The same by `report`."""
    log = configured([*LEAN, loghub.structlog.Report(logger=NAME), JSONRenderer(default=repr)],
                     WRAPPERS["filtering"], lambda *args: ELSEWHERE["print"]())  # fmt: skip
    asyncio.run(failing(log, shop.Card().charge))
    asyncio.run(complaining(log, "charge failed", {"order": 7}))
    failed, complained = heard.events
    assert (failed["function"], failed["error_type"]) == ("Card.charge", "CardError")
    assert (complained["module"], complained["function"]) == ("test_structlog", "complaining")
    assert failed["thread"]["name"] == complained["thread"]["name"] == "MainThread"


@pytest.mark.parametrize("way", ["json, exception", "wrapped", "merge_context", "report"])
def test_tasks_do_not_mix(way, heard):
    """Concurrent tasks have each its own contextvars, and each error those of its task."""
    report = [*LEAN, loghub.structlog.Report(logger=NAME), JSONRenderer(default=repr)]
    if way == "report":
        log = configured(report, WRAPPERS["filtering"], lambda *args: ELSEWHERE["print"]())
    else:
        log = configured(TO_LOGGING[way])

    async def work(number):
        structlog.contextvars.bind_contextvars(request=number)
        await asyncio.sleep(0)
        try:
            raise shop.CardError(f"card {number}")
        except shop.CardError:
            await log.aexception("charge failed", order=number)

    async def all_at_once():
        await asyncio.gather(*map(work, range(10)))

    asyncio.run(all_at_once())
    found = sorted((e["error_message"], e["additional_info"]["request"], e["additional_info"]["order"])
                   for e in heard.events)  # fmt: skip
    assert found == [(f"card {number}", number, number) for number in range(10)]
    assert len({event["fingerprint"] for event in heard.events}) == 1


def test_bound_values(heard):
    """What was bound is context; a key that is called like one of structlog's stays where it says something else."""
    log = configured(TO_LOGGING["wrapped"]).bind(user="ada", level_of_game=3)
    log.error("charge failed", thread="spool", time=5, logger_of="x")
    (event,) = heard.events
    assert event["additional_info"] == {
        "user": "ada", "level_of_game": 3, "thread": "spool", "time": 5, "logger_of": "x",
    }  # fmt: skip


@pytest.mark.parametrize("way", ["wrapped", "json", "merge_context", "report"])
def test_names_of_a_record(way, heard):
    """Names that a LogRecord has itself are context like others, and no KeyError in the application."""
    if way == "report":
        chain = [loghub.structlog.Report(logger=NAME), JSONRenderer()]
        log = configured(chain, WRAPPERS["filtering"], lambda *args: ELSEWHERE["print"]())
    else:
        log = configured(TO_LOGGING[way])
    log.error("charge failed", name="ada", args=[1], msg="m", module="m")
    assert heard.events[0]["additional_info"] == {"name": "ada", "args": [1], "msg": "m", "module": "m"}
    assert heard.events[0]["message"] == "charge failed"


@pytest.mark.parametrize("way", ["wrapped", "json", "merge_context"])
def test_what_is_said_to_loghub(way, heard):
    """fingerprint, component and loghub_skip may be bound, also where the place has logged without them before."""
    log = configured(TO_LOGGING[way])
    for more in ({}, {}, {"component": "billing"}, {"fingerprint": "mine"}, {"loghub_skip": True}):
        try:
            shop.Card().charge()
        except shop.CardError:
            log.exception("charge failed", **more)
    events = heard.events
    assert [event["component"] for event in events] == ["shop", "shop", "billing", "shop"]
    assert len({event["fingerprint"] for event in events}) == 2
    assert events[3]["additional_info"] == {}


def test_renamed_with_replacement(heard):
    """An EventRenamer that puts something else into the place of the event is understood."""
    log = configured([add_log_level, EventRenamer("message", "_event"), ProcessorFormatter.wrap_for_formatter])
    log.error("charge failed", _event="declined")
    (event,) = heard.events
    assert (event["message"], event["additional_info"]) == ("charge failed", {"event": "declined"})


@pytest.mark.parametrize("way", ["json", "kwargs", "wrapped", "merge_context"])
def test_stack_info(way, heard):
    """The stack that was asked for is in the event, and changes neither its place nor its fingerprint."""
    log = configured(TO_LOGGING[way])
    for asked in (False, True):
        log.error("charge failed", stack_info=asked)
    without, event = heard.events
    assert event["fingerprint"] == without["fingerprint"]
    assert event["additional_info"].pop("stack_info").startswith("Stack (most recent call last):\n  File ")
    assert (event["additional_info"], event["traceback"], event["frames"]) == ({}, "", [])
    assert (event["module"], event["function"]) == ("test_structlog", "test_stack_info")


@pytest.mark.parametrize("info", ["true", "exception", "triple", "elsewhere", "none"])
@pytest.mark.parametrize("way", ["wrapped", "kwargs", "json, exception", "merge_context", "report"])
def test_forms_of_exc_info(way, info, heard):
    """exc_info may be True, an exception or a triple, of here or of elsewhere; True outside of except is nothing."""
    chain = [*LEAN, loghub.structlog.Report(logger=NAME), format_exc_info, JSONRenderer()]
    log = (configured(chain, WRAPPERS["filtering"], lambda *args: ELSEWHERE["print"]()) if way == "report"
           else configured(TO_LOGGING[way]))  # fmt: skip
    try:
        shop.Card().charge()
    except shop.CardError as error:
        kept = error
        if info not in ("elsewhere", "none"):
            log.error("x", exc_info={"true": True, "exception": error, "triple": sys.exc_info()}[info])
    if info == "elsewhere":
        log.error("x", exc_info=kept)
    elif info == "none":
        log.error("x", exc_info=True)  # noqa: LOG014 - the mistake that is tried
    (event,) = heard.events
    assert event["error_type"] == ("ERROR" if info == "none" else "CardError")
    innermost = [one["function"].rpartition(".")[2] for one in event["frames"]][-1:]
    assert innermost == ([] if info == "none" else ["charge"])


def test_templates(heard):
    """Values in a message, whoever puts them in, do not make another bug of it."""
    for way in ("json", "wrapped", "kwargs", "merge_context"):
        log = configured(TO_LOGGING[way])
        for name in ("ada", "bob"):
            log.error("user %s has no card", name)
        for name in ("ada", "bob"):
            log.error(f"user {name} has no cash")  # noqa: G004 - as people write it
    by_message = {}
    for event in heard.events:
        by_message.setdefault(event["message"].replace("ada", "").replace("bob", ""), set()).add(event["fingerprint"])
    assert [len(marks) for marks in by_message.values()] == [1, 1]


def test_below_the_level(heard):
    """`report` hands over errors and what has an exception; handlers have their own levels below that."""
    records = []

    class Look(logging.Handler):
        def emit(self, record):
            records.append((record.levelname, record.getMessage()))

    logging.getLogger(NAME).addHandler(Look())
    render = [format_exc_info, JSONRenderer()]
    for reporting in (loghub.structlog.Report(logger=NAME), loghub.structlog.Report(logger=NAME, level="WARNING")):
        log = configured([reporting, *render], WRAPPERS["filtering"], lambda *args: ELSEWHERE["print"]())
        log.info("a")
        log.warning("b")
        log.info("c", exc_info=ValueError("c"))
        log.info("d", exc_info=True)  # noqa: LOG014 - there is none
        log.critical("e")
    assert records == [("INFO", "c"), ("CRITICAL", "e"), ("WARNING", "b"), ("INFO", "c"), ("CRITICAL", "e")]
    with pytest.raises(ValueError, match="Unknown level"):
        loghub.structlog.Report(level="LOUD")


def test_report_names_the_module(home):
    """Without a name `report` uses the module's of the call, as a plain logger would be called."""
    one = Heard(home=home)
    with attached("tests.test_structlog", one), attached(__name__, one):
        log = configured([loghub.structlog.report, JSONRenderer()], WRAPPERS["filtering"],
                         lambda *args: ELSEWHERE["print"]())  # fmt: skip
        log.error("charge failed")
    assert one.events[0]["logger"] == __name__


def test_report_changes_nothing(heard):
    """The event dict goes on as it came, and what cannot be read is no error of the application."""

    class Odd:
        def __eq__(self, other):
            raise RuntimeError("odd")

        __hash__ = None

        def __bool__(self):
            raise RuntimeError("odd")

        def __str__(self):
            raise RuntimeError("odd")

    for event in ({"event": Odd(), "order": 7}, {"event": "x", "exc_info": Odd()}, {"event": "x", "stacklevel": Odd()}):
        given = dict(event)
        assert loghub.structlog.report(None, "error", event) is event
        assert event.keys() == given.keys()
        assert all(event[name] is given[name] for name in given)


def test_report_leaves_logging_alone(heard):
    """Where structlog ends in logging, `report` does not count a second time, nor within a ProcessorFormatter."""
    reporting = loghub.structlog.Report(logger=NAME)
    shop.fail(configured([reporting, *TO_LOGGING["wrapped"]]), shop.Card().charge)
    formatter = ProcessorFormatter(processors=[reporting, ProcessorFormatter.remove_processors_meta, JSONRenderer()],
                                   foreign_pre_chain=[reporting])  # fmt: skip
    formatter.format(logging.LogRecord(NAME, 40, __file__, 1, "x", (), None))
    assert len(heard.events) == 1


@pytest.mark.parametrize("case", ["exception", "exc_info", "chained"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("way", TO_LOGGING)
def test_procedures_are_chosen(way, wrapper, case):
    """A procedure for a class of errors is chosen by what structlog made of the exception, too."""
    chosen = []

    class Look(logging.Handler):
        def emit(self, record):
            chosen.append([Kinds([name]).fit(record) for name in ("tests.shop.CardError", "CardError", "KeyError")])

    with attached(NAME, Look()):
        act, *args = shop.CASES[case]
        act(configured(TO_LOGGING[way], WRAPPERS[wrapper]), *args)
    assert chosen == [[True, True, False]]


@pytest.mark.parametrize("first", [True, False])
def test_processor_formatter_beside(first, heard, home):
    """A handler with a ProcessorFormatter, before or behind ours, prints what it printed without us."""
    stream = io.StringIO()
    beside = logging.StreamHandler(stream)
    beside.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[add_log_level],
            processors=[ProcessorFormatter.remove_processors_meta, format_exc_info, KeyValueRenderer()],
        )
    )
    plain = logging.getLogger(NAME)
    plain.handlers.insert(0 if first else 2, beside)
    expected = the_plain("exception", heard)
    shop.fail(configured([add_log_level, ProcessorFormatter.wrap_for_formatter]), shop.Card().charge)
    assert shop.compared(heard.events[0]) == shop.compared(expected)
    foreign, wrapped = (line for line in stream.getvalue().splitlines() if "event=" in line)
    assert wrapped.startswith("order=7 event='charge failed' level='error' exception='Traceback")
    assert foreign.startswith("event='charge failed' level='error' exception='Traceback")
    assert counted(home) == 2


def test_cached_logger(heard):
    """With cache_logger_on_first_use it is the same."""
    expected = the_plain("exception", heard)
    log = configured(TO_LOGGING["wrapped"], cache_logger_on_first_use=True)
    for _ in range(2):
        shop.fail(log, shop.Card().charge)
    assert [shop.compared(event) for event in heard.events] == [shop.compared(expected)] * 2


def test_capture_logs(heard):
    """structlog's own capture_logs sees what it saw, and nothing of it is reported."""
    log = configured([loghub.structlog.Report(logger=NAME), JSONRenderer()], WRAPPERS["filtering"],
                     lambda *args: ELSEWHERE["print"]())  # fmt: skip
    with structlog.testing.capture_logs() as logs:
        log.error("charge failed", order=7)
    assert logs == [{"event": "charge failed", "order": 7, "log_level": "error"}]
    assert not heard.events


@pytest.mark.slow
def test_repeats_are_one_bug(heard, home):
    """Numbers and times in the rest of an event dict make no other bugs of it, and every repeat is counted."""
    for chain in TO_LOGGING.values():
        log = configured(chain)
        for number in range(30):
            try:
                shop.Card().charge()
            except shop.CardError:
                log.exception("charge failed", order=number)
    assert len({event["fingerprint"] for event in heard.events}) == 1
    assert counted(home) == 30 * len(TO_LOGGING)


def test_without_structlog():
    """Without the package one sentence says what to install."""
    code = "import sys; sys.modules['structlog'] = None\nimport loghub.structlog"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .endswith('loghub.structlog needs structlog: pip install "loghub-handlers[structlog]"')
    )
