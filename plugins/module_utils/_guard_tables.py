# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables that decide about the session's packets: as the kernel has them, and as a plan leaves them.

An interface that is down is taken for one that will be up: what is put on it waits there for the moment.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from . import _netlink as nl
from ._guard_way import Way
from ._info import fib
from ._kinds import address, link, route, rule, sysctl
from ._model import IPV6_MTU, Object, Op
from ._names import PROTOS, TABLES
from ._netns import Namespaces
from ._snapshot import Have

_DEAD, _CLONED = 0x1, 0x200  # RTNH_F_DEAD, RTM_F_CLONED
_ACCEPT_RA = 3  # DEVCONF_ACCEPT_RA, in the array of a link's IPv6 parameters
SYSCTLS = re.compile(r"net/ipv6/conf/([^/]+)/(disable_ipv6|forwarding)$")
_PLAIN: dict[str, Any] = {
    "type": "unicast", "via": "", "dev": "", "nexthops": (), "src": "", "proto": 0, "accept_ra": 0,
}  # fmt: skip


class Tables(NamedTuple):
    """What decides about a packet: the policy rules, the routes that hold either end's address, addresses."""

    rules: list[Object]
    routes: list[Object]
    addresses: list[Object]


def holds(network: str, way: Way) -> bool:
    """Whether a network has an end of the session in it."""
    parsed = ipaddress.ip_network(network)
    return any(ipaddress.ip_address(end) in parsed for end in (way.session.client, way.session.server))


# ---- the kernel's tables ------------------------------------------------------------------------------------------


def read(way: Way, namespaces: Namespaces, have: Have) -> Tables:
    """What the kernel has."""
    names, family = have.names[way.netns], way.session.family
    ends = [fib.holding(ipaddress.ip_address(end)) for end in (way.session.client, way.session.server)]

    def keep(body: memoryview) -> bool:
        return not int.from_bytes(body[8:12], sys.byteorder) & (_CLONED | _DEAD) and any(one(body) for one in ends)

    with namespaces.entered(way.netns), nl.Channel() as channel:
        try:
            rules = [rule.read(message, way.netns) for message in channel.dump(fib.RULES[family], rule.WANTED)]
        except nl.NetlinkError:  # a kernel without policy routing
            rules = []
        messages = channel.dump(route.DUMPS[family], route.WANTED, keep)
        routes = [one for message in messages if (one := route.read(message, way.netns, names))]
        messages = channel.dump(address.DUMP, address.WANTED)
        addresses = [one for message in messages if (one := address.read(message, way.netns, names))]
    devices = {device for one in routes for device in route.devices(one)}
    near = [one for one in addresses if (":" in one.key.ident[1]) == way.session.six]
    near = [one for one in near if one.key.ident[0] in devices or any(holds(m.key.ident[2], way) for m in made(one))]
    return Tables(rules, [_with_parameters(one, have) for one in routes], near)


def _with_parameters(one: Object, have: Have) -> Object:
    """With accept_ra of its device, which decides whether a router's route stays when this host becomes a router."""
    found = have.objects.get(link.key(one.key.netns, one.fields["dev"]))
    array = found.fields.get("conf.ipv6", b"") if found else b""
    value = array[4 * _ACCEPT_RA : 4 * _ACCEPT_RA + 4]
    return Object(one.key, {**one.fields, "accept_ra": int.from_bytes(value, sys.byteorder, signed=True)})


def made(one: Object) -> Iterator[Object]:
    """The routes that the kernel makes of an address: a local one, and one to its network (fib_add_ifaddr, addrconf)."""
    netns = one.key.netns
    device, local, peer = one.key.ident
    own = ipaddress.ip_interface(local)
    family, metric = (socket.AF_INET6, 256) if own.version == 6 else (socket.AF_INET, 0)
    way = {**_PLAIN, "dev": device, "proto": PROTOS["kernel"]}
    here = route.key(netns, family, TABLES["local"], f"{own.ip}/{own.max_prefixlen}", 0, 0)
    yield Object(here, {**way, "type": "local"})
    network = ipaddress.ip_network(f"{peer or own.ip}/{own.network.prefixlen}", strict=False)
    if not one.fields.get("noprefixroute") and str(network) != f"{own.ip}/{own.max_prefixlen}":
        place = route.key(netns, family, TABLES["main"], str(network), 0, one.fields.get("metric") or metric)
        yield Object(place, way)


# ---- what the ops make of them ------------------------------------------------------------------------------------


def after(now: Tables, ops: Iterable[Op], way: Way) -> Tables:
    """What ops make of it."""
    for op in ops:
        now = EFFECTS[op.key.kind](now, op, way)
    return now


