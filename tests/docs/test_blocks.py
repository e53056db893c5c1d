"""Every block of code of the manual is what it seems: it configures, runs, or can be typed."""

from __future__ import annotations

import ast
import json
import logging.config
import re
import shlex
import sys
import tomllib
import types

import jsonschema
import pytest
import yaml
from gunicorn.config import Config
from gunicorn.glogging import Logger

from loghub.cli.schema import document
from loghub.ledger.address import read_address
from loghub.ledger.postgres import PostgresLedger
from tests.configurations import keyed
from tests.docs.pages import MANUAL, ROOT, blocks, code_spans
from tests.docs.words import commands, fault
from tests.ledger.rows import fold, tally
from tests.postgres import PASSWORD

NOT_RUN = {
    "html": "tests/browser/test_error_reporter.py loads such a page in a browser",
    "javascript": "tests/browser/test_error_reporter.py calls it in a browser",
}
"""Languages of which no block is run here, and why."""

KNOWN = {"yaml", "python", "json", "jinja", "sh", "bash", "sql", "", *NOT_RUN}
SCHEMA = jsonschema.Draft202012Validator(document())
TOLD_ELSEWHERE = """
version: 1
formatters: {plain: {format: "%(message)s"}}
filters: {event: {(): loghub.EventFilter}}
handlers:
  github: {class: loghub.GitHubIssueHandler}
  detail: {class: loghub.JSONDetailHandler}
  file: {class: loghub.RotatingFileHandler, filename: app.log}
"""
"""What blocks that show a part of a logging.yaml lean on."""


def in_page(block):
    """Name a block for pytest."""
    return str(block)


def test_languages():
    """Each block has a language that is tested here, or a reason why it is not."""
    for page, text in MANUAL.items():
        languages = re.findall(r"^ *```(\w+)$", text, re.MULTILINE)
        assert set(languages) <= KNOWN, page
        assert len(re.findall(r"^ *```", text, re.MULTILINE)) == 2 * len(blocks_of(page)), page


def blocks_of(page):
    """Return all blocks of a page."""
    return [one for one in blocks(*KNOWN) if one.page == page]


# --- logging.yaml


@pytest.fixture
def surroundings(tmp_path, monkeypatch):
    """Stand where a configuration finds what it names; reporting is off, so that nothing is sent or opened."""
    monkeypatch.setenv("ERROR_REPORTING_ENABLED", "false")
    monkeypatch.setenv("SMTP_PASSWORD", "made-up")
    monkeypatch.setenv("LOGHUB_ADMIN_PASSWORD", "made-up")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "srv/shop/maps").mkdir(parents=True)
    for language, name in (("", "mail.txt"), ("jinja", "mail.html.j2")):
        (template,) = (one.text for one in blocks(language) if one.page == "docs/mail_templates.md")
        (tmp_path / name).write_text(template, encoding="utf-8")
    camera = types.ModuleType("shop.camera")
    camera.reopen = lambda event: True
    monkeypatch.setitem(sys.modules, "shop", types.ModuleType("shop"))
    monkeypatch.setitem(sys.modules, "shop.camera", camera)
    root = logging.getLogger()
    handlers, level, alive = list(root.handlers), root.level, set(logging._handlerList)
    yield tmp_path
    for made in set(logging._handlerList) - alive:
        if (handler := made()) is not None:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def whole(text):
    """Return the configuration that a block shows a part of."""
    if text.startswith("    "):
        text = f"handlers:\n  it:\n{text}"
    elif text.startswith("  "):
        text = f"handlers:\n{text}"
    config, shown = yaml.safe_load(TOLD_ELSEWHERE), yaml.safe_load(text)
    for part, said in shown.items():
        config[part] = config[part] | said if isinstance(config.get(part), dict) else said
    config.setdefault("root", {"handlers": list(shown["handlers"])})
    return config


@pytest.mark.parametrize("block", blocks("yaml"), ids=in_page)
def test_yaml(block, surroundings):
    """dictConfig takes it, and so does the schema."""
    config = whole(block.text)
    SCHEMA.validate(keyed(config))
    if "respect_handler_level" in block.text and sys.version_info < (3, 12):
        with pytest.raises(ValueError, match="queue"):
            logging.config.dictConfig(config)  # the block says that it is for Python 3.12
        return
    logging.config.dictConfig(config)


@pytest.mark.parametrize("says", [True, False], ids=["as shown", "without loggers"])
def test_gunicorn(says, surroundings):
    """gunicorn takes the configuration that is shown, and its errors come to the root; else it does not start."""
    (block,) = (one for one in blocks("yaml") if one.page == "docs/servers.md")
    config = {"version": 1, "disable_existing_loggers": False} | yaml.safe_load(block.text)
    settings = Config()
    if not says:
        del config["loggers"]
    settings.set("logconfig_dict", config)
    its = [logging.getLogger(name) for name in config.get("loggers", ("gunicorn.error", "gunicorn.access"))]
    try:
        if says:
            Logger(settings)
            assert {(one.propagate, *one.handlers) for one in its} == {(True,)}
            assert len(logging.getLogger().handlers) == len(config["handlers"])
        else:
            with pytest.raises(RuntimeError, match=r"Unable to configure logger 'gunicorn\.error'"):
                Logger(settings)
    finally:
        for one in its:
            one.handlers.clear()
            one.propagate = True


