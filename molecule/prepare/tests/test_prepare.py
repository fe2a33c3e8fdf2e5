# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

testinfra_hosts = ["ansible://lab"]


def test_pyroute2_can_be_imported(node: Any) -> None:
    assert node.sh("python3 -c 'import pyroute2; print(1)'").strip() == "1"


def test_the_kernel_has_what_the_lab_needs(node: Any) -> None:
    for kind in ("bridge", "veth", "vxlan", "ipip"):
        data = {"vxlan": "id 1 dstport 4789", "ipip": "remote 192.0.2.1"}.get(kind, "")
        node.sh(f"unshare -n ip link add probe type {kind} {data}")
