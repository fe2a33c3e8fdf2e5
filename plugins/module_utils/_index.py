# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Interface numbers during a run, and the descriptors that messages name namespaces by."""

from __future__ import annotations

import errno
import os

from . import _netlink as nl
from ._kinds import link
from ._model import Op
from ._netns import Namespaces
from ._snapshot import Have


def channel_netns(op: Op) -> str:
    """The namespace that an op's requests are sent in."""
    return str(op.fields["move_from"]) if op.action == "move" else op.key.netns


class Index:
    """Interface numbers during a run: those that the kernel has, and those given to links that are being made.

    Numbers are chosen here, so that what refers to a new link can be sent right behind it.
    """

    def __init__(self, namespaces: Namespaces, have: Have, before: Have | None = None) -> None:
        self.namespaces = namespaces
        self.numbers = {where: dict(names) for where, names in have.index.items()}
        self.highest: dict[str, int] = {}
        self.before = before.index if before else {}
        self.descriptors: dict[str, int] = {}
        self.made: set[str] = set()  # namespaces that are new in this run: one is like the other
        self.fresh: dict[str, int] | None = None  # the links that such a one comes with

    def number(self, where: str, name: str) -> int:
        """The number of a link. OSError (ENODEV) if there is none."""
        try:
            return self._of(where)[name]
        except KeyError:
            raise OSError(errno.ENODEV, f"there is no interface {name}") from None

    def new(self, where: str, name: str) -> int:
        """A free number for a new link: the one it had before if it is put back, else the next."""
        numbers = self._of(where)
        if where not in self.highest:
            self.highest[where] = max(numbers.values(), default=0)
        earlier = self.before.get(where, {}).get(name)
        if earlier is not None and earlier not in numbers.values():
            number = earlier
        else:
            number = self.highest[where] + 1
        self.highest[where] = max(number, self.highest[where])
        numbers[name] = number
        return number

    def forget(self, op: Op) -> None:
        """A link is deleted, and a veth's peer with it; or it is moved away."""
        where = channel_netns(op)
        self.numbers.get(where, {}).pop(op.key.ident[0], None)
        peer = op.have.get("peer")
        if peer and op.action == "delete":
            self.numbers.get(peer[0], {}).pop(peer[1], None)

    def _of(self, where: str) -> dict[str, int]:
        if where not in self.numbers:
            self.numbers[where] = dict(self._fresh(where)) if where in self.made else self._ask(where)
        return self.numbers[where]

    def _fresh(self, where: str) -> dict[str, int]:
        """lo, and the fallback devices of the tunnel modules that are loaded."""
        if self.fresh is None:
            self.fresh = self._ask(where)
        return self.fresh

    def _ask(self, where: str) -> dict[str, int]:
        with self.namespaces.entered(where), nl.Channel() as channel:
            return {one["IFLA_IFNAME"]: one["index"] for one in channel.dump(link.DUMP, ("IFLA_IFNAME",))}

    def descriptor(self, where: str) -> int:
        """A namespace's descriptor, to be named in a message; it stays open until close()."""
        if where not in self.descriptors:
            self.descriptors[where] = self.namespaces.open(where)
        return self.descriptors[where]

    def close(self) -> None:
        """Close the descriptors: they would keep namespaces alive."""
        for descriptor in self.descriptors.values():
            os.close(descriptor)
        self.descriptors.clear()
