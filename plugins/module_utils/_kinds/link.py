# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links of any kind: what all have in common, and how a kind's own table takes part (net/core/rtnetlink.c).

The key of a link is (namespace, name), whatever its kind: a name is unique in its namespace.
A veth is created, and goes, as a pair: such an op carries the other end in `also`.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import cache
from typing import Any

from .. import _netlink as nl
from .._model import (
    CREATE_ONLY,
    FLAG,
    MARK_GROUP,
    OPTIONAL_LINK,
    U32,
    Field,
    Item,
    Key,
    Object,
    Op,
    Type,
    choice,
    command,
    dumper,
    integer,
    link_name,
    loader,
    netns_name,
    text_of,
    unicast_mac,
    words,
)

NAME = "link"


def _same_if_shown(want: Any, have: Any) -> bool:
    """A kernel without CONFIG_RPS takes the number of receive queues, but shows it to nobody (rtnl_fill_ifinfo)."""
    return have is None or want == have


_GENMODE = {"eui64": 0, "none": 1, "stable_secret": 2, "random": 3}

MAX_MTU = 65535  # of all but lo (ETH_MAX_MTU, IP_MAX_MTU)
ATTRIBUTES = {
    "address": Field(Type(unicast_mac), "IFLA_ADDRESS"),
    "mtu": Field(integer(68, (1 << 31) - 1), "IFLA_MTU"),
    "txqueuelen": Field(U32, "IFLA_TXQLEN"),
    "numtxqueues": Field(integer(1, 4096), "IFLA_NUM_TX_QUEUES", CREATE_ONLY),
    "numrxqueues": Field(integer(1, 4096), "IFLA_NUM_RX_QUEUES", CREATE_ONLY, same=_same_if_shown),
    "master": Field(OPTIONAL_LINK, "IFLA_MASTER", unset=""),
    "alias": Field(text_of(254), "IFLA_IFALIAS", unset=""),
    "addrgenmode": Field(choice(_GENMODE), load=loader(_GENMODE), dump=dumper(_GENMODE), unset="eui64"),
    "group": Field(U32, "IFLA_GROUP", unset=0),
}
# option: (flag, what the flag means)   include/uapi/linux/if.h
FLAGS = {
    "up": (0x1, True),
    "arp": (0x80, False),
    "promisc": (0x100, True),
    "allmulticast": (0x200, True),
    "multicast": (0x1000, True),
}
GENERIC: dict[str, Field] = {**ATTRIBUTES, **{option: Field(FLAG, unset=False) for option in FLAGS}}
# Not taken by the kernel at creation: a second request (rtnl_newlink_create).
_AFTERWARDS = ("alias", "addrgenmode")
# All that the peer's part of a veth's creation may hold (drivers/net/veth.c, rtnl_create_link). It cannot go up
# there: the pair is not joined yet (ENOTCONN).
PEER_AT_CREATION = ("address", "mtu", "txqueuelen", "numtxqueues", "numrxqueues", "group")

WANTED = (
    "IFLA_IFNAME",
    "IFLA_ADDRESS",
    "IFLA_MTU",
    "IFLA_TXQLEN",
    "IFLA_MASTER",
    "IFLA_IFALIAS",
    "IFLA_GROUP",
    "IFLA_LINK",
    "IFLA_LINK_NETNSID",
    "IFLA_LINKINFO",
    "IFLA_INFO_KIND",
    "IFLA_INFO_DATA",
    "IFLA_INFO_SLAVE_KIND",
    "IFLA_INFO_SLAVE_DATA",
    "IFLA_AF_SPEC",
    "IFLA_NUM_TX_QUEUES",
    "IFLA_NUM_RX_QUEUES",
    "IFLA_PROP_LIST",
    "IFLA_ALT_IFNAME",
)
DUMP = nl.Request(nl.RTM_GETLINK, {}, {"IFLA_EXT_MASK": nl.RTEXT_FILTER_SKIP_STATS})

BACKUP = "port.backup_port"  # another port, which must be one by then

_kinds: dict[str, Any] = {}
_port: dict[str, Field] = {}


def register(kinds: Mapping[str, Any], port: Mapping[str, Field]) -> None:
    """The kinds that have a file of their own, and the table of bridge ports (kinds do not import each other)."""
    _kinds.update(kinds)
    _port.update({f"port.{option}": field for option, field in port.items()})


