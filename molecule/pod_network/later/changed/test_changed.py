# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pod has come, one has gone, one has moved, one has another address; the others have noticed nothing (side_effect.yml)."""

from __future__ import annotations

import re
from typing import Any

from nodes import ADDRESS, POD, UNDERLAY, ask, host_end, others, pings, routes, who

testinfra_hosts = ["ansible://pod_hosts"]
PODS = {
    "vms100": {POD["vms100"], "default.comes"},
    "vms101": {POD["vms101"]},
    "vms102": {POD["vms102"], "default.moves", "default.renumbered"},
}
MOVED, OLD, NEW = "10.244.198.20", "10.244.63.70", "10.244.63.71"


def test_no_ping_of_the_others_was_lost(node: Any) -> None:
    """They ran from before the change until twenty more were answered after it: there is no gap. What a busy machine
    had on its way when ping was ended has been sent later than these."""
    for other in others(node):
        text = node.sh(f"cat /run/pings/{ADDRESS[other]}")
        answered = [int(number) for number in re.findall(r"bytes from .* icmp_seq=(\d+)", text)]
        assert answered == list(range(1, len(answered) + 1)), text[-2000:]
        assert len(answered) > 30 and set(re.findall(r"ttl=(\d+)", text)) == {"62"}


def test_the_pods_are_where_they_shall_be(node: Any) -> None:
    assert {one["name"] for one in node.ip("netns")} == PODS[node.name]
    ends = {link["ifname"] for link in node.ip("link") if link["ifname"].startswith("cali")}
    assert ends == set(map(host_end, PODS[node.name]))
    found = routes(node)
    if node.name == "vms102":
        assert found[MOVED]["dev"] == host_end("default.moves")
    else:  # its block is still vms101's, so all nodes have a route of its own to it
        assert (found[MOVED]["gateway"], found[MOVED]["dev"]) == (UNDERLAY["vms102"], "tunl0")
    # E14: another address at the same host end
    assert OLD not in found and (NEW not in found or found[NEW]["dev"] == host_end("default.renumbered"))


def test_the_moved_and_the_renumbered_pod_answer(node: Any) -> None:
    moved, renumbered, old = pings(node, *((POD[node.name], address, "") for address in (MOVED, NEW, OLD)))
    assert moved == renumbered == (3, [63 if node.name == "vms102" else 62]) and old[0] == 0
    if node.name == "vms102":
        pods = ("default.moves", "default.renumbered")
        wanted = [(pod, ADDRESS[other], "") for pod in pods for other in others(node)]
        assert pings(node, *wanted) == [(3, [62])] * 4


def test_services_follow(node: Any) -> None:
    """The local endpoint of default/near has moved from vms101 to vms102."""
    local = [rule for rule in node.sh("iptables-save -t nat").splitlines() if rule.startswith("-A KUBE-SVL-")]
    assert [rule.split('-> ')[1].split(":")[0] for rule in local] == {
        "vms100": [ADDRESS["vms100"]], "vms101": [], "vms102": [MOVED],
    }[node.name]  # fmt: skip
    (answers,) = ask(node, "", ("tcp", "10.96.0.81", 80, 25))
    assert who(answers) == {"velero.minio-b6d98746c-m7rzc", "default.moves"}
