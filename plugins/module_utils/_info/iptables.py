# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The chains and rules of iptables, and walks along them, in the namespaces that are asked for."""

from __future__ import annotations

from typing import Any

from .. import _iptables_info as tables
from .main import COMMON
from .view import Record, View, visit

FILTERS = ("table", "chain", "jump", "comment", "dport")
SPEC: dict[str, Any] = {
    **COMMON,
    "family": {"type": "str", "choices": ["ipv4", "ipv6"]},
    "table": {"type": "str"},
    "chain": {"type": "str"},
    "jump": {"type": "str"},
    "comment": {"type": "str"},
    "dport": {"type": "int"},
    "walk": {"type": "str"},
}
Found = dict[str, list[Record]]


def look(params: dict[str, Any]) -> tuple[Found, list[str]]:
    """{section: records} of all namespaces that are asked for, and warnings. ValueError where nothing can be read."""
    if why := tables.unreadable():
        raise ValueError(why)
    places, warnings = visit(params["netns"], lambda view: _of_namespace(view, params))
    found: Found = {"rules": [], "chains": [], "walks": []}
    for place in places.values():
        for section, records in place.items():
            found[section] += records
    return found, warnings


def _of_namespace(view: View, params: dict[str, Any]) -> Found:
    families = [params["family"]] if params["family"] else ["ipv4", "ipv6"]
    rulesets, warnings = tables.collect(view.namespaces, [view.netns], families)
    view.warnings += warnings
    listed = [] if _only_a_walk(params) else rulesets
    wanted = tables.Filter(**{name: params[name] for name in (*FILTERS, "grep")})
    rules = [list(tables.rules(ruleset, wanted)) for ruleset in listed]
    return {
        "rules": [rule for of_ruleset in rules for rule in of_ruleset],
        "chains": [
            chain
            for ruleset, of_ruleset in zip(listed, rules)
            for chain in tables.chains(ruleset, wanted, of_ruleset if _asks_for_rules(params) else None)
        ],
        "walks": [
            tables.walk(ruleset, table, params["walk"])
            for ruleset in rulesets
            for table in ruleset.tables
            if params["walk"] in ruleset.tables[table] and params["table"] in (None, table)
        ],
    }


def _asks_for_rules(params: dict[str, Any]) -> bool:
    """Whether a filter is about the rules themselves, and not about where they are."""
    return any(params[name] is not None for name in ("jump", "comment", "dport", "grep"))


def _only_a_walk(params: dict[str, Any]) -> bool:
    """Whether a walk is asked for, and no rules beside it: a walk has its own rules."""
    return bool(params["walk"]) and all(params[name] is None for name in (*FILTERS, "grep") if name != "table")
