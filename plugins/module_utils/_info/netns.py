# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The network namespaces of a host: those of `ip netns list`, and those without a name, with who is in them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .._netns import Namespaces, path_of
from .._peers import Peers
from .containers import Container, describe, of_cgroup
from .places import Identity, everywhere, processes
from .view import Record, chosen

SPEC: dict[str, Any] = {
    "netns": {"type": "str", "default": "all"},
    "grep": {"type": "str"},
    "container": {"type": "str"},
    "processes": {"type": "int", "default": 20},
}


def look(params: dict[str, Any]) -> tuple[list[Record], list[str]]:
    """The namespaces that are asked for, and warnings. ValueError if there is no such one."""
    namespaces = Namespaces()
    try:
        pids = processes()
        places = everywhere(namespaces, pids)
        asked = {one: places.get(one, netns) for one, netns in chosen(namespaces, params["netns"], places).items()}
        nsids = _nsids(namespaces, asked)
        found = [
            _record(namespaces, netns, identity, nsids.get(netns), pids.get(identity, []), params["processes"])
            for identity, netns in asked.items()
        ]
    finally:
        namespaces.close()
    warnings = ["only root sees the processes of other users, and the namespaces that only those are in"]
    return [one for one in found if _wanted(one, params)], warnings if os.geteuid() else []


def _nsids(namespaces: Namespaces, asked: Mapping[Identity, str]) -> dict[str, int]:
    """{namespace: its id as seen from here}, of those that have one."""
    peers = Peers(namespaces)
    peers.ask("", asked.values())
    return {netns: nsid for (_where, nsid), netns in peers.ids.items()}


def _wanted(found: Record, params: dict[str, Any]) -> bool:
    if params["grep"] is not None and params["grep"] not in found["text"]:
        return False
    word = params["container"]
    return word is None or any(
        word in (one["name"], one["pod"]) or one["id"].startswith(word) for one in found["containers"]
    )


def _record(
    namespaces: Namespaces, netns: str, identity: Identity, nsid: int | None, pids: list[int], most: int
) -> Record:
    name = namespaces.known().get(identity)
    pids = [pid for pid in pids if _is_program(pid)]
    path = path_of(name or netns) if name or netns else f"/proc/{pids[0] if pids else 'self'}/ns/net"
    found = {
        "netns": netns,
        "name": name,
        "path": path,
        "inode": identity[1],
        "nsid": nsid,
        "pids": pids[:most],
        "processes": [{"pid": pid, "command": command(pid)} for pid in pids[:most]],
        "process_count": len(pids),
        "containers": containers(pids),
    }
    return {**found, "text": text(found)}


def _file(pid: int, name: str) -> str:
    """A file of a process; '' if it has ended meanwhile."""
    try:
        with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _is_program(pid: int) -> bool:
    """Not a thread of the kernel: those have no executable file, and are all in the host's first namespace."""
    try:
        return bool(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return False


def command(pid: int) -> str:
    """The name of a process's program, without arguments: they may hold secrets."""
    return _file(pid, "comm").rstrip("\n")


def containers(pids: list[int]) -> list[Container]:
    """The containers that these processes belong to."""
    found = dict.fromkeys(of_cgroup(text) for text in dict.fromkeys(_file(pid, "cgroup") for pid in pids))
    return [describe(*one) for one in found if one]


def text(found: Record) -> str:
    """As `ip netns list` prints it; one without a name says who is in it."""
    words = [found["name"] or found["path"]]
    words += [f"(id: {found['nsid']})"] if found["nsid"] is not None else []
    if not found["name"]:
        words += [f"pid {one['pid']} {one['command']}" for one in found["processes"][:1]]
        words += [f"container {one['name'] or one['id'][:12]}" for one in found["containers"]]
    return " ".join(words)
