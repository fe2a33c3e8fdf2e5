# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chains of our own beside the rules of others, with either back end: what is not ours stays as it is, byte for byte."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils import _engine
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Failed, Options, Refused

from ..engine.support import sh
from ..modules.test_modules import module
from .rules import WRITTEN
from .support import back_end, feed, lab, named, saved

__all__ = ["back_end", "lab", "named"]
pytestmark = pytest.mark.usefixtures("lab")

FOREIGN = """*filter
:INPUT ACCEPT [5:400]
:FORWARD DROP [1:40]
:OUTPUT ACCEPT [0:0]
:DOCKER-USER - [0:0]
[3:180] -A INPUT -s 192.0.2.1/32 -m comment --comment "somebody else's" -j DROP
[1:60] -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
[2:80] -A FORWARD -j DOCKER-USER
[2:80] -A DOCKER-USER -j RETURN
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
[4:240] -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
"""
KUBE: list[dict[str, Any]] = [
    {
        "name": "KUBE-SERVICES", "table": "nat",
        "rules": [
            '-m comment --comment "lab/web cluster IP" -m tcp -p tcp -d 10.96.0.7 --dport 80 -j KUBE-SVC-WEB',
            '-m comment --comment "nodeports; NOTE: this must be the last rule" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS',
        ],
        "jumps": [
            {"from": "PREROUTING", "rule": '-m comment --comment "kubernetes service portals"', "at": "first"},
            {"from": "OUTPUT", "rule": '-m comment --comment "kubernetes service portals"', "at": "first"},
        ],
    },
    {"name": "KUBE-NODEPORTS", "table": "nat", "rules": ["-p tcp --dport 30999 -j KUBE-SVC-WEB"]},
    {
        "name": "KUBE-SVC-WEB", "table": "nat",
        "rules": [
            "-m recent --name KUBE-SEP-A --rcheck --seconds 10800 --reap -j KUBE-SEP-A",
            "-m statistic --mode random --probability 0.3333333333 -j KUBE-SEP-A",
            "-j KUBE-SEP-B",
        ],
    },
    {"name": "KUBE-SEP-A", "table": "nat", "rules": [
        "-s 10.244.0.2 -j KUBE-MARK-MASQ", "-m tcp -p tcp -m recent --name KUBE-SEP-A --set -j DNAT --to-destination 10.244.0.2:9000",
    ]},
    {"name": "KUBE-SEP-B", "table": "nat", "rules": ["-m tcp -p tcp -j DNAT --to-destination 10.244.0.3:9000"]},
    {"name": "KUBE-MARK-MASQ", "table": "nat", "rules": ["-j MARK --or-mark 0x4000"]},
    {
        "name": "KUBE-POSTROUTING", "table": "nat",
        "rules": ["-m mark ! --mark 0x4000/0x4000 -j RETURN", "-j MARK --xor-mark 0x4000", "-j MASQUERADE --random-fully"],
        "jumps": [{"from": "POSTROUTING", "at": "last"}],
    },
    {"name": "KUBE-NODEPORTS", "table": "filter", "jumps": [{"from": "INPUT", "at": "first"}]},
    {
        "name": "KUBE-FORWARD", "table": "filter", "rules": ["-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"],
        "jumps": [{"from": "FORWARD", "at": "first"}],
    },
]  # fmt: skip


def run(chains: list[dict[str, Any]], fault: Any = _engine.no_fault, **options: Any) -> _engine.Result:
    """The engine, as the module calls it."""
    asked = Options(**{"name": "set", "prune": True, **options})
    return _engine.run({"chains": chains}, asked, fault)


def counted() -> list[str]:
    """All that is saved, with counters. iptables-legacy zeroes those of policies at any change of a table, anybody's."""
    return [re.sub(r"^(:.*) \[.*", r"\1", line) for line in saved("-c")]


def bare() -> list[str]:
    """All that is saved, without counters."""
    return [re.sub(r"^(:.*) \[.*", r"\1", line) for line in saved()]


def others() -> list[str]:
    """What is saved of others, with counters: their chains and rules, without our chains and the jumps to them."""
    return [line for line in counted() if not re.search(r"KUBE-|LINUXNET-", line)]


def chain(name: str, *rules: str, table: str = "filter", **more: Any) -> dict[str, Any]:
    return {"name": name, "table": table, "rules": list(rules), **more}


