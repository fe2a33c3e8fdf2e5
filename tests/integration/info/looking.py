# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readers asked in the test's own process, and what iproute2 says of the same kernel."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable
from typing import Any

from ansible_collections.linuxnet.lab.plugins.module_utils._info import main, view

from ..engine.support import sh

Record = dict[str, Any]


def look(room: Any, **params: Any) -> list[Record]:
    """The records of a reader; it has nothing to warn of."""
    found, warnings = look_and_warn(room, **params)
    # processes of others on this machine come and go
    warnings = [
        one for one in warnings if not (params.get("netns") == "all" and one.startswith("network namespace /proc/"))
    ]
    assert not warnings, warnings
    return found


def look_and_warn(room: Any, **params: Any) -> tuple[list[Record], list[str]]:
    """The records of a reader, and its warnings."""
    given = {**dict.fromkeys([*main.COMMON, *room.SPEC]), **params}
    assert given.keys() == {*main.COMMON, *room.SPEC}, "an option that the module has not"
    return view.collect(room.read, given)


def texts(found: Iterable[Record]) -> list[str]:
    """How records read."""
    return [record["text"] for record in found]


def lines(*command: str) -> list[str]:
    """What a tool prints, an object each: blanks at the ends are its habit, and lines that go on begin with one."""
    found: list[str] = []
    for line in sh(*command).splitlines():
        if line[:1].isspace():
            found[-1] += "\n" + line.rstrip()
        else:
            found.append(" ".join(line.rstrip(" ").split("  ")))
    return found


def tool(*command: str) -> list[Record]:
    """What a tool says in JSON."""
    return [one for one in json.loads(sh(*command) or "[]") if one]


def at_rest(ours: Callable[[], Any], *others: Callable[[], Any]) -> list[Any]:
    """All answers, while the first one stays the same: the kernel makes addresses and neighbours by itself."""
    for _attempt in range(50):
        found = [ours(), *(ask() for ask in others)]
        if ours() == found[0]:
            return found
    raise AssertionError(f"it does not come to rest: {found[0]}")


def typed(commands: Iterable[str]) -> list[str]:
    """Type commands; those that the kernel takes. Random ones it need not take."""
    taken = []
    for line in commands:
        if sh("sh", "-c", f"{line} >/dev/null 2>&1 && echo taken", check=False):
            taken.append(line)
    return taken


def make(*commands: str) -> None:
    """Type commands that must work."""
    for line in commands:
        sh(*shlex.split(line))


VETH = (
    "ip link add v0 type veth peer name p0",
    "ip link set v0 up",
    "ip link set p0 up",
    "ip addr add 10.0.0.1/24 dev v0",
    "ip addr add 2001:db8::1/64 dev v0 nodad",
)
