# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""VXLAN tunnel end points (RFC 7348; drivers/net/vxlan/vxlan_core.c, vxlan_nl2conf and vxlan_changelink).

Flags and the port are refused on presence, even when equal: a change sends the differences only.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from .._model import FLAG, IP, LIVE, OPTIONAL_LINK, RECREATE, U32, Field, Type, choice, dumper, integer, loader

NAME = "vxlan"
WHOLE = False

_DF = {"unset": 0, "set": 1, "inherit": 2}


def _flag(attribute: str, change: str, unset: bool = False) -> Field:
    return Field(FLAG, attribute, change, load=bool, dump=int, unset=unset)


def _present(attribute: str, change: str = RECREATE) -> Field:
    """A flag whose attribute is there, or is not."""
    return Field(FLAG, attribute, change, load=bool, dump=lambda on: True if on else None, unset=False)


def _port_range(value: Any) -> tuple[int, int]:
    parts = value if isinstance(value, (list, tuple)) else str(value).replace("-", " ").split()
    if len(parts) != 2:
        raise ValueError(f"{value!r} is not a range of ports, like '49152 65535'")
    low, high = (integer(0, 65535).parse(part) for part in parts)
    if low > high:
        raise ValueError(f"{value!r}: the first port is above the last")
    return low, high


def _ttl(value: Any) -> Any:
    """A number; 0 is `auto`; `inherit` takes the inner packet's."""
    return "inherit" if value == "inherit" else 0 if value == "auto" else integer(0, 255).parse(value)


def _other_family(was: str, value: str) -> bool:
    return bool(was and value) and (":" in was) != (":" in value)


def _tos(value: Any) -> Any:
    return 1 if value == "inherit" else integer(0, 255).parse(value)


FIELDS = {
    "id": Field(integer(0, (1 << 24) - 1), "IFLA_VXLAN_ID", RECREATE),
    "remote": Field(IP, "IFLA_VXLAN_GROUP", fixed=_other_family, unset=""),
    "local": Field(IP, "IFLA_VXLAN_LOCAL", fixed=_other_family, unset=""),
    # a lower device can be set and exchanged, not taken away
    "dev": Field(OPTIONAL_LINK, "IFLA_VXLAN_LINK", fixed=lambda was, value: not value, unset=""),
    "dstport": Field(integer(1, 65535), "IFLA_VXLAN_PORT", RECREATE),
    "srcport": Field(
        Type(_port_range, lambda pair: f"{pair[0]} {pair[1]}"), "IFLA_VXLAN_PORT_RANGE", RECREATE, load=tuple
    ),
    "ttl": Field(
        Type(_ttl, lambda value: str(value or "auto")),
        "IFLA_VXLAN_TTL",
        fixed=lambda was, value: "inherit" in (was, value),  # a flag of its own, refused by vxlan_changelink
        unset=0,
    ),
    "tos": Field(Type(_tos, lambda value: "inherit" if value == 1 else str(value)), "IFLA_VXLAN_TOS", unset=0),
    "df": Field(choice(_DF), "IFLA_VXLAN_DF", load=loader(_DF), dump=dumper(_DF), unset="unset"),
    "flowlabel": Field(integer(0, 0xFFFFF), "IFLA_VXLAN_LABEL", unset=0),
    "learning": _flag("IFLA_VXLAN_LEARNING", LIVE),
    "ageing": Field(U32, "IFLA_VXLAN_AGEING"),
    "maxaddress": Field(U32, "IFLA_VXLAN_LIMIT", RECREATE),
    "proxy": _flag("IFLA_VXLAN_PROXY", RECREATE),
    "rsc": _flag("IFLA_VXLAN_RSC", RECREATE),
    "l2miss": _flag("IFLA_VXLAN_L2MISS", RECREATE),
    "l3miss": _flag("IFLA_VXLAN_L3MISS", RECREATE),
    "udpcsum": _flag("IFLA_VXLAN_UDP_CSUM", RECREATE),
    "udp6zerocsumtx": _flag("IFLA_VXLAN_UDP_ZERO_CSUM6_TX", RECREATE),
    "udp6zerocsumrx": _flag("IFLA_VXLAN_UDP_ZERO_CSUM6_RX", RECREATE),
    "remcsumtx": _flag("IFLA_VXLAN_REMCSUM_TX", RECREATE),
    "remcsumrx": _flag("IFLA_VXLAN_REMCSUM_RX", RECREATE),
    "gbp": _present("IFLA_VXLAN_GBP"),
    "gpe": _present("IFLA_VXLAN_GPE"),
    "external": _flag("IFLA_VXLAN_COLLECT_METADATA", RECREATE),
    "vnifilter": _flag("IFLA_VXLAN_VNIFILTER", RECREATE),
    "localbypass": _flag("IFLA_VXLAN_LOCALBYPASS", LIVE, unset=True),
}
LINKS = ("dev",)
NEW = {"localbypass": True}  # what a new one is anyway: not said, as the iproute2 of Debian 12 does not know the word
_BARE = (
    "learning",
    "proxy",
    "rsc",
    "l2miss",
    "l3miss",
    "udpcsum",
    "udp6zerocsumtx",
    "udp6zerocsumrx",
    "remcsumtx",
    "remcsumrx",
    "localbypass",
)
_BESIDE_GPE = ("udpcsum", "udp6zerocsumtx", "udp6zerocsumrx", "localbypass")
_FAMILY = {"remote": "IFLA_VXLAN_GROUP6", "local": "IFLA_VXLAN_LOCAL6"}


