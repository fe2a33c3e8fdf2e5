# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same network without encapsulation, switched while it stood."""

from __future__ import annotations

from typing import Any

from nodes import ADDRESS, BLOCK, POD, UNDERLAY, ask, host_end, others, pings, routes, who

testinfra_hosts = ["ansible://pod_hosts"]


def test_the_nodes_are_the_gateways(node: Any) -> None:
    found = routes(node)
    for other in others(node):
        route = found[BLOCK[other]]
        assert (route["gateway"], route["dev"], route["protocol"]) == (UNDERLAY[other], "ens32", "bird")
        assert not route["flags"]
    assert found[BLOCK[node.name]]["type"] == "blackhole"


def test_nothing_of_the_tunnels_is_left(node: Any) -> None:
    links = {link["ifname"]: link for link in node.ip("addr")}
    assert "vxlan.calico" not in links and links["tunl0"]["flags"] == ["NOARP"] and not links["tunl0"]["addr_info"]
    rules = node.sh("iptables-save")
    assert "4789" not in rules and "tunl0" not in rules and "LINUXNET-POD-IN" not in rules


def test_packets_are_on_the_wire_as_the_pods_send_them(node: Any) -> None:
    other = others(node)[0]
    meanwhile = f"ip netns exec {POD[node.name]} ping -c 2 {ADDRESS[other]}"
    packet = node.capture("", "ens32", f"icmp and dst {ADDRESS[other]}", meanwhile)
    assert (packet.protocol, packet.source, packet.ttl) == (1, ADDRESS[node.name], 63)


def test_pods_reach_each_other(node: Any) -> None:
    assert pings(node, *((POD[node.name], ADDRESS[other], "") for other in others(node))) == [(3, [62])] * 2
    (answers,) = ask(node, POD[node.name], ("tcp", "10.96.0.80", 80, 40))
    assert who(answers) == set(POD.values())


def test_a_packet_of_the_mtu_passes_and_none_that_is_longer(node: Any) -> None:
    (end,) = node.ip(f"link show {host_end(POD[node.name])}")
    assert end["mtu"] == 1500
    sizes = [(POD[node.name], ADDRESS[others(node)[0]], f"-M do -s {size}") for size in (1472, 1473)]
    assert [answers for answers, _ttl in pings(node, *sizes)] == [3, 0]
