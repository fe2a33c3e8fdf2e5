# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes, and what the kernel takes along with it."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable

from .._kinds import address, link, netns, rule
from .._model import Key, Object, Op
from .draft import FALLBACKS, REMOVAL_ORDER, Draft, Phase, automatic


class Going(Draft):
    """Deletes links, namespaces and configuration."""

    def _doom_gone(self) -> None:
        for key in self.gone:
            if key not in self.have.objects or key.kind not in ("link", "netns"):
                continue
            have = self.have.objects[key]
            if key.kind == "link" and not self._deletable(have):
                continue
            if not self._owned(have):
                self._problem(
                    key, "was not made by linuxnet.lab, so it stays; say adopt: true to remove it all the same"
                )
                continue
            self.doomed[key] = None

    def _deletable(self, have: Object) -> bool:
        name = have.key.ident[0]
        if name in FALLBACKS:
            if self.rules.checked:
                self._problem(
                    have.key,
                    f"{name} is the fallback device that the kernel keeps in each namespace: it cannot be deleted",
                )
            return False
        if not have.fields["kind"]:
            if self.rules.checked:
                self._problem(have.key, f"{name} is a physical or built-in interface: it cannot be deleted")
            return False
        return True

    def _drag(self) -> None:
        """Follow what the kernel removes along with doomed links and namespaces."""
        inside: dict[str, list[Object]] = defaultdict(list)
        for key, have in self.have.objects.items():
            inside[key.netns].append(have)
            if key.kind == "link" and have.fields["kind"] in ("vxlan", "vlan", "macvlan", "macvtap", "ipvlan"):
                self.uppers[key.netns].append(have)
        for key in [key for key in self.doomed if key.kind == "netns"]:
            self._drag_netns(str(key.ident[0]), inside[str(key.ident[0])])
        self._drag_beyond()
        self._drag_along([key for key in self.doomed if key.kind == "link" and key not in self.want])
        for_good = set(self.dragged)
        self._drag_along([key for key in self.doomed if key.kind == "link" and key in self.want])
        self.returning = [key for key in self.dragged if key not in for_good]

    def _drag_netns(self, name: str, inside: list[Object]) -> None:
        """All that is in a namespace goes with it, but for a link that moves out of it before."""
        leaving = {key.ident[0] for key, source in self.movers.items() if source == name}
        for found in inside:
            key = found.key
            if key.ident[0] in leaving:
                continue
            self.dragged[key] = None
            peer = found.fields.get("peer") if key.kind == "link" else None
            if not peer:
                continue
            other = link.key(*peer)
            if other in self.have.objects and netns.key(other.netns) not in self.doomed:
                # the host's end of a veth goes first: a namespace's own removal is asynchronous
                self.doomed.setdefault(other)

    def _drag_beyond(self) -> None:
        """Ends of veths whose other end is in a namespace that goes unseen: they go with it, at the very end."""
        for key, owner in self.have.beyond.items():
            if netns.key(owner) in self.doomed and netns.key(key.netns) not in self.doomed:
                self.doomed.setdefault(key)
                self.along[netns.key(owner)].append(self.have.objects[key])

    def _drag_along(self, pending: list[Key]) -> None:
        while pending:
            key = pending.pop()
            have = self.have.objects.get(key)
            if have is None:
                continue
            self.dragged.update(dict.fromkeys(self.have.hanging(key.netns, key.ident[0])))
            if have.fields["kind"] == "bridge":
                for port in self.have.links(key.netns):
                    if port.fields.get("master") == key.ident[0]:
                        self._drag_entries(port.key)
            along = [upper.key for upper in self.uppers[key.netns] if link.stands_on(upper, have)]
            if have.fields.get("peer"):
                along.append(link.key(*have.fields["peer"]))
            for other in along:
                if other in self.have.objects and other not in self.dragged and other not in self.doomed:
                    self.dragged[other] = None
                    pending.append(other)

    def _released(self) -> dict[Key, None]:
        """Links that lose their master, because it goes or is created anew."""
        return {
            key: None
            for key, have in self.have.objects.items()
            if key.kind == "link"
            and have.fields["master"]
            and link.key(key.netns, have.fields["master"]) in self.doomed
        }

    def _delete_doomed(self) -> None:
        """Where namespaces go whole, links go last: until then, the names of the namespaces are all there is to undo."""
        handled = {end.key for ends in self.along.values() for end in ends}
        for key in self.doomed:
            if key in handled:
                continue
            have = self.have.objects[key]
            if key.kind == "netns":
                self._add((Phase.NETNS_GO, key.ident), Op("delete", key, also=tuple(self.along.get(key, ()))))
                continue
            peer = have.fields.get("peer")
            if peer:
                handled.add(link.key(*peer))
                self.dragged[link.key(*peer)] = None
            sooner = key in self.want or netns.key(key.netns) in self.doomed
            phase = Phase.LAST if self.have.whole and not sooner else Phase.LINKS_GO
            # in all namespaces: the other end of a veth may carry links as well
            self._add((phase, -self._height(have), key.netns, key.ident), Op("delete", key, {}, have.fields))

    def _height(self, have: Object) -> int:
        """How many links a link stands on. It goes before them, as it would go along with them."""
        seen = [have.key]
        while (lower := link.below(have)) and lower in self.have.objects and lower not in seen:
            seen.append(lower)
            have = self.have.objects[lower]
        return len(seen) - 1

    def _remove(self, key: Key) -> None:
        have = self.have.objects.get(key)
        if have is None or key in self.dragged:
            return
        if automatic(have):
            if self.rules.checked and not self.rules.owned(key):
                self._problem(key, "is the kernel's own; it goes with the address, link or packet that it comes from")
            return
        if not self._owned(have):
            self._problem(key, "was not made by linuxnet.lab, so it stays; say adopt: true to remove it all the same")
            return
        if key.kind == "sysctl":
            return  # a parameter cannot go; the ledger knows what it was before
        if key.kind == "rule":
            self._remove_rule(have)
            return
        if key.kind == "address":
            self._flush_with(have)
        phase = Phase.LATER if key.kind == "chain" else Phase.CONFIG_GOES
        stage = 1 if key.kind == "chain" else REMOVAL_ORDER[key.kind]
        self._add((phase, key.netns, stage, key.ident), Op("delete", key, {}, have.fields))

    def _flush_with(self, have: Object) -> None:
        """An IPv4 address takes the secondary ones of its subnet along, the last one routes and neighbours as well."""
        where, (device, local, _peer) = have.key.netns, have.key.ident
        hanging = self.have.hanging(where, device)
        six = ":" in local
        staying = [
            key
            for key in hanging
            if key.kind == "address" and (":" in key.ident[1]) == six and key not in self.gone and key != have.key
        ]
        network = ipaddress.ip_interface(local).network
        same = [key for key in staying if ipaddress.ip_interface(key.ident[1]).network == network]
        if six:
            if not same:
                self._remove_prefix_route(have, str(network), hanging)
            return
        self._flush(same, lasting=True)
        if same or not staying:
            source = local.split("/")[0]
            along = [key for key in hanging if key.kind in ("route", "neighbor")]
            self._flush(
                [key for key in along if self.have.objects[key].fields.get("src") != source], lasting=bool(same)
            )

    def _remove_prefix_route(self, have: Object, network: str, hanging: Iterable[Key]) -> None:
        """The kernel leaves that of an address with a lifetime behind (net/ipv6/addrconf.c, ipv6_del_addr)."""
        if have.fields["valid_lft"] == address.FOREVER:
            return
        for key in hanging:
            if key.kind == "route" and key.ident[2] == network and automatic(self.have.objects[key]):
                self._add(
                    (Phase.CONFIG_GOES, key.netns, 4, key.ident), Op("delete", key, {}, self.have.objects[key].fields)
                )

    def _remove_rule(self, have: Object) -> None:
        """The new ones are there before. One that says more, and that the request would meet first, comes again."""
        where = have.key.netns
        for other in rule.before(have, self._rules(where)):
            if other.key not in self.gone and other.key not in self.moved:
                self.moved.add(other.key)
                self.want.setdefault(other.key, other)
                self._add((Phase.LATER, where, 2, -rule.exactness(other)), Op("delete", other.key, {}, other.fields))
                self._add((Phase.LATER, where, 3, len(self.moved)), Op("create", other.key, other.fields))
        self._add((Phase.LATER, where, 2, -rule.exactness(have)), Op("delete", have.key, {}, have.fields))

    def _rules(self, where: str) -> list[Object]:
        """The rules of a namespace, in the order in which the kernel goes through them."""
        return [one for key, one in self.have.objects.items() if key.kind == "rule" and key.netns == where]
