"""EventFilter: each option as dictConfig hands it over, and what happens when one is wrong."""

from __future__ import annotations

import io
import logging
import logging.config
import os
import sys
import types

import pytest

from loghub import filters
from loghub.errors import OptionValueError, UnknownOptionError
from loghub.event import dumps
from loghub.filters import shared_capture, system_info


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Keep the process's default filter out."""
    monkeypatch.setattr(filters, "_shared", None)


def configured(**options):
    """Return the filter that dictConfig makes of these options."""
    configurator = logging.config.DictConfigurator(
        {"version": 1, "filters": {"event": {"()": "loghub.EventFilter", **options}}}
    )
    return configurator.configure_filter(configurator.config["filters"]["event"])


def record_of(error=None, name="shop.cart", **extra):
    """Return the record of an error that was raised and logged."""
    info = None
    if error is not None:
        try:
            raise error
        except BaseException:
            info = sys.exc_info()
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, "failed", (), info, "record_of")
    record.__dict__.update(extra)
    return record


def event_of(one, record):
    """Return the event as `one` describes it; None if it is not to be reported."""
    assert one.filter(record) is True
    sighting = one.capture.sight(record)
    return one.capture.keep(sighting, record) if sighting.kind is not None else None


def reported(one, record):
    """Return whether the record is to be reported."""
    return event_of(one, record) is not None


# What is said about every event -------------------------------------------------------------------------------


def test_said_about_every_event():
    """component, environment and release stand in the event."""
    event = event_of(configured(component="pay", environment="staging", release="1.2"), record_of(ValueError("v")))
    assert (event["component"], event["environment"], event["release"]) == ("pay", "staging", "1.2")


def test_defaults(monkeypatch):
    """Without options: the logger's first name, production, the release as found, and system information."""
    monkeypatch.setenv("LOGHUB_RELEASE", "4711")
    event = event_of(configured(), record_of(ValueError("v")))
    assert (event["component"], event["environment"], event["release"]) == ("shop", "production", "4711")
    assert event["system"] == system_info()
    assert set(event["system"]) == {"python_version", "platform", "architecture", "docker"}


def test_component_from_the_environment(monkeypatch):
    """LOGHUB_COMPONENT stands where the option is not given."""
    monkeypatch.setenv("LOGHUB_COMPONENT", "worker")
    assert event_of(configured(), record_of())["component"] == "worker"
    assert event_of(configured(component="pay"), record_of())["component"] == "pay"


def test_shared_capture():
    """Handlers without a filter share one with its defaults."""
    assert shared_capture() is shared_capture()
    assert shared_capture().describer.environment == "production"


def test_filter_lets_everything_pass():
    """What is ignored is only not reported; other handlers get it."""
    one = configured(ignore=["shop.*"])
    assert one.filter(record_of()) is True
    assert not reported(one, record_of())


def test_logger_name():
    """A `name` works as in logging.Filter."""
    one = configured(name="shop")
    assert one.filter(record_of(name="shop.cart")) is True
    assert one.filter(record_of(name="other")) is False


@pytest.mark.parametrize("word", ["false", "0", "No", "OFF"])
def test_system_info_by_variable(monkeypatch, word):
    """Seed A's variable decides where the option does not."""
    monkeypatch.setenv("ERROR_REPORTING_INCLUDE_SYSTEM_INFO", word)
    assert "system" not in event_of(configured(), record_of())
    assert "system" in event_of(configured(include_system_info=True), record_of())
    assert "system" not in event_of(configured(include_system_info="no"), record_of())


def test_malformed_variable(monkeypatch):
    """A malformed variable is refused when logging is configured, by its name."""
    monkeypatch.setenv("ERROR_REPORTING_INCLUDE_SYSTEM_INFO", "perhaps")
    with pytest.raises(ValueError, match="ERROR_REPORTING_INCLUDE_SYSTEM_INFO"):
        configured()


