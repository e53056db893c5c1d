"""How processes end: what is a death, what is not, and that nothing changes for whoever waits for them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from loghub.lives import claim
from tests.lives.conftest import BY_HAND, START

FATAL = {
    "SIGSEGV": "faulthandler._sigsegv()",
    "SIGABRT": "os.abort()",
    "SIGBUS": "os.kill(os.getpid(), signal.SIGBUS)",
    "SIGFPE": "os.kill(os.getpid(), signal.SIGFPE)",
    "SIGILL": "os.kill(os.getpid(), signal.SIGILL)",
}


@pytest.mark.parametrize("name", FATAL)
def test_fatal(home, name):
    """A fatal signal leaves its name and the stack; the process ends by it as it would without us."""
    ended = home.run(f"def charge():\n    {FATAL[name]}\n\ncharge()")
    assert ended.code == -getattr(signal, name)
    death = claim(str(home.path), ended.pid)
    assert (death.signal, death.wanted) == (name, False)
    assert [frame["function"] for frame in death.told()["frames"]] == ["<module>", "charge"]
    assert home.left() == []


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("faulthandler._stack_overflow()", "SIGSEGV"),
        ("t = threading.Thread(target=faulthandler._sigsegv); t.start(); t.join()", "SIGSEGV"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import atexit; atexit._clear(); logging.shutdown(); faulthandler._sigsegv()", ""),
    ],
)
def test_fatal_in_c(home, script, name):
    """So do crashes of C code, in any thread; without faulthandler only that it died is known."""
    ended = home.run(script)
    assert ended.code < 0
    death = claim(str(home.path), ended.pid)
    assert (death.signal if death else "") == name


def test_fatal_error_of_the_interpreter(home):
    """The interpreter's own fatal error ends it by a signal, with us or without; that it died is known."""
    ended = home.run("faulthandler._fatal_error_c_thread(); time.sleep(60)")
    # Its faulthandler may crash itself, without us as well: then it is SIGSEGV.
    assert ended.code in (-signal.SIGABRT, -signal.SIGSEGV)
    assert not claim(str(home.path), ended.pid).wanted


def test_crash_at_exit(home):
    """What crashes while Python takes its modules apart is a death, though atexit's functions have run."""
    ended = home.run("class Late:\n    def __del__(self, crash=faulthandler._sigsegv): crash()\nlate = Late()")
    assert ended.code == -signal.SIGSEGV
    death = claim(str(home.path), ended.pid)
    assert (death.signal, death.wanted) == ("SIGSEGV", False)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGUSR1", "SIGALRM"])
def test_no_goodbye(home, name):
    """Who is killed, or ended by a signal that nobody sends to end him, died without a goodbye."""
    ended = home.run(f"os.kill(os.getpid(), signal.{name})")
    assert ended.code == -getattr(signal, name)
    death = claim(str(home.path), ended.pid)
    assert (death.signal, death.wanted, death.dump) == ("", False, "")
    assert death.message == "python died without a goodbye: killed, out of memory, or ended by code that is not Python."


def test_exit_in_c(home):
    """Code that ends the process behind Python's back leaves no goodbye, either."""
    ended = home.run("import ctypes; ctypes.CDLL(None)._exit(7)")
    assert ended.code == 7
    assert not claim(str(home.path), ended.pid).wanted


WANTED = {
    "end of the script": ("", 0),
    "exit": ("sys.exit(3)", 3),
    "exception": ("1 / 0", 1),
    "ctrl-c": ("os.kill(os.getpid(), signal.SIGINT); time.sleep(9)", -signal.SIGINT),
    "_exit": ("os._exit(4)", 4),
    "_exit in a thread": ("threading.Thread(target=lambda: os._exit(5)).start(); time.sleep(9)", 5),
    "own handler": ("signal.signal(15, lambda *_: sys.exit(6)); os.kill(os.getpid(), 15); time.sleep(9)", 6),
    "own handler that _exits": (
        "signal.signal(15, lambda *_: os._exit(7)); os.kill(os.getpid(), 15); time.sleep(9)",
        7,
    ),
    "thread": ("threading.Thread(target=time.sleep, args=(0.01,)).start()", 0),
    "daemon thread": ("threading.Thread(target=time.sleep, args=(60,), daemon=True).start()", 0),
    "closed by hand": ("logging.shutdown()", 0),
    "configured again": ("configure(); configure(faulthandler=False)", 0),
}


