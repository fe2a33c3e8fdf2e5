#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: address
short_description: Add, change and remove IP addresses
version_added: 0.1.0
description:
  - Manages addresses, IPv4 and IPv6, with a peer, a scope, a label and lifetimes.
  - Lifetimes, metric and protocol change in place.
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
  address:
    description:
      - The address and the length of its prefix. With O(peer) the length is that of the peer.
    type: str
    required: true
  peer:
    description:
      - The address of the other end of a point-to-point link.
    type: str
  broadcast:
    description:
      - The broadcast address.
    type: str
  scope:
    description:
      - V(global), V(site), V(link), V(host), or a number. That of an IPv6 address follows from the address.
    type: str
  label:
    description:
      - A label, 15 bytes at the most; it begins with the name of the interface.
    type: str
  metric:
    description:
      - The metric of the route that comes with the address.
    type: int
  proto:
    description:
      - The protocol number of the address. Without it that of this collection, 76, as its mark.
    type: str
  valid_lft:
    description:
      - The valid lifetime in seconds, or V(forever).
    type: str
  preferred_lft:
    description:
      - The preferred lifetime in seconds, or V(forever).
    type: str
  nodad:
    description:
      - Whether duplicate address detection is left out (IPv6).
    type: bool
  home:
    description:
      - Whether it is a home address (IPv6, Mobile IPv6).
    type: bool
  mngtmpaddr:
    description:
      - Whether temporary addresses are made of it (IPv6).
    type: bool
  noprefixroute:
    description:
      - Whether no route to the prefix is made.
    type: bool
  autojoin:
    description:
      - Whether the multicast group of this address is joined.
    type: bool
seealso:
  - module: linuxnet.lab.link_info
  - module: linuxnet.lab.route
  - module: linuxnet.lab.link
  - module: linuxnet.lab.network_state
"""

EXAMPLES = r"""
- name: An address for red
  linuxnet.lab.address:
    netns: red
    dev: eth0-r
    address: 192.168.20.2/24

- name: The two ends of a tunnel
  linuxnet.lab.address:
    netns: ns1
    dev: tunl
    address: 10.10.100.10/32
    peer: 10.10.200.10
"""

RETURN = r"""
commands:
  description: The changes as iproute2 command lines, in their order; in check mode those that would be made.
  returned: always
  type: list
  elements: str
  sample:
    - ip -n red addr add 192.168.20.2/24 dev eth0-r
objects:
  description: What was stated, as it is now (in check mode, as far as it is there), with the names of the options.
  returned: success
  type: list
  elements: dict
  sample:
    - kind_of_object: address
      netns: red
      dev: eth0-r
      address: 192.168.20.2/24
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
    "address": {"type": "str", "required": True},
    "peer": {"type": "str"},
    "broadcast": {"type": "str"},
    "scope": {"type": "str"},
    "label": {"type": "str"},
    "metric": {"type": "int"},
    "proto": {"type": "str"},
    "valid_lft": {"type": "str"},
    "preferred_lft": {"type": "str"},
    "nodad": {"type": "bool"},
    "home": {"type": "bool"},
    "mngtmpaddr": {"type": "bool"},
    "noprefixroute": {"type": "bool"},
    "autojoin": {"type": "bool"},
}


def describe(params):
    return {"addresses": [params]}


def main():
    _module.main(SPEC, describe)


if __name__ == "__main__":
    main()
