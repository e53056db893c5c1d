"""Programs that fail, made at random: source files to import, whose functions call each other down to what raises.

A program has ``run(n)``, which goes down the same way each time and fails there in its n-th way.
"""

from __future__ import annotations

import importlib.util
import itertools
import sys
import zipfile
import zipimport
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

HEAD = """\
import asyncio, contextlib, functools, linecache, operator
from tests.rendering import hostile

def same(value):
    return value

def loud(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper

@contextlib.contextmanager
def around():
    yield 1

class Thing:
    def __init__(self, function, n):
        self.function, self.n = function, n
    def __getattr__(self, name):
        return self.function(self.n)
    def __getitem__(self, key):
        return self.function(self.n)
    def __add__(self, other):
        return self.function(self.n)
    def __eq__(self, other):
        return self.function(self.n)
    def __hash__(self):
        return self.function(self.n)
    def __call__(self, *args):
        return self.function(self.n)
    @property
    def value(self):
        return self.function(self.n)
    @classmethod
    def make(cls, function, n):
        return function(n)

def send(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value

"""

# Ways to call the next function. `{me}` is this one, `{next}` the next, `{text}` a string, `{name}` an identifier.
HOPS = [
    "def {me}(n):\n    return {next}(n)\n",
    "def {me}(n):\n\treturn  same( 1 )  +\t{next}(n)  # {name}\n",
    "def {me}(n):\n\tif n >= 0:\n\t\treturn [{next}( n )\t, 1 ]\n",
    "def {me}(n):\n  \t  return same(same(1)) + same({next}(n)) + same(2)\n",
    "def {me}(n):\n    {name} = {text}; return {text}, {next}(n), {name}\n",
    "def {me}(n):\n    return {text}.join({text} + {next}(n) + {text})\n",
    "def {me}(n):\n    return (\n        1\n        +\n        {next}(n)\n        + 2\n    )\n",
    "def {me}(n):\n    return same(\n{text}), {next}(\n  n\n\n )\n",
    "def {me}(n):\n    return dict(a={text},\n                b={next}(\n                    n),\n  c=1)\n",
    "def {me}(n):\n    return {text}, \\\n        {next}(n), \\\n  1\n",
    'def {me}(n):\n    return """\n{name}\n""" + {next}(n) + """\n\n"""\n',
    "def {me}(n):\n    return [{name} for {name} in [n] if {next}({name})]\n",
    "def {me}(n):\n    return {{x: {{{next}(y) for y in (x,)}} for x in [n]}}\n",
    "def {me}(n):\n    return list({next}(x) for x in range(n, n + 1))\n",
    "def {me}(n):\n    return sum(\n        same({next}(x))\n        for x in [n]\n    )\n",
    "def {me}(n):\n    return (lambda {name}: {next}({name}))(n)\n",
    "def {me}(n):\n    return sorted([n, n], key=lambda x: (same(x), {next}(x)))\n",
    "def {me}(n):\n    return list(map({next}, [n]))\n",
    "def {me}(n):\n    def steps():\n        yield {text}\n        yield {next}(n)\n    return list(steps())\n",
    "def {me}(n):\n    def inner(): yield {next}(n)\n    def steps(): yield from inner()\n    return [*steps()]\n",
    "async def {me}_later(n):\n    return {text}, {next}(n)\ndef {me}(n):\n    return send({me}_later(n))\n",
    (
        "async def {me}_all(n):\n    yield {next}(n)\n"
        "async def {me}_one(n):\n    return [x async for x in {me}_all(n)]\n"
        "def {me}(n):\n    return send({me}_one(n))\n"
    ),
    "@loud\ndef {me}(n):\n    return {next}(n)\n",
    "@loud\n@functools.lru_cache\ndef {me}(n, *, {name}={text}):\n    return {next}(n)\n",
    "@functools.singledispatch\ndef {me}(n):\n    return {next}(n)\n",
    "def {me}(n):\n    @loud\n    @(lambda f: {next}(n))\n    def decorated(): pass\n    return decorated\n",
    "def {me}(n):\n    class {name}:\n        a = {text}\n        b = {next}(n)\n    return {name}\n",
    "class {name}_{me}:\n    def {name}(self, n): return {next}(n)\ndef {me}(n):\n    return {name}_{me}().{name}(n)\n",
    "def {me}(n):\n    return Thing({next}, n).missing.missing\n",
    "def {me}(n):\n    return Thing({next}, n)[{text}][0]\n",
    "def {me}(n):\n    return same(1), Thing({next}, n)   +   {text}\n",
    "def {me}(n):\n    return ({text} and Thing({next}, n) == {text} or 1)\n",
    "def {me}(n):\n    return {{Thing({next}, n)}}\n",
    "def {me}(n):\n    return Thing({next}, n).value.{name}\n",
    "def {me}(n):\n    return Thing({next}, n)({text}, *[{text}], **{{}})\n",
    "def {me}(n):\n    return Thing.make({next}, n)\n",
    "def {me}(n):\n    with around() as x, around():\n        return {next}(n)\n",
    "def {me}(n):\n    for _ in range(2):\n        {name} = {next}(n); break\n    return {name}\n",
    "def {me}(n):\n    while (y := {next}(n)): pass\n",
    "def {me}(n):\n    return {text} if {next}(n) else {text}\n",
    "def {me}(n):\n    return f'{{same(1)}} {{{next}(n)!r:>{{same(10)}}}}'\n",
    "def {me}(n):\n    return f'''{{same(1)}}\n {{\n{next}(n)}} '''\n",
    "def {me}(n):\n    assert {next}(n), {text}\n",
    "def {me}(n):\n    match {next}(n):\n        case 1: pass\n",
    "def {me}(n):\n    x = [0]\n    x[0] += same(1) * {next}(n)\n",
    "def {me}(n):\n    x, *y = same(1), {next}(n)\n    return x\n",
    "def {me}(n):\n    del [0][{next}(n)]\n",
    "def {me}(n):\n    return functools.reduce(lambda x, y: {next}(n), [1, 2, 3])\n",
    "def {me}(n):\n    return eval({next!r} + '(n)')\n",
    "def {me}(n):\n    exec('def f(n):\\n    return {next}(n)\\nf(n)', globals() | {{'n': n}})\n",
    (
        "def {me}(n):\n    name = '<made of {me} {name}>'\n    text = 'def f(n):\\n  return (1,\\n    {next}(n))\\n'\n"
        "    linecache.cache[name] = (len(text), None, text.splitlines(True), name)\n"
        "    names = {{'{next}': {next}}}\n    exec(compile(text, name, 'exec'), names)\n    return names['f'](n)\n"
    ),
    "def {me}(n):\n    c = compile('{next}(n)', '/nowhere/{name}.py', 'eval')\n    eval(c, globals(), {{'n': n}})\n",
    "def {me}(n):\n    __tracebackhide__ = True\n    {name} = hostile.Unprintable()\n    return {next}(n)\n",
    "def {me}(n):\n\x0c    return {next}(n)\n",
    "def {me}(n):\n    return " + " + ".join(["same(1)"] * 30) + " + {next}(n)\n",
    "def {me}(n, depth={depth}):\n    return {me}(n, depth - 1) + same(1) if depth else {next}(n)\n",
    "def {me}(n, depth={depth}):\n    if depth:\n        {me}(n, depth - 1)\n    {next}(n)\n",
    (
        "def {me}_odd(n, depth):\n    return {me}(n, depth - 1)\ndef {me}(n, depth={depth}):\n"
        "    return {me}_odd(n, depth - 1) if depth > 0 else {next}(n)\n"
    ),
    "def {me}(n, depth={depth}): return [{me}(n, depth - 1) for _ in '1'] if depth else {next}(n)\n",
    "def {me}(n):\n    try:\n        {next}(n)\n    except Exception as e:\n        raise KeyError({text}) from e\n",
    "def {me}(n):\n    try:\n        {next}(n)\n    except Exception:\n        raise ValueError({text}) from None\n",
    "def {me}(n):\n    try:\n        {next}(n)\n    except BaseException:\n        {name}\n",
    "def {me}(n):\n    try:\n        {next}(n)\n    finally:\n        1 // 0\n",
    "def {me}(n):\n    try:\n        {next}(n)\n    except BaseException as e:\n        raise e\n",
    "def {me}(n):\n    try:\n        {next}(n)\n    except BaseException as e:\n        raise e.with_traceback(None)\n",
    (
        "def {me}(n):\n    try:\n        {next}(n)\n    except BaseException as e:\n"
        "        raise TypeError({text}).with_traceback(e.__traceback__) from e\n"
    ),
    "def {me}(n):\n    try:\n        {next}(n)\n    except BaseException as e:\n        e.add_note({text}); raise\n",
    (
        "def {me}(n):\n    try:\n        {next}(n)\n    except BaseException as e:\n"
        "        raise BaseExceptionGroup({text}, [e, OSError(2, {text})])\n"
    ),
    (
        "def {me}(n):\n    errors = []\n    for x in [n, n + 1]:\n        try:\n            {next}(x)\n"
        "        except Exception as e:\n            errors.append(e)\n    raise ExceptionGroup({text}, errors)\n"
    ),
    "def {me}(n):\n    try:\n        {next}(n)\n    except* ValueError as group:\n        raise RuntimeError({text})\n",
    "def {me}(n):\n    with contextlib.ExitStack() as s:\n        s.callback({next}, n)\n        raise KeyError(n)\n",
    "def {me}(n):\n    raise hostile.make({number}) from hostile.caught({next}, n)\n",
    "def {me}(n):\n    try:\n        {next}(n)\n    finally:\n        hostile.fail({number})\n",
]

