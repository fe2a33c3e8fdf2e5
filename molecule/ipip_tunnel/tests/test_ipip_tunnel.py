# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The IP-in-IP tunnels of the documents (dataplane 1.C), and those between the hosts."""

from __future__ import annotations

import re
from typing import Any

import pytest

testinfra_hosts = ["ansible://ipip_hosts"]
ENDS = {
    "ns1": ("v1", "v1-P", "10.10.10.2", "10.10.10.1", "tunl", "10.10.100.10"),
    "ns2": ("v2", "v2-P", "10.10.20.2", "10.10.20.1", "tunr", "10.10.200.10"),
}
OTHER = {"ns1": "ns2", "ns2": "ns1"}


def test_namespaces(node: Any) -> None:
    assert {one["name"] for one in node.ip("netns")} == set(ENDS)  # C1


@pytest.mark.parametrize("name", ENDS)
def test_the_underlay(node: Any, name: str) -> None:
    inside, outside, address, gateway, _tunnel, _inner = ENDS[name]
    (end,) = node.ip(f"-n {name} -4 addr show {inside}")
    (peer,) = node.ip(f"-4 addr show {outside}")
    assert end["link_index"] == peer["ifindex"] and peer["link_index"] == end["ifindex"]  # C2
    assert {"UP", "LOWER_UP"} <= set(end["flags"]) & set(peer["flags"])  # C3, C4
    # C12: from the host the namespace has its name, from the namespace the host has none
    assert re.search(rf" {outside}@if\d+: .*link-netns {name}$", node.sh(f"ip link show {outside}"), re.S)
    assert re.search(rf" {inside}@if\d+: .*link-netnsid 0$", node.sh(f"ip -n {name} link show {inside}"), re.S)
    assert [(a["local"], a["prefixlen"]) for a in end["addr_info"]] == [(address, 24)]  # C4
    assert [(a["local"], a["prefixlen"]) for a in peer["addr_info"]] == [(gateway, 24)]  # C3
    assert "UP" not in node.ip(f"-n {name} link show lo")[0]["flags"]  # C4
    far = ENDS[OTHER[name]][2]
    assert node.ip(f"-n {name} route get {far}")[0]["gateway"] == gateway  # C5
    assert node.sh("sysctl -n net.ipv4.ip_forward").strip() == "1"  # C6
    # C7: what the pings of the other tests pass is a chain that drops all else, as a container engine leaves it
    saved = node.sh("iptables-save -t filter")
    assert ":FORWARD DROP" in saved and "-A FORWARD -j LINUXNET-IPIP-FWD" in saved


@pytest.mark.parametrize("name", ENDS)
def test_the_tunnel(node: Any, name: str) -> None:
    _inside, _outside, local, _gateway, tunnel, inner = ENDS[name]
    remote, far = ENDS[OTHER[name]][2], ENDS[OTHER[name]][5]
    (link,) = node.ip(f"-n {name} -d addr show {tunnel}")
    assert set(link["flags"]) == {"POINTOPOINT", "NOARP", "UP", "LOWER_UP"}  # C11
    assert (link["mtu"], link["qdisc"], link["operstate"], link["link_type"]) == (1480, "noqueue", "UNKNOWN", "ipip")
    assert (link["address"], link["broadcast"]) == (local, remote)
    data = link["linkinfo"]["info_data"]
    assert (data["local"], data["remote"], data["ttl"], data["pmtudisc"]) == (local, remote, 0, True)  # C8, C9, C15
    address = next(a for a in link["addr_info"] if a["family"] == "inet")
    assert (address["local"], address["address"], address["prefixlen"]) == (inner, far, 32)  # C14
    (route,) = node.ip(f"-n {name} route show {far}")
    assert (route["dev"], route["protocol"], route["scope"], route["prefsrc"]) == (tunnel, "kernel", "link", inner)
    shown = node.sh(f"ip -n {name} -d addr show {tunnel}")
    assert re.search(rf" {tunnel}@NONE: .*link/ipip {local} peer {remote}", shown, re.S), shown  # C11
    assert re.search(rf"ipip (any )?remote {remote} local {local} ttl inherit pmtudisc", shown), shown  # C15
    assert f"inet {inner} peer {far}/32" in shown


