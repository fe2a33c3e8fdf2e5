# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""VXLAN overlays: the documented pair of namespaces, and an overlay over the hosts of a group (RFC 7348).

Between hosts each VTEP floods to all others by unicast: one zero-MAC entry for each peer (head-end replication).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.linuxnet.lab.plugins.module_utils._model import TUNNEL_HEADERS, integer, link_name, netns_name
from ansible_collections.linuxnet.lab.plugins.plugin_utils._check import (
    Check,
    address4,
    boolean,
    description,
    host_in,
    interface4,
    listing,
    network4,
    overlaps,
    stated,
)
from ansible_collections.linuxnet.lab.plugins.plugin_utils._group import (
    Member,
    check_mtu,
    check_same,
    check_underlays,
    check_unique,
    check_unseen_mtus,
    largest_mtu,
    members,
    own_problems,
)
from ansible_collections.linuxnet.lab.plugins.plugin_utils._underlay import derived

ROLE = "vxlan_overlay"
ZERO = "00:00:00:00:00:00"
INPUT_CHAIN = "LINUXNET-VXLAN-IN"
VNI, PORT, MTU = integer(0, (1 << 24) - 1).parse, integer(1, 65535).parse, integer(68, 65535).parse
LEFT = {"namespace": "node1", "interface": "veth1", "address": "192.168.1.2/24", "overlay_address": "172.17.1.2/24"}
RIGHT = {"namespace": "node2", "interface": "veth2", "address": "192.168.1.3/24", "overlay_address": "172.17.1.3/24"}
# variable without the role's prefix: default
DEFAULTS: dict[str, Any] = {
    "state": "present",
    "pair": True,
    "pair_ends": [LEFT, RIGHT],
    "pair_interface": "vxlan0",
    "pair_id": 42,
    "pair_mtu": 1500,
    "vtep": True,
    "group": "vxlan_hosts",
    "id": 42,
    "interface": "",
    "subnet": "172.18.42.0/24",
    "address": "",
    "mtu": "",
    "bridge": "",
    "dstport": 4789,
    "accept": False,
    "recreate": True,
    "adopt": False,
}
_END: dict[str, Callable[[Any], Any]] = {
    "namespace": netns_name,
    "interface": link_name,
    "address": interface4,
    "overlay_address": interface4,
}
_SHARED = ("id", "dstport", "subnet", "mtu")


def plan(values: Mapping[str, Any], host: str, hostvars: Mapping[str, Any], group: Iterable[str]) -> dict[str, Any]:
    """This host's part: {description: of network_state, problems: [text], vtep: dict, pair: [dict], ...}."""
    if values.get("state") == "absent":
        return {"problems": [], "description": description(), "pair": [], "vtep": {}}
    everyone = members(ROLE, DEFAULTS, host, values, group, hostvars)
    check = everyone[host].check
    dstport = check.read("dstport", PORT)
    pair = _pair(check) if check.read("pair", boolean, False) else {}
    vtep = _vtep(everyone, host) if check.read("vtep", boolean, False) else {}
    part: dict[str, Any] = {
        "problems": own_problems(host, everyone),
        "description": description(),
        "pair": [],
        "vtep": {},
    }
    if part["problems"]:
        return part
    accept = check.read("accept", boolean, False)
    part["description"] = description(
        namespaces=[end["namespace"] for end in pair.get("ends", [])],
        links=[*_pair_links(pair, dstport), *_vtep_links(vtep, dstport)],
        addresses=[*_pair_addresses(pair), *_vtep_addresses(vtep)],
        fdb=[{"dev": vtep["interface"], "mac": ZERO, "dst": peer["underlay"]} for peer in vtep.get("peers", [])],
        sysctls=[
            {"netns": end["namespace"], "name": "net.ipv4.ip_forward", "value": 1} for end in pair.get("ends", [])
        ],
        chains=[*_chains(vtep if accept else {}, dstport)],
    )
    part["vtep"] = vtep
    part["pair"] = [{option: str(value) for option, value in end.items()} for end in pair.get("ends", [])]
    return part


