# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One network namespace as a reader sees it, and which namespaces are looked at."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from .. import _netlink as nl
from .._kinds import link
from .._netns import Namespaces
from .owners import Owners
from .places import Identity, everywhere

Record = dict[str, Any]
Found = TypeVar("Found")


class View:
    """A namespace that the thread has entered: its socket, and the names of its links."""

    def __init__(self, owners: Owners, netns: str, channel: nl.Channel, warnings: list[str]) -> None:
        self.namespaces = owners.namespaces
        self.owners = owners
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


def chosen(
    namespaces: Namespaces, given: str | None, places: Mapping[Identity, str] | None = None
) -> Mapping[Identity, str]:
    """The namespaces that are asked for: one, or `all`, of these places. ValueError if there is no such one."""
    if given == "all":
        return everywhere(namespaces) if places is None else places
    netns = namespaces.canonical(given)
    inode = namespaces.inode(netns)
    if inode is None:
        raise ValueError(f"there is no network namespace {given}")
    return {(namespaces.own[0], inode): netns}


def visit(given: str | None, look: Callable[[View], Found]) -> tuple[dict[str, Found], list[str]]:
    """{namespace: what `look` finds there}, for the namespaces that are asked for; and warnings.

    A namespace that goes away while all are read is a warning, and the rest is delivered. ValueError for an unknown
    one, OSError for what the kernel refuses of a single one.
    """
    found: dict[str, Found] = {}
    warnings: list[str] = []
    namespaces = Namespaces()
    try:
        places = chosen(namespaces, given)
        owners = Owners(namespaces, list(places.values()))
        for identity, netns in places.items():
            try:
                with namespaces.entered(netns), nl.Channel() as channel:
                    if namespaces.here() != identity:  # the PID belongs to another process by now
                        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
                    found[netns] = look(View(owners, netns, channel, warnings))
            except OSError as error:
                if len(places) == 1 or isinstance(error, (PermissionError, nl.NetlinkError)):
                    raise
                warnings.append(f"network namespace {netns}: {error.strerror}")
    finally:
        namespaces.close()
    return found, list(dict.fromkeys(warnings))


def collect(
    read: Callable[[View, dict[str, Any]], Iterable[Record]], params: dict[str, Any]
) -> tuple[list[Record], list[str]]:
    """The records of all namespaces that are asked for, each with its `netns`; and warnings. As visit()."""
    word = params["grep"]

    def look(view: View) -> list[Record]:
        return [record for record in read(view, params) if word is None or word in record["text"]]

    found, warnings = visit(params["netns"], look)
    return [{"netns": netns, **record} for netns, records in found.items() for record in records], warnings
