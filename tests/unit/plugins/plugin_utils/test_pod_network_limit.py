# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nodes that stand, and nodes that are not in the play: what a node holds is never guessed otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.plugin_utils import node_port, pod_network
from ansible_collections.linuxnet.lab.plugins.plugin_utils.pod_network import tunnel_mac

POOL = {"pool": "10.244.0.0/20"}  # 64 blocks: 192.168.26.100 and .164 point to the same one
OTHER = {"protocol": "bird", "dev": "tunl0", "flags": ["onlink"]}
UNKNOWN = "is not stated, and nobody knows the one that the host holds"
Nodes = dict[str, dict[str, Any]]


def node(last: int, **variables: Any) -> dict[str, Any]:
    """A node's variables in the inventory."""
    return {"underlay_address": f"192.168.26.{last}", "underlay_device": "ens32", "underlay_mtu": 1500, **variables}


def holds(block: str, **pods: str) -> list[dict[str, Any]]:
    """The routes of a node: its block, and the host ends of pods by address."""
    ends = [{"dst": address, "dev": end, "scope": "link", "flags": []} for end, address in pods.items()]
    return [{"type": "blackhole", "dst": block, "protocol": "bird"}, *ends]


def play(nodes: Nodes, *limit: str, standing: dict[str, Any] | None = None, dead: str = "", **stated: Any) -> Nodes:
    """The parts of the nodes that are in the play; `standing` has the routes of all, the dead one does not answer."""
    looked = {name: {"routes": (standing or {}).get(name, [])} for name in nodes}
    told = {name: {"pod_network_stated": {**POOL, **stated, **looked[name]}} for name in limit}
    hostvars = {name: {**variables, **told.get(name, {})} for name, variables in nodes.items()}
    for name in limit:
        for option, value in nodes[name].items():
            if option.startswith("pod_network_"):
                hostvars[name]["pod_network_stated"][option.removeprefix("pod_network_")] = value
    elsewhere = {name: found for name, found in looked.items() if name not in (*limit, dead)}
    return {
        name: pod_network.plan(hostvars[name]["pod_network_stated"], name, hostvars, list(nodes), elsewhere)
        for name in limit
    }


def blocks(part: dict[str, Any]) -> dict[str, str]:
    """The other nodes' blocks."""
    return {one["host"]: one["block"] for one in part["nodes"]}


def test_a_node_that_is_added_before_others_and_built_alone() -> None:
    a, b = node(100), node(164)
    alone = play({"a": a}, "a")["a"]
    assert alone["block"] == "10.244.9.0/26"
    standing = {"a": holds("10.244.9.0/26")}
    for limit in (["b"], ["a"], ["b", "a"]):
        parts = play({"b": b, "a": a}, *limit, standing=standing)
        assert {name: part["problems"] for name, part in parts.items()} == {name: [] for name in limit}
        known = [{**blocks(part), name: part["block"]} for name, part in parts.items()]
        assert known == [{"a": "10.244.9.0/26", "b": "10.244.9.64/26"}] * len(limit)


def test_a_node_keeps_the_block_that_it_has_got_in_a_collision() -> None:
    nodes = {"a": node(100), "b": node(164)}
    both = play(nodes, "a", "b")
    assert [part["block"] for part in both.values()] == ["10.244.9.0/26", "10.244.9.64/26"]
    (part,) = play({"b": nodes["b"], "c": node(7)}, "c", standing={"b": holds("10.244.9.64/26")}).values()
    assert blocks(part) == {"b": "10.244.9.64/26"} and not part["problems"]


@pytest.mark.parametrize("encapsulation", ["ipip", "vxlan"])
def test_a_node_that_does_not_answer_is_where_the_others_routes_lead(encapsulation: str) -> None:
    via = "192.168.26.164" if encapsulation == "ipip" else "10.244.9.64"
    route = {**OTHER, "dst": "10.244.9.64/26", "gateway": via}
    elsewhere = {**OTHER, "dst": "10.244.9.128/26", "gateway": "192.168.26.9"}
    stated = {"encapsulation": encapsulation, "neighbors": [{"dst": "10.244.9.64", "lladdr": tunnel_mac("b")}]}
    nodes, routes = {"a": node(100), "b": node(164)}, [*holds("10.244.9.0/26"), elsewhere, route]
    (part,) = play(nodes, "a", standing={"a": routes}, dead="b", **stated).values()
    assert part["problems"] == [] and blocks(part) == {"b": "10.244.9.64/26"}


def test_a_node_that_nothing_is_known_of() -> None:
    nodes = {"a": node(100), "b": node(164)}
    (part,) = play(nodes, "a", dead="b").values()
    (line,) = part["problems"]
    assert line.startswith(f"b: pod_network_block: {UNKNOWN}") and "run without --limit, or state it" in line
    assert not any(part["description"].values())
    pinned = {**nodes, "b": node(164, pod_network_block="10.244.3.0/26")}
    (part,) = play(pinned, "a", dead="b").values()
    assert part["problems"] == [] and blocks(part) == {"b": "10.244.3.0/26"}


