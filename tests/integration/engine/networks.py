# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random networks: descriptions as a user could write them, over few names so that they collide often."""

from __future__ import annotations

import functools
import os
from typing import Any, NamedTuple

from hypothesis import strategies as st

from .support import kernel_has

NAMESPACES = ["red", "green"]
IPV6 = os.path.exists("/proc/sys/net/ipv6")  # the guest's kernel has none
GENMODE = {"addrgenmode": st.sampled_from(["eui64", "none"])} if IPV6 else {}
SECTIONS = ("namespaces", "links", "addresses", "routes", "rules", "neighbors", "fdb", "sysctls", "chains")
Description = dict[str, list[Any]]
Options = dict[str, Any]

MTU = st.sampled_from([1280, 1400, 1500])
MAC = st.sampled_from(["02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"])
NOWHERE = st.sampled_from(["blackhole", "unreachable", "prohibit"])
PARAMETERS = ["net/ipv4/conf/{}/rp_filter", "net/ipv4/conf/{}/proxy_arp", "net/ipv4/neigh/{}/gc_stale_time"]
PARAMETERS += ["net/ipv6/conf/{}/ndisc_notify"] if IPV6 else []
NEXTHOP = st.fixed_dictionaries({"weight": st.sampled_from([1, 2, 3])})


def optional(**options: st.SearchStrategy[Any]) -> st.SearchStrategy[Options]:
    """Some of these options."""
    return st.fixed_dictionaries({}, optional=options)


def some(*values: Any) -> st.SearchStrategy[list[Any]]:
    """Some of these values, in any order."""
    return st.lists(st.sampled_from(values), unique=True)


BRIDGE = optional(
    up=st.booleans(),
    address=MAC,
    stp_state=st.booleans(),
    ageing_time=st.sampled_from([30000, 12345]),
    forward_delay=st.sampled_from([1500, 501]),
    mcast_snooping=st.booleans(),
    mcast_query_interval=st.sampled_from([12500, 6000]),
    priority=st.sampled_from([32768, 4096]),
    group_fwd_mask=st.sampled_from([0, 8]),
    no_linklocal_learn=st.booleans(),
)
END = optional(
    up=st.just(True), address=MAC, mtu=MTU, txqueuelen=st.sampled_from([1000, 500]), numtxqueues=st.sampled_from([1, 4]),
    alias=st.sampled_from(["", "the lab's"]), **GENMODE, arp=st.booleans(),
    promisc=st.booleans(), multicast=st.booleans(),
)  # fmt: skip
PORT = st.one_of(
    st.none(),
    optional(
        hairpin=st.booleans(), isolated=st.booleans(), cost=st.sampled_from([2, 100]), learning=st.booleans(),
        neigh_suppress=st.booleans(), mcast_router=st.sampled_from([0, 2]),
    ),
)  # fmt: skip
VXLAN = optional(
    up=st.booleans(),
    mtu=st.sampled_from([1280, 1400]),
    learning=st.booleans(),
    ageing=st.sampled_from([300, 60]),
    ttl=st.sampled_from([0, 7, "inherit"]),
    tos=st.sampled_from([0, "inherit"]),
    df=st.sampled_from(["unset", "set"]),
    l2miss=st.booleans(),
    udpcsum=st.booleans(),
    gbp=st.booleans(),
    srcport=st.sampled_from(["40000 50000"]),
)
IPIP = optional(
    up=st.booleans(),
    ttl=st.sampled_from([0, 33]),
    tos=st.sampled_from([0, "inherit"]),
    pmtudisc=st.just(True),
    mtu=st.sampled_from([1280, 1400]),
    fwmark=st.sampled_from([0, 7]),
    local=st.sampled_from(["192.0.2.1", "192.0.2.2"]),
)
RULE = optional(
    iif=st.sampled_from(["v0", "lo"]), fwmark=st.sampled_from([1, 2]), ipproto=st.sampled_from(["tcp", 17]),
    dport=st.sampled_from([80, "80-90"]), **{"not": st.just(True)},
)  # fmt: skip
CHAIN_RULES = some("-s 10.0.0.0/8 -j RETURN", "-d 192.0.2.1 -p tcp --dport 80 -j ACCEPT", "-o v0 -j MASQUERADE")


class End(NamedTuple):
    """An end of a veth, with a number that makes its addresses its own."""

    number: int
    netns: str
    name: str
    up: bool
    carrier: bool
    master: str

    @property
    def place(self) -> Options:
        """The options that say which link it is."""
        return {"netns": self.netns, "dev": self.name}


