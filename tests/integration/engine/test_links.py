# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is special about links, one by one: changes in place, refusals, recreation, moves, peers, marks."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Failed, Options, Refused, run
from ansible_collections.linuxnet.lab.plugins.module_utils._model import MARK_GROUP

from .support import sh, state, unlike

pytestmark = pytest.mark.usefixtures("lab")
VXLAN: dict[str, Any] = {
    "name": "vx0",
    "kind": "vxlan",
    "id": 42,
    "dstport": 4789,
    "local": "192.0.2.1",
    "remote": "192.0.2.2",
}


def link(name: str, *where: str) -> dict[str, Any]:
    """A link by iproute2's account."""
    found: dict[str, Any] = json.loads(sh("ip", "-j", "-d", *where, "link", "show", name))[0]
    return found


def names() -> list[str]:
    """The host's own links, but for the fallback device that a kernel with ipip has everywhere."""
    return [one["ifname"] for one in json.loads(sh("ip", "-j", "link")) if one["ifname"] != "tunl0"]


def data(name: str, *where: str) -> dict[str, Any]:
    """The data of a link's kind."""
    found: dict[str, Any] = link(name, *where)["linkinfo"]["info_data"]
    return found


def test_links_carry_the_mark_on_both_ends_and_in_other_namespaces() -> None:
    run({"namespaces": ["red"], "links": [{"name": "v0", "kind": "veth", "peer": {"name": "p0", "netns": "red"}}]})
    assert link("v0")["group"] == link("p0", "-n", "red")["group"] == str(MARK_GROUP)


def test_both_ends_of_a_veth_may_be_in_namespaces_that_are_not_the_callers() -> None:
    description = {
        "namespaces": ["node1", "node2"],
        "links": [
            {
                "name": "veth1",
                "kind": "veth",
                "netns": "node1",
                "up": True,
                "peer": {"name": "veth2", "netns": "node2", "up": True, "mtu": 1400},
            }
        ],
    }
    run(description)
    assert link("veth2", "-n", "node2")["mtu"] == 1400
    assert names() == ["lo"]
    assert not run(description).changed


def test_an_end_of_a_veth_may_have_the_name_of_a_link_of_the_host() -> None:
    run({"namespaces": ["red"], "links": [
        {"name": "eth0", "kind": "veth", "peer": {"name": "x0"}},
        {"name": "v1", "kind": "veth", "peer": {"name": "eth0", "netns": "red"}},
    ]})  # fmt: skip
    assert link("eth0", "-n", "red")["link_index"] == link("v1")["ifindex"]


def test_only_differences_are_sent_to_a_vxlan() -> None:
    run({"links": [{**VXLAN, "l2miss": True, "up": True}]})
    assert not run({"links": [{**VXLAN, "l2miss": True, "up": True}]}).changed
    assert run({"links": [{**VXLAN, "l2miss": True, "ageing": 60, "remote": "192.0.2.3"}]}).changed
    assert data("vx0")["ageing"] == 60 and data("vx0")["remote"] == "192.0.2.3" and data("vx0")["l2miss"] is True


@pytest.mark.parametrize(
    "option, value",
    [("id", 43), ("dstport", 4790), ("l3miss", True), ("udpcsum", False), ("gbp", True), ("ttl", "inherit")],
)
def test_what_a_vxlan_cannot_change_is_refused_with_the_reason_or_made_anew(option: str, value: Any) -> None:
    description: dict[str, Any] = {
        "links": [{**VXLAN, "up": True, "address": "02:00:00:00:00:42"}],
        "addresses": [{"dev": "vx0", "address": "172.17.1.2/24"}],
    }
    run(description)
    sh("ip", "addr", "add", "172.17.9.9/24", "dev", "vx0")
    sh("ip", "route", "add", "198.51.100.0/24", "via", "172.17.1.9")
    sh("ip", "neigh", "add", "172.17.1.9", "lladdr", "02:00:00:00:00:09", "dev", "vx0")
    sh("bridge", "fdb", "add", "02:00:00:00:00:09", "dev", "vx0", "dst", "192.0.2.9")
    sh("sysctl", "-qw", "net.ipv4.conf.vx0.rp_filter=2")
    before = state()
    changed = {"links": [{**VXLAN, option: value}]}
    with pytest.raises(Refused, match=f"option {option} cannot change from .* in place; say recreate: true"):
        run(changed)
    assert not unlike(before, state())
    run(changed, Options(recreate=True))
    rest = unlike(before, state())
    assert rest and all("/linkinfo/info_data/" in line or "/fdb" in line for line in rest), rest
    assert sh("sysctl", "-n", "net.ipv4.conf.vx0.rp_filter").strip() == "2"
    assert (
        "172.17.9.9" in sh("ip", "addr")
        and "198.51.100.0/24" in sh("ip", "route")
        and "02:00:00:00:00:09" in sh("bridge", "fdb")
    )


