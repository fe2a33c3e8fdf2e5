# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check mode and a refused description load no kernel module; a run does. In a guest that has not loaded any yet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import os
from ansible_collections.linuxnet.lab.plugins.module_utils._engine import Options, Refused, run

def loaded():
    return {kind for kind in ("ipip", "vxlan", "bridge", "veth") if os.path.exists(f"/sys/module/{kind}")}

links = [
    {"name": "t0", "kind": "ipip", "remote": "192.0.2.9"}, {"name": "tunl0", "up": True}, {"name": "br0", "kind": "bridge"},
    {"name": "x0", "kind": "vxlan", "id": 1, "dstport": 4789}, {"name": "v0", "kind": "veth", "peer": "p0"},
]
wanted = {"links": links, "sysctls": [{"name": "net.ipv4.conf.tunl0.rp_filter", "value": 2}]}
start = loaded()
assert "ipip" not in start, start
planned = run(wanted, Options(check=True))
assert loaded() == start, loaded()
try:
    run({**wanted, "addresses": [{"dev": "none0", "address": "192.0.2.1/24"}]})
except Refused as refused:
    assert "none0" in str(refused)
else:
    raise AssertionError("not refused")
assert loaded() == start, loaded()
made = run(wanted)
assert "ipip" in loaded() and made.commands == planned.commands, (made.commands, planned.commands)
assert not run(wanted).changed
print("nothing loaded but by a run")
"""


# What the role prepare asks, in check mode and otherwise.
PROBE = """
import json, os, subprocess, sys

def probe(load):
    arguments = {"minimum": "0.7.2", "kinds": ["ipip", "vxlan", "tuba"], "load": load, "do": "probe"}
    command = [sys.executable, "roles/prepare/files/probe.py", json.dumps(arguments)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

for load in (False, True):
    found = probe(load)
    assert found["kinds"] == {"ipip": True, "vxlan": True, "tuba": False}, found["kinds"]
    assert ("ipip" in found["loaded"]) == os.path.exists("/sys/module/ipip") == load, found["loaded"]
print("nothing loaded but by a run")
"""


@pytest.mark.parametrize("script", [SCRIPT, PROBE], ids=["engine", "prepare"])
def test_only_a_run_loads_modules(script: str) -> None:
    done = subprocess.run(
        [ROOT / "tests/tools/guest-run", "-w", sys.prefix, "-w", ROOT, "--", sys.executable, "-B", "-c", script],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=600, env={**os.environ},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "nothing loaded but by a run" in done.stdout
