#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ping_info
short_description: Ping many destinations from many network namespaces at once
version_added: 0.1.0
description:
  - Sends ICMP echo requests with C(ping) from any network namespaces of the host, all of them side by side,
    and returns loss, C(ttl) and round trip times as numbers.
  - It reports what it sees, whether or not there are answers, and never changes anything.
author:
  - linuxnet.lab contributors (@linuxnet)
requirements:
  - ping of iputils
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the same as without it.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: N/A
    details: Nothing is ever changed.
  platform:
    description: Target OS/families that can be operated against.
    platforms: linux
    support: full
  action_group:
    description: Use C(group/linuxnet.lab.info) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - linuxnet.lab.info
options:
  probes:
    description: What to ask, and from where.
    type: list
    elements: dict
    required: true
    suboptions:
      dst:
        description: The address to ping.
        type: str
        required: true
      netns:
        description:
          - The network namespace to ping from, by name, path or PID.
          - Without it the host's own.
        type: str
      count:
        description: How many requests to send.
        type: int
        default: 3
      interval:
        description: Seconds between two requests.
        type: float
        default: 0.2
      size:
        description: Bytes of payload. An IPv4 packet is 28 bytes longer, an IPv6 packet 48.
        type: int
        default: 56
      df:
        description:
          - Whether to forbid fragmentation, on the host and on the way.
          - With a O(probes[].size) of MTU - 28 this proves the MTU of a path.
        type: bool
        default: false
      source:
        description: The source address, or the interface, to ping from.
        type: str
      timeout:
        description: Seconds to wait for the last answer.
        type: int
        default: 2
      name:
        description: Any text; it is returned with the result.
        type: str
seealso:
  - module: linuxnet.lab.network_state
  - module: ansible.builtin.ping
    description: Tests the connection of Ansible itself, and sends no ICMP.
"""

EXAMPLES = r"""
- name: Ping green from red, and prove that 1450 bytes fit through the overlay
  linuxnet.lab.ping_info:
    probes:
      - {netns: red, dst: 192.168.20.3}
      - {netns: node1, dst: 172.17.1.3, size: 1422, df: true}
  register: pings

- name: Nothing may be lost
  ansible.builtin.assert:
    that: pings.results | map(attribute='loss') | max == 0
"""

RETURN = r"""
results:
  description: One entry for each of O(probes), in their order.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of the probe, if it has one.
      type: str
      returned: always
    netns:
      description: The namespace that was pinged from.
      type: str
      returned: always
    dst:
      description: The address that was pinged.
      type: str
      returned: always
    size:
      description: Bytes of payload.
      type: int
      returned: always
    transmitted:
      description: How many requests were sent.
      type: int
      returned: always
    received:
      description: How many answers came.
      type: int
      returned: always
    loss:
      description: Lost packets in per cent.
      type: float
      returned: always
    ttl:
      description: The different C(ttl) values of the answers.
      type: list
      elements: int
      returned: always
    rtt:
      description: The round trip times C(min), C(avg) and C(max) in milliseconds; nothing without an answer.
      type: dict
      returned: always
    errors:
      description: What C(ping) or a router on the way complained about, for example C(message too long, mtu=1450).
      type: list
      elements: str
      returned: always
  sample:
    - {name: null, netns: red, dst: 192.168.20.3, size: 56, transmitted: 3, received: 3, loss: 0.0, ttl: [64],
       rtt: {min: 0.041, avg: 0.052, max: 0.071}, errors: []}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.linuxnet.lab.plugins.module_utils import _ping
from ansible_collections.linuxnet.lab.plugins.module_utils._netns import Namespaces

PROBE = {
    "dst": {"type": "str", "required": True},
    "netns": {"type": "str"},
    "count": {"type": "int", "default": 3},
    "interval": {"type": "float", "default": 0.2},
    "size": {"type": "int", "default": 56},
    "df": {"type": "bool", "default": False},
    "source": {"type": "str"},
    "timeout": {"type": "int", "default": 2},
    "name": {"type": "str"},
}


def main():
    module = AnsibleModule(
        argument_spec={"probes": {"type": "list", "elements": "dict", "required": True, "options": PROBE}},
        supports_check_mode=True,
    )
    module.get_bin_path("ping", required=True)
    namespaces = Namespaces()
    probes, problems = [], []
    for given in module.params["probes"]:
        options = {name: value for name, value in given.items() if name not in ("name", "count") and value is not None}
        options["requests"] = given["count"]
        try:
            options["netns"] = namespaces.canonical(options.get("netns"))
            if options["netns"] and not namespaces.exists(options["netns"]):
                raise ValueError("there is no network namespace {0}".format(options["netns"]))
        except ValueError as error:
            problems.append(str(error))
        probes.append(_ping.Probe(**options))
    if problems:
        module.fail_json(msg="; ".join(dict.fromkeys(problems)))
    results = _ping.run(probes, namespaces)
    for given, result in zip(module.params["probes"], results):
        result.update((option, given[option]) for option in ("name", "netns", "dst", "size"))
    module.exit_json(changed=False, results=results)


if __name__ == "__main__":
    main()
