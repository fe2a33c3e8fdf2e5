# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make lab` and `make down` run, in the form that this machine needs: guests, where its kernel has no ipip."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .test_testbed import Testbed, machine

PROGRAM = Path(__file__).parents[1] / "tools/lab"


class Lab(Testbed):
    """Two nodes and the host outside."""

    def make(self, what: str, inventory: Path | None = None) -> tuple[int, str]:
        done = subprocess.run(
            [PROGRAM, what], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            env={**os.environ, "FOLDER": str(self.folder), "INVENTORY": str(inventory or self.folder / "hosts"),
                 "NODES": "2", "ANSIBLE_NOCOLOR": "1"},
        )  # fmt: skip
        print(done.stdout[-6000:], done.stderr[-3000:])
        return done.returncode, done.stdout


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab.somewhere() as lab:
        yield lab


def test_the_two_commands(lab: Lab) -> None:
    before = machine()
    code, out = lab.make("up")
    assert code == 0
    # all the documented networks, with the tunnels that many a machine's own kernel has not
    for network in ("bridge ", "ipip ", "vxlan ", "pods ", "services "):
        assert re.search(rf"^  {network}", out, re.M), network
    assert "via 192.168.26.105 dev tunl0" in lab.ssh("ip route", "vms100")

    code, out = lab.make("up")
    assert code == 0
    assert "changed on" not in out

    code, out = lab.make("down")
    assert code == 0 and out.endswith("Nothing is left.\n")
    assert machine() == before
    assert not lab.folder.exists() and not lab.processes()


def test_an_inventory_of_real_machines_is_not_taken_down(lab: Lab, tmp_path: Path) -> None:
    lab.folder.mkdir()
    inventory = tmp_path / "hosts"
    inventory.write_text("[bridge_hosts]\nalpha ansible_host=192.0.2.1\n")
    code, out = lab.make("down", inventory)
    assert code == 0 and "teardown.yml" not in out and out.endswith("Nothing is left.\n")
    assert inventory.read_text() == "[bridge_hosts]\nalpha ansible_host=192.0.2.1\n"
