# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way that the controller came in on.

SSH_CONNECTION names the two ends; the route to the controller names the device; what that device stands on (a bridge's
ports, a lower device, a master, the other end of a veth) belongs to the way as well.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from . import _netlink as nl
from ._kinds import link, route
from ._model import Key
from ._netns import Namespaces
from ._snapshot import Have

_MOST_PARENTS = 64
_FIRST_PROCESS = "/proc/1/ns/net"


class Connection(NamedTuple):
    """The two ends of the session; the zone is the device that a link-local address is one of."""

    client: str
    client_port: int
    server: str
    server_port: int
    zone: str = ""

    @property
    def six(self) -> bool:
        """Whether it is IPv6."""
        return ":" in self.client

    @property
    def family(self) -> socket.AddressFamily:
        """AF_INET or AF_INET6."""
        return socket.AF_INET6 if self.six else socket.AF_INET


class Way(NamedTuple):
    """How the session comes in: the namespace, its device and gateway there, and all links that it goes over."""

    session: Connection
    netns: str
    device: str
    gateway: str
    links: frozenset[Key]

    def names(self) -> str:
        """The links of the way's own namespace, to be told to the user."""
        return ", ".join(sorted(key.ident[0] for key in self.links if key.netns == self.netns))


def ssh_connection() -> Connection | None:
    """The session that this process belongs to. sudo drops the variable: the parents' environments are read as well."""
    found = os.environ.get("SSH_CONNECTION", "")
    pid = os.getppid()
    for _step in range(_MOST_PARENTS):
        if found or pid <= 1:
            break
        found = _environment(pid).get("SSH_CONNECTION", "")
        pid = _parent(pid)
    parts = found.split()
    if len(parts) < 4 or not (parts[1].isdigit() and parts[3].isdigit()):
        return None
    client, _percent, zone = parts[0].partition("%")
    return Connection(client, int(parts[1]), parts[2].partition("%")[0], int(parts[3]), zone)


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
    """The way of the controller; None when it did not come over SSH, from this very host, or over nothing of the plan's."""
    session = ssh_connection()
    if session is None:
        return None
    return next((way for where in _places(have) if (way := _way_in(where, session, namespaces, have))), None)


def _places(have: Have) -> Iterator[str]:
    """The own namespace; and the host's, if the module was started in another one and the plan is about the host's.

    It is not looked for where the plan has nothing to do with it: such a plan leaves the way alone.
    """
    yield ""
    with suppress(OSError):
        host = os.stat(_FIRST_PROCESS).st_ino
        yield from (where for where, inode in have.inodes.items() if where and inode == host and where in have.index)


def _way_in(where: str, session: Connection, namespaces: Namespaces, have: Have) -> Way | None:
    """The way in a namespace; None if it is not the one that has the address which the session came to."""
    zone = have.index.get(where, {}).get(session.zone)
    with namespaces.entered(where), nl.Channel() as channel:
        own, there = channel.get(
            [_lookup(session, session.server, "", zone), _lookup(session, session.client, session.server, zone)],
            ("RTA_OIF", "RTA_GATEWAY", "RTA_VIA"),
        )
    if not isinstance(own, dict) or own["type"] != route.TYPES["local"] or not isinstance(there, dict):
        return None
    device = have.names.get(where, {}).get(there.get("RTA_OIF", 0), "")
    if device in ("", "lo"):
        return None
    gateway = there.get("RTA_GATEWAY") or there.get("RTA_VIA") or ""
    return Way(session, where, device, gateway, frozenset(_standing_on(link.key(where, device), have)))


def _lookup(session: Connection, dst: str, src: str, zone: int | None) -> nl.Request:
    length = 128 if session.six else 32
    attrs: dict[str, Any] = {"RTA_DST": dst, "RTA_SRC": src or None, "RTA_OIF": zone if src else None}
    header = {"family": session.family, "dst_len": length, "src_len": length if src else 0}
    return nl.Request(nl.RTM_GETROUTE, header, attrs)


def _standing_on(device: Key, have: Have) -> set[Key]:
    """The device, its master, its lower devices and its ports, all the way; a veth's other end with what is above it."""
    found: set[Key] = set()
    pending = [device]
    while pending:
        key = pending.pop()
        if key in found or key not in have.objects:
            continue
        found.add(key)
        fields = have.objects[key].fields
        pending += [link.key(key.netns, fields[option]) for option in ("master", "lower", "dev") if fields.get(option)]
        if fields.get("peer"):
            pending.append(link.key(*fields["peer"]))
        if key.netns == device.netns:  # beyond it, nobody knows which port leads to the controller
            pending += [other.key for other in have.links(key.netns) if other.fields.get("master") == key.ident[0]]
    return found
