# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hangs on a link that will be torn, beside the objects of their own kinds: parameters, and what others made.

The parameters are put back. The rest (a qdisc, multicast entries and VLANs of a bridge, alternative names) is only
named, in tc's and bridge's words, so that it does not go unnoticed.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from . import _netlink as nl
from ._kinds import sysctl
from ._model import Object

AF_BRIDGE = 7
_PARENTS = {0xFFFFFFFF: "root", 0xFFFFFFF1: "ingress"}  # TC_H_ROOT, TC_H_INGRESS (also clsact)
_PVID, _UNTAGGED = 0x2, 0x4  # include/uapi/linux/if_bridge.h
_PERMANENT = 1

_TCMSG = struct.Struct("=B3xiIII")  # family, ifindex, handle, parent, info
_MDB_ENTRY = struct.Struct("=IBBH16s2s2x")  # ifindex, state, flags, vid, address, protocol
_VLAN = struct.Struct("=HH")  # flags, vid
_TABLE_HEADER, _PORT_HEADER, _LINK_HEADER = 4, 8, 16  # struct ndtmsg, struct br_port_msg, struct ifinfomsg
_NDTA_PARMS, _NDTPA_IFINDEX = 6, 1
_FAMILIES = {int(socket.AF_INET): "ipv4", int(socket.AF_INET6): "ipv6"}
# Attribute of a neighbour table's parameters (NDTPA_*): the file under neigh/LINK, and how many of the message's units
# (bytes, entries, milliseconds) are one of the file's (seconds and hundredths of a second among them).
_OF_NEIGHBORS = {
    4: ("base_reachable_time_ms", 1),
    5: ("retrans_time_ms", 1),
    6: ("gc_stale_time", 1000),
    7: ("delay_first_probe_time", 1000),
    9: ("app_solicit", 1),
    10: ("ucast_solicit", 1),
    11: ("mcast_solicit", 1),
    12: ("anycast_delay", 10),
    13: ("proxy_delay", 10),
    14: ("proxy_qlen", 1),
    15: ("locktime", 10),
    16: ("unres_qlen_bytes", 1),
    17: ("mcast_resolicit", 1),
    19: ("interval_probe_time_ms", 1),
}

Told = Iterator[tuple[tuple[str, ...], str]]  # the links that it hangs on, and what it is


def read(
    channel: nl.Channel, torn: list[Object], links: list[Object], names: Mapping[int, str], altnames: Mapping[str, str]
) -> None:
    """Fill in `conf.files`, the parameters that no message carries, and `conf.others`, what cannot be put back."""
    told: dict[str, list[str]] = defaultdict(list)
    bridged = any(one.fields["master"] or one.fields["kind"] == "bridge" for one in torn)
    sources = [_qdiscs(channel, names), *([_groups(channel, names), _vlans(channel, links, names)] if bridged else [])]
    for source in sources:
        for devices, text in source:
            for name in devices:
                told[name].append(text)
    for other, name in altnames.items():
        told[name].append(f"altname {other} dev {name}")
    beside = sysctl.beside_arrays()
    going = {one.key.ident[0] for one in torn}
    neighbors = _of_neighbors(channel, {number: name for number, name in names.items() if name in going})
    for one in torn:
        name = one.key.ident[0]
        one.fields["conf.files"] = {**sysctl.read_beside(name, beside), **neighbors[name]}
        one.fields["conf.others"] = tuple(dict.fromkeys(told[name]))


def _dump(channel: nl.Channel, request: nl.Request) -> list[memoryview]:
    try:
        return channel.dump_raw(request)
    except nl.NetlinkError as error:
        if error.code == errno.EOPNOTSUPP:  # a kernel that was built without it
            return []
        raise


