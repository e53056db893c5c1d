"""A fork comes while loghub's thread is importing: the child can import the very same, and goes on."""

from __future__ import annotations

import pytest

from tests import processes

HALF = """
import threading
begun = threading.current_thread() is not threading.main_thread()
if begun:
    import beside, half.ready, sys
    sys.loghub_waits.set()
    threading.Event().wait()
whole = True
"""

SCRIPT = """
import faulthandler, importlib, os, sys, threading
sys.path.insert(0, sys.argv[1])
import loghub.delivery.fork
from loghub import imports
sys.loghub_waits = threading.Event()
loghub.delivery.fork.FORK_SECONDS = 0.05  # an import that takes longer than a fork waits

def fork(then):
    pid = os.fork()
    if pid == 0:
        faulthandler.dump_traceback_later(10, exit=True)
        then()
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    print(os.waitstatus_to_exitcode(status))

"""

OF_THE_THREAD = """
import logging, loghub
from importlib.machinery import SourceFileLoader as SourceLoader

def execute(loader, module):
    if threading.current_thread().name == "loghub-delivery" and os.getpid() == parent and module.__name__ == wanted:
        sys.loghub_waits.set()
        threading.Event().wait()
    executed(loader, module)

parent, wanted = os.getpid(), sys.argv[2]
executed, SourceLoader.exec_module = SourceLoader.exec_module, execute
logging.getLogger().addHandler(loghub.JSONDetailHandler(home=sys.argv[1], directory=sys.argv[1] + "/errors"))
logging.error("first")
sys.loghub_waits.wait()

def then():
    threads = [threading.Thread(target=importlib.import_module, args=[wanted]) for _ in range(3)]
    for one in threads: one.start()
    for one in threads: one.join()
    importlib.import_module(wanted)
    logging.error("second")
    logging.shutdown()

fork(then)
os._exit(0)
"""


@pytest.fixture
def half(tmp_path):
    """Return a folder with a package that a thread does not import to its end."""
    folder = tmp_path / "half"
    folder.mkdir()
    folder.joinpath("__init__.py").write_text(HALF)
    for part in (folder / "ready.py", tmp_path / "beside.py"):
        part.write_text("import os\nmade_by = os.getpid()\n")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("wanted", ["sqlite3", "loghub.ledger.sqlite"])
def test_delivery_thread(tmp_path, wanted):
    """What the delivery thread was importing is imported in the child, by its main thread and by others, and used."""
    out, _ = processes.run(SCRIPT + OF_THE_THREAD, tmp_path, wanted)
    assert out == "0\n"
    show = "import sys; from loghub.cli import main; main(sys.argv[1:])"
    assert '"total_errors": 2' in processes.run(show, "stats", "--json", "--home", tmp_path)[0]


def test_half(half):
    """A package that had begun begins again, with all of its parts; what is no part of it is kept."""
    script = """
    thread = threading.Thread(target=importlib.import_module, args=["half"], daemon=True)
    thread.start()
    sys.loghub_waits.wait()

    def then():
        imports.mend(thread.ident)
        import half, half.ready, beside
        assert half.whole and not half.begun
        assert (half.ready.made_by, beside.made_by) == (os.getpid(), os.getppid())

    fork(then)
    os._exit(0)
    """
    assert processes.run(SCRIPT + script.replace("\n    ", "\n"), half)[0] == "0\n"


def test_of_others(half):
    """The imports of other threads, and of the one that forks, are left alone."""
    half.joinpath("forking.py").write_text(
        "import os\nfrom loghub import imports\npid = os.fork()\n"
        "if pid == 0:\n    imports.mend(1)\n    import forking\n    forking.seen = True\n"
        "else:\n    os.waitpid(pid, 0)\n"
    )
    script = """
    import forking
    if forking.pid == 0:
        print(forking.seen, sys.modules["forking"] is forking, flush=True)
        os._exit(0)
    """
    assert processes.run(SCRIPT + script.replace("\n    ", "\n"), half)[0] == "True True\n"


def test_is_importing(half):
    """A thread is in an import until that ends."""
    script = """
    thread = threading.Thread(target=importlib.import_module, args=["half"], daemon=True)
    thread.start()
    sys.loghub_waits.wait()
    print(imports.is_importing(thread.ident), imports.is_importing(threading.get_ident()), imports.is_importing(0))
    os._exit(0)
    """
    assert processes.run(SCRIPT + script.replace("\n    ", "\n"), half)[0] == "True False False\n"
