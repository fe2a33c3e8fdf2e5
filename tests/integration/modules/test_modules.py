# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each module through its own entry point, as Ansible runs it: create, again, check mode, diff, change, refuse, remove."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ..engine.support import kernel_has, lab, sh, state, unlike

__all__ = ["lab"]
pytestmark = pytest.mark.usefixtures("lab")


# As it is where Ansible has started a module again with another Python of the host, which has no other pyroute2 either.
AGAIN = "__import__('sys').modules['__main__']._respawned = True; from {0} import main; main()"


def module(which: str, check: bool = False, path: Path | None = None, **parameters: Any) -> dict[str, Any]:
    """Run a module; its answer, which is not an unexpected one."""
    answer = answer_of(which, check, path, **parameters)
    assert "crash" not in answer and "Traceback" not in str(answer.get("exception", "")), answer
    return answer


def answer_of(which: str, check: bool = False, path: Path | None = None, **parameters: Any) -> dict[str, Any]:
    """Run a module; its answer. What is in `path` stands before what is installed."""
    name = f"ansible_collections.linuxnet.lab.plugins.modules.{which}"
    arguments = {"ANSIBLE_MODULE_ARGS": {**parameters, "_ansible_check_mode": check, "_ansible_diff": True}}
    done = subprocess.run(
        [sys.executable, "-B", *(["-c", AGAIN.format(name)] if path else ["-m", name])],
        input=json.dumps(arguments), capture_output=True, text=True, check=False, cwd="/",
        env={**os.environ, **({"PYTHONPATH": str(path)} if path else {})},
    )  # fmt: skip
    answer: dict[str, Any] = (
        json.loads(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else {"crash": done.stderr}
    )
    return answer


class Case(NamedTuple):
    """What a module is tried with."""

    name: str
    create: dict[str, Any]
    change: dict[str, Any]  # changes in place
    refused: dict[str, Any]  # cannot change in place
    wrong: tuple[dict[str, Any], str]  # bad input, and a word of the message
    key: dict[str, Any]  # what names it, for its removal
    shell: tuple[str, ...] = ()  # to be there before


VETH = "ip link add v0 type veth peer name p0"
CASES = [
    Case("netns", {"name": "red"}, {}, {}, ({"name": "a/b"}, "option name"), {"name": "red"}),
    Case(
        "bridge", {"name": "br0", "up": True}, {"stp_state": True, "forward_delay": 501}, {"numtxqueues": 7},
        ({"name": "br0", "vlan_default_pvid": 4095}, "out of range"), {"name": "br0"},
    ),
    Case(
        "veth", {"name": "v0", "peer": {"name": "p0", "mtu": 1400}}, {"mtu": 1300}, {"peer": {"name": "p1"}},
        ({"name": "v0"}, "comes as a pair"), {"name": "v0"},
    ),
    Case(
        "vxlan", {"name": "vx0", "id": 42, "dstport": 4789, "local": "192.0.2.1", "remote": "192.0.2.2"},
        {"remote": "192.0.2.3", "ageing": 60}, {"id": 43},
        ({"name": "vx0", "id": 1 << 24}, "option id"), {"name": "vx0"},
    ),
    Case(
        "link", {"name": "br0", "kind": "bridge", "mtu": 1400}, {"mtu": 1300, "alias": "the lab's"}, {"numtxqueues": 3},
        ({"name": "nothing0", "mtu": 1400}, "there is no such link"), {"name": "br0"},
    ),
    Case(
        "address", {"dev": "v0", "address": "192.0.2.1/24"}, {"valid_lft": "3600", "preferred_lft": "1800"}, {"scope": "link"},
        ({"dev": "v0", "address": "192.0.2.300/24"}, "option address"), {"dev": "v0", "address": "192.0.2.1/24"}, (VETH,),
    ),
    Case(
        "route", {"dst": "198.51.100.0/24", "via": "192.0.2.9"}, {"via": "192.0.2.8", "mtu": 1300}, {},
        ({"dst": "198.51.100.1/24", "via": "192.0.2.9"}, "option dst"), {"dst": "198.51.100.0/24"},
        (VETH, "ip addr add 192.0.2.1/24 dev v0", "ip link set v0 up"),
    ),
    Case(
        "rule", {"priority": 100, "from": "10.244.0.0/16", "table": "100"}, {}, {},
        ({"priority": 100, "goto": 50}, "option goto"), {"priority": 100, "from": "10.244.0.0/16", "table": "100"},
    ),
    Case(
        "neighbor", {"dev": "v0", "dst": "192.0.2.9", "lladdr": "02:00:00:00:00:09"}, {"lladdr": "02:00:00:00:00:08"}, {},
        ({"dev": "v0", "dst": "192.0.2.9", "lladdr": "02:00"}, "option lladdr"), {"dev": "v0", "dst": "192.0.2.9"},
        (VETH, "ip link set v0 up"),
    ),
    Case(
        "fdb", {"dev": "vx0", "mac": "02:00:00:00:00:09", "dst": "192.0.2.9"}, {"dst": "192.0.2.8"}, {},
        ({"dev": "vx0", "mac": "02:00:00:00:00:09", "port": 70000}, "option port"), {"dev": "vx0", "mac": "02:00:00:00:00:09"},
        ("ip link add vx0 type vxlan id 1 dstport 4789",),
    ),
    Case(
        "sysctl", {"name": "net.ipv4.ip_forward", "value": "1"}, {"value": "0"}, {},
        ({"name": "kernel.panic", "value": "1"}, "option name"), {"name": "net.ipv4.ip_forward"},
        ("sysctl -qw net.ipv4.ip_forward=0",),
    ),
    Case(
        "proxy_arp", {"dev": "v0", "proxy_delay": 0, "addresses": ["192.0.2.7"]}, {"proxy_delay": 5}, {},
        ({"dev": "none0"}, "none0"), {"dev": "v0", "proxy_delay": 0, "addresses": ["192.0.2.7"]}, (VETH,),
    ),
    Case(
        "network_state",
        {"name": "lab", "namespaces": ["red"], "links": [{"name": "br0", "kind": "bridge"}]},
        {"links": [{"name": "br0", "kind": "bridge", "mtu": 1400}]},
        {"links": [{"name": "br0", "kind": "bridge", "numtxqueues": 7}]},
        ({"links": [{"name": "br0", "kind": "bridge", "spanning": True}]}, "option spanning"), {"name": "lab"},
    ),
    Case(
        "iptables_rules",
        {"name": "set", "chains": [
            {"name": "KUBE-SERVICES", "table": "nat", "rules": ["-d 10.96.0.1 -p tcp --dport 443 -j KUBE-SEP-A"],
             "jumps": [{"from": "PREROUTING", "rule": '-m comment --comment "service portals"', "at": "first"}]},
            {"name": "KUBE-SEP-A", "table": "nat", "rules": ["-p tcp -j DNAT --to-destination 10.244.0.2:6443"]},
        ]},
        {"chains": [
            {"name": "KUBE-SERVICES", "table": "nat", "jumps": [{"from": "OUTPUT", "at": "last"}]},
            {"name": "KUBE-SEP-A", "table": "nat", "rules": ["-p tcp -j DNAT --to-destination 10.244.0.3:6443"]},
        ]}, {},
        ({"name": "set", "chains": [{"name": "INPUT", "table": "filter"}]}, "built-in chain"), {"name": "set"},
    ),
]  # fmt: skip
if kernel_has("ipip"):
    CASES.append(
        Case(
            "ipip_tunnel", {"name": "tun1", "local": "192.0.2.1", "remote": "192.0.2.2", "up": True},
            {"remote": "192.0.2.3", "ttl": "64"}, {"external": True},
            ({"name": "tun1", "remote": "2001:db8::1"}, "option remote"), {"name": "tun1"},
        )
    )  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_module_keeps_its_promises(case: Case) -> None:
    for line in case.shell:
        sh(*line.split())
    start = state()

    wrong, word = case.wrong
    answer = module(case.name, **wrong)
    assert answer["failed"] and word in answer["msg"] and "nothing has been changed" in answer["msg"], answer
    assert not unlike(start, state())

    planned = module(case.name, check=True, **case.create)
    assert planned["changed"] and planned["commands"] and not unlike(start, state())
    made = module(case.name, **case.create)
    assert made["changed"] and made["commands"] == planned["commands"] and made["diff"] == planned["diff"]
    assert made["objects"] and not made.get("failed")
    again = module(case.name, **case.create)
    assert not again["changed"] and again["commands"] == [] and again["diff"] == {"before": {}, "after": {}}

    if case.change:
        answer = module(case.name, **{**case.create, **case.change})
        assert answer["changed"], answer
        options = {option for fields in answer["diff"]["after"].values() for option in fields}
        assert options, answer
        assert not module(case.name, **{**case.create, **case.change})["changed"]
    if case.refused:
        before = state()
        answer = module(case.name, **{**case.create, **case.refused})
        assert answer["failed"] and "recreate: true" in answer["msg"], answer
        assert not unlike(before, state())
        answer = module(case.name, **{**case.create, **case.refused, "recreate": True})
        assert answer["changed"], answer

    gone = module(case.name, state="absent", **case.key)
    assert gone["changed"] or case.name == "sysctl", gone
    assert not module(case.name, state="absent", **case.key)["changed"]
    assert not unlike(start, state())


def test_a_parameter_goes_back_to_what_it_was_unless_somebody_else_set_it() -> None:
    name = "net.ipv4.conf.lo.proxy_arp"
    sh("sysctl", "-qw", f"{name}=1")
    by_hand = module("sysctl", name=name, state="absent", adopt=True)
    assert not by_hand["changed"] and not by_hand.get("warnings") and sh("sysctl", "-n", name) == "1\n"
    module("network_state", name="lab", sysctls=[{"name": name, "value": 0}])
    for which, key in (("sysctl", {"name": name}), ("proxy_arp", {"dev": "lo"})):
        for check in (True, False):
            held = module(which, check=check, state="absent", **key)
            assert not held["changed"]
            assert f"sysctl {name} stays as it is: the description 'lab' holds it" in str(held["warnings"])
    assert module("sysctl", name=name, value="1")["changed"]
    both = module("sysctl", name=name, state="absent")
    assert not both["changed"] and both["warnings"] == held["warnings"] and sh("sysctl", "-n", name) == "1\n"
    assert module("network_state", name="lab", state="absent")["changed"] is False
    assert sh("sysctl", "-n", name) == "1\n"


def test_proxy_arp_goes_back_with_all_that_it_set() -> None:
    sh(*VETH.split())
    start = state()
    delay = ("sysctl", "-n", "net.ipv4.neigh.v0.proxy_delay")
    before = sh(*delay)
    module("proxy_arp", dev="v0", proxy_delay=0)
    assert sh(*delay) == "0\n"
    assert module("proxy_arp", dev="v0", state="absent")["changed"]
    assert sh(*delay) == before and not unlike(start, state())


def test_a_kernel_without_ipip_is_told_before_anything_is_changed() -> None:
    if kernel_has("ipip"):
        pytest.skip("KERNEL: this one has ipip; a kernel without it is tested on the machine itself")
    answer = module("ipip_tunnel", **{"name": "tun1", "remote": "192.0.2.1"})
    assert answer["failed"] and "has no ipip (CONFIG_NET_IPIP)" in answer["msg"]


@pytest.mark.parametrize(
    "version, said", [("", "No module named 'pyroute2'"), ("0.5.19", "pyroute2 0.5.19 is too old")]
)
def test_a_host_without_pyroute2_or_with_an_old_one_is_told(tmp_path: Path, version: str, said: str) -> None:
    """The host's pyroute2 is out of sight, or one that says that it is old stands before it."""
    if version:
        (tmp_path / "pyroute2/config").mkdir(parents=True)
        (tmp_path / "pyroute2/__init__.py").touch()
        (tmp_path / "pyroute2/config/version.py").write_text(f"__version__ = {version!r}\n")
    else:
        (tmp_path / "pyroute2.py").write_text("raise ModuleNotFoundError(\"No module named 'pyroute2'\")\n")
    before = state()
    answer = module("netns", path=tmp_path, name="red")
    assert answer["failed"] and not answer["changed"] and answer["commands"] == []
    assert "pyroute2 >= 0.7.2" in answer["msg"] and said in answer["msg"] and "linuxnet.lab.prepare" in answer["msg"]
    assert not unlike(before, state())


def test_ping_info_counts_and_times() -> None:
    sh("ip", "netns", "add", "red")
    sh("ip", "-n", "red", "link", "set", "lo", "up")
    answer = module(
        "ping_info", probes=[{"dst": "127.0.0.1", "netns": "red", "count": 2}, {"dst": "192.0.2.1", "timeout": 1}]
    )
    there, nowhere = answer["results"]
    assert (there["loss"], there["ttl"], there["received"]) == (0.0, [64], 2) and there["rtt"]["min"] > 0
    assert nowhere["received"] == 0 and "unreachable" in str(nowhere["errors"])
    assert module("ping_info", probes=[{"dst": "127.0.0.1", "netns": "nowhere"}])["failed"]


def test_what_nobody_expects_is_told_with_the_commands_as_well() -> None:
    Path("/run/linuxnet.lab").write_text("a file where the folder should be", encoding="utf-8")
    answer = answer_of("bridge", name="br0")
    assert answer["failed"] and "/run/linuxnet.lab" in answer["msg"] and answer["commands"] == []
