# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which block of the pool a node has, and which addresses it has given: Calico's IPAM, without a store.

What stands on the node is the memory: its routes, as `ip -json route show` tells them, say the block and the addresses.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.linuxnet.lab.plugins.module_utils._model import MARK_PROTO

from ._check import Check, address4, empty, network4
from ._group import Member

Network = ipaddress.IPv4Network


def blocks(group: Mapping[str, Member], whole: Network, size: int) -> dict[str, Network]:
    """Each host's block: the stated one, else the one that it holds, else the one that its underlay address points to.

    The last one depends on nothing but the address; where it is taken the next free one comes, and from then on the
    host holds it: a host that is added or removed moves nobody.
    """
    found: dict[str, Network] = {}
    for name, member in group.items():
        block = member.check.read("block", _block_of(whole, size))
        if block is not None:
            _take(found, name, block, member.check)
    for name, member in group.items():
        standing = _held_block(member.check.values, whole, size)
        if empty(member.check.values.get("block")) and standing is not None and standing not in found.values():
            found[name] = standing
    count = 1 << (size - whole.prefixlen)
    taken = set(found.values())
    for name, member in group.items():
        if name in found or not empty(member.check.values.get("block")) or not member.underlay.address:
            continue
        first = int(ipaddress.ip_address(member.underlay.address)) % count
        step = 1 << (32 - size)
        tried = (
            ipaddress.IPv4Network((int(whole.network_address) + (first + n) % count * step, size)) for n in range(count)
        )
        block = next((one for one in tried if one not in taken), None)
        if block is None:
            member.check.problem(
                "pool", f"'{whole}' has {count} blocks of /{size}, and there are {len(group)} hosts: it is used up"
            )
        else:
            found[name] = block
            taken.add(block)
    return found


def _take(found: dict[str, Network], name: str, block: Network, check: Check) -> None:
    for other, theirs in found.items():
        if block.overlaps(theirs):
            check.problem("block", f"'{block}' overlaps {theirs} on {other}")
            return
    found[name] = block


def _routes_of(values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The host's routes as `ip -json route show` tells them, if they have been looked at."""
    routes = values.get("routes")
    return [route for route in routes if isinstance(route, Mapping)] if isinstance(routes, list) else []


def _held_block(values: Mapping[str, Any], whole: Network, size: int) -> Network | None:
    for route in _routes_of(values):
        if route.get("type") == "blackhole" and "/" in str(route.get("dst")):
            block = ipaddress.IPv4Network(str(route["dst"]), strict=False)
            if block.prefixlen == size and block.subnet_of(whole):
                return block
    return None


def held(values: Mapping[str, Any]) -> dict[str, ipaddress.IPv4Address]:
    """{host end: address} of the pods that stand."""
    found = {}
    for route in _routes_of(values):
        dst, dev = str(route.get("dst")), str(route.get("dev"))
        if route.get("scope") == "link" and "/" not in dst and re.fullmatch(r"[0-9.]+", dst):
            found[dev] = ipaddress.IPv4Address(dst)
    return found


def leads_to(gateway: str, values: Mapping[str, Any]) -> bool:
    """Whether others' routes lead to an address already: the default route, or that of a network."""
    address = ipaddress.IPv4Address(gateway)
    for route in _routes_of(values):
        dst = str(route.get("dst"))
        if str(route.get("protocol")) == str(MARK_PROTO) or route.get("type") == "blackhole" or not route.get("dev"):
            continue
        if address in ipaddress.IPv4Network("0.0.0.0/0" if dst == "default" else dst, strict=False):
            return True
    return False


def connected(address: str | None, values: Mapping[str, Any]) -> Network | None:
    """The subnet that an address of the host's is on: the kernel has a route of its own for it."""
    for route in _routes_of(values):
        if address and route.get("prefsrc") == address and route.get("protocol") == "kernel" and "gateway" not in route:
            return ipaddress.IPv4Network(str(route["dst"]), strict=False)
    return None


def pool(value: Any) -> Network:
    """Reads the network that all blocks are out of."""
    network = network4(value)
    if network.prefixlen < 8:
        raise ValueError(f"{value!r} is not a usable size; a prefix length of 8 to 30 is")
    return network


def _block_of(whole: Network, size: int) -> Callable[[Any], Network]:
    """Reads a block of the pool."""

    def how(value: Any) -> Network:
        try:
            block = ipaddress.IPv4Network(str(value))
        except ValueError as error:
            raise ValueError(f"{value!r} is not a block like 10.244.169.64/26 ({error})") from None
        if block.prefixlen != size:
            raise ValueError(f"{value!r} is not a /{size}, the size of all blocks")
        if not block.subnet_of(whole):
            raise ValueError(f"{value!r} is not in the pool {whole}")
        return block

    return how


def inside(block: Network) -> Callable[[Any], ipaddress.IPv4Address]:
    """Reads an address of a block, its first and its last one as well: no host has a network on it."""

    def how(value: Any) -> ipaddress.IPv4Address:
        address: ipaddress.IPv4Address = address4(value)
        if address not in block:
            raise ValueError(f"{value!r} is not in the host's block {block}")
        return address

    return how
