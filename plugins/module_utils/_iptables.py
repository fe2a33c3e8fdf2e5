# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""iptables-save text <-> rules, for both back ends (legacy and nf_tables) and both families.

Rules compare by meaning, not by text: iptables-save adds /32, names the protocol's match, rewrites marks and rounds
probabilities (iptables/xshared.c; extensions/libxt_mark.c, libxt_statistic.c).
"""

from __future__ import annotations

import ipaddress
import re
import shlex
import shutil
import subprocess
from typing import NamedTuple

TOOLS = {"ipv4": "iptables", "ipv6": "ip6tables"}
BUILTIN = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
MAX_CHAIN = 28  # XT_EXTENSION_MAXNAMELEN - 1
_WAIT = "5"  # seconds to wait for another iptables' lock

_LONG = {
    "--source": "-s", "--src": "-s", "--destination": "-d", "--dst": "-d", "--protocol": "-p", "--proto": "-p",
    "--in-interface": "-i", "--out-interface": "-o", "--jump": "-j", "--goto": "-g", "--match": "-m",
    "--destination-port": "--dport", "--source-port": "--sport", "--destination-ports": "--dports",
    "--source-ports": "--sports",
}  # fmt: skip
_COUNTERS = re.compile(r"\[(\d+):(\d+)\] ")


class IptablesError(Exception):
    """iptables refused, or is not there; the text is for the user."""


class Chain(NamedTuple):
    """One chain: its policy ('-' for a user's own) and the texts of its rules, without `-A NAME`."""

    policy: str
    rules: list[str]


Tables = dict[str, dict[str, Chain]]
Atom = tuple[str, ...]


def parse(text: str) -> Tables:
    """The output of iptables-save. ValueError, with the line's number, for what is none."""
    tables: Tables = {}
    table: dict[str, Chain] | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#") or line == "COMMIT":
            continue
        if line.startswith("*"):
            table = tables.setdefault(line[1:], {})
        elif table is None:
            raise ValueError(f"line {number}: a rule outside of a table: {line}")
        elif line.startswith(":"):
            name, policy = line[1:].split()[:2]
            table[name] = Chain(policy, [])
        else:
            line = _COUNTERS.sub("", line, count=1)
            words = line.split(None, 2)
            if words[0] != "-A" or len(words) < 2:
                raise ValueError(f"line {number}: not a rule: {line}")
            table.setdefault(words[1], Chain("-", [])).rules.append(words[2] if len(words) > 2 else "")
    return tables


def atoms(rule: str) -> frozenset[Atom]:
    """A rule as the set of its conditions and its target's options: two rules that mean the same are equal."""
    found: set[Atom] = set()
    negated = False
    words = shlex.split(rule)
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word == "!":
            negated = True
            continue
        option = _LONG.get(word, word)
        values: list[str] = []
        if option == "--comment":
            values, at = [words[at]], at + 1
        else:
            if at < len(words) and words[at] == "!":  # the old place of a negation: `-o ! eth0`
                negated, at = True, at + 1
            while at < len(words) and not re.match(r"-{1,2}[a-zA-Z]", words[at]) and words[at] != "!":
                values.append(words[at])
                at += 1
        if option != "-m":  # a match is told by its options; `-m tcp` is what iptables-save adds
            found.update(_normal(option, values, negated))
        negated = False
    return frozenset(found)


def _normal(option: str, values: list[str], negated: bool) -> list[Atom]:
    sign = ("!",) if negated else ()
    if option in ("-s", "-d"):
        network = str(ipaddress.ip_network(values[0], strict=False))
        return [] if network in ("0.0.0.0/0", "::/0") and not negated else [(*sign, option, network)]
    if option == "-p":
        return [] if values[0] == "all" else [(*sign, option, values[0].lower())]
    if option in ("--set-xmark", "--set-mark", "--or-mark", "--and-mark", "--xor-mark"):
        return [("--set-xmark", *_xmark(option, values[0]))]
    if option == "--mark":
        value, _slash, mask = values[0].partition("/")
        return [(*sign, option, str(int(value, 0)), str(int(mask or "0xffffffff", 0)))]
    if option == "--probability":
        return [(*sign, option, f"{float(values[0]):.6f}")]
    if option == "--ctstate":
        return [(*sign, option, *sorted(values[0].upper().split(",")))]
    if option == "--reject-with" and values[0] in ("icmp-port-unreachable", "icmp6-port-unreachable"):
        return []
    return [(*sign, option, *values)]


def _xmark(option: str, text: str) -> tuple[str, str]:
    """value and mask of --set-xmark that say the same."""
    value, _slash, mask = text.partition("/")
    number, bits = int(value, 0), int(mask or "0xffffffff", 0)
    if option == "--or-mark":
        bits = number
    elif option == "--and-mark":
        number, bits = 0, ~number & 0xFFFFFFFF
    elif option == "--xor-mark":
        bits = 0
    elif option == "--set-mark":
        bits |= number
    return str(number), str(bits)


def target(rule: str) -> str:
    """The chain or target that a rule jumps to; '' for none."""
    for atom in atoms(rule):
        if atom[0] in ("-j", "-g"):
            return atom[1]
    return ""


def available(family: str) -> bool:
    """Whether the tools are there."""
    return bool(shutil.which(f"{TOOLS[family]}-save") and shutil.which(f"{TOOLS[family]}-restore"))


def save(family: str) -> Tables:
    """All tables of the network namespace that the thread is in."""
    return parse(_run([f"{TOOLS[family]}-save"], None))


def restore(family: str, lines: list[str]) -> None:
    """Feed iptables-restore; each table changes as a whole or not at all, other chains stay as they are."""
    _run([f"{TOOLS[family]}-restore", "--noflush", "-w", _WAIT], "\n".join(lines) + "\n")


def _run(arguments: list[str], text: str | None) -> str:
    try:
        done = subprocess.run(arguments, input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise IptablesError(f"{arguments[0]} is not installed (package iptables)") from None
    if done.returncode:
        said = " ".join(line for line in done.stderr.split("\n") if line and not line.startswith("#"))
        raise IptablesError(f"{' '.join(arguments)}: {said.strip() or f'exit code {done.returncode}'}")
    return done.stdout
