# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kernel parameters as `sysctl` shows them, and what of an interface's own and the one of `all` counts.

Which of them counts is the kernel's business, parameter by parameter: include/linux/inetdevice.h (IN_DEV_*CONF) for
IPv4, net/ipv6/{ip6_output,ndisc,exthdrs}.c for IPv6; Documentation/networking/ip-sysctl.rst says most of it.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

from .._kinds import sysctl
from .filters import taken
from .view import Record, View

SPEC: dict[str, Any] = {
    "name": {"type": "list", "elements": "str", "required": True},
    "dev": {"type": "str"},
}
_GLOB = re.compile(r"[*?[]")
_CONF = re.compile(r"net/(ipv[46])/conf/([^/]+)/([^/]+)$")

Combine = Callable[[int, int], int]  # of the value of `all` and that of the interface


def _either(general: int, own: int) -> int:
    return int(bool(general) or bool(own))


def _both(general: int, own: int) -> int:
    return int(bool(general) and bool(own))


COMBINED: dict[str, dict[str, Combine]] = {
    "ipv4": {
        **dict.fromkeys(("rp_filter", "arp_ignore", "arp_announce", "arp_notify", "arp_accept"), max),
        **dict.fromkeys(
            ("proxy_arp", "route_localnet", "arp_filter", "accept_local", "src_valid_mark", "log_martians", "shared_media",
             "send_redirects", "secure_redirects", "promote_secondaries", "ignore_routes_with_linkdown",
             "drop_gratuitous_arp", "drop_unicast_in_l2_multicast"), _either),
        **dict.fromkeys(
            ("accept_source_route", "bootp_relay", "mc_forwarding", "bc_forwarding", "arp_evict_nocarrier"), _both),
    },
    "ipv6": {
        "proxy_ndp": _either,
        "accept_source_route": min,
        "forwarding": lambda general, _own: general,
    },
}  # fmt: skip


def read(view: View, params: dict[str, Any]) -> Iterator[Record]:
    """The parameters of a namespace that are asked for, in the order of their names for each that was given."""
    seen: set[str] = set()
    general = _General()
    for given in params["name"]:
        matching = _matching(taken({"name": given}, "name", _path))
        if not matching and params["netns"] != "all":
            view.warnings.append(f"there is no parameter {given}{f' in netns {view.netns}' if view.netns else ''}")
        for path in [path for path in matching if path not in seen]:
            seen.add(path)
            found = record(path, general, params["dev"])
            if found:
                yield found


def _path(given: str) -> str:
    return given if given == "net" else sysctl.path(given)


def _matching(path: str) -> list[str]:
    """The parameters that a name or a pattern means; of a folder all that is in it."""
    whole = f"{sysctl.ROOT}/{path}"
    found = [whole] if os.path.lexists(whole) or not _GLOB.search(path) else sorted(glob.glob(whole))
    return [one[len(sysctl.ROOT) + 1 :] for start in found for one in _files(start)]


def _files(start: str) -> Iterator[str]:
    if not os.path.isdir(start):
        yield from [start] if os.path.exists(start) else []
        return
    for folder, folders, names in os.walk(start):
        folders.sort()
        yield from (f"{folder}/{name}" for name in sorted(names))


def _value(path: str) -> str | None:
    """What the kernel says; None for what cannot be read, or has gone."""
    try:
        with open(f"{sysctl.ROOT}/{path}", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return None


class _General(dict[str, "str | None"]):
    """The values of `all` in a namespace, each read once however many interfaces there are."""

    def __missing__(self, path: str) -> str | None:
        self[path] = _value(path)
        return self[path]


def record(path: str, general: _General, dev: str | None = None) -> Record | None:
    """One parameter; None for one that cannot be read, or is not of the interface that is asked for."""
    own = sysctl.device(sysctl.key("", path)) or None
    if dev not in (None, own):
        return None
    value = _value(path)
    if value is None:
        return None
    name, match = sysctl.dotted(path), _CONF.match(path) if own else None
    return {
        "name": name,
        "value": sysctl.normal(value),
        "dev": own,
        **(
            _effect(match, value, general[_of(match, "all")])
            if match
            else {"all": None, "effective": None, "decided_by": None}
        ),
        "text": "\n".join(f"{name} = {line}" for line in value.split("\n")),
    }


def _of(match: re.Match[str], link: str, parameter: str = "") -> str:
    return f"net/{match[1]}/conf/{link}/{parameter or match[3]}"


def _effect(match: re.Match[str], own: str, general: str | None) -> Record:
    """What counts of an interface's parameter, and whether `all`, the interface, or each of both says so."""
    combine = COMBINED[match[1]].get(match[3])
    if (match[1], match[3]) == ("ipv4", "accept_redirects"):  # a router wants both, a host either
        combine = _both if _value(_of(match, match[2], "forwarding")) == "1" else _either
    if combine is None or general is None:
        return {"all": general, "effective": own, "decided_by": "interface"}
    one, other = int(general), int(own)
    value = combine(one, other)
    deciding = [who for who, alone in (("all", one), ("interface", other)) if combine(alone, alone) == value]
    return {"all": general, "effective": str(value), "decided_by": deciding[0] if len(deciding) == 1 else "both"}
