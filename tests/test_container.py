"""A process knows whether it runs in a container, by trees of files as runtimes leave them."""

from __future__ import annotations

import pytest

from loghub.container import in_container
from loghub.filters import system_info

ID = "3f2a" * 16
PRIVATE = {"proc/1/cgroup": "0::/\n", "proc/self/cgroup": "0::/\n"}  # cgroup v2 in a namespace of its own


def mount(point, root="/", options="rw", kind="overlay"):
    """Return a line of mountinfo."""
    return f"720 612 0:57 {root} {point} rw,relatime master:243 - {kind} {kind} {options}\n"


def overlay(folder):
    """Return the mount of a root of layers in a folder."""
    return mount(
        "/", options=f"rw,lowerdir={folder}/l/A:{folder}/l/B,upperdir={folder}/{ID}/diff,workdir={folder}/{ID}/work"
    )


INSIDE = {
    "Docker": {".dockerenv": ""},
    "podman": {"run/.containerenv": ""},
    "Kubernetes, by its account": PRIVATE | {"run/secrets/kubernetes.io/serviceaccount/token": "x"},
    "Docker, cgroup v1": {"proc/1/cgroup": f"12:memory:/docker/{ID}\n0::/docker/{ID}\n"},
    "Docker, systemd's cgroups": {"proc/self/cgroup": f"0::/system.slice/docker-{ID}.scope\n"},
    "Kubernetes, cgroup v1": {"proc/1/cgroup": f"11:cpu:/kubepods/burstable/pod1-2/{ID}\n"},
    "Kubernetes, systemd's cgroups": {"proc/1/cgroup": "0::/kubepods.slice/kubepods-burstable.slice/a.scope\n"},
    "podman, rootless": {"proc/self/cgroup": f"0::/user.slice/user@1000.service/libpod-{ID}.scope/container\n"},
    "LXC": {"proc/1/cgroup": "12:pids:/lxc/web\n"},
    "LXC, v2": {"proc/1/cgroup": "0::/lxc.payload.web/init.scope\n"},
    "ECS": {"proc/1/cgroup": f"9:memory:/ecs/7e1c-task/{ID}\n"},
    "systemd-nspawn": {"run/systemd/container": "systemd-nspawn\n"},
    "overlay2": PRIVATE | {"proc/self/mountinfo": overlay("/var/lib/docker/overlay2")},
    "rootless Docker": PRIVATE | {"proc/self/mountinfo": overlay("/home/ann/.local/share/docker/overlay2")},
    "CRI-O": PRIVATE | {"proc/self/mountinfo": overlay("/var/lib/containers/storage/overlay")},
    "containerd": PRIVATE | {
        "proc/self/mountinfo": overlay("/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/7")
    },
    "k3s": PRIVATE | {
        "proc/self/mountinfo": overlay("/var/lib/rancher/k3s/agent/containerd/io.containerd.snapshotter.v1.overlayfs/7")
    },
    "hosts of Docker, no overlay": PRIVATE | {
        "proc/self/mountinfo": mount("/", kind="zfs")
        + mount("/etc/hosts", root=f"/var/lib/docker/containers/{ID}/hosts", kind="ext4")
    },
    "hosts of the kubelet": PRIVATE | {
        "proc/self/mountinfo": mount("/etc/hosts", root="/var/lib/kubelet/pods/1-2/etc-hosts", kind="ext4")
    },
}  # fmt: skip

OUTSIDE = {
    "nothing": {},
    "plain host": {
        "proc/1/cgroup": "0::/init.scope\n",
        "proc/self/cgroup": "0::/user.slice/user-1000.slice/session-2.scope\n",
        "proc/self/mountinfo": mount("/", kind="ext4"),
    },
    "Docker's own service": {"proc/self/cgroup": "0::/system.slice/docker.service\n"},
    "containerd's own service": {"proc/self/cgroup": "12:pids:/system.slice/containerd.service\n"},
    "a host with containers": {
        "proc/self/mountinfo": mount("/", kind="ext4")
        + mount(f"/var/lib/docker/overlay2/{ID}/merged", options="rw,upperdir=/var/lib/docker/overlay2/x/diff")
        + mount(f"/run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/rootfs")
        + mount("/var/lib/kubelet/pods/1-2/volumes/token", kind="tmpfs"),
    },
    "a live system": {"proc/self/mountinfo": mount("/", options="rw,lowerdir=/run/rootfsbase,upperdir=/run/overlayfs")},
    "an image-based system": {"proc/self/mountinfo": mount("/", options="ro,lowerdir+=/run/ostree/.private/cfsroot")},
    "a virtual machine": {"proc/1/cgroup": "0::/init.scope\n", "sys/class/dmi/id/product_name": "KVM\n"},
    "WSL": {"run/systemd/container": "wsl\n"},
    "garbage": {"proc/self/mountinfo": "\n\n/ / /\n\x00\udce9".encode("utf-8", "surrogateescape").decode("latin-1")},
}


def tree(folder, files):
    """Make the files below a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize("name", INSIDE)
def test_inside(tmp_path, name):
    """Each runtime's container is seen, by a mark of its own."""
    assert in_container(tree(tmp_path, INSIDE[name]), {})


@pytest.mark.parametrize("name", OUTSIDE)
def test_outside(tmp_path, name):
    """Hosts and virtual machines are none, also those that run containers."""
    assert not in_container(tree(tmp_path, OUTSIDE[name]), {"container": "flatpak", "DOCKER_HOST": "x"})


@pytest.mark.parametrize(
    "environ", [{"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, {"container": "podman"}, {"container": "systemd-nspawn"}]
)
def test_variables(tmp_path, environ):
    """What runtimes put into the environment is enough."""
    assert in_container(str(tmp_path), environ)


def test_system_info(monkeypatch):
    """An event says it of this process."""
    monkeypatch.setenv("container", "lxc")
    assert system_info()["docker"] is True
