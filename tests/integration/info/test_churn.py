# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What comes and goes while it is read: links, namespaces, processes. No failure, and the rest is delivered."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._info import link, netns, snapshot
from ansible_collections.linuxnet.lab.plugins.module_utils._info.view import collect

from ..engine.support import sh
from .look import anyhow, process_without_a_name

pytestmark = pytest.mark.usefixtures("lab")
ROUNDS = 12

LINKS = """
while :; do
    ip link add come type veth peer name go netns coming
    ip link add here type veth peer name there
    ip link set here master br0
    ip link del here
    ip link del come
done"""
NAMESPACES = """
while :; do
    ip netns add passing
    ip link add eth9 netns passing type veth peer name near9
    ip netns del passing
    unshare -n true
done"""


@contextmanager
def meanwhile(*scripts: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Shell scripts that run on, each in a session of its own: what it started ends with it."""
    running = [
        subprocess.Popen(
            ["sh", "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        for script in scripts
    ]
    try:
        yield running
    finally:
        for process in running:
            os.killpg(process.pid, signal.SIGKILL)  # never by kill(1): procps' takes the first digit of -PID for a PID
            process.wait()


def stays() -> None:
    """What is there all the time."""
    for line in (
        "ip netns add coming", "ip netns add red", "ip link add br0 type bridge", "ip link set br0 up",
        "ip link add veth-r type veth peer name eth0-r netns red", "ip link set veth-r master br0 up",
        "ip -n red addr add 192.168.20.2/24 dev eth0-r",
    ):  # fmt: skip
        sh(*line.split())


def assert_there(found: list[dict[str, Any]]) -> None:
    """All that stays, with both ends."""
    by_name = {(one["netns"], one["name"]): one for one in found}
    assert by_name["", "veth-r"]["master"] == "br0"
    for where, name, far, far_name in (("", "veth-r", "red", "eth0-r"), ("red", "eth0-r", "", "veth-r")):
        peer = by_name[where, name]["peer"]
        assert (peer["netns"], peer["name"]) == (far, far_name)
    assert [one["address"] for one in by_name["red", "eth0-r"]["addresses"]] == ["192.168.20.2/24"]


def test_links_and_namespaces_that_come_and_go_while_all_are_read() -> None:
    stays()
    params = {"grep": None, **dict.fromkeys(link.SPEC), "netns": "all"}
    every: set[str] = set()
    with meanwhile(LINKS, NAMESPACES) as running:
        for _round in range(ROUNDS):
            found, warnings = collect(link.read, params)
            assert_there(found)
            assert all("network namespace" in line or "are changing all the time" in line for line in warnings)
            every.update(one["name"] for one in found)
            assert all(one["text"].startswith(f"{one['ifindex']}: {one['name']}") for one in found)
        assert all(process.poll() is None for process in running)
    assert every & {"come", "go", "here", "there", "near9", "eth9"}  # there was something that came and went


def test_a_snapshot_and_the_namespaces_while_they_come_and_go() -> None:
    stays()
    defaults = {option: about.get("default") for option, about in snapshot.SPEC.items()}
    with meanwhile(LINKS, NAMESPACES):
        for _round in range(5):
            found, _warnings = snapshot.look(defaults)
            assert_there([{"netns": space["netns"], **one} for space in found["namespaces"] for one in space["links"]])
            names = {
                one["name"] for one in netns.look({**defaults, "grep": None, "container": None, "processes": 5})[0]
            }
            assert {"red", "coming"} <= names


def test_a_process_that_ends_takes_its_namespace_along() -> None:
    with process_without_a_name() as pid:
        assert anyhow("link_info", netns=str(pid))["links"]
    for which in ("link_info", "netns_info", "snapshot_info"):
        answer = anyhow(which, netns=str(pid))
        assert answer["failed"] and answer["msg"].startswith(f"there is no network namespace {pid} ("), answer
