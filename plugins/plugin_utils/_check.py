# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a role's variables: values are parsed, mistakes are gathered (with host, variable and value), not raised."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

SECTIONS = ("namespaces", "links", "addresses", "routes", "neighbors", "fdb", "sysctls", "chains")
Network4 = ipaddress.IPv4Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Check:
    """The variables of one role on one host, and what is wrong with them."""

    def __init__(self, role: str, host: str, values: Mapping[str, Any]) -> None:
        self.role = role
        self.host = host
        self.values = values
        self.problems: list[str] = []

    def problem(self, option: str, what: str) -> None:
        """Note a mistake once. `option` is a variable without the role's prefix, or with a part: `namespaces[2].name`."""
        line = f"{self.host}: {self.role}_{option}: {what}"
        if line not in self.problems:
            self.problems.append(line)

    def parse(self, option: str, value: Any, how: Callable[[Any], Any], default: Any = None) -> Any:
        """The value as `how` reads it; the default, and a problem, if `how` raises ValueError."""
        try:
            return how(value)
        except (ValueError, TypeError) as error:
            self.problem(option, str(error))
            return default

    def read(self, option: str, how: Callable[[Any], Any], default: Any = None) -> Any:
        """A variable; the default for one that is left empty (none, '')."""
        value = self.values.get(option)
        return default if empty(value) else self.parse(option, value, how, default)

    def required(self, option: str, how: Callable[[Any], Any], default: Any = None) -> Any:
        """A variable that has no meaning when it is left empty: none and '' are mistakes like others."""
        return self.parse(option, self.values.get(option), how, default)

    def entry(self, where: str, given: Any, options: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
        """One dictionary of a list variable, each option parsed; unknown options are problems."""
        if not isinstance(given, Mapping):
            self.problem(where, f"{given!r} is not a dictionary of {', '.join(options)}")
            return {}
        for option in given:
            if option not in options:
                self.problem(f"{where}.{option}", f"there is no such option; there are {', '.join(options)}")
        found = {}
        for option, how in options.items():
            if not empty(given.get(option)):
                value = self.parse(f"{where}.{option}", given[option], how)
                if value is not None:
                    found[option] = value
        return found


def empty(value: Any) -> bool:
    """Left out, none, or ''."""
    return value is None or (isinstance(value, str) and not value)


def description(**sections: list[Any]) -> dict[str, list[Any]]:
    """A description of network_state with all its sections, so that a task can name each of them."""
    return {section: sections.get(section, []) for section in SECTIONS}


def stated(**options: Any) -> dict[str, Any]:
    """The options that have a value: what is left out of a description stays as it is."""
    return {option: value for option, value in options.items() if not empty(value) and value != {}}


def boolean(value: Any) -> bool:
    """true/false, and the words that YAML and Ansible use for them."""
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0"):
        return False
    raise ValueError(f"{value!r} is neither true nor false")


def listing(value: Any) -> list[Any]:
    """A list; a single value is a list of one."""
    if isinstance(value, (str, int)):
        return [value]
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{value!r} is not a list")
    return list(value)


def mapping(value: Any) -> dict[str, Any]:
    """A dictionary of options, which the engine reads."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is not a dictionary")
    return dict(value)


def network4(value: Any) -> Network4:
    """An IPv4 network with room for two hosts at least."""
    try:
        network = ipaddress.IPv4Network(str(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is not an IPv4 network like 192.0.2.0/24 ({error})") from None
    if network.prefixlen > 30 or not network.prefixlen:
        raise ValueError(f"{value!r} is not a usable size; a prefix length of 1 to 30 is")
    return network


def address4(value: Any) -> ipaddress.IPv4Address:
    """An IPv4 address without a prefix length."""
    try:
        return ipaddress.IPv4Address(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is not an IPv4 address") from None


def interface4(value: Any) -> ipaddress.IPv4Interface:
    """An IPv4 address with the length of its network: a host's address in it."""
    text = str(value)
    try:
        found = ipaddress.IPv4Interface(text)
    except ValueError:
        found = None
    if found is None or "/" not in text:
        raise ValueError(f"{value!r} is not an address with a prefix length, like 192.0.2.1/24")
    if not is_host(found.ip, found.network):
        raise ValueError(f"{value!r} is not an address of a host in {found.network}")
    return found


def any_address(value: Any) -> str:
    """An IPv4 or IPv6 address."""
    try:
        return str(ipaddress.ip_address(str(value)))
    except ValueError:
        raise ValueError(f"{value!r} is not an IP address") from None


def is_host(address: Address, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    """Whether a host can have the address in the network: in it, and neither its first nor its last one."""
    if address not in network:
        return False
    roomy = network.prefixlen < network.max_prefixlen - 1
    return not roomy or address not in (network.network_address, network.broadcast_address)


def host_in(network: Network4) -> Callable[[Any], ipaddress.IPv4Address]:
    """Reads a host's address in the network, given with or without the network's prefix length."""

    def how(value: Any) -> ipaddress.IPv4Address:
        text, slash, length = str(value).partition("/")
        address = address4(text)
        if slash and length != str(network.prefixlen):
            raise ValueError(f"{value!r} has another prefix length than {network}")
        if address not in network:
            raise ValueError(f"{value!r} is not in {network}")
        if not is_host(address, network):
            raise ValueError(f"{value!r} is the network's own or its broadcast address ({network})")
        return address

    return how


def overlaps(networks: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The pairs of names, of networks by name, that overlap; the later name first."""
    names = list(networks)
    return [
        (names[j], names[i])
        for j in range(len(names))
        for i in range(j)
        if networks[names[i]].version == networks[names[j]].version and networks[names[i]].overlaps(networks[names[j]])
    ]