def test_a_bridge_port_comes_back_to_a_bridge_that_is_made_anew() -> None:
    run({"links": [{"name": "br0", "kind": "bridge", "up": True}]})
    sh("ip", "link", "add", "port", "type", "veth", "peer", "name", "far")
    sh("ip", "link", "set", "port", "master", "br0")
    run({"links": [{"name": "br0", "kind": "bridge", "numtxqueues": 4}]}, Options(recreate=True))
    assert link("port")["master"] == "br0" and link("br0")["num_tx_queues"] == 4


def test_receive_queues_are_stated_also_where_the_kernel_does_not_show_them() -> None:
    description = {"links": [{"name": "br0", "kind": "bridge", "numrxqueues": 3}]}
    assert run(description, Options()).changed
    assert not run(description, Options()).changed


def test_a_link_moves_and_stays_what_it_is() -> None:
    run(
        {
            "namespaces": ["red", "green"],
            "links": [
                {"name": "v0", "kind": "veth", "peer": {"name": "p0"}, "mtu": 1400, "address": "02:00:00:00:00:07"}
            ],
        }
    )
    move = {"links": [{"name": "v0", "netns": "red", "move_from": "", "up": True}]}
    assert run(move).commands[0].startswith("ip link set v0 netns red")
    there = link("v0", "-n", "red")
    assert (there["mtu"], there["address"], "UP" in there["flags"]) == (1400, "02:00:00:00:00:07", True)
    assert not run(move).changed


def test_a_veth_whose_end_is_still_in_the_wrong_namespace_is_moved_not_made_anew() -> None:
    sh("ip", "link", "add", "v0", "type", "veth", "peer", "name", "p0")
    sh("ip", "link", "set", "v0", "group", str(MARK_GROUP))
    sh("ip", "link", "set", "p0", "group", str(MARK_GROUP))
    index = link("v0")["ifindex"]
    run({"namespaces": ["red"], "links": [{"name": "v0", "kind": "veth", "peer": {"name": "p0", "netns": "red"}}]})
    assert link("v0")["ifindex"] == index and link("p0", "-n", "red")


def test_another_peer_is_refused_or_made_anew() -> None:
    run({"links": [{"name": "v0", "kind": "veth", "peer": {"name": "p0"}}]})
    other = {"links": [{"name": "v0", "kind": "veth", "peer": {"name": "p1"}}]}
    with pytest.raises(Refused, match="its peer is p0 in the host's own namespace, not p1"):
        run(other)
    run(other, Options(recreate=True))
    assert link("v0")["link"] == "p1"


