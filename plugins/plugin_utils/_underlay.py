# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The network that a host has already: which address and device its tunnels stand on.

Looked for in a host's variables, in this order: what is stated (`underlay_address`, `underlay_device`,
`underlay_mtu`, `underlay_subnet`); `ansible_host`, when it is an address that the host is known to have, or when nothing is known; the
address of the default route's device. The last two come from the report of the role prepare or from gathered facts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, NamedTuple


class Interface(NamedTuple):
    """An interface of a host as far as it matters here."""

    addresses: tuple[str, ...]
    mtu: int | None


class Underlay(NamedTuple):
    """Address, device and MTU of the way to the other hosts; None for what is not known."""

    address: str | None = None
    device: str | None = None
    mtu: int | None = None
    problem: str = ""
    subnet: ipaddress.IPv4Network | None = None  # as it is stated; a host's routes tell it otherwise

    @property
    def version(self) -> int | None:
        """4 or 6."""
        return ipaddress.ip_address(self.address).version if self.address else None


def interfaces(variables: Mapping[str, Any]) -> tuple[dict[str, Interface], str]:
    """All interfaces that are known of a host, by name, and the one of its default route."""
    report = variables.get("prepare_report")
    if isinstance(report, Mapping) and isinstance(report.get("network"), Mapping):
        network = report["network"]
        found = {n: Interface(tuple(i["addresses"]), i.get("mtu")) for n, i in network["interfaces"].items()}
        return found, str(network.get("default") or "")
    facts = variables.get("ansible_facts")
    if not isinstance(facts, Mapping):
        return {}, ""
    found = {}
    for name in facts.get("interfaces") or []:
        # facts are named with _ where an interface's name has - . or :
        fact = facts.get(str(name).translate(str.maketrans("-.:", "___")))
        if isinstance(fact, Mapping):
            found[str(fact.get("device", name))] = Interface(tuple(_addresses(fact)), fact.get("mtu"))
    return found, str((facts.get("default_ipv4") or {}).get("interface") or "")


def _addresses(fact: Mapping[str, Any]) -> list[str]:
    entries = [fact.get("ipv4") or {}, *(fact.get("ipv4_secondaries") or []), *(fact.get("ipv6") or [])]
    return [str(entry["address"]) for entry in entries if entry.get("address")]


def known(variables: Mapping[str, Any]) -> bool:
    """Whether a host's interfaces have been looked at."""
    return bool(interfaces(variables)[0])


def underlay_of(variables: Mapping[str, Any]) -> Underlay:
    """What a host's tunnels stand on. `problem` says what is wrong with what is stated."""
    there, default = interfaces(variables)
    given = variables.get("underlay_address")
    if given not in (None, ""):
        address = _address(given)
        if address is None:
            return Underlay(problem=f"underlay_address: {given!r} is not an IP address")
        if there and _holder(address, there) is None and variables.get("underlay_device") in (None, ""):
            return Underlay(problem=f"underlay_address: {given!r} is on no interface of this host")
    else:
        address = _guess(variables, there, default)
    if address is None:
        return Underlay()
    device = str(variables.get("underlay_device") or "") or _holder(address, there)
    subnet, problem = _subnet(variables.get("underlay_subnet"), address)
    mtu = variables.get("underlay_mtu")
    if mtu in (None, ""):
        return Underlay(address, device, there[device].mtu if device in there else None, problem, subnet)
    if not str(mtu).isdigit() or not 576 <= int(str(mtu)) <= 65535:
        return Underlay(address, device, None, problem or f"underlay_mtu: {mtu!r} is no MTU, 576 to 65535")
    return Underlay(address, device, int(str(mtu)), problem, subnet)


def _subnet(given: Any, address: str) -> tuple[ipaddress.IPv4Network | None, str]:
    """What is stated as the subnet of the address, and what is wrong with it."""
    if given in (None, ""):
        return None, ""
    try:
        subnet = ipaddress.IPv4Network(str(given))
    except ValueError as error:
        return None, f"underlay_subnet: {given!r} is not an IPv4 network like 192.0.2.0/24 ({error})"
    if ipaddress.ip_address(address) not in subnet:
        return None, f"underlay_subnet: {given!r} does not have the host's underlay address, {address}"
    return subnet, ""


def _guess(variables: Mapping[str, Any], there: Mapping[str, Interface], default: str) -> str | None:
    reached = _address(variables.get("ansible_host"))
    if reached and not ipaddress.ip_address(reached).is_loopback and (not there or _holder(reached, there)):
        return reached
    addresses = there[default].addresses if default in there else ()
    # IPv4 first: an IPIP tunnel knows nothing else
    usable = [text for text in addresses if not ipaddress.ip_address(text).is_link_local]
    return min(usable, key=lambda text: ":" in text, default=None)


def _address(value: Any) -> str | None:
    try:
        return str(ipaddress.ip_address(str(value)))
    except ValueError:
        return None


def _holder(address: str, there: Mapping[str, Interface]) -> str | None:
    return next((name for name, one in there.items() if address in one.addresses), None)


def derived(network: ipaddress.IPv4Network, address: str) -> ipaddress.IPv4Address:
    """A host's address in a network of tunnels: the network's first bits, the underlay address's last ones.

    It depends on nothing but the two, so that it stays when other hosts come and go.
    """
    hostmask = int(network.hostmask)
    return network.network_address + (int(ipaddress.ip_address(address)) & hostmask)