@pytest.mark.slow
@pytest.mark.parametrize("end", WANTED)
def test_goodbye(home, end):
    """Whoever ends as he should leaves nothing, and ends with the same code."""
    script, code = WANTED[end]
    ended = home.run(script)
    assert ended.code == code, ended.err
    assert list(home.lives.iterdir()) == []


DROPPED = """
from loghub.lives import watch
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
else:
    os.chmod(os.path.join(os.environ["LOGHUB_HOME"], "lives"), 0)
watch._round(look=True)
"""


@pytest.mark.parametrize("end", ["", "os._exit(0)", "os.kill(os.getpid(), 15)", "os.fork() and os.wait(); os._exit(0)"])
def test_rights_given_up(home, end):
    """Who may no longer remove or make files says goodbye in the one that he holds."""
    ended = home.run(DROPPED + end)
    assert ended.code in (0, -15), ended.err
    home.lives.chmod(0o700)
    assert claim(str(home.path), ended.pid).wanted
    assert home.left() == []


def test_killed_with_no_rights(home):
    """Who is killed after that is a death as ever."""
    ended = home.run(DROPPED + "os.kill(os.getpid(), 9)")
    home.lives.chmod(0o700)
    assert not claim(str(home.path), ended.pid).wanted


ASKED = {
    "SIGTERM": "",
    "SIGHUP": "",
    "SIGQUIT": "",
    "SIGPIPE": "signal.signal(signal.SIGPIPE, signal.SIG_DFL)",
    "SIGINT": "signal.signal(signal.SIGINT, signal.SIG_DFL)",
}


@pytest.mark.parametrize("name", ASKED)
def test_asked_to_end(home, name):
    """A signal that asks to end is no death where its default does the rest; that is what ends the process."""
    ended = home.run(f"{ASKED[name]}\nos.kill(os.getpid(), signal.{name}); time.sleep(60)")
    assert ended.code == -getattr(signal, name)
    assert claim(str(home.path), ended.pid).wanted


RESTORED = {
    "by a server": "former = signal.signal(15, print); signal.signal(15, former)",
    "by keyword": "former = signal.signal(15, print); signal.signal(handler=former, signalnum=15)",
    "by a name of its own": "named(15, print); named(15, signal.SIG_DFL)",
    "by asyncio": """
        import asyncio
        async def main():
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(15, print)
            loop.remove_signal_handler(15)
        asyncio.run(main())
        """,
}


@pytest.mark.parametrize("way", RESTORED)
def test_default_restored(home, way):
    """So it is when a handler stood there, and the default came back: servers send themselves the signal then."""
    script = f"import textwrap\nexec(textwrap.dedent({RESTORED[way]!r}))\nsignal.raise_signal(15)"
    ended = home.run(script, "from signal import signal as named\n" + START)
    assert ended.code == -signal.SIGTERM, ended.err
    assert claim(str(home.path), ended.pid).wanted


def test_handlers_of_the_application(home):
    """A handler that the application sets before or after us stays; an ignored signal stays ignored."""
    before = "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\nsignal.signal(15, lambda *_: print('own'))\n"
    ended = home.run(
        "os.kill(os.getpid(), 15); os.kill(os.getpid(), signal.SIGHUP)\n"
        "configure(); os.kill(os.getpid(), 15); os.kill(os.getpid(), signal.SIGHUP)\n"
        "signal.signal(signal.SIGQUIT, lambda *_: print('quit')); configure(); os.kill(os.getpid(), signal.SIGQUIT)\n"
        "logging.shutdown(); os.kill(os.getpid(), 15); os.kill(os.getpid(), signal.SIGQUIT)",
        before + START,
    )
    assert ended.code == 0, ended.err
    assert ended.out.split() == ["own", "own", "quit", "own", "quit"]


def test_killed_at_the_end(home):
    """Who is killed when Python has begun to end had no more to do: a round that is under way does not forget that."""
    ended = home.run(
        "from loghub.lives import watch\nwatch._at_exit(); watch._round(look=True)\nos.kill(os.getpid(), 9)"
    )
    assert claim(str(home.path), ended.pid).wanted


