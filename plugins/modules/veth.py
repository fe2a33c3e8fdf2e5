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
      - The other end. It needs to be stated to create the pair.
    type: dict
    suboptions:
      name:
        description:
          - The name of the other end.
        type: str
        required: true
      netns:
        description:
          - The namespace of the other end; without it that of this end.
        type: str
      address:
        description:
          - The MAC address. It is set at creation already, so that nothing ever sees another one.
        type: str
      mtu:
        description:
          - The maximum transmission unit in bytes.
        type: int
      txqueuelen:
        description:
          - The length of the transmit queue in packets.
        type: int
      numtxqueues:
        description:
          - The number of transmit queues. It cannot change in place.
        type: int
      numrxqueues:
        description:
          - The number of receive queues. It cannot change in place.
        type: int
      master:
        description:
          - The bridge (or other master) that this link is a port of; an empty string takes it off its
            master.
        type: str
      alias:
        description:
          - A text for people, 254 bytes at the most.
        type: str
      addrgenmode:
        description:
          - How IPv6 link-local addresses are made.
        type: str
        choices: [eui64, none, stable_secret, random]
      up:
        description:
          - Whether the link is up. Nothing is set down and up again for any other change.
        type: bool
      arp:
        description:
          - Whether ARP is used on the link.
        type: bool
      promisc:
        description:
          - Whether the link receives all packets.
        type: bool
      allmulticast:
        description:
          - Whether the link receives all multicast packets.
        type: bool
      multicast:
        description:
          - Whether the link can send multicast.
        type: bool
      port:
        description:
          - The options of the link as a port of a bridge. They need a O(peer.master).
        type: dict
        suboptions:
          cost:
            description:
              - The STP path cost, 1 to 65535.
            type: int
          priority:
            description:
              - The STP priority, 0 to 63.
            type: int
          hairpin:
            description:
              - Whether a frame may leave by the port that it came in on.
            type: bool
          guard:
            description:
              - Whether STP BPDUs are refused (BPDU guard).
            type: bool
          root_block:
            description:
              - Whether the port may not become the root port.
            type: bool
          fastleave:
            description:
              - Whether a multicast group is left at once.
            type: bool
          learning:
            description:
              - Whether MAC addresses are learned.
            type: bool
          flood:
            description:
              - Whether unknown unicast is flooded to the port.
            type: bool
          mcast_flood:
            description:
              - Whether multicast is flooded to the port.
            type: bool
          bcast_flood:
            description:
              - Whether broadcast is flooded to the port.
            type: bool
          proxy_arp:
            description:
              - Whether the bridge answers ARP for what is behind other ports.
            type: bool
          proxy_arp_wifi:
            description:
              - The same, for wireless clients.
            type: bool
          mcast_router:
            description:
              - 'Whether multicast routers are behind the port: 0 no, 1 learned, 2 always.'
            type: int
          mcast_to_unicast:
            description:
              - Whether multicast is sent as unicast to each member.
            type: bool
          neigh_suppress:
            description:
              - Whether ARP and neighbour discovery are answered from the neighbour table instead
                of flooded.
            type: bool
          isolated:
            description:
              - Whether the port may talk to ports that are not isolated only.
            type: bool
seealso:
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
