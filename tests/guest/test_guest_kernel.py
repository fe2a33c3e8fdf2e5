# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine's and the modules' tests once more, in a guest kernel (User-Mode Linux): one that has ipip, and none that
is the machine's. What a kernel does not have is skipped there and run here, or the other way round."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


# What depends on the kernel; the guard and the netlink traps do not, and have been run on the machine's.
KERNEL = [
    "test_properties.py",
    "test_links.py",
    "test_put_back.py::test_vlans_of_a_port_are_not_torn",
    "test_put_back.py::test_every_parameter_of_a_link_that_is_made_anew_is_put_back",
]
MODULES = [
    "test_modules.py::test_a_module_keeps_its_promises[ipip_tunnel]",
    "test_examples.py::test_examples_run_and_change_nothing_the_second_time[ipip_tunnel]",
    "test_netns_option.py::test_what_changes_something[ipip_tunnel]",
]
INFO = ["test_documents.py"]
# What the machine's kernel may have skipped.
OPTIONS = ["test_options.py", "test_bad_input.py"]
RUNS = [
    [f"tests/integration/engine/{name}" for name in KERNEL],
    [*(f"tests/integration/engine/{name}" for name in OPTIONS), "-k", "ipip or vlan or tunl0 or underlay"],
    [f"tests/integration/modules/{name}" for name in MODULES],
    [f"tests/integration/info/{name}" for name in INFO],
    ["tests/integration/iptables/test_rules_text.py", "-k", "ipvs"],
]


@pytest.mark.parametrize(
    ("tests", "least"), zip(RUNS, (11, 20, 3, 5, 2)), ids=["engine", "options", "modules", "info", "iptables"]
)
def test_in_a_guest_kernel(tests: list[str], least: int) -> None:
    done = subprocess.run(
        [
            ROOT / "tests/tools/guest-run", "-m", "1500M", "-w", ROOT, "-w", sys.prefix, "--",
            sys.executable, "-B", "-m", "pytest", "-q", "--tb=short", "--color=no", *tests,
        ],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=2400,
        env={
            **os.environ, "LAB_EXAMPLES": os.environ.get("LAB_GUEST_EXAMPLES", "2"), "LAB_FAULT_EXAMPLES": "1", "CI": "true",
            "LAB_QUICK": "1",
        },
    )  # fmt: skip
    print(done.stdout[-6000:], done.stderr[-2000:])
    assert done.returncode == 0
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed and int(passed[1]) >= least
