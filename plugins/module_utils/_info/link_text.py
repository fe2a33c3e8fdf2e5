# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A link in iproute2's words: the lines of `ip -d link`, then the addresses of `ip addr` (iproute2's ip/ipaddress.c,
iplink_bridge.c, iplink_bridge_slave.c, iplink_vxlan.c, link_iptnl.c).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import address

Record = dict[str, Any]
_DETAILS = {"promiscuity": "promiscuity", "allmulti": "allmulti", "min_mtu": "minmtu", "max_mtu": "maxmtu"}
_SIZES = (
    "addrgenmode", "numtxqueues", "numrxqueues", "gso_max_size", "gso_max_segs", "tso_max_size", "tso_max_segs",
    "gro_max_size", "gso_ipv4_max_size", "gro_ipv4_max_size", "portname", "parentbus", "parentdev",
)  # fmt: skip


def text(found: Record, other: str, link_netns: str) -> str:
    """All lines. `other` is what follows the @ of the name, `link_netns` the name of the namespace that that is in."""
    lines = [_first(found, other), _second(found, link_netns)]
    if found["kind"]:
        words = _KINDS.get(found["kind"], _pairs)
        lines.append(_line(f"    {found['kind']}", *words(found["data"] or {})))
    if found["port_kind"]:
        words = _bridge_port if found["port_kind"] == "bridge" else _pairs
        lines.append(_line(f"    {found['port_kind']}_slave", *words(found["port"] or {})))
    lines[-1] = _line(lines[-1], *_given(found, dict(zip(_SIZES, _SIZES))))
    lines += [f"    alias {found['alias']}"] if found["alias"] else []
    lines += [f"    altname {name}" for name in found["altnames"]]
    return "\n".join([*lines, *(line for one in found["addresses"] for line in address.lines(one))])


def _line(*words: str) -> str:
    return " ".join(words)


def _given(found: Mapping[str, Any], words: Mapping[str, str]) -> list[str]:
    """`word value` of what is known, by {field: iproute2's word}."""
    return [f"{word} {found[field]}" for field, word in words.items() if found.get(field) is not None]


def _first(found: Record, other: str) -> str:
    words = [f"{found['ifindex']}:", f"{found['name']}{'@' if other else ''}{other}:", f"<{','.join(found['flags'])}>"]
    words += [f"mtu {found['mtu']}"]
    words += [f"xdp/id:{found['xdp']}"] if found["xdp"] else []
    words += _given(found, {"qdisc": "qdisc", "master": "master"})
    words += [f"state {found['operstate'].upper()}", f"mode {found['mode'].upper()}", f"group {found['group']}"]
    words += [f"qlen {found['txqueuelen']}"] if found["txqueuelen"] else []
    return _line(*words)


def _second(found: Record, link_netns: str) -> str:
    words = [f"    link/{found['link_type']}"]
    words += [found["address"]] if found["address"] else []
    words += _given(found, {"broadcast": "peer" if "POINTOPOINT" in found["flags"] else "brd"})
    words += [f"permaddr {found['permaddr']}"] if found["permaddr"] not in (None, found["address"]) else []
    end = found["peer"] or found["lower"]
    if end and end["nsid"] is not None:
        number = end["nsid"] if end["nsid"] >= 0 else "unknown"
        words += [f"link-netns {link_netns}" if link_netns else f"link-netnsid {number}"]
    words += ["protodown on"] if found["protodown"] else []
    return _line(*words, *_given(found, _DETAILS))


# ---- kinds --------------------------------------------------------------------------------------------------------


def _pairs(data: Record) -> list[str]:
    """Of a kind that has no words of its own here: name and value."""
    return [f"{name} {_value(value)}" for name, value in data.items() if value is not None]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return ",".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, Mapping) else str(value)


def _numbers(data: Record) -> list[str]:
    """A bridge says 0 and 1, and seconds of its timers."""
    return [f"{name} {_number(name, data[name])}" for name in _ordered(data, _BRIDGE) if data[name] is not None]


def _number(name: str, value: Any) -> str:
    if name.endswith("_timer"):
        return f"{value / 100:7.2f}"
    return hex(value) if name == "group_fwd_mask" and value else str(int(value) if isinstance(value, bool) else value)


def _bridge_port(data: Record) -> list[str]:
    """A port of a bridge says on and off; its first multicast flag twice, as iproute2 does."""
    words = {**data, "mcast_fast_leave": data.get("fastleave")}
    return [f"{name} {_port_value(name, words[name])}" for name in _ordered(words, _PORT) if words[name] is not None]


