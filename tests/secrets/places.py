"""Application code that logs with a secret at one of the places where errors carry texts."""

from __future__ import annotations

import asyncio
import contextlib
import linecache
import logging
import subprocess
import sys
import threading

from loghub import request
from loghub.handlers.breadcrumb import BreadcrumbHandler

HERE = "shop.secrets"


def log():
    """Return the application's logger."""
    return logging.getLogger(HERE)


def _failed(error, message="charge failed", **how):
    """Log what an except block logs."""
    try:
        raise error
    except BaseException:
        log().exception(message, **how)


def _chained(outer, inner, *, cause):
    try:
        try:
            raise inner
        except Exception as error:
            if cause:
                raise outer from error
            raise outer  # noqa: B904 - without a cause is what this is about
    except Exception:
        log().exception("charge failed")


def _noted(text):
    error = ValueError("no such order")
    error.add_note(text)
    _failed(error)


def _local(text):
    detail = {"row": [text]}
    answer = text
    _failed(ValueError(f"{len(detail)} {len(answer) > 0}"))


MADE = "/srv/shop/made.py"


def _run(source, file=MADE):
    """Run a program that fails in `file`."""
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    try:
        exec(compile(source, file, "exec"), {"__name__": "shop.made"})
    except Exception:
        log().exception("charge failed")
    finally:
        linecache.cache.pop(file, None)


def _in_code(text):
    _run(f"def f(a):\n    raise ValueError(len(a))\nf({text!r})\n")


def _in_path(text):
    _run("def f():\n    raise ValueError(1)\nf()\n", f"/srv/shop/{text}")


def _syntax(text):
    error = SyntaxError("invalid syntax", ("/srv/shop/made.py", 1, 1, f"run({text!r}) $\n"))
    _failed(error)


def _in_thread(text):
    thread = threading.Thread(target=lambda: _failed(ValueError("no")), name=text)
    thread.start()
    thread.join()


def _in_task(text):
    async def main():
        with contextlib.suppress(Exception):
            await asyncio.create_task(work(), name=text)

    async def work():
        _failed(ValueError("no"))

    asyncio.run(main())


def _in_argv(text):
    before, sys.argv = sys.argv, ["shop", *text.split()]
    try:
        _failed(ValueError("no"))
    finally:
        sys.argv = before


def _deep(text):
    _failed(ExceptionGroup("two failed", [ValueError("a"), ExceptionGroup("inner", [KeyError(text)])]))


def _exception_with_repr(text):
    class Refused(Exception):
        def __init__(self, url):
            super().__init__(url)
            self.url = url

        def __str__(self):
            return f"refused: {self.url}"

    _failed(Refused(text))


def _stack(text):
    _run(
        f"import logging\ndef f(a):\n    logging.getLogger({HERE!r}).error('no', stack_info=True)\nf({text!r})\n",
    )  # fmt: skip


def _value_in_local(name, secret):
    _run(
        f"def f(holder):\n    {name.replace('-', '_')} = holder[0]\n    raise ValueError(1)\nf(HOLDER)\n".replace(
            "f(HOLDER)", "import loghub_test_holder as h; f(h.held)"
        ),
    )  # fmt: skip


def _after(text):
    handler = BreadcrumbHandler()
    log().addHandler(handler)
    try:
        log().warning("asking with %s", text, extra={"detail": text})
        log().warning(["asking", text])
        log().error("charge failed")
    finally:
        log().removeHandler(handler)
        handler.close()


def _in_request(text):
    token = request.current.set(request.Request(request.of(text, f"/a/{text}", f"next={text}&{text}", text, text)))
    try:
        log().error("charge failed")
    finally:
        request.current.reset(token)


