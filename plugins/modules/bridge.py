#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bridge
short_description: Create, change and remove bridges
version_added: 0.1.0
description:
  - Manages bridges with all options that the kernel has for them. All of them change in place.
  - Timers are in hundredths of a second, as in iproute2; the kernel rounds them to its clock tick.
extends_documentation_fragment:
  - linuxnet.lab.attributes
  - linuxnet.lab.common
  - linuxnet.lab.state
  - linuxnet.lab.netns
  - linuxnet.lab.link
options:
  forward_delay:
    description:
      - The time in the states listening and learning.
    type: int
  hello_time:
    description:
      - The time between two hello packets, 100 to 1000.
    type: int
  max_age:
    description:
      - The time after which a silent root bridge is given up, 600 to 4000.
    type: int
  ageing_time:
    description:
      - The time after which a learned address is forgotten.
    type: int
  stp_state:
    description:
      - Whether the spanning tree protocol runs.
    type: bool
  priority:
    description:
      - The priority of the bridge in the spanning tree, 0 to 65535.
    type: int
  vlan_filtering:
    description:
      - Whether VLANs are kept apart.
    type: bool
  vlan_protocol:
    description:
      - The protocol of the VLAN tags.
    type: str
    choices: ["802.1q", "802.1ad"]
  vlan_default_pvid:
    description:
      - The VLAN of untagged frames on new ports; 0 for none.
    type: int
  vlan_stats_enabled:
    description:
      - Whether statistics are kept for each VLAN.
    type: bool
  group_fwd_mask:
    description:
      - Which link-local groups (01:80:c2:00:00:0X) are forwarded, as a mask. The first three never are.
    type: int
  group_address:
    description:
      - The MAC address of the spanning tree protocol, V(01:80:c2:00:00:00) or one that ends with V(04) to V(0f).
    type: str
  mcast_snooping:
    description:
      - Whether multicast goes only to those ports that want it.
    type: bool
  mcast_router:
    description:
      - 'Whether the bridge is a multicast router: 0 no, 1 when queries are seen, 2 always.'
    type: int
  mcast_query_use_ifaddr:
    description:
      - Whether queries have the bridge's own address as their source.
    type: bool
  mcast_querier:
    description:
      - Whether the bridge sends queries.
    type: bool
  mcast_hash_max:
    description:
      - The most multicast groups.
    type: int
  mcast_last_member_count:
    description:
      - How many queries are sent before a group is given up.
    type: int
  mcast_startup_query_count:
    description:
      - How many queries are sent at the start.
    type: int
  mcast_last_member_interval:
    description:
      - The time between queries when a member has left.
    type: int
  mcast_membership_interval:
    description:
      - The time after which a member is forgotten.
    type: int
  mcast_querier_interval:
    description:
      - The time after which another querier is forgotten.
    type: int
  mcast_query_interval:
    description:
      - The time between queries, 100 at the least.
    type: int
  mcast_query_response_interval:
    description:
      - The time for an answer to a query.
    type: int
  mcast_startup_query_interval:
    description:
      - The time between queries at the start, 100 at the least.
    type: int
  mcast_stats_enabled:
    description:
      - Whether statistics of multicast are kept.
    type: bool
  mcast_igmp_version:
    description:
      - The version of IGMP, 2 or 3.
    type: int
  mcast_mld_version:
    description:
      - The version of MLD, 1 or 2.
    type: int
  nf_call_iptables:
    description:
      - Whether IPv4 frames pass through iptables.
    type: bool
  nf_call_ip6tables:
    description:
      - Whether IPv6 frames pass through ip6tables.
    type: bool
  nf_call_arptables:
    description:
      - Whether ARP frames pass through arptables.
    type: bool
  vlan_stats_per_port:
    description:
      - Whether statistics are kept for each VLAN on each port. It changes only while no port has a VLAN.
    type: bool
  fdb_max_learned:
    description:
      - The most addresses that are learned; 0 for any number (Linux 6.7 and newer).
    type: int
  no_linklocal_learn:
    description:
      - Whether no address is learned from link-local frames (01:80:c2:00:00:0X).
    type: bool
  mcast_vlan_snooping:
    description:
      - Whether multicast snooping is done for each VLAN. It needs O(vlan_filtering).
    type: bool
  mst_enabled:
    description:
      - Whether there is a spanning tree for each group of VLANs (MSTP). It changes only while there is no VLAN.
    type: bool
