# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pod network over IPIP (dataplane 1.E) and a node port of it (1.F), over three nodes."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest

testinfra_hosts = ["ansible://vxlan_hosts"]
UNDERLAY = {"vms100": "192.168.26.100", "vms101": "192.168.26.101", "vms102": "192.168.26.102"}
POD = {"vms100": "velero.minio-b6d98746c-m7rzc", "vms101": "default.web-1", "vms102": "default.web-2"}
POOL = ipaddress.ip_network("10.244.0.0/16")


def routes(node: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = node.ip("-4 -d route show table main")
    return found


def remote(node: Any) -> dict[str, dict[str, Any]]:
    """The routes to the other nodes' blocks, by the nodes' addresses."""
    return {route["gateway"]: route for route in routes(node) if route.get("dev") == "tunl0"}


def far_pods(node: Any) -> dict[str, str]:
    """The addresses of the other nodes' pods, by the nodes' addresses: the second one of each block, behind tunl0's."""
    return {gateway: str(ipaddress.ip_network(route["dst"])[1]) for gateway, route in remote(node).items()}


def test_each_other_nodes_block_is_behind_its_node(node: Any) -> None:  # E1, E2
    found = remote(node)
    assert set(found) == set(UNDERLAY.values()) - {UNDERLAY[node.name]}
    assert all(route["protocol"] == "bird" and route["flags"] == ["onlink"] for route in found.values())
    assert all(ipaddress.ip_network(route["dst"]).subnet_of(POOL) for route in found.values())


def test_the_nodes_own_block_is_a_black_hole(node: Any) -> None:  # E3
    (own,) = [route for route in routes(node) if route.get("type") == "blackhole"]
    assert own["protocol"] == "bird" and own["dst"].endswith("/26")
    (tunnel,) = node.ip("-4 addr show tunl0")
    assert tunnel["mtu"] == 1480 and "UP" in tunnel["flags"]  # E5
    assert [(one["local"], one["prefixlen"]) for one in tunnel["addr_info"]] == [(own["dst"][:-3], 32)]


def test_a_pods_link(node: Any) -> None:
    (route,) = [one for one in routes(node) if str(one.get("dev", "")).startswith("cali")]
    assert route["scope"] == "link" and "gateway" not in route  # E4
    (end,) = node.ip(f"addr show {route['dev']}")
    assert end["address"] == "ee:ee:ee:ee:ee:ee" and end["mtu"] == 1480  # E8
    assert "inet" not in [one["family"] for one in end["addr_info"]]
    for name in ("conf.{}.proxy_arp=1", "conf.{}.route_localnet=1", "conf.{}.forwarding=1", "neigh.{}.proxy_delay=0"):
        option, _equals, value = name.format(route["dev"]).partition("=")
        assert node.sh(f"sysctl -n net.ipv4.{option}").strip() == value  # E10
    inside = node.ip(f"-n {POD[node.name]} route")
    assert [(one["dst"], one.get("gateway"), one["dev"]) for one in inside] == [
        ("default", "169.254.1.1", "eth0"), ("169.254.1.1", None, "eth0"),
    ]  # fmt: skip


def test_the_documents_name_of_a_host_end(node: Any) -> None:
    named = "calia011d753862" in [link["ifname"] for link in node.ip("link")]
    assert named == (node.name == "vms100")


def test_pods_reach_the_pods_of_other_nodes_through_the_tunnel(node: Any) -> None:
    for address in far_pods(node).values():
        assert node.ping(POD[node.name], address) == (3, [62])


def test_the_outer_header(node: Any) -> None:
    gateway, address = sorted(far_pods(node).items())[0]
    meanwhile = f"ip netns exec {POD[node.name]} ping -c 2 {address}"
    packet = node.capture("", "ens32", f"ip proto 4 and dst {gateway}", meanwhile)
    assert (packet.protocol, packet.source, packet.destination) == (4, UNDERLAY[node.name], gateway)


def test_pods_reach_nodes_and_the_outside_host(node: Any) -> None:
    for address in UNDERLAY.values():
        assert node.ping(POD[node.name], address)[0] == 3
    assert node.ping(POD[node.name], "203.0.113.10")[0] == 3  # natOutgoing: that host has no route to the pool


def test_a_packet_of_the_mtu_passes_and_none_that_is_longer(node: Any) -> None:  # E18
    address = sorted(far_pods(node).values())[0]
    assert node.ping(POD[node.name], address, "-M do -s 1452")[0] == 3
    assert node.ping(POD[node.name], address, "-M do -s 1453")[0] == 0


@pytest.mark.parametrize(
    "where", ["192.168.26.100:30999", "192.168.26.101:30999", "192.168.26.102:30999", "10.96.0.80:80"]
)
def test_a_request_reaches_every_endpoint(node: Any, where: str) -> None:  # F4 to F8
    script = (
        "import urllib.request as u; "
        f"[print(u.urlopen('http://{where}/', timeout=10).read().decode().strip()) for n in range(40)]"
    )
    answers = [json.loads(line) for line in node.sh(f'python3 -c "{script}"').splitlines()]
    # 40 requests miss one of three endpoints with a probability of 3 * (2/3)**40, 3e-7
    assert {answer["name"] for answer in answers} == {"minio-b6d98746c-m7rzc", "web-1", "web-2"}


def test_the_documents_rules(node: Any) -> None:
    rules = node.sh("iptables-save").splitlines()
    last = "kubernetes service nodeports; NOTE: this must be the last rule in this chain"
    services = [rule for rule in rules if rule.startswith("-A KUBE-SERVICES")]
    assert (
        services[-1] == f'-A KUBE-SERVICES -m comment --comment "{last}" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS'
    )  # F1
    assert '-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS' in rules  # F2
    assert '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES' in rules  # F3