@st.composite
def descriptions(draw: Any) -> Description:
    """A network that the kernel can have."""
    spaces = draw(some(*NAMESPACES))
    places = ["", *spaces]
    found: Description = {section: [] for section in SECTIONS}
    found["namespaces"] = spaces
    bridges = draw(some("br0", "br1"))
    for name in bridges:
        found["links"].append({"name": name, "kind": "bridge", **draw(BRIDGE)})
    ends = _veths(draw, found, spaces, bridges)
    addressed = [end for end in ends if _addresses(draw, found, end)]
    for end in addressed:
        _routes(draw, found, end)
        _neighbors(draw, found, end)
    _vxlans(draw, found, places, bridges, ends)
    if kernel_has_ipip() and draw(st.booleans()):
        where = draw(st.sampled_from(places))
        found["links"].append({"name": "tun1", "kind": "ipip", "netns": where, "remote": "192.0.2.7", **draw(IPIP)})
    for place in places:
        _of_a_namespace(draw, found, place)
    return found


def _veths(draw: Any, found: Description, spaces: list[str], bridges: list[str]) -> list[End]:
    """Pairs whose ends are in any two namespaces; one of the host's may be a port of a bridge."""
    ends: list[End] = []
    for number in draw(some(0, 1, 2)):
        near = {"name": f"v{number}", "kind": "veth", "netns": "", **draw(END)}
        peer = {"name": f"p{number}", "netns": draw(st.sampled_from(["", *spaces])), **draw(END)}
        if bridges and draw(st.booleans()):
            near.update(master=draw(st.sampled_from(bridges)), port=draw(PORT))
        elif spaces and draw(st.booleans()):
            near["netns"] = draw(st.sampled_from(spaces))
        found["links"].append({**near, "peer": peer})
        for one in (near, peer):
            carrier = bool(near.get("up") and peer.get("up"))
            end = End(len(ends), one["netns"], one["name"], bool(one.get("up")), carrier, one.get("master", ""))
            ends.append(end)
            if end.master and draw(st.booleans()):
                entry = {"mac": f"02:00:00:00:01:{end.number:02x}", "which": "master", "entry_state": "static"}
                found["fdb"].append({**end.place, **entry})
            if draw(st.booleans()):
                name = draw(st.sampled_from(PARAMETERS)).format(end.name)
                found["sysctls"].append({"netns": end.netns, "name": name, "value": draw(st.sampled_from([0, 1]))})
    return ends


def _addresses(draw: Any, found: Description, end: End) -> bool:
    """Addresses of all sorts; whether the end is up and has one of each family, so that there can be routes."""
    n = end.number
    kinds = draw(some("four", "six", "peer", "passing"))
    if "four" in kinds:
        more = draw(optional(label=st.just(f"{end.name}:lab"), metric=st.sampled_from([5]), scope=st.just("link")))
        found["addresses"].append({**end.place, "address": f"10.{n}.0.{draw(st.sampled_from([1, 2]))}/24", **more})
    if "peer" in kinds:
        found["addresses"].append({**end.place, "address": f"10.9{n}.0.1/32", "peer": f"10.9{n}.0.2"})
    if "six" in kinds and end.up and IPV6:
        more = draw(optional(noprefixroute=st.just(False), preferred_lft=st.sampled_from([0, 900])))
        more = {"valid_lft": 1800, **more} if "preferred_lft" in more else more
        found["addresses"].append({**end.place, "address": f"2001:db8:{n}::1/64", "nodad": True, **more})
    if "passing" in kinds:
        life = {"valid_lft": draw(st.sampled_from([3600, 7200])), "preferred_lft": 1800}
        found["addresses"].append({**end.place, "address": f"10.8{n}.0.1/24", **life})
    return end.up and IPV6 and {"four", "six"} <= set(kinds)


