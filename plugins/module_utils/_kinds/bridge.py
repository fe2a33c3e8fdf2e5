# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bridges and their ports: all is live (net/bridge/br_netlink.c, br_changelink and br_port_slave_changelink)."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from typing import Any

from .._model import BIT, FLAG, OPTIONAL_LINK, U16, U32, Field, Type, choice, dumper, integer, loader, mac

NAME = "bridge"
WHOLE = False
# A bridge that is put back gets its options in a second round, when those that differ are known: a kernel without
# a feature shows its option, but refuses even the value that it shows.
BARE_PUT_BACK = True

# Options that share one attribute, a bit each: its value and a mask of those that are meant (struct br_boolopt_multi).
_BOOLOPTS = {
    "no_linklocal_learn": 0x1,
    "mcast_vlan_snooping": 0x2,
    "mst_enabled": 0x4,
}

_PROTOCOL = {"802.1q": 0x8100, "802.1ad": 0x88A8}


def _ticks(want: int, have: int) -> bool:
    """Timers are kept in jiffies: what is written as 501 reads back as 500 (HZ 250)."""
    return have is not None and abs(want - have) <= 1


def _flag(attribute: str) -> Field:
    return Field(BIT, attribute, load=bool, dump=int)


def _switch(attribute: str) -> Field:
    """A flag of a port: iproute2 says on and off there."""
    return Field(FLAG, attribute, load=bool, dump=int)


def _timer(attribute: str, low: int = 0, high: int = (1 << 32) - 1) -> Field:
    """Hundredths of a second, as in iproute2."""
    return Field(integer(low, high), attribute, same=_ticks)


def _group_address(value: Any) -> str:
    """One of 01:80:c2:00:00:0X that no other protocol has (br_sysfs_br.c, store_group_addr)."""
    text = mac(value)
    if not re.fullmatch("01:80:c2:00:00:0[04-9a-f]", text):
        raise ValueError(f"{value!r} is none of 01:80:c2:00:00:00 and :04 to :0f")
    return text


def _mask_without(bits: int) -> Type:
    """A mask of link-local groups, some of which are never forwarded (BR_GROUPFWD_RESTRICTED, _MACPAUSE)."""

    def parse(value: Any) -> int:
        number = int(U16.parse(value))
        if number & bits:
            raise ValueError(f"{number} holds {number & bits}: groups that are never forwarded")
        return number

    return Type(parse)


FIELDS = {
    "forward_delay": _timer("IFLA_BR_FORWARD_DELAY"),
    "hello_time": _timer("IFLA_BR_HELLO_TIME", 100, 1000),
    "max_age": _timer("IFLA_BR_MAX_AGE", 600, 4000),
    "ageing_time": _timer("IFLA_BR_AGEING_TIME"),
    "stp_state": _flag("IFLA_BR_STP_STATE"),
    "priority": Field(U16, "IFLA_BR_PRIORITY"),
    "vlan_filtering": _flag("IFLA_BR_VLAN_FILTERING"),
    "vlan_protocol": Field(choice(_PROTOCOL), "IFLA_BR_VLAN_PROTOCOL", load=loader(_PROTOCOL), dump=dumper(_PROTOCOL)),
    "vlan_default_pvid": Field(integer(0, 4094), "IFLA_BR_VLAN_DEFAULT_PVID"),
    "vlan_stats_enabled": _flag("IFLA_BR_VLAN_STATS_ENABLED"),
    "vlan_stats_per_port": _flag("IFLA_BR_VLAN_STATS_PER_PORT"),
    "group_fwd_mask": Field(_mask_without(0x7), "IFLA_BR_GROUP_FWD_MASK"),
    "group_address": Field(Type(_group_address), "IFLA_BR_GROUP_ADDR"),
    "mcast_snooping": _flag("IFLA_BR_MCAST_SNOOPING"),
    "mcast_router": Field(integer(0, 2), "IFLA_BR_MCAST_ROUTER"),
    "mcast_query_use_ifaddr": _flag("IFLA_BR_MCAST_QUERY_USE_IFADDR"),
    "mcast_querier": _flag("IFLA_BR_MCAST_QUERIER"),
    "mcast_hash_max": Field(U32, "IFLA_BR_MCAST_HASH_MAX"),
    "mcast_last_member_count": Field(U32, "IFLA_BR_MCAST_LAST_MEMBER_CNT"),
    "mcast_startup_query_count": Field(U32, "IFLA_BR_MCAST_STARTUP_QUERY_CNT"),
    "mcast_last_member_interval": _timer("IFLA_BR_MCAST_LAST_MEMBER_INTVL"),
    "mcast_membership_interval": _timer("IFLA_BR_MCAST_MEMBERSHIP_INTVL"),
    "mcast_querier_interval": _timer("IFLA_BR_MCAST_QUERIER_INTVL"),
    "mcast_query_interval": _timer("IFLA_BR_MCAST_QUERY_INTVL", 100),
    "mcast_query_response_interval": _timer("IFLA_BR_MCAST_QUERY_RESPONSE_INTVL"),
    "mcast_startup_query_interval": _timer("IFLA_BR_MCAST_STARTUP_QUERY_INTVL", 100),
    "mcast_stats_enabled": _flag("IFLA_BR_MCAST_STATS_ENABLED"),
    "mcast_igmp_version": Field(integer(2, 3), "IFLA_BR_MCAST_IGMP_VERSION"),
    "mcast_mld_version": Field(integer(1, 2), "IFLA_BR_MCAST_MLD_VERSION"),
    "nf_call_iptables": _flag("IFLA_BR_NF_CALL_IPTABLES"),
    "nf_call_ip6tables": _flag("IFLA_BR_NF_CALL_IP6TABLES"),
    "nf_call_arptables": _flag("IFLA_BR_NF_CALL_ARPTABLES"),
    "fdb_max_learned": Field(U32, "IFLA_BR_FDB_MAX_LEARNED"),
    **{option: Field(BIT) for option in _BOOLOPTS},
}

