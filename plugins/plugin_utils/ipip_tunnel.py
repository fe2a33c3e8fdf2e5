# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IP-in-IP tunnels: the documented pair of namespaces, and tunnels between the hosts of a group."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.linuxnet.lab.plugins.module_utils._model import (
    MAX_NAME,
    TUNNEL_HEADERS,
    integer,
    link_name,
    netns_name,
)
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
    check_same,
    check_underlays,
    check_unique,
    check_unseen_mtus,
    members,
    own_problems,
)
from ansible_collections.linuxnet.lab.plugins.plugin_utils._underlay import derived

ROLE = "ipip_tunnel"
PREFIX = "ipip-"
FORWARD_CHAIN, INPUT_CHAIN = "LINUXNET-IPIP-FWD", "LINUXNET-IPIP-IN"
_LESS = TUNNEL_HEADERS["ipip"][4]
LEFT = {
    "namespace": "ns1",
    "interface": "v1",
    "host_interface": "v1-P",
    "gateway": "10.10.10.1/24",
    "address": "10.10.10.2/24",
    "tunnel": "tunl",
    "tunnel_address": "10.10.100.10",
}
RIGHT = {
    "namespace": "ns2",
    "interface": "v2",
    "host_interface": "v2-P",
    "gateway": "10.10.20.1/24",
    "address": "10.10.20.2/24",
    "tunnel": "tunr",
    "tunnel_address": "10.10.200.10",
}
# variable without the role's prefix: default
DEFAULTS: dict[str, Any] = {
    "state": "present",
    "pair": True,
    "pair_ends": [LEFT, RIGHT],
    "pair_mtu": 1500,
    "mesh": True,
    "group": "ipip_hosts",
    "peers": [],
    "pool": "10.11.0.0/16",
    "address": "",
    "names": {},
    "mtu": "",
    "ttl": "inherit",
    "pmtudisc": True,
    "firewall": True,
    "accept": False,
    "recreate": True,
    "adopt": False,
}
_END: dict[str, Callable[[Any], Any]] = {
    "namespace": netns_name,
    "interface": link_name,
    "host_interface": link_name,
    "gateway": interface4,
    "address": interface4,
    "tunnel": link_name,
    "tunnel_address": address4,
}


class Tunnel(NamedTuple):
    """One end of a tunnel between two hosts, as this host has it."""

    peer: str
    name: str
    local: str
    remote: str
    address: str
    peer_address: str
    mtu: int | None


def plan(values: Mapping[str, Any], host: str, hostvars: Mapping[str, Any], group: Iterable[str]) -> dict[str, Any]:
    """This host's part: {description: of network_state, problems: [text], tunnels: [dict], pair: [dict], ...}."""
    if values.get("state") == "absent":
        return {"problems": [], "description": description(), "pair": [], "tunnels": [], "address": ""}
    everyone = members(ROLE, DEFAULTS, host, values, group, hostvars)
    check = everyone[host].check
    options = _options(check)
    ends = _ends(check) if check.read("pair", boolean, False) else []
    tunnels = _mesh(everyone, host, ends) if check.read("mesh", boolean, False) else []
    part: dict[str, Any] = {"problems": own_problems(host, everyone), "description": description()}
    part.update(tunnels=[tunnel._asdict() for tunnel in tunnels], pair=[])
    part["address"] = tunnels[0].address if tunnels else ""
    if part["problems"]:
        return part
    pair_mtu = check.read("pair_mtu", integer(68 + _LESS, 65535).parse)
    firewall, accept = (check.read(name, boolean, False) for name in ("firewall", "accept"))
    part["description"] = description(
        namespaces=[end["namespace"] for end in ends],
        links=[*_pair_links(ends, pair_mtu, options), *_mesh_links(tunnels, options)],
        addresses=[
            *_pair_addresses(ends),
            *({"dev": t.name, "address": f"{t.address}/32", "peer": t.peer_address} for t in tunnels),
        ],
        routes=[*_pair_routes(ends)],
        sysctls=[{"name": "net.ipv4.ip_forward", "value": 1}] if ends else [],
        chains=[*_chains(ends if firewall else [], tunnels if accept else [])],
    )
    part["pair"] = [{option: str(value) for option, value in end.items()} for end in ends]
    return part


