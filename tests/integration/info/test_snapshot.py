# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""snapshot_info: all of it and no more, in the words of the single modules; equal as long as nobody changes anything."""

from __future__ import annotations

import os
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Options, run
from ansible_collections.linuxnet.lab.plugins.module_utils._info import snapshot
from ansible_collections.linuxnet.lab.plugins.module_utils._info.view import collect
from hypothesis import given

from ..engine.networks import Description, descriptions
from ..engine.support import own_network, sh
from ..engine.test_properties import profile
from .look import anyhow, ip_json, process_without_a_name


def taken(netns: str, **params: Any) -> dict[str, Any]:
    """The snapshot of one namespace."""
    defaults = {option: about.get("default") for option, about in snapshot.SPEC.items()}
    found, warnings = snapshot.look({**defaults, "netns": netns, **params})
    assert warnings == [] and len(found["namespaces"]) == 1
    only: dict[str, Any] = found["namespaces"][0]
    return only


def settled(netns: str) -> dict[str, Any]:
    """One that is equal to the next: the kernel sets the state of links and addresses in the background."""
    for _attempt in range(50):
        before = taken(netns, counters=False)
        if taken(netns, counters=False) == before:
            return before
    raise AssertionError(f"netns {netns} does not come to rest")


@profile
@given(descriptions())
def test_a_snapshot_holds_what_the_single_modules_say(description: Description) -> None:
    with own_network():
        run(description, Options(name="lab"))
        for netns in ["", *description["namespaces"]]:
            assert_like_the_modules(netns)


def assert_like_the_modules(netns: str) -> None:
    """The same records as the single modules return, at a moment at which nothing changed. No rules of iptables: none are
    described."""
    most = [*snapshot.SECTIONS]
    for _attempt in range(50):
        before, found = taken(netns, counters=False, gather=most), taken(netns, gather=most)
        alone = {name: _alone(section, netns) for name, section in snapshot.SECTIONS.items()}
        if taken(netns, counters=False, gather=most) == before:
            break
    path = f"/run/netns/{netns}" if netns else "/proc/thread-self/ns/net"
    assert (found["netns"], found["inode"]) == (netns, os.stat(path).st_ino)
    for name, texts in alone.items():
        assert sorted(_steady(one["text"] for one in found[name])) == sorted(_steady(texts)), name
    assert alone["links"] and alone["sysctls"] and alone["rules"]


def _alone(section: snapshot.Section, netns: str) -> list[str]:
    defaults = {option: about.get("default") for option, about in section.spec.items()}
    found, _warnings = collect(section.read, {"grep": None, **defaults, **section.asked, "netns": netns})
    return [one["text"] for one in found]


def _steady(texts: Any) -> Any:
    return [snapshot._RUNNING_TEXT.sub("", text) for text in texts]


CHANGES = {
    "ip addr add 192.0.2.9/24 dev br0": {"links", "routes"},
    "ip route add 203.0.113.0/24 dev br0": {"routes"},
    "ip rule add from 192.0.2.1 lookup 100": {"rules"},
    "ip neigh add 198.51.100.7 lladdr 02:00:00:00:00:07 dev br0": {"neighbors"},
    "bridge fdb add 02:00:00:00:00:09 dev vx0 dst 192.0.2.3": {"fdb"},
    "sysctl -qw net.ipv4.conf.br0.rp_filter=1": {"sysctls"},
    "iptables -A INPUT -p tcp --dport 80 -j ACCEPT": {"iptables"},
}


@pytest.mark.usefixtures("lab")
def test_two_snapshots_differ_by_what_changed_and_by_nothing_else() -> None:
    for line in ("ip link add br0 type bridge", "ip link set br0 up", "ip link add vx0 type vxlan id 1 dstport 4789"):
        sh(*line.split())
    sh("sysctl", "-qw", "net.ipv4.conf.br0.rp_filter=0")
    sh("ip", "link", "set", "br0", "addrgenmode", "none")
    sh("ip", "-6", "addr", "flush", "dev", "br0")
    for _attempt in range(500):  # a bridge without ports has no carrier, as the kernel finds out in the background
        if ip_json("", "link", "show", "br0")[0]["operstate"] == "DOWN":
            break
    before = settled("")
    for line, sections in CHANGES.items():
        sh(*line.split())
        after = settled("")
        assert {name for name in after if before[name] != after[name]} == sections, line
        before = after


