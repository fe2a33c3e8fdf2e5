# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Named network namespaces. A removed one is held open until the run is over, so that the removal can be undone."""

from __future__ import annotations

from typing import Any

from .. import _netns
from .._model import Field, Item, Key, Object, Op, netns_name

NAME = "netns"
FIELDS: dict[str, Field] = {}


def key(name: str) -> Key:
    """The key of a namespace."""
    return Key(NAME, "", (name,))


def parse(item: Item, netns: str, canonical: Any) -> list[Object]:
    """One entry of `namespaces`."""
    name = item.take("name", netns_name, required=True)
    item.named(str(name))
    item.done()
    return [Object(key(name), {})] if name else []


def run(ops: list[Op], world: Any) -> None:
    """Create, remove, or bring back."""
    if any(op.action == "create" for op in ops):
        _netns.prepare()
    for op in ops:
        name = op.key.ident[0]
        if op.action == "delete":
            world.held[name] = _netns.remove(name)
        elif name in world.held:
            _netns.attach(name, world.held[name])
        else:
            _netns.create(name)
    world.namespaces.forget()


def commands(op: Op) -> list[str]:
    """The line that a person would type."""
    return [f"ip netns {'del' if op.action == 'delete' else 'add'} {op.key.ident[0]}"]
