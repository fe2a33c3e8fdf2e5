# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The VXLAN of the documents (dataplane 1.D), and the overlay over the hosts."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

testinfra_hosts = ["ansible://vxlan_hosts"]
ENDS = {"node1": ("veth1", "192.168.1.2", "172.17.1.2"), "node2": ("veth2", "192.168.1.3", "172.17.1.3")}
OTHER = {"node1": "node2", "node2": "node1"}


def test_namespaces(node: Any) -> None:
    assert {one["name"] for one in node.ip("netns")} == set(ENDS)  # D1


@pytest.mark.parametrize("name", ENDS)
def test_the_underlay(node: Any, name: str) -> None:
    device, address, _overlay = ENDS[name]
    (link,) = node.ip(f"-n {name} -d addr show {device}")
    (peer,) = node.ip(f"-n {OTHER[name]} link show {ENDS[OTHER[name]][0]}")
    assert link["link_index"] == peer["ifindex"] and link["linkinfo"]["info_kind"] == "veth"  # D2, D9
    shown = node.sh(f"ip -n {name} -d link show {device}")
    assert re.search(rf" {device}@if{peer['ifindex']}: .*link-netns {OTHER[name]} ", shown, re.S), shown  # D9
    assert re.search(r"\bveth addrgenmode eui64 numtxqueues \d+ ", shown), shown
    assert {"UP", "LOWER_UP"} <= set(link["flags"])  # D3
    assert (address, 24) in [(a["local"], a["prefixlen"]) for a in link["addr_info"]]
    assert device not in [one["ifname"] for one in node.ip("link")]
    assert node.sh(f"ip netns exec {name} sysctl -n net.ipv4.ip_forward").strip() == "1"  # D4
    assert node.ping(name, ENDS[OTHER[name]][1]) == (3, [64])  # D5


@pytest.mark.parametrize("name", ENDS)
def test_the_end_point(node: Any, name: str) -> None:
    device, local, overlay = ENDS[name]
    (link,) = node.ip(f"-n {name} -d addr show vxlan0")
    data = link["linkinfo"]["info_data"]
    assert (data["id"], data["port"], data["remote"], data["local"], data["link"]) == (
        42,
        4789,
        ENDS[OTHER[name]][1],
        local,
        device,
    )  # D6
    assert (link["mtu"], link["min_mtu"], link["max_mtu"]) == (1450, 68, 65535)  # D8
    assert (data["ageing"], data["udp_csum"], data["learning"]) == (300, True, True)
    assert (data["port_range"]["low"], data["port_range"]["high"]) == (0, 0)
    shown = node.sh(f"ip -n {name} -d link show vxlan0")
    for words in (
        "promiscuity 0 ", f"vxlan id 42 remote {data['remote']} local {local} dev {device} srcport 0 0 dstport 4789 ",
        " ageing 300 ", " udpcsum noudp6zerocsumtx noudp6zerocsumrx ", " addrgenmode eui64 numtxqueues ",
    ):  # fmt: skip
        assert words in shown, shown  # D8, D14
    assert (overlay, 24) in [(a["local"], a["prefixlen"]) for a in link["addr_info"]]  # D7
    routes = {r["dst"]: r for r in node.ip(f"-n {name} route")}
    for subnet, dev, source in (("172.17.1.0/24", "vxlan0", overlay), ("192.168.1.0/24", device, local)):  # D10
        route = routes[subnet]
        assert (route["dev"], route["protocol"], route["scope"], route["prefsrc"]) == (dev, "kernel", "link", source)


