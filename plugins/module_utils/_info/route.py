# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routes as `ip route` shows them (include/uapi/linux/rtnetlink.h; iproute2's ip/iproute.c, print_route)."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .._kinds import route
from .._model import ip, numbered
from .._names import PROTOS, SCOPES, TABLES
from .filters import network, taken
from .route_lookup import looked_up, packet_of
from .route_record import CLONED, FAMILIES, WANTED, proto_word, record, scope_word, shown, table_word
from .view import Record, View

SPEC: dict[str, Any] = {
    "family": {"type": "str", "choices": ["inet", "inet6"]},
    "table": {"type": "str"},
    "dst": {"type": "str"},
    "within": {"type": "str"},
    "lookup": {"type": "str"},
    "from": {"type": "str"},
    "iif": {"type": "str"},
    "mark": {"type": "str"},
    "type": {"type": "str", "choices": list(route.TYPES)},
    "dev": {"type": "str"},
    "via": {"type": "str"},
    "proto": {"type": "str"},
    "scope": {"type": "str"},
}
CONSTRAINTS: dict[str, Any] = {
    "mutually_exclusive": [("lookup", "dst"), ("lookup", "within"), ("lookup", "table"), ("dst", "within")],
    "required_by": {"from": "lookup", "iif": "lookup", "mark": "lookup"},
}


# ---- which ones ---------------------------------------------------------------------------------------------------


def _destination(value: Any) -> str:
    return "default" if str(value) == "default" else shown(str(network(value)))


def prefix(found: Record) -> str:
    """The destination of a record as a network."""
    if found["dst"] != "default":
        return str(found["dst"])
    return "::/0" if found["family"] == "inet6" else "0.0.0.0/0"


def _asked(params: Mapping[str, Any]) -> dict[str, Any]:
    """The filters in the words of records, None for all. ValueError for what cannot be."""
    table = None if params["table"] == "all" or params["lookup"] else "main"
    asked = {
        "table": taken(params, "table", _table_or_all, table),
        "proto": taken(params, "proto", lambda value: proto_word(numbered(PROTOS, 0, 255).parse(value))),
        "scope": taken(params, "scope", lambda value: scope_word(numbered(SCOPES, 0, 255).parse(value))),
        "dst": taken(params, "dst", _destination),
        "via": taken(params, "via", ip),
        "within": taken(params, "within", network),
        "family": params["family"],
        "type": params["type"],
        "dev": params["dev"],
    }
    if asked["dst"] == "default" and params["dst"] != "default":
        asked["family"] = asked["family"] or ("inet6" if ":" in params["dst"] else "inet")
    return asked


def _table_or_all(value: str) -> str | int | None:
    return None if value == "all" else table_word(numbered(TABLES, 1, 0xFFFFFFFF).parse(value))


def _rough(asked: Mapping[str, Any], view: View) -> Callable[[memoryview], bool]:
    """Whether a raw message is worth decoding: fields of its header (struct rtmsg), and bytes that it must hold."""
    fields = ((4, "table", TABLES), (5, "proto", PROTOS), (6, "scope", SCOPES), (7, "type", route.TYPES))
    header = {at: names.get(asked[name], asked[name]) for at, name, names in fields if asked[name] is not None}
    if header.get(4, 0) > 255:
        header[4] = 252  # RT_TABLE_COMPAT: the number is in an attribute
    holds: list[bytes] = []
    if asked["dst"] == "default":
        header[1] = 0
    elif asked["dst"]:
        address, length = asked["dst"].split("/")
        header[1] = int(length)
        holds.append(ipaddress.ip_address(address).packed)
    if asked["via"]:
        holds.append(ipaddress.ip_address(asked["via"]).packed)
    if asked["dev"]:
        number = next((number for number, name in view.names.items() if name == asked["dev"]), 0)
        holds.append(number.to_bytes(4, sys.byteorder))
    least = asked["within"].prefixlen if asked["within"] else 0
    fixed = tuple(header.items())

    def keep(body: memoryview) -> bool:
        if body[1] < least or int.from_bytes(body[8:12], sys.byteorder) & CLONED:
            return False
        for at, number in fixed:
            if body[at] != number:
                return False
        if holds:
            whole = bytes(body)
            return all(part in whole for part in holds)
        return True

    return keep


def _wanted(found: Record, asked: Mapping[str, Any]) -> bool:
    """The same, exactly."""
    for name in ("family", "table", "proto", "scope", "type", "dst"):
        if asked[name] is not None and asked[name] != found[name]:
            return False
    for name in ("dev", "via"):
        if asked[name] is not None and asked[name] not in (found[name], *(hop[name] for hop in found["nexthops"])):
            return False
    within = asked["within"]
    if within is None:
        return True
    inner = network(prefix(found))
    return inner.version == within.version and inner.subnet_of(within)


# ---- reading ------------------------------------------------------------------------------------------------------


def read(view: View, params: dict[str, Any]) -> Iterator[Record]:
    """The routes of a namespace that are asked for; with `lookup` the one that a packet would take."""
    asked = _asked(params)
    if params["lookup"]:
        yield from (found for found in looked_up(view, packet_of(params)) if _wanted(found, asked))
        return
    keep = _rough(asked, view)
    versions = {4: "inet", 6: "inet6"}
    family = asked["family"] or (asked["within"] and versions[asked["within"].version])
    for number, request in route.DUMPS.items():
        if family not in (None, FAMILIES[number]):
            continue
        for message in view.dump(request, WANTED, keep):
            found = record(message, view.name)
            if _wanted(found, asked):
                yield found