def key(netns: str, name: str) -> Key:
    """The key of a link."""
    return Key(NAME, netns, (name,))


@cache
def table(kind: str) -> Mapping[str, Field]:
    """All fields that a link of this kind has."""
    own = _kinds[kind].FIELDS if kind in _kinds else {}
    return {**own, **GENERIC, **_port}


def known_kinds() -> list[str]:
    """The kinds that can be created."""
    return sorted(_kinds)


# ---- description -> want ------------------------------------------------------------------------------------------


def parse(item: Item, netns: str, canonical: Any) -> list[Object]:
    """One entry of `links`; a veth gives two objects, one for each end."""
    name = item.take("name", link_name, required=True)
    item.named(str(name))
    kind = item.take("kind", lambda value: choice(dict.fromkeys(_kinds, 0)).parse(value))
    fields: dict[str, Any] = {"kind": kind} if kind else {}
    source = item.take("move_from", lambda value: canonical("" if value == "" else value))
    if source is not None:
        fields["move_from"] = source
    fields.update(_generic(item, str(name)))
    if kind == "veth":
        return _parse_veth(item, netns, name, fields, canonical)
    if kind:
        module = _kinds[kind]
        fields.update(module.parse(item) if hasattr(module, "parse") else item.fields(module.FIELDS))
    item.done()
    return [Object(key(netns, name), fields)]


def _generic(item: Item, name: str) -> dict[str, Any]:
    fields = item.fields(
        {option: field for option, field in GENERIC.items() if option != "group"}
    )  # the group is the mark
    if fields.get("mtu", 0) > MAX_MTU and name != "lo":
        item.problem(f"{fields['mtu']} is out of range, 68 to {MAX_MTU}", "mtu")
    port = item.take("port", lambda value: value)
    if port is not None:
        if isinstance(port, Mapping):
            inner = Item(item.kind, {f"port.{option}": value for option, value in port.items()}, item.problems)
            inner.label = item.label
            fields.update(inner.fields(_port))
            inner.done()
        else:
            item.problem(f"{port!r} is not a dictionary of the options of a bridge port", "port")
    return fields


def _parse_veth(item: Item, netns: str, name: str, fields: dict[str, Any], canonical: Any) -> list[Object]:
    peer = item.take("peer", lambda value: value)
    item.done()
    if peer is None:
        # an end on its own: one that exists already, or one that is going
        return [Object(key(netns, name), fields)]
    if not isinstance(peer, Mapping):
        peer = {"name": peer}
    other = Item(item.kind, peer, item.problems)
    other.label = f"{item.label} peer"
    peer_name = other.take("name", link_name, required=True)
    peer_netns = other.take(
        "netns", lambda value: canonical(value if isinstance(value, int) else netns_or_path(value)), netns
    )
    peer_fields = {"kind": "veth", **_generic(other, str(peer_name))}
    other.done()
    if (peer_netns, peer_name) == (netns, name):
        item.problem("a veth cannot be its own peer", "peer")
    fields["peer"] = (peer_netns, peer_name)
    peer_fields["peer"] = (netns, name)
    return [Object(key(netns, name), fields), Object(key(peer_netns, peer_name), peer_fields)]


def netns_or_path(value: Any) -> str:
    """A namespace as a user may give it: a name, an absolute path, or '' for the host's own."""
    text = str(value)
    return text if not text or text.startswith("/") else netns_name(text)


# ---- kernel -> have -----------------------------------------------------------------------------------------------


