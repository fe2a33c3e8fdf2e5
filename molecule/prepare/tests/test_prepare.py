# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host has after the role prepare."""

from __future__ import annotations

import json
import shlex
from typing import Any

testinfra_hosts = ["ansible://lab"]


def test_pyroute2_can_be_imported(node: Any) -> None:
    assert node.sh("python3 -c 'import pyroute2; print(1)'").strip() == "1"


def test_it_came_from_the_controller(node: Any) -> None:
    """These hosts reach no package. What the machine's own Python has, they have as well: then there is nothing to bring."""
    code = 'from importlib.metadata import distribution; print(distribution("pyroute2").read_text("INSTALLER"))'
    installer = node.sh(f"python3 -c {shlex.quote(code)}").strip()
    note = node.host.file("/var/lib/linuxnet.lab/prepare.json")
    assert note.exists == (installer == "linuxnet.lab"), installer
    assert not note.exists or json.loads(note.content_string) == {"source": "controller"}


def test_the_kernel_has_what_the_lab_needs(node: Any) -> None:
    for kind in ("bridge", "veth", "vxlan", "ipip"):
        data = {"vxlan": "id 1 dstport 4789", "ipip": "remote 192.0.2.1"}.get(kind, "")
        node.sh(f"unshare -n ip link add probe type {kind} {data}")
