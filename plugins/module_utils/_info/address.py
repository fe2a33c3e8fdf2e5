# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The addresses of links as `ip addr` shows them (include/uapi/linux/if_addr.h; iproute2's ip/ipaddress.c)."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from .._kinds import address
from .._names import SCOPES
from .view import Record, View

FAMILIES = {2: "inet", 10: "inet6"}
# In the order and the words of iproute2; each is an option of the module address, or a state that the kernel gives.
# An address is dynamic as long as it is not permanent.
FLAGS = {
    "secondary": 0x01, "nodad": 0x02, "optimistic": 0x04, "dadfailed": 0x08, "home": 0x10, "deprecated": 0x20,
    "tentative": 0x40, "dynamic": 0x80, "mngtmpaddr": 0x100, "noprefixroute": 0x200, "autojoin": 0x400,
    "stable_privacy": 0x800,
}  # fmt: skip
_PERMANENT = FLAGS["dynamic"]
PROTOS = {1: "kernel_lo", 2: "kernel_ra", 3: "kernel_ll"}
_SCOPES = {number: name for name, number in SCOPES.items()}


def by_link(view: View) -> dict[int, list[Record]]:
    """{ifindex: its addresses}, in the kernel's order."""
    found: dict[int, list[Record]] = defaultdict(list)
    for message in view.dump(address.DUMP, address.WANTED):
        if "IFA_ADDRESS" in message or "IFA_LOCAL" in message:
            found[message["index"]].append(record(message))
    return found


def record(message: dict[str, Any]) -> Record:
    """One address. With a peer, the length is the peer's."""
    far = message.get("IFA_ADDRESS")
    local = message.get("IFA_LOCAL", far)
    flags = message.get("IFA_FLAGS", message["flags"])
    preferred, valid = message.get("IFA_CACHEINFO", (address.FOREVER, address.FOREVER))
    proto = message.get("IFA_PROTO", 0)
    found = {
        "address": f"{local}/{message['prefixlen']}",
        "family": FAMILIES.get(message["family"], str(message["family"])),
        "peer": far if far not in (None, local) else None,
        "broadcast": message.get("IFA_BROADCAST"),
        "scope": _SCOPES.get(message["scope"], message["scope"]),
        "label": message.get("IFA_LABEL"),
        "metric": message.get("IFA_RT_PRIORITY") or None,
        "proto": PROTOS.get(proto, proto) or None,
        **{word: bool((flags ^ _PERMANENT) & bit) for word, bit in FLAGS.items()},
        "valid_lft": _lifetime(valid),
        "preferred_lft": _lifetime(preferred),
    }
    return {**found, "text": text(found)}


def _lifetime(seconds: int) -> int | str:
    return "forever" if seconds == address.FOREVER else seconds


def text(found: Record) -> str:
    """The address as `ip addr` prints it, without its lifetimes."""
    local, length = found["address"].split("/")
    parts = [found["family"], *([local, "peer", f"{found['peer']}/{length}"] if found["peer"] else [found["address"]])]
    parts += ["metric", str(found["metric"])] if found["metric"] else []
    parts += ["brd", found["broadcast"]] if found["broadcast"] else []
    parts += ["scope", str(found["scope"])]
    parts += ["proto", str(found["proto"])] if found["proto"] else []
    words = {"secondary": "temporary"} if found["family"] == "inet6" else {}
    parts += [words.get(word, word).replace("_", "-") for word in FLAGS if found[word]]
    parts += [found["label"]] if found["label"] else []
    return " ".join(parts)


def lines(found: Record) -> list[str]:
    """The two lines of an address in `ip addr`."""
    first, second = (
        f"{seconds}{'' if seconds == 'forever' else 'sec'}" for seconds in (found["valid_lft"], found["preferred_lft"])
    )
    return [f"    {found['text']}", f"       valid_lft {first} preferred_lft {second}"]
