# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `make lab` shows of a playbook: a line for each task that does something on the hosts, as soon as it begins.

What a play says once (run_once) is for the reader, and shown as it is. Failures look as Ansible always shows them.
"""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: stdout
short_description: A line for each task
description: A line for each task that does something on the hosts.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""

import sys
import time
from typing import Any

from ansible.plugins.callback.default import CallbackModule as Default

SILENT = {"set_fact", "debug", "assert", "fail", "include_role", "import_role", "include_tasks", "import_tasks", "meta"}
WIDTH = 60
TERMINAL = sys.stdout.isatty()


class CallbackModule(Default):  # type: ignore[misc]
    """One task at a time: its name when it begins, what became of it when the next one does."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "progress"

    def __init__(self) -> None:
        super().__init__()
        self.line = ""  # of the task that runs
        self.since = 0.0
        self.hosts: dict[str, set[str]] = {}

    def _say(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    def _close(self) -> None:
        """End the line of the task before; on a terminal it has begun already, and goes if no host needed the task."""
        words = [f"{word} on {len(hosts)}" for word, hosts in self.hosts.items()]
        if self.line and TERMINAL:
            self._say("\r\033[K")
        if self.line and words:
            self._say(f"{self.line} {', '.join(words)}, {time.monotonic() - self.since:.0f} s\n")
        self.line = ""

    def _note(self, word: str, result: Any) -> None:
        self.hosts.setdefault(word, set()).add(result.host.get_name())

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._play = play

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._close()
        super().v2_playbook_on_task_start(task, is_conditional)
        self.hosts = {}
        self.since = time.monotonic()
        name = task.get_name().rpartition(" : ")[2]
        if task.action.rpartition(".")[2] not in SILENT and not name.startswith("Validating arguments"):
            self.line = f"   {name} ".ljust(WIDTH, ".")
            self._say(self.line if TERMINAL else "")

    def _task_start(self, task: Any, prefix: Any = None) -> None:
        """The banner comes with a failure only."""
        self._last_task_name = task.get_name()
        self._last_task_banner = None

    def v2_runner_on_ok(self, result: Any) -> None:
        if result.task.run_once and result.task.action.endswith("debug"):
            said = result.result.get("msg")
            self._say("\n" + "\n".join(said if isinstance(said, list) else [str(said)]) + "\n")
        self._note("changed" if result.result.get("changed") else "ok", result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        pass

    def v2_runner_item_on_ok(self, result: Any) -> None:
        pass

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        pass

    def v2_playbook_on_include(self, included_file: Any) -> None:
        pass

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._note("failed", result)
        self._close()
        super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._note("unreachable", result)
        self._close()
        super().v2_runner_on_unreachable(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._close()
