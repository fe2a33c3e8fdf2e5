# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tunnels only across subnets, switched while the network stood: vms100 and vms101 are in one, vms102 in another one."""

from __future__ import annotations

from typing import Any

from nodes import ADDRESS, BLOCK, POD, TUNNEL, UNDERLAY, ask, others, pings, routes, who

testinfra_hosts = ["ansible://pod_hosts"]
NEAR = {"vms100": {"vms101"}, "vms101": {"vms100"}, "vms102": set()}


def test_routes(node: Any) -> None:
    found = routes(node)
    for other in others(node):
        route = found[BLOCK[other]]
        way = ("ens32", []) if other in NEAR[node.name] else ("tunl0", ["onlink"])
        assert (route["dev"], route["flags"]) == way
        assert (route["gateway"], route["protocol"]) == (UNDERLAY[other], "bird")
    (link,) = node.ip("addr show tunl0")
    assert link["mtu"] == 1480 and [address["local"] for address in link["addr_info"]] == [TUNNEL[node.name]]


def test_packets_on_the_wire(node: Any) -> None:
    for other in others(node):
        direct = other in NEAR[node.name]
        wanted = f"icmp and dst {ADDRESS[other]}" if direct else f"ip proto 4 and dst {UNDERLAY[other]}"
        meanwhile = f"ip netns exec {POD[node.name]} ping -c 2 {ADDRESS[other]}"
        packet = node.capture("", "ens32", wanted, meanwhile)
        assert (packet.protocol, packet.source) == ((1, ADDRESS[node.name]) if direct else (4, UNDERLAY[node.name]))


def test_pods_reach_each_other(node: Any) -> None:
    wanted = [(POD[node.name], ADDRESS[other], "-M do -s 1452") for other in others(node)]
    assert pings(node, *wanted) == [(3, [62])] * 2
    (answers,) = ask(node, POD[node.name], ("tcp", "10.96.0.80", 80, 40))
    assert who(answers) == set(POD.values())