@pytest.mark.parametrize("name", ENDS)
def test_the_same_by_the_info_modules(node: Any, name: str) -> None:
    device, local, overlay = ENDS[name]
    remote = ENDS[OTHER[name]][1]
    (link,) = node.info("link_info", netns=name, kind="vxlan")["links"]  # D8
    data = link["data"]
    assert (link["mtu"], data["id"], data["dstport"]) == (1450, 42, 4789)
    assert (data["local"], data["remote"], data["dev"]) == (local, remote, device)
    (default,) = node.info("fdb_info", netns=name, mac="00:00:00:00:00:00")["fdb"]  # D11
    assert default["text"] == f"00:00:00:00:00:00 dev vxlan0 dst {remote} via {device} self permanent"
    texts = [route["text"] for route in node.info("route_info", netns=name)["routes"]]
    assert f"172.17.1.0/24 dev vxlan0 proto kernel scope link src {overlay}" in texts  # D10


@pytest.mark.parametrize("name", ENDS)
def test_pings_headers_and_forwarding_entries(node: Any, name: str) -> None:
    device, local, _overlay = ENDS[name]
    _device, remote, far = ENDS[OTHER[name]]
    assert node.ping(name, far) == (3, [64])  # D13
    assert " 5 received, 0% packet loss" in node.sh(f"ip netns exec {name} ping -c 5 -i 0.2 {far}")
    entries = json.loads(node.sh(f"bridge -n {name} -j fdb"))
    default = [e for e in entries if e["mac"] == "00:00:00:00:00:00"]
    assert [(e["ifname"], e["dst"], e["viaIf"], e["state"]) for e in default] == [
        ("vxlan0", remote, device, "permanent")
    ]  # D11
    groups = [
        e["mac"][:5] for e in entries if e["ifname"] == device and (e["flags"], e["state"]) == (["self"], "permanent")
    ]
    assert {"33:33", "01:00"} <= set(groups)
    shown = node.sh(f"bridge -n {name} fdb show dev vxlan0")
    assert f"00:00:00:00:00:00 dst {remote} via {device} self permanent" in shown
    mac = node.ip(f"-n {OTHER[name]} link show vxlan0")[0]["address"]
    assert [e["dst"] for e in entries if e["mac"] == mac and e.get("state") != "permanent"] == [remote]  # D12
    assert any(n["dst"] == far and n["lladdr"] == mac for n in node.ip(f"-n {name} neigh show dev vxlan0"))
    packet = node.capture(
        name, device, f"udp port 4789 and src {local}", f"ip netns exec {name} ping -c 2 -i 0.3 {far}"
    )
    _check_vxlan(packet, local, remote)  # D14


def _check_vxlan(packet: Any, source: str, destination: str) -> None:
    """RFC 7348: UDP to port 4789, the flag I, the VNI."""
    assert (packet.protocol, packet.source, packet.destination) == (17, source, destination)
    assert int.from_bytes(packet.payload[2:4], "big") == 4789
    vxlan = packet.payload[8:16]
    assert vxlan[0] == 0x08 and int.from_bytes(vxlan[4:7], "big") == 42


@pytest.mark.parametrize("name", ENDS)
def test_the_mtu_is_exact(node: Any, name: str) -> None:
    far = ENDS[OTHER[name]][2]
    assert node.ping(name, far, "-M do -s 1422") == (3, [64])
    assert node.ping(name, far, "-M do -s 1423") == (0, [])


def test_between_the_hosts(node: Any) -> None:
    (link,) = node.ip("-d addr show vxlan42")
    data = link["linkinfo"]["info_data"]
    assert (data["id"], data["port"], data["link"], link["mtu"]) == (42, 4789, "ens32", 1450) and "remote" not in data
    entries = json.loads(node.sh("bridge -j fdb show dev vxlan42"))
    peers = sorted(e["dst"] for e in entries if e["mac"] == "00:00:00:00:00:00")
    assert len(peers) == 2 and data["local"] not in peers
    for peer in peers:
        far = f"172.18.42.{peer.rpartition('.')[2]}"
        assert node.ping("", far) == (3, [64])
        assert node.ping("", far, "-M do -s 1422")[0] == 3 and node.ping("", far, "-M do -s 1423")[0] == 0
        packet = node.capture("", "ens32", f"udp port 4789 and dst {peer} and greater 130", f"ping -c 2 -i 0.3 {far}")
        _check_vxlan(packet, data["local"], peer)
