# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The management guard: a plan that would cut the way that the controller came in on is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Options, Refused, run
from ansible_collections.linuxnet.lab.plugins.module_utils._guard import ssh_connection

from .support import sh, state, unlike

pytestmark = pytest.mark.usefixtures("lab", "way")
CONNECTION = "198.51.100.9 50000 192.0.2.1 22"


@pytest.fixture
def way(lab: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The controller comes from 198.51.100.9 over the bridge br0, whose port is nic."""
    for line in (
        "ip netns add red",
        "ip link add br0 type bridge",
        "ip netns add out",
        "ip link add nic type veth peer name far netns out",
        "ip link set nic master br0 up",
        "ip link set br0 up",
        "ip addr add 192.0.2.1/24 dev br0",
        "ip route add default via 192.0.2.254",
        "ip link add other type veth peer name other1",
    ):
        sh(*line.split())
    monkeypatch.setenv("SSH_CONNECTION", CONNECTION)
    yield


CUTTING: list[tuple[dict[str, Any], str]] = [
    ({"links": [{"name": "br0", "state": "absent"}]}, "deleting it"),
    ({"namespaces": [{"name": "out", "state": "absent"}]}, "deleting it"),
    ({"links": [{"name": "br0", "up": False}]}, "changing up"),
    ({"links": [{"name": "nic", "master": ""}]}, "changing master"),
    ({"links": [{"name": "nic", "up": False}]}, "changing up"),
    ({"links": [{"name": "br0", "address": "02:00:00:00:00:01"}]}, "changing address"),
    ({"links": [{"name": "nic", "netns": "red", "move_from": ""}]}, "moving it"),
    ({"addresses": [{"dev": "br0", "address": "192.0.2.1/24", "state": "absent"}]}, "removing the address"),
    ({"routes": [{"dst": "default", "state": "absent"}]}, "removing the route"),
    ({"routes": [{"dst": "default", "via": "192.0.2.253"}]}, "lead the answers to the controller elsewhere"),
    ({"routes": [{"dst": "198.51.100.0/24", "type": "blackhole"}]}, "lead the answers to the controller elsewhere"),
]
HARMLESS: list[dict[str, Any]] = [
    {"links": [{"name": "br0", "stp_state": False, "mtu": 1500}]},
    {"links": [{"name": "other", "up": False}]},
    {"links": [{"name": "other", "netns": "red", "move_from": ""}]},
    {"addresses": [{"dev": "br0", "address": "192.0.2.77/24"}]},
    {"routes": [{"dst": "203.0.113.0/24", "type": "blackhole"}]},
    {"routes": [{"netns": "red", "dst": "198.51.100.0/24", "type": "blackhole"}]},
]


@pytest.mark.parametrize("description, reason", CUTTING)
def test_the_way_of_the_controller_is_not_cut_unasked(description: dict[str, Any], reason: str) -> None:
    before = state()
    with pytest.raises(Refused) as refused:
        run(description, Options(adopt=True))
    assert reason in str(refused.value) and "198.51.100.9" in str(refused.value)
    assert "allow_disconnect: true" in str(refused.value)
    assert not unlike(before, state())


@pytest.mark.parametrize("description, reason", CUTTING)
def test_the_way_of_the_controller_is_cut_when_that_is_meant(description: dict[str, Any], reason: str) -> None:
    assert run(description, Options(adopt=True, allow_disconnect=True)).changed


@pytest.mark.parametrize("description", HARMLESS)
def test_what_does_not_cut_the_way_is_done(description: dict[str, Any]) -> None:
    description = {
        section: [{k: v for k, v in one.items() if k != "stp_state"} for one in entries]
        for section, entries in description.items()
    }
    run(description, Options(adopt=True))


def test_the_connection_is_found_although_sudo_dropped_it() -> None:
    """The variable is read from the environments of the parents."""
    program = (
        "import os,subprocess,sys;"
        "print(subprocess.run(['env','-i',sys.executable,'-c',"
        "'from ansible_collections.linuxnet.lab.plugins.module_utils._guard import ssh_connection; print(ssh_connection())'],"
        "capture_output=True,text=True).stdout)"
    )
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"SSH_CONNECTION": CONNECTION}
    ).stdout
    assert "('198.51.100.9', '192.0.2.1')" in out
    assert ssh_connection() == ("198.51.100.9", "192.0.2.1")
