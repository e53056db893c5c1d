"""Messages that were built before logging saw them: their template is read from the source."""

from __future__ import annotations

import logging
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
    "an odd escape": r"""log.error(f"user {name} not found\d")""",
}


@pytest.mark.filterwarnings("ignore:.*invalid escape sequence")
@pytest.mark.parametrize("kind", NOT_BUILT)
def test_not_built(tmp_path, kind):
    """Where the source tells no template, the message stands for itself, and nobody is warned."""
    (record,) = logged(tmp_path, NOT_BUILT[kind])
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert template_of(record) is None
    assert not warned


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