# How a secret in its text comes to each place.
TEXT_PLACES = {
    "message": lambda text: log().error(text.replace("%", "%%"), *()) if "%" not in text else log().error("%s", text),
    "argument": lambda text: log().error("charge failed: %s", text),
    "named argument": lambda text: log().error("charge failed: %(what)s", {"what": text}),
    "argument in a list": lambda text: log().error("charge failed: %s", [text, 1]),
    "extra": lambda text: log().error("charge failed", extra={"detail": text}),
    "nested extra": lambda text: log().error("charge failed", extra={"a": {"b": [{"c": (text,)}]}}),
    "key of extra": lambda text: log().error("charge failed", extra={"seen": {text: 1}}),
    "bytes in extra": lambda text: log().error("charge failed", extra={"body": text.encode()}),
    "url in extra": lambda text: log().error("charge failed", extra={"url": f"https://shop.example/x?next={text}"}),
    "exception message": lambda text: _failed(ValueError(text)),
    "exception arguments": lambda text: _failed(ValueError("refused", 17, text)),
    "KeyError": lambda text: _failed(KeyError(text)),
    "OSError": lambda text: _failed(OSError(2, "No such file", text)),
    "own exception": _exception_with_repr,
    "cause": lambda text: _chained(RuntimeError("outer"), ValueError(text), cause=True),
    "context": lambda text: _chained(RuntimeError("outer"), ValueError(text), cause=False),
    "member of a group": _deep,
    "message of a group": lambda text: _failed(ExceptionGroup(text, [ValueError("a")])),
    "note": _noted,
    "local variable": _local,
    "literal in code": _in_code,
    "stack_info": _stack,
    "line of a SyntaxError": _syntax,
    "path of a frame": _in_path,
    "thread": _in_thread,
    "task": _in_task,
    "command line": _in_argv,
    "CalledProcessError": lambda text: _failed(subprocess.CalledProcessError(2, text, output=text, stderr=text)),
    "command as a list": lambda text: _failed(subprocess.CalledProcessError(2, ["sh", "-c", text])),
    "logger": lambda text: logging.getLogger(f"{HERE}.{text}").error("charge failed"),
    "component of a record": lambda text: log().error("charge failed", extra={"component": text}),
    "fingerprint of a record": lambda text: log().error("charge failed", extra={"fingerprint": text}),
    "traceback as text": lambda text: log().error(
        'Traceback (most recent call last):\n  File "/srv/shop/a.py", line 3, in f\n    g()\nValueError: ' + text
    ),
    "record before it": _after,
    "request": _in_request,
    "breadcrumbs": lambda text: log().error("charge failed", extra={"breadcrumbs": [{"message": text}]}),
}  # fmt: skip

# The same for commands, as lists of their arguments.
COMMAND_PLACES = {
    "list in extra": lambda command: log().error("no", extra={"cmd": command}),
    "tuple in extra": lambda command: log().error("no", extra={"cmd": tuple(command)}),
    "list as an argument": lambda command: log().error("%s failed", command),
    "CalledProcessError": lambda command: _failed(subprocess.CalledProcessError(2, command)),
    "TimeoutExpired": lambda command: _failed(subprocess.TimeoutExpired(command, 3.0)),
    "repr in a local": lambda command: _local(repr(command)),
    "list in a local": _local,
}

# Places where the value itself stands, and a name beside it.
VALUE_PLACES = {
    "value under its name": lambda name, secret: log().error("no", extra={"headers": {name: secret}}),
    "value under its name, deep": lambda name, secret: log().error("no", extra={"a": [{name.upper(): [secret]}]}),
    "value as a pair": lambda name, secret: log().error("no", extra={"headers": [(name, secret)]}),
    "extra of its name": lambda name, secret: log().error("no", extra={name.replace("-", "_"): secret}),
    "argument beside its name": lambda name, secret: log().error(f"{name}=%s", secret),
    "named argument of its name": lambda name, secret: log().error("%(left)d left", {"left": 1, name: secret}),
    "local of its name": _value_in_local,
    "keyword in code": lambda name, secret: _run(
        f"def f(**a):\n    raise ValueError(len(a))\nf({name.replace('-', '_')}={secret!r})\n"
    ),
}  # fmt: skip
