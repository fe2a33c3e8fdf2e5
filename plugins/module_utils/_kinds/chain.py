# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chains of iptables that are the collection's own, with the jumps that lead to them from built-in chains.

All chains of one namespace and family go through one iptables-restore: rules of others are neither read into a
change nor touched by it. What does not change is not in it, so it keeps its counters.
"""

from __future__ import annotations

import errno
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Any

from .. import _iptables, _iptables_same
from .. import _iptables_rule as grammar
from .._iptables_options import TARGETS
from .._model import Field, Item, Key, Object, Op, Type, choice

NAME = "chain"
PREFIX = "LINUXNET-"
TABLES = tuple(_iptables.TABLES)

# A jump is (built-in chain, conditions, where[, number]). Wanted: where it is put, and kept with regard to the rules of
# others ('' for behind all, once). Had: where it is with regard to them, and its number in the chain.
Jump = tuple[Any, ...]
_KEPT = {
    "first": ("first", "only"),
    "last": ("last", "only"),
    "only": ("only", "first", "last"),
    "between": ("between",),
}


def _meaning(rule: str) -> Any:
    """A rule in a kernel may be one that this code cannot read: it is its own text then."""
    try:
        return _iptables_same.atoms(rule)
    except ValueError:
        return rule


def _rules_same(want: Any, have: Any) -> bool:
    if have is None or len(want) != len(have):
        return False
    return all(one == other or _meaning(one) == _meaning(other) for one, other in zip(want, have))


def _jump_changes(want: Iterable[Jump], have: Iterable[Jump]) -> tuple[list[Jump], list[Jump]]:
    """The jumps that go, and those that come. One that is where it shall be stays."""
    gone, come = list(have), []
    for jump in want:
        kept = (
            other
            for other in gone
            if other[0] == jump[0]
            and (not jump[2] or other[2] in _KEPT[jump[2]])
            and _meaning(other[1]) == _meaning(jump[1])
        )
        found = next(kept, None)
        if found is None:
            come.append(jump)
        else:
            gone.remove(found)
    return gone, come


def _jumps_same(want: Any, have: Any) -> bool:
    return have is not None and _jump_changes(want, have) == ([], [])


FIELDS = {
    "rules": Field(Type(tuple), same=_rules_same, unset=()),
    "jumps": Field(Type(tuple), same=_jumps_same, unset=()),
}


def key(netns: str, family: str, table: str, name: str) -> Key:
    """The key of a chain."""
    return Key(NAME, netns, (family, table, name))


# ---- a description -> want ----------------------------------------------------------------------------------------


def _chain_name(value: Any) -> str:
    text = str(value)
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", text) or len(text) > _iptables.MAX_CHAIN or text.startswith("-"):
        raise ValueError(
            f"{text!r} is not a name for a chain ({_iptables.MAX_CHAIN} letters, digits, - _ . at the most)"
        )
    if text in _iptables.BUILTIN:
        raise ValueError(f"{text} is a built-in chain: state a chain of your own and a jump from {text} to it")
    if text in TARGETS:
        raise ValueError(f"{text} is the name of a target of iptables")
    return text


def _rule(value: Any) -> str:
    """A rule, quoted as iptables-restore reads it."""
    text = " ".join(str(value).split("\n"))
    try:
        _iptables_same.atoms(text)
        return grammar.render(grammar.read(text)) if "'" in text or '"' in text or "!" in text else text
    except ValueError as error:
        raise ValueError(f"{text!r} is not a rule ({error})") from None


def parse(item: Item, netns: str, canonical: Any) -> list[Object]:
    """One entry of `chains`."""
    name = item.take("name", _chain_name, required=True)
    item.named(str(name))
    family = item.take("family", choice({"ipv4": 4, "ipv6": 6}).parse, "ipv4")
    table = item.take("table", choice(dict.fromkeys(TABLES, 0)).parse, required=True)
    rules = item.take("rules", lambda value: tuple(_rule(rule) for rule in value), ())
    jumps = item.take("jumps", lambda value: tuple(_jump(jump, table) for jump in value), ())
    item.done()
    return [Object(key(netns, family, table, name), {"rules": rules, "jumps": jumps})] if name and table else []


def _jump(value: Any, table: str | None) -> Jump:
    """{from: POSTROUTING, rule: conditions, at: last}"""
    if isinstance(value, str):
        value = {"from": value}
    if not isinstance(value, Mapping) or set(value) - {"from", "rule", "at"} or "from" not in value:
        raise ValueError(f"{value!r} is not a jump, like {{from: POSTROUTING, rule: '-s 192.0.2.0/24', at: last}}")
    source, where = str(value["from"]), value.get("at") or ""
    if table and source not in _iptables.TABLES[table]:
        raise ValueError(f"from: {source} is no built-in chain of table {table} ({', '.join(_iptables.TABLES[table])})")
    if where not in ("first", "last", ""):
        raise ValueError(f"at: {where!r} is neither first nor last")
    rule = _rule(value.get("rule") or "")
    if grammar.read(rule).target:
        raise ValueError(f"rule: {rule!r} has a target; state the conditions of the jump only")
    return source, rule, where


# ---- the kernel -> have -------------------------------------------------------------------------------------------


def read(netns: str, family: str, tables: _iptables.Tables, wanted: set[tuple[str, str]]) -> list[Object]:
    """Those of the wanted (table, chain) that are there, with the jumps to them."""
    found = []
    for table in {table for table, _name in wanted if table in tables}:
        ours = {name for other, name in wanted if other == table}
        jumps = _jumps_to(ours, table, tables[table])
        for name in ours & tables[table].keys():
            fields = {"rules": tuple(tables[table][name].rules), "jumps": tuple(jumps.get(name, ()))}
            found.append(Object(key(netns, family, table, name), fields))
    return found


def _jumps_to(ours: set[str], table: str, chains: Mapping[str, _iptables.Chain]) -> dict[str, list[Jump]]:
    """The jumps from built-in chains to our own, in one pass over these chains' rules."""
    found: dict[str, list[Jump]] = {}
    for source in _iptables.TABLES.get(table, ()):
        rules = chains[source].rules if source in chains else []
        targets = [_iptables.target(rule) for rule in rules]
        others = [n for n, name in enumerate(targets) if name not in ours and not name.startswith(PREFIX)]
        first, last = (others[0], others[-1]) if others else (len(rules), -1)
        for number, name in enumerate(targets):
            if name in ours:
                where = {(True, True): "only", (True, False): "first", (False, True): "last"}.get(
                    (number < first, number > last), "between"
                )
                found.setdefault(name, []).append((source, _conditions(rules[number]), where, number + 1))
    return found