# --- Python

GIVEN = {
    "docs/browser_reports.md": """
import json
origin = None
""",
    "docs/context.md": "import flask, loghub.web\napp = flask.Flask('shop')\napplication = app.wsgi_app",
    "docs/functions.md": """
import loghub
def risky_operation():
    raise ValueError("made up")
""",
    "docs/structlog.md": "import logging, loguru, structlog, loghub.structlog",
    "docs/web.md": """
import types, a2wsgi, flask, werkzeug.middleware.dispatcher, loghub.web
from starlette.routing import Router
class App(flask.Flask):
    mount = Router().mount
app = App("shop")
application = app.wsgi_app
current_user = types.SimpleNamespace(is_admin=True)
def login_required(view):
    return view
admin_required = login_required
""",
}
"""What the application has before the first block of a page."""

BETWEEN = {
    "docs/browser_reports.md": """
said = {"error_info": {"error_type": "TypeError", "error_message": "x is undefined", "source_component": "shop"}}
assert report_error(json.dumps(said).encode(), None) == (202, "Error kept")
assert report_error(b"{", None)[0] == 400
report = browser.read(json.dumps(said).encode())
""",
}
"""What is done with the first block before the others."""


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # the README opens logging.yaml as everybody does
@pytest.mark.parametrize("page", sorted({one.page for one in blocks("python")}))
def test_python(page, surroundings):
    """The blocks of a page run one after the other, as an application would have them."""
    (surroundings / "logging.yaml").write_text(blocks_of("README.md")[0].text, encoding="utf-8")
    names = {"__name__": "shop"}
    exec(GIVEN.get(page, ""), names)
    try:
        for number, block in enumerate(one for one in blocks("python") if one.page == page):
            text = block.text.replace('"/srv/', f'"{surroundings}/srv/')
            exec(compile("\n" * block.line + text, page, "exec"), names)
            if number == 0:
                exec(BETWEEN.get(page, ""), names)
    finally:
        if "structlog" in names:
            names["structlog"].reset_defaults()
        if "loguru" in names:
            names["loguru"].logger.remove()


# --- what is typed


@pytest.mark.parametrize("block", blocks("sh", "bash", ""), ids=in_page)
def test_shell(block):
    """The verbs and options of loghub exist, as do make's targets, and Python's programs compile."""
    typed = commands(block.text)
    assert len(typed) >= len(re.findall(r"^(?:\w+=\S+ )*loghub ", block.text, re.MULTILINE))
    assert [why for words in typed if (why := fault(words))] == []
    for target in re.findall(r"^make (\w+)", block.text, re.MULTILINE):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for line in re.findall(r"^python -c .*$", block.text, re.MULTILINE):
        tree = ast.parse(shlex.split(line)[2])
        exec(compile(ast.Module([one for one in tree.body if isinstance(one, ast.ImportFrom)], []), "-c", "exec"), {})


def test_extras():
    """What pip is told to install is this distribution with extras that it has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    told = re.findall(r"pip install '?([\w-]+)(?:\[(\w+)\])?", "\n".join(MANUAL.values()))
    assert ("loghub-handlers", "web") in told
    assert {(name, extra) for name, extra in told if extra and extra not in project["optional-dependencies"]} == set()
    assert {name for name, _ in told} == {project["name"]}


def test_programs_exist():
    """Each file of the repository that a sentence or a block has run is there."""
    for page, text in MANUAL.items():
        for path in re.findall(r"python ((?:examples|benchmarks)/[\w/]+\.py)", text):
            assert (ROOT / path).is_file(), (page, path)
        for span in code_spans(text):
            if re.fullmatch(r"(tests|docs|examples|benchmarks|loghub)/[\w/]+(\.\w+)?", span):
                assert (ROOT / span).exists(), (page, span)


@pytest.mark.parametrize("block", blocks("json"), ids=in_page)
def test_json(block):
    """It is JSON."""
    json.loads(block.text)


# --- SQL


@pytest.mark.slow
def test_sql(postgres):
    """What the page about fleets has an administrator do makes a database that its owner and an application can use."""
    owner, app = (one.text for one in blocks("sql"))
    for statement in owner.replace("'...'", f"'{PASSWORD}'").strip().split("\n"):
        postgres.execute(statement)
    postgres.execute(f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'")
    for user in ("loghub", "app"):
        ledger = PostgresLedger(read_address(postgres.url(user=user, database="loghub")))
        fold(ledger, tally(1))
        assert ledger.totals()["occurrences"] == (1 if user == "loghub" else 2)
        ledger.close()
        postgres.execute(app, database="loghub")
    postgres.execute("DROP DATABASE loghub WITH (FORCE)")
    postgres.execute("DROP ROLE app; DROP ROLE loghub")
