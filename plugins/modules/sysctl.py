#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sysctl
short_description: Set kernel parameters of the network, in any namespace
version_added: 0.1.0
description:
  - Writes parameters under C(net), which each network namespace has for itself.
  - With O(state=absent) a parameter becomes again what it was before the modules for single objects changed it.
    One that a description of M(linuxnet.lab.network_state) holds as well, or alone, stays as it is, and a warning names
    the description. One that was set by other hands stays as it is too, as nothing tells what it was before.
  - Some parameters rewrite others when they are written, as net.ipv4.ip_forward (which is also called
    net.ipv4.conf.all.forwarding) does with C(forwarding) of each interface. What is stated of these, or held by a
    description, wins; all others become again what they were together with the parameter that rewrote them.
  - 'Nothing is written to files: a parameter lives as long as its namespace, or until the next boot.'
extends_documentation_fragment:
  - linuxnet.lab.attributes
  - linuxnet.lab.common
  - linuxnet.lab.state
  - linuxnet.lab.netns
options:
  name:
    description:
      - The name of the parameter, such as V(net.ipv4.ip_forward), or V(net/ipv4/conf/eth0.1/rp_filter)
        where an interface has a dot in its name.
    type: str
    required: true
  value:
    description:
      - The value. It is required with O(state=present).
    type: str
seealso:
  - module: linuxnet.lab.proxy_arp
  - module: linuxnet.lab.network_state
"""

EXAMPLES = r"""
- name: Route between the namespaces
  linuxnet.lab.sysctl:
    name: net.ipv4.ip_forward
    value: 1

- name: As it was before
  linuxnet.lab.sysctl:
    name: net.ipv4.ip_forward
    state: absent
"""

RETURN = r"""
commands:
  description: The changes as iproute2 command lines, in their order; in check mode those that would be made.
  returned: always
  type: list
  elements: str
  sample:
    - sysctl -w net.ipv4.ip_forward=1
objects:
  description: What was stated, as it is now (in check mode, as far as it is there), with the names of the options.
  returned: success
  type: list
  elements: dict
  sample:
    - kind_of_object: sysctl
      netns: ''
      name: net.ipv4.ip_forward
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
    "name": {"type": "str", "required": True},
    "value": {"type": "str"},
}


def describe(params):
    return {"sysctls": [params]}


def main():
    _module.main(SPEC, describe, required_if=[("state", "present", ["value"])])


if __name__ == "__main__":
    main()
