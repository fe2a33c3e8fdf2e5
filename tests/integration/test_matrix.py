# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine with each version of pyroute2 that it supports. Each is installed beside the venv, without the venv's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What goes through the encoding and decoding of messages, kind by kind; the rest of the engine does not know pyroute2.
TESTS = [
    "test_links.py",
    "test_options.py",
    "test_rules.py",
    "test_traps.py",
    "test_side_effects.py",
    "test_properties.py",
]
VERSIONS = ["0.7.2", "0.7.12", "0.8.1", "0.9.1", "0.9.5"]  # and the newest, which the venv has


def installed(version: str) -> Path:
    """The folder of a version."""
    folder = ROOT / ".venv-matrix" / version
    if not (folder / "pyroute2").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile", "--target", folder]
        subprocess.run([*pip, f"pyroute2=={version}"], check=True, capture_output=True)
    return folder


def test_a_version_that_is_too_old_says_so() -> None:
    asked = "from ansible_collections.linuxnet.lab.plugins.module_utils import _netlink as n; print(n.PYROUTE2_IMPORT_ERROR)"
    said = subprocess.run(
        [sys.executable, "-B", "-c", asked], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(installed("0.5.19"))},
    ).stdout  # fmt: skip
    assert said.strip().endswith("pyroute2 0.5.19 is too old")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_engine_with_pyroute2(version: str) -> None:
    folder = installed(version)
    tests = [f"tests/integration/engine/{name}" for name in TESTS]
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-q", "--tb=short", "--color=no", *tests],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(folder), "LAB_EXAMPLES": "3", "LAB_PYROUTE2": version},
    )  # fmt: skip
    print(done.stdout[-6000:], done.stderr[-2000:])
    assert done.returncode == 0
