# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pod network of a Kubernetes node as Calico leaves it: a block of addresses for each node, pods behind proxy ARP,
routes between the nodes, through IPIP, VXLAN or nothing.

Sources: Calico's cni-plugin/pkg/dataplane/linux/dataplane_linux.go (a pod's links, routes and parameters),
felix/dataplane/linux/{ipip_mgr,vxlan_mgr,route_mgr}.go (between the nodes), felix/rules/nat.go (masquerading).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.linuxnet.lab.plugins.module_utils._model import IPV6_MTU, integer
from ansible_collections.linuxnet.lab.plugins.plugin_utils import _ipam, _pods, _standing
from ansible_collections.linuxnet.lab.plugins.plugin_utils._check import (
    boolean,
    description,
    empty,
    stated,
)
from ansible_collections.linuxnet.lab.plugins.plugin_utils._group import (
    Member,
    check_mtu,
    check_same,
    check_underlays,
    check_unseen_mtus,
    largest_mtu,
    members,
    own_problems,
)
from ansible_collections.linuxnet.lab.plugins.plugin_utils._standing import tunnel_mac

ROLE = "pod_network"
GATEWAY = "169.254.1.1"
LINK_LOCAL = "169.254.0.0/16"
HOST_END_MAC = "ee:ee:ee:ee:ee:ee"
# The tunnel, and whether nodes of one subnet do without it: `encapsulation` of Calico's Installation, ipipMode and
# vxlanMode (Always, CrossSubnet, Never) of its IPPool.
ENCAPSULATIONS = {
    "ipip": ("ipip", False),
    "ipip_cross_subnet": ("ipip", True),
    "vxlan": ("vxlan", False),
    "vxlan_cross_subnet": ("vxlan", True),
    "none": ("", False),
}
DEVICES = {"ipip": "tunl0", "vxlan": "vxlan.calico"}
VXLAN_ID, VXLAN_PORT = 4096, 4789
# variable without the role's prefix: default
DEFAULTS: dict[str, Any] = {
    "state": "present",
    "group": "pod_hosts",
    "pool": "10.244.0.0/16",
    "block_size": 26,
    "block": "",
    "tunnel_address": "",
    "pods": [],
    "encapsulation": "ipip",
    "proto": "bird",
    "nat_outgoing": True,
    "accept": True,
    "mtu": "",
    "rp_filter": "",
    "recreate": True,
    "adopt": False,
}
_SHARED = ("pool", "block_size", "encapsulation", "proto")
MTU = integer(576, 65535).parse


