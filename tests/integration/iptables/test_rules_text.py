# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of rules against iptables itself: what it saves means what was written, and can be read and written back."""

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils import _iptables, _iptables_same
from ansible_collections.linuxnet.lab.plugins.module_utils import _iptables_rule as grammar
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .rules import WRITTEN, WRITTEN6, WRITTEN_IPVS
from .support import back_end, feed, lab, named, saved

__all__ = ["back_end", "lab", "named"]
pytestmark = pytest.mark.usefixtures("named")
ALL = [("ipv4", WRITTEN), ("ipv6", WRITTEN6), ("ipv4", WRITTEN_IPVS)]
IDS = ["ipv4", "ipv6", "ipvs"]
TOOL = {"ipv4": "iptables", "ipv6": "ip6tables"}


def rendered(written: dict[str, list[str]]) -> dict[str, list[str]]:
    """The rules, read and written by the grammar."""
    if written is WRITTEN_IPVS and not ipvs():
        pytest.skip("KERNEL: this kernel has no IPVS; tests/guest runs this in one that has")
    return {table: [grammar.render(grammar.read(rule)) for rule in rules] for table, rules in written.items()}


def ipvs() -> bool:
    done = subprocess.run(["iptables", "-A", "OUTPUT", "-m", "ipvs", "--ipvs"], capture_output=True, check=False)
    return done.returncode == 0


def restored(family: str, tables: dict[str, list[str]]) -> dict[str, list[str]]:
    """The rules of chain X of each table, as iptables-save prints them."""
    lines = []
    for table, rules in tables.items():
        lines += [f"*{table}", ":X - [0:0]", ":Y - [0:0]", *(f"-A X {rule}".rstrip() for rule in rules), "COMMIT"]
    feed("\n".join(lines) + "\n", tool=TOOL[family])
    found = _iptables.parse("\n".join(saved(tool=TOOL[family])))
    return {table: found[table]["X"].rules for table in tables}


@pytest.mark.parametrize(("family", "written"), ALL, ids=IDS)
def test_what_is_saved_means_what_was_written(back_end: str, family: str, written: dict[str, list[str]]) -> None:
    texts = rendered(written)
    for table, rules in restored(family, texts).items():
        for text, rule in zip(written[table], rules):
            assert _iptables_same.atoms(text) == _iptables_same.atoms(rule), (text, rule)
        assert len(rules) == len(written[table])


@pytest.mark.parametrize(("family", "written"), ALL, ids=IDS)
def test_saved_rules_are_read_and_written_back_to_the_same_text(
    back_end: str, family: str, written: dict[str, list[str]]
) -> None:
    texts = rendered(written)
    first = restored(family, texts)
    back = rendered(first)
    # libxt_nfacct.c prints two blanks
    assert back == {
        table: [rule.replace("--nfacct-name  ", "--nfacct-name ") for rule in rules] for table, rules in first.items()
    }
    for line in ("*filter", "*nat"):
        feed(f"{line}\n-F\nCOMMIT\n", "--noflush", tool=TOOL[family])
    assert restored(family, back) == first


def test_rules_that_iptables_keeps_apart_differ_in_meaning(back_end: str) -> None:
    texts = rendered(WRITTEN)
    for table, rules in restored("ipv4", texts).items():
        # the order of two marks' matches is all in which two of the rules differ: no difference
        apart = {rule.replace("NOTRACK", "CT --notrack") for rule in rules if not rule.startswith("-m mark --mark 0x2")}
        assert len({_iptables_same.atoms(rule) for rule in rules}) == len(apart), table


# parts of a rule that go together, as a person writes them, and what may stand before each
_CONDITIONS = ["-s 10.0.0.7", "-d 10.1.2.3/16", "-i eth+", "-o cali0"]
_MATCHES = [
    "-m mark {}--mark 0x4000/0x4000",
    "-m connmark {}--mark 7",
    "-m conntrack {}--ctstate RELATED,NEW",
    "-m addrtype {}--dst-type LOCAL",
    "-m addrtype {}--src-type LOCAL --limit-iface-in",
    "-m comment --comment '-j DROP \"{}\" it''s \\'",
    "-m limit --limit 3/minute",
    "-m statistic --mode random {}--probability 0.25",
    "-m recent {}--rcheck --name A",
    "-m recent --set --name B",
    "-m tcp --sport 1024 {}--syn --dport 80:",
    "-m multiport {}--dports 443,http",
    "-m length {}--length :100",
    "-m owner {}--uid-owner root",
]
_TARGETS = ["", "-j ACCEPT", "-g Y", "-j REJECT", "-j LOG --log-prefix '-x {}'", "-j Y"]


@st.composite
def written(draw: st.DrawFn) -> str:
    """A rule that iptables takes, with its matches in any order and parts negated."""

    def negated(part: str) -> str:
        return part.format(draw(st.sampled_from(["", "! "])))

    conditions = draw(st.lists(st.sampled_from(_CONDITIONS), unique=True, max_size=3))
    words = ["-p tcp", *(draw(st.sampled_from(["", "! "])) + part for part in conditions)]
    words += [negated(part) for part in draw(st.lists(st.sampled_from(_MATCHES), unique=True, max_size=4))]
    return " ".join([*words, negated(draw(st.sampled_from(_TARGETS)))]).strip()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(written(), min_size=1, max_size=25))
def test_any_rule_means_the_same_when_it_is_saved(back_end: str, rules: list[str]) -> None:
    texts = [grammar.render(grammar.read(rule)) for rule in rules]
    kept = restored("ipv4", {"filter": texts})["filter"]
    assert [_iptables_same.atoms(rule) for rule in kept] == [_iptables_same.atoms(rule) for rule in rules]
    assert [grammar.render(grammar.read(rule)) for rule in kept] == kept
    assert len(set(kept)) >= len({_iptables_same.atoms(rule) for rule in rules})
