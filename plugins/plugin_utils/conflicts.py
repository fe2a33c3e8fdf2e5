# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Networks of several roles on one host: what one of them has must not be another one's as well."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

# role: {namespace, subnet, or a link's kind: the variable that says it}
_VARIABLES = {
    "bridge_network": {"namespace": "namespaces", "subnet": "subnet", "bridge": "bridge", "veth": "namespaces"},
    "ipip_tunnel": {"namespace": "pair_ends", "subnet": "pair_ends", "veth": "pair_ends", "ipip": "names"},
    "vxlan_overlay": {"namespace": "pair_ends", "subnet": "subnet", "vxlan": "interface", "bridge": "bridge"},
    "pod_network": {
        "namespace": "pods",
        "subnet": "pool",
        "veth": "pods",
        "ipip": "encapsulation",
        "vxlan": "encapsulation",
    },
}
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def conflicts(parts: Mapping[str, Mapping[str, Any]], host: str) -> list[str]:
    """Mistakes between the parts of one host: {role: what its filter has worked out}. The later role tells them."""
    owners: dict[tuple[str, str], str] = {}
    networks: dict[str, list[Network]] = {}
    problems = []
    for role, variables in _VARIABLES.items():
        described = parts.get(role, {}).get("description")
        if not described:
            continue
        names = {one: f"{role}_{variables[kind]}" for kind, one in _names(described)}
        problems += [
            f"{host}: {variable}: the {what} {name} is of {owners[what, name]} as well; name one of them otherwise"
            for (what, name), variable in names.items()
            if (what, name) in owners
        ]
        owners = {**names, **owners}
        subnet, ours = f"{role}_{variables['subnet']}", _networks(described)
        problems += [
            f"{host}: {subnet}: '{mine}' overlaps {theirs} of {other}; take another one for one of them"
            for other, earlier in networks.items()
            for theirs in earlier
            for mine in ours
            if mine.version == theirs.version and mine.overlaps(theirs)
        ]
        networks[subnet] = ours
    return problems


def _names(described: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, str]]]:
    """What says it, and what it is: the namespaces, and the interfaces that are on the host itself."""
    for name in described["namespaces"]:
        yield "namespace", ("namespace", name)
    for link in described["links"]:
        for end in (link, link.get("peer") or {}):
            if end and "kind" in link and not end.get("netns"):
                yield link["kind"], ("interface", end["name"])


def _networks(described: Mapping[str, Any]) -> list[Network]:
    """What the host itself is on; an address alone (/32) is in nobody's way."""
    found = {ipaddress.ip_interface(one["address"]).network for one in described["addresses"] if not one.get("netns")}
    return sorted({network for network in found if network.num_addresses > 1}, key=str)
