# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rule of iptables means: two rules are the same if, and only if, their meanings are equal.

The kernel keeps numbers, not words, and iptables-save prints them in its own way, with defaults that nobody wrote:
extensions/lib*.c (1.8.9), each function here names what it stands for. What is not known here is compared as it is
written, in its order: different texts may then mean the same, but the same meaning is never claimed of different rules.
"""

from __future__ import annotations

import grp
import ipaddress
import pwd
import re
import socket
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Optional, Union

from . import _iptables_rule as grammar
from ._iptables_options import PROTOCOL_MATCHES
from ._iptables_rule import Extension, Option, Rule

Meaning = tuple[Any, ...]
Value = Union[str, int, tuple[Any, ...]]
Normal = Callable[[str], Optional[Value]]  # None: says nothing, like -s 0.0.0.0/0

# Matches that count, remember or draw lots when they are asked: what is asked before them makes a difference. The order
# of all others makes none. A match that is not known here keeps its place as well.
_ORDER_FREE = frozenset({
    "tcp", "udp", "udplite", "sctp", "dccp", "icmp", "icmp6", "esp", "multiport", "addrtype", "mark", "connmark", "state",
    "conntrack", "physdev", "rpfilter", "owner", "length", "tcpmss", "mac", "ttl", "hl", "pkttype", "iprange", "helper",
    "dscp", "tos", "cpu", "socket", "devgroup", "ecn", "realm", "policy",
})  # fmt: skip
_TCP_FLAGS = ("FIN", "SYN", "RST", "ACK", "PSH", "URG")
_SYN = Option("tcp-flags", ("SYN,RST,ACK,FIN", "SYN"))
_PROTOCOLS = {  # libxtables/xtables.c: xtables_chain_protos; what else there is, is in /etc/protocols
    "all": 0, "tcp": 6, "sctp": 132, "udp": 17, "udplite": 136, "icmp": 1, "icmpv6": 58, "ipv6-icmp": 58, "esp": 50,
    "ah": 51, "ipv6-mh": 135, "mh": 135, "gre": 47, "ipencap": 4, "dccp": 33, "igmp": 2, "vrrp": 112, "ospf": 89,
}  # fmt: skip
_ICMP = {  # extensions/libxt_icmp.h
    "any": "255", "echo-reply": "0", "pong": "0", "destination-unreachable": "3", "network-unreachable": "3/0",
    "host-unreachable": "3/1", "protocol-unreachable": "3/2", "port-unreachable": "3/3", "fragmentation-needed": "3/4",
    "source-route-failed": "3/5", "network-unknown": "3/6", "host-unknown": "3/7", "network-prohibited": "3/9",
    "host-prohibited": "3/10", "TOS-network-unreachable": "3/11", "TOS-host-unreachable": "3/12",
    "communication-prohibited": "3/13", "host-precedence-violation": "3/14", "precedence-cutoff": "3/15",
    "source-quench": "4", "redirect": "5", "network-redirect": "5/0", "host-redirect": "5/1", "TOS-network-redirect": "5/2",
    "TOS-host-redirect": "5/3", "echo-request": "8", "ping": "8", "router-advertisement": "9", "router-solicitation": "10",
    "time-exceeded": "11", "ttl-exceeded": "11", "ttl-zero-during-transit": "11/0", "ttl-zero-during-reassembly": "11/1",
    "parameter-problem": "12", "ip-header-bad": "12/0", "required-option-missing": "12/1", "timestamp-request": "13",
    "timestamp-reply": "14", "address-mask-request": "17", "address-mask-reply": "18",
}  # fmt: skip
_ICMP6 = {
    "destination-unreachable": "1", "no-route": "1/0", "communication-prohibited": "1/1", "beyond-scope": "1/2",
    "address-unreachable": "1/3", "port-unreachable": "1/4", "failed-policy": "1/5", "reject-route": "1/6",
    "packet-too-big": "2", "time-exceeded": "3", "ttl-exceeded": "3", "ttl-zero-during-transit": "3/0",
    "ttl-zero-during-reassembly": "3/1", "parameter-problem": "4", "bad-header": "4/0", "unknown-header-type": "4/1",
    "unknown-option": "4/2", "echo-request": "128", "ping": "128", "echo-reply": "129", "pong": "129",
    "router-solicitation": "133", "router-advertisement": "134", "neighbour-solicitation": "135",
    "neighbor-solicitation": "135", "neighbour-advertisement": "136", "neighbor-advertisement": "136", "redirect": "137",
}  # fmt: skip
_REJECT = {  # extensions/libipt_REJECT.c, libip6t_REJECT.c
    "net-unreach": "icmp-net-unreachable", "host-unreach": "icmp-host-unreachable", "tcp-rst": "tcp-reset",
    "proto-unreach": "icmp-proto-unreachable", "net-prohib": "icmp-net-prohibited", "host-prohib": "icmp-host-prohibited",
    "admin-prohib": "icmp-admin-prohibited", "no-route": "icmp6-no-route", "adm-prohibited": "icmp6-adm-prohibited",
    "addr-unreach": "icmp6-addr-unreachable", "policy-fail": "icmp6-policy-fail", "reject-route": "icmp6-reject-route",
    "port-unreach": "icmp-port-unreachable", "icmp6-port-unreachable": "icmp-port-unreachable",
}  # fmt: skip
_SYSLOG = ("emerg", "alert", "crit", "error", "warning", "notice", "info", "debug")
_SCALE = 10000  # XT_LIMIT_SCALE
_RATES = {"day": 86400 * _SCALE, "hour": 3600 * _SCALE, "min": 60 * _SCALE, "sec": _SCALE}


# ---- values -------------------------------------------------------------------------------------------------------


def _network(text: str) -> Value | None:
    """An address with its mask; hosts' names are not taken (the kernel shows what they stood for)."""
    if re.fullmatch(r"\d+(\.\d+){0,2}/\d+", text):  # 10/8 (libxtables/xtables.c: pad_cidr)
        text = text.replace("/", ".0" * (3 - text.count(".")) + "/")
    try:
        network = ipaddress.ip_network(text, strict=False)
        return str(network) if network.prefixlen else None
    except ValueError:
        address, _slash, mask = text.partition("/")
        try:  # a mask with holes: 10.0.0.1/255.0.0.255
            bits = ipaddress.ip_address(mask)
            masked = type(bits)(int(ipaddress.ip_address(address)) & int(bits))
        except ValueError:
            raise ValueError(f"{text!r} is not one address or network") from None
        return f"{masked}/{bits}"


