# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pod network over IPIP, row by row of the documents (dataplane 1.E)."""

from __future__ import annotations

import json
import re
from typing import Any

from nodes import ADDRESS, BLOCK, GATEWAY, POD, TUNNEL, UNDERLAY, ask, host_end, others, pings, routes, seen

testinfra_hosts = ["ansible://pod_hosts"]
PODS = {
    "vms100": {"velero.minio-b6d98746c-m7rzc": "10.244.239.129"},
    "vms101": {"default.web-1": "10.244.198.1", "default.goes": "10.244.198.10", "default.moves": "10.244.198.20"},
    "vms102": {"default.web-2": "10.244.63.65", "default.renumbered": "10.244.63.70"},
}


def test_routes(node: Any) -> None:
    found = routes(node)
    for other in others(node):  # E1, E2
        route = found.pop(BLOCK[other])
        assert (route["gateway"], route["dev"]) == (UNDERLAY[other], "tunl0")
        assert (route["protocol"], route["flags"]) == ("bird", ["onlink"])
    own = found.pop(BLOCK[node.name])  # E3
    assert (own["type"], own["protocol"], "dev" in own) == ("blackhole", "bird", False)
    for pod, address in PODS[node.name].items():  # E4
        route = found.pop(address)
        assert (route["dev"], route["scope"], route["protocol"]) == (host_end(pod), "link", "boot")
        assert "gateway" not in route
    assert (found["default"]["gateway"], found["default"]["dev"]) == (GATEWAY, "ens32")  # E6
    assert found["192.168.26.0/24"]["protocol"] == "kernel"
    assert set(found) <= {"default", "192.168.26.0/24", "169.254.0.0/16"}


def test_routes_in_the_words_of_net_tools(node: Any) -> None:  # E7, E15
    def dotted(digits: str) -> str:
        return ".".join(str(byte) for byte in reversed(bytes.fromhex(digits)))

    table = {}
    for line in node.sh("cat /proc/net/route").splitlines()[1:]:
        device, destination, gateway, flags, _ref, _use, _metric, mask = line.split()[:8]
        table[dotted(destination)] = (device, dotted(gateway), int(flags, 16), dotted(mask))
    for other in others(node):
        assert table[TUNNEL[other]] == ("tunl0", UNDERLAY[other], 3, "255.255.255.192")  # UG
    assert table[TUNNEL[node.name]] == ("*", "0.0.0.0", 1, "255.255.255.192")
    for pod, address in PODS[node.name].items():
        assert table[address] == (host_end(pod), "0.0.0.0", 5, "255.255.255.255")  # UH


def test_the_tunnel(node: Any) -> None:  # E5
    (link,) = node.ip("-d addr show tunl0")
    assert (link["mtu"], link["link_type"], set(link["flags"])) == (1480, "ipip", {"NOARP", "UP", "LOWER_UP"})
    assert [(a["local"], a["prefixlen"]) for a in link["addr_info"]] == [(TUNNEL[node.name], 32)]
    data = link["linkinfo"]["info_data"]
    assert (data["local"], data["remote"], data["ttl"], data["pmtudisc"]) == ("any", "any", 0, False)


def test_host_ends(node: Any) -> None:
    links = {link["ifname"]: link for link in node.ip("-d addr")}
    text = node.sh("ip -o link")
    assert {name for name in links if name.startswith("cali")} == set(map(host_end, PODS[node.name]))
    assert ("calia011d753862" in links) == (node.name == "vms100")
    parameters = node.sh("sysctl -a -r 'net.ipv[46].(conf|neigh).(cali|default).*'")
    for pod in PODS[node.name]:
        link = links[host_end(pod)]
        assert (link["address"], link["mtu"], link["operstate"]) == ("ee:ee:ee:ee:ee:ee", 1480, "UP")  # E8
        assert not [address for address in link["addr_info"] if address["family"] == "inet"]
        assert (
            f" {host_end(pod)}@if{link['link_index']}: " in text
            and f"link-netns {pod}" in text[text.index(host_end(pod)) :].splitlines()[0]
        )  # E13
        default = re.search(r"^net.ipv4.conf.default.rp_filter = (\d)", parameters, re.M)
        for parameter in (
            "conf.{}.proxy_arp = 1", "conf.{}.route_localnet = 1", "conf.{}.forwarding = 1", "neigh.{}.proxy_delay = 0",
            f"conf.{{}}.rp_filter = {default[1] if default else ''}",
        ):  # fmt: skip
            assert "net.ipv4." + parameter.format(host_end(pod)) in parameters.splitlines()  # E10
        if "net.ipv6.conf.default.accept_ra = " in parameters:  # not every kernel has IPv6
            assert f"net.ipv6.conf.{host_end(pod)}.accept_ra = 0" in parameters.splitlines()
    assert node.sh("sysctl -n net.ipv4.ip_forward").strip() == "1"


