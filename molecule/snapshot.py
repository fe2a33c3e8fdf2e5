# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notes how a host's network is, or compares it with the note: links, addresses, routes, rules, neighbours, FDB,
namespaces and their files, kernel parameters, chains, and what is kept of the lab itself.

It is the host's own account of itself, by iproute2, /proc/sys and iptables-save: nothing of the collection is in it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

NOTE = "/run/before.json"
# comes and goes by itself
TRANSIENT = {
    "valid_life_time",
    "preferred_life_time",
    "operstate",
    "cacheinfo",
    "used",
    "updated",
    "expires",
    "ssthresh",
    "gc_timer",  # a bridge's
}
COMMANDS = {
    "links": "ip -json -details link",
    "addresses": "ip -json address",
    "routes": "ip -json -4 -details route show table all",
    "routes6": "ip -json -6 -details route show table all",
    "rules": "ip -json rule",
    "neighbors": "ip -json neighbor show nud permanent",
    "proxies": "ip -json neighbor show proxy",
    "fdb": "bridge -json fdb",
    "namespaces": "ip -json netns",
}


def output(command: str) -> str:
    """What a command says; nothing where there is no such command."""
    try:
        return subprocess.run(command.split(), capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        return ""


def plain(value: Any) -> Any:
    """Without what comes and goes by itself. A link that was up once has a queue and its IPv6 part for good; both are of
    no use while it is down."""
    if isinstance(value, dict):
        drop = TRANSIENT | ({"qdisc", "inet6_addr_gen_mode"} if "UP" not in value.get("flags", []) else set())
        return {name: plain(inner) for name, inner in value.items() if name not in drop}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def chains(family: str) -> list[str]:
    """Rules without counters. A table that somebody has looked at, and no more, is nothing."""
    found: list[str] = []
    for text in re.findall(r"^\*.*?^COMMIT", output(f"{family}-save"), re.M | re.S):
        lines = [line.partition(" [")[0] for line in text.splitlines()]
        if not all(re.fullmatch(r"\*\w+|COMMIT|:\w+ ACCEPT", line) for line in lines):
            found += lines
    return found


def parameters() -> dict[str, str]:
    """Everything under /proc/sys/net that can be read and stays as it is."""
    found = {}
    for folder, _folders, names in os.walk("/proc/sys/net"):
        for name in names:
            path = os.path.join(folder, name)
            if name == "nf_conntrack_count" or not os.stat(path).st_mode & 0o400:
                continue
            try:
                with open(path, encoding="utf-8") as file:
                    found[path] = file.read().strip()
            except OSError:
                continue  # unset, as stable_secret is
    return found


def below(top: str) -> list[str]:
    """All files there."""
    return sorted(os.path.join(folder, name) for folder, _folders, names in os.walk(top) for name in names)


def snapshot() -> dict[str, Any]:
    """{what: what there is}"""
    found = {what: plain(json.loads(output(command) or "[]")) for what, command in COMMANDS.items()}
    found["chains"] = {family: chains(family) for family in ("iptables", "ip6tables")}
    found["parameters"] = parameters()
    found["notes"] = below("/run/linuxnet.lab")
    found["files"] = below("/etc/netns")
    return found


def differences(before: Any, after: Any, path: str = "") -> list[str]:
    """A line each. Parameters that come with a module of the kernel (conntrack's, for one) are no change of the host's."""
    if before == after:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        names = list(before) if path == "/parameters" else list({**before, **after})
        return [line for name in names for line in differences(before.get(name), after.get(name), f"{path}/{name}")]
    if isinstance(before, list) and isinstance(after, list):
        if len(before) == len(after):
            return [line for n in range(len(before)) for line in differences(before[n], after[n], f"{path}/{n}")]
        return [f"{path}: gone: {one}" for one in before if one not in after] + [
            f"{path}: new: {one}" for one in after if one not in before
        ]
    return [f"{path}: was {before}, is {after}"]


def main() -> None:
    """`note` or `compare`."""
    if sys.argv[1] == "note":
        with open(NOTE, "w", encoding="utf-8") as file:
            json.dump(snapshot(), file)
        return
    with open(NOTE, encoding="utf-8") as file:
        found = differences(json.load(file), snapshot())
    os.unlink(NOTE)
    if found:
        raise SystemExit("\n".join(found))


if __name__ == "__main__":
    main()
