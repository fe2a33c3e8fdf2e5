# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The IP-in-IP tunnels of a host, worked out from its variables and its peers'."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.plugin_utils.ipip_tunnel import LEFT, RIGHT, plan


def inventory(count: int, **more: Any) -> dict[str, dict[str, Any]]:
    """h1, h2, ... with underlay addresses 192.0.2.1, ...; `more` are further variables of single hosts, by name."""
    found = {f"h{n}": {"underlay_address": f"192.0.2.{n}", "underlay_mtu": 1500} for n in range(1, count + 1)}
    for name, variables in more.items():
        found[name] = {**found.get(name, {}), **variables}
    return found


def part(hosts: dict[str, Any], host: str = "h1", **values: Any) -> dict[str, Any]:
    return plan({"pair": False, **values}, host, hosts, list(hosts))


def tunnels(result: dict[str, Any]) -> dict[str, Any]:
    return {tunnel["peer"]: tunnel for tunnel in result["tunnels"]}


# ---- the documented pair


def test_documented_pair() -> None:
    """Section 1.C: names, addresses, underlay routes, lo stays as it is."""
    result = plan({"mesh": False}, "h1", inventory(1), ["h1"])
    assert not result["problems"]
    found = result["description"]
    links = {(one.get("netns", ""), one["name"]): one for one in found["links"]}
    assert set(links) == {("ns1", "v1"), ("ns2", "v2"), ("ns1", "tunl"), ("ns2", "tunr")}
    assert links["ns1", "v1"]["peer"]["name"] == "v1-P"
    assert (links["ns1", "tunl"]["local"], links["ns1", "tunl"]["remote"]) == ("10.10.10.2", "10.10.20.2")
    assert (links["ns2", "tunr"]["local"], links["ns2", "tunr"]["remote"]) == ("10.10.20.2", "10.10.10.2")
    assert links["ns1", "tunl"]["mtu"] == 1480
    addresses = {(one.get("netns", ""), one["dev"]): (one["address"], one.get("peer")) for one in found["addresses"]}
    assert addresses == {
        ("", "v1-P"): ("10.10.10.1/24", None),
        ("", "v2-P"): ("10.10.20.1/24", None),
        ("ns1", "v1"): ("10.10.10.2/24", None),
        ("ns2", "v2"): ("10.10.20.2/24", None),
        ("ns1", "tunl"): ("10.10.100.10/32", "10.10.200.10"),
        ("ns2", "tunr"): ("10.10.200.10/32", "10.10.100.10"),
    }
    assert [(r["netns"], r["dst"], r["via"]) for r in found["routes"]] == [
        ("ns1", "10.10.20.0/24", "10.10.10.1"),
        ("ns2", "10.10.10.0/24", "10.10.20.1"),
    ]
    assert found["chains"][0]["rules"] == ["-i v1-P -o v2-P -j ACCEPT", "-i v2-P -o v1-P -j ACCEPT"]
    assert found["sysctls"] == [{"name": "net.ipv4.ip_forward", "value": 1}]
    assert not result["tunnels"]


def test_an_end_may_leave_out_what_is_as_documented() -> None:
    result = plan({"mesh": False, "pair_ends": [{"namespace": "left"}, {}]}, "h1", inventory(1), ["h1"])
    assert [end["namespace"] for end in result["pair"]] == ["left", "ns2"]


