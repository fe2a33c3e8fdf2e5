# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mistakes and hosts that cannot: one clear message each, and nothing has been changed."""

from __future__ import annotations

import fcntl
import os
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils import _engine, _iptables, _ledger
from ansible_collections.linuxnet.lab.plugins.module_utils import _netlink as nl
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Options, Refused, run

from .support import kernel_has, sh, state, unlike

pytestmark = pytest.mark.usefixtures("lab")

VETH = {"kind": "veth", "peer": {"name": "p0"}}
MISTAKES: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"links": [{"name": "a-name-of-16-byte", "kind": "bridge"}]}, ("link", "option name", "15 at the most")),
    ({"links": [{"name": "a/b", "kind": "bridge"}]}, ("option name", "'/'")),
    ({"namespaces": ["../up"]}, ("namespace", "option name", "'/'")),
    ({"namespaces": [".."]}, ("option name", "not a name")),
    (
        {"addresses": [{"netns": "nowhere", "dev": "lo", "address": "10.0.0.1/8"}]},
        ("there is no network namespace nowhere",),
    ),
    ({"addresses": [{"netns": 999999, "dev": "lo", "address": "10.0.0.1/8"}]}, ("option netns", "999999")),
    ({"addresses": [{"dev": "lo", "address": "10.0.0.300/8"}]}, ("option address", "10.0.0.300/8")),
    ({"addresses": [{"dev": "none0", "address": "10.0.0.1/8"}]}, ("there is no interface none0",)),
    (
        {"links": [{"name": "vx0", "kind": "vxlan", "id": 16777216, "dstport": 4789}]},
        ("link vx0", "option id", "out of range"),
    ),
    ({"links": [{"name": "vx0", "kind": "vxlan", "id": 1, "dstport": 0}]}, ("option dstport", "out of range")),
    (
        {"links": [{"name": "vx0", "kind": "vxlan", "id": 1, "group": "192.0.2.1", "dev": "lo"}]},
        ("option group", "not a multicast"),
    ),
    (
        {"links": [{"name": "vx0", "kind": "vxlan", "id": 1, "remote": "::1", "local": "192.0.2.1"}]},
        ("one address family",),
    ),
    ({"links": [{"name": "br0", "kind": "bridge", "sppeed": 1}]}, ("option sppeed", "no such option")),
    ({"links": [{"name": "br0", "kind": "tuba"}]}, ("option kind", "tuba")),
    ({"links": [{"name": "br0", "kind": "bridge", "address": "01:00:5e:00:00:01"}]}, ("option address", "multicast")),
    ({"links": [{"name": "br0", "kind": "bridge"}, {"name": "br0", "kind": "bridge"}]}, ("stated twice",)),
    ({"links": [{"name": "v0", "kind": "veth"}]}, ("option peer", "pair")),
    ({"links": [{"name": "v0", **VETH, "master": "br9"}]}, ("option master", "br9")),
    ({"links": [{"name": "nothing0", "mtu": 1400}]}, ("there is no such link",)),
    ({"routes": [{"dst": "10.0.0.1/8", "via": "192.0.2.1"}]}, ("route", "option dst", "host bits")),
    ({"routes": [{"dst": "10.0.0.0/8", "type": "blackhole", "via": "192.0.2.1"}]}, ("option via", "blackhole")),
    ({"routes": [{"dst": "10.0.0.0/8"}, {"dst": "10.0.0.0/8"}]}, ("stated twice",)),
    ({"rules": [{"from": "10.0.0.0/8", "table": 9}]}, ("rule", "option priority", "is required")),
    ({"rules": [{"priority": 9, "from": "10.0.0.1/8"}]}, ("rule 9", "option from", "host bits")),
    ({"rules": [{"priority": 9, "from": "10.0.0.0/8", "to": "2001:db8::/32"}]}, ("option to", "one address family")),
    ({"rules": [{"priority": 9, "from": "10.0.0.0/8", "family": "inet6"}]}, ("option family",)),
    ({"rules": [{"priority": 9, "goto": 8}]}, ("option goto", "higher priority")),
    ({"rules": [{"priority": 9, "action": "goto"}]}, ("option goto", "is required")),
    ({"rules": [{"priority": 9, "action": "prohibit", "table": 9}]}, ("option table", "looks nothing up")),
    ({"rules": [{"priority": 9, "fwmark": 3, "fwmask": 1}]}, ("option fwmark", "never match")),
    ({"rules": [{"priority": 9, "sport": "90-80"}]}, ("option sport", "above the last")),
    ({"rules": [{"priority": 9, "tos": 4, "dscp": 1}]}, ("option dscp", "exclude")),
    ({"rules": [{"priority": 9}, {"priority": 9, "from": "all"}]}, ("rule 9: from all lookup main is stated twice",)),
    ({"sysctls": [{"name": "kernel.hostname", "value": "x"}]}, ("option name", "not a parameter of the network")),
    ({"sysctls": [{"name": "net/../../etc", "value": "x"}]}, ("option name",)),
    (
        {"neighbors": [{"dev": "lo", "dst": "10.0.0.1", "proxy": True, "lladdr": "02:00:00:00:00:01"}]},
        ("option lladdr", "proxy"),
    ),
    ({"fdb": [{"dev": "lo", "mac": "02:00:00:00:00"}]}, ("option mac", "not a MAC")),
    ({"chains": [{"name": "POSTROUTING", "table": "nat"}]}, ("built-in chain",)),
    ({"chains": [{"name": "LINUXNET-X", "table": "nat", "rules": ["-m comment --comment 'open"]}]}, ("option rules",)),
    ({"lynx": []}, ("lynx", "no such section")),
    ({"links": ["br0"]}, ("links[1]", "not a dictionary")),
]


