# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The molecule scenarios, each role on several hosts over SSH, as users run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_all_scenarios() -> None:
    done = subprocess.run(
        [Path(sys.prefix) / "bin/molecule", "test", "--all"],
        cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env={
            **os.environ, "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}", "MOLECULE_GLOB": "molecule/*/molecule.yml",
            "ANSIBLE_NOCOLOR": "1", "NO_COLOR": "1",
        },
    )  # fmt: skip
    print(done.stdout[-12000:], done.stderr[-12000:])
    assert done.returncode == 0
