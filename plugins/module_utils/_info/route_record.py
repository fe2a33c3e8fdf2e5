# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A route of the kernel's as a record (include/uapi/linux/rtnetlink.h)."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from typing import Any

from .._kinds import route
from .._names import PROTOS, SCOPES, TABLES
from . import route_text
from .filters import word_of

Record = dict[str, Any]

FAMILIES = {socket.AF_INET: "inet", socket.AF_INET6: "inet6"}
CLONED = 0x200  # RTM_F_CLONED: what the kernel remembers of a destination, no entry of a table
FLAGS = (  # in the order in which `ip route` prints them; onlink, a field of its own, comes behind dead
    (0x1, "dead"), (0x2, "pervasive"), (0x8, "offload"), (0x40, "trap"), (0x100, "notify"),
    (0x10, "linkdown"), (0x20, "unresolved"), (0x4000, "rt_offload"), (0x8000, "rt_trap"), (0x20000000, "rt_offload_failed"),
)  # fmt: skip
PREFS = {0: "medium", 1: "high", 2: "invalid", 3: "low"}  # RFC 4191
ENCAPS = {
    1: "mpls", 2: "ip", 3: "ila", 4: "ip6", 5: "seg6", 6: "bpf", 7: "seg6local", 8: "rpl", 9: "ioam6", 10: "xfrm",
}  # fmt: skip
LOCK = "RTAX_LOCK"  # a bit for each metric that path MTU discovery must not change
_UNIT = {"rtt": 8, "rttvar": 4}  # kept as so many parts of a millisecond
WANTED = (
    *route.WANTED, "RTA_SRC", "RTA_IIF", "RTA_FLOW", "RTA_CACHEINFO", "RTA_PREF", "RTA_ENCAP_TYPE", "RTA_UID", "RTA_NH_ID",
)  # fmt: skip
_CLOCK = os.sysconf("SC_CLK_TCK")

table_word, proto_word, scope_word = (word_of(names) for names in (TABLES, PROTOS, SCOPES))
_type = word_of(route.TYPES)


def record(message: Mapping[str, Any], name: Callable[[int], str]) -> Record:
    """One route, as an entry of a table or as an answer to a question."""
    family = FAMILIES[message["family"]]
    found = {
        "family": family,
        "type": _type(message["type"]),
        "dst": _prefix(message, "RTA_DST", "dst_len"),
        "from": _prefix(message, "RTA_SRC", "src_len") if message["src_len"] else None,
        "table": table_word(message.get("RTA_TABLE", message["table"])),
        **_way(message, name, message.get("RTA_OIF", 0)),
        "src": message.get("RTA_PREFSRC"),
        "proto": proto_word(message["proto"]),
        "scope": scope_word(message["scope"]),
        "metric": message.get("RTA_PRIORITY", 0),
        "tos": message["tos"],
        "nhid": message.get("RTA_NH_ID"),
        "nexthops": [
            {**_way(hop, name, hop["ifindex"]), "weight": hop["hops"] + 1} for hop in message.get("RTA_MULTIPATH", ())
        ],
        "pref": PREFS.get(message["RTA_PREF"]) if "RTA_PREF" in message else None,
        "expires": message.get("RTA_CACHEINFO", (0, 0, 0))[2] // _CLOCK or None,
        "realms": _realms(message.get("RTA_FLOW", 0)),
        **_metrics(message.get("RTA_METRICS", {})),
    }
    cached = bool(message["flags"] & CLONED)
    iif = name(message["RTA_IIF"]) if "RTA_IIF" in message else ""
    found["text"] = route_text.text(found, cached, iif, message.get("RTA_UID"))
    found["legacy"] = route_text.legacy(found)
    return found


def shown(prefix: str) -> str:
    """A network, the one of all addresses as `default`."""
    return "default" if prefix in ("0.0.0.0/0", "::/0") else prefix


def _prefix(message: Mapping[str, Any], attribute: str, length: str) -> str:
    zero = "::" if message["family"] == socket.AF_INET6 else "0.0.0.0"
    return shown(f"{message.get(attribute, zero)}/{message[length]}")


def _way(hop: Mapping[str, Any], name: Callable[[int], str], ifindex: int) -> Record:
    """What a route and each of its next hops have."""
    flags = hop["flags"]
    return {
        "via": hop.get("RTA_GATEWAY") or hop.get("RTA_VIA"),
        "dev": name(ifindex) if ifindex else None,
        "onlink": bool(flags & route.ONLINK),
        "flags": [word for bit, word in FLAGS if flags & bit] if flags & ~route.ONLINK else [],
        "encap": ENCAPS.get(hop["RTA_ENCAP_TYPE"], "unknown") if "RTA_ENCAP_TYPE" in hop else None,
    }


def _realms(both: int) -> str | None:
    if not both:
        return None
    return f"{both >> 16}/{both & 0xFFFF}" if both >> 16 else str(both)


def _metrics(given: Mapping[str, Any]) -> Record:
    """Those that the module `route` can state as fields of their own, all others in `metrics`, by iproute2's words."""
    found: Record = {option: given.get(attribute) for option, attribute in route.METRICS.items()}
    others: Record = {}
    if given:
        if found["hoplimit"] == 0xFFFFFFFF:  # -1: that of the system
            found["hoplimit"] = None
        for number, word in enumerate(route_text.METRICS, 2):
            attribute = "RTAX_CC_ALGO" if word == "congctl" else f"RTAX_{word.upper()}"
            if attribute in given and word not in found:
                value = given[attribute]
                others[word] = value // _UNIT[word] if word in _UNIT else value
            if given.get(LOCK, 0) >> number & 1:
                others.setdefault("lock", []).append(word)
        if "features" in others:
            others["features"] = "ecn" if others["features"] == 1 else f"{others['features']:#x}"
    return {**found, "metrics": others}
