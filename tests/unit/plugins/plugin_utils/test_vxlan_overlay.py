# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The VXLAN overlay of a host, worked out from its variables and its peers'."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.plugin_utils.vxlan_overlay import LEFT, RIGHT, ZERO, plan


def inventory(count: int, **more: Any) -> dict[str, dict[str, Any]]:
    """h1, h2, ... with underlay addresses 192.0.2.1, ...; `more` are further variables of single hosts, by name."""
    found = {
        f"h{n}": {"underlay_address": f"192.0.2.{n}", "underlay_mtu": 1500, "underlay_device": "ens32"}
        for n in range(1, count + 1)
    }
    for name, variables in more.items():
        found[name] = {**found.get(name, {}), **variables}
    return found


def part(hosts: dict[str, Any], host: str = "h1", **values: Any) -> dict[str, Any]:
    return plan({"pair": False, **values}, host, hosts, list(hosts))


def flood(result: dict[str, Any]) -> list[str]:
    assert all(entry["mac"] == ZERO for entry in result["description"]["fdb"])
    return [entry["dst"] for entry in result["description"]["fdb"]]


# ---- the documented pair


def test_documented_pair() -> None:
    """Section 1.D: names, addresses, forwarding in both namespaces, MTU 1450."""
    result = plan({"vtep": False}, "h1", {"h1": {}}, [])
    assert not result["problems"]
    found = result["description"]
    veth, near, far = found["links"]
    assert (veth["netns"], veth["name"], veth["peer"]["netns"], veth["peer"]["name"]) == (
        "node1",
        "veth1",
        "node2",
        "veth2",
    )
    options = {"name": "vxlan0", "kind": "vxlan", "id": 42, "dstport": 4789, "mtu": 1450, "up": True}
    assert near == {**options, "netns": "node1", "remote": "192.168.1.3", "local": "192.168.1.2", "dev": "veth1"}
    assert far == {**options, "netns": "node2", "remote": "192.168.1.2", "local": "192.168.1.3", "dev": "veth2"}
    assert {(a["netns"], a["dev"], a["address"]) for a in found["addresses"]} == {
        ("node1", "veth1", "192.168.1.2/24"),
        ("node1", "vxlan0", "172.17.1.2/24"),
        ("node2", "veth2", "192.168.1.3/24"),
        ("node2", "vxlan0", "172.17.1.3/24"),
    }
    assert [s["netns"] for s in found["sysctls"]] == ["node1", "node2"]
    assert found["chains"] == [] and found["fdb"] == []


@pytest.mark.parametrize(
    ("values", "left", "right", "text"),
    [
        ({"pair_id": 1 << 24}, {}, {}, "vxlan_overlay_pair_id: 16777216 is out of range, 0 to 16777215"),
        ({"pair_mtu": 100}, {}, {}, "vxlan_overlay_pair_mtu: 100 is out of range"),
        ({"pair_interface": "veth1"}, {}, {}, "pair_ends[1].interface: 'veth1' is the name of the VXLAN"),
        ({}, {}, {"namespace": "node1"}, "pair_ends[2].namespace: 'node1' is the first end's already"),
        (
            {},
            {},
            {"address": "192.168.2.3/24"},
            "pair_ends[2].address: '192.168.2.3/24' is not in the network of the first",
        ),
        (
            {},
            {},
            {"overlay_address": "172.17.1.2/24"},
            "pair_ends[2].overlay_address: '172.17.1.2/24' is the first end's",
        ),
        (
            {},
            {"overlay_address": "192.168.1.7/24"},
            {"overlay_address": "192.168.1.8/24"},
            "pair_ends[1].overlay_address: 192.168.1.0/24 overlaps 192.168.1.0/24 (address)",
        ),
        ({}, {"address": "nowhere"}, {}, "pair_ends[1].address: 'nowhere' is not an address with a prefix length"),
        ({}, {"port": 1}, {}, "pair_ends[1].port: there is no such option"),
    ],
)
def test_mistakes_in_the_pair(values: dict[str, Any], left: dict[str, Any], right: dict[str, Any], text: str) -> None:
    given = {"vtep": False, "pair_ends": [{**LEFT, **left}, {**RIGHT, **right}], **values}
    problems = plan(given, "h1", {"h1": {}}, [])["problems"]
    assert any(text in line for line in problems), problems


# ---- over hosts


