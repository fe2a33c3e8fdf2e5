# SPDX-FileCopyrightText: linuxnet.lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Networks of several roles on one host."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxnet.lab.plugins.plugin_utils import (
    bridge_network,
    ipip_tunnel,
    pod_network,
    vxlan_overlay,
)
from ansible_collections.linuxnet.lab.plugins.plugin_utils.conflicts import conflicts

HOSTS: dict[str, Any] = {"h1": {"underlay_address": "192.0.2.1"}, "h2": {"underlay_address": "192.0.2.2"}}


def parts(bridge: dict[str, Any] | None = None, vxlan: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "bridge_network": bridge_network.plan(bridge or {}, "h1", HOSTS),
        "ipip_tunnel": ipip_tunnel.plan({}, "h1", HOSTS, HOSTS),
        "vxlan_overlay": vxlan_overlay.plan(vxlan or {}, "h1", HOSTS, ["h1"]),
    }


def test_the_documented_networks_are_in_nobodys_way() -> None:
    assert conflicts(parts(), "h1") == []


@pytest.mark.parametrize("encapsulation", ["ipip", "vxlan", "none"])
def test_a_pod_network_beside_them(encapsulation: str) -> None:
    def described(**values: Any) -> dict[str, Any]:
        found = {"encapsulation": encapsulation, "pods": [{"name": "web", "node": "h1"}], **values}
        part = pod_network.plan(found, "h1", {"h1": {**HOSTS["h1"], "pod_network_stated": found}}, ["h1"])
        assert not part["problems"]
        return {**parts(), "pod_network": part}

    assert conflicts(described(), "h1") == []
    assert conflicts({**described(), **parts({"namespaces": ["default.web"]})}, "h1") == [
        "h1: pod_network_pods: the namespace default.web is of bridge_network_namespaces as well; name one of them otherwise"
    ]


def test_what_is_left_out_or_empty_has_nothing() -> None:
    assert conflicts({"bridge_network": {}, "ipip_tunnel": parts()["ipip_tunnel"]}, "h1") == []
    assert conflicts(parts({"state": "absent", "namespaces": ["ns1"]}), "h1") == []


@pytest.mark.parametrize(
    ("bridge", "vxlan", "expected"),
    [
        (
            {"namespaces": ["ns1"]},
            {},
            [
                "h1: ipip_tunnel_pair_ends: the namespace ns1 is of bridge_network_namespaces as well; name one of them otherwise"
            ],
        ),
        (
            {"namespaces": [{"name": "red", "host_interface": "v1-P"}]},
            {},
            [
                "h1: ipip_tunnel_pair_ends: the interface v1-P is of bridge_network_namespaces as well; name one of them otherwise"
            ],
        ),
        (
            {"bridge": "vxlan42"},
            {},
            [
                "h1: vxlan_overlay_interface: the interface vxlan42 is of bridge_network_bridge as well; name one of them otherwise"
            ],
        ),
        (
            {"subnet": "10.10.0.0/16", "namespaces": ["red"]},
            {},
            [
                f"h1: ipip_tunnel_pair_ends: '10.10.{n}.0/24' overlaps 10.10.0.0/16 of bridge_network_subnet; take another one for one of them"
                for n in (10, 20)
            ],
        ),
        (
            {},
            {"subnet": "192.168.20.0/25"},
            [
                "h1: vxlan_overlay_subnet: '192.168.20.0/25' overlaps 192.168.20.0/24 of bridge_network_subnet; take another one for one of them"
            ],
        ),
    ],
)
def test_what_two_roles_have(bridge: dict[str, Any], vxlan: dict[str, Any], expected: list[str]) -> None:
    assert conflicts(parts(bridge, vxlan), "h1") == expected
