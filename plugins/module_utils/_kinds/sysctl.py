# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kernel parameters under /proc/sys/net, which follow the namespace of the thread that opens them (proc(5))."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from .._model import Field, Item, Key, Object, Op, Type

NAME = "sysctl"
ROOT = "/proc/sys"
_PER_LINK = re.compile(r"net/(?:ipv4|ipv6)/(?:conf|neigh)/([^/]+)/[^/]+$")


def normal(value: Any) -> str:
    """A value as it compares: what the kernel separates by tabs, people separate by blanks."""
    if isinstance(value, bool):
        return "1" if value else "0"
    return " ".join(str(value).split())


def path(value: Any) -> str:
    """`net.ipv4.conf.eth0.rp_filter` or `net/ipv4/conf/eth0.1/rp_filter`: the first separator decides (sysctl(8))."""
    text = str(value).strip("/")
    first = min((text.find(c) for c in "./" if c in text), default=-1)
    if first < 0:
        raise ValueError(f"{value!r} is not the name of a parameter, like net.ipv4.ip_forward")
    if text[first] == ".":
        text = text.translate(str.maketrans("./", "/."))
    parts = text.split("/")
    if parts[0] != "net" or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"{value!r} is not a parameter of the network (net....)")
    return text


def dotted(name: str) -> str:
    """The usual spelling of a parameter's path."""
    return name.translate(str.maketrans("./", "/."))


def label(ident: tuple[Any, ...]) -> str:
    """A parameter by its usual name."""
    return dotted(ident[0])


def _ticks_same(want: str, have: str | None) -> bool:
    return have is not None and abs(int(want) - int(have)) <= 1


# Times in hundredths of a second are kept in jiffies: what is written as 5 may read back as 4 (HZ 250).
_TICKS = re.compile(r"net/ipv[46]/neigh/[^/]+/(proxy_delay|anycast_delay|locktime|retrans_time)$")
FIELDS = {"value": Field(Type(normal)), "ticks": Field(Type(normal), same=_ticks_same)}


def _fields(name: str, value: str) -> dict[str, Any]:
    ticks = _TICKS.match(name) and value.isdigit()
    return {"ticks" if ticks else "value": value}


def key(netns: str, name: str) -> Key:
    """The key of a parameter, by its path below /proc/sys."""
    return Key(NAME, netns, (name,))


def parse(item: Item, netns: str, canonical: Any) -> list[Object]:
    """One entry of `sysctls`."""
    name = item.take("name", path, required=True)
    item.named(dotted(str(name)))
    value = item.take("value", normal)
    item.done()
    name = _ALIASES.get(name, name)
    return [Object(key(netns, name), {} if value is None else _fields(name, value))] if name else []


def read(netns: str, names: Iterable[str]) -> list[Object]:
    """The parameters of the namespace that the thread is in; those that are not there are left out."""
    found = []
    for name in names:
        try:
            with open(f"{ROOT}/{name}", encoding="utf-8") as file:
                found.append(Object(key(netns, name), _fields(name, normal(file.read()))))
        except OSError:
            continue
    return found


# Positions in the arrays that a link's own message carries (include/uapi/linux/ip.h, ipv6.h); what the kernel does
# not let anybody write, and what follows the link itself (mtu), is left out.
_OF_LINK = {
    "ipv4": {
        0: "forwarding", 2: "proxy_arp", 3: "accept_redirects", 4: "secure_redirects", 5: "send_redirects",
        6: "shared_media", 7: "rp_filter", 8: "accept_source_route", 9: "bootp_relay", 10: "log_martians", 11: "tag",
        12: "arp_filter", 13: "medium_id", 14: "disable_xfrm", 15: "disable_policy", 16: "force_igmp_version",
        17: "arp_announce", 18: "arp_ignore", 19: "promote_secondaries", 20: "arp_accept", 21: "arp_notify",
        22: "accept_local", 23: "src_valid_mark", 24: "proxy_arp_pvlan", 25: "route_localnet",
        28: "ignore_routes_with_linkdown", 29: "drop_unicast_in_l2_multicast", 30: "drop_gratuitous_arp",
        31: "bc_forwarding", 32: "arp_evict_nocarrier",
    },
    "ipv6": {
        0: "forwarding", 1: "hop_limit", 3: "accept_ra", 4: "accept_redirects", 5: "autoconf", 6: "dad_transmits",
        7: "router_solicitations", 10: "use_tempaddr", 17: "accept_ra_defrtr", 18: "accept_ra_pinfo", 22: "proxy_ndp",
        24: "accept_source_route", 26: "disable_ipv6", 27: "accept_dad",
    },
}  # fmt: skip