def test_chains_of_kube_proxy_come_and_go_beside_those_of_others(back_end: str) -> None:
    feed(FOREIGN, "--counters")
    start, foreign = counted(), others()
    assert run(KUBE).changed
    assert others() == foreign
    after = saved()
    assert '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES' in after
    assert "-A KUBE-SVC-WEB -m statistic --mode random --probability 0.33333333349 -j KUBE-SEP-A" in after
    inputs = [line for line in after if line.startswith("-A INPUT")]
    assert inputs[0] == "-A INPUT -j KUBE-NODEPORTS" and len(inputs) == 3
    again = run(KUBE)
    assert not again.changed and again.commands == []
    assert run([]).changed
    assert counted() == start


@pytest.mark.usefixtures("named")
def test_what_iptables_writes_otherwise_is_no_difference(back_end: str) -> None:
    chains = [chain("Y", table=table) for table in WRITTEN] + [
        chain("X", *WRITTEN[table], table=table) for table in WRITTEN
    ]
    assert run(chains).changed
    assert not run(chains).changed


def test_what_does_not_change_keeps_its_counters(back_end: str) -> None:
    run(KUBE)
    feed("*nat\n[7:420] -A KUBE-MARK-MASQ -j RETURN\nCOMMIT\n", "--noflush", "--counters")
    feed("*nat\n[9:90] -I PREROUTING -j KUBE-SERVICES\nCOMMIT\n", "--noflush", "--counters")
    chains = [dict(one) for one in KUBE]
    chains[0]["jumps"] = [{"from": "PREROUTING"}, KUBE[0]["jumps"][1]]
    chains[5]["rules"] = ["-j MARK --or-mark 0x4000", "-j RETURN"]
    result = run(chains)  # the jump without a comment is there already, the one with the comment goes
    assert [line.split(" ", 3)[3].split(" -m")[0] for line in result.commands] == ["-D PREROUTING"]
    assert "[7:420] -A KUBE-MARK-MASQ -j RETURN" in saved("-c")
    assert "[9:90] -A PREROUTING -j KUBE-SERVICES" in saved("-c")
    chains[4]["rules"] = []
    run(chains)
    assert "[7:420] -A KUBE-MARK-MASQ -j RETURN" in saved("-c")


def test_stale_chains_go_though_others_jumped_to_them(back_end: str) -> None:
    run(KUBE)
    chains = [dict(one) for one in KUBE if one["name"] not in ("KUBE-SEP-B", "KUBE-FORWARD")]
    chains[2]["rules"] = ["-j KUBE-SEP-A"]
    run(chains)
    assert not [line for line in saved() if "KUBE-SEP-B" in line or "KUBE-FORWARD" in line]
    assert "-A KUBE-SVC-WEB -j KUBE-SEP-A" in saved()


def test_a_chain_of_somebody_else_is_refused_or_adopted_and_given_back(back_end: str) -> None:
    feed(FOREIGN + "*nat\n:KUBE-MARK-MASQ - [0:0]\n-A KUBE-MARK-MASQ -j MARK --set-xmark 0x8000/0x8000\n"
         "-A POSTROUTING -s 192.0.2.9/32 -j KUBE-MARK-MASQ\n-A POSTROUTING -s 192.0.2.8/32 -j RETURN\nCOMMIT\n", "--counters")  # fmt: skip
    start, rules = bare(), saved()
    with pytest.raises(Refused, match="KUBE-MARK-MASQ.*adopt: true"):
        run(KUBE)
    assert saved() == rules
    run(KUBE, adopt=True)
    assert "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000" in saved()
    chains = [dict(one) for one in KUBE]
    chains[5]["rules"] = ["-j MARK --or-mark 0x2000"]
    assert run(chains).changed  # it is ours by now
    run([])
    assert bare() == start


def test_a_chain_that_is_as_it_shall_be_is_left_to_its_owner(back_end: str) -> None:
    feed("*filter\n:THEIRS - [0:0]\n-A THEIRS -s 192.0.2.1/32 -j DROP\nCOMMIT\n")
    start = saved()
    assert not run([chain("THEIRS", "-s 192.0.2.1 -j DROP")]).changed
    assert not run([]).changed
    assert saved() == start