def test_faulthandler_later(home):
    """A signal that the application registers with faulthandler after us stays its own, in children and at our end."""
    ended = home.run(
        "faulthandler.register(15, sys.stderr, all_threads=False)\n"
        "if not os.fork(): os.kill(os.getpid(), 15); os._exit(0)\n"
        "os.wait(); logging.shutdown(); os.kill(os.getpid(), 15); print('on')"
    )
    assert ended.code == 0, ended.err
    assert ended.out == "on\n"
    assert ended.err.count("most recent call first") == 2


CLOSES = {
    "before": "life._caught = lambda: (word.close(), 0)[1]",
    "in between": "lend = life._Sink; life._Sink = lambda fd: (lend(fd), word.close())[0]",
}


@pytest.mark.parametrize("when", CLOSES)
def test_closed_while_arming(home, when):
    """Where one thread closes what another is lending to faulthandler, nothing fails and nothing stays lent."""
    ended = home.run(
        "from loghub.lives import life, watch\n"
        "logging.shutdown()\n"
        f"word = life.Life({str(home.path)!r}, 'shop')\n"
        "for number in life.ENDS: faulthandler.unregister(number)\n"
        f"{CLOSES[when]}\n"
        "word.arm(*life.ENDS)\n"
        "print(faulthandler.is_enabled(), *(faulthandler.unregister(number) for number in life.ENDS))"
    )
    assert ended.err == ""
    assert ended.out.split() == ["False"] * 6


def test_faulthandler_of_the_application(home):
    """A signal that the application has registered with faulthandler goes on as it has said."""
    before = "import faulthandler, sys\nfaulthandler.register(15, sys.stderr)\n"
    ended = home.run("os.kill(os.getpid(), 15); print('on')", before + START)
    assert ended.out == "on\n"
    assert "most recent call first" in ended.err


def test_enabled_later(home):
    """What the application enables after us is not disabled by our end."""
    ended = home.run("faulthandler.enable(); logging.shutdown(); print(faulthandler.is_enabled())")
    assert ended.out == "True\n"
    ended = home.run("logging.shutdown(); print(faulthandler.is_enabled())")
    assert ended.out == "False\n"


def test_functions_restored(home):
    """Closed, nothing is left in os and signal; what others have put there later stays, and works."""
    ended = home.run(
        "import pickle\n"
        "ours = os._exit, os.execv, os.execve\n"
        "assert all(pickle.loads(pickle.dumps(one)) is one for one in ours)\n"
        "assert signal.signal is former and signal._signal.signal is not innermost\n"
        "theirs = os._exit = lambda code: ours[0](code + 1)\n"
        "logging.shutdown()\n"
        "assert (os.execv, os.execve) == tuple(one.__wrapped__ for one in ours[1:])\n"
        "assert signal._signal.signal is innermost and os._exit is theirs\n"
        "os._exit(8)",
        "import signal\nformer, innermost = signal.signal, signal._signal.signal\n" + START,
    )
    assert ended.code == 9, ended.err


EXEC = {
    "true": ("os.execv('/bin/true', ['true'])", 0),
    "by a path": ("os.execvpe('sh', ['sh', '-c', 'exit 4'], os.environ)", 4),
    "killed": ("os.execvp('sh', ['sh', '-c', 'kill -9 $$'])", -9),
}


@pytest.mark.parametrize("way", EXEC)
def test_replaced(home, way):
    """A process that has become another program is no death, however that ends."""
    script, code = EXEC[way]
    ended = home.run(script)
    assert ended.code == code
    assert claim(str(home.path), ended.pid).wanted


def test_exec_that_fails(home):
    """Where there is no such program, the process goes on, and its death is one."""
    ended = home.run("try: os.execv('/none', ['none'])\nexcept OSError: os.kill(os.getpid(), 9)")
    assert ended.code == -signal.SIGKILL
    assert not claim(str(home.path), ended.pid).wanted


def test_becomes_itself_again(home):
    """A program that restarts itself by exec is not dead, while it lives, and says goodbye for both."""
    ended = home.run(
        "if 'again' not in os.environ:\n"
        "    os.environ['again'] = '1'\n"
        "    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])\n"
        "print(len(os.listdir(os.environ['LOGHUB_HOME'] + '/lives')))"
    )
    assert ended.out.split() == ["1"], ended.err
    assert home.left() == []


