# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Shared documentation: modules that only look."""

    # the options of those that look into namespaces one by one
    DOCUMENTATION = r"""
options:
  netns:
    description:
      - The network namespace, by name (as in C(ip netns)), by the path of its file, or by the PID of a process in it.
      - V(all) is every namespace of the host, with those of containers, which have no name.
      - Without it the namespace that Ansible came in to.
    type: str
  grep:
    description:
      - Only what has these characters in its C(text), as C(grep -F) would find them.
      - All filters of the module work on the host, so that the answer stays small where there is much to see.
    type: str
"""

    # the options of those that look at the whole host
    HOST = r"""
options:
  netns:
    description:
      - Only this network namespace, by name (as in C(ip netns)), by the path of its file, or by the PID of a process in it.
      - V(all) is every namespace of the host, with those of containers, which have no name.
    type: str
    default: all
"""

    # of all of them
    READING = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the same as without it.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: N/A
    details: Nothing is ever changed.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
  platform:
    description: Target OS/families that can be operated against.
    platforms: linux
    support: full
  action_group:
    description: Use C(group/linuxnet.lab.info) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - linuxnet.lab.info
requirements:
  - Linux; root (C(become=true)) to look into another namespace than the one that Ansible came in to
  - pyroute2 >= 0.7.2 on the host; the role P(linuxnet.lab.prepare#role) installs it
author:
  - linuxnet.lab contributors (@linuxnet)
"""
