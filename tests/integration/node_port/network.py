# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node with pods, as Calico leaves them, and a client outside; requests from any of them.

The test's own network is the node: 192.0.2.2, next to the namespace `client`, 192.0.2.1. The pods web-1, web-2 and web-3
are 10.244.1.1, .2 and .3.
"""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Mapping
from typing import Any

from ansible_collections.linuxnet.lab.plugins.module_utils import _engine
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Options
from ansible_collections.linuxnet.lab.plugins.module_utils._netns import Namespaces
from ansible_collections.linuxnet.lab.plugins.plugin_utils.node_port import plan

from ..engine.support import sh
from ..modules.test_modules import module

CLIENT, NODE = "192.0.2.1", "192.0.2.2"
ADDRESS = {f"web-{n}": f"10.244.1.{n}" for n in (1, 2, 3)}
ANSWER_WITHIN = 10  # seconds; only a broken network takes longer than a few milliseconds
SILENCE = 0.5  # seconds without an answer

_COMMANDS = """
ip netns add client
ip link add up0 type veth peer name eth0 netns client
ip address add 192.0.2.2/24 dev up0
ip link set up0 up
ip route add default via 192.0.2.1
ip -n client link set lo up
ip -n client link set eth0 up
ip -n client address add 192.0.2.1/24 dev eth0
ip -n client route add 10.96.0.0/12 via 192.0.2.2
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
"""
_POD = """
ip netns add {name}
ip link add cali{name} type veth peer name eth0 netns {name}
sysctl -qw net.ipv4.conf.cali{name}.proxy_arp=1 net.ipv4.neigh.cali{name}.proxy_delay=0
ip link set cali{name} up
ip -n {name} link set lo up
ip -n {name} link set eth0 up
ip -n {name} address add {address}/32 dev eth0
ip -n {name} route add 169.254.1.1 dev eth0 scope link
ip -n {name} route add default via 169.254.1.1 dev eth0
ip route add {address}/32 dev cali{name} scope link
"""


def build() -> None:
    """Client and pods, each pod with a server for HTTP and one for UDP at port 9000."""
    for line in _COMMANDS.strip().splitlines():
        sh(*line.split())
    for name, address in ADDRESS.items():
        for line in _POD.strip().format(name=name, address=address).splitlines():
            sh(*line.split())
    servers = [
        {"name": f"{name}-{protocol}", "netns": name, "protocol": protocol, "port": 9000}
        for name in ADDRESS
        for protocol in ("tcp", "udp")
    ]
    answer = module("echo_server", servers=servers)
    assert not answer.get("failed"), answer


def stop() -> None:
    """No server is left."""
    answer = module("echo_server", state="absent")
    assert not answer.get("failed"), answer


def pods(**nodes: str) -> list[dict[str, str]]:
    """What the role pod_network publishes; all pods are on this node, but for those that `nodes` puts elsewhere."""
    return [
        {"namespace": "default", "name": name, "address": address, "node": nodes.get(name.replace("-", "_"), "node")}
        for name, address in ADDRESS.items()
    ]


def service(**options: Any) -> dict[str, Any]:
    """A service of three pods at node port 30999."""
    return {
        "name": "web", "cluster_ip": "10.96.0.7", "port": 80, "target_port": 9000, "node_port": 30999,
        "endpoints": list(ADDRESS), **options,
    }  # fmt: skip


def apply(*services: Mapping[str, Any], where: list[dict[str, str]] | None = None, **values: Any) -> _engine.Result:
    """What the role does on the node."""
    part = plan({"services": list(services), **values}, "node", {"node": {}}, ["node"], where or pods())
    assert part["problems"] == []
    description = {section: part["description"][section] for section in ("chains", "sysctls")}
    return _engine.run(description, Options(name="node_port", prune=True))


def remove() -> _engine.Result:
    """What the role does with state absent."""
    return _engine.run({}, Options(name="node_port", prune=True))


# ---- requests -----------------------------------------------------------------------------------------------------


def ask(where: str, address: str, port: int, timeout: float = ANSWER_WITHIN) -> dict[str, Any]:
    """One HTTP request over a connection of its own, from a namespace ('' is the node). OSError."""
    namespaces = Namespaces()
    try:
        with namespaces.entered(where):
            connection = socket.socket()
    finally:
        namespaces.close()
    with connection:
        connection.settimeout(timeout)
        connection.connect((address, port))
        connection.sendall(b"GET /path HTTP/1.0\r\n\r\n")
        text = b""
        while part := connection.recv(65536):
            text += part
    found: dict[str, Any] = json.loads(text.partition(b"\r\n\r\n")[2])
    assert found["path"] == "/path"
    return found


def ask_udp(where: str, address: str, port: int, timeout: float = ANSWER_WITHIN) -> dict[str, Any]:
    """One datagram from a port of its own, and its answer, which must come from the address that was asked."""
    namespaces = Namespaces()
    try:
        with namespaces.entered(where):
            own = socket.socket(type=socket.SOCK_DGRAM)
    finally:
        namespaces.close()
    with own:
        own.settimeout(timeout)
        own.connect((address, port))
        own.send(b"hello")
        found: dict[str, Any] = json.loads(own.recv(65536))
    assert found["data"] == "hello"
    return found


def pod_of(answer: Mapping[str, Any]) -> str:
    """Which pod a server is in."""
    return str(answer["name"]).rpartition("-")[0]


def rules_with(text: str) -> list[tuple[int, str]]:
    """(packets, rule) of all rules with this text."""
    lines = subprocess.run(["iptables-save", "-c"], capture_output=True, text=True, check=True).stdout.splitlines()
    found = [line.partition("] ") for line in lines if line.startswith("[") and text in line]
    return [(int(counters[1:].split(":")[0]), rule) for counters, _space, rule in found]
