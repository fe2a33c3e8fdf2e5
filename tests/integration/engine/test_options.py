# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rarer options, one by one: set at creation, seen by iproute2, changed in place, and then nothing left to do."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Failed, Options, Refused, run

from .support import bridges_have_vlans, kernel_has, sh, state, unlike

pytestmark = pytest.mark.usefixtures("lab")

BRIDGE = {"name": "x0", "kind": "bridge"}
VXLAN = {"name": "x0", "kind": "vxlan", "id": 42, "dstport": 4789, "local": "192.0.2.1", "remote": "192.0.2.2"}
EXTERNAL = {"name": "x0", "kind": "vxlan", "external": True, "dstport": 4789}
IPIP = {"name": "x0", "kind": "ipip", "local": "192.0.2.1", "remote": "192.0.2.2"}


def detail(name: str = "x0") -> dict[str, Any]:
    """A link by iproute2's account."""
    found: dict[str, Any] = json.loads(sh("ip", "-j", "-d", "link", "show", name))[0]
    return found


# (link, option, value at creation, value afterwards)
LINKS: list[tuple[dict[str, Any], str, Any, Any]] = [
    (BRIDGE, "vlan_stats_per_port", True, False),
    (BRIDGE, "fdb_max_learned", 7, 9),
    (BRIDGE, "no_linklocal_learn", True, False),
    ({**BRIDGE, "vlan_filtering": True}, "mcast_vlan_snooping", True, False),
    (BRIDGE, "mst_enabled", True, False),
    (VXLAN, "localbypass", False, True),
    (VXLAN, "proxy", True, None),
    (VXLAN, "rsc", True, None),
    (EXTERNAL, "gpe", True, None),
    (IPIP, "mode", "any", None),
    (IPIP, "mode", "mplsip", None),
    (EXTERNAL, "vnifilter", True, None),  # is what it is from its creation on
    ({**IPIP, "encap_dport": 5555}, "encap", "fou", "gue"),
    (IPIP, "encap_sport", 5555, 6666),  # these are kept, and shown by netlink, also while nothing is encapsulated
    (IPIP, "encap_dport", 5555, 6666),
    (IPIP, "encap_csum", True, False),
    (IPIP, "encap_csum6", True, False),
    (IPIP, "encap_remcsum", True, False),
]


# the kernel that has it first; an older one takes the attribute and ignores it
SINCE = {
    "mab": (6, 2), "mcast_max_groups": (6, 3), "neigh_vlan_suppress": (6, 4), "localbypass": (6, 5),
    "fdb_max_learned": (6, 7),
}  # fmt: skip


def skip_if_too_old(option: str, description: dict[str, Any]) -> None:
    """A kernel that is too old for an option: said by the engine, as nothing is kept, and all is as before."""
    release = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))
    if release < SINCE.get(option, (0, 0)):
        before = state()
        with pytest.raises(Failed, match=f"the kernel does not keep it: .*{option}") as failed:
            run(description)
        assert failed.value.rolled_back and not unlike(before, state())
        pytest.skip(f"KERNEL: {option} is newer than {release}; it is run on the machine's own")


VLAN = {"vlan_stats_per_port", "mcast_vlan_snooping", "mst_enabled"}


