# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Shared documentation: common."""

    DOCUMENTATION = r"""
options:
  recreate:
    description:
      - What cannot change in place is refused, with the reason. With V(true) it is deleted and created anew.
      - What hung on it (addresses, routes, neighbours, forwarding entries, parameters, ports) is put back.
      - Where something else hangs on it (a qdisc, a permanent multicast entry or VLANs of a bridge, an alternative
        name), it is refused all the same, with what would be lost.
    type: bool
    default: false
  adopt:
    description:
      - What exists already and was not made by this collection is left alone, and a change of it is refused.
      - With V(true) it is taken over.
    type: bool
    default: false
  allow_disconnect:
    description:
      - A change that would cut the SSH connection that Ansible came in on is refused. V(true) allows it.
      - Protected are the interface that leads to the controller and what it stands on (ports, masters, lower interfaces,
        the other end of a veth in another namespace), the host's own address, the neighbour entries of the gateway and
        of the controller, and the way of the packets, that routes, addresses and policy rules may not lead elsewhere and
        chains of this collection may not stop, those of the next connection included.
      - Where it cannot be known whether a rule of a chain holds (a limit, a set), it is taken to stop a packet. Packets
        are taken to have no mark.
      - Not known are rules of others, before or behind the chains of this collection.
    type: bool
    default: false
  lock_timeout:
    description: Seconds to wait for another run of this collection on the same host.
    type: float
    default: 30
requirements:
  - Linux, and root (C(become=true))
  - pyroute2 >= 0.7.2 on the host; the role P(linuxnet.lab.prepare#role) installs it
author:
  - linuxnet.lab contributors (@linuxnet)
"""
