# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""iptables-save and iptables-restore, of both back ends (legacy and nf_tables) and both families.

The back end in use is the one of the `iptables` in PATH. What a rule's text means is in _iptables_same.py.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from typing import NamedTuple

TOOLS = {"ipv4": "iptables", "ipv6": "ip6tables"}
TABLES = {  # table: its built-in chains
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}
BUILTIN = TABLES["mangle"]
MAX_CHAIN = 28  # XT_EXTENSION_MAXNAMELEN - 1
_WAIT = "5"  # seconds to wait for another iptables' lock
_COUNTERS = re.compile(r"\[(\d+):(\d+)\]")
_LINE = re.compile(r"line:? (\d+)")
_TARGET = re.compile(r"(?:^| )-[jg] (\S+)")


class IptablesError(Exception):
    """iptables refused, or is not there; the text is for the user. `table` was refused as a whole, by the kernel."""

    table = ""


class Chain(NamedTuple):
    """One chain: its policy ('-' for a user's own), the texts of its rules, without `-A NAME`, and what they counted."""

    policy: str
    rules: list[str]
    counts: list[tuple[int, int]]  # packets and bytes of each rule; zeros if iptables-save did not say
    packets: int = 0  # that met the policy
    bytes: int = 0


Tables = dict[str, dict[str, Chain]]


class Saved(NamedTuple):
    """All tables of a namespace and family, and what iptables-save warns of."""

    tables: Tables
    warnings: list[str]


def parse(text: str) -> Tables:
    """The output of iptables-save. ValueError, with the line's number, for what is none."""
    tables: Tables = {}
    table: dict[str, Chain] | None = None
    for number, line in enumerate(text.split("\n"), 1):
        first = line[:1]
        if first in ("-", "["):
            name, rule, counts = _rule_line(number, line)
            if table is None or name not in table:
                where = "outside of a table" if table is None else f"of chain {name}, which this table has not"
                raise ValueError(f"line {number}: a rule {where}: {line}")
            table[name].rules.append(rule)
            table[name].counts.append(counts)
        elif first == ":":
            words = line[1:].split()
            policy = _COUNTERS.fullmatch(words[2]) if len(words) == 3 else None
            if table is None or not 2 <= len(words) <= 3 or (len(words) == 3 and not policy):
                raise ValueError(f"line {number}: not a chain of a table: {line}")
            packets, length = (int(policy[1]), int(policy[2])) if policy else (0, 0)
            table[words[0]] = Chain(words[1], [], [], packets, length)
        elif first == "*":
            if len(line.split()) != 1 or len(line) < 2:
                raise ValueError(f"line {number}: not a table: {line}")
            table = tables.setdefault(line[1:], {})
        elif line == "COMMIT":
            table = None
        elif line.strip() and first != "#":
            raise ValueError(f"line {number}: not a line of iptables-save: {line}")
    if table is not None:
        raise ValueError(f"line {number}: the text ends within a table, without COMMIT")
    return tables


def _rule_line(number: int, line: str) -> tuple[str, str, tuple[int, int]]:
    """`[7:420] -A CHAIN RULE`: the chain, the rule, the counters."""
    counts, rest = (0, 0), line
    if line[0] == "[":
        found = _COUNTERS.match(line)
        if not found:
            raise ValueError(f"line {number}: not a rule's counters: {line}")
        counts, rest = (int(found[1]), int(found[2])), line[found.end() :].lstrip()
    words = rest.split(" ", 2)
    if words[0] != "-A" or len(words) < 2 or not words[1]:
        raise ValueError(f"line {number}: not a rule: {line}")
    return words[1], words[2] if len(words) > 2 else "", counts


def target(rule: str) -> str:
    """The chain or target that a rule jumps to; '' for none."""
    if '"' in rule:
        rule = re.sub(r'"(?:[^"\\]|\\.)*"', '""', rule)
    found = _TARGET.search(rule)
    return found[1] if found else ""


def available(family: str) -> bool:
    """Whether the tools are there."""
    return bool(shutil.which(f"{TOOLS[family]}-save") and shutil.which(f"{TOOLS[family]}-restore"))


def backend(tool: str) -> str:
    """nf_tables or legacy, for a tool of iptables; releases before 1.8 have the one that is called legacy now."""
    found = re.search(r"\((\w+)\)", _run([tool, "-V"], None).stdout)
    return found[1] if found else "legacy"


