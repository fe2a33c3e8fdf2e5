# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The chains that kube-proxy makes of services, with its names, its order and its words.

What it does is read from Kubernetes v1.30, pkg/proxy/iptables/proxier.go (syncProxyRules,
writeServiceToEndpointRules), for IPv4. Services of type LoadBalancer and external addresses are left out.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

LARGE = 1000  # endpoints; with more of them the comments at endpoints are left out
SERVICES, NODEPORTS, EXTERNAL = "KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-EXTERNAL-SERVICES"
FORWARD, FIREWALL, LOAD_BALANCER = "KUBE-FORWARD", "KUBE-FIREWALL", "KUBE-PROXY-FIREWALL"
POSTROUTING, MARK_MASQ, CANARY = "KUBE-POSTROUTING", "KUBE-MARK-MASQ", "KUBE-PROXY-CANARY"

_NEW = "-m conntrack --ctstate NEW "
# (table, chain, built-in chain, conditions); each is put first, so the last one for a built-in chain is on top of it
JUMPS = (
    ("filter", EXTERNAL, "INPUT", _NEW + '-m comment --comment "kubernetes externally-visible service portals"'),
    ("filter", EXTERNAL, "FORWARD", _NEW + '-m comment --comment "kubernetes externally-visible service portals"'),
    ("filter", NODEPORTS, "INPUT", '-m comment --comment "kubernetes health check service ports"'),
    ("filter", SERVICES, "FORWARD", _NEW + '-m comment --comment "kubernetes service portals"'),
    ("filter", SERVICES, "OUTPUT", _NEW + '-m comment --comment "kubernetes service portals"'),
    ("filter", FORWARD, "FORWARD", '-m comment --comment "kubernetes forwarding rules"'),
    ("filter", LOAD_BALANCER, "INPUT", _NEW + '-m comment --comment "kubernetes load balancer firewall"'),
    ("filter", LOAD_BALANCER, "OUTPUT", _NEW + '-m comment --comment "kubernetes load balancer firewall"'),
    ("filter", LOAD_BALANCER, "FORWARD", _NEW + '-m comment --comment "kubernetes load balancer firewall"'),
    ("nat", SERVICES, "OUTPUT", '-m comment --comment "kubernetes service portals"'),
    ("nat", SERVICES, "PREROUTING", '-m comment --comment "kubernetes service portals"'),
    ("nat", POSTROUTING, "POSTROUTING", '-m comment --comment "kubernetes postrouting rules"'),
    ("filter", FIREWALL, "INPUT", ""),
    ("filter", FIREWALL, "OUTPUT", ""),
)
# those that nothing built-in jumps to; a canary is empty, and gone if somebody flushed the tables
_OTHERS = (
    ("nat", NODEPORTS), ("nat", MARK_MASQ), ("mangle", CANARY), ("nat", CANARY), ("filter", CANARY),
)  # fmt: skip

Rules = dict[tuple[str, str], list[str]]  # (table, chain): rules


class Endpoint(NamedTuple):
    """Where the packets go to."""

    address: str
    port: int
    local: bool = False  # it runs on this very node

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


class Service(NamedTuple):
    """One port of a service."""

    namespace: str
    name: str
    port_name: str
    protocol: str  # tcp or udp
    cluster_ip: str
    port: int
    node_port: int  # 0 for none
    endpoints: tuple[Endpoint, ...]
    affinity: int = 0  # seconds for which a client stays with an endpoint; 0 for no affinity
    only_local: bool = False  # externalTrafficPolicy Local

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" + (f":{self.port_name}" if self.port_name else "")


class Settings(NamedTuple):
    """What kube-proxy has as flags."""

    cluster_cidr: str
    mark: int
    addresses: tuple[str, ...]  # that have node ports; () for every local one
    localhost: bool  # node ports at 127.0.0.1
    random_fully: bool


def _digest(text: str) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:16]


def chain_name(kind: str, service: Service) -> str:
    """The name of a chain for a service; kind is SVC (all endpoints), SVL (local ones) or EXT (from outside)."""
    return f"KUBE-{kind}-{_digest(str(service) + service.protocol)}"


