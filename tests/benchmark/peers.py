# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same network as a person writes it with iproute2: a script of commands, and `ip -batch`. Both are run by sh.

A re-run of either is the same script again, made so that it does no harm: what exists already is complained of (which
is ignored), or replaced by itself. Neither notices what has become wrong in between.
"""

from __future__ import annotations

from collections.abc import Iterator

import floor

_GATEWAY = floor.BRIDGE_ADDRESS


def _root(size: int, verb: str) -> Iterator[str]:
    """The lines for the root namespace, as arguments of ip."""
    yield f"link add {floor.BRIDGE} up type bridge"
    yield f"addr {verb} {floor.BRIDGE_ADDRESS}/{floor.LENGTH} dev {floor.BRIDGE}"
    for number in range(size):
        name = floor.namespace(number)
        yield f"netns add {name}"
        end = f"{floor.outside(number)} up master {floor.BRIDGE}"
        yield f"link add {end} type veth peer name {floor.INSIDE} netns {name}"


def _inside(number: int, verb: str) -> Iterator[str]:
    """The lines for one of the N namespaces."""
    yield "link set lo up"
    yield f"link set {floor.INSIDE} up"
    yield f"addr {verb} {floor.address(number)}/{floor.LENGTH} dev {floor.INSIDE}"
    yield f"route {verb} default via {_GATEWAY}"


def script(phase: str, size: int) -> str:
    """A process for each command."""
    if phase == "teardown":
        lines = [f"ip netns del {floor.namespace(number)}" for number in range(size)]
        return "set -e\n" + "\n".join([*lines, f"ip link del {floor.BRIDGE}"]) + "\n"
    verb = "add" if phase == "build" else "replace"
    lines = [f"ip {line}" for line in _root(size, verb)]
    for number in range(size):
        lines += [f"ip -n {floor.namespace(number)} {line}" for line in _inside(number, verb)]
    head = "set -e\n" if phase == "build" else "exec 2>/dev/null\n"
    return head + "\n".join(lines) + "\n"


def batch(phase: str, size: int) -> str:
    """A process for each namespace: a batch stays in the one that it was started in."""
    if phase == "teardown":
        lines = [f"netns del {floor.namespace(number)}" for number in range(size)]
        return "set -e\n" + _here("", "", [*lines, f"link del {floor.BRIDGE}"])
    verb, force = ("add", "") if phase == "build" else ("replace", "-force ")
    parts = [_here("", force, list(_root(size, verb)))]
    for number in range(size):
        parts.append(_here(f"-n {floor.namespace(number)} ", force, list(_inside(number, verb))))
    head = "set -e\n" if phase == "build" else "exec 2>/dev/null\n"
    return head + "".join(parts)


def _here(where: str, force: str, lines: list[str]) -> str:
    return f"ip {where}{force}-batch - <<'END'\n" + "\n".join(lines) + "\nEND\n"
