# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the roles work out on the controller: this host's part of a topology, and all that is wrong with the variables."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.plugin_utils import (
    bridge_network,
    ipip_tunnel,
    verification,
    vxlan_overlay,
)

HOSTS = {
    f"vms10{n}": {"underlay_address": f"192.168.26.10{n}", "underlay_device": "ens32", "underlay_mtu": 1500} for n in range(3)
}  # fmt: skip


def hosts(**more: dict[str, Any]) -> dict[str, Any]:
    """The three hosts, some with more variables, and perhaps further ones."""
    return {
        **{name: {**own, **more.get(name, {})} for name, own in HOSTS.items()},
        **{n: v for n, v in more.items() if n not in HOSTS},
    }


def bridge(**values: Any) -> dict[str, Any]:
    return bridge_network.plan(values, "vms100", hosts())


def ipip(values: dict[str, Any], everyone: dict[str, Any] | None = None) -> dict[str, Any]:
    everyone = everyone or hosts()
    return ipip_tunnel.plan(values, "vms100", everyone, list(everyone))


def vxlan(values: dict[str, Any], everyone: dict[str, Any] | None = None) -> dict[str, Any]:
    everyone = everyone or hosts()
    return vxlan_overlay.plan(values, "vms100", everyone, list(everyone))


def test_the_documented_bridge_is_the_default() -> None:
    part = bridge()
    assert part["problems"] == []
    links = {link["name"]: link for link in part["description"]["links"] if link["name"] != "lo"}
    assert set(links) == {"vnet-br0", "veth-r", "veth-g"} and links["veth-r"]["peer"]["name"] == "eth0-r"
    assert {a["address"] for a in part["description"]["addresses"]} == {
        "192.168.20.1/24",
        "192.168.20.2/24",
        "192.168.20.3/24",
    }


@pytest.mark.parametrize("count", [1, 26, 200])
def test_names_are_short_and_unique_for_any_number_of_namespaces(count: int) -> None:
    part = bridge(namespaces=[f"namespace-with-a-long-name-{n}" for n in range(count)])
    names = [one["host_interface"] for one in part["namespaces"]]
    assert part["problems"] == [] and len(set(names)) == count and all(len(name) <= 15 for name in names)
    assert len({one["address"] for one in part["namespaces"]}) == count


def test_a_namespace_that_is_added_changes_nothing_for_the_others() -> None:
    before, after = (
        bridge(namespaces=["red", "green"])["namespaces"],
        bridge(namespaces=["red", "green", "rose"])["namespaces"],
    )
    assert after[:2] == before


MISTAKES = [
    (bridge, {"namespaces": ["a/b"]}, "bridge_network_namespaces[1]"),
    (bridge, {"namespaces": ["red", "red"]}, "'red' is red's already"),
    (bridge, {"namespaces": [{"name": "red", "address": "10.0.0.1"}]}, "10.0.0.1"),
    (bridge, {"bridge": "a-name-of-16-byte"}, "bridge_network_bridge"),
    (bridge, {"subnet": "192.168.20.1/24"}, "bridge_network_subnet"),
    (bridge, {"mtu": 10}, "bridge_network_mtu"),
    (bridge, {"subnet": "192.168.20.0/30", "namespaces": ["a", "b", "c"]}, "no address is left"),
    (bridge, {"dns": ["nowhere"]}, "bridge_network_dns[1]"),
    (ipip, {"peers": ["vms999"]}, "'vms999' is not a host of the group"),
    (ipip, {"mtu": 1481}, "1481"),
    (ipip, {"pair_ends": [{}]}, "a pair has two"),
    (ipip, {"pool": "10.10.0.0/16"}, "overlaps"),
    (vxlan, {"id": 1 << 24}, "vxlan_overlay_id"),
    (vxlan, {"mtu": 1451}, "1451 is too large: the smallest underlay of the group leaves 1450"),
    (vxlan, {"subnet": "172.18.42.0/30"}, "used up"),
    (vxlan, {"address": "10.0.0.1"}, "vxlan_overlay_address"),
]


