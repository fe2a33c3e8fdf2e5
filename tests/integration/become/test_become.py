# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks in a namespace: as root and through sudo with and without a password, over SSH and local, pipelining on and off.

The playbooks inside.yml and traps.yml hold what must be true; here is who runs them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.become.support import HERE, PREPARE, Bed, ansible, bed
from tests.integration.engine.support import own_network, sh

PLAYBOOKS = ["inside.yml", "traps.yml"]


@pytest.fixture(scope="module")
def hosts() -> Iterator[Bed]:
    with bed() as made:
        made.run("enter", "vms100", "sh", "-c", "touch /run/netns/leftover")
        yield made


def play(playbook: str, inventory: Path | str, folder: Path, *arguments: str) -> None:
    script = folder / "look.sh"
    script.write_text("#!/bin/sh\nls -1 /sys/class/net\n", encoding="utf-8")
    own = ["-e", f"own_pid={os.getpid() if ',' in str(inventory) else 1}", "-e", f"script={script}"]
    done = ansible("ansible-playbook", "-i", inventory, HERE / playbook, *own, *arguments, cwd=folder)
    assert "failed=0" in done.stdout and "unreachable=0" in done.stdout


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_over_ssh(hosts: Bed, playbook: str, pipelining: bool) -> None:
    """As root, as alice (sudo), as bob (sudo with a password), at once."""
    play(playbook, hosts.users(ansible_pipelining=pipelining), hosts.folder)


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_on_this_machine(tmp_path: Path, playbook: str, pipelining: bool) -> None:
    with own_network():
        # /etc as it is, with changes that go with the mount namespace
        for folder in ("upper", "work", "tmp"):
            os.mkdir(f"/run/{folder}")
        sh("mount", "-t", "overlay", "-o", "lowerdir=/etc,upperdir=/run/upper,workdir=/run/work", "overlay", "/etc")
        sh("sh", "-c", PREPARE)
        Path("/run/netns/leftover").touch()
        variables = {
            "ansible_pipelining": pipelining,
            "ansible_remote_tmp": "/run/tmp",
            "ansible_python_interpreter": sys.executable,
        }
        arguments = ["-c", "local", "-e", json.dumps(variables)]
        play(playbook, "localhost,", tmp_path, *arguments)


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    ("password", "says"),
    [("wrong", "Incorrect linuxnet.lab.netns password"), ("", "Missing linuxnet.lab.netns password")],
)
def test_a_password_that_is_wrong_or_missing(hosts: Bed, password: str, says: str, pipelining: bool) -> None:
    inventory = hosts.users(ansible_pipelining=pipelining)
    become = [
        "-b",
        "--become-method",
        "linuxnet.lab.netns",
        "--become-user",
        "red",
        "-e",
        f"ansible_become_password={password}",
    ]
    done = ansible("ansible", "-i", inventory, "bob", *become, "-a", "ip link", cwd=hosts.folder, ok=False)
    assert done.returncode and says in done.stdout and "host0" not in done.stdout


def test_a_number_is_a_name_first(hosts: Bed) -> None:
    hosts.run("enter", "vms100", "sh", "-c", "ip netns add 1 && ip -n 1 link add one0 type bridge")
    try:
        become = ["-b", "--become-method", "linuxnet.lab.netns", "-e", "ansible_become_user=1"]
        done = ansible("ansible", "-i", hosts.users(), "root", *become, "-a", "ls /sys/class/net", cwd=hosts.folder)
        assert done.stdout.split()[-2:] == ["lo", "one0"]
    finally:
        hosts.run("enter", "vms100", "ip", "netns", "del", "1")


def test_a_default_for_become_user_is_no_way_into_the_host(hosts: Bed) -> None:
    """become_user=root stands in many an ansible.cfg; a root login with it skips other plugins."""
    become = ["-b", "--become-method", "linuxnet.lab.netns", "-a", "ip link"]
    for user in ("root", "alice"):
        done: subprocess.CompletedProcess[str] = ansible(
            "ansible", "-i", hosts.users(), user, *become, cwd=hosts.folder, ok=False, ANSIBLE_BECOME_USER="root"
        )
        assert "there is no network namespace root" in done.stdout and "host0" not in done.stdout
