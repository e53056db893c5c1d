"""Messages that were built before logging saw them: their template is read from the source."""

from __future__ import annotations

import copy
import logging
import logging.handlers
import textwrap
import warnings

import pytest

from loghub import fingerprint
from loghub.filters import EventFilter
from loghub.written import template_of


def logged(tmp_path, source, name="anna", **more):
    """Run a source as a file of its own, with a `log`, a `name` and a `count`; return the records."""
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    log = logging.Logger("shop")  # noqa: LOG001 - alone, without a root
    log.addHandler(handler)
    file = tmp_path / "shop.py"
    file.write_text(textwrap.dedent(source))
    names = {"log": log, "name": name, "count": 3} | more
    exec(compile(file.read_text(), str(file), "exec"), names)
    return records


BUILT = {
    "f-string": 'log.error(f"user {name} not found in {count!r:>5} places")',
    "plus": 'log.error("user " + name + " not found in " + str(count) + " places")',
    "percent": 'log.error("user %s not found in %d places" % (name, count))',
    "format": 'log.error("user {} not found in {n} places".format(name, n=count))',
    "several lines": """
        log.error(
            f"user {name} not found "
            f"in {count} places"
        )
        """,
    "a variable": """
        text = f"user {name} not found in {count} places"
        if count:
            log.error(text)
        """,
    "a variable with a type": 'text: str = f"user {name} not found in {count} places"\nlog.error(text)',
    "a condition": 'log.error(f"user {name} not found in {count} places" if count else f"user {name} is gone")',
    "else": """
        if not count: pass
        else: log.error(f"user {name} not found in {count} places")
        """,
    "except": """
        try: 1 / 0
        except ZeroDivisionError: log.error(f"user {name} not found in {count} places")
        """,
    "with a level": 'log.log(40, f"user {name} not found in {count} places")',
    "by its name": 'log.error(msg=f"user {name} not found in {count} places")',
    "either of two": """
        if count: text = f"user {name} not found in {count} places"
        else:
            text = f"user {name} is gone"
        log.error(text)
        """,
    "a constant": 'TEXT = "user %s not found in %d places"\ndef f():\n    log.error(TEXT % (name, count))\nf()',
    "a translation": '_ = str\nlog.error(_("user {} not found in {} places").format(name, count))',
    "within a call": 'print(log.error(f"user {name} not found in {count} places"), end="")',
}


@pytest.mark.parametrize("built", BUILT)
def test_built(tmp_path, built):
    """However a message is built, its template is that of the call with arguments."""
    (record,) = logged(tmp_path, BUILT[built])
    assert template_of(record) == "user %s not found in %s places"


@pytest.mark.parametrize("built", BUILT)
def test_same_bug(tmp_path, built):
    """Another value, a word like any other, is the same bug; told by the event, too."""
    capture = EventFilter().capture
    found = [capture.sight(*logged(tmp_path, BUILT[built], name)) for name in ("anna", "bert the builder")]
    assert found[0].kind is found[1].kind
    record = logged(tmp_path, BUILT[built])[0]
    assert fingerprint.of_event(found[0].whole(record)) == found[0].kind.fingerprint


def test_something_more(tmp_path):
    """A message to which something was added is grouped by what was added."""
    source = """
        text = f"user {name} not found"
        text += f" in {count} places"
        log.error(text)
        """
    one, other = (fingerprint.of_record(*logged(tmp_path, source, name)) for name in ("anna", "bert the builder"))
    assert one == other


def test_same_as_with_arguments(tmp_path):
    """An f-string and the same message with arguments are one bug where one takes the place of the other."""
    sources = {"built": BUILT["f-string"], "args": 'log.error("user %s not found in %s places", name, count)'}
    records = []
    for name, source in sources.items():
        (tmp_path / name).mkdir()
        records += logged(tmp_path / name, source)
    one, other = map(fingerprint.of_record, records)
    assert one == other


def test_other_templates(tmp_path):
    """Other words at one line are another bug."""
    source = 'log.error(f"user {name} is late" if count else f"user {name} is gone")'
    late, gone = logged(tmp_path, source), logged(tmp_path, source, count=0)
    assert fingerprint.of_record(*late) != fingerprint.of_record(*gone)


NOT_BUILT = {
    "a constant": 'log.error("user not found")',
    "arguments": 'log.error("user %s not found", name)',
    "only a value": 'log.error(f"{name}")',
    "no words": 'log.error(f"{name}: {count}")',
    "not a text": "log.error(ValueError(name))",
    "unseen": "log.error(str(name))",
    "what the parser would warn of": 'log.error(f"user {name} not found {1if count else 2}")',
}


