# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parameters that rewrite others (net.ipv4.ip_forward does so with each interface's): these come back as well."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Failed, Options, run
from ansible_collections.linuxnet.lab.plugins.module_utils._ledger import FOLDER
from hypothesis import given
from hypothesis import strategies as st

from .support import own_network, sh, state, unlike
from .test_properties import failing_at, profile

LAB = Options(name="lab", prune=True)
ONE, TWO = Options(name="one", prune=True), Options(name="two", prune=True)
LINKS = ("d0", "d1", "d2", "d3")
LEADERS = {
    "net.ipv4.ip_forward": "net.ipv4.conf.{}.forwarding",
    "net.ipv4.conf.all.forwarding": "net.ipv4.conf.{}.forwarding",
    "net.ipv4.conf.default.rp_filter": "net.ipv4.conf.{}.rp_filter",
    **{
        name: name.replace(".all.", ".{}.")
        for name in (
            "net.ipv6.conf.all.forwarding",
            "net.ipv6.conf.all.disable_ipv6",
            "net.ipv6.conf.all.ignore_routes_with_linkdown",
        )
    },
}


def path(name: str) -> Path:
    """Where a parameter is."""
    return Path("/proc/sys", *name.split("."))


def write(name: str, value: int) -> None:
    path(name).write_text(str(value), "ascii")


def value(name: str) -> str:
    return path(name).read_text("ascii").strip()


def parameters() -> dict[str, str]:
    """All that may be rewritten."""
    wanted = ("forwarding", "accept_redirects", "rp_filter", "disable_ipv6", "ignore_routes_with_linkdown")
    found = [file for family in (4, 6) for file in Path(f"/proc/sys/net/ipv{family}/conf").glob("*/*")]
    return {
        str(file): file.read_text("ascii").strip()
        for file in (*found, path("net.ipv4.ip_forward"))
        if file.name in (*wanted, "ip_forward")
    }


def links() -> None:
    """Two pairs; one end has an address, so that it does not follow `default`."""
    sh("ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1")
    sh("ip", "link", "add", "d2", "type", "veth", "peer", "name", "d3")
    sh("ip", "addr", "add", "10.9.0.1/24", "dev", "d0")


bits = st.integers(0, 1)
own = st.dictionaries(st.sampled_from(LINKS), bits)
cases = st.fixed_dictionaries(
    {
        "leader": st.sampled_from(sorted(LEADERS)),
        "at_first": bits,
        "own": own,  # what the interfaces' own are at first
        "default": bits,
        "redirects": bits,
        "stated": own,  # what the description says of the interfaces' own
        "stated_first": st.booleans(),
    }
)


def prepared(case: dict[str, Any]) -> dict[str, Any]:
    """A network as it is at first; the description that changes it."""
    links()
    name, follower = case["leader"], LEADERS[case["leader"]]
    write(name, case["at_first"])
    write("net.ipv4.conf.all.accept_redirects", case["redirects"])
    if ".default." not in name:
        write(follower.format("default"), case["default"])
    for dev, bit in case["own"].items():
        write(follower.format(dev), bit)
    stated = [{"name": follower.format(dev), "value": bit} for dev, bit in case["stated"].items()]
    leading = [{"name": name, "value": 1 - case["at_first"]}]
    return {"sysctls": stated + leading if case["stated_first"] else leading + stated}


@profile
@given(cases)
def test_what_a_parameter_rewrites_is_as_before_when_it_goes_back(case: dict[str, Any]) -> None:
    with own_network():
        description = prepared(case)
        before = parameters()
        planned = run(description, LAB._replace(check=True))
        assert parameters() == before
        assert run(description, LAB).commands == planned.commands
        for dev, bit in case["stated"].items():
            assert value(LEADERS[case["leader"]].format(dev)) == str(bit)
        assert value(case["leader"]) == str(1 - case["at_first"])
        assert not run(description, LAB).changed
        planned = run({}, LAB._replace(check=True))
        assert run({}, LAB).commands == planned.commands
        assert parameters() == before
        assert not os.path.exists(FOLDER)


@profile
@given(cases)
def test_what_a_parameter_rewrites_is_as_before_after_a_failure(case: dict[str, Any]) -> None:
    with own_network():
        description = {**prepared(case), "routes": [{"dst": "10.77.0.0/16", "type": "blackhole"}]}
        before = parameters()
        for position in itertools.count():
            try:
                run(description, LAB, failing_at(position))
            except Failed as failure:
                assert failure.rolled_back, failure.left
                assert parameters() == before
                assert not os.path.exists(FOLDER)
            else:
                break
        assert position > 1  # the leader, and the route behind it


