# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter ipip_tunnel: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ipip_tunnel
author:
  - linuxnet.lab contributors (@linuxnet)
version_added: 0.1.0
short_description: Work out the IP-in-IP tunnels of a host
description:
  - Turns the variables of the role into a description for M(linuxnet.lab.network_state), with names, addresses and MTUs filled in.
  - A peer's underlay address is looked for in its variable C(underlay_address), in C(ansible_host) and in what is known of its interfaces.
  - It changes nothing and asks nobody; the role P(linuxnet.lab.ipip_tunnel#role) calls it on the controller before any host is changed.
positional: host, hostvars, group
options:
  _input:
    description:
      - The variables of the role, without the prefix C(ipip_tunnel_). What is left out has the role's default.
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
  - plugin: linuxnet.lab.ipip_tunnel
    plugin_type: role
    description: The role that uses it.
"""

EXAMPLES = r"""
- name: Where does this host have tunnels to
  ansible.builtin.debug:
    msg: "{{ ({'pair': false} | linuxnet.lab.ipip_tunnel(inventory_hostname, hostvars, groups.ipip_hosts)).tunnels }}"
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
    tunnels:
      description:
        - The tunnels to other hosts with C(peer), C(name), C(local), C(remote), C(address), C(peer_address) and C(mtu).
      type: list
      elements: dict
    address:
      description: The host's own address inside the tunnels to other hosts. Empty if there are none.
      type: str
    pair:
      description: The two ends of the documented pair. Empty if it is switched off.
      type: list
      elements: dict
"""

from collections.abc import Callable  # noqa: E402 - documentation comes first, by Ansible's rules
from typing import Any  # noqa: E402

from ansible_collections.linuxnet.lab.plugins.plugin_utils.ipip_tunnel import plan  # noqa: E402


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter under its name."""
        return {"ipip_tunnel": plan}
