# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bridge of the documents (dataplane 1.B): every object and every observation, on each host."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

testinfra_hosts = ["ansible://bridge_hosts"]
SPACES = {"red": ("eth0-r", "veth-r", "192.168.20.2"), "green": ("eth0-g", "veth-g", "192.168.20.3")}
OUTSIDE = "203.0.113.10"


def test_namespaces_bridge_and_ports(node: Any) -> None:
    assert {one["name"] for one in node.ip("netns")} == set(SPACES)  # B1
    assert {one["ifname"] for one in node.ip("link show type bridge")} == {"docker0", "vnet-br0"}  # B2, B13, A10
    ports = {one["ifname"]: one for one in node.ip("link show master vnet-br0")}
    assert set(ports) == {"veth-r", "veth-g"}  # B3, B4
    for name, (inside, outside, _address) in SPACES.items():
        (end,) = node.ip(f"-n {name} -d link show {inside}")
        assert end["link_index"] == ports[outside]["ifindex"] and ports[outside]["link_index"] == end["ifindex"]  # B17
        assert ports[outside]["link_netnsid"] in [one.get("id") for one in node.ip("netns") if one["name"] == name]
        shown = node.sh(f"ip link show {outside}")
        own, peer = ports[outside]["ifindex"], end["ifindex"]
        assert re.search(rf"^{own}: {outside}@if{peer}: .* master vnet-br0 .*link-netns {name}$", shown, re.S), (
            shown
        )  # B14


def test_the_same_by_the_info_modules(node: Any) -> None:
    """B13, B14, B17, B18, and who is in which namespace"""
    assert {link["name"] for link in node.info("link_info", kind="bridge")["links"]} == {"docker0", "vnet-br0"}
    ports = node.info("link_info", master="vnet-br0")["links"]
    assert {(port["name"], port["peer"]["name"], port["peer"]["netns"]) for port in ports} == {
        (outside, inside, name) for name, (inside, outside, _address) in SPACES.items()
    }
    own = {(one["dev"], one["mac"], one["text"]) for one in node.info("fdb_info", master="vnet-br0")["fdb"]}
    for port in ports:
        mac = port["address"]
        assert (port["name"], mac, f"{mac} dev {port['name']} master vnet-br0 permanent") in own
    assert set(SPACES) <= {one["name"] for one in node.info("netns_info")["namespaces"]}


def test_all_is_up(node: Any) -> None:
    """B5, B15"""
    for link in [*node.ip("link show master vnet-br0"), *node.ip("link show vnet-br0")]:
        assert {"BROADCAST", "MULTICAST", "UP", "LOWER_UP"} <= set(link["flags"])
        assert (link["operstate"], link["qdisc"], link["mtu"]) == ("UP", "noqueue", 1500)
    for name, (inside, _outside, _address) in SPACES.items():
        assert all("UP" in node.ip(f"-n {name} link show {link}")[0]["flags"] for link in ("lo", inside))


def test_addresses_and_routes(node: Any) -> None:
    addresses = {a["local"]: a["prefixlen"] for a in node.ip("-4 addr show vnet-br0")[0]["addr_info"]}
    assert addresses == {"192.168.20.1": 24}  # B8
    for name, (inside, _outside, address) in SPACES.items():
        found = [(a["local"], a["prefixlen"]) for a in node.ip(f"-n {name} -4 addr show {inside}")[0]["addr_info"]]
        assert found == [(address, 24)]  # B6, B7
        (default,) = node.ip(f"-n {name} route show default")
        assert (default["gateway"], default["dev"]) == ("192.168.20.1", inside)  # B9
    assert node.sh("sysctl -n net.ipv4.ip_forward").strip() == "1"  # B10


