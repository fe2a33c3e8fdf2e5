#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: iptables_rules
short_description: Chains of iptables of our own, each as a list of rules
version_added: 0.1.0
description:
  - Brings a set of chains, with the jumps that lead to them from the built-in chains, to a description, in one
    C(iptables-restore --noflush --counters) for the namespace and family.
  - Only these chains and jumps are touched. The rules of others stay as they are, byte for byte, with their counters.
  - Rules compare by meaning. What C(iptables-save) writes otherwise (C(/32), the match of the protocol, marks,
    probabilities, defaults) is no difference.
  - A chain that the set had in an earlier run and does not state any more is removed (see O(prune)).
  - Works with the back ends nf_tables and legacy, whichever C(iptables) is on this host.
extends_documentation_fragment:
  - linuxnet.lab.attributes
  - linuxnet.lab.common
  - linuxnet.lab.state
  - linuxnet.lab.netns
options:
  name:
    description:
      - The name of the set. What it made and changed is kept on the host under this name, its namespace and
        its family, until the next boot.
      - V(state=absent) removes the chains of the set, and puts chains that it took over back as they were.
    type: str
    required: true
  family:
    description: Whether it is C(iptables) or C(ip6tables).
    type: str
    choices: [ipv4, ipv6]
    default: ipv4
  chains:
    description:
      - The chains of the set, in any order. They may jump to each other.
      - A chain that exists already and that nobody of this collection made is refused, unless O(adopt=true). Names that begin
        with C(LINUXNET-) are the collection's own in any case.
    type: list
    elements: dict
    suboptions:
      name:
        description: The name, 28 letters, digits and C(-), C(_), C(.) at the most. The same name may be in several tables.
        type: str
        required: true
      table:
        description: The table.
        type: str
        choices: [raw, mangle, nat, filter, security]
        required: true
      rules:
        description:
          - The rules, in their order, in the words of C(iptables-save) without C(-A NAME).
        type: list
        elements: str
        default: []
      jumps:
        description: The rules of built-in chains that jump to this chain.
        type: list
        elements: dict
        default: []
        suboptions:
          from:
            description: A built-in chain of the table.
            type: str
            required: true
          rule:
            description: Conditions (and a comment) of the jump, without C(-j).
            type: str
            default: ''
          at:
            description:
              - Before (V(first)) or behind (V(last)) all rules of others. Of several that are put first in one run, the last
                one is on top, as with C(iptables -I).
              - A jump that the rules of others have got ahead of (or behind of) is moved back, since its place decides what it
                sees. Without O(chains[].jumps[].at) a jump is put behind all rules once, and stays where it is.
            type: str
            choices: [first, last]
  prune:
    description:
      - Whether chains that this set made earlier, and that are not stated any more, are removed.
    type: bool
    default: true
seealso:
  - module: linuxnet.lab.iptables_info
  - module: linuxnet.lab.network_state
    description: Chains are a section of a whole description, too.
  - module: ansible.builtin.iptables
    description: Single rules, one process for each.
"""

EXAMPLES = r"""
- name: The lab's subnet leaves the host with the host's address
  linuxnet.lab.iptables_rules:
    name: masquerade
    chains:
      - name: LINUXNET-NAT
        table: nat
        rules:
          - -s 192.168.20.0/24 ! -o vnet-br0 -j MASQUERADE
        jumps:
          - {from: POSTROUTING, at: last}

- name: A node port, in the chains of kube-proxy
  linuxnet.lab.iptables_rules:
    name: node_port
    chains:
      - name: KUBE-SERVICES
        table: nat
        rules:
          - -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
        jumps:
          - {from: PREROUTING, rule: '-m comment --comment "kubernetes service portals"', at: first}
          - {from: OUTPUT, rule: '-m comment --comment "kubernetes service portals"', at: first}
      - name: KUBE-NODEPORTS
        table: nat
        rules:
          - -p tcp -m comment --comment lab/web -m tcp --dport 30999 -j KUBE-SEP-WEB
      - name: KUBE-SEP-WEB
        table: nat
        rules:
          - -p tcp -m comment --comment lab/web -m tcp -j DNAT --to-destination 10.244.169.89:9000

- name: All of it goes
  linuxnet.lab.iptables_rules:
    name: node_port
    state: absent
"""

RETURN = r"""
commands:
  description:
    - The changes as C(iptables) command lines, in their order; in check mode those that would be made.
    - They are carried out by one C(iptables-restore).
  returned: always
  type: list
  elements: str
  sample:
    - iptables -t nat -N LINUXNET-NAT
    - iptables -t nat -A LINUXNET-NAT -s 192.168.20.0/24 ! -o vnet-br0 -j MASQUERADE
    - iptables -t nat -A POSTROUTING -j LINUXNET-NAT
objects:
  description: The stated chains as they are now (in check mode, as far as they are there), rules in the words of C(iptables-save).
  returned: success
  type: list
  elements: dict
  sample:
    - kind_of_object: chain
      netns: ''
      family: ipv4
      table: nat
      name: LINUXNET-NAT
      rules: ['-s 192.168.20.0/24 ! -o vnet-br0 -j MASQUERADE']
      jumps: [{from: POSTROUTING, rule: '', at: last}]
problems:
  description: All mistakes at once, each with C(where) and C(what); nothing has been changed.
  returned: when the request is refused
  type: list
  elements: dict
rolled_back:
  description: Whether all is as it was before.
  returned: when the kernel refused something
  type: bool
left:
  description: What could not be put back.
  returned: when the kernel refused something
  type: list
  elements: str
"""

from ansible_collections.linuxnet.lab.plugins.module_utils import _module

JUMP = {
    "from": {"type": "str", "required": True},
    "rule": {"type": "str", "default": ""},
    "at": {"type": "str", "choices": ["first", "last"]},
}
CHAIN = {
    "name": {"type": "str", "required": True},
    "table": {"type": "str", "choices": ["raw", "mangle", "nat", "filter", "security"], "required": True},
    "rules": {"type": "list", "elements": "str", "default": []},
    "jumps": {"type": "list", "elements": "dict", "default": [], "options": JUMP},
}
SPEC = {
    **_module.STATE,
    **_module.NETNS,
    "name": {"type": "str", "required": True},
    "family": {"type": "str", "choices": ["ipv4", "ipv6"], "default": "ipv4"},
    "chains": {"type": "list", "elements": "dict", "options": CHAIN},
    "prune": {"type": "bool", "default": True},
}


def describe(params):
    """Absent is a set without chains: all that it held goes."""
    if params["state"] == "absent":
        return {"chains": []}
    where = {"netns": params["netns"], "family": params["family"]}
    return {"chains": [{**chain, **where} for chain in params["chains"] or []]}


def options(params):
    """Each namespace and family is a set of its own, and none is a description of network_state."""
    name = "iptables_rules {name} {family} {netns}".format(**{**params, "netns": params["netns"] or ""}).rstrip()
    return _module.Options(name=name, prune=params["prune"] or params["state"] == "absent")


def main():
    _module.main(SPEC, describe, options, required_if=[("state", "present", ["chains"])])


if __name__ == "__main__":
    main()
