"""Deaths are reported: by whoever comes next or is there, once, as one bug, with what is known of the dead."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from loghub.fingerprint import of_event
from tests.lives.conftest import ROOT, START

REPORTING = START.replace('"handlers": ["show", "uncaught"]', '"handlers": ["show", "kept", "uncaught"]').replace(
    '"show": {"()": Show}', '"show": {"()": Show}, "kept": {"class": "loghub.JSONDetailHandler"}'
)


def events(home):
    """Return the kept events, oldest first."""
    found = [json.loads(one.read_text()) for one in (home.path.parent / "logs" / "errors").glob("*.json")]
    return sorted(found, key=lambda event: event["timestamp"])


def loghub(home, *arguments):
    """Run a verb; return what it printed."""
    command = [sys.executable, "-m", "loghub", *arguments, "--home", str(home.path)]
    done = subprocess.run(command, env=home.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def groups(home):
    """Return what `loghub groups` shows."""
    return json.loads(loghub(home, "groups", "--json"))


def told(ended):
    """Return the deaths that a process has shown."""
    return [one for one in map(json.loads, ended.out.splitlines()) if one["type"]]


def alone():
    """Return a start that tells of no other's death."""
    return START.replace(
        "\nconfigure()", "\nfrom loghub.lives import watch\nwatch.Watch.look = lambda self: None\nconfigure()"
    )


def until(done):
    """Wait until `done` returns something; return it."""
    while not (found := done()):
        time.sleep(0.01)
    return found


