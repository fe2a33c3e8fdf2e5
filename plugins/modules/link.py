#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: link
short_description: Change any network interface
version_added: 0.1.0
description:
  - 'Sets what all interfaces have in common, on an interface of any kind that exists already: MTU, MAC
    address, master, flags, options of a bridge port.'
  - Moves an interface into another network namespace.
  - Creates a link when O(kind) says of which kind; the modules of the kinds have all of their options.
extends_documentation_fragment:
  - linuxnet.lab.attributes
  - linuxnet.lab.common
  - linuxnet.lab.state
  - linuxnet.lab.netns
  - linuxnet.lab.link
options:
  kind:
    description:
      - The kind of the link, to create it, or to be sure that it is of that kind.
    type: str
    choices: [bridge, ipip, veth, vxlan]
  move_from:
    description:
      - The namespace to take the link from, as long as it is not in O(netns) yet; by name, path or PID,
        an empty string for the one that Ansible came in to.
      - Moving sets a link down and takes its addresses and routes.
    type: str
seealso:
  - module: linuxnet.lab.link_info
  - module: linuxnet.lab.veth
  - module: linuxnet.lab.bridge
  - module: linuxnet.lab.vxlan
  - module: linuxnet.lab.ipip_tunnel
  - module: linuxnet.lab.network_state
"""

EXAMPLES = r"""
- name: Take eth0-r into the namespace red
  linuxnet.lab.link:
    name: eth0-r
    netns: red
    move_from: ""
    up: true

- name: A smaller MTU, and no talk between isolated ports
  linuxnet.lab.link:
    name: veth-r
    mtu: 1450
    master: vnet-br0
    port:
      isolated: true
"""

RETURN = r"""
commands:
  description: The changes as iproute2 command lines, in their order; in check mode those that would be made.
  returned: always
  type: list
  elements: str
  sample:
    - ip link set eth0-r netns red
    - ip -n red link set dev eth0-r up
objects:
  description: What was stated, as it is now (in check mode, as far as it is there), with the names of the options.
  returned: success
  type: list
  elements: dict
  sample:
    - kind_of_object: link
      netns: red
      name: eth0-r
      kind: veth
      ifindex: 7
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
    "kind": {"type": "str", "choices": ["bridge", "ipip", "veth", "vxlan"]},
    "move_from": {"type": "str"},
}


def describe(params):
    return {"links": [{**params}]}


def main():
    _module.main(SPEC, describe)


if __name__ == "__main__":
    main()
