# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Forwarding database entries as `bridge fdb` shows them (iproute2's bridge/fdb.c, print_fdb)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from .._kinds import fdb
from .._model import MAC, ip
from .filters import taken
from .view import Record, View

# beside the words of the module: one that is about to go
STATES = {**{number: word for word, number in fdb.STATES.items()}, 0x04: "stale"}
FLAGS = {"self": 0x02, "router": 0x80, "extern_learn": 0x10, "offload": 0x20, "sticky": 0x40}
WANTED = (*fdb.WANTED, "NDA_NH_ID", "NDA_LINK_NETNSID", "NDA_CACHEINFO")
_CLOCK = os.sysconf("SC_CLK_TCK")

SPEC: dict[str, Any] = {
    "dev": {"type": "str"},
    "mac": {"type": "str"},
    "master": {"type": "str"},
    "which": {"type": "str", "choices": ["self", "master"]},
    "dst": {"type": "str"},
    "vlan": {"type": "int"},
    "entry_state": {"type": "str", "choices": list(STATES.values())},
    "learned": {"type": "bool"},
}


def read(view: View, params: dict[str, Any]) -> Iterator[Record]:
    """The entries of a namespace that are asked for, of bridges and of VXLANs."""
    asked = {**params, "mac": taken(params, "mac", MAC.parse), "dst": taken(params, "dst", ip)}
    for message in view.dump(fdb.DUMP, WANTED, _holding(asked["mac"])):
        if "NDA_LLADDR" in message:
            found = record(message, view.name)
            if all(asked[name] in (None, found[name]) for name in SPEC):
                yield found


def _holding(mac: str | None) -> Callable[[memoryview], bool] | None:
    """Only messages with these bytes somewhere are worth decoding."""
    if mac is None:
        return None
    wanted = bytes.fromhex(mac.replace(":", ""))
    return lambda body: wanted in bytes(body)


def record(message: dict[str, Any], name: Callable[[int], str]) -> Record:
    """One entry."""
    flags, state = message["flags"], message["state"]
    which = "self" if flags & FLAGS["self"] or "NDA_MASTER" not in message else "master"
    _confirmed, used, updated, _references = message.get("NDA_CACHEINFO", (None,) * 4)
    far = message.get("NDA_LINK_NETNSID")
    found = {
        "dev": name(message["ifindex"]),
        "mac": message["NDA_LLADDR"],
        "which": which,
        "master": name(message["NDA_MASTER"]) if "NDA_MASTER" in message else None,
        "dst": message.get("NDA_DST"),
        "vlan": message.get("NDA_VLAN"),
        "port": message.get("NDA_PORT"),
        "vni": message.get("NDA_VNI"),
        "src_vni": message.get("NDA_SRC_VNI"),
        "via": _via(message.get("NDA_IFINDEX"), far, name),
        "nhid": message.get("NDA_NH_ID"),
        "link_netnsid": far,
        "entry_state": next((word for bit, word in STATES.items() if state & bit), f"{state:#x}"),
        **{flag: bool(flags & bit) for flag, bit in FLAGS.items() if flag != "self"},
        "used": None if used is None else used // _CLOCK,
        "updated": None if updated is None else updated // _CLOCK,
    }
    found["learned"] = found["entry_state"] in ("dynamic", "stale")
    return {**found, "text": text(found, bool(flags & FLAGS["self"]))}


def _via(ifindex: int | None, far: int | None, name: Callable[[int], str]) -> str | None:
    """The lower device; one in another namespace is known by its number only."""
    if ifindex is None:
        return None
    return f"ifindex {ifindex}" if far is not None else name(ifindex)


def text(found: Record, of_its_own: bool) -> str:
    """The entry as `bridge fdb` prints it."""
    parts = [found["mac"], "dev", found["dev"]]
    for word in ("dst", "vlan", "port", "vni", "src_vni", "via", "nhid"):
        parts += [word, str(found[word])] if found[word] is not None else []
    parts += ["link-netnsid", str(found["link_netnsid"])] if found["link_netnsid"] is not None else []
    parts += ["self"] if of_its_own else []
    parts += [word for word in ("router", "extern_learn", "offload", "sticky") if found[word]]
    parts += ["master", found["master"]] if found["master"] else []
    parts += [found["entry_state"]] if found["entry_state"] != "dynamic" else []
    return " ".join(parts)
