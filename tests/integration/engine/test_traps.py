# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The traps of pyroute2 and of netlink: what each of them would have cost, on the version that is installed."""

from __future__ import annotations

import errno
import importlib.metadata
import json
import os
import re
import select
import subprocess
import sys
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils import _netlink as nl
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Failed, Options, Refused, run
from ansible_collections.linuxnet.lab.plugins.module_utils._kinds import link
from ansible_collections.linuxnet.lab.plugins.module_utils._model import MARK_PROTO
from ansible_collections.linuxnet.lab.plugins.module_utils._netns import Namespaces, create, named, prepare

from .support import sh

pytestmark = pytest.mark.usefixtures("lab")
PAIR: dict[str, Any] = {"name": "v0", "kind": "veth", "up": True, "peer": {"name": "p0", "up": True}}


def test_the_version_under_test_is_the_one_that_is_said() -> None:
    assert importlib.metadata.version("pyroute2") == os.environ.get(
        "LAB_PYROUTE2", importlib.metadata.version("pyroute2")
    )


def test_an_interrupted_dump_is_asked_for_again() -> None:
    """pyroute2 0.9 never says so; the kernel marks it with NLM_F_DUMP_INTR in any message of the dump."""
    with nl.Channel() as channel:
        real, marked = channel._receive, iter([True, True, False])

        def receive() -> Any:
            flag = next(marked, False)
            for kind, flags, sequence, body in real():
                yield kind, flags | (nl.NLM_F_DUMP_INTR if flag else 0), sequence, body

        channel._receive = receive  # type: ignore[method-assign]
        assert [one["IFLA_IFNAME"] for one in channel.dump(link.DUMP, ["IFLA_IFNAME"])].count("lo") == 1
        channel._receive = lambda: ((k, f | nl.NLM_F_DUMP_INTR, s, b) for k, f, s, b in real())  # type: ignore[method-assign]
        with pytest.raises(nl.NetlinkError, match="during each of 20 dumps"):
            channel.dump(link.DUMP, ["IFLA_IFNAME"])


def test_a_dump_under_churn_is_whole() -> None:
    """Links that stay are in every dump, however many come and go meanwhile."""
    run({"links": [{"name": f"stay{n}", "kind": "bridge"} for n in range(40)]})
    churn = "while :; do ip link add churn0 type bridge; ip link del churn0; done"
    with subprocess.Popen(["sh", "-c", churn]) as other:
        try:
            for _round in range(200):
                with nl.Channel() as channel:
                    found = {one["IFLA_IFNAME"] for one in channel.dump(link.DUMP, ["IFLA_IFNAME"])}
                assert found >= {f"stay{n}" for n in range(40)}
        finally:
            other.kill()


def test_errors_are_matched_to_their_requests_and_carry_the_kernels_words() -> None:
    with nl.Channel() as channel:
        bad = nl.Request(
            nl.RTM_NEWROUTE,
            {"family": 2, "dst_len": 8, "table": 254, "type": 1, "proto": 4},
            {"RTA_DST": "10.0.0.0", "RTA_GATEWAY": "192.0.2.9"},
            nl.NLM_F_CREATE,
        )
        good = nl.Request(nl.RTM_NEWLINK, {"index": 1, "flags": 1, "change": 1})
        errors = channel.change([good, bad, good])
    assert list(errors) == [1] and errors[1].extack == "Nexthop has invalid gateway"
    assert str(errors[1]).startswith(errno.errorcode[errors[1].code])


def test_more_requests_than_fit_a_send_arrive_in_order() -> None:
    description = {"links": [{"name": f"br{n}", "kind": "bridge"} for n in range(3 * nl.BATCH + 1)]}
    run(description)
    assert (
        len([one for one in json.loads(sh("ip", "-j", "link")) if one["ifname"].startswith("br")]) == 3 * nl.BATCH + 1
    )
    assert not run(description).changed


def test_lifetimes_of_addresses_are_kept() -> None:
    """0.7 and 0.8 drop them without a word."""
    address = {"dev": "v0", "address": "192.0.2.1/24", "valid_lft": 3600, "preferred_lft": 1800}
    run({"links": [PAIR], "addresses": [address]})
    found = next(a for a in json.loads(sh("ip", "-j", "addr", "show", "v0"))[0]["addr_info"] if a["family"] == "inet")
    assert 3500 < found["valid_life_time"] <= 3600 and 1700 < found["preferred_life_time"] <= 1800
    assert not run({"addresses": [address]}).changed


