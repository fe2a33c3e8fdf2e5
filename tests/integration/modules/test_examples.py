# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of each module's documentation, run by ansible-playbook as they stand, each task twice.

Two hosts stand for the first and the second time, both of them this one: what the second changes is no example.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.linuxnet.lab.plugins import modules

from ..engine.support import kernel_has, lab, sh
from ..info.test_netns import FILES, IDS, in_control_groups

__all__ = ["lab"]
pytestmark = pytest.mark.usefixtures("lab")

HOST = ("ip link add vnet-br0 type bridge", "ip addr add 192.168.20.1/24 dev vnet-br0", "ip link set vnet-br0 up")
RED = (
    *HOST,
    "ip netns add red",
    "ip link add veth-r master vnet-br0 type veth peer name eth0-r netns red",
    "ip link set veth-r up",
    "ip -n red link set eth0-r up",
)
ADDRESSED = (*RED, "ip -n red addr add 192.168.20.2/24 dev eth0-r")
NODE1 = ("ip netns add node1", "ip netns add node2")
VETH1 = (*NODE1, "ip -n node1 link add veth1 type veth peer name veth2 netns node2")
OVERLAY = (
    *VETH1,
    "ip -n node1 link add vxlan0 type vxlan id 42 dstport 4789 remote 192.168.1.3",
    "ip -n node1 link set vxlan0 up",
)
POD = (
    "ip netns add pod",
    "ip link add cali349ff1af8c4 type veth peer name eth0 netns pod",
    "ip link set cali349ff1af8c4 up",
    "ip -n pod link set eth0 up",
    "ip route add 10.244.239.132 dev cali349ff1af8c4",
    "ip link add eth1 type veth peer name far",
    "ip link set far up",
    "ip link set eth1 up",
    "ip addr add 192.168.26.105/24 dev eth1",
    "ip route add 10.244.169.64/26 via 192.168.26.101 dev eth1",
    "sysctl -qw net.ipv4.conf.cali349ff1af8c4.forwarding=1",
)
# what has to be there before the examples of a module
BEFORE: dict[str, tuple[str, ...]] = {
    "address": (*RED, "ip netns add ns1", "ip -n ns1 link add tunl type bridge"),
    "echo_info": (*POD, "ip netns add default.web-vms100", "ip link set lo up"),
    "echo_server": ("ip netns add web-1", "ip netns add web-2"),
    "fdb": ("ip link add vxlan42 type vxlan id 42 dstport 4789",),
    "fdb_info": (*RED, *OVERLAY),
    "ipip_tunnel": ("ip netns add ns1",),
    "iptables_info": ("iptables -t nat -N KUBE-NODEPORTS", "iptables -t nat -A OUTPUT -j KUBE-NODEPORTS"),
    "link": (*HOST, "ip netns add red", "ip link add veth-r type veth peer name eth0-r"),
    "link_info": (*ADDRESSED, *POD),
    "neighbor": ("ip link add vxlan.calico type vxlan id 4096 dstport 4789", "ip link add eth1 type bridge"),
    "neighbor_info": OVERLAY,
    "ping_info": (
        *ADDRESSED,
        "ip addr add 192.168.20.3/24 dev vnet-br0",
        *VETH1,
        "ip -n node1 addr add 172.17.1.2/24 dev veth1",
        "ip -n node2 addr add 172.17.1.3/24 dev veth2",
        "ip -n node1 link set veth1 mtu 1450 up",
        "ip -n node2 link set veth2 mtu 1450 up",
    ),
    "proxy_arp": ("ip link add cali39888f400bd type veth peer name far",),
    "route": ADDRESSED,
    "route_info": POD,
    "rule": ("ip netns add red",),
    "snapshot_info": ("ip netns add red",),
    "sysctl_info": POD,
    "veth": (*HOST, "ip netns add red", *NODE1),
    "vxlan": (*VETH1, "ip -n node1 addr add 192.168.1.2/24 dev veth1"),
}
WITH_CONTAINER = ("link_info", "netns_info")  # their examples look at the namespace of another process
ALONE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")  # no namespaces of others come and go
NAMES = sorted(path.stem for path in Path(modules.__path__[0]).glob("*.py") if path.stem != "__init__")


def examples(name: str) -> list[dict[str, Any]]:
    """The tasks of a module's documentation."""
    text = importlib.import_module(f"ansible_collections.linuxnet.lab.plugins.modules.{name}").EXAMPLES
    found: list[dict[str, Any]] = yaml.safe_load(text)
    return found


def counted(output: str) -> dict[str, dict[str, int]]:
    """{host: {what: how many}} of the recap."""
    lines = re.findall(r"^(first|second)\s*: (.*)$", output, re.MULTILINE)
    return {host: {what: int(n) for what, n in re.findall(r"(\w+)=(\d+)", line)} for host, line in lines}


def called_minio(pid: int, stack: ExitStack) -> None:
    """Make a process one of the container minio, as containerd does."""
    path = f"/run/containerd/io.containerd.runtime.v2.task/k8s.io/{IDS['minio']}/config.json"
    Path(path).parent.mkdir(parents=True)
    Path(path).write_text(json.dumps(FILES[path]))
    stack.enter_context(in_control_groups({"minio": pid}))


@pytest.mark.parametrize("name", NAMES)
def test_examples_run_and_change_nothing_the_second_time(name: str, tmp_path: Path) -> None:
    if name == "ipip_tunnel" and not kernel_has("ipip"):
        pytest.skip("KERNEL: this one has no ipip; these examples are run in a guest that has")
    for line in BEFORE.get(name, ()):
        sh(*line.split())
    tasks = examples(name)
    play = {"gather_facts": False, "connection": "ansible.builtin.local"}
    plays = [{"hosts": host, **play, "tasks": [task]} for task in tasks for host in ("first", "second")]
    (tmp_path / "examples.yml").write_text(json.dumps(plays))
    with ExitStack() as stack:
        container = stack.enter_context(
            subprocess.Popen(
                ["unshare", "-n", "sh", "-c", "ip link add eth0 type veth peer name lan; echo; exec cat"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        )
        assert container.stdout is not None and container.stdout.readline()
        if name in WITH_CONTAINER:
            called_minio(container.pid, stack)
        done = subprocess.run(
            [
                *([] if name in WITH_CONTAINER else ALONE),
                Path(sys.executable).parent / "ansible-playbook", tmp_path / "examples.yml", "-i", "first,second",
                "-e", json.dumps({"ansible_python_interpreter": sys.executable, "pid": container.pid}),
            ],
            capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3],
            env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCAL_TEMP": str(tmp_path), "ANSIBLE_REMOTE_TEMP": str(tmp_path)},
        )  # fmt: skip
    assert done.returncode == 0, (done.stdout[-3000:], done.stderr[-2000:])
    first, second = counted(done.stdout)["first"], counted(done.stdout)["second"]
    planned = sum(bool(task.get("check_mode")) for task in tasks)
    assert first["ok"] == second["ok"] == len(tasks) and second["changed"] == planned, done.stdout[-3000:]
    assert name.endswith("_info") or first["changed"] > planned, done.stdout[-3000:]
