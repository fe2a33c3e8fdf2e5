# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether packets to the controller would go elsewhere, or those from it would not be for this host any more.

The kernel's rules and routes, as they are and as the plan leaves them (_guard_tables.py), are asked for the entry that the
session's packets find.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any, Optional

from ._guard_tables import EFFECTS, SYSCTLS, Tables, after, holds, links_of, made, read
from ._guard_way import Way
from ._info import fib
from ._info.filters import word_of
from ._kinds import route, rule
from ._model import Key, Object, Op
from ._names import TABLES
from ._netns import Namespaces
from ._snapshot import Have

_TCP = 6
_table = word_of(TABLES)

Decision = Optional[tuple[str, frozenset[tuple[str, str]]]]  # type, {(via, dev)}; None: no entry


def cutting(ops: Iterable[Op], way: Way, namespaces: Namespaces, have: Have) -> list[Op]:
    """The ops without which the packets would go as they do now; all that have to do with it, if no single one is."""
    ops = [op for op in ops if op.key.kind in EFFECTS and _is_there(op, way)]
    if not ops:
        return []
    now = read(way, namespaces, have)
    devices = {one.key.ident[0] for one in now.addresses} | {d for one in now.routes for d in route.devices(one)}
    ops = [op for op in ops if _has_to_do(op, way, devices)]
    asis = _decisions(now, way)
    if _decisions(after(now, ops, way), way) == asis:
        return []
    alone = [op for n, op in enumerate(ops) if _decisions(after(now, ops[:n] + ops[n + 1 :], way), way) == asis]
    return alone or ops


def _is_there(op: Op, way: Way) -> bool:
    key = op.key
    if key.kind == "link":
        peer = op.have.get("peer")
        return way.netns in {key.netns, op.fields.get("move_from"), peer[0] if peer else None}
    if key.kind == "rule":
        return key.netns == way.netns and rule.FAMILIES[key.ident[0]] == way.session.family
    if key.kind == "route":
        return key.netns == way.netns and key.ident[0] == way.session.family
    if key.kind == "address":
        return key.netns == way.netns and (":" in key.ident[1]) == way.session.six
    return key.netns == way.netns and way.session.six and bool(SYSCTLS.match(key.ident[0]))


def _has_to_do(op: Op, way: Way, devices: set[str]) -> bool:
    """Whether an op can make a difference: it is looked at again and again."""
    if op.key.kind == "route":
        return holds(op.key.ident[2], way)
    if op.key.kind == "address":
        return op.key.ident[0] in devices or any(holds(one.key.ident[2], way) for one in made(Object(op.key, {})))
    if op.key.kind == "link":
        return bool(set(links_of(op, way.netns)) & devices)
    return True


# ---- what the packets find ----------------------------------------------------------------------------------------


def _decisions(tables: Tables, way: Way) -> list[Decision]:
    """The entries for the packets out and in, for a session that has the type of service of a rule and for one without."""
    session = way.session
    client, server = ipaddress.ip_address(session.client), ipaddress.ip_address(session.server)
    ports = session.server_port, session.client_port
    asked = ((fib.Packet(client, server), ports), (fib.Packet(server, client, way.device), ports[::-1]))
    routes = [one for one in tables.routes if not session.zone or session.zone in route.devices(one)]
    entries = [{**_entry(one.key, one.fields), "object": one} for one in routes]
    return [
        _decision(fib.choose([r for one in tables.rules if (r := _asked(one, sport, dport, tos))], entries, packet))
        for packet, (sport, dport) in asked
        for tos in (False, True)
    ]


def _entry(key: Key, fields: dict[str, Any]) -> fib.Record:
    _family, table, dst, tos, metric = key.ident
    return {
        "type": fields["type"], "dst": dst, "from": None, "table": _table(table), "tos": tos, "metric": metric,
        "nexthops": (), "flags": (),
    }  # fmt: skip


def _decision(found: fib.Record | None) -> Decision:
    if found is None:
        return None
    fields = found["object"].fields
    hops = [(hop[0], hop[1]) for hop in fields["nexthops"]] or [(fields["via"], fields["dev"])]
    return fields["type"], frozenset(hops)


def _asked(one: Object, sport: int, dport: int, tos: bool) -> dict[str, Any] | None:
    """A rule as it reads for TCP packets of these ports; None if it is not for them.

    Their mark is 0, as far as anybody knows, and they belong to no device.
    """
    fields = {"priority": one.key.ident[1], **one.fields}
    answers: dict[str, Callable[[Any], bool]] = {
        "ipproto": lambda number: number == _TCP,
        "sport": lambda ports: ports[0] <= sport <= ports[1],
        "dport": lambda ports: ports[0] <= dport <= ports[1],
        "tos": lambda value: tos,
        "dscp": lambda value: tos,
    }
    if all(answers[option](fields.pop(option)) for option in answers if option in fields):
        return fields
    outcome = {option: value for option, value in fields.items() if option not in rule.SELECTORS}
    return outcome if one.fields.get("not") else None
