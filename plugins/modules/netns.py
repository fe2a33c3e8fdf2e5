#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: netns
short_description: Create and remove network namespaces
version_added: 0.1.0
description:
  - Creates named network namespaces as C(ip netns add) does, and removes them with all that is in them.
  - A removal that is part of a failing run is undone, with everything that was in the namespace.
extends_documentation_fragment:
  - linuxnet.lab.attributes
  - linuxnet.lab.common
  - linuxnet.lab.state
options:
  name:
    description:
      - The name of the namespace.
    type: str
    required: true
seealso:
  - module: linuxnet.lab.netns_info
  - module: linuxnet.lab.network_state
  - module: linuxnet.lab.veth
"""

EXAMPLES = r"""
- name: Two namespaces to play with
  linuxnet.lab.netns:
    name: "{{ item }}"
  loop: [red, green]
"""

RETURN = r"""
commands:
  description: The changes as iproute2 command lines, in their order; in check mode those that would be made.
  returned: always
  type: list
  elements: str
  sample:
    - ip netns add red
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

SPEC = {**_module.STATE, "name": {"type": "str", "required": True}}


def describe(params):
    return {"namespaces": [params]}


def main():
    _module.main(SPEC, describe)


if __name__ == "__main__":
    main()
