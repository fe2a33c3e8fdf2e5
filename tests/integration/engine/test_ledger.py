# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No entry of the ledger outlives its object; what somebody else made under the same name is theirs."""

from __future__ import annotations

import os
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Options, Refused, run
from ansible_collections.linuxnet.lab.plugins.module_utils._ledger import FOLDER

from .support import sh, state, unlike

LAB = Options(name="lab", prune=True)
PAIR = {"name": "v0", "kind": "veth", "up": True, "peer": {"name": "v1", "up": True}}
BASE: dict[str, Any] = {"links": [PAIR], "addresses": [{"dev": "v0", "address": "10.5.5.1/24"}]}
ABSENT = {"state": "absent"}
# what a description makes; what an administrator puts in its place
REPLACED: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a route": (
        {"routes": [{"dst": "10.77.0.0/16", "type": "blackhole"}]},
        ("ip route del blackhole 10.77.0.0/16", "ip route add blackhole 10.77.0.0/16 proto static"),
    ),
    "a route whose protocol is stated": (
        {"routes": [{"dst": "10.77.0.0/16", "type": "blackhole", "proto": "bird"}]},
        ("ip route replace blackhole 10.77.0.0/16 proto static",),
    ),
    "an address": (
        {"addresses": [{"dev": "v0", "address": "10.6.6.1/24"}]},
        ("ip addr del 10.6.6.1/24 dev v0", "ip addr add 10.6.6.1/24 dev v0"),
    ),
    "a rule": (
        {"rules": [{"priority": 77, "from": "10.5.5.0/24", "table": 254}]},
        ("ip rule del priority 77", "ip rule add priority 77 from 10.5.5.0/24 table 254"),
    ),
    "a neighbour": (
        {"neighbors": [{"dev": "v0", "dst": "10.5.5.9", "lladdr": "02:00:00:00:00:09"}]},
        ("ip neigh del 10.5.5.9 dev v0", "ip neigh add 10.5.5.9 lladdr 02:00:00:00:00:09 dev v0"),
    ),
    "a link that others marked": (
        {"links": [{"name": "br1", "kind": "bridge"}]},
        ("ip link set br1 group 6",),
    ),
    "a link": (
        {"links": [{"name": "br0", "kind": "bridge"}]},
        ("ip link del br0", "ip link add br0 type bridge"),
    ),
}  # fmt: skip
BY_HAND = pytest.mark.parametrize(("stated", "by_hand"), REPLACED.values(), ids=REPLACED)

pytestmark = pytest.mark.usefixtures("lab")


def absent(description: dict[str, Any]) -> dict[str, Any]:
    """The same objects, to go."""
    return {section: [{**one, **ABSENT} for one in entries] for section, entries in description.items()}


@BY_HAND
def test_what_is_made_goes_again_without_a_trace(stated: dict[str, Any], by_hand: tuple[str, ...]) -> None:
    run(BASE, LAB._replace(name="base"))
    before = state()
    run(stated, LAB)
    assert not run(stated, LAB).changed
    run({}, LAB)
    assert not unlike(before, state())
    run({}, LAB._replace(name="base"))
    assert not os.path.exists(FOLDER)


@BY_HAND
def test_what_somebody_put_in_its_place_stays(stated: dict[str, Any], by_hand: tuple[str, ...]) -> None:
    run(BASE, LAB._replace(name="base"))
    run(stated, LAB)
    for line in by_hand:
        sh(*line.split())
    before = state()
    run({}, LAB)
    assert not unlike(before, state())


@pytest.mark.parametrize(
    ("stated", "by_hand"),
    [pair for pair in REPLACED.values() if "neighbors" not in pair[0]],  # these may be removed, whosever they are
)
def test_what_somebody_put_in_its_place_is_not_removed_without_adopt(
    stated: dict[str, Any], by_hand: tuple[str, ...]
) -> None:
    run(BASE)
    run(stated)
    for line in by_hand:
        sh(*line.split())
    before = state()
    with pytest.raises(Refused, match="was not made by linuxnet.lab, so it stays"):
        run(absent(stated))
    assert not unlike(before, state())


