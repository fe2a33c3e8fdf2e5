# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter vxlan_overlay: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vxlan_overlay
author:
  - linuxnet.lab contributors (@linuxnet)
version_added: 0.1.0
short_description: Work out the VXLAN overlay of a host
description:
  - Turns the variables of the role into a description for M(linuxnet.lab.network_state), with addresses, MTU and flooding entries filled in.
  - A peer's underlay address is looked for in its variable C(underlay_address), in C(ansible_host) and in what is known of its interfaces.
  - It changes nothing and asks nobody; the role P(linuxnet.lab.vxlan_overlay#role) calls it on the controller before any host is changed.
positional: host, hostvars, group
options:
  _input:
    description:
      - The variables of the role, without the prefix C(vxlan_overlay_). What is left out has the role's default.
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
  group:
    description: The names of the hosts that the overlay spans, in the order of the inventory.
    type: list
    elements: str
    required: true
seealso:
  - plugin: linuxnet.lab.vxlan_overlay
    plugin_type: role
    description: The role that uses it.
"""

EXAMPLES = r"""
- name: Whom does this host flood to
  ansible.builtin.debug:
    msg: "{{ ({'pair': false} | linuxnet.lab.vxlan_overlay(inventory_hostname, hostvars, groups.vxlan_hosts)).vtep.peers }}"
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
    vtep:
      description:
        - The host's tunnel end point with C(interface), C(id), C(local), C(dev), C(address), C(mtu), C(bridge) and C(peers).
        - Empty if it is switched off.
      type: dict
    pair:
      description: The two ends of the documented pair. Empty if it is switched off.
      type: list
      elements: dict
"""

from collections.abc import Callable  # noqa: E402 - documentation comes first, by Ansible's rules
from typing import Any  # noqa: E402

from ansible_collections.linuxnet.lab.plugins.plugin_utils.vxlan_overlay import plan  # noqa: E402


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter under its name."""
        return {"vxlan_overlay": plan}
