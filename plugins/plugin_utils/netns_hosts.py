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


def listed(result: Mapping[str, Any], unnamed: bool) -> list[list[str]]:
    """[what to call it, what to enter it by] of each namespace but the host's own in what netns_info says.

    The host's own may have a name (`ip netns attach`, docker's `default`), but it is the host already. Those without
    a name, if they are wanted, are called by their pod, their container, or a process.
    """
    found = []
    for record in result["namespaces"]:
        if not record["netns"]:
            continue
        if record["name"]:
            found.append([record["name"], record["name"]])
        elif unnamed and re.fullmatch(r"/[\w.@%+/-]+", record["netns"]):
            found.append([_unnamed(record), record["netns"]])
    return found


def _unnamed(record: Mapping[str, Any]) -> str:
    for container in record["containers"]:
        if container["pod"] or container["name"]:
            return ".".join(filter(None, [container["pod"], container["namespace"]])) or str(container["name"])
    return f"pid{record['pids'][0]}" if record["pids"] else f"inode{record['inode']}"


def called(pattern: str, netns: str, host: str) -> str:
    """The name of a namespace as a host. ValueError if it is no good name, or the pattern has other fields than {netns} and {host}."""
    try:
        name = pattern.format(netns=netns, host=host)
    except (KeyError, IndexError) as error:
        raise ValueError(f"hostname: {pattern!r} has a field {error}; there are {{netns}} and {{host}}") from None
    # Neither a pattern of hosts (:,[]*) nor, which Ansible takes any text before 2.19 for, a template ({}).
    for one in (netns, name):
        if not re.fullmatch(r"[\w.@%+-]+", one):
            raise ValueError(f"{one!r} cannot be the name of a host")
    return name


def connection(host: str, variables: Iterable[str]) -> dict[str, str]:
    """{variable: value}: how the host is reached, asked from the host itself, where each of its values belongs.

    The host is named in each template, because a task that is delegated has the variables of another host around it.
    """
    names = sorted(name for name in variables if name.startswith("ansible_") and name not in OWN)
    templates = {name: f"{{{{ hostvars[{host!r}][{name!r}] }}}}" for name in names}
    return {"ansible_host": host, **templates}
