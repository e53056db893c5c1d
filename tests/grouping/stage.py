"""The stage on which programs of the grouping set fail: sources under invented paths, and the event that loghub makes.

Sources never touch the disk: a finder serves them from a dict, compiled under the paths of a deployment that does not
exist (a release folder, a container, Windows). So the frames of CPython, of the installed libraries and of the
program are real, while the paths can be anything.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import functools
import hashlib
import importlib
import importlib.abc
import importlib.util
import json
import linecache
import logging
import logging.handlers
import ntpath
import os
import queue
import re
import sys
import sysconfig
import tempfile
import threading
import traceback
import warnings
from typing import TYPE_CHECKING, Any

from loghub.filters import EventFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PYTHONS = ("3.11", "3.12", "3.13")
DROPPED = (
    "id",
    "fingerprint",
    "timestamp",
    "process",
    "thread",
    "task",
    "system",
    "server",
    "breadcrumbs",
    "environment",
)
"""Keys that no grouping may look at, or that differ from run to run."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where a deployment has its code; ``{v}`` is the Python, ``{n}`` the same without the dot."""

    app: str
    stdlib: str
    site: str

    @property
    def windows(self) -> bool:
        """Whether paths have backslashes."""
        return "\\" in self.app


LAYOUTS = {
    "release": Layout(
        "/srv/shop/releases/20261101093000/", "/usr/lib/python{v}/", "/srv/shop/venv/lib/python{v}/site-packages/"
    ),
    "container": Layout("/app/", "/usr/local/lib/python{v}/", "/usr/local/lib/python{v}/site-packages/"),
    "windows": Layout(
        "C:\\inetpub\\shop\\", "C:\\Program Files\\Python{n}\\Lib\\", "C:\\inetpub\\shop\\venv\\Lib\\site-packages\\"
    ),
    "src": Layout(
        "/home/deploy/shop/src/",
        "/opt/python/{v}/lib/python{v}/",
        "/home/deploy/shop/.venv/lib/python{v}/site-packages/",
    ),
    "later release": Layout(
        "/srv/shop/releases/20261124181530/", "/usr/lib/python{v}/", "/srv/shop/venv/lib/python{v}/site-packages/"
    ),
    "temp build": Layout(
        "/tmp/tmpk3v9x_2a/build/", "/usr/lib64/python{v}/", "/tmp/tmpk3v9x_2a/env/lib/python{v}/site-packages/"
    ),
    "lambda": Layout("/var/task/", "/var/lang/lib/python{v}/", "/opt/python/lib/python{v}/site-packages/"),
    "windows agent": Layout(
        "D:\\a\\12\\s\\src\\",
        "C:\\hostedtoolcache\\windows\\Python\\{v}.4\\x64\\Lib\\",
        "C:\\hostedtoolcache\\windows\\Python\\{v}.4\\x64\\Lib\\site-packages\\",
    ),
    "installed": Layout(
        "/opt/shop/lib/python{v}/site-packages/", "/usr/lib/python{v}/", "/opt/shop/lib/python{v}/site-packages/"
    ),
}


@dataclasses.dataclass(frozen=True)
class Case:
    """One event to be made.

    Attributes:
        bug: The label: cases with the same one are the same bug.
        what: What varies, in words.
        sources: Module name -> source; a name that begins with ``lib:`` is installed among the libraries.
        call: ``module:function`` that fails, or logs.
        args: What it is called with.
        python: The interpreter.
        layout: Name of a deployment.
        shift: So many lines of comments come before each function and class.
        edits: Replacements in the sources.
        via: What calls it: ``direct``, ``thread``, ``executor``, ``asyncio``, ``flask``, ``django``, ``celery``.
        style: How the error travels: ``live``, ``queue``, ``queue elsewhere`` (no source at hand), ``stderr``,
            ``text only``, ``in message``, ``in argument``.
        message: What is logged with it.
        logger: The logger of the caller.
        in_app: Modules that an EventFilter names as the application's.
        main: Whether the module was started as a script.
    """

    bug: str
    what: str
    sources: dict[str, str]
    call: str
    args: tuple[Any, ...] = ()
    python: str = "3.11"
    layout: str = "release"
    shift: int = 0
    edits: tuple[tuple[str, str], ...] = ()
    via: str = "direct"
    style: str = "live"
    message: str = "request failed"
    logger: str = "shop"
    in_app: tuple[str, ...] = ()
    main: bool = False


