# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""link_info against iproute2: every field of `ip -j -d -s addr` on random networks, the lines of the text, both ends of
each veth. What the documents show is in test_documents.py, what changes meanwhile in test_churn.py."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Options, run
from hypothesis import given

from ..engine.networks import Description, descriptions
from ..engine.support import own_network, sh
from ..engine.test_properties import profile
from .look import anyhow, ip, ip_json, links, process_without_a_name

FOREVER = 0xFFFFFFFF
# iproute2's key: what we say, if it is not called the same
LINK: dict[str, Callable[[dict[str, Any]], Any]] = {
    "ifname": lambda r: r["name"],
    "link_index": lambda r: _end(r)["ifindex"],
    "link_netnsid": lambda r: _end(r)["nsid"],
    "link": lambda r: _end(r)["name"] if _end(r) else None,
    "operstate": lambda r: r["operstate"].upper(),
    "linkmode": lambda r: r["mode"].upper(),
    "txqlen": lambda r: r["txqueuelen"],
    "num_tx_queues": lambda r: r["numtxqueues"],
    "num_rx_queues": lambda r: r["numrxqueues"],
    "ifalias": lambda r: r["alias"],
    "inet6_addr_gen_mode": lambda r: r["addrgenmode"],
    "group": lambda r: str(r["group"]),
}
ADDRESS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "local": lambda a: a["address"].split("/")[0],
    "prefixlen": lambda a: int(a["address"].split("/")[1]),
    "address": lambda a: a["peer"],
    "valid_life_time": lambda a: FOREVER if a["valid_lft"] == "forever" else a["valid_lft"],
    "preferred_life_time": lambda a: FOREVER if a["preferred_lft"] == "forever" else a["preferred_lft"],
    "temporary": lambda a: a["secondary"],
    "stable-privacy": lambda a: a["stable_privacy"],
}
# keys of iproute2's info_data and info_slave_data that are called otherwise in our options
DATA = {
    "root_id": "designated_root", "group_addr": "group_address", "mcast_last_member_cnt": "mcast_last_member_count",
    "mcast_startup_query_cnt": "mcast_startup_query_count", "mcast_last_member_intvl": "mcast_last_member_interval",
    "mcast_membership_intvl": "mcast_membership_interval", "mcast_querier_intvl": "mcast_querier_interval",
    "mcast_query_intvl": "mcast_query_interval", "mcast_query_response_intvl": "mcast_query_response_interval",
    "mcast_startup_query_intvl": "mcast_startup_query_interval", "id": "id", "link": "dev", "port_range": "srcport",
    "port": "dstport", "udp_csum": "udpcsum", "udp_zero_csum6_tx": "udp6zerocsumtx", "udp_zero_csum6_rx": "udp6zerocsumrx",
    "proto": "mode", "bcqueuelen": "bc_queue_len", "usedbcqueuelen": "bc_queue_len_used", "group": "remote",
    "group6": "remote", "remote6": "remote", "local6": "local", "label": "flowlabel", "limit": "maxaddress",
}  # fmt: skip
PORT = {
    "id": "port_id", "no": "port_no", "bridge_id": "designated_bridge", "root_id": "designated_root",
    "multicast_router": "mcast_router", "group_fwd_mask_str": "group_fwd_mask",
}  # fmt: skip


def _end(found: dict[str, Any]) -> Any:
    return found["peer"] or found["lower"]


def _plain(value: Any) -> Any:
    """iproute2 writes flags, bits, hexadecimal numbers and MAC addresses in several ways."""
    if isinstance(value, dict):
        return " ".join(map(str, value.values()))
    if isinstance(value, (bool, int)):
        return int(value)
    text = str(value)
    if re.fullmatch(r"0x[0-9a-f]+|\d+", text):
        return int(text, 0)
    if re.fullmatch(r"802\.1(Q|ad)", text):
        return text.lower()
    return re.sub(r"(?<=[.:])(?=[0-9a-f](:|$))", "0", text) if re.match(r"[0-9a-f]{4}\.", text) else value