def test_include_locals():
    """Frames carry local variables only if asked."""
    frames = event_of(configured(include_locals=True), record_of(ValueError("v")))["frames"]
    assert frames[-1]["locals"]["name"] == "'shop.cart'"
    assert "locals" not in event_of(configured(), record_of(ValueError("v")))["frames"][-1]


# Which frames are the application's ---------------------------------------------------------------------------


def culprit(one, file, module):
    """Return whether a frame of this file and module is the application's."""
    return one.capture.describer.is_in_app(file, module)


def test_in_app_by_default():
    """All but installed packages, the standard library and pseudo-files."""
    one = configured()
    assert culprit(one, "/srv/shop/cart.py", "shop.cart")
    assert culprit(one, "<stdin>", "__main__")
    assert not culprit(one, "/srv/venv/lib/python3.11/site-packages/flask/app.py", "flask.app")
    assert not culprit(one, os.__file__, "os")
    assert not culprit(one, "<frozen importlib._bootstrap>", "importlib._bootstrap")


def test_in_app_by_name():
    """Named modules decide first, with what is below them; the longer name over the shorter; globs too."""
    one = configured(in_app=["acme", "plug_*"], not_in_app="acme.vendored, shop")
    library = "/venv/lib/python3.11/site-packages/x.py"
    assert culprit(one, library, "acme")
    assert culprit(one, library, "acme.web")
    assert culprit(one, library, "plug_one")
    assert not culprit(one, library, "acmeish")
    assert not culprit(one, "/srv/a.py", "acme.vendored.x")
    assert not culprit(one, "/srv/a.py", "shop.cart")


def test_project_root(tmp_path):
    """Only files below the root are the application's, by each name of the root; libraries never."""
    real = tmp_path / "releases" / "7"
    (real / "shop").mkdir(parents=True)
    (tmp_path / "current").symlink_to(real)
    one = configured(project_root=str(tmp_path / "current"))
    assert culprit(one, str(tmp_path / "current" / "shop" / "a.py"), "shop.a")
    assert culprit(one, str(real / "shop" / "a.py"), "shop.a")
    assert not culprit(one, str(tmp_path / "current2" / "a.py"), "a")
    assert not culprit(one, "/elsewhere/a.py", "a")
    assert not culprit(one, str(real / "venv/lib/python3.11/site-packages/x.py"), "x")


def test_project_root_is_relative(tmp_path, monkeypatch):
    """A relative root counts from the working directory, as it was then; a removed one does no harm."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app").mkdir()
    one = configured(project_root="app")
    assert culprit(one, str(tmp_path / "app" / "a.py"), "a")
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert not culprit(one, "relative.py", "relative")


def test_culprit_follows_the_rule():
    """The event's module and function are those of the innermost in-app frame."""
    assert event_of(configured(), record_of(ValueError("v")))["function"] == "record_of"

    def act():
        raise ValueError("v")

    try:
        act()
    except ValueError:
        record = record_of()
        record.exc_info = sys.exc_info()
    one = configured(not_in_app=[__name__], in_app=["other"])
    event = event_of(one, record)
    assert [frame["in_app"] for frame in event["frames"]] == [False, False]
    assert event["function"].endswith("act")


# Not to be reported -------------------------------------------------------------------------------------------


class OwnError(LookupError):
    """Somebody's error."""


def test_ignore_classes():
    """Classes are ignored with their subclasses, builtins by their bare name too."""
    for name in (f"{__name__}.OwnError", "LookupError", "builtins.LookupError"):
        assert not reported(configured(ignore=[name]), record_of(OwnError("o")))
    assert reported(configured(ignore=["KeyError", "no.such.Class"]), record_of(OwnError("o")))


def test_ignore_by_another_name(monkeypatch):
    """A class is known by each name under which its module is loaded: requests.Timeout is defined elsewhere."""
    alias = types.ModuleType("public_face")
    alias.Trouble = OwnError
    monkeypatch.setitem(sys.modules, "public_face", alias)
    assert not reported(configured(ignore="public_face.Trouble"), record_of(OwnError("o")))


