#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: route
short_description: Add, change and remove routes
version_added: 0.1.0
description:
  - Manages routes of all tables and types, IPv4 and IPv6.
  - What tells a route from others is what the kernel goes by - namespace, family, table, destination, tos and
    metric; all else changes in place.
extends_documentation_fragment:
  - linuxnet.lab.attributes
  - linuxnet.lab.common
  - linuxnet.lab.state
  - linuxnet.lab.netns
options:
  dst:
    description:
      - The destination, a network such as V(10.0.0.0/8), or V(default).
    type: str
    required: true
  family:
    description:
      - The address family of V(default), where no address tells it.
    type: str
    choices: [inet, inet6]
  via:
    description:
      - The address of the next hop; an IPv6 one for an IPv4 route is fine.
    type: str
  dev:
    description:
      - The interface.
    type: str
  type:
    description:
      - The type of the route.
    type: str
    choices: [unicast, local, broadcast, anycast, multicast, blackhole, unreachable, prohibit, throw]
  table:
    description:
      - The table, by number or V(main), V(local), V(default).
    type: str
  metric:
    description:
      - The metric (priority) of the route.
    type: int
  tos:
    description:
      - The TOS that the route is for, without the two lowest bits, which are ECN's.
    type: int
  src:
    description:
      - The source address to prefer.
    type: str
  proto:
    description:
      - Who made the route, by number or name such as V(boot), V(static), V(bird). Without it that of this
        collection, 76, as its mark.
    type: str
  scope:
    description:
      - V(global), V(link), V(host), or a number.
    type: str
  onlink:
    description:
      - Whether the next hop is taken to be on the link, whatever its address. It needs O(dev).
    type: bool
  mtu:
    description:
      - The MTU of the route, 65520 at the most.
    type: int
  window:
    description:
      - The largest TCP window.
    type: int
  advmss:
    description:
      - The TCP segment size to tell, 65495 at the most.
    type: int
  hoplimit:
    description:
      - The hop limit, 255 at the most.
    type: int
  initcwnd:
    description:
      - The initial TCP congestion window.
    type: int
  initrwnd:
    description:
      - The initial TCP receive window.
    type: int
  ssthresh:
    description:
      - The initial TCP slow start threshold.
    type: int
  cwnd:
    description:
      - The largest TCP congestion window, where it is locked.
    type: int
  reordering:
    description:
      - How much reordering TCP takes for usual.
    type: int
  quickack:
    description:
      - Whether TCP acknowledges at once, 1 or 0.
    type: int
  pref:
    description:
      - The preference among routes that are otherwise alike (IPv6).
    type: str
    choices: [low, medium, high]
  nexthops:
    description:
      - Several next hops for one destination (multipath).
    type: list
    elements: dict
    suboptions:
      via:
        description:
          - The address of the next hop.
        type: str
      dev:
        description:
          - The interface.
        type: str
      weight:
        description:
          - Its share, 1 to 256.
        type: int
        default: 1
      onlink:
        description:
          - Whether the next hop is taken to be on the link.
        type: bool
        default: false
seealso:
  - module: linuxnet.lab.address
  - module: linuxnet.lab.network_state
"""

EXAMPLES = r"""
- name: Out of red through the bridge
  linuxnet.lab.route:
    netns: red
    dst: default
    via: 192.168.20.1

- name: What is not routed otherwise ends here
  linuxnet.lab.route:
    dst: 10.244.169.64/26
    type: blackhole
    proto: bird
"""

RETURN = r"""
commands:
  description: The changes as iproute2 command lines, in their order; in check mode those that would be made.
  returned: always
  type: list
  elements: str
  sample:
    - ip -n red route add default via 192.168.20.1
objects:
  description: What was stated, as it is now (in check mode, as far as it is there), with the names of the options.
  returned: success
  type: list
  elements: dict
  sample:
    - kind_of_object: route
      netns: red
      family: inet
      table: 254
      dst: 0.0.0.0/0
      via: 192.168.20.1
      dev: eth0-r
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
    "dst": {"type": "str", "required": True},
    "family": {"type": "str", "choices": ["inet", "inet6"]},
    "via": {"type": "str"},
    "dev": {"type": "str"},
    "type": {
        "type": "str",
        "choices": [
            "unicast",
            "local",
            "broadcast",
            "anycast",
            "multicast",
            "blackhole",
            "unreachable",
            "prohibit",
            "throw",
        ],
    },
    "table": {"type": "str"},
    "metric": {"type": "int"},
    "tos": {"type": "int"},
    "src": {"type": "str"},
    "proto": {"type": "str"},
    "scope": {"type": "str"},
    "onlink": {"type": "bool"},
    "mtu": {"type": "int"},
    "window": {"type": "int"},
    "advmss": {"type": "int"},
    "hoplimit": {"type": "int"},
    "initcwnd": {"type": "int"},
    "initrwnd": {"type": "int"},
    "ssthresh": {"type": "int"},
    "cwnd": {"type": "int"},
    "reordering": {"type": "int"},
    "quickack": {"type": "int"},
    "pref": {"type": "str", "choices": ["low", "medium", "high"]},
    "nexthops": {
        "type": "list",
        "elements": "dict",
        "options": {
            "via": {"type": "str"},
            "dev": {"type": "str"},
            "weight": {"type": "int", "default": 1},
            "onlink": {"type": "bool", "default": False},
        },
    },
}


def describe(params):
    return {"routes": [params]}


def main():
    _module.main(SPEC, describe)


if __name__ == "__main__":
    main()