def test_the_others_routes_to_a_node_that_has_lost_its_own() -> None:
    """After it has been started anew, in a full run: it gets its block again."""
    standing = {"a": [*holds("10.244.9.0/26"), {**OTHER, "dst": "10.244.9.64/26", "gateway": "192.168.26.164"}]}
    parts = play({"b": node(164), "a": node(100)}, "a", "b", standing=standing)
    assert [part["block"] for part in parts.values()] == ["10.244.9.0/26", "10.244.9.64/26"]
    # unless another node has it by now: the route is an old one
    standing["c"] = holds("10.244.9.64/26")
    parts = play({"b": node(164), "a": node(100), "c": node(3)}, "a", "b", "c", standing=standing)
    assert parts["b"]["block"] == "10.244.9.128/26" and parts["c"]["block"] == "10.244.9.64/26"


@pytest.mark.parametrize("limit", [["a", "b"], ["a"]])
def test_a_pin_moves_nobody_else(limit: list[str]) -> None:
    standing = {"b": holds("10.244.9.64/26")}
    nodes = {"a": node(100, pod_network_block="10.244.9.64/26"), "b": node(164, pod_network_pods=["web"])}
    parts = play(nodes, *limit, standing=standing)
    assert parts["a"]["problems"] == [
        "a: pod_network_block: '10.244.9.64/26' meets 10.244.9.64/26, which b holds; state another one, or one for b as well"
    ]
    pods = [pod["address"] for part in parts.values() for pod in [*part["pods"], *part["elsewhere"].get("b", [])]]
    assert pods == ["10.244.9.65"]  # so that services say nothing about them
    nodes["b"]["pod_network_block"] = "10.244.9.0/26"  # now it is meant
    parts = play(nodes, *limit, standing=standing)
    assert parts["a"]["problems"] == [] and blocks(parts["a"]) == {"b": "10.244.9.0/26"}


def test_two_nodes_that_hold_the_same_block() -> None:
    standing = {"a": holds("10.244.9.0/26"), "b": holds("10.244.9.0/26")}
    (part,) = play({"a": node(100), "b": node(164)}, "a", standing=standing).values()
    assert part["problems"] == ["b: pod_network_block: '10.244.9.0/26' is held by a as well; state one for one of them"]


def test_the_smallest_underlay_is_that_of_all_nodes() -> None:
    nodes = {"a": {**node(100), "underlay_mtu": 1400}, "c": node(7)}
    assert play(nodes, "c")["c"]["mtu"] == play(nodes, "a", "c")["c"]["mtu"] == 1380
    del nodes["a"]["underlay_mtu"]
    (line,) = play(nodes, "c")["c"]["problems"]
    assert line.startswith("a: underlay_mtu: is not stated") and line.endswith("or state it, or pod_network_mtu")
    assert play(nodes, "c", mtu=1300)["c"]["problems"] == []
    nodes["a"]["ansible_facts"] = {"interfaces": ["ens32"], "ens32": {"device": "ens32", "mtu": 1400}}  # looked at
    assert play(nodes, "c")["c"]["mtu"] == 1380


def test_what_all_share_need_not_be_in_the_inventory() -> None:
    """It may be stated in the play, whose variables are those of the hosts in it only."""
    nodes = {"a": node(100), "b": node(164)}
    (part,) = play(nodes, "a", encapsulation="none", proto="80").values()
    assert part["problems"] == []
    nodes["b"]["pod_network_proto"] = "boot"
    assert "differs from '80' on a" in play(nodes, "a", proto="80")["a"]["problems"][0]


def test_services_over_nodes_that_are_not_in_the_play() -> None:
    nodes = {"a": node(100, pod_network_pods=["web-a"]), "b": node(164, pod_network_pods=["api", "web-b"])}
    ends = {pod["name"]: pod["interface"] for pod in play(nodes, "b")["b"]["pods"]}
    standing = {"b": holds("10.244.9.64/26", **{ends["web-b"]: "10.244.9.99"})}
    parts = play(nodes, "a", standing=standing)
    told = {pod["name"]: pod["address"] for pod in parts["a"]["elsewhere"]["b"]}
    assert told == {"api": "10.244.9.65", "web-b": "10.244.9.99"} and not parts["a"]["problems"]
    whole = play(nodes, "a", "b", standing=standing)
    assert whole["b"]["pods"] == parts["a"]["elsewhere"]["b"] and whole["a"]["elsewhere"] == {}

    web = {"name": "web", "cluster_ip": "10.96.0.7", "port": 80, "target_port": 80, "endpoints": ["web-a", "web-b"]}

    def services(found: Nodes) -> dict[str, Any]:
        hostvars = {name: {**nodes[name], "pod_network_part": part} for name, part in found.items()}
        made: dict[str, Any] = node_port.plan({"services": [web]}, "a", hostvars, list(nodes))
        return made

    assert services(parts) == services(whole) and not services(whole)["problems"]
    dead = play(nodes, "a", standing=standing, dead="b")
    assert services(dead)["problems"] == [
        "a: node_port_services[1].endpoints[2]: 'web-b' is neither a pod of the group nor an address;"
        " the pods of b are not known (no pod_network there, or no answer)"
    ]
