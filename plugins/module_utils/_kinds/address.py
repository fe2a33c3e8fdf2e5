# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses, IPv4 and IPv6 (net/ipv4/devinet.c, net/ipv6/addrconf.c).

The key is (device, address/length, peer): with a peer, the length is the peer's, as in `10.0.0.1 peer 10.0.0.2/32`.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from typing import Any

from .. import _netlink as nl
from .._model import (
    FLAG,
    LIVE,
    MARK_PROTO,
    MAX_NAME,
    RECREATE,
    U32,
    Field,
    Item,
    Key,
    Object,
    Op,
    Type,
    command,
    integer,
    interface,
    ip,
    link_name,
    numbered,
    text_of,
    words,
)
from .._names import SCOPES

NAME = "address"
FOREVER = 0xFFFFFFFF
# include/uapi/linux/if_addr.h; of the other flags the kernel makes the decisions (tentative, permanent, ...)
FLAGS = {"nodad": 0x02, "home": 0x10, "mngtmpaddr": 0x100, "noprefixroute": 0x200, "autojoin": 0x400}
_KERNEL_PROTOS = (1, 2, 3)  # IFAPROT_KERNEL_LO, _RA, _LL: made by the kernel itself


def _lifetime(value: Any) -> int:
    return FOREVER if str(value) == "forever" else int(integer(0, FOREVER).parse(value))


def _lifetime_same(want: int, have: int | None) -> bool:
    """A running lifetime counts down: it is the stated one as long as it is not longer."""
    if have is None or FOREVER in (want, have):
        return want == have
    return have <= want


_LIFETIME = Type(_lifetime, lambda value: "forever" if value == FOREVER else str(value))

FIELDS: dict[str, Field] = {
    "broadcast": Field(Type(ip), "IFA_BROADCAST", RECREATE, unset=""),
    "scope": Field(numbered(SCOPES, 0, 255), change=RECREATE),
    "label": Field(text_of(MAX_NAME), "IFA_LABEL", RECREATE),
    "metric": Field(U32, "IFA_RT_PRIORITY", unset=0),
    "proto": Field(numbered({}, 0, 255), "IFA_PROTO", unset=0),
    "valid_lft": Field(_LIFETIME, same=_lifetime_same, unset=FOREVER),
    "preferred_lft": Field(_LIFETIME, same=_lifetime_same, unset=FOREVER),
    **{option: Field(FLAG, change=RECREATE, word="", unset=False) for option in FLAGS},
}
WANTED = (
    "IFA_ADDRESS",
    "IFA_LOCAL",
    "IFA_LABEL",
    "IFA_BROADCAST",
    "IFA_FLAGS",
    "IFA_CACHEINFO",
    "IFA_RT_PRIORITY",
    "IFA_PROTO",
)
DUMP = nl.Request(nl.RTM_GETADDR, {})


def key(netns: str, dev: str, local: str, peer: str = "") -> Key:
    """The key of an address."""
    return Key(NAME, netns, (dev, local, peer))


def parse(item: Item, netns: str, canonical: Any) -> list[Object]:
    """One entry of `addresses`."""
    dev = item.take("dev", link_name, required=True)
    local = item.take("address", interface, required=True)
    item.named(f"{local} dev {dev}")
    peer = item.take("peer", ip, "")
    if peer and local:
        host = ipaddress.ip_interface(local)
        if host.version != ipaddress.ip_address(peer).version:
            item.problem(f"{peer} and {host.ip} are not of one address family", "peer")
    fields = item.fields(FIELDS)
    item.done()
    if not (dev and local):
        return []
    address = ipaddress.ip_interface(local)
    if address.version == 6:
        for option in ("broadcast", "label"):
            if option in fields:
                item.problem(f"IPv6 has no {option}", option)
        if "scope" in fields and fields["scope"] != scope6(address.ip):
            shown = FIELDS["scope"].type.word(scope6(address.ip))
            item.problem(f"the scope of an IPv6 address follows from the address: {address.ip} is {shown}", "scope")
    elif "label" in fields and not fields["label"].startswith(dev):
        item.problem(
            f"{fields['label']!r} does not begin with the device's name {dev} (ip-address(8) wants that)",
            "label",
        )
    if address.version == 4 and ":" in fields.get("broadcast", ""):
        item.problem(f"{fields['broadcast']} is not an IPv4 address", "broadcast")
    if fields.get("valid_lft") == 0:
        item.problem("0 is no time; say state: absent for an address that shall not be", "valid_lft")
    valid, preferred = fields.get("valid_lft", FOREVER), fields.get("preferred_lft", FOREVER)
    if preferred > valid and "preferred_lft" in fields:
        item.problem("is longer than valid_lft", "preferred_lft")
    return [Object(key(netns, dev, local, peer), fields)]