def tunnels_have_encap() -> bool:
    """Whether this kernel can put a tunnel into UDP."""
    command = "unshare -n ip link add probe type ipip remote 192.0.2.1 encap fou encap-dport 5555"
    return subprocess.run(command.split(), capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    "link, option, first, then", LINKS, ids=[f"{one[0]['kind']} {one[1]} {one[2]}" for one in LINKS]
)
def test_an_option_of_a_link(link: dict[str, Any], option: str, first: Any, then: Any) -> None:
    if not kernel_has(link["kind"]):
        pytest.skip(f"KERNEL: this one has no {link['kind']}; it is run in a guest that has")
    if option in VLAN and not bridges_have_vlans():
        with pytest.raises(Failed, match=option) as failed:
            run({"links": [{**link, option: first}]})
        assert failed.value.rolled_back and "x0" not in sh("ip", "link")
        pytest.skip("KERNEL: this one has no CONFIG_BRIDGE_VLAN_FILTERING; it is run in a guest that has")
    if option == "encap" and not tunnels_have_encap():
        with pytest.raises(Failed, match="encap fou needs the module fou .*modprobe fou") as failed:
            run({"links": [{**link, option: first}]})
        assert failed.value.rolled_back
        pytest.skip("KERNEL: this one has no CONFIG_NET_FOU_IP_TUNNELS, nor has the guest's")
    skip_if_too_old(option, {"links": [{**link, option: first}]})
    for value in (first, then):
        if value is None:
            other = not first if isinstance(first, bool) else "ipip"
            with pytest.raises(Refused, match=f"option {option} cannot change from .* in place; say recreate: true"):
                run({"links": [{**link, option: other}]})
            assert run({"links": [{**link, option: other}]}, Options(recreate=True)).objects[0][option] == other
            continue
        made = run({"links": [{**link, option: value}]})
        assert made.changed and any(option.replace("_", "-") in line.replace("_", "-") for line in made.commands)
        assert made.objects[0][option] == value
        assert not run({"links": [{**link, option: value}]}).changed
        if option in detail()["linkinfo"]["info_data"]:
            assert detail()["linkinfo"]["info_data"][option] == value


PORT = {
    "guard": True, "root_block": True, "fastleave": True, "proxy_arp": True, "proxy_arp_wifi": True,
    "mcast_router": 2, "mcast_to_unicast": True, "neigh_suppress": True, "locked": True, "vlan_tunnel": True,
    "neigh_vlan_suppress": True, "group_fwd_mask": 8, "mcast_max_groups": 12, "cost": 7, "priority": 9,
    "hairpin": True, "learning": False, "flood": False, "mcast_flood": False, "bcast_flood": False, "isolated": True,
}  # fmt: skip


@pytest.mark.parametrize("option", PORT)
def test_an_option_of_a_port(option: str) -> None:
    port = {"name": "x0", "kind": "veth", "peer": {"name": "x1"}, "master": "br0"}
    run({"links": [{"name": "br0", "kind": "bridge"}, port]})
    before = state()
    changed = {"links": [{**port, "port": {option: PORT[option]}}]}
    skip_if_too_old(option, changed)
    made = run(changed)
    assert made.changed and not run(changed).changed
    assert made.objects[0][f"port.{option}"] == PORT[option]
    seen = unlike(before, state())
    assert all("/linkinfo/info_slave_data/" in line for line in seen) and (seen or option in UNSEEN), seen


def test_a_port_has_another_one_for_a_backup() -> None:
    bridge = {"name": "br0", "kind": "bridge"}
    first = {
        "name": "x0",
        "kind": "veth",
        "peer": "x1",
        "master": "br0",
        "port": {"backup_port": "y0", "hairpin": True},
    }
    second = {"name": "y0", "kind": "veth", "peer": "y1", "master": "br0"}
    made = run({"links": [first, bridge, second]})  # whatever comes first
    assert made.commands[-1] == "ip link set dev x0 type bridge_slave backup_port y0"
    assert detail()["linkinfo"]["info_slave_data"]["backup_port"] == "y0"
    assert not run({"links": [first, bridge, second]}).changed
    gone = run({"links": [{"name": "x0", "port": {"backup_port": ""}}]})
    assert gone.commands == ["ip link set dev x0 type bridge_slave nobackup_port"]
    assert "backup_port" not in detail()["linkinfo"]["info_slave_data"]
    assert run({"links": [{"name": "x0", "port": {"backup_port": "y0"}}]}).changed
    before = state()
    for name, words in (("y1", "no port of the same bridge"), ("none0", "there is no interface none0")):
        with pytest.raises(Refused, match=words):
            run({"links": [{"name": "x0", "port": {"backup_port": name}}]})
    assert not unlike(before, state())