def plan(
    values: Mapping[str, Any],
    host: str,
    hostvars: Mapping[str, Any],
    group: Iterable[str],
    elsewhere: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """This host's part: {description: of network_state, problems: [text], block, tunnel, pods: [dict], nodes: [dict]}.

    `elsewhere` is what has been looked at on hosts of the group that are not in the play: {host: {routes, neighbors}}.
    """
    part: dict[str, Any] = {"problems": [], "description": description(), "pods": [], "nodes": [], "block": ""}
    part["elsewhere"] = {}
    if values.get("state") == "absent":
        return part
    everyone = members(ROLE, DEFAULTS, host, values, group, hostvars, _SHARED, elsewhere)
    network = _Network(everyone, host)
    network.work_out()
    part["problems"] = own_problems(host, everyone)
    # pods without a mistake are told even then: services ask for them
    part["pods"] = network.pods_of(host)
    part["elsewhere"] = {
        name: network.pods_of(name) for name in network.told() if name != host and name in network.blocks
    }
    if any(one.check.problems for one in everyone.values()):
        return part  # what is wrong on another host may be what this one's part stands on
    return {**part, **network.part()}


class _Network:
    """The whole group as this host sees it."""

    def __init__(self, everyone: Mapping[str, Member], host: str) -> None:
        self.everyone = {name: one for name, one in everyone.items() if name == host or one.present}
        self.host = host
        self.check = everyone[host].check
        self.hosts = list(everyone)
        self.blocks: dict[str, _ipam.Network] = {}
        self.tunnels: dict[str, ipaddress.IPv4Address] = {}
        self.pods: list[_pods.Pod] = []
        self.addresses: dict[str, ipaddress.IPv4Address] = {}  # of this host's pods, and of those out of the play
        self.mtu: int | None = None
        self.near: set[str] = set()  # the nodes that are reached without the tunnel
        self.tunnel, self.cross_subnet = self.check.required("encapsulation", _encapsulation, ("", False))
        self.proto: str = self.check.required("proto", _proto, "bird")
        self.nat_outgoing: bool = self.check.required("nat_outgoing", boolean)
        self.accept: bool = self.check.required("accept", boolean)

    @property
    def device(self) -> str:
        """The tunnel device; '' without encapsulation."""
        return DEVICES.get(self.tunnel, "")

    def work_out(self) -> None:
        """Blocks, tunnel addresses, pods, sizes; mistakes go to the hosts that they are of."""
        check_same(self.everyone, _SHARED)
        check_underlays(self.everyone, self.everyone, (4,))
        pool = self.check.required("pool", _ipam.pool)
        size = self.check.required("block_size", integer(20, 32).parse)
        self.rp_filter = self.check.read("rp_filter", integer(0, 2).parse, self.check.values.get("default_rp_filter"))
        self.near = self._near()
        if pool is None or size is None:
            return
        if size < pool.prefixlen:
            self.check.problem("block_size", f"{size}: a block of that size does not fit into the pool {pool}")
            return
        self.pool = pool
        self.blocks = _ipam.blocks(self.everyone, pool, size)
        for name, block in self.blocks.items():
            read = self.everyone[name].check.read
            address = read("tunnel_address", _ipam.inside(block), block.network_address)
            if address is not None:
                self.tunnels[name] = address
        self.pods = _pods.read(self.everyone, self.hosts)
        taken = self._stated_addresses()
        for name in self.told():
            self._give_addresses(name, taken)
        self._size()

    def own(self, node: str = "") -> list[_pods.Pod]:
        """The pods of a host; of this one, if no other one is named."""
        return [pod for pod in self.pods if pod.node == (node or self.host)]

    def told(self) -> list[str]:
        """The hosts whose pods this one tells: its own, and those of hosts out of the play that have been looked at."""
        return [name for name, one in self.everyone.items() if name == self.host or (one.seen and not one.reports)]

    def pods_of(self, node: str) -> list[dict[str, Any]]:
        """The pods of a host that have an address, as they are published."""
        return [
            {
                "namespace": pod.namespace,
                "name": pod.name,
                "node": node,
                "netns": pod.full,
                "interface": pod.host_end,
                "address": str(self.addresses[pod.full]),
            }
            for pod in self.own(node)
            if pod.full in self.addresses
        ]

    def _near(self) -> set[str]:
        """The nodes that are reached without a tunnel: all, or those in this node's subnet (l3_route_resolver.go)."""
        if not self.cross_subnet:
            return set() if self.device else set(self._others())
        underlay = self.everyone[self.host].underlay
        subnet = underlay.subnet or _standing.connected(underlay.address, self.check.values)
        if subnet is None and underlay.address and not underlay.problem:
            self.check.problems.append(
                f"{self.host}: underlay_subnet: is not stated and cannot be found out (no route of the host has it), and "
                f"{ROLE}_encapsulation {self.check.values['encapsulation']!r} needs it; state it in the host's variables"
            )
        addresses = {name: self.everyone[name].underlay.address for name in self._others()}
        return {name for name, at in addresses.items() if subnet and at and ipaddress.ip_address(at) in subnet}

    def _stated_addresses(self) -> dict[ipaddress.IPv4Address, str]:
        """{address: what has it}, for the tunnels and for the pods whose address is stated."""
        taken: dict[ipaddress.IPv4Address, str] = {at: f"the tunnel of {name}" for name, at in self.tunnels.items()}
        for pod in self.pods:
            if pod.address is None:
                continue
            check = self.everyone[pod.owner].check
            if pod.address not in self.pool:
                check.problem(f"{pod.where}.address", f"'{pod.address}' is not in the pool {self.pool}")
            elif pod.address in taken:
                check.problem(f"{pod.where}.address", f"'{pod.address}' is {taken[pod.address]}'s already")
            else:
                taken[pod.address] = f"pod {pod.namespace}/{pod.name}"
                self.addresses[pod.full] = pod.address
        return taken

    def _give_addresses(self, node: str, taken: dict[ipaddress.IPv4Address, str]) -> None:
        """To pods without a stated one: what the host has given already; then the next free one of the block."""
        block, check = self.blocks.get(node), self.everyone[node].check
        if block is None:
            return
        held = _standing.held(check.values)
        free = (address for address in block if address not in taken)
        waiting = [pod for pod in self.own(node) if pod.address is None]
        for pod in waiting:
            address = held.get(pod.host_end)
            if address is not None and address in block and address not in taken:
                taken[address] = pod.full
                self.addresses[pod.full] = address
        for pod in waiting:
            if pod.full in self.addresses:
                continue
            address = next(free, None)
            if address is None:
                check.problem("pods", f"there are more pods than addresses in the block {block}: it is used up")
                return
            taken[address] = pod.full
            self.addresses[pod.full] = address

    def _size(self) -> None:
        """The largest MTU that fits all underlays, less the encapsulation."""
        check_unseen_mtus(self.everyone[self.host], self.everyone)
        most = largest_mtu(self.everyone, self.tunnel)
        self.mtu = self.check.read("mtu", MTU, most)
        if self.mtu != most:  # it is most as well if what is stated is no MTU, which has been told then
            check_mtu(self.everyone[self.host], most)

    # ---- what is built --------------------------------------------------------------------------------------------

    def part(self) -> dict[str, Any]:
        """The part without problems."""
        block = self.blocks[self.host]
        return {
            "block": str(block),
            "mtu": self.mtu,
            "tunnel": {"device": self.device, "address": str(self.tunnels[self.host])} if self.device else {},
            "nodes": [
                {
                    "host": name,
                    "block": str(self.blocks[name]),
                    "underlay": self._underlay(name),
                    "direct": name in self.near,
                }
                for name in self._others()
            ],
            "description": description(
                namespaces=[pod.full for pod in self.own()],
                links=[*self._tunnel_links(), *(link for pod in self.own() for link in self._links(pod))],
                addresses=[*self._tunnel_addresses(), *map(self._address, self.own())],
                routes=[*self._node_routes(), *(route for pod in self.own() for route in self._routes(pod))],
                neighbors=[*self._neighbors()],
                fdb=[*self._fdb()],
                sysctls=[
                    {"name": "net.ipv4.ip_forward", "value": 1},
                    *(sysctl for pod in self.own() for sysctl in self._sysctls(pod)),
                ],
                chains=[*self._chains()],
            ),
        }

    def _underlay(self, name: str) -> str:
        return str(self.everyone[name].underlay.address)

    def _others(self) -> Iterator[str]:
        return (name for name in self.everyone if name != self.host)

    def _tunnel_links(self) -> Iterator[dict[str, Any]]:
        if self.tunnel == "ipip":
            yield {"name": self.device, "kind": "ipip", **stated(mtu=self.mtu), "up": True}
        elif self.tunnel == "vxlan":
            yield {
                "name": self.device,
                "kind": "vxlan",
                "id": VXLAN_ID,
                "dstport": VXLAN_PORT,
                "local": self._underlay(self.host),
                **stated(dev=self.everyone[self.host].underlay.device, mtu=self.mtu),
                "learning": False,
                "address": tunnel_mac(self.host),
                "up": True,
            }

    def _tunnel_addresses(self) -> Iterator[dict[str, Any]]:
        if self.device:
            yield {"dev": self.device, "address": f"{self.tunnels[self.host]}/32"}

    def _links(self, pod: _pods.Pod) -> Iterator[dict[str, Any]]:
        peer = {"name": pod.host_end, "netns": "", "address": HOST_END_MAC, **stated(mtu=self.mtu), "up": True}
        yield {"netns": pod.full, "name": "lo", "up": True}
        yield {"netns": pod.full, "name": "eth0", "kind": "veth", **stated(mtu=self.mtu), "up": True, "peer": peer}

    def _address(self, pod: _pods.Pod) -> dict[str, Any]:
        return {"netns": pod.full, "dev": "eth0", "address": f"{self.addresses[pod.full]}/32"}

    def _routes(self, pod: _pods.Pod) -> Iterator[dict[str, Any]]:
        in_pod = {"netns": pod.full, "dev": "eth0", "proto": "boot"}
        yield {**in_pod, "dst": f"{GATEWAY}/32", "scope": "link"}
        yield {**in_pod, "dst": "default", "via": GATEWAY}
        yield {"dst": f"{self.addresses[pod.full]}/32", "dev": pod.host_end, "scope": "link", "proto": "boot"}

    def _sysctls(self, pod: _pods.Pod) -> Iterator[dict[str, Any]]:
        link = f"net/ipv4/conf/{pod.host_end}"
        values = {"route_localnet": 1, "proxy_arp": 1, "forwarding": 1}
        if not empty(self.rp_filter):
            values["rp_filter"] = int(str(self.rp_filter))
        yield from ({"name": f"{link}/{name}", "value": value} for name, value in values.items())
        yield {"name": f"net/ipv4/neigh/{pod.host_end}/proxy_delay", "value": 0}
        if not empty(self.check.values.get("default_accept_ra")) and (self.mtu or IPV6_MTU) >= IPV6_MTU:
            yield {"name": f"net/ipv6/conf/{pod.host_end}/accept_ra", "value": 0}  # else the kernel has no IPv6
        yield {"netns": pod.full, "name": "net.ipv4.ip_forward", "value": 0}

    def _node_routes(self) -> Iterator[dict[str, Any]]:
        block = self.blocks[self.host]
        if block.prefixlen < 32:  # a block of one address is the pod's own route
            yield {"dst": str(block), "type": "blackhole", "proto": self.proto}
        for name in self._others():
            yield self._way(str(self.blocks[name]), name)
        for pod in self.pods:  # an address of another node's block: a route of its own, as Calico has for borrowed ones
            theirs = self.blocks.get(pod.node) if pod.node != self.host else None
            if pod.address is not None and theirs is not None and pod.address not in theirs:
                yield self._way(f"{pod.address}/32", pod.node)
        underlay = self.everyone[self.host].underlay.device
        if underlay and not _standing.leads_to(GATEWAY, self.check.values):
            # proxy ARP answers only for what the host would forward: 169.254.1.1 needs a way out that is not the pod's
            yield {"dst": LINK_LOCAL, "dev": underlay, "scope": "link", "metric": 1002}

    def _way(self, dst: str, node: str) -> dict[str, Any]:
        via = str(self.tunnels[node]) if self.tunnel == "vxlan" and node not in self.near else self._underlay(node)
        if node not in self.near:
            return {"dst": dst, "via": via, "dev": self.device, "onlink": True, "proto": self.proto}
        parent = self.everyone[self.host].underlay.device
        # BIRD leaves it to the kernel that the gateway is a neighbour; Felix, whose routes are of protocol 80, says so
        onlink = bool(parent) and self.proto not in ("bird", "12")
        return {"dst": dst, "via": via, **stated(dev=parent), "onlink": onlink, "proto": self.proto}

    def _neighbors(self) -> Iterator[dict[str, Any]]:
        if self.tunnel == "vxlan":
            for name in self._others():
                yield {
                    "dev": self.device,
                    "dst": str(self.tunnels[name]),
                    "lladdr": tunnel_mac(name),
                    "nud": "permanent",
                }

    def _fdb(self) -> Iterator[dict[str, Any]]:
        if self.tunnel == "vxlan":
            for name in self._others():
                yield {"dev": self.device, "mac": tunnel_mac(name), "dst": self._underlay(name)}

    def _chains(self) -> Iterator[dict[str, Any]]:
        nat = []
        if self.nat_outgoing:
            nat.append(f"-s {self.pool} ! -d {self.pool} -j MASQUERADE")
        # for a process that has bound another address of the host: strict rp_filter at the far end drops it
        wrong = "-m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL -j MASQUERADE"
        if self.tunnel == "vxlan":
            # never from the tunnels' own port: the answer would be taken for VXLAN (Calico since 3.32.2)
            nat.append(f"-o {self.device} -p udp {wrong} --to-ports {VXLAN_PORT + 1}-65535")
        if self.device:
            nat.append(f"-o {self.device} {wrong}")
        if nat:
            yield _chain("nat", "LINUXNET-POD-POST", nat, "POSTROUTING")
        if self.accept:
            yield _chain("filter", "LINUXNET-POD-FWD", [f"-{way} cali+ -j ACCEPT" for way in "io"], "FORWARD")
            proto = {"ipip": "-p ipencap", "vxlan": f"-p udp -m udp --dport {VXLAN_PORT}"}.get(self.tunnel)
            rules = [f"-s {self._underlay(name)}/32 {proto} -j ACCEPT" for name in self._others()] if proto else []
            if rules:
                yield _chain("filter", "LINUXNET-POD-IN", rules, "INPUT")


def _chain(table: str, name: str, rules: list[str], source: str) -> dict[str, Any]:
    return {"name": name, "table": table, "family": "ipv4", "rules": rules, "jumps": [{"from": source, "at": "last"}]}


def _encapsulation(value: Any) -> tuple[str, bool]:
    if str(value) not in ENCAPSULATIONS:
        raise ValueError(f"{value!r} is none of {', '.join(ENCAPSULATIONS)}")
    return ENCAPSULATIONS[str(value)]


def _proto(value: Any) -> str:
    if not re.fullmatch(r"[a-z]+|\d{1,3}", str(value)) or (str(value).isdigit() and int(value) > 255):
        raise ValueError(f"{value!r} is no route protocol, like bird, boot or 80")
    return str(value)
