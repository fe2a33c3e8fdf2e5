# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""fdb_info against `bridge fdb`, field by field and word by word."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Options, run
from ansible_collections.linuxnet.lab.plugins.module_utils._info import fdb
from hypothesis import given
from hypothesis import strategies as st

from ..engine.networks import Description, descriptions
from ..engine.support import lab, own_network, sh
from ..engine.test_properties import profile
from ..modules.test_modules import module
from .looking import Record, at_rest, lines, look, make, texts, tool, typed

__all__ = ["lab"]

DEVICES = (
    "ip link add br0 type bridge", "ip link add v0 type veth peer name p0", "ip link set v0 master br0",
    "ip link add vx0 type vxlan id 42 dstport 4789 remote 192.0.2.9 dev v0", "ip link add vx1 type vxlan external dstport 4790",
    "ip link set vx1 master br0", *(f"ip link set {name} up" for name in ("br0", "v0", "p0", "vx0", "vx1")),
    "ip nexthop add id 7 via 192.0.2.77 fdb", "ip nexthop add id 8 group 7 fdb",
)  # fmt: skip

# ---- random entries, as a person types them -----------------------------------------------------------------------

MACS = st.sampled_from(["02:00:00:00:00:01", "02:00:00:00:00:02", "00:00:00:00:00:00", "01:00:5e:00:00:09"])
WAYS = st.sampled_from([
    "dev vx0 dst 192.0.2.7", "dev vx0 dst 192.0.2.8 port 8472", "dev vx0 dst 192.0.2.8 vni 77", "dev vx0 dst 192.0.2.8 via p0",
    "dev vx1 dst 192.0.2.7 src_vni 5", "dev vx1 dst 2001:db8::7 src_vni 5 vni 6", "dev vx0 nhid 8", "dev v0 self", "dev v0 master",
    "dev vx1 master", "dev br0 self", "dev p0 self", "dev v0 self master",
])  # fmt: skip
MORE = st.lists(
    st.sampled_from(["permanent", "static", "dynamic", "extern_learn", "sticky", "router"]), unique=True, max_size=2
)


@st.composite
def entries(draw: st.DrawFn) -> str:
    """A command that may well be refused."""
    return f"bridge fdb {draw(st.sampled_from(['add', 'append', 'replace']))} {draw(MACS)} {draw(WAYS)} {' '.join(draw(MORE))}"


# ---- a record in the words of `bridge -j fdb` ---------------------------------------------------------------------


def as_bridge_says(record: Record) -> Record:
    """The record as iproute2 tells the same."""
    names = {"mac": "mac", "dev": "ifname", "dst": "dst", "vlan": "vlan", "port": "port", "vni": "vni", "src_vni": "src_vni",
             "via": "viaIf", "nhid": "nhid", "master": "master", "link_netnsid": "linkNetNsId"}  # fmt: skip
    found: Record = {theirs: record[ours] for ours, theirs in names.items() if record[ours] is not None}
    found["state"] = "" if record["entry_state"] == "dynamic" else record["entry_state"]
    found["flags"] = [word for word in ("router", "extern_learn", "offload", "sticky") if record[word]]
    if record["which"] == "self":
        found["flags"].insert(0, "self")
    return found


def _plain(said: Record) -> Record:
    """Without the clock; a port's own list has no word for whose it is, if nobody set the flag."""
    return {name: value for name, value in said.items() if name not in ("used", "updated")}


def agree(netns: str = "") -> list[Record]:
    """All entries, which are what `bridge fdb` says."""
    command = ["bridge", *(["-n", netns] if netns else [])]
    found, said, printed = at_rest(
        lambda: [{**one, "used": None, "updated": None} for one in look(fdb, netns=netns or None)],
        lambda: tool(*command, "-j", "-d", "fdb"),
        lambda: lines(*command, "fdb"),
    )
    assert [as_bridge_says(one) for one in found] == [_plain(one) for one in said]
    assert texts(found) == printed
    return found


@profile
@given(st.lists(entries(), min_size=3, max_size=14), st.data())
def test_random_entries_read_as_bridge_fdb_prints_them(commands: list[str], data: st.DataObject) -> None:
    with own_network():
        make(*DEVICES)
        typed(commands)
        every = agree()
        one = data.draw(st.sampled_from(every))
        for name in ("dev", "mac", "master", "which", "dst", "entry_state", "learned"):
            if one[name] is not None:
                kept = [{**other, "used": None, "updated": None} for other in look(fdb, **{name: one[name]})]
                assert kept == [other for other in every if other[name] == one[name]], name


@profile
@given(descriptions())
def test_the_entries_of_any_network_read_as_bridge_fdb_prints_them(description: Description) -> None:
    with own_network():
        run(description, Options(name="lab", prune=True))
        for netns in ("", *description["namespaces"]):
            agree(netns)


