# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nodes in two subnets with a router between them, on the kernel: a and b in one, c in the other one.

Only VXLAN: not every kernel that runs these tests has ipip. The scenario pod_network of molecule has that.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Options, run
from ansible_collections.linuxnet.lab.plugins.plugin_utils.pod_network import plan

from ..engine.support import state, unlike
from .hosts import Host, cable, hosts, look

UNDERLAY = {"a": "192.168.1.1", "b": "192.168.1.2", "c": "192.168.2.3"}
BLOCK = {"a": "10.244.0.0/26", "b": "10.244.0.64/26", "c": "10.244.0.128/26"}
TUNNEL = {"a": "10.244.0.0", "b": "10.244.0.64", "c": "10.244.0.128"}
PODS = [
    {"name": "pod-a", "node": "a", "address": "10.244.0.5"},
    {"name": "pod-b", "node": "b", "address": "10.244.0.70"},
    {"name": "pod-c", "node": "c", "address": "10.244.0.130"},
]
ADDRESS = {str(pod["node"]): str(pod["address"]) for pod in PODS}
Nodes = dict[str, Host]


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    """The three nodes. The router has the last address of each subnet."""
    with hosts("router", *UNDERLAY) as found:
        router = found.pop("router")
        for line in (
            "ip link add lan type bridge", "ip addr add 192.168.1.254/24 dev lan", "ip link set lan up",
            "sysctl -qw net.ipv4.ip_forward=1",
        ):  # fmt: skip
            router.sh(line)
        for name, node in found.items():
            cable(router, f"to-{name}", node, "eth0")
            gateway = UNDERLAY[name].rpartition(".")[0] + ".254"
            router.sh("ip addr add 192.168.2.254/24 dev to-c" if name == "c" else f"ip link set to-{name} master lan")
            node.sh(f"ip addr add {UNDERLAY[name]}/24 dev eth0")
            node.sh(f"ip route add default via {gateway}")
        yield found


def apply(description: Any) -> list[str]:
    """What the role does on a node: the commands."""
    return list(run(description, Options(name="pod_network", prune=True, recreate=True)).commands)


def build(nodes: Nodes, pods: Sequence[dict[str, Any]] = tuple(PODS), **values: Any) -> dict[str, list[str]]:
    """What the role does on all nodes, at once: the commands of each."""
    hostvars = {
        name: {
            "underlay_address": UNDERLAY[name],
            "underlay_device": "eth0",
            "underlay_mtu": 1500,
            "pod_network_stated": {
                "encapsulation": "vxlan", "block": BLOCK[name], "pods": list(pods), **values, **node.call(look),
            },
        }
        for name, node in nodes.items()
    }  # fmt: skip
    for name, node in nodes.items():
        part = plan(hostvars[name]["pod_network_stated"], name, hostvars, list(nodes))
        assert not part["problems"], part["problems"]
        node.start(apply, part["description"])
    return {name: node.result() for name, node in nodes.items()}


def ping(node: Host, netns: str, address: str, more: str = "-c 3 -i 0.1") -> str:
    """What ping says."""
    inside = f"ip netns exec {netns} " if netns else ""
    return node.sh(f"{inside}ping -n -W 1 {more} {address}", check=False)


def tunnelled(node: Host) -> int:
    """How many packets the tunnel has sent."""
    (link,) = json.loads(node.sh("ip -json -s link show vxlan.calico"))
    return int(link["stats64"]["tx"]["packets"])


def routes(node: Host) -> list[str]:
    """The lines of `ip route` about other nodes' blocks."""
    return [line.strip() for line in node.sh("ip route").splitlines() if "10.244.0" in line and "proto" in line]


def test_tunnels_only_across_subnets_and_back(nodes: Nodes) -> None:
    before = {name: node.call(state) for name, node in nodes.items()}
    build(nodes)
    far = "10.244.0.128/26 via 10.244.0.128 dev vxlan.calico proto bird onlink"
    assert "10.244.0.64/26 via 10.244.0.64 dev vxlan.calico proto bird onlink" in routes(nodes["a"])
    for proto, near in (
        ("bird", "10.244.0.64/26 via 192.168.1.2 dev eth0 proto bird"),
        ("80", "10.244.0.64/26 via 192.168.1.2 dev eth0 proto 80 onlink"),
    ):
        assert build(nodes, encapsulation="vxlan_cross_subnet", proto=proto)["a"]
        assert near in routes(nodes["a"]) and far.replace("bird", proto) in routes(nodes["a"])
        assert all("vxlan.calico" in line or "blackhole" in line for line in routes(nodes["c"]))
        for other, through in (("b", 0), ("c", 3)):
            sent = tunnelled(nodes["a"])
            text = ping(nodes["a"], "default.pod-a", ADDRESS[other])
            assert " 0% packet loss" in text and "ttl=62" in text
            assert tunnelled(nodes["a"]) - sent == through
        assert build(nodes, encapsulation="vxlan_cross_subnet", proto=proto) == {"a": [], "b": [], "c": []}
    # the entries of all nodes stay: which subnet a node is in may change
    neighbors = json.loads(nodes["a"].sh("ip -json neigh show dev vxlan.calico"))
    assert {one["dst"] for one in neighbors if "PERMANENT" in one["state"]} == {TUNNEL["b"], TUNNEL["c"]}
    assert build(nodes)["a"]
    assert all("vxlan.calico" in line or "blackhole" in line for line in routes(nodes["a"]))
    for node in nodes.values():
        node.call(apply, {})
    assert {name: unlike(before[name], node.call(state)) for name, node in nodes.items()} == {"a": [], "b": [], "c": []}