# What raises at the end. Names are misspelled on purpose.
ENDS = [
    "def {me}(n):\n    return 1 // same(0) + 2\n",
    "def {me}(n):\n    return same([1])[same(7)]\n",
    "def {me}(n):\n    return {{'a': 1}}[{text}]\n",
    "def {me}(n):\n    return int({text} + 'x')\n",
    "def {me}(n):\n    {name} = 1\n    return {name}e + 1\n",
    "def {me}(n):\n    return same.missing\n",
    "def {me}(n):\n    return {text}.uper() + 1\n",
    "def {me}(n):\n    return functools.reduc(1)\n",
    "def {me}(n):\n    from collections import ordereddict\n",
    "def {me}(n):\n    import nothing_of_this_name\n",
    "def {me}(n):\n    return sys.path\n",
    "class C_{me}:\n    {name} = 1\n    def f(self): return {name}\ndef {me}(n):\n    return C_{me}().f()\n",
    "def {me}(n):\n    {name} = {name}_x = 1; del {name}\n    return {name}\n",
    "def {me}(n):\n    compile({text} + '\\n  for x in\\n', '<typed>', 'exec')\n",
    "def {me}(n):\n    compile('if 1:\\nx', {text}.strip('\\0'), 'exec')\n",
    "def {me}(n):\n    compile('f(\\t{name} {name}, 1)', '<typed>', 'exec')\n",
    "def {me}(n):\n    exec('return (')\n",
    "def {me}(n):\n    {text}.encode('ascii'); b'\\xff'.decode(); raise KeyError({text})\n",
    "def {me}(n):\n    open('/nowhere/' + {text}.replace('\\0', ''))\n",
    "def {me}(n):\n    raise SystemExit({text})\n",
    "def {me}(n):\n    raise KeyboardInterrupt\n",
    "def {me}(n):\n    raise StopIteration({text})\n",
    "def {me}(n):\n    raise AssertionError({text},\n        n)\n",
    "def {me}(n):\n    a, b = same((1,))\n",
    "def {me}(n):\n    return same(1)(2)\n",
    "def {me}(n):\n    raise same({text})\n",
    *["def {me}(n):\n    hostile.fail({number})\n"] * 9,
    *["def {me}(n):\n    raise hostile.make({number})\n"] * 9,
    "def {me}(n):\n    return {me}(n)\n",
]
ENDINGS = [
    ("\n", "utf-8", ""),
    ("\r\n", "utf-8", ""),
    ("\n", "utf-8-sig", ""),
    ("\n", "latin-1", "# coding: latin-1\n"),
]

