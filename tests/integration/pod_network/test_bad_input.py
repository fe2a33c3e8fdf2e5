# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""lab.yml with every mistake at once: all are told, by host, variable and value, and no host is changed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from ..engine.support import lab
from ..mistakes import HOST, play

__all__ = ["lab"]
pytestmark = pytest.mark.usefixtures("lab")
WEB: dict[str, Any] = {"cluster_ip": "10.96.0.7", "port": 80, "target_port": 8080}


def inventory(**variables: Any) -> dict[str, Any]:
    """Two nodes, and a host that is none."""
    hosts = {
        "one": {**HOST, "underlay_address": "192.0.2.1", "pod_network_block": "10.244.0.0/26"},
        "two": {**HOST, "underlay_address": "192.0.2.2", "pod_network_block": "10.244.0.64/26"},
    }
    for name, values in variables.pop("hosts", {}).items():
        hosts[name].update(values)
    shared = {"ansible_python_interpreter": sys.executable, **variables}
    return {"all": {"children": {"pod_hosts": {"hosts": hosts, "vars": shared}, "spare": {"hosts": {"three": HOST}}}}}


def test_pods_and_blocks(tmp_path: Path) -> None:
    text = play(
        tmp_path,
        inventory(
            pod_network_pods=[
                {"name": "web", "node": "one"},
                {"name": "web", "node": "two"},
                {"name": "api", "node": "four"},
                {"name": "db", "node": "three"},
                {"name": "far", "node": "one", "address": "192.0.2.9"},
            ],
            hosts={"two": {"pod_network_block": "10.244.0.0/26"}},
        ),
    )
    for line in (
        "two: pod_network_block: '10.244.0.0/26' overlaps 10.244.0.0/26 on one",
        "one: pod_network_pods[2].name: default/web is a pod of one already",
        "one: pod_network_pods[3].node: 'four' is no host of the group pod_hosts",
        "one: pod_network_pods[4].node: 'three' is no host of the group pod_hosts",  # it is there, outside of the group
        "one: pod_network_pods[5].address: '192.0.2.9' is not in the pool 10.244.0.0/16",
    ):
        assert f"- {line}" in text.replace("\\n", "\n"), (line, text)


def test_a_node_out_of_the_play_that_does_not_answer(tmp_path: Path) -> None:
    """What is not known of it is told, by the host that would have needed it; nothing is guessed."""
    dead = {
        "ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1,
        "pod_network_block": "", "pod_network_pods": ["web"], "underlay_mtu": "",
    }  # fmt: skip
    services = [{**WEB, "name": "a", "endpoints": ["web"]}]
    text = play(tmp_path, inventory(hosts={"two": dead}, node_port_services=services), "--limit", "one")
    assert "3 mistake(s), no host has been changed" in text
    for line in (
        "two: pod_network_block: is not stated, and nobody knows the one that the host holds",
        "two: underlay_mtu: is not stated, and the host is not in this play and has not answered",
        "one: node_port_services[1].endpoints[1]: 'web' is neither a pod of the group nor an address; the pods of two are not",
    ):
        assert f"- {line}" in text.replace("\\n", "\n"), (line, text)


def test_a_pool_that_is_used_up(tmp_path: Path) -> None:
    found = inventory(
        pod_network_pool="10.244.0.0/26", hosts={"one": {"pod_network_block": ""}, "two": {"pod_network_block": ""}}
    )
    assert "two: pod_network_pool: '10.244.0.0/26' has 1 blocks of /26, and there are 2 hosts: it is used up" in play(
        tmp_path, found
    )


def test_services_are_told_together_with_pods(tmp_path: Path) -> None:
    text = play(
        tmp_path,
        inventory(
            pod_network_pods=["web"],
            node_port_services=[
                {**WEB, "name": "a", "node_port": 30999, "endpoints": ["10.244.0.1"]},
                {**WEB, "name": "b", "cluster_ip": "10.96.0.8", "node_port": 30999, "endpoints": ["10.244.0.1"]},
                {**WEB, "name": "c", "cluster_ip": "10.96.0.9", "node_port": 29999, "endpoints": ["10.244.0.1"]},
                {**WEB, "name": "d", "cluster_ip": "10.96.0.10", "endpoints": ["192.0.2.9"]},
            ],
            hosts={"two": {"pod_network_mtu": "9000"}},
        ),
    )
    for line in (
        "two: pod_network_mtu: 9000 is too large: the smallest underlay of the group leaves 1480",
        "one: node_port_services[2].node_port: 30999 (tcp) is default/a's already",
        "one: node_port_services[3].node_port: 29999 is not in node_port_range, 30000-32767",
        "one: node_port_services[4].endpoints[1]: '192.0.2.9': 192.0.2.9 is not in node_port_cluster_cidr, 10.244.0.0/16",
    ):
        assert f"- {line}" in text.replace("\\n", "\n"), (line, text)