@pytest.mark.parametrize(
    ("left", "right", "text"),
    [
        ({"namespace": "a/b"}, {}, "pair_ends[1].namespace: 'a/b' holds"),
        ({}, {"namespace": "ns1"}, "pair_ends[2].namespace: 'ns1' is the first end's already"),
        ({}, {"host_interface": "v1-P"}, "pair_ends[2].host_interface: 'v1-P' is the first end's already"),
        (
            {},
            {"tunnel_address": "10.10.100.10"},
            "pair_ends[2].tunnel_address: '10.10.100.10' is the first end's already",
        ),
        ({"gateway": "10.9.9.1/24"}, {}, "pair_ends[1].gateway: '10.9.9.1/24' is not in the network of 10.10.10.2/24"),
        ({"gateway": "10.10.10.2/24"}, {}, "is the namespace's own address"),
        ({"address": "10.10.10.2"}, {}, "pair_ends[1].address: '10.10.10.2' is not an address with a prefix length"),
        ({"address": "10.10.10.0/24"}, {}, "is not an address of a host in 10.10.10.0/24"),
        ({}, {"address": "10.10.10.9/24", "gateway": "10.10.10.8/24"}, "10.10.10.0/24 overlaps 10.10.10.0/24"),
        ({"tunnel": "v1"}, {}, "'v1' is the name of the veth in that namespace already"),
        ({"tunnel": "tunl0"}, {}, "'tunl0' is the fallback device"),
        ({"tunnel": "a-name-of-16-byt"}, {}, "is 16 bytes long"),
        ({"tunnel_address": "10.10.20.77"}, {}, "is in the underlay's network 10.10.20.0/24"),
        ({"colour": "red"}, {}, "pair_ends[1].colour: there is no such option"),
    ],
)
def test_mistakes_in_the_pair(left: dict[str, Any], right: dict[str, Any], text: str) -> None:
    values = {"mesh": False, "pair_ends": [{**LEFT, **left}, {**RIGHT, **right}]}
    problems = plan(values, "h1", inventory(1), ["h1"])["problems"]
    assert any(text in line for line in problems), problems


def test_a_pair_has_two_ends() -> None:
    assert (
        "has 1 entries; a pair has two"
        in plan({"mesh": False, "pair_ends": [LEFT]}, "h1", {"h1": {}}, [])["problems"][0]
    )


# ---- between hosts


def test_full_mesh() -> None:
    hosts = inventory(4)
    found = tunnels(part(hosts))
    assert list(found) == ["h2", "h3", "h4"]
    assert found["h3"] == {
        "peer": "h3",
        "name": "ipip-h3",
        "local": "192.0.2.1",
        "remote": "192.0.2.3",
        "address": "10.11.2.1",
        "peer_address": "10.11.2.3",
        "mtu": 1480,
    }


@pytest.mark.parametrize("count", [2, 5, 30])
def test_both_ends_agree(count: int) -> None:
    hosts = inventory(count)
    all_parts = {host: tunnels(part(hosts, host)) for host in hosts}
    for host, mine in all_parts.items():
        assert len(mine) == count - 1
        for peer, tunnel in mine.items():
            other = all_parts[peer][host]
            assert (tunnel["local"], tunnel["address"]) == (other["remote"], other["peer_address"])
            assert tunnel["mtu"] == other["mtu"]


def test_a_new_host_changes_nothing_between_the_others() -> None:
    few, many = inventory(3), inventory(9)
    for host in few:
        before, after = tunnels(part(few, host)), tunnels(part(many, host))
        assert all(after[peer] == tunnel for peer, tunnel in before.items())
    turned = dict(reversed(many.items()))
    assert tunnels(part(turned)) == tunnels(part(many))


def test_hub_and_spokes() -> None:
    hosts = inventory(4, h1={"ipip_tunnel_peers": ["h1"]}, h2={"ipip_tunnel_peers": ["h1"]})
    for name in ("h3", "h4"):
        hosts[name]["ipip_tunnel_peers"] = ["h1"]
    assert list(tunnels(part(hosts, "h1", peers=["h1"]))) == ["h2", "h3", "h4"]
    assert list(tunnels(part(hosts, "h3", peers=["h1"]))) == ["h1"]


def test_a_tunnel_is_wanted_by_either_end() -> None:
    hosts = inventory(3, h2={"ipip_tunnel_peers": ["h3"]}, h3={"ipip_tunnel_peers": ["h2"]})
    assert list(tunnels(part(hosts, "h1", peers=["h3"]))) == ["h3"]
    hosts["h1"]["ipip_tunnel_peers"] = ["h3"]
    assert list(tunnels(part(hosts, "h3", peers=["h2"]))) == ["h1", "h2"]


