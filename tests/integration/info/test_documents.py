# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inspection commands of the documented labs that concern links and namespaces: the modules give the same facts,
and the documents' lines can be recognised in `text`. The labs are built with iproute2, as in the documents."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._info import netns

from ..engine.support import kernel_has, sh
from .look import ip, ip_json, links, process_without_a_name

pytestmark = pytest.mark.usefixtures("lab")


def build(lines: str) -> None:
    """Make it as the documents do."""
    for line in lines.strip().splitlines():
        sh(*line.split())


def link(name: str, netns: str | None = None) -> dict[str, Any]:
    """The only link of this name."""
    (found,) = links(name=name, netns=netns)
    return found


def first(found: dict[str, Any]) -> str:
    """The first line of a text."""
    return str(found["text"]).partition("\n")[0]


BRIDGE_LAB = """
ip netns add red
ip netns add green
ip link add vnet-br0 type bridge
ip link add eth0-r type veth peer name veth-r
ip link add eth0-g type veth peer name veth-g
ip link set eth0-r netns red
ip link set eth0-g netns green
ip link set veth-r master vnet-br0
ip link set veth-g master vnet-br0
"""
BRIDGE_LAB_UP = """
ip link set vnet-br0 up
ip link set veth-r up
ip link set veth-g up
ip -n red link set lo up
ip -n red link set eth0-r up
ip -n green link set eth0-g up
ip -n red addr add 192.168.20.2/24 dev eth0-r
"""


def test_the_bridge_lab() -> None:
    build(BRIDGE_LAB)
    # B13 `ip link show type bridge`, before anything is up
    (bridge,) = links(kind="bridge")
    assert (bridge["name"], bridge["flags"], bridge["mtu"]) == ("vnet-br0", ["BROADCAST", "MULTICAST"], 1500)
    assert " qdisc noop state DOWN mode DEFAULT group default qlen 1000" in first(bridge)
    # B14 `ip link show master vnet-br0`: @ifN, link-netns
    ports = {one["name"]: one for one in links(master="vnet-br0")}
    assert list(ports) == ["veth-r", "veth-g"]
    for name, inside, where in (("veth-r", "eth0-r", "red"), ("veth-g", "eth0-g", "green")):
        far = ip_json(where, "link", "show", inside)[0]["ifindex"]
        assert ports[name]["peer"] | {"nsid": 0} == {"name": inside, "ifindex": far, "netns": where, "nsid": 0}
        assert first(ports[name]).startswith(f"{ports[name]['ifindex']}: {name}@if{far}: <BROADCAST,MULTICAST> ")
        assert f" brd ff:ff:ff:ff:ff:ff link-netns {where} " in ports[name]["text"]
        # B17 numbers pair up, seen from inside too
        back = link(inside, where)
        assert back["ifindex"] == far and back["peer"]["ifindex"] == ports[name]["ifindex"]
        assert (back["peer"]["name"], back["peer"]["netns"]) == (name, "")
    # B16 the bridge has the lowest MAC of its ports
    assert bridge["address"] == min(one["address"] for one in ports.values())
    build(BRIDGE_LAB_UP)
    for _attempt in range(100):  # the kernel sets the state of links in the background
        if all(link(name)["operstate"] == "up" for name in ("vnet-br0", "veth-r", "veth-g")):
            break
    # B15 after up
    for one in (link("vnet-br0"), *links(master="vnet-br0")):
        assert one["flags"] == ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"] and one["operstate"] == "up"
        assert re.search(r"<BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue .*state UP ", first(one))
    build("ip link property add dev vnet-br0 altname enp3s0")
    assert link("enp3s0")["name"] == "vnet-br0" and "\n    altname enp3s0" in link("vnet-br0")["text"]
    # G2 addresses
    (address,) = (one for one in link("eth0-r", "red")["addresses"] if one["family"] == "inet")
    assert address["text"] == "inet 192.168.20.2/24 scope global eth0-r"


IPIP_LAB = """
ip netns add ns1
ip netns add ns2
ip link add v1 netns ns1 type veth peer name v1-P
ip link add v2 netns ns2 type veth peer name v2-P
ip addr add 10.10.10.1/24 dev v1-P
ip link set v1-P up
ip -n ns1 addr add 10.10.10.2/24 dev v1
ip -n ns1 link set v1 up
"""


def test_the_ends_of_the_ipip_lab() -> None:
    build(IPIP_LAB)
    # C12 the peer is named from the host, and known by its number from inside; here by its name on both sides
    outside, inside = link("v1-P"), link("v1", "ns1")
    assert first(outside).startswith(f"{outside['ifindex']}: v1-P@if{inside['ifindex']}: ")
    assert " link-netns ns1 " in outside["text"]
    assert first(inside).startswith(f"{inside['ifindex']}: v1@if{outside['ifindex']}: ")
    assert f" link-netnsid {inside['peer']['nsid']} " in inside["text"]
    assert (inside["peer"]["name"], outside["peer"]["name"]) == ("v1-P", "v1")


