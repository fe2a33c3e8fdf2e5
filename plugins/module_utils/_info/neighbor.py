# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Neighbour entries as `ip neigh` shows them (include/uapi/linux/neighbour.h; iproute2's ip/ipneigh.c)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .._kinds import neighbor
from .._model import ip
from .._names import PROTOS
from .filters import taken, word_of
from .view import Record, View

STATES = {
    0x01: "incomplete", 0x02: "reachable", 0x04: "stale", 0x08: "delay", 0x10: "probe", 0x20: "failed", 0x40: "noarp",
    0x80: "permanent",
}  # fmt: skip
NTF_EXT_LEARNED, NTF_OFFLOADED = 0x10, 0x20
FAMILIES = {2: "inet", 10: "inet6"}
_proto = word_of(PROTOS)

SPEC: dict[str, Any] = {
    "dev": {"type": "str"},
    "dst": {"type": "str"},
    "family": {"type": "str", "choices": ["inet", "inet6"]},
    "nud": {"type": "list", "elements": "str", "choices": [*STATES.values(), "none"]},
    "proxy": {"type": "bool"},
}


def read(view: View, params: dict[str, Any]) -> Iterator[Record]:
    """The entries of a namespace that are asked for, those of proxy ARP and NDP included."""
    dst = taken(params, "dst", ip)
    for request in neighbor.DUMPS:
        if params["family"] not in (None, FAMILIES[request.header["family"]]):
            continue
        for message in view.dump(request, neighbor.WANTED):
            if "NDA_DST" not in message:
                continue
            found = record(message, view.name(message["ifindex"]))
            if _wanted(found, {**params, "dst": dst}):
                yield found


def _wanted(found: Record, params: dict[str, Any]) -> bool:
    plain = all(params[name] in (None, found[name]) for name in ("dev", "dst", "proxy"))
    if params["nud"]:
        return plain and found["nud"] in params["nud"]
    # ip neigh hides them, too: the kernel makes one for each multicast group, and one before it asks
    return plain and (found["proxy"] or found["extern_learn"] or found["nud"] not in ("noarp", "none"))


def record(message: dict[str, Any], dev: str) -> Record:
    """One entry."""
    flags = message["flags"]
    found = {
        "dev": dev,
        "dst": message["NDA_DST"],
        "family": FAMILIES[message["family"]],
        "lladdr": message.get("NDA_LLADDR"),
        "nud": STATES.get(message["state"], "none"),
        "proxy": bool(flags & neighbor.NTF_PROXY),
        "router": bool(flags & neighbor.NTF_ROUTER),
        "extern_learn": bool(flags & NTF_EXT_LEARNED),
        "offload": bool(flags & NTF_OFFLOADED),
        "proto": _proto(message["NDA_PROTOCOL"]) if message.get("NDA_PROTOCOL") else None,
    }
    return {**found, "text": text(found)}


def text(found: Record) -> str:
    """The entry as `ip neigh` prints it."""
    parts = [found["dst"], "dev", found["dev"]]
    parts += ["lladdr", found["lladdr"]] if found["lladdr"] else []
    parts += [word for word in ("router", "proxy", "extern_learn", "offload") if found[word]]
    parts += [found["nud"].upper()] if not found["proxy"] and found["nud"] != "none" else []
    parts += ["proto", str(found["proto"])] if found["proto"] else []
    return " ".join(parts)