def test_one_host_alone_has_no_tunnel_and_needs_no_address() -> None:
    result = part({"h1": {}})
    assert not result["problems"] and not result["tunnels"]


def test_a_host_that_takes_no_part_is_left_out() -> None:
    for option, value in (("mesh", False), ("state", "absent")):
        hosts = inventory(3, h2={f"ipip_tunnel_{option}": value})
        assert list(tunnels(part(hosts))) == ["h3"]


def test_published_variables_come_before_those_of_the_inventory() -> None:
    hosts = inventory(2, h2={"ipip_tunnel_address": "10.11.0.9", "ipip_tunnel_stated": {"address": "10.11.0.8"}})
    assert tunnels(part(hosts))["h2"]["peer_address"] == "10.11.0.8"


@pytest.mark.parametrize(
    ("peer", "name"),
    [
        ("h2", "ipip-h2"),
        ("ten-bytes1", "ipip-ten-bytes1"),
        ("vms100.example.com", None),
        ("2001:db8::1", None),
        ("192.168.26.100", None),
    ],
)
def test_names(peer: str, name: str | None) -> None:
    result = part(inventory(1, **{peer: {"underlay_address": "192.0.2.200"}}))
    found = tunnels(result)[peer]["name"]
    assert len(found) <= 15 and found.startswith("ipip-")
    assert found == name or (name is None and len(found) == 15)


def test_stated_name() -> None:
    assert tunnels(part(inventory(2), names={"h2": "to-h2"}))["h2"]["name"] == "to-h2"


@pytest.mark.parametrize(
    ("mine", "theirs", "stated", "expected"),
    [
        (1500, 1500, "", 1480),
        (1500, 1400, "", 1380),
        (None, None, "", None),
        (None, 9000, "", 8980),
        (1500, 1500, 1400, 1400),
    ],
)
def test_mtu(mine: Any, theirs: Any, stated: Any, expected: Any) -> None:
    hosts = inventory(2)
    hosts["h1"]["underlay_mtu"], hosts["h2"]["underlay_mtu"] = mine, theirs
    result = part(hosts, mtu=stated)
    assert tunnels(result)["h2"]["mtu"] == expected
    assert ("mtu" in result["description"]["links"][0]) == (expected is not None)


def test_the_mtu_of_a_host_that_is_not_in_the_play() -> None:
    """What is not known is told, and nothing is guessed: that host's end of the tunnel has the smaller one."""
    (line,) = part(inventory(2, h2={"underlay_mtu": None}))["problems"]
    assert line.startswith("h2: underlay_mtu: is not stated") and line.endswith("or state it, or ipip_tunnel_mtu")
    hosts = inventory(2, h2={"underlay_mtu": None, "ipip_tunnel_stated": {}})  # in the play, and nobody can tell
    assert tunnels(part(hosts))["h2"]["mtu"] == 1480


def test_accept() -> None:
    assert part(inventory(3), accept=True)["description"]["chains"][0]["rules"] == [
        "-s 192.0.2.2/32 -p 4 -j ACCEPT",
        "-s 192.0.2.3/32 -p 4 -j ACCEPT",
    ]


