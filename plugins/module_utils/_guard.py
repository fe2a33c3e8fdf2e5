# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Protects the way that the controller came in on: a plan that would cut it is refused.

SSH_CONNECTION names the two addresses; the route to the controller names the device; what that device stands on
(a bridge's ports, a lower device, a master) belongs to the way as well.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import Any, NamedTuple

from . import _netlink as nl
from ._kinds import link
from ._model import Key, Op, Problem
from ._netns import Namespaces
from ._snapshot import Have

_MOST_PARENTS = 64


class Way(NamedTuple):
    """How the controller comes in: its address, the host's own, the devices, the destination of the route."""

    client: str
    server: str
    devices: frozenset[str]


def ssh_connection() -> tuple[str, str] | None:
    """(controller's address, own address). sudo drops the variable, so the parents' environments are read as well."""
    found = os.environ.get("SSH_CONNECTION", "")
    pid = os.getppid()
    for _step in range(_MOST_PARENTS):
        if found or pid <= 1:
            break
        found = _environment(pid).get("SSH_CONNECTION", "")
        pid = _parent(pid)
    parts = found.split()
    if len(parts) < 4:
        return None
    client, server = (part.partition("%")[0] for part in (parts[0], parts[2]))
    return client, server


def _environment(pid: int) -> dict[str, str]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            pairs = file.read().decode("utf-8", "replace").split("\0")
    except OSError:
        return {}
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def find_way(namespaces: Namespaces, have: Have) -> Way | None:
    """The way of the controller; None when it did not come over SSH, or from this very host."""
    connection = ssh_connection()
    if connection is None:
        return None
    client, server = connection
    family = socket.AF_INET6 if ":" in client else socket.AF_INET
    request = nl.Request(
        nl.RTM_GETROUTE, {"family": family, "dst_len": 128 if family == socket.AF_INET6 else 32}, {"RTA_DST": client}
    )
    with namespaces.entered(""), nl.Channel() as channel:
        (answer,) = channel.get([request], ("RTA_OIF",))
    if not isinstance(answer, dict):
        return None
    device = have.names.get("", {}).get(answer.get("RTA_OIF", 0), "")
    if device in ("", "lo"):
        return None
    return Way(client, server, frozenset(_standing_on(device, have)))


def _standing_on(device: str, have: Have) -> set[str]:
    """The device, its master, its lower devices and its ports, all the way."""
    found: set[str] = set()
    pending = [device]
    while pending:
        name = pending.pop()
        if name in found or link.key("", name) not in have.objects:
            continue
        found.add(name)
        fields = have.objects[link.key("", name)].fields
        pending += [str(fields[option]) for option in ("master", "lower", "dev") if fields.get(option)]
        pending += [str(other.key.ident[0]) for other in have.links("") if other.fields.get("master") == name]
    return found


def objections(ops: list[Op], way: Way | None) -> list[Problem]:
    """Why the ops must not be carried out; empty if the way stays as it is."""
    if way is None:
        return []
    found = []
    for op in [one for planned in ops for one in (planned, *_going_along(planned))]:
        reason = _reason(op, way)
        if reason:
            found.append(
                Problem(
                    str(op.key),
                    f"{reason}: the controller ({way.client}) comes in over {', '.join(sorted(way.devices))}; "
                    "say allow_disconnect: true if that is meant",
                )
            )
    return found


def _going_along(op: Op) -> list[Op]:
    return [Op("delete", other.key, {}, other.fields) for other in op.also] if op.action == "delete" else []


def _reason(op: Op, way: Way) -> str:
    key = op.key
    if op.action == "move" and not op.fields["move_from"] and key.ident[0] in way.devices:
        return "moving it would cut the connection"
    if key.netns:
        return ""
    if key.kind == "link" and key.ident[0] in way.devices:
        if op.action == "delete":
            return "deleting it would cut the connection"
        cutting = [o for o in ("up", "master", "address", "arp") if o in op.fields and op.fields[o] is not True]
        if op.action == "change" and cutting:
            return f"changing {', '.join(cutting)} would cut the connection"
    if key.kind == "address" and op.action == "delete" and key.ident[1].split("/")[0] == way.server:
        return "removing the address would cut the connection"
    if key.kind == "route" and _covers(key, way.client):
        if op.action == "delete":
            return "removing the route would cut the connection"
        if not _same_way(op, way):
            return "the route would lead the answers to the controller elsewhere"
    return ""


def _covers(key: Key, client: str) -> bool:
    """Whether a route of the main table is about the controller's address, and more than a default of lower rank."""
    _family, table, dst, _tos, _metric = key.ident
    network = ipaddress.ip_network(dst)
    address = ipaddress.ip_address(client)
    return table == 254 and network.version == address.version and address in network


def _same_way(op: Op, way: Way) -> bool:
    fields: dict[str, Any] = {**op.have, **op.fields}
    if op.action == "create" and ipaddress.ip_network(op.key.ident[2]).prefixlen == 0:
        return True  # a further default route takes nothing from the one in use: its metric is another
    if fields.get("type", "unicast") != "unicast":
        return False
    devices = {fields.get("dev"), *(hop[1] for hop in fields.get("nexthops", ()))} - {"", None}
    return bool(devices) and devices <= way.devices and "via" not in op.fields
