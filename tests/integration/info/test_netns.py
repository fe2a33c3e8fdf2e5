# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""netns_info against `ip netns`: names, ids, processes; namespaces without a name, and the containers in them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._info import netns
from hypothesis import given
from hypothesis import strategies as st

from ..engine.support import own_network, sh
from ..engine.test_properties import profile
from .look import anyhow, ip_json, process_without_a_name


def namespaces(**params: Any) -> list[dict[str, Any]]:
    """What netns_info returns."""
    found, warnings = netns.look({"netns": "all", "grep": None, "container": None, "processes": 20, **params})
    assert warnings == []
    return found


NAMES = ["red", "green", "node1", "node2", "kube-system.pod:1"]


@profile
@given(st.lists(st.sampled_from(NAMES), unique=True), st.data())
def test_names_ids_and_processes_are_those_of_ip_netns(names: list[str], data: Any) -> None:
    with own_network(), ExitStack() as running:
        for name in names:
            sh("ip", "netns", "add", name)
        connected = data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []
        for number, name in enumerate(connected):
            sh("ip", "link", "add", f"v{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
        pids = {
            name: [running.enter_context(process_without_a_name(f"/run/netns/{name}")) for _again in range(2)]
            for name in connected[:1]
        }
        found = {one["name"]: one for one in namespaces() if one["name"]}
        assert sorted(found) == sorted(names)
        theirs = {one["name"]: one.get("id") for one in ip_json("", "netns", "list")}
        lines = sh("ip", "netns", "list").splitlines()
        for name, one in found.items():
            assert one["nsid"] == theirs[name] and one["text"] in lines and one["netns"] == name
            assert one["inode"] == os.stat(f"/run/netns/{name}").st_ino and one["path"] == f"/run/netns/{name}"
            theirs_in = {int(pid) for pid in sh("ip", "netns", "pids", name).split()}
            assert one["pids"] == sorted(theirs_in) == sorted(pids.get(name, []))
            assert namespaces(netns=name) == [one]
        for listed in ip_json("", "netns", "list-id"):
            assert found[listed["name"]]["nsid"] == listed["nsid"]


@pytest.mark.usefixtures("lab")
def test_a_namespace_without_a_name_is_found_by_its_processes() -> None:
    with process_without_a_name() as pid:
        path = f"/proc/{pid}/ns/net"
        one = next(one for one in namespaces() if pid in one["pids"])
        assert (one["netns"], one["name"], one["path"], one["nsid"]) == (path, None, path, None)
        assert one["processes"] == [{"pid": pid, "command": "sleep"}] and one["process_count"] == 1
        assert one["text"] == f"{path} pid {pid} sleep" and one["containers"] == []
        sh("ip", "link", "add", "cali0", "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        sh("ip", "link", "show", "cali0")  # a look at the veth gives the namespace its id
        (again,) = namespaces(netns=str(pid))
        assert again["nsid"] == ip_json("", "link", "show", "cali0")[0]["link_netnsid"]
        assert again["text"] == f"{path} (id: {again['nsid']}) pid {pid} sleep"
        assert namespaces(grep=f"pid {pid} ") == [again]
    assert not any(pid in one["pids"] for one in namespaces())
    assert anyhow("netns_info", netns=str(pid))["msg"].startswith(f"there is no network namespace {pid}")


@pytest.mark.usefixtures("lab")
def test_a_namespace_that_is_mounted_elsewhere_is_found_too() -> None:
    """docker keeps those of its overlay networks under /run/docker/netns, without any process in them."""
    os.makedirs("/run/docker/netns")
    for path in ("/run/docker/netns/1-a b", "/run/docker/netns/leftover"):
        Path(path).touch()
    with process_without_a_name() as pid:
        sh("mount", "--bind", f"/proc/{pid}/ns/net", "/run/docker/netns/1-a b")
    found = [one for one in namespaces() if one["path"].startswith("/run/docker")]
    assert [(one["netns"], one["pids"]) for one in found] == [("/run/docker/netns/1-a b", [])]
    assert found[0]["text"] == "/run/docker/netns/1-a b" and namespaces(netns=found[0]["path"]) == found


@pytest.mark.usefixtures("lab")
def test_the_own_namespace_comes_first_and_processes_are_bounded() -> None:
    own = namespaces(processes=1)[0]
    assert own["netns"] == "" and own["inode"] == os.stat("/proc/thread-self/ns/net").st_ino
    assert own["name"] is None and len(own["pids"]) == len(own["processes"]) <= 1
    sh("ip", "netns", "attach", "here", str(os.getpid()))  # the namespace of the main thread, which is this one
    assert namespaces(netns="here")[0]["name"] == "here" and namespaces()[0]["netns"] == ""


@pytest.mark.usefixtures("lab")
def test_bad_places_and_no_root() -> None:
    assert anyhow("netns_info", netns="nowhere")["msg"] == "there is no network namespace nowhere"
    Path("/run/netns/leftover").touch()
    assert not any(one["name"] == "leftover" for one in namespaces())
    assert anyhow("netns_info", netns="leftover")["msg"] == "there is no network namespace leftover"
    sh("ip", "netns", "add", "red")
    answer = anyhow("netns_info", user=65534)
    assert [one["name"] for one in answer["namespaces"] if one["name"]] == ["red"]
    assert "only root" in str(answer["warnings"])


# ---- containers: control groups of the kernel, files as the runtimes leave them --------------------------------------

IDS = {name: name.encode().hex().ljust(64, "0") for name in ("docker", "pause", "minio", "crio", "web", "rm", "gone")}
KUBEPODS = "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod72f7f152_440c_66ac_9084_e0fc1d8a910c.slice"
GROUPS = {
    "docker": f"system.slice/docker-{IDS['docker']}.scope",
    "pause": f"{KUBEPODS}/cri-containerd-{IDS['pause']}.scope",
    "minio": f"{KUBEPODS}/cri-containerd-{IDS['minio']}.scope",
    "crio": f"{KUBEPODS}/crio-{IDS['crio']}.scope",
    "web": f"machine.slice/libpod-{IDS['web']}.scope/container",
    "rm": f"machine.slice/libpod-{IDS['rm']}.scope",
    "gone": f"docker/{IDS['gone']}",
}
CRI = {
    "io.kubernetes.cri.sandbox-id": IDS["pause"],
    "io.kubernetes.cri.sandbox-name": "minio-b6d98746c-m7rzc",
    "io.kubernetes.cri.sandbox-namespace": "velero",
}
LABELS = {"io.kubernetes.pod.name": "minio-0", "io.kubernetes.pod.namespace": "velero"}
FILES: dict[str, Any] = {
    f"/var/lib/docker/containers/{IDS['docker']}/config.v2.json": {
        "ID": IDS["docker"], "Name": "/k8s_minio_minio-0_velero_0", "Config": {"Image": "minio", "Labels": LABELS},
    },
    f"/var/lib/docker/containers/{IDS['gone']}/config.v2.json": "not JSON: it is just being written",
    f"/run/containerd/io.containerd.runtime.v2.task/k8s.io/{IDS['pause']}/config.json": {
        "annotations": {**CRI, "io.kubernetes.cri.container-type": "sandbox"},
    },
    f"/run/containerd/io.containerd.runtime.v2.task/k8s.io/{IDS['minio']}/config.json": {
        "annotations": {**CRI, "io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.container-name": "minio"},
    },
    f"/run/containers/storage/overlay-containers/{IDS['crio']}/userdata/config.json": {
        "annotations": {**LABELS, "io.kubernetes.container.name": "minio", "io.kubernetes.cri-o.ContainerType": "container"},
    },
    "/var/lib/containers/storage/overlay-containers/containers.json": [
        {"id": IDS["crio"], "names": ["k8s_minio_minio-0_velero_0"]}, {"id": IDS["web"], "names": ["web", "www"]},
    ],
    "/var/lib/containers/storage/overlay-containers/volatile-containers.json": [{"id": IDS["rm"], "names": ["throw-away"]}],
}  # fmt: skip
POD = {"pod": "minio-b6d98746c-m7rzc", "namespace": "velero"}
EXPECTED: dict[str, dict[str, Any]] = {
    "docker": {"runtime": "docker", "name": "k8s_minio_minio-0_velero_0", "pod": "minio-0", "namespace": "velero"},
    "pause": {"runtime": "containerd", "name": None, **POD},
    "minio": {"runtime": "containerd", "name": "minio", **POD},
    "crio": {"runtime": "cri-o", "name": "minio", "pod": "minio-0", "namespace": "velero"},
    "web": {"runtime": "podman", "name": "web", "pod": None, "namespace": None},
    "rm": {"runtime": "podman", "name": "throw-away", "pod": None, "namespace": None},
    "gone": {"runtime": "docker", "name": None, "pod": None, "namespace": None},
}


@contextmanager
def in_control_groups(pids: dict[str, int]) -> Iterator[None]:
    """Real control groups (version 2), mounted for the test; the processes go into them, and back out."""
    root = Path("/run/cgroup2")
    root.mkdir()
    sh("mount", "-t", "cgroup2", "none", str(root))
    (own,) = re.findall(r"^0::/(.*)$", Path("/proc/self/cgroup").read_text(), re.M)
    home = root / own
    made: list[Path] = []
    try:
        for name, pid in pids.items():
            group = root / GROUPS[name]
            for folder in [*reversed(group.relative_to(root).parents), group.relative_to(root)]:
                if not (root / folder).exists():
                    (root / folder).mkdir()
                    made.append(root / folder)
            (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        for pid in pids.values():
            (home / "cgroup.procs").write_text(str(pid))
        for folder in reversed(made):
            folder.rmdir()


@pytest.mark.usefixtures("lab")
def test_containers_are_called_by_their_names_without_their_daemons() -> None:
    sh("mount", "-t", "tmpfs", "lab", "/var/lib")
    for path, content in FILES.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(content if isinstance(content, str) else json.dumps(content))
    with ExitStack() as running:
        pids = {name: running.enter_context(process_without_a_name()) for name in GROUPS if name != "minio"}
        pids["minio"] = running.enter_context(process_without_a_name(f"/proc/{pids['pause']}/ns/net"))  # of one pod
        running.enter_context(in_control_groups(pids))
        found = {pid: one for one in namespaces() for pid in one["pids"]}
        for name, pid in pids.items():
            (one,) = (one for one in found[pid]["containers"] if one["id"] == IDS[name])
            assert one == {"id": IDS[name], **EXPECTED[name]}
        pod = found[pids["pause"]]
        assert pod is found[pids["minio"]] and len(pod["containers"]) == 2
        assert namespaces(container="minio-b6d98746c-m7rzc") == [pod] == namespaces(container=IDS["minio"][:12])
        assert [one["pids"] for one in namespaces(container="web")] == [[pids["web"]]]
        assert found[pids["web"]]["text"] == f"/proc/{pids['web']}/ns/net pid {pids['web']} sleep container web"
