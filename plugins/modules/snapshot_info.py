#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: snapshot_info
short_description: Read the network of a whole host at once
version_added: 0.1.0
description:
  - Returns what the other modules of the group C(linuxnet.lab.info) tell, for all network namespaces of a host in one
    call, so that the parts fit together.
  - The order depends on what there is, and two snapshots of a network that nobody changed are equal with
    O(counters=false). So they can be compared, before and after.
  - Nothing is ever changed.
extends_documentation_fragment:
  - linuxnet.lab.info.host
  - linuxnet.lab.info.reading
options:
  gather:
    description:
      - What to read; all of it, unless something else is said.
      - V(iptables) runs C(iptables-save) in each namespace, which takes longer than all the rest, and with thousands of rules makes the
        answer large. Where iptables is not installed, a warning says that its rules are not in the snapshot.
    type: list
    elements: str
    choices: [links, routes, rules, neighbors, fdb, sysctls, iptables]
    default: [links, routes, rules, neighbors, fdb, sysctls, iptables]
  counters:
    description:
      - Whether to return what changes by itself, too (counters, timers, ages, the rest of lifetimes).
      - Without it it is also left out of the C(text) of each record.
    type: bool
    default: true
notes:
  - Of the parameters those are read that decide the way of a packet. For others see M(linuxnet.lab.sysctl_info).
seealso:
  - module: linuxnet.lab.link_info
  - module: linuxnet.lab.netns_info
  - module: linuxnet.lab.route_info
  - module: linuxnet.lab.rule_info
  - module: linuxnet.lab.neighbor_info
  - module: linuxnet.lab.fdb_info
  - module: linuxnet.lab.sysctl_info
  - module: linuxnet.lab.iptables_info
"""

EXAMPLES = r"""
- name: All of it, of all namespaces
  linuxnet.lab.snapshot_info:

- name: What there is before
  linuxnet.lab.snapshot_info:
    counters: false
  register: before

- name: Do something
  ansible.builtin.command: ip route flush cache
  changed_when: false

- name: And what there is after it
  linuxnet.lab.snapshot_info:
    counters: false
  register: after

- name: It is the same
  ansible.builtin.assert:
    that: before.snapshot.namespaces == after.snapshot.namespaces

- name: The links of all namespaces, and nothing else
  linuxnet.lab.snapshot_info:
    gather: [links]

- name: All but the rules of iptables, of one namespace
  linuxnet.lab.snapshot_info:
    netns: red
    gather: [links, routes, rules, neighbors, fdb, sysctls]
"""

RETURN = r"""
snapshot:
  description: The host and its network.
  returned: success
  type: dict
  contains:
    host:
      description: The host.
      type: dict
      returned: always
      contains:
        hostname:
          description: Its name.
          type: str
          returned: always
        kernel:
          description: The release of its kernel.
          type: str
          returned: always
        time:
          description: When this was read, in UTC.
          type: str
          returned: always
    namespaces:
      description: The one that Ansible came in to first, then those with a name, then the others.
      type: list
      elements: dict
      returned: always
      contains:
        netns:
          description: 'What other modules take as O(netns) for it: its name, else a path; empty for the one that Ansible came in to.'
          type: str
          returned: always
        name:
          description: Its name; V(null) for none.
          type: str
          returned: always
        inode:
          description: Its identity for as long as it lives.
          type: int
          returned: always
        nsid:
          description: The kernel's id of it as seen from the namespace that Ansible came in to; V(null) for none.
          type: int
          returned: always
        containers:
          description: The containers in it, as M(linuxnet.lab.netns_info) returns them.
          type: list
          elements: dict
          returned: always
        links:
          description: As M(linuxnet.lab.link_info) returns them, if O(gather) names them.
          type: list
          elements: dict
          returned: when gathered
        routes:
          description: As M(linuxnet.lab.route_info) returns them, if O(gather) names them.
          type: list
          elements: dict
          returned: when gathered
        rules:
          description: As M(linuxnet.lab.rule_info) returns them, if O(gather) names them.
          type: list
          elements: dict
          returned: when gathered
        neighbors:
          description: As M(linuxnet.lab.neighbor_info) returns them, if O(gather) names them.
          type: list
          elements: dict
          returned: when gathered
        fdb:
          description: As M(linuxnet.lab.fdb_info) returns them, if O(gather) names them.
          type: list
          elements: dict
          returned: when gathered
        sysctls:
          description: As M(linuxnet.lab.sysctl_info) returns them, if O(gather) names them.
          type: list
          elements: dict
          returned: when gathered
        iptables:
          description:
            - The RV(linuxnet.lab.iptables_info#module:chains) and RV(linuxnet.lab.iptables_info#module:rules) of
              M(linuxnet.lab.iptables_info), if O(gather) names them.
          type: dict
          returned: when gathered
  sample:
    host: {hostname: node1, kernel: 6.1.0-44-amd64, time: '2026-11-26T06:00:00Z'}
    namespaces:
      - {netns: '', name: null, inode: 4026531840, nsid: null, containers: [], links: [], routes: []}
      - {netns: red, name: red, inode: 4026532281, nsid: 0, containers: [], links: [], routes: []}
"""

from ansible_collections.linuxnet.lab.plugins.module_utils._info import snapshot
from ansible_collections.linuxnet.lab.plugins.module_utils._info.main import run


def main():
    run("snapshot", snapshot.SPEC, snapshot.look)


if __name__ == "__main__":
    main()