def test_rules_are_in_chains_of_our_own(node: Any) -> None:
    saved = node.sh("iptables-save")
    assert "-A LINUXNET-BRIDGE-NAT -s 192.168.20.0/24 ! -o vnet-br0 -j MASQUERADE" in saved  # B11
    assert "-A POSTROUTING -j LINUXNET-BRIDGE-NAT" in saved
    # B12: what the pings of the other tests pass is a chain that drops all else, as a container engine leaves it
    assert ":FORWARD DROP" in saved and "-A FORWARD -j LINUXNET-BRIDGE-FWD" in saved
    assert node.sh("sysctl -n net.bridge.bridge-nf-call-iptables").strip() == "1"  # and bridged frames meet it, too


def test_the_bridge_has_the_lowest_mac_of_its_ports(node: Any) -> None:
    """B16"""
    ports = [link["address"] for link in node.ip("link show master vnet-br0")]
    assert node.ip("link show vnet-br0")[0]["address"] == min(ports)


@pytest.mark.parametrize("name, other", [("red", "192.168.20.3"), ("green", "192.168.20.2")])
def test_each_other_and_what_the_bridge_learned(node: Any, name: str, other: str) -> None:
    assert node.ping(name, other) == (3, [64])  # B21
    inside, outside, _address = SPACES[name]
    mac = node.ip(f"-n {name} link show {inside}")[0]["address"]
    entries = json.loads(node.sh("bridge -j fdb show br vnet-br0"))
    assert any(e["mac"] == mac and e["ifname"] == outside and e.get("state") != "permanent" for e in entries)  # B18
    own = node.ip(f"link show {outside}")[0]["address"]
    permanent = [e for e in entries if e["ifname"] == outside and e.get("state") == "permanent"]
    assert {None, 1} == {
        e.get("vlan") for e in permanent if e["mac"] == own
    }  # B18: the port's own, and its VLAN 1 copy
    assert any(e["mac"].startswith("33:33") and "self" in e["flags"] for e in permanent)
    (port,) = [one for one in json.loads(node.sh("bridge -d -j link")) if one["ifname"] == outside]
    assert (port["state"], port["master"]) == ("forwarding", "vnet-br0")


@pytest.mark.parametrize("name", SPACES)
def test_the_hosts_own_address(node: Any, name: str) -> None:
    """B20: it needs the gateway only; the outside needs forwarding as well."""
    own = node.ip("-4 addr show ens32")[0]["addr_info"][0]["local"]
    with node.without_forwarding():
        assert node.ping(name, own) == (3, [64])
        assert node.ping(name, OUTSIDE, "-W 1") == (0, [])  # B10
    assert node.ping(name, own) == (3, [64])


@pytest.mark.parametrize("name", SPACES)
def test_the_outside_through_nat_with_the_hosts_address(node: Any, outside: Any, name: str) -> None:
    """B19: one router is passed. At the outside host the source is this host, in the namespace it is the namespace."""
    assert node.ping(name, OUTSIDE) == (3, [63])
    own = node.ip("-4 addr show ens32")[0]["addr_info"][0]["local"]
    ping = f"ip netns exec {name} ping -c 2 -i 0.3 {OUTSIDE}"
    packet = node.capture_at(outside, "ens32", f"icmp[icmptype] == icmp-echo and src {own}", ping)
    assert (packet.source, packet.destination, packet.protocol, packet.ttl) == (own, OUTSIDE, 1, 63)
    inside, _outside, address = SPACES[name]
    assert node.capture(name, inside, f"icmp and dst {OUTSIDE}", ping).source == address


@pytest.mark.parametrize("name", SPACES)
def test_names_are_resolved_at_the_name_server_of_the_namespaces(node: Any, outside: Any, name: str) -> None:
    """A8, B19: the namespace has a resolv.conf of its own, and what it asks arrives at that server."""
    servers = re.findall(r"^nameserver (\S+)$", node.sh(f"ip netns exec {name} cat /etc/resolv.conf"), re.M)
    assert servers == [OUTSIDE] and OUTSIDE not in node.sh("cat /etc/resolv.conf")
    with outside.name_server(OUTSIDE):
        assert node.sh(f"ip netns exec {name} getent ahostsv4 baidu.com").split()[0] == OUTSIDE
        assert node.ping(name, "baidu.com") == (3, [63])
