# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which block of the pool a node has, and which addresses it has given: Calico's IPAM, without a store.

What stands is the memory: the routes of the node, and those of the others to it, say its block and its pods' addresses.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

from ._check import Check, address4, empty, network4
from ._group import Member
from ._standing import held_block, reached_block

Network = ipaddress.IPv4Network


def blocks(group: Mapping[str, Member], whole: Network, size: int) -> dict[str, Network]:
    """Each host's block: the stated one, else the one that stands, else the one that its underlay address points to.

    The last one depends on nothing but the address; where it is taken the next free one comes, and from then on the
    host holds it: a host that is added or removed moves nobody. What is taken, or cannot be known, is a problem.
    """
    found: dict[str, Network] = {}
    for name, member in group.items():
        block = member.check.read("block", _block_of(whole, size))
        if block is not None:
            _take(found, name, block, member.check)
    pinned = dict(found)
    waiting = {name: member for name, member in group.items() if empty(member.check.values.get("block"))}
    for name, member in list(waiting.items()):
        block = held_block(member.check.values, whole, size)
        if block is not None:
            _keep(found, pinned, waiting.pop(name), block, group)
    for name, member in list(waiting.items()):
        block = reached_block(member, group, whole, size)
        # a route may be an old one: what another host holds by now is that host's
        if block is not None and _owner(found, block) in ("", *pinned):
            _keep(found, pinned, waiting.pop(name), block, group)
    _derive(found, waiting, whole, size, len(group))
    return found


def _take(found: dict[str, Network], name: str, block: Network, check: Check) -> None:
    other = _owner(found, block)
    if other:
        check.problem("block", f"'{block}' overlaps {found[other]} on {other}")
    else:
        found[name] = block


def _keep(
    found: dict[str, Network],
    pinned: Mapping[str, Network],
    member: Member,
    block: Network,
    group: Mapping[str, Member],
) -> None:
    """What stands stays: a host is moved by a word about that very host only."""
    other = _owner(found, block)
    if other in pinned:
        group[other].check.problem(
            "block",
            f"'{pinned[other]}' meets {block}, which {member.host} holds; state another one, or one for {member.host} as well",
        )
    elif other:
        member.check.problem("block", f"'{block}' is held by {other} as well; state one for one of them")
    found[member.host] = block


def _owner(found: Mapping[str, Network], block: Network) -> str:
    return next((name for name, theirs in found.items() if theirs.overlaps(block)), "")


def _derive(found: dict[str, Network], waiting: Mapping[str, Member], whole: Network, size: int, hosts: int) -> None:
    """New hosts: the block that the last bits of the underlay address point to, or the next free one."""
    count, step = 1 << (size - whole.prefixlen), 1 << (32 - size)
    for name, member in waiting.items():
        if not member.seen:
            member.check.problem(
                "block",
                "is not stated, and nobody knows the one that the host holds: it is not in this play and has not answered, "
                "and no route leads to it; run without --limit, or state it",
            )
        elif member.underlay.address:
            taken = set(found.values())
            first = int(ipaddress.ip_address(member.underlay.address)) % count
            tried = (Network((int(whole.network_address) + (first + n) % count * step, size)) for n in range(count))
            block = next((one for one in tried if one not in taken), None)
            if block is None:
                member.check.problem(
                    "pool", f"'{whole}' has {count} blocks of /{size}, and there are {hosts} hosts: it is used up"
                )
            else:
                found[name] = block


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