# not shown by the iproute2 of Debian 12
UNSEEN = {"neigh_vlan_suppress", "mcast_max_groups", "mab"}


def test_mab_needs_a_locked_port_that_learns() -> None:
    port = {
        "name": "x0",
        "kind": "veth",
        "peer": {"name": "x1"},
        "master": "br0",
        "port": {"locked": True, "mab": True},
    }
    skip_if_too_old("mab", {"links": [{"name": "br0", "kind": "bridge"}, port]})
    assert run({"links": [{"name": "br0", "kind": "bridge"}, port]}).objects[1]["port.mab"] is True
    assert not run({"links": [port]}).changed


V0 = {"name": "v0", "kind": "veth", "up": True, "peer": {"name": "p0", "up": True}}
NET = {"links": [V0], "addresses": [{"dev": "v0", "address": "192.0.2.1/24"}]}


def test_an_address_joins_its_multicast_group_by_itself() -> None:
    address = {"dev": "v0", "address": "233.252.0.1/32", "autojoin": True}
    run({**NET, "addresses": [*NET["addresses"], address]})
    assert "autojoin" in sh("ip", "addr", "show", "dev", "v0")
    assert "233.252.0.1" in sh("ip", "maddr", "show", "dev", "v0")
    assert not run({"addresses": [address]}).changed


@pytest.mark.parametrize("option, first, then", [
    ("ssthresh", 10, 20), ("cwnd", 30, 40), ("reordering", 5, 6), ("quickack", 1, 0), ("window", 1000, 2000),
    ("advmss", 1200, 1300), ("hoplimit", 9, 10), ("initcwnd", 11, 12), ("initrwnd", 13, 14), ("mtu", 1300, 1400),
])  # fmt: skip
def test_a_metric_of_a_route(option: str, first: int, then: int) -> None:
    for value in (first, then):
        route = {"dst": "198.51.100.0/24", "via": "192.0.2.9", option: value}
        assert run({**NET, "routes": [route]}).changed
        (shown,) = json.loads(sh("ip", "-j", "-d", "route", "show", "198.51.100.0/24"))
        assert ({} if not shown.get("metrics") else shown["metrics"][0]).get(option, 0) == value
        assert not run({**NET, "routes": [route]}).changed


def test_a_route_that_gets_another_gateway_goes_out_where_that_one_is() -> None:
    other = {"name": "w0", "kind": "veth", "up": True, "peer": {"name": "q0", "up": True}}
    both = {"links": [V0, other], "addresses": [*NET["addresses"], {"dev": "w0", "address": "203.0.113.1/24"}]}
    for via, dev in (("192.0.2.9", "v0"), ("203.0.113.9", "w0")):
        made = run({**both, "routes": [{"dst": "198.51.100.0/24", "via": via}]})
        assert made.changed and f"via {via} dev {dev}" in sh("ip", "route", "show", "198.51.100.0/24")


def test_a_route_keeps_the_scope_that_nobody_states_again() -> None:
    for more in ({"scope": "host"}, {"mtu": 1300}):
        assert run({**NET, "routes": [{"dst": "198.51.100.0/24", "dev": "v0", **more}]}).changed
        assert "scope host" in sh("ip", "route", "show", "198.51.100.0/24")


def test_the_preference_of_an_ipv6_route() -> None:
    address = {"dev": "v0", "address": "2001:db8::1/64", "nodad": True}
    for pref in ("high", "low", "medium"):
        route = {"dst": "2001:db8:9::/48", "via": "2001:db8::9", "pref": pref}
        assert run({"links": [V0], "addresses": [address], "routes": [route]}).changed
        assert json.loads(sh("ip", "-j", "-6", "route", "show", "2001:db8:9::/48"))[0]["pref"] == pref
        assert not run({"routes": [route]}).changed


