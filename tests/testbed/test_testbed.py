# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The test hosts: made, made again, healed, removed; and the machine's own network as it was."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

PROGRAM = Path(__file__).parents[2] / "roles/testbed/files/testbed.py"

Bed = TypeVar("Bed", bound="Testbed")


class Testbed:
    """One testbed in a folder of its own."""

    __test__ = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    @contextmanager
    def somewhere(cls: type[Bed]) -> Iterator[Bed]:
        """In a folder of its own; what was made there ends with it. A short path: sockets of SSH are in it."""
        folder = Path(tempfile.mkdtemp(prefix="tb", dir="/var/tmp"))
        shutil.rmtree(folder)
        bed = cls(folder)
        try:
            yield bed
        finally:
            bed.run("down")
            shutil.rmtree(folder, ignore_errors=True)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-B", str(PROGRAM), "--dir", str(self.folder), *arguments]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def run(self, *arguments: str) -> dict[str, Any]:
        child = self.start(*arguments)
        out, error = child.communicate(timeout=120)
        assert child.returncode == 0, error
        answer: dict[str, Any] = json.loads(out)
        return answer

    def up(self, form: str) -> dict[str, Any]:
        return self.run("up", "--hosts", "2", "--form", form, "--inventory", str(self.folder / "hosts"))

    def ssh(self, command: str, hosts: str = "all") -> str:
        done = subprocess.run(
            [Path(sys.prefix) / "bin/ansible", "-i", self.folder / "hosts", hosts, "-m", "raw", "-a", command],
            capture_output=True, text=True, check=False, env={**os.environ, "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def processes(self) -> list[int]:
        """PIDs whose command line or environment names the folder."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and str(self.folder).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found


def machine() -> list[Any]:
    """The machine's own network and mounts."""
    commands = (["ip", "-j", "link"], ["ip", "-j", "route"], ["ip", "-j", "rule"], ["ip", "netns"])
    seen = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for command in commands]
    mounts = sorted(line.split()[4] for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines())
    return [*seen, mounts]


@pytest.fixture
def testbed() -> Iterator[Testbed]:
    with Testbed.somewhere() as bed:
        yield bed


@pytest.mark.parametrize("form", ["native", "guest"])
def test_hosts_come_stay_heal_and_go(testbed: Testbed, form: str) -> None:
    before = machine()
    made = testbed.up(form)
    assert made["changed"] and set(made["made"]) == {"vms100", "vms101", "outside"}
    names = testbed.ssh("hostname; ls /run/netns 2>/dev/null; ip -br addr show ens32")
    assert all(name in names for name in ("vms100", "vms101", "192.168.26.100/24", "192.168.26.101/24"))
    assert machine() == before

    again = testbed.up(form)
    assert not again["changed"] and again["made"] == []

    # what one host makes, no other has
    testbed.ssh("ip netns add mine", "vms100")
    assert "mine" not in testbed.ssh("ip netns", "vms101")

    record = (testbed.folder / "machines/vms101/process").read_text(encoding="utf-8").split()
    os.kill(int(record[0]), signal.SIGKILL)
    healed = testbed.up(form)
    assert healed["changed"] and healed["made"] == ["vms101"]
    assert "mine" in testbed.ssh("ip netns", "vms100")

    # the host that plays the Internet answers only those that it has a route to
    assert "3 received" in testbed.ssh("ping -c 3 -i 0.2 203.0.113.10", "vms100")

    gone = testbed.run("down")
    assert gone["changed"] and not testbed.folder.exists()
    assert testbed.processes() == [] and machine() == before
    assert not testbed.run("down")["changed"]


@pytest.mark.parametrize("moment", [0.05, 0.2, 0.5])
def test_what_a_killed_run_leaves_is_healed_and_removed(testbed: Testbed, moment: float) -> None:
    before = machine()
    child = testbed.start("up", "--hosts", "2", "--form", "native", "--inventory", str(testbed.folder / "hosts"))
    time.sleep(moment)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    testbed.up("native")
    assert "vms101" in testbed.ssh("hostname")
    testbed.run("down")
    assert testbed.processes() == [] and not testbed.folder.exists() and machine() == before


def test_a_guest_has_ipip() -> None:
    guest = Path(__file__).parents[1] / "tools/guest-run"
    command = [guest, "--", "ip", "link", "add", "t0", "type", "ipip", "remote", "192.0.2.1"]
    done = subprocess.run(command, check=False, cwd="/")
    assert done.returncode == 0
