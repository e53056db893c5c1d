"""Environment variables, public names, verbs and options: what there is stands in the manual, and nothing else does."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re

import pytest

import loghub
from loghub import procedures
from loghub.declared import options_of
from loghub.handlers.recovery import Entry
from tests.docs.pages import MANUAL, ROOT, code_spans
from tests.docs.words import VERBS, commands, fault

EVERYWHERE = "\n".join(MANUAL.values())
SPANS = sorted({(page, span) for page, text in MANUAL.items() for span in code_spans(text)})
READERS = re.compile(r"(\benv\.read|\bread_all|\bvariable_flag|environ\.get|variables\.get)$")
OURS = re.compile(r"(LOGHUB|ERROR_REPORTING|GITHUB|GH)_[A-Z_]*[A-Z]")
NOT_FOR_READERS = {
    "LOGHUB_RUN": "set by `loghub run` for what it starts",
    "SCRIPT_NAME": "WSGI's",
    "LOGHUB_SELFTEST_PASSWORD": "made up by `loghub selftest`",
}
OF_OTHERS = {
    "SSL_CERT_FILE": "OpenSSL's",
    "REQUESTS_CA_BUNDLE": "the library requests'",
    "BASIC_FORMAT": "a constant of logging",
    "--log-config": "uvicorn's",
    "--log-config-json": "gunicorn's",
    "--workers": "uvicorn's",
    "--only": "of a benchmark",
    "loghub.report": "a logger",
    "loghub.uncaught": "a logger",
}


def variables():
    """Return the environment variables that the code reads."""
    found = set()
    for path in sorted((ROOT / "loghub").rglob("*.py")):
        if path.match("web/request.py"):
            continue  # what it calls environ is WSGI's
        tree = ast.parse(path.read_text(encoding="utf-8"))
        known = {
            target.id: [one for one in ast.walk(node.value) if isinstance(one, ast.Constant)]
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        given = [one for name, values in known.items() if name.startswith("PLATFORM") for one in values]
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and READERS.search(ast.unparse(node.func)):
                given += node.args
            elif isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("os.environ"):
                given.append(node.slice)
            elif isinstance(node, ast.Compare) and ast.unparse(node.comparators[0]) == "environ":
                given.append(node.left)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and OURS.fullmatch(node.value):
                given.append(node)
        for one in given:
            values = [one] if isinstance(one, ast.Constant) else known.get(getattr(one, "id", ""), [])
            found |= {each.value for each in values if re.fullmatch(r"\w+_\w+|[A-Z]+|container", str(each.value))}
    return found


VARIABLES = variables()


def test_variables_are_told():
    """Each environment variable that the code reads is told of, and what is told of is read."""
    assert {"GITHUB_TOKEN", "CI_COMMIT_SHA", "LOGHUB_METRICS_TOKEN", "XDG_STATE_HOME"} <= VARIABLES
    assert [one for one in sorted(VARIABLES - NOT_FOR_READERS.keys()) if f"`{one}`" not in EVERYWHERE] == []
    told = {span for _, span in SPANS if re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+", span)}
    assert told - VARIABLES - OF_OTHERS.keys() == set()


@pytest.mark.parametrize("name", sorted(set(loghub.__all__) - {"__version__"}))
def test_public_names_are_told(name):
    """The README or a page names each public name."""
    assert re.search(rf"\bloghub\.{name}\b", EVERYWHERE)


@pytest.mark.parametrize("path", sorted(VERBS))
def test_verbs_are_told(path):
    """Each verb is named, and each of its options in the section about it."""
    section = MANUAL["docs/commands.md"].partition(f"\n## {path}\n")[2].partition("\n## ")[0]
    for one in VERBS[path].params:
        for word in (*one.opts, *one.secondary_opts) if one.param_type_name == "option" else ():
            assert re.search(rf"{word}\b", section) or f"`{word} " in EVERYWHERE, word


def test_commands_exist():
    """Each `loghub ...` within a sentence can be typed: verb and options exist."""
    shown = [(page, span) for page, span in SPANS if re.match(r"loghub( |$)", span)]
    typed = [(page, re.sub(r"\[OPTIONS\]|[\[\]\\#]", "", span)) for page, span in shown]
    assert len(typed) > 50
    wrong = [(page, why) for page, span in typed for words in commands(span) if (why := fault(words))]
    assert wrong == []


def test_options_of_verbs_exist():
    """Each `--option` within a sentence is one of a verb."""
    known = {word for verb in VERBS.values() for one in verb.params for word in one.opts} | {"--help", "--version"}
    told = {(page, span.split()[0].rstrip(",")) for page, span in SPANS if span.startswith("--") and span != "--"}
    assert {(page, word) for page, word in told if word not in known | OF_OTHERS.keys()} == set()


def test_options_of_classes_exist():
    """Each `option: value` within a sentence is an option of a class, of dictConfig, or an argument of a procedure."""
    classes = [one for name in loghub.__all__ if isinstance(one := getattr(loghub, name), type)]
    known = {option for one in classes for option in options_of(one)} | Entry.__annotations__.keys()
    known |= {"class", "level", "filters", "formatter", "propagate", "version"}
    known |= {"disable_existing_loggers", "loghub_skip"}
    for name in procedures.__all__:
        known |= inspect.signature(getattr(procedures, name)).parameters.keys()
    told = {(page, found[1]) for page, span in SPANS if (found := re.match(r"([a-z]\w*): \S", span))}
    assert len(told) > 10
    assert {(page, name) for page, name in told if name not in known} == set()


def test_names_in_sentences_exist():
    """Each `loghub.name` within a sentence exists, and takes the arguments that it is shown with."""
    for page, span in SPANS:
        found = re.fullmatch(r"(loghub(?:\.\w+)+)(\(.*\))?", span)
        if found is None or found[1] in OF_OTHERS:
            continue
        one = pkgutil.resolve_name(found[1])
        takes = inspect.signature(one).parameters if found[2] else {}
        rest = any(each.kind is each.VAR_KEYWORD for each in takes.values()) if found[2] else True
        for name in re.findall(r"(\w+)=", found[2] or ""):
            assert name in takes or rest, (page, span)
