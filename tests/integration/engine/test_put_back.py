# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hangs on a link that is torn: all its parameters come back; what cannot come back is said, not lost silently."""

from __future__ import annotations

import os
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Failed, Options, Refused, run
from ansible_collections.linuxnet.lab.plugins.module_utils._kinds import link, sysctl
from ansible_collections.linuxnet.lab.plugins.module_utils._model import Op
from ansible_collections.linuxnet.lab.plugins.module_utils._netlink import Channel

from .networks import IPV6
from .support import bridges_have_vlans, sh, state, unlike

PAIR: dict[str, Any] = {"name": "p0", "kind": "veth", "master": "br0", "peer": {"name": "p1", "up": True}}
PAIR |= {"up": True, "numtxqueues": 1}
BRIDGE = {"name": "br0", "kind": "bridge", "up": True}
ANEW: dict[str, Any] = {"links": [{**PAIR, "numtxqueues": 2}]}
AGAIN = Options(recreate=True)
LAST = {"dst": "172.16.0.0/12", "type": "blackhole"}
FAMILIES = ("ipv4", "ipv6") if IPV6 else ("ipv4",)
FOLDERS = [f"/proc/sys/net/{family}/{what}/p0" for family in FAMILIES for what in ("conf", "neigh")]
# Values to try: the first that the kernel takes and keeps, and that is another than the one before.
VALUES = ("1", "0", "2", "3", "77", "1400", "90000", "2001:db8::5ec")
QDISC = "tc qdisc add dev {} root handle 7: pfifo limit 7"
GROUP = "bridge mdb add dev br0 port p0 grp 239.1.1.1 permanent"


@pytest.fixture(autouse=True)
def network(lab: None) -> None:
    """A bridge with a port."""
    run({"links": [BRIDGE, PAIR]})


def the_last_op(_number: int, op: Op) -> None:
    """A fault when all else has been done."""
    if op.key.ident[2:3] == (LAST["dst"],):
        raise RuntimeError("on purpose")


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:  # a secret that is not set
        return ""


def _write(path: str, value: str) -> bool:
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(value)
    except OSError:
        return False
    return True


def _other_value(path: str) -> str:
    """Give a parameter another value than it has."""
    before = _read(path)
    for value in VALUES:
        if value != before and _write(path, value) and _read(path) != before:
            return _read(path)
    return before


def _parameters() -> dict[str, str]:
    return {f"{folder}/{name}": _read(f"{folder}/{name}") for folder in FOLDERS for name in sorted(os.listdir(folder))}


def _change_all_parameters() -> list[str]:
    """Give each parameter of p0 another value; returns those that the kernel lets nobody change."""
    fixed = []
    for path in _parameters():
        name = os.path.basename(path)
        if name in sysctl.NOT_PUT_BACK:
            continue
        before = _read(path)
        if _other_value(path) == before:
            fixed.append(name)
    return fixed


def test_every_parameter_of_a_link_that_is_made_anew_is_put_back() -> None:
    fresh = _parameters()
    assert _change_all_parameters() == []
    before = _parameters()
    assert {os.path.basename(path) for path in fresh if fresh[path] == before[path]} <= sysctl.NOT_PUT_BACK.keys()
    run(ANEW, AGAIN)
    assert not unlike(before, _parameters())
    with pytest.raises(Failed, match="on purpose") as failed:
        run({"links": [{**PAIR, "numtxqueues": 3}], "routes": [LAST]}, AGAIN, the_last_op)
    assert failed.value.rolled_back, failed.value.left
    assert not unlike(before, _parameters())
    assert not run(ANEW, AGAIN).changed