class _Sources(importlib.abc.MetaPathFinder):
    def __init__(self, case: Case) -> None:
        self.files: dict[str, tuple[str, str]] = {}
        layout = LAYOUTS[case.layout]
        names = [name.removeprefix("lib:") for name in case.sources]
        packages = {name.rpartition(".")[0] for name in names}
        for key, source in case.sources.items():
            name = key.removeprefix("lib:")
            path = name.replace(".", "/") + ("/__init__.py" if name in packages else ".py")
            root = layout.site if key != name else layout.app
            path = path.replace("/", "\\") if layout.windows else path
            self.files[name] = (_fill(root) + path, source if key != name else _edited(source, case))
        for package in packages - set(names) - {""}:
            self.files[package] = (_fill(layout.app) + package.replace(".", "/") + "/__init__.py", "")

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in self.files:
            return None
        loader = _Loader(*self.files[name])
        is_package = any(other.startswith(name + ".") for other in self.files)
        return importlib.util.spec_from_loader(name, loader, is_package=is_package)


class _Loader(importlib.abc.SourceLoader):
    """Python's own loader does the work, so that no frame of ours stands in a traceback of an import."""

    def __init__(self, path: str, source: str) -> None:
        self.path, self.source = path, source

    def get_filename(self, name: str) -> str:
        return self.path

    def get_data(self, path: str) -> bytes:
        if path != self.path:
            raise OSError(path)
        return self.source.encode()

    def get_source(self, name: str) -> str:
        return self.source


def _edited(source: str, case: Case) -> str:
    for old, new in case.edits:
        source = source.replace(old, new)
    if not case.shift:
        return source
    filler = "".join(f"# Line {number} of what was added here since.\n" for number in range(case.shift))
    return filler + re.sub(r"^(?=(?:@|def |class |async def ))", filler, source, flags=re.MULTILINE)


def _fill(path: str) -> str:
    major, minor = sys.version_info[:2]
    return path.replace("{v}", f"{major}.{minor}").replace("{n}", f"{major}{minor}")


