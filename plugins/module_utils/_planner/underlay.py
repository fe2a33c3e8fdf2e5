# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which link a tunnel's packets will leave by: the one it is bound to, else the one that its ends tell."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from .._model import Object
from .._names import TABLES
from .draft import Draft


class Underlay(Draft):
    """Follows addresses and routes, as they will be."""

    def _lower(self, tunnel: Object) -> str:
        """The device; '' where nothing that is known tells it."""
        where = tunnel.key.netns
        dev = self._final(tunnel.key, "dev", "")
        if dev:
            return str(dev)
        local, remote = (str(self._final(tunnel.key, end, "")) for end in ("local", "remote"))
        holder = next((name for name, network in self._addresses(where) if local and str(network.ip) == local), "")
        # an address of lo says nothing: it can be reached over any link
        return holder if holder not in ("", "lo") else self._way(where, remote, tunnel.key.ident[0])

    def _coming(self, kind: str, where: str) -> Iterator[Object]:
        """The objects of a kind that there will be in a namespace: the stated ones, and those that stay."""
        for key, one in self.want.items():
            if key.kind == kind and key.netns == where:
                have = self.have.objects.get(key)
                yield Object(key, {**(have.fields if have else {}), **one.fields})
        for key, have in self.have.objects.items():
            if key.kind == kind and key.netns == where and key not in self.want and key not in self.gone:
                yield have

    def _addresses(self, where: str) -> Iterator[tuple[str, Any]]:
        for one in self._coming("address", where):
            dev, local, _peer = one.key.ident
            yield dev, ipaddress.ip_interface(local)

    def _way(self, where: str, to: str, tunnel: str) -> str:
        """The device of the most specific route to an address: of a subnet of an address, or of the main table."""
        if not to or ipaddress.ip_address(to).is_unspecified:
            return ""
        goal = ipaddress.ip_address(to)
        found = [
            (network.network.prefixlen, 1, dev) for dev, network in self._addresses(where) if goal in network.network
        ]
        for one in self._coming("route", where):
            _family, table, dst, _tos, metric = one.key.ident
            network = ipaddress.ip_network(dst)
            if table == TABLES["main"] and network.version == goal.version and goal in network:
                found.append((network.prefixlen, -metric, self._device(where, one)))
        return max(found, key=lambda way: way[:2], default=(0, 0, ""))[2]

    def _device(self, where: str, route: Object) -> str:
        """Where a route goes out; a gateway without a device is in the subnet of an address."""
        hops = route.fields.get("nexthops") or ((route.fields.get("via", ""), route.fields.get("dev", "")),)
        via, dev = hops[0][:2]
        if dev or not via:
            return str(dev)
        return next(
            (name for name, network in self._addresses(where) if ipaddress.ip_address(via) in network.network), ""
        )
