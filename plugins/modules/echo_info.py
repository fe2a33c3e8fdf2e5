#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: echo_info
short_description: Ask servers from many network namespaces at once
version_added: 0.1.0
description:
  - Sends HTTP requests, or UDP datagrams, from any network namespaces of the host, side by side, and counts who answered.
  - The servers of M(linuxnet.lab.echo_server) say who they are and whom they see. So it tells which endpoints a service leads to, how the requests
    are spread, and what became of the source address on the way.
  - It reports what it sees, whether or not there are answers, and never changes anything.
author:
  - linuxnet.lab contributors (@linuxnet)
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
  requests:
    description: Whom to ask, and from where.
    type: list
    elements: dict
    required: true
    suboptions:
      address:
        description: The address to ask, IPv4 or IPv6. Names are not looked up.
        type: str
        required: true
      port:
        description: The port to ask at.
        type: int
        required: true
      protocol:
        description: V(tcp) is HTTP, C(GET /).
        type: str
        choices: [tcp, udp]
        default: tcp
      netns:
        description:
          - The network namespace to ask from, by name, path or PID.
          - Without it the host's own.
        type: str
      count:
        description: How often to ask, each time over a connection, or from a port, of its own.
        type: int
        default: 1
      timeout:
        description: Seconds to wait for each answer.
        type: float
        default: 3
      name:
        description: Any text; it is returned with the result.
        type: str
seealso:
  - module: linuxnet.lab.echo_server
  - module: linuxnet.lab.ping_info
  - module: ansible.builtin.uri
    description: Sends one request to a web server.
"""

EXAMPLES = r"""
- name: Which pods answer at a node port, asked from the host and from a pod
  linuxnet.lab.echo_info:
    requests:
      - {address: 192.168.26.105, port: 30080, count: 20}
      - {address: 192.168.26.105, port: 30080, count: 20, netns: default.web-vms100}
  register: asked

# asked.results[0].names says how often each pod answered:
# {"web-vms100": 6, "web-vms103": 7, "web-vms105": 7}
"""

RETURN = r"""
results:
  description: One entry for each of O(requests), in their order.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of the request, if it has one.
      type: str
      returned: always
    netns:
      description: The namespace that was asked from.
      type: str
      returned: always
    address:
      description: The address that was asked.
      type: str
      returned: always
    port:
      description: The port that was asked at.
      type: int
      returned: always
    protocol:
      description: V(tcp) or V(udp).
      type: str
      returned: always
    sent:
      description: How often it was asked.
      type: int
      returned: always
    answered:
      description: How many answers came, from servers of any kind.
      type: int
      returned: always
    names:
      description: The echo servers that answered, by name, and how often. Other servers do not tell.
      type: dict
      returned: always
    nodes:
      description: The hosts of these servers, and how often they answered.
      type: dict
      returned: always
    servers:
      description: Address and port at which these servers were reached, and how often. A server for UDP at all addresses does not know it.
      type: dict
      returned: always
    clients:
      description: The addresses that these servers saw the requests come from, and how often.
      type: dict
      returned: always
    errors:
      description: Why answers did not come, for example C(Connection refused).
      type: list
      elements: str
      returned: always
  sample:
    - {name: null, netns: null, address: 192.168.26.105, port: 30080, protocol: tcp, sent: 3, answered: 3,
       names: {web-vms100: 1, web-vms105: 2}, nodes: {vms100: 1, vms105: 2},
       servers: {"10.244.239.129:8080": 1, "10.244.169.66:8080": 2}, clients: {10.244.169.64: 3}, errors: []}
"""

import ipaddress

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.linuxnet.lab.plugins.module_utils import _ask
from ansible_collections.linuxnet.lab.plugins.module_utils._netns import Namespaces

REQUEST = {
    "address": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
    "netns": {"type": "str"},
    "count": {"type": "int", "default": 1},
    "timeout": {"type": "float", "default": 3},
    "name": {"type": "str"},
}
SPEC = {"requests": {"type": "list", "elements": "dict", "required": True, "options": REQUEST}}


def read(given, namespaces):
    """The requests, and all that is wrong with them."""
    requests, problems = [], []
    for entry in given:
        options = {name: value for name, value in entry.items() if name not in ("name", "count") and value is not None}
        options["times"] = entry["count"]
        try:
            ipaddress.ip_address(entry["address"])
            options["netns"] = namespaces.canonical(options.get("netns"))
            if options["netns"] and not namespaces.exists(options["netns"]):
                raise ValueError("there is no network namespace {0}".format(options["netns"]))
            if not 1 <= entry["port"] <= 65535:
                raise ValueError("port {0} is not a port, 1 to 65535".format(entry["port"]))
        except ValueError as error:
            problems.append(str(error))
        requests.append(_ask.Request(**options))
    return requests, list(dict.fromkeys(problems))


def main():
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    namespaces = Namespaces()
    requests, problems = read(module.params["requests"], namespaces)
    if problems:
        module.fail_json(msg="; ".join(problems), problems=problems)
    results = _ask.run(requests, namespaces)
    for given, result in zip(module.params["requests"], results):
        result.update((option, given[option]) for option in ("name", "netns", "address", "port", "protocol"))
    module.exit_json(changed=False, results=results)


if __name__ == "__main__":
    main()
