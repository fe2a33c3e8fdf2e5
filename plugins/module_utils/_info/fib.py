# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which entry a packet finds: policy rules in their order, in each table the longest prefix (net/core/fib_rules.c,
fib_rules_lookup; net/ipv4/fib_trie.c, fib_table_lookup; net/ipv6/ip6_fib.c).

Left out is what depends on more than the tables: a host (no router) passes over an IPv6 gateway that does not answer.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Union

from .. import _netlink as nl
from .._names import TABLES
from .filters import Network, network, word_of

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Record = dict[str, Any]

RULES = {family: nl.Request(nl.RTM_GETRULE, {"family": family}) for family in (socket.AF_INET, socket.AF_INET6)}
DEFAULT_RULES: list[dict[str, Any]] = [
    {"action": "lookup", "table": TABLES[name]} for name in ("local", "main", "default")
]
ERRORS = {"blackhole": "EINVAL", "unreachable": "EHOSTUNREACH", "prohibit": "EACCES"}
_OTHERS = ("oif", "l3mdev", "tos", "dscp", "ipproto", "sport", "dport", "tun_id")  # a packet here has none of these
_table = word_of(TABLES)


class Packet(NamedTuple):
    """What is looked up: to where, from where and by which interface in (None: sent by the host itself), which mark."""

    dst: Address
    source: Address | None = None
    iif: str | None = None
    mark: int = 0


def holding(address: Address) -> Callable[[memoryview], bool]:
    """Whether a raw route message may be one whose destination holds an address: its length and its bytes say so."""
    size = address.max_prefixlen
    whole = int(address)
    prefixes = [((whole >> size - bits) << size - bits).to_bytes(size // 8, "big") for bits in range(size + 1)]
    return lambda body: body[1] == 0 or prefixes[body[1]] in bytes(body)


def choose(rules: list[dict[str, Any]], entries: list[Record], packet: Packet) -> Record | None:
    """The entry that decides, by these rules (none: those of a kernel without policy routing); None if no table has one, or a rule says no before that."""
    one_table = packet.dst.version == 4 and _untouched(rules or DEFAULT_RULES)
    tables: dict[str | int, list[Record]] = {}
    for entry in sorted((one for one in entries if _fits(one, packet)), key=_rank):
        table = "main" if one_table and entry["table"] == "local" else entry["table"]
        tables.setdefault(table, []).append(entry)
    least = 0
    for rule in rules or DEFAULT_RULES:
        if rule.get("priority", 0) < least or not _applies(rule, packet):
            continue
        if rule["action"] == "goto":
            least = rule["goto"]
        elif rule["action"] == "lookup":
            found = next(iter(tables.get(_table(rule.get("table", 0)), ())), None)
            if found and found["type"] != "throw" and _length(found) > rule.get("suppress_prefixlength", -1):
                return found
        elif rule["action"] != "nop":  # blackhole, unreachable, prohibit
            return None
    return None


def _length(entry: Record) -> int:
    return 0 if entry["dst"] == "default" else int(entry["dst"].partition("/")[2])


def _untouched(rules: list[dict[str, Any]]) -> bool:
    """Whether there are but the kernel's own rules: then it keeps `local` and `main` as one table (fib_trie_unmerge)."""
    selectors = {"from", "to", "not", "iif", "fwmark", "uidrange", *_OTHERS}
    return [rule.get("table") for rule in rules] == [rule["table"] for rule in DEFAULT_RULES] and not any(
        selectors & {name for name, value in rule.items() if value} for rule in rules
    )


def _rank(entry: Record) -> tuple[int, int, bool, int, int]:
    """The longest prefix first, then (IPv6) the longest source, `local`, what is for a TOS, the lowest metric."""
    source = int(entry["from"].partition("/")[2]) if entry["from"] else 0
    return -_length(entry), -source, entry["table"] != "local", -entry["tos"], entry["metric"]


def _fits(entry: Record, packet: Packet) -> bool:
    """Whether an entry is for the packet at all. One whose next hops are all dead is none."""
    if entry["tos"] or (entry["dst"] != "default" and packet.dst not in network(entry["dst"])):
        return False
    if entry["from"] and (packet.source is None or packet.source not in network(entry["from"])):
        return False
    return any("dead" not in hop["flags"] for hop in (entry["nexthops"] or [entry]))


def _prefix(text: str) -> Network:
    """Whom a rule is for: `ip rule` takes 10.0.0.1/24 as well."""
    return ipaddress.ip_network(text, strict=False)


def _applies(rule: Mapping[str, Any], packet: Packet) -> bool:
    """fib_rule_match(), for a packet without a protocol, ports and TOS."""
    unset = "::" if packet.dst.version == 6 else "0.0.0.0"
    uid = None if packet.iif else os.geteuid()
    low, high = rule.get("uidrange", (0, 0xFFFFFFFF))
    same = (
        packet.dst in _prefix(rule.get("to") or f"{unset}/0")
        and (packet.source or ipaddress.ip_address(unset)) in _prefix(rule.get("from") or f"{unset}/0")
        and rule.get("iif", packet.iif or "lo") == (packet.iif or "lo")
        and not (packet.mark ^ rule.get("fwmark", 0)) & rule.get("fwmask", 0)
        and ("uidrange" not in rule or (uid is not None and low <= uid <= high))
        and not any(rule.get(name) for name in _OTHERS)
    )
    return same != bool(rule.get("not"))
