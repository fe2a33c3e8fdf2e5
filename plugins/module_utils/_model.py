# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words of the engine: keys, objects, fields, types, ops, and how an option's value is read.

An object is one thing in a kernel. Its key says which one it is; its fields are named like the options that state
them and hold canonical values (addresses and MACs as the kernel prints them, numbers as numbers, booleans).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

# Marks of what the collection made. They are documented in the README; change them nowhere else.
MARK_GROUP = 7102818  # link group: 0x6c6162, "lab"
MARK_PROTO = 76  # route and address protocol: "L"
# kind: the field that shows the mark, and the mark
MARKS = {
    "link": ("group", MARK_GROUP),
    **dict.fromkeys(("address", "route", "rule", "neighbor"), ("proto", MARK_PROTO)),
}

LIVE, RECREATE, CREATE_ONLY = "live", "recreate", "create_only"
MAX_NAME = 15  # IFNAMSIZ - 1
IPV6_MTU = 1280  # IPV6_MIN_MTU (RFC 8200): IPv6 leaves a link with less, and its addresses and parameters go
# Bytes around the packet in a tunnel, over an IPv4 and an IPv6 underlay (RFC 2003; RFC 7348, with the inner Ethernet header)
TUNNEL_HEADERS = {"ipip": {4: 20}, "vxlan": {4: 50, 6: 70}}


# Kinds whose identity does not read well as it stands say here how it does: kind -> (ident -> text).
LABELS: dict[str, Callable[[tuple[Any, ...]], str]] = {}


class Key(NamedTuple):
    """Which object: its kind, the namespace it is in ('' the host's own), and what tells it from its siblings."""

    kind: str
    netns: str
    ident: tuple[Any, ...]

    def __str__(self) -> str:
        label = LABELS.get(self.kind)
        name = label(self.ident) if label else " ".join(str(part) for part in self.ident if part not in ("", None))
        return f"{self.kind} {name}" + (f" in netns {self.netns}" if self.netns else "")


class Object(NamedTuple):
    """A key and the fields that are stated (a want) or known (a have)."""

    key: Key
    fields: dict[str, Any]


class Type(NamedTuple):
    """How a value is read and shown. parse(user's value) raises ValueError saying what would be right."""

    parse: Callable[[Any], Any]
    word: Callable[[Any], str] = str


def _same(want: Any, have: Any) -> bool:
    return bool(want == have)


def _never(_was: Any, _value: Any) -> bool:
    return False


class Field(NamedTuple):
    """One option of a kind: its type, where the kernel keeps it, how it may change, how values compare."""

    type: Type
    nla: str = ""
    change: str = LIVE
    word: str | None = None  # iproute2's keyword where it is not the option's name; '' for none
    load: Callable[[Any], Any] = lambda value: value  # from the attribute's value
    dump: Callable[[Any], Any] = lambda value: value  # to the attribute's value
    same: Callable[[Any, Any], bool] = _same
    fixed: Callable[[Any, Any], bool] = _never  # whether a live option cannot go from the one value to the other
    unset: Any = None  # what the kernel means when it leaves the attribute out


class Op(NamedTuple):
    """One change: what is done to which object."""

    action: str  # create, change, delete, move
    key: Key
    fields: dict[str, Any] = {}  # what is set
    have: dict[str, Any] = {}  # what the kernel holds now
    also: tuple[Object, ...] = ()  # what comes or goes along: a veth's other end


class Problem(NamedTuple):
    """A mistake in a description, or a reason why a plan may not be carried out."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


# ---- values -------------------------------------------------------------------------------------------------------


def flag(value: Any) -> bool:
    """true/false, and the words that Ansible and iproute2 use for them."""
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in ("1", "yes", "on", "true", "y"):
        return True
    if word in ("0", "no", "off", "false", "n"):
        return False
    raise ValueError(f"{value!r} is not a boolean")


FLAG = Type(flag, lambda value: "on" if value else "off")
BIT = Type(flag, lambda value: "1" if value else "0")


def integer(low: int, high: int) -> Type:
    """A whole number in a range; hexadecimal (0x..) is read too."""

    def parse(value: Any) -> int:
        try:
            if isinstance(value, (bool, float)):
                raise ValueError
            number = value if isinstance(value, int) else int(str(value), 0)
        except ValueError:
            raise ValueError(f"{value!r} is not a whole number") from None
        if not low <= number <= high:
            raise ValueError(f"{number} is out of range, {low} to {high}")
        return number

    return Type(parse)


def choice(numbers: Mapping[str, int]) -> Type:
    """A word of the kernel's; a number without a word stands for itself."""

    def parse(value: Any) -> str:
        word = str(value).lower()
        if word in numbers:
            return word
        names = {number: name for name, number in numbers.items()}
        if word.isdigit() and int(word) in names:
            return names[int(word)]
        raise ValueError(f"{value!r} is none of {', '.join(numbers)}")

    return Type(parse)


def numbered(numbers: Mapping[str, int], low: int, high: int) -> Type:
    """A number that may be given, and is shown, by its name (route tables, protocols, scopes)."""
    names = {number: name for name, number in numbers.items()}

    def parse(value: Any) -> int:
        word = str(value).lower()
        return numbers[word] if word in numbers else integer(low, high).parse(value)

    return Type(parse, lambda value: names.get(value, str(value)))


def loader(numbers: Mapping[str, int]) -> Callable[[int], str]:
    """From the kernel's number to the word of a choice()."""
    names = {number: name for name, number in numbers.items()}
    return lambda value: names.get(value, str(value))


def dumper(numbers: Mapping[str, int]) -> Callable[[str], int]:
    """From the word of a choice() to the kernel's number."""
    return lambda word: numbers[word] if word in numbers else int(word)


