# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One network namespace as a reader sees it, and which namespaces are looked at."""

from __future__ import annotations

import errno
import glob
import os
from collections.abc import Callable, Iterable
from typing import Any

from .. import _netlink as nl
from .._kinds import link
from .._netns import Namespaces

Record = dict[str, Any]


class View:
    """A namespace that the thread has entered: its socket, and the names of its links."""

    def __init__(self, namespaces: Namespaces, netns: str, channel: nl.Channel, warnings: list[str]) -> None:
        self.namespaces = namespaces
        self.netns = netns
        self.channel = channel
        self.warnings = warnings
        self._names: dict[int, str] | None = None

    @property
    def names(self) -> dict[int, str]:
        """{ifindex: name}"""
        if self._names is None:
            found = self.dump(link.DUMP, ("IFLA_IFNAME",))
            self._names = {message["index"]: message["IFLA_IFNAME"] for message in found}
        return self._names

    def name(self, ifindex: int) -> str:
        """The name of a link; one that is gone meanwhile is called like in iproute2: if7."""
        return self.names.get(ifindex) or f"if{ifindex}"

    def dump(
        self, request: nl.Request, wanted: Iterable[str], keep: Callable[[memoryview], bool] | None = None
    ) -> list[dict[str, Any]]:
        """As Channel.dump; where the kernel's table does not come to rest, what it last showed, with a warning."""
        try:
            return self.channel.dump(request, wanted, keep)
        except nl.NetlinkError as error:
            if error.code != errno.EINTR:
                raise
            where = f" of netns {self.netns}" if self.netns else ""
            self.warnings.append(f"the tables{where} are changing all the time: some objects may be missing or old")
            return self.channel.dump_once(request, frozenset(wanted), keep)[0]


def everywhere(namespaces: Namespaces) -> list[str]:
    """All network namespaces: the own one, those with a name, and those that only have processes (containers)."""
    found = {namespaces.own: "", **namespaces.known()}
    for path in sorted(glob.glob("/proc/[0-9]*/ns/net"), key=lambda path: int(path.split("/")[2])):
        try:
            status = os.stat(path)
        except OSError:  # the process has ended meanwhile
            continue
        found.setdefault((status.st_dev, status.st_ino), path)
    found[namespaces.own] = ""
    return list(dict.fromkeys(found.values()))


def selected(namespaces: Namespaces, given: str | None) -> list[str]:
    """The namespaces that are asked for: one, or `all`. ValueError if there is no such one."""
    if given == "all":
        return everywhere(namespaces)
    netns = namespaces.canonical(given)
    if not namespaces.exists(netns):
        raise ValueError(f"there is no network namespace {given}")
    return [netns]


def collect(
    read: Callable[[View, dict[str, Any]], Iterable[Record]], params: dict[str, Any]
) -> tuple[list[Record], list[str]]:
    """The records of all namespaces that are asked for, each with its `netns`; and warnings.

    A namespace that goes away while all are read is a warning, and the rest is delivered. ValueError for an unknown
    one, OSError for what the kernel refuses of a single one.
    """
    found: list[Record] = []
    warnings: list[str] = []
    namespaces = Namespaces()
    try:
        chosen = selected(namespaces, params["netns"])
        for netns in chosen:
            try:
                with namespaces.entered(netns), nl.Channel() as channel:
                    for record in read(View(namespaces, netns, channel, warnings), params):
                        if params["grep"] is None or params["grep"] in record["text"]:
                            found.append({"netns": netns, **record})
            except OSError as error:
                if len(chosen) == 1 or isinstance(error, (PermissionError, nl.NetlinkError)):
                    raise
                warnings.append(f"network namespace {netns}: {error.strerror}")
    finally:
        namespaces.close()
    return found, list(dict.fromkeys(warnings))
