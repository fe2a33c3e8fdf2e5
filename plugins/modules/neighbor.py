#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: neighbor
short_description: Add, change and remove neighbour entries
version_added: 0.1.0
description:
  - Manages permanent entries of the ARP and neighbour discovery tables, and proxy entries.
  - Entries that the kernel has learned are left alone.
extends_documentation_fragment:
  - linuxnet.lab.attributes
  - linuxnet.lab.common
  - linuxnet.lab.state
  - linuxnet.lab.netns
options:
  dev:
    description:
      - The interface.
    type: str
    required: true
  dst:
    description:
      - The IP address of the neighbour.
    type: str
    required: true
  lladdr:
    description:
      - Its MAC address. A new entry that is no proxy needs it, on an interface that has such addresses.
    type: str
  nud:
    description:
      - The state of the entry. Without it V(permanent).
      - The kernel drops an entry that is V(noarp) when its interface loses the carrier.
    type: str
    choices: [permanent, noarp]
  router:
    description:
      - Whether the neighbour is a router (IPv6).
    type: bool
  proxy:
    description:
      - Whether the host answers for this address with its own MAC address (a proxy entry).
    type: bool
seealso:
  - module: linuxnet.lab.proxy_arp
  - module: linuxnet.lab.fdb
  - module: linuxnet.lab.network_state
"""

EXAMPLES = r"""
- name: Nobody needs to ask for this one
  linuxnet.lab.neighbor:
    dev: vxlan.calico
    dst: 10.244.169.64
    lladdr: 66:2d:8a:11:22:33

- name: Answer for another host
  linuxnet.lab.neighbor:
    dev: eth1
    dst: 192.0.2.77
    proxy: true
"""

RETURN = r"""
commands:
  description: The changes as iproute2 command lines, in their order; in check mode those that would be made.
  returned: always
  type: list
  elements: str
  sample:
    - ip neigh replace 10.244.169.64 lladdr 66:2d:8a:11:22:33 nud permanent dev vxlan.calico
objects:
  description: What was stated, as it is now (in check mode, as far as it is there), with the names of the options.
  returned: success
  type: list
  elements: dict
  sample:
    - kind_of_object: neighbor
      netns: ''
      dev: vxlan.calico
      dst: 10.244.169.64
      lladdr: 66:2d:8a:11:22:33
      nud: permanent
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

from ansible_collections.linuxnet.lab.plugins.module_utils import _module

SPEC = {
    **_module.STATE,
    **_module.NETNS,
    "dev": {"type": "str", "required": True},
    "dst": {"type": "str", "required": True},
    "lladdr": {"type": "str"},
    "nud": {"type": "str", "choices": ["permanent", "noarp"]},
    "router": {"type": "bool"},
    "proxy": {"type": "bool"},
}


def describe(params):
    return {"neighbors": [params]}


def main():
    _module.main(SPEC, describe)


if __name__ == "__main__":
    main()
