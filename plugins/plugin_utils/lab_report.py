# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands on which hosts, in a few lines that a person reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

MOST = 4  # names that are told one by one
Part = Mapping[str, Any]


def report(hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines about {host: {parts: as the roles' filters work them out, pings: number, requests: number}}."""
    pings, requests = (sum(one[what] for one in hosts.values()) for what in ("pings", "requests"))
    proof = f"{pings} pings" + (f" and {requests} requests" if requests else "")
    lines = [f"On {_few(list(hosts), 12)} stand, with {proof} that came as they must:", ""]
    for network, describe in _DESCRIBE.items():
        lines += _paragraph(network, describe, hosts)
    return lines


def _paragraph(
    network: str, describe: Callable[[Part, dict[str, str]], list[str]], hosts: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """A network's hosts and what it is there; hosts on which it is the same share the lines."""
    pods = _pods(hosts)
    same: dict[tuple[str, ...], list[str]] = {}
    for host, one in hosts.items():
        part = one["parts"].get(network)
        if part:
            same.setdefault(tuple(describe(part, pods)), []).append(host)
    lines: list[str] = []
    for text, where in same.items():
        place = f"all {len(hosts)} hosts" if len(where) == len(hosts) > 1 else _few(where, 2)
        for number, line in enumerate(text):
            name = "" if lines else _NAMES[network]
            lines.append(f"  {name:10}{'' if number else place:16}{line}".rstrip())
    return lines


def _pods(hosts: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """{address: name} of all pods."""
    parts = [one["parts"].get("pod_network") or {} for one in hosts.values()]
    return {pod["address"]: pod["name"] for part in parts for pod in part.get("pods") or []}


def _few(names: Iterable[str], most: int = MOST, of: str = "hosts") -> str:
    found = list(names)
    return " ".join(found) if len(found) <= most else f"{len(found)} {of}"


def _bridge(part: Part, _pods: dict[str, str]) -> list[str]:
    spaces = [f"{space['name']} {space['address']}" for space in part["namespaces"]]
    told = ", ".join(spaces) if len(spaces) <= MOST else f"{len(spaces)} namespaces"
    return [f"{told} on {part['bridge']} (gateway {part['gateway']}, MTU {part['mtu']})"]


def _ipip(part: Part, _pods: dict[str, str]) -> list[str]:
    ends = [f"{end['namespace']} {end['tunnel_address']}" for end in part.get("pair") or []]
    return [*_pair(ends), *(["a tunnel from each host to each other host"] if part.get("tunnels") else [])]


def _vxlan(part: Part, _pods: dict[str, str]) -> list[str]:
    ends = [f"{end['namespace']} {end['overlay_address'].partition('/')[0]}" for end in part.get("pair") or []]
    vtep = part.get("vtep")
    over = f"an overlay over the hosts (VNI {vtep['id']}, MTU {vtep['mtu']})" if vtep else ""
    return [*_pair(ends), *([over] if over else [])]


def _pair(ends: list[str]) -> list[str]:
    return [f"{' and '.join(ends)}, through a tunnel"] if ends else []


def _pod_network(part: Part, _pods: dict[str, str]) -> list[str]:
    pods = [pod["name"] for pod in part["pods"]]
    more = f" and {len(pods) - 2} more" if len(pods) > MOST else ""
    return [f"{part['block']}  {' '.join(pods[:2] if more else pods)}{more}"]


def _node_port(part: Part, pods: dict[str, str]) -> list[str]:
    lines = []
    for service in part["services"]:
        addresses = [endpoint.rpartition(":")[0] for endpoint in service["endpoints"]]
        behind = _few(sorted(pods.get(address, address) for address in addresses), MOST, "pods") or "nobody: refused"
        port = f"NODE:{service['node_port']} and " if service["node_port"] else ""
        lines.append(f"{service['service']}  {port}{service['cluster_ip']}:{service['port']} -> {behind}")
    return lines


_NAMES = {
    "bridge_network": "bridge",
    "ipip_tunnel": "ipip",
    "vxlan_overlay": "vxlan",
    "pod_network": "pods",
    "node_port": "services",
}
_DESCRIBE: dict[str, Callable[[Part, dict[str, str]], list[str]]] = {
    "bridge_network": _bridge,
    "ipip_tunnel": _ipip,
    "vxlan_overlay": _vxlan,
    "pod_network": _pod_network,
    "node_port": _node_port,
}
