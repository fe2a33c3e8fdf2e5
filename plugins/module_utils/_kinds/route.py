# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routes of all tables and types (net/ipv4/fib_frontend.c, fib_semantics.c; net/ipv6/route.c).

The key is what the kernel's `replace` goes by: (family, table, destination, tos, metric).
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys
from collections.abc import Mapping
from typing import Any

from .. import _netlink as nl
from .._model import (
    FLAG,
    MARK_PROTO,
    U32,
    Field,
    Item,
    Key,
    Object,
    Op,
    Type,
    choice,
    command,
    dsfield,
    dumper,
    integer,
    ip,
    link_name,
    loader,
    numbered,
)
from .._names import PROTOS, SCOPES, TABLES, name_of

NAME = "route"
# include/uapi/linux/rtnetlink.h
TYPES = {
    "unicast": 1, "local": 2, "broadcast": 3, "anycast": 4, "multicast": 5, "blackhole": 6, "unreachable": 7,
    "prohibit": 8, "throw": 9,
}  # fmt: skip
DEVICELESS = ("blackhole", "unreachable", "prohibit", "throw")
METRICS = {
    "mtu": "RTAX_MTU", "window": "RTAX_WINDOW", "advmss": "RTAX_ADVMSS", "hoplimit": "RTAX_HOPLIMIT",
    "initcwnd": "RTAX_INITCWND", "initrwnd": "RTAX_INITRWND", "ssthresh": "RTAX_SSTHRESH", "cwnd": "RTAX_CWND",
    "reordering": "RTAX_REORDERING", "quickack": "RTAX_QUICKACK",
}  # fmt: skip
_MOST = {"mtu": 65535 - 15, "advmss": 65535 - 40, "hoplimit": 255}  # ip_metrics_convert makes more of them less
_ANY = (1 << 32) - 1
PREFS = {"medium": 0, "high": 1, "low": 3}  # ICMPV6_ROUTER_PREF_* (RFC 4191)
ONLINK = 0x4  # RTNH_F_ONLINK
_CLONED = 0x200  # RTM_F_CLONED: a cached exception, not a route of the table

_type_names = {number: name for name, number in TYPES.items()}


def _type(value: Any) -> str:
    if value not in TYPES:
        raise ValueError(f"{value!r} is none of {', '.join(TYPES)}")
    return str(value)


FIELDS: dict[str, Field] = {
    "type": Field(Type(_type), unset="unicast"),
    "via": Field(Type(ip), unset=""),
    "dev": Field(Type(link_name), unset=""),
    "onlink": Field(FLAG, word="", unset=False),
    "src": Field(Type(ip), "RTA_PREFSRC", unset=""),
    "proto": Field(numbered(PROTOS, 0, 255)),
    "scope": Field(numbered(SCOPES, 0, 255)),
    "nexthops": Field(Type(tuple), unset=()),
    "pref": Field(choice(PREFS), "RTA_PREF", load=loader(PREFS), dump=dumper(PREFS), unset="medium"),
    **{option: Field(integer(0, _MOST.get(option, _ANY)), nla, unset=0) for option, nla in METRICS.items()},
}
WANTED = (
    "RTA_DST", "RTA_OIF", "RTA_GATEWAY", "RTA_VIA", "RTA_PRIORITY", "RTA_PREFSRC", "RTA_METRICS", "RTA_MULTIPATH",
    "RTA_TABLE", "RTA_PREF",
)  # fmt: skip
DUMPS = {
    socket.AF_INET: nl.Request(nl.RTM_GETROUTE, {"family": socket.AF_INET}),
    socket.AF_INET6: nl.Request(nl.RTM_GETROUTE, {"family": socket.AF_INET6}),
}
_LOCAL_TABLE = 255


def key(netns: str, family: int, table: int, dst: str, tos: int, metric: int) -> Key:
    """The key of a route; dst is a network, `0.0.0.0/0` or `::/0` for the default."""
    return Key(NAME, netns, (family, table, dst, tos, metric))


