#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: echo_server
short_description: Small HTTP and UDP servers in network namespaces that say whom they see
version_added: 0.1.0
description:
  - Runs example servers, a process each, in any network namespaces of the host, and ends them again.
  - A server answers each HTTP request, or each UDP datagram, with a line of JSON that tells who it is and which client address it sees. So a request proves
    which endpoint of a service is reached, and what became of the source address on the way.
  - They need nothing but the standard library of the Python that the module runs with.
  - A server that runs as it is described is left alone. One that has died, whose description has changed, or whose namespace was made anew, is started again.
  - Each one is noted in C(/run/linuxnet.lab/echo), with its PID and the time it was started at. Only processes that both tell are ever ended.
author:
  - linuxnet.lab contributors (@linuxnet)
extends_documentation_fragment:
  - linuxnet.lab.attributes
  - linuxnet.lab.state
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what it would do, without doing it.
  diff_mode:
    details: The keys are the names of the servers.
options:
  servers:
    description:
      - The servers.
      - With O(state=absent), only their names count; without any, all servers of this host end.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - What the server calls itself. There is one of each name on a host.
          - Letters, digits, C(.), C(_) and C(-), 100 at the most.
        type: str
        required: true
      netns:
        description:
          - The network namespace that it runs in, by name, path or PID.
          - Without it the host's own.
        type: str
      protocol:
        description: V(tcp) is HTTP, for any method and path.
        type: str
        choices: [tcp, udp]
        default: tcp
      address:
        description:
          - The address that it answers at, IPv4 or IPv6.
          - V(0.0.0.0) is every IPv4 address of the namespace.
        type: str
        default: 0.0.0.0
      port:
        description: The port that it answers at. It is needed with O(state=present).
        type: int
      node:
        description:
          - What it says where it is.
          - Without it the name of the host.
        type: str
  prune:
    description:
      - Whether servers of this host that are not stated end.
    type: bool
    default: false
seealso:
  - module: linuxnet.lab.ping_info
  - module: linuxnet.lab.iptables_rules
"""

EXAMPLES = r"""
- name: A web server in each of two pods
  linuxnet.lab.echo_server:
    servers:
      - {name: web-1, netns: web-1, port: 9000}
      - {name: web-2, netns: web-2, port: 9000}

# curl http://10.244.169.66:9000/some/path
# {"name": "web-1", "node": "vms105", "protocol": "tcp", "client": "10.244.239.128", "client_port": 41234,
#  "server": "10.244.169.66", "server_port": 9000, "method": "GET", "path": "/some/path"}

- name: All of them end
  linuxnet.lab.echo_server:
    state: absent
"""

RETURN = r"""
servers:
  description: The stated servers, or with O(state=absent) those that end.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    netns:
      description: The namespace that it runs in.
      type: str
    protocol:
      description: V(tcp) or V(udp).
      type: str
    address:
      description: The address that it answers at.
      type: str
    port:
      description: The port that it answers at.
      type: int
    node:
      description: What it says where it is.
      type: str
    pid:
      description: Its process; nothing if it does not run.
      type: int
    action:
      description: What was done, or would be done in check mode.
      type: str
      choices: [none, started, restarted, ended]
  sample:
    - {name: web-1, netns: web-1, protocol: tcp, address: 0.0.0.0, port: 9000, node: vms105, pid: 4711, action: started}
"""

import ipaddress
import re
import socket

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.linuxnet.lab.plugins.module_utils import _echo
from ansible_collections.linuxnet.lab.plugins.module_utils._ledger import Busy, locked
from ansible_collections.linuxnet.lab.plugins.module_utils._netns import Namespaces

LOCK_TIMEOUT = 30
SERVER = {
    "name": {"type": "str", "required": True},
    "netns": {"type": "str"},
    "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
    "address": {"type": "str", "default": "0.0.0.0"},
    "port": {"type": "int"},
    "node": {"type": "str"},
}
SPEC = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "servers": {"type": "list", "elements": "dict", "options": SERVER},
    "prune": {"type": "bool", "default": False},
}


def read(given, namespaces, check_mode):
    """The servers, and all that is wrong with them."""
    servers, problems, taken = [], [], {}
    for entry in given:
        name, where = entry["name"], "server {0}".format(entry["name"])
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", name):
            problems.append("{0}: not a name of letters, digits, . _ and -".format(where))
        if entry["port"] is None or not 1 <= entry["port"] <= 65535:
            problems.append("{0}: port {1} is not a port, 1 to 65535".format(where, entry["port"]))
        address, netns = entry["address"], ""
        try:
            address = str(ipaddress.ip_address(address))
        except ValueError:
            problems.append("{0}: address {1} is not an IP address".format(where, address))
        try:
            netns = namespaces.canonical(entry["netns"])
            # in check mode, the task that would make it has not
            if netns and not check_mode and not namespaces.exists(netns):
                raise ValueError("there is no network namespace {0}".format(netns))
        except ValueError as error:
            problems.append("{0}: {1}".format(where, error))
        for what in (name, (netns, entry["protocol"], address, entry["port"])):
            if what in taken:
                text = "name" if what == name else "{1} port {3}".format(*what)
                problems.append("{0}: its {1} is that of server {2}".format(where, text, taken[what]))
            taken.setdefault(what, name)
        node = entry["node"] or socket.gethostname()
        servers.append(_echo.Server(name, netns, entry["protocol"], address, entry["port"] or 0, node))
    return servers, problems


def record(server, note, action):
    """One entry of the result."""
    return dict(server._asdict(), pid=note.pid if note else None, action=action)


def action_of(change):
    """The word for a change."""
    note, server = change
    return "ended" if server is None else "restarted" if note else "started"


def work(module, namespaces):
    """Compare, and change unless in check mode. (result, problems)"""
    absent = module.params["state"] == "absent"
    given = module.params["servers"] or []
    servers, problems = ([], []) if absent else read(given, namespaces, module.check_mode)
    if problems:
        module.fail_json(msg="{0} (nothing has been changed)".format("; ".join(problems)), problems=problems)
    before = _echo.notes()
    unwanted = [entry["name"] for entry in given] if absent and module.params["servers"] is not None else before
    if not absent:
        stated = {server.name for server in servers}
        unwanted = [name for name in before if name not in stated] if module.params["prune"] else []
    todo = _echo.plan(servers, unwanted, namespaces)
    started = {}
    if todo and not module.check_mode:
        started, problems = _echo.carry_out(todo, namespaces)
    result = {"changed": bool(todo), "servers": []}
    if absent:
        result["servers"] = [record(note.server, None, "ended") for note, _server in todo.values()]
    for server in servers:
        action = action_of(todo[server.name]) if server.name in todo else "none"
        note = started.get(server.name) if server.name in todo else before[server.name]
        result["servers"].append(record(server, note, action))
    if module._diff:
        result["diff"] = {
            "before": {name: dict(note.server._asdict()) for name, (note, _server) in todo.items() if note},
            "after": {name: dict(server._asdict()) for name, (_note, server) in todo.items() if server},
        }
    return result, problems


def main():
    module = AnsibleModule(
        argument_spec=SPEC, supports_check_mode=True, required_if=[("state", "present", ["servers"])]
    )
    namespaces = Namespaces()
    try:
        with locked(LOCK_TIMEOUT):
            result, problems = work(module, namespaces)
    except Busy as busy:
        module.fail_json(msg=str(busy))
    if problems:
        module.fail_json(msg="; ".join(problems), problems=problems, **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