def test_the_protocol_of_an_address_is_kept_as_its_mark() -> None:
    """Unknown to the older ones, which drop it."""
    run({"links": [PAIR], "addresses": [{"dev": "v0", "address": "192.0.2.1/24"}]})
    assert run({"addresses": [{"dev": "v0", "address": "192.0.2.1/24", "state": "absent"}]}).changed
    sh("ip", "addr", "add", "192.0.2.2/24", "dev", "v0")
    with pytest.raises(Refused, match="was not made by linuxnet.lab"):
        run({"addresses": [{"dev": "v0", "address": "192.0.2.2/24", "state": "absent"}]})


def test_the_default_route_needs_no_hint() -> None:
    run(
        {
            "links": [PAIR],
            "addresses": [
                {"dev": "v0", "address": "192.0.2.1/24"},
                {"dev": "v0", "address": "2001:db8::1/64", "nodad": True},
            ],
            "routes": [{"dst": "default", "via": "192.0.2.9"}, {"dst": "default", "via": "2001:db8::9"}],
        }
    )
    assert [r["protocol"] for v in ("-4", "-6") for r in json.loads(sh("ip", "-j", v, "route", "show", "default"))] == [
        str(MARK_PROTO)
    ] * 2


def test_an_ipv6_metric_of_nothing_is_1024_and_no_difference() -> None:
    route = {"dst": "2001:db8:9::/48", "dev": "v0"}
    run({"links": [PAIR], "routes": [route]})
    assert not run({"routes": [route]}).changed
    assert not run({"routes": [{**route, "metric": 1024}]}).changed


def test_multipath_is_one_route_in_both_families() -> None:
    hops4 = [{"via": "192.0.2.8"}, {"via": "192.0.2.9", "weight": 3}]
    hops6 = [{"via": "2001:db8::8"}, {"via": "2001:db8::9", "weight": 3}]
    description = {
        "links": [PAIR],
        "addresses": [
            {"dev": "v0", "address": "192.0.2.1/24"},
            {"dev": "v0", "address": "2001:db8::1/64", "nodad": True},
        ],
        "routes": [{"dst": "10.0.0.0/8", "nexthops": hops4}, {"dst": "2001:db8:9::/48", "nexthops": hops6}],
    }
    run(description)
    assert not run(description).changed
    description["routes"] = [
        {"dst": "10.0.0.0/8", "via": "192.0.2.8"},
        {"dst": "2001:db8:9::/48", "via": "2001:db8::8"},
    ]
    assert run(description).changed and not run(description).changed


def test_an_ipv4_route_over_an_ipv6_next_hop() -> None:
    route = {"dst": "10.0.0.0/8", "via": "fe80::1", "dev": "v0"}
    run({"links": [PAIR], "routes": [route]})
    assert json.loads(sh("ip", "-j", "route", "show", "10.0.0.0/8"))[0]["via"]["host"] == "fe80::1"
    assert not run({"routes": [route]}).changed


def test_proxy_entries_are_seen_though_no_usual_dump_has_them() -> None:
    entry = {"dev": "v0", "dst": "192.0.2.7", "proxy": True}
    run({"links": [PAIR], "neighbors": [entry]})
    assert "192.0.2.7" in sh("ip", "neigh", "show", "proxy")
    assert not run({"neighbors": [entry]}).changed
    assert run({"neighbors": [{**entry, "state": "absent"}]}).changed
    assert "192.0.2.7" not in sh("ip", "neigh", "show", "proxy")


def test_zero_macs_are_appended_and_a_unicast_mac_is_replaced() -> None:
    vxlan = {"name": "vx0", "kind": "vxlan", "id": 42, "dstport": 4789}
    zero = [{"dev": "vx0", "mac": "00:00:00:00:00:00", "dst": f"192.0.2.{n}"} for n in (1, 2, 3)]
    run({"links": [vxlan], "fdb": [*zero, {"dev": "vx0", "mac": "02:00:00:00:00:01", "dst": "192.0.2.1"}]})
    run({"fdb": [*zero, {"dev": "vx0", "mac": "02:00:00:00:00:01", "dst": "192.0.2.2"}]})
    entries = [(e["mac"], e["dst"]) for e in json.loads(sh("bridge", "-j", "fdb", "show", "dev", "vx0")) if "dst" in e]
    assert sorted(entries) == [("00:00:00:00:00:00", f"192.0.2.{n}") for n in (1, 2, 3)] + [
        ("02:00:00:00:00:01", "192.0.2.2")
    ]


def test_looking_for_namespaces_makes_none_and_a_leftover_file_is_none() -> None:
    prepare()
    create("red")
    with open("/run/netns/leftover", "w", encoding="utf-8"):
        pass
    assert list(named()) == ["red"]
    namespaces = Namespaces()
    try:
        assert not namespaces.exists("leftover") and not namespaces.exists("green")
        with pytest.raises(FileNotFoundError), namespaces.entered("green"):
            pass
        assert list(named()) == ["red"]
    finally:
        namespaces.close()