LATIN = ["plain", "größe", "é", "ñandú", "long_" * 12]
NAMES = [*LATIN, "名前", "ﬁne", "𝔵"]  # noqa: RUF001  the parser makes `x` of it
TEXTS = st.one_of(
    st.sampled_from(
        ["", "x", "日本語", "tab\there", "two\nlines", "🎉🎉", "e\u0301e\u0301", "\u200b", "nul\0", "\x85\u2028"]
    ),
    st.text(st.characters(codec="utf-8"), max_size=12),
)
DEPTHS = st.sampled_from([0, 1, 2, 3, 4, 5, 6, 20, 140])
_numbers = itertools.count()

WAYS = ["import", "import", "zip", "exec"]


@dataclass
class Program:
    """A source file, and where it is to be loaded from."""

    source: str
    ways: int
    ending: tuple[str, str, str]
    way: str  # "import", "zip" or "exec"

    def data(self):
        """Return the bytes of the file."""
        end, encoding, head = self.ending
        return (head + self.source).replace("\n", end).encode(encoding, "backslashreplace")

    def load(self, folder):
        """Write the file, and return the ``run`` of a new module that is made of it."""
        name = f"program_{next(_numbers)}"
        self.path = Path(folder) / f"{name}.{'zip' if self.way == 'zip' else 'py'}"
        if self.way == "zip":
            with zipfile.ZipFile(self.path, "w") as archive:
                archive.writestr(f"{name}.py", self.data())
        else:
            self.path.write_bytes(self.data())
        self.loaded = self.path.read_bytes()
        return self._names(name)["run"]

    def _names(self, name):
        if self.way == "exec":  # no loader knows the source
            names = {"__name__": name}
            exec(compile(self.loaded, self.path, "exec"), names)
            return names
        if self.way == "zip":
            spec = zipimport.zipimporter(str(self.path)).find_spec(name)
        else:
            spec = importlib.util.spec_from_file_location(name, self.path)
        module = importlib.util.module_from_spec(spec)
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        try:
            spec.loader.exec_module(module)
        finally:
            sys.dont_write_bytecode = before
        return vars(module)


