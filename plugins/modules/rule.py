#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rule
short_description: Add and remove policy rules
version_added: 0.1.0
description:
  - Manages the rules that say which routing table a packet is looked up in (C(ip rule)), IPv4 and IPv6.
  - The kernel tells two rules apart by all that they say, and changes none. A rule that is stated with another selector
    is another rule; state the former one as absent. In M(linuxnet.lab.network_state) with a name the former one goes by
    itself, after the new one has come.
  - Rules of one priority are gone through in the order in which they were made. Give each its own priority where the
    order matters.
  - Rules that this collection makes carry its protocol number, 76, as their mark.
extends_documentation_fragment:
  - linuxnet.lab.attributes
  - linuxnet.lab.common
  - linuxnet.lab.state
  - linuxnet.lab.netns
options:
  priority:
    description:
      - The priority; rules are gone through from the lowest number on, 0 to 4294967295. The kernel has its own at 0,
        32766 and 32767.
    type: int
    required: true
  family:
    description:
      - The address family. Without it that of O(from) and O(to); V(inet) where these are not stated.
    type: str
    choices: [inet, inet6]
  not:
    description:
      - Whether the rule is for the packets that the selectors do not match.
    type: bool
  from:
    description:
      - The source, a network such as V(10.244.0.0/16), an address, or V(all).
    type: str
  to:
    description:
      - The destination, a network, an address, or V(all).
    type: str
  iif:
    description:
      - The interface that the packet came in on; V(lo) for packets of the host itself. It need not exist (yet).
    type: str
  oif:
    description:
      - The interface that a socket is bound to. It need not exist (yet).
    type: str
  fwmark:
    description:
      - The mark of the packet, decimal or hexadecimal such as V(0x100).
    type: str
  fwmask:
    description:
      - The bits of the mark that count. Without it all do.
    type: str
  tos:
    description:
      - The TOS (IPv6 traffic class), 0 to 252, without the two lowest bits, which are ECN's.
    type: str
  dscp:
    description:
      - The DSCP, 0 to 63, on kernels that have this selector (6.13 and newer).
    type: int
  ipproto:
    description:
      - The protocol of the packet, by number or V(icmp), V(tcp), V(udp), V(sctp), V(ipv6-icmp).
    type: str
  sport:
    description:
      - The source port, or a range such as V(1000-2000).
    type: str
  dport:
    description:
      - The destination port, or a range.
    type: str
  uidrange:
    description:
      - The users whose sockets it is for, such as V(1000-1999).
    type: str
  tun_id:
    description:
      - The identifier of the tunnel that the packet came by (collect metadata).
    type: int
  l3mdev:
    description:
      - Whether the table is that of the VRF that the packet belongs to.
    type: bool
  action:
    description:
      - What becomes of the packet. V(lookup) looks for a route in O(table), V(goto) goes on at the rule of the priority
        O(goto), V(nop) does nothing, the others end it as routes of these types do.
      - Without it V(goto) where O(goto) is stated, else V(lookup).
    type: str
    choices: [lookup, goto, nop, blackhole, unreachable, prohibit]
  table:
    description:
      - The routing table, by number or V(main), V(local), V(default). Without it V(main).
    type: str
  goto:
    description:
      - The priority to go on at; it must be a higher one.
    type: int
  suppress_prefixlength:
    description:
      - Routes with a prefix of this length or a shorter one are not taken. V(0) passes over a default route.
    type: int
  suppress_ifgroup:
    description:
      - Routes out of an interface of this group are not taken.
    type: int
  realms:
    description:
      - Realms for a route that is found, V(to) or V(from/to), by number (IPv4).
    type: str
  proto:
    description:
      - Who made the rule, by number or name such as V(boot), V(static). Without it that of this collection, 76, as its
        mark.
    type: str
seealso:
  - module: linuxnet.lab.route
  - module: linuxnet.lab.network_state
"""

EXAMPLES = r"""
- name: What comes from the pods is routed by a table of its own
  linuxnet.lab.rule:
    priority: 100
    from: 10.244.0.0/16
    table: 100

- name: Marked packets, whatever else is set in the mark
  linuxnet.lab.rule:
    netns: red
    priority: 101
    fwmark: "0x4000"
    fwmask: "0x4000"
    table: 200

- name: The main table without its default route, before anything else
  linuxnet.lab.rule:
    priority: 50
    table: main
    suppress_prefixlength: 0

- name: Nothing leaves for there
  linuxnet.lab.rule:
    priority: 60
    to: 2001:db8:bad::/48
    action: prohibit
"""

RETURN = r"""
commands:
  description: The changes as iproute2 command lines, in their order; in check mode those that would be made.
  returned: always
  type: list
  elements: str
  sample:
    - ip rule add priority 100 from 10.244.0.0/16 lookup 100
objects:
  description: What was stated, as it is now (in check mode, as far as it is there), with the names of the options.
  returned: success
  type: list
  elements: dict
  sample:
    - kind_of_object: rule
      netns: ''
      family: inet
      priority: 100
      from: 10.244.0.0/16
      action: lookup
      table: 100
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

SPEC = {
    **_module.STATE,
    **_module.NETNS,
    "priority": {"type": "int", "required": True},
    "family": {"type": "str", "choices": ["inet", "inet6"]},
    "not": {"type": "bool"},
    "from": {"type": "str"},
    "to": {"type": "str"},
    "iif": {"type": "str"},
    "oif": {"type": "str"},
    "fwmark": {"type": "str"},
    "fwmask": {"type": "str"},
    "tos": {"type": "str"},
    "dscp": {"type": "int"},
    "ipproto": {"type": "str"},
    "sport": {"type": "str"},
    "dport": {"type": "str"},
    "uidrange": {"type": "str"},
    "tun_id": {"type": "int"},
    "l3mdev": {"type": "bool"},
    "action": {"type": "str", "choices": ["lookup", "goto", "nop", "blackhole", "unreachable", "prohibit"]},
    "table": {"type": "str"},
    "goto": {"type": "int"},
    "suppress_prefixlength": {"type": "int"},
    "suppress_ifgroup": {"type": "int"},
    "realms": {"type": "str"},
    "proto": {"type": "str"},
}


def describe(params):
    return {"rules": [params]}


def main():
    _module.main(SPEC, describe)


if __name__ == "__main__":
    main()
