# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Neighbour entries that somebody states: permanent, noarp, and proxy (net/core/neighbour.c).

What the kernel learns by itself (reachable, stale, ...) is no configuration and is left out.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from typing import Any

from .. import _netlink as nl
from .._model import FLAG, MAC, MARK_PROTO, Field, Item, Key, Object, Op, choice, command, ip, link_name, loader

NAME = "neighbor"
STATES = {"noarp": 0x40, "permanent": 0x80}
NTF_PROXY, NTF_ROUTER = 0x08, 0x80

FIELDS: dict[str, Field] = {
    "lladdr": Field(MAC, "NDA_LLADDR"),
    "nud": Field(choice(STATES), load=loader(STATES)),
    "router": Field(FLAG, word="", unset=False),
}
WANTED = ("NDA_DST", "NDA_LLADDR", "NDA_PROTOCOL")
DUMPS = (
    nl.Request(nl.RTM_GETNEIGH, {"family": socket.AF_INET}),
    nl.Request(nl.RTM_GETNEIGH, {"family": socket.AF_INET6}),
    # proxy entries come only when the header asks for them, and then nothing else does
    nl.Request(nl.RTM_GETNEIGH, {"family": socket.AF_INET, "flags": NTF_PROXY}),
    nl.Request(nl.RTM_GETNEIGH, {"family": socket.AF_INET6, "flags": NTF_PROXY}),
)


def key(netns: str, dev: str, dst: str, proxy: bool) -> Key:
    """The key of a neighbour entry."""
    return Key(NAME, netns, (dev, dst, "proxy" if proxy else ""))


def label(ident: tuple[Any, ...]) -> str:
    """An entry as it is stated."""
    dev, dst, proxy = ident
    return f"{f'{proxy} ' if proxy else ''}{dst} dev {dev}"


def parse(item: Item, netns: str, canonical: Any) -> list[Object]:
    """One entry of `neighbors`."""
    dev = item.take("dev", link_name, required=True)
    dst = item.take("dst", ip, required=True)
    item.named(f"{dst} dev {dev}")
    proxy = item.take("proxy", FLAG.parse, False)
    fields = item.fields(FIELDS)
    item.done()
    if not (dev and dst):
        return []
    if proxy:
        for option in ("lladdr", "nud"):
            if option in fields:
                item.problem("a proxy entry has none: the device's own MAC address is the answer", option)
        fields = {"proxy": True, **fields}
    else:
        fields.setdefault("nud", "permanent")
    return [Object(key(netns, dev, dst, proxy), fields)]


def configured(body: memoryview) -> bool:
    """Keep permanent, noarp and proxy entries only: the rest is the kernel's own business."""
    state = int.from_bytes(body[8:10], sys.byteorder)  # struct ndmsg: ndm_state, then ndm_flags
    return bool(state & 0xC0) or bool(body[10] & NTF_PROXY)


def read(message: Mapping[str, Any], netns: str, names: Mapping[int, str]) -> Object | None:
    """One neighbour entry as the kernel shows it."""
    dev = names.get(message["ifindex"])
    if dev is None or "NDA_DST" not in message:
        return None
    proxy = bool(message["flags"] & NTF_PROXY)
    fields: dict[str, Any] = {"router": bool(message["flags"] & NTF_ROUTER), "proto": message.get("NDA_PROTOCOL", 0)}
    if proxy:
        fields["proxy"] = True
    else:
        fields["nud"] = FIELDS["nud"].load(message["state"])
        fields["lladdr"] = message.get("NDA_LLADDR")
    return Object(key(netns, dev, message["NDA_DST"], proxy), fields)


def automatic(have: Object) -> bool:
    """noarp entries are made by the kernel (multicast, broadcast, tunnels) as long as nobody marks them."""
    return have.fields.get("nud") == "noarp" and have.fields.get("proto") != MARK_PROTO


def requests(op: Op, index: Any) -> list[nl.Request]:
    """What to send, in the namespace of the op's key."""
    dev, dst, proxy = op.key.ident
    fields = {**op.have, **op.fields}
    header = {
        "family": socket.AF_INET6 if ":" in dst else socket.AF_INET,
        "ifindex": index.number(op.key.netns, dev),
        "flags": (NTF_PROXY if proxy else 0) | (NTF_ROUTER if fields.get("router") else 0),
    }
    attrs: dict[str, Any] = {"NDA_DST": dst}
    if op.action == "delete":
        return [nl.Request(nl.RTM_DELNEIGH, header, attrs)]
    attrs["NDA_PROTOCOL"] = fields.get("proto", MARK_PROTO)
    # a proxy entry that is not permanent goes when the carrier does (pneigh_ifdown_and_unlock)
    header["state"] = STATES[fields.get("nud", "permanent")]
    if not proxy:
        attrs["NDA_LLADDR"] = fields.get("lladdr")
    # replace: an entry that the kernel learned for this address may be there already
    return [nl.Request(nl.RTM_NEWNEIGH, header, attrs, nl.NLM_F_CREATE | nl.NLM_F_REPLACE)]


def commands(op: Op) -> list[str]:
    """The line that a person would type."""
    dev, dst, proxy = op.key.ident
    if op.action == "delete":
        return [command("ip", op.key.netns, "neigh del", "proxy" if proxy else "", dst, "dev", dev)]
    fields = {**op.have, **op.fields}
    if proxy:
        return [command("ip", op.key.netns, "neigh add proxy", dst, "dev", dev)]
    parts = ["lladdr", fields["lladdr"]] if fields.get("lladdr") else []
    parts += ["nud", fields.get("nud", "permanent"), *(["router"] if fields.get("router") else [])]
    return [command("ip", op.key.netns, "neigh replace", dst, *parts, "dev", dev)]


def device(key_: Key) -> str:
    """The link that this object hangs on."""
    return str(key_.ident[0])
