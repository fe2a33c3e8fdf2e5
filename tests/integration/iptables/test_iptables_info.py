# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""iptables_info through its own entry point, on rules that iptables itself has made."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils import _iptables_rule as grammar

from ..engine.support import sh
from ..modules.test_modules import module
from .rules import WRITTEN
from .support import back_end, feed, lab, named, saved

__all__ = ["back_end", "lab", "named"]
pytestmark = pytest.mark.usefixtures("lab")

NODE_PORT = """*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-SEP-A - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.1/32 ! -i eth0 -p tcp -m multiport --dports 443,6443 -j KUBE-SEP-A
-A KUBE-SERVICES -m comment --comment "nodeports; NOTE: the last rule" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-NODEPORTS -p tcp -m comment --comment lab/web -m tcp --dport 30999 -j KUBE-SEP-A
-A KUBE-NODEPORTS -p tcp -m tcp ! --dport 30000:32767 -g KUBE-MARK-MASQ
-A KUBE-SEP-A -s 10.244.0.2/32 -j KUBE-MARK-MASQ
[7:420] -A KUBE-SEP-A -p tcp -j DNAT --to-destination 10.244.0.2:9000
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
COMMIT
*filter
:INPUT DROP [0:0]
:KUBE-NODEPORTS - [0:0]
-A INPUT -j KUBE-NODEPORTS
COMMIT
"""


def info(**parameters: Any) -> dict[str, Any]:
    """The module's answer, which never says changed."""
    answer = module("iptables_info", **parameters)
    assert answer["changed"] is False, answer
    return answer


def texts(answer: dict[str, Any]) -> list[str]:
    return [rule["text"] for rule in answer["rules"]]


def backend_of(back_end: str) -> str:
    return {"nft": "nf_tables", "legacy": "legacy"}[back_end]


@pytest.mark.usefixtures("named")
def test_each_rule_that_iptables_save_prints_is_returned_in_its_words(back_end: str) -> None:
    lines = []
    for table, rules in WRITTEN.items():
        written = [grammar.render(grammar.read(rule)) for rule in rules]
        lines += [f"*{table}", ":X - [0:0]", ":Y - [0:0]", *(f"-A X {rule}".rstrip() for rule in written), "COMMIT"]
    feed("\n".join(lines) + "\n")
    answer = info(family="ipv4")
    assert {rule["backend"] for rule in answer["rules"]} == {backend_of(back_end)}
    tables: dict[str, list[str]] = {}
    for line in saved():
        if line.startswith("*"):
            table = tables.setdefault(line[1:], [])
        elif line.startswith("-A"):
            table.append(line)
    for table_name, expected in tables.items():
        assert [rule["text"] for rule in answer["rules"] if rule["table"] == table_name] == expected
    assert len(answer["rules"]) == sum(map(len, tables.values()))


def test_fields_counters_policies_and_callers(back_end: str) -> None:
    feed(NODE_PORT, "--counters")
    answer = info(table="nat", chain="KUBE-SERVICES")
    service, node_ports = answer["rules"]
    assert (service["number"], service["destination"], service["protocol"]) == (1, "10.96.0.1/32", "tcp")
    assert (service["in_interface"], service["negated"], service["dport"]) == ("eth0", ["in_interface"], "443,6443")
    assert node_ports["comment"] == "nodeports; NOTE: the last rule" and node_ports["target"] == "KUBE-NODEPORTS"
    assert node_ports["matches"][1] == {"name": "addrtype", "options": {"dst_type": "LOCAL"}, "negated": []}
    assert answer["chains"][0]["callers"] == ["PREROUTING", "OUTPUT"] and answer["chains"][0]["rules"] == 2
    dnat = info(table="nat", jump="DNAT")["rules"][0]
    assert (dnat["packets"], dnat["bytes"]) == (7, 420)
    assert dnat["target_options"] == {"to_destination": "10.244.0.2:9000"}
    policy = info(chain="INPUT", table="filter", family="ipv4")["chains"][0]
    assert (policy["policy"], policy["backend"]) == ("DROP", backend_of(back_end))


def test_filters(back_end: str) -> None:
    feed(NODE_PORT)
    assert sorted(rule["chain"] for rule in info(jump="KUBE-NODEPORTS")["rules"]) == ["INPUT", "KUBE-SERVICES"]
    portals = info(comment="service portals")
    assert [rule["chain"] for rule in portals["rules"]] == ["PREROUTING", "OUTPUT"]
    assert [chain["chain"] for chain in portals["chains"]] == ["PREROUTING", "OUTPUT"]
    assert texts(info(comment="KUBE")) == []  # in the rule, but not in the comment
    assert [rule["number"] for rule in info(dport=30999)["rules"]] == [1]
    assert sorted(rule["chain"] for rule in info(dport=6443)["rules"]) == ["KUBE-NODEPORTS", "KUBE-SERVICES"]
    assert [rule["goto"] for rule in info(jump="KUBE-MARK-MASQ", chain="KUBE-NODEPORTS")["rules"]] == [True]
    assert info(family="ipv6", jump="KUBE-NODEPORTS")["rules"] == []
    assert [rule["chain"] for rule in info(grep="-j KUBE-NODEPORTS")["rules"]] == [
        rule["chain"] for rule in info(jump="KUBE-NODEPORTS")["rules"]
    ]