def test_no_descriptor_and_no_namespace_is_left_open() -> None:
    description = {
        "namespaces": ["red"],
        "links": [{"name": "v0", "kind": "veth", "peer": {"name": "p0", "netns": "red"}}],
    }
    run(description, Options(name="lab", prune=True))
    before, inside = len(os.listdir("/proc/self/fd")), os.readlink("/proc/thread-self/ns/net")
    for _round in range(5):
        run({}, Options(name="lab", prune=True))
        run(description, Options(name="lab", prune=True))
        with pytest.raises(Failed):
            run({"routes": [{"dst": "10.0.0.0/8", "via": "192.0.2.77"}]})
    assert len(os.listdir("/proc/self/fd")) == before
    assert os.readlink("/proc/thread-self/ns/net") == inside


def test_an_alternative_name_stands_for_the_interface() -> None:
    run({"links": [PAIR]})
    sh("ip", "link", "property", "add", "dev", "v0", "altname", "enp3s0")
    address = {"dev": "enp3s0", "address": "192.0.2.1/24"}
    assert run({"addresses": [address]}).changed
    assert not run({"addresses": [address]}).changed
    assert not run({"links": [{"name": "enp3s0", "mtu": 1500}]}).changed


def test_a_mac_address_is_right_from_the_first_message_on() -> None:
    """Set afterwards, udev or networkd may have seen, and kept, another one."""
    with subprocess.Popen(["ip", "-o", "monitor", "link"], stdout=subprocess.PIPE, text=True) as monitor:
        assert monitor.stdout is not None
        while True:  # until it listens
            sh("ip", "link", "add", "probe", "type", "bridge")
            sh("ip", "link", "del", "probe")
            if select.select([monitor.stdout], [], [], 0.1)[0]:
                break
        ends = {
            "v0": "02:00:00:00:00:01",
            "p0": "02:00:00:00:00:02",
            "br0": "02:00:00:00:00:03",
            "vx0": "02:00:00:00:00:04",
        }
        run(
            {
                "links": [
                    {
                        "name": "v0",
                        "kind": "veth",
                        "address": ends["v0"],
                        "peer": {"name": "p0", "address": ends["p0"]},
                    },
                    {"name": "br0", "kind": "bridge", "address": ends["br0"]},
                    {"name": "vx0", "kind": "vxlan", "id": 1, "dstport": 4789, "address": ends["vx0"]},
                ]
            }
        )
        sh("ip", "link", "add", "last", "type", "bridge")
        first: dict[str, str] = {}
        for line in monitor.stdout:
            if ": last:" in line:
                break
            if line.startswith("Deleted"):
                continue
            name = re.split(r"[:@]", line.split()[1])[0]
            first.setdefault(name, line.split("link/ether ")[1].split()[0])
        monitor.kill()
    first.pop("probe", None)
    assert first == ends


def test_data_without_a_kind_is_acknowledged_and_ignored_so_the_kind_is_always_sent() -> None:
    run({"links": [{"name": "br0", "kind": "bridge"}]})
    index = json.loads(sh("ip", "-j", "link", "show", "br0"))[0]["ifindex"]
    # IFLA_LINKINFO > IFLA_INFO_DATA > IFLA_BR_STP_STATE = 1, by hand: the engine cannot even say it without a kind
    nested = b"\x0c\x00\x02\x80" + b"\x08\x00\x05\x00" + (1).to_bytes(4, sys.byteorder)
    attribute = (4 + len(nested)).to_bytes(2, sys.byteorder) + b"\x12\x80" + nested
    body = nl.encode(nl.Request(nl.RTM_SETLINK, {"index": index}), 1, nl.NLM_F_ACK) + attribute
    with nl.Channel() as channel:
        channel.socket.send(len(body).to_bytes(4, sys.byteorder) + body[4:])
        answers = list(channel._receive())
    assert [(kind, bytes(text[:4])) for kind, _flags, _number, text in answers] == [(nl.NLMSG_ERROR, bytes(4))]
    assert json.loads(sh("ip", "-j", "-d", "link", "show", "br0"))[0]["linkinfo"]["info_data"]["stp_state"] == 0
    assert run({"links": [{"name": "br0", "kind": "bridge", "stp_state": True}]}).changed
    assert json.loads(sh("ip", "-j", "-d", "link", "show", "br0"))[0]["linkinfo"]["info_data"]["stp_state"] == 1
    with pytest.raises(Refused, match="option stp_state: there is no such option"):
        run({"links": [{"name": "br0", "stp_state": False}]})


def test_an_ipv6_blackhole_reads_back_with_lo_and_that_is_no_difference() -> None:
    for dev in ({}, {"dev": "lo"}):
        route = {"dst": "2001:db8:bad::/48", "type": "blackhole", **dev}
        run({"routes": [route]})
        assert json.loads(sh("ip", "-j", "-6", "route", "show", "2001:db8:bad::/48"))[0].get("dev") == "lo"
        assert not run({"routes": [route]}).changed
        assert run({"routes": [{**route, "state": "absent"}]}).changed