def test_vtep() -> None:
    result = part(inventory(3))
    assert not result["problems"]
    assert result["description"]["links"] == [
        {
            "name": "vxlan42",
            "kind": "vxlan",
            "id": 42,
            "dstport": 4789,
            "local": "192.0.2.1",
            "dev": "ens32",
            "mtu": 1450,
            "up": True,
        }
    ]
    assert result["description"]["addresses"] == [{"dev": "vxlan42", "address": "172.18.42.1/24"}]
    assert flood(result) == ["192.0.2.2", "192.0.2.3"]
    assert result["vtep"]["peers"][0] == {"host": "h2", "underlay": "192.0.2.2", "address": "172.18.42.2"}


@pytest.mark.parametrize("count", [1, 2, 10, 50])
def test_each_floods_to_all_others(count: int) -> None:
    hosts = inventory(count)
    for host, variables in hosts.items():
        others = [one["underlay_address"] for name, one in hosts.items() if name != host]
        assert flood(part(hosts, host)) == others
        assert variables["underlay_address"] not in others


def test_a_new_host_moves_no_address() -> None:
    few, many = inventory(3), dict(reversed(inventory(20).items()))
    for host in few:
        assert part(few, host)["vtep"]["address"] == part(many, host)["vtep"]["address"]


def test_a_host_that_takes_no_part_is_left_out() -> None:
    for option, value in (("vtep", False), ("state", "absent")):
        assert flood(part(inventory(3, h2={f"vxlan_overlay_{option}": value}))) == ["192.0.2.3"]


def test_bridge() -> None:
    result = part(inventory(2), bridge="br-lab")
    bridge, vxlan = result["description"]["links"]
    assert (bridge["kind"], bridge["mtu"], vxlan["master"]) == ("bridge", 1450, "br-lab")
    assert result["description"]["addresses"][0]["dev"] == "br-lab"


def test_names_and_numbers() -> None:
    hosts = inventory(2, h2={"vxlan_overlay_id": 7, "vxlan_overlay_dstport": 8472})
    result = part(hosts, id=7, dstport=8472, interface="lan7")
    assert {"name": "lan7", "id": 7, "dstport": 8472}.items() <= result["description"]["links"][0].items()
    assert part(inventory(1), id=16777215)["vtep"]["interface"] == "vxlan16777215"


@pytest.mark.parametrize(
    ("mtus", "stated", "expected"),
    [
        ((1500, 1500), "", 1450),
        ((1500, 1400), "", 1350),
        ((None, None), "", None),
        ((None, 9000), "", 8950),
        ((1500, 1500), 1400, 1400),
    ],
)
def test_mtu_is_the_same_on_all(mtus: tuple[Any, Any], stated: Any, expected: Any) -> None:
    hosts = inventory(2)
    for number, mtu in enumerate(mtus, 1):
        hosts[f"h{number}"].update(underlay_mtu=mtu, vxlan_overlay_stated={"mtu": stated})
    assert [part(hosts, host, mtu=stated)["vtep"]["mtu"] for host in hosts] == [expected, expected]


def test_the_mtu_of_a_host_that_is_not_in_the_play() -> None:
    """The smallest one is not known without it: that is told, and nothing is guessed."""
    hosts = inventory(2, h2={"underlay_mtu": None})
    (line,) = part(hosts)["problems"]
    assert line.startswith("h2: underlay_mtu: is not stated") and line.endswith("or state it, or vxlan_overlay_mtu")
    assert part(inventory(2, h2={"underlay_mtu": None, "vxlan_overlay_mtu": 1300}), mtu=1300)["problems"] == []
    hosts["h2"]["ansible_facts"] = {"interfaces": ["ens32"], "ens32": {"device": "ens32", "mtu": 1400}}  # looked at
    assert part(hosts)["vtep"]["mtu"] == 1350


def test_ipv6_underlay() -> None:
    hosts = {f"h{n}": {"underlay_address": f"2001:db8::{n}", "underlay_mtu": 1500} for n in (1, 2)}
    result = part(hosts, accept=True)
    assert result["vtep"]["mtu"] == 1430
    assert result["vtep"]["address"] == "172.18.42.1/24"
    assert "dev" not in result["description"]["links"][0]
    chain = result["description"]["chains"][0]
    assert (chain["family"], chain["rules"]) == ("ipv6", ["-s 2001:db8::2/128 -p udp -m udp --dport 4789 -j ACCEPT"])


