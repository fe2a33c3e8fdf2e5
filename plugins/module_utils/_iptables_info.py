# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What iptables holds, in both families and both back ends, as records; filters; who reaches a chain and what it reaches.

Reading changes nothing: iptables-save makes no tables, and the legacy one, which would load ip_tables, is only asked
where the kernel says that it has legacy tables (/proc/net/ip_tables_names).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any, NamedTuple

from . import _iptables
from . import _iptables_rule as grammar
from ._iptables import Chain, IptablesError
from ._iptables_same import destination_ports
from ._netns import Namespaces

_LEGACY_TABLES = {"ipv4": "ip_tables_names", "ipv6": "ip6_tables_names"}
_CONDITIONS = {
    "-s": "source", "-d": "destination", "-i": "in_interface", "-o": "out_interface", "-p": "protocol", "-f": "fragment",
}  # fmt: skip

Record = dict[str, Any]


class Filter(NamedTuple):
    """Which rules are wanted; None for all. All that is stated must be so."""

    table: str | None = None
    chain: str | None = None
    jump: str | None = None  # the chain or target that a rule jumps to
    comment: str | None = None  # a part of the comment
    dport: int | None = None  # a destination port that the rule speaks of
    grep: str | None = None  # a part of the text


class Ruleset(NamedTuple):
    """The tables of one namespace, family and back end."""

    netns: str
    family: str
    backend: str
    tables: _iptables.Tables

    def where(self, table: str) -> Record:
        """The first fields of each record."""
        return {"netns": self.netns, "family": self.family, "backend": self.backend, "table": table}


# ---- reading ------------------------------------------------------------------------------------------------------


@cache
def _tools(family: str) -> dict[str, str]:
    """{back end: its iptables-save}. Where there is but one iptables, its -V says which back end it has."""
    tool = _iptables.TOOLS[family]
    found = {"nf_tables": f"{tool}-nft-save", "legacy": f"{tool}-legacy-save"}
    found = {backend: name for backend, name in found.items() if shutil.which(name)}
    if not found and shutil.which(f"{tool}-save"):
        found = {_iptables.backend(tool): f"{tool}-save"}
    return found


def unreadable() -> str:
    """Why no rule can be read on this host; '' if they can."""
    if not any(_tools(family) for family in _iptables.TOOLS):
        return "iptables is not installed on this host (package iptables): there is nothing to read its rules with"
    return f"root is needed to read the rules, this is user {os.geteuid()}; say become: true" if os.geteuid() else ""


def _legacy_tables(family: str) -> bool:
    """Whether the kernel has tables of the legacy back end in the thread's namespace."""
    try:
        with open(f"/proc/thread-self/net/{_LEGACY_TABLES[family]}", encoding="ascii") as file:
            return bool(file.read().strip())
    except OSError:
        return False


def collect(namespaces: Namespaces, where: list[str], families: list[str]) -> tuple[list[Ruleset], list[str]]:
    """All tables, and warnings about what could not be read; the rest is delivered."""
    found, warnings = [], []
    for netns in where:
        label = f" (netns {netns})" if netns else ""
        try:
            with namespaces.entered(netns):
                for family in families:
                    for backend, tool in _tools(family).items():
                        if backend == "legacy" and not _legacy_tables(family):
                            continue
                        try:
                            saved = _iptables.save_with(tool)
                        except (IptablesError, ValueError) as error:
                            warnings.append(f"{error}{label}")
                            continue
                        # that there are legacy tables is no news here: they are read as well
                        warnings += [f"{line}{label}" for line in saved.warnings if "legacy" not in line]
                        if saved.tables:
                            found.append(Ruleset(netns, family, backend, saved.tables))
        except OSError as error:  # it went away meanwhile
            warnings.append(f"network namespace {netns}: {error.strerror}")
    return found, list(dict.fromkeys(warnings))


# ---- records ------------------------------------------------------------------------------------------------------


def rules(ruleset: Ruleset, wanted: Filter) -> Iterator[Record]:
    """A record for each rule that is wanted. Only those are parsed."""
    for table, chains in ruleset.tables.items():
        if wanted.table not in (None, table):
            continue
        where = ruleset.where(table)
        for name, chain in chains.items():
            if wanted.chain not in (None, name):
                continue
            for number, text in enumerate(chain.rules, 1):
                start = f"-A {name} {text}".rstrip()
                if not _may_match(text, wanted) or (wanted.grep is not None and wanted.grep not in start):
                    continue
                fields = parts(text)
                if wanted.comment is None or wanted.comment in (fields["comment"] or ""):
                    packets, length = chain.counts[number - 1]
                    yield {
                        **where,
                        "chain": name,
                        "number": number,
                        "text": start,
                        **fields,
                        "packets": packets,
                        "bytes": length,
                    }


def _may_match(text: str, wanted: Filter) -> bool:
    """Without a full parse as far as that will do; a comment is looked at again."""
    if wanted.jump is not None and (wanted.jump not in text or _iptables.target(text) != wanted.jump):
        return False
    if wanted.comment is not None and "--comment" not in text:
        return False
    return wanted.dport is None or ("port" in text and _speaks_of(text, wanted.dport))


def _speaks_of(text: str, port: int) -> bool:
    try:
        found = destination_ports(grammar.read(text))
    except ValueError:
        return False
    return any(any(low <= port <= high for low, high in ranges) != negated for ranges, negated in found)


