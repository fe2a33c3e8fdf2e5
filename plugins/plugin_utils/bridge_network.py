# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bridge network (namespaces on a Linux bridge that is their gateway): a host's variables -> a description."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.linuxnet.lab.plugins.module_utils._model import (
    MAX_NAME,
    integer,
    link_name,
    netns_name,
    unicast_mac,
)
from ansible_collections.linuxnet.lab.plugins.plugin_utils._check import (
    Check,
    Network4,
    any_address,
    boolean,
    description,
    host_in,
    listing,
    mapping,
    network4,
    stated,
)
from ansible_collections.linuxnet.lab.plugins.plugin_utils._underlay import interfaces

ROLE = "bridge_network"
INSIDE, OUTSIDE = "eth0-", "veth-"  # the documented names: eth0-r in the namespace red, veth-r on the host
FORWARD_CHAIN, NAT_CHAIN = "LINUXNET-BRIDGE-FWD", "LINUXNET-BRIDGE-NAT"
# variable without the role's prefix: default
DEFAULTS: dict[str, Any] = {
    "state": "present",
    "bridge": "vnet-br0",
    "subnet": "192.168.20.0/24",
    "gateway": "",
    "namespaces": [{"name": "red", "address": "192.168.20.2"}, {"name": "green", "address": "192.168.20.3"}],
    "forwarding": True,
    "nat": True,
    "firewall": True,
    "mtu": 1500,
    "mac": "",
    "bridge_options": {},
    "port_options": {},
    "dns": [],
    "recreate": True,
    "adopt": False,
}


class Space(NamedTuple):
    """One namespace on the bridge."""

    name: str
    address: ipaddress.IPv4Address
    interface: str
    host_interface: str
    mac: str
    port: dict[str, Any]


_ENTRY: dict[str, Callable[[Any], Any]] = {
    "name": netns_name,
    "address": str,
    "interface": link_name,
    "host_interface": link_name,
    "mac": unicast_mac,
    "port": mapping,
}


def plan(values: Mapping[str, Any], host: str, hostvars: Mapping[str, Any]) -> dict[str, Any]:
    """This host's part: {description: of network_state, problems: [text], resolv_conf: text, namespaces: [dict], ...}."""
    if values.get("state") == "absent":
        return {"problems": [], "description": description(), "resolv_conf": "", "namespaces": []}
    check = Check(ROLE, host, {**DEFAULTS, **values})
    bridge = check.read("bridge", link_name, "")
    subnet = check.read("subnet", network4)
    mtu = check.read("mtu", integer(68, 65535).parse)
    mac = check.read("mac", unicast_mac, "")
    options = check.read("bridge_options", mapping, {})
    port_options = check.read("port_options", mapping, {})
    switches = {name: check.read(name, boolean, False) for name in ("forwarding", "nat", "firewall")}
    dns = [check.parse(f"dns[{n}]", one, any_address) for n, one in enumerate(check.read("dns", listing, []), 1)]
    gateway = _gateway(check, subnet)
    spaces = _spaces(check, subnet, gateway, bridge, mac)
    _check_own_network(check, subnet, bridge, hostvars.get(host, {}))
    part: dict[str, Any] = {
        "problems": check.problems,
        "description": description(),
        "resolv_conf": "",
        "namespaces": [],
    }
    if check.problems or subnet is None or gateway is None:
        return part
    length = subnet.prefixlen
    part["description"] = description(
        namespaces=[space.name for space in spaces],
        links=[*_links(bridge, spaces, mtu, mac, options, port_options)],
        addresses=[
            {"dev": bridge, "address": f"{gateway}/{length}"},
            *({"netns": one.name, "dev": one.interface, "address": f"{one.address}/{length}"} for one in spaces),
        ],
        routes=[{"netns": one.name, "dst": "default", "via": str(gateway), "dev": one.interface} for one in spaces],
        sysctls=[{"name": "net.ipv4.ip_forward", "value": 1}] if switches["forwarding"] else [],
        chains=_chains(bridge, subnet, switches["nat"], switches["firewall"]),
    )
    part["resolv_conf"] = "".join(f"nameserver {address}\n" for address in dns)
    part.update(bridge=bridge, subnet=str(subnet), gateway=str(gateway), mtu=mtu)
    part["namespaces"] = [
        {"name": s.name, "address": str(s.address), "interface": s.interface, "host_interface": s.host_interface}
        for s in spaces
    ]
    return part


def _gateway(check: Check, subnet: Network4 | None) -> ipaddress.IPv4Address | None:
    if subnet is None:
        return None
    gateway: ipaddress.IPv4Address | None = check.read("gateway", host_in(subnet), subnet.network_address + 1)
    return gateway