def ip(value: Any) -> str:
    """An IPv4 or IPv6 address."""
    try:
        return str(ipaddress.ip_address(str(value)))
    except ValueError:
        raise ValueError(f"{value!r} is not an IP address") from None


def ip4(value: Any) -> str:
    """An IPv4 address."""
    try:
        return str(ipaddress.IPv4Address(str(value)))
    except ValueError:
        raise ValueError(f"{value!r} is not an IPv4 address") from None


def interface(value: Any) -> str:
    """address/prefix length; the length of a host without one (10.0.0.1 is 10.0.0.1/32)."""
    try:
        return str(ipaddress.ip_interface(str(value)))
    except ValueError:
        raise ValueError(f"{value!r} is not an address with a prefix length, like 192.0.2.1/24") from None


def mac(value: Any) -> str:
    """An Ethernet address."""
    text = str(value).lower().replace("-", ":")
    if not re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", text):
        raise ValueError(f"{value!r} is not a MAC address, like 02:00:00:00:00:01")
    return text


def unicast_mac(value: Any) -> str:
    """An Ethernet address that an interface can have (eth_addr: not multicast, not zero)."""
    text = mac(value)
    if int(text[:2], 16) & 1 or text == "00:00:00:00:00:00":
        raise ValueError(f"{value!r} cannot be an interface's MAC address: it is multicast or zero")
    return text


def _name(value: Any, what: str, most: int) -> str:
    text = str(value)
    if not text or text in (".", ".."):
        raise ValueError(f"{text!r} is not a name for {what}")
    if "/" in text or any(c.isspace() or ord(c) < 33 for c in text):
        raise ValueError(f"{text!r} holds a character that a name of {what} must not hold ('/' or white space)")
    if len(text.encode()) > most:
        raise ValueError(f"{text!r} is {len(text.encode())} bytes long, a name of {what} has {most} at the most")
    return text


def link_name(value: Any) -> str:
    """The name of an interface (net/core/dev.c, dev_valid_name; 15 bytes)."""
    text = _name(value, "an interface", MAX_NAME)
    if ":" in text or "%" in text:
        raise ValueError(f"{text!r} holds a character that a name of an interface must not hold (':' or '%')")
    return text


def netns_name(value: Any) -> str:
    """The name of a namespace: a file name."""
    return _name(value, "a network namespace", 255)


def text_of(most: int) -> Type:
    """Free text of a bounded length in bytes."""

    def parse(value: Any) -> str:
        text = str(value)
        if len(text.encode()) > most:
            raise ValueError(f"{text!r} is longer than {most} bytes")
        return text

    return Type(parse)


IP, IP4, MAC, LINK = Type(ip), Type(ip4), Type(mac), Type(link_name)
OPTIONAL_LINK = Type(lambda value: link_name(value) if value not in ("", None) else "")
U8, U16, U32, U64 = (integer(0, (1 << bits) - 1) for bits in (8, 16, 32, 64))


def dsfield(value: Any) -> int:
    """A TOS byte to look up by: without the two bits of ECN (inet_validate_dscp)."""
    number = int(U8.parse(value))
    if number & 3:
        raise ValueError(f"{number:#x} has bits of ECN; the two lowest bits must be 0")
    return number


# ---- reading a description ----------------------------------------------------------------------------------------


class Item:
    """One entry of a description: options are taken from it; mistakes are gathered, not raised."""

    def __init__(self, kind: str, options: Mapping[str, Any], problems: list[Problem]) -> None:
        self.kind = kind
        self.options = {name: value for name, value in options.items() if value is not None}
        self.problems = problems
        self.label = kind
        self.sound = True

    def named(self, label: str) -> None:
        """From here on, problems say which object it is."""
        self.label = f"{self.kind} {label}"

    def problem(self, what: str, option: str = "") -> None:
        """Note a mistake."""
        self.sound = False
        self.problems.append(Problem(self.label, f"option {option}: {what}" if option else what))

    def take(self, option: str, parse: Callable[[Any], Any], default: Any = None, required: bool = False) -> Any:
        """The parsed value of an option, which is then done with."""
        if option not in self.options:
            if required:
                self.problem("is required", option)
            return default
        value = self.options.pop(option)
        try:
            return parse(value)
        except (ValueError, TypeError) as error:
            self.problem(str(error), option)
            return default

    def fields(self, table: Mapping[str, Field]) -> dict[str, Any]:
        """All stated options of a table of fields."""
        found = {}
        for option in [name for name in self.options if name in table]:
            before = len(self.problems)
            value = self.take(option, table[option].type.parse)
            if len(self.problems) == before:
                found[option] = value
        return found

    def done(self) -> None:
        """What is left over is unknown."""
        for option in self.options:
            self.problem("there is no such option here", option)


# ---- iproute2's words ---------------------------------------------------------------------------------------------


def words(fields: Mapping[str, Any], table: Mapping[str, Field]) -> list[str]:
    """Fields as iproute2's arguments, in the order of the table."""
    found = []
    for option, field in table.items():
        if option in fields and field.word != "":
            found += [field.word or option, field.type.word(fields[option])]
    return found


def in_netns(tool: str, netns: str) -> str:
    """`ip` or `bridge` in a namespace."""
    if not netns:
        return tool
    if netns.startswith("/"):
        return f"nsenter --net={netns} {tool}"
    return f"{tool} -n {netns}"


def command(tool: str, netns: str, *parts: Any) -> str:
    """One line to type; empty parts are left out."""
    flat: Iterable[str] = (str(part) for part in parts if part not in ("", None))
    return " ".join([in_netns(tool, netns), *flat])
