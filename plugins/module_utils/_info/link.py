# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links as `ip -d -s link` and `ip addr` show them, with both ends of what connects namespaces
(net/core/rtnetlink.c, rtnl_fill_ifinfo; iproute2's ip/ipaddress.c).
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from .. import _netlink as nl
from .._kinds import link, veth
from . import address, link_data, link_text
from .view import Record, View

OPERSTATES = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")  # RFC 2863
LINKMODES = ("default", "dormant")
IFF_UP, IFF_RUNNING = 0x1, 0x40
FLAGS = {  # include/uapi/linux/if.h, in the order of iproute2
    "LOOPBACK": 0x8, "BROADCAST": 0x2, "POINTOPOINT": 0x10, "MULTICAST": 0x1000, "NOARP": 0x80, "ALLMULTI": 0x200,
    "PROMISC": 0x100, "MASTER": 0x400, "SLAVE": 0x800, "DEBUG": 0x4, "DYNAMIC": 0x8000, "AUTOMEDIA": 0x4000,
    "PORTSEL": 0x2000, "NOTRAILERS": 0x20, "UP": 0x1, "LOWER_UP": 0x10000, "DORMANT": 0x20000, "ECHO": 0x40000,
}  # fmt: skip
# include/uapi/linux/if_arp.h, with iproute2's words for what people meet
LINK_TYPES = {
    1: "ether", 512: "ppp", 768: "ipip", 769: "tunnel6", 772: "loopback", 776: "sit", 778: "gre", 280: "can",
    823: "gre6", 824: "netlink", 32: "infiniband", 65534: "none", 0xFFFF: "void",
}  # fmt: skip
# field: attribute, of those that need no thought
PLAIN = {
    "mtu": "IFLA_MTU", "min_mtu": "IFLA_MIN_MTU", "max_mtu": "IFLA_MAX_MTU", "qdisc": "IFLA_QDISC",
    "txqueuelen": "IFLA_TXQLEN", "address": "IFLA_ADDRESS", "broadcast": "IFLA_BROADCAST",
    "permaddr": "IFLA_PERM_ADDRESS", "alias": "IFLA_IFALIAS", "promiscuity": "IFLA_PROMISCUITY",
    "allmulti": "IFLA_ALLMULTI", "carrier_changes": "IFLA_CARRIER_CHANGES", "numtxqueues": "IFLA_NUM_TX_QUEUES",
    "numrxqueues": "IFLA_NUM_RX_QUEUES", "gso_max_size": "IFLA_GSO_MAX_SIZE", "gso_max_segs": "IFLA_GSO_MAX_SEGS",
    "tso_max_size": "IFLA_TSO_MAX_SIZE", "tso_max_segs": "IFLA_TSO_MAX_SEGS", "gro_max_size": "IFLA_GRO_MAX_SIZE",
    "gso_ipv4_max_size": "IFLA_GSO_IPV4_MAX_SIZE", "gro_ipv4_max_size": "IFLA_GRO_IPV4_MAX_SIZE",
    "portname": "IFLA_PHYS_PORT_NAME", "parentbus": "IFLA_PARENT_DEV_BUS_NAME", "parentdev": "IFLA_PARENT_DEV_NAME",
}  # fmt: skip
WANTED = (
    *link.WANTED, *PLAIN.values(), "IFLA_OPERSTATE", "IFLA_LINKMODE", "IFLA_CARRIER", "IFLA_PROTO_DOWN", "IFLA_XDP",
    "IFLA_XDP_ATTACHED", "IFLA_XDP_PROG_ID", "IFLA_STATS64",
)  # fmt: skip
DUMP = nl.Request(nl.RTM_GETLINK, {})
COUNTERS = ("bytes", "packets", "errors", "dropped")

SPEC: dict[str, Any] = {
    "name": {"type": "str"},
    "ifindex": {"type": "int"},
    "kind": {"type": "str", "aliases": ["type"]},
    "master": {"type": "str"},
    "up": {"type": "bool"},
    "group": {"type": "str"},
    "to": {"type": "str"},
}


def read(view: View, params: dict[str, Any]) -> Iterator[Record]:
    """The links of a namespace that are asked for."""
    net = _network(params["to"]) if params["to"] else None
    messages = view.dump(DUMP, WANTED)
    names = {message["index"]: message["IFLA_IFNAME"] for message in messages}
    flags = {message["index"]: message["flags"] for message in messages}
    addresses = address.by_link(view)
    chosen = []
    for message in messages:
        found = _record(message, view.netns, names, addresses.get(message["index"], []))
        if _wanted(found, params, net):
            chosen.append((message, found))
    ends = far_ends(view, [message for message, _found in chosen], names)
    for message, found in chosen:
        end = ends.get(message["index"])
        is_veth = found["kind"] == veth.NAME
        found.update(peer=end if is_veth else None, lower=None if is_veth else end)
        if end and end["nsid"] is None and not flags.get(end["ifindex"], IFF_UP) & IFF_UP:
            found["flags"].append("M-DOWN")  # as iproute2 says of a link on top of one that is not up
        yield {**found, "text": link_text.text(found, _other(message, end), _netns_name(view, end))}


def _other(message: dict[str, Any], end: Record | None) -> str:
    """What iproute2 writes behind the @ of a link's name."""
    if end is None or not end["ifindex"]:
        return "NONE" if "IFLA_LINK" in message else ""
    return end["name"] if end["nsid"] is None and end["name"] else f"if{end['ifindex']}"


def _netns_name(view: View, end: Record | None) -> str:
    """The name of the namespace that a link's other end is in; '' where it has none."""
    if end is None or end["netns"] is None:
        return ""
    netns = end["netns"] or view.namespaces.known().get(view.namespaces.own, "")
    return "" if netns.startswith("/") else netns


def _network(given: str) -> Any:
    try:
        return ipaddress.ip_network(given, strict=False)
    except ValueError:
        raise ValueError(f"option to: {given!r} is neither an IP address nor a prefix") from None


def _wanted(found: Record, params: dict[str, Any], net: Any) -> bool:
    if params["name"] not in (None, found["name"], *found["altnames"]):
        return False
    if params["master"] is not None and params["master"] != (found["master"] or ""):
        return False
    if params["group"] not in (None, str(found["group"])):
        return False
    if net is not None and not any(_inside(one, net) for one in found["addresses"]):
        return False
    return all(params[option] in (None, found[option]) for option in ("ifindex", "kind", "up"))


def _inside(one: Record, net: Any) -> bool:
    host = ipaddress.ip_interface(one["address"]).ip
    return host.version == net.version and host in net


def _record(message: dict[str, Any], netns: str, names: dict[int, str], addresses: list[Record]) -> Record:
    info, spec, flags = message.get("IFLA_LINKINFO", {}), message.get("IFLA_AF_SPEC", {}), message["flags"]
    master = message.get("IFLA_MASTER")
    kind_of_port = info.get("IFLA_INFO_SLAVE_KIND")
    return {
        "name": message["IFLA_IFNAME"],
        "ifindex": message["index"],
        "kind": info.get("IFLA_INFO_KIND"),
        "flags": _flags(flags),
        **{field: message.get(attribute) for field, attribute in PLAIN.items()},
        "altnames": message.get("IFLA_PROP_LIST", {}).get("IFLA_ALT_IFNAME", []),
        "master": names.get(master, f"if{master}") if master else None,
        "operstate": _word(OPERSTATES, message.get("IFLA_OPERSTATE", 0)),
        "mode": _word(LINKMODES, message.get("IFLA_LINKMODE", 0)),
        "group": message.get("IFLA_GROUP") or "default",
        "link_type": LINK_TYPES.get(message["ifi_type"], str(message["ifi_type"])),
        "carrier": bool(message["IFLA_CARRIER"]) if "IFLA_CARRIER" in message else None,
        "protodown": bool(message.get("IFLA_PROTO_DOWN")),
        "addrgenmode": link.ATTRIBUTES["addrgenmode"].load(spec["addrgenmode"]) if "addrgenmode" in spec else None,
        **{option: bool(flags & bit) == meaning for option, (bit, meaning) in link.FLAGS.items()},
        "xdp": message["IFLA_XDP"].get("IFLA_XDP_PROG_ID") if message.get("IFLA_XDP") else None,
        "data": link_data.of_kind(message, netns, names),
        "port_kind": kind_of_port,
        "port": link_data.of_port(message, netns, names),
        "statistics": _statistics(message.get("IFLA_STATS64", {})),
        "addresses": addresses,
    }


def _flags(flags: int) -> list[str]:
    found = ["NO-CARRIER"] if flags & IFF_UP and not flags & IFF_RUNNING else []
    return found + [word for word, bit in FLAGS.items() if flags & bit]


def _word(words: tuple[str, ...], number: int) -> str:
    return words[number] if number < len(words) else str(number)


def _statistics(counted: dict[str, int]) -> dict[str, dict[str, int]]:
    """As in `ip -s link`: both ways."""
    rx = {word: counted.get(f"rx_{word}", 0) for word in (*COUNTERS, "over_errors", "missed_errors")}
    tx = {word: counted.get(f"tx_{word}", 0) for word in (*COUNTERS, "carrier_errors")}
    return {
        "rx": {**rx, "multicast": counted.get("multicast", 0)},
        "tx": {**tx, "collisions": counted.get("collisions", 0)},
    }


def far_ends(view: View, messages: Iterable[dict[str, Any]], names: dict[int, str]) -> dict[int, Record]:
    """{ifindex: the veth's peer, or the lower link}: name, ifindex, netns, nsid.

    The nsid is None in the same namespace. The name is known even where nobody can tell which namespace it is.
    """
    found: dict[int, Record] = {}
    veths: dict[int, list[tuple[int, int]]] = defaultdict(list)
    others: dict[int, None] = {}
    for message in messages:
        number, far, nsid = message["index"], message.get("IFLA_LINK") or None, message.get("IFLA_LINK_NETNSID")
        if far is None and nsid is None:
            continue
        found[number] = {"name": names.get(far or 0), "ifindex": far, "netns": view.netns, "nsid": nsid}
        if nsid is None:
            continue
        found[number].update(name=None, netns=None)
        if nsid >= 0 and far and message.get("IFLA_LINKINFO", {}).get("IFLA_INFO_KIND") == veth.NAME:
            veths[nsid].append((number, far))
        elif nsid >= 0:
            others[nsid] = None
    foreign = [end for end in found.values() if (end["nsid"] or 0) >= 0 and end["nsid"] is not None]
    if foreign:
        owners = view.owners.of(view.netns, veths, others)
        for end, name in zip(foreign, _names_there(view, foreign)):
            end.update(name=name, netns=owners.get(end["nsid"]))
    return found


def _names_there(view: View, ends: list[Record]) -> list[str | None]:
    """The names of links in other namespaces, asked for by nsid from here: those need not be entered for it."""
    mask = {"IFLA_EXT_MASK": nl.RTEXT_FILTER_SKIP_STATS}
    requests = [
        nl.Request(nl.RTM_GETLINK, {"index": end["ifindex"]}, {"IFLA_IF_NETNSID": end["nsid"], **mask})
        for end in ends
        if end["ifindex"]
    ]
    answers = iter(view.channel.get(requests, ("IFLA_IFNAME",)))
    found: list[str | None] = []
    for end in ends:
        answer = next(answers) if end["ifindex"] else None
        found.append(answer.get("IFLA_IFNAME") if isinstance(answer, dict) else None)
    return found