def read(message: Mapping[str, Any], netns: str, names: Mapping[int, str]) -> Object:
    """One link as the kernel shows it. A veth's peer is filled in by the snapshot, which knows all namespaces."""
    info = message.get("IFLA_LINKINFO", {})
    kind = info.get("IFLA_INFO_KIND", "")
    fields: dict[str, Any] = {"kind": kind, "alias": ""}
    for option, field in ATTRIBUTES.items():
        if field.nla in message:
            fields[option] = message[field.nla]
    if "IFLA_LINK_NETNSID" not in message and kind != "veth" and message.get("IFLA_LINK"):
        fields["lower"] = names.get(message["IFLA_LINK"], "")
    fields["master"] = names.get(message.get("IFLA_MASTER", 0), "")
    if len(fields.get("address", "")) != 17:  # a tunnel's link-layer address is its local IP address
        fields.pop("address", None)
    spec = message.get("IFLA_AF_SPEC", {})
    if "addrgenmode" in spec:
        fields["addrgenmode"] = ATTRIBUTES["addrgenmode"].load(spec["addrgenmode"])
    for family in ("ipv4", "ipv6"):
        if family in spec:
            fields[f"conf.{family}"] = spec[family]
    for option, (bit, meaning) in FLAGS.items():
        fields[option] = bool(message["flags"] & bit) == meaning
    if kind in _kinds:
        fields.update(_load(_kinds[kind], info.get("IFLA_INFO_DATA", {}), names))
    if info.get("IFLA_INFO_SLAVE_KIND") == "bridge":
        data = info.get("IFLA_INFO_SLAVE_DATA", {})
        fields.update({option: f.load(data[f.nla]) for option, f in _port.items() if f.nla in data})
        fields[BACKUP] = names.get(data.get(_port[BACKUP].nla, 0), "")
    return Object(key(netns, message["IFLA_IFNAME"]), fields)


def _load(kind: Any, data: Mapping[str, Any], names: Mapping[int, str]) -> dict[str, Any]:
    found = {option: f.load(data[f.nla]) if f.nla in data else f.unset for option, f in kind.FIELDS.items() if f.nla}
    found.update(kind.load(data) if hasattr(kind, "load") else {})
    for option in getattr(kind, "LINKS", ()):
        found[option] = names.get(found[option], "") if found[option] else ""
    return found


# ---- ops -> requests ----------------------------------------------------------------------------------------------


def requests(op: Op, index: Any) -> list[nl.Request]:
    """What to send, in the namespace of the op's key (of its source, when it moves)."""
    netns, name = op.key.netns, op.key.ident[0]
    if op.action == "delete":
        return [nl.Request(nl.RTM_DELLINK, {"index": index.number(netns, name)})]
    if op.action == "move":
        return _move(op, index)
    if op.action == "create":
        return _create(op, index)
    return _change(op.key, op.fields, op.have, index, op.have.get("kind", ""))


def _move(op: Op, index: Any) -> list[nl.Request]:
    netns, name = op.key.netns, op.key.ident[0]
    source = op.fields["move_from"]
    attrs: dict[str, Any] = {"IFLA_NET_NS_FD": index.descriptor(netns), "IFLA_GROUP": op.fields.get("group")}
    number = index.number(source, name)
    attrs["IFLA_NEW_IFINDEX"] = index.new(netns, name)
    return [nl.Request(nl.RTM_NEWLINK, {"index": number}, attrs)]


def _flags(fields: Mapping[str, Any]) -> dict[str, int]:
    """ifi_flags and ifi_change of the stated flags."""
    flags = change = 0
    for option, (bit, meaning) in FLAGS.items():
        if option in fields:
            change |= bit
            flags |= bit if fields[option] == meaning else 0
    return {"flags": flags, "change": change} if change else {}


def _attributes(fields: Mapping[str, Any], netns: str, index: Any) -> dict[str, Any]:
    attrs: dict[str, Any] = {}
    for option, field in ATTRIBUTES.items():
        if option not in fields:
            continue
        if option == "addrgenmode":
            attrs["IFLA_AF_SPEC"] = {"addrgenmode": field.dump(fields[option])}
        elif option == "master":
            attrs[field.nla] = index.number(netns, fields[option]) if fields[option] else 0
        else:
            attrs[field.nla] = field.dump(fields[option])
    return attrs


def _data(kind: str, fields: Mapping[str, Any], netns: str, index: Any) -> dict[str, Any]:
    module = _kinds[kind]
    attrs = {}
    for option, field in module.FIELDS.items():
        if option in fields and field.nla:
            value = fields[option]
            if option in getattr(module, "LINKS", ()):
                attrs[field.nla] = index.number(netns, value) if value else 0
            else:
                attrs[field.nla] = field.dump(value) if value is not None else None
    return module.dump(dict(fields), attrs) if hasattr(module, "dump") else attrs