@pytest.mark.parametrize("number", range(5))
def test_a_fault_rolls_back_exactly(back_end: str, number: int) -> None:
    feed(FOREIGN, "--counters")
    first = [dict(one) for one in KUBE[3:]]
    first[0]["rules"] = ["-j KUBE-SEP-B"]
    first[-1]["jumps"] = [{"from": "FORWARD"}]
    run(first)
    feed("*filter\n-A FORWARD -s 192.0.2.77/32 -j DROP\nCOMMIT\n", "--noflush")  # ours is between those of others
    start = bare()

    def fault(done: int, op: Any) -> None:
        if done == number:
            raise RuntimeError(f"on purpose, before {op.action} {op.key}")

    with pytest.raises(Failed, match="on purpose") as failed:
        run(KUBE[::-1], fault=fault)  # what is done until then must stand by itself: what is jumped to comes first
    assert failed.value.rolled_back, failed.value.left
    assert bare() == start


REFUSED = [
    ("-s 10.0.0.1 -j NO-SUCH-CHAIN", "NO-SUCH-CHAIN"),
    ("-j DNAT --to-destination 10.0.0.1 -m nosuchmatch --x 1", "nosuchmatch"),
    ("-j MASQUERADE", "-j MASQUERADE"),  # in table nat only
    ("-p udp --dport 80 -j REJECT --reject-with tcp-reset", "reject-with tcp-reset"),
    ("-m nosuchmatch --x 1", "nosuchmatch"),
]


@pytest.mark.parametrize(("rule", "word"), REFUSED)
def test_a_refused_rule_is_named_and_nothing_is_applied(back_end: str, rule: str, word: str) -> None:
    feed(FOREIGN, "--counters")
    start = counted()
    chains = [chain("LINUXNET-A", "-j RETURN", table="filter"), chain("LINUXNET-B", "-j RETURN", rule, table="filter")]
    chains.append(chain("LINUXNET-A", "-j RETURN", table="nat"))
    with pytest.raises(Failed) as failed:
        run(chains)
    assert word in str(failed.value) and "chain LINUXNET-B of table filter" in str(failed.value), failed.value
    assert failed.value.rolled_back and counted() == start


def test_a_chain_that_others_jump_to_cannot_go(back_end: str) -> None:
    run([chain("LINUXNET-A")])
    feed("*filter\n:THEIRS - [0:0]\n-A THEIRS -j LINUXNET-A\nCOMMIT\n", "--noflush")
    start = saved()
    with pytest.raises(Failed, match="LINUXNET-A") as failed:
        run([])
    assert failed.value.rolled_back and saved() == start


def test_a_jump_keeps_its_place_among_the_rules_of_others(back_end: str) -> None:
    def jumps(*wheres: str) -> list[dict[str, Any]]:
        return [chain(f"LINUXNET-{n}", jumps=[{"from": "INPUT", "at": where} if where else {"from": "INPUT"}])
                for n, where in enumerate(wheres)]  # fmt: skip

    feed("*filter\n-A INPUT -s 192.0.2.1/32 -j DROP\nCOMMIT\n")
    wanted = jumps("first", "last", "first", "")
    run(wanted)

    def order() -> list[str]:
        return [line.split()[-1] for line in saved() if line.startswith("-A INPUT")]

    assert order() == ["LINUXNET-2", "LINUXNET-0", "DROP", "LINUXNET-1", "LINUXNET-3"]
    assert not run(wanted).changed  # own jumps before and behind each other are no drift
    feed("*filter\n-I INPUT -j RETURN\n-A INPUT -j ACCEPT\nCOMMIT\n", "--noflush")
    result = run(wanted)
    assert len(result.commands) == 6 and "LINUXNET-3" not in str(result.commands)
    assert order() == ["LINUXNET-2", "LINUXNET-0", "RETURN", "DROP", "LINUXNET-3", "ACCEPT", "LINUXNET-1"]
    other = run([chain("LINUXNET-9", jumps=[{"from": "INPUT", "at": "first"}])], name="another set")
    assert other.changed and not run(wanted).changed
    run([], name="another set")
    run([])
    assert order() == ["RETURN", "DROP", "ACCEPT"]


