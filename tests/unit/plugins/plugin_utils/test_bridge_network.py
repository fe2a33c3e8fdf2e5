# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bridge network of a host, worked out from its variables."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.plugin_utils.bridge_network import plan, short_names

BARE: dict[str, Any] = {"h1": {}}


def part(**values: Any) -> dict[str, Any]:
    return plan(values, "h1", BARE)


def links(result: dict[str, Any]) -> dict[str, Any]:
    return {(one.get("netns", ""), one["name"]): one for one in result["description"]["links"]}


def test_documented() -> None:
    """Section 1.B: names, addresses, gateway, forwarding, NAT."""
    result = part()
    assert not result["problems"]
    found = result["description"]
    assert found["namespaces"] == ["red", "green"]
    assert set(links(result)) == {("", "vnet-br0"), ("red", "lo"), ("green", "lo"), ("", "veth-r"), ("", "veth-g")}
    assert links(result)["", "veth-r"]["peer"] == {"name": "eth0-r", "netns": "red", "mtu": 1500, "up": True}
    assert links(result)["", "veth-g"]["master"] == "vnet-br0"
    assert [(a.get("netns"), a["dev"], a["address"]) for a in found["addresses"]] == [
        (None, "vnet-br0", "192.168.20.1/24"),
        ("red", "eth0-r", "192.168.20.2/24"),
        ("green", "eth0-g", "192.168.20.3/24"),
    ]
    assert [(r["netns"], r["dst"], r["via"]) for r in found["routes"]] == [
        ("red", "default", "192.168.20.1"),
        ("green", "default", "192.168.20.1"),
    ]
    assert found["sysctls"] == [{"name": "net.ipv4.ip_forward", "value": 1}]
    chains = {chain["table"]: chain for chain in found["chains"]}
    assert chains["nat"]["rules"] == ["-s 192.168.20.0/24 ! -o vnet-br0 -j MASQUERADE"]
    assert chains["nat"]["jumps"] == [{"from": "POSTROUTING", "at": "last"}]
    assert chains["filter"]["jumps"] == [{"from": "FORWARD", "at": "first"}]
    assert "-i vnet-br0 -j ACCEPT" in chains["filter"]["rules"]


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["red", "green"], ["r", "g"]),
        (["red", "rose"], ["r", "rose"]),
        (["red", "r"], ["r", "454349e422"]),
        (["pod1", "pod2", "pod3"], ["p", "pod2", "pod3"]),
        (["a-long-name-1", "a-long-name-2"], ["a", "9b8f4b9a5d"]),
        (["-x"], ["-x"]),
    ],
)
def test_short_names(names: list[str], short: list[str]) -> None:
    found = short_names(names, set())
    assert [len(one) for one in found] == [len(one) for one in short]
    hashes = [one for one, want in zip(found, short) if len(want) == 10 and want not in names]
    assert [one for one in found if one not in hashes] == [one for one in short if len(one) != 10 or one in names]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("count", [1, 26, 300])
def test_names_are_unique_and_fit(count: int) -> None:
    result = part(subnet="10.0.0.0/16", namespaces=[f"a-rather-long-namespace-{n}" for n in range(count)])
    assert not result["problems"]
    for option in ("interface", "host_interface"):
        names = [space[option] for space in result["namespaces"]]
        assert len(set(names)) == count
        assert max(len(name.encode()) for name in names) <= 15
    assert len({space["address"] for space in result["namespaces"]}) == count


def test_adding_one_at_the_end_changes_nothing_before() -> None:
    names = ["red", "green", "rose", "grey", "a-rather-long-name", "another-long-name"]
    for count in range(1, len(names)):
        assert part(namespaces=names[:count])["namespaces"] == part(namespaces=names)["namespaces"][:count]


def test_derived_names_avoid_stated_ones() -> None:
    result = part(namespaces=["red", {"name": "x", "host_interface": "veth-r"}])
    assert [space["host_interface"] for space in result["namespaces"]] == ["veth-red", "veth-r"]


def test_derived_names_avoid_the_bridge() -> None:
    assert part(bridge="veth-r", namespaces=["red"])["namespaces"][0]["host_interface"] == "veth-red"


