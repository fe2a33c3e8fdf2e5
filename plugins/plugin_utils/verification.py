# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What proves that the networks stand: pings to send from a host, what must come of them, and a table to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

HEADERS = 28  # bytes of IPv4 and ICMP around a payload
MOST_PAIRS = 12  # namespaces that are all pinged from each other; of more, each pings the next one


def probes(
    parts: Mapping[str, Any], own: str = "", outside: str = "", pods: Iterable[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Pings for the parts of a host as the roles' filters work them out: {bridge_network:, ipip_tunnel:, vxlan_overlay:,
    pod_network:}.

    Each is a probe of ping_info with `network`, `expect` (pass or fail) and, where it is known, `ttl`. `own` is an
    address of the host itself, `outside` one that is reached through NAT, `pods` are those of all nodes.
    """
    found = [
        *_bridge(parts.get("bridge_network") or {}, own, outside),
        *_tunnels(parts.get("ipip_tunnel") or {}),
        *_overlay(parts.get("vxlan_overlay") or {}),
        *_pods(parts.get("pod_network") or {}, own, outside, list(pods)),
    ]
    return [{**probe, "name": f"{probe['network']} {probe['netns'] or 'host'} -> {probe['dst']}"} for probe in found]


def _ping(network: str, netns: str, dst: str, ttl: int | None = 64) -> dict[str, Any]:
    return {"network": network, "netns": netns, "dst": dst, "expect": "pass", "ttl": ttl}


def _exact(network: str, netns: str, dst: str, mtu: Any, ttl: int = 64) -> Iterator[dict[str, Any]]:
    """A packet of exactly the MTU passes unfragmented, one of a byte more does not."""
    if mtu:
        size = int(mtu) - HEADERS
        yield {**_ping(network, netns, dst, ttl), "size": size, "df": True, "count": 1}
        yield {**_ping(network, netns, dst, None), "size": size + 1, "df": True, "count": 1, "expect": "fail"}


def _bridge(part: Mapping[str, Any], own: str, outside: str) -> Iterator[dict[str, Any]]:
    spaces = part.get("namespaces") or []
    for number, space in enumerate(spaces):
        others = spaces if len(spaces) <= MOST_PAIRS else [spaces[(number + 1) % len(spaces)]]
        for other in others:
            if other["name"] != space["name"]:
                yield _ping("bridge", space["name"], other["address"])
        yield _ping("bridge", space["name"], part["gateway"])
        if own:
            yield _ping("bridge", space["name"], own)
        if outside:  # the answer passes one router: the host
            yield _ping("bridge nat", space["name"], outside, 63)
    if len(spaces) > 1:
        yield from _exact("bridge", spaces[0]["name"], spaces[1]["address"], part.get("mtu"))


def _mtu(part: Mapping[str, Any], netns: str, kind: str) -> Any:
    """The MTU that the description gives the one tunnel device of a namespace."""
    links = part["description"]["links"]
    return next((one.get("mtu") for one in links if one.get("netns") == netns and one.get("kind") == kind), None)


def _tunnels(part: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    pair = part.get("pair") or []
    for end, other in zip(pair, reversed(pair)):
        yield _ping("ipip pair", end["namespace"], other["tunnel_address"])
        yield from _exact("ipip pair", end["namespace"], other["tunnel_address"], _mtu(part, end["namespace"], "ipip"))
    for tunnel in part.get("tunnels") or []:
        yield _ping("ipip", "", str(tunnel["peer_address"]))
        yield from _exact("ipip", "", str(tunnel["peer_address"]), tunnel["mtu"])


def _overlay(part: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    pair = part.get("pair") or []
    for end, other in zip(pair, reversed(pair)):
        far = other["overlay_address"].partition("/")[0]
        yield _ping("vxlan pair", end["namespace"], other["address"].partition("/")[0])
        yield _ping("vxlan pair", end["namespace"], far)
        yield from _exact("vxlan pair", end["namespace"], far, _mtu(part, end["namespace"], "vxlan"))
    vtep = part.get("vtep") or {}
    for peer in vtep.get("peers") or []:
        yield _ping("vxlan", "", peer["address"])
        yield from _exact("vxlan", "", peer["address"], vtep["mtu"])


# Each router takes one from the 64 that an answer starts with: the host of the pod that asks, the host of the one asked.
HOST, ONE_NODE, ACROSS = 64, 63, 62


def _pods(
    part: Mapping[str, Any], own: str, outside: str, everyone: list[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """As many pings as there are pods and nodes, not as there are pairs of them."""
    here = part.get("pods") or []
    nodes = [(node, [pod for pod in everyone if pod["node"] == node["host"]]) for node in part.get("nodes") or []]
    far = [(node, theirs) for node, theirs in nodes if theirs]
    masquerades = any("MASQUERADE" in rule and "! -d" in rule for rule in _rules(part))
    for number, pod in enumerate(here):
        yield _ping("pods", "", pod["address"], HOST)
        if len(here) > 1:
            yield _ping("pods", pod["netns"], here[(number + 1) % len(here)]["address"], ONE_NODE)
        for _node, theirs in far if number == 0 else far[number % len(far) :][:1] if far else []:
            yield _ping("pods", pod["netns"], theirs[number % len(theirs)]["address"], ACROSS)
    for _node, theirs in far:
        yield _ping("pods", "", theirs[0]["address"], ONE_NODE)
    for pod in here[:1]:
        if own:
            yield _ping("pods", pod["netns"], own, HOST)
        if masquerades:  # else the answers of other nodes take another way than the questions, which rp_filter may drop
            for node, _theirs in nodes:
                yield _ping("pods", pod["netns"], node["underlay"], ONE_NODE)
        if masquerades and outside:
            yield _ping("pods nat", pod["netns"], outside, ONE_NODE)
        for other in here[1:2]:
            yield from _exact("pods", pod["netns"], other["address"], part.get("mtu"), ONE_NODE)
        for _node, theirs in far[:1]:
            yield from _exact("pods", pod["netns"], theirs[0]["address"], part.get("mtu"), ACROSS)


def _rules(part: Mapping[str, Any]) -> list[str]:
    chains = part["description"]["chains"] if part else []
    return [str(rule) for chain in chains for rule in chain["rules"]]


def late(results: Iterable[Mapping[str, Any]], asked: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The probes to send again, slowly: a busy machine answers after ping has stopped listening (two round trip times)."""
    return [{**probe, "interval": 1} for result, probe in zip(results, asked) if _wrong(result, probe)]


def verdicts(
    results: Iterable[Mapping[str, Any]], asked: Iterable[Mapping[str, Any]], again: Iterable[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """{failures: [a line each], table: [a line each], networks: {network: {passed, failed}}} of ping_info's results.

    `again` are the results of the late probes; each takes the place of the first one.
    """
    failures, table = [], []
    networks: dict[str, dict[str, int]] = {}
    second = iter(again)
    for first, probe in zip(results, asked):
        result = next(second, first) if _wrong(first, probe) else first
        wrong = _wrong(result, probe)
        count = networks.setdefault(probe["network"], {"passed": 0, "failed": 0})
        count["failed" if wrong else "passed"] += 1
        table.append(_line(result, probe, wrong))
        if wrong:
            failures.append(f"{probe['name']}: {wrong}")
    return {"failures": failures, "table": table, "networks": networks}


def _wrong(result: Mapping[str, Any], probe: Mapping[str, Any]) -> str:
    """What is not as it must be; '' if all is."""
    if probe["expect"] == "fail":
        return (
            f"a packet of {probe['size'] + HEADERS} bytes came through: the MTU is larger" if result["received"] else ""
        )
    if result["loss"]:
        why = f" ({', '.join(result['errors'])})" if result["errors"] else ""
        return f"{result['loss']:g} % of {result['transmitted']} packets lost{why}"
    if probe["ttl"] and result["ttl"] != [probe["ttl"]]:
        return f"ttl {result['ttl']}, not {probe['ttl']}"
    return ""


def _line(result: Mapping[str, Any], probe: Mapping[str, Any], wrong: str) -> str:
    size = f" DF {probe['size'] + HEADERS}" if probe.get("df") else ""
    if probe["expect"] == "fail":
        seen = "too long, as it must be"
    else:
        rtt = (result["rtt"] or {}).get("avg")
        ttl = "/".join(map(str, result["ttl"])) or "-"
        seen = f"loss {result['loss']:g} %  ttl {ttl}  rtt {rtt if rtt is not None else '-'} ms"
    return f"{'FAILED' if wrong else 'ok':7}{probe['name']}{size}: {wrong or seen}"
