# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespaces that go: nobody looks into them, they come back whole after a failure, and nothing of them is left."""

from __future__ import annotations

import itertools
import json
import subprocess
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Failed, Options, Refused, run
from hypothesis import given

from .networks import Description, descriptions
from .support import own_network, sh, state, unlike
from .test_properties import failing_at, profile

LAB = Options(name="lab", prune=True)
NETWORK: dict[str, Any] = {
    "namespaces": ["red", "green"],
    "links": [
        {"name": "br0", "kind": "bridge", "up": True},
        *(
            {"name": f"v{n}", "kind": "veth", "master": "br0", "up": True, "peer": {"name": "eth0", "netns": n, "up": True}}
            for n in ("red", "green")
        ),
        {"name": "across", "netns": "red", "kind": "veth", "peer": {"name": "across", "netns": "green"}},
    ],
    "addresses": [
        {"dev": "br0", "address": "10.0.0.1/24"},
        {"netns": "red", "dev": "eth0", "address": "10.0.0.2/24"},
        {"dev": "vgreen", "address": "10.0.1.1/24"},
    ],
    "routes": [
        {"netns": "red", "dst": "default", "via": "10.0.0.1"},
        {"dst": "203.0.113.0/24", "via": "10.0.1.9"},
    ],
    "sysctls": [{"name": "net.ipv4.ip_forward", "value": 1}],
}  # fmt: skip


def links(*where: str) -> set[str]:
    """The names of a namespace's links."""
    return {one["ifname"] for one in json.loads(sh("ip", "-j", *where, "link")) if one["ifname"] != "tunl0"}


@profile
@given(descriptions())
def test_a_failure_at_any_op_of_a_teardown_leaves_all_as_it_was(description: Description) -> None:
    with own_network():
        start = state()
        run(description, LAB)
        before = state()
        for position in itertools.count():
            try:
                run({}, LAB, failing_at(position))
            except Failed as failure:
                assert failure.rolled_back, (position, str(failure), failure.left)
                left = unlike(before, state())
                assert not left, (f"after a failure at op {position}: {failure}", left)
            else:
                break
        assert not unlike(start, state())


@pytest.mark.usefixtures("lab")
def test_namespaces_come_back_with_what_no_description_can_state() -> None:
    run(NETWORK, LAB)
    sh("tc", "-n", "red", "qdisc", "add", "dev", "eth0", "root", "pfifo", "limit", "7")
    sh("ip", "-n", "red", "link", "add", "link", "eth0", "name", "unstated", "type", "macvlan", "mode", "private")
    before = state(with_ifindex=True), sh("tc", "-n", "red", "qdisc")
    failures = 0
    for position in itertools.count():
        try:
            run({}, LAB, failing_at(position))
        except Failed as failure:
            failures += 1
            assert failure.rolled_back, (position, str(failure), failure.left)
            assert not unlike(before, (state(with_ifindex=True), sh("tc", "-n", "red", "qdisc"))), position
        else:
            break
    assert failures >= 5  # the bridge, two namespaces, and at last the two links that go with them
    assert links() == {"lo"}


@pytest.mark.usefixtures("lab")
def test_the_outer_ends_are_gone_on_return_even_if_a_process_stays_in_the_namespace() -> None:
    run(NETWORK, LAB)
    with subprocess.Popen(["ip", "netns", "exec", "red", "sleep", "60"]) as process:
        try:
            shown = run({}, LAB._replace(check=True)).commands
            assert run({}, LAB).commands == shown
            assert "ip netns del red" in shown and not [line for line in shown if "vred" in line]
            assert links() == {"lo"}
            assert run(NETWORK, LAB).changed
            assert not run(NETWORK, LAB).changed
        finally:
            process.kill()


@pytest.mark.usefixtures("lab")
def test_an_end_that_nobody_stated_goes_with_the_namespace_of_the_other() -> None:
    run({"namespaces": ["red", "green"]}, LAB)
    sh("ip", "link", "add", "guest", "type", "veth", "peer", "name", "eth7", "netns", "red")
    sh("ip", "link", "add", "neighbour", "type", "veth", "peer", "name", "eth8", "netns", "green")
    run({"namespaces": [{"name": "red", "state": "absent"}]})
    assert links() == {"lo", "neighbour"}
    assert links("-n", "green") == {"lo", "eth8"}


@pytest.mark.usefixtures("lab")
def test_what_another_description_holds_in_a_namespace_keeps_the_namespace_and_only_the_own_goes() -> None:
    one, two = LAB._replace(name="one"), LAB._replace(name="two")
    run({"namespaces": ["red"], "links": [{"name": "br1", "netns": "red", "kind": "bridge"}]}, one)
    run({"namespaces": ["red"], "links": [{"name": "br2", "netns": "red", "kind": "bridge"}]}, two)
    run({}, one)
    assert links("-n", "red") == {"lo", "br2"}
    run({}, two)
    assert sh("ip", "netns") == ""


@pytest.mark.usefixtures("lab")
def test_a_namespace_of_the_ledger_that_somebody_made_anew_is_theirs() -> None:
    run(NETWORK, LAB)
    sh("ip", "netns", "del", "red")
    sh("ip", "netns", "add", "red")
    sh("ip", "-n", "red", "link", "add", "eth0", "type", "bridge")
    run({}, LAB)
    assert links("-n", "red") == {"lo", "eth0"}
    with pytest.raises(Refused):
        run({"namespaces": [{"name": "red", "state": "absent"}]}, LAB)


@pytest.mark.usefixtures("lab")
def test_what_goes_along_does_not_meet_what_takes_its_place() -> None:
    """The same address and the same route, on another link: it is not there yet when the old one is in the way."""
    run(NETWORK, LAB)
    run(
        {
            "links": [{"name": "br7", "kind": "bridge", "up": True}],
            "addresses": [{"dev": "br7", "address": "10.0.1.1/24"}],
            "routes": [{"dst": "203.0.113.0/24", "via": "10.0.1.9"}],
        },
        LAB,
    )
    assert links() == {"lo", "br7"}
    assert "via 10.0.1.9 dev br7" in sh("ip", "route")
