# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of rules against iptables itself: what it saves means what was written, and can be read and written back."""

from __future__ import annotations

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils import _iptables
from ansible_collections.linuxnet.lab.plugins.module_utils import _iptables_rule as grammar

from .rules import WRITTEN, WRITTEN6
from .support import back_end, feed, lab, saved

__all__ = ["back_end", "lab"]
pytestmark = pytest.mark.usefixtures("lab")
TOOL = {"ipv4": "iptables", "ipv6": "ip6tables"}


def restored(family: str, tables: dict[str, list[str]]) -> dict[str, list[str]]:
    """The rules of chain X of each table, as iptables-save prints them."""
    lines = []
    for table, rules in tables.items():
        lines += [f"*{table}", ":X - [0:0]", ":Y - [0:0]", *(f"-A X {rule}".rstrip() for rule in rules), "COMMIT"]
    feed("\n".join(lines) + "\n", tool=TOOL[family])
    found = _iptables.parse("\n".join(saved(tool=TOOL[family])))
    return {table: found[table]["X"].rules for table in tables}


@pytest.mark.parametrize(("family", "written"), [("ipv4", WRITTEN), ("ipv6", WRITTEN6)])
def test_what_is_saved_means_what_was_written(back_end: str, family: str, written: dict[str, list[str]]) -> None:
    texts = {table: [grammar.render(grammar.read(rule)) for rule in rules] for table, rules in written.items()}
    for table, rules in restored(family, texts).items():
        for text, rule in zip(written[table], rules):
            assert _iptables.atoms(text) == _iptables.atoms(rule), (text, rule)
        assert len(rules) == len(written[table])


@pytest.mark.parametrize(("family", "written"), [("ipv4", WRITTEN), ("ipv6", WRITTEN6)])
def test_saved_rules_are_read_and_written_back_to_the_same_text(
    back_end: str, family: str, written: dict[str, list[str]]
) -> None:
    texts = {table: [grammar.render(grammar.read(rule)) for rule in rules] for table, rules in written.items()}
    first = restored(family, texts)
    back = {table: [grammar.render(grammar.read(rule)) for rule in rules] for table, rules in first.items()}
    assert back == first
    for line in ("*filter", "*nat"):
        feed(f"{line}\n-F\nCOMMIT\n", "--noflush", tool=TOOL[family])
    assert restored(family, back) == first


def test_rules_that_iptables_keeps_apart_differ_in_meaning(back_end: str) -> None:
    texts = {table: [grammar.render(grammar.read(rule)) for rule in rules] for table, rules in WRITTEN.items()}
    for table, rules in restored("ipv4", texts).items():
        # the order of two marks' matches is all in which two of the rules differ: no difference
        apart = {rule.replace("NOTRACK", "CT --notrack") for rule in rules if not rule.startswith("-m mark --mark 0x2")}
        assert len({_iptables.atoms(rule) for rule in rules}) == len(apart), table
