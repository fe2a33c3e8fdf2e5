#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fdb
short_description: Add, change and remove forwarding database entries
version_added: 0.1.0
description:
  - Manages entries in the forwarding databases of VXLANs and bridges.
  - Learned entries are left alone.
extends_documentation_fragment:
  - linuxnet.lab.attributes
  - linuxnet.lab.common
  - linuxnet.lab.state
  - linuxnet.lab.netns
options:
  dev:
    description:
      - The VXLAN, or the port of a bridge.
    type: str
    required: true
  mac:
    description:
      - The MAC address; V(00:00:00:00:00:00) is where a VXLAN sends what it knows no better.
    type: str
    required: true
  which:
    description:
      - Whose entry it is, that of the device itself, or that of its bridge.
    type: str
    choices: [self, master]
    default: self
  dst:
    description:
      - The address of the VXLAN end point. A unicast MAC address has one, the zero MAC address any number
        (one task each).
    type: str
  port:
    description:
      - The UDP port of the end point, if it is not that of the device.
    type: int
  vni:
    description:
      - The VNI, if it is not that of the device.
    type: int
  src_vni:
    description:
      - The VNI that the entry is for, on a VXLAN that is V(external); there a MAC address may have an entry for each.
    type: int
  via:
    description:
      - The interface to send through.
    type: str
  vlan:
    description:
      - The VLAN that the entry is for.
    type: int
  entry_state:
    description:
      - How long the entry stays. Without it V(permanent).
    type: str
    choices: [permanent, static, dynamic]
seealso:
  - module: linuxnet.lab.vxlan
  - module: linuxnet.lab.neighbor
  - module: linuxnet.lab.network_state
"""

EXAMPLES = r"""
- name: Flood to both other end points
  linuxnet.lab.fdb:
    dev: vxlan42
    mac: 00:00:00:00:00:00
    dst: "{{ item }}"
  loop: [192.168.26.101, 192.168.26.102]
"""

RETURN = r"""
commands:
  description: The changes as iproute2 command lines, in their order; in check mode those that would be made.
  returned: always
  type: list
  elements: str
  sample:
    - bridge fdb append 00:00:00:00:00:00 dev vxlan42 dst 192.168.26.101 self permanent
objects:
  description: What was stated, as it is now (in check mode, as far as it is there), with the names of the options.
  returned: success
  type: list
  elements: dict
  sample:
    - kind_of_object: fdb
      netns: ''
      dev: vxlan42
      mac: 00:00:00:00:00:00
      which: self
      dst: 192.168.26.101
      entry_state: permanent
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
    "mac": {"type": "str", "required": True},
    "which": {"type": "str", "choices": ["self", "master"], "default": "self"},
    "dst": {"type": "str"},
    "port": {"type": "int"},
    "vni": {"type": "int"},
    "src_vni": {"type": "int"},
    "via": {"type": "str"},
    "vlan": {"type": "int"},
    "entry_state": {"type": "str", "choices": ["permanent", "static", "dynamic"]},
}


def describe(params):
    return {"fdb": [params]}


def main():
    _module.main(SPEC, describe)


if __name__ == "__main__":
    main()
