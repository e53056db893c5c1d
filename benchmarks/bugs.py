"""A made-up application with as many bugs as are asked for, on disk, twelve frames deep.

    app = bugs.application(folder, 2000)
    bugs.log_each(app, app.bugs, ready)     # every bug once; the nanoseconds of each call
    bugs.log_all(app, app.bugs, ready)      # the same; the seconds of all together

Ten functions call one another and the last one calls a bug: a function of its own that raises an exception in
a line of its own. With the frame that catches it, every traceback has twelve frames, all of them in real
files, so that source lines are found by whoever shows them.
"""

import importlib.util
import string
from pathlib import Path
from time import perf_counter, perf_counter_ns

FRAMES = 12
_LAYERS = FRAMES - 2  # the frame that catches, and the bug's own


def application(folder, bugs):
    """Write the application with `bugs` bugs into `folder` and import it; its `bugs` are all of them."""
    path = Path(folder) / "shop.py"
    path.write_text("".join(_source(bugs)), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("shop", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    _check(module)
    return module


def log_each(app, bugs, ready):
    """Log each of `bugs` as the application would; return the nanoseconds of each call of the logger."""
    enter, error, message = app.layer_1, ready.error, ready.message
    took = []
    for number, bug in enumerate(bugs):
        try:
            enter(bug, number)
        except Exception:
            before = perf_counter_ns()
            error(message, number)
            took.append(perf_counter_ns() - before)
    return took


def log_all(app, bugs, ready):
    """Log each of `bugs` as the application would, remember nothing, and return the seconds that it took."""
    enter, error, message = app.layer_1, ready.error, ready.message
    started = perf_counter()
    for number, bug in enumerate(bugs):
        try:
            enter(bug, number)
        except Exception:
            error(message, number)
    return perf_counter() - started


def _source(bugs):
    yield '"""A shop that sells nothing."""\n'
    for layer in range(1, _LAYERS + 1):
        called = f"layer_{layer + 1}(bug, order)" if layer < _LAYERS else "bug(order)"
        yield f"\n\ndef layer_{layer}(bug, order):\n    return {called}\n"
    names = [f"charge_{_letters(number)}" for number in range(bugs)]
    for name in names:
        yield f'\n\ndef {name}(order):\n    raise ValueError(f"order {{order}} cannot be charged: {name}")\n'
    yield f"\n\nbugs = [{', '.join(names)}]\n"


def _letters(number):
    """Return `number` as four letters: digits in names may be taken for what changes from run to run."""
    letters = ""
    for _ in range(4):
        number, rest = divmod(number, 26)
        letters = string.ascii_lowercase[rest] + letters
    return letters


def _check(app):
    try:
        app.layer_1(app.bugs[0], 0)
    except ValueError as error:
        frames, step = 0, error.__traceback__
        while step is not None:
            frames, step = frames + 1, step.tb_next
        assert frames == FRAMES, frames
