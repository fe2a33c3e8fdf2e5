# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands of a pod network: read from a host's routes and neighbours, as `ip -json` tells them."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping
from typing import Any

from ansible_collections.linuxnet.lab.plugins.module_utils._model import MARK_PROTO

from ._group import Member

Network = ipaddress.IPv4Network


def tunnel_mac(node: str) -> str:
    """66: and the first five bytes of sha1(node), a MAC address that all nodes work out alike (vxlan_resolver.go)."""
    return ":".join(["66", *(f"{byte:02x}" for byte in hashlib.sha1(node.encode()).digest()[:5])])


def _records(values: Mapping[str, Any], what: str) -> list[Mapping[str, Any]]:
    """The host's routes or neighbours, if they have been looked at."""
    records = values.get(what)
    return [one for one in records if isinstance(one, Mapping)] if isinstance(records, list) else []


def _dst(route: Mapping[str, Any]) -> Network | None:
    """Where a route leads to."""
    dst = str(route.get("dst"))
    try:
        return Network("0.0.0.0/0" if dst == "default" else dst, strict=False)
    except ValueError:
        return None


def _block(route: Mapping[str, Any], whole: Network, size: int) -> Network | None:
    """The block that a route is about."""
    dst = _dst(route)
    return dst if dst and "/" in str(route["dst"]) and dst.prefixlen == size and dst.subnet_of(whole) else None


def held_block(values: Mapping[str, Any], whole: Network, size: int) -> Network | None:
    """The block that a host holds: its own blackhole route."""
    for route in _records(values, "routes"):
        block = _block(route, whole, size)
        if block is not None and route.get("type") == "blackhole":
            return block
    return None


def reached_block(member: Member, group: Mapping[str, Member], whole: Network, size: int) -> Network | None:
    """The block that other hosts have a route to by way of a host: the one that it held when they were built.

    The gateway is the host's underlay address, or with VXLAN the address of its tunnel, which is known by its MAC address.
    """
    mac = tunnel_mac(member.host)
    for other in group.values():
        if other is member:
            continue
        tunnels = {one.get("dst") for one in _records(other.check.values, "neighbors") if one.get("lladdr") == mac}
        for route in _records(other.check.values, "routes"):
            block = _block(route, whole, size)
            if block is not None and route.get("gateway") in {member.underlay.address, *tunnels} - {None}:
                return block
    return None


def held(values: Mapping[str, Any]) -> dict[str, ipaddress.IPv4Address]:
    """{host end: address} of the pods that stand."""
    found = {}
    for route in _records(values, "routes"):
        dst = _dst(route)
        if route.get("scope") == "link" and dst and "/" not in str(route["dst"]):
            found[str(route.get("dev"))] = dst.network_address
    return found


def leads_to(gateway: str, values: Mapping[str, Any]) -> bool:
    """Whether others' routes lead to an address already: the default route, or that of a network."""
    address = ipaddress.IPv4Address(gateway)
    for route in _records(values, "routes"):
        if str(route.get("protocol")) == str(MARK_PROTO) or route.get("type") == "blackhole" or not route.get("dev"):
            continue
        dst = _dst(route)
        if dst and address in dst:
            return True
    return False


def connected(address: str | None, values: Mapping[str, Any]) -> Network | None:
    """The subnet that an address of the host's is on: the kernel has a route of its own for it."""
    for route in _records(values, "routes"):
        if address and route.get("prefsrc") == address and route.get("protocol") == "kernel" and "gateway" not in route:
            return _dst(route)
    return None