def endpoint_chain_name(service: Service, endpoint: Endpoint) -> str:
    """The name of the chain for an endpoint of a service."""
    return f"KUBE-SEP-{_digest(str(service) + service.protocol + str(endpoint))}"


def chains(services: Sequence[Service], settings: Settings) -> list[dict[str, Any]]:
    """All chains as network_state takes them: [{name, table, rules, jumps}]."""
    jumps: dict[tuple[str, str], list[dict[str, str]]] = {}
    for table, name, source, conditions in JUMPS:
        jumps.setdefault((table, name), []).append({"from": source, "rule": conditions, "at": "first"})
    return [
        {"name": name, "table": table, "rules": found, "jumps": jumps.get((table, name), [])}
        for (table, name), found in rules(services, settings).items()
    ]


def rules(services: Sequence[Service], settings: Settings) -> Rules:
    """The rules of each chain, in the words that kube-proxy gives to iptables-restore."""
    found: Rules = {**{(table, name): [] for table, name, _source, _rule in JUMPS}, **{key: [] for key in _OTHERS}}
    for key, own in _frame(settings).items():
        found[key] += own
    comments = sum(len(service.endpoints) for service in services) <= LARGE
    for service in services:
        for (table, name), rule in _service(service, settings, comments):
            found.setdefault((table, name), []).append(rule)
    found["nat", SERVICES] += _to_node_ports(settings)
    return found


def _comment(text: str) -> str:
    return f'-m comment --comment "{text}"' if " " in text else f"-m comment --comment {text}"


# ---- what is there without any service ----------------------------------------------------------------------------