seealso:
  - module: linuxnet.lab.link_info
  - module: linuxnet.lab.veth
  - module: linuxnet.lab.link
  - module: linuxnet.lab.network_state
"""

EXAMPLES = r"""
- name: The bridge of the lab
  linuxnet.lab.bridge:
    name: vnet-br0
    up: true

- name: See what a change would be, as command lines
  linuxnet.lab.bridge:
    name: vnet-br0
    ageing_time: 30000
    stp_state: true
  check_mode: true
  register: planned
"""

RETURN = r"""
commands:
  description: The changes as iproute2 command lines, in their order; in check mode those that would be made.
  returned: always
  type: list
  elements: str
  sample:
    - ip link add vnet-br0 type bridge
    - ip link set dev vnet-br0 up
objects:
  description: What was stated, as it is now (in check mode, as far as it is there), with the names of the options.
  returned: success
  type: list
  elements: dict
  sample:
    - kind_of_object: link
      netns: ''
      name: vnet-br0
      kind: bridge
      ifindex: 5
      mtu: 1500
      up: true
problems:
  description: All mistakes at once, each with C(where) and C(what); nothing has been changed.
  returned: when the request is refused
  type: list
  elements: dict
rolled_back:
  description: Whether all is as it was before.
  returned: when the kernel refused something
  type: bool
left:
  description: What could not be put back.
  returned: when the kernel refused something
  type: list
  elements: str
"""

from ansible_collections.linuxnet.lab.plugins.module_utils import _link_spec, _module

SPEC = {
    **_module.STATE,
    **_module.NETNS,
    **_link_spec.NAMED,
    "forward_delay": {"type": "int"},
    "hello_time": {"type": "int"},
    "max_age": {"type": "int"},
    "ageing_time": {"type": "int"},
    "stp_state": {"type": "bool"},
    "priority": {"type": "int"},
    "vlan_filtering": {"type": "bool"},
    "vlan_protocol": {"type": "str", "choices": ["802.1q", "802.1ad"]},
    "vlan_default_pvid": {"type": "int"},
    "vlan_stats_enabled": {"type": "bool"},
    "group_fwd_mask": {"type": "int"},
    "group_address": {"type": "str"},
    "mcast_snooping": {"type": "bool"},
    "mcast_router": {"type": "int"},
    "mcast_query_use_ifaddr": {"type": "bool"},
    "mcast_querier": {"type": "bool"},
    "mcast_hash_max": {"type": "int"},
    "mcast_last_member_count": {"type": "int"},
    "mcast_startup_query_count": {"type": "int"},
    "mcast_last_member_interval": {"type": "int"},
    "mcast_membership_interval": {"type": "int"},
    "mcast_querier_interval": {"type": "int"},
    "mcast_query_interval": {"type": "int"},
    "mcast_query_response_interval": {"type": "int"},
    "mcast_startup_query_interval": {"type": "int"},
    "mcast_stats_enabled": {"type": "bool"},
    "mcast_igmp_version": {"type": "int"},
    "mcast_mld_version": {"type": "int"},
    "nf_call_iptables": {"type": "bool"},
    "nf_call_ip6tables": {"type": "bool"},
    "nf_call_arptables": {"type": "bool"},
    "vlan_stats_per_port": {"type": "bool"},
    "fdb_max_learned": {"type": "int"},
    "no_linklocal_learn": {"type": "bool"},
    "mcast_vlan_snooping": {"type": "bool"},
    "mst_enabled": {"type": "bool"},
}


def describe(params):
    return {"links": [{**params, "kind": "bridge"}]}


def main():
    _module.main(SPEC, describe)


if __name__ == "__main__":
    main()
