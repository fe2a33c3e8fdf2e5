#!/usr/bin/python
# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sysctl_info
short_description: Read the kernel parameters of the network
version_added: 0.1.0
description:
  - Returns parameters below C(net.), by name or pattern, in any network namespaces.
  - A parameter of an interface often counts together with the one of C(all), by a rule that differs from parameter to parameter;
    RV(sysctls[].effective) is what comes of both.
  - Nothing is ever changed.
extends_documentation_fragment:
  - linuxnet.lab.info
  - linuxnet.lab.info.reading
options:
  name:
    description:
      - Names such as V(net.ipv4.ip_forward), and patterns such as V(net.ipv4.conf.*.rp_filter), as a shell takes them for files.
      - A name that stands for a folder (V(net.ipv4.conf.eth0)) means all that is in it.
      - A point in the name of an interface is written as a slash, as C(sysctl) does (V(net.ipv4.conf.eth0/100.rp_filter)).
    type: list
    elements: str
    required: true
  dev:
    description: Only parameters of this interface.
    type: str
seealso:
  - module: linuxnet.lab.sysctl
  - module: linuxnet.lab.route_info
"""

EXAMPLES = r"""
- name: Does the host forward, and do the pods' interfaces answer for others?
  linuxnet.lab.sysctl_info:
    name: [net.ipv4.ip_forward, net.ipv4.conf.cali*.proxy_arp]

- name: Where is the reverse path checked?
  linuxnet.lab.sysctl_info:
    netns: all
    name: net.ipv4.conf.*.rp_filter
  register: found

- name: Show it, with what decides
  ansible.builtin.debug:
    msg: "{{ found.sysctls | selectattr('effective', 'in', ['1', '2']) }}"
"""

RETURN = r"""
sysctls:
  description: The parameters; those that can only be written are left out.
  returned: success
  type: list
  elements: dict
  contains:
    netns:
      description: The namespace; empty for the one that Ansible came in to.
      type: str
      returned: always
    name:
      description: The name, with points.
      type: str
      returned: always
    value:
      description: The value; several are separated by one blank.
      type: str
      returned: always
    dev:
      description: The interface that it belongs to; V(null) for one of the namespace, of C(all), or of C(default).
      type: str
      returned: always
    all:
      description: The value of the same parameter of C(all); V(null) where there is none.
      type: str
      returned: always
    effective:
      description: What counts for the interface; V(null) for what is no parameter of an interface in C(conf).
      type: str
      returned: always
    decided_by:
      description: Which of the two says so, V(interface), V(all), or V(both) where each would alone; V(null) as above.
      type: str
      returned: always
    text:
      description: The parameter as C(sysctl) prints it, several lines if the value has these.
      type: str
      returned: always
  sample:
    - {netns: '', name: net.ipv4.conf.tunl0.rp_filter, value: '0', dev: tunl0, all: '1', effective: '1', decided_by: all,
       text: net.ipv4.conf.tunl0.rp_filter = 0}
"""

from ansible_collections.linuxnet.lab.plugins.module_utils._info import sysctl
from ansible_collections.linuxnet.lab.plugins.module_utils._info.main import main as run


def main():
    run("sysctls", sysctl.SPEC, sysctl.read)


if __name__ == "__main__":
    main()
