# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter node_port: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: node_port
author:
  - linuxnet.lab contributors (@linuxnet)
version_added: 0.1.0
short_description: Work out the service chains of a host
description:
  - Turns the variables of the role into a description for M(linuxnet.lab.network_state), with the chains, rules and jumps that kube-proxy makes
    of the same services in its mode C(iptables).
  - It changes nothing and asks nobody; the role P(linuxnet.lab.node_port#role) calls it on the controller before any host is changed.
positional: host, hostvars, group, pods
options:
  _input:
    description:
      - The variables of the role, without the prefix C(node_port_). What is left out has the role's default.
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
    description: The names of the hosts that have the services, in the order of the inventory.
    type: list
    elements: str
    required: true
  pods:
    description:
      - The pods of all hosts, each with C(namespace), C(name), C(address) and C(node), the name of its host.
      - Without it those that are published on each host of the group, C(pod_network_part.pods), and for hosts that are not in the play
        C(pod_network_part.elsewhere) of the others.
    type: list
    elements: dict
seealso:
  - plugin: linuxnet.lab.node_port
    plugin_type: role
    description: The role that uses it.
"""

EXAMPLES = r"""
- name: The chains of a service with one endpoint
  ansible.builtin.debug:
    msg: "{{ ({'services': [web]} | linuxnet.lab.node_port(inventory_hostname, hostvars, groups.pod_hosts)).description.chains }}"
  vars:
    web: {name: web, cluster_ip: 10.96.0.7, port: 80, target_port: 9000, node_port: 30999, endpoints: [10.244.169.89]}
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
    services:
      description:
        - The services with C(service), C(protocol), C(cluster_ip), C(port), C(node_port) (0 for none), C(endpoints), C(local_endpoints), C(only_local)
          and C(chain), the chain with the rules that choose an endpoint.
      type: list
      elements: dict
"""

from collections.abc import Callable  # noqa: E402 - documentation comes first, by Ansible's rules
from typing import Any  # noqa: E402

from ansible_collections.linuxnet.lab.plugins.plugin_utils.node_port import plan  # noqa: E402


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter under its name."""
        return {"node_port": plan}