ASKED_CHILD = """
r, w = os.pipe()
pid = os.fork()
if not pid: os.write(w, b"."); time.sleep(60)
os.read(r, 1)
os.kill(pid, 15)
"""
FORKS = {
    "child that ends": ("if not os.fork(): sys.exit(0)", 0),
    "child that _exits": ("if not os.fork(): os._exit(0)", 0),
    "child that execs": ("if not os.fork(): os.execv('/bin/true', ['true'])", 1),
    "preexec_fn": ("subprocess.run(['/bin/true'], preexec_fn=os.getpid)", 0),
    "spawn": ("os.spawnv(os.P_WAIT, '/bin/true', ['true'])", 1),
    "grandchild": ("if not os.fork():\n    if not os.fork(): os._exit(0)\n    os.wait(); os._exit(0)", 0),
    "killed child": ("if not os.fork(): os.kill(os.getpid(), 9)", 1),
    "crashed child": ("if not os.fork(): os.abort()", 1),
    "child asked to end": (ASKED_CHILD, 1),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", FORKS)
def test_fork(home, way):
    """A child has a life file of its own; only a child that dies is a death, and its parent stays what it was."""
    script, left = FORKS[way]
    ended = home.run(f"{script}\ntry: os.wait()\nexcept ChildProcessError: pass\n", BY_HAND + START)
    assert ended.code == 0, ended.err
    names = home.left()
    assert len(names) == left
    for name in names:
        assert not name.startswith(f"{ended.pid}-")
        death = claim(str(home.path), int(name.partition("-")[0]))
        assert death.wanted is (way not in ("killed child", "crashed child"))
        assert death.signal == ("SIGABRT" if way == "crashed child" else "")


def test_parent_dies(home):
    """A child does not keep its parent's lock: the parent's death is known while the child lives."""
    with home.start("if not os.fork(): sys.stdin.read()\nelse: os.kill(os.getpid(), 9)") as process:
        process.wait()
        while (death := claim(str(home.path), process.pid)) is None:  # until the child is on its own
            time.sleep(0.01)
        assert not death.wanted
        assert len(home.left()) == 1
        process.communicate("")
    while home.left():
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(home, method, tmp_path):
    """Children of multiprocessing and of its pools end without an alarm, however they are started and ended."""
    script = tmp_path / "pools.py"
    script.write_text(
        START.replace("\nconfigure()", "")
        + "import multiprocessing as mp\nfrom concurrent.futures import ProcessPoolExecutor\n"
        "if __name__ != '__mp_main__' or sys.argv[1] == 'spawn': configure()\n"
        "if __name__ == '__main__':\n"
        "    context = mp.get_context(sys.argv[1])\n"
        "    with context.Pool(2) as pool: assert pool.map(abs, [-1, -2]) == [1, 2]\n"
        "    with ProcessPoolExecutor(2, mp_context=context) as pool: assert list(pool.map(abs, [-1])) == [1]\n"
        "    one = context.Process(target=time.sleep, args=(60,)); one.start(); one.terminate(); one.join()\n"
        "    one = context.Process(target=os._exit, args=(3,)); one.start(); one.join()\n"
    )
    command = [sys.executable, str(script), method]
    done = subprocess.run(command, env=home.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert '"type": "' not in done.stdout
    for name in home.left():
        assert claim(str(home.path), int(name.partition("-")[0])).wanted


def test_daemon(home):
    """A daemon that forks twice and closes all it has inherited is not dead; killed, it is."""
    script = """
        if os.fork(): os._exit(0)
        os.setsid()
        if os.fork(): os._exit(0)
        pipe = os.dup2(1, 200)
        os.closerange(0, 200)
        from loghub.lives import watch
        watch._round(look=True)
        os.write(pipe, b"%d\\n" % os.getpid())
        os.kill(os.getpid(), 9)
        """
    ended = home.run(script)
    assert ended.code == 0, ended.err
    daemon = int(ended.out)
    while (death := claim(str(home.path), daemon)) is None:
        time.sleep(0.01)
    assert not death.wanted
    assert home.left() == []