VIA = {"dst": "10.0.0.0/8", "via": "192.0.2.9"}
SIX = {"dst": "2001:db8:9::/48", "dev": "v0"}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"addresses": [{"dev": "v0", "address": "2001:db8::1/64", "label": "v0:1"}]}, "option label: IPv6 has no label"),
    ({"addresses": [{"dev": "v0", "address": "2001:db8::1/64", "broadcast": "192.0.2.255"}]}, "option broadcast: IPv6 has"),
    ({"addresses": [{"dev": "v0", "address": "2001:db8::1/64", "scope": "host"}]}, "option scope: the scope of an IPv6"),
    ({"addresses": [{"dev": "v0", "address": "192.0.2.2/24", "label": "other"}]}, "option label: .* does not begin with"),
    ({"addresses": [{"dev": "v0", "address": "192.0.2.2/24", "label": "v0:0123456789abc"}]}, "option label: .* longer than 15 bytes"),
    ({"addresses": [{"dev": "v0", "address": "192.0.2.2/24", "broadcast": "::1"}]}, "option broadcast: ::1 is not an IPv4"),
    ({"addresses": [{"dev": "v0", "address": "192.0.2.2/24", "valid_lft": 0}]}, "option valid_lft: 0 is no time"),
    ({"sysctls": [{"name": "net.ipv4.ip_forward", "value": "bogus"}]}, "option value: 'bogus' is not a number .net.ipv4.ip_forward is [01] now"),
    ({"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "4096"}]}, "option value: '4096' are 1 numbers, 3 are needed"),
    (
        {"links": [{"name": "w0", "kind": "veth", "peer": "q0"}], "sysctls": [{"name": "net.ipv4.conf.w0.rp_filter", "value": "on"}]},
        "option value: 'on' is not a number",
    ),
    ({"neighbors": [{"dev": "v0", "dst": "192.0.2.7"}]}, "option lladdr: is required"),
    ({"links": [{"name": "v0", "mtu": 65536}]}, "option mtu: 65536 is out of range, 68 to 65535"),
    ({"links": [{"name": "v0", "port": {"hairpin": True}}]}, "option port: needs a master"),
    ({"links": [{**BRIDGE, "group_address": "01:80:c2:00:00:01"}]}, "option group_address"),
    ({"links": [{**BRIDGE, "group_fwd_mask": 9}]}, "option group_fwd_mask: 9 holds 1"),
    ({"links": [{**BRIDGE, "stp_state": True, "forward_delay": 100}]}, "option forward_delay: 100 is out of range with stp_state"),
    ({"links": [{**BRIDGE, "mcast_query_interval": 99}]}, "option mcast_query_interval: 99 is out of range"),
    ({"links": [{**VXLAN, "gpe": True}]}, "option gpe: needs external"),
    ({"links": [{**EXTERNAL, "gpe": True, "gbp": True}]}, "option gbp: gpe excludes it"),
    ({"links": [{**VXLAN, "vnifilter": True}]}, "option vnifilter: needs external"),
    ({"links": [{**VXLAN, "local": "fe80::1", "remote": "2001:db8::1"}]}, "option local: a link-local address needs dev"),
    ({"links": [{**IPIP, "mtu": 65516}]}, "option mtu: 65516 is out of range, 68 to 65515"),
    ({"routes": [{**VIA, "hoplimit": 256}]}, "option hoplimit: 256 is out of range"),
    ({"routes": [{**VIA, "mtu": 65530}]}, "option mtu: 65530 is out of range"),
    ({"routes": [{**VIA, "advmss": 65530}]}, "option advmss: 65530 is out of range"),
    ({"routes": [{**VIA, "tos": 5}]}, "option tos: 0x5 has bits of ECN"),
    ({"rules": [{"priority": 9, "tos": 1}]}, "option tos: 0x1 has bits of ECN"),
    ({"addresses": [{"dev": "v0", "address": "192.0.2.2/24", "valid_lft": 5, "preferred_lft": 6}]}, "option preferred_lft"),
    ({"routes": [{"dst": "10.0.0.0/8"}]}, "route 10.0.0.0/8: needs via, dev or nexthops"),
    ({"routes": [{"dst": "10.0.0.0/8", "type": "blackhole", "src": "192.0.2.1"}]}, "option src: a route of type blackhole has none"),
    ({"routes": [{**SIX, "dev": "lo", "type": "prohibit", "pref": "low"}]}, "option pref: a route of type prohibit has none"),
    ({"routes": [{"dst": "198.18.0.0/24", "via": "192.0.2.9"}]}, "option via: a route of type blackhole .* say type: unicast"),
    ({"routes": [{"dst": "10.0.0.0/8", "via": "203.0.113.1", "onlink": True}]}, "option onlink: needs dev"),
    ({"routes": [{"dst": "10.0.0.0/8", "nexthops": [{"via": "203.0.113.1", "onlink": True}]}]}, "option nexthops: onlink needs dev"),
    ({"routes": [{**SIX, "tos": 4}]}, "option tos: IPv6 routes have none"),
    ({"routes": [{**SIX, "scope": "link"}]}, "option scope: IPv6 routes have none"),
    ({"routes": [{"dst": "10.0.0.0/8", "dev": "v0", "pref": "high"}]}, "option pref: IPv4 routes have none; say metric"),
    ({"routes": [{**SIX, "src": "192.0.2.1"}]}, "option src: 192.0.2.1 is not of the family"),
    ({"routes": [{"dst": "127.0.0.0/8", "table": "local", "type": "local", "state": "absent"}]}, "option table: the local table is the kernel's own"),
    ({"routes": [{"dst": "192.0.2.0/24", "state": "absent"}]}, "route 192.0.2.0/24"),
    ({"links": [{"name": "lo", "state": "absent"}]}, "link lo: lo is a physical or built-in interface"),
    ({"rules": [{"priority": 0, "table": "local", "state": "absent"}]}, "rule 0: .* was not made by linuxnet.lab"),
    ({"addresses": [{"dev": "lo", "address": "127.0.0.1/8", "state": "absent"}]}, "address 127.0.0.1/8"),
    ({"sysctls": [{"name": "net.ipv4.no_such_thing", "value": 1}]}, "net.ipv4.no_such_thing"),
    ({"sysctls": [{"name": "net.ipv4.conf.none0.rp_filter", "value": 1}]}, "none0"),
    ({"fdb": [{"dev": "v0", "mac": "02:00:00:00:00:09", "dst": "192.0.2.9"}]}, "option dst: v0 is a veth"),
    ({"fdb": [{"dev": "v0", "mac": "02:00:00:00:00:09", "src_vni": 7}]}, "option src_vni: v0 is no external vxlan"),
    (
        {"links": [BRIDGE], "fdb": [{"dev": "x0", "mac": "02:00:00:00:00:09", "which": "master", "dst": "192.0.2.9"}]},
        "option dst: an entry of a bridge has no destination",
    ),
]  # fmt: skip


@pytest.mark.parametrize("description, words", REFUSED, ids=[words for _description, words in REFUSED])
def test_what_makes_no_sense_is_refused_and_nothing_has_been_changed(description: dict[str, Any], words: str) -> None:
    run({**NET, "routes": [{"dst": "198.18.0.0/24", "type": "blackhole"}]})
    before = state()
    with pytest.raises((Refused, Failed), match=words) as refused:
        run(description)
    assert isinstance(refused.value, Refused), "found out only by trying"
    assert not unlike(before, state())


def test_lo_may_have_the_mtu_that_the_kernel_gives_it() -> None:
    assert not run({"links": [{"name": "lo", "mtu": 65536}]}).changed


def test_a_bit_mask_is_no_number() -> None:
    """Its digits are hexadecimal: `f` is no word there."""
    if not os.path.exists("/proc/sys/net/core/rps_default_mask"):
        pytest.skip("KERNEL: this one has no CONFIG_RPS; tests/unit has the rule by itself")
    with pytest.raises(Refused, match="there is no such|no such parameter"):
        run({"sysctls": [{"name": "net.core.rps_default_mask.none", "value": "f"}]})
    stated = {"sysctls": [{"name": "net.core.rps_default_mask", "value": "f"}]}
    # not written: a kernel with less than four CPUs takes fewer bits
    assert run(stated, Options(check=True)).commands == ["sysctl -w net.core.rps_default_mask=f"]


UNDER = {"name": "u0", "kind": "veth", "mtu": 1400, "up": True, "peer": {"name": "w0", "mtu": 1400, "up": True}}
ON_UNDER = {"dev": "u0", "address": "203.0.113.1/24"}
UNDERLAY: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("the holder of local", {}, {"local": "203.0.113.1", "remote": "198.51.100.9"}),
    ("the subnet of remote", {}, {"remote": "203.0.113.9"}),
    ("a route over a gateway", {"routes": [{"dst": "198.51.100.0/24", "via": "203.0.113.9"}]}, {"remote": "198.51.100.9"}),
    ("the default route", {"routes": [{"dst": "default", "dev": "u0"}]}, {"remote": "198.51.100.9"}),
    (
        "local on lo",
        {"addresses": [ON_UNDER, {"dev": "lo", "address": "192.0.2.1/32"}]},
        {"local": "192.0.2.1", "remote": "203.0.113.9"},
    ),
]  # fmt: skip


