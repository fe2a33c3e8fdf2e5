# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documents read on the nodes with ip, cat and iptables-save, by the info modules, on the nodes as they stand."""

from __future__ import annotations

from typing import Any

from nodes import ADDRESS, BLOCK, POD, UNDERLAY, host_end

testinfra_hosts = ["ansible://pod_hosts"]
LAST = "kubernetes service nodeports; NOTE: this must be the last rule in this chain"


def test_who_owns_a_block_and_who_routes_to_it(node: Any) -> None:  # A4, E2, E3, F5
    found = {route["dst"]: route["text"] for route in node.info("route_info", within="10.244.0.0/16")["routes"]}
    for owner, block in BLOCK.items():
        way = f"{block} via {UNDERLAY[owner]} dev tunl0 proto bird onlink"
        assert found[block] == (f"blackhole {block} proto bird" if owner == node.name else way)


def test_which_route_a_pod_is_reached_by(node: Any) -> None:  # E4, F6, F7
    for owner, address in ADDRESS.items():
        (route,) = node.info("route_info", lookup=address)["routes"]
        assert route["dev"] == (host_end(POD[owner]) if owner == node.name else "tunl0")


def test_both_ends_of_a_pods_link(node: Any) -> None:  # E8, E12, G1, G8
    name = host_end(POD[node.name])
    (inside,) = node.info("link_info", netns=POD[node.name], name="eth0")["links"]
    (outside,) = node.info("link_info", name=name)["links"]
    assert (inside["peer"]["name"], inside["peer"]["ifindex"]) == (name, outside["ifindex"])
    assert (outside["peer"]["netns"], outside["peer"]["ifindex"]) == (POD[node.name], inside["ifindex"])
    assert outside["address"] == "ee:ee:ee:ee:ee:ee" and outside["mtu"] == 1480
    assert "inet" not in [address["family"] for address in outside["addresses"]]


def test_the_parameters_of_a_host_end(node: Any) -> None:  # E10, G6
    wanted = {
        "conf.{}.proxy_arp": "1",
        "conf.{}.forwarding": "1",
        "conf.{}.route_localnet": "1",
        "neigh.{}.proxy_delay": "0",
    }
    names = {f"net.ipv4.{name.format(host_end(POD[node.name]))}": value for name, value in wanted.items()}
    found = node.info("sysctl_info", name=list(names))["sysctls"]
    assert {one["text"] for one in found} == {f"{name} = {value}" for name, value in names.items()}


def test_who_jumps_to_the_node_ports(node: Any) -> None:  # F1, F2, F3, F9, G7
    found = node.info("iptables_info", family="ipv4", jump="KUBE-NODEPORTS", walk="KUBE-NODEPORTS")
    assert {(rule["table"], rule["text"]) for rule in found["rules"]} == {
        ("nat", f'-A KUBE-SERVICES -m comment --comment "{LAST}" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS'),
        ("filter", '-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS'),
    }
    (walk,) = [one for one in found["walks"] if one["table"] == "nat"]
    built_in = {rule["chain"] for way in walk["from"] for rule in way["from"]}
    assert built_in == {"PREROUTING", "OUTPUT"} and f"--to-destination {ADDRESS[node.name]}:" in walk["text"]