@pytest.mark.usefixtures("lab")
def test_all_namespaces_in_one_call_with_rules_of_iptables_and_no_counters() -> None:
    for line in (
        "ip netns add red",
        "ip link add veth-r type veth peer name eth0-r netns red",
        "ip link add br0 type bridge",
        "ip link set br0 up",
        "ip link set veth-r master br0 up",
        "ip -n red link set eth0-r up",
        "ip -n red addr add 192.168.20.2/24 dev eth0-r",
        "ip -n red route add 198.51.100.0/24 via 192.168.20.1 table 100",
        "ip -n red rule add from 192.168.20.2 lookup 100",
        "ip -n red neigh add 192.168.20.9 lladdr 02:00:00:00:00:09 dev eth0-r",
        "ip netns exec red sysctl -qw net.ipv4.conf.eth0-r.rp_filter=2",
        "ip netns exec red iptables -A INPUT -p tcp --dport 80 -j DROP",
    ):
        sh(*line.split())
    with process_without_a_name() as pid:
        answer = anyhow("snapshot_info", counters=False)["snapshot"]
        spaces = {one["netns"]: one for one in answer["namespaces"]}
        assert f"/proc/{pid}/ns/net" in spaces and answer["namespaces"][0]["netns"] == ""
    host = os.uname()
    assert (answer["host"]["hostname"], answer["host"]["kernel"]) == (host.nodename, host.release)
    red = spaces["red"]
    assert red["name"] == "red" and red["nsid"] is not None and red["containers"] == []
    assert [one["name"] for one in red["links"] if one["name"] != "tunl0"] == ["lo", "eth0-r"]
    assert red["links"][-1]["peer"]["name"] == "veth-r" and red["links"][-1]["peer"]["netns"] == ""
    assert "198.51.100.0/24 via 192.168.20.1 dev eth0-r table 100" in [one["text"] for one in red["routes"]]
    assert "100" in [str(one["table"]) for one in red["rules"]] and red["rules"][0]["priority"] == 0
    assert [one["dst"] for one in red["neighbors"]] == ["192.168.20.9"]
    (strict,) = (one for one in red["sysctls"] if one["name"] == "net.ipv4.conf.eth0-r.rp_filter")
    assert strict["effective"] == "2"
    assert [rule["text"] for rule in red["iptables"]["rules"]] == ["-A INPUT -p tcp -m tcp --dport 80 -j DROP"]
    alone = anyhow("iptables_info", netns="red")
    assert snapshot._still({name: alone[name] for name in ("chains", "rules")}) == red["iptables"]
    assert "statistics" not in str(answer) and "gc_timer" not in str(answer) and "packets" not in str(red["iptables"])
    assert spaces[""]["iptables"] == {"chains": [], "rules": []}


@pytest.mark.usefixtures("lab")
def test_all_but_the_rules_where_there_is_no_iptables(monkeypatch: pytest.MonkeyPatch) -> None:
    sh("ip", "netns", "add", "red")
    sh("ip", "netns", "exec", "red", "iptables", "-A", "INPUT", "-j", "ACCEPT")
    monkeypatch.setenv("PATH", "/nowhere")
    answer = anyhow("snapshot_info", netns="red")
    (space,) = answer["snapshot"]["namespaces"]
    assert space["links"] and space["sysctls"] and space["iptables"] == {"chains": [], "rules": []}
    (warning,) = answer["warnings"]
    assert "the rules of iptables are not in the snapshot: iptables is not installed" in str(warning)
    assert "warnings" not in anyhow("snapshot_info", netns="red", gather=["links"])


@pytest.mark.usefixtures("lab")
def test_only_what_is_gathered_and_bad_input() -> None:
    sh("ip", "netns", "add", "red")
    assert set(taken("red", gather=["rules"])) == {"netns", "name", "inode", "nsid", "containers", "rules"}
    assert taken("red", gather=["links"])["links"][0]["statistics"]["rx"]["bytes"] == 0
    assert anyhow("snapshot_info", netns="nowhere")["msg"] == "there is no network namespace nowhere"
    assert "root is needed" in anyhow("snapshot_info", user=65534)["msg"]
