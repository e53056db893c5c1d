"""Caches are bounded: a process that makes new code and new exception classes for ever does not grow for ever."""

from __future__ import annotations

import json

import pytest

from tests import processes

pytestmark = pytest.mark.slow

COUNT = 50_000
MOST_MIB = 64
"""Measured are 24 to 46, by how far behind the delivery is; a leak of all of them would be 100 and more."""
MOST_ALIVE = 10_000
"""Code objects or classes that caches may keep alive."""

SCRIPT = """
import gc, json, logging, logging.config, os, sys, weakref
from tests.configurations import everything

folder, count, warm_up = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
logging.config.dictConfig(everything(folder))
log = logging.getLogger("shop")
born = []

def fail(kind):
    raise kind("out of tea")

def function(number, constant, name="fail"):
    space = {}
    exec(f"def {name}(kind):\\n    kept = {constant}\\n    raise kind('out of tea')", space)
    born.append(weakref.ref(space[name].__code__))
    return space[name]

def word(number):  # of letters only, which tell bugs apart
    return "".join(chr(97 + int(digit)) for digit in str(number))

<MAKE>

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

def act(number):
    function, kind = make(number)
    try: function(kind)
    except Exception: log.exception("order failed")

for number in range(warm_up): act(number)
gc.collect()
born.clear()
before = resident()
for number in range(warm_up, warm_up + count): act(number)
gc.collect()
alive = sum(one() is not None for one in born)
print(json.dumps({"grown": resident() - before, "alive": alive}))
os._exit(0)  # what is left is not this test's
"""

NEW = {
    "code": """
def make(number):
    return function(number, "1"), ValueError
""",
    "code with a large constant now and then": """
def make(number):
    return function(number, "1" if number % 10 else repr("x" * 100_000 + str(number))), ValueError
""",
    "code of bugs of their own": """
def make(number):
    return function(number, "1", f"fail_{word(number)}"), ValueError
""",
    "exception classes": """
def make(number):
    kind = type(f"Own{word(number)}Error", (Exception,), {})
    born.append(weakref.ref(kind))
    return fail, kind
""",
}


@pytest.mark.shows("storm", "bounded")
@pytest.mark.shows("out of memory", "bounded")
@pytest.mark.parametrize("what", NEW)
def test_new(tmp_path, what):
    """50,000 of them pass through all handlers; memory stays, and all but a bounded number can be freed."""
    script = SCRIPT.replace("<MAKE>", NEW[what])
    out, _ = processes.run(script, tmp_path, COUNT, 2_000, seconds=300)
    found = json.loads(out)
    assert found["grown"] < MOST_MIB, found
    assert found["alive"] < MOST_ALIVE, found