def parse(item: Any) -> dict[str, Any]:
    """The options of a VXLAN; `group` is a multicast `remote` (the kernel keeps both in one attribute)."""
    group = item.take("group", IP.parse)
    fields: dict[str, Any] = item.fields(FIELDS)
    if group is not None:
        if not ipaddress.ip_address(group).is_multicast:
            item.problem(f"{group} is not a multicast address; say remote for a unicast one", "group")
        elif "remote" in fields:
            item.problem("group and remote exclude each other", "group")
        else:
            fields["remote"] = group
    return fields


def mistakes(stated: Mapping[str, Any], whole: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the kernel would refuse (vxlan_config_validate): (option, why). `whole` is the link with what it has already."""
    found = []
    remote, local = whole.get("remote", ""), whole.get("local", "")
    if remote and ipaddress.ip_address(remote).is_multicast and not whole.get("dev"):
        found.append(("group", "a multicast group needs dev, the device that joins it"))
    if remote and local and _other_family(remote, local):
        found.append(("remote", "local and remote must be of one address family"))
    for option in ("vnifilter", "gpe"):
        if stated.get(option) and not whole.get("external"):
            found.append((option, "needs external"))
    if any(end and ipaddress.ip_address(end).is_link_local for end in (remote, local)) and not whole.get("dev"):
        found.append(("local" if local else "remote", "a link-local address needs dev, the link that it is on"))
    if whole.get("gpe"):  # VXLAN_F_ALLOWED_GPE
        beside = [option for option in (*_BARE, "gbp") if option not in _BESIDE_GPE and whole.get(option)]
        found += [(option, "gpe excludes it") for option in beside if option in stated or "gpe" in stated]
    return found


def load(data: dict[str, Any]) -> dict[str, Any]:
    """What only a look at two attributes tells: IPv6 end points, the inherited ttl."""
    found = {option: data[attribute] for option, attribute in _FAMILY.items() if attribute in data}
    if data.get("IFLA_VXLAN_TTL_INHERIT"):
        found["ttl"] = "inherit"
    return found


def dump(fields: dict[str, Any], attrs: dict[str, Any]) -> dict[str, Any]:
    """Put what does not follow the table: IPv6 end points, the inherited ttl."""
    six = any(":" in fields.get(option, "") for option in _FAMILY)
    for option, attribute in _FAMILY.items():
        if option in fields:
            del attrs[FIELDS[option].nla]
            attrs[attribute if six else FIELDS[option].nla] = fields[option] or ("::" if six else "0.0.0.0")
    if fields.get("external"):  # as iproute2 does; with gpe the kernel wants it
        attrs.setdefault(FIELDS["learning"].nla, 0)
    if fields.get("ttl") == "inherit":
        del attrs["IFLA_VXLAN_TTL"]
        attrs["IFLA_VXLAN_TTL_INHERIT"] = True
    return attrs


def command_words(fields: dict[str, Any]) -> list[str]:
    """iproute2's arguments: flags as bare words, `group` for a multicast remote, DF and ports with their words."""
    found = []
    for option, field in FIELDS.items():
        value = fields.get(option)
        if value in (None, ""):
            continue
        if option in _BARE:
            found.append(option if value else f"no{option}")
        elif option in ("gbp", "gpe", "external", "vnifilter"):
            found += [option] if value else []
        elif option == "remote" and ipaddress.ip_address(value).is_multicast:
            found += ["group", value]
        else:
            found += [option, field.type.word(value)]
    return found
