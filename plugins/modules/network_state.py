#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: network_state
short_description: Bring a whole network to a description, in one transaction
version_added: 0.1.0
description:
  - Takes namespaces, links, addresses, routes, policy rules, neighbours, forwarding entries, kernel parameters and
    chains, in any namespaces of a host, and brings the host there in one pass.
  - The whole description is checked before anything is changed, and all mistakes are reported together.
  - After the changes the host is looked at again; what the kernel did not take, or any failure on the way,
    rolls everything back.
  - Each entry may have C(netns) and C(state).
extends_documentation_fragment:
  - linuxnet.lab.attributes
  - linuxnet.lab.common
  - linuxnet.lab.state
options:
  name:
    description:
      - A name for the description. What it made and changed is kept under that name on the host, until
        the next boot.
      - It is needed for O(state=absent) and for O(prune=true).
    type: str
  prune:
    description:
      - Whether what this description made earlier, and does not state any more, goes. Without it V(true)
        where there is a O(name).
    type: bool
  namespaces:
    description:
      - Network namespaces, each a name, or a dictionary with the options of M(linuxnet.lab.netns).
    type: list
    elements: raw
  links:
    description:
      - Links, each with the options of M(linuxnet.lab.link), and of the module of its C(kind) -
        M(linuxnet.lab.bridge), M(linuxnet.lab.veth), M(linuxnet.lab.ipip_tunnel) (kind V(ipip)) or
        M(linuxnet.lab.vxlan).
    type: list
    elements: dict
  addresses:
    description:
      - Addresses, each with the options of M(linuxnet.lab.address).
    type: list
    elements: dict
  routes:
    description:
      - Routes, each with the options of M(linuxnet.lab.route).
    type: list
    elements: dict
  rules:
    description:
      - Policy rules, each with the options of M(linuxnet.lab.rule).
    type: list
    elements: dict
  neighbors:
    description:
      - Neighbour entries, each with the options of M(linuxnet.lab.neighbor).
    type: list
    elements: dict
  fdb:
    description:
      - Forwarding entries, each with the options of M(linuxnet.lab.fdb).
    type: list
    elements: dict
  sysctls:
    description:
      - Kernel parameters, each with the options of M(linuxnet.lab.sysctl).
    type: list
    elements: dict
  chains:
    description:
      - Chains of iptables that are the lab's own, each with C(name), C(table), C(family) (V(ipv4) or V(ipv6)),
        C(rules) (in the words of C(iptables-save), without C(-A NAME)) and C(jumps) - a list with C(from) (a
        built-in chain), C(rule) (conditions) and C(at) (V(first) or V(last)).
      - All chains of a namespace change in one C(iptables-restore); rules of others are not touched.
      - A chain of that name which is there already, and was not made by this collection, is refused unless O(adopt) is set. Chains
        whose names begin with C(LINUXNET-) count as the collection's own.
    type: list
    elements: dict
seealso:
  - module: linuxnet.lab.netns
  - module: linuxnet.lab.link
  - module: linuxnet.lab.bridge
  - module: linuxnet.lab.veth
  - module: linuxnet.lab.ipip_tunnel
  - module: linuxnet.lab.vxlan
  - module: linuxnet.lab.address
  - module: linuxnet.lab.route
  - module: linuxnet.lab.rule
  - module: linuxnet.lab.neighbor
  - module: linuxnet.lab.fdb
  - module: linuxnet.lab.sysctl
  - module: linuxnet.lab.iptables_rules
"""

EXAMPLES = r"""
- name: A bridge between two namespaces
  linuxnet.lab.network_state:
    name: lab
    namespaces: [red, green]
    links:
      - {name: vnet-br0, kind: bridge, up: true}
      - {name: veth-r, kind: veth, master: vnet-br0, up: true, peer: {name: eth0-r, netns: red, up: true}}
      - {name: veth-g, kind: veth, master: vnet-br0, up: true, peer: {name: eth0-g, netns: green, up: true}}
    addresses:
      - {dev: vnet-br0, address: 192.168.20.1/24}
      - {dev: eth0-r, netns: red, address: 192.168.20.2/24}
      - {dev: eth0-g, netns: green, address: 192.168.20.3/24}
    routes:
      - {dst: default, via: 192.168.20.1, netns: red}
      - {dst: default, via: 192.168.20.1, netns: green}

- name: All of it goes, and what was changed is as before
  linuxnet.lab.network_state:
    name: lab
    state: absent
"""

RETURN = r"""
commands:
  description: The changes as iproute2 command lines, in their order; in check mode those that would be made.
  returned: always
  type: list
  elements: str
  sample:
    - ip netns add red
    - ip link add vnet-br0 type bridge
objects:
  description: What was stated, as it is now (in check mode, as far as it is there), with the names of the options.
  returned: success
  type: list
  elements: dict
  sample:
    - kind_of_object: netns
      netns: ''
      name: red
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
    "name": {"type": "str"},
    "prune": {"type": "bool"},
    "namespaces": {"type": "list", "elements": "raw"},
    "links": {"type": "list", "elements": "dict"},
    "addresses": {"type": "list", "elements": "dict"},
    "routes": {"type": "list", "elements": "dict"},
    "rules": {"type": "list", "elements": "dict"},
    "neighbors": {"type": "list", "elements": "dict"},
    "fdb": {"type": "list", "elements": "dict"},
    "sysctls": {"type": "list", "elements": "dict"},
    "chains": {"type": "list", "elements": "dict"},
}

SECTIONS = ("namespaces", "links", "addresses", "routes", "rules", "neighbors", "fdb", "sysctls", "chains")


def describe(params):
    """Absent is a description that states nothing: all that it held goes."""
    return {section: params[section] for section in SECTIONS if params["state"] == "present"}


def options(params):
    name = params["name"] or ""
    prune = params["state"] == "absent" or (bool(name) if params["prune"] is None else params["prune"])
    return _module.Options(name=name, prune=prune)


def main():
    _module.main(
        SPEC,
        describe,
        options,
        required_if=[("state", "absent", ["name"]), ("prune", True, ["name"])],
    )


if __name__ == "__main__":
    main()
