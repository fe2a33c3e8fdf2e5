# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The argument spec of what all links have in common; documented in the fragment `link`."""

from __future__ import annotations

from typing import Any

PORT: dict[str, Any] = {
    "cost": {"type": "int"},
    "priority": {"type": "int"},
    "hairpin": {"type": "bool"},
    "guard": {"type": "bool"},
    "root_block": {"type": "bool"},
    "fastleave": {"type": "bool"},
    "learning": {"type": "bool"},
    "flood": {"type": "bool"},
    "mcast_flood": {"type": "bool"},
    "bcast_flood": {"type": "bool"},
    "proxy_arp": {"type": "bool"},
    "proxy_arp_wifi": {"type": "bool"},
    "mcast_router": {"type": "int"},
    "mcast_to_unicast": {"type": "bool"},
    "neigh_suppress": {"type": "bool"},
    "isolated": {"type": "bool"},
    "locked": {"type": "bool"},
    "mab": {"type": "bool"},
    "vlan_tunnel": {"type": "bool"},
    "neigh_vlan_suppress": {"type": "bool"},
    "group_fwd_mask": {"type": "int"},
    "mcast_max_groups": {"type": "int"},
    "backup_port": {"type": "str"},
}
GENERIC: dict[str, Any] = {
    "address": {"type": "str"},
    "mtu": {"type": "int"},
    "txqueuelen": {"type": "int"},
    "numtxqueues": {"type": "int"},
    "numrxqueues": {"type": "int"},
    "master": {"type": "str"},
    "alias": {"type": "str"},
    "addrgenmode": {"type": "str", "choices": ["eui64", "none", "stable_secret", "random"]},
    "up": {"type": "bool"},
    "arp": {"type": "bool"},
    "promisc": {"type": "bool"},
    "allmulticast": {"type": "bool"},
    "multicast": {"type": "bool"},
    "port": {"type": "dict", "options": PORT},
}
NAMED: dict[str, Any] = {"name": {"type": "str", "required": True}, **GENERIC}
