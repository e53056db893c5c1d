"""`loghub run`, with real commands: what ended how is reported once, and what is no error is not."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from tests.supervise.reporting import ROOT, command, configured, environment, script, told, wrapped

pytestmark = pytest.mark.slow


def kinds(home):
    """Return class and count of what was reported."""
    return [(one.kind, one.count) for one in told(home)]


def until(home, wanted, seconds=30.0):
    """Wait until so many bugs are reported; return them."""
    end = time.monotonic() + seconds
    while len(found := told(home)) < wanted and time.monotonic() < end:
        time.sleep(0.05)
    return found


# How it ended --------------------------------------------------------------------------------------------------


def test_no_error(tmp_path):
    """A command that ends well is not reported, whatever it says on stderr."""
    done = wrapped(tmp_path / "home", "--", "sh", "-c", "echo out; echo err >&2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "err\n")
    assert told(tmp_path / "home") == []


def test_exit_code(tmp_path):
    """An exit code is reported with the last words on stderr, without secrets; another code is another bug."""
    home = tmp_path / "home"
    said = "echo reading >&2; echo 'no config; password=hunter2secret' >&2; exit"
    words = ("--", "sh", "-c")
    secret = ("sh", "--password", "hunter2argument")
    assert [wrapped(home, *words, f"{said} {code}", *secret).returncode for code in (3, 3, 4)] == [3, 3, 4]
    first, second = told(home)
    assert (first.kind, first.count, second.kind, second.count) == ("ExitCode 3", 2, "ExitCode 4", 1)
    assert first.event["additional_info"]["exit_code"] == 3
    assert first.event["additional_info"]["stderr"][0] == "reading"
    assert first.event["error_message"].startswith("no config")
    assert first.event["mechanism"] == "process"
    assert "hunter2" not in json.dumps(first.event)


def test_release_is_that_of_the_script(tmp_path):
    """The release that is reported is found beside the script, as in the script itself, and not beside loghub."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "REVISION").write_text("shop-2.1\n")
    path = script(tmp_path / "shop", "raise ValueError('bad price')\n")
    for number, words in enumerate(([path], ["--", "sh", "-c", "exit 3"])):
        wrapped(tmp_path / f"home{number}", *words, cwd=tmp_path)
    releases = [only.event["release"] for number in (0, 1) for only in told(tmp_path / f"home{number}")]
    assert releases == ["shop-2.1", None]


def test_misuse_of_the_command(tmp_path):
    """What argparse says of wrong arguments is reported as what it is: an exit code with words."""
    path = script(tmp_path, "import argparse; argparse.ArgumentParser().parse_args()")
    assert wrapped(tmp_path / "home", path, "--colour").returncode == 2
    [one] = told(tmp_path / "home")
    assert (one.kind, one.event["component"]) == ("ExitCode 2", "app")
    assert one.event["error_message"] == "app.py: error: unrecognized arguments: --colour"


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGALRM", "SIGXCPU"])
def test_signal(name, tmp_path):
    """A death by a signal that nobody sent through the wrapper is reported under the signal's name, and passed on."""
    done = wrapped(tmp_path / "home", "--component", "shop", "--", "sh", "-c", f"kill -{name[3:]} $$; sleep 9")
    assert done.returncode in (-signal.Signals[name], 128 + signal.Signals[name])
    [one] = told(tmp_path / "home")
    assert (one.kind, one.event["component"], one.event["additional_info"]["signal"]) == (name, "shop", name)


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGFPE", "SIGBUS", "SIGILL"])
def test_crash(name, tmp_path):
    """A crash is reported with the stack that faulthandler wrote, innermost frame last."""
    path = script(
        tmp_path, f"import os\ndef crash():\n    os.kill(os.getpid(), {int(signal.Signals[name])})\ncrash()\n"
    )
    wrapped(tmp_path / "home", path)
    [one] = told(tmp_path / "home")
    assert one.kind == name
    assert [frame["function"] for frame in one.event["frames"]] == ["<module>", "crash"]
    assert one.event["frames"][-1]["in_app"]
    assert one.event["traceback"].startswith("Fatal Python error: ")
    assert one.event["module"] == "__main__"


