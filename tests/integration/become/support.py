# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible's own commands, as a user types them; two test hosts with real SSH servers, and users of each kind on them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
TESTBED = Path(__file__).parents[3] / "roles/testbed/files/testbed.py"
HOSTS = ("vms100", "vms101")
PASSWORD = "secret"

# A host as the tests want it: a namespace with a bridge and a file of its own, a bridge on the host itself, whose own
# namespace has names too, one of them as docker makes it; alice may do everything by sudo, bob after he said his password.
# sshd lets nobody into an account that is locked.
PREPARE = r"""
set -e
ip netns add red
ip -n red link add red0 type bridge
ip link add host0 type bridge
mkdir -p /etc/netns/red
echo nameserver 192.0.2.53 >/etc/netns/red/resolv.conf
ip netns attach hostns $$
mkdir -p /run/docker/netns
touch /run/docker/netns/default
mount --bind /proc/$$/ns/net /run/docker/netns/default
ln -s /run/docker/netns/default /run/netns/default
[ ! -e /run/testbed ] || {
    chmod 644 /run/testbed/authorized_keys
    useradd -m alice
    useradd -m bob
    usermod -p '*' alice
    echo bob:secret | chpasswd
    echo 'alice ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/alice
    echo 'bob ALL=(ALL) ALL' >/etc/sudoers.d/bob
}
"""


def ansible(
    command: str, *arguments: Any, cwd: Path, given: str | None = None, ok: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`ansible COMMAND ...` in a folder, without the machine's configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    settings = {"ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_NOCOLOR": "1", **environment}
    done = subprocess.run(
        [str(Path(sys.prefix, "bin", command)), *map(str, arguments)],
        cwd=cwd, env={**kept, "COLUMNS": "1000", **settings}, input=given, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not ok or done.returncode == 0, f"{shlex.join(done.args)}\n{done.stdout}\n{done.stderr}"
    return done


class Bed:
    """Two test hosts, and a folder for inventories."""

    def __init__(self, folder: Path) -> None:
        self.testbed = folder / "testbed"
        self.folder = folder
        self.variables: dict[str, Any] = {}
        self.addresses: dict[str, str] = {}

    def run(self, *arguments: str) -> None:
        command = [sys.executable, "-B", str(TESTBED), "--dir", str(self.testbed), *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=120)

    def up(self) -> None:
        self.run("up", "--hosts", str(len(HOSTS)), "--form", "native", "--mode", "overlay", "--no-outside")
        written = yaml.safe_load((self.testbed / "hosts").read_text(encoding="utf-8"))["all"]
        self.addresses = {host: written["hosts"][host]["ansible_host"] for host in HOSTS}
        self.variables = {
            **written["vars"],
            # a connection for each user, where the testbed's own has one for each host
            "ansible_ssh_common_args": written["vars"]["ansible_ssh_common_args"].replace("/ssh/%h", "/ssh/%r%h"),
            "ansible_remote_tmp": "~/.ansible/tmp",
            "ansible_python_interpreter": sys.executable,
        }
        for host in HOSTS:
            self.run("enter", host, "sh", "-c", PREPARE)

    def inventory(
        self, name: str, hosts: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Any] | None = None
    ) -> Path:
        """An inventory in the folder."""
        path = self.folder / name
        content = {"all": {"vars": self.variables, "hosts": hosts, "children": groups or {}}}
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    def users(self, **variables: Any) -> Path:
        """An inventory with a host for each user, all of them the same machine."""
        address = {"ansible_host": self.addresses[HOSTS[0]], **variables}
        hosts = {user: {"ansible_user": user, **address} for user in ("root", "alice", "bob")}
        hosts["bob"]["ansible_become_password"] = PASSWORD
        return self.inventory("users.yml", hosts)


@contextmanager
def bed() -> Iterator[Bed]:
    """The hosts, for a while."""
    # a short path: the sockets of shared SSH connections are in it
    folder = Path(tempfile.mkdtemp(prefix="bc", dir="/var/tmp"))
    made = Bed(folder)
    try:
        made.up()
        yield made
    finally:
        made.run("down")
        shutil.rmtree(folder, ignore_errors=True)
