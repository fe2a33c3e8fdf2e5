#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: link_info
short_description: Read network interfaces, their addresses, and what they are connected to
version_added: 0.1.0
description:
  - Returns all that C(ip -d -s link) and C(ip addr) tell, in any network namespaces.
  - The other end of a veth is told by name and namespace, whichever side one looks from, also where that namespace has
    no name (a container's).
  - Nothing is ever changed.
extends_documentation_fragment:
  - linuxnet.lab.info
  - linuxnet.lab.info.reading
options:
  name:
    description: Only the interface of this name, or with this alternative name.
    type: str
  ifindex:
    description: Only the interface of this number.
    type: int
  kind:
    description: Only interfaces of this kind, as in C(ip link show type bridge).
    type: str
    aliases: [type]
  master:
    description: Only the ports of this device, as in C(ip link show master vnet-br0); an empty string for no port of any.
    type: str
  up:
    description: Only interfaces that are set up (V(true)), or only those that are not (V(false)).
    type: bool
  group:
    description: Only interfaces of this group, V(default) or a number, as in C(ip link show group default).
    type: str
  to:
    description: Only interfaces that have this IP address, or one in this prefix, as in C(ip addr show to 10.244.0.0/16).
    type: str
notes:
  - The kernel gives an interface a number in its namespace, so the same number means another interface elsewhere.
seealso:
  - module: linuxnet.lab.link
  - module: linuxnet.lab.veth
  - module: linuxnet.lab.bridge
  - module: linuxnet.lab.vxlan
  - module: linuxnet.lab.ipip_tunnel
  - module: linuxnet.lab.address
  - module: linuxnet.lab.netns_info
  - module: linuxnet.lab.snapshot_info
"""

EXAMPLES = r"""
- name: All bridges (ip link show type bridge)
  linuxnet.lab.link_info:
    kind: bridge

- name: The ports of a bridge, and who is at the other end of each
  linuxnet.lab.link_info:
    master: vnet-br0
  register: ports

- name: Say so
  ansible.builtin.debug:
    msg: "{{ item.name }} is connected to {{ item.peer.name }} in {{ item.peer.netns }}"
  loop: "{{ ports.links }}"

- name: Which end on the host belongs to the eth0 of the container with this process?
  linuxnet.lab.link_info:
    netns: "{{ pid }}"  # a number, like 4242
    name: eth0
  register: inside  # inside.links[0].peer.name

- name: Who has this address, anywhere on the host?
  linuxnet.lab.link_info:
    netns: all
    to: 10.244.169.89
"""

RETURN = r"""
links:
  description: The interfaces, in the kernel's order (by number).
  returned: success
  type: list
  elements: dict
  contains:
    netns:
      description: The namespace; empty for the one that Ansible came in to.
      type: str
      returned: always
    name:
      description: The name.
      type: str
      returned: always
    ifindex:
      description: The number.
      type: int
      returned: always
    kind:
      description: The kind, like V(veth) or V(bridge); V(null) for hardware and the loopback.
      type: str
      returned: always
    link_type:
      description: What it carries, like V(ether), V(loopback), V(ipip).
      type: str
      returned: always
    flags:
      description: The flags as iproute2 prints them, like V(UP), V(LOWER_UP), V(NO-CARRIER).
      type: list
      elements: str
      returned: always
    up:
      description: Whether it is set up.
      type: bool
      returned: always
    operstate:
      description: 'Whether it works, as in RFC 2863: V(up), V(down), V(unknown), V(lowerlayerdown), V(dormant), V(testing) or V(notpresent).'
      type: str
      returned: always
    carrier:
      description: Whether it has a carrier; V(null) where it is not said.
      type: bool
      returned: always
    carrier_changes:
      description: How often the carrier came or went.
      type: int
      returned: always
    mtu:
      description: The maximum transmission unit.
      type: int
      returned: always
    min_mtu:
      description: The smallest one that it takes.
      type: int
      returned: always
    max_mtu:
      description: The largest one that it takes; 0 for no limit.
      type: int
      returned: always
    qdisc:
      description: The queueing discipline.
      type: str
      returned: always
    master:
      description: The device that it is a port of; V(null) for none.
      type: str
      returned: always
    mode:
      description: The link mode, V(default) or V(dormant).
      type: str
      returned: always
    group:
      description: The group, V(default) or a number; what this collection made is in 7102818.
      type: raw
      returned: always
    txqueuelen:
      description: The length of the transmit queue.
      type: int
      returned: always
    numtxqueues:
      description: The number of transmit queues.
      type: int
      returned: always
    numrxqueues:
      description: The number of receive queues; V(null) where the kernel does not say it.
      type: int
      returned: always
    address:
      description: 'The link-layer address: a MAC, or the local address of a tunnel.'
      type: str
      returned: always
    broadcast:
      description: The link-layer broadcast address, or the remote address of a tunnel.
      type: str
      returned: always
    permaddr:
      description: The MAC address that the hardware came with; V(null) for none.
      type: str
      returned: always
    alias:
      description: The text for people; V(null) for none.
      type: str
      returned: always
    altnames:
      description: Its other names.
      type: list
      elements: str
      returned: always
    promiscuity:
      description: How many users want all packets.
      type: int
      returned: always
    allmulti:
      description: How many users want all multicast packets.
      type: int
      returned: always
    arp:
      description: Whether ARP is used.
      type: bool
      returned: always
    promisc:
      description: Whether the user set promiscuous mode.
      type: bool
      returned: always
    allmulticast:
      description: Whether the user set it to receive all multicast.
      type: bool
      returned: always
    multicast:
      description: Whether it can do multicast.
      type: bool
      returned: always
    protodown:
      description: Whether something holds it down (C(protodown)).
      type: bool
      returned: always
    addrgenmode:
      description: How IPv6 link-local addresses are generated; V(null) without IPv6.
      type: str
      returned: always
    gso_max_size:
      description: The largest packet for generic segmentation offload.
      type: int
      returned: always
    gso_max_segs:
      description: The most segments of it.
      type: int
      returned: always
    tso_max_size:
      description: The largest packet that the device takes for TCP segmentation offload.
      type: int
      returned: always
    tso_max_segs:
      description: The most segments of it.
      type: int
      returned: always
    gro_max_size:
      description: The largest packet that generic receive offload makes.
      type: int
      returned: always
    gso_ipv4_max_size:
      description: The same as RV(links[].gso_max_size) for IPv4.
      type: int
      returned: always
    gro_ipv4_max_size:
      description: The same as RV(links[].gro_max_size) for IPv4.
      type: int
      returned: always
    portname:
      description: The name of the physical port; V(null) for none.
      type: str
      returned: always
    parentbus:
      description: The bus of the hardware; V(null) for none.
      type: str
      returned: always
    parentdev:
      description: The hardware on that bus; V(null) for none.
      type: str
      returned: always
    xdp:
      description: The id of an XDP program that sees its packets first; V(null) for none.
      type: int
      returned: always
    data:
      description:
        - What it has because of its kind, named like the options of M(linuxnet.lab.bridge), M(linuxnet.lab.vxlan) and
          M(linuxnet.lab.ipip_tunnel), and like the kernel's attributes where there is no option.
        - V(null) for a kind without any.
      type: dict
      returned: always
    port_kind:
      description: The kind of its master, like V(bridge); V(null) without one.
      type: str
      returned: always
    port:
      description:
        - What it has as a port of it, named like the suboptions of O(linuxnet.lab.link#module:port), and like the
          kernel's attributes where there is none (C(state), C(port_no)).
        - V(null) without a master.
      type: dict
      returned: always
    peer:
      description: The other end of a veth, wherever it is; V(null) for other kinds.
      type: dict
      returned: always
      contains:
        name:
          description: Its name; V(null) where only its number is known.
          type: str
          returned: always
        ifindex:
          description: Its number.
          type: int
          returned: always
        netns:
          description: Its namespace, named as O(netns) takes it, empty for the one that Ansible came in to; V(null) where nothing tells which it is.
          type: str
          returned: always
        nsid:
          description: The kernel's id of that namespace as seen from here; V(null) for the same namespace.
          type: int
          returned: always
    lower:
      description: The link under it; V(null) for none, and for a veth.
      type: dict
      returned: always
      contains:
        name:
          description: Its name; V(null) where only its number is known.
          type: str
          returned: always
        ifindex:
          description: Its number.
          type: int
          returned: always
        netns:
          description: Its namespace, named as O(netns) takes it, empty for the one that Ansible came in to; V(null) where nothing tells which it is.
          type: str
          returned: always
        nsid:
          description: The kernel's id of that namespace as seen from here; V(null) for the same namespace.
          type: int
          returned: always
    statistics:
      description: Counters, as C(ip -s link) shows them.
      type: dict
      returned: always
      contains:
        rx:
          description: Received.
          type: dict
          returned: always
          contains:
            bytes:
              description: Bytes.
              type: int
              returned: always
            packets:
              description: Packets.
              type: int
              returned: always
            errors:
              description: Errors.
              type: int
              returned: always
            dropped:
              description: Packets dropped by the kernel.
              type: int
              returned: always
            over_errors:
              description: Overruns.
              type: int
              returned: always
            missed_errors:
              description: Packets that the hardware missed.
              type: int
              returned: always
            multicast:
              description: Multicast packets.
              type: int
              returned: always
        tx:
          description: Sent.
          type: dict
          returned: always
          contains:
            bytes:
              description: Bytes.
              type: int
              returned: always
            packets:
              description: Packets.
              type: int
              returned: always
            errors:
              description: Errors.
              type: int
              returned: always
            dropped:
              description: Packets dropped by the kernel.
              type: int
              returned: always
            carrier_errors:
              description: Losses of carrier.
              type: int
              returned: always
            collisions:
              description: Collisions.
              type: int
              returned: always
    addresses:
      description: The IP addresses, in the kernel's order.
      type: list
      elements: dict
      returned: always
      contains:
        address:
          description: The address with its prefix length; with a peer, the length is the peer's.
          type: str
          returned: always
        family:
          description: V(inet) or V(inet6).
          type: str
          returned: always
        peer:
          description: The other end of a point-to-point address; V(null) for none.
          type: str
          returned: always
        broadcast:
          description: The broadcast address; V(null) for none.
          type: str
          returned: always
        scope:
          description: The scope, as a name or a number.
          type: raw
          returned: always
        label:
          description: The label; V(null) for none (IPv6).
          type: str
          returned: always
        metric:
          description: The metric of the route to the prefix; V(null) for the default.
          type: int
          returned: always
        proto:
          description: Who made it, as a name or a number; V(null) where nobody said so.
          type: raw
          returned: always
        secondary:
          description: Whether it is secondary (IPv4), or temporary (IPv6).
          type: bool
          returned: always
        dynamic:
          description: Whether it has an end.
          type: bool
          returned: always
        tentative:
          description: Whether its uniqueness is still being checked.
          type: bool
          returned: always
        dadfailed:
          description: Whether somebody else has it.
          type: bool
          returned: always
        deprecated:
          description: Whether its preferred lifetime is over.
          type: bool
          returned: always
        optimistic:
          description: Whether it may be used while tentative.
          type: bool
          returned: always
        nodad:
          description: Whether its uniqueness is not checked.
          type: bool
          returned: always
        home:
          description: Whether it is a Mobile IPv6 home address.
          type: bool
          returned: always
        mngtmpaddr:
          description: Whether temporary addresses are made from it.
          type: bool
          returned: always
        noprefixroute:
          description: Whether it makes no route to its prefix.
          type: bool
          returned: always
        autojoin:
          description: Whether it joins its multicast group.
          type: bool
          returned: always
        stable_privacy:
          description: Whether it was made as in RFC 7217.
          type: bool
          returned: always
        valid_lft:
          description: The rest of its life in seconds, or V(forever).
          type: raw
          returned: always
        preferred_lft:
          description: The rest of its preferred life in seconds, or V(forever).
          type: raw
          returned: always
        text:
          description: Its line in C(ip addr).
          type: str
          returned: always
    text:
      description: The lines of C(ip -d link), then those of its addresses in C(ip addr).
      type: str
      returned: always
  sample:
    - {netns: '', name: veth-r, ifindex: 6, kind: veth, master: vnet-br0, mtu: 1500, operstate: up, up: true,
       address: '62:2b:41:f9:39:b3', peer: {name: eth0-r, ifindex: 7, netns: red, nsid: 0},
       text: '6: veth-r@if7: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue master vnet-br0 state UP'}
"""

from ansible_collections.linuxnet.lab.plugins.module_utils._info import link
from ansible_collections.linuxnet.lab.plugins.module_utils._info.main import main as run


def main():
    run("links", link.SPEC, link.read)


if __name__ == "__main__":
    main()
