# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services with cluster addresses and node ports on the hosts of a group, as kube-proxy makes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.linuxnet.lab.plugins.module_utils._model import integer
from ansible_collections.linuxnet.lab.plugins.plugin_utils import _kube
from ansible_collections.linuxnet.lab.plugins.plugin_utils._check import (
    Check,
    Network4,
    address4,
    boolean,
    description,
    host_in,
    is_host,
    listing,
    network4,
)
from ansible_collections.linuxnet.lab.plugins.plugin_utils._group import (
    Member,
    members,
    own_problems,
    variables_of,
)

ROLE = "node_port"
ROUTE_LOCALNET = "net.ipv4.conf.all.route_localnet"
# variable without the role's prefix: default
DEFAULTS: dict[str, Any] = {
    "state": "present",
    "group": "pod_hosts",
    "services": [],
    "cluster_cidr": "10.244.0.0/16",
    "service_cidr": "10.96.0.0/12",
    "range": "30000-32767",
    "addresses": [],
    "localhost": True,
    "masquerade_mark": "0x4000",
    "random_fully": True,
    "adopt": False,
}
SERVICE: dict[str, Any] = {
    "namespace": "default",
    "port_name": "",
    "protocol": "tcp",
    "session_affinity": "none",
    "affinity_timeout": 10800,
    "external_traffic_policy": "cluster",
    "internal_traffic_policy": "cluster",
    "endpoints": [],
}
_REQUIRED = ("name", "cluster_ip", "port", "target_port")
_SHARED = ("cluster_cidr", "service_cidr", "range")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_ADDRESS = re.compile(r"[0-9.]+(:.*)?")
PORT = integer(1, 65535).parse
Pods = Mapping[str, Mapping[str, Any]]  # "namespace/name": {address, node}


def _label(value: Any) -> str:
    """A name of Kubernetes' (RFC 1123 label)."""
    text = str(value)
    if not _LABEL.fullmatch(text):
        raise ValueError(f"{value!r} is not a name of lower case letters, digits and -, 63 at the most")
    return text


def _one_of(*choices: str) -> Callable[[Any], str]:
    def how(value: Any) -> str:
        if str(value).lower() not in choices:
            raise ValueError(f"{value!r} is not {' or '.join(choices)}")
        return str(value).lower()

    return how


def _ports(value: Any) -> range:
    """LOWEST-HIGHEST"""
    found = re.fullmatch(r"\s*(\d+)\s*-\s*(\d+)\s*", str(value))
    if not found or not 0 < int(found[1]) <= int(found[2]) <= 65535:
        raise ValueError(f"{value!r} is not a range of ports like 30000-32767")
    return range(int(found[1]), int(found[2]) + 1)


def _mark(value: Any) -> int:
    try:
        number = value if isinstance(value, int) else int(str(value), 0)
    except ValueError:
        number = 0
    if not 0 < number <= 1 << 31 or number & (number - 1):
        raise ValueError(f"{value!r} is not a mark of one bit, like 0x4000")
    return int(number)


