# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""lab.yml with an inventory that has mistakes: what it says, and that it changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from .engine.support import sh, state, unlike

ROOT = Path(__file__).parents[2]
# a host of the inventory: the test's own network stands for each of them, as no host is changed
HOST = {"underlay_device": "ens32", "underlay_mtu": 1500, "ansible_connection": "local"}


def play(folder: Path, described: dict[str, Any], *arguments: str) -> str:
    """What lab.yml says about it; it must fail, and change nothing."""
    sh("ip", "link", "add", "ens32", "type", "veth", "peer", "name", "far")
    sh("ip", "addr", "add", "192.0.2.1/24", "dev", "ens32")
    before = state()
    (folder / "hosts.json").write_text(json.dumps(described))
    done = subprocess.run(
        [Path(sys.prefix) / "bin/ansible-playbook", "lab.yml", "-i", str(folder / "hosts.json"), *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_HOME": str(folder / "home")},
    )  # fmt: skip
    assert done.returncode and "changed=0" in done.stdout and "changed=1" not in done.stdout, done.stdout + done.stderr
    assert not unlike(before, state())
    assert "no host has been changed" in done.stdout, done.stdout
    return done.stdout
