# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Shared documentation: link."""

    DOCUMENTATION = r"""
options:
  name:
    description:
      - The name of the interface, 15 bytes at the most.
    type: str
    required: true
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
      - The bridge (or other master) that this link is a port of; an empty string takes it off its master.
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
      - The options of the link as a port of a bridge. They need a O(master).
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
          - Whether ARP and neighbour discovery are answered from the neighbour table instead of
            flooded.
        type: bool
      isolated:
        description:
          - Whether the port may talk to ports that are not isolated only.
        type: bool
"""
