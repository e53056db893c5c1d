"""Exceptions that make it hard for whoever renders them: `make(number)` gives one, `fail(number)` raises one."""

from __future__ import annotations

FACTORIES = []


def factory(function):
    """Add a function that makes exceptions from a number, which chooses among their kinds."""
    FACTORIES.append(function)
    return function


def make(number):
    """Return the exception of this number."""
    return FACTORIES[number % len(FACTORIES)](number // len(FACTORIES))


def fail(number):
    """Raise the exception of this number."""
    raise make(number)


def caught(function, *args):
    """Return the exception that a call raises."""
    try:
        function(*args)
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def one_of(values, number):
    """Return one of `values`."""
    return values[number % len(values)]


def several(number, *lists):
    """Return one value of each list; each number is another combination."""
    for values in lists:
        yield values[number % len(values)]
        number //= len(values)


class Unprintable:
    """Has neither text nor attributes."""

    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__

    def __dir__(self):
        raise RuntimeError("no names")


class Loud(str):
    """A text that is formatted as another."""

    __slots__ = ()

    def __format__(self, spec):
        return "formatted"

    def __str__(self):
        return self

    def __bool__(self):
        return False


class NoSequence(list):
    """A list that cannot be walked."""

    def __iter__(self):
        raise ValueError("no walk")


class TextError(Exception):
    """Has a text of its own making."""

    def __str__(self):
        said = self.args[0]
        if isinstance(said, type):
            raise said("no text")
        return said


class Endless(Exception):
    """Has a text that ends in a recursion."""

    def __str__(self):
        return str(self)


class Falsy(Exception):
    """Is not true."""

    def __bool__(self):
        return False


class Empty(Exception):
    """Has no length."""

    def __len__(self):
        return 0


class FalsyGroup(ExceptionGroup):
    """Is a group and not true."""

    def __bool__(self):
        return False


class Alike(Exception):
    """Equals everything and has no hash."""

    def __eq__(self, other):
        return True

    __hash__ = None


class NotesProperty(Exception):
    """Raises when asked for notes."""

    @property
    def __notes__(self):
        raise self.args[0]


class CauseProperty(Exception):
    """Says itself what it was caused by."""

    __cause__ = property(lambda self: ValueError("by property"))
    __suppress_context__ = property(lambda self: False)


class ContextProperty(Exception):
    """Hides its context."""

    __context__ = property(lambda self: None)
    __traceback__ = property(lambda self: None)


class Liar(Exception):
    """Says that it is another class."""

    __class__ = property(lambda self: SyntaxError)


class Members(ExceptionGroup):
    """A group that shows other members."""

    exceptions = property(lambda self: (KeyError("other"), KeyError("more")))


class OddType(type):
    """A class that equals all of its kind."""

    def __eq__(cls, other):
        return isinstance(other, OddType)

    def __hash__(cls):
        return 7


class FirstOdd(Exception, metaclass=OddType):
    """One that equals the other."""


class SecondOdd(Exception, metaclass=OddType):
    """The other."""


class NoHash(type):
    """A class that is in no dict."""

    __hash__ = None


class Hashless(Exception, metaclass=NoHash):
    """Has a class without hash."""


class Renamed(Exception):
    """Is now in this module, now in that."""


class OwnSyntaxError(SyntaxError):
    """A subclass."""

    print_file_and_line = None


class NameProperty(AttributeError):
    """Raises when asked for the name that is missing."""

    @property
    def name(self):
        raise RuntimeError("no name")


@factory
def text(number):
    """Texts that fail, are no text, or are formatted otherwise."""
    said = [
        RuntimeError,
        KeyboardInterrupt,
        SystemExit,
        MemoryError,
        GeneratorExit,
        None,
        5,
        b"x",
        "",
        Loud(),
        Loud("x"),
    ]
    return TextError(one_of([*said, "two\nlines\n", "\n", "\0\x1b[31m", "\udc80"], number))


@factory
def arguments(number):
    """Arguments without a text."""
    kinds = [
        ValueError,
        KeyError,
        OSError,
        StopIteration,
        SystemExit,
        AssertionError,
        ImportError,
        NameError,
        Exception,
    ]
    kind, args = several(number, kinds, [(), (Unprintable(),), (1, 2), ("a\nb",), (None,), ((),), ("",), (Loud("x"),)])
    return kind(*args)


@factory
def endless(number):
    """A text that ends in a recursion."""
    return Endless("x")


@factory
def names_of_classes(number):
    """Classes with odd modules and names, each time another class."""
    modules = [None, 5, "", "__main__", "builtins", "a.b", "größe", Loud("builtins"), ("a",), b"x"]
    module, name = several(number, modules, ["X", "", "a.<locals>.b", "two\nlines", "名前", Loud("x")])
    kind = type("X", (one_of([Exception, KeyError, SyntaxError, NameError], number // 7),), {"__module__": module})
    kind.__qualname__ = name
    return kind("text")


@factory
def renamed(number):
    """One class whose name changes."""
    Renamed.__module__ = one_of(["here", "__main__", None, "there"], number)
    Renamed.__qualname__ = one_of(["Renamed", "Outer.Renamed"], number // 4)
    return Renamed("text")


@factory
def odd_types(number):
    """Classes that are taken for each other, or cannot be looked up."""
    return one_of([FirstOdd, SecondOdd, Hashless, Alike, Liar], number)("text")


@factory
def falsy(number):
    """Exceptions that are not true, with a cause or a context."""
    error = one_of([lambda: Falsy("x"), lambda: Empty("x"), lambda: FalsyGroup("x", [KeyError(1)])], number)()
    cause, context = ValueError("before"), caught(fail_plainly, "earlier")
    error.__cause__ = one_of([None, cause, caught(raise_from, error, cause)], number // 3)
    error.__context__ = one_of([context, None], number // 9)
    return one_of([error, caught(raise_from, KeyError("outer"), error)], number // 18)


@factory
def properties(number):
    """Exceptions whose cause, context or traceback is made up."""
    error = one_of([CauseProperty, ContextProperty], number)("text")
    return one_of([error, caught(raise_from, KeyError("outer"), error)], number // 2)


@factory
def notes(number):
    """Notes of every kind."""
    values = [
        None, (), [], "abc", "", b"xy", 5, 2.5, {}, {"a": 1}, ["a\nb", ""], ("日本語", "x\n"), [1, None, b"x"],
        [Unprintable(), "after"], Unprintable(), Loud("x"), [Loud("x")], NoSequence("ab"), range(3), iter("ab"), object,
        [["nested"]], bytearray(b"ab"),
    ]  # fmt: skip
    kinds = [ValueError, lambda said: ExceptionGroup(said, [TypeError(1)]), SyntaxError, Falsy]
    value, kind = several(number, values, kinds)
    error = kind("text")
    error.__notes__ = value
    return error


@factory
def notes_that_raise(number):
    """Notes that raise when asked for."""
    return NotesProperty(
        one_of([ValueError("no notes"), AttributeError("x"), KeyboardInterrupt(), Unprintable()], number)
    )


@factory
def syntax(number):
    """Syntax errors with odd places."""
    kind, filename, line, offset, said = several(
        number,
        [SyntaxError, IndentationError, TabError, OwnSyntaxError],
        [None, "", "<typed>", "a\nb.py", __file__],
        [None, 1, 0, -1, 3, 10**9],
        [None, 1, 0, -1, 3, 4, 100],
        [None, "", "\n", "x = = 1\n", "\t x y", "日本語 = = 1\n", "  \f  x y\n", "two\nlines\n", "tab\tx y\n"],
    )
    end = one_of([(), (line, offset), (line, 5), (7, 0), (None, None), (line, -1), (line, 1)], number // 3)
    return kind("text", (filename, line, offset, said, *end))


@factory
def syntax_attributes(number):
    """Syntax errors with attributes of odd kinds."""
    error = SyntaxError(one_of(["text", None, 5, ""], number), ("<typed>", 1, 2, "x y z\n"))
    names = ["filename", "lineno", "offset", "text", "msg", "end_lineno", "end_offset", "print_file_and_line"]
    name, value = several(number, names, ["x", 5, 2.5, None, Unprintable(), b"x", [], -5, True])
    setattr(error, name, value)
    return error


@factory
def suggestions(number):
    """Names, attributes and imports that are nearly right, and odd ones."""
    name = one_of(["nme", "make_", "sys", "time", "tim", None, 5, "", "x" * 60, "日本", Loud("mke")], number)
    about = one_of([Unprintable(), "text", one_of, None, type, FirstOdd, object()], number // 3)
    kinds = [
        lambda: NameError("text", name=name),
        lambda: UnboundLocalError("text", name=name),
        lambda: AttributeError("text", name=name, obj=about),
        lambda: ImportError("text", name=one_of(["os", "none.such", 5, None], number // 5), path=name),
        lambda: NameProperty("text"),
        lambda: ImportError("text", name="itertools", name_from="chan"),
    ]
    try:
        return one_of(kinds, number)()
    except TypeError:  # name_from is of 3.12
        return ModuleNotFoundError("text", name="itertool")


@factory
def unicode(number):
    """Errors of encodings, and of the system."""
    return one_of(
        [
            lambda: UnicodeDecodeError("utf-8", b"ab\xff", 2, 3, "bad"),
            lambda: UnicodeDecodeError("utf-8", b"ab\xff", 0, 900, "bad"),
            lambda: UnicodeEncodeError("ascii", "日本\udc80", 1, 2, "日"),
            lambda: UnicodeTranslateError("日本", 0, 9, "why"),
            lambda: OSError(2, "text", "file"),
            lambda: OSError(2, "text", "file", None, "other"),
            lambda: OSError(None, Unprintable(), b"\xff"),
            lambda: BlockingIOError(11, "text", 5),
            lambda: KeyError("two\nlines"),
            lambda: KeyError(Unprintable()),
            lambda: StopAsyncIteration(KeyError(1)),
        ],
        number,
    )()


@factory
def wide(number):
    """Groups with as many members as are shown, more and fewer."""
    count = one_of([1, 2, 14, 15, 16, 17, 40], number)
    members = [caught(fail_plainly, index) for index in range(count)]
    same = members[:1] * count
    return ExceptionGroup(one_of(["text", "", "two\nlines"], number), one_of([members, same], number // 7))


@factory
def deep(number):
    """Groups in groups, as deep as is shown, deeper and less deep."""
    error = caught(fail_plainly, number)
    for level in range(one_of([1, 2, 8, 9, 10, 11, 12, 15], number)):
        others = [caught(raise_from, TypeError(level), ValueError("cause"))] * one_of([0, 1], number // 8)
        error = caught(raise_it, BaseExceptionGroup(f"level {level}", [*others, error]))
        if number % 3 == 1:
            error.add_note(f"note {level}\nof two lines")
        if number % 5 == 1:
            error = caught(raise_from, KeyError(level), error)
    return error


@factory
def groups_in_chains(number):
    """Groups as cause and context, of groups and of others, and members with causes that are groups."""
    inner = caught(raise_from, KeyError("member"), caught(raise_it, ExceptionGroup("cause", [ValueError(1)])))
    group = caught(raise_it, ExceptionGroup("outer", [inner, make(number * 3 + 1) if number % 4 else inner]))
    cycle = ExceptionGroup("cycle", [inner])
    inner.__context__ = one_of([None, cycle, group], number)
    odd = Members("members", [KeyError(1)])
    return one_of([group, caught(raise_from, ValueError("last"), group), cycle, odd], number // 3)


@factory
def cycles(number):
    """Exceptions that lead back to each other."""
    first, second, third, tail = (caught(fail_plainly, index) for index in range(4))
    links = [(first, second), (second, third), (third, one_of([first, second, third], number)), (tail, first)]
    for index, (error, other) in enumerate(links):
        setattr(error, one_of(["__cause__", "__context__"], number // 3 >> index), other)
        error.__suppress_context__ = bool(number // 48 >> index & 1)
    return one_of([tail, first, caught(raise_from, third, tail)], number // 5)


@factory
def both(number):
    """A cause and a context, the same or others, shown or hidden."""
    shared = caught(fail_plainly, "shared")
    error = ValueError("last")
    error.__cause__ = one_of([None, shared, KeyError("cause")], number)
    error.__context__ = one_of([None, shared, IndexError("context"), error], number // 3)
    error.__suppress_context__ = bool(number // 12 & 1)
    if error.__cause__ is not None:
        error.__cause__.__context__ = one_of([None, error.__context__], number // 24)
    return error


@factory
def long_chain(number):
    """A chain of many causes."""
    error = caught(fail_plainly, "first")
    for index in range(one_of([3, 20, 60], number)):
        error = caught(one_of([raise_from, raise_while], index + number), KeyError(index), error)
    return error


def fail_plainly(said):
    """Raise an error without anything odd."""
    raise LookupError(said)


def raise_it(error):
    """Raise `error`."""
    raise error


def raise_from(error, cause):
    """Raise `error` with a cause."""
    raise error from cause


def raise_while(error, earlier):
    """Raise `error` while `earlier` is handled."""
    try:
        raise earlier
    except BaseException:
        raise error  # noqa: B904  the context is what it is about
