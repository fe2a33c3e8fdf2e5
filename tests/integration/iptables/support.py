# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Either back end of iptables as *the* iptables, and what iptables-save says in a namespace of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..engine.support import lab, sh
from .rules import COUNTERS, SETS

__all__ = ["back_end", "feed", "lab", "named", "saved"]
TOOLS = ("iptables", "iptables-save", "iptables-restore")


def _works(name: str) -> bool:
    command = ["unshare", "-n", f"iptables-{name}", "-A", "OUTPUT", "-j", "ACCEPT"]
    return (
        bool(shutil.which(f"iptables-{name}"))
        and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


@pytest.fixture(params=["nft", "legacy"])
def back_end(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """iptables is iptables-nft, or iptables-legacy, for the length of a test: first in PATH, as an alternative is."""
    name = str(request.param)
    if not _works(name):
        pytest.skip(f"KERNEL: iptables-{name} does not work here; the other back end is tested")
    for tool in TOOLS:
        for family in ("", "6"):
            own = tool.replace("iptables", f"ip{family}tables")
            target = shutil.which(own.replace("tables", f"tables-{name}", 1))
            (tmp_path / own).symlink_to(str(target))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    yield name


@pytest.fixture
def named(lab: None) -> None:
    """The sets and counters that rules call by their names, in the test's own network."""
    for name, kind in SETS.items():
        sh("ipset", "create", name, *kind.split())
    for name in COUNTERS:
        sh("nfacct", "add", name)


def feed(text: str, *options: str, tool: str = "iptables") -> None:
    """iptables-restore; fails the test with what it says."""
    done = subprocess.run([f"{tool}-restore", *options], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{text}"


def saved(*options: str, tool: str = "iptables", netns: str = "") -> list[str]:
    """iptables-save without its comments."""
    where = ["ip", "netns", "exec", netns] if netns else []
    done = subprocess.run([*where, f"{tool}-save", *options], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if not line.startswith("#")]
