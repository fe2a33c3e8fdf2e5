# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Molecule runs beside the other tests, from their beginning on: it has hosts and files of its own, and takes the longest."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEPT = 12000  # characters of the end of its output
FAILURE = re.compile(r"(?:fatal: |failed: |msg: |ERROR|CRITICAL|FAILED (?!- RETRYING)|E   ).{1,400}")


class Molecule:
    """One run of all scenarios."""

    def __init__(self) -> None:
        self.output = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the run
        self.process = subprocess.Popen(
            [Path(sys.prefix) / "bin/molecule", "test", "--all"],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=self.output, stderr=subprocess.STDOUT, start_new_session=True,
            env={
                **os.environ, "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}", "MOLECULE_GLOB": "molecule/*/molecule.yml",
                "ANSIBLE_NOCOLOR": "1", "NO_COLOR": "1", "COLUMNS": "300",
            },
        )  # fmt: skip

    def finish(self) -> str:
        """Wait for its end, and show the end of what it said; what failed, if it did."""
        code = self.process.wait()
        self.output.seek(0)
        said = self.output.read().decode(errors="replace")
        print(said[-KEPT:])
        return f"exit code {code}: {' | '.join(FAILURE.findall(said)[:8])}" if code else ""

    def end(self) -> None:
        """Nobody waits for it any more. The hosts that it leaves are healed by the next run."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait()
        self.output.close()


_runs: list[Molecule] = []


def pytest_collection_finish(session: pytest.Session) -> None:
    wanted = any(item.path.parent == Path(__file__).parent for item in session.items)
    if wanted and not session.config.option.collectonly:
        _runs.append(Molecule())


def pytest_sessionfinish() -> None:
    for run in _runs:
        run.end()


@pytest.fixture
def molecule() -> Molecule:
    return _runs[0]
