# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Talk rtnetlink: the only file that imports pyroute2 and the only one that opens a netlink socket.

pyroute2's message classes are the dictionary (which attribute has which number and type, in every version from
0.7.2 on); encoding, decoding and the conversation with the kernel are done here, because they decide the speed:
a plain socket per namespace, many requests a send, an acknowledgement of the last one only (the kernel reports a
failing request in any case, by its sequence number), and only those attributes decoded that somebody asks for.

Sources: RFC 3549; include/uapi/linux/{netlink,rtnetlink,if_link,if_addr,neighbour,net_namespace}.h.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import struct
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from typing import Any, NamedTuple

PYROUTE2_MINIMUM = "0.7.2"
PYROUTE2_IMPORT_ERROR: str | None = None
_MESSAGES = ("fibmsg", "ifaddrmsg", "ifinfmsg", "ndmsg", "nsidmsg", "rtmsg")


def _message_classes() -> list[Any]:
    _refuse_old()
    return [getattr(import_module(f"pyroute2.netlink.rtnl.{name}"), name) for name in _MESSAGES]


def _refuse_old() -> None:
    """ImportError for a version that is known to be too old: what it lacks would be met somewhere in a run."""
    version: str = import_module("pyroute2.config.version").__version__
    numbers = [int(part) for part in re.findall(r"\d+", version)]  # none where a build says "unknown"
    if numbers and numbers < [int(part) for part in PYROUTE2_MINIMUM.split(".")]:
        raise ImportError(f"pyroute2 {version} is too old")


def _message_classes_alone() -> list[Any]:
    """The same without the rest of pyroute2, whose __init__ imports all it has: that is most of the time of a start.

    A bare package stands in for it meanwhile. Nothing of it stays in sys.modules: whoever imports pyroute2 later gets
    all of it.
    """
    if "pyroute2" in sys.modules:
        return _message_classes()
    found = find_spec("pyroute2")
    if found is None:
        raise ImportError("No module named 'pyroute2'")
    bare = sys.modules["pyroute2"] = module_from_spec(ModuleSpec("pyroute2", None, is_package=True))
    bare.__path__ = list(found.submodule_search_locations or ())
    try:
        return _message_classes()
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "pyroute2"]:
            del sys.modules[name]


try:
    try:
        fibmsg, ifaddrmsg, ifinfmsg, ndmsg, nsidmsg, rtmsg = _message_classes_alone()
    except Exception:  # a version whose parts cannot do without the whole
        fibmsg, ifaddrmsg, ifinfmsg, ndmsg, nsidmsg, rtmsg = _message_classes()
    ifinfmsg.ifinfo.data_map["ipip"]
except Exception:  # an old pyroute2 on a new Python fails with TypeError or AttributeError, not ImportError
    PYROUTE2_IMPORT_ERROR = traceback.format_exc()

# message types (linux/rtnetlink.h) and flags (linux/netlink.h)
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30
RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE = 32, 33, 34
RTM_GETQDISC, RTM_GETNEIGHTBL, RTM_GETMDB, RTM_GETNSID = 38, 66, 86, 90
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_DUMP = 0x1, 0x4, 0x10, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND = 0x100, 0x200, 0x400, 0x800
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 270, 10, 11
RTEXT_FILTER_BRVLAN, RTEXT_FILTER_SKIP_STATS = 2, 8
IFLA_ALT_IFNAME = 53

BATCH = 64  # requests a send: more does not help, and the answers of a failing batch must fit the receive buffer
BUFFER = 1 << 20
RECEIVE = 1 << 18
DUMP_RETRIES = 20

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_ERROR = struct.Struct("=i")
_NEXTHOP = struct.Struct("=HBBi")


