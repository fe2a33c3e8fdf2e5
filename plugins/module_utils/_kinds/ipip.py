# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IP-in-IP tunnels (RFC 2003; net/ipv4/ipip.c). A change sends the whole nest: ipip_changelink clears the
parameters first, so that an omitted one would be reset.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any

from .._model import FLAG, IP4, OPTIONAL_LINK, RECREATE, U16, U32, Field, Type, choice, dumper, integer, loader

NAME = "ipip"
WHOLE = True

_MODE = {"any": 0, "ipip": 4, "mplsip": 137}
_ENCAP = {"none": 0, "fou": 1, "gue": 2}
# Bits of one attribute (include/uapi/linux/if_tunnel.h, TUNNEL_ENCAP_FLAG_*).
_ENCAP_FLAGS = {"encap_csum": 0x1, "encap_csum6": 0x2, "encap_remcsum": 0x4}


ANY = "0.0.0.0"


def _inherit(low: int, inherit: int) -> Type:
    """A number, or `inherit`; kept as the kernel's number."""

    def parse(value: object) -> int:
        return inherit if str(value) == "inherit" else int(integer(low, 255).parse(value))

    return Type(parse, lambda value: "inherit" if value == inherit else str(value))


def _any(attribute: str) -> Field:
    """An endpoint; 0.0.0.0 is `any`."""
    parse = Type(lambda value: ANY if value == "any" else IP4.parse(value), lambda v: "any" if v == ANY else v)
    return Field(parse, attribute, unset=ANY)


FIELDS = {
    "mode": Field(choice(_MODE), "IFLA_IPIP_PROTO", RECREATE, load=loader(_MODE), dump=dumper(_MODE), unset="ipip"),
    "external": Field(
        FLAG, "IFLA_IPIP_COLLECT_METADATA", RECREATE, load=bool, dump=lambda on: True if on else None, unset=False
    ),
    # point-to-point and multipoint do not turn into each other (ip_tunnel_changelink)
    "remote": _any("IFLA_IPIP_REMOTE")._replace(fixed=lambda was, value: (was == ANY) != (value == ANY)),
    "local": _any("IFLA_IPIP_LOCAL"),
    "dev": Field(OPTIONAL_LINK, "IFLA_IPIP_LINK", unset=""),
    "ttl": Field(_inherit(0, 0), "IFLA_IPIP_TTL", unset=0),
    "tos": Field(_inherit(0, 1), "IFLA_IPIP_TOS", unset=0),
    "pmtudisc": Field(FLAG, "IFLA_IPIP_PMTUDISC", load=bool, dump=int, unset=False),
    "encap": Field(choice(_ENCAP), "IFLA_IPIP_ENCAP_TYPE", load=loader(_ENCAP), dump=dumper(_ENCAP), unset="none"),
    "encap_sport": Field(U16, "IFLA_IPIP_ENCAP_SPORT", unset=0),
    "encap_dport": Field(U16, "IFLA_IPIP_ENCAP_DPORT", unset=0),
    **{option: Field(FLAG, unset=False) for option in _ENCAP_FLAGS},
    "fwmark": Field(U32, "IFLA_IPIP_FWMARK", unset=0),
}
# Attributes of the nest whose value is an interface: the engine resolves names to indexes.
LINKS = ("dev",)

# Made by the module in each namespace as soon as it is loaded; cannot be deleted, moved or turned into another.
FALLBACK = "tunl0"


def load(data: dict[str, Any]) -> dict[str, Any]:
    """The flags of the encapsulation."""
    flags = data.get("IFLA_IPIP_ENCAP_FLAGS", 0)
    return {option: bool(flags & bit) for option, bit in _ENCAP_FLAGS.items()}


def dump(fields: dict[str, Any], attrs: dict[str, Any]) -> dict[str, Any]:
    """The flags of the encapsulation: all of them in one attribute."""
    if any(option in fields for option in _ENCAP_FLAGS):
        attrs["IFLA_IPIP_ENCAP_FLAGS"] = sum(bit for option, bit in _ENCAP_FLAGS.items() if fields.get(option))
    return attrs


MAX_MTU = 65535 - 20  # ip_tunnel_change_mtu: the outer header must fit


def mistakes(stated: Mapping[str, Any], whole: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the kernel would refuse: (option, why)."""
    return [("mtu", f"{stated['mtu']} is out of range, 68 to {MAX_MTU}")] if stated.get("mtu", 0) > MAX_MTU else []


def hint(code: int, fields: Mapping[str, Any]) -> str:
    """What to make of the kernel's refusal."""
    if code != errno.EINVAL or fields.get("encap", "none") == "none":
        return ""
    return f"encap {fields['encap']} needs the module fou (CONFIG_NET_FOU_IP_TUNNELS): modprobe fou"


def command_words(fields: dict[str, object]) -> list[str]:
    """`ip link add ... type ipip` says pmtudisc and external as bare words, and the encapsulation with dashes."""
    found = []
    for option, field in FIELDS.items():
        if option not in fields:
            continue
        value = fields[option]
        if option == "pmtudisc":
            found.append("pmtudisc" if value else "nopmtudisc")
        elif option == "external":
            found += ["external"] if value else []
        elif option in ("encap_sport", "encap_dport"):
            found += [option.replace("_", "-"), str(value)]
        elif option in _ENCAP_FLAGS:
            found.append(("" if value else "no") + option.replace("_", "-"))
        elif option == "dev" and not value:
            continue
        else:
            found += [option, field.type.word(value)]
    return found
