# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packs a pure Python package of the controller, so that a host without Internet can have a copy of it."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.util
import io
import os
import tarfile
from collections.abc import Iterator

INSTALLER = "linuxnet.lab"


def pack(package: str, folder: str) -> str:
    """The path of a tar.gz in `folder` with the package and its metadata, to be unpacked where Python looks for packages.

    The metadata say who installed it (INSTALLER) and what belongs to it (RECORD), as PEP 376 has it. LookupError if the
    controller does not have the package; ValueError if it holds compiled files, which another host may not be able to run.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"the controller's Python has no package {package}")
    home = spec.submodule_search_locations[0]
    found = importlib.metadata.distribution(package)
    target = os.path.join(folder, f"{package}-{found.version}.tar.gz")
    if not os.path.exists(target):
        temporary = f"{target}.{os.getpid()}"  # several workers may be at it; the last one wins
        with tarfile.open(temporary, "w:gz", compresslevel=6) as archive:
            for name, data in _files(package, home, found):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(data), 0o644
                archive.addfile(entry, io.BytesIO(data))
        os.replace(temporary, target)
    return target


def _files(package: str, home: str, found: importlib.metadata.Distribution) -> Iterator[tuple[str, bytes]]:
    record = []
    info = f"{package}-{found.version}.dist-info"
    for name, data in [*_sources(package, home), *_metadata(info, found)]:
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        record.append(f"{name},sha256={digest},{len(data)}")
        yield name, data
    record.append(f"{info}/RECORD,,")
    yield f"{info}/RECORD", ("\n".join(record) + "\n").encode()


def _sources(package: str, home: str) -> Iterator[tuple[str, bytes]]:
    for folder, folders, files in os.walk(home):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(files):
            path = os.path.join(folder, name)
            if name.endswith((".so", ".pyd")):
                raise ValueError(
                    f"{package} holds the compiled file {os.path.relpath(path, home)}: it cannot be copied"
                )
            if not name.endswith((".pyc", ".pyo")):
                with open(path, "rb") as file:
                    yield os.path.join(package, os.path.relpath(path, home)), file.read()


def _metadata(info: str, found: importlib.metadata.Distribution) -> Iterator[tuple[str, bytes]]:
    text = found.read_text("METADATA") or found.read_text("PKG-INFO") or ""
    yield f"{info}/METADATA", text.encode()
    yield f"{info}/INSTALLER", f"{INSTALLER}\n".encode()