@pytest.mark.parametrize("plan, values, words", MISTAKES, ids=lambda value: str(value)[:40])
def test_a_mistake_names_host_variable_and_value(plan: Any, values: dict[str, Any], words: str) -> None:
    problems = plan(**values)["problems"] if plan is bridge else plan(values)["problems"]
    assert problems and all(line.startswith("vms10") for line in problems), problems
    assert any(words in line for line in problems), problems


def test_all_mistakes_come_together() -> None:
    assert len(bridge(bridge="a-name-of-16-byte", mtu=10, namespaces=["a/b", "c d"])["problems"]) == 4


def test_a_peer_without_an_address_is_told() -> None:
    everyone = hosts(vms101={"underlay_address": None}, lost={})
    assert any("lost: underlay_address" in line for line in vxlan({}, everyone)["problems"])


def test_flooding_goes_to_all_others_and_the_mtu_follows_the_smallest_underlay() -> None:
    part = vxlan({}, hosts(vms102={"underlay_mtu": 1400}))
    assert [e["dst"] for e in part["description"]["fdb"]] == ["192.168.26.101", "192.168.26.102"]
    assert part["vtep"]["mtu"] == 1350 and part["vtep"]["address"] == "172.18.42.100/24"


def test_a_host_that_comes_moves_nobody() -> None:
    new = hosts(vms105={"underlay_address": "192.168.26.105", "underlay_device": "ens32", "underlay_mtu": 1500})
    assert vxlan({}, new)["vtep"]["address"] == vxlan({})["vtep"]["address"]
    before, after = ipip({})["tunnels"], ipip({}, new)["tunnels"]
    assert [tunnel for tunnel in after if tunnel["peer"] != "vms105"] == before


def test_pings_prove_each_network_and_each_mtu() -> None:
    parts = {"bridge_network": bridge(), "ipip_tunnel": ipip({}), "vxlan_overlay": vxlan({})}
    probes = verification.probes(parts, "192.168.26.100", "203.0.113.10")
    assert {probe["network"] for probe in probes} == {
        "bridge",
        "bridge nat",
        "ipip pair",
        "ipip",
        "vxlan pair",
        "vxlan",
    }
    assert {p["size"] for p in probes if p["network"] == "ipip pair" and p.get("df")} == {1452, 1453}
    assert {p["size"] for p in probes if p["network"] == "vxlan" and p.get("df")} == {1422, 1423}


ANSWER = {"received": 3, "transmitted": 3, "loss": 0.0, "ttl": [64], "rtt": {"avg": 0.1}, "errors": []}


@pytest.mark.parametrize(
    "change, expect, words",
    [
        ({}, "pass", ""),
        ({"loss": 33.3}, "pass", "33.3 % of 3 packets lost"),
        ({"ttl": [63]}, "pass", "ttl [63], not 64"),
        ({}, "fail", "the MTU is larger"),
        ({"received": 0, "loss": 100.0, "ttl": [], "rtt": None}, "fail", ""),
    ],
)
def test_answers_are_judged(change: dict[str, Any], expect: str, words: str) -> None:
    probe = {"network": "x", "name": "x", "expect": expect, "ttl": 64, "size": 1453, "df": True}
    verdict = verification.verdicts([{**ANSWER, **change}], [probe])
    assert bool(verdict["failures"]) == bool(words) and words in str(verdict["failures"])


def test_what_came_late_is_asked_again_and_then_judged() -> None:
    probes = [{"network": "x", "name": name, "expect": "pass", "ttl": 64, "dst": name} for name in "abc"]
    lost = {**ANSWER, "loss": 33.3}
    results = [lost, ANSWER, lost]
    again = verification.late(results, probes)
    assert [(probe["name"], probe["interval"]) for probe in again] == [("a", 1), ("c", 1)]
    assert verification.verdicts(results, probes, [ANSWER, lost])["failures"] == ["c: 33.3 % of 3 packets lost"]
    assert len(verification.verdicts(results, probes)["failures"]) == 2
