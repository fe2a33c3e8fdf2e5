#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: veth
short_description: Create, change and remove pairs of virtual Ethernet devices
version_added: 0.1.0
description:
  - Manages veth pairs. The two ends may be in any two network namespaces.
  - Nothing about a pair changes in place but what all links have; another peer means a new pair.
  - An end that exists, but in the wrong namespace, is moved.
extends_documentation_fragment:
  - linuxnet.lab.attributes
  - linuxnet.lab.common
  - linuxnet.lab.state
  - linuxnet.lab.netns
  - linuxnet.lab.link
options:
  peer:
    description:
      - The other end. It has to be stated to create the pair; for an end that exists it may be left out.
      - Another peer than the one that there is cannot come in place, it takes a new pair (O(recreate=true)).
      - A peer of the right name in another namespace is moved, and does not need a new pair.
    type: dict
    suboptions:
      name:
        description:
          - The name of the other end, 15 bytes at the most.
        type: str
        required: true
      netns:
        description:
          - The network namespace of the other end, by name, path or PID. Without it that of this end, O(netns); an
            empty string is the one that Ansible came in to.
        type: str
      address:
        description:
          - The link-layer (MAC) address, a unicast one.
          - It is set at creation already, so that nothing ever sees another one. It changes in place.
        type: str
      mtu:
        description:
          - The maximum transmission unit in bytes, 68 to 65535; a kind of link may allow less.
          - Below 1280 the kernel removes IPv6 from the interface.
        type: int
      txqueuelen:
        description:
          - The length of the transmit queue in packets, 0 to 4294967295.
        type: int
      numtxqueues:
        description:
          - The number of transmit queues, 1 to 4096. It is fixed at creation and cannot change in place.
        type: int
      numrxqueues:
        description:
          - The number of receive queues, 1 to 4096. It is fixed at creation and cannot change in place.
        type: int
      master:
        description:
          - The bridge (or other master device) that this link is a port of; an empty string releases it (C(nomaster)).
        type: str
      alias:
        description:
          - A text for people (C(ifalias)), 254 bytes at the most; an empty string removes it.
        type: str
      addrgenmode:
        description:
          - How IPv6 link-local addresses are generated. V(none) makes none.
        type: str
        choices: [eui64, none, stable_secret, random]
      up:
        description:
          - Whether the link is up. A new one is down as long as nobody says V(true).
          - No other change sets a link down and up again, since that would take its routes and IPv6 addresses.
        type: bool
      arp:
        description:
          - Whether ARP is used on the link.
        type: bool
      promisc:
        description:
          - Whether the link receives all packets on the network (promiscuous mode).
        type: bool
      allmulticast:
        description:
          - Whether the link receives all multicast packets on the network.
        type: bool
      multicast:
        description:
          - Whether the link can send and receive multicast (the flag C(MULTICAST)).
        type: bool
      port:
        description:
          - The options of the link as a port of a bridge (C(type bridge_slave)). They need a O(peer.master), and all of them
            change in place.
        type: dict
        suboptions:
          cost:
            description:
              - The STP path cost of the port, 1 to 65535.
            type: int
          priority:
            description:
              - The STP priority of the port, 0 to 63.
            type: int
          hairpin:
            description:
              - Whether a frame may be sent back out of the port that it was received on.
            type: bool
          guard:
            description:
              - Whether the port is disabled when an STP BPDU comes in (BPDU guard).
            type: bool
          root_block:
            description:
              - Whether the port is kept from becoming the STP root port (root guard).
            type: bool
          fastleave:
            description:
              - Whether the port leaves a multicast group at once, on the first leave message (IGMP fast leave).
            type: bool
          learning:
            description:
              - Whether source MAC addresses are learned on the port.
            type: bool
          flood:
            description:
              - Whether unicast traffic to unknown MAC addresses is flooded to the port.
            type: bool
          mcast_flood:
            description:
              - Whether multicast traffic without a forwarding entry is flooded to the port.
            type: bool
          bcast_flood:
            description:
              - Whether broadcast traffic is flooded to the port.
            type: bool
          proxy_arp:
            description:
              - Whether the bridge answers ARP requests that would leave by this port, where it knows the answer.
            type: bool
          proxy_arp_wifi:
            description:
              - Proxy ARP as IEEE 802.11 and Hotspot 2.0 want it, for wireless clients.
            type: bool
          mcast_router:
            description:
              - 'Whether multicast routers are behind the port: 0 never, 1 when queries are seen (the default), 2 always,
                3 as long as it is refreshed.'
            type: int
          mcast_to_unicast:
            description:
              - Whether multicast is sent to each member as unicast.
            type: bool
          neigh_suppress:
            description:
              - Whether ARP and neighbour discovery are answered from the neighbour table instead of being flooded.
            type: bool
          isolated:
            description:
              - Whether the port may exchange frames with ports that are not isolated only.
            type: bool
          locked:
            description:
              - Whether frames come in only from MAC addresses that have a forwarding entry on the port (IEEE 802.1X).
            type: bool
          mab:
            description:
              - Whether addresses that a locked port turns away are noted as locked entries (MAC authentication bypass).
            type: bool
          vlan_tunnel:
            description:
              - Whether VLANs are mapped to the identifiers of a tunnel on the port.
            type: bool
          neigh_vlan_suppress:
            description:
              - Whether O(peer.port.neigh_suppress) is decided for each VLAN by itself.
            type: bool
          group_fwd_mask:
            description:
              - Which link-local groups (01:80:c2:00:00:0X) are forwarded from the port, as a mask, 0 to 65535.
                The second one (2) never is.
            type: int
          mcast_max_groups:
            description:
              - The most multicast groups of the port; 0 for any number.
            type: int
          backup_port:
            description:
              - Another port of the same bridge, which takes over what would leave by this one while it has no carrier.
                An empty string takes it away.
            type: str
seealso:
  - module: linuxnet.lab.link_info
  - module: linuxnet.lab.bridge
  - module: linuxnet.lab.link
  - module: linuxnet.lab.netns
  - module: linuxnet.lab.network_state
"""

EXAMPLES = r"""
- name: Both ends, the documented way
  linuxnet.lab.veth:
    name: veth-r
    master: vnet-br0
    up: true
    peer:
      name: eth0-r
      netns: red
      up: true

- name: A pair between two namespaces, none of them the host's own
  linuxnet.lab.veth:
    name: veth1
    netns: node1
    up: true
    peer: {name: veth2, netns: node2, up: true, mtu: 1400}
"""

RETURN = r"""
commands:
  description: The changes as iproute2 command lines, in their order; in check mode those that would be made.
  returned: always
  type: list
  elements: str
  sample:
    - ip link add veth-r type veth peer name eth0-r netns red
    - ip link set dev veth-r master vnet-br0
    - ip link set dev veth-r up
objects:
  description: What was stated, as it is now (in check mode, as far as it is there), with the names of the options.
  returned: success
  type: list
  elements: dict
  sample:
    - kind_of_object: link
      netns: ''
      name: veth-r
      kind: veth
      peer:
        name: eth0-r
        netns: red
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
    "peer": {
        "type": "dict",
        "options": {**_module.NETNS, **_link_spec.NAMED},
    },
}


def describe(params):
    return {"links": [{**params, "kind": "veth"}]}


def main():
    _module.main(SPEC, describe)


if __name__ == "__main__":
    main()