@pytest.mark.parametrize(
    ("hosts", "values", "text"),
    [
        (inventory(2), {"pool": "10.11.0.0"}, "h1: ipip_tunnel_pool: '10.11.0.0' is not a usable size"),
        (
            inventory(2),
            {"pool": "192.0.0.0/16"},
            "h1: ipip_tunnel_pool: '192.0.0.0/16' holds the underlay address 192.0.2.1",
        ),
        (
            inventory(2),
            {"pool": "10.10.0.0/16", "pair": True},
            "h1: ipip_tunnel_pool: '10.10.0.0/16' overlaps 10.10.10.0/24",
        ),
        (
            inventory(9),
            {"pool": "10.11.0.0/30"},
            "'10.11.0.0/30' has 2 addresses, and there are 9 hosts: it is used up",
        ),
        (inventory(2), {"address": "10.12.0.1"}, "h1: ipip_tunnel_address: '10.12.0.1' is not in 10.11.0.0/16"),
        (inventory(2), {"address": "10.11.2.2"}, "is h1's as well"),
        (
            inventory(2),
            {"mtu": 1481},
            "h1: ipip_tunnel_mtu: 1481 is too large: the underlay (mtu 1500) between h1 and h2 leaves 1480",
        ),
        (inventory(2), {"mtu": "big"}, "h1: ipip_tunnel_mtu: 'big' is not a whole number"),
        (inventory(2), {"ttl": 0}, "h1: ipip_tunnel_ttl: 0 is out of range, 1 to 255"),
        (
            inventory(2),
            {"ttl": 9, "pmtudisc": False},
            "h1: ipip_tunnel_pmtudisc: False and a fixed ttl (9) exclude each other",
        ),
        (inventory(2), {"peers": ["h9"]}, "h1: ipip_tunnel_peers[1]: 'h9' is not a host of the group ipip_hosts"),
        (
            inventory(3),
            {"names": {"h2": "t", "h3": "t"}},
            "h1: ipip_tunnel_names.h3: 't' is the name of the tunnel to h2",
        ),
        (inventory(2), {"names": {"h2": "tunl0"}}, "h1: ipip_tunnel_names.h2: 'tunl0' is the fallback device"),
        (
            inventory(2),
            {"pair": True, "names": {"h2": "v1-P"}},
            "h1: ipip_tunnel_names.h2: 'v1-P' is an interface of the pair",
        ),
        (inventory(2), {"names": {"h2": "x/y"}}, "h1: ipip_tunnel_names.h2: 'x/y' holds"),
        ({**inventory(1), "h2": {}}, {}, "h2: underlay_address: is not stated and cannot be found out"),
        (inventory(2, h1={"underlay_address": "there"}), {}, "h1: underlay_address: 'there' is not an IP address"),
        (inventory(2, h2={"underlay_address": "192.0.2.1"}), {}, "h2: underlay_address: 192.0.2.1 is h1's as well"),
        (inventory(2, h2={"underlay_address": "2001:db8::1"}), {}, "is not an IPv4 address, and ipip_tunnel needs one"),
        (
            inventory(2, h2={"underlay_address": "198.51.2.1"}),
            {},
            "h2: ipip_tunnel_address: 10.11.2.1 as derived from the underlay",
        ),
        (
            inventory(2, h2={"underlay_address": "198.51.0.0"}),
            {},
            "derived from the underlay address; state another one",
        ),
        (
            inventory(2, h2={"ipip_tunnel_pool": "10.13.0.0/16"}),
            {},
            "h2: ipip_tunnel_pool: '10.13.0.0/16' differs from '10.11.0.0/16' on h1",
        ),
    ],
)
def test_mistakes(hosts: dict[str, Any], values: dict[str, Any], text: str) -> None:
    result = part(hosts, **values)
    assert any(text in line for line in result["problems"]), result["problems"]
    assert not any(result["description"].values())


def test_a_host_of_the_play_tells_its_own_mistakes() -> None:
    hosts = inventory(2, h2={"underlay_address": "there", "ipip_tunnel_stated": {}})
    assert part(hosts)["problems"] == []
    assert part(hosts, "h2")["problems"] == ["h2: underlay_address: 'there' is not an IP address"]


def test_several_mistakes_at_once() -> None:
    problems = part(inventory(2), ttl=0, mtu=9999, peers=["h9"], pool="nonsense")["problems"]
    assert {"ttl", "mtu", "peers[1]", "pool"} <= {line.split(": ")[1].removeprefix("ipip_tunnel_") for line in problems}


def test_absent() -> None:
    result = part(inventory(2), state="absent", pool="nonsense")
    assert not result["problems"] and not any(result["description"].values())