def test_next_free_address_skips_stated_ones_and_the_gateway() -> None:
    result = part(gateway="192.168.20.2", namespaces=["a", {"name": "b", "address": "192.168.20.3"}, "c"])
    assert [space["address"] for space in result["namespaces"]] == ["192.168.20.1", "192.168.20.3", "192.168.20.4"]


@pytest.mark.parametrize("text", ["192.168.20.9", "192.168.20.9/24"])
def test_address_with_or_without_length(text: str) -> None:
    assert part(namespaces=[{"name": "a", "address": text}])["namespaces"][0]["address"] == "192.168.20.9"


@pytest.mark.parametrize(
    ("values", "chains"),
    [({"nat": False}, 1), ({"firewall": False}, 1), ({"nat": False, "firewall": "no"}, 0), ({"nat": "yes"}, 2)],
)
def test_switches(values: dict[str, Any], chains: int) -> None:
    assert len(part(**values)["description"]["chains"]) == chains


def test_without_nat_the_outside_may_begin() -> None:
    assert part(nat=False)["description"]["chains"][0]["rules"] == ["-i vnet-br0 -j ACCEPT", "-o vnet-br0 -j ACCEPT"]


def test_no_forwarding() -> None:
    assert part(forwarding=False)["description"]["sysctls"] == []


def test_options_are_passed_on() -> None:
    space = {"name": "a", "port": {"hairpin": True}, "mac": "02:00:00:00:00:01"}
    result = part(
        mtu="",
        mac="02:00:00:00:00:09",
        bridge_options={"stp_state": True},
        port_options={"isolated": True},
        namespaces=[space],
    )
    bridge, port = links(result)["", "vnet-br0"], links(result)["", "veth-a"]
    assert bridge == {
        "stp_state": True,
        "address": "02:00:00:00:00:09",
        "name": "vnet-br0",
        "kind": "bridge",
        "up": True,
    }
    assert port["port"] == {"isolated": True, "hairpin": True}
    assert port["peer"]["address"] == "02:00:00:00:00:01"
    assert "mtu" not in port


def test_dns() -> None:
    assert part(dns=["192.0.2.53", "2001:db8::53"])["resolv_conf"] == "nameserver 192.0.2.53\nnameserver 2001:db8::53\n"
    assert part()["resolv_conf"] == ""


