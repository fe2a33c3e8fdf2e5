# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespaces that go: nobody looks into them, they come back whole after a failure, and nothing of them is left."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Failed, Options, Refused, run
from ansible_collections.linuxnet.lab.plugins.module_utils._model import Op
from hypothesis import given

from .networks import Description, descriptions
from .support import own_network, sh, state, unlike
from .test_properties import failing_at, profile

LAB = Options(name="lab", prune=True)
EXACT = partial(state, with_ifindex=True)
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


def torn_down(look: Callable[[], Any]) -> int:
    """Tear down with a failure at each op in turn, after which all is as it was, and then without; the number of ops."""
    before = look()
    for position in itertools.count():
        try:
            run({}, LAB, failing_at(position))
        except Failed as failure:
            assert failure.rolled_back, (position, str(failure), failure.left)
            left = unlike(before, look())
            assert not left, (f"after a failure at op {position}: {failure}", left)
        else:
            return position
    raise AssertionError


@profile
@given(descriptions())
def test_a_failure_at_any_op_of_a_teardown_leaves_all_as_it_was(description: Description) -> None:
    with own_network():
        start = state()
        run(description, LAB)
        torn_down(state)
        assert not unlike(start, state())


@pytest.mark.usefixtures("lab")
def test_namespaces_come_back_with_what_no_description_can_state() -> None:
    run(NETWORK, LAB)
    sh("tc", "-n", "red", "qdisc", "add", "dev", "eth0", "root", "pfifo", "limit", "7")
    sh("ip", "-n", "red", "link", "add", "link", "eth0", "name", "unstated", "type", "macvlan", "mode", "private")
    ops = torn_down(lambda: (state(with_ifindex=True), sh("tc", "-n", "red", "qdisc")))
    assert ops == 6  # the parameter, two namespaces, and at last the bridge and the two links that go with them
    assert links() == {"lo"}


@pytest.mark.usefixtures("lab")
def test_the_outer_ends_are_gone_on_return_even_if_a_process_stays_in_the_namespace() -> None:
    run(NETWORK, LAB)
    with subprocess.Popen(["ip", "netns", "exec", "red", "sleep", "60"]) as process:
        try:
            shown = run({}, LAB._replace(check=True)).commands
            assert run({}, LAB).commands == shown
            assert shown[-3:] == ["ip netns del green", "ip netns del red", "ip link del br0"]
            assert links() == {"lo"}
            assert run(NETWORK, LAB).changed
            assert not run(NETWORK, LAB).changed
        finally:
            process.kill()


@pytest.mark.usefixtures("lab")
def test_what_is_beside_the_namespaces_goes_as_well_and_comes_back_after_a_failure() -> None:
    sh("ip", "link", "add", "host0", "type", "veth", "peer", "name", "host1")
    sh("ip", "address", "add", "10.9.0.1/24", "dev", "host0")
    sh("ip", "link", "set", "host0", "up")
    sh("ip", "link", "set", "host1", "up")
    start = state(with_ifindex=True)
    beside = {
        "addresses": [{"dev": "host0", "address": "10.9.0.2/24"}, {"dev": "host0", "address": "fd00::1/64"}],
        "routes": [{"dst": "198.51.100.0/24", "via": "10.9.0.9"}, {"dst": "192.0.2.0/24", "via": "10.0.0.9"}],
        "neighbors": [
            {"dev": dev, "dst": f"{net}.9", "lladdr": "02:00:00:00:00:09"}
            for dev, net in (("host0", "10.9.0"), ("br0", "10.0.0"))
        ],
        "rules": [{"priority": 77, "iif": "br0", "table": 254}],
    }
    run({**NETWORK, **{kind: [*NETWORK.get(kind, ()), *some] for kind, some in beside.items()}}, LAB)
    assert torn_down(EXACT) >= 10
    assert not unlike(start, state(with_ifindex=True))


@pytest.mark.usefixtures("lab")
def test_what_was_changed_in_a_namespace_is_not_put_back_before_it_goes() -> None:
    start = state()
    run(NETWORK, LAB)
    sysctls = [*NETWORK["sysctls"], {"netns": "red", "name": "net.ipv4.ip_forward", "value": 1}]
    links = [*NETWORK["links"], {"name": "lo", "netns": "red", "up": True}]
    run({**NETWORK, "sysctls": sysctls, "links": links}, LAB)
    assert torn_down(EXACT) == 6
    assert not unlike(start, state())


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize("position", range(6))
def test_a_teardown_that_was_killed_at_any_op_is_finished_by_the_next(position: int) -> None:
    def dying(number: int, _op: Op) -> None:
        if number == position:
            os._exit(9)

    start = state()
    run(NETWORK, LAB)
    pid = os.fork()
    if not pid:
        run({}, LAB, dying)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    assert run({}, LAB).changed
    assert not unlike(start, state())
    assert not run({}, LAB).changed


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
