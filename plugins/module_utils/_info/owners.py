# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which namespaces hold the other ends of the links that are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .. import _netlink as nl
from .._kinds import link
from .._netns import Namespaces
from .._peers import Pair, Peers
from .places import everywhere


class Owners:
    """Answers for one namespace after the other. Of many, all are noted first: that says whom to ask about whom."""

    def __init__(self, namespaces: Namespaces, chosen: list[str]) -> None:
        self.namespaces = namespaces
        self.chosen = chosen
        self.peers = Peers(namespaces)
        self._noted = False

    def of(self, where: str, veths: Mapping[int, list[Pair]], others: Iterable[int]) -> dict[int, str]:
        """{nsid: namespace}, for the nsids of veths' peers (with their numbers) and of other links' lower ones."""
        if len(self.chosen) == 1:
            self._ask_all(where, [*veths, *others])
        else:
            self._note()
            for nsid, pairs in veths.items():
                self.peers.ask(where, self.peers.candidates(where, pairs), [nsid])
            self.peers.ask(where, self.chosen, others)
        known = self.peers.ids
        return {nsid: known[where, nsid] for nsid in (*veths, *others) if (where, nsid) in known}

    def _ask_all(self, where: str, nsids: list[int]) -> None:
        self.peers.ask(where, ["", *self.namespaces.known().values()], nsids)
        if any((where, nsid) not in self.peers.ids for nsid in nsids):  # a look at all processes costs more
            self.peers.ask(where, everywhere(self.namespaces).values(), nsids)

    def _note(self) -> None:
        """Remember the ends of all veths that there are."""
        if self._noted:
            return
        self._noted = True
        for where in self.chosen:
            try:
                with self.namespaces.entered(where), nl.Channel() as channel:
                    found, _interrupted = channel.dump_once(
                        link.DUMP, frozenset({"IFLA_LINK", "IFLA_LINK_NETNSID"}), None
                    )
            except OSError:  # gone meanwhile: whoever reads it says so
                continue
            for message in found:
                if "IFLA_LINK_NETNSID" in message:
                    self.peers.note(where, message["index"], message.get("IFLA_LINK", 0))