def _interface(text: str) -> Value | None:
    return None if text == "+" else text


def _protocol(text: str) -> Value | None:
    word = text.lower()
    if word in _PROTOCOLS:
        return _PROTOCOLS[word] or None
    try:
        return int(word, 0) or None
    except ValueError:
        return socket.getprotobyname(word) if _has(socket.getprotobyname, word) else word


def _has(ask: Callable[[str], Any], name: str) -> bool:
    try:
        ask(name)
    except (OSError, KeyError):
        return False
    return True


def _number(text: str) -> Value:
    return int(text, 0)


def _port(text: str) -> int:
    if text.isdigit():
        return int(text)
    return socket.getservbyname(text) if _has(socket.getservbyname, text) else int(text, 0)


def _range(most: int) -> Normal:
    """80, 80:90, 80:, :90 -> (low, high)."""

    def normal(text: str) -> Value | None:
        low, colon, high = text.partition(":")
        found = _port(low or "0"), _port(high or str(most)) if colon else _port(low)
        return None if found == (0, most) else found

    return normal


def _ports(text: str) -> Value:
    return tuple(tuple(_port(end) for end in part.split(":")) for part in text.split(","))


def _words(text: str) -> Value:
    return tuple(sorted(set(text.upper().split(","))))


def _icmp(names: dict[str, str]) -> Normal:
    return lambda text: names.get(text, text)


def _masked(text: str) -> Value:
    """--mark value[/mask]"""
    value, _slash, mask = text.partition("/")
    return int(value, 0), int(mask or "0xffffffff", 0)


def _probability(text: str) -> Value:
    """The kernel's number of 31 bits (libxt_statistic.c)."""
    return round(float(text) * 0x80000000)