# What many rules have in common is made once, and is in all of their records.
@lru_cache(maxsize=1024)
def _options(options: tuple[grammar.Option, ...]) -> Record:
    """{option: value}: a text, two of them joined, or true for what takes none."""
    return {option.name.replace("-", "_"): " ".join(option.values) if option.values else True for option in options}


@lru_cache(maxsize=1024)
def _match(match: grammar.Extension) -> Record:
    negated = [option.name.replace("-", "_") for option in match.options if option.negated]
    return {"name": match.name, "options": _options(match.options), "negated": negated}


def parts(text: str) -> Record:
    """The fields of a rule. One that cannot be read has its text only."""
    found: Record = dict.fromkeys((*_CONDITIONS.values(), "comment", "dport"))
    found.update(fragment=False, negated=[], matches=[], target=None, goto=False, target_options={})
    try:
        rule = grammar.read(text)
    except ValueError:
        found["target"] = _iptables.target(text) or None
        return found
    for option in rule.conditions:
        found[_CONDITIONS[option.name]] = option.values[0] if option.values else True
    found["negated"] = [_CONDITIONS[option.name] for option in rule.conditions if option.negated]
    found["matches"] = [_match(match) for match in rule.matches]
    for match in rule.matches:
        for option in match.options:
            if option.name == "comment":
                found["comment"] = option.values[0]
            elif option.name in ("dport", "dports") and not option.negated:
                found["dport"] = option.values[0]
    if rule.target:
        found.update(target=rule.target.name, goto=rule.goto, target_options=_options(rule.target.options))
    return found


def chains(ruleset: Ruleset, wanted: Filter, holding: list[Record] | None = None) -> Iterator[Record]:
    """A record for each chain, with those that jump to it; of all that are wanted, or of those that hold some rules."""
    held = None if holding is None else {(rule["table"], rule["chain"]) for rule in holding}
    for table, all_of_it in ruleset.tables.items():
        if wanted.table not in (None, table):
            continue
        callers = _callers(all_of_it)
        for name, chain in all_of_it.items():
            if wanted.chain in (None, name) and (held is None or (table, name) in held):
                fields = {"chain": name, "policy": None if chain.policy == "-" else chain.policy}
                counted = {"packets": chain.packets, "bytes": chain.bytes, "rules": len(chain.rules)}
                sources = list(dict.fromkeys(source for source, _number in callers.get(name, ())))
                yield {**ruleset.where(table), **fields, **counted, "callers": sources}


# ---- the walk -----------------------------------------------------------------------------------------------------


def _callers(all_of_it: dict[str, Chain]) -> dict[str, list[tuple[str, int]]]:
    """{chain: the (chain, rule's number) that jump to it}"""
    found: dict[str, list[tuple[str, int]]] = {}
    for source, chain in all_of_it.items():
        for number, text in enumerate(chain.rules, 1):
            target = _iptables.target(text)
            if target in all_of_it:
                found.setdefault(target, []).append((source, number))
    return found


def walk(ruleset: Ruleset, table: str, start: str) -> Record:
    """Who reaches a chain, up to the built-in chains, and what it reaches, down to the targets.

    A chain that many reach is followed once; where it comes again it says so (`seen`).
    """
    all_of_it = ruleset.tables[table]
    callers = _callers(all_of_it)

    def node(chain: str, number: int, end: str) -> Record:
        text = all_of_it[chain].rules[number - 1]
        packets, length = all_of_it[chain].counts[number - 1]
        counted = {"packets": packets, "bytes": length}
        return {
            "chain": chain,
            "number": number,
            "text": f"-A {chain} {text}".rstrip(),
            **counted,
            end: [],
            "seen": False,
        }

    def upward(chain: str) -> list[Record]:
        return [node(source, number, "from") for source, number in callers.get(chain, ())]

    def downward(chain: str) -> list[Record]:
        found = [node(chain, number, "to") for number in range(1, len(all_of_it[chain].rules) + 1)]
        for one, text in zip(found, all_of_it[chain].rules):
            one["target"] = _iptables.target(text) or None
        return found

    up, up_lines = _tree(start, upward, lambda one: one["chain"], "from", "below")
    for one in _nodes(up, "from"):
        policy = all_of_it[one["chain"]].policy
        one["policy"] = None if policy == "-" else policy
    down, down_lines = _tree(
        start, downward, lambda one: one["target"] if one["target"] in all_of_it else None, "to", "above"
    )
    where = {**ruleset.where(table), "chain": start}
    return {**where, "from": up, "to": down, "text": "\n".join([*reversed(up_lines), start, *down_lines])}


def _tree(start: str, follow: Any, into: Any, end: str, place: str) -> tuple[list[Record], list[str]]:
    """A tree of rules and its lines. Without recursion: chains may be thousands deep."""
    top = follow(start)
    seen, lines = {start}, []
    pending = [(one, 1) for one in reversed(top)]
    while pending:
        one, depth = pending.pop()
        other = into(one)
        more = []
        if other is not None:
            one["seen"] = other in seen
            if not one["seen"]:
                seen.add(other)
                more = one[end] = follow(other)
        lines.append(f"{'  ' * depth}{one['text']}{f' (see {place})' if one['seen'] else ''}")
        pending += [(inner, depth + 1) for inner in reversed(more)]
    return top, lines


def _nodes(top: list[Record], end: str) -> Iterator[Record]:
    pending = list(top)
    while pending:
        one = pending.pop()
        pending += one[end]
        yield one