class NetlinkError(OSError):
    """The kernel refused a request: errno, its own words (extended acknowledgement) if it gave any."""

    def __init__(self, code: int, extack: str = "") -> None:
        super().__init__(code, extack or os.strerror(code))
        self.code = code
        self.extack = extack

    def __str__(self) -> str:
        name = errno.errorcode.get(self.code, str(self.code))
        return f"{name}: {self.extack or os.strerror(self.code)}"


class Request(NamedTuple):
    """One request to the kernel: attribute names as in the kernel's headers, nests as dictionaries."""

    type: int
    header: Mapping[str, int]
    attrs: Mapping[str, Any] = {}
    flags: int = 0


class _Type(NamedTuple):
    pack: Callable[[Any], bytes]
    unpack: Callable[[memoryview], Any]


def _scalar(code: str) -> _Type:
    form = struct.Struct(code)
    return _Type(form.pack, lambda data: form.unpack_from(data)[0])


def _ip_unpack(data: memoryview) -> str:
    return socket.inet_ntop(socket.AF_INET if len(data) == 4 else socket.AF_INET6, data)


def _ip_pack(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


_IP = _Type(_ip_pack, _ip_unpack)
_MAC = _Type(
    lambda text: bytes.fromhex(text.replace(":", "")),
    # a tunnel's link-layer address is an IP address: 4 bytes, not 6
    lambda data: _ip_unpack(data) if len(data) in (4, 16) else bytes(data).hex(":"),
)
_TEXT = _Type(lambda text: text.encode() + b"\0", lambda data: bytes(data).rstrip(b"\0").decode("utf-8", "replace"))
_CACHEINFO = _Type(
    lambda pair: struct.pack("=IIII", pair[0], pair[1], 0, 0),  # ifa_prefered, ifa_valid, cstamp, tstamp
    lambda data: struct.unpack_from("=II", data),
)


def _pair(code: str) -> _Type:
    form = struct.Struct(code)
    return _Type(lambda pair: form.pack(*pair), form.unpack_from)


# struct ifla_bridge_id: two bytes of priority, a MAC address; written as iproute2 does
_BRIDGE_ID = _Type(
    lambda text: bytes.fromhex(text.replace(".", "").replace(":", "")),
    lambda data: f"{bytes(data[:2]).hex()}.{bytes(data[2:8]).hex(':')}",
)
_VIA = _Type(
    lambda text: struct.pack("=H", socket.AF_INET6 if ":" in text else socket.AF_INET) + _ip_pack(text),
    lambda data: _ip_unpack(data[2:]),
)
_SCALARS: dict[str, _Type] = {
    "uint8": _scalar("=B"),
    "uint16": _scalar("=H"),
    "uint32": _scalar("=I"),
    "uint64": _scalar("=Q"),
    "int32": _scalar("=i"),
    "be16": _scalar("!H"),
    "be32": _scalar("!I"),
    "be64": _scalar("!Q"),
    "asciiz": _TEXT,
    "string": _TEXT,
    "l2addr": _MAC,
    "lladdr": _MAC,
    "ipaddr": _IP,
    "ip4addr": _IP,
    "ip6addr": _IP,
    "target": _IP,
    "state": _scalar("=B"),
    "netns_fd": _scalar("=I"),
    "flag": _Type(lambda value: b"", lambda data: True),
    "hex": _Type(bytes, bytes),
}
# Written as a flag (policy NLA_FLAG), shown as a byte that says whether (vxlan_core.c, vxlan_fill_info).
_TTL_INHERIT = _Type(lambda value: b"", lambda data: bool(data[0]) if len(data) else True)
# Types for which pyroute2's classes do not say it in a way that is the same in all versions.
_SPECIAL: dict[str, _Type] = {
    "IFLA_VXLAN_PORT_RANGE": _pair("!HH"),
    "IFLA_VXLAN_TTL_INHERIT": _TTL_INHERIT,
    "IFA_CACHEINFO": _CACHEINFO,
    "FRA_SPORT_RANGE": _pair("=HH"),
    "FRA_DPORT_RANGE": _pair("=HH"),
    "FRA_UID_RANGE": _pair("=II"),
    "IFLA_PERM_ADDRESS": _MAC,
    "IFLA_BR_ROOT_ID": _BRIDGE_ID,
    "IFLA_BR_BRIDGE_ID": _BRIDGE_ID,
    "IFLA_BRPORT_ROOT_ID": _BRIDGE_ID,
    "IFLA_BRPORT_BRIDGE_ID": _BRIDGE_ID,
    "IFLA_BR_MULTI_BOOLOPT": _pair("=II"),  # values, mask (struct br_boolopt_multi)
    "IFLA_XDP_ATTACHED": _scalar("=B"),
    "IFLA_VXLAN_LABEL": _scalar("!I"),
    "RTA_VIA": _VIA,
    "RTA_CACHEINFO": _pair("=IIiI"),  # clntref, lastuse, expires, error (struct rta_cacheinfo)
    "NDA_CACHEINFO": _pair("=IIII"),  # confirmed, used, updated, refcnt (struct nda_cacheinfo)
}
# Attributes that the older of the supported versions do not know: (number, type).
_ADDED: dict[str, dict[str, tuple[int, str]]] = {
    "ifinfmsg": {
        "IFLA_ALLMULTI": (61, "uint32"),
        "IFLA_GSO_IPV4_MAX_SIZE": (63, "uint32"),
        "IFLA_GRO_IPV4_MAX_SIZE": (64, "uint32"),
    },
    "bridge_data": {
        "IFLA_BR_VLAN_STATS_PER_PORT": (45, "uint8"),
        "IFLA_BR_MULTI_BOOLOPT": (46, ""),
        "IFLA_BR_FDB_N_LEARNED": (48, "uint32"),
        "IFLA_BR_FDB_MAX_LEARNED": (49, "uint32"),
    },
    "macvlan_data": {"IFLA_MACVLAN_BC_QUEUE_LEN": (7, "uint32"), "IFLA_MACVLAN_BC_QUEUE_LEN_USED": (8, "uint32")},
    "ifaddrmsg": {"IFA_RT_PRIORITY": (9, "uint32"), "IFA_PROTO": (11, "uint8")},
    "fibmsg": {"FRA_DSCP": (25, "uint8")},
    "ndmsg": {"NDA_SRC_VNI": (11, "uint32"), "NDA_PROTOCOL": (12, "uint8"), "NDA_NH_ID": (13, "uint32")},
    "rtmsg": {"RTA_UID": (25, "uint32"), "RTA_TTL_PROPAGATE": (26, "uint8"), "RTA_NH_ID": (30, "uint32")},
    "bridge_slave_data": {
        "IFLA_BRPORT_LOCKED": (39, "uint8"),
        "IFLA_BRPORT_MAB": (40, "uint8"),
        "IFLA_BRPORT_MCAST_MAX_GROUPS": (42, "uint32"),
        "IFLA_BRPORT_NEIGH_VLAN_SUPPRESS": (43, "uint8"),
    },
    "vxlan": {
        "IFLA_VXLAN_DF": (29, "uint8"),
        "IFLA_VXLAN_VNIFILTER": (30, "uint8"),
        "IFLA_VXLAN_LOCALBYPASS": (31, "uint8"),
    },
}


class _Attribute(NamedTuple):
    name: str
    number: int
    kind: str  # pyroute2's word for its type
    scalar: _Type | None  # None for a nest


class _Table:
    """The attributes of one message or nest, both ways; types and nests resolve on first use."""

    def __init__(self, cls: Any) -> None:
        self.cls = cls
        self.entries: dict[str, tuple[int, str]] = {}
        for position, entry in enumerate(cls.nla_map):
            # (name, type), or (number, name, type[, init])
            number, name, kind = (position, *entry[:2]) if isinstance(entry[0], str) else entry[:3]
            if not name.endswith("_PAD"):  # padding: no bytes, whatever type it is said to have
                self.entries[name] = (number, kind)
        self.entries.update(_ADDED.get(cls.__name__, {}))
        self.header = _header(cls)
        self._by_name: dict[str, _Attribute] = {}
        self._wanted: dict[frozenset[str], dict[int, _Attribute]] = {}

    def attribute(self, name: str) -> _Attribute:
        """An attribute by its name. KeyError if there is none."""
        if name not in self._by_name:
            number, kind = self.entries[name]
            scalar = _SPECIAL.get(name) or _SCALARS.get(kind) or self._structure(kind)
            self._by_name[name] = _Attribute(name, number, kind, scalar)
        return self._by_name[name]

    def wanted(self, names: frozenset[str]) -> dict[int, _Attribute]:
        """The attributes of these names by number."""
        if names not in self._wanted:
            found = [self.attribute(name) for name in self.entries if name in names]
            self._wanted[names] = {one.number: one for one in found}
        return self._wanted[names]

    @cached_property
    def scalars(self) -> dict[int, _Attribute]:
        """All that is no nest, by number."""
        found = [self.attribute(name) for name in self.entries]
        return {one.number: one for one in found if one.scalar}

    def _structure(self, kind: str) -> _Type | None:
        """A fixed structure without attributes: one value (a word, if it has words), or fields with names."""
        cls = getattr(self.cls, kind, None)
        plain = isinstance(cls, type) and getattr(cls, "fields", None) and not getattr(cls, "nla_map", None)
        return _structure(cls) if plain else None

    def nest(self, kind: str, beside: Mapping[str, Any]) -> _Table | None:
        """The table of a nested attribute; the data of a link depends on the link's kind, which stands beside it."""
        if kind == "info_data":
            cls = self.cls.data_map.get(beside.get("IFLA_INFO_KIND"))
        elif kind == "info_slave_data":
            cls = self.cls.data_map.get(f"{beside.get('IFLA_INFO_SLAVE_KIND')}_slave")
        elif kind == "info_peer":
            cls = ifinfmsg
        else:
            cls = getattr(self.cls, kind, None)
        return _table(cls) if cls is not None and getattr(cls, "nla_map", None) else None


class _Undecoded:
    """A request whose answers are taken as they come: its family, and room for what else a header may hold."""

    fields = (("family", "B"), ("rest", "19x"))
    nla_map: tuple[Any, ...] = ()


class _Header(NamedTuple):
    form: struct.Struct
    names: tuple[str, ...]

    def pack(self, values: Mapping[str, int]) -> bytes:
        return self.form.pack(*[values.get(name, 0) for name in self.names])


def _header(cls: Any) -> _Header:
    fields = getattr(cls, "fields", ()) or ()
    if "value" in [name for name, _code in fields]:
        return _Header(struct.Struct("="), ())
    code = "=" + "".join(code for _name, code in fields)
    names = tuple(name for name, code in fields if not code.endswith("x"))
    return _Header(struct.Struct(code), names)


def _structure(cls: Any) -> _Type:
    if [name for name, _code in cls.fields] == ["value"]:
        order = "" if cls.fields[0][1][0] in "=<>!" else "="
        plain, words = _scalar(order + cls.fields[0][1]), getattr(cls, "value_map", {})
        return _Type(plain.pack, lambda data: words.get(plain.unpack(data), plain.unpack(data)))
    header = _header(cls)
    return _Type(header.pack, lambda data: dict(zip(header.names, header.form.unpack_from(data))))


_tables: dict[Any, _Table] = {}


def _table(cls: Any) -> _Table:
    if cls not in _tables:
        _tables[cls] = _Table(cls)
    return _tables[cls]


def _message_class(kind: int) -> Any:
    if kind < 20:
        return ifinfmsg
    if kind < 24:
        return ifaddrmsg
    if kind < 28:
        return rtmsg
    if kind < 32:
        return ndmsg
    if kind < 36:
        return fibmsg
    return _Undecoded if kind in (RTM_GETQDISC, RTM_GETNEIGHTBL, RTM_GETMDB) else nsidmsg


def _pad(size: int) -> int:
    return (size + 3) & ~3


def _encode_attribute(number: int, payload: bytes) -> bytes:
    size = 4 + len(payload)
    return _ATTRIBUTE.pack(size, number) + payload + bytes(_pad(size) - size)


def _encode_nest(table: _Table, attrs: Mapping[str, Any]) -> bytes:
    parts: list[bytes] = []
    for name, value in attrs.items():
        if value is None:
            continue
        attribute = table.attribute(name)
        for one in value if isinstance(value, list) else [value]:
            parts.append(_encode_attribute(attribute.number, _encode_value(table, attribute, one, attrs)))
    return b"".join(parts)


def _encode_value(table: _Table, attribute: _Attribute, value: Any, beside: Mapping[str, Any]) -> bytes:
    if attribute.name == "RTA_MULTIPATH":
        return b"".join(_encode_nexthop(hop) for hop in value)
    if attribute.name == "IFLA_AF_SPEC":
        return _encode_af_spec(value)
    if attribute.scalar is not None:
        return attribute.scalar.pack(value)
    nest = table.nest(attribute.kind, beside)
    if nest is None:
        raise KeyError(f"{attribute.name}: no encoding for {attribute.kind} (beside {dict(beside)})")
    header = nest.header.pack(value) if nest.header.names else b""
    return header + _encode_nest(nest, {k: v for k, v in value.items() if k not in nest.header.names})


def _encode_nexthop(hop: Mapping[str, Any]) -> bytes:
    """One struct rtnexthop: header fields flags, hops (weight - 1) and ifindex, then route attributes."""
    attrs = _encode_nest(_table(rtmsg), {k: v for k, v in hop.items() if k.startswith("RTA_")})
    return _NEXTHOP.pack(8 + len(attrs), hop.get("flags", 0), hop.get("hops", 0), hop["ifindex"]) + attrs


def _encode_af_spec(spec: Mapping[str, int]) -> bytes:
    """IFLA_AF_SPEC > AF_INET6 > IFLA_INET6_ADDR_GEN_MODE, the one per-family attribute that can be set here."""
    return _encode_attribute(socket.AF_INET6, _encode_attribute(8, bytes([spec["addrgenmode"]])))


def attributes(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The numbers and payloads of a row of attributes."""
    at, end = 0, len(data)
    while at + 4 <= end:
        size, number = _ATTRIBUTE.unpack_from(data, at)
        if size < 4 or at + size > end:
            return
        yield number & 0x3FFF, data[at + 4 : at + size]
        at += _pad(size)


def _decode_nest(
    data: memoryview, known: Mapping[int, _Attribute], table: _Table, wanted: frozenset[str]
) -> dict[str, Any]:
    """The attributes that are known by number. Most of the time of a run goes by here: unknown ones cost next to nothing."""
    found: dict[str, Any] = {}
    at, end = 0, len(data)
    while at + 4 <= end:
        size, number = _ATTRIBUTE.unpack_from(data, at)
        if size < 4 or at + size > end:
            break
        attribute = known.get(number & 0x3FFF)
        if attribute is not None:
            name, _number, _kind, scalar = attribute
            payload = data[at + 4 : at + size]
            if scalar is not None:
                try:
                    found[name] = scalar.unpack(payload)
                except struct.error:  # the class takes it for longer than the kernel makes it (geneve's df)
                    pass
            else:
                found[name] = _decode_special(attribute, payload, table, wanted, found)
        at += (size + 3) & ~3
    return found


def _decode_special(
    attribute: _Attribute, payload: memoryview, table: _Table, wanted: frozenset[str], beside: Mapping[str, Any]
) -> Any:
    name, _number, kind, _scalar = attribute
    if name == "RTA_MULTIPATH":
        return list(_decode_nexthops(payload, wanted))
    if name == "IFLA_AF_SPEC":
        return _decode_af_spec(payload)
    if name == "IFLA_PROP_LIST":
        return {
            "IFLA_ALT_IFNAME": [_TEXT.unpack(one) for number, one in attributes(payload) if number == IFLA_ALT_IFNAME]
        }
    nest = table.nest(kind, beside)
    if nest is None or kind == "info_peer":
        return {}
    # all of the data of a link whose kind is known: the kind's own table says what it makes of them
    known = nest.scalars if kind in ("info_data", "info_slave_data", "metrics") else nest.wanted(wanted)
    return _decode_nest(payload, known, nest, wanted)


def _decode_nexthops(data: memoryview, wanted: frozenset[str]) -> Iterator[dict[str, Any]]:
    at = 0
    while at + 8 <= len(data):
        size, flags, hops, ifindex = _NEXTHOP.unpack_from(data, at)
        if size < 8:
            return
        table = _table(rtmsg)
        hop = _decode_nest(data[at + 8 : at + size], table.wanted(wanted), table, wanted)
        hop.update(flags=flags, hops=hops, ifindex=ifindex)
        yield hop
        at += _pad(size)


def _decode_af_spec(data: memoryview) -> dict[str, Any]:
    """How IPv6 makes link-local addresses, and the parameters of net/ipv4/conf/LINK and net/ipv6/conf/LINK as arrays
    of numbers, in the order of include/uapi/linux/ip.h and ipv6.h."""
    found: dict[str, Any] = {}
    for family, inner in attributes(data):
        for number, payload in attributes(inner):
            if family == socket.AF_INET and number == 1:  # IFLA_INET_CONF
                found["ipv4"] = bytes(payload)
            elif family == socket.AF_INET6 and number == 2:  # IFLA_INET6_CONF
                found["ipv6"] = bytes(payload)
            elif family == socket.AF_INET6 and number == 8:
                found["addrgenmode"] = payload[0]
    return found


def encode(request: Request, sequence: int, flags: int = 0) -> bytes:
    """One message, ready to be sent."""
    table = _table(_message_class(request.type))
    body = table.header.pack(request.header)
    body += bytes(_pad(len(body)) - len(body)) + _encode_nest(table, request.attrs)
    return _HEADER.pack(16 + len(body), request.type, NLM_F_REQUEST | request.flags | flags, sequence, 0) + body


def decode(kind: int, body: memoryview, wanted: frozenset[str]) -> dict[str, Any]:
    """The header fields and the wanted attributes of one message."""
    table = _table(_message_class(kind))
    form, names = table.header
    message = dict(zip(names, form.unpack_from(body)))
    message.update(_decode_nest(body[_pad(form.size) :], table.wanted(wanted), table, wanted))
    return message


def _error(code: int, flags: int, body: memoryview) -> NetlinkError:
    """NLMSG_ERROR: the code, then the request's header (all of it if not capped), then the extended ack."""
    extack = ""
    if flags & NLM_F_ACK_TLVS:
        size = _HEADER.unpack_from(body, 4)[0]
        start = 4 + (16 if flags & NLM_F_CAPPED else _pad(size))
        for number, payload in attributes(body[start:]):
            if number == 1:  # NLMSGERR_ATTR_MSG
                extack = _TEXT.unpack(payload)
    return NetlinkError(code, extack)


class Channel:
    """A netlink socket in the network namespace of the thread that opens it. Close it, or use it in `with`."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            self.socket.setsockopt(socket.SOL_SOCKET, option, BUFFER)
        self.socket.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self.socket.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        self.sequence = 0

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.socket.close()

    def dump(
        self, request: Request, wanted: Iterable[str], keep: Callable[[memoryview], bool] | None = None
    ) -> list[dict[str, Any]]:
        """All objects that the kernel lists; `keep` looks at the raw message first (cheaper than decoding it).

        A dump that the kernel marks as interrupted is inconsistent and asked for again, 20 times at the most.
        """
        names = frozenset(wanted)
        for _attempt in range(DUMP_RETRIES):
            messages, interrupted = self.dump_once(request, names, keep)
            if not interrupted:
                return messages
        raise NetlinkError(errno.EINTR, f"the kernel's tables changed during each of {DUMP_RETRIES} dumps")

    def dump_once(self, request: Request, wanted: frozenset[str], keep: Any) -> tuple[list[dict[str, Any]], bool]:
        """One dump, and whether the kernel says that it was interrupted: objects may be missing or there twice."""
        self.sequence += 1
        self.socket.send(encode(request, self.sequence, NLM_F_DUMP))
        messages: list[dict[str, Any]] = []
        interrupted = False
        while True:
            for kind, flags, _sequence, body in self._receive():
                interrupted = interrupted or bool(flags & NLM_F_DUMP_INTR)
                if kind == NLMSG_DONE:
                    return messages, interrupted
                if kind == NLMSG_ERROR:
                    code = -_ERROR.unpack_from(body)[0]
                    if code == errno.EINTR:
                        return messages, True
                    raise _error(code, flags, body)
                if keep is None or keep(body):
                    messages.append(decode(kind, body, wanted))

    def dump_raw(self, request: Request) -> list[memoryview]:
        """The bodies of the messages of a dump, for kinds that pyroute2 has no small class for: see attributes()."""
        bodies: list[memoryview] = []  # of an interrupted dump as well: some are there twice then

        def keep(body: memoryview) -> bool:
            bodies.append(body)
            return False

        self.dump(request, (), keep)
        return bodies

    def get(self, requests: list[Request], wanted: Iterable[str]) -> list[dict[str, Any] | NetlinkError]:
        """One answer for each request, in their order: the object, or the kernel's error."""
        names = frozenset(wanted)
        answers: list[dict[str, Any] | NetlinkError] = []
        for start in range(0, len(requests), BATCH):
            part = requests[start : start + BATCH]
            first = self.sequence + 1
            self.sequence += len(part)
            self.socket.send(b"".join(encode(one, first + n) for n, one in enumerate(part)))
            found: dict[int, dict[str, Any] | NetlinkError] = {}
            while len(found) < len(part):
                for kind, flags, sequence, body in self._receive():
                    if kind == NLMSG_ERROR:
                        found[sequence] = _error(-_ERROR.unpack_from(body)[0], flags, body)
                    else:
                        found[sequence] = decode(kind, body, names)
            answers += [found[first + n] for n in range(len(part))]
        return answers

    def change(self, requests: list[Request]) -> dict[int, NetlinkError]:
        """Send changes in order; {position: error} of those that the kernel refused.

        The kernel goes on with later requests of a send after one failed: the caller looks at what came of it.
        """
        errors: dict[int, NetlinkError] = {}
        for start in range(0, len(requests), BATCH):
            part = requests[start : start + BATCH]
            first = self.sequence + 1
            last = self.sequence = self.sequence + len(part)
            self.socket.send(
                b"".join(encode(one, first + n, NLM_F_ACK if first + n == last else 0) for n, one in enumerate(part))
            )
            done = False
            while not done:
                for kind, flags, sequence, body in self._receive():
                    if kind != NLMSG_ERROR or sequence < first:
                        continue
                    code = -_ERROR.unpack_from(body)[0]
                    if code:
                        errors[start + sequence - first] = _error(code, flags, body)
                    done = done or sequence == last
            if errors:
                break
        return errors

    def _receive(self) -> Iterator[tuple[int, int, int, memoryview]]:
        data = memoryview(self.socket.recv(RECEIVE))
        at = 0
        while at + 16 <= len(data):
            size, kind, flags, sequence, _pid = _HEADER.unpack_from(data, at)
            yield kind, flags, sequence, data[at + 16 : at + size]
            at += _pad(size)
