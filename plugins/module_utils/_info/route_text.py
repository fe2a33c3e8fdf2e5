# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A route's record in the words of `ip route` (iproute2's ip/iproute.c, print_route), and in those of `route -n`."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

# include/uapi/linux/rtnetlink.h, RTAX_*: the first one is number 2
METRICS = (
    "mtu", "window", "rtt", "rttvar", "ssthresh", "cwnd", "advmss", "reordering", "hoplimit", "initcwnd", "features",
    "rto_min", "initrwnd", "quickack", "congctl",
)  # fmt: skip
_TIMES = ("rtt", "rttvar", "rto_min")


def text(found: Mapping[str, Any], cached: bool = False, iif: str = "", uid: int | None = None) -> str:
    """The route as `ip route show table all` prints it, without blanks at the ends of lines.

    What the kernel answers to a question (`cached`) has no table, but who asked for it.
    """
    parts = [] if found["type"] == "unicast" else [found["type"]]
    parts.append(host(found["dst"]))
    parts += ["from", host(found["from"])] if found["from"] else []
    parts += ["nhid", str(found["nhid"])] if found["nhid"] else []
    parts += ["encap", found["encap"]] if found["encap"] else []
    parts += ["tos", f"{found['tos']:#04x}"] if found["tos"] else []
    parts += _way(found, found["family"])
    if not cached:
        parts += ["table", str(found["table"])] if found["table"] != "main" else []
        parts += ["proto", str(found["proto"])] if found["proto"] != "boot" else []
        parts += ["scope", str(found["scope"])] if found["scope"] != "global" else []
    parts += ["src", found["src"]] if found["src"] else []
    parts += ["metric", str(found["metric"])] if found["metric"] or found["family"] == "inet6" else []
    parts += _flags(found)
    parts += ["realms" if "/" in found["realms"] else "realm", found["realms"]] if found["realms"] else []
    parts += [f"uid {uid}"] if uid is not None else []
    parts += ["\n    cache"] if cached else []
    parts += [f"expires {found['expires']}sec"] if found["expires"] else []
    parts += _metrics(found)
    parts += ["iif", iif] if iif else []
    parts += ["pref", found["pref"]] if found["pref"] else []
    line = " ".join(parts).replace(" \n", "\n")
    return "\n".join([line, *(f"\tnexthop {hop}" for hop in _hops(found))])


def host(network: str) -> str:
    """A network as iproute2 prints it: that of a single address without its length."""
    address, _slash, length = network.partition("/")
    return address if length == ("128" if ":" in address else "32") else network


def _way(hop: Mapping[str, Any], family: str) -> list[str]:
    other = ["inet6"] if hop["via"] and family == "inet" and ":" in hop["via"] else []
    return [*(["via", *other, hop["via"]] if hop["via"] else []), *(["dev", hop["dev"]] if hop["dev"] else [])]


def _flags(hop: Mapping[str, Any]) -> list[str]:
    """`onlink` is printed behind `dead`, before all others."""
    flags = list(hop["flags"])
    if hop["onlink"]:
        flags.insert(flags[:1] == ["dead"], "onlink")
    return flags


def _hops(found: Mapping[str, Any]) -> Iterator[str]:
    for hop in found["nexthops"]:
        encap = ["encap", hop["encap"]] if hop["encap"] else []
        yield " ".join([*encap, *_way(hop, found["family"]), "weight", str(hop["weight"]), *_flags(hop)])


def _metrics(found: Mapping[str, Any]) -> Iterable[str]:
    others = found["metrics"]
    for name in METRICS:
        value = found.get(name, others.get(name))
        if value is None:
            continue
        yield name
        if name in others.get("lock", ()):
            yield "lock"
        yield _time(value) if name in _TIMES else str(value)


def _time(value: int) -> str:
    """Milliseconds."""
    return f"{value / 1000:g}s" if value >= 1000 else f"{value}ms"


@cache
def _netmask(length: int) -> str:
    return str(ipaddress.ip_network(f"0.0.0.0/{length}").netmask)


def legacy(found: Mapping[str, Any]) -> str | None:
    """The route as `route -n` prints it (net-tools' lib/inet_gr.c): the main table of IPv4, of several next hops the
    first one, a blackhole with `*` for its device."""
    if found["family"] != "inet" or found["table"] != "main" or found["type"] in ("broadcast", "multicast"):
        return None
    network, _slash, length = ("0.0.0.0/0" if found["dst"] == "default" else found["dst"]).partition("/")
    hop = found["nexthops"][0] if found["nexthops"] else found
    rejects = found["type"] in ("unreachable", "prohibit")
    flags = ("!" if rejects else "U") + ("G" if hop["via"] else "") + ("H" if length == "32" else "")
    gateway = hop["via"] if hop["via"] and ":" not in hop["via"] else "-" if rejects else "0.0.0.0"
    first = f"{network:15} {gateway:15} {_netmask(int(length)):15} {flags:5} {found['metric']:<6}"
    return f"{first} {'-' if rejects else '0'}        0 {hop['dev'] or ('-' if rejects else '*')}"
