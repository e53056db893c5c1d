"""Templates of the owner's own: what they can name, what is refused, and that no mail depends on them."""

from __future__ import annotations

import sys
from html import escape

import pytest
from hypothesis import given, settings

from loghub import mail
from loghub.errors import MissingExtraError, OptionValueError
from loghub.mail.template import ENTRY_NAMES, Template
from tests.test_mail import LIMIT, NOW, TRACEBACK, Page, bug, html_of, outlook, recovery, text_of, texts, write

HOSTILE_HTML = '<a href="$component">$type</a><p>$opening</p><i>$environment</i>'
HOSTILE_JINJA = (
    '{% for e in errors %}<a href="{{ e.issue_url }}" title="{{ e.title }}">{{ e.type }}</a>'
    "<pre>{{ e.traceback }}</pre><p>{{ e.message }} {{ e.recovery }} {{ e.module }}</p>{% endfor %}"
)


@pytest.fixture
def make(tmp_path):
    """Return a function that writes a template and reads it."""

    def template(source, name="mail.txt", *, html=False):
        path = tmp_path / name
        path.write_text(source, encoding="utf-8")
        return Template("BatchingSMTPHandler", "html_template" if html else "template", str(path), html=html)

    return template


def test_dollars(make):
    """A plain template names what a subject can, the opening, and all entries as loghub writes them."""
    names = " ".join(f"${name}" for name in mail.SUBJECT_NAMES)
    item = bug(count=3)
    template = make(f"$opening\n{names}\n$entries\ncost: $$5\n")
    shown = text_of(write(item, template=template, outlooks={item.group.fingerprint: outlook("new")}))
    assert shown.startswith(
        "An error occurred in shop:\nshop ValueError shop.pay 1 3 ERROR production 1.4.2 new\nTimestamp: "
    )
    assert f"Traceback:\n{TRACEBACK}\ncost: $5\n" in shown


def test_dollars_in_html(make):
    """In the HTML part the entries are loghub's HTML, and all other values are escaped."""
    template = make("<p>$component</p>$entries", html=True)
    message = write(bug(component="<b>&"), html_template=template)
    assert html_of(message).startswith("<p>&lt;b&gt;&amp;</p><div")
    assert text_of(message).startswith("An error occurred in <b>&:")


def test_jinja(make):
    """A Jinja template has the errors with all their names, those only listed, and what a subject can name."""
    source = "{{ component }} {{ error_count }} {{ occurrences }} {{ opening }} {{ listed|length }}\n"
    source += "{% for e in errors %}{{ e.title }}|" + "|".join(f"{{{{ e.{name} }}}}" for name in ENTRY_NAMES)
    source += "\n{% endfor %}"
    item = bug(count=3, total=9)
    object.__setattr__(item.group, "recoveries", [recovery()])
    shown = text_of(
        write(item, template=make(source, "mail.txt.j2"), outlooks={item.group.fingerprint: outlook("spike")})
    )
    assert shown.startswith("shop 1 3 An error occurred in shop: 1\nValueError: no such card|")
    for value in ("3", "9", "pay", "1.4.2", "spike", "https://github.com/example/shop/issues/7", TRACEBACK):
        assert f"|{value}|" in shown or f"|{value}\n" in shown
    assert "|recovered by shop.repair.reopen in 0.8 s " in shown


def test_jinja_lists_the_rest(make):
    """Beyond the errors in detail `listed` has all, with what a line needs."""
    template = make("{{ errors|length }}/{{ listed|map(attribute='fingerprint')|unique|list|length }}", "x.jinja")
    assert text_of(write(*(bug(n) for n in range(120)), template=template)) == f"{mail.MOST_BUGS}/120\n"


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(texts, texts, texts)
def test_html_templates_escape(tmp_path_factory, kind, message, reason):
    """Whatever an error says, it adds no element and no attribute to what a template of either kind makes."""
    folder = tmp_path_factory.getbasetemp()
    for name, source in (("a.html", HOSTILE_HTML), ("b.html.j2", HOSTILE_JINJA)):
        (folder / name).write_text(source, encoding="utf-8")
        template = Template("x", "html_template", str(folder / name), html=True)
        item = bug(error_type=kind, component=kind, environment=kind, error_message=message, traceback=message)
        object.__setattr__(item.group, "recoveries", [recovery("failed", reason=reason)])
        object.__setattr__(item.group, "issue_url", f"javascript:{kind}")
        hostile, harmless = (Page(html_of(write(each, html_template=template))) for each in (item, bug()))
        assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in harmless.elements]
        assert [set(found) for _, found in hostile.elements] == [set(found) for _, found in harmless.elements]
        assert not any(found.get("href", "").startswith("javascript:{") for _, found in hostile.elements)