def test_the_walk(back_end: str) -> None:
    feed(NODE_PORT)
    walk = info(walk="KUBE-NODEPORTS", table="nat")["walks"][0]
    up = walk["from"][0]
    assert (up["chain"], up["number"]) == ("KUBE-SERVICES", 2)
    assert [(one["chain"], one["policy"]) for one in up["from"]] == [("PREROUTING", "ACCEPT"), ("OUTPUT", "ACCEPT")]
    web, others = walk["to"]
    assert [one["target"] for one in web["to"]] == ["KUBE-MARK-MASQ", "DNAT"]
    assert [one["target"] for one in web["to"][0]["to"]] == ["MARK"]
    assert others["seen"] and others["to"] == []
    lines = walk["text"].splitlines()
    assert lines.index("KUBE-NODEPORTS") == 3 and lines[2].strip().startswith("-A KUBE-SERVICES ")
    assert lines[4] == f"  {web['text']}" and lines[-1].endswith("-g KUBE-MARK-MASQ (see above)")
    assert len(info(walk="KUBE-NODEPORTS")["walks"]) == 2 and info(walk="NOBODY")["walks"] == []


def test_both_back_ends_at_once_and_no_table_is_made_by_reading() -> None:
    rules = {"iptables-nft": "192.0.2.1", "iptables-legacy": "192.0.2.2"}
    before = sh("nft", "list", "ruleset")
    assert info()["rules"] == [] and sh("nft", "list", "ruleset") == before
    assert not Path("/proc/thread-self/net/ip_tables_names").read_text(encoding="ascii")
    for tool, address in rules.items():
        done = subprocess.run([tool, "-A", "INPUT", "-s", address, "-j", "DROP"], capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"KERNEL: {tool} does not work here, so there are no two back ends to read at once")
    found = {rule["backend"]: rule["source"] for rule in info()["rules"]}
    assert found == {"nf_tables": "192.0.2.1/32", "legacy": "192.0.2.2/32"}


def test_namespaces_by_name_path_pid_and_all(back_end: str) -> None:
    sh("ip", "netns", "add", "red")
    sh("ip", "netns", "exec", "red", "iptables", "-A", "INPUT", "-j", "DROP")
    process = subprocess.Popen(["ip", "netns", "exec", "red", "sleep", "60"])
    nameless = subprocess.Popen(["unshare", "-n", "sh", "-c", "iptables -A OUTPUT -j DROP && exec sleep 60"])
    try:
        for given in ("red", "/run/netns/red"):
            assert [(rule["netns"], rule["chain"]) for rule in info(netns=given)["rules"]] == [("red", "INPUT")]
        wait_for(lambda: [rule["chain"] for rule in info(netns=str(process.pid))["rules"]] == ["INPUT"])
        wait_for(lambda: [rule["chain"] for rule in info(netns=str(nameless.pid))["rules"]] == ["OUTPUT"])
        found = {rule["netns"]: rule["chain"] for rule in info(netns="all")["rules"]}
        assert found["red"] == "INPUT" and "OUTPUT" in found.values()
    finally:
        for one in (process, nameless):
            one.kill()
            one.wait()
    assert info()["rules"] == []
    answer = module("iptables_info", netns="nowhere")
    assert answer["failed"] and "there is no network namespace nowhere" in answer["msg"]


def wait_for(true: Any) -> None:
    """A process is in its namespace a moment after it has started."""
    for _attempt in range(100):
        if true():
            return
    raise AssertionError("it does not come about")


def test_a_table_that_only_nft_can_show_is_a_warning(back_end: str) -> None:
    if back_end == "legacy":
        feed("*filter\n-A INPUT -j DROP\nCOMMIT\n")
    sh("nft", "add table ip filter")
    sh("nft", "add chain ip filter INPUT { type filter hook input priority 0; }")
    sh("nft", "add rule ip filter INPUT meta mark set numgen inc mod 2")
    answer = info()
    assert "nft" in str(answer.get("warnings")), answer
    assert len(answer["rules"]) == (1 if back_end == "legacy" else 0)


@pytest.mark.parametrize("said", [
    "*nat\n:X - [0:0]\n-A X -j DROP\n", "*nat\n-A NOWHERE -j DROP\nCOMMIT\n", "*filter\n:INPUT\nCOMMIT\n", "what is this?\n",
    "*filter\n:INPUT DROP [x:y]\nCOMMIT\n", "*filter\n:INPUT DROP [0:0]\n[1:2 -A INPUT -j DROP\nCOMMIT\n", "\0\xff*\n", "*\n",
])  # fmt: skip
def test_what_is_no_output_of_iptables_save_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """The rest is delivered: here, the other family."""
    good = "*filter\n:INPUT DROP [0:0]\n[1:2] -A INPUT -m what --is --that 'open -j DROP\nCOMMIT\n"
    for tool, text in (("iptables", said), ("ip6tables", good)):
        (tmp_path / f"{tool}.text").write_text(text, encoding="utf-8")
        program = (
            f"#!/bin/sh\n[ \"$1\" = -V ] && echo '{tool} v1.8.9 (nf_tables)' || /bin/cat '{tmp_path}/{tool}.text'\n"
        )
        (tmp_path / f"{tool}-save").write_text(program, encoding="utf-8")
        (tmp_path / tool).write_text(program, encoding="utf-8")
        for name in (tool, f"{tool}-save"):
            (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = info()
    assert (
        "line 1" in str(answer["warnings"])
        or "line 2" in str(answer["warnings"])
        or "line 3" in str(answer["warnings"])
        or ("without COMMIT" in str(answer["warnings"]))
    )
    (rule,) = answer["rules"]  # one that cannot be read has its text
    assert (rule["family"], rule["target"], rule["matches"]) == ("ipv6", "DROP", [])
    assert rule["text"] == "-A INPUT -m what --is --that 'open -j DROP"


def test_no_iptables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = module("iptables_info")
    assert answer["failed"] and "iptables is not installed" in answer["msg"]