@profile
@given(cases, st.permutations(("one", "two")))
def test_what_another_description_holds_stays_as_that_has_it(case: dict[str, Any], order: list[str]) -> None:
    follower = LEADERS[case["leader"]]

    def build() -> dict[str, str]:
        """Each in its order; the second says otherwise than it finds. Returns what both want."""
        wanted = {case["leader"]: str(1 - case["at_first"])}
        for name in order:
            part = {case["leader"]: wanted[case["leader"]]}
            if name == "two":
                part = {follower.format(dev): str(1 - int(value(follower.format(dev)))) for dev in case["stated"]}
            run({"sysctls": [{"name": key, "value": to} for key, to in part.items()]}, LAB._replace(name=name))
            wanted.update(part)
        return wanted

    with own_network():
        prepared(case)
        before = parameters()
        wanted = build()
        assert {name: value(name) for name in wanted} == wanted
        run({}, ONE)
        assert {name: value(name) for name in wanted} == {**wanted, case["leader"]: str(case["at_first"])}
        run({}, TWO)
        assert parameters() == before
        wanted = build()
        run({}, TWO)
        assert value(case["leader"]) == wanted[case["leader"]]
        run({}, ONE)
        assert parameters() == before
        assert not os.path.exists(FOLDER)


@pytest.mark.usefixtures("lab")
def test_a_teardown_that_fails_leaves_the_followers_as_they_were() -> None:
    links()
    write("net.ipv4.conf.d0.forwarding", 1)
    before = parameters()
    run({"sysctls": [{"name": "net.ipv4.ip_forward", "value": 1}]}, LAB)
    write("net.ipv4.conf.d2.forwarding", 0)
    there = parameters()
    for position in range(2):
        with pytest.raises(Failed):
            run({}, LAB, failing_at(position))
        assert parameters() == there
    run({}, LAB)
    assert parameters() == before


@pytest.mark.usefixtures("lab")
def test_a_link_that_is_made_anew_follows_too() -> None:
    run({"links": [{"name": "p0", "kind": "veth", "peer": {"name": "p1"}, "numtxqueues": 1}]})
    pair = {"name": "p0", "kind": "veth", "peer": {"name": "p1"}, "numtxqueues": 2}
    done = run({"links": [pair], "sysctls": [{"name": "net.ipv4.ip_forward", "value": 1}]}, LAB._replace(recreate=True))
    assert value("net.ipv4.conf.p0.forwarding") == "1", done.commands


@pytest.mark.usefixtures("lab")
def test_what_followed_on_a_link_that_goes_is_not_put_back() -> None:
    start = state()
    run({"links": [{"name": "p0", "kind": "veth", "peer": {"name": "p1"}}]})
    for dev in ("p0", "p1"):
        write(f"net.ipv4.conf.{dev}.forwarding", 1)
    run({"sysctls": [{"name": "net.ipv4.ip_forward", "value": 1}]})
    run({"links": [{"name": "p0", "state": "absent"}], "sysctls": [{"name": "net.ipv4.ip_forward", "state": "absent"}]})
    assert not unlike(start, state())
    assert not os.path.exists(FOLDER)


@pytest.mark.usefixtures("lab")
def test_forwarding_of_all_is_ip_forward_by_another_name() -> None:
    both = [{"name": name, "value": 1} for name in ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding")]
    assert run({"sysctls": both}, ONE).commands == ["sysctl -w net.ipv4.ip_forward=1"]
    run({"sysctls": both[1:]}, TWO)
    run({}, ONE)
    assert value("net.ipv4.ip_forward") == "1"
    run({}, TWO)
    assert value("net.ipv4.ip_forward") == "0"


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize("dev", ["all", "d0"])
def test_what_goes_with_ipv6_comes_back_after_a_failure(dev: str) -> None:
    links()
    sh("ip", "link", "set", "d0", "up")
    sh("ip", "link", "set", "d1", "up")
    sh("ip", "addr", "add", "fd00::1/64", "dev", "d0", "nodad")
    sh("ip", "route", "add", "fd01::/64", "via", "fd00::2")
    before = state()
    off = {"sysctls": [{"name": f"net.ipv6.conf.{dev}.disable_ipv6", "value": 1}]}
    with pytest.raises(Failed, match="on purpose") as failure:
        run({**off, "routes": [{"dst": "10.77.0.0/16", "type": "blackhole"}]}, LAB, failing_at(1))
    assert failure.value.rolled_back, failure.value.left
    assert not unlike(before, state())
    run(off, LAB)
    assert "fd00::1" not in sh("ip", "addr")
