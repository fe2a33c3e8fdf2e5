# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pod network of the documents: blocks, names, routes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.plugin_utils.pod_network import plan, tunnel_mac

# the documents' six nodes and blocks
BLOCKS = {
    "vms100": "10.244.239.128/26",
    "vms101": "10.244.198.0/26",
    "vms102": "10.244.63.64/26",
    "vms103": "10.244.38.128/26",
    "vms105": "10.244.169.64/26",
    "vms106": "10.244.31.64/26",
}
MINIO = {"name": "minio-b6d98746c-m7rzc", "namespace": "velero", "node": "vms105", "address": "10.244.169.89"}


def group(**of_host: dict[str, Any]) -> dict[str, Any]:
    """The variables of hosts as they publish them; values for `all` go to each."""
    shared = of_host.pop("every", {})
    return {
        name: {
            "underlay_address": f"192.168.26.{int(name[-3:])}",
            "underlay_device": "ens32",
            "underlay_mtu": 1500,
            "pod_network_stated": {"pool": "10.244.0.0/16", **shared, **values},
        }
        for name, values in of_host.items()
    }


def part(hosts: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = plan(hosts[name]["pod_network_stated"], name, hosts, list(hosts))
    return found


def way(found: dict[str, Any], dst: str) -> dict[str, Any]:
    """The route to a destination, without the destination."""
    (route,) = [route for route in found["description"]["routes"] if route["dst"] == dst]
    return {option: value for option, value in route.items() if option != "dst"}


def documented(**shared: Any) -> dict[str, Any]:
    return group(every={"pods": [MINIO], **shared}, **{name: {"block": block} for name, block in BLOCKS.items()})


def test_the_documents_node() -> None:
    hosts = documented()
    found = part(hosts, "vms105")
    assert not found["problems"]
    assert [pod["interface"] for pod in found["pods"]] == ["calia011d753862"]
    routes = {(r.get("netns", ""), r["dst"]): r for r in found["description"]["routes"]}
    assert routes["", "10.244.169.64/26"] == {"dst": "10.244.169.64/26", "type": "blackhole", "proto": "bird"}
    assert routes["", "10.244.31.64/26"] == {
        "dst": "10.244.31.64/26", "via": "192.168.26.106", "dev": "tunl0", "onlink": True, "proto": "bird",
    }  # fmt: skip
    pod = routes["", "10.244.169.89/32"]
    assert (pod["dev"], pod["scope"]) == ("calia011d753862", "link")
    assert len([r for r in routes.values() if r.get("dev") == "tunl0"]) == 5
    assert found["mtu"] == 1480 and found["tunnel"] == {"device": "tunl0", "address": "10.244.169.64"}
    assert part(hosts, "vms100")["pods"] == []


def test_vxlan_as_calico_has_it() -> None:
    description = part(documented(encapsulation="vxlan"), "vms105")["description"]
    (tunnel,) = [link for link in description["links"] if link.get("kind") == "vxlan"]
    assert (tunnel["name"], tunnel["id"], tunnel["learning"], tunnel["mtu"]) == ("vxlan.calico", 4096, False, 1450)
    assert tunnel["address"] == tunnel_mac("vms105") and tunnel["address"].startswith("66:")
    assert len(description["fdb"]) == len(description["neighbors"]) == 5
    assert {"dev": "vxlan.calico", "mac": tunnel_mac("vms106"), "dst": "192.168.26.106"} in description["fdb"]


def test_masquerading_at_the_tunnel() -> None:
    """What has another address of the host; UDP through VXLAN never from the tunnels' own port."""
    wrong = "-m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL -j MASQUERADE"

    def rules(encapsulation: str) -> list[str]:
        chains = part(documented(encapsulation=encapsulation), "vms105")["description"]["chains"]
        (found,) = [chain["rules"] for chain in chains if chain["table"] == "nat"]
        assert found[0] == "-s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE"
        return list(found[1:])

    assert rules("ipip") == [f"-o tunl0 {wrong}"] and rules("none") == []
    assert rules("vxlan") == [f"-o vxlan.calico -p udp {wrong} --to-ports 4790-65535", f"-o vxlan.calico {wrong}"]


def test_without_encapsulation_the_nodes_are_the_gateways() -> None:
    found = part(documented(encapsulation="none"), "vms105")
    assert way(found, "10.244.31.64/26") == {"via": "192.168.26.106", "dev": "ens32", "onlink": False, "proto": "bird"}
    assert found["tunnel"] == {} and found["mtu"] == 1500
    assert all(node["direct"] for node in found["nodes"])


@pytest.mark.parametrize(
    ("encapsulation", "via"), [("ipip_cross_subnet", "192.168.26.106"), ("vxlan_cross_subnet", "10.244.31.64")]
)
def test_across_subnets_only(encapsulation: str, via: str) -> None:
    """Nodes of the node's own subnet are gateways themselves; the tunnel is for the others."""
    hosts = documented(encapsulation=encapsulation)
    for name in hosts:
        hosts[name]["underlay_subnet"] = "192.168.26.96/29" if name < "vms104" else "192.168.26.104/29"
    found = part(hosts, "vms100")
    assert not found["problems"]
    device = {"ipip": "tunl0", "vxlan": "vxlan.calico"}[encapsulation.partition("_")[0]]
    assert way(found, "10.244.38.128/26") == {"via": "192.168.26.103", "dev": "ens32", "onlink": False, "proto": "bird"}
    assert way(found, "10.244.31.64/26") == {"via": via, "dev": device, "onlink": True, "proto": "bird"}
    assert [node["host"] for node in found["nodes"] if node["direct"]] == ["vms101", "vms102", "vms103"]
    assert (found["mtu"], found["tunnel"]["device"]) == ({"tunl0": 1480, "vxlan.calico": 1450}[device], device)
    # the tunnel stands as it does without: a node may move to another subnet, and Calico keeps the entries of all
    always = part(documented(encapsulation=encapsulation.partition("_")[0]), "vms100")["description"]
    for section in ("links", "addresses", "neighbors", "fdb", "chains"):
        assert found["description"][section] == always[section]


def test_a_nodes_subnet_is_that_of_its_own_route() -> None:
    route = {"dst": "192.168.26.96/29", "dev": "ens32", "protocol": "kernel", "prefsrc": "192.168.26.100"}
    hosts = documented(encapsulation="ipip_cross_subnet")
    values = hosts["vms100"]["pod_network_stated"]
    assert part(hosts, "vms100")["problems"] == [
        "vms100: underlay_subnet: is not stated and cannot be found out (no route of the host has it), and"
        " pod_network_encapsulation 'ipip_cross_subnet' needs it; state it in the host's variables"
    ]
    values["routes"] = [
        {**route, "protocol": "static"},
        {**route, "prefsrc": "192.168.26.99", "dst": "0.0.0.0/1"},
        route,
    ]
    found = part(hosts, "vms100")
    assert [node["host"] for node in found["nodes"] if node["direct"]] == ["vms101", "vms102", "vms103"]
    hosts["vms100"]["underlay_subnet"] = "192.168.26.0/24"  # what is stated comes first
    assert all(node["direct"] for node in part(hosts, "vms100")["nodes"])


def test_direct_routes_in_felix_words() -> None:
    found = part(documented(encapsulation="none", proto="80"), "vms105")
    assert way(found, "10.244.31.64/26") == {"via": "192.168.26.106", "dev": "ens32", "onlink": True, "proto": "80"}


def test_the_host_ends_rp_filter_is_the_hosts_default() -> None:
    """Felix takes it when it starts, and puts it back on each host end."""

    def rp_filter(**values: Any) -> list[Any]:
        description = part(group(vms100={"pods": ["web"], **values}), "vms100")["description"]
        return [one["value"] for one in description["sysctls"] if one["name"].endswith("/rp_filter")]

    assert rp_filter(default_rp_filter="2") == [2]
    assert rp_filter(default_rp_filter="2", rp_filter=0) == [0]
    assert rp_filter() == []  # nobody has looked


@pytest.mark.parametrize(
    ("found", "mtu", "expected"), [("1", "", [0]), ("0", 1280, [0]), ("1", 1279, []), ("", "", []), (None, "", [])]
)
def test_host_ends_take_no_router_advertisements(found: Any, mtu: Any, expected: list[int]) -> None:
    """Where the kernel has IPv6, and the link a size that IPv6 takes: there is no such parameter otherwise."""
    hosts = group(vms100={"pods": ["web"], "default_accept_ra": found, "mtu": mtu})
    sysctls = {one["name"]: one["value"] for one in part(hosts, "vms100")["description"]["sysctls"]}
    assert [value for name, value in sysctls.items() if name.endswith("/accept_ra")] == expected
    assert not expected or sysctls["net/ipv6/conf/cali68caf03a5f4/accept_ra"] == 0


def test_a_host_more_or_less_moves_no_block() -> None:
    some = group(vms100={}, vms103={}, vms106={})
    more = group(vms099={}, vms100={}, vms101={}, vms103={}, vms106={})
    for name in some:
        assert part(some, name)["block"] == part(more, name)["block"]


def test_what_a_host_holds_stays() -> None:
    held = [
        {"type": "blackhole", "dst": "10.244.7.64/26", "protocol": "bird"},
        {"dst": "10.244.7.99", "dev": "cali5bf5f8a8a1b", "scope": "link"},
    ]
    first = part(group(vms100={"routes": held, "pods": ["web"]}), "vms100")
    assert first["block"] == "10.244.7.64/26"
    end = first["pods"][0]["interface"]
    held[1]["dev"] = end
    both = part(group(vms100={"routes": held, "pods": ["api", "web"]}), "vms100")
    assert [pod["address"] for pod in both["pods"]] == ["10.244.7.65", "10.244.7.99"]


def test_an_address_of_another_nodes_block_gets_a_route_of_its_own() -> None:
    moved = documented(pods=[{**MINIO, "node": "vms106"}])
    routes = part(moved, "vms100")["description"]["routes"]
    assert [r["via"] for r in routes if r["dst"] == "10.244.169.89/32"] == ["192.168.26.106"]


def test_proxy_arp_gets_a_way_to_its_gateway_only_where_there_is_none() -> None:
    def provided(routes: list[dict[str, Any]]) -> bool:
        description = part(group(vms100={"routes": routes}), "vms100")["description"]
        return any(r["dst"] == "169.254.0.0/16" for r in description["routes"])

    assert provided([])
    assert not provided([{"dst": "default", "gateway": "192.168.26.2", "dev": "ens32", "protocol": "static"}])
    assert provided([{"dst": "169.254.0.0/16", "dev": "ens32", "protocol": "76"}])  # its own one stays


def test_a_mistake_on_another_host() -> None:
    """It is told by that host; this one builds nothing on it, and its pods are known all the same."""
    found = part(group(every={"pool": "10.244.0.0/26"}, vms100={"pods": ["web"]}, vms101={}), "vms100")
    assert found["problems"] == [] and not any(found["description"].values())
    assert [pod["address"] for pod in found["pods"]] == ["10.244.0.1"]


def test_all_mistakes_at_once() -> None:
    """Each by the host whose variable it is; a host that is not in the play cannot tell its own."""
    shared = [{"name": "web", "node": "vms101"}, {"name": "api", "node": "vms9"}, {"name": "Db"}, {"node": "vms100"}]
    hosts = group(
        vms100={"pods": shared, "block": "10.244.0.0/26", "mtu": 9000, "rp_filter": 3},
        vms101={"pods": ["web", "web"], "block": "10.244.0.0/26", "proto": "?", "nat_outgoing": "perhaps"},
    )
    assert [len(part(hosts, name)["problems"]) for name in hosts] == [5, 4]
    outside = {"pod_network_block": "10.9.0.0/26", "underlay_address": "192.168.26.102"}
    assert part({**hosts, "vms102": outside}, "vms100")["problems"][-1].startswith(
        "vms102: pod_network_block: '10.9.0.0/26'"
    )


@pytest.mark.parametrize(
    ("hosts", "name", "words"),
    [
        (group(vms100={"block": "10.244.1.0/26"}, vms101={"block": "10.244.1.0/26"}), "vms101", "overlaps 10.244.1.0/26 on vms100"),
        (group(every={"pool": "10.244.0.0/26"}, vms100={}, vms101={}), "vms101", "it is used up"),
        (group(vms100={"block": "10.9.0.0/26"}), "vms100", "is not in the pool 10.244.0.0/16"),
        (group(vms100={"pods": ["web", "web"]}), "vms100", "default/web is stated twice"),
        (group(vms100={"pods": ["web"]}, vms101={"pods": ["web"]}), "vms101", "default/web is a pod of vms100 already"),
        (group(vms100={"pods": [{"name": "web", "node": "vms9"}]}), "vms100", "'vms9' is no host of the group"),
        (
            group(vms100={"pods": [{"name": "web", "node": "vms101"}]}, vms101={"state": "absent"}), "vms100",
            "pods[1].node: 'vms101' is to have no pod network: its pod_network_state is absent",
        ),
        (group(every={"pool": None}, vms100={}, vms101={}), "vms100", "pool: None is not an IPv4 network"),
        (group(every={"pool": ""}, vms100={}), "vms100", "pool: '' is not an IPv4 network"),
        (group(vms100={"nat_outgoing": ""}), "vms100", "nat_outgoing: '' is neither true nor false"),
        (group(vms100={"pods": [{"name": "web", "address": "10.9.0.1"}]}), "vms100", "is not in the pool"),
        (group(every={"block_size": 32}, vms100={"pods": ["web"]}), "vms100", "it is used up"),
        (group(vms100={"encapsulation": "gre"}), "vms100", "'gre' is none of ipip, ipip_cross_subnet, vxlan, vxlan_cross_subnet, none"),
        (group(vms100={"mtu": 1500}), "vms100", "leaves 1480"),
        (group(vms100={}, vms101={"proto": "boot"}), "vms101", "differs from 'bird' on vms100"),
    ],
)  # fmt: skip
def test_mistakes_name_host_variable_and_value(hosts: dict[str, Any], name: str, words: str) -> None:
    problems = part(hosts, name)["problems"]
    assert len(problems) == 1 and words in problems[0] and problems[0].startswith(f"{name}: pod_network_"), problems
