#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipip_tunnel
short_description: Create, change and remove IP-in-IP tunnels
version_added: 0.1.0
description:
  - Manages IPIP tunnels (RFC 2003). End points, ttl, tos and path MTU discovery change in place; a tunnel
    between two points does not turn into one to any, nor O(mode) and O(external).
  - Where the kernel has no ipip, this is said before anything is changed.
extends_documentation_fragment:
  - linuxnet.lab.attributes
  - linuxnet.lab.common
  - linuxnet.lab.state
  - linuxnet.lab.netns
  - linuxnet.lab.link
options:
  mode:
    description:
      - What may be inside.
    type: str
    choices: [ipip, any, mplsip]
  external:
    description:
      - Whether routes say where to, instead of O(remote) (collect metadata).
    type: bool
  remote:
    description:
      - The far end point, or V(any).
    type: str
  local:
    description:
      - The near end point, or V(any).
    type: str
  dev:
    description:
      - The underlying interface; an empty string for any.
    type: str
  ttl:
    description:
      - The TTL of the outer packets, 1 to 255, or V(inherit).
    type: str
  tos:
    description:
      - The TOS of the outer packets, or V(inherit).
    type: str
  pmtudisc:
    description:
      - Whether the path MTU is discovered. V(false) needs O(ttl=inherit).
    type: bool
  encap:
    description:
      - A UDP encapsulation around it.
    type: str
    choices: [none, fou, gue]
  encap_sport:
    description:
      - The UDP source port of the encapsulation; 0 for any.
    type: int
  encap_dport:
    description:
      - The UDP destination port of the encapsulation.
    type: int
  encap_csum:
    description:
      - Whether UDP checksums are sent over IPv4.
    type: bool
  encap_csum6:
    description:
      - Whether UDP checksums are sent over IPv6.
    type: bool
  encap_remcsum:
    description:
      - Whether remote checksum offload is used.
    type: bool
  fwmark:
    description:
      - The firewall mark of the outer packets.
    type: int
seealso:
  - module: linuxnet.lab.link_info
  - module: linuxnet.lab.vxlan
  - module: linuxnet.lab.address
  - module: linuxnet.lab.network_state
"""

EXAMPLES = r"""
- name: The tunnel of ns1
  linuxnet.lab.ipip_tunnel:
    name: tunl
    netns: ns1
    local: 10.10.10.2
    remote: 10.10.20.2
    up: true

- name: Its inner addresses
  linuxnet.lab.address:
    dev: tunl
    netns: ns1
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
    - ip -n ns1 link add tunl type ipip remote 10.10.20.2 local 10.10.10.2
    - ip -n ns1 link set dev tunl up
objects:
  description: What was stated, as it is now (in check mode, as far as it is there), with the names of the options.
  returned: success
  type: list
  elements: dict
  sample:
    - kind_of_object: link
      netns: ns1
      name: tunl
      kind: ipip
      local: 10.10.10.2
      remote: 10.10.20.2
      mtu: 1480
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
    "mode": {"type": "str", "choices": ["ipip", "any", "mplsip"]},
    "external": {"type": "bool"},
    "remote": {"type": "str"},
    "local": {"type": "str"},
    "dev": {"type": "str"},
    "ttl": {"type": "str"},
    "tos": {"type": "str"},
    "pmtudisc": {"type": "bool"},
    "encap": {"type": "str", "choices": ["none", "fou", "gue"]},
    "encap_sport": {"type": "int"},
    "encap_dport": {"type": "int"},
    "encap_csum": {"type": "bool"},
    "encap_csum6": {"type": "bool"},
    "encap_remcsum": {"type": "bool"},
    "fwmark": {"type": "int"},
}


def describe(params):
    return {"links": [{**params, "kind": "ipip"}]}


def main():
    _module.main(SPEC, describe)


if __name__ == "__main__":
    main()