def _destination(value: Any) -> Any:
    if str(value) == "default":
        return "default"
    try:
        return str(ipaddress.ip_network(str(value)))
    except ValueError as error:
        raise ValueError(
            f"{value!r} is not a destination ({error}); write a network like 10.0.0.0/24, or default"
        ) from None


def label(ident: tuple[Any, ...]) -> str:
    """A route's identity as `ip route` prints it."""
    family, table, dst, tos, metric = ident
    place = ["default" if dst in ("0.0.0.0/0", "::/0") else dst, *(["tos", hex(tos)] if tos else [])]
    place += ["table", name_of(TABLES, table)] if table != TABLES["main"] else []
    place += ["metric", str(metric)] if metric and not (family == socket.AF_INET6 and metric == 1024) else []
    return " ".join(place) + (" (inet6)" if dst == "::/0" else "")


def parse(item: Item, netns: str, canonical: Any) -> list[Object]:
    """One entry of `routes`."""
    dst = item.take("dst", _destination, required=True)
    item.named(str(dst))
    table = item.take("table", numbered(TABLES, 1, 0xFFFFFFFF).parse, 254)
    metric = item.take("metric", U32.parse)
    tos = item.take("tos", dsfield, 0)
    given = item.take("family", lambda value: {"inet": 4, "inet6": 6}[str(value)])
    raw_hops = item.take("nexthops", lambda value: value)
    fields = item.fields({option: field for option, field in FIELDS.items() if option != "nexthops"})
    hops = _nexthops(item, raw_hops) if raw_hops is not None else ()
    item.done()
    if dst is None:
        return []
    version = _version(dst, given, [fields.get("via"), fields.get("src"), *(hop[0] for hop in hops)])
    if dst == "default":
        dst = "0.0.0.0/0" if version == 4 else "::/0"
    if hops:
        fields["nexthops"] = hops
        if "via" in fields or "dev" in fields:
            item.problem("nexthops excludes via and dev", "nexthops")
    if fields.get("type") in DEVICELESS and version == 6 and fields.get("dev") == "lo":  # as `ip -6 route` shows it
        del fields["dev"]
    src = fields.get("src")
    if src and (":" in src) != (version == 6):
        item.problem(f"{src} is not of the family of {dst}", "src")
    if version == 6:
        if tos:
            item.problem("IPv6 routes have none; a rule can tell traffic classes apart", "tos")
        if fields.get("scope"):
            item.problem("IPv6 routes have none", "scope")
    elif "pref" in fields:
        item.problem("IPv4 routes have none; say metric", "pref")
    if table == _LOCAL_TABLE:
        item.problem("the local table is the kernel's own: its routes come and go with the addresses", "table")
    if version == 6 and not metric:
        metric = 1024  # IP6_RT_PRIO_USER: what the kernel makes of 0
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    return [Object(key(netns, family, table, dst, tos, metric or 0), fields)]


