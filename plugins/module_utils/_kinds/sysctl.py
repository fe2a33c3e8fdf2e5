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


# Positions in the arrays that a link's own message carries (include/uapi/linux/ip.h, ipv6.h), of those parameters
# whose number there is the one of the file. Times that the array has in milliseconds and the file in seconds, and
# numbers beyond its sign, are read from the file, like all that no array has: see read_beside().
_OF_LINK = {
    "ipv4": {
        0: "forwarding", 2: "proxy_arp", 3: "accept_redirects", 4: "secure_redirects", 5: "send_redirects",
        6: "shared_media", 7: "rp_filter", 8: "accept_source_route", 9: "bootp_relay", 10: "log_martians", 11: "tag",
        12: "arp_filter", 13: "medium_id", 14: "disable_xfrm", 15: "disable_policy", 16: "force_igmp_version",
        17: "arp_announce", 18: "arp_ignore", 19: "promote_secondaries", 20: "arp_accept", 21: "arp_notify",
        22: "accept_local", 23: "src_valid_mark", 24: "proxy_arp_pvlan", 25: "route_localnet",
        26: "igmpv2_unsolicited_report_interval", 27: "igmpv3_unsolicited_report_interval",
        28: "ignore_routes_with_linkdown", 29: "drop_unicast_in_l2_multicast", 30: "drop_gratuitous_arp",
        31: "bc_forwarding", 32: "arp_evict_nocarrier",
    },
    "ipv6": {
        0: "forwarding", 1: "hop_limit", 2: "mtu", 3: "accept_ra", 4: "accept_redirects", 5: "autoconf",
        6: "dad_transmits", 7: "router_solicitations", 10: "use_tempaddr", 11: "temp_valid_lft",
        12: "temp_prefered_lft", 13: "regen_max_retry", 14: "max_desync_factor", 15: "max_addresses",
        16: "force_mld_version", 17: "accept_ra_defrtr", 18: "accept_ra_pinfo", 19: "accept_ra_rtr_pref",
        21: "accept_ra_rt_info_max_plen", 22: "proxy_ndp", 23: "optimistic_dad", 24: "accept_source_route",
        26: "disable_ipv6", 27: "accept_dad", 28: "force_tllao", 29: "ndisc_notify",
        30: "mldv1_unsolicited_report_interval", 31: "mldv2_unsolicited_report_interval", 32: "suppress_frag_ndisc",
        33: "accept_ra_from_local", 34: "use_optimistic", 35: "accept_ra_mtu", 37: "use_oif_addrs_only",
        38: "accept_ra_min_hop_limit", 39: "ignore_routes_with_linkdown", 40: "drop_unicast_in_l2_multicast",
        41: "drop_unsolicited_na", 42: "keep_addr_on_down", 44: "seg6_enabled", 45: "seg6_require_hmac",
        46: "enhanced_dad", 48: "disable_policy", 49: "accept_ra_rt_info_min_plen", 50: "ndisc_tclass",
        51: "rpl_seg_enabled", 53: "ioam6_enabled", 54: "ioam6_id", 56: "ndisc_evict_nocarrier",
        57: "accept_untracked_na", 58: "accept_ra_min_lft", 59: "force_forwarding",
    },
}  # fmt: skip
# What nobody writes again, and why.
NOT_PUT_BACK = {
    "mc_forwarding": "read only: on while a multicast routing daemon runs",
    "addr_gen_mode": "the link's own addrgenmode",
    "base_reachable_time": "base_reachable_time_ms, in seconds",
    "retrans_time": "retrans_time_ms, in ticks",
    "unres_qlen": "unres_qlen_bytes, in packets",
}


# Parameters that are written into each link when they are written for all (net/ipv4/devinet.c, net/ipv6/addrconf.c).
_SET_IN_EACH = {
    "ipv4": ("forwarding",),
    "ipv6": ("forwarding", "disable_ipv6", "disable_policy", "ignore_routes_with_linkdown"),
}


def wider(key_: Key) -> list[Key]:
    """The parameters of the namespace that set this one of a link as well."""
    _net, family, _conf, _link, name = key_.ident[0].split("/")
    if name not in _SET_IN_EACH[family]:
        return []
    names = [f"net/{family}/conf/all/{name}", *(["net/ipv4/ip_forward"] if family == "ipv4" else [])]
    return [key(key_.netns, one) for one in names]


