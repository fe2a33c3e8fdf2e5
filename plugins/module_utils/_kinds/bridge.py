# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bridges and their ports: all is live (net/bridge/br_netlink.c, br_changelink and br_port_slave_changelink)."""

from __future__ import annotations

from .._model import BIT, FLAG, MAC, U8, U16, U32, Field, choice, dumper, integer, loader

NAME = "bridge"
WHOLE = False
# A bridge that is put back gets its options in a second round, when those that differ are known: a kernel without
# a feature shows its option, but refuses even the value that it shows.
BARE_PUT_BACK = True

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
    "group_fwd_mask": Field(U16, "IFLA_BR_GROUP_FWD_MASK"),
    "group_address": Field(MAC, "IFLA_BR_GROUP_ADDR"),
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
    "mcast_query_interval": _timer("IFLA_BR_MCAST_QUERY_INTVL"),
    "mcast_query_response_interval": _timer("IFLA_BR_MCAST_QUERY_RESPONSE_INTVL"),
    "mcast_startup_query_interval": _timer("IFLA_BR_MCAST_STARTUP_QUERY_INTVL"),
    "mcast_stats_enabled": _flag("IFLA_BR_MCAST_STATS_ENABLED"),
    "mcast_igmp_version": Field(integer(2, 3), "IFLA_BR_MCAST_IGMP_VERSION"),
    "mcast_mld_version": Field(integer(1, 2), "IFLA_BR_MCAST_MLD_VERSION"),
    "nf_call_iptables": _flag("IFLA_BR_NF_CALL_IPTABLES"),
    "nf_call_ip6tables": _flag("IFLA_BR_NF_CALL_IP6TABLES"),
    "nf_call_arptables": _flag("IFLA_BR_NF_CALL_ARPTABLES"),
}

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
    "mcast_router": Field(U8, "IFLA_BRPORT_MULTICAST_ROUTER"),
    "mcast_to_unicast": _switch("IFLA_BRPORT_MCAST_TO_UCAST"),
    "neigh_suppress": _switch("IFLA_BRPORT_NEIGH_SUPPRESS"),
    "isolated": _switch("IFLA_BRPORT_ISOLATED"),
}
