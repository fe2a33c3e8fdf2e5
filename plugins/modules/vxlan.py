#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vxlan
short_description: Create, change and remove VXLAN tunnel end points
version_added: 0.1.0
description:
  - Manages VXLAN devices (RFC 7348). End points, ttl, tos, learning and ageing change in place; O(id),
    O(dstport) and most flags do not.
  - 'A second run sends nothing: the kernel refuses the port and the flags even when they are the same.'
extends_documentation_fragment:
  - linuxnet.lab.attributes
  - linuxnet.lab.common
  - linuxnet.lab.state
  - linuxnet.lab.netns
  - linuxnet.lab.link
options:
  id:
    description:
      - The VXLAN network identifier (VNI), 0 to 16777215.
    type: int
  remote:
    description:
      - The unicast address of the other end point, where there is one only.
    type: str
  group:
    description:
      - The multicast group to join; it needs O(dev).
    type: str
  local:
    description:
      - The source address of the outer packets.
    type: str
  dev:
    description:
      - The underlying interface.
    type: str
  dstport:
    description:
      - The UDP destination port. The registered one is 4789.
      - The kernel takes 8472 when it is left out.
    type: int
  srcport:
    description:
      - The range of UDP source ports, for example V(49152 65535).
    type: str
  ttl:
    description:
      - The TTL of the outer packets; V(auto), V(inherit), or a number.
    type: str
  tos:
    description:
      - The TOS of the outer packets, or V(inherit).
    type: str
  df:
    description:
      - Whether the outer packets may be fragmented.
    type: str
    choices: [unset, set, inherit]
  flowlabel:
    description:
      - The IPv6 flow label of the outer packets.
    type: int
  learning:
    description:
      - Whether source addresses are learned. The kernel does if nothing is said.
    type: bool
  ageing:
    description:
      - Seconds after which a learned entry is forgotten.
    type: int
  maxaddress:
    description:
      - The most entries in the forwarding database.
    type: int
  proxy:
    description:
      - Whether ARP is answered here.
    type: bool
  rsc:
    description:
      - Whether routes are short-circuited.
    type: bool
  l2miss:
    description:
      - Whether a missing MAC address is told over netlink.
    type: bool
  l3miss:
    description:
      - Whether a missing IP address is told over netlink.
    type: bool
  udpcsum:
    description:
      - Whether UDP checksums are sent over IPv4.
    type: bool
  udp6zerocsumtx:
    description:
      - Whether UDP checksums are left out over IPv6.
    type: bool
  udp6zerocsumrx:
    description:
      - Whether packets without a UDP checksum are taken over IPv6.
    type: bool
  remcsumtx:
    description:
      - Whether remote checksum offload is used when sending.
    type: bool
  remcsumrx:
    description:
      - Whether remote checksum offload is used when receiving.
    type: bool
  gbp:
    description:
      - Whether the group policy extension is used.
    type: bool
  gpe:
    description:
      - Whether the generic protocol extension is used. It needs O(external).
    type: bool
  external:
    description:
      - Whether routes or filters say where to (collect metadata).
    type: bool
  vnifilter:
    description:
      - Whether only frames of VNIs that are listed (C(bridge vni)) are taken. It needs O(external).
    type: bool
  localbypass:
    description:
      - Whether a packet to an address of the host itself goes to the VXLAN there at once, instead of through the network.
    type: bool
seealso:
  - module: linuxnet.lab.link_info
  - module: linuxnet.lab.fdb
  - module: linuxnet.lab.ipip_tunnel
  - module: linuxnet.lab.network_state
"""

EXAMPLES = r"""
- name: The documented end point of node1
  linuxnet.lab.vxlan:
    name: vxlan0
    netns: node1
    id: 42
    dstport: 4789
    local: 192.168.1.2
    remote: 192.168.1.3
    dev: veth1
    up: true
"""

RETURN = r"""
commands:
  description: The changes as iproute2 command lines, in their order; in check mode those that would be made.
  returned: always
  type: list
  elements: str
  sample:
    - ip -n node1 link add vxlan0 type vxlan id 42 remote 192.168.1.3 local 192.168.1.2 dev veth1 dstport
      4789
    - ip -n node1 link set dev vxlan0 up
objects:
  description: What was stated, as it is now (in check mode, as far as it is there), with the names of the options.
  returned: success
  type: list
  elements: dict
  sample:
    - kind_of_object: link
      netns: node1
      name: vxlan0
      kind: vxlan
      id: 42
      dstport: 4789
      mtu: 1450
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
    "id": {"type": "int"},
    "remote": {"type": "str"},
    "group": {"type": "str"},
    "local": {"type": "str"},
    "dev": {"type": "str"},
    "dstport": {"type": "int"},
    "srcport": {"type": "str"},
    "ttl": {"type": "str"},
    "tos": {"type": "str"},
    "df": {"type": "str", "choices": ["unset", "set", "inherit"]},
    "flowlabel": {"type": "int"},
    "learning": {"type": "bool"},
    "ageing": {"type": "int"},
    "maxaddress": {"type": "int"},
    "proxy": {"type": "bool"},
    "rsc": {"type": "bool"},
    "l2miss": {"type": "bool"},
    "l3miss": {"type": "bool"},
    "udpcsum": {"type": "bool"},
    "udp6zerocsumtx": {"type": "bool"},
    "udp6zerocsumrx": {"type": "bool"},
    "remcsumtx": {"type": "bool"},
    "remcsumrx": {"type": "bool"},
    "gbp": {"type": "bool"},
    "gpe": {"type": "bool"},
    "external": {"type": "bool"},
    "vnifilter": {"type": "bool"},
    "localbypass": {"type": "bool"},
}


def describe(params):
    return {"links": [{**params, "kind": "vxlan"}]}


def main():
    _module.main(SPEC, describe)


if __name__ == "__main__":
    main()