def save(family: str) -> Saved:
    """All tables of the network namespace that the thread is in."""
    saved = save_with(f"{TOOLS[family]}-save")
    return saved._replace(warnings=[*saved.warnings, *_elsewhere(family)])


def save_with(tool: str) -> Saved:
    """The same, with counters, by this iptables-save. ValueError for what is no output of one."""
    done = _run([tool, "-c"], None)
    return Saved(parse(done.stdout), _remarks(done))


def _remarks(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What iptables-save could not show: tables of the other back end, tables that nft made for itself."""
    lines = (done.stdout + done.stderr).split("\n") if "# Table" in done.stdout else done.stderr.split("\n")
    return [line.lstrip("# ") for line in lines if line.startswith(("# Warning", "# Table", "#Table", "Warning"))]


def _elsewhere(family: str) -> list[str]:
    """The nf_tables back end says itself that there are legacy tables; the legacy one says nothing of the others."""
    tool = TOOLS[family]
    if not shutil.which(f"{tool}-nft-save") or backend(tool) != "legacy":
        return []
    try:
        if "\n-A " in _run([f"{tool}-nft-save"], None).stdout:
            return [f"Warning: {tool}-nft rules present, use {tool}-nft to see them"]
    except IptablesError:  # a kernel without nf_tables
        pass
    return []


def restore(family: str, lines: list[str]) -> None:
    """Feed iptables-restore; each table changes as a whole or not at all, other chains stay as they are.

    Several tables are tried out first, so that a rule which the tool refuses in the last leaves the first as it was.
    """
    command = [f"{TOOLS[family]}-restore", "--noflush", "--counters", "-w", _WAIT]
    text = "\n".join(lines) + "\n"
    try:
        if lines.count("COMMIT") > 1:
            _run([*command, "--test"], text)
        _run(command, text)
    except IptablesError as error:
        raise _located(lines, str(error)) from None


def _located(lines: list[str], said: str) -> IptablesError:
    """With the table, chain and rule that iptables-restore means by its line's number."""
    found = _LINE.search(said)
    number = int(found[1]) if found else 0
    if not 0 < number <= len(lines):
        return IptablesError(said)
    table = next((line[1:] for line in reversed(lines[:number]) if line.startswith("*")), "")
    line = lines[number - 1]
    if line == "COMMIT":
        error = IptablesError(f"{said}: the kernel refused the change of table {table}")
        error.table = table
        return error
    return IptablesError(f"{said}: {_named(table, line)}")


def _named(table: str, line: str) -> str:
    verb, _blank, rest = line.partition(" ")
    name, _blank, rule = rest.partition(" ")
    if verb == "-X":
        return f"chain {name} of table {table} cannot go: something of others still jumps to it"
    return (
        f"chain {name.lstrip(':')} of table {table}, {f'the rule: {rule}' if verb[:1] == '-' else f'the line: {line}'}"
    )


def culprit(family: str, lines: list[str], table: str, there: Iterable[str]) -> str:
    """The first rule that is refused, of a table that was refused as a whole, found by halving.

    To be called in a namespace that nobody else sees; `there` are the chains of the table where it was refused.
    """
    start = lines.index(f"*{table}")
    rules = [line for line in lines[start : lines.index("COMMIT", start)] if line[:3] in ("-A ", "-I ")]
    rules = [re.sub(r"^-I (\S+) \d+", r"-I \1", line) for line in rules]
    chains = {*there, *(line[1:].split()[0] for line in lines[start:] if line[:1] == ":")}
    head = [f"*{table}", *(f":{name} - [0:0]" for name in sorted(chains - {*BUILTIN}))]

    def refused(count: int) -> bool:
        try:
            restore(family, [*head, *rules[:count], "COMMIT"])
        except IptablesError as error:
            return bool(error.table)
        finally:
            restore(family, [f"*{table}", "-F", "-X", "COMMIT"])
        return False

    low, high = 0, len(rules)
    if not refused(high):
        return "its log (dmesg) may say which rule, and why"
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if refused(middle) else (middle + 1, high)
    return _named(table, rules[low - 1])


def _run(arguments: list[str], text: str | None) -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(arguments, input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise IptablesError(f"{arguments[0]} is not installed (package iptables)") from None
    if done.returncode:
        said = " ".join(
            line.strip() for line in done.stderr.split("\n") if line.strip() and not line.startswith(("#", "Try `"))
        )
        raise IptablesError(f"{arguments[0]}: {said or f'exit code {done.returncode}'}")
    return done