def _create(op: Op, index: Any) -> list[nl.Request]:
    netns, name = op.key.netns, op.key.ident[0]
    fields = {"group": MARK_GROUP, **op.fields}
    kind = fields["kind"]
    at_once = {option: value for option, value in fields.items() if option not in _AFTERWARDS and option not in _port}
    number = index.new(netns, name)
    attrs = {"IFLA_IFNAME": name, **_attributes(at_once, netns, index)}
    info: dict[str, Any] = {"IFLA_INFO_KIND": kind}
    if kind == "veth":
        info["IFLA_INFO_DATA"] = {"VETH_INFO_PEER": _peer(op, index)}
    elif data := _data(kind, fields, netns, index):
        info["IFLA_INFO_DATA"] = data
    attrs["IFLA_LINKINFO"] = info
    made = nl.Request(nl.RTM_NEWLINK, {"index": number, **_flags(at_once)}, attrs, nl.NLM_F_CREATE | nl.NLM_F_EXCL)
    later = {option: value for option, value in fields.items() if option in _AFTERWARDS or option in _port}
    return [made, *(_change(op.key, later, {}, index, "") if later else [])]


def _peer(op: Op, index: Any) -> dict[str, Any]:
    """The other end of a veth, in the same message; its namespace is given by a descriptor."""
    (other,) = op.also
    netns, name = other.key.netns, other.key.ident[0]
    fields = {"group": MARK_GROUP, **{o: v for o, v in other.fields.items() if o in PEER_AT_CREATION}}
    attrs = _attributes(fields, netns, index)
    if netns != op.key.netns:
        attrs["IFLA_NET_NS_FD"] = index.descriptor(netns)
    return {"index": index.new(netns, name), **_flags(fields), "IFLA_IFNAME": name, **attrs}


def _change(link: Key, fields: Mapping[str, Any], have: Mapping[str, Any], index: Any, kind: str) -> list[nl.Request]:
    netns, name = link.netns, link.ident[0]
    number = index.number(netns, name)
    found = []
    module = _kinds.get(kind)
    own = {option: value for option, value in fields.items() if module and option in module.FIELDS}
    if own and module:
        stated = {**{o: have[o] for o in module.FIELDS if o in have}, **own} if module.WHOLE else own
        # data without a kind is acknowledged and ignored; a VXLAN refuses its data beside an mtu: two messages
        info = {"IFLA_INFO_KIND": kind, "IFLA_INFO_DATA": _data(kind, stated, netns, index)}
        found.append(nl.Request(nl.RTM_NEWLINK, {"index": number}, {"IFLA_LINKINFO": info}))
    attrs, flags = _attributes(fields, netns, index), _flags(fields)
    if attrs or flags:
        found.append(nl.Request(nl.RTM_NEWLINK, {"index": number, **flags}, attrs))
    port = {f.nla: f.dump(fields[option]) for option, f in _port.items() if option in fields}
    if fields.get(BACKUP):
        port[_port[BACKUP].nla] = index.number(netns, fields[BACKUP])
    elif BACKUP in fields:
        port[_port[BACKUP].nla] = 0
    if port:  # after the master is set: it is the master that takes them
        info = {"IFLA_INFO_SLAVE_KIND": "bridge", "IFLA_INFO_SLAVE_DATA": port}
        found.append(nl.Request(nl.RTM_NEWLINK, {"index": number}, {"IFLA_LINKINFO": info}))
    return found


def gathering(numbers: list[int], group: int) -> list[nl.Request]:
    """Put links into a group."""
    return [nl.Request(nl.RTM_NEWLINK, {"index": number}, {"IFLA_GROUP": group}) for number in numbers]


def deletion(group: int) -> nl.Request:
    """Delete all links of a group: one at a time, each veth waits for its own RCU grace period (20 ms); a group once.

    Nothing is deleted if one of them cannot be (rtnl_group_dellink).
    """
    return nl.Request(nl.RTM_DELLINK, {}, {"IFLA_GROUP": group})


# ---- ops -> iproute2 ----------------------------------------------------------------------------------------------

_OWN = "$$"  # the shell's PID stands for the namespace that it is in
_LATER = ("master", "alias", "addrgenmode", "group", *FLAGS)


