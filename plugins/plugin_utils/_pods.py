# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pods that the variables of a group state: read, and checked against each other."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.linuxnet.lab.plugins.module_utils._model import link_name

from ._check import Check, address4, empty, listing
from ._group import Member

_PART = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")


class Pod(NamedTuple):
    """A pod as it is stated; `where` is the place in the variables for messages."""

    node: str
    namespace: str
    name: str
    where: str
    owner: str  # the host whose variable it is in
    address: ipaddress.IPv4Address | None = None
    interface: str = ""

    @property
    def full(self) -> str:
        """namespace.name: the network namespace, and what the host end's name is made of."""
        return f"{self.namespace}.{self.name}"

    @property
    def host_end(self) -> str:
        """`cali` and the first 11 digits of sha1("namespace.name"), as Calico names it."""
        return self.interface or "cali" + hashlib.sha1(self.full.encode()).hexdigest()[:11]


def read(group: Mapping[str, Member], hosts: Iterable[str]) -> list[Pod]:
    """All pods of the group. A list that several hosts share names its pods once."""
    found: dict[tuple[str, str], Pod] = {}
    known = set(hosts)
    shared: list[list[Any]] = []
    for name, member in group.items():
        entries = member.check.read("pods", listing, [])
        if entries in shared:
            continue  # the same pods, and the same mistakes
        if all(isinstance(entry, Mapping) and not empty(entry.get("node")) for entry in entries):
            shared.append(entries)
        for number, entry in enumerate(entries, 1):
            pod = _pod(member.check, name, f"pods[{number}]", entry)
            if pod is None:
                continue
            if pod.node not in known:
                member.check.problem(
                    f"{pod.where}.node", f"{pod.node!r} is no host of the group {member.check.values['group']}"
                )
                continue
            if pod.node not in group:
                member.check.problem(
                    f"{pod.where}.node",
                    f"{pod.node!r} is to have no pod network: its {member.check.role}_state is absent",
                )
                continue
            before = found.setdefault((pod.namespace, pod.name), pod)
            if before is not pod and before._replace(where="", owner="") != pod._replace(where="", owner=""):
                member.check.problem(
                    f"{pod.where}.name", f"{pod.namespace}/{pod.name} is a pod of {before.node} already"
                )
            elif before is not pod and before.owner == pod.owner:
                member.check.problem(f"{pod.where}.name", f"{pod.namespace}/{pod.name} is stated twice")
    ends: dict[tuple[str, str], Pod] = {}
    for pod in found.values():
        other = ends.setdefault((pod.node, pod.host_end), pod)
        if other is not pod:
            group[pod.owner].check.problem(
                f"{pod.where}.interface", f"{pod.host_end!r} is the host end of {other.namespace}/{other.name} already"
            )
    return list(found.values())


def _pod(check: Check, host: str, where: str, entry: Any) -> Pod | None:
    given = check.entry(where, {"name": entry} if isinstance(entry, str) else entry, _POD)
    if "name" not in given:
        if isinstance(entry, Mapping) and empty(entry.get("name")):
            check.problem(f"{where}.name", "is missing")
        return None
    return Pod(
        node=given.get("node", host),
        namespace=given.get("namespace", "default"),
        name=given["name"],
        where=where,
        owner=host,
        address=given.get("address"),
        interface=given.get("interface", ""),
    )


def _part_of_name(value: Any) -> str:
    if not _PART.fullmatch(str(value)):
        raise ValueError(f"{value!r} is not a name (RFC 1123: lower case letters, digits, - and ., 63 at the most)")
    return str(value)


_POD: dict[str, Callable[[Any], Any]] = {
    "name": _part_of_name,
    "namespace": _part_of_name,
    "node": str,
    "address": address4,
    "interface": link_name,
}
