"""A terminal stays what it is: its bytes, modes and size, for the command and for whoever looks at it."""

from __future__ import annotations

import os
import termios

import pytest

from tests.supervise.bare import THROUGH, WAYS, Screen, python, until

STRANGE = b"\x1b[31mred\x1b[0m\n\r\n\r\r\n\n\r10%\r20%\r\x00\xff\xfe\ttab\x08\x7f\x0c" + bytes(range(14, 256))


def shown(argv, **streams):
    """Return what a command puts on the screen, and its status, bare and through us."""
    found = []
    for through in WAYS.values():
        with Screen(through + argv, **streams) as screen:
            found.append(screen.rest())
    return found


@pytest.mark.parametrize("fd", [1, 2])
def test_bytes_on_the_screen(fd):
    """The real terminal gets exactly the bytes that it would have got: one return for a line, colours, any byte."""
    script = f"import os\nfor n in range(40): os.write({fd}, {STRANGE!r})\nos.write({fd}, b'no line')"
    bare, through = shown(python(script))
    assert through == bare
    assert bare[0].count(b"red") == 40


@pytest.mark.slow
@pytest.mark.parametrize("sizes", ["1", "2", "3, 4095, 4096, 4097", "70000"])
def test_long_output(sizes):
    """However output is cut into writes and reads, no return is added or lost."""
    script = f"""if True:
        import os, itertools
        text = (b"\\r\\n" + b"\\n" * 3 + b"\\r" * 2 + b"x" * 11) * {200 if sizes == "1" else 8000}
        sizes = itertools.cycle([{sizes}])
        while text:
            written = os.write(1, text[:next(sizes)])
            text = text[written:]
    """
    bare, through = shown(python(script))
    assert through == bare


@pytest.mark.parametrize("changes", [["opost", False], ["onlcr", False], ["tab3", True], ["ocrnl", True]])
def test_screens_with_other_modes(changes):
    """Where the terminal does other things to output, it still does them once."""
    name, on = changes
    found = []
    for through in WAYS.values():
        script = f'stty {"" if on else "-"}{name}; exec "$@"'
        argv = ["sh", "-c", script, "sh", *through, "printf", r"a\tb\n\r\nc\rd\n"]
        with Screen(argv) as screen:
            found.append(screen.rest())
    assert found[0] == found[1]


def test_terminal_for_the_command():
    """All three streams are terminals, with the real one's size and modes; the controlling terminal is the real one."""
    script = """if True:
        import os, termios
        for fd in range(3):
            modes = termios.tcgetattr(fd)
            modes[3] &= ~0o200000  # EXTPROC
            print(os.isatty(fd), os.get_terminal_size(fd), modes)
        print(os.ttyname(0), os.tcgetpgrp(0) == os.getpgrp(), os.open("/dev/tty", os.O_RDWR) > 2)
    """
    bare, through = (text.replace(b"/dev/pts/", b"") for text, _ in shown(python(script)))
    assert through.splitlines()[:3] == bare.splitlines()[:3]
    assert b" True True" in through


def test_stderr_alone():
    """With stdout in a pipe, stderr is a terminal all the same, and stdout the pipe itself."""
    reads, writes = os.pipe()
    script = "import os; os.write(1, b'%d%d' % (os.isatty(1), os.isatty(2))); os.write(2, b'err\\n')"
    with os.fdopen(reads, "rb") as read:
        found = shown(python(script), stdout=writes)
        os.close(writes)
        assert found == [(b"err\r\n", 0)] * 2
        assert read.read() == b"0101"


def test_order_on_the_screen():
    """What goes to stdout and to stderr is shown in the order in which it was written."""
    script = "import os\nfor n in range(1000): os.write(1 + n % 2, b'%d\\n' % n)"
    expected = b"".join(b"%d\r\n" % number for number in range(1000))
    assert shown(python(script)) == [(expected, 0)] * 2


def test_size_follows():
    """A command that is told of a new size finds it where it looks, on stdout and stderr."""
    script = """if True:
        import os, signal
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGWINCH})
        print("ready", flush=True)
        while True:
            signal.sigwait({signal.SIGWINCH})
            print([tuple(os.get_terminal_size(fd)) for fd in (0, 1, 2)], flush=True)
    """
    with Screen(THROUGH + python(script)) as screen:
        screen.expect(b"ready")
        for lines, columns in ((30, 100), (50, 132)):
            screen.resize(lines, columns)
            screen.expect(str([(columns, lines)] * 3).encode())


