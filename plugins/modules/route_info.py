#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: route_info
short_description: Read the routes
version_added: 0.1.0
description:
  - Returns the routes of any table, IPv4 and IPv6, in any network namespaces.
  - With O(lookup), the one that a packet to an address takes.
  - Nothing is ever changed.
extends_documentation_fragment:
  - linuxnet.lab.info
  - linuxnet.lab.info.reading
options:
  family:
    description: Only IPv4 (V(inet)), or only IPv6 (V(inet6)).
    type: str
    choices: [inet, inet6]
  table:
    description:
      - Only this table, by name (V(main), V(local), V(default)) or number. V(all) is every table.
      - Without it V(main), as C(ip route) does.
    type: str
  dst:
    description: Only routes to exactly this destination, a network, an address, or V(default).
    type: str
  within:
    description: Only routes to destinations within this network, as C(ip route show root).
    type: str
  lookup:
    description:
      - Only the entry that a packet to this address meets - the policy rules are gone through in their order, and in each table the
        longest prefix wins. It may be a V(blackhole), for which C(ip route get) has an error only.
      - The kernel is asked as well. RV(routes[].answer) is what it says, and if it means another entry, there is a warning.
      - The packet is one that the host sends, unless O(iif) is set. Rules that go by protocol, port, TOS or outgoing interface
        do not apply to it. Where a rule forbids it, or no table has a route, nothing is returned.
    type: str
  from:
    description: Where the packet of O(lookup) comes from.
    type: str
  iif:
    description: The interface by which the packet of O(lookup) comes in; it wants O(from) too.
    type: str
  mark:
    description: The firewall mark of the packet of O(lookup).
    type: str
  type:
    description: Only routes of this type.
    type: str
    choices: [unicast, local, broadcast, anycast, multicast, blackhole, unreachable, prohibit, throw]
  dev:
    description: Only routes by this interface.
    type: str
  via:
    description: Only routes by this gateway.
    type: str
  proto:
    description: Only routes of this protocol, by name (V(bird), V(kernel)) or number.
    type: str
  scope:
    description: Only routes of this scope, by name (V(link), V(host), V(global)) or number.
    type: str
notes:
  - Names of tables, protocols and scopes are those that iproute2 comes with; what a host adds in C(/etc/iproute2) is shown by number.
seealso:
  - module: linuxnet.lab.route
  - module: linuxnet.lab.rule_info
  - module: linuxnet.lab.neighbor_info
"""

EXAMPLES = r"""
- name: Who owns this block, and who routes to it?
  linuxnet.lab.route_info:
    dst: 10.244.169.64/26

- name: The routes of the pods on this node
  linuxnet.lab.route_info:
    within: 10.244.169.64/26
    scope: link

- name: Where does a packet to this pod go?
  linuxnet.lab.route_info:
    lookup: 10.244.169.89
  register: way

- name: And one with the mark of the overlay, that came in by the pod's interface?
  linuxnet.lab.route_info:
    lookup: 10.244.169.89
    from: 10.244.239.132
    iif: cali349ff1af8c4
    mark: '0x4000'

- name: All routes that BIRD made, anywhere on the host
  linuxnet.lab.route_info:
    netns: all
    table: all
    proto: bird
"""

RETURN = r"""
routes:
  description: The routes, in the kernel's order.
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
    type:
      description: The type, V(unicast) mostly.
      type: str
      returned: always
    dst:
      description: The destination, a network with its length, or V(default).
      type: str
      returned: always
    from:
      description: The sources that an IPv6 route is for; V(null) for all.
      type: str
      returned: always
    table:
      description: The table, by name or number.
      type: raw
      returned: always
    via:
      description: The gateway; V(null) where the destination is on the link, or where there are several.
      type: str
      returned: always
    dev:
      description: The interface; V(null) where there is none, or where there are several.
      type: str
      returned: always
    onlink:
      description: Whether the gateway is taken to be on the link, whatever the addresses say.
      type: bool
      returned: always
    flags:
      description: What else the kernel says of it, for example V(dead), V(linkdown), V(offload).
      type: list
      elements: str
      returned: always
    encap:
      description: How packets are encapsulated (V(mpls), V(ip), V(seg6) and others); RV(routes[].text) has this word only.
      type: str
      returned: always
    src:
      description: The source address that packets of the host get.
      type: str
      returned: always
    proto:
      description: Who made it, by name or number.
      type: raw
      returned: always
    scope:
      description: The scope, by name or number.
      type: raw
      returned: always
    metric:
      description: The metric.
      type: int
      returned: always
    tos:
      description: The TOS that it is for; 0 for all.
      type: int
      returned: always
    nhid:
      description: The number of its nexthop object.
      type: int
      returned: always
    nexthops:
      description: Of a route with several next hops, each with its C(weight), and with C(via), C(dev), C(onlink), C(flags) and C(encap).
      type: list
      elements: dict
      returned: always
    pref:
      description: The preference of an IPv6 router, V(low), V(medium) or V(high).
      type: str
      returned: always
    expires:
      description: Seconds until it goes.
      type: int
      returned: always
    realms:
      description: The realms, as C(from/to) or the one to.
      type: str
      returned: always
    mtu:
      description: The MTU; V(null) where it is the interface's.
      type: int
      returned: always
    window:
      description: The largest window of TCP.
      type: int
      returned: always
    advmss:
      description: The MSS that is advertised.
      type: int
      returned: always
    hoplimit:
      description: The TTL or hop limit.
      type: int
      returned: always
    initcwnd:
      description: The first congestion window.
      type: int
      returned: always
    initrwnd:
      description: The first receive window.
      type: int
      returned: always
    ssthresh:
      description: The first slow start threshold.
      type: int
      returned: always
    cwnd:
      description: The clamp of the congestion window.
      type: int
      returned: always
    reordering:
      description: The reordering that TCP expects.
      type: int
      returned: always
    quickack:
      description: Whether TCP acknowledges at once (1).
      type: int
      returned: always
    metrics:
      description: Further metrics that are set, by iproute2's names, times in milliseconds. C(lock) names those that are locked.
      type: dict
      returned: always
    text:
      description: The route as C(ip route show table all) prints it, a line for each next hop where there are several.
      type: str
      returned: always
    legacy:
      description: The route as C(route -n) prints it; V(null) for what that does not show.
      type: str
      returned: always
    answer:
      description:
        - What becomes of the packet, as the kernel answers - C(type), C(via), C(dev), C(src) and C(mtu).
        - C(error) is the name of the kernel's refusal, C(text) the words of C(ip route get).
      type: dict
      returned: with O(lookup)
  sample:
    - {netns: '', family: inet, type: unicast, dst: 10.244.169.64/26, from: null, table: main, via: 192.168.26.105, dev: tunl0,
       onlink: true, flags: [], encap: null, src: null, proto: bird, scope: global, metric: 0, tos: 0, nhid: null, nexthops: [],
       pref: null, expires: null, realms: null, mtu: null, window: null, advmss: null, hoplimit: null, initcwnd: null,
       initrwnd: null, ssthresh: null, cwnd: null, reordering: null, quickack: null, metrics: {},
       text: 10.244.169.64/26 via 192.168.26.105 dev tunl0 proto bird onlink,
       legacy: '10.244.169.64   192.168.26.105  255.255.255.192 UG    0      0        0 tunl0'}
"""

from ansible_collections.linuxnet.lab.plugins.module_utils._info import route
from ansible_collections.linuxnet.lab.plugins.module_utils._info.main import main as run


def main():
    run("routes", route.SPEC, route.read, **route.CONSTRAINTS)


if __name__ == "__main__":
    main()
