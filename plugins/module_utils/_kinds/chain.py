# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chains of iptables that are the collection's own, with the jumps that lead to them.

All chains of one namespace and family go through one iptables-restore: rules of others are neither read into a
change nor touched by it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .. import _iptables
from .._model import Field, Item, Key, Object, Op, Type, choice

NAME = "chain"
PREFIX = "LINUXNET-"
TABLES = ("raw", "mangle", "nat", "filter", "security")


def _rules_same(want: Any, have: Any) -> bool:
    return have is not None and [_iptables.atoms(rule) for rule in want] == [_iptables.atoms(rule) for rule in have]


def _jumps_same(want: Any, have: Any) -> bool:
    def bag(jumps: Any) -> list[Any]:
        return sorted((source, sorted(_iptables.atoms(rule))) for source, rule, _where in jumps)

    return have is not None and bag(want) == bag(have)


FIELDS = {
    "rules": Field(Type(tuple), same=_rules_same, unset=()),
    "jumps": Field(Type(tuple), same=_jumps_same, unset=()),
}


def key(netns: str, family: str, table: str, name: str) -> Key:
    """The key of a chain."""
    return Key(NAME, netns, (family, table, name))


def _chain_name(value: Any) -> str:
    text = str(value)
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", text) or len(text) > _iptables.MAX_CHAIN or text.startswith("-"):
        raise ValueError(
            f"{text!r} is not a name for a chain ({_iptables.MAX_CHAIN} letters, digits, - _ . at the most)"
        )
    if text in _iptables.BUILTIN:
        raise ValueError(f"{text} is a built-in chain: state a chain of your own and a jump from {text} to it")
    return text


def _rule(value: Any) -> str:
    text = " ".join(str(value).split("\n"))
    try:
        _iptables.atoms(text)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{text!r} is not a rule ({error})") from None
    return text


def parse(item: Item, netns: str, canonical: Any) -> list[Object]:
    """One entry of `chains`."""
    name = item.take("name", _chain_name, required=True)
    item.named(str(name))
    family = item.take("family", choice({"ipv4": 4, "ipv6": 6}).parse, "ipv4")
    table = item.take("table", choice(dict.fromkeys(TABLES, 0)).parse, required=True)
    rules = item.take("rules", lambda value: tuple(_rule(rule) for rule in value), ())
    jumps = item.take("jumps", lambda value: tuple(_jump(jump) for jump in value), ())
    item.done()
    return [Object(key(netns, family, table, name), {"rules": rules, "jumps": jumps})] if name and table else []


def _jump(value: Any) -> tuple[str, str, str]:
    """{from: POSTROUTING, rule: conditions, at: last}"""
    if isinstance(value, str):
        value = {"from": value}
    if not isinstance(value, Mapping) or set(value) - {"from", "rule", "at"} or "from" not in value:
        raise ValueError(f"{value!r} is not a jump, like {{from: POSTROUTING, rule: '-s 192.0.2.0/24', at: last}}")
    where = value.get("at") or "last"
    if where not in ("first", "last"):
        raise ValueError(f"at: {where!r} is neither first nor last")
    return str(value["from"]), _rule(value.get("rule") or ""), where


def read(netns: str, family: str, tables: _iptables.Tables, wanted: set[tuple[str, str]]) -> list[Object]:
    """Those of the wanted (table, chain) that are there, with the jumps to them."""
    found = []
    for table, name in wanted:
        chain = tables.get(table, {}).get(name)
        if chain is None:
            continue
        jumps = []
        for source in _iptables.BUILTIN:
            if source not in tables[table]:
                continue
            for position, rule in enumerate(tables[table][source].rules):
                if re.search(rf"-[jg] {re.escape(name)}(\s|$)", rule) and source != name:
                    conditions = re.sub(rf"\s*-j {re.escape(name)}(?=\s|$)", "", rule)
                    jumps.append((source, conditions, "first" if position == 0 else "last"))
        fields = {"rules": tuple(chain.rules), "jumps": tuple(jumps)}
        found.append(Object(key(netns, family, table, name), fields))
    return found


def restore_lines(ops: list[Op]) -> list[str]:
    """The input of iptables-restore for changes of one namespace and family."""
    lines = []
    for table in sorted({op.key.ident[1] for op in ops}):
        lines.append(f"*{table}")
        here = [op for op in ops if op.key.ident[1] == table]
        lines += [f":{op.key.ident[2]} - [0:0]" for op in here if op.action != "delete"]
        for op in here:
            lines += _chain_lines(op)
        lines += [f"-X {op.key.ident[2]}" for op in here if op.action == "delete"]
        lines.append("COMMIT")
    return lines


def _chain_lines(op: Op) -> list[str]:
    name = op.key.ident[2]
    old = op.have.get("jumps", ())
    if op.action == "delete":
        return [*(_line("-D", jump, name) for jump in old), f"-F {name}"]
    fields = {**op.have, **op.fields}
    lines = [f"-A {name} {rule}" for rule in fields.get("rules", ())]
    new = fields.get("jumps", ())
    if _jumps_same(new, old):
        return lines
    lines = [*(_line("-D", jump, name) for jump in old), *lines]
    return [*lines, *(_line("-I" if jump[2] == "first" else "-A", jump, name) for jump in new)]


def _line(verb: str, jump: tuple[str, str, str], name: str) -> str:
    return " ".join(part for part in (verb, jump[0], jump[1], "-j", name) if part)


def run(ops: list[Op], world: Any) -> None:
    """One atomic restore for each family."""
    for family in sorted({op.key.ident[0] for op in ops}):
        here = [op for op in ops if op.key.ident[0] == family]
        world.current = here[0]
        with world.namespaces.entered(ops[0].key.netns):
            try:
                _iptables.restore(family, restore_lines(here))
            except _iptables.IptablesError as error:
                raise OSError(22, str(error)) from None


def commands(op: Op) -> list[str]:
    """The lines that a person would type."""
    family, table, name = op.key.ident
    tool = f"{_iptables.TOOLS[family]} -t {table}"
    lines = _chain_lines(op)
    if op.action == "create":
        lines.insert(0, f"-N {name}")
    elif op.action == "change":
        lines.insert(0, f"-F {name}")
    else:
        lines.append(f"-X {name}")
    if op.key.netns.startswith("/"):
        tool = f"nsenter --net={op.key.netns} {tool}"
    elif op.key.netns:
        tool = f"ip netns exec {op.key.netns} {tool}"
    return [f"{tool} {line}" for line in lines]


def owned(have: Object) -> bool:
    """A chain is the collection's own if its name says so."""
    return str(have.key.ident[2]).startswith(PREFIX)