def commands(op: Op) -> list[str]:
    """The lines that a person would type. The collection's mark (a group) is left out: it is no part of the network."""
    netns, name = op.key.netns, op.key.ident[0]
    if op.action == "delete":
        return [command("ip", netns, "link del", name)]
    if op.action == "move":
        return [command("ip", op.fields["move_from"], "link set", name, "netns", netns or _OWN)]
    if op.action == "change":
        return _set_commands(netns, name, op.fields, op.have.get("kind", ""))
    kind = op.fields["kind"]
    line = ["link add", name, *_creation_words(op.fields), "type", kind]
    new = getattr(_kinds[kind], "NEW", {})
    own = {option: value for option, value in op.fields.items() if option not in new or value != new[option]}
    if kind == "veth":
        (other,) = op.also
        line += ["peer name", other.key.ident[0], *_creation_words(other.fields)]
        if other.key.netns != netns:
            line += ["netns", other.key.netns or _OWN]
    else:
        line += _own_words(kind, own)
    found = [command("ip", netns, *line)]
    found += _set_commands(netns, name, {o: v for o, v in op.fields.items() if o in _LATER or o in _port}, kind)
    for other in op.also:
        stated = {o: v for o, v in other.fields.items() if o in FLAGS}
        found += _set_commands(other.key.netns, other.key.ident[0], stated, kind)
    return found


def _creation_words(fields: Mapping[str, Any]) -> list[str]:
    return words(fields, {option: field for option, field in ATTRIBUTES.items() if option not in _LATER})


def _own_words(kind: str, fields: Mapping[str, Any]) -> list[str]:
    module = _kinds.get(kind)
    if module is None or kind == "veth":
        return []
    own = {option: value for option, value in fields.items() if option in module.FIELDS}
    return list(module.command_words(own)) if hasattr(module, "command_words") else words(own, module.FIELDS)


def _set_commands(netns: str, name: str, fields: Mapping[str, Any], kind: str) -> list[str]:
    found = []
    set_words = words(fields, {o: f for o, f in ATTRIBUTES.items() if o not in ("master", "group", "alias")})
    if set_words:
        found.append(command("ip", netns, "link set dev", name, *set_words))
    own = _own_words(kind, fields)
    if own:
        found.append(command("ip", netns, "link set dev", name, "type", kind, *own))
    if "alias" in fields:
        found.append(command("ip", netns, "link set dev", name, "alias", shlex.quote(fields["alias"])))
    if "master" in fields:
        found.append(
            command(
                "ip", netns, "link set dev", name, *(["master", fields["master"]] if fields["master"] else ["nomaster"])
            )
        )
    if fields.get(BACKUP) == "":
        found.append(command("ip", netns, "link set dev", name, "type bridge_slave nobackup_port"))
        fields = {option: value for option, value in fields.items() if option != BACKUP}
    port = words({o[5:]: v for o, v in fields.items() if o in _port}, {o[5:]: f for o, f in _port.items()})
    if port:
        found.append(command("ip", netns, "link set dev", name, "type bridge_slave", *port))
    flags = [f"{option} {'on' if fields[option] else 'off'}" for option in FLAGS if option in fields and option != "up"]
    if "up" in fields:
        flags.append("up" if fields["up"] else "down")
    if flags:
        found.append(command("ip", netns, "link set dev", name, *flags))
    return found


# ---- what stands on what ------------------------------------------------------------------------------------------


def needs(want: Object) -> list[Key]:
    """The links that must be there first: master and lower device, in the same namespace."""
    found = []
    for option in ("master", "dev"):
        name = want.fields.get(option)
        if name:
            found.append(key(want.key.netns, name))
    return found


def below(have: Object) -> Key | None:
    """The lower device of a link, in the same namespace; a veth's other end is none."""
    name = have.fields.get("lower") or have.fields.get("dev")
    return key(have.key.netns, name) if name and have.fields["kind"] != "veth" else None


def stands_on(have: Object, other: Object) -> bool:
    """Whether a link goes when the other goes: a veth's peer, a device on top of a lower one."""
    fields = have.fields
    if fields["kind"] == "veth":
        return fields.get("peer") == (other.key.netns, other.key.ident[0])
    return fields["kind"] not in ("ipip", "") and below(have) == other.key