def test_what_is_stated_for_all_links_holds_for_one_that_is_made_anew() -> None:
    run({**ANEW, "sysctls": [{"name": "net.ipv4.ip_forward", "value": 1}]}, AGAIN)
    assert _read("/proc/sys/net/ipv4/conf/p0/forwarding") == "1"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_arrays_of_a_message_hold_the_parameters_where_they_are_looked_for(family: str) -> None:
    """A position that is wrong would write one parameter's value into another."""

    def array() -> bytes:
        with Channel() as channel:
            found = [m for m in channel.dump(link.DUMP, link.WANTED) if m["IFLA_IFNAME"] == "p0"]
        data: bytes = found[0]["IFLA_AF_SPEC"][family]
        return data

    for position, name in sysctl._OF_LINK[family].items():
        path = f"/proc/sys/net/{family}/conf/p0/{name}"
        if not os.path.exists(path):  # an older kernel's array ends before it
            continue
        earlier, old = array(), _read(path)
        assert _other_value(path) != old, name
        later = array()
        changed = [n for n in range(len(later) // 4) if later[4 * n : 4 * n + 4] != earlier[4 * n : 4 * n + 4]]
        assert changed == [position], name
        assert _write(path, old)


@pytest.mark.parametrize("link_", [{**PAIR, "numtxqueues": 2}, {**BRIDGE, "numtxqueues": 2}], ids=["port", "bridge"])
@pytest.mark.parametrize(
    "line, told",
    [
        ("bridge vlan add dev p0 vid 10 pvid untagged", "vlan 10 dev p0 pvid untagged"),
        ("bridge vlan del dev p0 vid 1", "the lack of vlan 1 dev p0 pvid untagged"),
    ],
)
def test_vlans_of_a_port_are_not_torn(line: str, told: str, link_: dict[str, Any]) -> None:
    if not bridges_have_vlans():
        pytest.skip("KERNEL: this one has no CONFIG_BRIDGE_VLAN_FILTERING; it is run in a guest that has")
    run({"links": [link_]}, AGAIN)  # with its default VLAN alone it may be made anew
    sh(*line.split())
    with pytest.raises(Refused, match=told):
        run({"links": [{**link_, "numtxqueues": 3}]}, AGAIN)
    with pytest.raises(Failed, match="on purpose") as failed:
        run({"links": [{"name": "p0", "master": ""}], "routes": [LAST]}, fault=the_last_op)
    assert f"{told} cannot be put back" in failed.value.left


@pytest.mark.parametrize(
    "line, told",
    [
        (QDISC.format("p0"), "qdisc pfifo 7: dev p0 root"),
        (QDISC.format("p1"), "qdisc pfifo 7: dev p1 root"),
        ("tc qdisc add dev p0 clsact", "qdisc clsact ffff: dev p0 ingress"),
        (GROUP, "mdb dev br0 port p0 grp 239.1.1.1 permanent"),
        ("ip link property add dev p0 altname uplink", "altname uplink dev p0"),
    ],
)
def test_what_cannot_be_put_back_is_not_torn(line: str, told: str) -> None:
    sh(*line.split())
    before = state(with_ifindex=True)
    with pytest.raises(Refused, match=told):
        run(ANEW, AGAIN)
    with pytest.raises(Refused, match=told):
        run(ANEW, AGAIN._replace(check=True))
    assert not unlike(before, state(with_ifindex=True))


def test_a_group_of_a_bridge_that_would_be_made_anew() -> None:
    sh(*GROUP.split())
    with pytest.raises(Refused, match="mdb dev br0 port p0"):
        run({"links": [{**BRIDGE, "numtxqueues": 2}]}, AGAIN)


def test_a_qdisc_of_a_port_survives_its_bridge() -> None:
    sh(*QDISC.format("p0").split())
    run({"links": [{**BRIDGE, "numtxqueues": 2}]}, AGAIN)
    assert "pfifo 7:" in sh("tc", "qdisc", "show", "dev", "p0")


CHANGED = [
    f"/proc/sys/net/{family}/neigh/{{}}/{name}" for family in FAMILIES for name in ("gc_stale_time", "proxy_qlen")
]
for own in ("ndisc_notify", "regen_min_advance", "router_solicitation_interval") if IPV6 else ():
    CHANGED.append(f"/proc/sys/net/ipv6/conf/{{}}/{own}")
VXLAN: dict[str, Any] = {"name": "vx0", "kind": "vxlan", "id": 42, "dstport": 4789}


def test_a_change_that_only_a_new_link_can_take_back() -> None:
    """A device can be put under a VXLAN in place, but not taken away: the way back makes it anew."""
    run({"links": [VXLAN]})
    for path in CHANGED:
        assert _write(path.format("vx0"), "9")
    before = state()
    with pytest.raises(Failed, match="on purpose") as failed:
        run(
            {"links": [{**VXLAN, "dev": "br0"}, {"name": "p0", "state": "absent"}], "routes": [LAST]}, fault=the_last_op
        )
    assert failed.value.rolled_back, failed.value.left
    assert not unlike(before, state())


LOST = {
    "p0": "qdisc pfifo 7: dev p0 root cannot be put back",
    "p1": "qdisc pfifo 7: dev p1 root cannot be put back",
    "group": "mdb dev br0 port p0 grp 239.1.1.1 permanent cannot be put back",
}


@pytest.mark.parametrize(
    "change, lost",
    [
        ({"links": [{"name": "p0", "state": "absent"}]}, {"p0", "p1", "group"}),
        ({"links": [{"name": "br0", "state": "absent"}]}, {"group"}),
        ({"links": [{"name": "p0", "master": ""}]}, {"group"}),
        ({"namespaces": ["red"], "links": [{"name": "p1", "netns": "red", "move_from": ""}]}, {"p1"}),
    ],
    ids=["port", "bridge", "leaves", "moves"],
)
def test_a_way_back_that_cannot_bring_back_everything_says_so(change: dict[str, Any], lost: set[str]) -> None:
    for line in (QDISC.format("p0"), QDISC.format("p1"), GROUP):
        sh(*line.split())
    with pytest.raises(Failed, match="on purpose") as failed:
        run({**change, "routes": [LAST]}, fault=the_last_op)
    assert not failed.value.rolled_back
    assert set(failed.value.left) == {LOST[name] for name in lost}


@pytest.mark.parametrize(
    "change",
    [
        {"links": [{"name": "p0", "state": "absent"}]},
        {"links": [{"name": "p0", "mtu": 1000}]},
        {"links": [{"name": "br0", "state": "absent"}]},
        {"namespaces": ["red"], "links": [{"name": "p0", "netns": "red", "move_from": ""}]},
        {"links": [{"name": "q0", "kind": "veth", "mtu": 1000, "master": "br0", "peer": {"name": "q1"}}]},
    ],
    ids=["absent", "mtu", "bridge", "moves", "another port"],
)
def test_a_way_back_brings_back_every_parameter(change: dict[str, Any]) -> None:
    for name in ("p0", "p1", "br0"):
        for path in CHANGED:
            assert _write(path.format(name), "9")
    before = state()
    with pytest.raises(Failed, match="on purpose") as failed:
        run({**change, "routes": [LAST]}, Options(adopt=True), the_last_op)
    assert failed.value.rolled_back, failed.value.left
    assert not unlike(before, state())
