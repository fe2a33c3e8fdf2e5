# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the tests of the info modules ask: a reader in the test's own process, and what iproute2 says to the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.linuxnet.lab.plugins.module_utils._info import link
from ansible_collections.linuxnet.lab.plugins.module_utils._info.view import collect

from ..engine.support import sh


def links(**params: Any) -> list[dict[str, Any]]:
    """What link_info returns; nothing may be wrong meanwhile."""
    found, warnings = collect(link.read, {"netns": None, "grep": None, **dict.fromkeys(link.SPEC), **params})
    assert warnings == []
    return found


def anyhow(which: str, user: int = 0, **params: Any) -> dict[str, Any]:
    """What a module answers through its own entry point, whatever that is, as long as it is no crash."""
    done = subprocess.run(
        [sys.executable, "-B", "-m", f"ansible_collections.linuxnet.lab.plugins.modules.{which}"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": params}), capture_output=True, text=True, check=False, cwd="/",
        user=user, env={**os.environ, "HOME": "/tmp"},
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr, done
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    assert answer.get("changed", False) is False
    return answer


def ip(netns: str, *command: str) -> str:
    """What iproute2 prints in a namespace: the own one, one with a name, or one behind a path."""
    if netns.startswith("/"):
        return sh("nsenter", f"--net={netns}", "ip", *command)
    return sh("ip", *(["-n", netns] if netns else []), *command)


def ip_json(netns: str, *command: str) -> list[dict[str, Any]]:
    """iproute2's account."""
    return [one for one in json.loads(ip(netns, "-j", *command) or "[]") if one]


@contextmanager
def process_without_a_name(netns: str = "") -> Iterator[int]:
    """A process in a network namespace of its own that has no name, as a container is, or in the one behind a path;
    its PID."""
    enter = ["nsenter", f"--net={netns}"] if netns else ["unshare", "-n"]
    with subprocess.Popen([*enter, "sleep", "600"]) as process:
        try:
            while sh("cat", f"/proc/{process.pid}/comm").strip() != "sleep":
                assert process.poll() is None
            yield process.pid
        finally:
            process.kill()
