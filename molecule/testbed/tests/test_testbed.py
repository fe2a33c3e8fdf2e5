# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of the role testbed: real SSH, apart from each other and from the machine, in an inventory with its variables."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path("/var/lib/linuxnet.lab/own")
ADDRESS = {"alpha": "192.168.30.100", "beta7": "192.168.30.7"}
testinfra_hosts = [f"ansible://{name}?ansible_inventory={FOLDER}/hosts" for name in ADDRESS]


def inventory() -> dict[str, Any]:
    command = ["ansible-inventory", "-i", str(FOLDER / "hosts"), "--list"]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def test_a_host_answers_and_says_its_name(node: Any) -> None:
    assert node.sh("hostname").strip() == node.name
    (link,) = node.ip("-4 addr show ens32")
    assert [one["local"] for one in link["addr_info"]] == [ADDRESS[node.name]] and link["mtu"] == 1500
    assert [one["ifname"] for one in node.ip("link")] == ["lo", "ens32"]
    assert [r["gateway"] for r in node.ip("route") if r["dst"] == "default"] == ["192.168.30.2"]


def test_hosts_reach_each_other_and_the_one_outside(node: Any) -> None:
    for address in (*ADDRESS.values(), "192.168.30.2", "203.0.113.10"):
        assert node.ping("", address) == (3, [64])


def test_what_one_host_makes_no_other_has_nor_has_the_machine(node: Any) -> None:
    path = Path(f"/run/netns/of-{node.name}")
    node.sh(f"ip netns add of-{node.name}")
    try:
        assert [one["name"] for one in node.ip("netns")] == [path.name] and not path.exists()
    finally:
        node.sh(f"ip netns delete of-{node.name}")
    node.sh("touch /etc/testbed-was-here")
    assert not Path("/etc/testbed-was-here").exists()


@pytest.mark.parametrize("kind", ["pid", "net", "mnt", "uts", "ipc"])
def test_a_host_has_namespaces_of_its_own(node: Any, kind: str) -> None:
    seen = node.sh(f"readlink /proc/self/ns/{kind}").strip()
    assert seen != str(Path(f"/proc/self/ns/{kind}").readlink())


def test_the_inventory_has_the_groups_and_the_variables() -> None:
    found = inventory()
    variables = found["_meta"]["hostvars"]
    assert found["routers"]["hosts"] == ["beta7"] and found["internet"]["hosts"] == ["outside"]
    assert set(variables) == {"alpha", "beta7", "outside"}
    assert {name: variables[name].get("color") for name in variables} == {
        "alpha": "red", "beta7": "of beta7", "outside": None,
    }  # fmt: skip
    assert {name: variables[name]["ansible_host"] for name in ADDRESS} == ADDRESS
