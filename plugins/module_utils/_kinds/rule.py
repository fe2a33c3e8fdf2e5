# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policy rules, IPv4 and IPv6: which table a packet is looked up in (net/core/fib_rules.c; ip-rule(8)).

The kernel cannot replace a rule, and tells two rules apart by all that they say. So all of it is the key, in
`ip rule`'s own words; a rule that is stated otherwise is another rule, which comes before the former one goes.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Mapping
from typing import Any

from .. import _netlink as nl
from .._model import (
    FLAG,
    LINK,
    MARK_PROTO,
    U32,
    U64,
    Field,
    Item,
    Key,
    Object,
    Op,
    Type,
    choice,
    command,
    dsfield,
    integer,
    numbered,
)
from .._names import IP_PROTOS, PROTOS, TABLES, name_of

NAME = "rule"
FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}
# include/uapi/linux/fib_rules.h
ACTIONS = {"lookup": 1, "goto": 2, "nop": 3, "blackhole": 6, "unreachable": 7, "prohibit": 8}
INVERT, UNRESOLVED, IIF_DETACHED, OIF_DETACHED = 0x2, 0x4, 0x8, 0x10
_ALL_BITS = 0xFFFFFFFF
_OVERLOOKED = ("not", "goto")  # what the kernel does not look at to find the rule that a deletion means
_NONE = 0xFFFFFFFF  # suppress_*: the kernel's -1


def _prefix(value: Any) -> str:
    """A network; an address alone is a network of one, and `all` none at all (the empty text)."""
    if str(value) in ("all", "any", "default"):
        return ""
    try:
        return str(ipaddress.ip_network(str(value)))
    except ValueError as error:
        raise ValueError(
            f"{value!r} is not a network ({error}); write one like 10.0.0.0/24, an address, or all"
        ) from None


def _range(most: int) -> Type:
    """`80` or `80-90`; kept as a pair."""

    def parse(value: Any) -> tuple[int, int]:
        first, _dash, last = str(value).partition("-")
        low, high = (integer(0, most).parse(part.strip()) for part in (first, last or first))
        if low > high:
            raise ValueError(f"{value!r}: the first is above the last")
        return low, high

    return Type(parse, lambda pair: str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}-{pair[1]}")


def _realms(value: Any) -> int:
    """`from/to`, or `to` alone: two numbers of 16 bits in one."""
    first, slash, last = str(value).partition("/")
    source, to = (first, last) if slash else ("0", first)
    return int(integer(0, 65535).parse(source)) << 16 | int(integer(0, 65535).parse(to))


_HEX = Type(U32.parse, lambda value: f"{value:#x}" if value else "0")
_REALMS = Type(_realms, lambda value: f"{value >> 16}/{value & 0xFFFF}" if value >> 16 else str(value))
_UIDS = Type(_range(_ALL_BITS).parse, lambda pair: f"{pair[0]}-{pair[1]}")  # `ip rule` wants both

# What a packet is told by, in the order in which `ip rule` prints it.
SELECTORS: dict[str, Field] = {
    "not": Field(FLAG),
    "from": Field(Type(_prefix), "FRA_SRC"),
    "to": Field(Type(_prefix), "FRA_DST"),
    "tos": Field(Type(dsfield, hex)),
    "fwmark": Field(_HEX, "FRA_FWMARK"),
    "fwmask": Field(_HEX, "FRA_FWMASK"),
    "iif": Field(LINK, "FRA_IIFNAME"),
    "oif": Field(LINK, "FRA_OIFNAME"),
    "l3mdev": Field(FLAG, "FRA_L3MDEV"),
    "uidrange": Field(_UIDS, "FRA_UID_RANGE"),
    "ipproto": Field(numbered(IP_PROTOS, 1, 255), "FRA_IP_PROTO"),
    "sport": Field(_range(65535), "FRA_SPORT_RANGE"),
    "dport": Field(_range(65535), "FRA_DPORT_RANGE"),
    "tun_id": Field(U64, "FRA_TUN_ID"),
    "dscp": Field(integer(0, 63), "FRA_DSCP"),
}
# What becomes of it.
OUTCOMES: dict[str, Field] = {
    "action": Field(choice(ACTIONS)),
    "table": Field(numbered(TABLES, 1, _ALL_BITS), "FRA_TABLE"),
    "goto": Field(integer(1, _ALL_BITS), "FRA_GOTO"),
    "suppress_prefixlength": Field(integer(0, 128), "FRA_SUPPRESS_PREFIXLEN"),
    "suppress_ifgroup": Field(integer(0, _NONE - 1), "FRA_SUPPRESS_IFGROUP"),
    "realms": Field(_REALMS, "FRA_FLOW"),
}
_SAID = {**SELECTORS, **OUTCOMES}
FIELDS: dict[str, Field] = {**_SAID, "proto": Field(numbered(PROTOS, 0, 255), "FRA_PROTOCOL", unset=0)}
WANTED = (*(field.nla for field in FIELDS.values() if field.nla), "FRA_PRIORITY")
DUMPS = tuple(nl.Request(nl.RTM_GETRULE, {"family": family}) for family in FAMILIES.values())