def test_an_address_of_a_link_that_went_is_not_known_any_more() -> None:
    run(BASE)
    run({"links": [{"name": "v0", **ABSENT}]})
    assert not os.path.exists(FOLDER)
    sh("ip", "link", "add", "v0", "type", "bridge")
    sh("ip", "addr", "add", "10.5.5.1/24", "dev", "v0")
    before = state()
    with pytest.raises(Refused, match="was not made by linuxnet.lab"):
        run(absent({"addresses": BASE["addresses"]}))
    assert not unlike(before, state())


def test_what_goes_along_with_a_link_or_a_namespace_is_not_known_any_more() -> None:
    there = {"netns": "red"}
    run({
        "namespaces": ["red"],
        "links": [PAIR, {"name": "e0", "kind": "veth", "peer": {"name": "e0", **there}}],
        "addresses": [*BASE["addresses"], {"dev": "e0", "address": "10.7.7.1/24", **there}],
        "routes": [{"dst": "10.78.0.0/16", "via": "10.5.5.9"}, {"dst": "10.79.0.0/16", "type": "blackhole", **there}],
        "neighbors": [{"dev": "v0", "dst": "10.5.5.9", "lladdr": "02:00:00:00:00:09"}],
        "sysctls": [
            {"name": "net.ipv4.conf.v1.rp_filter", "value": 2},
            {"name": "net.ipv4.ip_forward", "value": 1, **there},
        ],
        "chains": [{"table": "nat", "name": "LAB-X", "rules": ["-j RETURN"], **there}],
    })  # fmt: skip
    run({"links": [{"name": "v0", **ABSENT}], "namespaces": [{"name": "red", **ABSENT}]})
    assert not os.path.exists(FOLDER)


def test_what_is_gone_by_other_hands_is_forgotten_and_made_anew() -> None:
    one, two = LAB._replace(name="one"), LAB._replace(name="two")
    route = {"routes": [{"dst": "10.77.0.0/16", "type": "blackhole"}]}
    chain = {"chains": [{"table": "nat", "name": "LAB-X", "rules": ["-j RETURN"]}]}
    run({**route, **chain}, one)
    sh("ip", "route", "flush", "root", "10.77.0.0/16")
    sh("iptables", "-t", "nat", "-F", "LAB-X")
    sh("iptables", "-t", "nat", "-X", "LAB-X")
    run({**route, **chain}, two)
    before = state()
    run({}, one)
    assert not unlike(before, state())
    run({}, two)
    assert not os.path.exists(FOLDER)


def test_a_mark_that_a_description_changes_later_is_still_its_own() -> None:
    before = state()
    for proto in ("bird", "static", 80):
        run({"routes": [{"dst": "10.77.0.0/16", "type": "blackhole", "proto": proto}]}, LAB)
    run({"routes": [{"dst": "10.77.0.0/16", "type": "blackhole"}]}, LAB)
    run({}, LAB)
    assert not unlike(before, state())


def test_a_namespace_that_somebody_made_anew_is_not_removed_without_adopt() -> None:
    run({"namespaces": ["red"]})
    sh("ip", "netns", "del", "red")
    sh("ip", "netns", "add", "red")
    with pytest.raises(Refused, match="was not made by linuxnet.lab"):
        run({"namespaces": [{"name": "red", **ABSENT}]})


def test_lo_of_a_namespace_that_was_made_is_not_made() -> None:
    """The description had it set up; it goes with the namespace, and not before."""
    before = state()
    run({"namespaces": ["red"], "links": [{"name": "lo", "netns": "red", "up": True}]}, LAB)
    run({"namespaces": ["red"]}, LAB)
    run({}, LAB)
    assert not unlike(before, state())


def test_what_a_whole_teardown_does_not_look_for_is_not_gone() -> None:
    """Another description's chain and parameter: the namespaces of this one go whole."""
    before = state()
    other = Options(name="other", prune=True)
    chain = {"table": "filter", "name": "LAB-X", "rules": ["-i br0 -j ACCEPT"], "jumps": [{"from": "FORWARD"}]}
    forward = {"sysctls": [{"name": "net.ipv4.ip_forward", "value": 1}]}
    run({**forward, "chains": [chain]}, other)
    run({**forward, "namespaces": ["red"]}, LAB)
    run({}, LAB)
    run({}, other)
    assert not unlike(before, state()) and "LAB-X" not in sh("iptables-save")
