"""Whether this process runs in a container, by what container runtimes leave behind.

No single mark is always there: Docker makes ``/.dockerenv``, podman ``/run/.containerenv``, Kubernetes sets variables
and mounts a service account, systemd-nspawn and LXC set ``container``. With cgroup v2 a container sees ``0::/`` of
itself, but the mounts of its root and of ``/etc/hosts`` still name the runtime's folders.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILES = (
    ".dockerenv",
    "run/.containerenv",
    "run/secrets/kubernetes.io",
    "var/run/secrets/kubernetes.io",
    ".lxc-boot-id",
)
_RUNTIMES = frozenset(
    ("docker", "podman", "oci", "lxc", "lxc-libvirt", "systemd-nspawn", "rkt", "containerd", "kube", "garden", "crio")
)
# Names of single containers: a runtime's own service, on the host, is in a group of its name as well.
_CGROUP = re.compile(
    r"/docker[/-][0-9a-f]{12}|/kubepods|kubepods[.-]|libpod-[0-9a-f]{12}|crio-[0-9a-f]{12}|cri-containerd[:-]"
    r"|/lxc(?:\.payload)?[./]|/ecs/[\w-]+/|/garden/|/machine\.slice/machine-"
)
_MOUNT = re.compile(
    r"/docker/(?:overlay2|containers|aufs|btrfs|zfs|rootfs)|/containers/storage/|/overlay-containers/"
    r"|io\.containerd\.|/containerd/(?:daemon|snapshots)|/kubelet/pods/|/buildkit/|/crio/"
)
_OWN_MOUNTS = frozenset(("/", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"))
_MAX_BYTES = 1_000_000


def in_container(root: str = "/", environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether the process runs in a container: of Docker, podman, Kubernetes, containerd, LXC, systemd-nspawn.

    Args:
        root: Where the system's files are.
        environ: The process's environment.
    """
    if "KUBERNETES_SERVICE_HOST" in environ or environ.get("container", "").lower() in _RUNTIMES:
        return True
    if any(os.path.exists(os.path.join(root, file)) for file in _FILES):
        return True
    if _read(root, "run/systemd/container").strip().lower() in _RUNTIMES:
        return True
    if any(_CGROUP.search(_read(root, f"proc/{process}/cgroup")) for process in ("1", "self")):
        return True
    return any(map(_is_a_containers, _read(root, "proc/self/mountinfo").splitlines()))


def _is_a_containers(mount: str) -> bool:
    """Return whether a line of mountinfo is of a container's own root or names, in a runtime's folder.

    The fields are, by proc(5): id, parent, device, root within the filesystem, mount point, options, ...; behind a
    hyphen type, source, the filesystem's own options. The runtime's host has such folders at other mount points.
    """
    fields = mount.split(" ")
    return len(fields) > 4 and fields[4] in _OWN_MOUNTS and _MOUNT.search(mount) is not None


def _read(root: str, file: str) -> str:
    try:
        with open(os.path.join(root, file), encoding="utf-8", errors="replace") as held:
            return held.read(_MAX_BYTES)
    except OSError:
        return ""