BACKUP = "backup_port"  # another port of the bridge: names it, where the kernel has its number

# What a link has as a port of a bridge (`ip link set ... type bridge_slave ...`).
PORT = {
    "cost": Field(integer(1, 65535), "IFLA_BRPORT_COST"),
    "priority": Field(integer(0, 63), "IFLA_BRPORT_PRIORITY"),
    "hairpin": _switch("IFLA_BRPORT_MODE"),
    "guard": _switch("IFLA_BRPORT_GUARD"),
    "root_block": _switch("IFLA_BRPORT_PROTECT"),
    "fastleave": _switch("IFLA_BRPORT_FAST_LEAVE"),
    "learning": _switch("IFLA_BRPORT_LEARNING"),
    "flood": _switch("IFLA_BRPORT_UNICAST_FLOOD"),
    "mcast_flood": _switch("IFLA_BRPORT_MCAST_FLOOD"),
    "bcast_flood": _switch("IFLA_BRPORT_BCAST_FLOOD"),
    "proxy_arp": _switch("IFLA_BRPORT_PROXYARP"),
    "proxy_arp_wifi": _switch("IFLA_BRPORT_PROXYARP_WIFI"),
    "mcast_router": Field(integer(0, 3), "IFLA_BRPORT_MULTICAST_ROUTER"),
    "mcast_to_unicast": _switch("IFLA_BRPORT_MCAST_TO_UCAST"),
    "neigh_suppress": _switch("IFLA_BRPORT_NEIGH_SUPPRESS"),
    "isolated": _switch("IFLA_BRPORT_ISOLATED"),
    "locked": _switch("IFLA_BRPORT_LOCKED"),
    "mab": _switch("IFLA_BRPORT_MAB"),
    "vlan_tunnel": _switch("IFLA_BRPORT_VLAN_TUNNEL"),
    "neigh_vlan_suppress": _switch("IFLA_BRPORT_NEIGH_VLAN_SUPPRESS"),
    "group_fwd_mask": Field(_mask_without(0x2), "IFLA_BRPORT_GROUP_FWD_MASK"),
    "mcast_max_groups": Field(U32, "IFLA_BRPORT_MCAST_MAX_GROUPS"),
    BACKUP: Field(OPTIONAL_LINK, "IFLA_BRPORT_BACKUP_PORT", unset=""),
}

# What the kernel may have been built without: it answers EOPNOTSUPP, and does not say to which option.
_FEATURES = {
    "vlan_": "CONFIG_BRIDGE_VLAN_FILTERING",
    "mst_": "CONFIG_BRIDGE_VLAN_FILTERING",
    "mcast_vlan_": "CONFIG_BRIDGE_VLAN_FILTERING",
    "mcast_": "CONFIG_BRIDGE_IGMP_SNOOPING",
    "nf_call_": "CONFIG_BRIDGE_NETFILTER",
}


def mistakes(stated: Mapping[str, Any], whole: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the kernel would refuse or not keep: (option, why). `whole` is the bridge with what it has already."""
    delay = stated.get("forward_delay", 1500)
    if whole.get("stp_state") and not 200 <= delay <= 3000:
        return [("forward_delay", f"{delay} is out of range with stp_state, 200 to 3000")]
    return []


def load(data: dict[str, Any]) -> dict[str, Any]:
    """The options that share an attribute; a kernel that does not know one leaves its bit out of the mask."""
    value, known = data.get("IFLA_BR_MULTI_BOOLOPT", (0, 0))
    return {option: bool(value & bit) if known & bit else None for option, bit in _BOOLOPTS.items()}


def dump(fields: dict[str, Any], attrs: dict[str, Any]) -> dict[str, Any]:
    """The stated ones of the options that share an attribute."""
    stated = {option: bit for option, bit in _BOOLOPTS.items() if fields.get(option) is not None}
    if stated:
        value = sum(bit for option, bit in stated.items() if fields[option])
        attrs["IFLA_BR_MULTI_BOOLOPT"] = (value, sum(stated.values()))
    return attrs


def hint(code: int, fields: Mapping[str, Any]) -> str:
    """What to make of the kernel's refusal."""
    if code != errno.EOPNOTSUPP:
        return ""
    found = [f"{o} needs {config}" for o in fields for start, config in _FEATURES.items() if o.startswith(start)]
    return f"this kernel lacks an option that is stated: {', '.join(found)}" if found else ""