def _routes(draw: Any, found: Description, end: End) -> None:
    """Through a gateway, straight, and over several next hops, in both families."""
    n = end.number
    sorts = draw(some("via", "straight", "several", "six", "several six", "six over four"))
    more = optional(
        dev=st.just(end.name), mtu=st.sampled_from([1300, 1200]), table=st.just(100), metric=st.sampled_from([5, 6]),
        proto=st.sampled_from(["bird", "static"]), advmss=st.just(1200),
    )  # fmt: skip
    if "via" in sorts:
        route = {"dst": f"10.1{n}.0.0/16", "via": f"10.{n}.0.9", **draw(more)}
        if draw(st.booleans()):
            route.update(dev=end.name, onlink=True)
        found["routes"].append({"netns": end.netns, **route})
    if "straight" in sorts:
        found["routes"].append(
            {**end.place, "dst": f"10.2{n}.0.0/16", "scope": draw(st.sampled_from(["link", "host"]))}
        )
    if "several" in sorts:
        hops = [{"via": f"10.{n}.0.{last}", **draw(NEXTHOP)} for last in (8, 9)]
        found["routes"].append({"netns": end.netns, "dst": f"10.3{n}.0.0/16", "nexthops": hops})
    if "six" in sorts:
        route = {"dst": f"2001:db8:1{n}::/48", "via": f"2001:db8:{n}::9", **draw(more)}
        found["routes"].append({"netns": end.netns, **route, **draw(optional(pref=st.sampled_from(["low", "high"])))})
    if "several six" in sorts:
        hops = [{"via": f"2001:db8:{n}::{last}", **draw(NEXTHOP)} for last in (8, 9)]
        found["routes"].append({"netns": end.netns, "dst": f"2001:db8:3{n}::/48", "nexthops": hops})
    if "six over four" in sorts:
        found["routes"].append({**end.place, "dst": f"10.4{n}.0.0/16", "via": f"2001:db8:{n}::9", "onlink": True})


def _neighbors(draw: Any, found: Description, end: End) -> None:
    """Permanent ones, noarp ones and proxy entries, in both families."""
    n = end.number
    # a noarp entry goes when the carrier does (neigh_carrier_down), and the kernel does that in the background
    for sort in draw(some("four", "six", "proxy", "proxy six", *(["noarp"] if end.carrier else []))):
        entry: Options = {
            "four": {"dst": f"10.{n}.0.77", "lladdr": draw(MAC)},
            "six": {"dst": f"2001:db8:{n}::77", "lladdr": draw(MAC), **draw(optional(router=st.booleans()))},
            "noarp": {"dst": f"10.{n}.0.76", "lladdr": draw(MAC), "nud": "noarp"},
            "proxy": {"dst": f"10.{n}.0.78", "proxy": True},
            "proxy six": {"dst": f"2001:db8:{n}::78", "proxy": True},
        }[sort]
        found["neighbors"].append({**end.place, **entry})


def _vxlans(draw: Any, found: Description, places: list[str], bridges: list[str], ends: list[End]) -> None:
    """One over IPv4, with its flooding entries and perhaps on a device or in a bridge; one over IPv6."""
    for name, at, far in (("vx0", "192.0.2.", "192.0.2.9"), *_six(("vx1", "2001:db8:ff::", "2001:db8:ff::9"))):
        if not draw(st.booleans()):
            continue
        vxlan = {"name": name, "kind": "vxlan", "netns": draw(st.sampled_from(places)), **draw(VXLAN)}
        vxlan.update(id=draw(st.sampled_from([42, 43])), dstport=4789 if name == "vx0" else 4790)
        vxlan.update(draw(optional(remote=st.sampled_from([far, f"{at}8"]))))
        if name == "vx1":
            vxlan.setdefault("remote", far)  # what tells the family
        lower = [end.name for end in ends if end.netns == vxlan["netns"] and end.up]
        if lower and draw(st.booleans()):
            vxlan["dev"] = draw(st.sampled_from(lower))
            vxlan.pop("mtu", None)
        elif "mtu" in vxlan:
            vxlan["dev"] = ""  # or it keeps one that this mtu may be too large for
        if bridges and not vxlan["netns"] and draw(st.booleans()):
            vxlan["master"] = draw(st.sampled_from(bridges))
        found["links"].append(vxlan)
        where = {"netns": vxlan["netns"], "dev": name}
        for last in draw(some("51", "52")):
            found["fdb"].append({**where, "mac": "00:00:00:00:00:00", "dst": f"{at}{last}"})
        if draw(st.booleans()):
            more = draw(optional(vni=st.just(99), port=st.just(8472)))
            found["fdb"].append(
                {**where, "mac": "02:00:00:00:00:0a", "dst": f"{at}{draw(st.sampled_from(['51', '52']))}", **more}
            )


def _six(*values: Any) -> tuple[Any, ...]:
    """What only a kernel with IPv6 can have."""
    return values if IPV6 else ()


