# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a link has because of its kind, and as a port of its master.

Of the kinds that have a module the options are called as there; what else the kernel shows, and all of the other
kinds, is called like the kernel's attribute, without its prefix (IFLA_MACVLAN_MODE is mode).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._kinds import LINK_KINDS, bridge, link, veth
from .._model import Field
from .._record import stated

# What iproute2 calls otherwise than the kernel, and what is no number for people.
_NAMES = {
    "IFLA_BR_ROOT_ID": "designated_root",
    "IFLA_BRPORT_ID": "port_id",
    "IFLA_BRPORT_NO": "port_no",
    "IFLA_BRPORT_ROOT_ID": "designated_root",
    "IFLA_BRPORT_BRIDGE_ID": "designated_bridge",
}
_WORDS: dict[str, tuple[str, ...]] = {
    "IFLA_BRPORT_STATE": ("disabled", "listening", "learning", "forwarding", "blocking"),
    "IFLA_TUN_TYPE": ("", "tun", "tap"),
}
_SWITCHES = {"IFLA_TUN_PI", "IFLA_TUN_VNET_HDR", "IFLA_TUN_PERSIST", "IFLA_TUN_MULTI_QUEUE"}
_HIDDEN = {  # told by an option already
    "IFLA_VXLAN_GROUP6", "IFLA_VXLAN_LOCAL6", "IFLA_VXLAN_TTL_INHERIT", "IFLA_BR_MULTI_BOOLOPT", "VETH_INFO_PEER",
    "IFLA_IPIP_ENCAP_FLAGS",
}  # fmt: skip


def of_kind(message: Mapping[str, Any], netns: str, names: Mapping[int, str]) -> dict[str, Any] | None:
    """The data of a link's kind; None where there is none."""
    info = message.get("IFLA_LINKINFO", {})
    kind, data = info.get("IFLA_INFO_KIND", ""), info.get("IFLA_INFO_DATA")
    if data is None or kind == veth.NAME:
        return None
    table = LINK_KINDS[kind].FIELDS if kind in LINK_KINDS else {}
    words = stated(link.read(message, netns, names)) if table else {}
    own = {option: None if words.get(option) == "" else words.get(option) for option in table}
    return {**own, **_others(table, data)}


def of_port(message: Mapping[str, Any], netns: str, names: Mapping[int, str]) -> dict[str, Any] | None:
    """The data of a port of a master; None for a link that is none."""
    info = message.get("IFLA_LINKINFO", {})
    data = info.get("IFLA_INFO_SLAVE_DATA")
    if data is None:
        return None
    table = bridge.PORT if info.get("IFLA_INFO_SLAVE_KIND") == bridge.NAME else {}
    words = stated(link.read(message, netns, names)) if table else {}
    return {**{option: words.get(f"port.{option}") for option in table}, **_others(table, data)}


def _others(table: Mapping[str, Field], data: Mapping[str, Any]) -> dict[str, Any]:
    known = {field.nla for field in table.values()} | _HIDDEN
    return {_name(attribute): _plain(attribute, value) for attribute, value in data.items() if attribute not in known}


def _name(attribute: str) -> str:
    return _NAMES.get(attribute) or attribute.split("_", 2)[-1].lower()


def _plain(attribute: str, value: Any) -> Any:
    if attribute in _SWITCHES:
        return bool(value)
    words = _WORDS.get(attribute, ())
    if isinstance(value, int) and value < len(words):
        return words[value]
    return bytes(value).hex() if isinstance(value, (bytes, memoryview)) else value
