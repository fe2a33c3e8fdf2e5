# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which container a process belongs to, without asking any daemon: its control group holds the container's id, and
the runtimes leave files that tell the name (docker's config.v2.json, the OCI config.json of containerd and CRI-O, the
containers.json of the storage that podman and CRI-O share).
"""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Container = dict[str, Any]  # runtime, id, name, pod, namespace; None for what is not known

_GROUP = re.compile(r"(?:.*?:)?(?:([a-z][a-z-]*)[-:])?([0-9a-f]{64})(?:\.scope)?")
_RUNTIMES = {
    "docker": "docker", "cri-containerd": "containerd", "nerdctl": "containerd", "crio": "cri-o", "libpod": "podman",
}  # fmt: skip


def of_cgroup(text: str) -> tuple[str | None, str] | None:
    """(runtime or None, id) from the text of /proc/PID/cgroup (cgroups(7)); None for a process in no container.

    `0::/system.slice/docker-ID.scope`, `12:pids:/docker/ID`, `0::/kubepods.slice/.../cri-containerd-ID.scope`,
    `9:cpuset:/kubepods-besteffort-podUID.slice:cri-containerd:ID`, `0::/machine.slice/libpod-ID.scope/container`
    """
    for line in text.splitlines():
        above = ""
        found = None
        for part in line.split(":", 2)[-1].split("/"):
            match = _GROUP.fullmatch(part)
            if match and not (match[1] or "").endswith("conmon"):  # that is who watches the container, outside of it
                found = _RUNTIMES.get(match[1] or above), match[2]  # of containers in containers the innermost
            above = part
        if found:
            return found
    return None


def _docker(config: Any, _id: str) -> Container:
    return {"name": config["Name"].lstrip("/"), **_pod((config.get("Config") or {}).get("Labels") or {})}


def _oci(config: Any, _id: str) -> Container:
    notes = config.get("annotations") or {}
    names = ("io.kubernetes.cri.container-name", "io.kubernetes.container.name", "nerdctl/name")
    return {"name": next((notes[name] for name in names if name in notes), None), **_pod(notes)}


def _storage(config: Any, identity: str) -> Container | None:
    names = {one["id"]: one.get("names") for one in config}
    return {"name": names[identity][0]} if names.get(identity) else None


def _pod(notes: Mapping[str, str]) -> Container:
    return {
        "pod": notes.get("io.kubernetes.pod.name") or notes.get("io.kubernetes.cri.sandbox-name"),
        "namespace": notes.get("io.kubernetes.pod.namespace") or notes.get("io.kubernetes.cri.sandbox-namespace"),
    }


class Source(NamedTuple):
    """Files in which a runtime tells about a container, and how they are read. {} is the container's id."""

    runtimes: tuple[str, ...]
    files: tuple[str, ...]
    read: Callable[[Any, str], Container | None]


_STORAGE = ("/var/lib/containers/storage/*-containers", "/home/*/.local/share/containers/storage/*-containers")
SOURCES = (
    Source(("docker",), ("/var/lib/docker/containers/{}/config.v2.json",), _docker),
    Source(
        ("containerd",),
        tuple(
            f"/run/{folder}io.containerd.runtime.v2.task/*/{{}}/config.json"
            for folder in ("containerd/", "k3s/containerd/")
        ),
        _oci,
    ),
    Source(("cri-o",), ("/run/containers/storage/*-containers/{}/userdata/config.json",), _oci),
    Source(
        ("podman", "cri-o"),
        tuple(f"{folder}/{name}.json" for folder in _STORAGE for name in ("containers", "volatile-containers")),
        _storage,
    ),
)


def describe(runtime: str | None, identity: str) -> Container:
    """What the runtimes' files tell about a container; its name is None if nothing does."""
    unknown = {"runtime": runtime, "id": identity, "name": None, "pod": None, "namespace": None}
    for source in SOURCES:
        if runtime not in (None, *source.runtimes):
            continue
        for pattern in source.files:
            for path in glob.glob(pattern.format(identity)):
                found = _read(path, identity, source)
                if found:
                    return {**unknown, "runtime": runtime or source.runtimes[0], **found}
    return unknown


def _read(path: str, identity: str, source: Source) -> Container | None:
    try:
        with open(path, encoding="utf-8") as file:
            return source.read(json.load(file), identity)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # not (or no longer) as it is known to be
        return None