def test_the_commands_do_the_same_when_they_are_typed(back_end: str) -> None:
    sh("ip", "netns", "add", "typed")
    chains = [dict(one) for one in KUBE]
    chains[3] = chain("KUBE-SEP-A", "-m comment --comment 'it is $HOME, \"quoted\" and `x`!' -j RETURN", table="nat")
    for step in (KUBE, chains, [], chains[1:6]):
        for line in run(step).commands:
            done = subprocess.run(
                ["ip", "netns", "exec", "typed", "sh", "-c", line], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, (line, done.stderr)
        assert sorted(saved()) == sorted(saved(netns="typed"))
    assert shlex.split(run(chains, check=True).commands[0])[0] == "iptables"


def test_sets_of_other_namespaces_and_families_are_apart(back_end: str) -> None:
    sh("ip", "netns", "add", "red")
    one = {"name": "set", "chains": [chain("LINUXNET-A", "-j RETURN")]}
    for where in ({}, {"netns": "red"}, {"family": "ipv6"}):
        answer = module("iptables_rules", **one, **where)
        assert answer["changed"], answer
    for where in ({}, {"netns": "red"}, {"family": "ipv6"}):
        assert not module("iptables_rules", **one, **where)["changed"]
    assert ":LINUXNET-A - [0:0]" in saved(netns="red") and ":LINUXNET-A - [0:0]" in saved(tool="ip6tables")
    state = module("network_state", name="set", state="absent")
    assert not state["changed"], state
    for where in ({}, {"netns": "red"}, {"family": "ipv6"}):
        assert module("iptables_rules", name="set", state="absent", **where)["changed"]
    assert not [line for line in saved() + saved(netns="red") + saved(tool="ip6tables") if "LINUXNET" in line]


def test_the_diff_is_readable_and_check_mode_changes_nothing(back_end: str) -> None:
    before = [chain("LINUXNET-A", "-s 10.0.0.1 -j RETURN", "-j DROP", jumps=[{"from": "INPUT", "at": "first"}])]
    after = [chain("LINUXNET-A", "-s 10.0.0.2 -j RETURN", "-j DROP", jumps=[{"from": "INPUT", "at": "first"}])]
    module("iptables_rules", name="set", chains=before)
    start = saved()
    planned = module("iptables_rules", check=True, name="set", chains=after)
    assert planned["diff"] == {
        "before": {"chain ipv4 filter LINUXNET-A": {"rules": ["-s 10.0.0.1/32 -j RETURN", "-j DROP"]}},
        "after": {"chain ipv4 filter LINUXNET-A": {"rules": ["-s 10.0.0.2 -j RETURN", "-j DROP"]}},
    }
    assert planned["commands"] == [
        "iptables -t filter -F LINUXNET-A",
        "iptables -t filter -A LINUXNET-A -s 10.0.0.2 -j RETURN",
        "iptables -t filter -A LINUXNET-A -j DROP",
    ]
    assert saved() == start


def test_rules_of_the_other_back_end_are_a_warning(back_end: str) -> None:
    other = {"nft": "legacy", "legacy": "nft"}[back_end]
    if subprocess.run(
        [f"iptables-{other}", "-A", "OUTPUT", "-j", "ACCEPT"], capture_output=True, check=False
    ).returncode:
        pytest.skip(f"KERNEL: iptables-{other} does not work here, so there are no rules of the other back end")
    answer = module("iptables_rules", name="set", chains=[chain("LINUXNET-A")])
    assert answer["changed"] and other in str(answer["warnings"]), answer


def test_many_chains(back_end: str) -> None:
    chains = [
        chain(f"KUBE-SEP-{n:016}", *(f"-s 10.{n >> 8}.{n & 255}.{k} -j RETURN" for k in range(5)), table="nat")
        for n in range(300)
    ]
    chains.append(
        chain("KUBE-SVC", *(f"-j KUBE-SEP-{n:016}" for n in range(300)), table="nat", jumps=[{"from": "OUTPUT"}])
    )
    assert len(run(chains).commands) == 301 + 1500 + 300 + 1
    assert not run(chains).changed
    run([])
    assert not [line for line in saved() if "KUBE" in line]


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        (chain("X", jumps=[{"from": "FORWARD"}], table="nat"), "FORWARD is no built-in chain of table nat"),
        (chain("X", jumps=[{"from": "INPUT", "rule": "-j DROP"}]), "has a target"),
        (chain("DNAT"), "name of a target"),
        (chain("X" * 29), "28 letters"),
        (chain("X", "-A INPUT -j DROP"), "without"),
        (chain("X", "-s 10.0.0.1,10.0.0.2 -j DROP"), "not one address"),
        (chain("X", "-p tcp --no-such-option 1"), "belongs to no match"),
        (chain("X", "-s host.example -j DROP"), "not one address"),
        (chain("X", "-m comment --comment 'open"), "quotation"),
    ],
)
def test_mistakes_are_told_before_anything_is_changed(wrong: dict[str, Any], word: str) -> None:
    with pytest.raises(Refused, match=word):
        run([chain("LINUXNET-GOOD"), wrong])
    assert not [line for line in saved() if "LINUXNET" in line]
