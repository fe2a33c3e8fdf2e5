#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fdb_info
short_description: Read the forwarding databases
version_added: 0.1.0
description:
  - Returns the entries of the forwarding databases of bridges and VXLANs, in any network namespaces - those that somebody made,
    those that were learned, and the multicast addresses that a device listens to.
  - Nothing is ever changed.
extends_documentation_fragment:
  - linuxnet.lab.info
  - linuxnet.lab.info.reading
options:
  dev:
    description: Only entries of this interface, a VXLAN or the port of a bridge.
    type: str
  mac:
    description: Only entries of this MAC address.
    type: str
  master:
    description: Only entries of this bridge.
    type: str
  which:
    description: Only entries of devices themselves (V(self)), or only those of their bridges (V(master)).
    type: str
    choices: [self, master]
  dst:
    description: Only entries with this VXLAN end point.
    type: str
  vlan:
    description: Only entries of this VLAN.
    type: int
  entry_state:
    description: Only entries in this state.
    type: str
    choices: [permanent, static, dynamic, stale]
  learned:
    description: Only entries that were learned or may go like these (V(true)), or none of them (V(false)).
    type: bool
seealso:
  - module: linuxnet.lab.fdb
  - module: linuxnet.lab.neighbor_info
  - module: linuxnet.lab.route_info
"""

EXAMPLES = r"""
- name: Where does the overlay send what it knows no better?
  linuxnet.lab.fdb_info:
    netns: node1
    dev: vxlan0
    mac: '00:00:00:00:00:00'

- name: What has the bridge learned?
  linuxnet.lab.fdb_info:
    master: vnet-br0
    learned: true
"""

RETURN = r"""
fdb:
  description: The entries, in the kernel's order.
  returned: success
  type: list
  elements: dict
  contains:
    netns:
      description: The namespace; empty for the one that Ansible came in to.
      type: str
      returned: always
    dev:
      description: The interface.
      type: str
      returned: always
    mac:
      description: The MAC address; V(00:00:00:00:00:00) is where a VXLAN sends what it knows no better.
      type: str
      returned: always
    which:
      description: Whose entry it is, that of the device itself (V(self)), or that of its bridge (V(master)).
      type: str
      returned: always
    master:
      description: The bridge.
      type: str
      returned: always
    dst:
      description: The address of the VXLAN end point.
      type: str
      returned: always
    vlan:
      description: The VLAN that it is for.
      type: int
      returned: always
    port:
      description: The UDP port of the end point, if it is not that of the device.
      type: int
      returned: always
    vni:
      description: The VNI, if it is not that of the device.
      type: int
      returned: always
    src_vni:
      description: The VNI that it is for.
      type: int
      returned: always
    via:
      description: The interface to send through; its number only where it is in another namespace.
      type: str
      returned: always
    nhid:
      description: The number of its nexthop object.
      type: int
      returned: always
    link_netnsid:
      description: The namespace of the lower device, by the number that it has here; V(null) for the same one.
      type: int
      returned: always
    entry_state:
      description: V(permanent) and V(static) stay, V(dynamic) goes when it is not used, V(stale) is about to.
      type: str
      returned: always
    learned:
      description: Whether it is V(dynamic) or V(stale) - learned from traffic, or made as if it were.
      type: bool
      returned: always
    router:
      description: Whether packets for it go to the VXLAN's router (route short circuit).
      type: bool
      returned: always
    extern_learn:
      description: Whether somebody else than the kernel learned it.
      type: bool
      returned: always
    offload:
      description: Whether the hardware has it.
      type: bool
      returned: always
    sticky:
      description: Whether it stays with its port, wherever the address is seen.
      type: bool
      returned: always
    used:
      description: Seconds since it was used; V(null) where the kernel does not say so.
      type: int
      returned: always
    updated:
      description: Seconds since it was made or seen again.
      type: int
      returned: always
    text:
      description: The entry as C(bridge fdb) prints it.
      type: str
      returned: always
  sample:
    - {netns: node1, dev: vxlan0, mac: '00:00:00:00:00:00', which: self, master: null, dst: 192.168.1.3, vlan: null, port: null,
       vni: null, src_vni: null, via: veth1, nhid: null, link_netnsid: null, entry_state: permanent, learned: false,
       router: false, extern_learn: false, offload: false, sticky: false, used: 4, updated: 312,
       text: '00:00:00:00:00:00 dev vxlan0 dst 192.168.1.3 via veth1 self permanent'}
"""

from ansible_collections.linuxnet.lab.plugins.module_utils._info import fdb
from ansible_collections.linuxnet.lab.plugins.module_utils._info.main import main as run


def main():
    run("fdb", fdb.SPEC, fdb.read)


if __name__ == "__main__":
    main()