def test_the_same_mac_in_two_vnis_is_two_entries() -> None:
    """A VXLAN that is `external` keys its entries by source VNI as well (vxlan_core.c, eth_vni_hash)."""
    vxlan = {"name": "vx0", "kind": "vxlan", "external": True, "dstport": 4789}
    first = {"dev": "vx0", "mac": "02:00:00:00:00:01", "dst": "192.0.2.1", "src_vni": 100}
    second = {**first, "dst": "192.0.2.2", "src_vni": 200}
    run({"links": [vxlan], "fdb": [first, second]})

    def shown() -> set[tuple[str, int]]:
        found = json.loads(sh("bridge", "-j", "fdb", "show", "dev", "vx0"))
        return {(one["dst"], one["src_vni"]) for one in found if "dst" in one}

    assert shown() == {("192.0.2.1", 100), ("192.0.2.2", 200)}
    assert not run({"fdb": [first, second]}).changed
    assert run({"fdb": [{**first, "dst": "192.0.2.3"}]}).changed
    assert shown() == {("192.0.2.3", 100), ("192.0.2.2", 200)}
    assert run({"fdb": [{**second, "state": "absent"}]}).changed
    assert shown() == {("192.0.2.3", 100)}


def test_what_somebody_else_took_away_is_put_back_and_theirs_stays() -> None:
    """networkd removes routes that it does not know; a run after it is all that is needed."""
    route, rule = {"dst": "10.0.0.0/8", "via": "192.0.2.9"}, {"priority": 100, "table": 100}
    description = {
        "links": [PAIR],
        "addresses": [{"dev": "v0", "address": "192.0.2.1/24"}],
        "routes": [route],
        "rules": [rule],
    }
    run(description)
    sh("ip", "route", "del", "10.0.0.0/8")
    sh("ip", "rule", "del", "priority", "100")
    sh("ip", "route", "add", "172.16.0.0/12", "via", "192.0.2.9", "proto", "static")
    assert [line.split()[1] for line in run(description).commands] == ["route", "rule"]
    assert "172.16.0.0/12 via 192.0.2.9 dev v0 proto static" in sh("ip", "route")
    assert not run(description).changed


def test_words_become_the_numbers_that_the_kernel_has() -> None:
    """scope='link' of an address and flags='proxy' of a neighbour fail in all versions of pyroute2."""
    address = {"dev": "v0", "address": "192.0.2.1/24", "scope": "link"}
    route = {"dst": "10.0.0.0/8", "dev": "v0", "scope": "link", "proto": "bird", "table": "default"}
    neighbor = {"dev": "v0", "dst": "192.0.2.9", "lladdr": "02:00:00:00:00:09", "nud": "noarp"}
    description = {"links": [PAIR], "addresses": [address], "routes": [route], "neighbors": [neighbor]}
    run(description)
    assert "192.0.2.1/24 scope link" in sh("ip", "addr", "show", "v0")
    assert "proto bird scope link" in sh("ip", "route", "show", "table", "default")
    assert "NOARP" in sh("ip", "neigh", "show", "192.0.2.9", "nud", "all")
    assert not run(description).changed


def test_a_master_that_is_no_bridge_is_told() -> None:
    description = {"links": [PAIR, {"name": "x0", "kind": "veth", "peer": {"name": "x1"}, "master": "v0"}]}
    with pytest.raises((Refused, Failed), match="v0"):
        run(description)
    assert "x0" not in sh("ip", "link")


def test_an_object_is_found_by_its_own_namespace_and_device_not_by_what_a_filter_says() -> None:
    """The same index, name, address and route in two namespaces, and on two devices."""
    both = [
        {"name": "v0", "kind": "veth", "netns": where, "up": True, "peer": {"name": "p0", "up": True}}
        for where in ("red", "green")
    ]
    entries = [
        {"netns": where, "dev": dev, "dst": "192.0.2.9", "lladdr": f"02:00:00:00:00:0{number}"}
        for number, (where, dev) in enumerate([("red", "v0"), ("red", "p0"), ("green", "v0"), ("green", "p0")])
    ]
    run({"namespaces": ["red", "green"], "links": both, "neighbors": entries})
    assert run({"neighbors": [{**entries[0], "state": "absent"}]}).changed
    left = [(where, one["dev"], one["lladdr"]) for where in ("red", "green")
            for one in json.loads(sh("ip", "-j", "-n", where, "neigh", "show", "192.0.2.9"))]  # fmt: skip
    assert sorted(left) == sorted((one["netns"], one["dev"], one["lladdr"]) for one in entries[1:])
