# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which entry a packet finds, and what the kernel answers when it is asked (RTM_GETROUTE)."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Iterator
from typing import Any

from .. import _netlink as nl
from .._kinds import route, rule
from .._model import U32
from . import fib
from .filters import taken
from .route_record import CLONED, WANTED, record
from .view import Record, View

FIB_MATCH, LOOKUP_TABLE = 0x2000, 0x1000  # RTM_F_*: the entry and its table, not what becomes of it
_ANSWER = ("error", "type", "via", "dev", "src", "mtu", "text")


def packet_of(params: dict[str, Any]) -> fib.Packet:
    """What is looked up, from a module's parameters."""
    dst, source = taken(params, "lookup", ipaddress.ip_address), taken(params, "from", ipaddress.ip_address)
    if source and source.version != dst.version:
        raise ValueError(f"option from: {source} is not of the family of {dst}")
    return fib.Packet(dst, source, params["iif"], taken(params, "mark", U32.parse, 0))


def looked_up(view: View, packet: fib.Packet) -> Iterator[Record]:
    """The entry that the tables and the policy rules have for a packet, with what the kernel answers to the question.

    The kernel does not tell the entry where that refuses (a blackhole is but an error), so it is worked out here; where
    the kernel does tell, and otherwise, there is a warning.
    """
    if packet.iif and packet.iif not in view.names.values():
        view.warnings.append(f"there is no interface {packet.iif}{_where(view)}")
        return
    family = socket.AF_INET6 if packet.dst.version == 6 else socket.AF_INET
    try:
        rules = [rule.read(message, "") for message in view.dump(fib.RULES[family], rule.WANTED)]
    except nl.NetlinkError:  # a kernel without policy routing
        rules = []
    messages = view.dump(route.DUMPS[family], WANTED, fib.holding(packet.dst))
    entries = [record(message, view.name) for message in messages if not message["flags"] & CLONED]
    found = fib.choose([{"priority": one.key.ident[1], **one.fields} for one in rules], entries, packet)
    objection = _unlike(found, _ask(view, packet, family, FIB_MATCH | LOOKUP_TABLE), packet)
    if objection:
        view.warnings.append(f"lookup of {packet.dst}{_where(view)}: {objection}")
    if found:
        answer = _ask(view, packet, family, 0)
        yield {**found, "answer": {name: answer[name] for name in _ANSWER}}


def _where(view: View) -> str:
    return f" in netns {view.netns}" if view.netns else ""


def _ask(view: View, packet: fib.Packet, family: int, flags: int) -> Record:
    """RTM_GETROUTE: a route's record with `error` None, or `error` and `text` only."""
    header = {"family": family, "dst_len": packet.dst.max_prefixlen, "flags": flags}
    attrs: dict[str, Any] = {"RTA_DST": str(packet.dst), "RTA_MARK": packet.mark or None}
    if packet.source:
        header["src_len"] = packet.source.max_prefixlen
        attrs["RTA_SRC"] = str(packet.source)
    if packet.iif:
        attrs["RTA_IIF"] = next((number for number, name in view.names.items() if name == packet.iif), None)
    (answer,) = view.channel.get([nl.Request(nl.RTM_GETROUTE, header, attrs)], WANTED)
    if isinstance(answer, nl.NetlinkError):
        name = errno.errorcode.get(answer.code, str(answer.code))
        return {**dict.fromkeys(_ANSWER), "error": name, "text": f"RTNETLINK answers: {os.strerror(answer.code)}"}
    return {**record(answer, view.name), "error": None}


def _unlike(found: Record | None, match: Record, packet: fib.Packet) -> str:
    """What the kernel says otherwise. It may refuse for the packet's source and its way in (rp_filter, forwarding)."""
    if match["error"]:
        expected = found is None or match["error"] == fib.ERRORS.get(found["type"])
        same = expected or bool(packet.iif or packet.source)
    else:
        # the kernel says main for local as long as they are one (fib_trie.c, fib_trie_unmerge)
        tables = (match["table"], "local") if match["table"] == "main" else (match["table"],)
        same = bool(
            found and (found["type"], found["dst"]) == (match["type"], match["dst"]) and found["table"] in tables
        )
    if same:
        return ""
    return f"the tables say {found['text'] if found else 'nothing'}, the kernel answers {match['text']}"