def test_ignore_loggers():
    """Loggers are ignored by name, with ``*``."""
    one = configured(ignore=["django.security.*", "noisy"])
    assert not reported(one, record_of(name="django.security.csrf"))
    assert not reported(one, record_of(ValueError("v"), name="noisy"))
    assert reported(one, record_of(name="django.request"))
    assert reported(one, record_of(name="noisy.child"))


def test_ignore_what_only_a_text_tells():
    """An exception that a QueueHandler made a text of is ignored by its class's name."""
    text = 'failed\nTraceback (most recent call last):\n  File "/srv/a.py", line 3, in f\n    g()\nshop.errors.Gone: x'
    record = logging.LogRecord("shop", logging.ERROR, __file__, 1, text, (), None)
    assert not reported(configured(ignore=["shop.errors.Gone"]), record)
    del record._loghub_event
    assert reported(configured(ignore=["shop.errors.Other"]), record)
    del record._loghub_event
    assert not reported(configured(ignore=["shop.errors.Gone"], before_send=lambda event: event), record)


def test_ignore_comes_before_before_send():
    """What is ignored is not even asked about."""
    asked = []
    one = configured(ignore=["LookupError"], before_send=asked.append)
    assert not reported(one, record_of(OwnError("o")))
    assert asked == []


def test_sample_rate():
    """0 takes none, 1 all; a rate between takes its share."""
    assert not any(reported(configured(sample_rate=0), record_of()) for _ in range(20))
    assert all(reported(configured(sample_rate=1.0), record_of()) for _ in range(20))
    half = configured(sample_rate="0.5")
    taken = sum(reported(half, record_of()) for _ in range(1000))
    assert 350 < taken < 650


def test_sample_is_drawn_once():
    """All who look at one record get one answer."""
    half = configured(sample_rate=0.5)
    records = [record_of() for _ in range(50)]
    first = [reported(half, record) for record in records]
    assert [reported(half, record) for record in records] == first


# before_send --------------------------------------------------------------------------------------------------


def pick(event):
    """Stand for an application's hook."""
    return None if event["error_type"] == "OwnError" else event | {"error_message": "[gone]"}


class Hooks:
    """Holds a hook."""

    @staticmethod
    def pick(event):
        """Change nothing."""
        return event


async def later(event):
    """Not a hook that can be waited for."""


@pytest.mark.parametrize("name", [f"{__name__}.pick", f"{__name__}:pick", f"ext://{__name__}.pick"])
def test_before_send_by_name(name):
    """A hook is named with dots, with a colon, or by ext://."""
    one = configured(before_send=name)
    assert event_of(one, record_of(ValueError("v")))["error_message"] == "[gone]"
    assert not reported(one, record_of(OwnError("o")))
    assert reported(configured(before_send=f"{__name__}.Hooks.pick"), record_of(OwnError("o")))


BROKEN_MODULE = "raise RuntimeError('not today')\n"
WRONG_HOOKS = [
    "no.such.module.hook",
    "os.no_such_name",
    "hook",
    "",
    7,
    f"{__name__}.WRONG_HOOKS",
    "broken_hooks.hook",
    f"{__name__}.later",
]