def _options(check: Check) -> dict[str, Any]:
    """What all tunnels of this host have: ttl, pmtudisc."""
    ttl = check.read("ttl", _ttl, "inherit")
    pmtudisc = check.read("pmtudisc", boolean, True)
    if ttl != "inherit" and not pmtudisc:
        # net/ipv4/ipip.c sets DF as soon as there is a ttl; ip-tunnel(8)
        check.problem(
            "pmtudisc",
            f"False and a fixed ttl ({ttl}) exclude each other: with a ttl of its own a tunnel always discovers the MTU",
        )
    return {"ttl": ttl, "pmtudisc": pmtudisc}


def _ttl(value: Any) -> Any:
    return "inherit" if str(value) == "inherit" else integer(1, 255).parse(value)


# ---- the documented pair ------------------------------------------------------------------------------------------


def _ends(check: Check) -> list[dict[str, Any]]:
    """Both ends of the pair; what an end leaves out is as documented."""
    given = check.read("pair_ends", listing, [])
    if len(given) != 2:
        check.problem("pair_ends", f"has {len(given)} entries; a pair has two")
        return []
    check.read("pair_mtu", integer(68 + _LESS, 65535).parse)
    found = []
    for number, (entry, default) in enumerate(zip(given, (LEFT, RIGHT)), 1):
        where = f"pair_ends[{number}]"
        end = check.entry(where, {**default, **entry} if isinstance(entry, Mapping) else entry, _END)
        _check_end(check, where, end)
        found.append(end)
    left, right = found
    for option in ("namespace", "host_interface", "tunnel_address"):
        if option in left and left[option] == right.get(option):
            check.problem(f"pair_ends[2].{option}", f"{str(left[option])!r} is the first end's already")
    networks = {f"pair_ends[{n}].address": end["address"].network for n, end in enumerate(found, 1) if "address" in end}
    for later, earlier in overlaps(networks):
        check.problem(later, f"{networks[later]} overlaps {networks[earlier]} ({ROLE}_{earlier})")
    for number, end in enumerate(found, 1):
        inside = (
            [name for name, network in networks.items() if end.get("tunnel_address") in network]
            if "tunnel_address" in end
            else []
        )
        if inside:
            check.problem(
                f"pair_ends[{number}].tunnel_address",
                f"'{end['tunnel_address']}' is in the underlay's network {networks[inside[0]]}",
            )
    return found


def _check_end(check: Check, where: str, end: Mapping[str, Any]) -> None:
    if "address" in end and "gateway" in end:
        if end["gateway"].network != end["address"].network:
            check.problem(f"{where}.gateway", f"'{end['gateway']}' is not in the network of {end['address']}")
        elif end["gateway"].ip == end["address"].ip:
            check.problem(f"{where}.gateway", f"'{end['gateway']}' is the namespace's own address")
    if "tunnel" in end and end["tunnel"] == end.get("interface"):
        check.problem(f"{where}.tunnel", f"{end['tunnel']!r} is the name of the veth in that namespace already")
    if end.get("tunnel") == "tunl0":
        check.problem(
            f"{where}.tunnel", "'tunl0' is the fallback device that the kernel has in each namespace; take another name"
        )