def _conditions(text: str) -> str:
    """A jump's rule without its `-j NAME`; a goto stays what it is."""
    rule = grammar.read(text)
    return text if rule.goto else grammar.render(rule._replace(target=None))


# ---- ops -> the kernel --------------------------------------------------------------------------------------------


def _steps(ops: list[Op], room: Mapping[str, int], text: Callable[[str], str] = str) -> list[str]:
    """The changes of one table in their order: chains first, since they may jump to each other, and last.

    `room` is how many rules a built-in chain has, where that is known: a jump that goes back to its number fits in.
    """
    made = [op.key.ident[2] for op in ops if op.action == "create"]
    emptied = [op for op in ops if op.action == "delete" or (op.action == "change" and "rules" in op.fields)]
    left: Counter[str] = Counter()
    gone: list[str] = []
    come: list[tuple[int, str, Jump]] = []
    for op in ops:
        name = op.key.ident[2]
        wanted = op.fields.get("jumps", () if op.action == "delete" else op.have.get("jumps", ()))
        leaving, coming = _jump_changes(wanted, op.have.get("jumps", ()))
        left.update(jump[0] for jump in leaving)
        gone += [_line("-D", jump, name, text) for jump in leaving]
        come += [(jump[3] if len(jump) > 3 else 0, name, jump) for jump in coming]
    lines = [*(f"-N {name}" for name in made), *gone, *(f"-F {op.key.ident[2]}" for op in emptied)]
    for op in ops:
        lines += [f"-A {op.key.ident[2]} {text(rule)}".rstrip() for rule in op.fields.get("rules", ())]
    added: Counter[str] = Counter()
    for number, name, jump in sorted(come, key=lambda one: one[0]):
        verb = "-I" if number or jump[2] == "first" else "-A"
        most = room.get(jump[0], number + left[jump[0]]) - left[jump[0]] + added[jump[0]] + 1
        added[jump[0]] += 1
        lines.append(_line(verb, jump, name, text, min(number, most)))
    return [*lines, *(f"-X {op.key.ident[2]}" for op in ops if op.action == "delete")]


