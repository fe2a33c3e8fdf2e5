#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: iptables_info
short_description: Read the rules of iptables, and who reaches which chain
version_added: 0.1.0
description:
  - Returns all chains and rules of all tables, of IPv4 and IPv6, of both back ends (nf_tables and legacy), in any
    network namespaces, with their counters. Each rule has its own text and its fields.
  - Filters are applied on the host, so that the answer stays small where there are thousands of rules. A rule is returned if all
    filters that are given hold for it.
  - It walks the chains - who reaches one, and what does it reach.
  - Nothing is ever changed. No table is created by the reading, and the legacy tool, which would load a kernel module, only runs
    where there are legacy tables.
extends_documentation_fragment:
  - linuxnet.lab.info
  - linuxnet.lab.info.reading
requirements:
  - iptables
options:
  family:
    description: Only C(iptables), or only C(ip6tables).
    type: str
    choices: [ipv4, ipv6]
  table:
    description: Only this table.
    type: str
  chain:
    description: Only this chain.
    type: str
  jump:
    description: Only rules that jump (or go) to this chain or target, as C(grep -e '-j CHAIN').
    type: str
  comment:
    description: Only rules with this text in their comment.
    type: str
  dport:
    description: Only rules that match this destination port, by itself, in a range, or in a list (C(multiport)).
    type: int
  walk:
    description:
      - A chain to start from. RV(walks) then tells which rules lead to it, up to the built-in chains, and which
        rules follow, down to the targets.
      - Without other filters RV(rules) and RV(chains) are left empty then.
    type: str
seealso:
  - module: linuxnet.lab.iptables_rules
  - module: linuxnet.lab.route_info
"""

EXAMPLES = r"""
- name: Who jumps to KUBE-NODEPORTS?
  linuxnet.lab.iptables_info:
    jump: KUBE-NODEPORTS

- name: Which rules speak of port 30999, in all namespaces?
  linuxnet.lab.iptables_info:
    netns: all
    dport: 30999

- name: How does a packet get to this endpoint, and what becomes of it?
  linuxnet.lab.iptables_info:
    walk: KUBE-NODEPORTS
    table: nat
    family: ipv4
  register: nat

- name: Show it
  ansible.builtin.debug:
    msg: "{{ nat.walks[0].text.splitlines() }}"
"""

RETURN = r"""
rules:
  description: The rules, in the order of C(iptables-save).
  returned: success
  type: list
  elements: dict
  contains:
    netns:
      description: The namespace, an empty text for the one that Ansible came in to.
      type: str
      returned: always
    family:
      description: V(ipv4) or V(ipv6).
      type: str
      returned: always
    backend:
      description: V(nf_tables) or V(legacy).
      type: str
      returned: always
    table:
      description: The table.
      type: str
      returned: always
    chain:
      description: The chain.
      type: str
      returned: always
    number:
      description: The rule's number in the chain, from 1, as in C(iptables -L --line-numbers).
      type: int
      returned: always
    text:
      description: The rule as C(iptables-save) prints it.
      type: str
      returned: always
    source:
      description: The source address or network.
      type: str
      returned: always
    destination:
      description: The destination address or network.
      type: str
      returned: always
    in_interface:
      description: The interface that the packet came in on; V(+) at the end stands for anything.
      type: str
      returned: always
    out_interface:
      description: The interface that the packet leaves by.
      type: str
      returned: always
    protocol:
      description: The protocol.
      type: str
      returned: always
    fragment:
      description: Whether the rule is for later fragments.
      type: bool
      returned: always
    negated:
      description: Which of the fields above are negated (C(!)).
      type: list
      elements: str
      returned: always
    comment:
      description: The comment.
      type: str
      returned: always
    dport:
      description: The destination port, range, or list of these, if they are not negated.
      type: str
      returned: always
    matches:
      description: The matches in their order, each with its C(name), its C(options) and which of these are C(negated).
      type: list
      elements: dict
      returned: always
    target:
      description: The chain or target.
      type: str
      returned: always
    goto:
      description: Whether it goes there for good (C(-g)).
      type: bool
      returned: always
    target_options:
      description: The options of the target, for example C(to_destination).
      type: dict
      returned: always
    packets:
      description: How many packets the rule has met.
      type: int
      returned: always
    bytes:
      description: How many bytes these had.
      type: int
      returned: always
  sample:
    - {netns: '', family: ipv4, backend: nf_tables, table: nat, chain: KUBE-NODEPORTS, number: 1,
       text: '-A KUBE-NODEPORTS -p tcp -m comment --comment "lab/web" -m tcp --dport 30999 -j KUBE-EXT-W', source: null,
       destination: null, in_interface: null, out_interface: null, protocol: tcp, fragment: false, negated: [],
       comment: lab/web, dport: '30999', matches: [{name: comment, options: {comment: lab/web}, negated: []},
       {name: tcp, options: {dport: '30999'}, negated: []}], target: KUBE-EXT-W, goto: false, target_options: {},
       packets: 0, bytes: 0}
chains:
  description:
    - The chains, as far as O(table) and O(chain) ask for them. Where rules are asked for by O(jump), O(comment), O(dport) or
      O(grep), those that hold one of RV(rules).
  returned: success
  type: list
  elements: dict
  contains:
    chain:
      description: The chain; where it is, is told as for a rule.
      type: str
      returned: always
    policy:
      description: What becomes of a packet at the end of a built-in chain.
      type: str
      returned: always
    packets:
      description: How many packets have met the policy.
      type: int
      returned: always
    bytes:
      description: How many bytes these had.
      type: int
      returned: always
    rules:
      description: How many rules it has.
      type: int
      returned: always
    callers:
      description: The chains with a rule that leads to it.
      type: list
      elements: str
      returned: always
  sample:
    - {netns: '', family: ipv4, backend: nf_tables, table: nat, chain: KUBE-NODEPORTS, policy: null, packets: 0, bytes: 0,
       rules: 1, callers: [KUBE-SERVICES]}
walks:
  description: A walk for each table that has the chain O(walk).
  returned: success
  type: list
  elements: dict
  contains:
    from:
      description:
        - The rules that lead to the chain, each with C(chain), C(number), C(text), C(policy) (of a built-in chain), its
          counters and, again, C(from).
        - A chain that is reached in several ways is followed once; elsewhere C(seen) is V(true).
      type: list
      elements: dict
      returned: always
    to:
      description: The rules of the chain, each with C(target) and, again, C(to).
      type: list
      elements: dict
      returned: always
    text:
      description: Both as an indented tree; a packet goes from top to bottom.
      type: str
      returned: always
"""

from ansible_collections.linuxnet.lab.plugins.module_utils._info import iptables
from ansible_collections.linuxnet.lab.plugins.module_utils._info.main import run


def main():
    run("", iptables.SPEC, iptables.look)


if __name__ == "__main__":
    main()
