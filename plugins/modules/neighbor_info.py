#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: neighbor_info
short_description: Read the neighbour tables
version_added: 0.1.0
description:
  - Returns the entries of the ARP and NDP tables, with those that answer for others (C(proxy)), in any network namespaces.
  - Nothing is ever changed, and nobody is asked for a missing entry.
extends_documentation_fragment:
  - linuxnet.lab.info
  - linuxnet.lab.info.reading
options:
  dev:
    description: Only entries of this interface.
    type: str
  dst:
    description: Only the entry of this address.
    type: str
  family:
    description: Only IPv4 (V(inet), ARP), or only IPv6 (V(inet6), NDP).
    type: str
    choices: [inet, inet6]
  nud:
    description:
      - Only entries in one of these states.
      - Without it all but V(noarp) and V(none), unless somebody else than the kernel learned these, as C(ip neigh) does.
    type: list
    elements: str
    choices: [incomplete, reachable, stale, delay, probe, failed, noarp, permanent, none]
  proxy:
    description: Only proxy entries (V(true)), or none of them (V(false)).
    type: bool
seealso:
  - module: linuxnet.lab.neighbor
  - module: linuxnet.lab.proxy_arp
  - module: linuxnet.lab.fdb_info
  - module: linuxnet.lab.route_info
"""

EXAMPLES = r"""
- name: What does node1 know about the other end of its overlay?
  linuxnet.lab.neighbor_info:
    netns: node1
    dst: 172.17.1.3

- name: Neighbours that do not answer, anywhere on the host
  linuxnet.lab.neighbor_info:
    netns: all
    nud: [failed, incomplete]
"""

RETURN = r"""
neighbors:
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
    dst:
      description: The neighbour's address.
      type: str
      returned: always
    family:
      description: V(inet) or V(inet6).
      type: str
      returned: always
    lladdr:
      description: The link-layer address; V(null) where none is known.
      type: str
      returned: always
    nud:
      description: The state, in lower case.
      type: str
      returned: always
    proxy:
      description: Whether the host answers for this address.
      type: bool
      returned: always
    router:
      description: Whether the neighbour is an IPv6 router.
      type: bool
      returned: always
    extern_learn:
      description: Whether somebody else than the kernel learned it (a routing daemon, for instance).
      type: bool
      returned: always
    offload:
      description: Whether the hardware has it.
      type: bool
      returned: always
    proto:
      description: Who made it, as a name or a number; V(null) where nobody said so.
      type: raw
      returned: always
    text:
      description: The entry as C(ip neigh) prints it.
      type: str
      returned: always
  sample:
    - {netns: node1, dev: vxlan0, dst: 172.17.1.3, family: inet, lladdr: '5a:11:7c:0e:90:01', nud: reachable, proxy: false,
       router: false, extern_learn: false, offload: false, proto: null,
       text: '172.17.1.3 dev vxlan0 lladdr 5a:11:7c:0e:90:01 REACHABLE'}
"""

from ansible_collections.linuxnet.lab.plugins.module_utils._info import neighbor
from ansible_collections.linuxnet.lab.plugins.module_utils._info.main import main as run


def main():
    run("neighbors", neighbor.SPEC, neighbor.read)


if __name__ == "__main__":
    main()