@pytest.mark.parametrize("value", WRONG_HOOKS)
def test_before_send_that_is_none(value, tmp_path, monkeypatch):
    """What is no function is refused when logging is configured, naming the option and why."""
    (tmp_path / "broken_hooks.py").write_text(BROKEN_MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(OptionValueError, match=r"EventFilter: option 'before_send' cannot be .*; it must be"):
        configured(before_send=value)


# Scrubbing ----------------------------------------------------------------------------------------------------


def test_scrub():
    """More names and patterns are taken out; one pattern may be given as a text, commas and all."""
    record = record_of(ValueError("v"), pinboard="secret-thing", note="ACME-1234 and ACME-99")
    shown = dumps(event_of(configured(scrub=["pinboard", "/ACME-[0-9]{4}/"]), record))
    assert "secret-thing" not in shown
    assert "ACME-1234" not in shown
    assert "ACME-99" in shown
    shown = dumps(event_of(configured(scrub="/ACME-[0-9]{1,4}/"), record_of(note="ACME-1234 and ACME-99")))
    assert "ACME-" not in shown


def test_own_token_is_scrubbed(monkeypatch):
    """loghub's own token never stands in an event."""
    monkeypatch.setenv("GITHUB_TOKEN", "plain-words-as-a-token")
    assert "plain-words" not in dumps(event_of(configured(), record_of(ValueError("plain-words-as-a-token"))))


# Wrong options ------------------------------------------------------------------------------------------------

WRONG = {
    "component": ["", 7],
    "environment": ["", None],
    "release": [1.0],
    "project_root": ["/no/such/folder", 7],
    "in_app": [7, [7]],
    "not_in_app": [{"a": 1}],
    "scrub": [7, ["/(/"]],
    "ignore": [[None]],
    "include_system_info": ["perhaps"],
    "include_locals": ["perhaps", None],
    "sample_rate": [1.1, -0.1, "half", None, True],
    "grouping": ["v9", None, ["v1"]],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_wrong_values(name, value):
    """A malformed value is a ValueError that names the option, and what is right."""
    with pytest.raises(ValueError, match=f"{name}.*(must be|cannot)") as failure:
        configured(**{name: value})
    assert isinstance(failure.value, OptionValueError)


@pytest.mark.parametrize("value", ["half", -0.1, 1.1])
def test_bounds_of_a_sample(value):
    """Whatever is wrong with a sample_rate, both of its bounds are told."""
    with pytest.raises(OptionValueError, match="it must be a number from 0 to 1"):
        configured(sample_rate=value)


def test_unknown_option():
    """An unknown option is a TypeError that names the filter, the option and the nearest."""
    with pytest.raises(
        TypeError, match=r"^EventFilter has no option 'enviroment'; did you mean 'environment'\?$"
    ) as failure:
        configured(enviroment="x")
    assert isinstance(failure.value, UnknownOptionError)


def test_wrong_option_in_dictconfig():
    """dictConfig fails, and the sentence is in the chain of its errors."""
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"event": {"()": "loghub.EventFilter", "x": 1}},
    }
    with pytest.raises(ValueError, match="event") as failure:
        logging.config.dictConfig(config)
    assert "EventFilter has no option 'x'" in str(failure.value.__cause__)


def test_nested_values(monkeypatch):
    """Lists in a configuration may hold ext:// values."""
    monkeypatch.setenv("LOGHUB_TEST_MODULE", "acme")
    one = configured(in_app=["ext://loghub.env.LOGHUB_TEST_MODULE"])
    assert culprit(one, "/venv/lib/python3.11/site-packages/x.py", "acme.x")


# It never harms -----------------------------------------------------------------------------------------------


def test_filter_never_raises(monkeypatch, capsys):
    """logging calls filters outside of handlers' own care: what goes wrong here stays here, and is said once."""
    one = configured()
    monkeypatch.setattr(one.capture, "sight", lambda record: 1 / 0)
    assert one.filter(record_of()) is True
    assert one.filter(record_of()) is True
    assert capsys.readouterr().err.count("ZeroDivisionError") == 1


def test_at_the_end_of_the_stack(monkeypatch):
    """With hardly any stack left the filter lets the record pass; only a call that finds no room at all fails."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    one = configured()
    record = record_of(RecursionError("deep"))
    answers = []

    def fall():
        try:  # noqa: SIM105 - suppress needs stack of its own
            fall()
        except RecursionError:
            pass
        if len(answers) < 80:
            record.__dict__.pop("_loghub_event", None)
            try:
                answers.append(one.filter(record))
            except RecursionError:
                answers.append("no room")

    fall()
    assert answers.count("no room") <= 5
    assert set(answers[5:]) == {True}
    assert reported(one, record)
