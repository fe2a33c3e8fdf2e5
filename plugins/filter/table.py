# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter table: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: table
author:
  - linuxnet.lab contributors (@linuxnet)
version_added: 0.1.0
short_description: Records of several hosts as a table
description:
  - Turns what the C(*_info) modules found on several hosts into the lines of a table, C(HOST | TEXT), one for each record.
  - If a record is of another namespace than the host's own, there is a column with the namespaces. V(-) says that a host has no record.
positional: columns
options:
  _input:
    description: By host, the result of an C(*_info) module or a list of its records.
    type: dict
    required: true
  columns:
    description: The keys of the records to show.
    type: list
    elements: str
    default: [text]
seealso:
  - plugin: linuxnet.lab.text
    plugin_type: callback
"""

EXAMPLES = r"""
- name: The route to the block of a node
  linuxnet.lab.route_info:
    dst: 10.244.169.64/26
  register: found

- name: Who owns it, who routes to it?
  ansible.builtin.debug:
    msg: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'found'))) | linuxnet.lab.table }}"
  run_once: true
# msg:
#   - vms100 | 10.244.169.64/26 via 192.168.26.105 dev tunl0 proto bird onlink
#   - vms105 | blackhole 10.244.169.64/26 proto bird
"""

RETURN = r"""
_value:
  description: The lines of the table.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping, Sequence  # noqa: E402 - documentation comes first, by Ansible's rules
from typing import Any  # noqa: E402

from ansible.errors import AnsibleFilterError  # noqa: E402
from ansible_collections.linuxnet.lab.plugins.plugin_utils.texts import over_hosts  # noqa: E402


def table(found: Mapping[str, Any], columns: Sequence[str] = ("text",)) -> list[str]:
    """The lines."""
    if not isinstance(found, Mapping):
        raise AnsibleFilterError(f"table: expected records by host, not {type(found).__name__}")
    try:
        return over_hosts(found, columns)
    except ValueError as error:
        raise AnsibleFilterError(f"table: {error}") from error


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter under its name."""
        return {"table": table}