@pytest.mark.parametrize("way", ["name", "path", "pid"])
def test_a_namespace_is_given_by_name_path_or_pid(way: str) -> None:
    run({"namespaces": ["red"]})
    inside = ["ip", "netns", "exec", "red", "sh", "-c", "echo; cat"]
    with subprocess.Popen(inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None and child.stdout.readline()
            given = {"name": "red", "path": "/run/netns/red", "pid": child.pid}[way]
            description = {
                "links": [{"name": "br0", "kind": "bridge", "netns": given}],
                "sysctls": [{"netns": given, "name": "net.ipv4.ip_forward", "value": 1}],
            }
            assert run(description).changed
            assert not run(description).changed
            assert link("br0", "-n", "red")["ifname"] == "br0"
        finally:
            child.communicate()


def test_a_namespace_without_a_name_is_reached_by_its_process() -> None:
    with subprocess.Popen(
        ["unshare", "-n", "sh", "-c", "echo; cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        try:
            assert child.stdout is not None and child.stdout.readline()
            description = {
                "links": [{"name": "v0", "kind": "veth", "peer": {"name": "eth0", "netns": child.pid, "up": True}}]
            }
            assert run(description).changed
            assert not run(description).changed
            assert "eth0" in sh("nsenter", f"--net=/proc/{child.pid}/ns/net", "ip", "-br", "link")
        finally:
            child.communicate()


def test_names_end_with_their_removal_and_can_be_used_again_at_once() -> None:
    """A namespace is removed in the background; a veth of the same name right behind it must not meet the old one."""
    description = {
        "namespaces": ["red"],
        "links": [{"name": "v0", "kind": "veth", "peer": {"name": "p0", "netns": "red"}}],
    }
    for _round in range(20):
        run(description, Options(name="lab", prune=True))
        run({}, Options(name="lab", prune=True))


def test_a_failed_removal_of_a_namespace_brings_it_back_with_all_that_is_in_it() -> None:
    run(
        {
            "namespaces": ["red", "green"],
            "links": [
                {"name": "br0", "kind": "bridge", "netns": "red"},
                {"name": "v0", "kind": "veth", "peer": {"name": "p0", "netns": "red"}},
            ],
        },
        Options(name="lab"),
    )
    sh("ip", "netns", "exec", "red", "sysctl", "-qw", "net.ipv4.conf.p0.rp_filter=2")
    before = state()

    def last(_number: int, op: Any) -> None:
        if op.key.ident == ("green",):
            raise RuntimeError("on purpose")

    with pytest.raises(Failed) as failed:
        run(
            {"namespaces": [{"name": "red", "state": "absent"}, {"name": "green", "state": "absent"}]},
            Options(name="lab"),
            last,
        )
    assert failed.value.rolled_back, failed.value.left
    assert not unlike(before, state())
    assert sh("ip", "netns", "exec", "red", "sysctl", "-n", "net.ipv4.conf.p0.rp_filter").strip() == "2"


def test_the_kernels_own_words_are_in_the_error() -> None:
    with pytest.raises(Failed, match="Nexthop has invalid gateway") as failed:
        run({"routes": [{"dst": "10.0.0.0/8", "via": "192.0.2.77"}]})
    assert failed.value.rolled_back


def test_a_parameter_goes_back_to_what_it_was_when_the_last_description_lets_go() -> None:
    one, two = Options(name="one", prune=True), Options(name="two", prune=True)
    forward = {"sysctls": [{"name": "net.ipv4.ip_forward", "value": 1}]}

    def value() -> str:
        return sh("sysctl", "-n", "net.ipv4.ip_forward").strip()

    before = value()
    sh("sysctl", "-qw", "net.ipv4.ip_forward=0")
    run(forward, one)
    run(forward, two)
    run({}, one)
    assert value() == "1"
    run({}, two)
    assert value() == "0"
    sh("sysctl", "-qw", f"net.ipv4.ip_forward={before}")


def test_what_a_description_does_not_state_any_more_goes_and_nothing_else() -> None:
    options = Options(name="lab", prune=True)
    run({"links": [{"name": "br0", "kind": "bridge"}]}, Options(name="other", prune=True))
    run({"links": [{"name": "br1", "kind": "bridge"}, {"name": "br2", "kind": "bridge"}]}, options)
    run({"links": [{"name": "br2", "kind": "bridge"}]}, options)
    assert names() == ["lo", "br0", "br2"]


def test_a_link_of_the_ledger_that_somebody_made_anew_is_theirs() -> None:
    options = Options(name="lab", prune=True)
    run({"links": [{"name": "br0", "kind": "bridge"}]}, options)
    sh("ip", "link", "del", "br0")
    sh("ip", "link", "add", "br0", "type", "bridge")
    run({}, options)
    assert link("br0")


def test_the_flow_label_of_a_vxlan_is_a_number_in_network_byte_order() -> None:
    vxlan = {**VXLAN, "local": "2001:db8::1", "remote": "2001:db8::2", "flowlabel": 0x77}
    run({"links": [vxlan]})
    assert data("vx0")["label"] == "0x77"
    run({"links": [{**vxlan, "flowlabel": 0x12345}]})
    assert data("vx0")["label"] == "0x12345" and not run({"links": [{**vxlan, "flowlabel": 0x12345}]}).changed


def test_a_link_made_anew_does_not_keep_a_lower_device_that_moves_away() -> None:
    pair = {"name": "v1", "kind": "veth", "peer": {"name": "p1"}}
    run({"links": [pair, {**VXLAN, "dev": "v1"}]})
    away = {**pair, "netns": "red", "peer": {"name": "p1", "netns": ""}}
    run({"namespaces": ["red"], "links": [away, {**VXLAN, "id": 43}]}, Options(recreate=True))
    assert data("vx0")["id"] == 43 and "link" not in data("vx0") and link("v1", "-n", "red")


def test_a_link_made_anew_has_the_mtu_that_the_lower_device_leaves_it() -> None:
    pair = {"name": "v1", "kind": "veth", "peer": {"name": "p1"}}
    run({"links": [pair, {**VXLAN, "dev": "v1"}]})
    assert link("vx0")["mtu"] == 1450
    run({"links": [{**pair, "mtu": 1280, "numtxqueues": 4}, {**VXLAN, "id": 43}]}, Options(recreate=True))
    assert link("vx0")["mtu"] == 1230 and data("vx0")["id"] == 43


def test_a_link_comes_from_a_namespace_that_is_not_named_otherwise() -> None:
    sh("ip", "netns", "add", "red")
    sh("ip", "link", "add", "v1", "netns", "red", "type", "veth", "peer", "name", "p1")
    run({"links": [{"name": "p1", "move_from": ""}, {"name": "v1", "move_from": "red", "up": True}]})
    assert "UP" in link("v1")["flags"]


def test_an_mtu_is_measured_by_the_lower_device_that_stays() -> None:
    pair = {"name": "v1", "kind": "veth", "mtu": 1280, "peer": {"name": "p1"}}
    run({"links": [pair, {**VXLAN, "dev": "v1"}]})
    with pytest.raises(
        Refused, match=r"option mtu: 1400 is too large for the underlay: vxlan over v1 \(mtu 1280\) leaves 1230"
    ):
        run({"links": [{**VXLAN, "mtu": 1400}]})