# ---- the documented pair ------------------------------------------------------------------------------------------


def _pair(check: Check) -> dict[str, Any]:
    """{ends: [two dicts], name:, id:, mtu: of the veth}; what an end leaves out is as documented."""
    name = check.read("pair_interface", link_name, "vxlan0")
    pair = {"name": name, "id": check.read("pair_id", VNI), "mtu": check.read("pair_mtu", integer(118, 65535).parse)}
    given = check.read("pair_ends", listing, [])
    if len(given) != 2:
        check.problem("pair_ends", f"has {len(given)} entries; a pair has two")
        return {**pair, "ends": []}
    ends = []
    for number, (entry, default) in enumerate(zip(given, (LEFT, RIGHT)), 1):
        end = check.entry(f"pair_ends[{number}]", {**default, **entry} if isinstance(entry, Mapping) else entry, _END)
        if end.get("interface") == name:
            check.problem(
                f"pair_ends[{number}].interface", f"{name!r} is the name of the VXLAN in that namespace already"
            )
        ends.append(end)
    _check_ends(check, ends)
    return {**pair, "ends": ends}


def _check_ends(check: Check, ends: list[dict[str, Any]]) -> None:
    left, right = ends
    if "namespace" in left and left["namespace"] == right.get("namespace"):
        check.problem("pair_ends[2].namespace", f"{left['namespace']!r} is the first end's already")
    for option in ("address", "overlay_address"):
        if option not in left or option not in right:
            continue
        if left[option].network != right[option].network:
            check.problem(
                f"pair_ends[2].{option}",
                f"'{right[option]}' is not in the network of the first end, {left[option].network}",
            )
        elif left[option] == right[option]:
            check.problem(f"pair_ends[2].{option}", f"'{right[option]}' is the first end's already")
    for number, end in enumerate(ends, 1):
        networks: dict[str, Any] = {
            option: end[option].network for option in ("address", "overlay_address") if option in end
        }
        for later, earlier in overlaps(networks):
            check.problem(f"pair_ends[{number}].{later}", f"{networks[later]} overlaps {networks[earlier]} ({earlier})")


def _pair_links(pair: Mapping[str, Any], dstport: int) -> Iterator[dict[str, Any]]:
    if not pair:
        return
    left, right = pair["ends"]
    size = stated(mtu=pair["mtu"])
    peer = {"name": right["interface"], "netns": right["namespace"], **size, "up": True}
    yield {"netns": left["namespace"], "name": left["interface"], "kind": "veth", **size, "up": True, "peer": peer}
    for end, other in ((left, right), (right, left)):
        yield {
            "netns": end["namespace"],
            "name": pair["name"],
            "kind": "vxlan",
            "id": pair["id"],
            "dstport": dstport,
            "remote": str(other["address"].ip),
            "local": str(end["address"].ip),
            "dev": end["interface"],
            **stated(mtu=pair["mtu"] - TUNNEL_HEADERS["vxlan"][4] if pair["mtu"] else None),
            "up": True,
        }


