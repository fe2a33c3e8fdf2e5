# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespaces as hosts: what they are called, which variables they have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

METHOD = "linuxnet.lab.netns"
OWN = {"ansible_become", "ansible_become_method", "ansible_become_user", "ansible_netns"}


def listed(result: Mapping[str, Any], unnamed: bool) -> list[str]:
    """The namespaces in what a host answered: by name, those without one (if they are wanted) by their first PID."""
    found = []
    for record in result["namespaces"]:
        if record.get("name"):
            found.append(str(record["name"]))
        elif unnamed and record.get("pids"):
            found.append(str(min(record["pids"])))
    return found


def called(pattern: str, netns: str, host: str) -> str:
    """The name of a namespace as a host. ValueError if it is no good name, or the pattern has other fields than {netns} and {host}."""
    try:
        name = pattern.format(netns=netns, host=host)
    except (KeyError, IndexError) as error:
        raise ValueError(f"hostname: {pattern!r} has a field {error}; there are {{netns}} and {{host}}") from None
    # Neither a pattern of hosts (:,[]*) nor, where Ansible has no other way to tell, a template ({}).
    if not re.fullmatch(r"[\w.@%+-]+", name):
        raise ValueError(f"{name!r} cannot be the name of a host")
    return name


def connection(variables: Iterable[str]) -> dict[str, str]:
    """{variable: template}: how the host is reached, asked from the host itself, where each of its values belongs."""
    names = sorted(name for name in variables if name.startswith("ansible_") and name not in OWN)
    templates = {name: f"{{{{ hostvars[netns_host][{name!r}] }}}}" for name in names}
    return {"ansible_host": "{{ netns_host }}", **templates}