def of_link(one: Object, have: Object) -> list[Object]:
    """The parameters of a link that are otherwise than they were, from its two messages and what was read beside."""
    netns, (link,) = one.key.netns, one.key.ident
    found: dict[str, str] = {}
    for family, names in _OF_LINK.items():
        then, now = one.fields.get(f"conf.{family}", b""), have.fields.get(f"conf.{family}", b"")
        if not then or then == now:
            continue
        for position, name in names.items():
            part = slice(4 * position, 4 * position + 4)
            if min(len(now), len(then)) >= part.stop and then[part] != now[part]:
                value = int.from_bytes(then[part], sys.byteorder, signed=True)
                if name != "mtu" or value < one.fields.get("mtu", have.fields["mtu"]):  # else it follows the link's
                    found[f"net/{family}/conf/{link}/{name}"] = str(value)
    now = have.fields.get("conf.files", {})
    for name, value in one.fields.get("conf.files", {}).items():
        fields = _fields(name, value)
        if value and name in now and any(not FIELDS[o].same(v, now[name]) for o, v in fields.items()):
            found[name] = value
    return [Object(key(netns, name), _fields(name, value)) for name, value in found.items()]


def secret(link_: Key) -> Key:
    """The parameter of a link that makes its addresses: whoever writes it sets addrgenmode as well."""
    return key(link_.netns, f"net/ipv6/conf/{link_.ident[0]}/stable_secret")


def beside_arrays() -> list[tuple[str, str]]:
    """Family and name of the parameters of a link that no message carries; each link has the same."""
    found = []
    for family, names in _OF_LINK.items():
        try:
            every = os.listdir(f"{ROOT}/net/{family}/conf/default")
        except FileNotFoundError:  # a kernel without IPv6
            continue
        found += [(family, name) for name in every if name not in NOT_PUT_BACK and name not in names.values()]
    return found


def read_beside(link: str, names: Iterable[tuple[str, str]]) -> dict[str, str]:
    """These parameters of a link, by path."""
    found = {}
    for family, name in names:
        path = f"net/{family}/conf/{link}/{name}"
        try:
            descriptor = os.open(f"{ROOT}/{path}", os.O_RDONLY)
        except FileNotFoundError:  # a link without IPv6
            continue
        try:
            found[path] = normal(os.read(descriptor, 256).decode())
        except OSError:  # a secret that nobody has set
            found[path] = ""
        finally:
            os.close(descriptor)
    return found


_NUMBERS = re.compile(r"-?\d+( -?\d+)*$")
_BITS = re.compile(r"(mask|bitmap)$")  # shown and written in hexadecimal
_PER_LINK_NUMBER = re.compile(r"net/ipv[46]/(conf|neigh)/[^/]+/(?!stable_secret$)[^/]+$")


def mistake(stated: Object, have: Object | None) -> str:
    """Why a value cannot be: a word for what is a number now (or always is), or too many or too few numbers."""
    name, value = stated.key.ident[0], str(next(iter(stated.fields.values())))
    now = str(next(iter(have.fields.values()))) if have else ""
    if _BITS.search(name) or not (_NUMBERS.match(now) or (_PER_LINK_NUMBER.match(name) and not have)):
        return ""
    shown = f" ({dotted(name)} is {now} now)" if have else ""
    if re.search("[A-Za-z_]", value):
        return f"{value!r} is not a number{shown}"
    if have and value and len(value.split()) != len(now.split()):
        return f"{value!r} are {len(value.split())} numbers, {len(now.split())} are needed{shown}"
    return ""


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


def without_six(one: Object, links: Iterable[str]) -> list[str]:
    """The links that lose IPv6, with all their addresses, when this is written (net/ipv6/addrconf.c, dev_disable_change)."""
    match = re.match(r"net/ipv6/conf/([^/]+)/disable_ipv6$", one.key.ident[0])
    if not match or value_of(one.fields) == "0":
        return []
    return list(links) if match[1] == "all" else [match[1]]
