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


def inventory(one: dict[str, Any], two: dict[str, Any], **shared: Any) -> dict[str, Any]:
    """Two hosts that are in all three groups."""
    hosts = {
        "one": {**HOST, "underlay_address": "192.0.2.1", **one},
        "two": {**HOST, "underlay_address": "192.0.2.2", **two},
    }
    groups = {name: {"hosts": {host: {} for host in hosts}} for name in ("bridge_hosts", "ipip_hosts", "vxlan_hosts")}
    return {
        "all": {"hosts": hosts, "vars": {"ansible_python_interpreter": sys.executable, **shared}, "children": groups}
    }


def test_all_mistakes_of_all_hosts_at_once(tmp_path: Path) -> None:
    text = play(
        tmp_path,
        inventory(
            {
                "bridge_network_bridge": "a-bridge-that-is-too-long",
                "bridge_network_namespaces": ["red", "red", {"name": "blue", "address": "10.0.0.1"}, "a/b"],
                "ipip_tunnel_peers": ["three"],
                "ipip_tunnel_names": {"two": "tunnel-to-host-two"},
            },
            {
                "bridge_network_gateway": "192.168.21.1",
                "ipip_tunnel_mtu": 1500,
                "vxlan_overlay_mtu": 1500,
                "vxlan_overlay_address": "172.18.43.2",
                "vxlan_overlay_pair_ends": [{"namespace": "node1"}, {"namespace": "node1", "address": "10.9.9.9/24"}],
            },
            vxlan_overlay_id=1 << 24,
        ),
    )
    for line in (
        "one: bridge_network_bridge: 'a-bridge-that-is-too-long' is 25 bytes long",
        "one: bridge_network_namespaces[2].name: 'red' is red's already",
        "one: bridge_network_namespaces[3].address: '10.0.0.1' is not in 192.168.20.0/24",
        "one: bridge_network_namespaces[4].name: 'a/b' holds a character",
        "one: ipip_tunnel_peers[1]: 'three' is not a host of the group ipip_hosts",
        "one: ipip_tunnel_names.two: 'tunnel-to-host-two' is 18 bytes long",
        "one: vxlan_overlay_id: 16777216 is out of range, 0 to 16777215",
        "two: bridge_network_gateway: '192.168.21.1' is not in 192.168.20.0/24",
        "two: ipip_tunnel_mtu: 1500 is too large: the underlay (mtu 1500) between two and one leaves 1480",
        "two: vxlan_overlay_id: 16777216 is out of range, 0 to 16777215",
        "two: vxlan_overlay_mtu: 1500 is too large: the smallest underlay of the group leaves 1450",
        "two: vxlan_overlay_address: '172.18.43.2' is not in 172.18.42.0/24",
        "two: vxlan_overlay_pair_ends[2].namespace: 'node1' is the first end's already",
        "two: vxlan_overlay_pair_ends[2].address: '10.9.9.9/24' is not in the network of the first end, 192.168.1.0/24",
    ):
        assert f"- {line}" in text.replace("\\n", "\n"), (line, text)


def test_networks_that_are_in_each_others_way(tmp_path: Path) -> None:
    text = play(
        tmp_path,
        inventory(
            {"bridge_network_namespaces": ["ns1", {"name": "blue", "host_interface": "v2-P"}]},
            {"bridge_network_subnet": "172.18.0.0/16", "bridge_network_namespaces": ["red"]},
        ),
    )
    for line in (
        "one: ipip_tunnel_pair_ends: the namespace ns1 is of bridge_network_namespaces as well",
        "one: ipip_tunnel_pair_ends: the interface v2-P is of bridge_network_namespaces as well",
        "two: vxlan_overlay_subnet: '172.18.42.0/24' overlaps 172.18.0.0/16 of bridge_network_subnet",
    ):
        assert f"- {line}" in text.replace("\\n", "\n"), (line, text)


def test_a_missing_peer_host(tmp_path: Path) -> None:
    found = inventory({}, {"underlay_address": "", "underlay_device": ""})
    text = play(tmp_path, found)
    assert "- two: underlay_address: " in text.replace("\\n", "\n"), text
