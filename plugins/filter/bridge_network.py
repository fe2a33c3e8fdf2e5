# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter bridge_network: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: bridge_network
author:
  - linuxnet.lab contributors (@linuxnet)
version_added: 0.1.0
short_description: Work out the bridge network of a host
description:
  - Turns the variables of the role into a description for M(linuxnet.lab.network_state), with names of interfaces and addresses filled in.
  - It changes nothing and asks nobody; the role P(linuxnet.lab.bridge_network#role) calls it on the controller before any host is changed.
positional: host, hostvars
options:
  _input:
    description:
      - The variables of the role, without the prefix C(bridge_network_). What is left out has the role's default.
    type: dict
    required: true
  host:
    description: The host's name in the inventory.
    type: str
    required: true
  hostvars:
    description: The variables of all hosts, C(hostvars).
    type: dict
    required: true
seealso:
  - plugin: linuxnet.lab.bridge_network
    plugin_type: role
    description: The role that uses it.
"""

EXAMPLES = r"""
- name: Which address does a third namespace get
  ansible.builtin.debug:
    msg: "{{ ({'namespaces': ['red', 'green', 'blue']} | linuxnet.lab.bridge_network(inventory_hostname, hostvars)).namespaces }}"
"""

RETURN = r"""
_value:
  description: The host's part.
  type: dict
  contains:
    problems:
      description: The mistakes in the variables, each naming host, variable and value. Empty if there is none.
      type: list
      elements: str
    description:
      description: What the module M(linuxnet.lab.network_state) shall build, section by section.
      type: dict
    resolv_conf:
      description: The text of resolv.conf in each namespace. Empty if no name server is stated.
      type: str
    namespaces:
      description: The namespaces with C(name), C(address), C(interface) and C(host_interface).
      type: list
      elements: dict
"""

from collections.abc import Callable  # noqa: E402 - documentation comes first, by Ansible's rules
from typing import Any  # noqa: E402

from ansible_collections.linuxnet.lab.plugins.plugin_utils.bridge_network import plan  # noqa: E402


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter under its name."""
        return {"bridge_network": plan}