def _route(now: Tables, op: Op, way: Way) -> Tables:
    others = [one for one in now.routes if one.key != op.key]
    if op.action == "delete":
        return now._replace(routes=others)
    fields = {**_PLAIN, **op.have, **op.fields}
    if "nexthops" in op.fields:
        fields.update(via="", dev="")
    elif "via" in op.fields or "dev" in op.fields:
        fields["nexthops"] = ()
    if fields["via"] and fields["via"] == way.gateway and not fields["dev"]:
        fields["dev"] = way.device  # the kernel finds the device that leads to the gateway
    return now._replace(routes=[*others, Object(op.key, fields)])


def _address(now: Tables, op: Op, way: Way) -> Tables:
    others = [one for one in now.addresses if one.key != op.key]
    if op.action != "delete":
        new = Object(op.key, {**op.have, **op.fields})
        return _with_routes(now._replace(addresses=[*others, new]), [new])
    device, local, _peer = op.key.ident
    beside = [one for one in others if one.key.ident[0] == device]
    if not beside and not way.session.six:  # the last one takes the routes of its device along (fib_inetaddr_event)
        return _without(now, [device])
    kept = {one.key for other in beside for one in made(other)}
    gone = {one.key for one in made(Object(op.key, op.have))} - kept
    source = "" if way.session.six else local.partition("/")[0]
    return now._replace(
        addresses=others,
        routes=[
            one
            for one in now.routes
            if not (one.key in gone and device in route.devices(one)) and not (source and one.fields["src"] == source)
        ],
    )


def _with_routes(now: Tables, addresses: Iterable[Object]) -> Tables:
    """With the routes that addresses make, behind those that are there."""
    there = {(one.key, one.fields["dev"]) for one in now.routes}
    new = [one for other in addresses for one in made(other)]
    return now._replace(routes=[*now.routes, *(one for one in new if (one.key, one.fields["dev"]) not in there)])


def _without(now: Tables, devices: Iterable[str]) -> Tables:
    """Without what goes with devices."""
    gone = set(devices)
    return now._replace(
        routes=[one for one in now.routes if not route.devices(one) or route.devices(one) - gone],
        addresses=[one for one in now.addresses if one.key.ident[0] not in gone],
    )


def _rule(now: Tables, op: Op, way: Way) -> Tables:
    if op.action == "delete":  # its like that has come before, with another protocol, stays
        at = next((n for n, one in enumerate(now.rules) if one.key == op.key), len(now.rules))
        return now._replace(rules=now.rules[:at] + now.rules[at + 1 :])
    new = Object(op.key, {**op.have, **op.fields})
    return now._replace(rules=sorted([*now.rules, new], key=lambda one: one.key.ident[1]))


def links_of(op: Op, netns: str) -> Iterator[str]:
    """The links of a namespace that an op is about: a bridge has the MTU of its smallest port."""
    source, name = op.fields.get("move_from", op.key.netns), op.key.ident[0]
    if source == netns:
        yield name
    if op.key.netns == netns and "mtu" in op.fields:
        yield from (master for master in (op.fields.get("master", op.have.get("master")),) if master)
    peer = op.have.get("peer")
    if op.action == "delete" and peer and peer[0] == netns:
        yield peer[1]


def _link(now: Tables, op: Op, way: Way) -> Tables:
    devices = set(links_of(op, way.netns))
    low = way.session.six and op.fields.get("mtu", IPV6_MTU) < IPV6_MTU
    if op.action in ("delete", "move") or low or op.fields.get("up") is False:
        return _without(now, devices)
    if op.fields.get("up"):
        return _with_routes(now, [one for one in now.addresses if one.key.ident[0] in devices])
    return now


def _sysctl(now: Tables, op: Op, way: Way) -> Tables:
    found = SYSCTLS.match(op.key.ident[0])
    where, name = (found[1], found[2]) if found else ("", "")
    if where == "default" or op.fields.get("value", "0") == "0":  # `default` is for interfaces that come
        return now
    if name == "disable_ipv6":
        devices = {device for one in now.routes for device in route.devices(one)}
        return _without(now, sysctl.without_six(Object(op.key, op.fields), devices))
    # a router has no use for what routers advertise (rt6_purge_dflt_routers)
    return now._replace(
        routes=[
            one
            for one in now.routes
            if not (one.fields["proto"] == PROTOS["ra"] and one.key.ident[2] == "::/0" and one.fields["accept_ra"] != 2)
        ]
    )


EFFECTS: dict[str, Callable[[Tables, Op, Way], Tables]] = {
    "route": _route,
    "address": _address,
    "rule": _rule,
    "link": _link,
    "sysctl": _sysctl,
}
