# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An object in a user's words: what its key and its fields are called as options of a module.

A record can be given back to the module of its kind, as far as it holds what that module can state.
"""

from __future__ import annotations

from typing import Any

from ._kinds import table_of
from ._model import Object

_IDENT = {
    "netns": ("name",),
    "link": ("name",),
    "address": ("dev", "address", "peer"),
    "neighbor": ("dev", "dst", "proxy"),
    "fdb": ("dev", "mac", "vlan", "which", "dst", "src_vni"),
    "sysctl": ("name",),
    "chain": ("family", "table", "name"),
    "route": ("family", "table", "dst", "tos", "metric"),
    "rule": ("family", "priority"),
}


def stated(one: Object) -> dict[str, Any]:
    """The fields as a user would state them: numbers that have a name by their name."""
    table = table_of(one)
    found: dict[str, Any] = {}
    for option, value in one.fields.items():
        if value is None or option in ("group", "move_from") or option.startswith("conf."):
            continue
        if option == "ticks":
            found["value"] = value
        elif option == "peer" and isinstance(value, tuple):
            found[option] = {"name": value[1], "netns": value[0]}
        elif option == "nexthops":
            found[option] = [dict(zip(("via", "dev", "weight", "onlink"), hop)) for hop in value]
        elif option == "jumps":
            found[option] = [dict(zip(("from", "rule", "at"), jump)) for jump in value]
        elif option not in table or isinstance(value, bool) or value == "" or table[option].type.word is str:
            found[option] = list(value) if isinstance(value, tuple) else value
        else:
            word = table[option].type.word(value)
            found[option] = value if word == str(value) else word
    return found


def record(one: Object) -> dict[str, Any]:
    """Key and fields as a user would state them; what says nothing (no peer, no VLAN) is left out of the key."""
    kind, _netns, ident = one.key
    found: dict[str, Any] = {name: value for name, value in zip(_IDENT[kind], ident) if value not in ("", None)}
    if kind == "route":
        found["family"] = "inet" if ident[0] == 2 else "inet6"
    if kind == "sysctl":
        found["name"] = str(one.key).split()[1]
    return {**found, **stated(one)}
