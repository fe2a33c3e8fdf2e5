# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A package of the controller, packed for a host."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from ansible_collections.linuxnet.lab.plugins.plugin_utils.python_package import pack


def test_pack_and_unpack(tmp_path: Path) -> None:
    path = pack("pyroute2", str(tmp_path))
    with tarfile.open(path) as archive:
        names = archive.getnames()
        archive.extractall(tmp_path / "there")
    assert {name.split("/")[0] for name in names} == {
        "pyroute2",
        Path(path).name.removesuffix(".tar.gz") + ".dist-info",
    }
    assert not [name for name in names if "__pycache__" in name]
    code = (
        "import pyroute2, importlib.metadata as m; from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg;"
        "d = m.distribution('pyroute2'); print(pyroute2.__file__, d.read_text('INSTALLER').strip(), d.version, len(d.files))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": str(tmp_path / "there")},
        capture_output=True,
        text=True,
        check=True,
    )
    where, installer, version, count = done.stdout.split()
    assert where.startswith(str(tmp_path))
    assert installer == "linuxnet.lab"
    assert version in path
    assert int(count) == len(names)


def test_packed_once(tmp_path: Path) -> None:
    first = pack("pyroute2", str(tmp_path))
    stamp = Path(first).stat().st_mtime_ns
    assert pack("pyroute2", str(tmp_path)) == first
    assert Path(first).stat().st_mtime_ns == stamp


def test_no_such_package(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="has no package"):
        pack("no_such_package_here", str(tmp_path))