def test_interrupted(tmp_path):
    """Control-C is a person's: neither its traceback nor its exit code is reported."""
    path = script(tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nimport time; time.sleep(9)\n")
    done = wrapped(tmp_path / "home", path)
    assert "KeyboardInterrupt" in done.stderr
    assert told(tmp_path / "home") == []


@pytest.mark.parametrize("trap", ["", "trap 'exit 0' TERM", "trap 'exit 143' TERM"])
def test_stopped_by_the_operator(trap, tmp_path):
    """A command that ends because the wrapper was told to is not reported."""
    words = command("--", "sh", "-c", f"{trap}\necho ready; while :; do sleep 0.05; done")
    with subprocess.Popen(words, env=environment(tmp_path / "home"), stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        process.wait(20)
    assert told(tmp_path / "home") == []


def test_failed_when_stopped(tmp_path):
    """A command that fails while it is stopped is reported."""
    words = command(
        "--", "sh", "-c", "trap 'echo disk full >&2; exit 5' TERM\necho ready; while :; do sleep 0.05; done"
    )
    with subprocess.Popen(words, env=environment(tmp_path / "home"), stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        process.terminate()
        assert process.wait(20) == 5
    assert kinds(tmp_path / "home") == [("ExitCode 5", 1)]


def test_foreign_stack(tmp_path):
    """The stack of another language is the error, with the exit code beside it."""
    words = (
        "panic: runtime error: index out of range [5] with length 3",
        "",
        "goroutine 1 [running]:",
        "main.pick(...)",
        "\t/src/shop/main.go:12",
        "main.main()",
        "\t/src/shop/main.go:8 +0x1d",
        "exit status 2",
    )
    path = tmp_path / "said"
    path.write_text("\n".join(words) + "\n")
    wrapped(tmp_path / "home", "--", "sh", "-c", f"echo start >&2; cat {path} >&2; exit 2")
    [one] = told(tmp_path / "home")
    assert one.event["platform"] == "native"
    assert "index out of range" in one.event["error_message"]
    assert [frame["function"] for frame in one.event["frames"]] == ["main", "pick"]
    assert one.event["additional_info"]["exit_code"] == 2


def test_script_of_node(tmp_path):
    """So is that of Node."""
    path = tmp_path / "said"
    path.write_text(
        '/app/x.js:3\n  throw new TypeError("boom");\n  ^\n\nTypeError: boom\n    at pay (/app/x.js:3:9)\n'
        "    at Object.<anonymous> (/app/x.js:6:1)\n    at node:internal/main/run_main_module:17:47\n\n"
        "Node.js v20.1.0\n"
    )
    wrapped(tmp_path / "home", "--", "sh", "-c", f"cat {path} >&2; exit 1")
    [one] = told(tmp_path / "home")
    assert (one.kind, one.event["error_message"], one.event["platform"]) == ("TypeError", "boom", "javascript")


def test_broken_file(tmp_path):
    """A script that Python cannot compile is a SyntaxError, as if it had been imported."""
    path = script(tmp_path, "def pay(:\n    pass\n")
    assert wrapped(tmp_path / "home", path).returncode == 1
    [one] = told(tmp_path / "home")
    assert one.kind == "SyntaxError"
    assert one.event["error_message"].endswith("(app.py, line 1)")


# A start that fails --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("what", "code"), [("missing", 127), ("plain", 126), ("folder", 126)])
def test_no_start(what, code, tmp_path):
    """What cannot be started is said in one sentence, reported, and ends as in a shell."""
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    (tmp_path / "folder").mkdir()
    done = wrapped(tmp_path / "home", "--", tmp_path / what)
    assert (done.returncode, done.stderr.count("\n"), done.stderr.startswith("Error reporter: ")) == (code, 1, True)
    [one] = told(tmp_path / "home")
    assert (one.kind, one.event["additional_info"]["exit_code"]) == ("StartError", code)
    assert str(tmp_path / what) in one.event["error_message"]


# One exception, one count --------------------------------------------------------------------------------------

LOGS = """
    import logging, sys

    def charge():
        raise ValueError("card refused")

    def logged():
        try:
            charge()
        except ValueError:
            logging.getLogger("shop").exception("not charged")
"""


ENDS = {
    "logged(); logged(); {}['k']": (1, [("ValueError", 2), ("KeyError", 1)]),
    "logged(); sys.exit(1)": (1, [("ValueError", 1)]),
}


@pytest.mark.parametrize("console", ["1", ""])
@pytest.mark.parametrize("hooks", ["1", ""])
@pytest.mark.parametrize("end", ENDS)
def test_command_with_loghub(console, hooks, end, tmp_path):
    """What the command's own loghub has counted is not counted again, and what it cannot report is, once."""
    code, expected = ENDS[end]
    path = script(tmp_path, LOGS + f"\n    {end}\n")
    setup = {"PYTHONPATH": configured(tmp_path), "CONSOLE": console, "HOOKS": hooks}
    assert wrapped(tmp_path / "home", path, **setup).returncode == code
    assert kinds(tmp_path / "home") == expected


def test_logged_and_raised(tmp_path):
    """An exception that is logged and then ends the command is one, with loghub in the command and without."""
    end = "\n    try:\n        charge()\n    except ValueError:\n        logging.exception('failed')\n        raise\n"
    path = script(tmp_path, LOGS + end)
    wrapped(tmp_path / "bare", path)
    wrapped(tmp_path / "home", path, PYTHONPATH=configured(tmp_path), CONSOLE="1")
    wrapped(tmp_path / "hooks", path, PYTHONPATH=configured(tmp_path), CONSOLE="1", HOOKS="1")
    assert kinds(tmp_path / "bare") == kinds(tmp_path / "home") == [("ValueError", 1)]
    assert [one.fingerprint for one in told(tmp_path / "bare")] == [one.fingerprint for one in told(tmp_path / "home")]


def test_killed_after_logging(tmp_path):
    """What was logged when the command was killed is not counted again; its death is reported beside it."""
    path = script(tmp_path, LOGS + "\n    import os\n    logged()\n    os.kill(os.getpid(), 9)\n")
    wrapped(tmp_path / "home", path, PYTHONPATH=configured(tmp_path), CONSOLE="1", HOOKS="1")
    assert sorted(kinds(tmp_path / "home")) == [("SIGKILL", 1), ("ValueError", 1)]


def test_another_home(tmp_path):
    """A command that reports elsewhere is reported here, too."""
    path = script(tmp_path, LOGS + "\n    logged()\n")
    (tmp_path / "env").mkdir()
    start = configured(tmp_path)
    with open(tmp_path / "start" / "sitecustomize.py", "r+", encoding="utf-8") as file:
        text = file.read().replace('GitHubIssueHandler"', f'GitHubIssueHandler", "home": "{tmp_path / "other"}"')
        file.seek(0)
        file.write(text)
    wrapped(tmp_path / "home", path, PYTHONPATH=start, CONSOLE="1")
    assert kinds(tmp_path / "home") == kinds(tmp_path / "other") == [("ValueError", 1)]


def test_wrapper_in_wrapper(tmp_path):
    """A wrapper within another leaves the report to the outer one."""
    inner = [sys.executable, "-m", "loghub", "run", "--", "sh", "-c", "exit 7"]
    assert wrapped(tmp_path / "home", "--", *inner).returncode == 7
    assert kinds(tmp_path / "home") == [("ExitCode 7", 1)]


def test_same_bug_again_and_again(tmp_path):
    """A command that is restarted and fails again and again is one bug with a count."""
    path = script(tmp_path, "raise ValueError('at start')\n")
    for _ in range(4):
        wrapped(tmp_path / "home", path)
    assert kinds(tmp_path / "home") == [("ValueError", 4)]


# While it runs -------------------------------------------------------------------------------------------------


def test_reported_while_it_lives(tmp_path):
    """The traceback of a thread of a server that lives on is reported while it does."""
    path = script(
        tmp_path,
        """
        import sys, threading

        def work():
            raise ValueError("in a worker")

        threading.Thread(target=work).start()
        sys.stdin.read()
        """,
    )
    env = environment(tmp_path / "home")
    with subprocess.Popen(command(path), env=env, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        [one] = until(tmp_path / "home", 1)
        assert process.poll() is None
        process.communicate()
        assert process.returncode == 0
    assert (one.kind, one.event["process"]["name"]) == ("ValueError", "app")
    assert kinds(tmp_path / "home") == [("ValueError", 1)]


def test_processes_of_multiprocessing(tmp_path):
    """What ends a process of multiprocessing is reported, although the main one ends well."""
    path = script(
        tmp_path,
        """
        import multiprocessing

        def work():
            raise ValueError("in a process")

        if __name__ == "__main__":
            process = multiprocessing.get_context("fork").Process(target=work)
            process.start()
            process.join()
        """,
    )
    assert wrapped(tmp_path / "home", path).returncode == 0
    assert kinds(tmp_path / "home") == [("ValueError", 1)]


# What goes wrong in loghub itself ------------------------------------------------------------------------------


def test_broken_configuration(tmp_path):
    """A configuration that cannot be read stops nobody: the command runs, and one line says that it is not reported."""
    (tmp_path / "logging.yaml").write_text("version: 1\nhandlers: {x: {class: loghub.GithubIssueHandler}}\n")
    done = wrapped(tmp_path / "home", "--config", tmp_path / "logging.yaml", "--", "sh", "-c", "echo out; exit 3")
    assert (done.returncode, done.stdout) == (3, "out\n")
    assert done.stderr.startswith("Error reporter: sh is not reported: ")
    assert "did you mean loghub.GitHubIssueHandler?" in done.stderr
    assert done.stderr.count("\n") == 1


def test_home_that_cannot_be_written(tmp_path):
    """Without a home the command runs as well, and one line says so."""
    (tmp_path / "file").write_text("")
    done = wrapped(tmp_path / "file" / "home", "--", "sh", "-c", "echo out; exit 3")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "out\n", 1)
    assert "Error reporter: the home " in done.stderr


def test_damaged_ledger(tmp_path):
    """Nor does a ledger that is no database."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "ledger.db").write_text("no database" * 1000)
    done = wrapped(home, "--", "sh", "-c", "echo out; exit 3")
    assert (done.returncode, done.stdout) == (3, "out\n")
    assert kinds(home) == [("ExitCode 3", 1)]


def test_configuration(tmp_path):
    """The reporting handlers of --config are told, with what its EventFilter says."""
    (tmp_path / "logging.yaml").write_text(
        f"""
version: 1
filters:
  about: {{(): loghub.EventFilter, environment: staging}}
handlers:
  console: {{class: logging.StreamHandler}}
  detail: {{class: loghub.JSONDetailHandler, directory: {tmp_path / "errors"}, filters: [about]}}
root: {{handlers: [console, detail]}}
"""
    )
    done = wrapped(tmp_path / "home", "--config", tmp_path / "logging.yaml", "--", "sh", "-c", "exit 3")
    assert (done.returncode, done.stderr) == (3, "")
    [file] = (tmp_path / "errors").iterdir()
    event = json.loads(file.read_text())
    assert (event["error_type"], event["environment"]) == ("ExitCode 3", "staging")


# Words ---------------------------------------------------------------------------------------------------------


def test_options_of_the_command(tmp_path):
    """What comes after the command is its own."""
    path = script(tmp_path, "import sys; print(sys.argv[1:])\n")
    script(tmp_path, "import sys; print(sys.argv[1:])\n", "mod.py")
    words = ["--help", "-m", "--config", "x", "--", "-v"]
    assert wrapped(tmp_path / "home", path, *words).stdout == f"{words}\n"
    assert wrapped(tmp_path / "home", "-m", "mod", *words, cwd=tmp_path).stdout == f"{words}\n"
    assert wrapped(tmp_path / "home", "--", "echo", *words).stdout == " ".join(words) + "\n"
    before = [sys.executable, "-m", "loghub", "--home", str(tmp_path / "home"), "run", "--", "echo", *words]
    done = subprocess.run(before, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.stdout == " ".join(words) + "\n"


def test_executable_script(tmp_path):
    """A script that is no .py file runs as a command."""
    path = tmp_path / "job"
    path.write_text("#!/bin/sh\necho job $1\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    assert wrapped(tmp_path / "home", path, "-x").stdout == "job -x\n"


def test_little_is_loaded_before_the_start():
    """Before the command starts, nothing that is large is imported."""
    code = "import sys; import loghub.supervise.command; print(*sys.modules)"
    out = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": ROOT}, capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"click", "yaml", "sqlite3", "requests", "logging", "loghub.capture", "loghub.delivery"} & set(out)


def test_no_file_is_left(tmp_path):
    """The file in which the command's processes say what they have counted goes with the wrapper."""
    path = script(tmp_path, "import os; print(os.environ['LOGHUB_RUN'])\n")
    done = wrapped(tmp_path / "home", path, TMPDIR=str(tmp_path))
    assert done.stdout.startswith(str(tmp_path))
    assert not os.path.exists(done.stdout.strip())