@pytest.mark.parametrize("netns", ["", "ns1", "ns2"])
def test_the_fallback_device_is_there_and_left_alone(node: Any, netns: str) -> None:
    """C10"""
    (link,) = node.ip(f"{'-n ' + netns if netns else ''} -d link show tunl0")
    assert link["flags"] == ["NOARP"] and link["mtu"] == 1480 and link["address"] == "0.0.0.0"
    assert not link["linkinfo"]["info_data"]["pmtudisc"]


@pytest.mark.parametrize("name", ENDS)
def test_pings_and_the_two_headers(node: Any, name: str) -> None:
    _inside, _outside, local, _gateway, _tunnel, inner = ENDS[name]
    remote, far = ENDS[OTHER[name]][2], ENDS[OTHER[name]][5]
    assert node.ping(name, far) == (3, [64])  # C16
    packet = node.capture(
        name, ENDS[name][0], f"ip proto 4 and src {local}", f"ip netns exec {name} ping -c 2 -i 0.3 {far}"
    )
    assert (packet.protocol, packet.source, packet.destination) == (4, local, remote)  # C13
    within = type(packet)(packet.payload)
    assert (within.protocol, within.source, within.destination, within.ttl) == (1, inner, far, 64)


@pytest.mark.parametrize("name", ENDS)
def test_the_tunnel_needs_the_host_and_the_way_to_the_other_end(node: Any, name: str) -> None:
    far, (other, gateway) = ENDS[OTHER[name]][5], (ENDS[OTHER[name]][2], ENDS[name][3])
    with node.without_forwarding():
        assert node.ping(name, far, "-W 1") == (0, [])  # C6
    (route,) = [one for one in node.ip(f"-n {name} route") if one.get("gateway") == gateway]  # C5
    shown = " ".join(f"{key} {route[key]}" for key in ("gateway", "dev", "protocol")).replace("gateway", "via")
    node.sh(f"ip -n {name} route delete {route['dst']}")
    try:
        assert node.ping(name, far, "-W 1") == (0, [])
        assert "unreachable" in node.host.run(f"ip netns exec {name} ping -c 1 -W 1 {other}").stderr
    finally:
        node.sh(f"ip -n {name} route add {route['dst']} {shown.replace('protocol', 'proto')}")
    assert node.ping(name, far) == (3, [64])


@pytest.mark.parametrize("name", ENDS)
def test_the_mtu_is_exact(node: Any, name: str) -> None:
    far = ENDS[OTHER[name]][5]
    assert node.ping(name, far, "-M do -s 1452") == (3, [64])
    assert node.ping(name, far, "-M do -s 1453") == (0, [])


def test_between_the_hosts(node: Any) -> None:
    from_here = {link["ifname"]: link for link in node.ip("-d addr show type ipip") if link["ifname"] != "tunl0"}
    assert len(from_here) == 2
    for name, link in from_here.items():
        data = link["linkinfo"]["info_data"]
        address = next(a for a in link["addr_info"] if a["family"] == "inet")
        assert node.ping("", address["address"]) == (3, [64])
        assert (
            node.ping("", address["address"], "-M do -s 1452")[0] == 3
            and node.ping("", address["address"], "-M do -s 1453")[0] == 0
        )
        packet = node.capture(
            "", "ens32", f"ip proto 4 and dst {data['remote']}", f"ping -c 2 -i 0.3 {address['address']}"
        )
        assert (packet.protocol, packet.source, packet.destination) == (4, data["local"], data["remote"]), name
        assert type(packet)(packet.payload).destination == address["address"]