def _of_a_namespace(draw: Any, found: Description, place: str) -> None:
    """What hangs on no link: routes that lead nowhere, rules, parameters, chains."""
    where = {"netns": place}
    for dst in draw(some("198.51.100.0/24", *_six("2001:db8:dead::/48"))):
        found["routes"].append({**where, "dst": dst, "type": draw(NOWHERE)})
    for priority in draw(some(100, 101)):
        source = draw(st.sampled_from(["10.0.0.0/8", "10.0.0.0/9", *_six("2001:db8::/32")]))
        outcome = draw(st.sampled_from([{"table": 100}, {"table": "main"}, {"action": "prohibit"}, {"goto": 200}]))
        selectors = draw(RULE)
        if "action" in outcome:
            selectors.pop("not", None)  # all but a few packets would be refused, and with them any gateway
        found["rules"].append({**where, "priority": priority, "from": source, **outcome, **selectors})
    if draw(st.booleans()):
        found["sysctls"].append({**where, "name": "net.ipv4.ip_forward", "value": draw(st.sampled_from([0, 1]))})
    for name in draw(some("LINUXNET-A", "LINUXNET-B")):
        jumps = draw(st.sampled_from([[], [{"from": "POSTROUTING", "at": "first"}]]))
        found["chains"].append({**where, "name": name, "table": "nat", "rules": draw(CHAIN_RULES), "jumps": jumps})


@functools.cache
def kernel_has_ipip() -> bool:
    """Asked once."""
    return kernel_has("ipip")


# Two ends of a veth with addresses of both families, and what a route over them may say.
CROSSING: Description = {
    "links": [{"name": "v0", "kind": "veth", "up": True, "peer": {"name": "p0", "up": True}}],
    "addresses": [
        {"dev": dev, "address": address, **({"nodad": True} if ":" in address else {})}
        for dev, number in (("v0", 1), ("p0", 2))
        for address in (f"10.{number}.0.1/24", *((f"2001:db8:{number}::1/64",) if IPV6 else ()))
    ],
}


@st.composite
def changed_routes(draw: Any) -> tuple[list[Options], list[Options]]:
    """Routes of few destinations, twice: what they are, and what they become; an option left out stays as it is."""
    before, after = [], []
    for dst in ("10.50.0.0/16", "10.51.0.0/16", *_six("2001:db8:50::/48")):
        sorts = ["nowhere", "via", "straight", "several", *([] if ":" in dst else ["onlink"])]
        was, now = draw(st.sampled_from(["", *sorts])), draw(st.sampled_from(["", "the same", *sorts]))
        if now == "straight" and was in ("via", "onlink"):
            now = "the same"  # a gateway that is left out stays
        if was:
            before.append({"dst": dst, **draw(_leading(was, dst)), **draw(_route_options(was, dst))})
        if now in sorts:
            after.append({"dst": dst, **draw(_leading(now, dst)), **draw(_route_options(now, dst))})
        elif now and was:
            after.append({"dst": dst, **draw(_route_options(was, dst))})
    return before, after


def _leading(sort: str, dst: str) -> st.SearchStrategy[Options]:
    """Where a route leads to: nowhere, over a gateway that is on the link or said to be, or over several."""
    gateways = [f"2001:db8:{n}::9" if ":" in dst else f"10.{n}.0.9" for n in (1, 2)]
    weights = st.tuples(*[st.sampled_from([1, 2])] * 2)
    found: dict[str, st.SearchStrategy[Options]] = {
        "nowhere": st.builds(lambda type_: {"type": type_}, NOWHERE),
        "via": st.builds(lambda via: {"type": "unicast", "via": via}, st.sampled_from(gateways)),
        "straight": st.builds(lambda dev: {"type": "unicast", "dev": dev}, st.sampled_from(["v0", "p0"])),
        "onlink": st.builds(
            lambda dev: {"type": "unicast", "via": "192.0.2.77", "dev": dev, "onlink": True}, st.sampled_from(["v0", "p0"])
        ),
        "several": st.builds(
            lambda pair: {
                "type": "unicast", "nexthops": [{"via": via, "weight": w} for via, w in zip(gateways, pair)],
            },
            weights,
        ),
    }  # fmt: skip
    return found[sort]


def _route_options(sort: str, dst: str) -> st.SearchStrategy[Options]:
    more = {} if sort == "nowhere" else {"pref": st.just("low")} if ":" in dst else {"src": st.just("10.1.0.1")}
    return optional(
        mtu=st.sampled_from([0, 1300]), advmss=st.just(1200), quickack=st.just(1), proto=st.sampled_from(["bird", "static"]),
        **more,
    )  # fmt: skip