def _spaces(check: Check, subnet: Network4 | None, gateway: Any, bridge: str, mac: str) -> list[Space]:
    """The namespaces with all that is left out filled in; what is stated is reserved before anything is derived."""
    entries = []
    for number, one in enumerate(check.read("namespaces", listing, []), 1):
        given = {"name": one} if isinstance(one, str) else one
        entry = check.entry(f"namespaces[{number}]", given, _ENTRY)
        if isinstance(given, Mapping) and not given.get("name"):
            check.problem(f"namespaces[{number}].name", "is required")
        if subnet is not None and "address" in entry:
            entry["address"] = check.parse(f"namespaces[{number}].address", entry["address"], host_in(subnet))
        entries.append({**entry, "where": f"namespaces[{number}]"})
    _check_twice(check, entries, "name", {})
    _check_twice(check, entries, "address", {gateway: "the gateway (the bridge)"} if gateway else {})
    _check_twice(check, entries, "host_interface", {bridge: "the bridge"})
    _check_twice(check, entries, "mac", {mac: "the bridge"})
    if subnet is None or check.problems:
        return []
    return list(_filled(check, entries, subnet, gateway, bridge))


def _check_twice(check: Check, entries: list[dict[str, Any]], option: str, taken: Mapping[Any, str]) -> None:
    owners = dict(taken)
    for entry in entries:
        value = entry.get(option)
        if value is None:
            continue
        if value in owners:
            check.problem(f"{entry['where']}.{option}", f"{str(value)!r} is {owners[value]}'s already")
        owners.setdefault(value, str(entry.get("name", entry["where"])))


def _filled(
    check: Check, entries: list[dict[str, Any]], subnet: Network4, gateway: Any, bridge: str
) -> Iterator[Space]:
    used = {gateway, *(entry["address"] for entry in entries if entry.get("address"))}
    free = (address for address in subnet.hosts() if address not in used)
    outside = {bridge, *(entry["host_interface"] for entry in entries if "host_interface" in entry)}
    suffixes = short_names([entry["name"] for entry in entries], {name.removeprefix(OUTSIDE) for name in outside})
    for entry, suffix in zip(entries, suffixes):
        address = entry.get("address") or next(free, None)
        if address is None:
            check.problem(
                entry["where"], f"no address is left in {subnet} for {entry['name']}; widen bridge_network_subnet"
            )
            return
        yield Space(
            entry["name"],
            address,
            entry.get("interface", f"{INSIDE}{suffix}"),
            entry.get("host_interface", f"{OUTSIDE}{suffix}"),
            entry.get("mac", ""),
            entry.get("port", {}),
        )


def short_names(names: list[str], taken: set[str]) -> list[str]:
    """What stands for each namespace in the names of its two interfaces, of ten bytes at the most.

    The first letter if no earlier namespace has it (red: r), else the name, else a hash of the name: a namespace that is
    added at the end changes nothing for those before it.
    """
    most = MAX_NAME - len(OUTSIDE)
    used = set(taken)
    found = []
    for name in names:
        short = next(one for one in _candidates(name, most) if one not in used)
        used.add(short)
        found.append(short)
    return found


def _candidates(name: str, most: int) -> Iterator[str]:
    if name[0].isascii() and name[0].isalnum():
        yield name[0]
    plain = name.isascii() and not set(name) & set(":%")
    if plain and len(name) <= most:
        yield name
    salt = 0
    while True:
        yield hashlib.sha256(f"{name}{salt or ''}".encode()).hexdigest()[:most]
        salt += 1


def _check_own_network(check: Check, subnet: Network4 | None, bridge: str, variables: Mapping[str, Any]) -> None:
    """The subnet must not be the one that the host itself is reached by."""
    there, default = interfaces(variables)
    if subnet is None or default in ("", bridge) or default not in there:
        return
    for text in there[default].addresses:
        if ipaddress.ip_address(text) in subnet:
            check.problem("subnet", f"'{subnet}' holds the host's own address {text} ({default}); take another one")


def _links(bridge: str, spaces: list[Space], mtu: Any, mac: str, options: Any, port: Any) -> Iterator[dict[str, Any]]:
    yield {**options, **stated(address=mac, mtu=mtu), "name": bridge, "kind": "bridge", "up": True}
    for space in spaces:
        yield {"netns": space.name, "name": "lo", "up": True}
        peer = {"name": space.interface, "netns": space.name, **stated(mtu=mtu, address=space.mac), "up": True}
        yield {
            "name": space.host_interface,
            "kind": "veth",
            "master": bridge,
            **stated(mtu=mtu, port={**port, **space.port}),
            "up": True,
            "peer": peer,
        }


def _chains(bridge: str, subnet: Network4, nat: bool, firewall: bool) -> list[dict[str, Any]]:
    """FORWARD may drop (a container engine's policy; bridge-nf-call-iptables brings bridged frames there as well)."""
    found = []
    if firewall:
        answers = "" if not nat else " -m conntrack --ctstate RELATED,ESTABLISHED"
        rules = [f"-i {bridge} -j ACCEPT", f"-o {bridge}{answers} -j ACCEPT"]
        found.append(
            {"name": FORWARD_CHAIN, "table": "filter", "rules": rules, "jumps": [{"from": "FORWARD", "at": "first"}]}
        )
    if nat:
        rules = [f"-s {subnet} ! -o {bridge} -j MASQUERADE"]
        found.append(
            {"name": NAT_CHAIN, "table": "nat", "rules": rules, "jumps": [{"from": "POSTROUTING", "at": "last"}]}
        )
    return found
