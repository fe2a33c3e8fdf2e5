# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The local policy follows a pod that has moved: the client is no node."""

from __future__ import annotations

from typing import Any

from nodes import GATEWAY, UNDERLAY, ask, seen, who

testinfra_hosts = ["ansible://internet"]


def test_the_node_that_has_the_pod_now_answers(node: Any) -> None:
    (before,) = ask(node, "", ("tcp", UNDERLAY["vms101"], 30998, 1), patience=3)
    (after,) = ask(node, "", ("tcp", UNDERLAY["vms102"], 30998, 10))
    assert who(before) == {"TimeoutError"}
    assert who(after) == {"default.moves"} and seen(after) == {GATEWAY}
