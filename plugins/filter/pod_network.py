# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter pod_network: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: pod_network
author:
  - linuxnet.lab contributors (@linuxnet)
version_added: 0.1.0
short_description: Work out the pod network of a host
description:
  - Turns the variables of the role into a description for M(linuxnet.lab.network_state), with blocks, addresses, MTU and routes filled in.
  - A node's underlay address is looked for in its variable C(underlay_address), in C(ansible_host) and in what is known of its interfaces;
    its subnet in its variable C(underlay_subnet) and in its routes.
  - It changes nothing and asks nobody; the role P(linuxnet.lab.pod_network#role) calls it on the controller before any host is changed.
positional: host, hostvars, group, elsewhere
options:
  _input:
    description:
      - The variables of the role, without the prefix C(pod_network_). What is left out has the role's default.
      - C(routes) may hold the host's routes as C(ip -json route show) tells them; blocks and addresses that the host has given already stay then.
      - C(neighbors) may hold its permanent neighbours as C(ip -json neighbor show) tells them; with VXLAN they say which node a route leads to.
      - C(default_rp_filter) may hold the host's C(net.ipv4.conf.default.rp_filter), for its host ends.
      - C(default_accept_ra) may hold the host's C(net.ipv6.conf.default.accept_ra); the host ends get theirs set to 0 then.
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
    description: The names of the nodes, in the order of the inventory.
    type: list
    elements: str
    required: true
  elsewhere:
    description:
      - What has been looked at on hosts of the group that are not in the play, by name, each with C(routes) and C(neighbors) as above.
      - A host that is neither in the play (C(pod_network_stated)) nor here has to have C(pod_network_block), or another host a route to its
        block. It is a mistake otherwise, as what the host holds is not guessed.
    type: dict
seealso:
  - plugin: linuxnet.lab.pod_network
    plugin_type: role
    description: The role that uses it.
"""

EXAMPLES = r"""
- name: Which node has which block
  ansible.builtin.debug:
    msg: "{{ ({} | linuxnet.lab.pod_network(inventory_hostname, hostvars, groups.pod_hosts)).nodes }}"
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
    block:
      description: The host's block. Empty if the network shall be absent.
      type: str
    mtu:
      description: The MTU of tunnel and pods. None if no underlay's is known.
      type: int
    tunnel:
      description: The tunnel device with C(device) and C(address). Empty without encapsulation.
      type: dict
    nodes:
      description: The other nodes, each with C(host), C(block), C(underlay) and C(direct), which is true if they are reached without the tunnel.
      type: list
      elements: dict
    pods:
      description: The host's pods, each with C(namespace), C(name), C(node), C(netns), C(interface) and C(address).
      type: list
      elements: dict
    elsewhere:
      description: The pods of the hosts that have been looked at for this play, by host, each list as C(pods).
      type: dict
"""

from collections.abc import Callable  # noqa: E402 - documentation comes first, by Ansible's rules
from typing import Any  # noqa: E402

from ansible_collections.linuxnet.lab.plugins.plugin_utils.pod_network import plan  # noqa: E402


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter under its name."""
        return {"pod_network": plan}
