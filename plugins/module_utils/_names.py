# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers of the kernel that people call by a name (include/uapi/linux/rtnetlink.h, iproute2's etc/iproute2)."""

from __future__ import annotations

from collections.abc import Mapping

TABLES = {"default": 253, "main": 254, "local": 255}
SCOPES = {"global": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255}
PROTOS = {
    "redirect": 1, "kernel": 2, "boot": 3, "static": 4, "gated": 8, "ra": 9, "mrt": 10, "zebra": 11, "bird": 12,
    "dnrouted": 13, "xorp": 14, "ntk": 15, "dhcp": 16, "keepalived": 18, "babel": 42, "bgp": 186, "isis": 187,
    "ospf": 188, "rip": 189, "eigrp": 192,
}  # fmt: skip
IP_PROTOS = {"icmp": 1, "ipip": 4, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "ipv6-icmp": 58, "sctp": 132}


def name_of(names: Mapping[str, int], number: int) -> str:
    """The name of a number; one without a name stands for itself."""
    return next((name for name, value in names.items() if value == number), str(number))
