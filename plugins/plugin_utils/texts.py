# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the *_info modules return, as lines of text: their records say themselves what `ip` and iptables-save would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# Where an *_info module returns its records.
RECORDS = ("namespaces", "links", "addresses", "routes", "neighbors", "fdb", "rules", "sysctls", "chains")
NOTHING = "-"
Row = tuple[str, ...]


def records(found: Any) -> list[Mapping[str, Any]] | None:
    """The records in a module's result, or a list of records as it is; None if there is nothing of the kind."""
    if isinstance(found, Mapping):
        lists = [found[key] for key in RECORDS if isinstance(found.get(key), (list, tuple))]
        return [one for some in lists for one in some if "text" in one] if lists else None
    return list(found) if isinstance(found, (list, tuple)) and all(isinstance(one, Mapping) for one in found) else None


def rows(some: Iterable[Mapping[str, Any]], columns: Sequence[str] = ("text",)) -> list[Row]:
    """A row for each line of each record; the namespace first, if any is in another one than the host's own."""
    some = list(some)
    before: tuple[str, ...] = ("netns",) if "netns" not in columns and any(one.get("netns") for one in some) else ()
    found = []
    for one in some:
        *left, last = [cell(one.get(column)) for column in (*before, *columns)]
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
    """The rows as lines, each column as wide as its widest cell (the first at least `first`), the last as it is."""
    count = max((len(row) for row in table), default=0)
    widths = [max(len(row[at]) for row in table if at < len(row)) for at in range(count)]
    widths[:1] = [max(first, *widths[:1])] if widths else []
    return [
        " | ".join([*(text.ljust(width) for text, width in zip(row[:-1], widths)), row[-1]]).rstrip() for row in table
    ]


def over_hosts(found: Mapping[str, Any], columns: Sequence[str] = ("text",)) -> list[str]:
    """A table of hosts' records: host | netns | text. ValueError if a host has something else."""
    table: list[Row] = []
    for host, one in found.items():
        its = records(one)
        if its is None:
            raise ValueError(f"{host} has no records, but {type(one).__name__}")
        table += [(host, *row) for row in rows(its, columns)]
    return aligned(table)