def _pair_addresses(pair: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for end in pair.get("ends", []):
        yield {"netns": end["namespace"], "dev": end["interface"], "address": str(end["address"])}
        yield {"netns": end["namespace"], "dev": pair["name"], "address": str(end["overlay_address"])}


# ---- between hosts ------------------------------------------------------------------------------------------------


def _vtep(everyone: Mapping[str, Member], host: str) -> dict[str, Any]:
    """{interface, id, local, dev, address, mtu, bridge, peers: [{host, underlay, address}]}"""
    member = everyone[host]
    check = member.check
    vni, subnet = check.read("id", VNI), check.read("subnet", network4)
    check.read("address", address4 if subnet is None else host_in(subnet))
    check.read("mtu", MTU)
    interface = check.read("interface", link_name, f"vxlan{vni}")
    bridge = check.read("bridge", link_name, "")
    if bridge and bridge == interface:
        check.problem("bridge", f"{bridge!r} is the name of the VXLAN interface already")
    group = {name: one for name, one in everyone.items() if name == host or _takes_part(one)}
    check_same(group, _SHARED)
    check_underlays(group, group, (4, 6))
    _check_families(group)
    addresses = _addresses(group, subnet) if subnet is not None else {}
    check_unseen_mtus(member, group)
    most = largest_mtu(group, "vxlan")
    check_mtu(member, most)
    if check.problems:
        return {}
    mtu = check.read("mtu", MTU, most)
    peers = [
        {"host": name, "underlay": str(one.underlay.address), "address": str(addresses.get(name, ""))}
        for name, one in group.items()
        if name != host
    ]
    return {
        "interface": interface,
        "id": vni,
        "local": str(member.underlay.address),
        "dev": member.underlay.device or "",
        "address": f"{addresses[host]}/{subnet.prefixlen}" if subnet is not None else "",
        "mtu": mtu,
        "bridge": bridge,
        "peers": peers,
    }


def _takes_part(member: Member) -> bool:
    try:
        return bool(boolean(member.check.values["vtep"])) and member.present
    except ValueError:
        return False


def _check_families(group: Mapping[str, Member]) -> None:
    found = [one for one in group.values() if one.underlay.version]
    for member in found:
        if member.underlay.version != found[0].underlay.version:
            member.check.problems.append(
                f"{member.host}: underlay_address: {member.underlay.address} is not of the family of "
                f"{found[0].underlay.address} on {found[0].host}; an overlay needs one family"
            )


def _addresses(group: Mapping[str, Member], subnet: ipaddress.IPv4Network) -> dict[str, ipaddress.IPv4Address]:
    """Each host's overlay address: the stated one, else derived from its underlay address."""
    found = {}
    room = subnet.num_addresses - 2
    if len(group) > room:
        first = next(iter(group.values()))
        first.check.problem(
            "subnet", f"'{subnet}' has {room} addresses, and there are {len(group)} hosts: it is used up"
        )
    for name, member in group.items():
        if member.check.values.get("address") not in (None, ""):
            address = member.check.read("address", host_in(subnet))
        elif member.underlay.address:
            address = member.check.parse(
                "address", derived(subnet, member.underlay.address), lambda a: _derived(a, subnet)
            )
        else:
            continue
        if address is not None:
            found[name] = address
        if member.underlay.version == 4 and ipaddress.ip_address(member.underlay.address or "") in subnet:
            member.check.problem(
                "subnet", f"'{subnet}' holds the underlay address {member.underlay.address}; take another one"
            )
    check_unique(group, "address", found)
    return found


def _derived(address: Any, subnet: Any) -> Any:
    try:
        return host_in(subnet)(address)
    except ValueError as error:
        raise ValueError(f"{error}, derived from the underlay address; state another one") from None


def _vtep_links(vtep: Mapping[str, Any], dstport: int) -> Iterator[dict[str, Any]]:
    if not vtep:
        return
    size = stated(mtu=vtep["mtu"])
    if vtep["bridge"]:
        yield {"name": vtep["bridge"], "kind": "bridge", **size, "up": True}
    yield {
        "name": vtep["interface"],
        "kind": "vxlan",
        "id": vtep["id"],
        "dstport": dstport,
        "local": vtep["local"],
        **stated(dev=vtep["dev"], master=vtep["bridge"]),
        **size,
        "up": True,
    }


def _vtep_addresses(vtep: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if vtep:
        yield {"dev": vtep["bridge"] or vtep["interface"], "address": vtep["address"]}


def _chains(vtep: Mapping[str, Any], dstport: int) -> Iterator[dict[str, Any]]:
    if not vtep or not vtep["peers"]:
        return
    six = ":" in vtep["local"]
    length = 128 if six else 32
    rules = [f"-s {peer['underlay']}/{length} -p udp -m udp --dport {dstport} -j ACCEPT" for peer in vtep["peers"]]
    yield {
        "name": INPUT_CHAIN,
        "table": "filter",
        "family": "ipv6" if six else "ipv4",
        "rules": rules,
        "jumps": [{"from": "INPUT", "at": "first"}],
    }
