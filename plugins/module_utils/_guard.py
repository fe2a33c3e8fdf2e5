# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Protects the way that the controller came in on: a plan that would cut it is refused.

There are three ways to cut it: to take something away that it stands on (here), to lead the packets elsewhere
(_guard_routing.py), and to stop them (_guard_chains.py).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from . import _guard_chains, _guard_routing
from ._guard_way import Way, find_way
from ._kinds import address, link
from ._model import Op, Problem
from ._netns import Namespaces
from ._snapshot import Have

_ANY = object()
# option of a link of the way: the value that cuts it, or may (STP and a guarded port block what looks like a loop)
_CUTTING: dict[str, Any] = {
    **dict.fromkeys(("up", "arp"), False),
    **dict.fromkeys(("master", "address"), _ANY),
    **dict.fromkeys(("stp_state", "vlan_filtering"), True),
    **dict.fromkeys(("vlan_default_pvid", "vlan_protocol"), _ANY),
    **dict.fromkeys(("port.locked", "port.guard", "port.root_block", "port.vlan_tunnel"), True),
    **dict.fromkeys(("port.learning", "port.flood", "port.bcast_flood", "port.mcast_flood"), False),
    **dict.fromkeys(("id", "remote", "local", "dev", "dstport"), _ANY),
}
_ARP_IGNORE = re.compile(r"net/ipv4/conf/([^/]+)/arp_ignore$")
_NO_ANSWER = "8"  # arp_ignore: do not reply for all local addresses


def objections(ops: list[Op], namespaces: Namespaces, have: Have) -> list[Problem]:
    """Why the ops must not be carried out; empty if the way stays as it is."""
    way = find_way(namespaces, have) if ops else None
    if way is None:
        return []
    found: dict[str, str] = {}
    every = [one for op in ops for one in (op, *_going_along(op))]
    for op, reason in _reasons(every, way, namespaces, have):
        found.setdefault(str(op.key), reason)
    return [
        Problem(
            where,
            f"{reason}: the controller ({way.session.client}) comes in over {way.names()}; "
            "say allow_disconnect: true if that is meant",
        )
        for where, reason in found.items()
    ]


def _going_along(op: Op) -> list[Op]:
    return [Op("delete", other.key, {}, other.fields) for other in op.also] if op.action == "delete" else []


def _reasons(ops: list[Op], way: Way, namespaces: Namespaces, have: Have) -> Iterator[tuple[Op, str]]:
    for op in ops:
        reason = _reason(op, way)
        if reason:
            yield op, reason
    for op in _guard_routing.cutting(ops, way, namespaces, have):
        yield op, _elsewhere(op)
    for op in _guard_chains.cutting(ops, way, have.objects):
        yield op, "its rules would stop packets of the controller"


def _elsewhere(op: Op) -> str:
    if op.key.kind in ("link", "sysctl"):
        return _cut(op, op.fields)
    if op.action == "delete":
        return f"removing the {op.key.kind} would cut the connection"
    return f"the {op.key.kind} would lead the answers to the controller elsewhere"


def _cut(op: Op, options: Iterable[str]) -> str:
    what = {"delete": "deleting it", "move": "moving it"}.get(op.action) or f"changing {', '.join(options)}"
    return f"{what} would cut the connection"


def _reason(op: Op, way: Way) -> str:
    """Why an op by itself would cut the way; '' if it would not."""
    how = _REASONS.get(op.key.kind)
    elsewhere = op.key.kind not in ("link", "netns") and op.key.netns != way.netns
    return how(op, way) if how and not elsewhere else ""


def _of_netns(op: Op, way: Way) -> str:
    inside = op.action == "delete" and any(key.netns == op.key.ident[0] for key in way.links)
    return _cut(op, ()) if inside else ""


def _of_link(op: Op, way: Way) -> str:
    own = link.key(op.fields.get("move_from", op.key.netns), op.key.ident[0])
    peer = op.have.get("peer")
    if not way.links & {own, link.key(*peer) if peer else own}:
        return ""
    cutting = [o for o, value in op.fields.items() if o in _CUTTING and _CUTTING[o] in (value, _ANY)]
    return _cut(op, cutting) if cutting or op.action in ("delete", "move") else ""


def _of_address(op: Op, way: Way) -> str:
    own = str(ipaddress.ip_interface(op.key.ident[1]).ip)
    if op.action == "delete":
        return "removing the address would cut the connection" if own == way.session.server else ""
    if own in (way.session.client, way.gateway):
        return "the address is that of the controller, or of the gateway to it"
    if own == way.session.server and op.fields.get("valid_lft", address.FOREVER) != address.FOREVER:
        return "the connection would end with the address"
    return ""


def _of_neighbor(op: Op, way: Way) -> str:
    device, dst, proxy = op.key.ident
    if op.action == "delete" or proxy or device != way.device or dst not in (way.session.client, way.gateway):
        return ""
    return "the entry would fix where the answers to the controller go"


def _of_sysctl(op: Op, way: Way) -> str:
    found = _ARP_IGNORE.match(op.key.ident[0])
    silent = found and found[1] in (way.device, "all") and op.fields.get("value") == _NO_ANSWER
    return "nobody would find the host" if silent and not way.session.six else ""


_REASONS: dict[str, Callable[[Op, Way], str]] = {
    "link": _of_link,
    "netns": _of_netns,
    "address": _of_address,
    "neighbor": _of_neighbor,
    "sysctl": _of_sysctl,
}