def _port_value(name: str, value: Any) -> str:
    return (
        hex(value)
        if name in ("port_id", "port_no")
        else _value(value)
        if isinstance(value, bool)
        else _number(name, value)
    )


def _ordered(data: Record, order: Iterable[str]) -> list[str]:
    return [*(name for name in order if name in data), *(name for name in data if name not in order)]


def _vxlan(data: Record) -> list[str]:
    words = [option for option in ("external", "vnifilter") if data[option]]
    words += _given(data, {"id": "id"})
    if data["remote"]:
        words.append(f"{'group' if ipaddress.ip_address(data['remote']).is_multicast else 'remote'} {data['remote']}")
    words += _given(data, {"local": "local", "dev": "dev"})
    words += _given(data, {"srcport": "srcport", "dstport": "dstport"})
    words += [] if data["learning"] else ["nolearning"]
    words += [option for option in ("proxy", "rsc", "l2miss", "l3miss") if data[option]]
    words += [f"tos {data['tos']}"] if data["tos"] else []
    words += [f"ttl {data['ttl'] or 'auto'}"]
    words += [f"df {data['df']}"] if data["df"] != "unset" else []
    words += [f"flowlabel {data['flowlabel']:#x}"] if data["flowlabel"] else []
    words += [f"ageing {data['ageing'] or 'none'}"]
    words += [f"maxaddr {data['maxaddress']}"] if data["maxaddress"] else []
    words += [option if data[option] else f"no{option}" for option in ("udpcsum", "udp6zerocsumtx", "udp6zerocsumrx")]
    words += [option for option in ("remcsumtx", "remcsumrx", "gbp", "gpe") if data[option]]
    return words + ([] if data["localbypass"] else ["nolocalbypass"])


def _ipip(data: Record) -> list[str]:
    words = ["external"] if data["external"] else []
    words += [data["mode"], f"remote {data['remote']}", f"local {data['local']}", *_given(data, {"dev": "dev"})]
    words += [f"ttl {data['ttl']}"]
    words += [f"tos {data['tos']}"] if data["tos"] else []
    words += ["pmtudisc" if data["pmtudisc"] else "nopmtudisc"]
    words += [f"fwmark {data['fwmark']:#x}"] if data["fwmark"] else []
    if data["encap"] != "none":
        ports = (f"encap-{end} {data[f'encap_{end}'] or 'auto'}" for end in ("sport", "dport"))
        flags = [option for option in data if option in ("encap_csum", "encap_csum6", "encap_remcsum")]
        words += [f"encap {data['encap']}", *ports]
        words += [("" if data[option] else "no") + option.replace("_", "-") for option in flags]
    return words


_KINDS: dict[str, Callable[[Record], list[str]]] = {"bridge": _numbers, "vxlan": _vxlan, "ipip": _ipip}
# iproute2's order; what it does not know comes behind.
_BRIDGE = (
    "forward_delay", "hello_time", "max_age", "ageing_time", "stp_state", "priority", "vlan_filtering", "vlan_protocol",
    "bridge_id", "designated_root", "root_port", "root_path_cost", "topology_change", "topology_change_detected",
    "hello_timer", "tcn_timer", "topology_change_timer", "gc_timer", "fdb_n_learned", "fdb_max_learned",
    "vlan_default_pvid", "vlan_stats_enabled", "vlan_stats_per_port", "group_fwd_mask", "group_address",
    "mcast_snooping", "no_linklocal_learn", "mcast_vlan_snooping", "mst_enabled", "mdb_offload_fail_notification",
    "mcast_router", "mcast_query_use_ifaddr", "mcast_querier", "mcast_hash_elasticity", "mcast_hash_max",
    "mcast_last_member_count", "mcast_startup_query_count", "mcast_last_member_interval", "mcast_membership_interval",
    "mcast_querier_interval", "mcast_query_interval", "mcast_query_response_interval", "mcast_startup_query_interval",
    "mcast_stats_enabled", "mcast_igmp_version", "mcast_mld_version", "nf_call_iptables", "nf_call_ip6tables",
    "nf_call_arptables",
)  # fmt: skip
_PORT = (
    "state", "priority", "cost", "hairpin", "guard", "root_block", "fastleave", "learning", "flood", "port_id",
    "port_no", "designated_port", "designated_cost", "designated_bridge", "designated_root", "hold_timer",
    "message_age_timer", "forward_delay_timer", "topology_change_ack", "config_pending", "proxy_arp", "proxy_arp_wifi",
    "mcast_router", "mcast_fast_leave", "mcast_flood", "bcast_flood", "mcast_to_unicast", "neigh_suppress",
    "group_fwd_mask", "vlan_tunnel", "isolated", "locked", "mab",
)  # fmt: skip