@pytest.mark.usefixtures("lab")
def test_how_long_ago_is_told_in_seconds() -> None:
    make(*DEVICES, "bridge fdb add 02:00:00:00:00:01 dev vx0 dst 192.0.2.7")
    (ours,), (theirs,) = at_rest(
        lambda: look(fdb, mac="02:00:00:00:00:01"),
        lambda: [one for one in tool("bridge", "-j", "-s", "fdb") if one["mac"] == "02:00:00:00:00:01"],
    )
    assert (ours["used"], ours["updated"]) == (theirs["used"], theirs["updated"])


# ---- what the documents show --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("lab")
def test_the_default_end_point_and_the_multicast_addresses() -> None:  # D11, D14, G5
    make("ip link add veth1 type veth peer name veth2", "ip link set veth1 up", "ip link set veth2 up",
         "ip link add vxlan0 type vxlan id 42 dstport 4789 remote 192.168.1.3 local 192.168.1.2 dev veth1",
         "ip link set vxlan0 up")  # fmt: skip
    (default,) = look(fdb, dev="vxlan0", mac="00:00:00:00:00:00")
    assert default["text"] == "00:00:00:00:00:00 dev vxlan0 dst 192.168.1.3 via veth1 self permanent"
    assert (default["dst"], default["via"], default["which"], default["learned"]) == (
        "192.168.1.3",
        "veth1",
        "self",
        False,
    )
    own = texts(look(fdb, dev="veth1"))
    assert "33:33:00:00:00:01 dev veth1 self permanent" in own and "01:00:5e:00:00:01 dev veth1 self permanent" in own


@pytest.mark.usefixtures("lab")
def test_what_an_overlay_and_a_bridge_learn() -> None:  # B18, D12
    make(
        "ip netns add node1", "ip netns add node2", "ip link add veth1 netns node1 type veth peer name veth2 netns node2",
        *(f"ip -n node{n} addr add 192.168.1.{n + 1}/24 dev veth{n}" for n in (1, 2)),
        *(f"ip -n node{n} link set {name} up" for n in (1, 2) for name in ("lo", f"veth{n}")),
        *(f"ip -n node{n} link add vxlan0 type vxlan id 42 dstport 4789 remote 192.168.1.{4 - n} local 192.168.1.{n + 1} dev veth{n}"
          for n in (1, 2)),
        *(f"ip -n node{n} addr add 172.17.1.{n + 1}/24 dev vxlan0" for n in (1, 2)),
        *(f"ip -n node{n} link set vxlan0 up" for n in (1, 2)),
        "ip link add br0 type bridge", "ip link add port type veth peer name end netns node1", "ip link set port master br0 up",
        "ip link set br0 up", "ip -n node1 addr add 10.0.0.2/24 dev end", "ip -n node1 link set end up", "ip addr add 10.0.0.1/24 dev br0",
    )  # fmt: skip
    sh("ip", "netns", "exec", "node1", "ping", "-c2", "-i0.2", "-W2", "172.17.1.3")
    sh("ping", "-c2", "-i0.2", "-W2", "10.0.0.2")
    (learned,) = look(fdb, netns="node1", dev="vxlan0", learned=True, dst="192.168.1.3")
    assert learned["text"] == f"{learned['mac']} dev vxlan0 dst 192.168.1.3 self"
    assert learned["mac"] in sh("ip", "-n", "node2", "link", "show", "vxlan0")
    (behind,) = look(fdb, master="br0", learned=True)
    assert behind["text"] == f"{behind['mac']} dev port master br0" and behind["which"] == "master"
    assert behind["mac"] in sh("ip", "-n", "node1", "link", "show", "end")
    agree("node1")
    agree()


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"mac": "02:00"}, "option mac: '02:00' is not a MAC address"),
        ({"dst": "here"}, "option dst: 'here' is not an IP address"),
        ({"entry_state": "gone"}, "value of entry_state must be one of"),
        ({"netns": "nowhere"}, "there is no network namespace nowhere"),
    ],
)
def test_mistakes_are_told(wrong: dict[str, Any], word: str) -> None:
    answer = module("fdb_info", **wrong)
    assert answer["failed"] and word in answer["msg"], answer


@pytest.mark.usefixtures("lab")
def test_through_the_modules_own_entry_point() -> None:
    make(*DEVICES)
    for check in (False, True):
        answer = module("fdb_info", check=check, dev="vx0")
        assert answer["changed"] is False
        assert [one["text"] for one in answer["fdb"]] == [
            "00:00:00:00:00:00 dev vx0 dst 192.0.2.9 via v0 self permanent"
        ]
