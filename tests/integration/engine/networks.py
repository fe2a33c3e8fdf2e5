# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random networks: descriptions as a user could write them, over few names so that they collide often."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from .support import kernel_has

NAMESPACES = ["", "red", "green"]
Description = dict[str, list[Any]]

MTU = st.sampled_from([1280, 1400, 1500])
MAC = st.sampled_from(["02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"])


def optional(**options: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of these options."""
    return st.fixed_dictionaries({}, optional=options)


BRIDGE = optional(
    up=st.booleans(),
    address=MAC,
    stp_state=st.booleans(),
    ageing_time=st.sampled_from([30000, 12345]),
    forward_delay=st.sampled_from([1500, 501]),
    mcast_snooping=st.booleans(),
    priority=st.sampled_from([32768, 4096]),
)
END = optional(up=st.just(True), address=MAC, mtu=MTU)
PORT = st.one_of(st.none(), optional(hairpin=st.booleans(), isolated=st.booleans(), cost=st.sampled_from([2, 100])))
VXLAN = optional(
    up=st.booleans(),
    mtu=st.sampled_from([1280, 1400]),
    learning=st.booleans(),
    ageing=st.sampled_from([300, 60]),
    ttl=st.sampled_from([0, 7]),
    l2miss=st.booleans(),
    remote=st.sampled_from(["192.0.2.9", "192.0.2.8"]),
)
IPIP = optional(
    up=st.booleans(),
    ttl=st.sampled_from([0, 33]),
    pmtudisc=st.booleans(),
    local=st.sampled_from(["192.0.2.1", "192.0.2.2"]),
)


@st.composite
def descriptions(draw: Any) -> Description:
    """A network that the kernel can have."""
    spaces = draw(st.lists(st.sampled_from(NAMESPACES[1:]), unique=True))
    places = ["", *spaces]
    found: Description = {
        "namespaces": spaces, "links": [], "addresses": [], "routes": [], "neighbors": [], "fdb": [], "sysctls": [],
    }  # fmt: skip
    bridges = draw(st.lists(st.sampled_from(["br0", "br1"]), unique=True))
    for name in bridges:
        found["links"].append({"name": name, "kind": "bridge", **draw(BRIDGE)})
    ends: list[tuple[str, str, bool]] = []
    for number in draw(st.lists(st.sampled_from([0, 1, 2]), unique=True)):
        near = {"name": f"v{number}", "kind": "veth", "netns": "", **draw(END)}
        peer = {"name": f"p{number}", "netns": draw(st.sampled_from(places)), **draw(END)}
        if bridges and draw(st.booleans()):
            near["master"] = draw(st.sampled_from(bridges))
            near["port"] = draw(PORT)
        if draw(st.booleans()) and spaces:
            near["netns"] = draw(st.sampled_from(spaces))
            near.pop("master", None)
            near.pop("port", None)
        found["links"].append({**near, "peer": peer})
        ends.append((near["netns"], near["name"], bool(near.get("up"))))
        ends.append((peer["netns"], peer["name"], bool(peer.get("up"))))
    up_ends = []
    for number, (place, name, up) in enumerate(ends):
        if draw(st.booleans()):
            found["addresses"].append(
                {"netns": place, "dev": name, "address": f"10.{number}.0.{draw(st.sampled_from([1, 2]))}/24"}
            )
            if up:
                up_ends.append((number, place, name))
        if draw(st.booleans()) and up:
            found["addresses"].append(
                {"netns": place, "dev": name, "address": f"2001:db8:{number}::1/64", "nodad": True}
            )
    for number, place, name in up_ends:
        if draw(st.booleans()):
            _route(draw, found, number, place, name)
        if draw(st.booleans()):
            found["neighbors"].append({"netns": place, "dev": name, "dst": f"10.{number}.0.77", "lladdr": draw(MAC)})
        if draw(st.booleans()):
            found["neighbors"].append({"netns": place, "dev": name, "dst": f"10.{number}.0.78", "proxy": True})
    if draw(st.booleans()):
        where = draw(st.sampled_from(places))
        found["links"].append(
            {
                "name": "vx0",
                "kind": "vxlan",
                "netns": where,
                "id": draw(st.sampled_from([42, 43])),
                "dstport": 4789,
                **draw(VXLAN),
            }
        )
        for last in draw(st.lists(st.sampled_from([51, 52]), unique=True)):
            found["fdb"].append({"netns": where, "dev": "vx0", "mac": "00:00:00:00:00:00", "dst": f"192.0.2.{last}"})
        if draw(st.booleans()):
            found["fdb"].append(
                {
                    "netns": where,
                    "dev": "vx0",
                    "mac": "02:00:00:00:00:0a",
                    "dst": draw(st.sampled_from(["192.0.2.51", "192.0.2.52"])),
                }
            )
    if kernel_has_ipip() and draw(st.booleans()):
        where = draw(st.sampled_from(places))
        found["links"].append({"name": "tun1", "kind": "ipip", "netns": where, "remote": "192.0.2.7", **draw(IPIP)})
    for place in places:
        if draw(st.booleans()):
            found["routes"].append(
                {
                    "netns": place,
                    "dst": "198.51.100.0/24",
                    "type": draw(st.sampled_from(["blackhole", "unreachable", "prohibit"])),
                }
            )
        if draw(st.booleans()):
            found["sysctls"].append(
                {"netns": place, "name": "net.ipv4.ip_forward", "value": draw(st.sampled_from([0, 1]))}
            )
    return found


def _route(draw: Any, found: Description, number: int, place: str, name: str) -> None:
    route: dict[str, Any] = {"netns": place, "dst": f"10.1{number}.0.0/16", "via": f"10.{number}.0.9"}
    route.update(
        draw(
            optional(
                dev=st.just(name), mtu=st.sampled_from([1300, 1200]), table=st.just(100), metric=st.sampled_from([5, 6]),
                onlink=st.just(True), proto=st.sampled_from(["bird", "static"]),
            )
        )
    )  # fmt: skip
    if "onlink" in route:
        route["dev"] = name
    found["routes"].append(route)


_ipip: list[bool] = []


def kernel_has_ipip() -> bool:
    """Asked once."""
    if not _ipip:
        _ipip.append(kernel_has("ipip"))
    return _ipip[0]
