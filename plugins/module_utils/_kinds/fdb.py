# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Forwarding database entries of VXLANs and bridges (net/core/rtnetlink.c rtnl_fdb_*; vxlan_core.c; br_fdb.c).

A unicast MAC has one entry per (device, vlan, source VNI): `append` to it is a silent no-op, so it is replaced. The zero MAC (and
a multicast one) of a VXLAN has one entry for each destination: these are appended, and `replace` is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import _netlink as nl
from .._model import MAC, Field, Item, Key, Object, Op, choice, command, integer, ip, link_name

NAME = "fdb"
AF_BRIDGE = 7
NTF_SELF, NTF_MASTER, NTF_EXT_LEARNED = 0x02, 0x04, 0x10
# bridge fdb's words: permanent (local), static (noarp), dynamic (may age)
STATES = {"permanent": 0x80, "static": 0x40, "dynamic": 0x02}
ZERO = "00:00:00:00:00:00"

_VNI = integer(0, (1 << 24) - 1)
FIELDS: dict[str, Field] = {
    "dst": Field(MAC._replace(parse=ip), "NDA_DST", unset=""),
    "port": Field(integer(1, 65535), "NDA_PORT", unset=0),
    "vni": Field(_VNI, "NDA_VNI", unset=0),
    "via": Field(MAC._replace(parse=link_name), "NDA_IFINDEX", unset=""),
    "entry_state": Field(choice(STATES), word=""),
}
WANTED = ("NDA_LLADDR", "NDA_DST", "NDA_PORT", "NDA_VNI", "NDA_SRC_VNI", "NDA_IFINDEX", "NDA_VLAN", "NDA_MASTER")
DUMP = nl.Request(nl.RTM_GETNEIGH, {"family": AF_BRIDGE})


def key(netns: str, dev: str, mac: str, vlan: int, which: str, dst: str, src_vni: int = 0) -> Key:
    """The key of an entry; the destination tells entries apart for zero and multicast MACs only."""
    return Key(NAME, netns, (dev, mac, vlan, which, dst if many(mac) else "", src_vni))


def label(ident: tuple[Any, ...]) -> str:
    """An entry as it is stated."""
    dev, mac, vlan, which, dst, src_vni = ident
    parts = [mac, "dev", dev, *(["dst", dst] if dst else []), *(["vlan", str(vlan)] if vlan else [])]
    parts += ["src_vni", str(src_vni)] if src_vni else []
    return " ".join([*parts, *(["master"] if which == "master" else [])])


def many(mac: str) -> bool:
    """Whether a VXLAN may have several entries for this MAC."""
    return mac == ZERO or bool(int(mac[:2], 16) & 1)


def parse(item: Item, netns: str, canonical: Any) -> list[Object]:
    """One entry of `fdb`."""
    dev = item.take("dev", link_name, required=True)
    mac = item.take("mac", MAC.parse, required=True)
    item.named(f"{mac} dev {dev}")
    vlan = item.take("vlan", integer(1, 4094).parse, 0)
    which = item.take("which", choice({"self": 0, "master": 0}).parse, "self")
    src_vni = item.take("src_vni", _VNI.parse, 0)
    fields = item.fields(FIELDS)
    item.done()
    if not (dev and mac):
        return []
    if which == "master" and "dst" in fields:
        item.problem("an entry of a bridge has no destination; that is a VXLAN's (which: self)", "dst")
    fields.setdefault("entry_state", "permanent")
    return [Object(key(netns, dev, mac, vlan, which, fields.get("dst", ""), src_vni), fields)]


def read(message: Mapping[str, Any], netns: str, names: Mapping[int, str]) -> Object | None:
    """One entry as the kernel shows it."""
    dev = names.get(message["ifindex"])
    mac = message.get("NDA_LLADDR")
    if dev is None or mac is None or len(mac) != 17:
        return None
    state = message["state"]
    fields: dict[str, Any] = {option: message[f.nla] for option, f in FIELDS.items() if f.nla and f.nla in message}
    if "via" in fields:
        fields["via"] = names.get(fields["via"], "")
    fields["entry_state"] = "permanent" if state & 0x80 else "static" if state & 0x40 else "dynamic"
    fields["learned"] = bool(message["flags"] & NTF_EXT_LEARNED) or fields["entry_state"] == "dynamic"
    # a bridge reports its ports' entries with NDA_MASTER; the port's own list has neither master nor the flag
    which = "master" if "NDA_MASTER" in message and not message["flags"] & NTF_SELF else "self"
    vlan, src_vni = message.get("NDA_VLAN", 0), message.get("NDA_SRC_VNI", 0)
    return Object(key(netns, dev, mac, vlan, which, fields.get("dst", ""), src_vni), fields)


def automatic(have: Object) -> bool:
    """Learned, a port's own MAC in its bridge, or a multicast filter of a device: they come by themselves."""
    which = have.key.ident[3]
    if have.fields.get("learned"):
        return True
    if which == "master":
        return bool(have.fields["entry_state"] == "permanent")
    return not have.fields.get("dst")


def requests(op: Op, index: Any) -> list[nl.Request]:
    """What to send, in the namespace of the op's key."""
    dev, mac, vlan, which, _dst, src_vni = op.key.ident
    fields = {**op.have, **op.fields}
    header = {
        "family": AF_BRIDGE,
        "ifindex": index.number(op.key.netns, dev),
        "flags": NTF_MASTER if which == "master" else NTF_SELF,
        "state": STATES[fields.get("entry_state", "permanent")],
    }
    attrs: dict[str, Any] = {"NDA_LLADDR": mac, "NDA_VLAN": vlan or None, "NDA_DST": fields.get("dst") or None}
    attrs["NDA_SRC_VNI"] = src_vni or None
    for option in ("port", "vni"):
        attrs[FIELDS[option].nla] = fields.get(option) or None
    if fields.get("via"):
        attrs["NDA_IFINDEX"] = index.number(op.key.netns, fields["via"])
    if op.action == "delete":
        return [nl.Request(nl.RTM_DELNEIGH, header, attrs)]
    how = nl.NLM_F_APPEND if many(mac) and which == "self" else nl.NLM_F_REPLACE
    return [nl.Request(nl.RTM_NEWNEIGH, header, attrs, nl.NLM_F_CREATE | how)]


def commands(op: Op) -> list[str]:
    """The line that a person would type."""
    dev, mac, vlan, which, _dst, src_vni = op.key.ident
    fields = {**op.have, **op.fields}
    parts: list[Any] = [mac, "dev", dev]
    for option in ("dst", "port", "vni", "via"):
        if fields.get(option):
            parts += [option, fields[option]]
    parts += ["src_vni", src_vni] if src_vni else []
    parts += ["vlan", vlan] if vlan else []
    if op.action == "delete":
        return [command("bridge", op.key.netns, "fdb del", *parts, which)]
    verb = "fdb append" if many(mac) and which == "self" else "fdb replace"
    return [command("bridge", op.key.netns, verb, *parts, which, fields.get("entry_state", "permanent"))]


def device(key_: Key) -> str:
    """The link that this object hangs on."""
    return str(key_.ident[0])