@pytest.mark.parametrize("fd", [0, 1, 2])
def test_modes(fd):
    """Modes that a command changes are those of the real terminal, wherever it changes them, and are put back."""
    script = f"""if True:
        import os, sys, termios, tty
        tty.setraw({fd})
        os.write(1, b"raw\\n")
        while True:
            key = os.read(0, 1)
            os.write(2, b"<%d>\\n" % key[0])
            if key == b"q":
                break
    """
    found = []
    for through in WAYS.values():
        with Screen(through + python(script)) as screen:
            before = screen.modes()
            screen.expect(b"raw")
            until(lambda screen=screen: not screen.modes()[3] & termios.ICANON, "raw mode")
            screen.type(b"\x03\x1a\x11\r")
            screen.expect(b"<13>")
            modes = screen.modes()
            screen.type(b"q")
            text, status = screen.rest()
            found.append((modes, text, status))
            if through:
                assert screen.modes() == before
    assert found[0] == found[1]


def test_modes_restored_by_the_command():
    """A command that sets and resets modes in turn leaves the terminal as the command alone would have left it."""
    script = """if True:
        import os, termios, tty
        for fd in (1, 2):
            saved = termios.tcgetattr(fd)
            tty.setcbreak(fd)
            os.write(fd, b"one\\n")
            tty.setraw(fd)
            os.write(fd, b"two\\r\\n")
            termios.tcsetattr(fd, termios.TCSADRAIN, saved)
            os.write(fd, b"three\\n")
        os.write(1, b"all\\n")
        print(os.read(0, 1))
    """
    with Screen(THROUGH + python(script)) as screen:
        before = screen.modes()
        screen.expect(b"all\r\n")
        until(lambda: screen.modes() == before, "the modes of before")
        screen.type(b"\n")
        assert screen.rest()[1] == 0


CURSES = python("""if True:
    import curses, os
    def show(window):
        window.addstr(2, 3, "hello")
        window.addstr(9, 9, "line\\nnext", curses.A_BOLD)
        window.refresh()
        key = window.getch()
        window.addstr(12, 1, f"key {key}")
        window.refresh()
        window.getch()
    curses.wrapper(show)
    print("after")
""")


def test_curses():
    """A full-screen program gets its keys at once and unechoed, and draws what it draws without us."""
    found = []
    for through in WAYS.values():
        with Screen(through + CURSES) as screen:
            screen.expect(b"next")
            until(lambda screen=screen: not screen.modes()[3] & (termios.ICANON | termios.ECHO), "its modes")
            screen.type(b"x")
            screen.expect(b"120")
            modes = screen.modes()
            screen.type(b"y")
            text, status = screen.rest()
            found.append((modes, text, status))
    assert found[0] == found[1]
    assert found[0][1].endswith(b"after\r\n")


def test_password():
    """A password is asked for on the controlling terminal and not shown."""
    script = "import getpass; print(getpass.getpass('Secret? ')[::-1])"
    with Screen(THROUGH + python(script)) as screen:
        screen.expect(b"Secret? ")
        until(lambda: not screen.modes()[3] & termios.ECHO, "no echo")
        screen.type(b"abc\n")
        text, status = screen.rest()
    assert (text, status) == (b"Secret? \r\ncba\r\n", 0)


def test_no_terminal_to_be_had():
    """Where there is no pseudo-terminal the command runs on the real one, and a line says so."""
    script = """if True:
        import errno, os
        from loghub.supervise import child
        def refused():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.openpty = refused
        child.leave(child.run(["sh", "-c", "test -t 2 && echo fine >&2"], watch=print))
    """
    with Screen([THROUGH[0], "-c", script]) as screen:
        text, status = screen.rest()
    said = b"loghub: stderr is not watched: No space left on device.\r\n"
    assert (text, status) == (said + b"fine\r\n", 0)


def test_daemon_on_a_terminal(tmp_path):
    """What a process that the command leaves behind writes to the terminal is still shown."""
    go = tmp_path / "go"
    os.mkfifo(go)
    script = 'trap "" HUP; (read x <"$0"; echo late >&2) & echo now'
    with Screen(["sh", "-c", '"$@"; echo left; read x', "sh", *THROUGH, "sh", "-c", script, str(go)]) as screen:
        screen.expect(b"now\r\nleft\r\n")
        go.write_text("go\n", "utf-8")
        screen.expect(b"late\r\n")