def mistakes(stated: Mapping[str, Any], whole: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the kernel would refuse or not keep: (option, why). `whole` is the route with what it has already."""
    kind = whole.get("type", "unicast")
    if kind in DEVICELESS:
        said = "" if "type" in stated else "; say type: unicast if it shall lead somewhere"
        return [
            (option, f"a route of type {kind} has none{said}")
            for option in ("via", "dev", "nexthops", "src", "onlink", "pref")
            if stated.get(option, FIELDS[option].unset) != FIELDS[option].unset
        ]
    found = []
    if not any(whole.get(option) for option in ("via", "dev", "nexthops")):
        found.append(("", "needs via, dev or nexthops: where it leads to"))
    if stated.get("onlink") and not whole.get("dev"):
        found.append(("onlink", "needs dev: the link that the gateway is said to be on"))
    if any(onlink and not dev for _via, dev, _weight, onlink in stated.get("nexthops", ())):
        found.append(("nexthops", "onlink needs dev: the link that the gateway is said to be on"))
    return found


def kept(stated: Mapping[str, Any], changed: Mapping[str, Any], have: dict[str, Any]) -> dict[str, Any]:
    """What a change leaves as it is: not the device of a former gateway, which the kernel finds for each anew.

    A link-local gateway, and one that is said to be on the link, cannot be found.
    """
    via = str(changed.get("via") or "")
    lasting = not via or "dev" in stated or stated.get("onlink", have.get("onlink"))
    return have if lasting or ipaddress.ip_address(via).is_link_local else {**have, "dev": ""}


def _version(dst: str, given: int | None, addresses: list[str | None]) -> int:
    if dst != "default":
        return ipaddress.ip_network(dst).version
    if given:
        return given
    return next((6 if ":" in address else 4 for address in addresses if address), 4)


def _nexthops(item: Item, given: Any) -> tuple[Any, ...]:
    """Each hop as (via, dev, weight, onlink), in a fixed order: the kernel keeps none."""
    hops = []
    for entry in given if isinstance(given, list) else [given]:
        inner = Item(item.kind, entry if isinstance(entry, Mapping) else {"via": entry}, item.problems)
        inner.label = f"{item.label} nexthop"
        hop = (
            inner.take("via", ip, ""),
            inner.take("dev", link_name, ""),
            inner.take("weight", integer(1, 256).parse, 1),
            inner.take("onlink", FLAG.parse, False),
        )
        if not (hop[0] or hop[1]):
            inner.problem("needs via or dev")
        inner.done()
        hops.append(hop)
    return tuple(sorted(hops))


def hop_same(want: tuple[Any, ...], have: tuple[Any, ...]) -> bool:
    """Two sets of nexthops: a device left out is the one that the kernel finds."""
    if len(want) != len(have):
        return False
    return all(w[0] == h[0] and w[2:] == h[2:] and w[1] in ("", h[1]) for w, h in zip(want, have))


FIELDS["nexthops"] = FIELDS["nexthops"]._replace(same=hop_same)


def skip_local(body: memoryview) -> bool:
    """Keep all but the local table and cached entries: looked at before decoding, it halves the time of a dump."""
    return body[4] != _LOCAL_TABLE and not int.from_bytes(body[8:12], sys.byteorder) & _CLONED


def read(message: Mapping[str, Any], netns: str, names: Mapping[int, str]) -> Object | None:
    """One route as the kernel shows it."""
    family = message["family"]
    length = message["dst_len"]
    zero = "0.0.0.0" if family == socket.AF_INET else "::"
    dst = f"{message.get('RTA_DST', zero)}/{length}"
    kind = _type_names.get(message["type"], str(message["type"]))
    fields: dict[str, Any] = {"type": kind, "proto": message["proto"], "scope": message["scope"]}
    fields["via"] = message.get("RTA_GATEWAY") or message.get("RTA_VIA", "")
    # an IPv6 blackhole shows `dev lo`, which nobody stated
    fields["dev"] = "" if kind in DEVICELESS else names.get(message.get("RTA_OIF", 0), "")
    fields["onlink"] = bool(message["flags"] & ONLINK)
    fields["src"] = message.get("RTA_PREFSRC", "")
    if family == socket.AF_INET6:
        fields["pref"] = FIELDS["pref"].load(message.get("RTA_PREF", 0))
    metrics = message.get("RTA_METRICS", {})
    fields.update({option: metrics.get(attribute, 0) for option, attribute in METRICS.items()})
    fields["nexthops"] = tuple(
        sorted(
            (
                hop.get("RTA_GATEWAY") or hop.get("RTA_VIA", ""),
                names.get(hop["ifindex"], ""),
                hop["hops"] + 1,
                bool(hop["flags"] & ONLINK),
            )
            for hop in message.get("RTA_MULTIPATH", [])
        )
    )
    table = message.get("RTA_TABLE", message["table"])
    return Object(key(netns, family, table, dst, message["tos"], message.get("RTA_PRIORITY", 0)), fields)


def automatic(have: Object) -> bool:
    """Made by the kernel with an address or a device, or learned from a router advertisement."""
    return have.fields["proto"] in (PROTOS["kernel"], PROTOS["ra"], PROTOS["redirect"])


def _whole(op: Op) -> dict[str, Any]:
    """The whole route. A change is a replacement of it: what is not stated is taken from what is there."""
    fields = {**op.have, **op.fields}
    if "nexthops" in op.fields and op.have:
        fields.update(via="", dev="")
    elif ("via" in op.fields or "dev" in op.fields) and "nexthops" not in op.fields:
        fields["nexthops"] = ()
    if fields.get("type", "unicast") in DEVICELESS:
        fields.update(via="", dev="", nexthops=(), src="", onlink=False)
    return fields


def requests(op: Op, index: Any) -> list[nl.Request]:
    """What to send."""
    family, table, dst, tos, metric = op.key.ident
    netns = op.key.netns
    fields = _whole(op)
    kind = fields.get("type", "unicast")
    network, length = dst.split("/")
    header = {
        "family": family,
        "dst_len": int(length),
        "tos": tos,
        "table": table if table < 256 else 0,
        "type": TYPES[kind],
        "proto": fields.get("proto", MARK_PROTO),
        "scope": _scope(fields, family, op),
        "flags": ONLINK if fields.get("onlink") else 0,
    }
    attrs: dict[str, Any] = {"RTA_DST": network if int(length) else None, "RTA_TABLE": table}
    attrs["RTA_PRIORITY"] = metric or None
    attrs["RTA_PREFSRC"] = fields.get("src") or None
    attrs["RTA_PREF"] = FIELDS["pref"].dump(fields["pref"]) if fields.get("pref") else None
    if fields.get("dev"):
        attrs["RTA_OIF"] = index.number(netns, fields["dev"])
    attrs.update(_gateway(fields.get("via"), family))
    if fields.get("nexthops"):
        attrs["RTA_MULTIPATH"] = [[_hop(hop, family, netns, index) for hop in fields["nexthops"]]]
    if op.action == "delete":
        return [nl.Request(nl.RTM_DELROUTE, header, attrs)]
    metrics = {attribute: fields[option] for option, attribute in METRICS.items() if fields.get(option)}
    if metrics:
        attrs["RTA_METRICS"] = metrics
    flags = nl.NLM_F_CREATE | (nl.NLM_F_REPLACE if op.action == "change" else nl.NLM_F_EXCL)
    return [nl.Request(nl.RTM_NEWROUTE, header, attrs, flags)]


def _gateway(via: str | None, family: int) -> dict[str, Any]:
    """RTA_GATEWAY, or RTA_VIA for an IPv4 route over an IPv6 next hop (RFC 5549)."""
    if not via:
        return {}
    return {"RTA_VIA" if family == socket.AF_INET and ":" in via else "RTA_GATEWAY": via}


def _hop(hop: tuple[Any, ...], family: int, netns: str, index: Any) -> dict[str, Any]:
    via, dev, weight, onlink = hop
    number = index.number(netns, dev) if dev else 0
    return {"ifindex": number, "hops": weight - 1, "flags": ONLINK if onlink else 0, **_gateway(via, family)}


def _scope(fields: Mapping[str, Any], family: int, op: Op) -> int:
    """The stated scope; that of a route which stays where it leads to; else the usual one."""
    if "scope" in op.fields:
        return int(op.fields["scope"])
    if op.action == "delete":
        return int(fields.get("scope", SCOPES["nowhere"]))
    if "scope" in op.have and not {"type", "via", "dev", "nexthops"} & set(op.fields):
        return int(op.have["scope"])
    return _usual_scope(fields, family, any(hop[0] for hop in fields.get("nexthops", ())))


def _usual_scope(fields: Mapping[str, Any], family: int, beyond: bool) -> int:
    """What iproute2 sends (ip/iproute.c): link for a route that leads nowhere beyond the link, else global."""
    if family == socket.AF_INET6:
        return 0
    kind = fields.get("type", "unicast")
    if kind == "local":
        return SCOPES["host"]
    if kind in ("broadcast", "multicast", "anycast"):
        return SCOPES["link"]
    return SCOPES["link"] if kind == "unicast" and not fields.get("via") and not beyond else 0


def commands(op: Op) -> list[str]:
    """The line that a person would type: `ip route replace` sets the whole route, so that all of it is said."""
    family, table, dst, tos, metric = op.key.ident
    fields = _whole(op)
    kind = fields.get("type", "unicast")
    place = [] if kind == "unicast" else [kind]
    place.append("default" if dst in ("0.0.0.0/0", "::/0") else dst)
    if fields.get("via"):
        other = family == socket.AF_INET and ":" in fields["via"]
        place += ["via", *(["inet6"] if other else []), fields["via"]]
    if fields.get("dev"):
        place += ["dev", fields["dev"]]
    place += ["table", name_of(TABLES, table)] if table != 254 else []
    place += ["metric", str(metric)] if metric and not (family == socket.AF_INET6 and metric == 1024) else []
    place += ["tos", hex(tos)] if tos else []
    tool = "ip -6" if family == socket.AF_INET6 else "ip"
    if op.action == "delete":
        return [command(tool, op.key.netns, "route del", *place)]
    place += _said(fields, family, op)
    return [command(tool, op.key.netns, "route add" if op.action == "create" else "route replace", *place)]


def _said(fields: Mapping[str, Any], family: int, op: Op) -> list[str]:
    """What a route says beside where it leads to. The collection's mark is left out: it is no part of the network."""
    said = []
    if fields.get("proto", MARK_PROTO) != MARK_PROTO:
        said += ["proto", name_of(PROTOS, fields["proto"])]
    scope = _scope(fields, family, op)
    usual = _usual_scope(fields, family, bool(fields.get("nexthops")))  # iproute2 takes any nexthop for a gateway
    if family == socket.AF_INET and ("scope" in op.fields or scope != usual):
        said += ["scope", name_of(SCOPES, scope)]
    said += ["src", fields["src"]] if fields.get("src") else []
    for option in METRICS:
        said += [option, str(fields[option])] if fields.get(option) else []
    if "pref" in op.fields or fields.get("pref", "medium") != "medium":
        said += ["pref", fields["pref"]]
    said += ["onlink"] if fields.get("onlink") else []
    for via, dev, weight, onlink in fields.get("nexthops", ()):
        other = family == socket.AF_INET and ":" in via
        gateway = ["via", *(["inet6"] if other else []), via] if via else []
        said += ["nexthop", *gateway, *(["dev", dev] if dev else []), "weight", str(weight)]
        said += ["onlink"] if onlink else []
    return said


def hint(code: int, fields: Mapping[str, Any]) -> str:
    """What to do about the kernel's refusal."""
    if code not in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EINVAL) or not (
        fields.get("via") or fields.get("nexthops")
    ):
        return ""
    return (
        "a next hop must be in the subnet of an address of an interface that is up: "
        "add the address or set the interface up first, or say dev and onlink: true"
    )


def owned(have: Object) -> bool:
    """Whether the kernel shows the collection's mark."""
    return bool(have.fields["proto"] == MARK_PROTO)


def devices(have: Object) -> set[str]:
    """The links that this route goes out of; it goes when its last one goes down."""
    return {name for name in (have.fields.get("dev"), *(hop[1] for hop in have.fields.get("nexthops", ()))) if name}