def _line(verb: str, jump: Jump, name: str, text: Callable[[str], str], number: int = 0) -> str:
    target = "" if re.search(r"(^| )-g ", jump[1]) else f"-j {name}"
    return " ".join(part for part in (verb, jump[0], str(number or ""), text(jump[1]), target) if part)


def _by_table(ops: list[Op]) -> Iterable[tuple[tuple[str, str, str], list[Op]]]:
    """The ops of each (namespace, family, table)."""
    order = sorted(ops, key=lambda op: (op.key.netns, op.key.ident[0], op.key.ident[1]))
    for where, group in groupby(order, lambda op: (op.key.netns, op.key.ident[0], op.key.ident[1])):
        yield where, list(group)


def restore_lines(ops: list[Op], rooms: Mapping[str, Mapping[str, int]]) -> list[str]:
    """The input of iptables-restore for changes of one namespace and family."""
    lines = []
    for (_netns, _family, table), group in _by_table(ops):
        steps = _steps(group, rooms.get(table, {}))
        # to name a chain is to make it, or to empty it
        lines += [f"*{table}", *(f":{line[3:]} - [0:0]" for line in steps if line[:2] in ("-N", "-F"))]
        lines += [*(line for line in steps if line[:2] not in ("-N", "-F")), "COMMIT"]
    return lines


def run(ops: list[Op], world: Any) -> None:
    """One restore for each family."""
    for family in sorted({op.key.ident[0] for op in ops}):
        here = [op for op in ops if op.key.ident[0] == family]
        world.current = here[0]
        with world.namespaces.entered(ops[0].key.netns):
            lines = restore_lines(here, _rooms(family, here))
            try:
                _iptables.restore(family, lines)
            except _iptables.IptablesError as error:
                raise OSError(errno.EINVAL, f"{error}{_culprit(error, family, lines, world)}") from None


def _culprit(error: _iptables.IptablesError, family: str, lines: list[str], world: Any) -> str:
    if not error.table:
        return ""
    there = _iptables.save(family).tables.get(error.table, {})
    with world.namespaces.scratch():
        return f": {_iptables.culprit(family, lines, error.table, there)}"


def _rooms(family: str, ops: list[Op]) -> dict[str, dict[str, int]]:
    """How many rules the built-in chains have, if a jump shall go back to its number."""
    if not any(len(jump) > 3 for op in ops for jump in op.fields.get("jumps", ())):
        return {}
    tables = _iptables.save(family).tables
    return {table: {name: len(chain.rules) for name, chain in chains.items()} for table, chains in tables.items()}


def script(ops: list[Op]) -> list[str]:
    """The lines that a person would type: each finds what it refers to."""
    lines = []
    for (netns, family, table), group in _by_table(ops):
        tool = f"{_iptables.TOOLS[family]} -t {table}"
        if netns.startswith("/"):
            tool = f"nsenter --net={netns} {tool}"
        elif netns:
            tool = f"ip netns exec {netns} {tool}"
        lines += [f"{tool} {line}" for line in _steps(group, {}, grammar.in_shell)]
    return lines


def commands(op: Op) -> list[str]:
    """The lines for one chain."""
    return script([op])


def owned(have: Object) -> bool:
    """A chain is the collection's own if its name says so."""
    return str(have.key.ident[2]).startswith(PREFIX)
