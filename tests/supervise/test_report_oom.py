"""Kills for want of memory are read from control groups: of both versions, in containers, and real ones."""

from __future__ import annotations

import contextlib
import os
import subprocess

import pytest

from loghub.supervise.oom import Group, Memory, group_of
from tests.supervise.reporting import command, environment, script, told

MOUNT_2 = "30 23 0:26 {root} /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
MOUNT_1 = (
    "33 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 {root} /sys/fs/cgroup/memory rw shared:11 - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
)


def tree(root, mountinfo, cgroup, files, pid="self"):
    """Make a file system in which a process is in a control group."""
    (root / "proc" / pid).mkdir(parents=True, exist_ok=True)
    (root / "proc" / pid / "mountinfo").write_text(mountinfo)
    (root / "proc" / pid / "cgroup").write_text(cgroup)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


def events(kills, folder="sys/fs/cgroup"):
    """Return the files of a group of version 2."""
    return {
        f"{folder}/memory.events": f"low 0\nhigh 0\nmax 12\noom 3\noom_kill {kills}\noom_group_kill 0\n",
        f"{folder}/memory.max": "104857600\n",
        f"{folder}/memory.current": "104800000\n",
        f"{folder}/memory.peak": "104857600\n",
    }


def test_version_2_in_a_container(tmp_path):
    """In a container the group is at the mount itself, whatever the path says."""
    root = tree(tmp_path, MOUNT_2.format(root="/"), "0::/\n", events(2))
    memory = Memory(root=root)
    assert memory.kills() == 0
    tree(tmp_path, MOUNT_2.format(root="/"), "0::/\n", events(3))
    assert memory.kills() == 1
    assert memory.facts() == {"limit": 104857600, "used": 104800000, "peak": 104857600, "times_at_limit": 12}


@pytest.mark.parametrize(
    ("mounted", "path", "folder"),
    [
        ("/", "/system.slice/shop.service", "sys/fs/cgroup/system.slice/shop.service"),
        ("/docker/abc", "/docker/abc/inner", "sys/fs/cgroup/inner"),
        ("/docker/abc", "/docker/abc", "sys/fs/cgroup"),
        ("/", "/system.slice/shop.service/without/memory", "sys/fs/cgroup/system.slice/shop.service"),
        ("/../../kubepods", "/../../kubepods/pod1", "sys/fs/cgroup/pod1"),
    ],
)
def test_where(mounted, path, folder, tmp_path):
    """The group is found below the mount, and where that one has no counter, above itself."""
    root = tree(tmp_path, MOUNT_2.format(root=mounted), f"0::{path}\n", events(1, folder))
    assert group_of("self", root) == Group(str(tmp_path / folder), 2)


def test_version_1(tmp_path):
    """Version 1 has the same under other names; its number for no limit is none."""
    cgroup = "9:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/\n"
    folder = "sys/fs/cgroup/memory"
    files = {
        f"{folder}/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n",
        f"{folder}/memory.limit_in_bytes": "9223372036854771712\n",
        f"{folder}/memory.usage_in_bytes": "5000\n",
        f"{folder}/memory.max_usage_in_bytes": "6000\n",
        f"{folder}/memory.failcnt": "7\n",
    }
    root = tree(tmp_path, MOUNT_1.format(root="/docker/abc"), cgroup, files)
    memory = Memory(root=root)
    (tmp_path / folder / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    assert (memory.kills(), memory.facts()) == (2, {"used": 5000, "peak": 6000, "times_at_limit": 7})


def test_group_of_its_own(tmp_path):
    """The child's own group counts as well; a kill that both count is one."""
    root = tree(tmp_path, MOUNT_2.format(root="/"), "0::/a\n", events(0, "sys/fs/cgroup/a"))
    tree(tmp_path, MOUNT_2.format(root="/"), "0::/a/b\n", events(0, "sys/fs/cgroup/a/b"), pid="17")
    memory = Memory(("self", "17"), root)
    (tmp_path / "sys/fs/cgroup/a/b/memory.events").write_text("oom_kill 1\n")
    (tmp_path / "sys/fs/cgroup/a/memory.events").write_text("oom_kill 1\n")
    assert memory.kills() == 1


@pytest.mark.parametrize(
    ("mountinfo", "cgroup"),
    [("", ""), ("nonsense - - -\n", "nonsense\n"), (MOUNT_2.format(root="/"), "0::/\n"), ("", "0::/\n")],
)
def test_nothing_to_read(mountinfo, cgroup, tmp_path):
    """Where there are no groups, nothing is known, and nothing goes wrong."""
    memory = Memory(("self", "17"), tree(tmp_path, mountinfo, cgroup, {}))
    assert (memory.kills(), memory.facts()) == (0, {})


def test_spaces_in_a_mount(tmp_path):
    """Mountinfo writes spaces in octal."""
    mountinfo = MOUNT_2.format(root="/").replace("/sys/fs/cgroup", "/sys/fs/c\\040g")
    root = tree(tmp_path, mountinfo, "0::/\n", events(1, "sys/fs/c g"))
    assert group_of("self", root) == Group(str(tmp_path / "sys/fs/c g"), 2)


@contextlib.contextmanager
def limit(megabytes):
    """Yield a real control group with a limit; None where this process may not make one."""
    ours = group_of("self")
    folder = "" if ours is None else os.path.join(ours.folder, f"loghub-test-{os.getpid()}")
    try:
        os.mkdir(folder)
    except OSError:
        yield None
        return
    try:
        with open(os.path.join(folder, _limit_of(ours)), "w", encoding="ascii") as file:
            file.write(str(megabytes << 20))
        yield folder
    except PermissionError:
        yield None
    finally:
        os.rmdir(folder)


def _limit_of(group):
    return "memory.max" if group.version == 2 else "memory.limit_in_bytes"


TAKES = """
    import os, sys

    def take():
        print("taking", file=sys.stderr)
        return bytearray(600 << 20)
"""


@pytest.mark.shows("out of memory", "said")
@pytest.mark.slow
@pytest.mark.parametrize("lives", [False, True])
def test_real_limit(lives, tmp_path):
    """A command that a real limit kills is told so; so is a process below it, after which the command lives on."""
    end = "if os.fork() == 0: take()\n    else: os.wait()\n" if lives else "take()\n"
    path = script(tmp_path, TAKES + f"\n    {end}")
    with limit(200) as folder:
        if folder is None:
            pytest.skip("this machine lets nobody make a control group with a limit of memory")
        inside = ["sh", "-c", f'echo 0 > {folder}/cgroup.procs; exec "$@"', "sh", *command(path)]
        env = environment(tmp_path / "home")
        done = subprocess.run(inside, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == (0 if lives else -9), done.stderr
    [one] = told(tmp_path / "home")
    who = "a process of app" if lives else "app"
    assert (one.kind, one.event["error_message"]) == ("OutOfMemory", f"{who} was killed for want of memory")
    assert one.event["additional_info"]["memory"]["limit"] == 200 << 20
    assert one.event["additional_info"]["stderr"] == ["taking"]
