# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Node ports from outside: the client is no node, so each node is an entry and nothing else."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from nodes import GATEWAY, TUNNEL, UNDERLAY, ask, seen, who

testinfra_hosts = ["ansible://internet"]
CLIENT = GATEWAY  # the address of that host in the nodes' network


@pytest.mark.parametrize("entry", UNDERLAY)
def test_every_endpoint_answers_at_every_entry(node: Any, entry: str) -> None:  # F4, F6, F8
    """On the entry node or on another one; the endpoint sees the entry node, by which the answer has to come back."""
    tcp, udp = ask(node, "", ("tcp", UNDERLAY[entry], 30999, 90), ("udp", UNDERLAY[entry], 30053, 30))
    for answers, times in ((tcp, 90), (udp, 30)):
        found = Counter(answer["node"] for answer in answers)
        share = times / 3
        # chi-square of 2 degrees of freedom: one run in three million is beyond 30
        assert sum(found.values()) == times and sum((found[n] - share) ** 2 / share for n in UNDERLAY) < 30, found
        for answer in answers:
            same = answer["node"] == entry
            assert answer["client"] in ({UNDERLAY[entry], TUNNEL[entry]} if same else {TUNNEL[entry]}), answer


def test_affinity(node: Any) -> None:
    """The node of the endpoint remembers the client, and the entry is a client of its own to nobody else."""
    for entry in UNDERLAY.values():
        (answers,) = ask(node, "", ("tcp", entry, 30997, 20))
        assert len(who(answers)) == 1 and not who(answers) & {"TimeoutError", "ConnectionRefusedError"}


@pytest.mark.parametrize("entry", UNDERLAY)
def test_local_policy(node: Any, entry: str) -> None:
    """An endpoint on the entry node answers, and sees the client; a node without one drops."""
    silent = entry == "vms102"
    (answers,) = ask(node, "", ("tcp", UNDERLAY[entry], 30998, 1 if silent else 10), patience=3 if silent else 15)
    expected = {"vms100": "velero.minio-b6d98746c-m7rzc", "vms101": "default.moves", "vms102": "TimeoutError"}[entry]
    assert who(answers) == {expected}
    assert seen(answers) == {"TimeoutError" if entry == "vms102" else CLIENT}


def test_no_endpoints_refuse_at_once(node: Any) -> None:
    wanted = [("tcp", address, 30995, 1) for address in UNDERLAY.values()]
    assert [who(answers) for answers in ask(node, "", *wanted)] == [{"ConnectionRefusedError"}] * 3
