"""A made-up application with as many bugs as are asked for, on disk, twelve frames deep.

    app = bugs.application(folder, 2000)
    bugs.log_each(app, app.bugs, ready)     # every bug once; the nanoseconds of each call
    bugs.log_all(app, app.bugs, ready)      # the same; the seconds of all together

Ten functions call one another and the last one calls a bug: a function of its own that raises an exception in
a line of its own. With the frame that catches it, every traceback has twelve frames, all of them in real
files of usual length, so that source lines are found by whoever shows them.
"""

import importlib.util
import string
from pathlib import Path
from time import perf_counter, perf_counter_ns

FRAMES = 12
_LAYERS = FRAMES - 2  # the frame that catches, and the bug's own
_BUGS_IN_A_FILE = 50


def application(folder, bugs):
    """Write the application with `bugs` bugs into `folder` and import it; its `bugs` are all of them."""
    shop = _module(folder, "shop", _layers())
    names = [f"charge_{_letters(number)}" for number in range(bugs)]
    shop.bugs = []
    for part in range(0, bugs, _BUGS_IN_A_FILE):
        chosen = names[part : part + _BUGS_IN_A_FILE]
        module = _module(folder, f"charges_{_letters(part)}", map(_bug, chosen))
        shop.bugs += [getattr(module, name) for name in chosen]
    _check(shop)
    return shop


def log_each(app, bugs, ready):
    """Log each of `bugs` as the application would; return the nanoseconds of each call of the logger."""
    return [_log(app.layer_1, bug, number, ready.error, ready.message) for number, bug in enumerate(bugs)]


def log_all(app, bugs, ready):
    """Log each of `bugs` as the application would, remember nothing, and return the seconds that it took."""
    started = perf_counter()
    for number, bug in enumerate(bugs):
        _log(app.layer_1, bug, number, ready.error, ready.message)
    return perf_counter() - started


def _log(enter, bug, order, error, message):
    """The frame that catches. Its locals are few and small: some reporters send them all."""
    try:
        enter(bug, order)
    except Exception:
        before = perf_counter_ns()
        error(message, order)
        return perf_counter_ns() - before


def _module(folder, name, source):
    path = Path(folder) / f"{name}.py"
    path.write_text('"""A shop that sells nothing."""\n' + "".join(source), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _layers():
    for layer in range(1, _LAYERS + 1):
        called = f"layer_{layer + 1}(bug, order)" if layer < _LAYERS else "bug(order)"
        yield f"\n\ndef layer_{layer}(bug, order):\n    return {called}\n"


def _bug(name):
    return f'\n\ndef {name}(order):\n    raise ValueError(f"order {{order}} cannot be charged: {name}")\n'


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