@pytest.mark.parametrize("encapsulation", ["vxlan", "vxlan_cross_subnet"])
def test_a_pod_moves_and_the_others_notice_nothing(nodes: Nodes, encapsulation: str) -> None:
    moves = {"name": "moves", "node": "a", "address": "10.244.0.9"}
    build(nodes, [*PODS, moves], encapsulation=encapsulation)
    assert " 0% packet loss" in ping(nodes["b"], "default.pod-b", "10.244.0.9")
    # pings of the others go on in processes of their own, from each node to the next one
    running = [
        subprocess.Popen(
            ["nsenter", f"--net=/proc/{node.pid}/ns/net", f"--mount=/proc/{node.pid}/ns/mnt", "ip", "netns", "exec",
             f"default.pod-{name}", "ping", "-n", "-i", "0.02", ADDRESS[other]],
            stdout=subprocess.PIPE, text=True,
        )
        for (name, node), other in zip(nodes.items(), "bca")
    ]  # fmt: skip
    try:
        for changed, address in (
            ([{**moves, "node": "c"}], "10.244.0.9"),  # it keeps its address, so it is borrowed from a's block
            ([{**moves, "node": "c", "address": "10.244.0.140"}], "10.244.0.140"),
            ([{**moves, "node": "b", "address": "10.244.0.71"}, {"name": "comes", "node": "a"}], "10.244.0.71"),
            ([], ""),
        ):
            build(nodes, [*PODS, *changed], encapsulation=encapsulation)
            assert not address or " 0% packet loss" in ping(nodes["a"], "default.pod-a", address)
    finally:
        for one in running:
            one.send_signal(2)
    for one in running:
        text = one.communicate(timeout=10)[0]
        numbers = [int(number) for number in re.findall(r"icmp_seq=(\d+) ttl=62", text)]
        assert len(numbers) > 20 and numbers == list(range(1, len(numbers) + 1)), text[-2000:]
        sent = int(re.findall(r"(\d+) packets transmitted", text)[0])
        assert sent - len(numbers) <= 1  # the last one was on its way


def test_a_pod_at_another_node_with_strict_rp_filter(nodes: Nodes) -> None:
    """It leaves its node without the tunnel, which is not the way back: only natOutgoing gets it through (E17)."""
    nodes["b"].sh("sysctl -qw net.ipv4.conf.all.rp_filter=1")
    build(nodes, nat_outgoing=False)
    assert " 100% packet loss" in ping(nodes["a"], "default.pod-a", UNDERLAY["b"])
    build(nodes, nat_outgoing=True)
    assert " 0% packet loss" in ping(nodes["a"], "default.pod-a", UNDERLAY["b"])


def test_a_process_with_the_nodes_address_at_a_pod_with_strict_rp_filter(nodes: Nodes) -> None:
    """The masquerade at the tunnel: the far node's way back to the underlay's address is not its tunnel."""
    nodes["b"].sh("sysctl -qw net.ipv4.conf.all.rp_filter=1")
    build(nodes)
    assert " 0% packet loss" in ping(nodes["a"], "", ADDRESS["b"], f"-c 3 -i 0.1 -I {UNDERLAY['a']}")
    nodes["a"].sh("iptables -t nat -F LINUXNET-POD-POST")
    assert " 100% packet loss" in ping(nodes["a"], "", ADDRESS["b"], f"-c 3 -i 0.1 -I {UNDERLAY['a']}")


RECEIVE = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
    end.bind(("", 9))
    end.settimeout(10)
    print("ready", flush=True)
    print(*end.recvfrom(100)[1])
"""


def send(address: str, source: tuple[str, int]) -> None:
    """One datagram of a process of the node's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind(source)
        end.sendto(b"datagram", (address, 9))


def test_udp_is_masqueraded_beyond_the_port_of_vxlan(nodes: Nodes) -> None:
    build(nodes)
    inside = ["nsenter", f"--net=/proc/{nodes['b'].pid}/ns/net", f"--mount=/proc/{nodes['b'].pid}/ns/mnt"]
    command = [*inside, "ip", "netns", "exec", "default.pod-b", sys.executable, "-c", RECEIVE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout and receiver.stdout.readline() == "ready\n"
        nodes["a"].call(send, ADDRESS["b"], (UNDERLAY["a"], 1000))
        address, port = receiver.stdout.readline().split()
    assert address == TUNNEL["a"] and int(port) > 4789


def test_the_host_ends_rp_filter_is_put_back(nodes: Nodes) -> None:
    node, end = nodes["a"], "net.ipv4.conf.{}.rp_filter"
    node.sh("sysctl -qw net.ipv4.conf.default.rp_filter=2")
    build(nodes)
    (name,) = [link["ifname"] for link in json.loads(node.sh("ip -json link")) if link["ifname"].startswith("cali")]
    assert node.sh(f"sysctl -n {end.format(name)}").strip() == "2"
    node.sh(f"sysctl -qw {end.format(name)}=1")
    assert build(nodes) == {"a": [f"sysctl -w net.ipv4.conf.{name}.rp_filter=2"], "b": [], "c": []}
    assert node.sh(f"sysctl -n {end.format(name)}").strip() == "2"
    build(nodes, rp_filter=0)
    assert node.sh(f"sysctl -n {end.format(name)}").strip() == "0"
