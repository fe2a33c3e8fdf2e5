# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The network of a whole host in one reading: all readers of this folder over all namespaces. It is what pictures,
traces and comparisons are made from, so its order depends on what there is, not on the kernel's tables.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from .. import _iptables_info
from . import fdb, link, neighbor, netns, route, rule, sysctl
from .view import Record, View, visit

# What decides the way of a packet, of the namespace and of each interface.
SYSCTLS = (
    "net.ipv4.ip_forward", "net.ipv4.ip_default_ttl", "net.ipv4.fib_multipath_hash_policy",
    "net.bridge.bridge-nf-call-*tables", "net.netfilter.nf_conntrack_tcp_be_liberal",
    *(f"net.ipv4.conf.*.{name}" for name in (
        "forwarding", "rp_filter", "proxy_arp", "proxy_arp_pvlan", "arp_ignore", "arp_filter", "arp_announce",
        "accept_local", "route_localnet", "src_valid_mark", "medium_id")),
    "net.ipv4.neigh.*.proxy_delay",
    *(f"net.ipv6.conf.*.{name}" for name in ("forwarding", "disable_ipv6", "proxy_ndp", "accept_ra")),
)  # fmt: skip


class Section(NamedTuple):
    """A reader, what it is asked for beyond its defaults, and the fields that its records are sorted by (none where
    the kernel's order says something)."""

    spec: Mapping[str, Any]
    read: Callable[[View, dict[str, Any]], Iterable[Record]]
    asked: Mapping[str, Any] = {}
    order: tuple[str, ...] = ()


SECTIONS = {
    "links": Section(link.SPEC, link.read, order=("ifindex",)),
    "routes": Section(route.SPEC, route.read, {"table": "all"}, ("family", "table", "dst", "metric")),
    "rules": Section(rule.SPEC, rule.read),
    "neighbors": Section(neighbor.SPEC, neighbor.read, order=("family", "dev", "dst", "proxy")),
    "fdb": Section(fdb.SPEC, fdb.read, order=("dev", "mac", "vlan", "which", "dst")),
    "sysctls": Section(sysctl.SPEC, sysctl.read, {"name": SYSCTLS, "netns": "all"}, ("name",)),
}
GATHER = (*SECTIONS, "iptables")
SPEC: dict[str, Any] = {
    "netns": {"type": "str", "default": "all"},
    "gather": {"type": "list", "elements": "str", "choices": list(GATHER), "default": list(GATHER)},
    "counters": {"type": "bool", "default": True},
}
_IDENTITY = ("netns", "name", "inode", "nsid", "containers")
# What changes by itself: in records, and in their texts.
_RUNNING = re.compile(
    r"^(statistics|carrier_changes|used|updated|expires|packets|bytes|(valid|preferred)_lft|.*_timer)$"
)
_RUNNING_TEXT = re.compile(r" (expires|\w+_timer) +[\d.]+(sec)?| (valid|preferred)_lft \d+sec")


def look(params: dict[str, Any]) -> tuple[Record, list[str]]:
    """The snapshot, and warnings. ValueError if there is no such namespace."""
    known = {one["inode"]: one for one in netns.look({**_defaults(netns.SPEC), "netns": params["netns"]})[0]}

    def look_at(view: View) -> Record:
        inode = view.namespaces.here()[1]
        about = known.get(inode) or {"netns": view.netns, "name": None, "inode": inode, "nsid": None, "containers": []}
        found = {section: _section(view, section) for section in GATHER if section in params["gather"]}
        return {**{field: about[field] for field in _IDENTITY}, **(found if params["counters"] else _still(found))}

    found, warnings = visit(params["netns"], look_at)
    return {"host": _host(), "namespaces": list(found.values())}, warnings


def _host() -> Record:
    name = os.uname()
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"hostname": name.nodename, "kernel": name.release, "time": now}


def _defaults(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {option: about.get("default") for option, about in spec.items()}


def _section(view: View, name: str) -> Any:
    if name == "iptables":
        return _iptables(view)
    section = SECTIONS[name]
    found = section.read(view, {**_defaults(section.spec), **section.asked})
    return sorted(found, key=lambda one: [_sortable(one[field]) for field in section.order])


def _sortable(value: Any) -> tuple[bool, str | int]:
    """Numbers before texts, nothing first; tables are called by name or number."""
    return (True, value) if isinstance(value, str) else (False, -1 if value is None else value)


def _iptables(view: View) -> Record:
    """All chains and rules; where they cannot be read that is a warning, as the rest of a snapshot is worth having."""
    if why := _iptables_info.unreadable():
        view.warnings.append(f"the rules of iptables are not in the snapshot: {why}")
        return {"chains": [], "rules": []}
    rulesets, warnings = _iptables_info.collect(view.namespaces, [view.netns], ["ipv4", "ipv6"])
    view.warnings.extend(warnings)
    wanted = _iptables_info.Filter()
    readers = {"chains": _iptables_info.chains, "rules": _iptables_info.rules}
    return {name: [one for ruleset in rulesets for one in read(ruleset, wanted)] for name, read in readers.items()}


def _still(found: Any) -> Any:
    """Without what changes by itself."""
    if isinstance(found, dict):
        return {
            name: _RUNNING_TEXT.sub("", value) if name == "text" else _still(value)
            for name, value in found.items()
            if not _RUNNING.match(name)
        }
    return [_still(one) for one in found] if isinstance(found, list) else found