def read(message: Mapping[str, Any], netns: str, names: Mapping[int, str]) -> Object | None:
    """One address as the kernel shows it; None for one whose device is gone meanwhile."""
    dev = names.get(message["index"])
    far = message.get("IFA_ADDRESS")
    local = message.get("IFA_LOCAL", far)
    if dev is None or local is None:
        return None
    flags = message.get("IFA_FLAGS", message["flags"])
    preferred, valid = message.get("IFA_CACHEINFO", (FOREVER, FOREVER))
    fields = {option: message[f.nla] for option, f in FIELDS.items() if f.nla and f.nla in message}
    fields.update({option: bool(flags & bit) for option, bit in FLAGS.items()})
    fields.update(scope=message["scope"], valid_lft=valid, preferred_lft=preferred)
    peer = far if far not in (None, local) else ""
    return Object(key(netns, dev, f"{local}/{message['prefixlen']}", peer), fields)


def automatic(have: Object) -> bool:
    """Made by the kernel itself: it comes back by itself as well."""
    address = ipaddress.ip_interface(have.key.ident[1])
    if have.fields.get("proto") in _KERNEL_PROTOS or address.ip.is_loopback:
        return True
    return address.version == 6 and address.ip.is_link_local and not have.fields.get("proto")


def requests(op: Op, index: Any) -> list[nl.Request]:
    """What to send, in the namespace of the op's key."""
    dev, local, peer = op.key.ident
    address = ipaddress.ip_interface(local)
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    fields = {**op.have, **op.fields}
    header = {"family": family, "prefixlen": address.network.prefixlen, "index": index.number(op.key.netns, dev)}
    attrs: dict[str, Any] = {"IFA_LOCAL": str(address.ip), "IFA_ADDRESS": peer or str(address.ip)}
    if op.action == "delete":
        return [nl.Request(nl.RTM_DELADDR, header, attrs)]
    header["scope"] = fields.get("scope", default_scope(address))
    attrs["IFA_PROTO"] = fields.get("proto", MARK_PROTO)
    attrs["IFA_LABEL"] = fields.get("label") if family == socket.AF_INET else None
    attrs["IFA_BROADCAST"] = fields.get("broadcast") or None
    attrs["IFA_RT_PRIORITY"] = fields.get("metric") or None
    bits = sum(bit for option, bit in FLAGS.items() if fields.get(option))
    attrs["IFA_FLAGS"] = bits or None
    lifetimes = _lifetimes(op)
    if lifetimes != (FOREVER, FOREVER) or op.action == "change":
        attrs["IFA_CACHEINFO"] = lifetimes
    flags = nl.NLM_F_CREATE | (nl.NLM_F_REPLACE if op.action == "change" else nl.NLM_F_EXCL)
    return [nl.Request(nl.RTM_NEWADDR, header, attrs, flags)]


def _lifetimes(op: Op) -> tuple[int, int]:
    """(preferred, valid): an address is not preferred for longer than it is valid, also where only that is stated."""
    fields = {**op.have, **op.fields}
    valid = fields.get("valid_lft", FOREVER)
    preferred = fields.get("preferred_lft", valid)
    return preferred if "preferred_lft" in op.fields else min(preferred, valid), valid


def scope6(address: Any) -> int:
    """The scope that the kernel reads from an IPv6 address (rt_scope, net/ipv6/addrconf.c)."""
    if address.is_loopback:
        return SCOPES["host"]
    return SCOPES["link" if address.is_link_local else "site" if address.is_site_local else "global"]


def label(ident: tuple[Any, ...]) -> str:
    """An address as it is stated."""
    dev, local, peer = ident
    return f"{local}{f' peer {peer}' if peer else ''} dev {dev}"


def default_scope(address: Any) -> int:
    """What iproute2 sends when no scope is stated: host for 127.0.0.0/8, else global (ip/ipaddress.c)."""
    return SCOPES["host"] if address.version == 4 and address.ip.is_loopback else SCOPES["global"]


def commands(op: Op) -> list[str]:
    """The line that a person would type."""
    dev, local, peer = op.key.ident
    address = ipaddress.ip_interface(local)
    place = [local] if not peer else [str(address.ip), "peer", f"{peer}/{address.network.prefixlen}"]
    if op.action == "delete":
        return [command("ip", op.key.netns, "addr del", *place, "dev", dev)]
    verb = "addr add" if op.action == "create" else "addr replace"
    # a replacement sets all that may change anew, whether it is said or not, and the flags
    anew = {option for option, field in FIELDS.items() if field.change == LIVE} | set(FLAGS)
    kept = {option: value for option, value in op.have.items() if option in anew and value != FIELDS[option].unset}
    fields = {**kept, **op.fields}
    fields["preferred_lft"], fields["valid_lft"] = _lifetimes(op)  # iproute2 takes what is left out for forever
    fields = {o: v for o, v in fields.items() if not (o == "proto" and v in (0, MARK_PROTO))}
    fields = {o: v for o, v in fields.items() if not (o in ("valid_lft", "preferred_lft") and v == FOREVER)}
    bare = [option for option in FLAGS if fields.get(option)]
    return [command("ip", op.key.netns, verb, *place, "dev", dev, *words(fields, FIELDS), *bare)]


def owned(have: Object) -> bool:
    """Whether the kernel shows the collection's mark."""
    return bool(have.fields.get("proto") == MARK_PROTO)


def device(key_: Key) -> str:
    """The link that this object hangs on."""
    return str(key_.ident[0])
