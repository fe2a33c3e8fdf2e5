# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A namespace is given by its name, by a path or by a PID: every module takes each, and means the same by them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins import modules

from ..engine.support import kernel_has, lab, sh
from .test_modules import CASES, Case, module

__all__ = ["lab"]
pytestmark = pytest.mark.usefixtures("lab")

# modules that look, or ask, and change nothing: (parameters with the namespace in its place, what is compared)
LOOKING: dict[str, Any] = {
    "echo_info": lambda netns: {"requests": [{"netns": netns, "address": "192.0.2.1", "port": 9, "timeout": 1}]},
    "fdb_info": lambda netns: {"netns": netns},
    "iptables_info": lambda netns: {"netns": netns},
    "link_info": lambda netns: {"netns": netns},
    "neighbor_info": lambda netns: {"netns": netns},
    "netns_info": lambda netns: {"netns": netns},
    "ping_info": lambda netns: {"probes": [{"netns": netns, "dst": "192.0.2.1"}]},
    "route_info": lambda netns: {"netns": netns, "table": "all"},
    "rule_info": lambda netns: {"netns": netns},
    "snapshot_info": lambda netns: {"netns": netns, "counters": False},
    "sysctl_info": lambda netns: {"netns": netns, "name": ["net.ipv4.ip_forward"]},
}
HERE = (
    "sysctl -qw net.ipv6.conf.default.disable_ipv6=1",  # nothing is sent, nothing counted
    "iptables -t nat -N HERE",
    "ip link add here type vxlan id 1 dstport 4789 remote 192.0.2.9",
    "ip link set here up",
    "ip addr add 192.0.2.1/24 dev here",
    "ip rule add priority 9 table 9",
    "ip neigh add 192.0.2.7 lladdr 02:00:00:00:00:07 dev here",
    "sysctl -qw net.ipv4.ip_forward=1",
)
PASSING = {"invocation", "rtt", "text", "netns", "time", "used", "updated", "confirmed"}
ELSEWHERE = {"netns", "network_state", "echo_server"}  # has none; states it entry by entry, as below


@pytest.fixture
def ways(lab: None) -> Iterator[list[str]]:
    """Three ways to say red: its name, a path to it, and the PID of a process in it."""
    sh("ip", "netns", "add", "red")
    sh("ip", "-n", "red", "link", "set", "lo", "up")
    with subprocess.Popen(
        ["ip", "netns", "exec", "red", "sh", "-c", "echo; cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        try:
            assert child.stdout is not None and child.stdout.readline()
            yield ["red", "/run/netns/red", str(child.pid)]
        finally:
            child.communicate()


def test_no_module_is_left_out() -> None:
    there = {path.stem for path in Path(modules.__path__[0]).glob("*.py")}
    tried = {case.name for case in CASES} | LOOKING.keys() | ELSEWHERE
    assert tried == there - (set() if kernel_has("ipip") else {"ipip_tunnel"})


@pytest.mark.parametrize("case", [one for one in CASES if one.name not in ELSEWHERE], ids=lambda case: case.name)
def test_what_changes_something(case: Case, ways: list[str]) -> None:
    for line in case.shell:
        sh("ip", "netns", "exec", "red", *line.split())
    made, *again = [module(case.name, **{**case.create, "netns": netns}) for netns in ways]
    assert made["changed"] and all("red" in line for line in made["commands"]), made
    assert [answer["changed"] for answer in again] == [False, False], again
    gone = module(case.name, state="absent", **{**case.key, "netns": ways[-1]})
    assert not gone.get("failed") and all("red" in line for line in gone["commands"]), gone


def test_a_description(ways: list[str]) -> None:
    answers = [
        module("network_state", name="lab", links=[{"name": "br0", "kind": "bridge", "netns": netns}]) for netns in ways
    ]
    assert [answer["changed"] for answer in answers] == [True, False, False]


def test_a_server(ways: list[str]) -> None:
    answers = [module("echo_server", servers=[{"name": "web", "netns": netns, "port": 9000}]) for netns in ways]
    try:
        assert [answer["changed"] for answer in answers] == [True, False, False], answers
    finally:
        module("echo_server", state="absent")


def lasting(found: Any) -> Any:
    """An answer without what is different from one moment to the next, and without the way it was asked."""
    if isinstance(found, dict):
        return {key: lasting(value) for key, value in found.items() if key not in PASSING}
    return [lasting(one) for one in found] if isinstance(found, list) else found


@pytest.mark.parametrize("name", LOOKING)
def test_what_looks(name: str, ways: list[str]) -> None:
    for line in HERE:
        sh("ip", "netns", "exec", "red", *line.split())
    first, *others = [lasting(module(name, **LOOKING[name](netns))) for netns in ways]
    assert not first.get("failed") and first != lasting(module(name, **LOOKING[name]("")))
    assert others == [first, first]