def test_absent_asks_nothing_of_the_variables() -> None:
    result = part(state="absent", subnet="nonsense")
    assert not result["problems"]
    assert not any(result["description"].values())


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (
            {"bridge": "a-bridge-that-is-too-long"},
            "h1: bridge_network_bridge: 'a-bridge-that-is-too-long' is 25 bytes long",
        ),
        ({"bridge": "br/0"}, "h1: bridge_network_bridge: 'br/0' holds a character"),
        ({"subnet": "192.168.20.1/24"}, "h1: bridge_network_subnet: '192.168.20.1/24' is not an IPv4 network"),
        ({"subnet": "fd00::/64"}, "h1: bridge_network_subnet: 'fd00::/64' is not an IPv4 network"),
        ({"subnet": "10.0.0.0/31"}, "h1: bridge_network_subnet: '10.0.0.0/31' is not a usable size"),
        ({"gateway": "10.0.0.1"}, "h1: bridge_network_gateway: '10.0.0.1' is not in 192.168.20.0/24"),
        ({"gateway": "192.168.20.255"}, "is the network's own or its broadcast address"),
        ({"mtu": 20}, "h1: bridge_network_mtu: 20 is out of range, 68 to 65535"),
        ({"mac": "01:00:00:00:00:00"}, "h1: bridge_network_mac: '01:00:00:00:00:00' cannot be"),
        ({"nat": "perhaps"}, "h1: bridge_network_nat: 'perhaps' is neither true nor false"),
        ({"dns": ["192.0.2.1", "dns.example"]}, "h1: bridge_network_dns[2]: 'dns.example' is not an IP address"),
        ({"bridge_options": ["stp"]}, "h1: bridge_network_bridge_options: ['stp'] is not a dictionary"),
        ({"namespaces": {"red": {}}}, "h1: bridge_network_namespaces: {'red': {}} is not a list"),
        ({"namespaces": [7]}, "h1: bridge_network_namespaces[1]: 7 is not a dictionary of name, address"),
        ({"namespaces": [{"address": "192.168.20.2"}]}, "h1: bridge_network_namespaces[1].name: is required"),
        ({"namespaces": [{"name": "a", "ip": "x"}]}, "h1: bridge_network_namespaces[1].ip: there is no such option"),
        ({"namespaces": ["a/b"]}, "h1: bridge_network_namespaces[1].name: 'a/b' holds a character"),
        ({"namespaces": ["red", "red"]}, "h1: bridge_network_namespaces[2].name: 'red' is red's already"),
        (
            {"namespaces": [{"name": "a", "address": "192.168.20.5"}, {"name": "b", "address": "192.168.20.5"}]},
            "h1: bridge_network_namespaces[2].address: '192.168.20.5' is a's already",
        ),
        (
            {"namespaces": [{"name": "a", "address": "192.168.20.1"}]},
            "'192.168.20.1' is the gateway (the bridge)'s already",
        ),
        ({"namespaces": [{"name": "a", "address": "192.168.21.5"}]}, "'192.168.21.5' is not in 192.168.20.0/24"),
        ({"namespaces": [{"name": "a", "address": "192.168.20.5/16"}]}, "'192.168.20.5/16' has another prefix length"),
        (
            {"namespaces": [{"name": "a", "interface": "much-too-long-name"}]},
            "namespaces[1].interface: 'much-too-long-name'",
        ),
        ({"namespaces": [{"name": "a", "host_interface": "vnet-br0"}]}, "'vnet-br0' is the bridge's already"),
        (
            {
                "namespaces": [
                    {"name": n, "mac": m} for n, m in (("a", "02:00:00:00:00:0A"), ("b", "02:00:00:00:00:0a"))
                ]
            },
            "h1: bridge_network_namespaces[2].mac: '02:00:00:00:00:0a' is a's already",
        ),
        (
            {"mac": "02:00:00:00:00:01", "namespaces": [{"name": "a", "mac": "02:00:00:00:00:01"}]},
            "h1: bridge_network_namespaces[1].mac: '02:00:00:00:00:01' is the bridge's already",
        ),
        ({"subnet": "10.0.0.0/30", "namespaces": ["a", "b"]}, "no address is left in 10.0.0.0/30 for b"),
    ],
)
def test_mistakes(values: dict[str, Any], text: str) -> None:
    result = part(**values)
    assert any(text in line for line in result["problems"]), result["problems"]
    assert all(line.startswith("h1: bridge_network_") for line in result["problems"])
    assert not any(result["description"].values())


def test_several_mistakes_at_once() -> None:
    result = part(bridge="a/b", mtu=1, nat="perhaps", namespaces=["x", "x"])
    assert [line.split(": ")[1] for line in result["problems"]] == [
        "bridge_network_bridge",
        "bridge_network_mtu",
        "bridge_network_nat",
        "bridge_network_namespaces[2].name",
    ]


def test_subnet_that_the_host_lives_in() -> None:
    network = {"default": "eth0", "interfaces": {"eth0": {"addresses": ["192.168.20.77"], "mtu": 1500}}}
    found = plan({}, "h1", {"h1": {"prepare_report": {"network": network}}})
    assert "holds the host's own address 192.168.20.77 (eth0)" in found["problems"][0]


def test_the_bridge_itself_is_no_conflict() -> None:
    there = {
        "eth0": {"addresses": ["192.0.2.7"], "mtu": 1500},
        "vnet-br0": {"addresses": ["192.168.20.1"], "mtu": 1500},
    }
    assert not plan({}, "h1", {"h1": {"prepare_report": {"network": {"default": "eth0", "interfaces": there}}}})[
        "problems"
    ]


def test_every_address_is_in_the_subnet() -> None:
    result = part(subnet="10.1.0.0/20", namespaces=[f"n{n}" for n in range(1000)])
    network = ipaddress.ip_network("10.1.0.0/20")
    assert all(ipaddress.ip_address(space["address"]) in network for space in result["namespaces"])
