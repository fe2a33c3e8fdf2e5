# Copyright: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Shared documentation: netns."""

    DOCUMENTATION = r"""
options:
  netns:
    description:
      - The network namespace, by name (as in C(ip netns)), by the path of its file, or by the PID of a process in it.
      - Without it the namespace that Ansible came in to.
    type: str
"""