def _rate(text: str) -> Value:
    """As print_rate() of libxt_limit.c would print it: the kernel keeps the time between two packets."""
    number, _slash, unit = text.partition("/")
    full = next((name for name in _RATES if name.startswith((unit or "sec")[:1])), "sec")
    period = _RATES[full] // max(int(number), 1)
    shown = "day"
    for name, scale in _RATES.items():
        if not period or period > scale or scale // period < scale % period:
            break
        shown = name
    return (_RATES[shown] // period if period else 0), shown


def _user(text: str) -> Value:
    return pwd.getpwnam(text).pw_uid if _has(pwd.getpwnam, text) else _ids(text)


def _group(text: str) -> Value:
    return grp.getgrnam(text).gr_gid if _has(grp.getgrnam, text) else _ids(text)


def _ids(text: str) -> Value:
    return int(text) if text.isdigit() else text


def _level(text: str) -> Value:
    found = [number for number, name in enumerate(_SYSLOG) if name.startswith(text.lower())]
    return found[0] if found and not text.isdigit() else int({"panic": "0", "err": "3"}.get(text, text))


def _lower(text: str) -> Value:
    return text.lower()


def _reject(text: str) -> Value:
    return _REJECT.get(text, text)


def _zone(text: str) -> Value:
    return text if text == "mark" else int(text, 0)


def _u32(text: str) -> Value:
    """Numbers are printed as hexadecimal ones (libxt_u32.c)."""
    return re.sub(r"\b(0x[0-9a-fA-F]+|[1-9]\d*|0)\b", lambda number: hex(int(number[0], 0)), "".join(text.split()))


def _dscp_class(text: str) -> Value:
    """libxt_dscp.c's dscp_classes (RFC 2474, 2597, 3246)."""
    name = text.upper()
    if re.fullmatch(r"CS[0-7]|AF[1-4][1-3]", name):
        return 8 * int(name[2]) + (2 * int(name[3]) if name[0] == "A" else 0)
    return {"BE": 0, "EF": 46}.get(name, text)


_NORMAL: dict[tuple[str, str], Normal] = {
    ("", "-s"): _network, ("", "-d"): _network, ("", "-i"): _interface, ("", "-o"): _interface, ("", "-p"): _protocol,
    **{(match, port): _range(0xFFFF) for match in ("tcp", "udp", "udplite", "sctp", "dccp") for port in ("sport", "dport")},
    **{("multiport", option): _ports for option in ("sports", "dports", "ports")},
    ("icmp", "icmp-type"): _icmp(_ICMP), ("icmp6", "icmpv6-type"): _icmp(_ICMP6),
    ("addrtype", "src-type"): _words, ("addrtype", "dst-type"): _words,
    ("mark", "mark"): _masked, ("connmark", "mark"): _masked,
    ("state", "state"): _words, ("conntrack", "ctstate"): _words, ("conntrack", "ctstatus"): _words,
    ("conntrack", "ctproto"): _protocol, ("conntrack", "ctdir"): _words,
    **{("conntrack", f"ct{way}"): _network for way in ("origsrc", "origdst", "replsrc", "repldst")},
    **{("conntrack", f"ct{way}port"): _range(0xFFFF) for way in ("origsrc", "origdst", "replsrc", "repldst")},
    ("statistic", "probability"): _probability, ("statistic", "mode"): _lower,
    ("statistic", "every"): _number, ("statistic", "packet"): _number,
    ("recent", "seconds"): _number, ("recent", "hitcount"): _number,
    ("limit", "limit"): _rate, ("limit", "limit-burst"): _number,
    ("owner", "uid-owner"): _user, ("owner", "gid-owner"): _group,
    ("length", "length"): _range(0xFFFF), ("tcpmss", "mss"): _range(0xFFFF), ("mac", "mac-source"): _lower,
    ("pkttype", "pkt-type"): _lower,
    ("REJECT", "reject-with"): _reject, ("LOG", "log-level"): _level,
    ("REDIRECT", "to-ports"): lambda text: tuple(_port(end) for end in text.split("-")),
    ("CONNMARK", "nfmask"): _number, ("CONNMARK", "ctmask"): _number,
    **{("NFLOG", f"nflog-{option}"): _number for option in ("group", "size", "threshold")},
    ("NFLOG", "nflog-range"): lambda _text: None,  # does nothing, says iptables-extensions(8), and nf_tables drops it
    ("NFQUEUE", "queue-num"): _number, ("u32", "u32"): _u32, ("cgroup", "cgroup"): _number,
    **{("CT", option): _zone for option in ("zone", "zone-orig", "zone-reply")},
    ("ipvs", "vproto"): _protocol, ("ipvs", "vaddr"): _network, ("ipvs", "vport"): _port, ("ipvs", "vportctl"): _port,
    ("dscp", "dscp"): _number, ("DSCP", "set-dscp"): _number,
    ("dscp", "dscp-class"): _dscp_class, ("DSCP", "set-dscp-class"): _dscp_class,
}  # fmt: skip

# What the kernel does unless something else is said: said or not is the same.
_DEFAULTS: dict[tuple[str, str], tuple[Value, ...]] = {
    ("recent", "name"): ("DEFAULT",),
    ("recent", "mask"): ("255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("recent", "rsource"): ((),),
    ("limit", "limit"): ((3, "hour"),),
    ("limit", "limit-burst"): (5,),
    ("hashlimit", "hashlimit-burst"): ("5",),
    ("connlimit", "connlimit-saddr"): ((),),
    ("connlimit", "connlimit-mask"): ("32", "128"),
    ("REJECT", "reject-with"): ("icmp-port-unreachable",),
    ("LOG", "log-level"): (4,),
    ("NFLOG", "nflog-group"): (0,),
    ("NFQUEUE", "queue-num"): (0,),
    ("ipvs", "ipvs"): ((),),  # each of its other options says so, too
    ("NFLOG", "nflog-threshold"): (1,),
}


def destination_ports(rule: Rule) -> list[tuple[list[tuple[int, int]], bool]]:
    """The ranges of destination ports that a rule's matches ask for, each with whether they are negated."""
    found = []
    for match in rule.matches:
        for option in match.options:
            parts = option.values[0].split(",") if option.name in ("dport", "dports", "ports") else ()
            ranges = []
            for part in parts:
                low, colon, high = part.partition(":")
                ranges.append((_port(low or "0"), _port(high or "65535") if colon else _port(low)))
            if ranges:
                found.append((ranges, option.negated))
    return found


# ---- rules --------------------------------------------------------------------------------------------------------


def _xmark(option: str, text: str) -> tuple[int, int]:
    """Value and mask of --set-xmark that say the same (libxt_MARK.c: mark_tg_parse)."""
    value, _slash, mask = text.partition("/")
    number, bits = int(value, 0), int(mask or "0xffffffff", 0)
    return {
        "set-xmark": (number, bits),
        "set-mark": (number, bits | number),
        "or-mark": (number, number),
        "and-mark": (0, ~number & 0xFFFFFFFF),
        "xor-mark": (number, 0),
    }[option]


def _flags(values: tuple[str, ...]) -> tuple[Any, ...]:
    """--tcp-flags mask set (libxt_tcp.c)."""
    groups = {"ALL": set(_TCP_FLAGS), "NONE": set()}
    return tuple(tuple(sorted(groups.get(text, set(text.split(","))))) for text in values)


def _option(owner: str, option: Option) -> tuple[Any, ...] | None:
    """An option's meaning; None if it says nothing."""
    name, values, negated = option
    value: Any
    if (owner, name) == ("tcp", "syn"):
        name, values = _SYN.name, _SYN.values
    if (owner, name) == ("tcp", "tcp-flags"):
        value = _flags(values)
    elif owner in ("MARK", "CONNMARK") and name.endswith("-mark") and values:
        name, value = "set-xmark", _xmark(name, values[0])
    elif owner in ("MARK", "CONNMARK") and name == "set-xmark":
        value = _xmark(name, values[0])
    elif (owner, name) in _NORMAL:
        value = _NORMAL[owner, name](values[0])
        if value is None and not negated:
            return None
    else:
        value = values[0] if len(values) == 1 else values
    if name in ("dscp-class", "set-dscp-class"):
        name = name[: -len("-class")]
    if not negated and value in _DEFAULTS.get((owner, name), ()):
        return None
    return (name, value, negated)


def _extension(extension: Extension) -> Meaning:
    name, options = extension
    if name == "NOTRACK":
        name, options = "CT", (Option("notrack"),)
    if name == "CONNMARK" and any(option.name in ("save-mark", "restore-mark") for option in options):
        given = {option.name: option.values for option in options}
        both = given.pop("mask", ("0xffffffff",))
        given = {"nfmask": both, "ctmask": both, **given}
        options = tuple(Option(option, values) for option, values in given.items())
    found = [meaning for option in options if (meaning := _option(name, option)) is not None]
    if ("next", (), False) not in found:  # of `-m policy`, whose options belong to what is before or behind it
        found.sort(key=repr)
    return (name, *found)


def meaning(rule: Rule) -> Meaning:
    """The meaning of a rule, to be compared (and hashed)."""
    conditions = sorted((m for option in rule.conditions if (m := _option("", option)) is not None), key=repr)
    protocols = {PROTOCOL_MATCHES.get(o.values[0].lower()) for o in rule.conditions if o.name == "-p" and not o.negated}
    comments = []
    blocks: list[Any] = [[]]
    for match in rule.matches:
        one = _extension(match)
        if match.name == "comment":
            comments.append(one)
        elif match.name not in _ORDER_FREE:
            blocks += [one, []]
        elif match.name in protocols:
            # `-m tcp` alone says what `-p tcp` said, and the nf_tables back end makes one match of two
            blocks[-1] += [(match.name, option) for option in one[1:]]
        else:
            blocks[-1].append(one)
    matches = tuple(tuple(sorted(block, key=repr)) if isinstance(block, list) else block for block in blocks)
    target = _extension(rule.target) if rule.target else ()
    return (tuple(conditions), tuple(comments), matches, target, rule.goto)


@lru_cache(maxsize=1 << 16)
def atoms(text: str) -> Meaning:
    """The meaning of a rule's text. ValueError for what is no rule."""
    return meaning(grammar.read(text))
