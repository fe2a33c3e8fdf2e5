# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where pyroute2 comes from, into the distribution's own Python: that of this machine, with a folder for packages of its
own. There is no Internet, so pip finds its package in a folder, and the distribution's is out of reach."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from ansible_collections.linuxnet.lab.plugins.plugin_utils.python_package import pack

from ..engine.support import lab, sh

__all__ = ["lab"]
pytestmark = pytest.mark.usefixtures("lab")
PYTHON, KEPT = "/usr/bin/python3", Path("/var/lib/linuxnet.lab")
PLAY = [{"hosts": "all", "gather_facts": False, "roles": ["linuxnet.lab.prepare"]}]


@pytest.fixture
def packages() -> Path:
    """Where this Python has its packages; empty, and only in the test's own mount namespace."""
    folder = Path(sh(PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    for one in (folder, KEPT):
        one.mkdir(parents=True, exist_ok=True)
        sh("mount", "-t", "tmpfs", "lab", str(one))
    return folder


def wheel(folder: Path) -> None:
    """The controller's pyroute2 as pip takes it."""
    with tarfile.open(pack("pyroute2", str(folder))) as archive:
        info = next(name.partition("/")[0] for name in archive.getnames() if name.endswith("/METADATA"))
        with zipfile.ZipFile(folder / f"{info.removesuffix('.dist-info')}-py3-none-any.whl", "w") as made:
            for member in archive.getmembers():
                file = archive.extractfile(member)
                assert file is not None
                made.writestr(member.name, file.read())
            made.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")


def play(folder: Path, **variables: str) -> str:
    """The role on this machine; what it says."""
    (folder / "play.json").write_text(json.dumps(PLAY))
    done = subprocess.run(
        [Path(sys.prefix) / "bin/ansible-playbook", "-i", "here,", "-c", "local", str(folder / "play.json"),
         "-e", json.dumps({"ansible_python_interpreter": PYTHON, "prepare_kinds": ["veth"], **variables})],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(folder / "home"), "PIP_NO_INDEX": "1",
             "PIP_FIND_LINKS": str(folder)},
    )  # fmt: skip
    assert not done.returncode, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("stated", "used", "installer"), [("auto", "controller", "linuxnet.lab"), ("pip", "pip", "pip")]
)
def test_brought_and_taken_away(packages: Path, tmp_path: Path, stated: str, used: str, installer: str) -> None:
    wheel(tmp_path)
    play(tmp_path, prepare_pyroute2_source=stated)
    (info,) = packages.glob("pyroute2-*.dist-info")
    assert (info / "INSTALLER").read_text().strip() == installer
    assert json.loads((KEPT / "prepare.json").read_text()) == {"source": used}
    assert sh(PYTHON, "-c", "import pyroute2; print(pyroute2.__file__)").startswith(str(packages))
    play(tmp_path, prepare_state="absent")
    assert not list(packages.glob("pyroute2*")) and not (KEPT / "prepare.json").exists()