@pytest.mark.slow
@pytest.mark.shows("killed", "said")
def test_next_start(home):
    """The next start tells of a crash in full: what, where, when, of which process; and it tells it once."""
    before = time.time()
    dead = home.run("def charge():\n    os.abort()\n\ncharge()", REPORTING)
    assert len(told(home.run("", REPORTING))) == 1
    assert told(home.run("", REPORTING)) == []
    (event,) = events(home)
    assert event["error_type"] == "SIGABRT"
    assert event["error_message"] == event["message"] == "python died by SIGABRT."
    assert (event["level"], event["logger"], event["mechanism"]) == ("CRITICAL", "loghub.uncaught", "process")
    assert event["process"] == {"id": dead.pid, "name": "python"}
    assert [(frame["function"], frame["in_app"]) for frame in event["frames"]] == [("<module>", True), ("charge", True)]
    assert event["function"] == "charge"
    assert "Fatal Python error: Aborted" in event["traceback"]
    assert abs(time.mktime(time.strptime(event["timestamp"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - before) < 60
    assert event["component"] == "python"


@pytest.mark.slow
def test_one_bug(home):
    """Crashes at one place are one bug, whatever their pids and addresses; by another signal they are not."""
    told = '[one.join() for one in threading.enumerate() if one.name == "loghub-deaths"]\n'  # else both may tell it
    for crash in ("os.abort()", "os.abort()", "time.sleep(0), os.abort()", "faulthandler._sigsegv()"):
        home.run(f"{told}def charge():\n    {crash}\n\ncharge()", REPORTING)
    home.run(f"{told}def refund():\n    os.abort()\n\nrefund()", REPORTING)
    home.run("", REPORTING)
    counts = sorted((group["error_type"], group["count"]) for group in groups(home))
    assert counts == [("SIGABRT", 1), ("SIGABRT", 3), ("SIGSEGV", 1)]


def test_same_bug_everywhere(home):
    """The fingerprint needs neither the source nor the place where the application lies."""
    home.run("def charge():\n    os.abort()\n\ncharge()", REPORTING)
    home.run("", REPORTING)
    (event,) = events(home)
    moved = json.loads(json.dumps(event).replace('"<string>"', '"/srv/other/app.py"'))
    there = json.loads(json.dumps(event).replace('"<string>"', '"/opt/app/app.py"'))
    assert of_event(moved) == of_event(there)
    assert of_event(event) == event["fingerprint"]


def test_short_script(home):
    """A script that lives for a moment tells of its predecessor, and its own code is what it was."""
    home.run("os.kill(os.getpid(), 9)")
    ended = home.run("sys.exit(3)")
    assert ended.code == 3
    assert [one["type"] for one in told(ended)] == ["ProcessDied"]


@pytest.mark.slow
def test_script_that_fails_to_tell(home):
    """Where nobody hears it, and where the process ends at once, the death is left for the next."""
    home.run("os.kill(os.getpid(), 9)")
    deaf = START.replace('"handlers": ["show", "uncaught"]', '"handlers": ["uncaught"]')
    assert told(home.run("", deaf)) == []
    assert told(home.run("", START.replace("\nconfigure()", "\nlogging.raiseExceptions"))) == []
    assert len(told(home.run(""))) == 1


def test_other_process_there(home):
    """A process that is there already tells of the death, in a round of its delivery thread."""
    with home.start(
        "from loghub.lives import watch\nsys.stdin.readline(); watch._round(look=True)\nsys.stdin.read()"
    ) as process:
        until(home.left)
        dead = home.run("os.kill(os.getpid(), 9)")
        process.stdin.write("\n")
        process.stdin.flush()
        line = json.loads(process.stdout.readline())
        assert (line["type"], line["pid"]) == ("ProcessDied", dead.pid)
        assert process.communicate()[0] == ""


def test_delivery_thread_looks(home, monkeypatch):
    """The rounds are the delivery thread's, which comes by itself."""
    script = "from loghub.delivery import deliverer\ndeliverer.IDLE_SECONDS = deliverer.PACE_SECONDS = 0.01\n"
    with home.start(script + "logging.getLogger('a').error('x'); sys.stdin.read()", REPORTING) as process:
        assert json.loads(process.stdout.readline())["message"] == "x"
        dead = home.run("os.kill(os.getpid(), 9)")
        assert json.loads(process.stdout.readline())["pid"] == dead.pid
        process.communicate()


@pytest.mark.slow
def test_drain(home):
    """`loghub drain` tells of the deaths where no process of the application comes any more, and counts each once."""
    for _ in range(2):
        assert home.run("def charge(): os.abort()\ncharge()", alone()).code == -signal.SIGABRT
    for _ in range(2):
        loghub(home, "drain")
    assert [(group["error_type"], group["component"], group["count"]) for group in groups(home)] == [
        ("SIGABRT", "python", 2)
    ]
    assert home.left() == []


@pytest.mark.slow
def test_exactly_one(home):
    """Of four processes that look at once, again and again, exactly one tells of each death."""
    script = "from loghub.lives import watch\nprint(flush=True)\nfor _ in sys.stdin: watch._round(look=True)\n"
    watchers = [home.start(script) for _ in range(4)]
    for one in watchers:
        one.stdout.readline()
    dead = []
    for _ in range(12):
        dead.append(home.run("os.kill(os.getpid(), 9)").pid)
        for one in watchers:
            one.stdin.write("\n")
            one.stdin.flush()
    outs = [one.communicate()[0] for one in watchers]
    seen = [json.loads(line)["pid"] for out in outs for line in out.splitlines() if "ProcessDied" in line]
    assert sorted(seen) == sorted(dead)
    assert home.left() == []


@pytest.mark.shows("killed", "bounded")
@pytest.mark.slow
def test_crash_loop(home):
    """Twenty starts that crash one after the other are one bug, and leave no more than the last file."""
    for _ in range(20):
        assert home.run("def charge(): os.abort()\ncharge()", REPORTING).code == -signal.SIGABRT
    home.run("", REPORTING)
    assert home.left() == []
    ((kind, count),) = [(group["error_type"], group["count"]) for group in groups(home)]
    assert (kind, count) == ("SIGABRT", 20)


@pytest.mark.slow
def test_thousands(home):
    """What a long crash loop has left is reported in rounds, each with a bound, as counts of one bug."""
    home.lives.mkdir(parents=True)
    for number in range(1, 201):
        said = {"life": 1, "pid": number, "program": "loop", "application": "", "place": ["", ""], "server": "a"}
        (home.lives / f"{number}-0.life").write_text(json.dumps(said) + "\n")
    ended = home.run("from loghub.lives import watch\nwatch.MOST_DEATHS = 50", REPORTING)
    assert 0 < len(told(ended)) <= 150  # a thread's, the delivery thread's, and one at the end
    while home.left():
        home.run("", REPORTING)
    ((message, count),) = [(group["error_message"], group["count"]) for group in groups(home)]
    assert message.startswith("loop died without a goodbye")
    assert count == 200


@pytest.mark.slow
def test_end_while_looking(home):
    """A process that ends in the very moment in which its thread finds a death tells of it, once, and ends well."""
    script = """
        from loghub.lives import watch
        found, ending = threading.Event(), threading.Event()
        finish, start = watch.Watch.finish, threading.Thread.start

        def slowly(self):
            if self.name == "loghub-deaths":
                found.set()
                ending.wait()
            start(self)

        def told(self):
            ending.set()  # the other waits for this thread to let go of the interpreter
            finish(self)

        threading.Thread.start, watch.Watch.finish = slowly, told
        print("ready", flush=True)
        sys.stdin.read()
        threading.Thread(target=lambda: watch._round(look=True), daemon=True).start()
        found.wait()
        """
    with home.start(script, REPORTING) as process:
        assert process.stdout.readline() == "ready\n"
        dead = home.run("os.kill(os.getpid(), 9)", alone())
        out, err = process.communicate(timeout=60)
    assert [json.loads(line)["pid"] for line in out.splitlines()] == [dead.pid], err
    assert (process.returncode, err, home.left()) == (0, "", [])
    assert [group["count"] for group in groups(home)] == [1]


def test_breadcrumbs(home):
    """The last breadcrumbs, and what an EventFilter says of its process, stand in the report of the death."""
    filters = START.replace('"version": 1,', '"version": 1, "filters": {"event": {"()": "loghub.EventFilter", '
                            '"component": "shop", "environment": "staging", "release": "1.2.3"}},')  # fmt: skip
    filters = filters.replace('"show": {"()": Show}', '"show": {"()": Show, "filters": ["event"]}')
    script = """
        import loghub
        from loghub.lives import watch
        app = logging.getLogger("app")
        app.setLevel("INFO")
        app.addHandler(loghub.BreadcrumbHandler())
        app.info("one")
        app.info("two, password=%s", "hunter2")
        watch._round(look=True)
        app.info("three")
        watch._round(look=True)
        os.kill(os.getpid(), 9)
        """
    home.run(script, filters)
    home.run("", REPORTING)
    (event,) = events(home)
    assert [crumb["message"] for crumb in event["breadcrumbs"]] == ["one", "two, password=[Filtered]", "three"]
    assert (event["component"], event["environment"], event["release"]) == ("shop", "staging", "1.2.3")
    assert list(home.lives.iterdir()) == []


def test_snapshot_only_of_changes(home):
    """A snapshot is written when something changed, and goes with the goodbye."""
    ended = home.run("""
        from loghub import breadcrumbs
        from loghub.lives import watch
        taken = []
        changes = 1
        breadcrumbs.mark, breadcrumbs.recent = lambda: changes, lambda: taken.append(1) or []
        for changes in (1, 1, 2, 2, 2, 3): watch._round(look=True)
        print(len(taken))
        """)
    assert ended.out == "3\n"
    assert list(home.lives.iterdir()) == []


@pytest.mark.slow
def test_wrapper_first(home):
    """The child of a wrapper that lives is its wrapper's to report; after that, everybody's."""
    wrapper = """
        os.environ["LOGHUB_RUN"] = "/nowhere"
        child = subprocess.run([sys.executable, "-c", CHILD])
        from loghub.lives import watch
        watch._round(look=True)
        print("wrapped")
        """
    ended = home.run(wrapper.replace("CHILD", repr(START + "os.kill(os.getpid(), 9)")))
    assert ended.out == "wrapped\n", ended.err
    assert len(told(home.run(""))) == 1


def test_shared_home(home, tmp_path):
    """In a home that nobody has chosen, only the program itself, or one beside it, tells of a death."""
    environment = {**home.environment(), "XDG_STATE_HOME": str(tmp_path / "state")}
    del environment["LOGHUB_HOME"]

    def run(folder, script):
        (tmp_path / folder).mkdir(exist_ok=True)
        path = tmp_path / folder / "app.py"
        path.write_text(START + script)
        done = subprocess.run(
            [sys.executable, str(path)], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
        )
        return done.stdout

    run("shop", "os.kill(os.getpid(), 9)")
    assert run("bank", "") == ""
    assert "app died without a goodbye" in run("shop", "")


def test_fork_while_reporting(home):
    """A child that is forked in the midst of a report does not keep the claim."""
    home.run("os.kill(os.getpid(), 9)")
    ended = home.run(
        "import os, sys\nfrom loghub.lives import death, watch\n"
        "folder = os.environ['LOGHUB_HOME'] + '/lives'\n"
        "(name,) = death.names(folder)\nfound = death.Claim.take(folder, name)\n"
        "if not (pid := os.fork()): sys.stdin.read(); os._exit(0)\n"
        "found.close()\n"
        "while death.Claim.take(folder, name) is None: pass\n"
        "print(True)",
        start="",
    )
    assert ended.out == "True\n", ended.err


@pytest.mark.shows("home not writable", "said")
def test_read_only_and_full(home):
    """A home that cannot be written is said in one sentence, and the hooks work."""
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
    ended = home.run("1 / 0", limit + START)
    assert [json.loads(line)["message"] for line in ended.out.splitlines()] == ["Uncaught exception"]
    assert ended.err.splitlines()[0].startswith("loghub: the end of this process, should it die, cannot be reported: ")
    assert list(home.lives.iterdir()) == []


def test_went_on(home):
    """PID 1 survives a signal whose default would end others: what was written then does not hide its death."""
    ended = home.run(
        "from loghub.lives import watch\n(life,) = watch._lives()\n"
        "life.expect('Stack (most recent call first):\\n')\n"
        "watch._round(look=True)\nwatch._round(look=True)\nos.kill(os.getpid(), 9)"
    )
    assert ended.code == -signal.SIGKILL
    assert len(told(home.run(""))) == 1


def test_about_to_end(home):
    """A round that comes while a signal's trace is being written leaves it: the process ends with the next breath."""
    ended = home.run(
        "from loghub.lives import watch\n(life,) = watch._lives()\nwatch._round(look=True)\n"
        "life.expect('Stack (most recent call first):\\n')\nwatch._round(look=True)\nos.kill(os.getpid(), 9)"
    )
    assert ended.code == -signal.SIGKILL
    assert told(home.run("")) == []


def test_tidied_up(home):
    """A life file that somebody removed is there again after a round."""
    ended = home.run(
        "import shutil\nfrom loghub.lives import watch\nshutil.rmtree(os.environ['LOGHUB_HOME'])\n"
        "watch._round(look=True)\nprint(*os.listdir(os.environ['LOGHUB_HOME'] + '/lives'), flush=True)\nos.abort()"
    )
    assert [name for name in ended.out.split() if name.endswith(".life")] == home.left() != [], ended.err
    assert told(home.run(""))[0]["type"] == "SIGABRT"


def test_restarted_host(home):
    """After a power cut it is said that the host was restarted."""
    home.run("os.kill(os.getpid(), 9)")
    (path,) = home.lives.iterdir()
    head = json.loads(path.read_text())
    head["place"][0] = "another boot"
    path.write_text(json.dumps(head) + "\n")
    (line,) = told(home.run(""))
    assert line["message"] == "python died without a goodbye: its host was restarted."


def test_mode(home):
    """Nobody else can read what stands in the home, and no argument of the program stands in it."""
    ended = home.run(
        "folder = os.environ['LOGHUB_HOME'] + '/lives/'\n(name,) = os.listdir(folder)\n"
        "print(oct(os.stat(folder).st_mode)[-3:], oct(os.stat(folder + name).st_mode)[-3:], open(folder + name).read())"
    )
    assert ended.out.startswith("700 600 {")
    assert "configure" not in ended.out
    assert str(ROOT) not in ended.out