SPOKEN = {("ttl", "auto"): 0, ("ttl", "inherit"): 0, ("tos", "inherit"): 1}  # iproute2's JSON has the kernel's number


def _compare(theirs: dict[str, Any], ours: dict[str, Any], names: dict[str, str]) -> None:
    for key, value in theirs.items():
        if not key.endswith("timer"):  # seconds, running
            mine = ours[names.get(key, key)]
            assert _plain(value) == _plain(SPOKEN.get((key, mine), mine)), (key, value, mine)


def compare(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    """Each of iproute2's facts about a link is ours, too."""
    theirs = dict(theirs)
    assert theirs.pop("flags") == ours["flags"]
    info, counters, addresses = theirs.pop("linkinfo", {}), theirs.pop("stats64"), theirs.pop("addr_info")
    for key, value in theirs.items():
        mine = LINK[key](ours) if key in LINK else ours[key]
        assert value == mine, (key, value, mine)
    assert (info.get("info_kind"), info.get("info_slave_kind")) == (ours["kind"], ours["port_kind"])
    _compare(info.get("info_data", {}), ours["data"], DATA)
    _compare(info.get("info_slave_data", {}), ours["port"], PORT)
    for way, numbers in counters.items():
        assert all(ours["statistics"][way][key] >= value for key, value in numbers.items()), (counters, ours)
    assert len(addresses) == len(ours["addresses"])
    for their, mine in zip(addresses, ours["addresses"]):
        for key, value in their.items():
            told = ADDRESS[key](mine) if key in ADDRESS else mine[key]
            assert value == told or ("life_time" in key and 0 <= value - told < 60), (key, their, mine)


def words(lines: str) -> list[str]:
    """The words of a text; what runs, and what this iproute2 writes otherwise than others, is left out."""
    text = re.sub(r"\S+_timer +\S+|group_fwd_mask_str \S+|bcqueuelen .*?(?=addrgen)", "", lines)
    return [str(_plain(word)) for word in text.split()]


def assert_contains(ours: str, theirs: str) -> None:
    """Each word of theirs, in their order."""
    rest = iter(words(ours))
    missing = [word for word in words(theirs) if word not in rest]
    assert not missing, (missing, ours, theirs)


def address_lines(text: str) -> list[str]:
    """The lines of addresses; older versions of iproute2 do not say who made one."""
    lines = [line.rstrip() for line in text.split("\n") if re.match(" +(inet|valid)", line)]
    return [re.sub(r" proto \S+|\d+sec", "", line) for line in lines]


def settled(netns: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str, str]:
    """iproute2's records and ours, and its two texts, of a moment at which nothing changed: the kernel sets a link's
    state and the state of IPv6 addresses in the background."""
    for _attempt in range(50):
        texts = [(ip(netns, "-d", "link").strip(), ip(netns, "addr").strip())]
        found = ip_json(netns, "-d", "-s", "addr"), links(netns=netns)
        texts.append((ip(netns, "-d", "link").strip(), ip(netns, "addr").strip()))
        before, after = (re.sub(r"_timer +\S+|_lft \d+sec", "", "".join(both)) for both in texts)
        if before == after:
            return *found, *texts[0]
    raise AssertionError(f"netns {netns} does not come to rest")


def assert_like_ip(netns: str) -> None:
    """Records and texts of a namespace, field by field and word by word."""
    theirs, ours, links_text, addresses_text = settled(netns)
    assert [one["ifname"] for one in theirs] == [one["name"] for one in ours]
    detail, plain = (re.split(r"\n(?=\d+: )", text) for text in (links_text, addresses_text))
    for their, mine, link, addr in zip(theirs, ours, detail, plain):
        compare(their, mine)
        assert mine["text"].split("\n")[0] == link.split("\n")[0].strip()
        assert_contains(mine["text"], link)
        assert address_lines(mine["text"]) == address_lines(addr)


@profile
@given(descriptions())
def test_every_fact_of_iproute2_on_any_network(description: Description) -> None:
    with own_network():
        run(description, Options(name="lab"))
        for netns in ["", *description["namespaces"]]:
            assert_like_ip(netns)


EVERYTHING = """
ip netns add red
ip link add br0 type bridge stp_state 1 group_fwd_mask 8 mcast_querier 1
ip link add v0 type veth peer name p0 netns red
ip link add v1 type veth peer name v2
ip link set v0 master br0 up
ip link set v0 type bridge_slave hairpin on isolated on cost 7 group_fwd_mask 8
ip link set br0 up
ip link set v1 up promisc on allmulticast on alias the\tlab's txqueuelen 7
ip link property add dev v1 altname one-of-two altname another
ip link add mv link br0 type macvlan mode bridge
ip link add mw link br0 netns red type macvlan mode private
ip tuntap add tap0 mode tap
ip link add vx4 type vxlan id 42 remote 192.0.2.2 local 192.0.2.1 dev v1 dstport 4789 srcport 5000 6000 tos 8 ttl 9 df set nolearning
ip link add vx6 type vxlan id 43 group ff05::1 dev v1 dstport 4790 ageing 0 ttl inherit udp6zerocsumtx flowlabel 0x77 maxaddr 10 rsc l2miss l3miss proxy
ip link add vxg type vxlan id 44 group 239.1.1.1 dev v1 dstport 4791 gbp
ip link add vxe type vxlan external dstport 4792
ip addr add 192.0.2.1/24 brd + dev v1 label v1:lab
ip addr add 192.0.2.7/24 dev v1
ip addr add 10.0.0.2 peer 10.0.0.3/32 dev v1 scope link
ip addr add 10.1.0.2/16 metric 5 dev v2
ip addr add 2001:db8::1/64 dev v1 valid_lft 3000 preferred_lft 0 home nodad noprefixroute
ip addr add 2001:db8::2 peer 2001:db8:5::5/64 dev v1 nodad mngtmpaddr
ip link set v2 addrgenmode none
ip link set v2 group 77
"""


def build(lines: str) -> None:
    """Make it with iproute2."""
    for line in lines.strip().splitlines():
        if "tuntap" in line and not os.path.exists("/dev/net/tun"):  # the guest's kernel has none
            continue
        sh(*[word.replace("\t", " ") for word in line.split(" ")])


@pytest.mark.usefixtures("lab")
def test_every_fact_of_every_kind() -> None:
    build(EVERYTHING)
    assert_like_ip("")
    assert_like_ip("red")
    by_name = {one["name"]: one for one in links()}
    assert "tap0" not in by_name or by_name["tap0"]["data"]["type"] == "tap"
    assert by_name["vx6"]["data"]["remote"] == "ff05::1" and by_name["vx6"]["data"]["ttl"] == "inherit"
    assert by_name["mv"]["data"]["mode"] == "bridge"
    assert by_name["vx4"]["data"]["srcport"] == "5000 6000" and by_name["v1"]["alias"] == "the lab's"


@pytest.mark.usefixtures("lab")
def test_the_other_end_is_told_from_both_sides_with_and_without_names() -> None:
    with process_without_a_name() as pid:
        for line in (
            "ip netns add red",
            "ip netns add green",
            "ip link add veth-r type veth peer name eth0-r netns red",
            "ip link add one netns red type veth peer name two netns green",
            f"ip link add cali0 type veth peer name eth0 netns {pid}",
            "ip link add left type veth peer name right",
            "ip link add mw link left netns red type macvlan",
        ):
            sh(*line.split())
        path = f"/proc/{pid}/ns/net"
        numbers = {
            (netns, one["ifname"]): one["ifindex"]
            for netns in ("", "red", "green", path)
            for one in ip_json(netns, "link")
        }
        expected = {
            ("", "veth-r"): ("red", "eth0-r"), ("red", "eth0-r"): ("", "veth-r"), ("red", "one"): ("green", "two"),
            ("green", "two"): ("red", "one"), ("", "cali0"): (path, "eth0"), (path, "eth0"): ("", "cali0"),
            ("", "left"): ("", "right"), ("", "right"): ("", "left"),
        }  # fmt: skip
        everywhere = {(one["netns"], one["name"]): one for one in anyhow("link_info", netns="all")["links"]}
        for (netns, name), (far, far_name) in expected.items():
            alone = links(netns=netns or None, name=name)[0]
            for found in (everywhere[netns, name], alone):
                peer = found["peer"]
                assert (peer["netns"], peer["name"], peer["ifindex"]) == (far, far_name, numbers[far, far_name])
                assert (peer["nsid"] is None) == (netns == far) and found["lower"] is None
            assert alone["text"] == everywhere[netns, name]["text"]
        lower = everywhere["red", "mw"]["lower"]
        assert (lower["netns"], lower["name"]) == ("", "left") and everywhere["red", "mw"]["peer"] is None
        assert " link-netns red" in everywhere["", "veth-r"]["text"]
        assert re.search(r"^\d+: cali0@if\d+: .*\n.* link-netnsid \d+ ", everywhere["", "cali0"]["text"])
        assert links(netns=str(pid), name="eth0")[0]["peer"]["name"] == "cali0"


@pytest.mark.usefixtures("lab")
def test_a_name_is_known_even_where_nobody_can_tell_the_namespace() -> None:
    """A namespace that is only held by a descriptor of another process: no name, no mount, no process in it."""
    sh("ip", "netns", "add", "hidden")
    sh("ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", "hidden")
    with open("/run/netns/hidden", "rb"):
        sh("ip", "netns", "del", "hidden")
        peer = links(name="near")[0]["peer"]
        assert (peer["name"], peer["netns"]) == ("far", None) and peer["nsid"] is not None


@pytest.mark.usefixtures("lab")
def test_filters_choose_on_the_host_what_the_documents_grep_for() -> None:
    build(EVERYTHING)

    def names(**params: Any) -> list[str]:
        return [one["name"] for one in links(**params)]

    def ip_names(*command: str) -> list[str]:
        return [one["ifname"] for one in ip_json("", *command)]

    assert names(kind="bridge") == ip_names("link", "show", "type", "bridge") == ["br0"]
    assert names(master="br0") == ip_names("link", "show", "master", "br0") == ["v0"]
    assert names(up=True) == ip_names("link", "show", "up")
    assert names(group="77") == ip_names("link", "show", "group", "77") == ["v2"]
    assert names(to="10.0.0.0/30") == ["v1"] == names(to="2001:db8::1") and names(to="10.0.0.3") == []
    assert names(name="another") == ["v1"] == names(ifindex=links(name="v1")[0]["ifindex"])
    assert names(grep="link-netns red") == ["v0"] and names(grep="altname one") == ["v1"]
    assert set(names(master="")) == set(names()) - {"v0"} and names(name="nothing0") == []
    assert anyhow("link_info", to="10.0.0.0/40")["msg"].startswith("option to: '10.0.0.0/40'")


@pytest.mark.usefixtures("lab")
def test_bad_places_and_no_root() -> None:
    assert anyhow("link_info", netns="nowhere")["msg"] == "there is no network namespace nowhere"
    assert anyhow("link_info", netns="/etc/hostname")["failed"]
    with open("/run/netns/leftover", "w"):  # as after a crash: a plain file that no namespace is mounted on
        assert anyhow("link_info", netns="leftover")["msg"] == "there is no network namespace leftover"
        assert not any(one["netns"] == "leftover" for one in anyhow("link_info", netns="all")["links"])
    sh("ip", "netns", "add", "red")
    answer = anyhow("link_info", user=65534)
    assert [one["name"] for one in answer["links"]] == [one["ifname"] for one in ip_json("", "link")]
    answer = anyhow("link_info", user=65534, netns="red")
    assert answer["failed"] and "root is needed" in answer["msg"]