def key(netns: str, family: str, priority: int, fields: Mapping[str, Any]) -> Key:
    """The key of a rule: all that it says."""
    return Key(NAME, netns, (family, priority, " ".join(words(fields))))


def label(ident: tuple[Any, ...]) -> str:
    """A rule as `ip rule` prints it; it does not say the family, which the addresses tell mostly."""
    family, priority, said = ident
    return f"{priority}: {said}" + (" (inet6)" if family == "inet6" else "")


# ---- description -> want ------------------------------------------------------------------------------------------


def parse(item: Item, netns: str, canonical: Any) -> list[Object]:
    """One entry of `rules`."""
    priority = item.take("priority", U32.parse, required=True)
    item.named(f"{priority}")
    given = item.take("family", choice(FAMILIES).parse)
    fields = item.fields(FIELDS)
    item.done()
    versions = {6 if ":" in fields[end] else 4 for end in ("from", "to") if fields.get(end)}
    if len(versions) > 1:
        item.problem("from and to are not of one address family", "to")
    family = given or ("inet6" if versions == {6} else "inet")
    if given and versions and versions != {6 if given == "inet6" else 4}:
        item.problem(f"the addresses are not of it: {given}", "family")
    _outcome(item, fields, priority)
    _selectors(item, fields)
    if priority is None:
        return []
    return [Object(key(netns, family, priority, fields), fields)]


def _outcome(item: Item, fields: dict[str, Any], priority: int | None) -> None:
    """The action, with what belongs to it and nothing else."""
    action = fields.setdefault("action", "goto" if "goto" in fields else "lookup")
    if action == "lookup":
        if fields.get("l3mdev"):
            if "table" in fields:
                item.problem("with l3mdev the table is that of the VRF", "table")
        else:
            fields.setdefault("table", TABLES["main"])
    else:
        for option in ("table", "suppress_prefixlength", "suppress_ifgroup", "l3mdev"):
            if option in fields:
                item.problem(f"a rule that says {action} looks nothing up", option)
    if action == "goto" and "goto" not in fields:
        item.problem("is required: the priority to go on at", "goto")
    if "goto" in fields:
        if action != "goto":
            item.problem(f"a rule that says {action} goes nowhere", "goto")
        elif priority is not None and fields["goto"] <= priority:
            item.problem(f"{fields['goto']} is not behind this rule: it goes on at a higher priority only", "goto")


def _selectors(item: Item, fields: dict[str, Any]) -> None:
    """Leave out what says nothing, so that it is the same rule as the one without it."""
    for option in [o for o in SELECTORS if fields.get(o) is False or fields.get(o) == ""]:
        del fields[option]
    if "fwmask" in fields and "fwmark" not in fields:
        item.problem("needs fwmark", "fwmask")
    if "fwmark" in fields:
        mask = fields.setdefault("fwmask", _ALL_BITS)
        if fields["fwmark"] & ~mask:
            item.problem(
                f"{fields['fwmark']:#x} has bits that fwmask {mask:#x} leaves out: it would never match", "fwmark"
            )
    if fields.get("tos") == 0:
        del fields["tos"]
    if "tos" in fields and "dscp" in fields:
        item.problem("tos and dscp exclude each other", "dscp")


# ---- kernel -> have -----------------------------------------------------------------------------------------------


def read(message: Mapping[str, Any], netns: str, names: Mapping[int, str] | None = None) -> Object:
    """One rule as the kernel shows it. `unresolved` and `detached` are told beside what it says, where they are so."""
    family = next(name for name, number in FAMILIES.items() if number == message["family"])
    flags = message["flags"]
    fields: dict[str, Any] = {"action": name_of(ACTIONS, message["action"])}
    for end, length in (("from", "src_len"), ("to", "dst_len")):
        if message[length]:
            fields[end] = f"{message.get(FIELDS[end].nla, '::' if family == 'inet6' else '0.0.0.0')}/{message[length]}"
    if message["tos"]:
        fields["tos"] = message["tos"]
    if flags & INVERT:
        fields["not"] = True
    for option, field in FIELDS.items():
        if option not in ("from", "to", "table") and field.nla in message:
            fields[option] = message[field.nla]
    for option in ("suppress_prefixlength", "suppress_ifgroup"):
        if fields.get(option) == _NONE:
            del fields[option]
    if "fwmask" in fields:
        fields.setdefault("fwmark", 0)
    if fields.get("l3mdev"):
        fields["l3mdev"] = True
    elif fields["action"] == "lookup":
        fields["table"] = message.get("FRA_TABLE", message["table"])
    found = Object(key(netns, family, message.get("FRA_PRIORITY", 0), fields), fields)
    states = {"unresolved": UNRESOLVED, "iif_detached": IIF_DETACHED, "oif_detached": OIF_DETACHED}
    fields.update({state: True for state, bit in states.items() if flags & bit})
    return found


