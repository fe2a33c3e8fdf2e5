#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxy_arp
short_description: Answer ARP for what is behind the host
version_added: 0.1.0
description:
  - Makes the host answer ARP requests on an interface for all addresses that it has a route to through
    another interface.
  - With O(state=absent) the parameters become again what they were before this module changed them, and
    O(addresses) are not answered for any more. A parameter that a description of M(linuxnet.lab.network_state) holds
    as well, or alone, stays as it is, and a warning names the description. One that was set by other hands stays as
    it is too, as nothing tells what it was before.
  - 'This is how Calico connects pods: the answer to each question is the MAC address of the host.'
extends_documentation_fragment:
  - linuxnet.lab.attributes
  - linuxnet.lab.common
  - linuxnet.lab.state
  - linuxnet.lab.netns
options:
  dev:
    description:
      - The interface on which ARP is answered.
    type: str
    required: true
  forwarding:
    description:
      - Whether packets that come in there are forwarded; proxy ARP does nothing without.
    type: bool
    default: true
  proxy_delay:
    description:
      - The longest time to wait before an answer, in hundredths of a second. The kernel has 80; 0 answers
        at once.
    type: int
  addresses:
    description:
      - Addresses to answer for in any case (proxy neighbour entries), beside those that the host has a
        route to.
    type: list
    elements: str
seealso:
  - module: linuxnet.lab.sysctl
  - module: linuxnet.lab.neighbor
  - module: linuxnet.lab.network_state
"""

EXAMPLES = r"""
- name: All that the pod asks for, the host answers
  linuxnet.lab.proxy_arp:
    dev: cali39888f400bd
    proxy_delay: 0

- name: As it was before
  linuxnet.lab.proxy_arp:
    dev: cali39888f400bd
    state: absent
"""

RETURN = r"""
commands:
  description: The changes as iproute2 command lines, in their order; in check mode those that would be made.
  returned: always
  type: list
  elements: str
  sample:
    - sysctl -w net.ipv4.conf.cali39888f400bd.proxy_arp=1
objects:
  description: What was stated, as it is now (in check mode, as far as it is there), with the names of the options.
  returned: success
  type: list
  elements: dict
  sample:
    - kind_of_object: sysctl
      netns: ''
      name: net.ipv4.conf.cali39888f400bd.proxy_arp
      value: '1'
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
    "forwarding": {"type": "bool", "default": True},
    "proxy_delay": {"type": "int"},
    "addresses": {"type": "list", "elements": "str"},
}


def describe(params):
    where = {"netns": params["netns"], "state": params["state"]}
    values = {
        "net/ipv4/conf/{0}/proxy_arp": 1,
        "net/ipv4/conf/{0}/forwarding": int(params["forwarding"]),
        "net/ipv4/neigh/{0}/proxy_delay": params["proxy_delay"],
    }
    return {
        "sysctls": [
            {"name": name.format(params["dev"]), "value": value, **where}
            for name, value in values.items()
            if value is not None or params["state"] == "absent"
        ],
        "neighbors": [
            {"dev": params["dev"], "dst": address, "proxy": True, **where} for address in params["addresses"] or []
        ],
    }


def main():
    _module.main(SPEC, describe)


if __name__ == "__main__":
    main()