def of_link(netns: str, link: str, family: str, want: bytes, have: bytes) -> list[Object]:
    """The parameters of a link that are otherwise than they shall be, from the arrays of its two messages."""
    found = []
    for position, name in _OF_LINK[family].items():
        part = slice(4 * position, 4 * position + 4)
        if len(have) >= part.stop and len(want) >= part.stop and want[part] != have[part]:
            value = int.from_bytes(want[part], sys.byteorder, signed=True)
            found.append(Object(key(netns, f"net/{family}/conf/{link}/{name}"), {"value": str(value)}))
    return found


def device(key_: Key) -> str:
    """The link that this parameter belongs to; '' for one of the namespace."""
    match = _PER_LINK.match(key_.ident[0])
    return match[1] if match and match[1] not in ("all", "default") else ""


def _value(op: Op) -> str:
    return value_of(op.fields)


def run(ops: list[Op], world: Any) -> None:
    """Write the values. OSError carries the parameter's name."""
    with world.namespaces.entered(ops[0].key.netns):
        for op in ops:
            name = op.key.ident[0]
            world.current = op
            try:
                descriptor = os.open(f"{ROOT}/{name}", os.O_WRONLY)
            except FileNotFoundError:
                raise OSError(2, "there is no such parameter in this kernel, or its interface is missing") from None
            try:
                os.write(descriptor, _value(op).encode() + b"\n")
            finally:
                os.close(descriptor)


def commands(op: Op) -> list[str]:
    """The line that a person would type."""
    value = _value(op)
    quoted = f'"{dotted(op.key.ident[0])}={value}"' if " " in value else f"{dotted(op.key.ident[0])}={value}"
    line = f"sysctl -w {quoted}"
    if op.key.netns.startswith("/"):
        return [f"nsenter --net={op.key.netns} {line}"]
    return [f"ip netns exec {op.key.netns} {line}" if op.key.netns else line]


# ---- parameters that lead and parameters that follow ----------------------------------------------------------------

_FORWARD = "net/ipv4/ip_forward"
_ALIASES = {"net/ipv4/conf/all/forwarding": _FORWARD}  # one parameter with two names (net/ipv4/devinet.c)
# What is written to these is written to each link's own as well, and to `default` (net/ipv6/addrconf.c:
# addrconf_fixup_forwarding, addrconf_disable_ipv6, addrconf_fixup_linkdown, addrconf_sysctl_addr_gen_mode, ...).
_ALL = re.compile(
    r"(net/ipv6/conf/)all(/(?:forwarding|force_forwarding|disable_ipv6|ignore_routes_with_linkdown|addr_gen_mode))$"
)
# What is written to these, to those links where nobody has set it (devinet_copy_dflt_conf, neigh_copy_dflt_parms).
_DEFAULT = re.compile(r"(net/ipv4/conf/|net/ipv[46]/neigh/)default(/(?!forwarding$)[^/]+)$")


def rank(key_: Key) -> int:
    """The order in which parameters are written: those of all links first, each link's own last."""
    name = key_.ident[0]
    return 0 if name == _FORWARD or _ALL.match(name) else 1 if _DEFAULT.match(name) else 2


def leads(key_: Key) -> bool:
    """Whether writing a parameter rewrites others."""
    return rank(key_) < 2


def followers(key_: Key, given: str, links: Iterable[str]) -> dict[Key, str | None]:
    """What writing a value to a parameter makes of others; None where it may stay as it is."""
    name = key_.ident[0]
    found: dict[str, str | None] = {}
    if name == _FORWARD:  # inet_forward_change
        found = {f"net/ipv4/conf/{link}/forwarding": given for link in ("default", *links)}
        found["net/ipv4/conf/all/accept_redirects"] = "1" if given == "0" else "0"
    elif match := _ALL.match(name):
        found = {f"{match[1]}{link}{match[2]}": given for link in ("default", *links)}
    elif match := _DEFAULT.match(name):
        found = dict.fromkeys(f"{match[1]}{link}{match[2]}" for link in links)
    return {key(key_.netns, other): then for other, then in found.items()}


def with_value(key_: Key, given: str) -> Object:
    """A parameter with a value."""
    return Object(key_, _fields(key_.ident[0], given))


def value_of(found: Mapping[str, Any]) -> str:
    """The value that is in a parameter's fields."""
    return str(found.get("value", found.get("ticks")))