def quoted(text, raw):
    """Return a string literal: with the characters themselves, where `raw` and they can stand there."""
    return f"'{text}'" if raw and not set(text) & set("'\\\n\r\0") else repr(text)


@st.composite
def programs(draw):
    """Return a program of some hops and some ends."""
    ending = draw(st.sampled_from(ENDINGS))
    hops = draw(st.lists(st.sampled_from(HOPS), max_size=6, unique=True))
    ends = draw(st.lists(st.sampled_from(ENDS), min_size=3, max_size=6))
    names = LATIN if ending[1] == "latin-1" else NAMES
    parts = [HEAD]
    for index, template in enumerate([*hops, *ends]):
        parts.append(
            template.format(
                me=f"f{index}",
                next=f"f{index + 1}" if index + 1 < len(hops) else "end",
                name=draw(st.sampled_from(names)),
                text=quoted(draw(TEXTS), draw(st.booleans())),
                depth=draw(DEPTHS),
                number=draw(st.integers(0, 20_000)),
            )
        )
    listed = ", ".join(f"f{len(hops) + index}" for index in range(len(ends)))
    parts.append(f"def end(n):\n    return [{listed}][n % {len(ends)}](n)\n")
    parts.append(f"def run(n):\n    {'f0' if hops else 'end'}(n)\n    raise RuntimeError('nothing was raised')\n")
    return Program("".join(parts), len(ends), ending, draw(st.sampled_from(WAYS)))
