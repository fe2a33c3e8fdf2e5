#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rule_info
short_description: Read the policy rules of routing
version_added: 0.1.0
description:
  - Returns the rules that say which routing table a packet is looked up in (C(ip rule)), IPv4 and IPv6, in any network namespaces.
  - Nothing is ever changed.
extends_documentation_fragment:
  - linuxnet.lab.info
  - linuxnet.lab.info.reading
options:
  family:
    description: Only IPv4 (V(inet)), or only IPv6 (V(inet6)).
    type: str
    choices: [inet, inet6]
  priority:
    description: Only rules of this priority.
    type: int
  action:
    description: Only rules that do this.
    type: str
    choices: [lookup, goto, nop, blackhole, unreachable, prohibit]
  table:
    description: Only rules that look up this table, by name (V(main), V(local), V(default)) or number.
    type: str
  iif:
    description: Only rules for what comes in on this interface.
    type: str
  proto:
    description: Only rules of this protocol, by name or number.
    type: str
seealso:
  - module: linuxnet.lab.rule
  - module: linuxnet.lab.route_info
"""

EXAMPLES = r"""
- name: Which rules lead to table 100?
  linuxnet.lab.rule_info:
    table: 100

- name: Has anybody added rules, anywhere on the host?
  linuxnet.lab.rule_info:
    netns: all
  register: found

- name: Show them
  ansible.builtin.debug:
    msg: "{{ found.rules | rejectattr('proto', 'equalto', 'kernel') | map(attribute='text') }}"
"""

RETURN = r"""
rules:
  description: The rules of each family, in the order in which they are gone through.
  returned: success
  type: list
  elements: dict
  contains:
    netns:
      description: The namespace; empty for the one that Ansible came in to.
      type: str
      returned: always
    family:
      description: V(inet) or V(inet6).
      type: str
      returned: always
    priority:
      description: The priority; the lowest comes first.
      type: int
      returned: always
    not:
      description: Whether it is for the packets that the selectors do not match.
      type: bool
      returned: always
    from:
      description: The source, a network with its length; V(null) for all.
      type: str
      returned: always
    to:
      description: The destination, a network with its length; V(null) for all.
      type: str
      returned: always
    tos:
      description: The TOS, hexadecimal.
      type: str
      returned: always
    fwmark:
      description: The mark of the packet, hexadecimal.
      type: str
      returned: always
    fwmask:
      description: The bits of the mark that count, hexadecimal.
      type: str
      returned: always
    iif:
      description: The interface that the packet came in on; V(lo) for packets of the host itself.
      type: str
      returned: always
    oif:
      description: The interface that a socket is bound to.
      type: str
      returned: always
    l3mdev:
      description: Whether the table is that of the VRF that the packet belongs to.
      type: bool
      returned: always
    uidrange:
      description: The users whose sockets it is for.
      type: str
      returned: always
    ipproto:
      description: The protocol of the packet, by name or number.
      type: raw
      returned: always
    sport:
      description: The source port, or a range of them.
      type: str
      returned: always
    dport:
      description: The destination port, or a range of them.
      type: str
      returned: always
    tun_id:
      description: The identifier of the tunnel that the packet came by.
      type: int
      returned: always
    dscp:
      description: The DSCP.
      type: int
      returned: always
    action:
      description: What becomes of the packet.
      type: str
      returned: always
    table:
      description: The table to look in, by name or number.
      type: raw
      returned: always
    goto:
      description: The priority to go on at.
      type: int
      returned: always
    suppress_prefixlength:
      description: Routes with a prefix of this length or a shorter one are not taken.
      type: int
      returned: always
    suppress_ifgroup:
      description: Routes out of an interface of this group are not taken.
      type: int
      returned: always
    realms:
      description: Realms for a route that is found.
      type: raw
      returned: always
    proto:
      description: Who made it, by name or number.
      type: raw
      returned: always
    flags:
      description: V(unresolved) where no rule is at the priority to go to, V(iif_detached) and V(oif_detached) where the interface is
        not there.
      type: list
      elements: str
      returned: always
    text:
      description: The rule as C(ip rule) prints it; the priority is followed by a tabulator.
      type: str
      returned: always
  sample:
    - {netns: '', family: inet, priority: 100, not: false, from: 10.244.0.0/16, to: null, tos: null, fwmark: null, fwmask: null,
       iif: null, oif: null, l3mdev: null, uidrange: null, ipproto: null, sport: null, dport: null, tun_id: null, dscp: null,
       action: lookup, table: 100, goto: null, suppress_prefixlength: null, suppress_ifgroup: null, realms: null,
       proto: 76, flags: [], text: "100:\tfrom 10.244.0.0/16 lookup 100 proto 76"}
"""

from ansible_collections.linuxnet.lab.plugins.module_utils._info import rule
from ansible_collections.linuxnet.lab.plugins.module_utils._info.main import main as run


def main():
    run("rules", rule.SPEC, rule.read)


if __name__ == "__main__":
    main()