def test_accept() -> None:
    chain = part(inventory(2), accept=True)["description"]["chains"][0]
    assert (chain["family"], chain["rules"]) == ("ipv4", ["-s 192.0.2.2/32 -p udp -m udp --dport 4789 -j ACCEPT"])


@pytest.mark.parametrize(
    ("hosts", "values", "text"),
    [
        (inventory(2), {"id": 1 << 24}, "h1: vxlan_overlay_id: 16777216 is out of range, 0 to 16777215"),
        (inventory(2), {"id": -1}, "h1: vxlan_overlay_id: -1 is out of range"),
        (inventory(2), {"id": "blue"}, "h1: vxlan_overlay_id: 'blue' is not a whole number"),
        (inventory(2), {"dstport": 70000}, "h1: vxlan_overlay_dstport: 70000 is out of range, 1 to 65535"),
        (
            inventory(2),
            {"interface": "a-name-of-16-byt"},
            "h1: vxlan_overlay_interface: 'a-name-of-16-byt' is 16 bytes long",
        ),
        (inventory(2), {"bridge": "vxlan42"}, "h1: vxlan_overlay_bridge: 'vxlan42' is the name of the VXLAN"),
        (inventory(2), {"subnet": "172.18.42.0"}, "h1: vxlan_overlay_subnet: '172.18.42.0' is not a usable size"),
        (
            inventory(2),
            {"subnet": "192.0.2.0/24"},
            "h1: vxlan_overlay_subnet: '192.0.2.0/24' holds the underlay address",
        ),
        (inventory(9), {"subnet": "10.0.0.0/29"}, "has 6 addresses, and there are 9 hosts: it is used up"),
        (inventory(2), {"address": "10.0.0.1"}, "h1: vxlan_overlay_address: '10.0.0.1' is not in 172.18.42.0/24"),
        (
            inventory(2),
            {"mtu": 1451},
            "h1: vxlan_overlay_mtu: 1451 is too large: the smallest underlay of the group leaves 1450",
        ),
        ({**inventory(1), "h2": {}}, {}, "h2: underlay_address: is not stated and cannot be found out"),
        (inventory(2, h2={"underlay_address": "192.0.2.1"}), {}, "h2: underlay_address: 192.0.2.1 is h1's as well"),
        (
            inventory(2, h2={"underlay_address": "198.51.100.1"}),
            {},
            "h2: vxlan_overlay_address: 172.18.42.1 as derived from",
        ),
        (
            inventory(2, h2={"vxlan_overlay_address": "172.18.42.1"}),
            {},
            "h2: vxlan_overlay_address: 172.18.42.1 is h1's as well",
        ),
        (
            inventory(2, h2={"underlay_address": "192.0.3.255"}),
            {},
            "derived from the underlay address; state another one",
        ),
        (inventory(2, h2={"underlay_address": "2001:db8::2"}), {}, "is not of the family of 192.0.2.1 on h1"),
        (inventory(2, h2={"vxlan_overlay_id": 43}), {}, "h2: vxlan_overlay_id: 43 differs from 42 on h1"),
        (
            inventory(2, h2={"vxlan_overlay_dstport": 8472}),
            {},
            "h2: vxlan_overlay_dstport: 8472 differs from 4789 on h1",
        ),
    ],
)
def test_mistakes(hosts: dict[str, Any], values: dict[str, Any], text: str) -> None:
    result = part(hosts, **values)
    assert any(text in line for line in result["problems"]), result["problems"]
    assert not any(result["description"].values())


def test_a_host_of_the_play_tells_its_own_mistakes() -> None:
    hosts = inventory(3, h2={"vxlan_overlay_stated": {"id": 43}}, h3={"vxlan_overlay_stated": {}})
    assert part(hosts, "h3")["problems"] == []
    assert part(hosts, "h2", id=43)["problems"] == [
        "h2: vxlan_overlay_id: 43 differs from 42 on h1; all hosts of one overlay share it"
    ]


def test_several_mistakes_at_once() -> None:
    problems = part(inventory(2), id="blue", mtu=9000, dstport=0, subnet="x", bridge="a/b")["problems"]
    named = {line.split(": ")[1] for line in problems if line.startswith("h1")}
    assert {f"vxlan_overlay_{option}" for option in ("id", "mtu", "dstport", "subnet", "bridge")} <= named


def test_absent() -> None:
    result = part(inventory(2), state="absent", id="blue")
    assert not result["problems"] and not any(result["description"].values())