@pytest.mark.skipif(not kernel_has("ipip"), reason="KERNEL: no ipip here; the guest kernel has it, and runs this test")
def test_the_tunnels_of_the_ipip_lab() -> None:
    build(IPIP_LAB)
    build(
        """
        ip -n ns1 tunnel add tunl mode ipip remote 10.10.20.2 local 10.10.10.2
        ip -n ns1 link set tunl up
        ip -n ns1 addr add 10.10.100.10 peer 10.10.200.10 dev tunl
        """
    )
    # C10 the fallback device is everywhere
    for where in (None, "ns1", "ns2"):
        fallback = link("tunl0", where)
        assert (fallback["kind"], fallback["operstate"], fallback["address"]) == ("ipip", "down", "0.0.0.0")
        assert fallback["flags"] == ["NOARP"] and fallback["mtu"] == 1480
        assert first(fallback).startswith(f"{fallback['ifindex']}: tunl0@NONE: <NOARP> mtu 1480 ")
        # C15
        assert "any remote any local any ttl inherit nopmtudisc " in fallback["text"]
    # C11, C13
    tunnel = link("tunl", "ns1")
    assert first(tunnel).startswith(
        f"{tunnel['ifindex']}: tunl@NONE: <POINTOPOINT,NOARP,UP,LOWER_UP> mtu 1480 qdisc noqueue "
    )
    assert (tunnel["operstate"], tunnel["address"], tunnel["broadcast"]) == ("unknown", "10.10.10.2", "10.10.20.2")
    assert "\n    link/ipip 10.10.10.2 peer 10.10.20.2 " in tunnel["text"]
    assert (tunnel["data"]["local"], tunnel["data"]["remote"]) == ("10.10.10.2", "10.10.20.2")
    assert "ipip remote 10.10.20.2 local 10.10.10.2 ttl inherit pmtudisc " in tunnel["text"]
    # C14
    (address,) = (one for one in tunnel["addresses"] if one["family"] == "inet")
    assert (address["address"], address["peer"]) == ("10.10.100.10/32", "10.10.200.10")
    assert address["text"] == "inet 10.10.100.10 peer 10.10.200.10/32 scope global tunl"


def test_the_vxlan_lab() -> None:
    build(
        """
        ip netns add node1
        ip netns add node2
        ip link add veth1 netns node1 type veth peer name veth2 netns node2
        ip -n node1 addr add 192.168.1.2/24 dev veth1
        ip -n node1 link set veth1 up
        ip -n node2 link set veth2 up
        ip -n node1 link add vxlan0 type vxlan id 42 dstport 4789 remote 192.168.1.3 local 192.168.1.2 dev veth1
        ip -n node1 addr add 172.17.1.2/24 dev vxlan0
        ip -n node1 link set vxlan0 up
        """
    )
    # A7, D1 `ip netns list`
    found, _warnings = netns.look({"netns": "all", "grep": None, "container": None, "processes": 20})
    assert sorted(sh("ip", "netns", "list").splitlines()) == [one["text"] for one in found if one["name"]]
    assert [one["name"] for one in found if one["name"]] == ["node1", "node2"]
    # D8 `ip -d link show vxlan0`
    vxlan = link("vxlan0", "node1")
    assert vxlan["mtu"] == 1450 and vxlan["kind"] == "vxlan"
    assert " promiscuity 0 allmulti 0 minmtu 68 maxmtu 65535\n" in vxlan["text"]
    words = "vxlan id 42 remote 192.168.1.3 local 192.168.1.2 dev veth1 srcport 0 0 dstport 4789 ttl auto ageing 300 udpcsum"
    assert f"    {words} noudp6zerocsumtx noudp6zerocsumrx" in vxlan["text"]
    wanted = {
        "id": 42,
        "remote": "192.168.1.3",
        "local": "192.168.1.2",
        "dev": "veth1",
        "dstport": 4789,
        "learning": True,
    }
    assert wanted.items() <= vxlan["data"].items()
    # D9 `ip -d link show veth1`
    veth = link("veth1", "node1")
    assert first(veth).startswith(f"{veth['ifindex']}: veth1@if{veth['peer']['ifindex']}: ")
    assert " link-netns node2 " in veth["text"] and re.search(
        r"\n    veth (addrgenmode eui64 )?numtxqueues \d+ ", veth["text"]
    )
    assert (veth["peer"]["name"], veth["peer"]["netns"]) == ("veth2", "node2")


def test_the_pod_network() -> None:
    with process_without_a_name() as pid:
        build(
            f"""
            ip link add calia011d753862 type veth peer name eth0 netns {pid}
            ip link set calia011d753862 address ee:ee:ee:ee:ee:ee mtu 1480 up
            ip link set calia011d753862 addrgenmode none
            nsenter --net=/proc/{pid}/ns/net ip link set eth0 mtu 1480 up
            nsenter --net=/proc/{pid}/ns/net ip addr add 10.244.169.89/32 dev eth0
            """
        )
        # E8 the host's end: no IPv4 address, the MAC of all of them
        host = link("calia011d753862")
        assert (host["address"], host["mtu"]) == ("ee:ee:ee:ee:ee:ee", 1480)
        assert [one for one in host["addresses"] if one["family"] == "inet"] == []
        # E12 `cat /sys/class/net/eth0/iflink` in the pod, `ip a | grep 7:` on the host: which end belongs to it
        pod = link("eth0", str(pid))
        iflink = int(ip(f"/proc/{pid}/ns/net", "-o", "link", "show", "eth0").split("eth0@if")[1].split(":")[0])
        assert pod["peer"]["ifindex"] == iflink == host["ifindex"] and pod["peer"]["name"] == host["name"]
        assert links(ifindex=iflink)[0]["name"] == "calia011d753862"
        assert first(host).startswith(f"{iflink}: calia011d753862@if{pod['ifindex']}: ")
        # G2 /32, and who has the address
        assert "10.244.169.89/32" in [one["address"] for one in pod["addresses"]]
        assert [one["name"] for one in links(netns=str(pid), to="10.244.169.89")] == ["eth0"]
        # E13, G8 namespace, process, veth (and container: test_netns.py)
        found, _warnings = netns.look(
            {"netns": host["peer"]["netns"], "grep": None, "container": None, "processes": 20}
        )
        assert found[0]["pids"] == [pid] and found[0]["nsid"] == host["peer"]["nsid"]
