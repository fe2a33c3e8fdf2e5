# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What proves that services lead to their pods: requests to send from a node, and what must come of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

MISSED = 1e-9  # the probability that an endpoint is never chosen though the rules are right
PATIENCE = 15  # seconds for an answer: a busy machine is slow, and TCP asks again after 1, 3 and 7 seconds


class Node(NamedTuple):
    """A node of the group as verify.yml has gathered it."""

    host: str
    address: str  # of its underlay; '' if nobody knows it
    pods: list[Mapping[str, Any]]
    servers: list[Mapping[str, Any]]  # of echo_server

    def served(self) -> set[tuple[str, str]]:
        """{(endpoint, protocol)} of the pods that have a server."""
        address = {pod["netns"]: pod["address"] for pod in self.pods}
        return {
            (f"{address[server.get('netns')]}:{server['port']}", server.get("protocol", "tcp"))
            for server in self.servers
            if server.get("netns") in address
        }


def nodes_of(group: Iterable[Mapping[str, Any]]) -> dict[str, Node]:
    """{host: Node} of [{host, underlay, part: of pod_network, servers}]; the nodes know each other's underlay."""
    found = list(group)
    told = {node["host"]: node["underlay"] for one in found for node in one["part"].get("nodes") or []}
    return {
        one["host"]: Node(
            one["host"],
            str(told.get(one["host"]) or one.get("underlay") or ""),
            list(one["part"].get("pods") or []),
            list(one.get("servers") or []),
        )
        for one in found
    }


def requests(
    part: Mapping[str, Any], host: str, group: Iterable[Mapping[str, Any]], stated: Iterable[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Requests of echo_info from a node to its services, each with what must come of it.

    `part` is the node's part as the filter node_port works it out, `group` what is known of all nodes (see nodes_of),
    `stated` the services as they are in the variables. A service is asked if all of its endpoints have a server of
    echo_server; one without endpoints must refuse. From a host outside of the group only node ports are asked.
    """
    nodes = nodes_of(group)
    served = {one for node in nodes.values() for one in node.served()}
    sticky = {_full_name(entry) for entry in stated if entry.get("session_affinity") == "client_ip"}
    found: list[dict[str, Any]] = []
    for service in part.get("services") or []:
        if all((endpoint, service["protocol"]) in served for endpoint in service["endpoints"]):
            found += _of_service(service, host, nodes, service["service"] in sticky)
    return found


def _full_name(entry: Mapping[str, Any]) -> str:
    port = f":{entry['port_name']}" if entry.get("port_name") else ""
    return f"{entry.get('namespace') or 'default'}/{entry.get('name')}{port}"


def _of_service(
    service: Mapping[str, Any], host: str, nodes: Mapping[str, Node], sticky: bool
) -> Iterator[dict[str, Any]]:
    endpoints = service["endpoints"]
    pods = nodes[host].pods if host in nodes else []
    behind = {endpoint.rpartition(":")[0] for endpoint in endpoints}
    cluster = (service["cluster_ip"], service["port"]) if host in nodes else None
    entries = list(_entries(service, host, nodes, behind))
    asked = [("", *entry, _kept(service, host, nodes, name)) for name, *entry in entries]
    asked += [(pod["netns"], *entry, "") for pod in pods[:1] for _name, *entry in entries]
    if cluster:
        asked.append(("", *cluster, ""))
        # A pod that asks its own service may reach itself, and sees its node then; any other is seen as it is.
        own = [pod for number, pod in enumerate(pods) if number == 0 or pod["address"] in behind]
        asked += [(pod["netns"], *cluster, "" if pod["address"] in behind else pod["address"]) for pod in own]
    spread = not sticky and service["protocol"] == "tcp"
    count = math.ceil(needed(len(endpoints)) / max(1, len(asked))) if spread else 1
    for netns, address, port, client in asked:
        yield {
            "name": f"{service['service']} {netns or 'host'} -> {address}:{port}",
            "netns": netns,
            "address": address,
            "port": port,
            "protocol": service["protocol"],
            "count": count,
            "timeout": PATIENCE,
            "service": service["service"],
            "endpoints": endpoints,
            "client": client,
            "spread": spread,
        }


def _entries(
    service: Mapping[str, Any], host: str, nodes: Mapping[str, Node], behind: set[str]
) -> Iterator[tuple[str, str, int]]:
    """The nodes to come in at: with `externalTrafficPolicy: Local`, none but those that have an endpoint, and itself."""
    for node in nodes.values():
        has_endpoint = any(pod["address"] in behind for pod in node.pods)
        if service["node_port"] and node.address and (not service["only_local"] or has_endpoint or node.host == host):
            yield node.host, node.address, service["node_port"]


def _kept(service: Mapping[str, Any], host: str, nodes: Mapping[str, Node], entry: str) -> str:
    """The address that the pods must see: that of the client, if the policy keeps it and the host is one that we know."""
    return nodes[host].address if service["only_local"] and host in nodes and entry != host else ""


def needed(endpoints: int) -> int:
    """How many requests reach all endpoints, but for a probability of MISSED: n (1 - 1/n)^k < MISSED."""
    return math.ceil(math.log(endpoints / MISSED) / math.log(endpoints / (endpoints - 1))) if endpoints > 1 else 1


def answers(results: Iterable[Mapping[str, Any]], asked: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """{failures: [a line each], table: [a line each], networks: {services: {passed, failed}}} of echo_info's results."""
    failures, table = [], []
    count = {"passed": 0, "failed": 0}
    missing: dict[str, set[str]] = {}
    for result, request in zip(results, asked):
        wrong = _wrong(result, request)
        count["failed" if wrong else "passed"] += result["sent"]
        table.append(_line(result, request, wrong))
        if wrong:
            failures.append(f"{request['name']}: {wrong}")
        if request["spread"]:
            missing.setdefault(request["service"], set(request["endpoints"])).difference_update(result["servers"])
    for service, silent in missing.items():
        if silent:
            failures.append(f"{service}: no request reached {', '.join(sorted(silent))}")
    return {"failures": failures, "table": table, "networks": {"services": count} if table else {}}


def _wrong(result: Mapping[str, Any], request: Mapping[str, Any]) -> str:
    """What is not as it must be; '' if all is."""
    why = f" ({', '.join(result['errors'])})" if result["errors"] else ""
    if not request["endpoints"]:
        refused = not result["answered"] and result["errors"] == ["Connection refused"]
        return "" if refused else f"it has no endpoints and must refuse, but {result['answered']} were answered{why}"
    if result["answered"] < result["sent"]:
        return f"{result['sent'] - result['answered']} of {result['sent']} requests not answered{why}"
    strange = sorted(set(result["servers"]) - set(request["endpoints"]))
    if strange:
        return f"answered by {', '.join(strange)}, which is no endpoint"
    seen = sorted(set(result["clients"]) - {request["client"]})
    if request["client"] and seen:
        return f"the pods saw {', '.join(seen)}, not {request['client']}"
    return ""


def _line(result: Mapping[str, Any], request: Mapping[str, Any], wrong: str) -> str:
    who = ", ".join(f"{name} {count}" for name, count in sorted(result["names"].items()))
    seen = f"answered by {who or 'nobody we know'}" if request["endpoints"] else "refused, as it must be"
    return f"{'FAILED' if wrong else 'ok':7}{request['name']}: {wrong or seen}"
