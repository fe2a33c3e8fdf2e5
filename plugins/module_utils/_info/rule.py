# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policy rules as `ip rule` shows them (include/uapi/linux/fib_rules.h; iproute2's ip/iprule.c)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

from .. import _netlink as nl
from .._kinds import rule
from .._model import U32, Object, numbered
from .._names import PROTOS, TABLES
from .filters import taken, word_of
from .view import Record, View

STATES = ("unresolved", "iif_detached", "oif_detached")

SPEC: dict[str, Any] = {
    "family": {"type": "str", "choices": list(rule.FAMILIES)},
    "priority": {"type": "int"},
    "action": {"type": "str", "choices": list(rule.ACTIONS)},
    "table": {"type": "str"},
    "iif": {"type": "str"},
    "proto": {"type": "str"},
}


def read(view: View, params: dict[str, Any]) -> Iterator[Record]:
    """The rules of a namespace that are asked for, of both families, each in the order in which they are gone through."""
    asked = {
        **params,
        "priority": taken(params, "priority", U32.parse),
        "table": taken(params, "table", lambda v: word_of(TABLES)(numbered(TABLES, 0, 0xFFFFFFFF).parse(v))),
        "proto": taken(params, "proto", lambda v: word_of(PROTOS)(numbered(PROTOS, 0, 255).parse(v))),
    }
    for family, number in rule.FAMILIES.items():
        if params["family"] not in (None, family):
            continue
        for message in _dump(view, number):
            found = record(rule.read(message, view.netns))
            if all(asked[name] in (None, found[name]) for name in SPEC):
                yield found


def _dump(view: View, family: int) -> list[dict[str, Any]]:
    try:
        return view.dump(nl.Request(nl.RTM_GETRULE, {"family": family}), rule.WANTED)
    except nl.NetlinkError:
        if family == socket.AF_INET6:  # a kernel without IPv6, or without its policy routing
            return []
        raise


def record(one: Object) -> Record:
    """One rule: all that a rule can say, None for what this one does not; and how the kernel has it."""
    family, priority, _said = one.key.ident
    found: Record = {"family": family, "priority": priority}
    for option, field in rule.FIELDS.items():
        value = one.fields.get(option)
        if isinstance(value, (int, tuple)) and not isinstance(value, bool):
            word = field.type.word(value)
            value = value if word == str(value) else word
        found[option] = value
    found["not"] = bool(found["not"])
    found["flags"] = [state for state in STATES if one.fields.get(state)]
    return {**found, "text": rule.text(one)}