def _pair_links(ends: list[dict[str, Any]], mtu: Any, options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    size = stated(mtu=mtu)
    for end in ends:
        peer = {"name": end["host_interface"], "netns": "", **size, "up": True}
        yield {"netns": end["namespace"], "name": end["interface"], "kind": "veth", **size, "up": True, "peer": peer}
    for end, other in _both_ways(ends):
        local, remote = str(end["address"].ip), str(other["address"].ip)
        less = stated(mtu=mtu - _LESS if mtu else None)
        yield {
            "netns": end["namespace"],
            "name": end["tunnel"],
            "kind": "ipip",
            "local": local,
            "remote": remote,
            **options,
            **less,
            "up": True,
        }


def _pair_addresses(ends: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for end, other in _both_ways(ends):
        yield {"dev": end["host_interface"], "address": str(end["gateway"])}
        yield {"netns": end["namespace"], "dev": end["interface"], "address": str(end["address"])}
        far = str(other["tunnel_address"])
        yield {"netns": end["namespace"], "dev": end["tunnel"], "address": f"{end['tunnel_address']}/32", "peer": far}


def _pair_routes(ends: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Without these the outer packets have no way: the tunnel's ends are in different networks."""
    for end, other in _both_ways(ends):
        far = str(other["address"].network)
        yield {"netns": end["namespace"], "dst": far, "via": str(end["gateway"].ip), "dev": end["interface"]}


def _both_ways(ends: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [(ends[0], ends[1]), (ends[1], ends[0])] if ends else []


# ---- between hosts ------------------------------------------------------------------------------------------------


def _mesh(everyone: dict[str, Member], host: str, ends: list[dict[str, Any]]) -> list[Tunnel]:
    check = everyone[host].check
    pool = check.read("pool", network4)
    check.read("address", address4)
    check.read("mtu", integer(68, 65535).parse)
    _check_pool(check, pool, ends)
    _check_peers(everyone[host], everyone)
    taking_part = {name: one for name, one in everyone.items() if name == host or _meshes(one)}
    check_same(taking_part, ["pool"])
    linked = [name for name in taking_part if name != host and connected(taking_part[host], taking_part[name])]
    check_underlays(everyone, [host, *linked] if linked else [], (4,))
    addresses = _addresses(taking_part, pool) if linked and pool is not None else {}
    names = tunnel_names(check, linked, [end["host_interface"] for end in ends if "host_interface" in end])
    check_unseen_mtus(everyone[host], {name: everyone[name] for name in (host, *linked)})
    for name in linked:
        _check_mtu(everyone[host], everyone[name])
    if any(name not in addresses for name in (host, *linked)):
        return []
    return [_tunnel(everyone[host], everyone[name], names[name], addresses) for name in linked]


def _meshes(member: Member) -> bool:
    """Whether a host takes part, so far as it can be told."""
    try:
        return bool(boolean(member.check.values["mesh"])) and member.present
    except ValueError:
        return False


def _wants(member: Member) -> list[str]:
    value = member.check.values.get("peers") or []
    return [str(name) for name in ([value] if isinstance(value, str) else value)]


def connected(one: Member, other: Member) -> bool:
    """Whether two hosts have a tunnel: either wants one. A host without a list of peers wants one to everybody.

    So a hub is what all hosts of the group list (itself included: a host in its own list means nothing).
    """
    return any(not _wants(a) or b.host in _wants(a) for a, b in ((one, other), (other, one)))


def _check_peers(member: Member, everyone: Mapping[str, Member]) -> None:
    for number, name in enumerate(_wants(member), 1):
        if name not in everyone:
            group = member.check.values.get("group")
            member.check.problem(f"peers[{number}]", f"{name!r} is not a host of the group {group}")


def _check_pool(check: Check, pool: Any, ends: list[dict[str, Any]]) -> None:
    if pool is None:
        return
    for number, end in enumerate(ends, 1):
        for option in ("address", "tunnel_address"):
            value = end.get(option)
            network = None if value is None else getattr(value, "network", None) or ipaddress.IPv4Network(value)
            if network is not None and network.overlaps(pool):
                check.problem("pool", f"'{pool}' overlaps {network} ({ROLE}_pair_ends[{number}].{option})")


def _addresses(group: Mapping[str, Member], pool: ipaddress.IPv4Network) -> dict[str, ipaddress.IPv4Address]:
    """Each host's address inside the tunnels: the stated one, else derived from its underlay address."""
    found = {}
    room = pool.num_addresses - 2
    if len(group) > room:
        first = next(iter(group.values()))
        first.check.problem("pool", f"'{pool}' has {room} addresses, and there are {len(group)} hosts: it is used up")
    for name, member in group.items():
        if member.check.values.get("address") not in (None, ""):
            address = member.check.read("address", host_in(pool))
        elif member.underlay.version == 4:
            address = member.check.parse(
                "address", derived(pool, str(member.underlay.address)), lambda a: _derived(a, pool)
            )
        else:
            continue
        if address is not None:
            found[name] = address
        if member.underlay.version == 4 and ipaddress.IPv4Address(member.underlay.address or 0) in pool:
            member.check.problem(
                "pool", f"'{pool}' holds the underlay address {member.underlay.address}; take another one"
            )
    check_unique(group, "address", found)
    return found


def _derived(address: Any, pool: Any) -> Any:
    try:
        return host_in(pool)(address)
    except ValueError as error:
        raise ValueError(f"{error}, derived from the underlay address; state another one") from None


def tunnel_names(check: Check, peers: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """The name of the tunnel to each peer: the stated one, else ipip-PEER where that fits, else ipip- and a hash of PEER."""
    given = check.values.get("names") or {}
    found: dict[str, str] = {}
    owners: dict[str, str] = {}
    reserved = set(taken)
    for peer in peers:
        name = check.parse(f"names.{peer}", given[peer], link_name, "") if peer in given else _tunnel_name(peer)
        if name == "tunl0":
            check.problem(
                f"names.{peer}",
                "'tunl0' is the fallback device that the kernel has in each namespace; take another name",
            )
        if name in reserved:
            check.problem(f"names.{peer}", f"{name!r} is an interface of the pair already; state another one")
        if name in owners:
            check.problem(
                f"names.{peer}", f"{name!r} is the name of the tunnel to {owners[name]} already; state another one"
            )
        owners.setdefault(name, peer)
        found[peer] = name
    return found


def _tunnel_name(peer: str) -> str:
    try:
        return str(link_name(f"{PREFIX}{peer}"))
    except ValueError:
        return PREFIX + hashlib.sha256(peer.encode()).hexdigest()[: MAX_NAME - len(PREFIX)]


def _most(one: Member, other: Member) -> int | None:
    known = [end.underlay.mtu for end in (one, other) if end.underlay.mtu]
    return min(known) - _LESS if known else None


def _check_mtu(member: Member, peer: Member) -> None:
    mtu, most = member.check.values.get("mtu"), _most(member, peer)
    if str(mtu).isdigit() and most is not None and int(str(mtu)) > most:
        where = f"{member.host} and {peer.host}"
        member.check.problem(
            "mtu", f"{mtu} is too large: the underlay (mtu {most + _LESS}) between {where} leaves {most}"
        )


def _tunnel(member: Member, peer: Member, name: str, addresses: Mapping[str, Any]) -> Tunnel:
    mtu = member.check.values.get("mtu")
    return Tunnel(
        peer.host,
        name,
        str(member.underlay.address),
        str(peer.underlay.address),
        str(addresses[member.host]),
        str(addresses[peer.host]),
        int(str(mtu)) if str(mtu).isdigit() else _most(member, peer),
    )


def _mesh_links(tunnels: list[Tunnel], options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for tunnel in tunnels:
        yield {
            "name": tunnel.name,
            "kind": "ipip",
            "local": tunnel.local,
            "remote": tunnel.remote,
            **options,
            **stated(mtu=tunnel.mtu),
            "up": True,
        }


def _chains(ends: list[dict[str, Any]], tunnels: list[Tunnel]) -> Iterator[dict[str, Any]]:
    if ends:
        rules = [
            f"-i {end['host_interface']} -o {other['host_interface']} -j ACCEPT" for end, other in _both_ways(ends)
        ]
        yield {"name": FORWARD_CHAIN, "table": "filter", "rules": rules, "jumps": [{"from": "FORWARD", "at": "first"}]}
    if tunnels:
        rules = [f"-s {tunnel.remote}/32 -p 4 -j ACCEPT" for tunnel in tunnels]
        yield {"name": INPUT_CHAIN, "table": "filter", "rules": rules, "jumps": [{"from": "INPUT", "at": "first"}]}