@pytest.mark.filterwarnings("ignore:.*invalid (escape sequence|decimal literal)")
@pytest.mark.parametrize("kind", NOT_BUILT)
def test_not_built(tmp_path, kind):
    """Where the source tells no template, the message stands for itself, and nobody is warned."""
    (record,) = logged(tmp_path, NOT_BUILT[kind])
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert template_of(record) is None
    assert not warned


@pytest.mark.filterwarnings("ignore:.*invalid escape sequence")
def test_odd_escape(tmp_path):
    """An escape that Python does not know is taken as Python takes it, and nobody is warned once more."""
    (record,) = logged(tmp_path, r"""log.error(f"user {name} not found\d")""")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert template_of(record) == r"user %s not found\d"
    assert not warned


def test_what_a_queue_has_put_together(tmp_path):
    """A record whose arguments a QueueHandler has put into the message is the same bug as the plain one."""
    (record,) = logged(tmp_path, 'log.error("user %s has left", name)')
    told = fingerprint.of_record(record)
    prepared = logging.handlers.QueueHandler(None).prepare(copy.copy(record))
    assert prepared.args is None
    assert template_of(prepared) == "user %s has left"
    assert fingerprint.of_record(prepared) == told


def test_more_words_win(tmp_path):
    """Where two texts of one line fit, the one that says more is the template."""
    source = 'log.error(f"load {name}") if not count else log.error(f"load {name} because of {count}")'
    (record,) = logged(tmp_path, source)
    assert template_of(record) == "load %s because of %s"


RAISED = {
    "f-string": 'raise E(\n    f"account of {name} is not active"\n)',
    "format": 'raise E(\n    "account of {} is not active".format(\n        name\n    )\n)',
    "by name": 'raise E(\n    text=f"account of {name} is not active"\n)',
    "assert": 'assert not name, (\n    f"account of {name} is not active"\n)',
}


@pytest.mark.parametrize("raised", RAISED)
def test_raise_over_several_lines(tmp_path, raised):
    """What a raise over several lines says counts as it is written, not with the names in it."""
    source = "class E(Exception):\n    def __init__(self, *args, text=''):\n        super().__init__(*args or [text])\n"
    body = textwrap.indent(RAISED[raised], "    ")
    source += f"try:\n{body}\nexcept Exception:\n    log.exception('failed')\n"
    capture = EventFilter().capture
    records = [logged(tmp_path, source, name)[0] for name in ("anna", "bert the builder")]
    one, other = (capture.sight(record).whole(record) for record in records)
    assert one["fingerprint"] == other["fingerprint"] == fingerprint.of_event(one)
    assert one["frames"][-1]["template"] == "account of %s is not active"


def test_raise_without_words(tmp_path):
    """A raise over several lines that says nothing in words of its own counts with its whole source."""
    source = "try:\n    raise ValueError(\n        name\n    )\nexcept ValueError:\n    log.exception('failed')\n"
    records = [logged(tmp_path, source, name)[0] for name in ("anna", "bert")]
    events = [EventFilter().capture.sight(record).whole(record) for record in records]
    assert [event["frames"][-1]["code"] for event in events] == 2 * ["raise ValueError( name )"]
    assert events[0]["fingerprint"] == events[1]["fingerprint"]


def test_source_that_changed(tmp_path):
    """A source that cannot have built the message is not believed."""
    (record,) = logged(tmp_path, BUILT["f-string"])
    (tmp_path / "shop.py").write_text('log.error(f"user {name} was deleted")')
    assert template_of(record) is None


@pytest.mark.parametrize("pathname", ["", "<stdin>", "/no/such/file.py", "a\0b", None])
def test_no_source(pathname):
    """Without a source the message stands for itself."""
    fields = {"msg": "user anna not found", "pathname": pathname, "lineno": 1}
    assert template_of(logging.makeLogRecord(fields)) is None


def test_percent_signs(tmp_path):
    """A percent sign of the text is one of the template's text."""
    (record,) = logged(tmp_path, 'log.error(f"{name} has 5% left")')
    assert template_of(record) == "%s has 5%% left"
    assert template_of(*logged(tmp_path, 'log.error("%s has 5%% left" % name)')) == "%s has 5%% left"


def test_traceback_in_a_value(tmp_path):
    """A traceback within such a message still tells the bug."""
    source = """
        import traceback
        for act in (lambda: 1 / 0, lambda: [][1], lambda: 1):
            try:
                text = act() and "nothing at all"
            except Exception:
                text = traceback.format_exc()
            log.error(f"request failed: {text}")
        """
    capture = EventFilter().capture
    records = logged(tmp_path, source)
    kinds = {capture.sight(record).kind.fingerprint for record in [*records, *records[::-1]]}
    assert len(kinds) == 3
    assert len({fingerprint.of_record(record) for record in reversed(records)} - kinds) == 0