def plan(
    values: Mapping[str, Any],
    host: str,
    hostvars: Mapping[str, Any],
    group: Iterable[str],
    pods: Iterable[Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """This host's part: {description: of network_state, problems: [text], services: [dict]}.

    `pods` are those of all nodes, [{namespace, name, address, node}]; without it, those that the role pod_network has
    published on each host of the group (the fact pod_network_part.pods).
    """
    part: dict[str, Any] = {"problems": [], "description": description(), "services": []}
    if values.get("state") == "absent":
        return part
    group = list(group)
    everyone = members(ROLE, DEFAULTS, host, values, group, hostvars, _SHARED)
    check = everyone[host].check
    settings = _settings(check)
    told = _published(hostvars, everyone)
    if pods is None:
        pods = [pod for found in told.values() for pod in found or ()]
    known = {f"{pod.get('namespace') or 'default'}/{pod.get('name')}": pod for pod in pods}
    unknown = [name for name, found in told.items() if found is None]
    services = _Reader(check, host, known, unknown).services()
    _check_same({name: one for name, one in everyone.items() if one.present})
    part["problems"] = own_problems(host, everyone)
    if part["problems"]:
        return part
    part["description"] = description(
        chains=_kube.chains(services, settings),
        sysctls=[{"name": ROUTE_LOCALNET, "value": 1}] if settings.localhost else [],
    )
    part["services"] = [_summary(service) for service in services]
    return part


def _published(hostvars: Mapping[str, Any], group: Iterable[str]) -> dict[str, list[Any] | None]:
    """The pods that the role pod_network has published on each host, or on others for it; None where it has not."""
    found = {name: variables_of(hostvars, name).get("pod_network_part") for name in group}
    parts = {name: part for name, part in found.items() if isinstance(part, Mapping)}
    elsewhere = {name: pods for part in parts.values() for name, pods in part.get("elsewhere", {}).items()}
    return {name: parts[name].get("pods") if name in parts else elsewhere.get(name) for name in found}


def _summary(service: _kube.Service) -> dict[str, Any]:
    return {
        "service": str(service),
        "protocol": service.protocol,
        "cluster_ip": service.cluster_ip,
        "port": service.port,
        "node_port": service.node_port,
        "endpoints": [str(endpoint) for endpoint in service.endpoints],
        "local_endpoints": [str(endpoint) for endpoint in service.endpoints if endpoint.local],
        "only_local": service.only_local,
        "chain": _kube.chain_name("SVC", service),
    }


def _settings(check: Check) -> _kube.Settings:
    localhost = check.required("localhost", boolean, False)
    addresses = []
    for number, given in enumerate(check.read("addresses", listing, []), 1):
        address = check.parse(f"addresses[{number}]", given, address4)
        if address in addresses:
            check.problem(f"addresses[{number}]", f"'{address}' is there already")
        elif address is not None and address.is_loopback and not localhost:
            check.problem(f"addresses[{number}]", f"'{address}' has no node ports while {ROLE}_localhost is false")
        elif address is not None:
            addresses.append(address)
    return _kube.Settings(
        cluster_cidr=str(check.required("cluster_cidr", network4, "")),
        mark=check.required("masquerade_mark", _mark, 0x4000),
        addresses=tuple(str(address) for address in addresses),
        localhost=localhost and (not addresses or any(address.is_loopback for address in addresses)),
        random_fully=check.required("random_fully", boolean, True),
    )


# ---- services -----------------------------------------------------------------------------------------------------


class _Reader:
    """Reads the services of one host, and notes what they take: node ports, cluster addresses, names."""

    def __init__(self, check: Check, host: str, pods: Pods, unknown: list[str]) -> None:
        self.check = check
        self.host = host
        self.pods = pods
        self.unknown = unknown  # hosts that have not told their pods
        self.nodes = {str(pod.get("address")): pod.get("node") for pod in pods.values()}
        self.cluster: Network4 | None = check.required("cluster_cidr", network4)
        self.ports = check.required("range", _ports)
        self.taken: dict[tuple[Any, ...], str] = {}
        service_cidr = check.required("service_cidr", network4)
        if self.cluster and service_cidr and self.cluster.overlaps(service_cidr):
            check.problem("service_cidr", f"'{service_cidr}' overlaps {ROLE}_cluster_cidr, {self.cluster}")
        self.options: dict[str, Callable[[Any], Any]] = {
            "namespace": _label,
            "name": _label,
            "port_name": _label,
            "cluster_ip": host_in(service_cidr) if service_cidr else address4,
            "port": PORT,
            "target_port": PORT,
            "node_port": PORT,
            "protocol": _one_of("tcp", "udp"),
            "session_affinity": _one_of("none", "client_ip"),
            "affinity_timeout": integer(1, 86400).parse,
            "external_traffic_policy": _one_of("cluster", "local"),
            "internal_traffic_policy": _one_of("cluster"),
            "endpoints": listing,
        }

    def services(self) -> list[_kube.Service]:
        """Those without a mistake; the mistakes are noted."""
        given = self.check.read("services", listing, [])
        found = [self._service(f"services[{number}]", entry) for number, entry in enumerate(given, 1)]
        return [service for service in found if service is not None]

    def _service(self, where: str, given: Any) -> _kube.Service | None:
        before = len(self.check.problems)
        entry = {**SERVICE, **self.check.entry(where, given, self.options)}
        if isinstance(given, Mapping):
            for option in _REQUIRED:
                if given.get(option) in (None, ""):
                    self.check.problem(f"{where}.{option}", "is missing")
        if "name" in entry:
            self._claim(where, entry)
        if entry["external_traffic_policy"] == "local" and isinstance(given, Mapping) and not given.get("node_port"):
            self.check.problem(f"{where}.external_traffic_policy", "'local' is for services with a node_port")
        endpoints = self._endpoints(where, entry)
        if len(self.check.problems) > before:
            return None
        return _kube.Service(
            namespace=entry["namespace"],
            name=entry["name"],
            port_name=entry["port_name"],
            protocol=entry["protocol"],
            cluster_ip=str(entry["cluster_ip"]),
            port=entry["port"],
            node_port=entry.get("node_port", 0),
            endpoints=endpoints,
            affinity=entry["affinity_timeout"] if entry["session_affinity"] == "client_ip" else 0,
            only_local=entry["external_traffic_policy"] == "local",
        )

    def _claim(self, where: str, entry: Mapping[str, Any]) -> None:
        """What a port of a service has for itself, and what all ports of a service share."""
        service, port_name, protocol = f"{entry['namespace']}/{entry['name']}", entry["port_name"], entry["protocol"]
        full = f"{service}:{port_name}" if port_name else service
        if self._other(("port", service, port_name), full):
            what = f"port {port_name!r}" if port_name else "a port without a name"
            self.check.problem(
                f"{where}.port_name", f"{port_name!r}: {service} has {what} already; name each of its ports"
            )
        elif self._other(("named", service), str(bool(port_name))) not in (None, str(bool(port_name))):
            self.check.problem(f"{where}.port_name", f"{port_name!r}: {service} has several ports; name each of them")
        if "cluster_ip" in entry:
            address = entry["cluster_ip"]
            owner = self._other(("address", address), service)
            own = self._other(("service", service), str(address))
            if owner not in (None, service):
                self.check.problem(f"{where}.cluster_ip", f"'{address}' is {owner}'s already")
            elif own not in (None, str(address)):
                self.check.problem(f"{where}.cluster_ip", f"'{address}': {service} has {own} at its other ports")
            elif "port" in entry and self._other(("cluster", address, entry["port"], protocol), full):
                self.check.problem(f"{where}.port", f"{entry['port']} of {address} is there for {protocol} already")
        if "node_port" in entry:
            number = entry["node_port"]
            owner = self._other(("node_port", number, protocol), full)
            if self.ports and number not in self.ports:
                self.check.problem(
                    f"{where}.node_port",
                    f"{number} is not in {ROLE}_range, {self.ports.start}-{self.ports.stop - 1}",
                )
            elif owner:
                self.check.problem(f"{where}.node_port", f"{number} ({protocol}) is {owner}'s already")

    def _other(self, what: tuple[Any, ...], who: str) -> str | None:
        """Who has it already; else it is `who`'s from now on."""
        owner = self.taken.get(what)
        self.taken.setdefault(what, who)
        return owner

    # ---- endpoints

    def _endpoints(self, where: str, entry: Mapping[str, Any]) -> tuple[_kube.Endpoint, ...]:
        """In the order of kube-proxy: by their text."""
        found: dict[str, _kube.Endpoint] = {}
        for number, given in enumerate(entry["endpoints"], 1):
            place = f"{where}.endpoints[{number}]"
            endpoint = self.check.parse(
                place, given, lambda value: self._endpoint(value, entry["namespace"], entry.get("target_port", 0))
            )
            if endpoint and str(endpoint) in found:
                self.check.problem(place, f"{given!r}: {endpoint} is an endpoint of this service already")
            elif endpoint:
                found[str(endpoint)] = endpoint
        return tuple(found[text] for text in sorted(found))

    def _endpoint(self, given: Any, namespace: str, target_port: int) -> _kube.Endpoint:
        text = str(given)
        pod = self.pods.get(text if "/" in text else f"{namespace}/{text}")
        if pod is not None:
            address, port = str(pod.get("address")).partition("/")[0], target_port
        elif _ADDRESS.fullmatch(text):
            address, colon, own_port = text.partition(":")
            port = PORT(own_port) if colon else target_port
        else:
            wait = (
                f"; the pods of {', '.join(self.unknown)} are not known (no pod_network there, or no answer)"
                if self.unknown
                else ""
            )
            raise ValueError(f"{given!r} is neither a pod of the group nor an address{wait}")
        parsed = address4(address)
        if self.cluster and not is_host(parsed, self.cluster):
            raise ValueError(f"{given!r}: {parsed} is not in {ROLE}_cluster_cidr, {self.cluster}")
        return _kube.Endpoint(str(parsed), port, self.nodes.get(str(parsed)) == self.host)


def _check_same(group: Mapping[str, Member]) -> None:
    """Every host of a group has the same services; one that differs from the group's first host tells it.

    Nothing is known of the services of a host that is not in the play, if they are not in the inventory.
    """
    hosts = [one for one in group.values() if one.reports or one.check.values.get("services")]
    for member in hosts[1:]:
        where = f"on {hosts[0].host}; all hosts of a group share"
        for option in _SHARED:
            mine, theirs = member.check.values.get(option), hosts[0].check.values.get(option)
            if str(mine) != str(theirs):
                member.check.problem(option, f"{mine!r} differs from {theirs!r} {where} it")
        mine, theirs = _stated(member), _stated(hosts[0])
        for name in dict.fromkeys([*theirs, *mine]):
            if name not in theirs:
                member.check.problem("services", f"{name!r} is not {where} their services")
            elif name not in mine:
                member.check.problem("services", f"{name!r} is not there, but {where} their services")
            elif mine[name] != theirs[name]:
                member.check.problem("services", f"{name!r} differs from that {where} their services")


def _stated(member: Member) -> dict[str, dict[str, str]]:
    """{name of a service and port: its options as text}, as far as they can be read."""
    found = {}
    given = member.check.values.get("services")
    for entry in given if isinstance(given, (list, tuple)) else []:
        if isinstance(entry, Mapping):
            full = {**SERVICE, **{option: value for option, value in entry.items() if value is not None}}
            port = f":{full['port_name']}" if full["port_name"] else ""
            found[f"{full['namespace']}/{full.get('name')}{port}"] = {
                option: str(list(value) if isinstance(value, (list, tuple)) else value)
                for option, value in full.items()
            }
    return found