class _Catcher(logging.Handler):
    """Has loghub make an event of each record, as its own handlers do."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.case = case
        self.events: list[dict[str, Any]] = []
        self.capture = EventFilter(
            release=f"2026.11.{list(LAYOUTS).index(case.layout)}",
            include_system_info=False,
            in_app=case.in_app,
            component=None,
        ).capture

    def emit(self, record: logging.LogRecord) -> None:
        record = _travelled(record, self.case)
        sighting = self.capture.sight(record)
        if sighting.kind is not None:
            self.events.append(dict(self.capture.keep(sighting, record)))


def _travelled(record: logging.LogRecord, case: Case) -> logging.LogRecord:
    """Return the record as it arrives where loghub is."""
    if case.style.startswith("queue"):
        record = logging.handlers.QueueHandler(queue.Queue()).prepare(record)
    elif case.style in ("stderr", "text only", "in message", "in argument"):
        assert record.exc_info
        text = "".join(traceback.format_exception(*record.exc_info))
        record = logging.LogRecord(record.name, logging.ERROR, "watch.py", 10, text, (), None, "watch")
        if case.style == "stderr":
            record.name, record.msg = "loghub.process", f"2026-11-20 07:01:13,001 starting worker 17\n{text}"
        elif case.style == "in message":
            record.msg = f"{case.message}\n{text}"
        elif case.style == "in argument":
            record.msg, record.args = case.message + ": %s", (text,)
    if case.style in ("queue elsewhere", "stderr", "text only"):
        linecache.cache.clear()
    return record


def play(case: Case, number: int) -> dict[str, Any]:
    """Let `case` fail, and return its event.

    Args:
        case: What to run.
        number: Its place in the set; what stands for the addresses of objects follows from it.

    Raises:
        LookupError: Nothing failed.
    """
    if LAYOUTS[case.layout].windows:
        # What logging and loghub find in a path there; ntpath takes both kinds of separators.
        os.path.basename, os.path.dirname = ntpath.basename, ntpath.dirname
    finder = _Sources(case)
    sys.meta_path.insert(0, finder)
    catcher = _Catcher(case)
    root = logging.getLogger()
    root.handlers[:] = [catcher]
    module_name, _, function_name = case.call.partition(":")
    import_error, function = None, None
    before = threading.excepthook
    threading.excepthook = lambda args: _say(case, args.exc_value, "thread")
    try:
        try:
            module = importlib.import_module(module_name)
            function = functools.reduce(getattr, function_name.split("."), module)
        except Exception as error:  # the program fails while it is imported
            import_error = error
        if import_error is not None:
            _say(case, import_error, "uncaught", skip=1)
        else:
            if case.main:
                module.__name__ = "__main__"
            _CALLERS[case.via](case, functools.partial(function, *case.args))
    finally:
        threading.excepthook = before
        sys.meta_path.remove(finder)
    if not catcher.events:
        raise LookupError(f"nothing was logged by {case.bug}: {case.what}")
    return _presentable(catcher.events[-1], case, number)


def _say(case: Case, error: BaseException, mechanism: str = "", skip: int = 0) -> None:
    """Log what came out of a program; the first `skip` frames are the stage's own."""
    tb = error.__traceback__
    for _ in range(skip):
        tb = tb.tb_next if tb is not None else None
    info = (type(error), error, tb)
    if mechanism:
        said = {"_loghub_mechanism": mechanism, "_loghub_program": "shop"}
        text = "Uncaught exception" if mechanism == "uncaught" else "Uncaught exception in thread Thread-4 (run)"
        logging.getLogger("loghub.uncaught").critical("%s", text, exc_info=info, extra=said)
    else:
        logging.getLogger(case.logger).error(case.message, exc_info=info)


def _direct(case: Case, function: Callable[[], Any]) -> None:
    try:
        function()
    except Exception as error:
        _say(case, error, skip=1)