def _frame(settings: Settings) -> Mapping[tuple[str, str], list[str]]:
    mark = hex(settings.mark)
    masquerade = f"{_comment('kubernetes service traffic requiring SNAT')} -j MASQUERADE"
    localnet = (  # route_localnet lets packets from outside reach 127.0.0.1 otherwise (CVE-2020-8558)
        f"{_comment('block incoming localnet connections')} -d 127.0.0.0/8 ! -s 127.0.0.0/8"
        " -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
    )
    return {
        ("nat", POSTROUTING): [
            f"-m mark ! --mark {mark}/{mark} -j RETURN",
            f"-j MARK --xor-mark {mark}",
            masquerade + (" --random-fully" if settings.random_fully else ""),
        ],
        ("nat", MARK_MASQ): [f"-j MARK --or-mark {mark}"],
        ("filter", FORWARD): [
            "-m conntrack --ctstate INVALID -j DROP",
            f"{_comment('kubernetes forwarding rules')} -m mark --mark {mark}/{mark} -j ACCEPT",
            f"{_comment('kubernetes forwarding conntrack rule')} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        ],
        ("filter", FIREWALL): [localnet] if settings.localhost else [],
    }


def _to_node_ports(settings: Settings) -> list[str]:
    """The last rules of KUBE-SERVICES: what is for this node itself may be for a node port."""
    last = _comment("kubernetes service nodeports; NOTE: this must be the last rule in this chain")
    if settings.addresses:
        return [f"{last} -d {address} -j {NODEPORTS}" for address in settings.addresses]
    loopback = "" if settings.localhost else " ! -d 127.0.0.0/8"
    return [f"{last} -m addrtype --dst-type LOCAL{loopback} -j {NODEPORTS}"]


# ---- a service ----------------------------------------------------------------------------------------------------


def _service(service: Service, settings: Settings, comments: bool) -> Iterator[tuple[tuple[str, str], str]]:
    """((table, chain), rule) of one service."""
    if not service.endpoints:
        yield from _refuse_inside(service, "REJECT", "has no endpoints")
        yield from _refuse_outside(service, "REJECT", "has no endpoints")
        return
    protocol, to_all = service.protocol, chain_name("SVC", service)
    local = [endpoint for endpoint in service.endpoints if endpoint.local]
    cluster_ip = f"{_comment(f'{service} cluster IP')} -m {protocol} -p {protocol} -d {service.cluster_ip} --dport {service.port}"
    yield ("nat", SERVICES), f"{cluster_ip} -j {to_all}"
    yield ("nat", to_all), f"{cluster_ip} ! -s {settings.cluster_cidr} -j {MARK_MASQ}"
    if service.node_port:
        if service.only_local and not local:
            yield from _refuse_outside(service, "DROP", "has no local endpoints")
        outside = chain_name("EXT", service)
        yield (
            ("nat", NODEPORTS),
            f"{_comment(str(service))} -m {protocol} -p {protocol} --dport {service.node_port} -j {outside}",
        )
        for rule in _outside(service, settings, bool(local)):
            yield ("nat", outside), rule
    for rule in _balance(service, service.endpoints, comments):
        yield ("nat", to_all), rule
    if service.node_port and service.only_local:
        for rule in _balance(service, local, comments):
            yield ("nat", chain_name("SVL", service)), rule
    for endpoint in service.endpoints:
        name = endpoint_chain_name(service, endpoint)
        for rule in _endpoint(service, endpoint, name, comments):
            yield ("nat", name), rule


def _refuse_inside(service: Service, target: str, why: str) -> Iterator[tuple[tuple[str, str], str]]:
    """At the cluster IP."""
    match = f"-m {service.protocol} -p {service.protocol} -d {service.cluster_ip} --dport {service.port}"
    yield ("filter", SERVICES), f"{_comment(f'{service} {why}')} {match} -j {target}"


def _refuse_outside(service: Service, target: str, why: str) -> Iterator[tuple[tuple[str, str], str]]:
    """At the node port."""
    if service.node_port:
        match = f"-m addrtype --dst-type LOCAL -m {service.protocol} -p {service.protocol} --dport {service.node_port}"
        yield ("filter", EXTERNAL), f"{_comment(f'{service} {why}')} {match} -j {target}"


def _outside(service: Service, settings: Settings, has_local: bool) -> Iterator[str]:
    """From outside of the cluster: by way of this node, so with its address, unless the endpoint is on this very node."""
    to_all = chain_name("SVC", service)
    where = f"{service} external destinations"
    if not service.only_local:
        yield f"{_comment(f'masquerade traffic for {where}')} -j {MARK_MASQ}"
        yield f"-j {to_all}"
        return
    own = "-m addrtype --src-type LOCAL"
    yield f"{_comment(f'pod traffic for {where}')} -s {settings.cluster_cidr} -j {to_all}"
    yield f"{_comment(f'masquerade LOCAL traffic for {where}')} {own} -j {MARK_MASQ}"
    yield f"{_comment(f'route LOCAL traffic for {where}')} {own} -j {to_all}"
    if has_local:
        yield f"-j {chain_name('SVL', service)}"


def _balance(service: Service, endpoints: Sequence[Endpoint], comments: bool) -> Iterator[str]:
    """Each endpoint gets the same share: of n that are left, the next one gets 1/n."""
    names = [endpoint_chain_name(service, endpoint) for endpoint in endpoints]
    words = [[_comment(f"{service} -> {endpoint}")] if comments else [] for endpoint in endpoints]
    if service.affinity:
        for name, comment in zip(names, words):
            yield " ".join(
                [*comment, f"-m recent --name {name} --rcheck --seconds {service.affinity} --reap -j {name}"]
            )
    for left, name, comment in zip(range(len(names), 0, -1), names, words):
        chance = [f"-m statistic --mode random --probability {1 / left:.10f}"] if left > 1 else []
        yield " ".join([*comment, *chance, f"-j {name}"])


def _endpoint(service: Service, endpoint: Endpoint, name: str, comments: bool) -> Iterable[str]:
    comment = [_comment(str(service))] if comments else []
    remember = [f"-m recent --name {name} --set"] if service.affinity else []
    # an endpoint that asks its own service would answer itself past the node
    yield " ".join([*comment, f"-s {endpoint.address} -j {MARK_MASQ}"])
    yield " ".join(
        [*comment, *remember, f"-m {service.protocol} -p {service.protocol} -j DNAT --to-destination {endpoint}"]
    )