def before(one: Object, others: Iterable[Object]) -> list[Object]:
    """Rules that a deletion of this one would meet first (rule_find: what a request leaves out matches anything)."""
    found: list[Object] = []
    for other in others:
        if other.key == one.key:
            return found
        if other.key.ident[:2] == one.key.ident[:2] and all(
            other.fields.get(o) == value for o, value in one.fields.items() if o in FIELDS and o not in _OVERLOOKED
        ):
            found.append(other)
    return found


def exactness(one: Object) -> int:
    """How much a rule says: of two that a deletion could mean, the one that says more is to be deleted first."""
    return sum(option in one.fields for option in SELECTORS)


# ---- ops -> requests, ops -> iproute2 -----------------------------------------------------------------------------


def requests(op: Op, index: Any) -> list[nl.Request]:
    """What to send. Not NLM_F_EXCL: the kernel takes a rule that says more for one that says less (rule_exists)."""
    family, priority, _said = op.key.ident
    fields = {**op.have, **op.fields}
    header = {
        "family": FAMILIES[family],
        "tos": fields.get("tos", 0),
        "action": ACTIONS[fields["action"]],
        "flags": INVERT if fields.get("not") else 0,
    }
    attrs: dict[str, Any] = {"FRA_PRIORITY": priority, "FRA_PROTOCOL": fields.get("proto", MARK_PROTO)}
    for end, length in (("from", "src_len"), ("to", "dst_len")):
        if fields.get(end):
            address, bits = fields[end].split("/")
            header[length] = int(bits)
            attrs[FIELDS[end].nla] = address
    for option, field in _SAID.items():
        if field.nla and option in fields and option not in ("from", "to"):
            attrs[field.nla] = int(fields[option]) if option == "l3mdev" else fields[option]
    if op.action == "delete":
        return [nl.Request(nl.RTM_DELRULE, header, attrs)]
    return [nl.Request(nl.RTM_NEWRULE, header, attrs, nl.NLM_F_CREATE)]


def words(fields: Mapping[str, Any]) -> list[str]:
    """What a rule says in the words of `ip rule`, but for its priority and protocol."""
    found = ["not"] if fields.get("not") else []
    found += ["from", _host(fields.get("from")) or "all"]
    for option, field in SELECTORS.items():
        value = fields.get(option)
        if option in ("not", "from", "fwmask", "l3mdev") or value in (None, ""):
            continue
        shown = _host(value) if option == "to" else field.type.word(value)
        if option == "fwmark" and fields.get("fwmask", _ALL_BITS) != _ALL_BITS:
            shown += f"/{_HEX.word(fields['fwmask'])}"
        found += [option, shown]
    if fields.get("l3mdev"):
        found.append("l3mdev")
    action = fields["action"]
    if action != "lookup":
        found.append(action)
    for option, field in OUTCOMES.items():
        if option in fields and option != "action":
            value = field.type.word(fields[option])
            found += [value] if option == "goto" else ["lookup" if option == "table" else option, value]
    return found


def _host(network: str | None) -> str:
    """A network as iproute2 prints it: that of a single address without its length."""
    address, _slash, bits = (network or "").partition("/")
    return address if bits == ("128" if ":" in address else "32") else network or ""


def commands(op: Op) -> list[str]:
    """The line that a person would type."""
    family, priority, _said = op.key.ident
    fields = {**op.have, **op.fields}
    tool = "ip -6" if family == "inet6" else "ip"
    parts = ["priority", str(priority), *words(fields)]
    if fields.get("proto", MARK_PROTO) != MARK_PROTO:
        parts += ["proto", name_of(PROTOS, fields["proto"])]
    return [command(tool, op.key.netns, "rule del" if op.action == "delete" else "rule add", *parts)]


def text(one: Object) -> str:
    """A rule as `ip rule` prints it."""
    fields = one.fields
    parts = words(fields)
    for option in ("iif", "oif"):
        if fields.get(f"{option}_detached"):
            parts.insert(parts.index(option) + 2, "[detached]")
    if fields.get("ipproto") and fields["ipproto"] not in IP_PROTOS.values():
        parts[parts.index("ipproto") + 1] = f"ipproto-{fields['ipproto']}"
    if fields.get("l3mdev"):
        parts[parts.index("l3mdev") : parts.index("l3mdev") + 1] = ["lookup", "[l3mdev-table]"]
    if fields.get("unresolved"):
        parts.append("[unresolved]")
    if fields.get("proto", PROTOS["kernel"]) not in (0, PROTOS["kernel"]):
        parts += ["proto", name_of(PROTOS, fields["proto"])]
    return f"{one.key.ident[1]}:\t{' '.join(parts)}"


def owned(have: Object) -> bool:
    """Whether the kernel shows the collection's mark."""
    return bool(have.fields.get("proto") == MARK_PROTO)