def test_addresses_that_are_none(make):
    """A template never gets an issue's address that a browser would run."""
    item = bug()
    object.__setattr__(item.group, "issue_url", "javascript:alert(1)")
    template = make("{% for e in errors %}[{{ e.issue_url }}]{% endfor %}", "mail.j2", html=True)
    assert html_of(write(item, html_template=template)) == "[]\n"


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        ("a.txt", "$nope", "'nope' is no name that a template has"),
        ("a.txt", "100 $", "Invalid placeholder"),
        ("a.txt.j2", "{{ nope }}", "'nope' is no name that a template has"),
        ("a.txt.j2", "{% if false %}{{ nope }}{% endif %}", "'nope' is no name that a template has"),
        ("a.txt.j2", "{% for e in errors %}{{ e.nope }}{% endfor %}", "nope"),
        ("a.txt.j2", "fine\n{% for %}", "line 2: "),
        ("a.txt.j2", "{% include 'other' %}", "loader"),
        ("a.txt.j2", "{{ 1 / 0 }}", "division by zero"),
        ("a.txt.j2", "{{ errors.append(1) }}", "append"),
        ("a.txt.j2", "{{ ''.__class__.__mro__ }}", "unsafe"),
        ("a.txt.j2", "{% for i in range(10 ** 9) %}x{% endfor %}", "Range too big"),
        ("a.txt.j2", "x" * 1_000_001, "more than 1000000 characters"),
    ],
)
def test_refused(make, name, source, said):
    """What is wrong with a template is said in one sentence when it is read."""
    with pytest.raises(OptionValueError) as caught:
        make(source, name)
    line = str(caught.value)
    assert line.startswith("BatchingSMTPHandler: option 'template' cannot be ")
    assert said in line
    assert "\n" not in line


def test_unreadable(tmp_path):
    """A file that is not there, or no text, is refused and named."""
    binary = tmp_path / "mail.txt"
    binary.write_bytes(b"\xff\xfe\x00")
    for path, said in ((str(tmp_path / "none.txt"), "No such file"), (str(binary), "utf-8"), (7, "text")):
        with pytest.raises(OptionValueError, match=said):
            Template("BatchingSMTPHandler", "template", path, html=False)


def test_without_jinja(make, monkeypatch):
    """Where Jinja is not installed its templates say what to install, and plain ones work."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'loghub-handlers\[jinja\]'"):
        make("x", "mail.j2")
    assert make("x $component")


def test_read_once(make, tmp_path):
    """A template is what it was when logging was configured, whatever becomes of its file."""
    template = make("first $component")
    (tmp_path / "mail.txt").unlink()
    assert text_of(write(bug(), template=template)) == "first shop\n"


@pytest.mark.parametrize("html", [False, True])
def test_fails_later(make, html):
    """A template that fails on what comes costs nobody the mail: loghub's own part stands there, and it is said."""
    template = make("{{ 1 / (errors[0].total - 12) }}", "mail.j2", html=html)
    said = []
    options = {"html_template" if html else "template": template}
    message = write(bug(total=12), on_fault=said.append, **options)
    assert "Error Type: ValueError" in (Page(html_of(message)).text if html else text_of(message))
    (line,) = said
    assert "failed (division by zero), so the mail has loghub's own part" in line


@pytest.mark.slow
def test_says_too_much(make):
    """A template gets less to say until it fits; what never fits is replaced by loghub's own part."""
    said = []
    long = bug(traceback=TRACEBACK * 200)
    repeats = make("{% for e in errors %}{{ e.traceback * 20 }}{% endfor %}", "a.j2")
    shown = text_of(write(long, template=repeats, on_fault=said.append))
    assert shown.count("lines further out]") == 20
    assert not said
    endless = make("{% for i in range(90000) %}{{ component }}\n{% endfor %}", "b.j2")
    assert "Error Type: " in text_of(write(long, template=endless, on_fault=said.append))
    assert "bytes" in said[0]
    options = {"fromaddr": "a@b", "toaddrs": ["c@d"], "destination": "smtp:", "now": NOW}
    assert len(mail.compose([long] * 500, template=endless, html_template=repeats, **options).as_bytes()) < LIMIT


def test_values_are_what_they_were(make):
    """Text templates get values as they are, not escaped for HTML."""
    shown = text_of(write(bug(error_message="a < b & c"), template=make("{{ errors[0].message }}", "a.j2")))
    assert shown == "a < b & c\n"
    assert escape("a < b & c") not in shown