def _of_neighbors(channel: nl.Channel, wanted: Mapping[int, str]) -> Mapping[str, dict[str, str]]:
    """The parameters of the neighbour tables, by link and path."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for body in _dump(channel, nl.Request(nl.RTM_GETNEIGHTBL, {})):
        family = _FAMILIES.get(body[0])
        for parameters in _nested(body[_TABLE_HEADER:], _NDTA_PARMS) if family else ():
            values = dict(nl.attributes(parameters))
            name = wanted.get(_number(values.get(_NDTPA_IFINDEX, b"")), "")
            for number, (file, unit) in _OF_NEIGHBORS.items():
                if name and number in values:
                    found[name][f"net/{family}/neigh/{name}/{file}"] = str(_number(values[number]) // unit)
    return found


def _number(value: bytes | memoryview) -> int:
    return int.from_bytes(value, sys.byteorder)


def _qdiscs(channel: nl.Channel, names: Mapping[int, str]) -> Told:
    """Those that somebody made: one that the kernel gives to a link has no handle."""
    for body in _dump(channel, nl.Request(nl.RTM_GETQDISC, {})):
        _family, number, handle, parent, _info = _TCMSG.unpack_from(body)
        if handle and parent in _PARENTS and number in names:
            kind = bytes(dict(nl.attributes(body[_TCMSG.size :]))[1]).rstrip(b"\0").decode()  # TCA_KIND
            yield (names[number],), f"qdisc {kind} {handle >> 16:x}: dev {names[number]} {_PARENTS[parent]}"


def _groups(channel: nl.Channel, names: Mapping[int, str]) -> Told:
    """Permanent multicast entries; others come from reports of members, and come again."""
    for body in _dump(channel, nl.Request(nl.RTM_GETMDB, {"family": AF_BRIDGE})):
        (number,) = struct.unpack_from("=I", body, 4)
        bridge = names.get(number, "")
        for entry in _nested(body[_PORT_HEADER:], 1, 1, 1):  # MDBA_MDB, MDBA_MDB_ENTRY, MDBA_MDB_ENTRY_INFO
            port, state, _flags, vid, address, protocol = _MDB_ENTRY.unpack_from(entry)
            if state == _PERMANENT:
                vlan = f" vid {vid}" if vid else ""
                group = _group(address, int.from_bytes(protocol, "big"))
                name = names.get(port, "")
                yield (bridge, name), f"mdb dev {bridge} port {name} grp {group}{vlan} permanent"


def _group(address: bytes, protocol: int) -> str:
    if protocol == 0x0800:
        return socket.inet_ntop(socket.AF_INET, address[:4])
    return socket.inet_ntop(socket.AF_INET6, address) if protocol == 0x86DD else address[:6].hex(":")


def _vlans(channel: nl.Channel, links: list[Object], names: Mapping[int, str]) -> Told:
    """Where they are not what a new port of the bridge has: its default VLAN, untagged."""
    by_name = {one.key.ident[0]: one for one in links}
    request = nl.Request(nl.RTM_GETLINK, {"family": AF_BRIDGE}, {"IFLA_EXT_MASK": nl.RTEXT_FILTER_BRVLAN})
    for body in _dump(channel, request):
        (number,) = struct.unpack_from("=i", body, 4)
        one = by_name.get(names.get(number, ""))
        if one is None:
            continue
        name = one.key.ident[0]
        bridge = one.fields["master"] or name
        default = by_name[bridge].fields.get("vlan_default_pvid") if bridge in by_name else None
        vlans = {_VLAN.unpack_from(vlan)[::-1] for vlan in _nested(body[_LINK_HEADER:], 26, 2)}
        if default is None:  # this kernel has no VLANs in bridges
            continue
        usual = {(default, _PVID | _UNTAGGED)} if default else set()
        for vid, flags in sorted(vlans ^ usual):
            words = [word for bit, word in ((_PVID, "pvid"), (_UNTAGGED, "untagged")) if flags & bit]
            missing = "the lack of " if (vid, flags) in usual else ""
            yield (bridge, name), " ".join([f"{missing}vlan {vid} dev {name}", *words])


def _nested(data: memoryview, *path: int) -> Iterable[memoryview]:
    """The payloads at the end of a path of attribute numbers (IFLA_AF_SPEC > IFLA_BRIDGE_VLAN_INFO is 26, 2)."""
    for number, payload in nl.attributes(data):
        if number == path[0]:
            yield from _nested(payload, *path[1:]) if path[1:] else [payload]