@pytest.mark.parametrize(
    "description, words", MISTAKES, ids=lambda value: value[0][:30] if isinstance(value, tuple) else ""
)
def test_a_mistake_is_named_and_nothing_has_been_changed(description: dict[str, Any], words: tuple[str, ...]) -> None:
    before = state()
    with pytest.raises(Refused) as refused:
        run({"namespaces": ["fine"], **description} if "namespaces" not in description else description)
    for word in words:
        assert word in str(refused.value)
    assert not unlike(before, state())
    assert not os.path.exists(f"{_ledger.FOLDER}/ledger.json")


def test_all_mistakes_of_a_description_come_together() -> None:
    description: dict[str, Any] = {}
    for mistake, _words in MISTAKES[:1] + MISTAKES[6:9]:
        for section, entries in mistake.items():
            description.setdefault(section, []).extend(entries)
    with pytest.raises(Refused) as refused:
        run(description)
    assert len(refused.value.problems) == 4


def test_a_tunnel_larger_than_its_underlay_is_refused() -> None:
    sh("ip", "link", "add", "under", "mtu", "1400", "type", "veth", "peer", "name", "lower")
    vxlan = {
        "name": "vx0",
        "kind": "vxlan",
        "id": 1,
        "dstport": 4789,
        "dev": "under",
        "local": "192.0.2.1",
        "mtu": 1351,
    }
    with pytest.raises(
        Refused, match="option mtu: 1351 is too large for the underlay: vxlan over under .mtu 1400. leaves 1350"
    ):
        run({"links": [vxlan]})
    assert run({"links": [{**vxlan, "mtu": 1350}]}).changed


def test_what_others_made_is_not_taken_over_unasked() -> None:
    sh("ip", "link", "add", "br0", "type", "bridge")
    sh("ip", "netns", "add", "red")
    sh("ip", "route", "add", "blackhole", "198.51.100.0/24")
    description = {
        "namespaces": ["red"],
        "links": [{"name": "br0", "kind": "bridge", "stp_state": True}],
        "routes": [{"dst": "198.51.100.0/24", "type": "unreachable"}],
    }
    before = state()
    with pytest.raises(Refused) as refused:
        run(description)
    assert len(refused.value.problems) == 3 and str(refused.value).count("adopt: true") == 3
    assert not unlike(before, state())
    assert run(description, Options(adopt=True)).changed
    assert not run(description).changed, "what was adopted is the collection's own"


@pytest.mark.parametrize("name", ["lo", "ens9", "tunl0"])
def test_built_in_and_foreign_links_are_not_deleted(name: str) -> None:
    if name == "tunl0" and not kernel_has("ipip"):
        pytest.skip("KERNEL: this one has no ipip, so no tunl0; it is run in a guest that has")
    sh("ip", "link", "add", "ens9", "type", "veth", "peer", "name", "far")
    before = state()
    with pytest.raises(Refused, match="was not made by|physical or built-in|fallback device"):
        run({"links": [{"name": name, "state": "absent"}]})
    assert not unlike(before, state())


def test_a_wrong_kind_of_the_same_name_is_not_taken_for_right() -> None:
    run({"links": [{"name": "x0", "kind": "bridge"}]})
    with pytest.raises(Refused, match="it exists and is a bridge, not a veth"):
        run({"links": [{"name": "x0", **VETH}]})
    assert run({"links": [{"name": "x0", **VETH}]}, Options(recreate=True)).changed


def test_a_kernel_without_the_kind_says_so_before_anything_is_changed() -> None:
    if kernel_has("ipip"):
        pytest.skip("KERNEL: this one has ipip; a kernel without it is tested on the machine itself")
    before = state()
    with pytest.raises(Refused, match=r"this kernel \(.*\) has no ipip \(CONFIG_NET_IPIP\)"):
        run({"namespaces": ["red"], "links": [{"name": "t0", "kind": "ipip", "remote": "192.0.2.1"}]})
    assert not unlike(before, state())


def test_without_root_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_engine.os, "geteuid", lambda: 1000)
    with pytest.raises(Refused, match="root is needed, this is user 1000; say become: true"):
        run({"namespaces": ["red"]})


def test_without_pyroute2_it_says_which_version_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nl, "PYROUTE2_IMPORT_ERROR", "ImportError")
    with pytest.raises(Refused, match="pyroute2: version 0.7.2 or newer"):
        run({"namespaces": ["red"]})


def test_without_iptables_it_says_which_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_iptables, "available", lambda family: False)
    with pytest.raises(Refused, match="iptables is not installed on this host .package iptables."):
        run({"chains": [{"table": "nat", "name": "LINUXNET-X", "rules": []}]})


def test_two_runs_at_once_wait_for_each_other_or_say_so() -> None:
    os.makedirs(_ledger.FOLDER)
    with open(f"{_ledger.FOLDER}/lock", "w", encoding="utf-8") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        other.write("4711")
        other.flush()
        with pytest.raises(Refused, match=r"another run of linuxnet.lab on this host \(PID 4711\) is still at work"):
            run({"namespaces": ["red"]}, Options(lock_timeout=0.2))
    assert run({"namespaces": ["red"]}, Options(lock_timeout=0.2)).changed
