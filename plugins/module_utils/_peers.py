# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tells which namespace holds the other end of a veth.

The kernel names that namespace by an id (nsid) that means something only in the namespace that was asked; which
namespace that is, RTM_GETNSID tells for a descriptor (net/core/net_namespace.c). A peer is told by its namespace and
number, never by the number alone; but the numbers say which namespaces are worth asking about.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable

from . import _netlink as nl
from ._netns import Namespaces

NOT_ASSIGNED = 0xFFFFFFFF
Pair = tuple[int, int]  # a veth's own number, its peer's


class Peers:
    """What is known of ends and ids."""

    def __init__(self, namespaces: Namespaces, ids: dict[tuple[str, int], str] | None = None) -> None:
        self.namespaces = namespaces
        # (namespace that was asked, nsid): namespace that is meant
        self.ids: dict[tuple[str, int], str] = {} if ids is None else ids
        self._ends: dict[Pair, list[str]] = defaultdict(list)
        self._tried: set[tuple[str, str]] = set()

    def note(self, where: str, number: int, peer: int) -> None:
        """There is an end of a veth in a namespace."""
        self._ends[number, peer].append(where)

    def candidates(self, where: str, pairs: Iterable[Pair]) -> list[str]:
        """Namespaces that hold an end with the numbers of the peer of one of these ends."""
        found = (other for number, peer in pairs for other in self._ends.get((peer, number), ()))
        return list(dict.fromkeys(other for other in found if other != where))

    def ask(self, where: str, others: Iterable[str], nsids: Iterable[int] | None = None) -> None:
        """Find out which nsids these namespaces have in `where`: all, or until those that are looked for are known."""
        wanted = None if nsids is None else {(where, nsid) for nsid in nsids}
        asked = [other for other in others if (where, other) not in self._tried]
        for start in range(0, len(asked), nl.BATCH):
            if wanted is not None and wanted <= self.ids.keys():
                return
            part = asked[start : start + nl.BATCH]
            self._tried.update((where, other) for other in part)
            self._ask(where, part)

    def _ask(self, where: str, others: list[str]) -> None:
        held: list[tuple[str, int]] = []
        try:
            for other in others:
                try:
                    held.append((other, self.namespaces.open(other)))
                except OSError:  # it is gone, or belongs to somebody else's process
                    continue
            requests = [nl.Request(nl.RTM_GETNSID, {}, {"NETNSA_FD": descriptor}) for _other, descriptor in held]
            with self.namespaces.entered(where), nl.Channel() as channel:
                answers = channel.get(requests, ("NETNSA_NSID",))
        finally:
            for _other, descriptor in held:
                os.close(descriptor)
        for (other, _descriptor), answer in zip(held, answers):
            if isinstance(answer, dict) and answer.get("NETNSA_NSID", NOT_ASSIGNED) != NOT_ASSIGNED:
                self.ids.setdefault((where, answer["NETNSA_NSID"]), other)