def test_pods(node: Any) -> None:
    pods = PODS[node.name]
    assert pings(node, *((pod, UNDERLAY[node.name], "") for pod in pods)) == [(3, [64])] * len(pods)
    forwarding = node.sh("\n".join(f"ip netns exec {pod} sysctl -n net.ipv4.ip_forward" for pod in pods)).split()
    assert forwarding == ["0"] * len(pods)
    ends = {link["ifname"]: link for link in node.ip("link")}
    # three lines of JSON for each, in one command: a guest is slow at starting one
    shown = [f"ip -n {pod} -json {what}" for pod in pods for what in ("addr", "route", "-4 neigh")]
    lines = iter(map(json.loads, node.sh("\n".join(shown)).splitlines()))
    for pod, address in pods.items():
        links, inside, neighbors = {link["ifname"]: link for link in next(lines)}, next(lines), next(lines)
        assert [(a["local"], a["prefixlen"]) for a in links["eth0"]["addr_info"] if a["family"] == "inet"] == [
            (address, 32)
        ]  # E9
        assert [(one["dst"], one.get("gateway"), one["dev"], one.get("scope")) for one in inside] == [
            ("default", "169.254.1.1", "eth0", None), ("169.254.1.1", None, "eth0", "link"),
        ]  # fmt: skip
        # the node answers for 169.254.1.1 with the MAC of its end; the other one is the node itself, which asked for the pod
        answers = {one["dst"]: one["lladdr"] for one in neighbors}
        assert "169.254.1.1" in answers and set(answers.values()) == {"ee:ee:ee:ee:ee:ee"}  # E9, E11
        assert set(answers) <= {"169.254.1.1", UNDERLAY[node.name]}
        # E12: tunl0 is the namespace's second link
        end = ends[host_end(pod)]
        assert (links["tunl0"]["ifindex"], links["eth0"]["ifindex"], links["eth0"]["link_index"]) == (
            2,
            3,
            end["ifindex"],
        )
        assert end["link_index"] == 3


def test_rules(node: Any) -> None:
    rules = node.sh("iptables-save").splitlines()
    assert "-A LINUXNET-POD-POST -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE" in rules  # E16
    not_ours = "! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL"
    assert f"-A LINUXNET-POD-POST -o tunl0 -m addrtype {not_ours} -j MASQUERADE" in rules
    for other in others(node):  # E19
        assert f"-A LINUXNET-POD-IN -s {UNDERLAY[other]}/32 -p ipencap -j ACCEPT" in rules
    for jump in ("POSTROUTING -j LINUXNET-POD-POST", "INPUT -j LINUXNET-POD-IN", "FORWARD -j LINUXNET-POD-FWD"):
        assert f"-A {jump}" in rules


def test_pods_of_other_nodes_answer_through_the_tunnel(node: Any) -> None:
    assert pings(node, *((POD[node.name], ADDRESS[other], "") for other in others(node))) == [(3, [62])] * 2


def test_pods_of_one_node(node: Any) -> None:
    pod, addresses = POD[node.name], PODS[node.name].values()
    expected = [(3, [64 if address == PODS[node.name][pod] else 63]) for address in addresses]
    assert pings(node, *((pod, address, "") for address in addresses)) == expected


def test_the_outer_header(node: Any) -> None:
    other = others(node)[0]
    meanwhile = f"ip netns exec {POD[node.name]} ping -c 2 {ADDRESS[other]}"
    packet = node.capture("", "ens32", f"ip proto 4 and dst {UNDERLAY[other]}", meanwhile)
    assert (packet.protocol, packet.source, packet.destination) == (4, UNDERLAY[node.name], UNDERLAY[other])
    inner = type(packet)(packet.payload)
    assert (inner.protocol, inner.source, inner.destination) == (1, ADDRESS[node.name], ADDRESS[other])
    assert inner.ttl == packet.ttl == 63  # the node has forwarded it; the outer one is inherited


def test_a_packet_of_the_mtu_passes_and_none_that_is_longer(node: Any) -> None:  # E18
    sizes = [(POD[node.name], ADDRESS[others(node)[0]], f"-M do -s {size}") for size in (1452, 1453)]
    assert [answers for answers, _ttl in pings(node, *sizes)] == [3, 0]


def test_whom_the_receiver_sees(node: Any) -> None:
    """A pod by its own address; outside of the pool it is its node; a node at another node's pod is its tunnel."""
    other = others(node)[0]
    pod, itself, outside = ADDRESS[node.name], UNDERLAY[node.name], "203.0.113.10"
    from_pod = ask(
        node, POD[node.name],
        ("tcp", ADDRESS[other], 8080, 1), ("udp", ADDRESS[other], 5353, 1), ("tcp", itself, 8081, 1),
        ("tcp", UNDERLAY[other], 8081, 1), ("tcp", outside, 8081, 1),
    )  # fmt: skip
    assert [seen(answers) for answers in from_pod] == [{pod}, {pod}, {pod}, {itself}, {itself}]
    to_far, to_near = ask(node, "", ("tcp", ADDRESS[other], 8080, 1), ("tcp", pod, 8080, 1))
    assert seen(to_far) == {TUNNEL[node.name]}
    # the kernel takes the first address that it has, by its order of devices: the end of the pod has none
    assert seen(to_near) <= {itself, TUNNEL[node.name]}


def test_a_process_bound_to_the_nodes_address_goes_by_the_tunnels(node: Any) -> None:
    """The masquerade for the tunnel: with the underlay's address the far node's tunl0 would not see it as its own way."""
    other = others(node)[0]
    assert node.ping("", ADDRESS[other], f"-I {UNDERLAY[node.name]}") == (3, [63])
    meanwhile = f"ping -c 2 -I {UNDERLAY[node.name]} {ADDRESS[other]}"
    packet = node.capture("", "ens32", f"ip proto 4 and dst {UNDERLAY[other]}", meanwhile)
    assert type(packet)(packet.payload).source == TUNNEL[node.name]