@pytest.mark.parametrize("built", [False, True], ids=["stated", "there already"])
@pytest.mark.parametrize("kind, room", [("vxlan", 50), ("ipip", 20)])
@pytest.mark.parametrize("more, ends", [case[1:] for case in UNDERLAY], ids=[case[0] for case in UNDERLAY])
def test_the_underlay_of_a_tunnel_is_found_without_dev(
    more: dict[str, Any], ends: dict[str, Any], kind: str, room: int, built: bool
) -> None:
    net = {"links": [UNDER], "addresses": [ON_UNDER], **more}
    tunnel = {"name": "x0", "kind": kind, **({"id": 42, "dstport": 4789} if kind == "vxlan" else {}), **ends}
    if built:
        run(net)
    rest = {"links": []} if built else net
    wrong = f"{kind} over u0 .mtu 1400. leaves {1400 - room}"
    with pytest.raises(Refused, match=wrong):
        run({**rest, "links": [*rest["links"], {**tunnel, "mtu": 1401 - room}]})
    right = {**rest, "links": [*rest["links"], {**tunnel, "mtu": 1400 - room}]}
    if kernel_has(kind):
        assert run(right).changed
        with pytest.raises(Refused, match=wrong):
            run({"links": [{"name": "x0", "mtu": 1401 - room}]})


def test_an_option_that_needs_another_finds_it_on_the_link_that_is_there() -> None:
    run(
        {
            "links": [
                UNDER,
                {"name": "x0", "kind": "vxlan", "id": 42, "dstport": 4789, "dev": "u0", "group": "239.1.1.1"},
            ]
        }
    )
    assert run({"links": [{"name": "x0", "kind": "vxlan", "group": "239.1.1.2"}]}).changed
    assert detail()["linkinfo"]["info_data"]["group"] == "239.1.1.2"
    with pytest.raises(Refused, match="option remote: local and remote must be of one address family|cannot change"):
        run({"links": [{"name": "x0", "kind": "vxlan", "local": "2001:db8::1"}]})
    run({"links": [{**BRIDGE, "name": "br0"}, {"name": "w0", "master": "br0"}]})
    assert run({"links": [{"name": "w0", "port": {"hairpin": True}}]}).changed
    run({"links": [{**BRIDGE, "name": "br0", "stp_state": True}]})
    with pytest.raises(Refused, match="option forward_delay: 100 is out of range with stp_state"):
        run({"links": [{**BRIDGE, "name": "br0", "forward_delay": 100}]})