def _in_thread(case: Case, function: Callable[[], Any]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def _in_executor(case: Case, function: Callable[[], Any]) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        error = pool.submit(function).exception()
    if error is not None:
        _say(case, error)


def _in_loop(case: Case, function: Callable[[], Any]) -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon(function)
        await asyncio.sleep(0)

    if asyncio.iscoroutinefunction(function.func):  # type: ignore[attr-defined]
        try:
            asyncio.run(function())
        except Exception as error:
            _say(case, error, skip=1)
    else:
        asyncio.run(main())


def _in_flask(case: Case, function: Callable[[], Any]) -> None:
    import flask

    app = flask.Flask("shop")
    app.logger.handlers[:] = []
    app.logger.propagate = True
    app.add_url_rule("/", "view", function)
    app.test_client().get("/")


def _in_fake(module: str, case: Case, function: Callable[[], Any]) -> None:
    finder = _Sources(dataclasses.replace(case, sources=FRAMEWORKS))
    sys.meta_path.insert(0, finder)
    try:
        importlib.import_module(module).serve(function)
    finally:
        sys.meta_path.remove(finder)


FRAMEWORKS = {
    "lib:django": "",
    "lib:django.core": "",
    "lib:django.core.handlers": "",
    "lib:django.core.handlers.exception": """\
import functools
import logging

logger = logging.getLogger("django.request")

def convert_exception_to_response(get_response):
    @functools.wraps(get_response)
    def inner(request):
        try:
            response = get_response(request)
        except Exception:
            logger.error("%s: %s", "Internal Server Error", "/orders/17/", exc_info=True)
            response = None
        return response
    return inner
""",
    "lib:django.core.handlers.base": """\
from django.core.handlers.exception import convert_exception_to_response

class BaseHandler:
    def __init__(self, view):
        self._view = view

    def _get_response(self, request):
        wrapped_callback = self._view
        response = wrapped_callback()
        return response

def serve(view):
    handler = BaseHandler(view)
    convert_exception_to_response(handler._get_response)("request")
""",
    "lib:celery": "",
    "lib:celery.app": "",
    "lib:celery.app.trace": """\
import logging

logger = logging.getLogger("celery.app.trace")

def trace_task(uuid, fun):
    try:
        R = fun()
    except Exception as exc:
        logger.error("Task %s[%s] raised unexpected: %r", "shop.tasks.run", uuid, exc, exc_info=True)

def serve(fun):
    trace_task("6b1f7f7e-40a5-4d5e-8a4b-8f1f0f4f8f11", fun)
""",
}

_CALLERS: dict[str, Callable[[Case, Any], None]] = {
    "direct": _direct,
    "thread": _in_thread,
    "executor": _in_executor,
    "asyncio": _in_loop,
    "flask": _in_flask,
    "django": functools.partial(_in_fake, "django.core.handlers.base"),
    "celery": functools.partial(_in_fake, "celery.app.trace"),
}


# From this machine to the invented one --------------------------------------------------------------------------

_ADDRESS = re.compile(r"0x[0-9a-f]{9,16}\b")
_SITE = next((path for path in sys.path if path.endswith("site-packages") and os.path.isdir(path + "/requests")), "")


def _presentable(event: dict[str, Any], case: Case, number: int) -> dict[str, Any]:
    for key in DROPPED:
        event.pop(key, None)
    if case.style == "text only":  # as report_error(traceback_str=...) gives it
        event = {key: event[key] for key in ("error_type", "error_message", "traceback", "platform", "component")}
    elif event.get("frames") or not event.get("traceback"):
        event.pop("traceback", None)
    if not event.get("additional_info"):
        event.pop("additional_info", None)
    seen: dict[str, str] = {}
    return json.loads(json.dumps(event, default=repr), object_hook=lambda one: _moved(one, case, number, seen))


def _moved(one: dict[str, Any], case: Case, number: int, seen: dict[str, str]) -> dict[str, Any]:
    def text(value: Any) -> Any:
        if isinstance(value, list):
            return [text(part) for part in value]
        return _renamed(value, case, number, seen) if isinstance(value, str) else value

    return {key: text(value) for key, value in one.items()}


def _renamed(value: str, case: Case, number: int, seen: dict[str, str]) -> str:
    layout = LAYOUTS[case.layout]
    for real, root in ((_SITE, layout.site), (sysconfig.get_path("stdlib"), layout.stdlib)):
        if real:
            value = re.sub(
                re.escape(os.path.join(real, "")) + r"([^\s\"',:)]*)",
                lambda found, root=root: _fill(root) + (found[1].replace("/", "\\") if layout.windows else found[1]),
                value,
            )
    if layout.windows:  # a SyntaxError says the base name of its file, which is C's business
        value = re.sub(r"\((?:[A-Z]:\\[^()]*\\)([\w]+\.py), line", r"(\1, line", value)
    value = re.sub(r"timed out after [\d.]+", f"timed out after 0.00{number}", value)
    value = value.replace(tempfile.gettempdir() + "/grouping-", "/tmp/job-")

    def address(found: re.Match[str]) -> str:
        mark = hashlib.sha256(f"{number} {len(seen)}".encode()).hexdigest()[:10]
        return seen.setdefault(found[0], f"0x7f{mark}")

    return _ADDRESS.sub(address, value)


def events(cases: list[tuple[int, Case]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the event of each case, each made in a process of its own: no case sees what another has left."""
    for number, case in cases:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            with contextlib.suppress(OSError):
                os.close(reader)
            _in_child(case, number, writer)
        os.close(writer)
        with open(reader, encoding="utf-8") as pipe:
            text = pipe.read()
        os.waitpid(child, 0)
        answer = json.loads(text) if text else {"failed": "the process died"}
        if "failed" in answer:
            raise RuntimeError(f"{case.bug}: {case.what}: {answer['failed']}")
        yield number, answer


def _in_child(case: Case, number: int, writer: int) -> None:
    answer: dict[str, Any]
    try:
        logging.raiseExceptions = True
        warnings.simplefilter("default")
        answer = play(case, number)
    except BaseException:
        answer = {"failed": traceback.format_exc()}
    with open(writer, "w", encoding="utf-8") as pipe:
        json.dump(answer, pipe)
    os._exit(0)
