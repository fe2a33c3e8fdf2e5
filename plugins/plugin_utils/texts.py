# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the *_info modules return, as lines of text: their records say themselves what `ip` and iptables-save would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# Where an *_info module returns its records.
RECORDS = ("namespaces", "links", "addresses", "routes", "neighbors", "fdb", "rules", "sysctls", "chains", "walks")
NOTHING = "-"
Row = tuple[str, ...]


def records(found: Any) -> list[Mapping[str, Any]] | None:
    """The records in a module's result, or a list of records as it is; None if there is nothing of the kind."""
    if isinstance(found, Mapping):
        lists = [found[key] for key in RECORDS if isinstance(found.get(key), (list, tuple))]
        return [one for some in lists for one in some if "text" in one] if lists else None
    return list(found) if isinstance(found, (list, tuple)) and all(isinstance(one, Mapping) for one in found) else None


def elsewhere(some: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a record is of another namespace than the host's own."""
    return any(one.get("netns") for one in some)


def rows(some: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[Row]:
    """A row for each line of each record; the last column alone may have several lines."""
    found: list[Row] = []
    for one in some:
        *left, last = [cell(one.get(column)) for column in columns]
        found += [(*left, line) for line in last.splitlines() or [""]]
    return found or [(NOTHING,)]


def cell(value: Any) -> str:
    """A value in a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def aligned(table: Sequence[Row], first: int = 0) -> list[str]:
    """The rows as lines. Each column is as wide as its widest cell, the first at least `first`; the last is as it is."""
    count = max((len(row) - 1 for row in table), default=0)
    widths = [max(len(row[at]) for row in table if at < len(row) - 1) for at in range(count)]
    widths[:1] = [max(first, width) for width in widths[:1]]
    return [
        " | ".join([*(text.ljust(width) for text, width in zip(row[:-1], widths)), row[-1]]).rstrip() for row in table
    ]


def listing(found: Sequence[Mapping[str, Any]], host: str = "", first: int = 0) -> list[str]:
    """One host's records by their text: netns | text, or host | netns | text."""
    columns = ("netns", "text") if elsewhere(found) else ("text",)
    return aligned([(host, *row) if host else row for row in rows(found, columns)], first)


def over_hosts(found: Mapping[str, Any], columns: Sequence[str] = ("text",)) -> list[str]:
    """A table of hosts' records: host | netns | text. ValueError if a host has something else."""
    its = {host: records(one) for host, one in found.items()}
    for host, some in its.items():
        if some is None:
            raise ValueError(f"{host} has no records, but {type(found[host]).__name__}")
    with_netns = "netns" not in columns and any(elsewhere(some or ()) for some in its.values())
    shown = (*(["netns"] if with_netns else []), *columns)
    return aligned([(host, *row) for host, some in its.items() for row in rows(some or (), shown)])
